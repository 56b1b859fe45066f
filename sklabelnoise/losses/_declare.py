"""How a loss declares the domains of its hyper-parameters and the weight it gives an example."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch

from sklabelnoise._foundation._counts import is_integer, is_number
from sklabelnoise.losses._protocol import Criterion

Loss = TypeVar("Loss", bound=Callable[..., torch.Tensor])


@dataclass(frozen=True)
class Interval:
    """Finite real numbers between two bounds.

    Parameters
    ----------
    low, high : float, default=-inf, inf
        The bounds.
    closed : {'both', 'left', 'right', 'neither'}, default='both'
        Which of them belong to it.
    """

    low: float = -math.inf
    high: float = math.inf
    closed: str = "both"

    def __contains__(self, value):
        if not is_number(value):
            return False
        above = self.low <= value if self.closed in ("both", "left") else self.low < value
        below = value <= self.high if self.closed in ("both", "right") else value < self.high
        return above and below

    def __str__(self):
        left = "[" if self.closed in ("both", "left") and math.isfinite(self.low) else "("
        right = "]" if self.closed in ("both", "right") and math.isfinite(self.high) else ")"
        return f"a number in {left}{self.low}, {self.high}{right}"


POSITIVE = Interval(0, closed="neither")
AT_LEAST_ZERO = Interval(0)
ABOVE_ONE = Interval(1, closed="neither")


@dataclass(frozen=True)
class Integers:
    """Whole numbers from a lower bound on."""

    low: int

    def __contains__(self, value):
        return is_integer(value) and value >= self.low

    def __str__(self):
        return f"a whole number of at least {self.low}"


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    options: tuple

    def __contains__(self, value):
        return any(type(value) is type(option) and value == option for option in self.options)

    def __str__(self):
        return "one of " + ", ".join(map(repr, self.options))


def as_matrix(value):
    """Numbers as a tensor; those of NumPy are copied, since it may have locked them, of which torch warns."""
    return torch.tensor(value) if isinstance(value, np.ndarray) else torch.as_tensor(value)


@dataclass(frozen=True)
class TransitionMatrix:
    """Square matrices, perhaps stacked, of P(given = j | true = i).

    Parameters
    ----------
    invertible : bool, default=False
        Whether it must have an inverse; otherwise every label must be given by some class.
    """

    invertible: bool = False

    def __contains__(self, value):
        try:
            given = as_matrix(value)
        except (TypeError, ValueError, RuntimeError):
            return False
        if given.is_complex():
            return False
        matrix = given.double()
        if matrix.dim() < 2 or matrix.shape[-1] != matrix.shape[-2] or not matrix.isfinite().all():
            return False
        # rows given in float32 sum to one within 1e-6 or so, in half precision within its own rounding
        rounding = torch.finfo(given.dtype).eps if given.is_floating_point() else 0.0
        stochastic = (matrix >= 0).all() and ((matrix.sum(-1) - 1).abs() < max(1e-4, rounding)).all()
        if self.invertible:
            return bool(stochastic and torch.linalg.cond(matrix).max() < 1e12)
        return bool(stochastic and (matrix.sum(-2) > 0).all())

    def __str__(self):
        also = "an inverse (got a singular matrix)" if self.invertible else "no column of zeros"
        matrix = "a square matrix with entries of at least 0"
        return f"{matrix}, rows that sum to one and {also}, as an array or a tensor in the order of the classes"


def own_number(value):
    """A number of NumPy as Python's own: minus an unsigned one is another number, and torch takes not all of them."""
    return value.item() if isinstance(value, np.number) else value


def check_hyper_parameter(loss, name, value, domain):
    """The value, as a number of Python's own; raise a ValueError unless it lies in the domain.

    A tensor may hold one value per replica, live on another device or inside vmap, so its values are not looked at:
    that is for :func:`check_values`.
    """
    unseen = isinstance(value, torch.Tensor) and isinstance(domain, Interval | TransitionMatrix)
    if not unseen and value not in domain:
        raise ValueError(f"'{name}' of {loss} must be {domain}, got {value!r}.")
    return own_number(value)


def check_values(loss, name, value, domain):
    """As :func:`check_hyper_parameter`, looking into tensors."""
    several = isinstance(value, torch.Tensor) and isinstance(domain, Interval)
    for one in value.flatten().tolist() if several else (value,):
        if one not in domain:
            raise ValueError(f"'{name}' of {loss} must be {domain}, got {one!r}.")
    return own_number(value)


class DeclaredCriterion(Criterion):
    """A criterion by name that is a class, because it needs more than one row: its hyper-parameters are declared alike.

    Every one in ``hyper_parameters``, by name its default and its domain, is checked and kept as an attribute. It has
    no weight of an example, as that would follow from the probability of the label alone.
    """

    hyper_parameters = {}
    emphasis = None
    uniform_remainder = False

    def __init__(self, **hyper):
        super().__init__()
        for name, value in hyper.items():
            setattr(self, name, check_values(type(self).__name__, name, value, self.hyper_parameters[name][1]))

    def extra_repr(self):
        return ", ".join(f"{name}={getattr(self, name)}" for name in self.hyper_parameters)


def per_example_loss(
    *, emphasis: Callable[..., Any] | None = None, uniform_remainder: bool = False, **domains: Any
) -> Callable[[Loss], Loss]:
    """Declare a function ``loss(logits, targets, *, hyper-parameters)`` as a loss.

    Every call then checks its hyper-parameters.

    Parameters
    ----------
    emphasis : callable, default=None
        The weight ``w(p, **hyper)`` that the loss gives an example whose label has probability p: the L1 norm of its
        derivative. It takes ``n_classes`` where that enters.
    uniform_remainder : bool, default=False
        Whether the loss has no weight of its own but treats the other classes alike, so that one follows by
        spreading the rest of the probability evenly over them.
    **domains
        Domain of each hyper-parameter that is a number or a choice.
    """

    def declare(function):
        keywords = [p for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]

        @functools.wraps(function)
        def loss(logits, targets, **hyper):
            for name in domains.keys() & hyper.keys():
                hyper[name] = check_hyper_parameter(function.__name__, name, hyper[name], domains[name])
            return function(logits, targets, **hyper)

        loss.hyper_parameters = {p.name: (p.default, domains.get(p.name)) for p in keywords}
        loss.emphasis = emphasis
        loss.uniform_remainder = uniform_remainder
        return loss

    return declare
