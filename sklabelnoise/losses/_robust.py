"""Losses that see the label's probability alone: a loss of this kind is cross entropy with its own example weights."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from sklabelnoise.losses._declare import AT_LEAST_ZERO, Integers, Interval, OneOf, per_example_loss
from sklabelnoise.losses._log_odds import label_margin, log_probabilities, miss, one_minus_exp, probability, softplus
from sklabelnoise.losses._margin import check_targets, common_target, expected_value, log, log1p, over_samples

# The logarithm of zero in reverse cross entropy: that of the label clamp in the authors' code.
LOG_ZERO = math.log(1e-4)
NEGATIVE = Interval(high=0, closed="neither")


@per_example_loss(emphasis=lambda p: 2 * p * (1 - p))
def mae(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Mean absolute error, up to a factor: one minus the label's probability.

    .. math::
        \ell = 1 - p_y = \tfrac12 \|p - e_y\|_1, \qquad \frac{\partial \ell}{\partial z} = p_y (p - e_y) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    Notes
    -----
    The scale is that of the DM and active-passive papers; others write 2 - 2 p_y, which doubles the step.

    References
    ----------
    Ghosh et al., Robust Loss Functions under Label Noise for Deep Neural Networks, AAAI 2017. Wang et al., Derivative
    Manipulation for General Example Weighting, 2020, Eq. 2.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import mae
    >>> mae(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.8808])
    """
    logits, targets = check_targets(logits, targets)
    if not targets.is_floating_point():
        return miss(label_margin(logits, targets))
    p = log_probabilities(logits).exp()
    common = common_target(targets, (targets * p).sum(-1).detach())
    return (1 - common).squeeze(-1) + ((common - targets) * p).sum(-1)


@per_example_loss(emphasis=lambda p: 4 * p * (1 - p) ** 2)
def mse(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Mean squared error in the sense of the DM paper: the square of one minus the label's probability.

    .. math::
        \ell = (1 - p_y)^2, \qquad \frac{\partial \ell}{\partial z} = 2 p_y (1 - p_y) (p - e_y) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    See Also
    --------
    brier : The squared distance over all classes.

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Eq. 3.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import mse
    >>> mse(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.7758])
    """
    return expected_value(lambda margin: miss(margin).square(), logits, targets)


@per_example_loss(emphasis=lambda p, *, q: 2 * p**q * (1 - p), q=Interval(0, 1, closed="right"))
def gce(logits: torch.Tensor, targets: torch.Tensor, *, q: float | torch.Tensor = 0.7) -> torch.Tensor:
    r"""Generalized cross entropy, between cross entropy and the mean absolute error.

    .. math::
        \ell = \frac{1 - p_y^q}{q}, \qquad \frac{\partial \ell}{\partial z} = p_y^q (p - e_y),

    the derivative of cross entropy damped by :math:`p_y^q`: the less the model believes a label, the less it learns
    from it. The limits are cross entropy (q to 0) and :func:`mae` (q = 1).

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    q : float or tensor, default=0.7
        In (0, 1]. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels, NeurIPS
    2018 (0.7 is theirs).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import gce
    >>> gce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.1062])
    """
    q = over_samples(q)
    return expected_value(lambda margin: one_minus_exp(q * F.logsigmoid(margin)) / q, logits, targets)


@per_example_loss(emphasis=lambda p, *, log_zero: -2 * log_zero * p * (1 - p), log_zero=NEGATIVE)
def rce(logits: torch.Tensor, targets: torch.Tensor, *, log_zero: float | torch.Tensor = LOG_ZERO) -> torch.Tensor:
    r"""Reverse cross entropy: the prediction measured against the label.

    With the logarithm of the label's zeros set to a constant A,

    .. math::
        \ell = -\sum_k p_k \log q_k = -A (1 - p_y), \qquad \frac{\partial \ell}{\partial z} = -A \, p_y (p - e_y),

    so it is :func:`mae` times -A.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    log_zero : float or tensor, default=-9.210340371976182
        A, negative; the default is log(1e-4), because the authors' code clamps labels at 1e-4. Their paper also
        speaks of -4. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019, and released code.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import rce
    >>> rce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([8.1124])
    """
    return -over_samples(log_zero) * mae(logits, targets)


def _sce_emphasis(p, *, alpha, beta, log_zero):
    return 2 * (1 - p) * (alpha - beta * log_zero * p)


@per_example_loss(emphasis=_sce_emphasis, alpha=AT_LEAST_ZERO, beta=AT_LEAST_ZERO, log_zero=NEGATIVE)
def sce(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    alpha: float | torch.Tensor = 0.1,
    beta: float | torch.Tensor = 1.0,
    log_zero: float | torch.Tensor = LOG_ZERO,
) -> torch.Tensor:
    r"""Symmetric cross entropy: cross entropy and its reverse.

    .. math::
        \ell = -\alpha \log p_y - \beta A (1 - p_y), \qquad
        \frac{\partial \ell}{\partial z} = (\alpha - \beta A p_y) (p - e_y) .

    Its weight :math:`2 (1 - p)(\alpha + \beta |A| p)` peaks at :math:`\max(0, \frac12 - \frac{\alpha}{2 \beta |A|})`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha : float or tensor, default=0.1
        Weight of cross entropy, at least 0. A tensor broadcasts over the leading dimensions.
    beta : float or tensor, default=1.0
        Weight of :func:`rce`, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 6 and
        0.1. A tensor broadcasts over the leading dimensions.
    log_zero : float or tensor, default=-9.210340371976182
        A, see :func:`rce`.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import sce
    >>> sce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([8.3251])
    """
    alpha, scale = over_samples(alpha), -over_samples(beta) * over_samples(log_zero)
    return expected_value(lambda margin: scale * miss(margin) - alpha * F.logsigmoid(margin), logits, targets)


def _focal_emphasis(p, *, gamma, detached):
    weight = 2 * (1 - p) ** (gamma + 1)
    return weight if detached else weight - 2 * gamma * (1 - p) ** gamma * torch.special.xlogy(p, p)


@per_example_loss(emphasis=_focal_emphasis, gamma=AT_LEAST_ZERO, detached=OneOf((True, False)))
def focal(
    logits: torch.Tensor, targets: torch.Tensor, *, gamma: float | torch.Tensor = 0.5, detached: bool = False
) -> torch.Tensor:
    r"""Focal loss: cross entropy faded out for labels the model is sure of.

    .. math::
        \ell = -(1 - p_y)^\gamma \log p_y, \qquad
        \frac{\partial \ell}{\partial z} = (1 - p_y)^\gamma \left(1 - \frac{\gamma \, p_y \log p_y}{1 - p_y}\right)
        (p - e_y) .

    It prefers labels the model disbelieves, so it is no robust loss; it stands here as the opposite end.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    gamma : float or tensor, default=0.5
        At least 0; 0 is cross entropy. Lin et al. take 2. A tensor broadcasts over the leading dimensions.
    detached : bool, default=False
        Whether the factor is held constant in the backward pass, as the code of the active-passive and asymmetric
        losses does; the derivative is then :math:`(1 - p_y)^\gamma (p - e_y)`.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, Eq. 4. Ma et al., Normalized Loss Functions for Deep
    Learning with Noisy Labels, ICML 2020, released code (0.5 and the detached factor).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import focal
    >>> focal(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.9961])
    """
    gamma = over_samples(gamma)

    def value(margin):
        factor = (gamma * F.logsigmoid(-margin)).exp()
        return -(factor.detach() if detached else factor) * F.logsigmoid(margin)

    return expected_value(value, logits, targets)


@per_example_loss(emphasis=lambda p, *, order: 2 * (1 - p) * (1 - (1 - p) ** order), order=Integers(1))
def taylor_ce(logits: torch.Tensor, targets: torch.Tensor, *, order: int = 2) -> torch.Tensor:
    r"""Cross entropy cut off after a few terms of its Taylor series.

    .. math::
        \ell = \sum_{i=1}^{t} \frac{(1 - p_y)^i}{i}, \qquad
        \frac{\partial \ell}{\partial z} = \left(1 - (1 - p_y)^t\right) (p - e_y) .

    The order t goes from :func:`mae` (1) to cross entropy (infinity).

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    order : int, default=2
        t, at least 1. The paper tries 2 to 6.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Feng et al., Can Cross Entropy Loss Be Robust to Label Noise?, IJCAI 2020.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import taylor_ce
    >>> taylor_ce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.2687])
    """

    def value(margin):
        away = miss(margin)
        total = away / order
        for i in range(order - 1, 0, -1):  # Horner's rule
            total = away * (total + 1 / i)
        return total

    return expected_value(value, logits, targets)


def _js_emphasis(p, *, pi):
    # p log(1 + pi / ((1 - pi) p)), which is 0 at p = 0
    pi = torch.as_tensor(pi, dtype=p.dtype, device=p.device)
    return (
        2
        * (1 - p)
        * (torch.special.xlogy(p, (1 - pi) * p + pi) - torch.special.xlogy(p, (1 - pi) * p))
        / -torch.log1p(-pi)
    )


@per_example_loss(emphasis=_js_emphasis, pi=Interval(0, 1, closed="neither"))
def js(logits: torch.Tensor, targets: torch.Tensor, *, pi: float | torch.Tensor = 0.5) -> torch.Tensor:
    r"""Jensen-Shannon divergence between label and prediction, scaled.

    With :math:`m = \pi e_y + (1 - \pi) p`,

    .. math::
        \ell = \frac{\pi \, KL(e_y \| m) + (1 - \pi) \, KL(p \| m)}{-(1 - \pi) \log(1 - \pi)}, \qquad
        \frac{\partial \ell}{\partial z} =
        \frac{p_y}{-\log(1 - \pi)} \log\left(1 + \frac{\pi}{(1 - \pi) p_y}\right) (p - e_y) .

    It sees the label's probability alone. :math:`\pi` leads from cross entropy (0) to :func:`mae` (1).

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    pi : float or tensor, default=0.5
        Weight of the label in the mixture, in (0, 1). One half is the divergence itself; the authors use 0.1 on
        clean labels up to 0.9 under heavy noise. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Englesson and Azizpour, Generalized Jensen-Shannon Divergence Loss for Learning with Noisy Labels, NeurIPS 2021.
    (Their loss over two augmented views needs two forward passes and is no function of one row.)

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import js
    >>> js(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.4524])
    """
    pi = over_samples(pi)
    scale = -log1p(-pi)

    def value(margin):
        p, away = probability(margin), miss(margin)
        log_mixture = torch.log1p(-(1 - pi) * away)  # of pi + (1 - pi) p
        # log(mixture / p), free of the cancellation of log p against the mixture's
        above = softplus(log(pi) - margin)
        label = -pi * log_mixture
        prediction = (1 - pi) * (away * scale - p * above)
        return (label + prediction) / ((1 - pi) * scale)

    return expected_value(value, logits, targets)
