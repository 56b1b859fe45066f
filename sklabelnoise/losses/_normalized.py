"""Normalized losses: a loss divided by the sum of its values over all labels, which makes it symmetric."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from sklabelnoise.losses._declare import AT_LEAST_ZERO, Interval, OneOf, per_example_loss
from sklabelnoise.losses._log_odds import log_probabilities, margins, one_minus_exp, with_derivative_of
from sklabelnoise.losses._margin import check_targets, common_target, over_classes
from sklabelnoise.losses._robust import mae


def _share(values, targets):
    """Share of the targets' value in the sum over all labels; linear in soft targets."""
    if targets.is_floating_point():
        share = (targets * values).sum(-1) / values.sum(-1)
        common = common_target(targets, share.detach())
        centered = ((targets - common) * values).sum(-1) / values.sum(-1)
        return with_derivative_of(share, centered + common.squeeze(-1))
    # The label's value apart from the others: the derivative of its share is the sum of the others over the total's
    # square, which torch finds as a difference that is lost where the value is nearly the whole.
    index = targets.unsqueeze(-1)
    value, others = values.gather(-1, index).squeeze(-1), values.scatter(-1, index, 0.0).sum(-1)
    total = value + others
    return torch.where(value < others, value / total, 1 - others / total)


def _nce_emphasis(p, *, n_classes):
    label = p.log()
    rest = label + (n_classes - 1) * ((1 - p) / (n_classes - 1)).log()
    weight = 2 * ((1 - p) / rest - label * (1 - n_classes * p) / rest**2).abs()
    return torch.where(p == 0, 0.0, weight)


@per_example_loss(emphasis=_nce_emphasis)
def nce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Normalized cross entropy.

    .. math::
        \ell = \frac{\log p_y}{\sum_j \log p_j}, \qquad
        \frac{\partial \ell}{\partial z} = \frac{e_y - p}{S} - \frac{\log p_y}{S^2} (\mathbb{1} - C p),
        \quad S = \sum_j \log p_j .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nce
    >>> nce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.9437])
    """
    logits, targets = check_targets(logits, targets)
    return _share(-log_probabilities(logits), targets)


@per_example_loss(uniform_remainder=True, gamma=AT_LEAST_ZERO, detached=OneOf((True, False)))
def nfl(
    logits: torch.Tensor, targets: torch.Tensor, *, gamma: float | torch.Tensor = 0.5, detached: bool = False
) -> torch.Tensor:
    r"""Normalized focal loss.

    With :math:`f_j = -(1 - p_j)^\gamma \log p_j` and :math:`F = \sum_j f_j`,

    .. math::
        \ell = \frac{f_y}{F}, \qquad
        \frac{\partial \ell}{\partial z} = \frac{1}{F} \left(\frac{\partial f_y}{\partial z}
        - \ell \sum_j \frac{\partial f_j}{\partial z}\right) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    gamma : float or tensor, default=0.5
        At least 0; 0 is :func:`nce`. A tensor broadcasts over the leading dimensions.
    detached : bool, default=False
        Whether the factors :math:`(1 - p_j)^\gamma` are held constant in the backward pass, as the authors' code does.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020, and released code (0.5).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nfl
    >>> nfl(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.9785])
    """
    logits, targets = check_targets(logits, targets)
    margin = margins(logits)
    factor = (over_classes(gamma) * F.logsigmoid(-margin)).exp()
    return _share(-(factor.detach() if detached else factor) * F.logsigmoid(margin), targets)


@per_example_loss(uniform_remainder=True, q=Interval(0, 1, closed="right"))
def ngce(logits: torch.Tensor, targets: torch.Tensor, *, q: float | torch.Tensor = 0.7) -> torch.Tensor:
    r"""Normalized generalized cross entropy.

    .. math::
        \ell = \frac{1 - p_y^q}{C - \sum_j p_j^q}, \qquad
        \frac{\partial \ell}{\partial z} = \frac{q}{G} \left(p_y^q (p - e_y)
        - \ell \sum_j p_j^q (p - e_j)\right), \quad G = C - \sum_j p_j^q .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    q : float or tensor, default=0.7
        In (0, 1], as in :func:`gce`. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020.
    Zhang and Sabuncu, Generalized Cross Entropy Loss, NeurIPS 2018 (0.7).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import ngce
    >>> ngce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.9011])
    """
    logits, targets = check_targets(logits, targets)
    return _share(one_minus_exp(over_classes(q) * log_probabilities(logits)), targets)


def _nmae_emphasis(p, *, n_classes):
    return 2 * p * (1 - p) / (n_classes - 1)


@per_example_loss(emphasis=_nmae_emphasis)
def nmae(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Normalized mean absolute error.

    .. math::
        \ell = \frac{1 - p_y}{C - 1}, \qquad \frac{\partial \ell}{\partial z} = \frac{p_y}{C - 1} (p - e_y) .

    :func:`mae` is symmetric already, so this only changes its scale.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nmae
    >>> nmae(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.8808])
    """
    return mae(logits, targets) / (logits.shape[-1] - 1)


@per_example_loss(emphasis=_nmae_emphasis)
def nrce(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Normalized reverse cross entropy, which is the normalized mean absolute error.

    The constant of :func:`rce` cancels, so it equals :func:`nmae`,

    .. math::
        \ell = \frac{1 - p_y}{C - 1}, \qquad \frac{\partial \ell}{\partial z} = \frac{p_y}{C - 1} (p - e_y) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020. Their
    code multiplies by (C - 1) / 4, where the sum over all labels asks for division by abs(A) (C - 1).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nrce
    >>> nrce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.8808])
    """
    return nmae(logits, targets)
