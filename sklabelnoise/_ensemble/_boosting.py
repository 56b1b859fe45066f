"""Boosted trees over the number of rounds, left out by folds."""

from itertools import islice

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_brier
from sklabelnoise._ensemble._linear import OneClass
from sklabelnoise._foundation._classes import at_all_classes


class FirstRounds:
    """A boosted classifier as it was after its first rounds.

    Parameters
    ----------
    model : HistGradientBoostingClassifier
        Fitted.
    n_rounds : int
        How many rounds count.
    """

    def __init__(self, model, n_rounds):
        self.model, self.n_rounds = model, n_rounds
        self.classes_ = model.classes_

    def predict_proba(self, X):
        """Probabilities after those rounds, shape (n_samples, n_classes)."""
        return next(islice(self.model.staged_predict_proba(X), self.n_rounds - 1, None))


class Boosting(Family):
    """Histogram gradient boosting of two kinds, each over its number of rounds.

    Damped trees have few leaves of many rows and take small steps: they bear wrong labels. Bold trees learn what a few
    rows show, which pays where most labels are right. Rounds are added until more of them predict left-out labels
    worse: one fit of each fold gives all numbers of rounds. Damped trees go on to many rounds only where bold ones are
    not better by then.
    """

    name, view = "boosting", "binned"
    DAMPED = {
        "learning_rate": 0.1,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 40,
        "max_features": 0.5,
        "l2_regularization": 10.0,
    }
    DAMPED_ROUNDS, MANY_ROUNDS = (10, 20, 40, 80), (160, 320)
    BOLD = {
        "learning_rate": 0.2,
        "max_leaf_nodes": 24,
        "min_samples_leaf": 10,
        "max_features": 0.75,
        "l2_regularization": 1.0,
    }
    BOLD_ROUNDS = (5, 10, 20, 40, 80)
    COMMON = {"max_bins": 63, "early_stopping": False, "warm_start": True}

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        a_tree = 4e-4 + 1.5e-5 * n_features + 2e-8 * n_samples * np.sqrt(n_features)
        return n_folds * 120 * (n_classes if n_classes > 2 else 1) * a_tree

    def fit(self, rows, work, seed):
        damped = _Rounds("damped", {**self.DAMPED, **self.COMMON}, rows)
        bold = _Rounds("bold", {**self.BOLD, **self.COMMON}, rows)
        damped.climb(self, work, seed, self.DAMPED_ROUNDS)
        bold.climb(self, work, seed, self.BOLD_ROUNDS)
        if damped.best_brier <= bold.best_brier:
            damped.climb(self, work, seed, self.MANY_ROUNDS)
        candidates = damped.candidates + bold.candidates
        better = damped if damped.best_brier <= bold.best_brier else bold
        return FittedFamily(
            self.name, self.view, candidates, best_by_brier(candidates), better.best_left_out, better.best_models()
        )


class _Rounds:
    """One kind of trees with more and more rounds.

    Parameters
    ----------
    trees : str
        What the kind is called in the parameters of its candidates.
    parameters : dict
        Of HistGradientBoostingClassifier.
    rows : TrainingRows
        What to learn from.
    """

    def __init__(self, trees, parameters, rows):
        self.trees, self.parameters, self.rows = trees, parameters, rows
        self.candidates = []
        self._models = [None] * len(rows.splits)
        self._over = False

    @property
    def best_brier(self):
        """Brier score of the best number of rounds so far."""
        return self.candidates[self._best].brier

    def climb(self, family, work, seed, numbers):
        """Go on to each number of rounds until left-out labels are predicted worse."""
        for n_rounds in numbers:
            if self._over:
                return
            left_out = np.zeros((len(self.rows), self.rows.n_classes))
            for fold, (train, test) in enumerate(self.rows.splits):
                self._models[fold], left_out[test] = work.piece(
                    f"{family.name}-{self.trees}-{n_rounds}-{fold}",
                    lambda model=self._models[fold], train=train, test=test, n=n_rounds: self.more_rounds(
                        model, family.view, train, test, n, seed
                    ),
                )
            self.candidates.append(self.rows.scored({"trees": self.trees, "max_iter": n_rounds}, left_out))
            self._over = len(self.candidates) > 1 and self.candidates[-1].brier >= self.candidates[-2].brier
            if not self._over:
                self._best, self.best_left_out = len(self.candidates) - 1, left_out

    def best_models(self):
        """The models of the folds as they were after the best number of rounds."""
        n_rounds = self.candidates[self._best].parameters["max_iter"]
        return [model if isinstance(model, OneClass) else FirstRounds(model, n_rounds) for model in self._models]

    def more_rounds(self, model, view, train, test, n_rounds, seed):
        """A model of a fold, new or with more rounds, and what it says of the rows that the fold leaves out."""
        rows = self.rows
        X, codes = rows.views[view], rows.codes[train]
        if len(np.unique(codes)) < 2:
            model = OneClass(codes[0])
        else:
            if model is None:
                model = HistGradientBoostingClassifier(**self.parameters, random_state=seed)
            # Weights of one are left out: weighted quantiles of the features take most of the time.
            weight = None if (rows.weight == 1).all() else rows.weight[train]
            model.set_params(max_iter=n_rounds).fit(_without_empty_columns(X[train]), codes, weight)
        return model, at_all_classes(model.predict_proba(X[test]), model.classes_, np.arange(rows.n_classes), fill=0)


def _without_empty_columns(X):
    """Rows with zeros in columns that have no value in any of them: scikit-learn's trees can't bin these."""
    empty = np.isnan(X).all(axis=0)
    return np.where(empty, np.float32(0), X) if empty.any() else X
