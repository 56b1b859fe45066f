"""The bi-tempered loss: a bounded logarithm on probabilities with heavy tails."""

from __future__ import annotations

import operator
import sys
from itertools import accumulate

import torch
import torch.nn.functional as F

from sklabelnoise.losses._declare import Interval, per_example_loss
from sklabelnoise.losses._log_odds import label_margin, log_probabilities, margins, miss, put
from sklabelnoise.losses._margin import check_targets, over_classes, over_samples


@per_example_loss(uniform_remainder=True, t1=Interval(0, 1, closed="left"), t2=Interval(1, closed="neither"))
def bi_tempered(
    logits: torch.Tensor, targets: torch.Tensor, *, t1: float | torch.Tensor = 0.8, t2: float | torch.Tensor = 1.2
) -> torch.Tensor:
    r"""Bi-tempered logistic loss: a bounded logarithm on probabilities with heavy tails.

    With :math:`\log_t x = (x^{1 - t} - 1) / (1 - t)`, its inverse :math:`\exp_t`, and probabilities
    :math:`p_k = \exp_{t_2}(z_k - \lambda)`, where :math:`\lambda` makes them sum to one,

    .. math::
        \ell = -\log_{t_1} p_y - \frac{1 - \sum_k p_k^{2 - t_1}}{2 - t_1}, \qquad
        \frac{\partial \ell}{\partial z} = \delta - \frac{p^{t_2}}{\sum_k p_k^{t_2}} \sum_k \delta_k, \quad
        \delta_k = p_k^{t_2 - t_1} (p_k - [k = y]) .

    The first temperature bounds the loss of a label that is far from the prediction, the second keeps a label near the
    boundary from pulling on it. Both at 1 are cross entropy.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before the tempered softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    t1 : float or tensor, default=0.8
        In [0, 1). A tensor broadcasts over the leading dimensions.
    t2 : float or tensor, default=1.2
        Above 1. The defaults are the authors' for CIFAR-100; for ImageNet they take 0.9 and 1.05. A tensor broadcasts
        over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    Notes
    -----
    The loss of soft targets differs from the authors' Bregman divergence by a constant. In the emphasis, and in
    ``predict_proba`` of a classifier, probabilities are the softmax of the logits; its order is that of p.

    References
    ----------
    Amid et al., Robust Bi-Tempered Logistic Loss Based on Bregman Divergences, NeurIPS 2019, Eqs. 4, 5 and 8.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import bi_tempered
    >>> bi_tempered(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.4531])
    """
    logits, targets = check_targets(logits, targets)
    log_odds = _tempered_log_odds(logits, over_classes(t2) - 1)
    power = 1 - over_samples(t1)
    # The loss of label k is the sum of p_j^(2 - t1) / (2 - t1) over the others and a function of 1 - p_k: nothing
    # here is the difference of two of the size of 1 - p_k, as the terms of the definition are.
    powers = ((2 - over_classes(t1)) * log_probabilities(log_odds)).exp()
    if not targets.is_floating_point():
        others = powers.scatter(-1, targets.unsqueeze(-1), 0.0).sum(-1)
        return others / (1 + power) + _bound(label_margin(log_odds, targets), power)
    by_label = _bound(margins(log_odds).flatten(-2), power).unflatten(-1, targets.shape[-2:])
    return ((1 - targets) * powers).sum(-1) / (1 + power) + (targets * by_label).sum(-1)


def _bound(margin, power):
    """Integral of s (1 - s)^(power - 1) from 0 to the miss at a margin."""
    return _Bound.apply(margin, power.to(margin) if isinstance(power, torch.Tensor) else power)


class _Bound(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(margin, power):
        away, log_p = miss(margin), F.logsigmoid(margin)
        closed = -torch.expm1(power * log_p) / power + torch.expm1((1 + power) * log_p) / (1 + power)
        # Where that cancels, the series with the coefficients of (1 - s)^(power - 1), by Horner's rule. At 1/16
        # fourteen terms leave less than 1e-17, and seven less than float32 sees.
        n_terms = 14 if away.dtype == torch.double else 7
        binomials = list(accumulate(((k - power) / k for k in range(1, n_terms)), operator.mul, initial=1.0))
        *others, last = (binomial / (k + 2) for k, binomial in enumerate(binomials))
        series = torch.zeros_like(away) + last
        for coefficient in reversed(others):
            series = series * away + coefficient
        return torch.where(away < 1 / 16, away.square() * series, closed)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _save(ctx, inputs[1], inputs[0])

    @staticmethod
    def backward(ctx, grad):
        power, margin = _saved(ctx)
        return -grad * miss(margin).square() * (power * F.logsigmoid(margin)).exp(), None


def _save(ctx, temperature, *tensors):
    # A number stays one: to divide by a tensor of it takes ten times as long.
    is_tensor = isinstance(temperature, torch.Tensor)
    ctx.temperature = None if is_tensor else temperature
    ctx.save_for_backward(*tensors, *([temperature] if is_tensor else []))


def _saved(ctx):
    """What :func:`_save` was given."""
    if ctx.temperature is not None:
        return ctx.temperature, *ctx.saved_tensors
    *tensors, temperature = ctx.saved_tensors
    return temperature, *tensors


def _root(x, s):
    """``x ** (1 / s)`` in a buffer of its own: by products where 1 / s is a small whole number, as by default."""
    whole = 0 if isinstance(s, torch.Tensor) else round(1 / s)
    # s is the difference of a temperature and 1, which is as exact as they are
    if not 2 <= whole <= 8 or abs(s - 1 / whole) > sys.float_info.epsilon:
        return x.log().div_(s).exp_()
    result = x * x
    for place, bit in enumerate(f"{whole:b}"[1:]):
        if place:
            result = result * result
        if bit == "1":
            result = result * x
    return result


def _tempered_log_odds(logits, s):
    """Log-odds of the tempered probabilities against the likeliest class, of the logits' shape; s is t2 - 1."""
    # Newton steps to the normalization: the defaults need four in float64, tails far heavier seven, and float32, as
    # each doubles the digits, one less.
    n_steps = 4 if not isinstance(s, torch.Tensor) and s <= 0.25 else 8
    n_steps -= logits.dtype != torch.double
    s = s.to(logits) if isinstance(s, torch.Tensor) else s
    # Rows come last, where loops are long: sums over few classes are then sums of long rows.
    return _TemperedLogOdds.apply(logits.mT.contiguous(), s, n_steps)[0].mT.contiguous()


class _TemperedLogOdds(torch.autograd.Function):
    """With d the distance of a logit from the largest, log-odds are -log(1 + s d / a) / s; rows are the last dimension.

    a is their (implicit) normalization, the sum of the odds to the power of s. As an output it has a derivative, too,
    which second derivatives pass through.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(logits, s, n_steps):
        # In place where it can be: a new buffer costs as much as what is done in it.
        stretch = s * (logits.amax(-2, keepdim=True) - logits)
        log_a = torch.zeros_like(stretch[..., :1, :])
        for _ in range(n_steps):
            base = (stretch * log_a.neg().exp()).add_(1)
            inverse = base.reciprocal_()
            odds = _root(inverse, s)
            total = odds.sum(-2, keepdim=True)
            # over the slope of this in log a, which is sum(odds / base) / total
            log_a = log_a - (log_a - s * total.log()) * total / odds.mul_(inverse).sum(-2, keepdim=True)
        a = log_a.exp()
        return stretch.div_(a).log1p_().div_(-s), a

    @staticmethod
    def setup_context(ctx, inputs, output):
        _save(ctx, inputs[1], inputs[0], *output)

    @staticmethod
    def backward(ctx, grad, grad_a):
        s, logits, log_odds, a = _saved(ctx)
        top = logits.detach().max(-2, keepdim=True).indices  # argmax takes five times as long
        distance = logits.gather(-2, top) - logits
        stretched = a + s * distance
        escort = log_odds.exp() / stretched
        # how the others move, which the likeliest class answers: what it does itself is the difference of far more
        others = put(grad / stretched, top, 0.0, dim=-2)
        by_a = (others * distance).sum(-2, keepdim=True) / a + grad_a
        moved = put(others + s * by_a / escort.sum(-2, keepdim=True) * escort, top, 0.0, dim=-2)
        return put(moved, top, -moved.sum(-2, keepdim=True), dim=-2), None, None
