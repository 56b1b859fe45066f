"""Steps of a stacked training on a GPU, recorded once and replayed; see :mod:`~sklabelnoise.training._recorded_step`.

A step takes one batch of each fold and all of its coefficients from the device, by its number in the epoch, which it
counts itself, and writes losses and hits down there. So it is one launch, where it would be about a hundred. That a
coefficient which changes from step to step comes from the device rounds otherwise than where it is a number of the
host: on a device that records, it comes from there in the steps that are not recorded, too.
"""

import torch
from torch import nn

from sklabelnoise._stacked._network import chain_of
from sklabelnoise.modules._draws import current_draws
from sklabelnoise.training._recorded_step import repeats_itself, tensors_of
from sklabelnoise.training._recorder import DEVICES, Recorder, is_undisturbed, pays
from sklabelnoise.training._schedules import constant


def can_be_recorded(network, criterion, folds, schedules):
    """Whether each step of a stacked training does the same operations on the device, and nothing else."""
    device = folds[0].rows.device
    return (
        device.type in DEVICES
        and chain_of(network.module) is not None
        and repeats_itself(criterion)
        and all(value.device == device for value in tensors_of(criterion))
        # which is computed on the host
        and getattr(criterion, "normalization", None) != "integral"
        and all(schedule is constant for schedule in schedules)
        and all(fold.preprocess is fold.augment is None for fold in folds)
        and all(not fold.data.on_host and fold.data.X.ndim == 2 for fold in folds)
    )


class RecordedSteps:
    """The steps on one full batch of each fold, of one stacked training.

    Parameters
    ----------
    take_step : callable
        ``take_step(number, orders, rows, coefficients)``: what is recorded, for tensors that say which step it is and
        which rows of the orders it takes.
    network : StackedNetwork
        What is trained.
    batch_size : int
        Rows in a full batch of a fold.
    n_steps : int
        Full batches in the epochs to come.
    """

    def __init__(self, take_step, network, *, batch_size, n_steps):
        parameters = network.parameters.values()
        self._take_step, self._device = take_step, next(iter(parameters)).device
        drawing = any(isinstance(layer, nn.Dropout) for layer in network.module.modules())
        self._drawing, self._size = drawing, batch_size
        self._may_record = pays(n_steps, parameters, batch_size) and is_undisturbed(self._device)
        self._n_taken = 0
        self._recording = self._place_on_device = None

    def begin(self, orders, coefficients):
        """Take in the orders of the rows and the coefficients of the steps of an epoch."""
        names = _on_device(coefficients[-1])
        # Those of SGD's first step may be others, which is not recorded: but all must be in one place. Where the rates
        # stay, so do the numbers of all later ones, which a recording takes for granted.
        self._may_record = self._may_record and all(_on_device(step) == names for step in coefficients)
        if not self._may_record:
            return
        self._names = names
        self._numbers = {name: value for name, value in coefficients[-1].items() if name not in names}
        sent = None
        if names:
            sent = torch.stack([step[name] for step in coefficients for name in names])
            sent = sent.view(len(coefficients), len(names), -1)
        if self._recording is None:
            self._orders, self._sent = orders, sent
            return
        for kept, order in zip(self._orders, orders, strict=True):
            kept.take_over(order)
        if names:
            self._sent.copy_(sent)
        self._place_on_device = None

    def take(self, i, as_always):
        """Take the step of a number, on one full batch of each fold; `as_always` takes it without a recording."""
        self._n_taken += 1
        if self._recording is None and self._may_record and self._n_taken > 2:
            self._record()
        if self._recording is None:
            if self._may_record and self._n_taken == 2:
                Recorder(self._device).warm_up(as_always)
            else:
                as_always()
            return
        if self._place_on_device != i:
            self._number.fill_(i)
        self._recording.replay()
        self._place_on_device = i + 1

    def _record(self):
        self._number = torch.zeros(1, dtype=torch.long, device=self._device)
        self._within = torch.arange(self._size, device=self._device)
        draws = current_draws()
        generators = [draws.on(self._device)] if self._drawing and draws is not None else []
        try:
            self._recording = Recorder(self._device).record(self._recorded_part, generators)
        except Exception:
            self._may_record = False

    def _recorded_part(self):
        coefficients = dict(self._numbers)
        if self._names:
            of_step = self._sent.index_select(0, self._number)[0]
            coefficients |= dict(zip(self._names, of_step, strict=True))
        rows = self._within + self._size * self._number
        self._take_step(self._number, self._orders, rows, coefficients)
        self._number += 1

    def close(self):
        """Let go of the recording and its memory."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.close()


def _on_device(coefficients):
    """Names of the coefficients of a step that are on the device."""
    return [name for name, value in coefficients.items() if isinstance(value, torch.Tensor)]
