"""Loss correction: losses that undo a known transition matrix of the label noise."""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache

import torch
import torch.nn.functional as F

from sklabelnoise._compat import under_functorch_transforms
from sklabelnoise._foundation._types import ArrayLike
from sklabelnoise.losses._declare import Interval, TransitionMatrix, as_matrix, per_example_loss
from sklabelnoise.losses._log_odds import log_probabilities, with_derivative_of
from sklabelnoise.losses._margin import check_targets, expected_value, log, over_samples


def _prepared(loss, prepare, transition_matrix, logits):
    """What `prepare` makes of the transition matrix, in the logits' dtype and on their device.

    A tensor is used batch after batch, so this is kept: copies between devices, and an inverse, would be waited for.
    """
    is_tensor = isinstance(transition_matrix, torch.Tensor)
    matrix = transition_matrix if is_tensor else as_matrix(transition_matrix)
    n_classes = logits.shape[-1]
    if matrix.shape[-2:] != (n_classes, n_classes):
        raise ValueError(
            f"'transition_matrix' of {loss} must have shape {(n_classes, n_classes)} to go with logits of {n_classes} "
            f"classes, got shape {tuple(matrix.shape)}."
        )
    if matrix.is_inference():
        # made in a block of ``torch.inference_mode()``: it has no version, and may not be part of a graph
        return prepare(matrix.clone()).to(logits)
    if is_tensor and not matrix.requires_grad and not under_functorch_transforms():
        # the version notices a change in place
        return _kept(prepare, matrix, matrix._version, logits.dtype, logits.device)
    return prepare(matrix).to(logits)


@lru_cache(maxsize=8)
def _kept(prepare, matrix, version, dtype, device):
    return prepare(matrix).to(device, dtype)


def _as_given(matrix):
    return matrix


def _inverse(matrix):
    inverse, info = torch.linalg.inv_ex(matrix.double())
    if (info != 0).any() or torch.linalg.cond(matrix.double()).max() > 1e12:
        raise ValueError("'transition_matrix' of backward must be invertible, got a singular matrix.")
    return inverse


def _rows_of(matrix, labels):
    """Row y of the matrix for every label y, of shape (..., n_samples, n_classes)."""
    n_classes = matrix.shape[-1]
    matrix = matrix.expand(*labels.shape[:-1], n_classes, n_classes)
    return matrix.gather(-2, labels.unsqueeze(-1).expand(*labels.shape, n_classes))


def _symmetric_entries(noise_rate, n_classes):
    # T_yy - T_jy and T_jy of the symmetric matrix T
    flip = noise_rate / (n_classes - 1)
    return 1 - noise_rate - flip, flip


def _forward_symmetric_emphasis(p, *, noise_rate, n_classes):
    rise, flip = _symmetric_entries(noise_rate, n_classes)
    given = rise * p + flip
    return 2 * (1 - p) * torch.where(given == 0, 1.0, rise * p / given)


@per_example_loss(emphasis=_forward_symmetric_emphasis, noise_rate=Interval(0, 1, closed="left"))
def forward_symmetric(
    logits: torch.Tensor, targets: torch.Tensor, *, noise_rate: float | torch.Tensor = 0.2
) -> torch.Tensor:
    r"""Forward correction of symmetric noise.

    With :math:`T_{yy} = 1 - r` and :math:`T_{jy} = b = r / (C - 1)` the model's probability of the *given* label is
    :math:`b + (1 - r - b) p_y`, and

    .. math::
        \ell = -\log(b + (1 - r - b) p_y), \qquad
        \frac{\partial \ell}{\partial z} = \frac{p_y}{p_y + b / (1 - r - b)} (p - e_y) .

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    noise_rate : float or tensor, default=0.2
        r, the probability that a label is wrong, below (C - 1) / C. 0 is cross entropy. The default has no source:
        give the rate of your labels. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    See Also
    --------
    forward : The same for any transition matrix.

    References
    ----------
    Patrini et al., Making Deep Neural Networks Robust to Label Noise: A Loss Correction Approach, CVPR 2017, Theorem 2.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import forward_symmetric
    >>> forward_symmetric(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), noise_rate=0.2)
    tensor([1.3037])
    """
    n_classes = logits.shape[-1]
    limit = (n_classes - 1) / n_classes
    if not isinstance(noise_rate, torch.Tensor) and noise_rate >= limit:
        raise ValueError(
            f"'noise_rate' of forward_symmetric must be below {limit} with {n_classes} classes, got {noise_rate!r}: "
            "from there on the given label speaks against itself."
        )

    rise, flip = _symmetric_entries(over_samples(noise_rate), n_classes)

    def value(margin):
        # in logarithms, because p underflows where flip may be zero
        floor = margin.new_full((), log(flip)) if not isinstance(flip, torch.Tensor) else flip.log().to(margin)
        return -torch.logaddexp(floor, log(rise) + F.logsigmoid(margin))

    return expected_value(value, logits, targets)


@per_example_loss(transition_matrix=TransitionMatrix())
def forward(
    logits: torch.Tensor, targets: torch.Tensor, *, transition_matrix: ArrayLike | torch.Tensor
) -> torch.Tensor:
    r"""Forward correction: the prediction passes through the noise before it meets the label.

    .. math::
        \ell = -\log \sum_k p_k T_{ky}, \qquad
        \frac{\partial \ell}{\partial z} = p - s, \quad s_k \propto p_k T_{ky},

    where s is the posterior of the true class given the label. The optimum on noisy labels is the one cross entropy
    has on clean labels.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    transition_matrix : array or tensor of shape (n_classes, n_classes) or (..., n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``, rows sum to one, and every label can be given. The identity is cross
        entropy.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Patrini et al., Making Deep Neural Networks Robust to Label Noise: A Loss Correction Approach, CVPR 2017, Theorem 2.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import forward
    >>> matrix = torch.tensor([[0.8, 0.2], [0.2, 0.8]])
    >>> forward(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), transition_matrix=matrix)
    tensor([1.3037])
    """
    logits, targets = check_targets(logits, targets)
    matrix = _prepared("forward", _as_given, transition_matrix, logits)
    log_proba, top = log_probabilities(logits), logits.argmax(-1)
    if not targets.is_floating_point():
        weights = _rows_of(matrix.mT, targets)
        return _log_loss_of_mixture(log_proba, weights, weights.gather(-1, top.unsqueeze(-1)), dim=-1)
    # Every label in turn: an array of classes x labels x samples. Samples come last, where loops are long. No product
    # of matrices, though it would be less work: the likelihood of a label that the likeliest class never gives
    # underflows under any shift that the labels of a row have in common, and has to have its own, which only a look at
    # each label's classes finds; the derivative too counts from the likeliest class, which is another in every row.
    at_top = _rows_of(matrix, top).mT.unsqueeze(-3)
    values = _log_loss_of_mixture(log_proba.mT.contiguous().unsqueeze(-2), matrix.unsqueeze(-1), at_top, dim=-3)
    return (targets.mT * values).sum(-2)


def _log_loss_of_mixture(log_proba, weights, weight_of_top, dim):
    """-log(sum_k p_k t_k) for weights t in [0, 1], classes along `dim`; the weight of the likeliest of them is given.

    The derivative is p_k (sum_j p_j t_j - t_k) over the mixture. Where one class has nearly all of the probability, or
    classes have a weight in common, this cancels, unless weights count in their distance from the likeliest class's.
    """
    learned = weights.requires_grad
    log_p = log_proba if learned else log_proba.detach()
    # in logarithms, because weights of zero can leave probabilities that underflow
    value = _of_learned(log_p, weights, dim) if learned else -(log_p + weights.log()).logsumexp(dim)
    distance = (log_p.exp() * (1 - weights)).sum(dim)
    value = torch.where(distance < 0.5, -torch.log1p(-distance.clamp_max(0.5)), value)
    if learned:
        return value
    lift = weights - weight_of_top
    by_class = (lift * (log_p + value.unsqueeze(dim)).exp_()).masked_fill_(lift == 0, 0.0)
    return with_derivative_of(value, -torch.log1p((by_class * torch.expm1(log_proba - log_p)).sum(dim)))


def _of_learned(log_p, weights, dim):
    """-log(sum_k p_k t_k) for weights that have a derivative, which the logarithm of zero has not."""
    zero = weights == 0
    log_weights = weights.masked_fill(zero, 1.0).log().masked_fill(zero, -torch.inf)
    value = -(log_p + log_weights).logsumexp(dim)
    # -p_k over the mixture, at most what float32 has a number for
    slope = (log_p + value.unsqueeze(dim)).detach().clamp_max(80.0).exp()
    return value - (slope * weights.masked_fill(~zero, 0.0)).sum(dim)


@per_example_loss(transition_matrix=TransitionMatrix(invertible=True))
def backward(
    logits: torch.Tensor, targets: torch.Tensor, *, transition_matrix: ArrayLike | torch.Tensor
) -> torch.Tensor:
    r"""Backward correction: cross entropy with targets multiplied by the inverse of the transition matrix.

    With t the row y of :math:`T^{-1}`, which sums to one,

    .. math::
        \ell = -\sum_k t_k \log p_k, \qquad \frac{\partial \ell}{\partial z} = p - t .

    Its expectation over the noise is cross entropy on clean labels, but t has negative entries: the loss may be
    negative and is unbounded below.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    transition_matrix : array or tensor of shape (n_classes, n_classes) or (..., n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``, rows sum to one, invertible. The identity is cross entropy.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Patrini et al., Making Deep Neural Networks Robust to Label Noise: A Loss Correction Approach, CVPR 2017, Theorem 1.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import backward
    >>> matrix = torch.tensor([[0.8, 0.2], [0.2, 0.8]])
    >>> backward(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), transition_matrix=matrix)
    tensor([2.7936])
    """
    logits, targets = check_targets(logits, targets)
    inverse = _prepared("backward", _inverse, transition_matrix, logits)
    log_proba = log_probabilities(logits)
    if not targets.is_floating_point():
        return -(_rows_of(inverse, targets) * log_proba).sum(-1)
    device = logits.device.type
    # which would run the product in half precision
    has_autocast = torch.amp.is_autocast_available(device)
    with torch.autocast(device, enabled=False) if has_autocast else nullcontext():
        corrected = targets @ inverse
    return -(corrected * log_proba).sum(-1)
