"""Augmentations of single fits that draw the same in a stack, and those of which that can't be told.

A fit alone calls its augmentation with one batch after the other and a generator of its own. A stack does so for each
order of the rows that it trains on, in turns, and once for all replicas that follow it. The draws are the same where
the augmentation keeps nothing from call to call, and draws from that generator alone.
"""

import dis
import math
from dataclasses import dataclass
from types import CellType, CodeType, FunctionType

import torch
import torch.nn.functional

from sklabelnoise._compat import dispatch_mode, ended
from sklabelnoise._stacked._criterion import NotStackableError
from sklabelnoise.training._augmentation import CropFlip, Cutout, steps_of

_OURS = (CropFlip, Cutout)
_CONSTANTS = (type(None), bool, int, float, complex, str, bytes, torch.dtype)
# Their functions compute, or draw, which is seen.
_MODULES = (torch, torch.nn.functional, math)
# Those that neither keep nor reach anything.
_BUILTINS = frozenset(
    (
        "abs", "all", "any", "bool", "dict", "divmod", "enumerate", "float", "int", "isinstance", "len", "list", "map",
        "max", "min", "pow", "range", "reversed", "round", "set", "slice", "sorted", "str", "sum", "tuple", "zip",
        "TypeError", "ValueError",
    )
)  # fmt: skip
# What code does to keep something beyond a call, or to reach something that its globals do not show.
_KEEPS = frozenset(
    ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "DELETE_ATTR", "IMPORT_NAME", "LOAD_BUILD_CLASS", "LOAD_NAME")
)


def stackable_augmentation(augment):
    """An augmentation as a stack applies it.

    Those of this package, and lists of them, are known to keep nothing and to draw from the generator that they are
    given. Of a user's callable that must be plain from its code: it is a function, no object and no method; what it
    refers to outside of itself are constants, functions as plain as it is, and names of torch and math; and it assigns
    to none of them, nor to attributes. While it runs, whatever it draws from another generator is refused.

    Parameters
    ----------
    augment : callable or None
        As :func:`~sklabelnoise.training._augmentation.resolve_augmentation` returns it.

    Returns
    -------
    augmentation : callable or None
        ``augmentation(batch, generator)``; it raises a NotStackableError where it draws from another generator.

    Raises
    ------
    NotStackableError
        If a part of it may keep something, or is none of what is known.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise._stacked._augmentation import stackable_augmentation
    >>> from sklabelnoise.training._augmentation import resolve_augmentation
    >>> def noisy(batch, generator):
    ...     return batch + torch.randn(batch.shape, generator=generator)
    >>> stackable_augmentation(resolve_augmentation(["crop-flip", noisy])) is not None
    True
    """
    if augment is None:
        return None
    of_user = [step for step in steps_of(augment) if type(step) not in _OURS]
    for step in of_user:
        if not _is_plain(step):
            name = getattr(step, "__name__", type(step).__name__)
            raise NotStackableError(f"augment calls {name}, which may remember what it was called with")
    return _Refusing(augment) if of_user else augment


def _is_plain(function, above=()):
    """Whether the code of a function shows that nothing is left of a call but its result."""
    if type(function) is not FunctionType or vars(function):
        return False
    code = function.__code__
    cells = function.__closure__ or ()
    if CellType() in cells:  # to be filled in yet
        return False
    outside = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    outside += [cell.cell_contents for cell in cells]
    for instruction in _instructions(code):
        name, of = instruction.opname, instruction.argval
        if name in _KEEPS or (name in ("STORE_DEREF", "DELETE_DEREF") and of in code.co_freevars):
            return False
        if name == "LOAD_GLOBAL" and of in function.__globals__:
            outside.append(function.__globals__[of])
        elif name == "LOAD_GLOBAL" and of not in _BUILTINS:
            return False
    return all(_is_fixed(value, (*above, function)) for value in outside)


def _instructions(code):
    """Those of some code and of the functions that it defines."""
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _instructions(constant)


def _is_fixed(value, above):
    """Whether what a function refers to can't change, nor do anything but compute."""
    if type(value) is tuple:
        return all(_is_fixed(part, above) for part in value)
    name = getattr(value, "__name__", "")
    return (
        type(value) in (*_CONSTANTS, *_OURS)
        or any(value is module or getattr(module, str(name), None) is value for module in _MODULES)
        or any(value is known for known in (*above, *_OURS))
        or _is_plain(value, above)
    )


@dataclass(frozen=True)
class _Refusing:
    """An augmentation that must draw from the generator it is given."""

    augmentation: object

    def __call__(self, batch, generator):
        with ended(_Refused()):
            return self.augmentation(batch, generator)


class _Refused(dispatch_mode()):
    """A block in which nothing is drawn from a generator that is not named."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if torch.Tag.nondeterministic_seeded in func.tags and kwargs.get("generator") is None:
            raise NotStackableError("augment draws random numbers that are not from the generator it is given")
        return func(*args, **kwargs)
