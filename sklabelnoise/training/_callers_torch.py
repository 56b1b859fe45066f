"""What a caller has torch set to for its own use, put aside while we train or predict.

A block of ``torch.inference_mode()``, ``torch.no_grad()`` or ``torch.autocast``, or another default device, would
change what comes out, or leave tensors from which nothing can be learned.
"""

from contextlib import ExitStack, contextmanager
from functools import wraps

import torch

# Autocast of other devices asks for no network of ours: their names are not known to every version of torch.
_WITH_AUTOCAST = ("cpu", "cuda")


@contextmanager
def callers_torch_aside():
    """A block, of this thread alone, in which torch is as it is at first; a decorator as well."""
    with ExitStack() as blocks:
        blocks.enter_context(torch.inference_mode(False))
        for device in _WITH_AUTOCAST:
            if torch.is_autocast_enabled(device):
                blocks.enter_context(torch.autocast(device, enabled=False))
        if torch.empty(0).device.type != "cpu":
            blocks.enter_context(torch.device("cpu"))
        yield


def steps_with_callers_torch_aside(generator_function):
    """Let a generator make each of its steps in such a block, and those who ask for them none."""

    @wraps(generator_function)
    def in_steps(*args, **kwargs):
        steps = generator_function(*args, **kwargs)
        try:
            while True:
                with callers_torch_aside():
                    try:
                        value = next(steps)
                    except StopIteration:
                        return
                yield value
        finally:
            with callers_torch_aside():
                steps.close()

    return in_steps
