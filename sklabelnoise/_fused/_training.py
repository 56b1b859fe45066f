"""The candidates of a stack trained on all folds, in as few stacked trainings as memory and sizes allow."""

import time
from dataclasses import dataclass

import joblib
import numpy as np
import torch
from sklearn.base import clone

from sklabelnoise._fused._folds import build_net, takes_statistics
from sklabelnoise._fused._kept_training import KeptTraining
from sklabelnoise._stacked._augmentation import stackable_augmentation
from sklabelnoise._stacked._criterion import stack_criteria
from sklabelnoise._stacked._equality import same
from sklabelnoise._stacked._loop import StackedFold, TrainingLog, replica_logits, train_replicas
from sklabelnoise._stacked._memory import bytes_available, replicas_within_memory
from sklabelnoise._stacked._network import StackedNetwork
from sklabelnoise._stacked._optimizer import StackedOptimizer
from sklabelnoise.modules._draws import seeded
from sklabelnoise.training._batches import TensorData
from sklabelnoise.training._failures import naming_batch_size


@dataclass(eq=False)
class TrainedFold:
    """Candidates that were trained together on one fold.

    Attributes
    ----------
    candidates : list of Candidate
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

    candidates: list
    fold_number: int
    fold: object
    classes: np.ndarray
    seconds: float
    place: int
    stacked: StackedFold
    network: StackedNetwork
    log: TrainingLog

    def failure(self, replica):
        """What went wrong in the training of a replica, None if nothing did."""
        return self.log.failures.get((self.place, replica))

    def each_logits(self, rows):
        """Logits of one replica after the other, arrays of shape (n_rows, n_classes), within bounds of memory."""
        rows = torch.as_tensor(rows, device=self.stacked.rows.device)
        at_once = max(1, bytes_available("cpu") // (8 * len(rows) * len(self.classes)))
        for first in range(0, len(self.candidates), at_once):
            replicas = slice(first, first + at_once)
            yield from replica_logits(self.network, self.place, self.stacked, rows, replicas).numpy()

    def fitted(self, replica):
        """The fitted classifier that one of the replicas amounts to."""
        candidate = self.candidates[replica]
        data = candidate.sets[self.fold_number]
        net, used = build_net(
            candidate.builder,
            self.fold,
            data,
            candidate.net.device,
            candidate.seed,
            whole=takes_statistics(self.fold),
        )
        state = self.network.state_dict(self.place, replica)
        with torch.no_grad():
            for name, tensor in (*net.module_.named_parameters(), *net.module_.named_buffers()):
                tensor.copy_(state[name])
        net.iteration_ = len(self.log.loss) * self.stacked.n_batches(used["batch_size"])
        for epoch in range(len(self.log.loss)):
            net.history.new_epoch()
            net.history.record("epoch", epoch + 1)
            net.history.record("train_loss", float(self.log.loss[epoch, self.place, replica]))
            net.history.record("train_accuracy", float(self.log.accuracy[epoch, self.place, replica]))
            net.history.record("lr", float(self.log.lr[epoch, replica]))
            net.history.record("seconds", self.seconds / len(self.log.loss))
        estimator = clone(candidate.estimator)
        for name, value in self.fold.inputs.items():
            setattr(estimator, name, value)
        # One row says what the rows are like: the rest stays where it is.
        return estimator._record(net, self.fold.with_rows(data.take(np.arange(1))), used, self.fold.given(data))


@dataclass(eq=False)
class _SeededFold:
    """A fold under one seed of a stack, with the candidates that have this seed."""

    fold_number: int
    candidates: list
    stacked: StackedFold
    net: object

    def shape(self, batch_size):
        """What has to be equal for one stacked training."""
        data = self.candidates[0].sets[self.fold_number]
        of_rows = tuple(self.stacked.data.X.shape[1:])  # transformers may give each fold columns of its own
        return of_rows, len(data.classes), data.soft_targets is None, self.stacked.n_batches(batch_size)


def train_stack(stack, folds, *, record_accuracy=False, checkpoint=None, name="", advance=None):
    """Train the candidates of a stack on all folds, in as few stacked trainings as memory and sizes allow.

    Parameters
    ----------
    stack : Stack
        Candidates that can be trained together.
    folds : dict of int to Fold
        What each is trained on, by the number of its split.
    record_accuracy : bool, default=False
        Whether the history of fitted classifiers is wanted whole.
    checkpoint : Checkpoint, default=None
        Where snapshots of the trainings are kept.
    name : str, default=""
        What tells this stack from others of the checkpoint.
    advance : callable, default=None
        Called with the number of fits, or parts of one, that were done.

    Yields
    ------
    trained : TrainedFold
        Folds whose sizes agree are trained at once; the next training starts when one of its folds is asked for.
    """
    first = stack.by_seed[0][0]
    batch_size, n_candidates = first.used["batch_size"], len(stack.by_seed[0])
    of_shape = {}
    for one in sorted(_seeded_folds(stack, folds), key=lambda one: -len(one.stacked.rows)):
        of_shape.setdefault(one.shape(batch_size), []).append(one)
    for alike in of_shape.values():
        sample = alike[0].stacked.batch(alike[0].stacked.rows[:1])[0]
        net = alike[0].net
        capacity = replicas_within_memory(net.module_, sample, batch_size=batch_size, device=net.device)
        n_folds = min(len(alike), capacity)
        n_replicas = max(1, capacity // n_folds)
        for start in range(0, n_candidates, n_replicas):
            for place in range(0, len(alike), n_folds):
                at_once = alike[place : place + n_folds]
                of = slice(start, start + n_replicas)
                kept = None
                if checkpoint is not None:
                    kept = KeptTraining(checkpoint, f"stack-{joblib.hash((name, *_identity(at_once, of)))}")
                yield from _train_at_once(at_once, of, folds, record_accuracy, kept, advance)


def _identity(seeded_folds, replicas):
    """What one of the trainings of a stack trains: folds, and candidates under their seeds."""
    for one in seeded_folds:
        yield one.fold_number, [(candidate.number, candidate.seed) for candidate in one.candidates[replicas]]


def _seeded_folds(stack, folds):
    """Each fold under each seed; its rows and labels are shared by the seeds."""
    tensors, seeded_folds = {}, []
    for number, fold in folds.items():
        for candidates in stack.by_seed:
            candidate = candidates[0]
            data = candidate.sets[number]
            device = torch.device(candidate.net.device)
            if id(fold.X) not in tensors:
                tensors[id(fold.X)] = TensorData(fold.X, np.zeros(0, dtype=np.int64), device=device).X
            net, whole = candidate.net, takes_statistics(fold)
            if number > 0 or whole:
                net, _ = build_net(candidate.builder, fold, data, device, candidate.seed, whole=whole)
            stacked = StackedFold(
                data=_rows_with_targets(tensors[id(fold.X)], data, device, net.dtype),
                rows=torch.from_numpy(data.X).to(device),
                seed=candidate.seed,
                state={**dict(net.module_.named_parameters()), **dict(net.module_.named_buffers())},
                sample_weight=_weights([other.sets[number].sample_weight for other in candidates], device, net.dtype),
                preprocess=net.preprocess,
                augment=stackable_augmentation(net.augment),
            )
            seeded_folds.append(_SeededFold(number, candidates, stacked, net))
    return seeded_folds


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


def _train_at_once(seeded_folds, replicas, folds, record_accuracy, kept, advance):
    candidates = seeded_folds[0].candidates[replicas]
    first = candidates[0]
    device, dtype = torch.device(first.net.device), seeded_folds[0].net.dtype
    stacked_folds = [one.stacked.of_replicas(replicas) for one in seeded_folds]
    start = time.perf_counter()
    states = [stacked.state for stacked in stacked_folds]
    example = stacked_folds[0].batch(stacked_folds[0].rows[:2])[0]
    network = StackedNetwork(
        seeded_folds[0].net.module_, states, len(candidates), device=device, dtype=dtype, example=example
    )
    rates = {name: np.array([candidate.rates[name] for candidate in candidates]) for name in first.rates}
    optimizer = StackedOptimizer(
        type(first.net.optimizer_),
        network.parameters,
        rates,
        nesterov=first.options.get("nesterov", False),
        decoupled_weight_decay=first.options.get("decoupled_weight_decay"),
    )
    criterion = stack_criteria([candidate.net.criterion_ for candidate in candidates], dtype=dtype, device=device)
    # One object for one schedule: then the rate is a number.
    schedules = [
        (first if same(candidate.used["lr_schedule"], first.used["lr_schedule"]) else candidate).net.lr_schedule
        for candidate in candidates
    ]
    with seeded(first.seed), naming_batch_size(first.used["batch_size"], device):
        log = train_replicas(
            network,
            optimizer,
            criterion,
            stacked_folds,
            batch_size=first.used["batch_size"],
            max_epochs=first.used["max_epochs"],
            schedules=schedules,
            record_accuracy=record_accuracy,
            kept=kept,
            advance=None if advance is None else lambda share: advance(share * len(stacked_folds) * len(candidates)),
        )
    seconds = (time.perf_counter() - start) / (len(stacked_folds) * len(candidates))
    return [
        TrainedFold(
            candidates=one.candidates[replicas],
            fold_number=one.fold_number,
            fold=folds[one.fold_number],
            classes=one.candidates[0].sets[one.fold_number].classes,
            seconds=seconds,
            place=place,
            stacked=stacked,
            network=network,
            log=log,
        )
        for place, (one, stacked) in enumerate(zip(seeded_folds, stacked_folds, strict=True))
    ]
