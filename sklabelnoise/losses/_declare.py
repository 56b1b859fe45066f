"""How a loss declares the domains of its hyper-parameters and the weight it gives an example."""

import functools
import inspect
import math
import numbers
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Interval:
    """Finite real numbers between two bounds.

    Parameters
    ----------
    low, high : float
        The bounds.
    closed : {'both', 'left', 'right', 'neither'}, default='both'
        Which of them belong to it.
    """

    low: float = -math.inf
    high: float = math.inf
    closed: str = "both"

    def __contains__(self, value):
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
            return False
        above = self.low <= value if self.closed in ("both", "left") else self.low < value
        below = value <= self.high if self.closed in ("both", "right") else value < self.high
        return above and below

    def __str__(self):
        left = "[" if self.closed in ("both", "left") and math.isfinite(self.low) else "("
        right = "]" if self.closed in ("both", "right") and math.isfinite(self.high) else ")"
        return f"a number in {left}{self.low}, {self.high}{right}"


@dataclass(frozen=True)
class OneOf:
    """One of a few values."""

    options: tuple

    def __contains__(self, value):
        return any(value is option or (type(value) is type(option) and value == option) for option in self.options)

    def __str__(self):
        return "one of " + ", ".join(map(repr, self.options))


def check_hyper_parameter(loss, name, value, domain):
    """Raise a ValueError unless the value lies in the domain.

    A tensor holds one value per replica and may live on another device or inside vmap, so its values are not looked at.
    """
    if not isinstance(value, torch.Tensor) and value not in domain:
        raise ValueError(f"'{name}' of {loss} must be {domain}, got {value!r}.")


def per_example_loss(*, emphasis=None, **domains):
    """Declare a function ``loss(logits, targets, *, hyper-parameters)`` as a loss.

    Every call then checks its hyper-parameters.

    Parameters
    ----------
    emphasis : callable, optional
        The weight ``w(p, **hyper)`` that the loss gives an example whose label has probability p: the L1 norm of its
        derivative. It takes ``n_classes`` where the weight depends on how the rest of the probability is spread, and
        then means evenly.
    **domains
        Domain of each hyper-parameter that is a number or a choice.
    """

    def declare(function):
        signature = inspect.signature(function)
        keywords = [p for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]

        @functools.wraps(function)
        def loss(logits, targets, **hyper):
            for name, value in hyper.items():
                if name in domains:
                    check_hyper_parameter(function.__name__, name, value, domains[name])
            return function(logits, targets, **hyper)

        loss.domains = domains
        loss.defaults = {p.name: p.default for p in keywords}
        loss.emphasis = emphasis
        return loss

    return declare
