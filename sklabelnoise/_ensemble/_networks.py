"""Networks of this package: candidates and folds of all members trained as one stack.

This is the one file of the ensemble that knows the fused engine.
"""

from threading import Lock

import numpy as np
from scipy.special import softmax
from sklearn.base import clone

from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise._classifiers._candidate_trials import at_all_classes, fit_one
from sklabelnoise._classifiers._derivative_manipulation import DMClassifier
from sklabelnoise._classifiers._robust_loss import RobustLossClassifier
from sklabelnoise._compat import safe_indexing
from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_accuracy
from sklabelnoise._ensemble._families import at_all_classes as proba_at_all_classes
from sklabelnoise._ensemble._own_members import Recoded, checked_proba, settings_of
from sklabelnoise._fused._fits import train_stack
from sklabelnoise._fused._folds import make_folds
from sklabelnoise._fused._plan import plan_fits
from sklabelnoise._stacked._criterion import NotStackableError


def networks_of_tables():
    """What `members_` calls the networks for tables, and the networks."""
    common = {"max_epochs": 40, "dtype": "float32", "device": "cpu"}
    return [
        *(
            ({"loss": "dm", "lam": lam, "beta": beta}, DMClassifier(lam=lam, beta=beta, **common))
            for lam, beta in ((0, 0), (1, 8), (1, 16), (2, 12))
        ),
        ({"loss": "gce", "q": 0.7}, RobustLossClassifier(loss="gce", loss__q=0.7, **common)),
        ({"loss": "cross_entropy"}, RobustLossClassifier(loss="cross_entropy", **common)),
    ]


def is_network(estimator):
    """Whether an estimator can take part in a stack."""
    return isinstance(estimator, BaseNoisyLabelClassifier)


class NetworkStack:
    """Networks of several members, trained together when the first of them is asked for.

    Parameters
    ----------
    view : str
        Which view of the rows they are shown.
    classes : ndarray of shape (n_classes,)
        All labels, sorted: the networks are fitted to labels, not to numbers.
    """

    def __init__(self, view, classes):
        self.view, self.classes = view, classes
        self._members = {}
        self._lock = Lock()
        self._results = None

    def add(self, name, candidates):
        """The member of some candidates, pairs of parameters and estimator."""
        self._members[name] = candidates
        return Networks(name, self)

    def add_grid(self, name, estimator, grid):
        """The member of an estimator and the settings of its grid."""
        return self.add(
            name,
            [(setting, clone(estimator).set_params(**clone(setting, safe=False))) for setting in settings_of(grid)],
        )

    def result(self, name, rows, work, seed):
        """Result of a member; the first that is asked for trains them all."""
        with self._lock:  # torch's generators are global: one training at a time
            if self._results is None:
                self._results = work.piece("networks", lambda: self._train(rows, seed))
        result = self._results[name]
        if isinstance(result, str):
            raise ValueError(result)
        return result

    def n_candidates(self):
        """How many networks each fold trains."""
        return sum(map(len, self._members.values()))

    def _train(self, rows, seed):
        places = [(name, place) for name, candidates in self._members.items() for place in range(len(candidates))]
        estimators = []
        for name, place in places:
            estimator = clone(self._members[name][place][1])
            own = estimator.random_state
            estimators.append(estimator if isinstance(own, int) else estimator.set_params(random_state=seed))
        left_out, models, failures = {}, {}, {}
        for number, fold, proba, fitted, failure in self._train_on_folds(estimators, rows):
            place = places[number]
            if failure is not None:
                failures.setdefault(place, failure)
                continue
            left_out.setdefault(place, np.zeros((len(rows), rows.n_classes)))[rows.splits[fold][1]] = proba
            models[place, fold] = fitted
        return {name: self._choose(name, rows, left_out, models, failures) for name in self._members}

    def _choose(self, name, rows, left_out, models, failures):
        """Candidates, number of the best, its left-out probabilities and networks; what went wrong if all failed."""
        places = [(name, place) for place in range(len(self._members[name]))]
        kept = [place for place in places if place not in failures]
        if not kept:
            return failures[places[0]]
        candidates = [rows.scored(self._members[name][place][0], left_out[name, place]) for name, place in kept]
        chosen = best_by_accuracy(candidates)
        best = kept[chosen]
        networks = [Recoded(models[best, fold](), self.classes) for fold in range(len(rows.splits))]
        return candidates, chosen, left_out[best], networks

    def _train_on_folds(self, estimators, rows):
        """Number of the estimator, fold, left-out probabilities, a call that gives the network, and what went wrong."""
        X, y = rows.views[self.view], self.classes[rows.codes]
        weight = None if (rows.weight == 1).all() else rows.weight
        fit_params = {"sample_weight": weight, "soft_labels": None}
        try:
            folds = make_folds(estimators[0], X, y, rows.splits, fit_params).folds
            plan = plan_fits(estimators, folds)
            stacks, alone = plan.stacks, sorted(plan.reasons)
        except NotStackableError:
            stacks, alone = [], range(len(estimators))
        for stack in stacks:
            for trained in train_stack(stack, folds):
                for group in trained:
                    logits = group.logits(group.fold.test)
                    for replica, recipe in enumerate(group.recipes):
                        failure = group.failure(replica)
                        proba = None
                        if failure is None:
                            whole = at_all_classes(logits[replica], group.classes, self.classes)
                            proba = softmax(whole.astype(np.float64), axis=1)
                        yield recipe.number, group.fold_number, proba, _call(group.fitted, replica), failure
        for number in alone:
            for fold, (train, test) in enumerate(rows.splits):
                model, failure = fit_one(estimators[number], X, y, train, fit_params, {})
                proba = None
                if failure is None:
                    recoded = Recoded(model, self.classes)
                    proba = proba_at_all_classes(
                        recoded.predict_proba(safe_indexing(X, test)), recoded.classes_, rows.n_classes
                    )
                yield number, fold, proba, _call(lambda model: model, model), failure


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

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        return self.stack.n_candidates() * n_folds * (0.05 + 40 * n_samples * (n_features + n_classes) * 256 * 3e-10)

    def fit(self, rows, work, seed):
        candidates, chosen, left_out, models = self.stack.result(self.name, rows, work, seed)
        return FittedFamily(self.name, self.view, candidates, chosen, checked_proba(left_out, rows.n_classes), models)


def _call(function, *args):
    return lambda: function(*args)
