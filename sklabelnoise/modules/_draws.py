"""Random numbers of one training, drawn from generators of its own.

Layers and initializers of torch draw from one generator of the process. To seed that one for a training would change
what other threads draw, and they would change what the training draws. So nothing here touches it: a training opens a
block with :func:`seeded`, our own layers ask for its generator (:func:`own_generator`), and what a user wrote, which
only knows torch's functions, runs under :func:`captured`, where each drawing operation gets that generator handed.
"""

import copy
import functools
import os
import threading
import traceback
from contextlib import contextmanager, nullcontext, suppress

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils import checkpoint

from sklabelnoise._compat import close_if_open, dispatch_mode, ended, has_hooks, overload_with_generator

_thread = threading.local()
# Held while torch's own generator stands in for one of ours; a thread that holds it may ask again.
_borrowing = threading.RLock()
_n_forks = 0


def _after_fork():
    """Begin anew in the child of a fork, as a worker of a DataLoader is.

    No thread there could release what another one held; and in a block that was open at the fork all workers, in every
    epoch, would draw the same numbers, those that the block draws next, in place of torch's, which a loader seeds.
    """
    global _borrowing, _n_forks
    _borrowing = threading.RLock()
    _n_forks += 1
    _thread.draws = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_NOTHING = nullcontext()
# Files of torch.nn whose modules all draw, and the modules elsewhere that do.
_DRAWING_FILES = ("dropout", "rnn", "transformer")
_DRAWING_MODULES = ("FractionalMaxPool2d", "FractionalMaxPool3d", "MultiheadAttention", "RReLU")


class Draws:
    """The generators of one block, one a device, all with its seed.

    Parameters
    ----------
    seed : int
        Seed of each generator.
    """

    def __init__(self, seed):
        self.seed = seed
        self.generators = {}
        self.mode = _Captured(self)

    def on(self, device):
        """The generator of a device; None where a device has none, as the meta device."""
        device = torch.device(device)
        if device not in self.generators:
            try:
                self.generators[device] = torch.Generator(device).manual_seed(self.seed)
            except RuntimeError:
                self.generators[device] = None
        return self.generators[device]

    @contextmanager
    def as_global(self, device):
        """Let torch's own generator stand in for this one, for what can be handed none.

        Other trainings that need it too wait until the block ends, and after it torch's generator is as it was. A
        thread that draws from it meanwhile, without this library, is the one thing that this can't keep apart.
        """
        device = torch.device(device)
        on_gpu = device.type == "cuda"
        with _borrowing, torch.random.fork_rng(devices=[device] if on_gpu else []):
            torch.random.default_generator.set_state(self.on("cpu").get_state())
            if on_gpu:
                torch.cuda.set_rng_state(self.on(device).get_state(), device)
            try:
                yield
            finally:
                self.on("cpu").set_state(torch.random.default_generator.get_state())
                if on_gpu:
                    self.on(device).set_state(torch.cuda.get_rng_state(device))


class _Captured(dispatch_mode()):
    """Hands the generators of a block to every operation that draws; of this thread only."""

    def __init__(self, draws):
        super().__init__()
        self.draws = draws
        self.n_forks = _n_forks

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        # A generator that is given already is that of the user, or of a training inside this one.
        if torch.Tag.nondeterministic_seeded not in func.tags or kwargs.get("generator") is not None:
            return func(*args, **kwargs)
        if self.n_forks != _n_forks:  # nothing but torch could take this block away
            return func(*args, **kwargs)
        tensor = next((value for value in args if isinstance(value, torch.Tensor)), None)
        device = tensor.device if tensor is not None else torch.device(kwargs.get("device") or "cpu")
        generator = self.draws.on(device)
        if generator is None:
            return func(*args, **kwargs)
        own = overload_with_generator(func)
        if own is not None:
            return own(*args, **{**kwargs, "generator": generator})
        written_out = _WRITTEN_OUT.get(func.overloadpacket)
        if written_out is not None:
            return written_out(*args, generator=generator, **kwargs)
        with self:  # in inference mode what is made up of other operators arrives whole
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        with self.draws.as_global(device):
            return func(*args, **kwargs)


def _rand_like(x, *, generator, **kwargs):
    return torch.empty_like(x, **kwargs).uniform_(generator=generator)


def _randn_like(x, *, generator, **kwargs):
    return torch.empty_like(x, **kwargs).normal_(generator=generator)


def _randint_like(x, *bounds, generator, **kwargs):
    return torch.empty_like(x, **kwargs).random_(*(0, *map(int, bounds))[-2:], generator=generator)


def _native_dropout(x, p, train, *, generator):
    if not train:
        return torch.ops.aten.native_dropout(x, p, train)
    mask = torch.empty_like(x, dtype=torch.bool).bernoulli_(1 - p, generator=generator)
    return (x * mask).mul_(1 / (1 - p) if p < 1 else 0.0), mask


# What torch gives no generator to (some of it newer versions do), as it computes it itself.
_WRITTEN_OUT = {
    torch.ops.aten.rand_like: _rand_like,
    torch.ops.aten.randn_like: _randn_like,
    torch.ops.aten.randint_like: _randint_like,
    torch.ops.aten.native_dropout: _native_dropout,
}


@contextmanager
def seeded(seed):
    """Open a block whose random numbers are determined by `seed`, in this thread; torch's generators are not touched.

    Yields
    ------
    draws : Draws
    """
    before = getattr(_thread, "draws", None)
    _thread.draws = draws = Draws(seed)
    try:
        yield draws
    finally:
        _thread.draws = before
        # Ctrl-C may come just before torch closes a captured block; what the program draws next is not this one's.
        close_if_open(draws.mode)


def current_draws():
    """The innermost block of this thread, None outside of all."""
    return getattr(_thread, "draws", None)


def own_generator(device):
    """The generator of the innermost block of this thread; None, which means torch's own, outside of all."""
    draws = current_draws()
    return None if draws is None else draws.on(device)


def captured(wanted=True):
    """A block in which whatever draws, draws from the generators of the innermost :func:`seeded` block.

    Parameters
    ----------
    wanted : bool, default=True
        False gives a block that does nothing: each operation costs a little more in one that does.
    """
    draws = current_draws() if wanted else None
    return _NOTHING if draws is None else draws.mode


def may_draw(part):
    """Whether a part of a training may draw random numbers in a way of its own.

    Parts of this package do not, as they ask for the generator of their training; neither do the layers of ``torch.nn``
    that are not known to. Whatever a user wrote may.

    Parameters
    ----------
    part : object
        A module, criterion, augmentation or callable, or a container of them.
    """
    if isinstance(part, nn.Module):
        known = _is_ours(part) or _is_plain_layer(part)
        if not known or "forward" in vars(part) or has_hooks(part):
            return True
        own = vars(part) if _is_ours(part) else {}
        inner = (value for name, value in own.items() if name != "_modules")
        return any(map(may_draw, part.children())) or any(map(may_draw, inner))
    if isinstance(part, dict):
        return any(map(may_draw, part.values()))
    if isinstance(part, list | tuple | set):
        return any(map(may_draw, part))
    if isinstance(part, functools.partial):
        return may_draw(part.func) or may_draw(part.keywords) or may_draw(part.args)
    if not callable(part):
        return False
    named = part if hasattr(part, "__qualname__") else type(part)
    return not _of_package(named) or may_draw(getattr(part, "__dict__", {}))


def _is_ours(module):
    return _of_package(type(module))


def _of_package(named):
    return str(getattr(named, "__module__", "")).partition(".")[0] == __name__.partition(".")[0]


def _is_plain_layer(module):
    """Whether this is a layer of torch itself that does not draw; a subclass or a parametrization is none."""
    kind = type(module)
    package, _, file = kind.__module__.rpartition(".")
    return package == "torch.nn.modules" and file not in _DRAWING_FILES and kind.__name__ not in _DRAWING_MODULES


def dropout(x, p, training):
    """``torch.nn.functional.dropout`` with the generator of the training that runs in this thread."""
    generator = None if not training or torch.compiler.is_compiling() else own_generator(x.device)
    if generator is None or p in (0, 1):
        return F.dropout(x, p, training)
    return x * torch.empty_like(x).bernoulli_(1 - p, generator=generator).div_(1 - p)


class Dropout(nn.Dropout):
    """``torch.nn.Dropout`` that draws from the generator of the training that runs in this thread."""

    def forward(self, x):
        """Zero a share `p` of the numbers while training, and scale the others."""
        return dropout(x, self.p, self.training)


class _Watching(_Captured):
    """Notes whether anything is drawn inside ``torch.utils.checkpoint``."""

    found = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if torch.Tag.nondeterministic_seeded in func.tags:
            frames = (frame for frame, _ in traceback.walk_stack(None))
            self.found = self.found or any(frame.f_code.co_filename == checkpoint.__file__ for frame in frames)
        return super().__torch_dispatch__(func, types, args, kwargs)


def draws_to_repeat(module, x):
    """Whether a module draws where the backward pass computes once more what the forward pass did.

    ``torch.utils.checkpoint`` draws the same numbers again by resetting torch's own generator, no other.

    Parameters
    ----------
    module : torch.nn.Module
        It is not changed.
    x : Tensor
        A few rows.
    """
    watching = _Watching(Draws(0))
    with suppress(Exception):  # what is wrong with it, training says
        copied = copy.deepcopy(module).train()
        with torch.enable_grad(), ended(watching):
            copied(x)
    return watching.found
