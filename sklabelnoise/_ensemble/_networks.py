"""Networks of this package: candidates and folds of all members trained as one stack.

This is the one file of the ensemble that knows the fused engine.
"""

from dataclasses import replace
from functools import partial
from threading import Lock

import numpy as np
from scipy.special import softmax
from sklearn.base import clone

from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise._classifiers._derivative_manipulation import DMClassifier
from sklabelnoise._classifiers._robust_loss import RobustLossClassifier
from sklabelnoise._compat import safe_indexing
from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_accuracy
from sklabelnoise._ensemble._own_members import Recoded, checked_proba, fit_weighted, settings_of
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._foundation._cloned import cloned_with
from sklabelnoise._foundation._work import TimeIsOver
from sklabelnoise._fused._fits import Fit, Fits, itself
from sklabelnoise._fused._folds import make_folds
from sklabelnoise._fused._plan import final_classifier
from sklabelnoise._label_refinery._left_out import seeded_clone
from sklabelnoise.modules import MLP


def is_network(estimator):
    """Whether an estimator can take part in a stack."""
    return isinstance(final_classifier(estimator), BaseNoisyLabelClassifier)


class NetworksFailed(ValueError):
    """All candidates of a member failed; says how the first did, by the name of its error where it has one."""


class NetworkStack:
    """Networks of several members, trained together when the first of them is asked for.

    Parameters
    ----------
    view : str
        Which view of the rows they are shown.
    classes : ndarray of shape (n_classes,)
        All labels, sorted: the networks are fitted to labels, not to numbers.
    piece : str, default="networks"
        What the training is called as a piece of a fit.
    """

    def __init__(self, view, classes, piece="networks"):
        self.view, self.classes, self._piece = view, classes, piece
        self._members = {}
        self._lock = Lock()
        self._results = None

    def add(self, name, candidates):
        """The member of some candidates, pairs of parameters and estimator."""
        self._members[name] = candidates
        return Networks(name, self)

    def add_grid(self, name, estimator, grid):
        """The member of an estimator and the settings of its grid."""
        return self.add(name, [(setting, cloned_with(estimator, setting)) for setting in settings_of(grid)])

    def result(self, name, rows, work, seed):
        """Result of a member; the first that is asked for trains them all."""
        with self._lock:  # once for all of them
            if self._results is None:
                self._results = self._train(rows, work, seed)
        result = self._results[name]
        if isinstance(result, str):
            raise NetworksFailed(result)
        return result

    @property
    def first_name(self):
        """Of its members."""
        return next(iter(self._members))

    def n_candidates(self):
        """How many networks each fold trains."""
        return sum(map(len, self._members.values()))

    def _train(self, rows, work, seed):
        """All folds as one stack; fold by fold, which takes longer, where what is done is kept."""
        numbers, kept = range(len(rows.splits)), work.checkpoint is not None
        left_out, models, failures = {}, {}, {}
        for folds in [[fold] for fold in numbers] if kept else [numbers]:
            for place, fold, outcome in work.piece(
                f"{self._piece}-{folds[0]}", lambda folds=folds: self._train_folds(rows, folds, seed, kept)
            ):
                if isinstance(outcome, str):
                    failures.setdefault(place, outcome)
                    continue
                proba, models[place, fold] = outcome
                left_out.setdefault(place, np.zeros((len(rows), rows.n_classes)))[rows.splits[fold][1]] = proba
        return {name: self._choose(name, rows, left_out, models, failures) for name in self._members}

    def _train_folds(self, rows, folds, seed, kept):
        """Place of each network, fold, and what it says of the rows left out with what makes it, or its failure."""
        places = [(name, place) for name, candidates in self._members.items() for place in range(len(candidates))]
        estimators = [seeded_clone(self._members[name][place][1], seed) for name, place in places]
        trained = []
        for fit in self._fits(estimators, replace(rows, splits=[rows.splits[fold] for fold in folds])):
            outcome = fit.failure
            if outcome is None:
                logits = at_all_classes(fit.logits[0], fit.classes, self.classes, fill=-np.inf).astype(np.float64)
                outcome = softmax(logits, axis=1), partial(itself, fit.fitted()) if kept else fit.fitted
            trained.append((places[fit.candidate], folds[fit.fold], outcome))
        return trained

    def _choose(self, name, rows, left_out, models, failures):
        """Candidates, number of the best, its left-out probabilities and networks, failures of others; the first of
        these alone if all failed.
        """
        places = [(name, place) for place in range(len(self._members[name]))]
        kept = [place for place in places if place not in failures]
        if not kept:
            return failures[places[0]]
        candidates = [rows.scored(self._members[name][place][0], left_out[name, place]) for name, place in kept]
        chosen = best_by_accuracy(candidates)
        best = kept[chosen]
        networks = [Recoded(models[best, fold](), self.classes) for fold in range(len(rows.splits))]
        reasons = [
            f"{self._members[name][place][0]} failed with {failures[name, place]}"
            for _, place in places
            if (name, place) in failures
        ]
        return candidates, chosen, left_out[best], networks, reasons

    def _fits(self, estimators, rows):
        """All candidates on all folds: together where they can be, else alone."""
        X, y = rows.views[self.view], self.classes[rows.codes]
        weight = None if (rows.weight == 1).all() else rows.weight
        folds = partial(make_folds, X=X, y=y, splits=rows.splits, fit_params={"sample_weight": weight})

        def alone(keys):
            for number, fold in keys:
                train, test = rows.splits[fold]
                try:
                    model = fit_weighted(clone(estimators[number]), X, y, rows.weight, train)
                    logits = np.log(np.maximum(model.predict_proba(safe_indexing(X, test)), 1e-300))
                except Exception as error:  # of whatever a member brings along
                    yield Fit(number, fold, failure=f"{type(error).__name__}: {error}")
                else:
                    yield Fit(number, fold, fitted=partial(itself, model), classes=model.classes_, logits=[logits])

        return Fits(estimators, len(rows.splits), folds, alone)


class Networks(Family):
    """One member of a stack of networks, chosen by accuracy.

    Parameters
    ----------
    name : str
        What `members_` calls it.
    stack : NetworkStack
        Trains it.
    """

    def __init__(self, name, stack):
        self.name, self.stack, self.view = name, stack, stack.view

    @property
    def seeded_as(self):
        return self.stack.first_name

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        return _expected_seconds(self.stack.n_candidates() * n_folds, 40, n_samples, n_features, n_classes)

    def fit(self, rows, work, seed):
        candidates, chosen, left_out, models, failures = self.stack.result(self.name, rows, work, seed)
        left_out = checked_proba(left_out, len(rows))
        return FittedFamily(self.name, self.view, candidates, chosen, left_out, models, failures=failures)


class TableNetworks(Family):
    """Networks for tables: short fits with several losses and, where cross entropy is the best of these, longer ones.

    Wrong labels are memorized in long fits, so all losses begin with short ones. Where none that bears wrong labels
    predicts given labels better than cross entropy does, there is little to bear, and networks are worth more that are
    trained until they know their rows, with smoothed labels, which keep them from certainty.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        All labels, sorted.
    """

    name, view = "networks", "standard"
    PLAIN = {"loss": "cross_entropy"}
    SHORT_EPOCHS, LONG_EPOCHS = 40, 160
    # Rows times epochs of a long fit, where that is between the two.
    LONG_ROWS = 320_000

    def __init__(self, classes):
        self.classes = classes
        common = {"dtype": "float32", "device": "cpu"}
        short = {**common, "max_epochs": self.SHORT_EPOCHS}
        self.short = [
            *(
                ({"loss": "dm", "lam": lam, "beta": beta}, DMClassifier(lam=lam, beta=beta, **short))
                for lam, beta in ((0, 0), (1, 8), (1, 16), (2, 12))
            ),
            ({"loss": "gce", "q": 0.7}, RobustLossClassifier(loss="gce", loss__q=0.7, **short)),
            (self.PLAIN, RobustLossClassifier(**self.PLAIN, **short)),
        ]
        long = {"loss": "label_smoothing", "lr": 3e-3, "max_epochs": self.LONG_EPOCHS}
        self.long = [
            ({**long, "hidden": hidden}, RobustLossClassifier(module=MLP, module__hidden=hidden, **long, **common))
            for hidden in ((256,), (128, 128))
        ]

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        return sum(
            _expected_seconds(len(networks) * n_folds, n_epochs, n_samples, n_features, n_classes)
            for networks, n_epochs in ((self.short, self.SHORT_EPOCHS), (self.long, self._long_epochs(n_samples)))
        )

    def fit(self, rows, work, seed):
        short = self._fit(self.short, "networks-standard", rows, work, seed)
        if short.parameters != self.PLAIN:
            return short
        n_epochs = {"max_epochs": self._long_epochs(len(rows))}
        candidates = [({**parameters, **n_epochs}, cloned_with(network, n_epochs)) for parameters, network in self.long]
        try:
            long = self._fit(candidates, "networks-standard-long", rows, work, seed)
        except TimeIsOver:  # after the short fits, which are a member already
            return replace(short, failures=[*short.failures, "longer fits, for which no time was left"])
        except ValueError as error:  # all of them failed
            return replace(short, failures=[*short.failures, f"longer fits failed with {error}"])
        candidates = short.candidates + long.candidates
        chosen = best_by_accuracy(candidates)
        better = short if chosen < len(short.candidates) else long
        return replace(better, candidates=candidates, chosen=chosen, failures=short.failures + long.failures)

    def _long_epochs(self, n_samples):
        return int(np.clip(self.LONG_ROWS / n_samples, self.SHORT_EPOCHS, self.LONG_EPOCHS))

    def _fit(self, candidates, piece, rows, work, seed):
        return NetworkStack(self.view, self.classes, piece).add(self.name, candidates).fit(rows, work, seed)


def _expected_seconds(n_networks, n_epochs, n_samples, n_features, n_classes):
    return n_networks * (0.05 + n_epochs * n_samples * (n_features + n_classes) * 256 * 3e-10)
