"""Losses of the whole prediction: the Brier score, and negative learning, which says what the label is not."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from sklabelnoise.losses._declare import per_example_loss
from sklabelnoise.losses._log_odds import label_margin, log_probabilities, margins, miss, probability
from sklabelnoise.losses._margin import check_targets
from sklabelnoise.losses._targets import as_distribution


@per_example_loss(uniform_remainder=True)
def brier(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Brier score: squared distance between label and prediction.

    .. math::
        \ell = \|p - e_y\|_2^2, \qquad
        \frac{\partial \ell}{\partial z} = 2 p \odot \left(p - e_y - \langle p, p - e_y \rangle\right) .

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
    mse : The square of one minus the label's probability alone.

    References
    ----------
    Brier, Verification of Forecasts Expressed in Terms of Probability, Monthly Weather Review 78, 1950. Ghosh et al.,
    Robust Loss Functions under Label Noise for Deep Neural Networks, AAAI 2017 (as a loss under label noise).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import brier
    >>> brier(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.5516])
    """
    logits, targets = check_targets(logits, targets)
    if targets.is_floating_point():
        # sum over k of q_k (|p|^2 - p_k^2 + (1 - p_k)^2), term by term so that none is the difference of two
        margin = margins(logits)
        return ((1 - targets) * probability(margin).square() + targets * miss(margin).square()).sum(-1)
    p = log_probabilities(logits).exp()
    away = miss(label_margin(logits, targets))
    return p.scatter(-1, targets.unsqueeze(-1), away.unsqueeze(-1)).square().sum(-1)


@per_example_loss(uniform_remainder=True)
def negative_learning(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    r"""Negative learning: a class drawn from the others is not the label.

    .. math::
        \ell = -\frac{1}{C - 1} \sum_{k \ne y} \log(1 - p_k), \qquad
        \frac{\partial \ell}{\partial z} = \frac{1}{C - 1} \sum_{k \ne y} \frac{p_k}{1 - p_k} (e_k - p) .

    This is the expectation over the class that the original draws at random for each example, so nothing is random
    here. A wrong label seldom makes the statement wrong, but each says little: it learns slowly with many classes.

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
    Kim et al., NLNL: Negative Learning for Noisy Labels, ICCV 2019.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import negative_learning
    >>> negative_learning(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([2.1269])
    """
    logits, targets = check_targets(logits, targets)
    others = 1 - as_distribution(targets, logits.shape[-1], logits.dtype)
    return -(others * F.logsigmoid(-margins(logits))).sum(-1) / (logits.shape[-1] - 1)
