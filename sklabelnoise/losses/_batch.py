"""Losses of a whole batch: hard examples alone, and pairs that should not agree."""

from __future__ import annotations

import torch

from sklabelnoise.losses._declare import AT_LEAST_ZERO, DeclaredCriterion, Interval
from sklabelnoise.losses._log_odds import log_probabilities
from sklabelnoise.losses._margin import check_sample_weight, check_targets, weighted_mean
from sklabelnoise.losses._targets import as_distribution, cross_entropy, cross_entropy_of


class _BatchLoss(DeclaredCriterion):
    """What the losses of a batch share: plain cross entropy in evaluation mode."""

    def forward(self, logits, target, sample_weight=None):
        check_sample_weight(logits, sample_weight)
        if not self.training:
            return weighted_mean(cross_entropy(logits, target), sample_weight)
        logits, target = check_targets(logits, target)
        return self._value(logits, target, sample_weight)


class OHEMLoss(_BatchLoss):
    r"""Online hard example mining: cross entropy of the rows of a batch that have the largest.

    .. math::
        \ell = \frac{\sum_i h_i \, H(q_i, p_i)}{\sum_i h_i}, \qquad
        \frac{\partial \ell}{\partial z_i} = \frac{h_i (p_i - q_i)}{\sum_j h_j},

    where h is one for the hardest rows and zero for the others. Wrong labels are hard to fit, so it learns from them
    above all: it stands here as the opposite of a robust loss, with which papers compare.

    Parameters
    ----------
    keep : float, default=0.5
        Share of the batch that is kept, in (0, 1]; 1 is cross entropy. The original keeps 128 of some 2,000 regions of
        two images; what fits a batch of rows has no source.

    Notes
    -----
    Sample weights are masses: the hardest rows are kept until their weights add up to the share, so integer weights
    equal repetition. Leading (replica) dimensions are batches of their own.

    References
    ----------
    Shrivastava et al., Training Region-based Object Detectors with Online Hard Example Mining, CVPR 2016.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import OHEMLoss
    >>> OHEMLoss(keep=0.5)(torch.tensor([[2.0, 0.0], [2.0, 0.0]]), torch.tensor([0, 1]))
    tensor(2.1269)
    """

    hyper_parameters = {"keep": (0.5, Interval(0, 1, closed="right"))}

    def __init__(self, *, keep: float = 0.5):
        super().__init__(keep=keep)

    def _value(self, logits, target, sample_weight):
        values = cross_entropy_of(log_probabilities(logits), target)
        weight = torch.ones_like(values) if sample_weight is None else sample_weight.to(values).expand_as(values)
        order = values.detach().sort(dim=-1, descending=True, stable=True).indices
        mass = weight.gather(-1, order)
        keep = self.keep.unsqueeze(-1) if isinstance(self.keep, torch.Tensor) else self.keep
        room = keep * mass.sum(-1, keepdim=True) - (mass.cumsum(-1) - mass)
        kept = torch.zeros_like(weight).scatter(-1, order, torch.minimum(room.clamp_min(0.0), mass))
        return weighted_mean(values, kept)


class PeerLoss(_BatchLoss):
    r"""Peer loss: agreement with the labels, less agreement of predictions with labels of other rows.

    With :math:`\bar q` the mean of the batch's targets,

    .. math::
        \ell = \frac{1}{1 + \alpha} \left(H(q, p) - \alpha H(\bar q, p)\right), \qquad
        \frac{\partial \ell}{\partial z} = \frac{1}{1 + \alpha} \left(p - q - \alpha (p - \bar q)\right) .

    What noise adds to the labels of all rows alike cancels, without knowledge of its rate. With :math:`\alpha > 0` the
    loss is unbounded below: with C classes and a share r of wrong labels, predictions that are right and ever surer
    make it fall without end from :math:`\alpha = r C / (C - 1)` on, and training may come apart. The authors' code adds
    1e-5 to each probability, which bounds it, and keeps the epoch that predicts held-out labels best.

    Parameters
    ----------
    alpha : float, default=1.0
        :math:`\alpha` at the end of training, at least 0. The paper's theory takes 1 for balanced classes; the authors'
        code goes up to 5 or 20.
    start : float, default=0.06666666666666667
        Share of the training, in [0, 1], until which :math:`\alpha` is 0; from there it grows linearly. Epoch 20 of
        300 in the released code.

    Attributes
    ----------
    progress : float
        Share of the training iterations that are done; the training loop sets it before every batch.

    See Also
    --------
    label_smoothing : With a negative smoothing it is the same for balanced classes.

    Notes
    -----
    The original draws, for each row, the prediction of one other row and the label of another. This is the expectation
    over both draws from the batch, so nothing is random here. The factor is that by which the authors divide the
    learning rate.

    References
    ----------
    Liu and Guo, Peer Loss Functions: Learning from Noisy Labels without Knowing Noise Rates, ICML 2020, Eq. 4, and
    released code for several classes.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import PeerLoss
    >>> criterion = PeerLoss()
    >>> criterion.progress = 1.0
    >>> criterion(torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 1]))
    tensor(-0.5000)
    """

    hyper_parameters = {"alpha": (1.0, AT_LEAST_ZERO), "start": (20 / 300, Interval(0, 1))}

    def __init__(self, *, alpha: float = 1.0, start: float = 20 / 300):
        super().__init__(alpha=alpha, start=start)
        self.progress = 0.0

    def _value(self, logits, target, sample_weight):
        log_proba = log_probabilities(logits)
        own = weighted_mean(cross_entropy_of(log_proba, target), sample_weight)
        rows = as_distribution(target, logits.shape[-1], logits.dtype)
        over_classes = None if sample_weight is None else sample_weight.unsqueeze(-2)
        marginal = weighted_mean(rows.mT, over_classes)
        peers = -(marginal * weighted_mean(log_proba.mT, over_classes)).sum(-1)
        alpha = self.alpha * self._ramp()
        return (own - alpha * peers) / (1 + alpha)

    def _ramp(self):
        """Share of alpha at this progress."""
        done = float(self.progress >= 1)
        if isinstance(self.start, torch.Tensor):
            ramp = ((self.progress - self.start) / (1 - self.start)).clamp_min(0.0)
            return ramp.masked_fill(self.start >= 1, done)
        return done if self.start == 1 else max(0.0, (self.progress - self.start) / (1 - self.start))
