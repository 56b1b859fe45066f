"""What the losses ask of a weighting function w(p), whoever wrote it: weights at given odds, an integral, a check."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F


class LabelOdds:
    """What a weight may depend on: how likely the label is, in whichever form keeps its digits.

    Parameters
    ----------
    margin : tensor of shape (..., n_samples)
        Log-odds of the label.
    """

    def __init__(self, margin):
        self.margin = margin
        self.miss = margin.neg().sigmoid()

    @property
    def p(self):
        return self.margin.sigmoid()

    @property
    def log_p(self):
        return F.logsigmoid(self.margin)

    @property
    def log_miss(self):
        return F.logsigmoid(-self.margin)


class LabelProbability:
    """The part of :class:`LabelOdds` that is enough for an emphasis, unless it says that it `_sees_log_odds`.

    Parameters
    ----------
    p, miss : tensor of shape (..., n_samples)
        Probabilities of the label and of the others, each with its digits.
    """

    def __init__(self, p, miss):
        self.p, self.miss = p, miss


def integrate_emphasis(emphasis, *, device=None):
    """Integral of any emphasis over [0, 1], in float64.

    Tanh-sinh quadrature: with p the logistic function of pi sinh(t), the trapezoidal rule in t converges
    exponentially whatever the function does at the ends, and 1 - p is had without subtraction.
    """
    # 1025 nodes resolve emphases whose standard deviation in p is above 0.01; at |t| = 3.6 p(1 - p) is below 1e-24.
    t = torch.linspace(-3.6, 3.6, 1025, dtype=torch.double, device=device)
    margin = math.pi * t.sinh()
    slope = math.pi * t.cosh() * margin.sigmoid() * (-margin).sigmoid()
    return (weights_at(emphasis, margin) * slope).sum(-1) * (t[1] - t[0])


def weights_of(emphasis, odds):
    """w at the odds of the labels, of shape (..., n_samples): exact at any odds for the emphases of this package."""
    log_weight = getattr(emphasis, "_log_weight", None)
    return call_emphasis(emphasis, odds.p) if log_weight is None else log_weight(odds).exp()


def call_emphasis(emphasis, p):
    """w(p) of any callable: truth values and whole numbers, which weigh as much, in the type of p."""
    weight = emphasis(p)
    return weight if weight.is_floating_point() else weight.to(p.dtype)


def weights_at(emphasis, margin):
    """w at log-odds margins of shape (..., n_samples)."""
    return weights_of(emphasis, LabelOdds(margin))


def check_emphasis(emphasis: Callable[..., Any]) -> None:
    """Raise a ValueError unless the emphasis maps [0, 1] to finite, non-negative weights, one per probability.

    Meant to be called once before training: the losses themselves never look at the weights, which on an accelerator
    would wait for the device at every batch.

    Parameters
    ----------
    emphasis : callable
        A function w(p), such as those of this package.

    Raises
    ------
    TypeError
        If it is not callable.
    ValueError
        If it returns something else than a tensor of the shape of p, or NaN, negative or infinite weights, or only
        zeros.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import check_emphasis
    >>> check_emphasis(lambda p: 1 - p)
    >>> check_emphasis(lambda p: 1 - 2 * p)
    Traceback (most recent call last):
    ...
    ValueError: emphasis must return weights of at least 0, got -1.0 at p = 1.
    """
    if not callable(emphasis):
        raise TypeError(f"emphasis must be callable as w(p), got {emphasis!r}.")
    p = torch.linspace(0, 1, 1001)
    with torch.no_grad():
        # two leading dimensions, so that a function that flattens or reduces is found out; one may work in place
        weights = emphasis(p.repeat(2, 1))
    if not isinstance(weights, torch.Tensor):
        raise ValueError(f"emphasis must return a tensor of weights, got {type(weights).__name__}.")
    if weights.shape != (2, len(p)):
        raise ValueError(
            f"emphasis must return one weight per probability, of shape {(2, len(p))}, "
            f"got shape {tuple(weights.shape)}."
        )
    if weights.is_complex():
        raise ValueError(f"emphasis must return real weights, got {weights.dtype}.")
    weights = weights[0]
    for bad, expected in (
        (weights.isnan(), "weights that are not NaN"),
        (weights < 0, "weights of at least 0"),
        (weights.isinf(), "finite weights"),
    ):
        if bad.any():
            at = torch.where(bad, weights.nan_to_num(), math.inf).argmin()
            raise ValueError(f"emphasis must return {expected}, got {weights[at].item()} at p = {p[at].item():g}.")
    if not (weights > 0).any():
        raise ValueError("emphasis must return a positive weight for some p, got 0 everywhere.")
