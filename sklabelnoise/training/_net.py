"""The skorch net under every classifier: skorch's extension points, without its cost per batch."""

import copy
import inspect
import math
import threading
import time
import warnings
from contextlib import contextmanager, nullcontext
from numbers import Integral

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping
from skorch.dataset import unpack_data
from skorch.history import History
from skorch.utils import TeeGenerator, get_map_location
from torch import nn
from torch.utils.data import Dataset

from sklabelnoise.modules._draws import captured, current_draws, draws_to_repeat, may_draw, seeded
from sklabelnoise.training._batches import PREDICTION_ROWS, DatasetData, LoadedBatches, TensorBatches, TensorData
from sklabelnoise.training._device import generator_on, note_computation
from sklabelnoise.training._failures import nonfinite_loss_message, nonfinite_parameter_message
from sklabelnoise.training._module import twin
from sklabelnoise.training._schedules import constant

_OURS = f"{__name__.partition('.')[0]}."


class StopTraining(KeyboardInterrupt):
    """Raised by a callback to end training as planned, with the network as it is then.

    A ``KeyboardInterrupt`` itself, with which callbacks end the training of a skorch net, is taken for Ctrl-C and
    leaves ``fit``; that of skorch's ``EarlyStopping`` is known.

    Examples
    --------
    >>> from skorch.callbacks import Callback
    >>> from sklearn.datasets import make_moons
    >>> from sklabelnoise import DMClassifier
    >>> from sklabelnoise.training import StopTraining
    >>> class UntilAccurate(Callback):
    ...     def on_epoch_end(self, net, **kwargs):
    ...         if net.history[-1, "train_accuracy"] > 0.8:
    ...             raise StopTraining
    >>> X, y = make_moons(200, random_state=0)
    >>> model = DMClassifier(callbacks=[UntilAccurate()], max_epochs=100, random_state=0).fit(X, y)
    >>> model.n_iter_ < 100
    True
    """


class NoisyLabelNet(ClassifierMixin, NeuralNet):
    """A ``skorch.NeuralNet`` that trains from tensors on the device and never waits for it within an epoch.

    What it changes against skorch: batches are gathered from tensors that already live on the device
    (:class:`TensorData`; a torch ``Dataset`` goes through a ``DataLoader`` as usual), shuffled, and nothing is held
    out.
    Losses stay on the device until the epoch ends, and callbacks' batch hooks run only where a callback defines them.
    The training progress is handed to criteria whose `progress` is not None.

    Parameters
    ----------
    module, criterion, **kwargs
        As in skorch. The criterion is a :class:`~sklabelnoise.losses._protocol.Criterion`.
    seed : int, default=0
        Seeds the order of the rows and the augmentation.
    lr_schedule : callable, default=constant
        ``lr_schedule(iteration, n_iterations)``: factor of the learning rate in a 0-based iteration.
    augment : callable, default=None
        ``augment(batch, generator)``, applied to training batches on the device; the generator is on it, too.
    preprocess : callable, default=None
        Applied to every batch before augmentation and module (normalised images are padded with their mean colour).
    amp : bool, default=False
        Run the module under bfloat16 autocast.

    Notes
    -----
    Training on several devices goes through skorch's ``AccelerateMixin``, one process a device, started by
    ``accelerate launch``. The loader is what is shared out, so that the data must be a :class:`DatasetData`::

        class DataParallelNet(AccelerateMixin, NoisyLabelNet):
            def get_iterator(self, dataset, training=False):
                batches = NoisyLabelNet.get_iterator(self, dataset, training=training)
                batches.loader = self.accelerator.prepare(batches.loader)
                return batches

        split = DataLoaderConfiguration(split_batches=True)
        accelerator = Accelerator(device_placement=False, dataloader_config=split)
        net = DataParallelNet(module, criterion, accelerator=accelerator, device=accelerator.device)
        net.initialize().fit_epochs(DatasetData(dataset, labels, device=accelerator.device), epochs=10)

    Each process reduces the loss of its part of a batch, and the gradients are averaged. Where the criterion divides by
    the number of rows (``DMLoss(normalization="none")`` or ``"integral"``, any mean), that is the gradient of the
    whole batch as long as it splits evenly. ``"batch"`` divides by the sum of the weights of each process's part: rows
    in a part of small weights count more than they would in the whole batch.
    """

    # Moved between devices when a net is unpickled, beside what skorch registers itself.
    cuda_dependent_attributes_ = ["preprocess"]
    # Parts of the training that runs which may draw random numbers in a way of their own.
    drawing_parts_ = frozenset()

    def __init__(
        self,
        module,
        criterion,
        *,
        seed=0,
        lr_schedule=constant,
        augment=None,
        preprocess=None,
        amp=False,
        train_split=None,
        callbacks=None,
        verbose=0,
        **kwargs,
    ):
        # skorch registers modules that are set after its own __init__ as parts to train.
        self.preprocess = preprocess
        note_computation()
        self._turn = _Turn()
        super().__init__(
            module,
            criterion,
            train_split=train_split,
            callbacks=callbacks,
            verbose=verbose,
            predict_nonlinearity=_softmax,
            **kwargs,
        )
        self.seed = seed
        self.lr_schedule = lr_schedule
        self.augment = augment
        self.amp = amp

    @property
    def _default_callbacks(self):
        # Loss, accuracy and time of an epoch are recorded by the loop itself.
        return []

    def initialize_history(self):
        # The last step of skorch's initialisation, and one that AccelerateMixin, which has its own, does not skip.
        # A history of its own for each training, so that a copy of the net keeps what it had.
        self.history_ = History()
        self.order_generator_ = torch.Generator().manual_seed(self.seed)
        self.augment_generator_ = generator_on(self.device, self.seed)
        self.worker_generator_ = torch.Generator().manual_seed(self.seed)
        self.iteration_ = 0
        self.base_lrs_ = [group["lr"] for group in self.optimizer_.param_groups]
        return self

    def __deepcopy__(self, memo):
        # skorch's own way, through its pickling, would leave the optimiser with other tensors than the module's. One
        # memo for all parts keeps them together, and needs nothing that can be pickled.
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied

    def __getstate__(self):
        # skorch pickles its parts apart, by a plain pickler whatever was called, which finds no class of a script. One
        # pickle for all goes through the pickler that was called, and keeps tensors shared.
        if torch.device(self.device).type == "cpu":
            return dict(vars(self))
        on_cpu = copy.deepcopy(self)
        on_cpu._move("cpu")
        # The state of a generator means something on its own kind of device only.
        return {**vars(on_cpu), "augment_state_": self.augment_generator_.get_state()}

    def __setstate__(self, state):
        note_computation()
        if "__cuda_dependent_attributes__" in state:  # pickled by version 0.1
            super().__setstate__(state)
            self._turn = _Turn()
            return
        vars(self).update(state)
        augment_state = vars(self).pop("augment_state_", None)
        available = get_map_location(self.device)
        self.device = self._check_device(self.device, available)
        if torch.device(self.device).type != "cpu":
            self._move(self.device)
            if augment_state is not None:
                self.augment_generator_.set_state(augment_state)

    def use_device(self, device):
        """Go on on a device."""
        if torch.device(self.device) != torch.device(device):
            self.device = device
            self._move(device)

    def _move(self, device):
        """Take modules, criterion and the optimizer's state to a device, in place; augmentation draws anew there."""
        for part in (self.module_, self.criterion_, self.preprocess):
            if isinstance(part, nn.Module):
                part.to(device)
        # Its own state loaded again comes to where the parameters are now, but for what belongs on the CPU.
        self.optimizer_.load_state_dict(self.optimizer_.state_dict())
        self.augment_generator_ = generator_on(device, self.seed)

    # Data

    def get_dataset(self, X, y=None):
        if isinstance(X, TensorData | DatasetData):
            return X
        if isinstance(X, Dataset):
            return DatasetData(X, torch.zeros(len(X), dtype=torch.long), device=self.device, dtype=self.dtype)
        labels = torch.zeros(X.shape[0], dtype=torch.long) if y is None else y
        return TensorData(X, labels, device=self.device, dtype=self.dtype)

    def get_iterator(self, dataset, training=False):
        part = "iterator_train" if training else "iterator_valid"
        params = self.get_params_for(part)
        if not training:
            self._check_order_is_kept(params)
        batch_size = params.pop("batch_size", None)
        if batch_size is None:
            is_table = isinstance(dataset, TensorData) and dataset.X.ndim == 2
            batch_size = max(self.batch_size, PREDICTION_ROWS) if is_table and not training else self.batch_size
        if not isinstance(batch_size, Integral) or batch_size < 1:
            raise ValueError(f"{part}__batch_size must be a positive integer, got {batch_size!r}.")
        batch_size = int(batch_size)  # torch takes no integers of numpy
        shuffle = params.pop("shuffle", training)
        order = self.order_generator_ if shuffle else None
        if isinstance(dataset, TensorData):
            return TensorBatches(dataset, batch_size, generator=order, **params)
        # Predictions draw from a generator of their own, so that they do not change a training that goes on.
        workers = self.worker_generator_ if training else None
        return LoadedBatches(dataset, batch_size, generator=order, worker_generator=workers, **params)

    @staticmethod
    def _check_order_is_kept(params):
        for name in ("shuffle", "drop_last", "sampler", "batch_sampler"):
            if params.get(name):
                raise ValueError(
                    f"iterator_valid__{name} must not change or leave out rows, as predictions are in the order of X, "
                    f"got {params[name]!r}."
                )

    # Training

    @torch.enable_grad()
    def fit_epochs(self, data, *, epochs, continues=False, observers=(), keep_interrupted=False):
        """Train for some epochs on prepared data; the net must be initialised.

        Parameters
        ----------
        data : TensorData or DatasetData
            Training rows with encoded labels on the device.
        epochs : int
            Number of passes over `data`.
        continues : bool, default=False
            Whether this is one part of a training of `max_epochs` epochs (``partial_fit``): then the learning-rate
            schedule goes on where the last part ended, else it starts anew. The training progress counts every batch
            the net has seen (a part of any size as one epoch), and stays at 1 once it got there.
        observers : sequence of skorch.callbacks.Callback, default=()
            Callbacks for this training only; they are not kept in the net.
        keep_interrupted : bool, default=False
            Whether Ctrl-C ends the training with a warning, and the net is kept as it was then; else it is raised.

        Raises
        ------
        ValueError
            If the loss or a parameter does not stay finite.
        KeyboardInterrupt
            Where somebody interrupts the training.
        """
        self._check_order_is_kept(self.get_params_for("iterator_valid"))
        n_batches = len(self.get_iterator(data, training=True))
        self.n_iterations_ = (self.max_epochs if continues else epochs) * n_batches
        if continues:
            self.iteration_ = len(self.history) * n_batches
        self.schedule_start_ = 0 if continues else self.iteration_
        kept = self.callbacks_
        self.callbacks_ = [*kept, *((type(observer).__name__, observer) for observer in observers)]
        hooks = ("on_batch_begin", "on_batch_end", "on_grad_computed")
        self.used_hooks_ = {hook for hook in hooks if any(_defines(cb, hook) for _, cb in self.callbacks_)}
        self.needs_closure_ = _requires_closure(self.optimizer_)
        self.follows_progress_ = self.criterion_.progress is not None
        self.needs_indices_ = self.criterion_.needs_indices
        try:
            with self._prepared_draws(data):
                self.notify("on_train_begin", X=data, y=None)
                try:
                    self.fit_loop(data, epochs=epochs)
                except StopTraining:
                    pass
                except KeyboardInterrupt:
                    if not self._stopped_early():
                        if not keep_interrupted or not len(self.history):
                            raise
                        self._keep_interrupted()
                self.notify("on_train_end", X=data, y=None)
        finally:
            self.callbacks_ = kept
            self.batch_ = None
            self.drawing_parts_ = frozenset()
        self._check_parameters()
        self._leave_training(data)
        return self

    def _leave_training(self, data):
        """Put the module into evaluation mode; one that keeps what it computed lets go of the last batch's graph."""
        self._set_training(False)
        if may_draw(self.module_):
            with seeded(self.seed), captured(), torch.inference_mode():
                self.infer(data.rows(np.arange(min(2, len(data)))))

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train for `max_epochs`, as skorch's nets do, but leave with the interrupt where somebody presses Ctrl-C."""
        if not self.initialized_:
            self.initialize()
        return self.fit_epochs(self.get_dataset(X, y), epochs=self.max_epochs)

    def _prepared_draws(self, data):
        """Find out which parts may draw random numbers, and the block in which all get those of this training."""
        draws = current_draws()
        if draws is None:
            return nullcontext()
        module, criterion = (getattr(part, "_orig_mod", part) for part in (self.module_, self.criterion_))
        foreign = [
            callback for _, callback in self.callbacks_ if not type(callback).__module__.startswith(("skorch.", _OURS))
        ]
        parts = {
            "module": may_draw(module),
            "criterion": may_draw(criterion),
            "augmentation": may_draw(self.augment),
            "optimizer": not type(self.optimizer_).__module__.startswith("torch.optim."),
            "callbacks": bool(foreign),
            "data": isinstance(data, DatasetData),
        }
        if self._draws_by_torchs_generator(module, data, parts["module"]):
            return draws.as_global(self.device)
        self.drawing_parts_ = frozenset(part for part, may in parts.items() if may)
        return nullcontext()

    def _draws_by_torchs_generator(self, module, data, may):
        """Whether the module draws where it can't be handed a generator: compiled, or to compute it again."""
        if self.compile:
            return may or any(isinstance(layer, nn.Dropout) for layer in module.modules())
        if may and not hasattr(self, "repeats_draws_"):
            x = data.rows(np.arange(min(2, len(data))))
            x = x if self.preprocess is None else self.preprocess(x)
            self.repeats_draws_ = draws_to_repeat(module, x)
        return may and self.repeats_draws_

    def notify(self, method_name, **kwargs):
        with captured("callbacks" in self.drawing_parts_):
            super().notify(method_name, **kwargs)

    def _stopped_early(self):
        """Whether skorch's ``EarlyStopping`` ended the training, which it does by an interrupt."""
        return any(
            isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience
            for _, callback in self.callbacks_
        )

    def _keep_interrupted(self):
        warnings.warn(
            f"Training was interrupted in epoch {len(self.history)}; the network is kept as it was then.", stacklevel=4
        )
        if "train_loss" not in self.history[-1]:
            self.history.pop()

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        start = time.perf_counter()
        self._set_training(training)
        losses, masses, hits = [], [], []
        # Numbers at once where nothing has to be waited for: small tensors kept between large ones would keep the heap
        # from giving memory back. Elsewhere they stay on the device until the epoch ends.
        noted = torch.Tensor.item if torch.device(self.device).type == "cpu" else torch.Tensor.detach
        for batch in self._batches(iterator):
            self.batch_ = batch
            if training:
                self._begin_iteration()
            if "on_batch_begin" in self.used_hooks_:
                self.notify("on_batch_begin", batch=batch, training=training)
                self._set_training(training)
            step = step_fn(batch, **fit_params)
            with torch.no_grad():
                hit = step["y_pred"].argmax(dim=1) == batch[1]
                weight = batch.sample_weight
                masses.append(len(hit) if weight is None else noted(weight.sum()))
                hits.append(noted(hit.sum() if weight is None else (weight * hit).sum()))
                losses.append(noted(step["loss"]))
            if "on_batch_end" in self.used_hooks_:
                if "on_batch_begin" not in self.used_hooks_:
                    self.history.new_batch()
                self._record_batch(prefix, float(losses[-1]), len(batch[1]))
                self.notify("on_batch_end", batch=batch, training=training, **step)
        last = self._record_epoch(prefix, losses, masses, hits, time.perf_counter() - start)
        if not self.used_hooks_ & {"on_batch_begin", "on_batch_end"}:
            # skorch's Checkpoint reads the last batch of an epoch.
            self.history.new_batch()
            self._record_batch(prefix, last, len(batch[1]))

    def _batches(self, iterator):
        if "data" not in self.drawing_parts_:
            yield from iterator
            return
        # Drawn one by one in blocks that end before a batch is used.
        remaining = iter(iterator)
        while True:
            with captured():
                batch = next(remaining, None)
            if batch is None:
                return
            yield batch

    def _record_batch(self, prefix, loss, size):
        self.history.record_batch(f"{prefix}_loss", loss)
        self.history.record_batch(f"{prefix}_batch_size", size)

    def _begin_iteration(self):
        """Count the training batch about to run; set its learning rate and tell the criterion how far training is."""
        scheduled = min(self.iteration_ - self.schedule_start_, self.n_iterations_ - 1)
        self.iteration_ += 1
        if self.follows_progress_:
            self.criterion_.progress = min(1.0, self.iteration_ / self.n_iterations_)
        if self.lr_schedule is not constant:
            factor = self.lr_schedule(scheduled, self.n_iterations_)
            for group, lr in zip(self.optimizer_.param_groups, self.base_lrs_, strict=True):
                group["lr"] = lr * factor

    def train_step(self, batch, **fit_params):
        if self.needs_closure_:
            return super().train_step(batch, **fit_params)
        self.optimizer_.zero_grad()
        step = self.train_step_single(batch, **fit_params)
        if "on_grad_computed" in self.used_hooks_:
            # Every callback reads the parameters; a plain generator would be empty for the second one.
            named = TeeGenerator(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        with captured("optimizer" in self.drawing_parts_):
            self.optimizer_.step()
        return step

    def train_step_single(self, batch, **fit_params):
        X, y = batch
        y_pred = self.infer(X, **fit_params)
        loss = self.get_loss(y_pred, y, X=X, training=True)
        loss.backward()
        return {"loss": loss, "y_pred": y_pred}

    def validation_step(self, batch, **fit_params):
        X, y = unpack_data(batch)
        with torch.no_grad():
            y_pred = self.infer(X, **fit_params)
            return {"loss": self.get_loss(y_pred, y, X=X, training=False), "y_pred": y_pred}

    def get_loss(self, y_pred, y_true, X=None, training=False):
        # skorch hands over labels only; soft targets, weights and row numbers stand in the current batch.
        batch = self.batch_
        rows = {"indices": batch.indices} if self.needs_indices_ else {}
        with captured("criterion" in self.drawing_parts_):
            return self.criterion_(y_pred, batch.target, batch.sample_weight, **rows)

    def infer(self, x, **fit_params):
        if self.preprocess is not None:
            x = self.preprocess(x)
        if self.augment is not None and self.module_.training:
            with captured("augmentation" in self.drawing_parts_):
                x = self.augment(x, self.augment_generator_)
        with captured("module" in self.drawing_parts_):
            return self.call(self.module_, x, **fit_params)

    def call(self, module, x, **fit_params):
        """Logits of preprocessed rows by this net's module or a twin of it."""
        if not self.amp:
            return module(x, **fit_params)
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            return module(x, **fit_params).float()

    def _record_epoch(self, prefix, losses, masses, hits, seconds):
        """Bring the epoch's losses from the device, refuse one that is not finite, write the history; the last loss."""
        losses, masses, hits = map(_as_numbers, (losses, masses, hits))
        lr = self.optimizer_.param_groups[0]["lr"]
        for i, loss in enumerate(losses, start=1):
            if not math.isfinite(loss):
                raise ValueError(
                    nonfinite_loss_message(prefix, loss, epoch=len(self.history), batch=i, n_batches=len(losses), lr=lr)
                )
        total = sum(masses)
        self._record_best(
            f"{prefix}_loss", sum(loss * mass for loss, mass in zip(losses, masses, strict=True)) / total, min
        )
        self._record_best(f"{prefix}_accuracy", sum(hits) / total, max)
        if prefix == "train":
            self.history.record("lr", lr)
            self.history.record("seconds", seconds)
        self.history.record(f"{prefix}_batch_count", len(losses))
        return losses[-1]

    def _record_best(self, key, value, best):
        """Record a value, and whether it is the best so far, which skorch's Checkpoint and PrintLog ask for."""
        before = [row[key] for row in self.history[:-1] if key in row]
        self.history.record(key, value)
        self.history.record(f"{key}_best", value not in before and value == best([value, *before]))

    def _check_parameters(self):
        """Refuse a network whose last update, after the last loss was seen, was not finite."""
        finite = [p.isfinite().all() for p in self.module_.parameters()]
        if finite and not torch.stack(finite).all():
            lr = self.optimizer_.param_groups[0]["lr"]
            raise ValueError(nonfinite_parameter_message(epoch=len(self.history), lr=lr))

    # Prediction

    @property
    def dtype(self):
        """Floating type the module computes in."""
        return next(self.module_.parameters()).dtype

    @property
    def numpy_dtype(self):
        """The same for arrays."""
        return np.float64 if self.dtype == torch.float64 else np.float32

    def map_batches(self, X, function, *, own_module=False):
        """Apply a function to rows batch by batch, in evaluation mode.

        Calls from several threads do not meet, and nothing random depends on what was called before: a module that
        draws in evaluation mode draws the same in every call.

        Parameters
        ----------
        X : array, CSR matrix, Dataset, TensorData or DatasetData
            Rows.
        function : callable
            ``function(module, x)`` of the module, or a twin of it, and its input; returns one row for each row of x.
        own_module : bool, default=False
            Whether the function changes the module (by a hook, for example), so that it needs a twin for itself.

        Returns
        -------
        results : Tensor
            What it returned for all rows, on the CPU. It is the only memory that grows with the number of rows.
        """
        data = self.get_dataset(X)
        foreign = may_draw(self.module_)
        results, done = None, 0
        draws = foreign or isinstance(data, DatasetData)
        with (
            seeded(self.seed) if draws else nullcontext(),
            captured(draws),
            self._module_apart(foreign, own_module) as module,
            torch.inference_mode(),
        ):
            module.eval()
            for batch in self.get_iterator(data, training=False):
                x = batch[0] if self.preprocess is None else self.preprocess(batch[0])
                part = function(module, x)
                if results is None:
                    # Small results kept between large ones would keep the heap from giving memory back.
                    results = torch.empty((len(data), *part.shape[1:]), dtype=part.dtype)
                results[done : done + len(part)] = part
                done += len(part)
        return results

    def rows_at_once(self, X, limit):
        """About `limit` rows of X that are predicted, alone, in the same batches as among the others."""
        batch_size = self.get_iterator(self.get_dataset(X)).batch_size
        return max(1, limit // batch_size) * batch_size

    @contextmanager
    def _module_apart(self, foreign, own_module):
        """The module for one prediction, or a twin where the forward pass of another thread may meet this one.

        Modules of users may keep what they compute in attributes; those of torch and of this package do not.
        """
        module = getattr(self.module_, "_orig_mod", self.module_)
        if own_module:
            yield twin(module)
        elif not foreign:
            yield self.module_
        elif self._turn.lock.acquire(blocking=module is not self.module_):
            try:
                yield self.module_
            finally:
                self._turn.lock.release()
        else:
            yield twin(module)

    def predict(self, X):
        """Index of the most probable class of each row."""
        return self.predict_proba(X).argmax(axis=1)


class _Turn:
    """A lock that is a new one in a copy and in another process."""

    def __init__(self):
        self.lock = threading.Lock()

    def __reduce__(self):
        return _Turn, ()


def _as_numbers(values):
    """Numbers of Python; those of tensors come from the device at once."""
    return torch.stack(values).tolist() if isinstance(values[0], torch.Tensor) else values


def _softmax(logits):
    return logits.softmax(dim=-1)


def _defines(callback, hook):
    """Whether a callback does something in a hook: inherits it from more than skorch's empty base."""
    return getattr(type(callback), hook) is not getattr(Callback, hook)


def _requires_closure(optimizer):
    """Whether ``optimizer.step`` can't be called without a closure, as LBFGS's."""
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty
