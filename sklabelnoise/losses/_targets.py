"""Losses that design the target: cross entropy, smoothing, confidence penalty, bootstrapping."""

from __future__ import annotations

import math

import torch

from sklabelnoise.losses._declare import AT_LEAST_ZERO, Interval, OneOf, check_hyper_parameter, per_example_loss
from sklabelnoise.losses._log_odds import cross_entropy_of_labels, log_probabilities
from sklabelnoise.losses._margin import check_targets, over_samples


def entropy(log_proba):
    """Entropy in nats of log-probabilities along the last dimension."""
    return -(log_proba.exp() * log_proba).sum(-1)


def as_distribution(targets, n_classes, dtype):
    """Labels as one-hot rows of shape (..., n_samples, n_classes); soft targets as they are."""
    if targets.is_floating_point():
        return targets
    rows = torch.zeros(*targets.shape, n_classes, dtype=dtype, device=targets.device)
    return rows.scatter(-1, targets.unsqueeze(-1), 1.0)


def cross_entropy_of(log_proba, targets):
    """Cross entropy between labels or soft targets and log-probabilities, per example."""
    if targets.is_floating_point():
        return -(targets * log_proba).sum(-1)
    return -log_proba.gather(-1, targets.unsqueeze(-1)).squeeze(-1)


@per_example_loss(emphasis=lambda p: 2 * (1 - p))
def cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Cross entropy between the targets and the predicted probabilities.

    With :math:`p = \mathrm{softmax}(z)` and targets q (one-hot for labels),

    .. math::
        \ell = -\sum_k q_k \log p_k, \qquad \frac{\partial \ell}{\partial z} = p - q .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one).

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import cross_entropy
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    >>> cross_entropy(logits, torch.tensor([0, 1]))
    tensor([0.1269, 0.6931])
    >>> cross_entropy(logits, torch.tensor([[0.5, 0.5], [0.5, 0.5]]))
    tensor([1.1269, 0.6931])
    """
    logits, targets = check_targets(logits, targets)
    if not targets.is_floating_point():
        return cross_entropy_of_labels(logits, targets)
    return cross_entropy_of(log_probabilities(logits), targets)


def _smoothing_emphasis(p, *, smoothing, n_classes):
    return 2 * (p - (1 - smoothing + smoothing / n_classes)).abs()


@per_example_loss(emphasis=_smoothing_emphasis, smoothing=Interval(-math.inf, 1))
def label_smoothing(
    logits: torch.Tensor, targets: torch.Tensor, *, smoothing: float | torch.Tensor = 0.1
) -> torch.Tensor:
    r"""Cross entropy with targets mixed with the uniform distribution u.

    .. math::
        \ell = (1 - \epsilon) \, H(q, p) + \epsilon \, H(u, p), \qquad
        \frac{\partial \ell}{\partial z} = p - (1 - \epsilon) q - \epsilon u .

    A negative :math:`\epsilon` is *negative label smoothing*: it pushes the labels beyond one, suits high noise rates
    after a warm-up with cross entropy, and is unbounded below. Where classes are balanced it is, up to a factor, the
    expectation of the *peer loss*: cross entropy minus :math:`\alpha` times cross entropy with the label of a row drawn
    at random is :math:`1 - \alpha` times this loss at :math:`\epsilon = -\alpha / (1 - \alpha)`, for
    :math:`\alpha < 1`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one).
    smoothing : float or tensor, default=0.1
        :math:`\epsilon`, at most 1. 0 is cross entropy. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Szegedy et al., Rethinking the Inception Architecture for Computer Vision, CVPR 2016, Section 7 (0.1 is theirs).
    Wei et al., To Smooth or Not? When Label Smoothing Meets Noisy Labels, ICML 2022 (negative values).
    Liu and Guo, Peer Loss Functions: Learning from Noisy Labels without Knowing Noise Rates, ICML 2020.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import label_smoothing
    >>> label_smoothing(torch.tensor([[2.0, 0.0]]), torch.tensor([0]), smoothing=0.2)
    tensor([0.3269])
    """
    logits, targets = check_targets(logits, targets)
    smoothing = over_samples(smoothing)
    log_proba = log_probabilities(logits)
    return (1 - smoothing) * cross_entropy_of(log_proba, targets) - smoothing * log_proba.mean(-1)


@per_example_loss(uniform_remainder=True, strength=AT_LEAST_ZERO, rescale=OneOf((True, False)))
def confidence_penalty(
    logits: torch.Tensor, targets: torch.Tensor, *, strength: float | torch.Tensor = 0.1, rescale: bool = False
) -> torch.Tensor:
    r"""Cross entropy that rewards uncertain predictions.

    .. math::
        \ell = c \, H(q, p) - \epsilon \, H(p), \qquad
        \frac{\partial \ell}{\partial z} = c \, (p - q) + \epsilon \, p \odot (\log p + H(p))

    with :math:`c = 1`, the original form, or :math:`c = 1 - \epsilon` (``rescale=True``), the form the ProSelfLC paper
    compares with.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one).
    strength : float or tensor, default=0.1
        :math:`\epsilon`, at least 0 (and at most 1 with ``rescale=True``). A tensor broadcasts over the leading
        dimensions.
    rescale : bool, default=False
        Whether cross entropy is multiplied by :math:`1 - \epsilon`.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Pereyra et al., Regularizing Neural Networks by Penalizing Confident Output Distributions, ICLR 2017 workshop
    (0.1 is theirs). Wang et al., ProSelfLC, CVPR 2021, Eq. 4 (rescaled).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import confidence_penalty
    >>> logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([0])
    >>> confidence_penalty(logits, labels, strength=0.5)
    tensor([-0.0557])
    >>> confidence_penalty(logits, labels, strength=0.5, rescale=True)
    tensor([-0.1192])
    """
    if rescale:
        check_hyper_parameter("confidence_penalty with rescale=True", "strength", strength, Interval(0, 1))
    logits, targets = check_targets(logits, targets)
    strength = over_samples(strength)
    log_proba = log_probabilities(logits)
    scale = 1 - strength if rescale else 1.0
    return scale * cross_entropy_of(log_proba, targets) - strength * entropy(log_proba)


@per_example_loss(uniform_remainder=True, beta=Interval(0, 1))
def soft_bootstrapping(
    logits: torch.Tensor, targets: torch.Tensor, *, beta: float | torch.Tensor = 0.95
) -> torch.Tensor:
    r"""Cross entropy with targets mixed with the prediction itself.

    .. math::
        \ell = \beta H(q, p) + (1 - \beta) H(p), \qquad
        \frac{\partial \ell}{\partial z} = \beta (p - q) - (1 - \beta) \, p \odot (\log p + H(p)) .

    The target keeps its graph through p: the second term is the derivative of the entropy. With the prediction held
    constant only :math:`\beta (p - q)` would be left, cross entropy at a smaller learning rate.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one).
    beta : float or tensor, default=0.95
        Weight of the given targets, in [0, 1]. 1 is cross entropy. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    See Also
    --------
    proselflc : The same target with a weight that follows training time and confidence.

    References
    ----------
    Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping, ICLR 2015 workshop, soft form
    (0.95 is theirs). Wang et al., ProSelfLC, CVPR 2021, Eq. 5, with epsilon = 1 - beta.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import soft_bootstrapping
    >>> soft_bootstrapping(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), beta=0.5)
    tensor([1.2461])
    """
    logits, targets = check_targets(logits, targets)
    beta = over_samples(beta)
    log_proba = log_probabilities(logits)
    return beta * cross_entropy_of(log_proba, targets) + (1 - beta) * entropy(log_proba)


@per_example_loss(uniform_remainder=True, beta=Interval(0, 1))
def hard_bootstrapping(
    logits: torch.Tensor, targets: torch.Tensor, *, beta: float | torch.Tensor = 0.8
) -> torch.Tensor:
    r"""Cross entropy with targets mixed with the predicted class, one-hot and constant.

    With :math:`k^* = \arg\max_k p_k`,

    .. math::
        \ell = \beta H(q, p) - (1 - \beta) \log p_{k^*}, \qquad
        \frac{\partial \ell}{\partial z} = p - \beta q - (1 - \beta) e_{k^*} .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one).
    beta : float or tensor, default=0.8
        Weight of the given targets, in [0, 1]. 1 is cross entropy. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping, ICLR 2015 workshop, hard form
    (0.8 is theirs).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import hard_bootstrapping
    >>> hard_bootstrapping(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), beta=0.5)
    tensor([1.1269])
    """
    logits, targets = check_targets(logits, targets)
    beta = over_samples(beta)
    log_proba = log_probabilities(logits)
    return beta * cross_entropy_of(log_proba, targets) - (1 - beta) * log_proba.amax(-1)
