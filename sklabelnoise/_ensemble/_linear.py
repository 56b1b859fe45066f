"""Logistic regression over its penalty, left out by folds."""

from copy import deepcopy

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklabelnoise._compat import num_samples
from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_brier
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._foundation._warning_filters import callers_filters


class Linear(Family):
    """Logistic regression; each penalty starts from the solution of the stronger one."""

    name, view = "logistic_regression", "linear"
    PENALTIES = (0.001, 0.01, 0.1, 1.0)

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        return n_folds * len(self.PENALTIES) * (2e-3 + 4e-8 * n_samples * n_features * np.sqrt(n_classes))

    def fit(self, rows, work, seed):
        left_outs = np.zeros((len(self.PENALTIES), len(rows), rows.n_classes))
        paths = []
        for fold, (train, test) in enumerate(rows.splits):
            path, proba = work.piece(
                f"{self.name}-{fold}", lambda train=train, test=test: self._path(rows, train, test)
            )
            left_outs[:, test] = proba
            paths.append(path)
        candidates = [rows.scored({"C": C}, left_out) for C, left_out in zip(self.PENALTIES, left_outs, strict=True)]
        chosen = best_by_brier(candidates)
        models = [path[chosen] for path in paths]
        return FittedFamily(self.name, self.view, candidates, chosen, left_outs[chosen], models)

    def _path(self, rows, train, test):
        X, codes = rows.views[self.view], rows.codes[train]
        if len(np.unique(codes)) < 2:
            path = [OneClass(codes[0])] * len(self.PENALTIES)
        else:
            path = []
            model = LogisticRegression(warm_start=True, max_iter=200)
            for C in self.PENALTIES:
                # Penalties so strong leave little to gain after 200 steps.
                with callers_filters((ConvergenceWarning, "")):
                    model.set_params(C=C).fit(X[train], codes, rows.weight[train])
                path.append(deepcopy(model))  # which further fits do not change
        return path, [
            at_all_classes(model.predict_proba(X[test]), model.classes_, np.arange(rows.n_classes), fill=0)
            for model in path
        ]


class OneClass:
    """Stands for a classifier where a fold shows one class only."""

    def __init__(self, code):
        self.classes_ = np.array([code])

    def predict_proba(self, X):
        """Certainty."""
        return np.ones((num_samples(X), 1))
