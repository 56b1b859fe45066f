"""Nearest neighbors over their number, each row left out of its own."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_brier

_BLOCK = 4096  # rows at once: each takes several numbers for each neighbor


class NeighborVotes:
    """Labels of the nearest rows, which count until so many have been asked.

    Parameters
    ----------
    index : NearestNeighbors
        Fitted to the rows.
    codes, weight : ndarray of shape (n_samples,)
        Their labels, and how many rows each stands for. Where equal rows are one, there are no codes, and the weight
        has a column for each class.
    n_neighbors : int
        How many are asked.
    n_classes : int
        Number of classes.
    """

    def __init__(self, index, codes, weight, n_neighbors, n_classes):
        self.index, self.codes, self.weight = index, codes, weight
        self.n_neighbors = n_neighbors
        self.classes_ = np.arange(n_classes)

    def predict_proba(self, X):
        """Shares of the neighbors' labels, shape (n_samples, n_classes)."""
        most = min(self.n_neighbors, len(self.weight))
        nearest = self.index.kneighbors(X, most, return_distance=False)
        return votes(nearest, self.codes, self.weight, [self.n_neighbors], len(self.classes_))[0]


class Neighbors(Family):
    """k nearest neighbors by Euclidean distance."""

    name, view = "neighbors", "normal"
    NUMBERS = (10, 20, 40, 80, 160)

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        return n_samples**2 * (2e-10 * n_features + 2e-9)

    def fit(self, rows, work, seed):
        numbers = [k for k in self.NUMBERS if k == self.NUMBERS[0] or k < len(rows)]
        left_outs, indices = work.piece(self.name, lambda: self._left_outs(rows, numbers))
        candidates = [rows.scored({"n_neighbors": k}, left_out) for k, left_out in zip(numbers, left_outs, strict=True)]
        chosen = best_by_brier(candidates)
        models = [
            NeighborVotes(index, codes, weight, numbers[chosen], rows.n_classes) for index, codes, weight in indices
        ]
        return FittedFamily(self.name, self.view, candidates, chosen, left_outs[chosen], models)

    def _left_outs(self, rows, numbers):
        X = rows.views[self.view]
        if not rows.by_folds:
            index = NearestNeighbors(algorithm="brute").fit(X)
            # Without X no row is its own neighbor.
            nearest = index.kneighbors(n_neighbors=min(numbers[-1], len(rows) - 1), return_distance=False)
            return votes(nearest, rows.codes, rows.weight, numbers, rows.n_classes), [(index, rows.codes, rows.weight)]
        left_outs = [np.zeros((len(rows), rows.n_classes)) for _ in numbers]
        indices = []
        for train, test in rows.splits:
            own, codes, weight = X[train], rows.codes[train], rows.weight[train]
            if rows.repeats:
                own, codes, weight = merged(own, codes, weight, rows.n_classes)
            index = NearestNeighbors(algorithm="brute").fit(own)
            nearest = index.kneighbors(X[test], min(numbers[-1], len(own)), return_distance=False)
            found = votes(nearest, codes, weight, numbers, rows.n_classes)
            for left_out, proba in zip(left_outs, found, strict=True):
                left_out[test] = proba
            indices.append((index, codes, weight))
        return left_outs, indices


def merged(X, codes, weight, n_classes):
    """Equal rows as one, without codes: of those at one distance some would be asked first, and all of one label."""
    rows, number = np.unique(X, axis=0, return_inverse=True)
    mass = np.zeros((len(rows), n_classes))
    np.add.at(mass, (number.ravel(), codes), weight)
    return rows, None, mass


def votes(nearest, codes, weight, numbers, n_classes):
    """Shares of labels among the first k neighbors, for each k; a neighbor that stands for several counts as often."""
    starts = range(0, max(len(nearest), 1), _BLOCK)
    blocks = [_votes(nearest[start : start + _BLOCK], codes, weight, numbers, n_classes) for start in starts]
    return [np.concatenate(shares) for shares in zip(*blocks, strict=True)]


def _votes(nearest, codes, weight, numbers, n_classes):
    if weight.ndim == 2:
        of_class = weight[nearest]
        mass = of_class.sum(axis=2)
        asked = np.stack([np.clip(k - np.cumsum(mass, axis=1) + mass, 0, mass) / mass for k in numbers])
        total = np.einsum("kmn,mnc->kmc", asked, of_class)
        return list(total / total.sum(axis=2, keepdims=True))
    mass = weight[nearest]
    before = np.cumsum(mass, axis=1) - mass
    labels = codes[nearest]
    shares = []
    for k in numbers:
        counted = np.clip(k - before, 0, mass)
        total = np.stack([np.sum(counted * (labels == label), axis=1) for label in range(n_classes)], axis=1)
        shares.append(total / total.sum(axis=1, keepdims=True))
    return shares
