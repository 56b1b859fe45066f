"""Losses that see the label's probability alone: a loss of this kind is cross entropy with its own example weights."""

import torch
import torch.nn.functional as F

from sklabelnoise.losses._declare import Interval, per_example_loss
from sklabelnoise.losses._margin import expected_value, over_samples


@per_example_loss(emphasis=lambda p: 2 * p * (1 - p))
def mae(logits, targets):
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
    Manipulation, 2020, Eq. 2.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import mae
    >>> mae(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([0.8808])
    """
    return expected_value(lambda margin: (-margin).sigmoid(), logits, targets)


@per_example_loss(emphasis=lambda p: 4 * p * (1 - p) ** 2)
def mse(logits, targets):
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
    return expected_value(lambda margin: (-margin).sigmoid().square(), logits, targets)


@per_example_loss(emphasis=lambda p, *, q: 2 * p**q * (1 - p), q=Interval(0, 1, closed="right"))
def gce(logits, targets, *, q=0.7):
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
    2018, Eq. 6 (0.7 is theirs).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import gce
    >>> gce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.1062])
    """
    q = over_samples(q)
    # 1 - p^q through expm1: no cancellation for fitted labels or a small q
    return expected_value(lambda margin: -torch.expm1(q * F.logsigmoid(margin)) / q, logits, targets)
