"""Negative learning: what the label is not."""

import torch.nn.functional as F

from sklabelnoise.losses._declare import per_example_loss
from sklabelnoise.losses._margin import check_targets, margins
from sklabelnoise.losses._targets import as_distribution


@per_example_loss(uniform_remainder=True)
def negative_learning(logits, targets):
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
