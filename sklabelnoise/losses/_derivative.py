"""Derivative manipulation: the derivative with respect to the logits is designed, not derived from a loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch

from sklabelnoise._compat import under_functorch_transforms
from sklabelnoise._foundation._counts import is_number
from sklabelnoise.losses._emphasis import DMEmphasis
from sklabelnoise.losses._log_odds import margins, off_the_label, probabilities, put
from sklabelnoise.losses._margin import (
    check_sample_weight,
    check_targets,
    expected_value,
    over_samples,
    shares,
    weighted_mean,
)
from sklabelnoise.losses._protocol import Criterion
from sklabelnoise.losses._targets import cross_entropy
from sklabelnoise.losses._weighting import (
    LabelOdds,
    LabelProbability,
    call_emphasis,
    integrate_emphasis,
    weights_at,
    weights_of,
)

# The least damping beside which a probability that float32 has no number for is none.
_NO_UNDERFLOW = 1e-20
NORMALIZATIONS = ("batch", "integral", "none")


def _check_options(normalization, damping):
    if normalization not in NORMALIZATIONS:
        raise ValueError(f"normalization must be one of {NORMALIZATIONS}, got {normalization!r}.")
    if not is_number(damping) or damping < 0:
        raise ValueError(f"damping must be a number of at least 0, got {damping!r}.")


def derivative_manipulation(
    logits: torch.Tensor,
    labels: torch.Tensor,
    emphasis: Callable[..., Any],
    *,
    normalization: Literal["batch", "integral", "none"] = "batch",
    damping: float = 1e-8,
    sample_weight: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Derivative of the batch objective with respect to the logits, as designed by an emphasis.

    With :math:`p = \mathrm{softmax}(z)`, :math:`y` the given label, and :math:`m = \sum_{j \ne y} p_j` the probability
    that the model misses it, the row of example i before normalization is

    .. math::
        w(p_y) \, \frac{(p_j \text{ for } j \ne y, \; -m \text{ for } j = y)}{2 m + \mathrm{damping}} .

    It has the direction of cross entropy's derivative, sums to zero, and its L1 norm is the weight
    :math:`w(p_y) \cdot 2m / (2m + \mathrm{damping})`: what the emphasis says, fading for labels that are fitted beyond
    doubt. The fading keeps training from diverging; without it (``damping=0``, the equation of the paper) a label is
    pushed at full strength however well it is fitted, and separable data drive the logits to infinity. :math:`m` is
    never computed as :math:`1 - p_y`, which cancels in float32, so rows are exact at any logit gap.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax. Leading dimensions are independent batches, for example replicas trained together.
    labels : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Given labels (integers), or soft targets (floating point, rows that sum to one). Soft targets mean the
        expectation over labels drawn from them, which equals repeating a row once per class, weighted by its target.
    emphasis : callable
        The weight w(p) of an example as a function of the probability of its label, such as ``DMEmphasis``.
    normalization : {'batch', 'integral', 'none'}, default='batch'
        'batch' divides by the sum of the weights over the batch, as the authors' code does, so that every batch has
        the same total emphasis; 'integral' divides by the integral of w over [0, 1] (Eq. 8 of the paper) and by
        n_samples; 'none' divides by n_samples.
    damping : float, default=1e-8
        Added to 2 m, see above.
    sample_weight : tensor of shape (..., n_samples), default=None
        Multiplies the weights. Sums over the batch become weighted, so integer weights equal repetition and zero
        weights removal; where all are zero so is the derivative.

    Returns
    -------
    derivative : tensor of shape (..., n_samples, n_classes)
        In the dtype of the logits, float32 at least.

    See Also
    --------
    DMLoss : The criterion whose backward pass this is.
    potential : The function with this derivative for ``damping=0``, without normalization.

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Eq. 7 (the derivative), Eq. 8
    (normalization over [0, 1]) and the released code (normalization over the batch).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import DMEmphasis, derivative_manipulation
    >>> logits = torch.tensor([[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]])
    >>> derivative_manipulation(logits, torch.tensor([0, 0]), DMEmphasis(lam=0.5, beta=8), damping=0)
    tensor([[-0.4780,  0.2390,  0.2390],
            [-0.0220,  0.0110,  0.0110]])
    """
    _check_options(normalization, damping)
    check_sample_weight(logits, sample_weight)
    logits, targets = check_targets(logits.detach(), labels)
    rows, scale, _ = _design(logits, targets, emphasis, normalization, damping, sample_weight)
    return rows * scale


def _design(logits, targets, emphasis, normalization, damping, sample_weight):
    """Rows and a scale of shape (..., n_samples, 1), whose product is the derivative, and twice the misses 1 - p_y."""
    if targets.is_floating_point():
        return _design_soft(logits, targets, emphasis, normalization, damping, sample_weight)
    # Each operation is a call on a CPU and a launch elsewhere, which is most of the time of a small batch; of a large
    # one that is a pass over memory: the work is done in one buffer of the logits' size.
    index = targets.unsqueeze(-1)
    if damping < _NO_UNDERFLOW or getattr(emphasis, "_sees_log_odds", False):
        rows, total, margin = off_the_label(logits, index)
        odds = LabelOdds(margin.squeeze(-1))
        distance = odds.miss + odds.miss
        weight = _normalized_weights(odds, emphasis, normalization, sample_weight)
        scale = (weight.mul_(odds.miss).div_(distance + damping) if damping else weight.mul_(0.5)).unsqueeze(-1)
        return rows, scale if total is None else scale.div_(total), distance
    # A probability that underflows is nothing beside the damping.
    proba = probabilities(logits)
    p = proba.gather(-1, index).squeeze(-1)
    rows = put(proba, index, 0.0)
    miss = rows.sum(-1, keepdim=True)
    rows = put(rows, index, miss.neg())
    odds = LabelProbability(p, miss.squeeze(-1))
    distance = odds.miss + odds.miss
    scale = _normalized_weights(odds, emphasis, normalization, sample_weight).div_(distance + damping)
    return rows, scale.unsqueeze(-1), distance


def _design_soft(logits, targets, emphasis, normalization, damping, sample_weight):
    """As :func:`_design`, in expectation over the labels."""
    proba = logits.softmax(-1)
    margin = margins(logits)
    # every pair of row and label is an example of its own: the classes join the samples' dimension
    odds = LabelOdds(margin.flatten(-2))
    mass = targets if sample_weight is None else targets * sample_weight.to(targets.dtype).unsqueeze(-1)
    weight = _normalized_weights(odds, emphasis, normalization, mass.flatten(-2)).unflatten(-1, margin.shape[-2:])
    miss = odds.miss.unflatten(-1, margin.shape[-2:])
    strength = weight * miss / (2 * miss + damping) if damping else weight / 2
    # The row of label k is strength_k (p / miss_k off the label, -1 on it). Only the likeliest class can have a miss
    # too small to divide by; its row takes the softmax of the others.
    top = logits.argmax(-1, keepdim=True)
    by_miss = (strength / miss).scatter(-1, top, 0.0)
    rows = proba * by_miss.sum(-1, keepdim=True) - by_miss
    others = logits.scatter(-1, top, -torch.inf).softmax(-1).scatter(-1, top, -1.0)
    rows = rows + strength.gather(-1, top) * others
    return rows, torch.ones_like(rows[..., :1]), 2 * (targets * miss).sum(-1)


def _normalized_weights(odds, emphasis, normalization, sample_weight):
    """Share of each example in the derivative of its batch, of shape (..., n_samples)."""
    if normalization == "batch":
        log_weight = getattr(emphasis, "_log_weight", None)
        if log_weight is None:
            weight = call_emphasis(emphasis, odds.p)
            return shares(weight if sample_weight is None else weight * sample_weight.to(weight.dtype))
        if sample_weight is None:
            # w / sum(w) from the exponents minus their maximum, which cannot overflow
            return log_weight(odds).softmax(-1)
        present = (sample_weight > 0).any(-1, keepdim=True)
        return torch.where(present, (log_weight(odds) + sample_weight.to(odds.p.dtype).log()).softmax(-1), 0.0)
    weight = weights_of(emphasis, odds)
    if normalization == "integral":
        weight = weight / over_samples(_integral(emphasis, weight))
    if sample_weight is None:
        return weight / weight.shape[-1]
    return weight * shares(sample_weight.to(weight.dtype))


def _integral(emphasis, like):
    integral = getattr(emphasis, "integral", None)
    if integral is None:
        try:
            # A number: on the CPU, which has double precision, and no device is sent anything.
            integral = integrate_emphasis(emphasis)
        except RuntimeError:  # it has tensors of its own where it is trained
            integral = integrate_emphasis(emphasis, device=like.device)
        if integral.dim() == 0 and not under_functorch_transforms() and integral.device.type == "cpu":
            return integral.item()
    return integral.to(like) if isinstance(integral, torch.Tensor) else integral


class _Inject(torch.autograd.Function):
    """A value whose derivative with respect to the logits is handed in, as rows and their scale."""

    @staticmethod
    def forward(ctx, logits, value, rows_and_scale, design):
        # The first backward pass turns the rows into the derivative where they lie, which saves a buffer of the
        # logits' size; they are ours and no saved tensor. Another pass (retain_graph) designs them anew.
        ctx.save_for_backward(logits)
        ctx.rows_and_scale = rows_and_scale
        ctx.design = design
        return value[0]

    @staticmethod
    def backward(ctx, grad):
        (logits,) = ctx.saved_tensors
        rows, scale = ctx.rows_and_scale or ctx.design(logits.detach())[:2]
        ctx.rows_and_scale = None
        return rows.mul_(scale * (grad[..., None, None] if grad.dim() else grad)), None, None, None


class _InjectUnderTransforms(torch.autograd.Function):
    """The same in the form that torch.func needs, which costs a signature lookup per call."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logits, value, rows, scale):
        return value.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[2:4])

    @staticmethod
    def backward(ctx, grad):
        rows, scale = ctx.saved_tensors
        return rows * (scale * grad[..., None, None]), None, None, None


class DMLoss(Criterion):
    """Criterion whose backward pass is :func:`derivative_manipulation`.

    Its value is the mean of :math:`2 (1 - p_y)`, the L1 distance between prediction and label, for monitoring only:
    by design the derivative is *not* the derivative of that value. The derivative counts as a constant, so it has no
    second derivative; see :func:`potential` for a function to differentiate.

    Parameters
    ----------
    emphasis : callable, default=None
        The weight w(p) of an example, as in :func:`derivative_manipulation`; ``DMEmphasis()`` if None.
    normalization : {'batch', 'integral', 'none'}, default='batch'
        See :func:`derivative_manipulation`.
    damping : float, default=1e-8
        See :func:`derivative_manipulation`. With 0 the derivative never fades and training on separable data diverges.

    Notes
    -----
    ``forward(logits, target, sample_weight=None)`` takes labels or soft targets and reduces by itself, to one value
    per replica. In evaluation mode it is plain cross entropy (its weighted mean). Arithmetic is float32 at least,
    also under autocast.

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Eq. 7.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import DMEmphasis, DMLoss
    >>> logits = torch.zeros(1, 3, requires_grad=True)
    >>> loss = DMLoss(DMEmphasis(lam=0.5, beta=8))(logits, torch.tensor([0]))
    >>> loss.backward()
    >>> logits.grad
    tensor([[-0.5000,  0.2500,  0.2500]])
    """

    same_in_a_stack = ("damping",)

    def __init__(
        self,
        emphasis: Callable[..., Any] | None = None,
        *,
        normalization: Literal["batch", "integral", "none"] = "batch",
        damping: float = 1e-8,
    ):
        super().__init__()
        _check_options(normalization, damping)
        if emphasis is not None and not callable(emphasis):
            raise TypeError(f"emphasis must be callable as w(p) or None, got {emphasis!r}.")
        self.emphasis = DMEmphasis() if emphasis is None else emphasis
        self.normalization = normalization
        self.damping = damping

    def forward(self, logits, target, sample_weight=None):
        check_sample_weight(logits, sample_weight)
        if not self.training:
            return weighted_mean(cross_entropy(logits, target), sample_weight)

        def design(logits):
            logits, targets = check_targets(logits, target)
            return _design(logits, targets, self.emphasis, self.normalization, self.damping, sample_weight)

        # detaching is cheaper than a no_grad block, and what torch.func needs as well
        rows, scale, distance = design(logits.detach())
        value = weighted_mean(distance, sample_weight)
        if under_functorch_transforms():
            return _InjectUnderTransforms.apply(logits, value, rows, scale)
        # in tuples, because autograd looks at every tensor among the arguments
        return _Inject.apply(logits, (value,), (rows, scale), design)

    def value_and_derivative(self, logits, target, sample_weight=None):
        check_sample_weight(logits, sample_weight)
        logits, targets = check_targets(logits.detach(), target)
        rows, scale, distance = _design(logits, targets, self.emphasis, self.normalization, self.damping, sample_weight)
        return weighted_mean(distance, sample_weight), rows.mul_(scale)

    def extra_repr(self):
        return f"{self.emphasis}, normalization={self.normalization!r}, damping={self.damping}"


@lru_cache
def _gauss_legendre(n_nodes, dtype, device):
    """Nodes and weights on [0, 1]; kept, because a copy to the device would be waited for at every batch."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    return tuple(torch.as_tensor(x).to(device, dtype) for x in ((nodes + 1) / 2, weights / 2))


class _Potential(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(margin, emphasis):
        # With u = sinh(s) the integrand is smooth on a scale of one and short even for margins of 1e4.
        nodes, node_weights = _gauss_legendre(160, margin.dtype, margin.device)
        length = margin.asinh().unsqueeze(-1)
        s = length * nodes
        weights = weights_at(emphasis, s.sinh().flatten(-2)).unflatten(-1, s.shape[-2:])
        return -0.5 * length.squeeze(-1) * (weights * s.cosh() * node_weights).sum(-1)

    @staticmethod
    def setup_context(ctx, inputs, output):
        margin, ctx.emphasis = inputs
        ctx.save_for_backward(margin)

    @staticmethod
    def backward(ctx, grad):
        (margin,) = ctx.saved_tensors
        return -0.5 * weights_at(ctx.emphasis, margin) * grad, None


def potential(logits: torch.Tensor, labels: torch.Tensor, emphasis: Callable[..., Any]) -> torch.Tensor:
    r"""Function of the logits whose derivative is that of derivative manipulation, per example.

    In the log-odds margin :math:`m = z_y - \log \sum_{j \ne y} e^{z_j}`, with :math:`\sigma` the logistic function,

    .. math::
        \Phi(m) = -\frac12 \int_0^m w(\sigma(u)) \, du, \qquad \frac{d\Phi}{dm} = -\frac{w(p_y)}{2},

    so that :math:`\partial \Phi / \partial z` is :func:`derivative_manipulation` for ``normalization='none'`` and
    ``damping=0``, times n_samples. It is 0 at :math:`p_y = 1/2`. The integral from p to 1 that the paper calls the
    loss diverges for every emphasis with :math:`w(1) > 0`; for the same reason :math:`\Phi` is unbounded below on
    separable data: its slope tends to :math:`-w(1)/2`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    labels : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    emphasis : callable
        The weight w(p) of an example.

    Returns
    -------
    potential : tensor of shape (..., n_samples)
        By Gauss-Legendre quadrature, to 1e-10 in float64 for the emphases of this package. Its derivative is
        :math:`-w/2` to machine precision for any emphasis.

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, end of Section 3.2.

    Examples
    --------
    The potential of equal weights is linear in the log-odds:

    >>> import torch
    >>> from sklabelnoise.losses import DMEmphasis, potential
    >>> logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> potential(logits, torch.tensor([0, 0]), DMEmphasis(beta=0)).abs()
    tensor([0.0000, 1.0000])
    """
    return expected_value(lambda margin: _Potential.apply(margin, emphasis), logits, labels)
