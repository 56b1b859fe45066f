"""The training step of a small network on a GPU, recorded once and replayed: one launch in place of thirty.

Each operation of such a step takes a GPU less time than the host takes to ask for it. A CUDA graph keeps what was asked
for, with every address and number, and the GPU does it all again at one request. What Python would have decided anew is
not asked again, so a step is recorded only where nothing but numbers on the device changes from one to the next:

- Rows are a table on the device. The numbers of the rows of an epoch are there before its first batch; the recorded
  step counts batches, gathers the rows of the next one, and writes its loss and predictions behind those before.
- The network consists of layers of torch and of this package that are known to do nothing beside (`_LAYERS`), the
  criterion is one of ours that depend on neither progress nor row numbers, and nobody hears of a step: no hooks, no
  callbacks of a user's. Callbacks of skorch may change things between epochs; what they can change is compared before
  each.
- The step of the optimizer is recorded too where that is one operation and its learning rate stays; elsewhere it is
  taken as always, behind the recorded gradients.

The first two full batches are trained on as always, so that the optimizer has its state and all that is set up at
first use is there; recording then computes nothing. The last, smaller batch of an epoch is trained on as always, too.
Where anything stands against it, or recording fails, all batches are. The result is the same to the bit, and the
recording is gone when the fit ends.
"""

import copy
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain

import torch
from torch import nn

from sklabelnoise._compat import has_hooks, has_step_hooks, has_tensor_hooks, is_compiled_in_place
from sklabelnoise.losses import DMLoss, PerExampleLoss
from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import Dropout, current_draws, may_draw
from sklabelnoise.training._batches import TensorData
from sklabelnoise.training._drawing_parts import is_foreign
from sklabelnoise.training._optimizer import WITH_FUSED_STEP, clear_gradients, take_step
from sklabelnoise.training._processes import current_processes
from sklabelnoise.training._recorder import DEVICES, Recorder, is_undisturbed, pays
from sklabelnoise.training._schedules import constant

# Layers whose forward pass does the same operations every time, and nothing else.
_LAYERS = frozenset(
    [
        MLP, Dropout, nn.Sequential, nn.Identity, nn.Flatten, nn.Linear, nn.BatchNorm1d, nn.LayerNorm, nn.GroupNorm,
        nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid,
        nn.LogSigmoid, nn.Hardsigmoid, nn.Tanh, nn.Hardtanh, nn.Hardswish, nn.Softplus, nn.Softsign,
    ]
)  # fmt: skip


@contextmanager
def recording(net, data, *, epochs):
    """A block in which a net's training steps on some data may be recorded.

    Parameters
    ----------
    net : NoisyLabelNet
        Has a `recorded_step_` within the block, where its device can record.
    data : TensorData or DatasetData
        What it trains on.
    epochs : int
        How often.
    """
    if torch.device(net.device).type not in DEVICES:
        yield
        return
    net.recorded_step_ = RecordedStep(net, data, epochs)
    try:
        yield
    finally:
        recorded, net.recorded_step_ = net.recorded_step_, None
        recorded.close()


class RecordedStep:
    """Stands in for the ``train_step`` of a net in one training.

    Parameters
    ----------
    net, data, epochs
        As in :func:`recording`.
    """

    def __init__(self, net, data, epochs):
        self._net, self._data, self._epochs_left = net, data, epochs
        self._device = torch.device(net.device)
        # Whether the optimizer's step is recorded, for each recording that may still be made.
        self._attempts = [True, False] if net.lr_schedule is constant else [False]
        self._recorded, self._n_full = None, 0

    def __reduce__(self):
        # A recording belongs to tensors of this process: there is none in a copy, or in a pickle.
        return type(None), ()

    def for_epoch(self, iterator, train_step):
        """What to iterate over in the next epoch, and the step to take for each batch."""
        self._epochs_left -= 1
        if self._recorded is None and not self._attempts:
            return iterator, train_step
        possible = iterator.data is self._data and _can_be_recorded(self._net, self._data)
        baked = self._baked_in() if possible else None
        if self._recorded is not None and baked != self._baked:
            self.close()
            self._n_full = 0
        if self._recorded is None:
            n_replayed = (self._epochs_left + 1) * (len(self._data) // iterator.batch_size) if baked else 0
            while self._attempts and self._attempts[0] and not _has_fused_step(self._net.optimizer_):
                self._attempts.pop(0)
            if not self._attempts or not pays(n_replayed, self._net.module_.parameters(), iterator.batch_size):
                return iterator, train_step
            self._size, self._train_step = iterator.batch_size, train_step
        return self._batches(iterator), self

    def _batches(self, iterator):
        """Batches that have the numbers and labels of their rows alone."""
        numbers_alone = copy.copy(iterator)
        numbers_alone.data = self._data.without_inputs()
        batches = list(numbers_alone)
        numbers = [batch.indices for batch in batches]
        # The recorded step reads it where it was.
        self._order = torch.cat(numbers) if self._recorded is None else torch.cat(numbers, out=self._order)
        self._place, self._place_on_device = -1, None
        yield from batches

    def __call__(self, batch):
        """Train on the rows whose numbers and labels a batch has."""
        self._place += 1
        if len(batch.indices) < self._size or (self._recorded is None and not self._attempts):
            return self._as_always(batch)
        self._n_full += 1
        if self._n_full == 1:
            return self._as_always(batch)
        if self._n_full == 2:
            step = Recorder(self._device).warm_up(lambda: self._as_always(batch))
            self._loss_type = step["loss"].dtype
            return step
        if self._recorded is None and not self._record(batch):
            return self._as_always(batch)
        return self._replay()

    def _as_always(self, batch):
        net = self._net
        net.batch_ = self._data.batch(batch.indices)
        step = self._train_step(net.batch_)
        # What goes back from here to the parameters must be gone when the next step is recorded.
        return {name: value.detach() for name, value in step.items()}

    def _record(self, batch):
        """Record the step; whether that was possible. Nothing is computed, and a failure leaves all as it was."""
        net = self._net
        self._with_optimizer = self._attempts.pop(0)
        self._parameters = list(net.module_.parameters())
        gradients = [p.grad for p in self._parameters]
        n_batches = -(-len(self._data) // self._size)
        self._number = torch.zeros(1, dtype=torch.long, device=self._device)
        self._within = torch.arange(self._size, device=self._device)
        self._predicted = torch.empty_like(self._order)
        self._losses = torch.empty(n_batches, dtype=self._loss_type, device=self._device)
        try:
            with _capturable(net.optimizer_) if self._with_optimizer else nullcontext():
                recorded = Recorder(self._device).record(self._recorded_part, self._generators())
        except BaseException as error:
            for p, gradient in zip(self._parameters, gradients, strict=True):
                p.grad = gradient
            self._attempts = []
            if isinstance(error, Exception):
                return False
            raise
        finally:
            net.batch_ = batch
        self._recorded = recorded
        self._gradients = [p.grad for p in self._parameters]
        self._baked = self._baked_in()
        return True

    def _recorded_part(self):
        net = self._net
        places = self._within + self._size * self._number
        net.batch_ = self._data.batch(self._order.index_select(0, places))
        if self._with_optimizer:
            step = net.train_step(net.batch_)
        else:
            clear_gradients(net.optimizer_)
            step = net.train_step_single(net.batch_)
        self._predicted.index_copy_(0, places, step["y_pred"].detach().argmax(dim=1))
        self._losses.index_copy_(0, self._number, step["loss"].detach().view(1))
        self._number += 1

    def _replay(self):
        place = self._place
        if self._place_on_device != place:
            self._number.fill_(place)
        self._recorded.replay()
        self._place_on_device = place + 1
        # A batch that was trained on as always put others in their place.
        for p, gradient in zip(self._parameters, self._gradients, strict=True):
            if p.grad is not gradient:
                p.grad = gradient
        if not self._with_optimizer:
            take_step(self._net.optimizer_)
        rows = slice(place * self._size, (place + 1) * self._size)
        return {"loss": self._losses[place], "predicted": self._predicted[rows]}

    def close(self):
        """Let go of the recording and its memory."""
        recorded, self._recorded = self._recorded, None
        if recorded is None:
            return
        # On a full device they stay where they are, which keeps that memory.
        with suppress(torch.cuda.OutOfMemoryError):
            for p, gradient in zip(self._parameters, self._gradients, strict=True):
                if gradient is not None and p.grad is gradient:
                    p.grad = gradient.clone()
        self._gradients = self._parameters = None
        self._number = self._within = self._predicted = self._losses = None
        recorded.close()

    def _generators(self):
        draws = current_draws()
        drawing = any(type(layer) is Dropout for layer in self._net.module_.modules())
        return [draws.on(self._data.X.device)] if drawing and draws is not None else []

    def _baked_in(self):
        """What a recording takes for granted and callbacks of skorch may change between epochs."""
        module, criterion, optimizer = self._net.module_, self._net.criterion_, self._net.optimizer_
        tensors = chain(module.parameters(), module.buffers())
        baked = [
            [(id(tensor), tensor.data_ptr(), tensor.requires_grad) for tensor in tensors],
            [(id(part), _settings(part)) for part in chain(module.modules(), criterion.modules())],
            id(optimizer),
        ]
        if self._recorded is None or self._with_optimizer:
            state = chain.from_iterable(known.values() for known in optimizer.state.values())
            baked += [
                [{**group, "params": [id(p) for p in group["params"]]} for group in optimizer.param_groups],
                [value.data_ptr() for value in state if isinstance(value, torch.Tensor)],
            ]
        return baked


def _can_be_recorded(net, data):
    """Whether each step of a net does the same operations on the device, and nothing else that anybody could notice."""
    module, criterion, optimizer = net.module_, net.criterion_, net.optimizer_
    return (
        isinstance(data, TensorData)
        and not data.on_host
        and data.X.ndim == 2
        and not net.used_hooks_
        and not any(is_foreign(callback) for _, callback in net.callbacks_)
        and not (net.needs_closure_ or net.amp or net.compile)
        and net.augment is None
        and net.preprocess is None
        and current_processes() is None
        and is_undisturbed(data.X.device)
        and not (may_draw(module) or has_hooks(module))
        and all(map(_is_known, module.modules()))
        and all(_is_plain(p, data) for p in module.parameters())
        and repeats_itself(criterion)
        # which it may have to send to the device for each batch
        and not tensors_of(criterion)
        and type(optimizer) is getattr(torch.optim, type(optimizer).__name__, None)
        and not has_step_hooks(optimizer)
    )


def _settings(part):
    """What is set in a layer or criterion, whether it trains among it."""
    return {name: value for name, value in vars(part).items() if isinstance(value, int | float | str | None)}


def _is_known(layer):
    # Without a momentum batch normalization counts its batches on the host.
    counts = isinstance(layer, nn.BatchNorm1d) and layer.momentum is None
    return type(layer) in _LAYERS and not counts and not is_compiled_in_place(layer)


def _is_plain(parameter, data):
    return (
        type(parameter) is nn.Parameter
        and parameter.device == data.X.device
        and parameter.dtype in (torch.float32, torch.float64)
        and not has_tensor_hooks(parameter)
    )


def repeats_itself(criterion):
    """Whether a criterion does the same operations for every batch, and nothing else that anybody could notice."""
    return type(criterion) in (DMLoss, PerExampleLoss) and not (may_draw(criterion) or has_hooks(criterion))


def tensors_of(criterion):
    """The numbers that a criterion has as tensors."""
    held = {**getattr(criterion, "hyper", {}), **vars(getattr(criterion, "emphasis", criterion))}
    return [value for value in held.values() if isinstance(value, torch.Tensor)]


def _has_fused_step(optimizer):
    """Whether the step of an optimizer is one operation whose settings are numbers."""
    return type(optimizer) in WITH_FUSED_STEP and all(
        group.get("fused") and not any(isinstance(value, torch.Tensor) for value in group.values())
        for group in optimizer.param_groups
    )


@contextmanager
def _capturable(optimizer):
    """A block in which an optimizer's step may be recorded.

    Adam asks for a leave that its steps in several operations need, for them to count on the device. The step in one
    operation does so anyway.
    """
    groups = [group for group in optimizer.param_groups if "capturable" in group]
    before = [group["capturable"] for group in groups]
    try:
        for group in groups:
            group["capturable"] = True
        yield
    finally:
        for group, value in zip(groups, before, strict=True):
            group["capturable"] = value
