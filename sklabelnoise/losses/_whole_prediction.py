"""The Brier score, a bounded loss of the whole prediction."""

from sklabelnoise.losses._declare import per_example_loss
from sklabelnoise.losses._margin import check_targets, margins


@per_example_loss(uniform_remainder=True)
def brier(logits, targets):
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
    margin = margins(logits)
    p, miss = margin.sigmoid(), (-margin).sigmoid()
    if targets.is_floating_point():
        # sum over k of q_k (|p|^2 - p_k^2 + (1 - p_k)^2), and the difference of the squares is 1 - 2 p_k
        return p.square().sum(-1) + (targets * (miss - p)).sum(-1)
    index = targets.unsqueeze(-1)
    return p.scatter(-1, index, miss.gather(-1, index)).square().sum(-1)
