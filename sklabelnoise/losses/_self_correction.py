"""Progressive self label correction: targets that trust the model as training goes on and as it grows confident."""

from __future__ import annotations

import math
from typing import Literal

import torch

from sklabelnoise.losses._declare import POSITIVE, Interval, check_hyper_parameter, own_number, per_example_loss
from sklabelnoise.losses._log_odds import log_probabilities
from sklabelnoise.losses._margin import (
    at_least_float32,
    check_sample_weight,
    check_targets,
    over_classes,
    over_samples,
    weighted_mean,
)
from sklabelnoise.losses._protocol import Criterion
from sklabelnoise.losses._targets import as_distribution, cross_entropy, cross_entropy_of, entropy

LOCAL_TRUSTS = ("entropy", "max", "none")
_DOMAINS = {
    "progress": Interval(0, 1),
    "slope": POSITIVE,
    "midpoint": Interval(),
    "temperature": POSITIVE,
}


def global_trust(
    progress: float | torch.Tensor, *, slope: float | torch.Tensor = 10.0, midpoint: float | torch.Tensor = 0.5
) -> float | torch.Tensor:
    r"""Trust in the model as a whole, a logistic function of training progress.

    .. math::
        g(t) = \frac{1}{1 + \exp(-B (t - \rho))}

    Parameters
    ----------
    progress : float or tensor
        Share of the training iterations that are done, t in [0, 1].
    slope : float or tensor, default=10.0
        B, positive: how fast trust is transferred. The paper tries 8 to 16, smaller for more noise.
    midpoint : float or tensor, default=0.5
        :math:`\rho`, the progress at which the trust is one half; 1/2 in the paper, free in the released code.

    Returns
    -------
    trust : float or tensor
        In (0, 1); a tensor where an argument is one.

    References
    ----------
    Wang et al., ProSelfLC: Progressive Self Label Correction for Training Robust Deep Neural Networks, CVPR 2021,
    Eq. 7.

    Examples
    --------
    >>> from sklabelnoise.losses import global_trust
    >>> [round(global_trust(t), 4) for t in (0.0, 0.5, 1.0)]
    [0.0067, 0.5, 0.9933]
    """
    progress, slope, midpoint = map(own_number, (progress, slope, midpoint))
    exponent = slope * (progress - midpoint)
    if isinstance(exponent, torch.Tensor):
        return exponent.sigmoid()
    return 0.5 * (1 + math.tanh(exponent / 2))  # the logistic function without overflow


def local_trust(
    logits: torch.Tensor,
    *,
    kind: Literal["entropy", "max", "none"] | None = "entropy",
    temperature: float | torch.Tensor = 1.0,
) -> torch.Tensor:
    r"""Trust in the prediction for each example, from its confidence.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    kind : {'entropy', 'max', 'none'} or None, default='entropy'
        'entropy' is one minus the entropy of the prediction over that of the uniform distribution,
        :math:`1 - H(p) / \log C`; 'max' is the largest probability; 'none' (or None) is 1, global trust only.
    temperature : float or tensor, default=1.0
        The prediction is the softmax of the logits divided by it. A tensor broadcasts over the leading dimensions.

    Returns
    -------
    trust : tensor of shape (..., n_samples)
        In [0, 1].

    References
    ----------
    Wang et al., ProSelfLC, CVPR 2021, Eq. 7 (entropy); released code of Wang et al., ProSelfLC: Progressive Self Label
    Correction Towards A Low-Temperature Entropy State, arXiv:2207.00118 (maximum).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import local_trust
    >>> logits = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    >>> local_trust(logits)
    tensor([0.0000, 0.4729])
    >>> local_trust(logits, kind="max")
    tensor([0.5000, 0.8808])
    """
    kind = _check_kind(kind)
    return _trust_in(_tempered(at_least_float32(logits), temperature), kind)


def _tempered(logits, temperature):
    """Log-probabilities at a temperature; nothing is divided by one, which would cost a pass over the logits."""
    if isinstance(temperature, torch.Tensor) or temperature != 1:
        logits = logits / over_classes(temperature)
    return log_probabilities(logits)


def _trust_in(log_proba, kind, uncertainty=None):
    """Local trust in log-probabilities, whose entropy may be at hand already."""
    if kind == "none":
        return torch.ones_like(log_proba[..., 0])
    if kind == "max":
        return log_proba.amax(-1).exp()
    uncertainty = entropy(log_proba) if uncertainty is None else uncertainty
    # rounding may take the entropy of a uniform prediction above log C
    return (1 - uncertainty / math.log(log_proba.shape[-1])).clamp(0, 1)


def _check_kind(kind):
    kind = "none" if kind is None else kind
    if kind not in LOCAL_TRUSTS:
        raise ValueError(f"local_trust must be one of {LOCAL_TRUSTS} or None, got {kind!r}.")
    return kind


def _check_detach(detach_target, temperature):
    if detach_target and not isinstance(temperature, torch.Tensor) and temperature >= 1:
        raise ValueError(
            "detach_target=True needs a temperature below 1, got "
            f"{temperature!r}: with a constant target at temperature 1 the derivative is (1 - trust) * (p - q), so "
            "the method degenerates into weighted cross entropy and corrects no label."
        )


def corrected_targets(
    logits: torch.Tensor,
    targets: torch.Tensor,
    trust: float | torch.Tensor,
    *,
    temperature: float | torch.Tensor = 1.0,
    detach: bool = False,
) -> torch.Tensor:
    r"""Targets mixed with the prediction, :math:`\tilde q = (1 - \epsilon) q + \epsilon p_T`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one).
    trust : float or tensor of shape (..., n_samples)
        :math:`\epsilon` in [0, 1], the weight of the prediction.
    temperature : float or tensor, default=1.0
        The prediction is the softmax of the logits divided by it; below 1 it is sharper. A tensor broadcasts over the
        leading dimensions.
    detach : bool, default=False
        Whether the prediction is held constant in the backward pass.

    Returns
    -------
    corrected : tensor of shape (..., n_samples, n_classes)

    References
    ----------
    Wang et al., ProSelfLC, CVPR 2021, Eq. 7.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import corrected_targets
    >>> corrected_targets(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), 0.5)
    tensor([[0.4404, 0.5596]])
    """
    logits, targets = check_targets(logits, targets)
    given = as_distribution(targets, logits.shape[-1], logits.dtype)
    predicted = _tempered(logits.detach() if detach else logits, temperature).exp()
    trust = trust.unsqueeze(-1) if isinstance(trust, torch.Tensor) else trust
    return (1 - trust) * given + trust * predicted


@per_example_loss(**_DOMAINS)
def proselflc(
    logits: torch.Tensor,
    targets: torch.Tensor,
    *,
    progress: float | torch.Tensor,
    slope: float | torch.Tensor = 10.0,
    midpoint: float | torch.Tensor = 0.5,
    temperature: float | torch.Tensor = 1.0,
    local_trust: Literal["entropy", "max", "none"] | None = "entropy",
    detach_target: bool = False,
) -> torch.Tensor:
    r"""Cross entropy with progressively self-corrected targets.

    The target of an example is :math:`\tilde q = (1 - \epsilon) q + \epsilon p_T`, where :math:`p_T` is the prediction
    at a temperature and the trust :math:`\epsilon = g(t) \, l(p_T)` the product of :func:`global_trust` and
    :func:`local_trust`, a constant of the backward pass. At temperature 1

    .. math::
        \ell = -\sum_k \tilde q_k \log p_k, \qquad
        \frac{\partial \ell}{\partial z} = (1 - \epsilon) (p - q) - \epsilon \, p \odot (\log p + H(p)),

    because the target keeps its graph through p: the second term minimizes the entropy of confident predictions. With
    ``detach_target=True``, which needs a temperature below 1, the derivative is
    :math:`(1 - \epsilon) (p - q) + \epsilon (p - p_T)`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one).
    progress : float or tensor
        Share of the training iterations that are done, in [0, 1].
    slope : float or tensor, default=10.0
        Of :func:`global_trust`.
    midpoint : float or tensor, default=0.5
        Of :func:`global_trust`.
    temperature : float or tensor, default=1.0
        Of the prediction in the target and in the local trust, positive.
    local_trust : {'entropy', 'max', 'none'} or None, default='entropy'
        Kind of :func:`local_trust`.
    detach_target : bool, default=False
        Whether the prediction in the target is held constant in the backward pass. At a temperature of 1 or more
        that would leave :math:`(1 - \epsilon)(p - q)`, weighted cross entropy, and is an error.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    Raises
    ------
    ValueError
        If ``detach_target`` goes with a temperature of at least 1, or ``local_trust`` is unknown.

    Notes
    -----
    Tensors given for ``progress``, ``slope``, ``midpoint`` and ``temperature`` broadcast over the leading (replica)
    dimensions.

    References
    ----------
    Wang et al., ProSelfLC, CVPR 2021, Eq. 7. The gradient follows the released code, which keeps the graph. The form
    with a constant target at a low temperature is that of arXiv:2207.00118.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import proselflc
    >>> logits, labels = torch.tensor([[2.0, 0.0]]), torch.tensor([1])
    >>> proselflc(logits, labels, progress=0.0)
    tensor([2.1214])
    >>> proselflc(logits, labels, progress=1.0)
    tensor([1.2994])
    """
    _check_detach(detach_target, temperature)
    logits, targets = check_targets(logits, targets)
    kind = _check_kind(local_trust)
    log_proba = log_probabilities(logits)
    # cross entropy is linear in its target: no corrected rows are formed
    if isinstance(temperature, torch.Tensor) or temperature != 1:
        predicted = _tempered(logits.detach() if detach_target else logits, temperature)
        self_entropy = cross_entropy_of(log_proba, predicted.exp())
        trust = _trust_in(predicted.detach(), kind)
    else:
        self_entropy = entropy(log_proba)
        trust = _trust_in(log_proba.detach(), kind, uncertainty=self_entropy.detach())
    trust = over_samples(global_trust(progress, slope=slope, midpoint=midpoint)) * trust
    return (1 - trust) * cross_entropy_of(log_proba, targets) + trust * self_entropy


class ProSelfLCLoss(Criterion):
    """Criterion of progressive self label correction, see :func:`proselflc`.

    Parameters
    ----------
    slope : float or tensor, default=10.0
        Of :func:`global_trust`.
    midpoint : float or tensor, default=0.5
        Of :func:`global_trust`.
    temperature : float or tensor, default=1.0
        Of the prediction in the target and in the local trust.
    local_trust : {'entropy', 'max', 'none'} or None, default='entropy'
        Kind of :func:`local_trust`.
    detach_target : bool, default=False
        Whether the prediction in the target is held constant in the backward pass; needs a temperature below 1.

    Attributes
    ----------
    progress : float or tensor
        Share of the training iterations that are done, in [0, 1]; the training loop sets it before every batch.
        Starts at 0.

    Notes
    -----
    ``forward(logits, target, sample_weight=None)`` returns the weighted mean over the samples, one value per replica.
    In evaluation mode it is plain cross entropy.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import ProSelfLCLoss
    >>> criterion = ProSelfLCLoss(slope=12.0)
    >>> criterion.progress = 0.75
    >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor(1.3333)
    """

    def __init__(
        self,
        *,
        slope: float | torch.Tensor = 10.0,
        midpoint: float | torch.Tensor = 0.5,
        temperature: float | torch.Tensor = 1.0,
        local_trust: Literal["entropy", "max", "none"] | None = "entropy",
        detach_target: bool = False,
    ):
        super().__init__()
        self.slope, self.midpoint, self.temperature = (
            check_hyper_parameter("ProSelfLCLoss", name, value, _DOMAINS[name])
            for name, value in (("slope", slope), ("midpoint", midpoint), ("temperature", temperature))
        )
        _check_kind(local_trust)
        _check_detach(detach_target, temperature)
        self.local_trust = local_trust
        self.detach_target = detach_target
        self.progress = 0.0

    def forward(self, logits, target, sample_weight=None):
        check_sample_weight(logits, sample_weight)
        if not self.training:
            return weighted_mean(cross_entropy(logits, target), sample_weight)
        values = proselflc(
            logits,
            target,
            progress=self.progress,
            slope=self.slope,
            midpoint=self.midpoint,
            temperature=self.temperature,
            local_trust=self.local_trust,
            detach_target=self.detach_target,
        )
        return weighted_mean(values, sample_weight)

    def trust(self, logits, progress):
        overall = global_trust(progress, slope=self.slope, midpoint=self.midpoint).to(logits.device)
        return overall * local_trust(logits, kind=self.local_trust, temperature=self.temperature)

    def extra_repr(self):
        return (
            f"slope={self.slope}, midpoint={self.midpoint}, temperature={self.temperature}, "
            f"local_trust={self.local_trust!r}, detach_target={self.detach_target}"
        )
