"""Many trainings of one architecture run as one."""

import math
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
import torch

from sklabelnoise._compat import ended
from sklabelnoise._stacked._criterion import NotStackableError
from sklabelnoise._stacked._memory import rows_within_memory
from sklabelnoise._stacked._recorded_steps import RecordedSteps, can_be_recorded
from sklabelnoise._stacked._rows_last import RowsLast
from sklabelnoise._stacked._snapshot import restore, snapshot
from sklabelnoise.training._batches import PREDICTION_ROWS, TensorData
from sklabelnoise.training._device import generator_on
from sklabelnoise.training._failures import nonfinite_loss_message, nonfinite_parameter_message


@dataclass(frozen=True)
class StackedFold:
    """Rows that K replicas are trained on, in one order.

    Attributes
    ----------
    data : TensorData
        Where the rows are taken from; folds may share it.
    rows : LongTensor of shape (n_rows,)
        Row numbers in `data` to train on, on its device.
    seed : int
        Seeds the order of the rows and the augmentation.
    state : dict
        The ``state_dict`` that all replicas of the fold start from.
    sample_weight : Tensor of shape (K or 1, n_rows), default=None
        Weights of the rows, for each replica or for all of them.
    preprocess : callable, default=None
        Applied to every batch before the module.
    augment : callable, default=None
        ``augment(batch, generator)``, applied to training batches behind `preprocess`, once for all replicas; see
        :func:`~sklabelnoise._stacked._augmentation.stackable_augmentation`.
    """

    data: TensorData
    rows: torch.Tensor
    seed: int
    state: dict
    sample_weight: torch.Tensor | None = None
    preprocess: Callable | None = None
    augment: Callable | None = None

    def n_batches(self, batch_size):
        """Batches in one epoch."""
        return math.ceil(len(self.rows) / batch_size)

    @cached_property
    def rows_on_host(self):
        """The row numbers on the host."""
        return self.rows.cpu()

    def batch(self, rows, on_host=None):
        """Inputs, labels and targets of some rows of `data`, a LongTensor; see :meth:`TensorData.batch`."""
        batch = self.data.batch(rows, on_host)
        X, labels = batch
        return X if self.preprocess is None else self.preprocess(X), labels, batch.target

    def has_batches_of(self, other):
        """Whether training takes the same batches from both, though they may start from other weights."""
        return (
            self.seed == other.seed
            and self.augment == other.augment
            and self.preprocess is other.preprocess
            and all(getattr(self, name) is getattr(other, name) for name in ("data", "rows", "sample_weight"))
        )

    def of_replicas(self, replicas):
        """The same fold for a slice of its replicas."""
        weight = self.sample_weight
        return self if weight is None or len(weight) == 1 else replace(self, sample_weight=weight[replicas])


@dataclass
class TrainingLog:
    """What happened in the training of G x K replicas.

    Attributes
    ----------
    loss, accuracy : ndarray of shape (n_epochs, G, K)
        Mean training loss and accuracy on the given labels of each epoch; the accuracy is NaN where it was not asked
        for.
    lr : ndarray of shape (n_epochs, K)
        Learning rate at the end of each epoch.
    failures : dict of (int, int) to str
        What went wrong in the replicas that did not stay finite, by fold and replica.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    lr: np.ndarray
    failures: dict = field(default_factory=dict)


# Whoever calls may be in a block without derivatives; and Ctrl-C can come where torch begins or ends one, after which
# it stays without: every training brings its own, and puts back what was there before.
@torch.enable_grad()
def train_replicas(
    network,
    optimizer,
    criterion,
    folds,
    *,
    batch_size,
    max_epochs,
    schedules,
    record_accuracy=False,
    kept=None,
    advance=None,
):
    """Train all replicas of a stacked network, each as it would be trained alone.

    A replica whose loss or parameters do not stay finite is noted and left to itself: no number of it enters another.

    Parameters
    ----------
    network : StackedNetwork
        G x K networks, trained in place.
    optimizer : StackedOptimizer
        Steps on the parameters of `network`.
    criterion : torch.nn.Module
        Called with logits (g, K, n, n_classes), and targets and weights of as many leading dimensions; returns a value
        for each replica.
    folds : sequence of StackedFold
        G folds in descending order of their number of rows, with the same number of batches.
    batch_size : int
        Rows in a batch; the last one of an epoch may be smaller.
    max_epochs : int
        Passes over the rows.
    schedules : sequence of callable
        ``factor(iteration, n_iterations)`` of the learning rate, one for each of the K replicas.
    record_accuracy : bool, default=False
        Whether to note the accuracy of each epoch.
    kept : object, default=None
        With ``load()``, which gives the snapshot to go on from or None, and ``offer(take, is_last=...)``, which is told
        after each epoch how to take one.
    advance : callable, default=None
        Called with the share of all epochs that was done since the last call.

    Returns
    -------
    log : TrainingLog
    """
    n_batches = folds[0].n_batches(batch_size)
    n_iterations = max_epochs * n_batches
    log = _empty_log(max_epochs, network.n_folds, network.n_replicas)
    sources = _Sources(folds)
    follows_progress = criterion.progress is not None
    criterion.train()
    trained, first = (network, optimizer, sources.generators, log), 0
    if kept is not None and (state := kept.load()) is not None:
        first = restore(state, *trained)
    if advance is not None and first:
        advance(first / max_epochs)
    sums = _EpochSums(network, n_batches, record_accuracy)
    step = partial(_take_step, network, optimizer, criterion, sums)
    n_full, recorded = len(folds[-1].rows) // batch_size, None

    def prepared(epoch):
        iterations = range(epoch * n_batches, (epoch + 1) * n_batches)
        factors = [_factor(schedules, iteration, n_iterations) for iteration in iterations]
        return iterations, factors, optimizer.coefficients(iterations, factors, changing_on_device=recorded is not None)

    if can_be_recorded(network, criterion, folds, schedules):
        recorded = RecordedSteps(
            partial(step, slice(0, len(folds))),
            network,
            batch_size=batch_size,
            n_steps=(max_epochs - first) * n_full,
        )
    with nullcontext() if recorded is None else closing(recorded):
        ahead = prepared(first) if first < max_epochs else None
        for epoch in range(first, max_epochs):
            orders = sources.orders()
            iterations, factors, coefficients = ahead
            if recorded is not None:
                recorded.begin(orders, coefficients)
            for i, iteration in enumerate(iterations):
                if follows_progress:
                    criterion.progress = (iteration + 1) / n_iterations
                # Folds with a last batch of another size take their step apart: no padding enters a loss or statistic.
                for part, rows in _equal_batches(folds, i * batch_size, batch_size):
                    as_always = partial(step, part, i, orders, rows, coefficients[i])
                    if recorded is not None and i < n_full:
                        recorded.take(i, as_always)
                    else:
                        as_always()
            log.lr[epoch] = optimizer.rates["lr"] * factors[-1]
            # While a device still computes what `write` waits for.
            ahead = prepared(epoch + 1) if epoch + 1 < max_epochs else None
            sums.write(log, epoch)
            if kept is not None:
                kept.offer(partial(snapshot, epoch + 1, *trained), is_last=epoch + 1 == max_epochs)
            if advance is not None:
                advance(1 / max_epochs)
    _note_infinite_parameters(network, log)
    return log


def _take_step(network, optimizer, criterion, sums, part, i, orders, rows, coefficients):
    """Take step number `i` of an epoch in the folds `part`, on some rows of their orders."""
    X, labels, targets, weight = _stack_batches(orders[part], rows, network.n_replicas)
    parameters = network.leaves(part)
    logits = network(parameters, X, folds=part, training=True)
    with ended(RowsLast()):
        loss = criterion(logits, targets, weight)
    gradients = torch.autograd.grad(loss.sum(), list(parameters.values()), allow_unused=True)
    used = {name: g for name, g in zip(parameters, gradients, strict=True) if g is not None}
    optimizer.step(used, coefficients, folds=part)
    sums.add(i, part, loss.detach(), logits.detach(), labels, weight)


def replica_logits(network, fold_number, fold, rows, replicas=slice(None)):
    """Logits of replicas of one fold for some rows of its data.

    Parameters
    ----------
    network : StackedNetwork
        Trained networks.
    fold_number : int
        Which fold of `network`.
    fold : StackedFold
        Its data and preprocessing.
    rows : LongTensor of shape (n,)
        Row numbers in ``fold.data``.
    replicas : slice, default=slice(None)
        Which replicas.

    Returns
    -------
    logits : Tensor of shape (k, n, n_classes)
        On the CPU.
    """
    part = slice(fold_number, fold_number + 1)
    parameters = {name: p[part, replicas] for name, p in network.parameters.items()}
    n_replicas = len(range(*replicas.indices(network.n_replicas)))
    X = fold.batch(rows[:1])[0]
    n_rows = min(PREDICTION_ROWS, rows_within_memory(network.module, X, n_replicas=n_replicas, device=X.device))
    with torch.no_grad():
        chunks = [
            network(parameters, fold.batch(chunk)[0].unsqueeze(0), folds=part, replicas=replicas)[0].cpu()
            for chunk in rows.split(n_rows)
        ]
    return torch.cat(chunks, dim=1)


class _Sources:
    """What the batches of some folds are drawn from; folds that take the same batches share them."""

    def __init__(self, folds):
        self._of = [next(i for i, other in enumerate(folds) if fold.has_batches_of(other)) for fold in folds]
        self._folds = {i: folds[i] for i in self._of}
        self._orders = {i: torch.Generator().manual_seed(fold.seed) for i, fold in self._folds.items()}
        self._views = {
            i: generator_on(fold.rows.device, fold.seed) for i, fold in self._folds.items() if fold.augment is not None
        }

    @property
    def generators(self):
        """All generators, as a snapshot of the training has to hold them."""
        return [*self._orders.values(), *self._views.values()]

    def orders(self):
        """The order of each fold in the next epoch."""
        drawn = {i: _Order(fold, self._orders[i], self._views.get(i)) for i, fold in self._folds.items()}
        return [drawn[i] for i in self._of]


class _Order:
    """Rows of a fold in the order of one epoch, with their weights, and the generator that they are augmented by."""

    def __init__(self, fold, generator, views=None):
        order = torch.randperm(len(fold.rows), generator=generator)
        self.on_host = fold.rows_on_host[order] if fold.data.on_host else None
        order = order.to(fold.rows.device)
        self.fold, self.rows, self.views = fold, fold.rows[order], views
        self.weight = None if fold.sample_weight is None else fold.sample_weight[:, order]

    def take_over(self, other):
        """Become another order, where this one is in memory."""
        self.rows.copy_(other.rows)
        if self.weight is not None:
            self.weight.copy_(other.weight)

    def batch(self, places):
        """Inputs, labels and targets of the rows at some places of the order."""
        X, *others = self.fold.batch(self.rows[places], None if self.on_host is None else self.on_host[places])
        return (X if self.views is None else self.fold.augment(X, self.views), *others)


def _equal_batches(folds, first, batch_size):
    """Split the folds at those whose batch has another size; pairs of fold numbers and rows, both slices."""
    lasts = [min(first + batch_size, len(fold.rows)) for fold in folds]
    start = 0
    while start < len(folds):
        stop = start + lasts[start:].count(lasts[start])
        yield slice(start, stop), slice(first, lasts[start])
        start = stop


def _stack_batches(orders, rows, n_replicas):
    """One batch of each fold: inputs (g, n, ...), labels (g, n), targets (g, K, n[, C]), weights (g, K, n) or None."""
    X, labels, targets = _batches_of_folds(orders, rows)
    targets = targets.unsqueeze(1).expand(-1, n_replicas, *targets.shape[1:])
    if all(order.weight is None for order in orders):
        return X, labels, targets, None
    ones = X.new_ones(1, labels.shape[1])
    weights = [ones if order.weight is None else order.weight[:, rows] for order in orders]
    return X, labels, targets, torch.stack([weight.expand(n_replicas, -1) for weight in weights])


def _batches_of_folds(orders, rows):
    """Inputs, labels and targets of one batch of each fold, stacked."""
    if all(order.views is None for order in orders):
        batches = {id(order): order.batch(rows) for order in orders}
        return (torch.stack(tensors) for tensors in zip(*(batches[id(order)] for order in orders), strict=True))
    # One by one into their place: the batches of all folds are there once, not beside one another as well.
    made, stacked = {}, None
    for place, order in enumerate(orders):
        if id(order) in made:
            for stack in stacked:
                stack[place] = stack[made[id(order)]]
            continue
        made[id(order)] = place
        batch = order.batch(rows)
        if stacked is None:
            stacked = [tensor.new_empty(len(orders), *tensor.shape) for tensor in batch]
        for stack, tensor in zip(stacked, batch, strict=True):
            if (tensor.shape, tensor.dtype) != (stack.shape[1:], stack.dtype):
                raise NotStackableError("augment gives the batches of several folds other shapes")
            stack[place] = tensor
        del batch, tensor
    return stacked


def _factor(schedules, iteration, n_iterations):
    """Factor of the learning rate: a number where all replicas follow one schedule, else an array."""
    if all(schedule is schedules[0] for schedule in schedules):
        return schedules[0](iteration, n_iterations)
    return np.array([schedule(iteration, n_iterations) for schedule in schedules])


def _empty_log(max_epochs, n_folds, n_replicas):
    shape = (max_epochs, n_folds, n_replicas)
    return TrainingLog(np.full(shape, np.nan), np.full(shape, np.nan), np.full((max_epochs, n_replicas), np.nan))


class _EpochSums:
    """Losses of one epoch, kept on the device until it ends."""

    def __init__(self, network, n_batches, record_accuracy):
        shape = (n_batches, network.n_folds, network.n_replicas)
        like = next(iter(network.parameters.values()))
        self.losses, self.masses, self.hits = (
            torch.zeros(shape, dtype=like.dtype, device=like.device) for _ in range(3)
        )
        self.record_accuracy = record_accuracy

    def add(self, i, part, loss, logits, labels, weight):
        self.losses[i, part] = loss
        # filled in on the device: a number from the host can't be recorded
        self.masses[i, part] = torch.full_like(loss, labels.shape[1]) if weight is None else weight.sum(-1)
        if self.record_accuracy:
            hit = logits.argmax(-1) == labels.unsqueeze(1)
            self.hits[i, part] = (hit if weight is None else hit * weight).sum(-1).to(self.hits.dtype)

    def write(self, log, epoch):
        """Bring the sums from the device, write the means, and note replicas whose loss was not finite."""
        losses, masses, hits = (
            tensor.numpy(force=True).astype(np.float64) for tensor in (self.losses, self.masses, self.hits)
        )
        total = masses.sum(axis=0)
        log.loss[epoch] = (losses * masses).sum(axis=0) / total
        if self.record_accuracy:
            log.accuracy[epoch] = hits.sum(axis=0) / total
        for g, k in np.argwhere(~np.isfinite(losses).all(axis=0)).tolist():
            i = int(np.argmin(np.isfinite(losses[:, g, k])))
            if (g, k) not in log.failures:
                log.failures[g, k] = nonfinite_loss_message(
                    "train", losses[i, g, k], epoch=epoch + 1, batch=i + 1, n_batches=len(losses), lr=log.lr[epoch, k]
                )


def _note_infinite_parameters(network, log):
    shape = (network.n_folds, network.n_replicas, -1)
    finite = torch.stack([p.isfinite().view(shape).all(-1) for p in network.parameters.values()]).all(0)
    for g, k in (~finite).nonzero().tolist():
        log.failures.setdefault((g, k), nonfinite_parameter_message(epoch=len(log.loss), lr=log.lr[-1, k]))
