"""Fits of our classifiers run as stacked trainings."""

import time
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from sklabelnoise._compat import safe_indexing
from sklabelnoise._fused._folds import Fold, build_net, takes_statistics, validated_rows
from sklabelnoise._fused._plan import plan_fits
from sklabelnoise._stacked._criterion import NotStackableError, same, stack_criteria
from sklabelnoise._stacked._loop import Group, TrainingLog, replica_logits, train_replicas
from sklabelnoise._stacked._memory import bytes_available, replicas_within_memory
from sklabelnoise._stacked._network import StackedNetwork
from sklabelnoise._stacked._optimizer import StackedOptimizer
from sklabelnoise.training._batches import TensorData
from sklabelnoise.training._device import naming_batch_size, seeded


@dataclass(eq=False)
class TrainedGroup:
    """Candidates that were trained together on one fold.

    Attributes
    ----------
    recipes : list of Recipe
        The K candidates.
    fold_number : int
        Which fold.
    fold : Fold
        Its rows.
    classes : ndarray
        Class labels of the fold.
    seconds : float
        Share of one candidate in the time of the training.
    """

    recipes: list
    fold_number: int
    fold: object
    classes: np.ndarray
    seconds: float
    place: int
    group: Group
    network: StackedNetwork
    log: TrainingLog

    def failure(self, replica):
        """What went wrong in the training of a replica, None if nothing did."""
        return self.log.failures.get((self.place, replica))

    def check(self, replica):
        """Raise the error that the training of a replica alone would have raised."""
        if (failure := self.failure(replica)) is not None:
            raise ValueError(failure)

    def logits(self, rows):
        """Logits of all K replicas for some rows of the fold's X, an array of shape (K, n_rows, n_classes)."""
        return np.stack(list(self.each_logits(rows)))

    def each_logits(self, rows):
        """Logits of one replica after the other, arrays of shape (n_rows, n_classes), within bounds of memory."""
        rows = torch.as_tensor(rows, device=self.group.rows.device)
        at_once = max(1, bytes_available("cpu") // (8 * len(rows) * len(self.classes)))
        for first in range(0, len(self.recipes), at_once):
            replicas = slice(first, first + at_once)
            yield from replica_logits(self.network, self.place, self.group, rows, replicas).numpy()

    def fitted(self, replica):
        """The fitted classifier that one of the replicas amounts to."""
        recipe = self.recipes[replica]
        data = recipe.sets[self.fold_number]
        net, used = build_net(recipe.estimator, self.fold, data, recipe.seed, whole=takes_statistics(self.fold))
        state = self.network.state_dict(self.place, replica)
        with torch.no_grad():
            for name, tensor in (*net.module_.named_parameters(), *net.module_.named_buffers()):
                tensor.copy_(state[name])
        net.iteration_ = len(self.log.loss) * self.group.n_batches(used["batch_size"])
        for epoch in range(len(self.log.loss)):
            net.history.new_epoch()
            net.history.record("epoch", epoch + 1)
            net.history.record("train_loss", float(self.log.loss[epoch, self.place, replica]))
            net.history.record("train_accuracy", float(self.log.accuracy[epoch, self.place, replica]))
            net.history.record("lr", float(self.log.lr[epoch, replica]))
            net.history.record("seconds", self.seconds / len(self.log.loss))
        estimator = clone(recipe.estimator)
        for name, value in self.fold.inputs.items():
            setattr(estimator, name, value)
        return estimator._record(net, self.fold.all_rows(data), used)


@dataclass(eq=False)
class _Member:
    """A group and where it comes from."""

    fold_number: int
    block: list
    group: Group
    net: object

    def cohort(self, batch_size):
        """What members that are trained in one stack have in common."""
        data = self.block[0].sets[self.fold_number]
        return len(data.classes), data.soft_targets is None, self.group.n_batches(batch_size)


def train_stack(stack, folds, *, record_accuracy=False):
    """Train the candidates of a stack on all folds, in as few stacked trainings as memory and sizes allow.

    Parameters
    ----------
    stack : Stack
        Candidates that can be trained together.
    folds : list of Fold
        What each is trained on.
    record_accuracy : bool, default=False
        Whether the history of fitted classifiers is wanted whole.

    Yields
    ------
    trained : list of TrainedGroup
        What one stacked training gave; the next one starts when it is asked for.
    """
    members = _members(stack, folds)
    recipe = stack.blocks[0][0]
    net, batch_size = recipe.net, recipe.used["batch_size"]
    cohorts = {}
    for member in sorted(members, key=lambda member: -len(member.group.rows)):
        cohorts.setdefault(member.cohort(batch_size), []).append(member)
    for cohort in cohorts.values():
        sample = cohort[0].group.batch(cohort[0].group.rows[:1])[0]
        capacity = replicas_within_memory(net.module_, sample, batch_size=batch_size, device=net.device)
        n_groups = min(len(cohort), capacity)
        n_replicas = max(1, capacity // n_groups)
        for first in range(0, len(stack.blocks[0]), n_replicas):
            replicas = slice(first, first + n_replicas)
            for start in range(0, len(cohort), n_groups):
                yield _train_together(cohort[start : start + n_groups], replicas, folds, record_accuracy)


def _members(stack, folds):
    """One group for each fold and seed; rows and labels of a fold are shared by its groups."""
    tensors, members = {}, []
    for number, fold in enumerate(folds):
        for block in stack.blocks:
            recipe = block[0]
            data = recipe.sets[number]
            device = torch.device(recipe.net.device)
            if id(fold.X) not in tensors:
                tensors[id(fold.X)] = TensorData(fold.X, np.zeros(0, dtype=np.int64), device=device).X
            net, whole = recipe.net, takes_statistics(fold)
            if number > 0 or whole:
                net, _ = build_net(recipe.estimator, fold, data, recipe.seed, whole=whole)
            group = Group(
                data=_rows_with_targets(tensors[id(fold.X)], data, device, net.dtype),
                rows=torch.from_numpy(data.X).to(device),
                seed=recipe.seed,
                state={**dict(net.module_.named_parameters()), **dict(net.module_.named_buffers())},
                sample_weight=_weights([other.sets[number].sample_weight for other in block], device, net.dtype),
                preprocess=net.preprocess,
            )
            members.append(_Member(number, block, group, net))
    return members


def _rows_with_targets(X, data, device, dtype):
    """All rows of X, with labels and targets at the rows that are trained on."""
    labels = np.zeros(X.shape[0], dtype=np.int64)
    labels[data.X] = data.labels
    soft_targets = None
    if data.soft_targets is not None:
        soft_targets = np.zeros((X.shape[0], len(data.classes)))
        soft_targets[data.X] = data.soft_targets
    return TensorData(X, labels, soft_targets=soft_targets, device=device, dtype=dtype)


def _weights(weights, device, dtype):
    """Weights of the rows for each replica, one row of them where all replicas have the same; None for no weights."""
    if all(weight is None for weight in weights):
        return None
    if all(same(weights[0], weight) for weight in weights[1:]):
        weights = weights[:1]
    n_rows = next(len(weight) for weight in weights if weight is not None)
    stacked = np.stack([np.ones(n_rows) if weight is None else weight for weight in weights])
    return torch.from_numpy(stacked).to(device, dtype)


def _train_together(members, replicas, folds, record_accuracy):
    recipes = members[0].block[replicas]
    first = recipes[0]
    device, dtype = torch.device(first.net.device), members[0].net.dtype
    groups = [member.group.of_replicas(replicas) for member in members]
    start = time.perf_counter()
    network = StackedNetwork(
        members[0].net.module_, [group.state for group in groups], len(recipes), device=device, dtype=dtype
    )
    rates = {name: np.array([recipe.rates[name] for recipe in recipes]) for name in first.rates}
    optimizer = StackedOptimizer(
        type(first.net.optimizer_), network.parameters, rates, nesterov=first.options.get("nesterov", False)
    )
    criterion = stack_criteria([recipe.criterion for recipe in recipes], dtype=dtype, device=device)
    # One object for one schedule: then the rate is a number.
    schedules = [
        first.net.lr_schedule if same(recipe.used["lr_schedule"], first.used["lr_schedule"]) else recipe.net.lr_schedule
        for recipe in recipes
    ]
    with seeded(first.seed, device), naming_batch_size(first.used["batch_size"]):
        log = train_replicas(
            network,
            optimizer,
            criterion,
            groups,
            batch_size=first.used["batch_size"],
            max_epochs=first.used["max_epochs"],
            schedules=schedules,
            record_accuracy=record_accuracy,
        )
    seconds = (time.perf_counter() - start) / (len(groups) * len(recipes))
    return [
        TrainedGroup(
            recipes=member.block[replicas],
            fold_number=member.fold_number,
            fold=folds[member.fold_number],
            classes=member.block[0].sets[member.fold_number].classes,
            seconds=seconds,
            place=place,
            group=group,
            network=network,
            log=log,
        )
        for place, (member, group) in enumerate(zip(members, groups, strict=True))
    ]


def fit_together(estimators, X, y, sample_weight=None, soft_labels=None):
    """Fit several classifiers on the same rows, as stacked trainings where that is possible.

    Parameters
    ----------
    estimators : list of BaseNoisyLabelClassifier
        Unfitted, for example members of one configuration that differ in `random_state`; None draws a seed for each.
    X, y, sample_weight, soft_labels
        As in ``fit``.

    Returns
    -------
    fitted : list of BaseNoisyLabelClassifier
        Fitted clones, in the order of `estimators`.

    Raises
    ------
    ValueError
        If a training does not stay finite.
    """
    everything = np.arange(len(y))
    rows = validated_rows(estimators[0], X, y)
    fold = Fold(
        **rows, train=everything, test=everything[:0], y=y, sample_weight=sample_weight, soft_labels=soft_labels
    )
    plan = plan_fits(estimators, [fold], share_seed=False)
    fitted = {}
    for stack in plan.stacks:
        for trained in train_stack(stack, [fold], record_accuracy=True):
            for group in trained:
                for replica, recipe in enumerate(group.recipes):
                    group.check(replica)
                    fitted[recipe.number] = group.fitted(replica)
    for number in plan.reasons:
        fitted[number] = clone(estimators[number]).fit(X, y, sample_weight, soft_labels=soft_labels)
    return [fitted[number] for number in range(len(estimators))]


def left_out_logits(estimator, folds):
    """Logits of the test rows of each fold, from one stacked training on all folds.

    Parameters
    ----------
    estimator : BaseNoisyLabelClassifier
        Unfitted.
    folds : list of Fold
        What to train on, and what to predict.

    Returns
    -------
    predicted : list of (ndarray, ndarray)
        For each fold its class labels and the logits of its test rows, shape (n_test, n_classes).

    Raises
    ------
    NotStackableError
        If the folds can't be trained together.
    ValueError
        If a training does not stay finite.
    """
    plan = plan_fits([estimator], folds)
    if plan.reasons:
        raise NotStackableError(plan.reasons[0])
    predicted = {}
    for trained in train_stack(plan.stacks[0], folds):
        for group in trained:
            group.check(0)
            predicted[group.fold_number] = group.classes, next(group.each_logits(group.fold.test))
    return [predicted[number] for number in range(len(folds))]


def predict_left_out(estimator, X, targets, splits, sample_weight=None):
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

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
        Predicted distributions; a class that a fold has not seen has probability zero there.

    Raises
    ------
    ValueError
        If a training does not stay finite.
    """
    labels = targets.argmax(axis=1)
    fields = []
    for train, _ in splits:
        hard = targets[train].max(axis=1).min() == 1
        fields.append(
            {
                "y": labels[train],
                "sample_weight": None if sample_weight is None else sample_weight[train],
                "soft_labels": None if hard else pd.DataFrame(targets[train]),
            }
        )
    proba = np.zeros(targets.shape)
    try:
        # The most probable labels may all be of one class, which soft labels are not: any two serve to check the rows.
        rows = validated_rows(estimator, X, np.arange(len(labels)) % 2)
        folds = [Fold(**rows, train=train, test=test, **own) for (train, test), own in zip(splits, fields, strict=True)]
        predicted = [
            (classes, torch.from_numpy(logits).softmax(dim=1).numpy())
            for classes, logits in left_out_logits(estimator, folds)
        ]
    except NotStackableError:
        predicted = []
        for (train, test), own in zip(splits, fields, strict=True):
            model = clone(estimator).fit(safe_indexing(X, train), **own)
            predicted.append((model.classes_, model.predict_proba(safe_indexing(X, test))))
    for (_, test), (classes, values) in zip(splits, predicted, strict=True):
        proba[np.ix_(test, classes)] = values
    return proba
