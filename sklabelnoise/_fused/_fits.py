"""Fits of our classifiers, trained together where that is possible, else alone.

:class:`Fits` does that for a search, a choice of candidates, members of one configuration and left-out predictions
alike. It asks `_plan`, which asks `_folds`, and trains each stack by `_training`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.parallel import delayed

from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._foundation._frames import class_frame
from sklabelnoise._foundation._in_parallel import as_they_come
from sklabelnoise._foundation._work import Work
from sklabelnoise._fused._folds import Fold, SplitData, make_folds, validated_rows
from sklabelnoise._fused._plan import plan_fits, reason_of
from sklabelnoise._fused._training import train_stack
from sklabelnoise._stacked._criterion import NotStackableError
from sklabelnoise.training._callers_torch import callers_torch_aside, steps_with_callers_torch_aside
from sklabelnoise.training._forward import check_logits
from sklabelnoise.training._training_set import take_rows


@dataclass(eq=False)
class Fit:
    """What became of one candidate on one fold.

    Attributes
    ----------
    candidate, fold : int
        Their numbers.
    failure : str or None
        What went wrong, None if nothing did.
    fitted : callable
        Gives the fitted estimator; of a Pipeline it is None once the next fit was asked for, as its rows are let go of.
    classes : ndarray of shape (n_classes,)
        Class labels of the fold.
    logits : list of ndarray of shape (n_rows, n_classes)
        Logits of the rows that were asked for, one array for each part of the fold.
    seconds : float
        Share in the time of a stacked training.
    """

    candidate: int
    fold: int
    failure: str | None = None
    fitted: Callable | None = None
    classes: np.ndarray | None = None
    logits: list | tuple = ()
    seconds: float = 0.0

    def check(self):
        """Raise the error that the training alone would have raised."""
        if self.failure is not None:
            raise ValueError(self.failure)


class Fits:
    """All candidates on all folds, one after the other: those that can be trained together first, then the rest.

    Parameters
    ----------
    candidates : list of estimator
        Unfitted, with their parameters set.
    n_folds : int
        Number of folds.
    make_folds : callable
        ``make_folds(candidate)`` gives the SplitData of candidates with the same transformers.
    fit_alone : callable
        ``fit_alone(keys)`` gives a Fit for each pair of a candidate and a fold that was not trained together.
    parts : tuple of {"test", "train"}, default=("test",)
        Rows of each fold whose logits are wanted.
    share_seed : bool, default=True
        Whether candidates without a seed get one in common, so that they are compared on equal weights and orders.
    record_accuracy : bool, default=False
        Whether the history of fitted classifiers is wanted whole.
    verbose : int, default=0
        1 prints how many fits are about to be trained together.
    checkpoint : Checkpoint, default=None
        Where trainings are kept that a run which was ended goes on with.
    name : str, default=""
        What tells these fits from others of the checkpoint.
    advance : callable, default=None
        Called with the number of fits trained together, or parts of one, that were done.

    Attributes
    ----------
    stack_of : dict of int to int
        Number of the stack that a candidate was trained in.
    apart_by : list of str
        What sets each stack apart from the first one; empty for that one.
    reasons : dict of int to str
        Why the other candidates are fitted alone.
    unusable_modules : set of str
        Those of the reasons that lie in a module that can't run in a stack.
    """

    def __init__(
        self,
        candidates,
        n_folds,
        make_folds,
        fit_alone,
        *,
        parts=("test",),
        share_seed=True,
        record_accuracy=False,
        verbose=0,
        checkpoint=None,
        name="",
        advance=None,
    ):
        self.candidates, self.n_folds, self.make_folds, self.fit_alone = candidates, n_folds, make_folds, fit_alone
        self.parts, self.share_seed, self.record_accuracy, self.verbose = parts, share_seed, record_accuracy, verbose
        self.checkpoint, self.name, self.advance = checkpoint, name, advance
        self.stack_of, self.apart_by, self.reasons, self.unusable_modules = {}, [], {}, set()
        self._done = set()

    @steps_with_callers_torch_aside
    def __iter__(self):
        for plan in plan_fits(self.candidates, self.make_folds, share_seed=self.share_seed):
            for fit in self._together(plan):
                self._done.add((fit.candidate, fit.fold))
                yield fit
            del plan  # and the rows with it, before those of the next are made
        keys = product(range(len(self.candidates)), range(self.n_folds))
        left = [key for key in keys if key not in self._done]
        if left:
            yield from self.fit_alone(left)

    def _together(self, plan):
        """Fits of those candidates that can be trained together; `reasons` says why others can't."""
        self.reasons.update(plan.reasons)
        self.unusable_modules |= plan.unusable_modules
        stacks = list(plan.stacks)
        for stack in stacks:
            other_rows = "other rows to train on, of other transformers or dtype" if self.apart_by else ""
            self.stack_of.update(dict.fromkeys(stack.numbers, len(self.apart_by)))
            self.apart_by.append(stack.apart_by or other_rows)
            if self.verbose > 0:
                n = len(stack.numbers)
                print(f"Training {n * self.n_folds} fits of {n} candidates together")
        for turn, splits in enumerate(plan.data.turns() if stacks else ()):
            try:
                if turn:
                    plan.hold(splits)
            except Exception as error:  # of a transformer: the ordinary fit raises it again
                for stack in stacks:
                    self._leave_alone(stack.numbers, reason_of(error))
                return
            for stack in list(stacks):
                try:
                    yield from self._train(stack, plan.data)
                except Exception as error:  # a user's module or loss may fail in ways that no probe shows
                    reason = f"training together failed: {reason_of(error)}"
                    warn(f"Candidates are fitted one by one: {reason.removesuffix('.')}.")
                    self._leave_alone(stack.numbers, reason)
                    stacks.remove(stack)

    def _train(self, stack, data):
        keeping = {"checkpoint": self.checkpoint, "name": self.name, "advance": self.advance}
        for trained in train_stack(stack, data.folds, record_accuracy=self.record_accuracy, **keeping):
            parts = [trained.each_logits(trained.fold.rows_of(part)) for part in self.parts]
            for replica, candidate in enumerate(trained.candidates):
                fit = Fit(
                    candidate=candidate.number,
                    fold=trained.fold_number,
                    failure=trained.failure(replica),
                    fitted=partial(_fitted, data, trained, replica),
                    classes=trained.classes,
                    logits=[next(logits) for logits in parts],
                    seconds=trained.seconds,
                )
                yield fit
                if data.make_fold is not None:
                    fit.fitted = None

    def _leave_alone(self, members, reason):
        """Leave the candidates of a stack that broke to ordinary fits, but for those that were done."""
        for number in members:
            if (number, 0) not in self._done:
                del self.stack_of[number]
                self.reasons[number] = reason


@callers_torch_aside()
def _fitted(data, trained, replica):
    return data.with_classifier(trained.fold_number, trained.fitted(replica))


def refuse(keys):
    """In place of ordinary fits: say that some would be needed."""
    raise NotStackableError(f"{len(keys)} fits can't be trained together")


def fit_alone(
    keys, candidates, X, splits, fit_params, *, n_jobs=None, parts=("test",), work=None, name="", advance=None
):
    """Ordinary fits of our classifiers; a ValueError is noted as the failure of its fit.

    Parameters
    ----------
    keys : list of (int, int)
        Which candidate to fit on which fold.
    candidates : list of BaseNoisyLabelClassifier
        Unfitted.
    X : array-like or Dataset
        All rows.
    splits : list of (train, test)
        Row numbers.
    fit_params : callable
        ``fit_params(fold)``: parameters of ``fit`` for the training rows of a fold, `y` among them.
    n_jobs : int, default=None
        Of joblib.
    parts : tuple of {"test", "train"}, default=("test",)
        Rows whose logits are wanted.
    work : Work, default=None
        Where finished fits are kept.
    name : str, default=""
        What tells these fits from others there.
    advance : callable, default=None
        Called with 1 after each fit.

    Yields
    ------
    fit : Fit
    """
    work, outcomes = work or Work(), {}
    for key in keys:
        done, outcome = work.found(_piece(name, key))
        if done:
            outcomes[key] = outcome
    if advance is not None and outcomes:
        advance(len(outcomes))
    tasks = [
        delayed(_fit_or_failure)((number, fold), candidates[number], X, splits[fold][0], fit_params(fold))
        for number, fold in keys
        if (number, fold) not in outcomes
    ]
    for key, outcome in as_they_come(n_jobs)(tasks):
        work.keep(_piece(name, key), outcome)
        outcomes[key] = outcome
        if advance is not None:
            advance(1)
    for number, fold in keys:
        outcome = outcomes[number, fold]
        if isinstance(outcome, str):
            yield Fit(number, fold, failure=outcome)
            continue
        rows = dict(zip(("train", "test"), splits[fold], strict=True))
        logits = [outcome._logits(take_rows(X, rows[part])) for part in parts]
        yield Fit(number, fold, fitted=partial(itself, outcome), classes=outcome.classes_, logits=logits)


def _piece(name, key):
    return f"fit-{name}-candidate-{key[0]}-fold-{key[1]}"


def _fit_or_failure(key, estimator, X, train, params):
    try:
        return key, clone(estimator).fit(take_rows(X, train), **params)
    except ValueError as error:
        return key, str(error)


def itself(model):
    """What gives a model that is there, where a fit may have to be made: a function that can be pickled."""
    return model


def fit_together(
    estimators, X, y, sample_weight=None, soft_labels=None, *, validation=None, n_jobs=None, work=None, advance=None
):
    """Fit several classifiers on the same rows, as stacked trainings where that is possible.

    Parameters
    ----------
    estimators : list of BaseNoisyLabelClassifier
        Unfitted, for example members of one configuration that differ in `random_state`; None draws a seed for each.
    X, y, sample_weight, soft_labels
        As in ``fit``.
    validation : dict, default=None
        Parameters of ``fit`` about held-out rows, which each training follows by itself.
    n_jobs : int, default=None
        Of joblib, where they can't be trained together.
    work : Work, default=None
        Where finished fits, and snapshots of trainings, are kept.
    advance : callable, default=None
        Called with the number of fits, or parts of one, that were done.

    Returns
    -------
    fitted : list of BaseNoisyLabelClassifier
        Fitted clones, in the order of `estimators`.

    Raises
    ------
    ValueError
        If a training does not stay finite.
    """
    params = {"sample_weight": sample_weight, "soft_labels": soft_labels, **(validation or {})}
    everything = np.arange(len(y))
    splits = [(everything, everything[:0])]
    fits = Fits(
        estimators,
        1,
        partial(make_folds, X=X, y=y, splits=splits, fit_params=params),
        partial(
            fit_alone,
            candidates=estimators,
            X=X,
            splits=splits,
            fit_params=lambda fold: {"y": y, **params},
            n_jobs=n_jobs,
            parts=(),
            work=work,
            name="members",
            advance=advance,
        ),
        parts=(),
        share_seed=False,
        record_accuracy=True,
        checkpoint=None if work is None else work.checkpoint,
        name="members",
        advance=advance,
    )
    fitted = {}
    for fit in fits:
        fit.check()
        fitted[fit.candidate] = fit.fitted()
    return [fitted[number] for number in range(len(estimators))]


def predict_left_out(estimator, X, targets, splits, sample_weight=None, classes=None):
    """Predict every row by a model that was trained without it.

    Parameters
    ----------
    estimator : BaseNoisyLabelClassifier
        Unfitted.
    X : array-like of shape (n_samples, n_features)
        Rows.
    targets : ndarray of shape (n_samples, n_classes)
        Rows on the simplex. Where all of a fold's are one-hot, it is trained on them as labels.
    splits : list of (train, test)
        Row numbers; each row is in one test set.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights of the rows.
    classes : ndarray of shape (n_classes,), default=None
        Sorted, the labels that the columns of `targets` are about; None takes their numbers.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
        Predicted distributions; a class that a fold has not seen has probability zero there. The losses by epoch of
        each fold are left in `estimator` as ``_left_out_loss_curves``.

    Raises
    ------
    ValueError
        If a training does not stay finite.
    """
    classes = np.arange(targets.shape[1]) if classes is None else classes
    labels = classes[targets.argmax(axis=1)]

    def params(number):
        train, _ = splits[number]
        hard = targets[train].max(axis=1).min() == 1
        return {
            "y": labels[train],
            "sample_weight": None if sample_weight is None else sample_weight[train],
            "soft_labels": None if hard else class_frame(targets[train], classes),
        }

    def folds(candidate):
        # The most probable labels may all be of one class, which soft labels are not: any two serve to check the rows.
        rows = validated_rows(candidate, X, classes[np.arange(len(labels)) % 2])
        return SplitData.of_shared_rows(
            Fold(**rows, train=train, test=test, **params(number)) for number, (train, test) in enumerate(splits)
        )

    fits = Fits([estimator], len(splits), folds, lambda keys: fit_alone(keys, [estimator], X, splits, params))
    proba = np.zeros(targets.shape)
    estimator._left_out_loss_curves = [None] * len(splits)
    for fit in fits:
        fit.check()
        estimator._left_out_loss_curves[fit.fold] = np.array(fit.fitted().loss_curve_)
        _, test = splits[fit.fold]
        check_logits(fit.logits[0])
        logits = at_all_classes(fit.logits[0], fit.classes, classes, fill=-np.inf)
        proba[test] = torch.from_numpy(logits).softmax(dim=1).numpy()
    return proba
