"""Asymmetric losses: bounded losses of the label's probability that keep the likeliest label the best one."""

from __future__ import annotations

import torch

from sklabelnoise.losses._declare import ABOVE_ONE, POSITIVE, per_example_loss
from sklabelnoise.losses._log_odds import miss, one_minus_exp, probability
from sklabelnoise.losses._margin import expected_value, over_samples


@per_example_loss(
    emphasis=lambda p, *, a, q: 2 * p * (1 - p) * (a + p) ** (q - 1),
    a=POSITIVE,
    q=POSITIVE,
)
def agce(
    logits: torch.Tensor, targets: torch.Tensor, *, a: float | torch.Tensor = 0.6, q: float | torch.Tensor = 0.6
) -> torch.Tensor:
    r"""Asymmetric generalized cross entropy.

    .. math::
        \ell = \frac{(a + 1)^q - (a + p_y)^q}{q}, \qquad
        \frac{\partial \ell}{\partial z} = p_y (a + p_y)^{q - 1} (p - e_y) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    a, q : float or tensor, default=0.6
        Positive. The defaults are the authors' for CIFAR; for MNIST they take 4 and 0.2. Tensors broadcast over the
        leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, and released code.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import agce
    >>> agce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.8420])
    """
    a, q = over_samples(a), over_samples(q)
    # ((a + 1)^q - (a + 1 - miss)^q) / q: no cancellation for fitted labels
    return expected_value(
        lambda margin: (a + 1) ** q * one_minus_exp(q * torch.log1p(-miss(margin) / (a + 1))) / q,
        logits,
        targets,
    )


@per_example_loss(
    emphasis=lambda p, *, a, q: 2 * p * (1 - p) * (a - p) ** (q - 1),
    a=ABOVE_ONE,
    q=POSITIVE,
)
def aue(
    logits: torch.Tensor, targets: torch.Tensor, *, a: float | torch.Tensor = 5.5, q: float | torch.Tensor = 3.0
) -> torch.Tensor:
    r"""Asymmetric unhinged loss.

    .. math::
        \ell = \frac{(a - p_y)^q - (a - 1)^q}{q}, \qquad
        \frac{\partial \ell}{\partial z} = p_y (a - p_y)^{q - 1} (p - e_y) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    a : float or tensor, default=5.5
        Above 1.
    q : float or tensor, default=3.0
        Positive. The defaults are the authors' for CIFAR; for MNIST they take a = 3 and q = 0.1. Tensors broadcast
        over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, and released code.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import aue
    >>> aue(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([21.5550])
    """
    a, q = over_samples(a), over_samples(q)
    # ((a - 1 + miss)^q - (a - 1)^q) / q through expm1 and log1p: no cancellation for fitted labels
    return expected_value(
        lambda margin: (a - 1) ** q * torch.expm1(q * torch.log1p(miss(margin) / (a - 1))) / q,
        logits,
        targets,
    )


@per_example_loss(emphasis=lambda p, *, a: 2 * p * (1 - p) * (-p / a).exp() / a, a=POSITIVE)
def ael(logits: torch.Tensor, targets: torch.Tensor, *, a: float | torch.Tensor = 2.5) -> torch.Tensor:
    r"""Asymmetric exponential loss.

    .. math::
        \ell = e^{-p_y / a}, \qquad \frac{\partial \ell}{\partial z} = \frac{p_y e^{-p_y / a}}{a} (p - e_y) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    a : float or tensor, default=2.5
        Positive. The default is the authors' for CIFAR; for MNIST they take 3.5. A tensor broadcasts over the leading
        dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, and released code.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import ael
    >>> ael(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.9534])
    """
    a = over_samples(a)
    return expected_value(lambda margin: torch.exp(-probability(margin) / a), logits, targets)
