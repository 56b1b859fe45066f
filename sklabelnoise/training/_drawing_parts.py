"""Which parts of a training may draw random numbers, and from which generator they get them."""

from contextlib import nullcontext

import numpy as np
from torch import nn

from sklabelnoise.modules._draws import current_draws, draws_to_repeat, may_draw
from sklabelnoise.training._batches import DatasetData
from sklabelnoise.training._module import uncompiled

_OURS = f"{__name__.partition('.')[0]}."


def prepared_draws(net, data):
    """Find out which parts of a net may draw random numbers while it trains on some data.

    Returns
    -------
    parts : frozenset of str
        Those to be handed this training's generator at each step.
    block : context manager
        For the whole training: where handing over is impossible, torch's own generator stands for it.
    """
    draws = current_draws()
    if draws is None:
        return frozenset(), nullcontext()
    module, criterion = uncompiled(net.module_), uncompiled(net.criterion_)
    parts = {
        "module": may_draw(module),
        "criterion": may_draw(criterion),
        "augmentation": may_draw(net.augment),
        "optimizer": not type(net.optimizer_).__module__.startswith("torch.optim."),
        "callbacks": any(is_foreign(callback) for _, callback in net.callbacks_),
        "data": isinstance(data, DatasetData),
    }
    if _draws_by_torchs_generator(net, module, data, parts["module"]):
        return frozenset(), draws.as_global(net.device)
    return frozenset(part for part, may in parts.items() if may), nullcontext()


def is_foreign(callback):
    """Whether a callback was written by a user, and may do anything."""
    return not type(callback).__module__.startswith(("skorch.", _OURS))


def _draws_by_torchs_generator(net, module, data, may):
    """Whether the module draws where it can't be handed a generator: compiled, or to compute it again."""
    if net.compile:
        return may or any(isinstance(layer, nn.Dropout) for layer in module.modules())
    if may and net.repeats_draws_ is None:
        x = data.rows(np.arange(min(2, len(data))))
        x = x if net.preprocess is None else net.preprocess(x)
        net.repeats_draws_ = draws_to_repeat(module, x)
    return may and net.repeats_draws_
