"""Random forests and extra trees over the size of their leaves, left out by bags."""

from copy import copy

import numpy as np
from sklearn import config_context
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_brier
from sklabelnoise._foundation._seeds import MAX_SEED


class BagOfTrees:
    """Trees on bootstrap samples of distinct rows, whose probabilities are averaged.

    A row that stands for several is drawn with all of them, so that whatever is out of a bag has no copy in it.

    Parameters
    ----------
    tree : estimator
        Unfitted tree.
    n_classes : int
        Number of classes.
    most_rows : int
        Largest number of rows drawn for a tree.
    """

    def __init__(self, tree, n_classes, most_rows):
        self.tree = tree
        self.classes_ = np.arange(n_classes)
        self.most_rows = most_rows
        self.trees = []

    def grow(self, X, codes, weight, seeds, rows=None):
        """Add a tree for each seed.

        Parameters
        ----------
        X : ndarray of float32 of shape (n_samples, n_features)
            Rows.
        codes, weight : ndarray of shape (n_samples,)
            Labels, and how many rows each stands for.
        seeds : sequence of int
            Each decides a bag and a tree.
        rows : ndarray of int, default=None
            The rows to draw from; None for all.

        Yields
        ------
        out_of_bag : ndarray of int
            Rows that are not in the bag of the new tree.
        proba : ndarray of shape (n_out_of_bag, n_classes)
            What the new tree says about them.
        """
        rows = np.arange(len(codes)) if rows is None else rows
        # Trees know the classes of their bag; one row of weight zero for each class makes them know all.
        one_of_each = np.unique(codes, return_index=True)[1]
        for seed in seeds:
            drawn = np.random.RandomState(seed).randint(len(rows), size=min(len(rows), self.most_rows))
            times = np.bincount(rows[drawn], minlength=len(codes))
            bag = np.flatnonzero(times)
            known = np.concatenate([bag, one_of_each])
            mass = np.concatenate([times[bag] * weight[bag], np.zeros(len(known) - len(bag))])
            tree = copy(self.tree)
            tree.random_state = seed
            tree.fit(X[known], codes[known], sample_weight=mass, check_input=False)
            self.trees.append(tree)
            left = np.flatnonzero(times == 0)
            yield left, tree.predict_proba(X[left], check_input=False)

    def predict_proba(self, X):
        """Mean probabilities of the trees, shape (n_samples, n_classes)."""
        total = np.zeros((len(X), len(self.classes_)))
        for tree in self.trees:
            total += tree.predict_proba(X, check_input=False)
        return total / len(self.trees)


class Forest(Family):
    """Bagged trees that differ in the smallest number of rows of a leaf.

    A few trees of each size tell which size is best: the Brier score of many trees follows from that of few, because
    what the trees of a bag differ by is seen in them. The chosen size gets all its trees.

    Parameters
    ----------
    name : {"random_forest", "extra_trees"}
        Best splits among a sample of the features, or the best of random splits.
    """

    LEAVES = (1, 3, 8, 20, 60)
    N_FIRST, N_TREES = 60, 300
    # Trees of so few rows are all overhead, and what few rows say does not get better by many trees.
    FEW_ROWS, N_FIRST_OF_FEW, N_TREES_OF_FEW = 200, 12, 100
    MANY_ROWS, N_TREES_OF_MANY = 10_000, 150
    MOST_ROWS = 20_000

    def __init__(self, name):
        self.name = name

    def n_first(self, n_samples):
        """How many trees tell which size is best."""
        return self.N_FIRST_OF_FEW if n_samples <= self.FEW_ROWS else self.N_FIRST

    def n_trees(self, n_samples):
        """How many trees the chosen size gets: trees of many rows are large."""
        if n_samples <= self.FEW_ROWS:
            return self.N_TREES_OF_FEW
        return self.N_TREES if n_samples <= self.MANY_ROWS else self.N_TREES_OF_MANY

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        drawn = min(n_samples, self.MOST_ROWS)
        a_tree = 5e-4 + 4e-8 * drawn * np.log2(drawn + 1) * np.sqrt(n_features) + 3e-7 * n_samples
        n_trees = len(self.LEAVES) * self.n_first(n_samples) + self.n_trees(n_samples)
        return n_trees * a_tree * (n_folds if by_folds else 1)

    def fit(self, rows, work, seed):
        X = rows.views[self.view]
        rng = np.random.RandomState(seed)
        seeds = rng.randint(MAX_SEED, size=self.n_trees(len(rows)))
        first = seeds[: self.n_first(len(rows))]
        leaves = [leaf for leaf in self.LEAVES if leaf == 1 or 2 * leaf < len(rows)]
        candidates = []
        for leaf in leaves:
            brier, proba = work.piece(
                f"{self.name}-first-{leaf}",
                lambda leaf=leaf: self._first_trees(rows, X, leaf, first),
            )
            candidate = rows.scored({"min_samples_leaf": leaf}, proba)
            candidate.brier = brier
            candidates.append(candidate)
        chosen = best_by_brier(candidates)
        left_out, models = work.piece(f"{self.name}-trees", lambda: self._all_trees(rows, X, leaves[chosen], seeds))
        final = rows.scored(candidates[chosen].parameters, left_out)
        candidates[chosen].accuracy = final.accuracy
        return FittedFamily(self.name, self.view, candidates, chosen, left_out, models)

    def _bag(self, rows, leaf):
        kind = DecisionTreeClassifier if self.name == "random_forest" else ExtraTreeClassifier
        return BagOfTrees(kind(max_features="sqrt", min_samples_leaf=leaf), rows.n_classes, self.MOST_ROWS)

    def _first_trees(self, rows, X, leaf, seeds):
        """The Brier score that all trees would have, and the probabilities of the first few."""
        votes, targets = np.zeros((len(rows), rows.n_classes)), rows.targets
        squares, times = np.zeros(len(rows)), np.zeros(len(rows))
        for out, proba in self._left_out_votes(rows, X, leaf, seeds, models=[]):
            votes[out] += proba
            squares[out] += np.sum((proba - targets[out]) ** 2, axis=1)
            times[out] += 1
        seen = times > 1
        together = np.sum((votes - times[:, None] * targets) ** 2, axis=1)[seen]
        squares, n = squares[seen], times[seen]
        # Products of different trees are the score of endless trees; each tree alone adds its share of the variance.
        endless = (together - squares) / (n * (n - 1))
        alone = squares / n - endless
        expected = endless + alone / (0.368 * self.n_trees(len(rows)))
        brier = float(np.average(expected, weights=rows.weight[seen])) if seen.any() else np.inf
        return brier, _mean_votes(votes, times)

    def _all_trees(self, rows, X, leaf, seeds):
        votes, times = np.zeros((len(rows), rows.n_classes)), np.zeros(len(rows))
        models = []
        for out, proba in self._left_out_votes(rows, X, leaf, seeds, models):
            votes[out] += proba
            times[out] += 1
        return _mean_votes(votes, times), models

    def _left_out_votes(self, rows, X, leaf, seeds, models):
        """What each tree says about rows it has not seen: those out of its bag, or those that its fold leaves out."""
        # Rows and parameters are checked; for small data checking them for each tree would take most of the time.
        with config_context(skip_parameter_validation=True, assume_finite=True):
            if not rows.by_folds:
                bag = self._bag(rows, leaf)
                models.append(bag)
                yield from bag.grow(X, rows.codes, rows.weight, seeds)
                return
            for train, test in rows.splits:
                bag = self._bag(rows, leaf)
                models.append(bag)
                for _ in bag.grow(X, rows.codes, rows.weight, seeds, train):
                    yield test, bag.trees[-1].predict_proba(X[test], check_input=False)


def _mean_votes(votes, times):
    """Mean probabilities; where no tree has spoken, equal ones."""
    equal = np.full_like(votes, 1 / votes.shape[1])
    return np.divide(votes, times[:, None], out=equal, where=times[:, None] > 0)
