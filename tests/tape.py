"""What a GPU does with a recording, done by the CPU.

The operations of one step, with their tensors and numbers, are kept, and done again without asking Python; while they
are recorded nothing is computed.
"""

from contextlib import contextmanager
from unittest import mock

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sklabelnoise.training import _recorder


class Tape(TorchDispatchMode):
    """Operations of torch, kept with all that they were given."""

    def __init__(self):
        super().__init__()
        self.calls, self.before = [], {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        # Not only what schemas say is written to: batch normalization's says nothing of its running statistics.
        for value in tree_leaves((args, kwargs)):
            if isinstance(value, torch.Generator):
                self.before.setdefault(id(value), (value, value.get_state()))
            elif isinstance(value, torch.Tensor):
                self.before.setdefault(id(value), (value, value.clone()))
        made = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, made))
        return made

    def forget(self):
        """Put back what was written to."""
        with torch.no_grad():
            for written, value in self.before.values():
                if isinstance(written, torch.Generator):
                    written.set_state(value)
                elif not torch.equal(written, value):
                    written.copy_(value)

    @torch.no_grad()
    def replay(self):
        for func, args, kwargs, made in self.calls:
            if func.is_view:
                continue
            again = func(*args, **kwargs)
            if not func._schema.is_mutable:
                several = isinstance(made, list | tuple)
                for old, new in zip(made, again, strict=True) if several else [(made, again)]:
                    if isinstance(old, torch.Tensor):
                        old.copy_(new)


class Recorder:
    """In place of that of a GPU."""

    made = []

    def __init__(self, device):
        pass

    def warm_up(self, function):
        return function()

    def record(self, function, generators):
        with Tape() as tape:
            function()
        tape.forget()
        recording = Recording(tape)
        self.made.append(recording)
        return recording


class Recording:
    def __init__(self, tape):
        self.tape, self.n_replays, self.is_closed = tape, 0, False

    def replay(self):
        self.n_replays += 1
        self.tape.replay()

    def close(self):
        self.is_closed = True


@contextmanager
def recording_in(file, recorder=Recorder, worth=1):
    """A block in which the CPU can record what a file of the package records; yields the recordings made."""
    with (
        mock.patch.multiple(file, DEVICES=("cpu",), Recorder=recorder),
        mock.patch.object(_recorder, "_WORTH", worth),
        mock.patch.object(Recorder, "made", []) as made,
    ):
        yield made
