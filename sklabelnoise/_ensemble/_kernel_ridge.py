"""Kernel ridge regression on one-hot labels over scales, kernels, widths and ridges, left out in closed form."""

import numpy as np
import scipy.linalg
from scipy.spatial.distance import cdist

from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_brier, distinct_views

_BLOCK = 2_000


class KernelModel:
    """Ridge regression on the kernel's values at landmarks.

    Parameters
    ----------
    metric : {"sqeuclidean", "cityblock"}
        Of the Gaussian and of the Laplace kernel.
    landmarks : ndarray of shape (n_landmarks, n_features)
        Rows of training.
    scale : float
        What distances are multiplied by.
    coef : ndarray of shape (n_landmarks, n_classes)
        Weights of the landmarks.
    """

    def __init__(self, metric, landmarks, scale, coef):
        self.metric, self.landmarks, self.scale, self.coef = metric, landmarks, scale, coef
        self.classes_ = np.arange(coef.shape[1])

    def predict_proba(self, X):
        """Values at or above zero that sum to one, shape (n_samples, n_classes)."""
        values = [
            kernel_values(self.metric, X[first : first + _BLOCK], self.landmarks, self.scale) @ self.coef
            for first in range(0, len(X), _BLOCK)
        ]
        return as_proba(np.concatenate(values))


class KernelRidge(Family):
    """Kernel ridge regression, at most 1,500 rows serving as landmarks.

    Up to 1,500 rows it is the exact regression. Beyond, the kernel is that of Nystroem (Williams and Seeger 2001), and
    leaving out one row keeps its closed form. What is near depends on how columns are scaled: by their ranks, each by
    its spread, or all by one number. Scale, kernel and width are chosen with at most 500 landmarks.
    """

    name, view = "kernel_ridge", "normal"
    VIEWS = {"normal": "ranks", "standard": "spread", "common": "one for all"}
    METRICS = {"sqeuclidean": "gaussian", "cityblock": "laplace"}
    WIDTHS = (0.4, 1.5)
    RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    N_LANDMARKS, N_FIRST = 1_500, 500

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        m = min(n_samples, self.N_LANDMARKS)
        first = min(n_samples, self.N_FIRST)
        a_fit = 12 * (n_samples * first * (n_features * 1e-9 + 1.2e-10 * first)) + n_samples * m * (
            n_features * 1e-9 + 1.2e-10 * m
        )
        return (a_fit + 3e-10 * m**3) * (n_folds if by_folds else 1)

    def fit(self, rows, work, seed):
        landmarks = np.random.RandomState(seed).permutation(len(rows))[: self.N_LANDMARKS]
        candidates, views = [], []
        for view in distinct_views(rows, self.VIEWS):
            of_view = work.piece(
                f"{self.name}-first-{view}",
                lambda view=view: self._candidates(rows, view, landmarks[: self.N_FIRST]),
            )
            candidates += of_view
            views += [view] * len(of_view)
        first = best_by_brier(candidates)
        pick, view = candidates[first].parameters, views[first]
        final, left_out, models = work.piece(f"{self.name}-chosen", lambda: self._pick(rows, view, landmarks, pick))
        chosen = next(number for number, candidate in enumerate(candidates) if candidate.parameters == final.parameters)
        candidates[chosen] = final
        return FittedFamily(self.name, view, candidates, chosen, left_out, models)

    def _candidates(self, rows, view, landmarks):
        found = []
        for metric, kernel in self.METRICS.items():
            for width in self.WIDTHS:
                for ridge, left_out, _ in self._regressions(rows, rows.views[view], landmarks, metric, width):
                    parameters = {"scale": self.VIEWS[view], "kernel": kernel, "width": width, "ridge": ridge}
                    found.append(rows.scored(parameters, left_out))
        return found

    def _pick(self, rows, view, landmarks, pick):
        """With all landmarks, the best ridge of the kernel that was best with some."""
        metric = next(metric for metric, kernel in self.METRICS.items() if kernel == pick["kernel"])
        best = None
        for ridge, left_out, models in self._regressions(rows, rows.views[view], landmarks, metric, pick["width"]):
            candidate = rows.scored({**pick, "ridge": ridge}, left_out)
            if best is None or candidate.brier < best[0].brier:
                best = candidate, left_out, models
        return best

    def _regressions(self, rows, X, landmarks, metric, width):
        """For each ridge the left-out probabilities of all rows and the fitted models."""
        if not rows.by_folds:
            everything = np.arange(len(rows))
            fit = _Regression(X, rows, everything, landmarks, metric, width)
            for ridge, left_out in zip(self.RIDGES, fit.left_out(self.RIDGES), strict=True):
                yield ridge, left_out, [fit.model(ridge)]
            return
        fits = [
            _Regression(X, rows, train, landmarks[np.isin(landmarks, train)], metric, width) for train, _ in rows.splits
        ]
        for ridge in self.RIDGES:
            models = [fit.model(ridge) for fit in fits]
            left_out = np.zeros((len(rows), rows.n_classes))
            for model, (_, test) in zip(models, rows.splits, strict=True):
                left_out[test] = model.predict_proba(X[test])
            yield ridge, left_out, models


class _Regression:
    """Ridge regressions that differ in their ridge alone, from one decomposition.

    With features Phi of the Nystroem kernel, rows and labels scaled by the root of their weight, and
    Phi' Phi = U diag(s) U', the prediction is P diag(1 / (s + ridge)) P' Y with P = Phi U, and leaving out row i
    changes it to (f_i - h_i y_i) / (1 - h_i) with h_i = sum_k P_ik^2 / (s_k + ridge). Phi and P are made block by block
    and never whole: they would be larger than all data.
    """

    def __init__(self, X, rows, train, landmarks, metric, width):
        if not len(landmarks):
            landmarks = train[:1]
        self.metric, self.landmarks = metric, X[landmarks]
        distance = cdist(self.landmarks[:500], self.landmarks[:500], metric)
        typical = np.median(distance[distance > 0]) if (distance > 0).any() else 1.0
        self.scale = width / typical
        self.X, self.train = X, train
        self.root_weight = np.sqrt(rows.weight[train])[:, None]
        self.targets = rows.targets[train]

        among = kernel_values(metric, self.landmarks, self.landmarks, self.scale)
        # Equal landmarks make it singular; the jitter is far below the smallest ridge.
        among[np.diag_indices_from(among)] += 1e-6
        root = scipy.linalg.cholesky(among, lower=True)
        gram = np.zeros_like(among)
        mixed = np.zeros((len(among), rows.n_classes))
        for block in self._blocks():
            values = self._kernel_of(block)
            gram += values.T @ values
            mixed += values.T @ (self.targets[block] * self.root_weight[block])
        whitened = scipy.linalg.solve_triangular(root, gram, lower=True)
        whitened = scipy.linalg.solve_triangular(root, whitened.T, lower=True)
        # Divide and conquer; for a single landmark SciPy 1.11 asks it for too little memory.
        driver = "evd" if len(whitened) > 1 else None
        spectrum, axes = scipy.linalg.eigh((whitened + whitened.T) / 2, driver=driver)
        self.spectrum = np.maximum(spectrum, 0)
        # From values of the kernel at the landmarks to P.
        self.axes = scipy.linalg.solve_triangular(root, axes, lower=True, trans="T")
        self.projected = self.axes.T @ mixed

    def left_out(self, ridges):
        """For each ridge the probabilities of each row by the regression on all others."""
        shrink = 1 / (self.spectrum[:, None] + np.asarray(ridges))
        found = np.empty((len(ridges), len(self.train), self.targets.shape[1]))
        for block in self._blocks():
            P = self._kernel_of(block) @ self.axes
            fitted = [P @ (self.projected * own[:, None]) / self.root_weight[block] for own in shrink.T]
            leverage = np.square(P, out=P) @ shrink
            for number, values in enumerate(fitted):
                own = leverage[:, [number]]
                found[number, block] = as_proba((values - own * self.targets[block]) / np.maximum(1 - own, 1e-9))
        return found

    def model(self, ridge):
        """The fitted regression."""
        coef = self.axes @ (self.projected / (self.spectrum + ridge)[:, None])
        return KernelModel(self.metric, self.landmarks, self.scale, coef)

    def _blocks(self):
        return [slice(first, first + _BLOCK) for first in range(0, len(self.train), _BLOCK)]

    def _kernel_of(self, block):
        values = kernel_values(self.metric, self.X[self.train[block]], self.landmarks, self.scale)
        values *= self.root_weight[block]
        return values


def kernel_values(metric, X, landmarks, scale):
    """exp(-scale * distance), shape (n_samples, n_landmarks)."""
    values = cdist(X, landmarks, metric)
    values *= -scale
    return np.exp(values, out=values)


def as_proba(values):
    """Regressed one-hot labels as probabilities: cut off at zero, normalized; equal where nothing is left."""
    values = np.maximum(values, 0)
    total = values.sum(axis=1, keepdims=True)
    return np.divide(values, total, out=np.full_like(values, 1 / values.shape[1]), where=total > 1e-12)
