"""Rivals that choose their main parameter by left-out accuracy on the given labels.

What scikit-learn's searches can do is left to them (`benchmarks.methods`). Here is what they can't do, or not at the
cost at which a user would do it: forests score themselves out of bag, and boosted trees are scored after every number
of rounds from one fit a fold.
"""

import importlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import StratifiedKFold


def folds(n_splits, random_state):
    """The folds that every search of the benchmarks uses."""
    return StratifiedKFold(n_splits, shuffle=True, random_state=random_state)


class _Chosen(ClassifierMixin, BaseEstimator):
    """Predictions of the estimator that was chosen."""

    def predict_proba(self, X):
        return self.best_estimator_.predict_proba(X)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class ChosenLeaf(_Chosen):
    """A forest whose leaves are as large as is best out of bag; the forest that scored best is kept.

    Parameters
    ----------
    estimator : forest
        Fitted with ``bootstrap`` and ``oob_score``.
    leaves : sequence of int
        Values of ``min_samples_leaf`` to try, of which equally good ones lose to the first.
    random_state : int
        Seed of every forest.
    """

    def __init__(self, estimator, leaves, random_state):
        self.estimator = estimator
        self.leaves = leaves
        self.random_state = random_state

    def fit(self, X, y):
        forests = [
            clone(self.estimator)
            .set_params(min_samples_leaf=leaf, bootstrap=True, oob_score=True, random_state=self.random_state)
            .fit(X, y)
            for leaf in self.leaves
        ]
        self.best_estimator_ = max(forests, key=lambda forest: forest.oob_score_)
        self.best_params_ = {"min_samples_leaf": self.best_estimator_.min_samples_leaf}
        self.classes_ = self.best_estimator_.classes_
        return self


class Booster(NamedTuple):
    """How a library of boosted trees is called.

    ``make(n_rounds, seed, **parameters)`` returns a classifier, ``after(model, X, rounds)`` the probabilities of a
    fitted one after each of some numbers of rounds, and `module` is what has to be installed.
    """

    module: str
    make: Callable
    after: Callable


def _hist(n_rounds, seed, **parameters):
    # Every round that may be chosen has to be there, so nothing stops early (by default from 10,000 rows on).
    return HistGradientBoostingClassifier(max_iter=n_rounds, early_stopping=False, random_state=seed, **parameters)


def _hist_after(model, X, rounds):
    return [proba for k, proba in enumerate(model.staged_predict_proba(X), start=1) if k in rounds]


def _light(n_rounds, seed, **parameters):
    make = importlib.import_module("lightgbm").LGBMClassifier
    exact = {"deterministic": True, "force_row_wise": True}
    return make(n_estimators=n_rounds, random_state=seed, n_jobs=1, verbose=-1, **exact, **parameters)


def _xg(n_rounds, seed, **parameters):
    make = importlib.import_module("xgboost").XGBClassifier
    return make(n_estimators=n_rounds, random_state=seed, n_jobs=1, verbosity=0, **parameters)


def _cat(n_rounds, seed, **parameters):
    make = importlib.import_module("catboost").CatBoostClassifier
    quiet = {"verbose": False, "allow_writing_files": False}
    return make(iterations=n_rounds, random_seed=seed, thread_count=1, **quiet, **parameters)


def _after(argument, at):
    """Probabilities after some numbers of rounds, which `predict_proba` takes as ``argument=at(k)``."""

    def after(model, X, rounds):
        return [model.predict_proba(X, **{argument: at(k)}) for k in rounds]

    return after


BOOSTERS = {
    "HistGradientBoosting": Booster("sklearn", _hist, _hist_after),
    "LightGBM": Booster("lightgbm", _light, _after("num_iteration", int)),
    "XGBoost": Booster("xgboost", _xg, _after("iteration_range", lambda k: (0, k))),
    "CatBoost": Booster("catboost", _cat, _after("ntree_end", int)),
}


class ChosenRounds(_Chosen):
    """Boosted trees, as many rounds of them as is best out of fold.

    Parameters
    ----------
    library : str
        One of `BOOSTERS`.
    parameters : dict
        Passed on to its classifier.
    rounds : sequence of int
        Numbers to choose from, ascending; of equally good ones the smallest is taken.
    n_folds : int
        Number of stratified folds.
    random_state : int
        Seed of the folds and of every fit.
    """

    def __init__(self, library, parameters, rounds, n_folds, random_state):
        self.library = library
        self.parameters = parameters
        self.rounds = rounds
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        right = np.zeros(len(self.rounds))
        for train, left_out in folds(self.n_folds, self.random_state).split(X, codes):
            # XGBoost takes codes without gaps only, and a fold may miss a class.
            known, inner = np.unique(codes[train], return_inverse=True)
            model = self._make(max(self.rounds)).fit(X[train], inner)
            after = BOOSTERS[self.library].after(model, X[left_out], self.rounds)
            right += [np.sum(known[proba.argmax(axis=1)] == codes[left_out]) for proba in after]
        self.best_params_ = {"n_rounds": self.rounds[int(right.argmax())]}
        self.best_estimator_ = self._make(self.best_params_["n_rounds"]).fit(X, codes)
        return self

    def _make(self, n_rounds):
        return BOOSTERS[self.library].make(n_rounds, self.random_state, **self.parameters)


class KernelRidgeClassifier(ClassifierMixin, BaseEstimator):
    """Ridge regression on one-hot labels in the feature space of an RBF kernel.

    Parameters
    ----------
    alpha : float
        Ridge.
    width : float
        The kernel is ``exp(-width * squared distance / n_features)``.
    """

    def __init__(self, alpha=1.0, width=1.0):
        self.alpha = alpha
        self.width = width

    def fit(self, X, y):
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.model_ = KernelRidge(kernel="rbf", alpha=self.alpha, gamma=self.width / X.shape[1])
        self.model_.fit(X, np.eye(len(self.classes_))[codes])
        return self

    def predict_proba(self, X):
        # Least squares does not stay in the simplex: what is below a thousandth is lifted to it.
        proba = np.maximum(self.model_.predict(X), 1e-3)
        return proba / proba.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
