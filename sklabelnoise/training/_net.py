"""The skorch net under every classifier: skorch's extension points, without its cost per batch."""

import copy
from contextlib import ExitStack, nullcontext
from functools import partial

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from skorch import NeuralNet
from skorch.dataset import unpack_data
from skorch.history import History
from skorch.utils import TeeGenerator, get_map_location
from torch import nn

from sklabelnoise._compat import go_back_with, has_hooks
from sklabelnoise.losses._margin import at_least_float32
from sklabelnoise.losses._protocol import knows_derivative
from sklabelnoise.modules._draws import captured, may_draw, seeded
from sklabelnoise.training._batches import (
    LoadedBatches,
    TensorBatches,
    TensorData,
    as_data,
    check_batch_size,
    check_order_is_kept,
    prediction_rows,
    without_loading,
)
from sklabelnoise.training._callbacks import used_hooks
from sklabelnoise.training._data_parallel import notify_together, step_together, training_together
from sklabelnoise.training._device import device_here, generator_on, note_computation, open_backward_thread
from sklabelnoise.training._drawing_parts import prepared_draws
from sklabelnoise.training._early_stopping import (
    StopTraining,
    keep_interrupted_epoch,
    naming_held_out_rows,
    stopped_early,
)
from sklabelnoise.training._epoch_record import EpochRecord
from sklabelnoise.training._failures import check_parameters
from sklabelnoise.training._forward import Turn
from sklabelnoise.training._module import check_has_derivative, check_is_tensor
from sklabelnoise.training._optimizer import clear_gradients, requires_closure, take_step
from sklabelnoise.training._precision import autocast_dtype, cudnn_kernels, has_fixed_shapes, loss_scaler
from sklabelnoise.training._processes import current_processes
from sklabelnoise.training._recorded_step import recording
from sklabelnoise.training._schedules import constant

_SET_IN_EACH_BATCH = frozenset({"batch_", "iteration_"})


class NoisyLabelNet(ClassifierMixin, NeuralNet):
    """A ``skorch.NeuralNet`` that trains from tensors on the device and never waits for it within an epoch.

    What it changes against skorch: batches are gathered from tensors that already live on the device
    (:class:`TensorData`; a torch ``Dataset`` goes through a ``DataLoader`` as usual), shuffled, and nothing is held
    out. Losses stay on the device until the epoch ends, and callbacks' batch hooks run only where a callback defines
    them. The training progress is handed to criteria whose `progress` is not None.

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
        Applied to every batch before augmentation and module (normalized images are padded with their mean color).
    amp : bool, "bfloat16" or "float16", default=False
        Run the module under autocast, see :mod:`~sklabelnoise.training._precision`.
    """

    # What the user calls the classes and the features, for callbacks; None where nobody said.
    label_names_ = feature_names_ = None
    # Moved between devices when a net is unpickled, beside what skorch registers itself.
    cuda_dependent_attributes_ = ["preprocess"]
    # Parts of the training that runs which may draw random numbers in a way of their own.
    drawing_parts_ = frozenset()
    # Scales the loss of a training in float16; kept for one that goes on.
    scaler_ = None
    # Whether the module computes its draws again in the backward pass; None until the first training finds out.
    repeats_draws_ = None
    # That of the last epoch of the training that runs: training or not.
    mode_ = None
    # Stands in for `train_step` where the device of the training that runs can record.
    recorded_step_ = None

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
        self.turn_ = Turn()
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

    def __setattr__(self, name, value):
        if name in _SET_IN_EACH_BATCH:
            object.__setattr__(self, name, value)
        else:
            # skorch asks whether the value is a part to train.
            super().__setattr__(name, value)

    def initialize_history(self):
        # The last step of skorch's initialization, and one that AccelerateMixin, which has its own, does not skip.
        # A history of its own for each training, so that a copy of the net keeps what it had.
        self.history_ = History()
        self.order_generator_ = torch.Generator().manual_seed(self.seed)
        processes = current_processes()
        # Each process augments its part of a batch by draws of its own.
        self.augment_generator_ = generator_on(self.device, self.seed + (processes.rank if processes else 0))
        self.worker_generator_ = torch.Generator().manual_seed(self.seed)
        self.iteration_ = 0
        self.base_lrs_ = [group["lr"] for group in self.optimizer_.param_groups]
        return self

    def get_all_learnable_params(self):
        # By the names in the user's module, for which patterns of groups are written: torch.compile wraps it.
        for name, parameter in super().get_all_learnable_params():
            yield name.removeprefix("_orig_mod."), parameter

    def __deepcopy__(self, memo):
        # skorch's own way, through its pickling, would leave the optimizer with other tensors than the module's. One
        # memo for all parts keeps them together, and needs nothing that can be pickled.
        copied = object.__new__(type(self))
        memo[id(self)] = copied
        history = vars(self).get("history_")
        if history:
            # Epochs that are over stay as they are and are shared: a stream of chunks copies the net for each chunk.
            *over, last = history
            memo[id(history)] = History([*over, copy.deepcopy(last, memo)])
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
            self.turn_ = Turn()
            return
        vars(self).update(state)
        augment_state = vars(self).pop("augment_state_", None)
        available = get_map_location(device_here(self.device))
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
        parts = [part for part in (self.module_, self.criterion_, self.preprocess) if isinstance(part, nn.Module)]
        before = [parameter for part in parts for parameter in part.parameters()]
        for part in parts:
            part.to(device)
        # Between kinds of tensors torch puts new parameters into a module; the optimizer is to go on with those.
        moved = dict(zip(before, (parameter for part in parts for parameter in part.parameters()), strict=True))
        for group in self.optimizer_.param_groups:
            group["params"] = [moved.get(parameter, parameter) for parameter in group["params"]]
        states = {moved.get(parameter, parameter): state for parameter, state in self.optimizer_.state.items()}
        self.optimizer_.state.clear()
        self.optimizer_.state.update(states)
        # Its own state loaded again comes to where the parameters are now, but for what belongs on the CPU.
        self.optimizer_.load_state_dict(self.optimizer_.state_dict())
        self.augment_generator_ = generator_on(device, self.seed)

    # Data

    def get_dataset(self, X, y=None):
        return as_data(X, y, device=self.device, dtype=self.dtype)

    def get_iterator(self, dataset, training=False):
        part = "iterator_train" if training else "iterator_valid"
        params = self.get_params_for(part)
        if not training:
            check_order_is_kept(params)
        default = self.batch_size if training else prediction_rows(dataset, self.batch_size)
        batch_size = check_batch_size(params.pop("batch_size", None), default, part)
        shuffle = params.pop("shuffle", training)
        order = self.order_generator_ if shuffle else None
        # Predictions are no common work: a process may ask for some alone.
        processes = current_processes() if training else None
        if isinstance(dataset, TensorData):
            params = params if training else without_loading(params)
            return TensorBatches(dataset, batch_size, generator=order, processes=processes, **params)
        # Predictions draw from a generator of their own, so that they do not change a training that goes on.
        workers = self.worker_generator_ if training else None
        return LoadedBatches(
            dataset, batch_size, generator=order, worker_generator=workers, processes=processes, **params
        )

    # Training

    @torch.enable_grad()
    def fit_epochs(self, data, *, epochs, continues=False, observers=(), keep_interrupted=False, same_bits=True):
        """Train for some epochs on prepared data; the net must be initialized.

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
        same_bits : bool, default=True
            Whether the same seed must give the same bits again; else cuDNN takes the kernels it measures to be fastest.

        Raises
        ------
        ValueError
            If the loss or a parameter does not stay finite.
        KeyboardInterrupt
            Where somebody interrupts the training.
        """
        check_order_is_kept(self.get_params_for("iterator_valid"))
        n_batches = len(self.get_iterator(data, training=True))
        self.n_iterations_ = (self.max_epochs if continues else epochs) * n_batches
        if continues:
            self.iteration_ = len(self.history) * n_batches
        self.schedule_start_ = 0 if continues else self.iteration_
        kept = self.callbacks_
        self.callbacks_ = [*kept, *((type(observer).__name__, observer) for observer in observers)]
        self.mode_ = None
        self.used_hooks_ = used_hooks(self.callbacks_)
        self.needs_closure_ = requires_closure(self.optimizer_)
        self.follows_progress_ = self.criterion_.progress is not None
        self.needs_indices_ = self.criterion_.needs_indices
        self.scaler_ = loss_scaler(self)
        self.knows_derivative_ = self.scaler_ is None and knows_derivative(self.criterion_)
        open_backward_thread(self.device)
        processes = current_processes()
        try:
            with ExitStack() as stack:
                if has_fixed_shapes(data):
                    stack.enter_context(cudnn_kernels(self.device, same_bits=same_bits))
                if processes is not None:
                    # Dropout in each process's part of a batch by draws of its own.
                    stack.enter_context(seeded(self.seed + self.iteration_ + processes.rank))
                self.drawing_parts_, block = prepared_draws(self, data)
                stack.enter_context(block)
                if processes is not None:
                    stack.enter_context(training_together(self, processes))
                stack.enter_context(recording(self, data, epochs=epochs))
                self.notify("on_train_begin", X=data, y=None)
                # Other processes can't tell how far one got that was interrupted.
                self._fit_until_stopped(data, epochs, keep_interrupted=keep_interrupted and processes is None)
                self.notify("on_train_end", X=data, y=None)
        finally:
            self.callbacks_ = kept
            self.batch_ = None
            self.drawing_parts_ = frozenset()
        check_parameters(self.module_, epoch=len(self.history), lr=self.optimizer_.param_groups[0]["lr"])
        self._leave_training(data)
        return self

    def _fit_until_stopped(self, data, epochs, *, keep_interrupted):
        """Run the epochs, or as many as a callback that stops early, or Ctrl-C where it is to be kept, leaves."""
        try:
            self.fit_loop(data, epochs=epochs)
        except StopTraining:
            if len(self.history) and "train_loss" not in self.history[-1]:  # before a step of that epoch
                self.history.pop()
        except KeyboardInterrupt:
            if stopped_early(self):
                return
            if not keep_interrupted or not len(self.history):
                raise
            keep_interrupted_epoch(self.history)

    def _leave_training(self, data):
        """Put the module into evaluation mode; one that keeps what it computed lets go of the last batch's graph."""
        self._set_training(False)
        if may_draw(self.module_):
            with seeded(self.seed), captured(), torch.no_grad():
                self.infer(data.rows(np.arange(min(2, len(data)))))

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Train for `max_epochs`, as skorch's nets do, but leave with the interrupt where somebody presses Ctrl-C."""
        if not self.initialized_:
            self.initialize()
        return self.fit_epochs(self.get_dataset(X, y), epochs=self.max_epochs)

    def notify(self, method_name, **kwargs):
        processes = current_processes()
        with captured("callbacks" in self.drawing_parts_):
            if processes is None:
                try:
                    super().notify(method_name, **kwargs)
                except Exception as error:
                    naming_held_out_rows(error, self.history)
                    raise
            else:
                notify = partial(super().notify, method_name, **kwargs)
                notify_together(self, notify, processes, ends_epoch=method_name == "on_epoch_end")

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        if self.callbacks_ or self.mode_ is not training:
            # Callbacks may predict between epochs; without them a mode lasts, and to set it takes as long as a forward.
            self._set_training(training)
            self.mode_ = training
        if training and self.recorded_step_ is not None:
            iterator, step_fn = self.recorded_step_.for_epoch(iterator, step_fn)
        record = EpochRecord(self.history, prefix, self.device)
        try:
            for batch in self._batches(iterator):
                self._run_batch(batch, training, step_fn, record, **fit_params)
        except StopTraining:
            if training and record.has_steps:
                record.write(self.optimizer_.param_groups[0]["lr"], current_processes())
            raise
        record.write(self.optimizer_.param_groups[0]["lr"], current_processes())
        if not self.used_hooks_ & {"on_batch_begin", "on_batch_end"}:
            # skorch's Checkpoint reads the last batch of an epoch.
            self.history.new_batch()
            record.write_batch(len(batch[1]))

    def _run_batch(self, batch, training, step_fn, record, **fit_params):
        self.batch_ = batch
        if training:
            self._begin_iteration()
        if "on_batch_begin" in self.used_hooks_:
            self.notify("on_batch_begin", batch=batch, training=training)
        if self.used_hooks_:  # they may have predicted, here or after the batch before
            self._set_training(training)
        step = step_fn(batch, **fit_params)
        record.note(batch, step)
        if "on_batch_end" in self.used_hooks_:
            if "on_batch_begin" not in self.used_hooks_:
                self.history.new_batch()
            record.write_batch(len(batch[1]))
            self.notify("on_batch_end", batch=batch, training=training, **step)

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
        clear_gradients(self.optimizer_)
        step = self.train_step_single(batch, **fit_params)
        if "on_grad_computed" in self.used_hooks_:
            if self.scaler_ is not None:
                self.scaler_.unscale_(self.optimizer_)
            # Every callback reads the parameters; a plain generator would be empty for the second one.
            named = TeeGenerator(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=named, batch=batch, training=True)
        with captured("optimizer" in self.drawing_parts_):
            if self.scaler_ is None:
                take_step(self.optimizer_)
            else:
                self.scaler_.step(self.optimizer_)
                self.scaler_.update()
        return step

    def train_step_single(self, batch, **fit_params):
        X, y = batch
        y_pred = self.infer(X, **fit_params)
        check_is_tensor(y_pred, type(self.module_).__name__)
        check_has_derivative(y_pred, type(self.module_).__name__)
        processes = current_processes()
        if processes is not None:
            return step_together(self, batch, y_pred, processes)
        known = None
        if self.knows_derivative_ and not has_hooks(self.criterion_):
            known = self.criterion_.value_and_derivative(y_pred, self.batch_.target, self.batch_.sample_weight)
        if known is None:
            loss = self.get_loss(y_pred, y, X=X, training=True)
            self.go_back(loss)
        else:
            # The graph of a loss is a good part of a small network's step.
            loss, derivative = known
            go_back_with(y_pred, derivative.to(y_pred.dtype))
        return {"loss": loss, "y_pred": y_pred}

    def go_back(self, loss):
        """The backward pass of a training loss."""
        (loss if self.scaler_ is None else self.scaler_.scale(loss)).backward()

    def unscaled(self, derivative):
        """What a derivative is of the loss itself, where that was scaled to go back."""
        return derivative if self.scaler_ is None else derivative / self.scaler_.scale(derivative.new_ones(()))

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
        if "module" not in self.drawing_parts_:
            return self.call(self.module_, x, **fit_params)
        with captured():
            return self.call(self.module_, x, **fit_params)

    def call(self, module, x, **fit_params):
        """Logits of preprocessed rows by this net's module or a twin of it."""
        with self.autocast():
            logits = module(x, **fit_params)
        # A module may have a block of autocast of its own; what is no tensor is refused elsewhere.
        return at_least_float32(logits) if isinstance(logits, torch.Tensor) else logits

    def autocast(self):
        """A block in which modules compute as `amp` says."""
        dtype = autocast_dtype(self.amp, self.device)
        return nullcontext() if dtype is None else torch.autocast(torch.device(self.device).type, dtype=dtype)

    # Prediction

    @property
    def dtype(self):
        """Floating type the module computes in."""
        return next(self.module_.parameters()).dtype

    @property
    def numpy_dtype(self):
        """The same for arrays."""
        return np.float64 if self.dtype == torch.float64 else np.float32

    def predict(self, X):
        """Index of the most probable class of each row."""
        return self.predict_proba(X).argmax(axis=1)


def _softmax(logits):
    return logits.softmax(dim=-1)
