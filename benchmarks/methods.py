"""Methods: a name and a factory of estimators, with what a reader must know to compare fairly.

Every network of ours is trained under the same budget, sees standardized features and gets no clean label. The kinds:

* ``ceiling`` trains on the clean labels: what noise takes away is measured from here.
* ``oracle`` trains on the given labels and chooses by the test labels: what a perfect choice would reach.
* ``baseline`` knows nothing about noise.
* ``robust`` is built for it.

Values of `lam` and `beta` stand in the name; other losses have their default hyper-parameters, which are those of their
papers. What is called *tuned* chooses its main parameters from a grid of `benchmarks.grids` by left-out accuracy on the
given labels, as `DMClassifierCV` and `NoisyLabelClassifier` do. Nothing else is tuned per task. CleanLearning is
cleanlab's (pip install --no-deps cleanlab termcolor).

A method of your own takes one line in `METHODS`:

    Method("my forest", _plain(MyForest, n_trees=50), "baseline"),

where the class has `fit`, `predict_proba`, `classes_` and a parameter `random_state`; `_scaled` puts a StandardScaler
before it, ``requires=("package",)`` names what may be missing. Then

    python -m benchmarks.run --profile tables --methods "my forest" && python -m benchmarks.report --print
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import grids
from benchmarks.definitions import definition
from benchmarks.tuned import BOOSTERS, ChosenLeaf, ChosenRounds, KernelRidgeClassifier, folds
from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
)
from sklabelnoise._fused._fits import fit_together
from sklabelnoise.model_selection import FusedGridSearchCV

KINDS = ("ceiling", "oracle", "baseline", "robust")
N_MEMBERS = 5


@dataclass(frozen=True)
class Method:
    """An entry of the comparison.

    Parameters
    ----------
    name : str
        What tables call it.
    make : callable
        ``make(budget, seed)`` returns an unfitted estimator; `budget` holds training parameters of our networks
        (``max_epochs``, ``lr``, ...), empty for their defaults.
    kind : {"ceiling", "oracle", "baseline", "robust"}
        What it is in the comparison.
    requires : tuple of str, default=()
        Modules that are not part of every installation. Where one can't be imported the method is skipped.
    """

    name: str
    make: Callable
    kind: str
    requires: tuple = ()

    @cached_property
    def definition(self):
        """Hash of what it is, which stands in its rows; None where it can't even be made."""
        try:
            return definition(self.make({}, 0))
        except Exception:  # whoever runs it gets to see why
            return None

    def why_missing(self):
        """Why it can't be fitted here; an empty text if it can."""
        for module in self.requires:
            try:
                importlib.import_module(module)
            except Exception as error:  # a broken installation raises whatever it likes
                return f"{module} can't be imported: {error}"
        return ""

    def fit(self, estimator, draw):
        """Fit on what the kind may see of a draw, and no more."""
        if self.kind == "ceiling":
            return estimator.fit(draw.X_train, draw.y_clean)
        if self.kind == "oracle":
            return estimator.fit(draw.X_train, draw.y_given, X_test=draw.X_test, y_test=draw.y_test)
        return estimator.fit(draw.X_train, draw.y_given)


def _network(estimator, **parameters):
    """Factory of a network behind a scaler; `parameters` are the method, the budget is the same for all."""

    def make(budget, seed):
        return make_pipeline(StandardScaler(), estimator(**parameters, **budget, device="cpu", random_state=seed))

    return make


def _loss(name, **parameters):
    return _network(RobustLossClassifier, loss=name, **parameters)


def _scaled(estimator, **parameters):
    def make(budget, seed):
        return make_pipeline(StandardScaler(), estimator(random_state=seed, **parameters))

    return make


def _plain(estimator, **parameters):
    def make(budget, seed):
        return estimator(random_state=seed, **parameters)

    return make


def _search(search, make_pipe, grid):
    """Choose the parameters of the last step of a pipeline out of fold."""

    def make(budget, seed):
        pipe = make_pipe(budget, seed)
        last = pipe.steps[-1][0]
        grid_of_pipe = {f"{last}__{name}": list(values) for name, values in grid.items()}
        return search(pipe, grid_of_pipe, cv=folds(grids.N_FOLDS, seed), scoring="accuracy")

    return make


_tuned_network = partial(_search, FusedGridSearchCV)
_tuned_pipeline = partial(_search, GridSearchCV)


def _tuned_forest(estimator):
    def make(budget, seed):
        return ChosenLeaf(estimator(grids.N_TREES, random_state=seed), grids.LEAVES, random_state=seed)

    return make


def _tuned_boosting(library, parameters):
    def make(budget, seed):
        return ChosenRounds(library, parameters, grids.ROUNDS, grids.N_FOLDS, random_state=seed)

    return make


def _neighbors(budget, seed):
    return make_pipeline(StandardScaler(), KNeighborsClassifier())


def _kernel_ridge(budget, seed):
    return make_pipeline(StandardScaler(), KernelRidgeClassifier())


def _pytabkit(name):
    """Networks for tables with the defaults of their authors, which hold a fifth of the rows out to stop early."""

    def make(budget, seed):
        estimator = getattr(importlib.import_module("pytabkit"), name)
        return estimator(random_state=seed, device="cpu", n_threads=1)

    return make


def _mean_of(make_member):
    """Mean of the probabilities of fits that differ in their seed alone: no row is drawn anew."""

    def make(budget, seed):
        member = make_member(budget, seed)
        return BaggingClassifier(member, n_estimators=N_MEMBERS, bootstrap=False, random_state=seed)

    return make


def _clean_learning(make_estimator):
    def make(budget, seed):
        return CleanLearned(make_estimator(budget, seed), seed)

    return make


def _refinery(make_estimator, **parameters):
    def make(budget, seed):
        return StochasticLabelRefinery(make_estimator(budget, seed), random_state=seed, **parameters)

    return make


class CleanLearned(ClassifierMixin, BaseEstimator):
    """cleanlab's CleanLearning with its defaults; labels it has not seen in training need not be known to it.

    Parameters
    ----------
    estimator : classifier
        What it trains.
    random_state : int
        Decides its folds.
    """

    def __init__(self, estimator, random_state):
        self.estimator = estimator
        self.random_state = random_state

    def fit(self, X, y):
        from cleanlab.classification import CleanLearning

        # It takes codes without gaps only.
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.model_ = CleanLearning(self.estimator, seed=self.random_state, find_label_issues_kwargs={"n_jobs": 1})
        self.model_.fit(X, codes)
        return self

    def predict_proba(self, X):
        known = self.model_.clf.classes_  # pruning may remove a class
        proba = np.zeros((len(X), len(self.classes_)))
        proba[:, known] = self.model_.predict_proba(X)
        return proba


class BestCandidate(ClassifierMixin, BaseEstimator):
    """What `DMClassifierCV` would be if it chose among its candidates by the test labels.

    Parameters
    ----------
    candidates : sequence of (float, float)
        Pairs (lam, beta).
    n_members : int
        Fits that are averaged.
    budget : dict
        Training parameters.
    random_state : int
        Seed of the first member; the others follow.
    """

    def __init__(self, candidates, n_members, budget, random_state):
        self.candidates = candidates
        self.n_members = n_members
        self.budget = budget
        self.random_state = random_state

    def fit(self, X, y, *, X_test, y_test):
        """Fit the mean of the members of each candidate, and keep the one with the best test accuracy."""
        best = -1.0
        self.scaler_ = StandardScaler().fit(X)
        X, X_test = self.scaler_.transform(X), self.scaler_.transform(X_test)
        for lam, beta in self.candidates:
            members = [
                DMClassifier(lam=lam, beta=beta, **self.budget, device="cpu", random_state=self.random_state + member)
                for member in range(self.n_members)
            ]
            members = fit_together(members, X, y)
            proba = sum(member.predict_proba(X_test) for member in members)
            accuracy = np.mean(members[0].classes_[proba.argmax(axis=1)] == y_test)
            if accuracy > best:
                best, self.members_, self.candidate_ = accuracy, members, (lam, beta)
        self.classes_ = self.members_[0].classes_
        return self

    def predict_proba(self, X):
        X = self.scaler_.transform(X)
        return sum(member.predict_proba(X) for member in self.members_) / len(self.members_)


def _best_candidate(budget, seed):
    return BestCandidate(DMClassifierCV().candidates, N_MEMBERS, budget, seed)


def _dm(lam, beta):
    return Method(f"DM({lam:g}, {beta:g})", _network(DMClassifier, lam=lam, beta=beta), "robust")


_cross_entropy = _loss("cross_entropy")
_logistic_regression = _scaled(LogisticRegression)
# Methods of trees as they come, and with their main parameter chosen; CleanLearning and a refinery wrap each of them.
_TREES = {
    "RandomForest": _plain(RandomForestClassifier),
    "ExtraTrees": _plain(ExtraTreesClassifier),
    "HistGradientBoosting": _plain(HistGradientBoostingClassifier),
}
_TUNED_TREES = {
    "RandomForest, tuned": _tuned_forest(RandomForestClassifier),
    "ExtraTrees, tuned": _tuned_forest(ExtraTreesClassifier),
    **{f"{library}, tuned": _tuned_boosting(library, {}) for library in BOOSTERS},
    **{
        f"robust {library}, tuned": _tuned_boosting(library, parameters)
        for library, parameters in grids.ROBUST_BOOSTING.items()
    },
}


def _requires(name):
    """What a method of boosted trees needs, by its name."""
    modules = (booster.module for library, booster in BOOSTERS.items() if library in name)
    return tuple(module for module in modules if module != "sklearn")


METHODS = {
    method.name: method
    for method in (
        Method("cross entropy, clean labels", _cross_entropy, "ceiling"),
        Method("DMClassifierCV, best by test labels", _best_candidate, "oracle"),
        Method("cross entropy", _cross_entropy, "baseline"),
        Method("cross entropy, stopped early", _loss("cross_entropy", early_stopping=True), "baseline"),
        Method("cross entropy, class weights", _loss("cross_entropy", class_weight="balanced"), "baseline"),
        Method("cross entropy, mean of five", _mean_of(_cross_entropy), "baseline"),
        Method("cross entropy, tuned", _tuned_network(_cross_entropy, grids.CROSS_ENTROPY), "baseline"),
        Method("label smoothing", _loss("label_smoothing"), "baseline"),
        *(_dm(lam, beta) for lam, beta in ((0, 0), (0.5, 4), (0.5, 8), (1, 8), (1, 16), (2, 12), (2, 24))),
        Method("DM(1, 16), mean of five", _mean_of(_network(DMClassifier, lam=1, beta=16)), "robust"),
        Method("DMClassifierCV", _network(DMClassifierCV), "robust"),
        Method("DMClassifierCV, refit=False", _network(DMClassifierCV, refit=False), "robust"),
        Method("NoisyLabelClassifier", _plain(NoisyLabelClassifier), "robust"),
        Method("NoisyLabelClassifier, class weights", _plain(NoisyLabelClassifier, class_weight="balanced"), "robust"),
        Method("ProSelfLC", _network(ProSelfLCClassifier), "robust"),
        Method("soft bootstrapping", _loss("soft_bootstrapping"), "robust"),
        Method("hard bootstrapping", _loss("hard_bootstrapping"), "robust"),
        Method("GCE", _loss("gce"), "robust"),
        Method("GCE, tuned", _tuned_network(_loss("gce"), grids.GCE), "robust"),
        Method("SCE", _loss("sce"), "robust"),
        Method("SCE, tuned", _tuned_network(_loss("sce"), grids.SCE), "robust"),
        Method("ELR", _loss("elr"), "robust"),
        Method("ELR, tuned", _tuned_network(_loss("elr"), grids.ELR), "robust"),
        Method("forward, estimated", _loss("forward", loss__transition_matrix="estimate"), "robust"),
        # Five folds were the default when its rows were made, and are what the default comes to on these tables.
        Method("refinery of cross entropy", _refinery(_cross_entropy, cv=5), "robust"),
        Method("CleanLearning of cross entropy", _clean_learning(_cross_entropy), "robust", requires=("cleanlab",)),
        Method("LogisticRegression", _logistic_regression, "baseline"),
        Method(
            "LogisticRegression, tuned",
            _tuned_pipeline(_scaled(LogisticRegression, max_iter=300), grids.LOGISTIC_REGRESSION),
            "baseline",
        ),
        Method("RealMLP_TD", _pytabkit("RealMLP_TD_Classifier"), "baseline", requires=("pytabkit",)),
        Method("TabM", _pytabkit("TabM_D_Classifier"), "baseline", requires=("pytabkit",)),
        Method("MLPClassifier", _scaled(MLPClassifier), "baseline"),
        Method("k nearest neighbors, tuned", _tuned_pipeline(_neighbors, grids.NEIGHBORS), "baseline"),
        Method("kernel ridge, tuned", _tuned_pipeline(_kernel_ridge, grids.KERNEL_RIDGE), "baseline"),
        *(
            Method(name, make, "baseline", requires=_requires(name))
            for name, make in {**_TREES, **_TUNED_TREES}.items()
        ),
        *(
            Method(f"CleanLearning of {name}", _clean_learning(make), "robust", ("cleanlab", *_requires(name)))
            for name, make in {**_TREES, **_TUNED_TREES}.items()
        ),
        *(
            Method(f"refinery of {name}", _refinery(make), "robust", _requires(name))
            for name, make in {**_TREES, **_TUNED_TREES}.items()
        ),
    )
}
