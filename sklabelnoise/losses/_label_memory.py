"""Losses that learn the labels of the training rows beside the network: joint optimization, PENCIL and SOP."""

from __future__ import annotations

import math

import torch

from sklabelnoise.losses._declare import AT_LEAST_ZERO, POSITIVE, Integers, Interval
from sklabelnoise.losses._log_odds import log_probabilities
from sklabelnoise.losses._stateful import RowLoss
from sklabelnoise.losses._targets import as_distribution, cross_entropy_of, entropy


class JointOptimizationLoss(RowLoss):
    r"""Joint optimization: the labels of the rows become the mean of the model's own last predictions.

    With s the label of a row, a constant of the backward pass, :math:`\bar p` the mean prediction of the batch and
    :math:`p_0` the uniform distribution over C classes,

    .. math::
        \ell = H(s, p) - \alpha \sum_k p_{0k} \log \bar p_k + \beta H(p), \qquad
        \frac{\partial \ell}{\partial z} = p - s - \alpha \, p \odot (r - \langle r, p \rangle)
        - \beta \, p \odot (\log p + H(p)), \quad r_k = \frac{1}{C \, \bar p_k} .

    The second term keeps all rows from becoming one class, the third makes predictions sure. Until ``start`` s is the
    given label; then it is the mean of what the model predicted of the row at its last ``window`` visits.

    Parameters
    ----------
    alpha : float, default=1.2
        Weight of the prior, at least 0.
    beta : float, default=0.8
        Weight of the entropy, at least 0. The defaults are the authors' for symmetric noise of 70 %; for asymmetric
        noise of 40 % they take 0.8 and 0.4.
    start : float, default=0.35
        Share of the training before labels are replaced, in [0, 1]: epoch 70 of 200.
    window : int, default=10
        Visits of a row that its label is the mean of.

    Attributes
    ----------
    progress : float
        Share of the training iterations that are done; the training loop sets it before every batch.
    predictions : tensor of shape (n_samples, window, n_classes)
        The last predictions of each row, after ``prepare``.
    n_visits : tensor of shape (n_samples,)
        How often each row was seen.

    Notes
    -----
    The paper then trains another network on the labels found: ``labels()``, as ``soft_labels`` of a classifier. The
    learning rate is to be high and constant until then, so that labels are not memorized before they are replaced.

    References
    ----------
    Tanaka et al., Joint Optimization Framework for Learning with Noisy Labels, CVPR 2018, Eqs. 3 to 9, and released
    code.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import JointOptimizationLoss
    >>> criterion = JointOptimizationLoss()
    >>> criterion.prepare(n_samples=10, n_classes=2)
    >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), indices=torch.tensor([4]))
    tensor(3.7715)
    """

    hyper_parameters = {
        "alpha": (1.2, AT_LEAST_ZERO),
        "beta": (0.8, AT_LEAST_ZERO),
        "start": (0.35, Interval(0, 1)),
        "window": (10, Integers(1)),
    }

    def __init__(self, *, alpha: float = 1.2, beta: float = 0.8, start: float = 0.35, window: int = 10):
        super().__init__(alpha=alpha, beta=beta, start=start, window=window)
        self.progress = 0.0

    def _make_memory(self, n_samples, n_classes, *, device, dtype):
        memory = torch.zeros(n_samples, self.window, n_classes, device=device, dtype=dtype)
        self.register_buffer("predictions", memory, persistent=False)
        self.register_buffer("n_visits", torch.zeros(n_samples, device=device, dtype=torch.long), persistent=False)

    def labels(self, indices=slice(None)):
        """Mean of the remembered predictions of rows, of shape (n_rows, n_classes); zeros where there are none."""
        seen = self.n_visits[indices].clamp(1, self.window)
        return self.predictions[indices].sum(-2) / seen.unsqueeze(-1)

    def _values(self, logits, target, indices, sample_weight):
        log_proba = log_probabilities(logits)
        proba = log_proba.exp()
        given = as_distribution(target, logits.shape[-1], logits.dtype)
        visits = self.n_visits[indices]
        if self.progress >= self.start:
            given = torch.where((visits > 0).unsqueeze(-1), self.labels(indices).to(given), given)
        with torch.no_grad():
            self.predictions[indices, visits % self.window] = proba.to(self.predictions.dtype)
            self.n_visits[indices] = visits + 1
        prior = -_log_mean(log_proba, sample_weight).mean(-1)
        return cross_entropy_of(log_proba, given) + self.alpha * prior + self.beta * entropy(log_proba)


def _log_mean(log_proba, sample_weight):
    """Logarithm of the mean prediction of a batch, in logarithms because no row may be left to give a class any."""
    if sample_weight is None:
        return log_proba.logsumexp(-2) - math.log(max(log_proba.shape[-2], 1))
    log_weight = sample_weight.to(log_proba.dtype).clamp_min(torch.finfo(log_proba.dtype).tiny).log()
    return (log_proba + log_weight.unsqueeze(-1)).logsumexp(-2) - log_weight.logsumexp(-1)


class PENCILLoss(RowLoss):
    r"""PENCIL: a label distribution for each row, learned by the derivative of the loss like the network's weights.

    Each row has label logits :math:`\tilde y`, K times its one-hot label to begin with, and so a label distribution
    :math:`d = \mathrm{softmax}(\tilde y)`. Cross entropy with the given label q comes first. From ``start`` on

    .. math::
        \ell = KL(p \| d) + \alpha H(q, d) + \beta H(p), \qquad
        \frac{\partial \ell}{\partial z} = p \odot \left(\log \tfrac{p}{d} - KL(p \| d)\right)
        - \beta \, p \odot (\log p + H(p)),

    and after each visit :math:`\tilde y \leftarrow \tilde y - \lambda \, ((d - p) + \alpha (d - q))`, the derivative
    with respect to the label logits. From ``stop`` on the labels stay and :math:`\ell = KL(p \| d)`.

    Parameters
    ----------
    alpha : float, default=0.4
        Weight of the compatibility of learned and given labels, at least 0.
    beta : float, default=0.1
        Weight of the entropy, at least 0.
    lam : float, default=4.6875
        :math:`\lambda`, the step of the label logits, positive: 600 of the paper, for the mean of a batch of 128, as a
        step along the derivative of the row's own loss.
    scale : float, default=10.0
        K, positive.
    start : float, default=0.21875
        Share of the training at which labels begin to be learned, in [0, 1]: epoch 70 of 320.
    stop : float, default=0.625
        Share of the training at which they cease to be, in [0, 1]: epoch 200 of 320.

    Attributes
    ----------
    progress : float
        Share of the training iterations that are done; the training loop sets it before every batch.
    label_logits : tensor of shape (n_samples, n_classes)
        After ``prepare``; zeros for rows not yet seen.

    Notes
    -----
    The released code takes means over rows and classes, which divides all but the compatibility by C, and applies
    cross entropy to probabilities as if they were logits; here the equations of the paper stand.

    References
    ----------
    Yi and Wu, Probabilistic End-to-end Noise Correction for Learning with Noisy Labels, CVPR 2019, Eqs. 3 to 9, and
    released code for the defaults.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import PENCILLoss
    >>> criterion = PENCILLoss()
    >>> criterion.prepare(n_samples=10, n_classes=2)
    >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), indices=torch.tensor([4]))
    tensor(2.1269)
    """

    hyper_parameters = {
        "alpha": (0.4, AT_LEAST_ZERO),
        "beta": (0.1, AT_LEAST_ZERO),
        "lam": (600 / 128, POSITIVE),
        "scale": (10.0, POSITIVE),
        "start": (70 / 320, Interval(0, 1)),
        "stop": (200 / 320, Interval(0, 1)),
    }

    def __init__(
        self,
        *,
        alpha: float = 0.4,
        beta: float = 0.1,
        lam: float = 600 / 128,
        scale: float = 10.0,
        start: float = 70 / 320,
        stop: float = 200 / 320,
    ):
        super().__init__(alpha=alpha, beta=beta, lam=lam, scale=scale, start=start, stop=stop)
        self.progress = 0.0

    def _make_memory(self, n_samples, n_classes, **like):
        self.register_buffer("label_logits", torch.zeros(n_samples, n_classes, **like), persistent=False)

    def _values(self, logits, target, indices, sample_weight):
        log_proba = log_probabilities(logits)
        given = as_distribution(target, logits.shape[-1], logits.dtype)
        memory = self.label_logits[indices].to(logits)
        # rows never seen have zeros, which no other row has: label logits sum to the scale
        memory = torch.where((memory == 0).all(-1, keepdim=True), self.scale * given, memory)
        if self.progress < self.start:
            self._remember(indices, memory)
            return cross_entropy_of(log_proba, target)
        log_label = log_probabilities(memory)
        proba = log_proba.exp()
        divergence = (proba * (log_proba - log_label)).sum(-1)
        if self.progress >= self.stop:
            return divergence
        label = log_label.exp()
        self._remember(indices, memory - self.lam * (label - proba + self.alpha * (label - given)))
        return divergence + self.alpha * cross_entropy_of(log_label, target) + self.beta * entropy(log_proba)

    @torch.no_grad()
    def _remember(self, indices, memory):
        self.label_logits[indices] = memory.to(self.label_logits.dtype)


class SOPLoss(RowLoss):
    r"""Sparse over-parametrization: each row has terms of its own that explain a wrong label.

    A row with one-hot label y has a number u and numbers v of the other classes, which say what the noise added to
    the label and took from other classes: :math:`s^+ = u^2 y` and :math:`s^- = v^2 \odot (1 - y)`. Squares of small
    numbers grow only where many steps ask for it, which makes s sparse. With :math:`e_{k^*}` the predicted class,

    .. math::
        \ell = -\log \frac{\hat p_y}{\sum_k \hat p_k} + \| e_{k^*} + s^+ - s^- - y \|_2^2, \quad
        \hat p = p + s^+ - s^-, \qquad
        \frac{\partial \ell}{\partial z} = \frac{p_y}{p_y + u^2} (p - e_y) :

    a label that u explains is learned no more. The network and u descend along the first term, v along the second,
    one step at each visit.

    Parameters
    ----------
    lr_u : float, default=0.0078125
        Step of u along the derivative of the row's own loss, positive: 1 of the authors for the mean of a batch of
        128. They take 0.1 / 128 for asymmetric noise.
    lr_v : float, default=0.078125
        Step of v: 10 / 128, and 100 / 128 for asymmetric noise.

    Attributes
    ----------
    u : tensor of shape (n_samples, 1)
        After ``prepare``.
    v : tensor of shape (n_samples, n_classes)
        After ``prepare``.

    Notes
    -----
    As in the released code :math:`s^-` takes no class below 1e-4, and s stays below 1 - 1e-4. u and v start at 1e-8,
    the standard deviation of the authors' random start; their signs mean nothing. The variant with two views of each
    row (SOP+) needs two forward passes and is no loss of one.

    References
    ----------
    Liu et al., Robust Training under Label Noise by Over-parameterization, ICML 2022, Eqs. 3 to 8, and released code
    (the defaults are those for CIFAR-100 with symmetric noise).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import SOPLoss
    >>> criterion = SOPLoss()
    >>> criterion.prepare(n_samples=10, n_classes=2)
    >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), indices=torch.tensor([4]))
    tensor(4.1269)
    """

    hyper_parameters = {"lr_u": (1 / 128, POSITIVE), "lr_v": (10 / 128, POSITIVE)}

    def __init__(self, *, lr_u: float = 1 / 128, lr_v: float = 10 / 128):
        super().__init__(lr_u=lr_u, lr_v=lr_v)

    def _make_memory(self, n_samples, n_classes, **like):
        self.register_buffer("u", torch.full((n_samples, 1), 1e-8, **like), persistent=False)
        self.register_buffer("v", torch.full((n_samples, n_classes), 1e-8, **like), persistent=False)

    def _values(self, logits, target, indices, sample_weight):
        given = as_distribution(target, logits.shape[-1], logits.dtype)
        chosen = as_distribution(logits.argmax(-1), logits.shape[-1], logits.dtype)
        u, v = (memory[indices].to(logits) for memory in (self.u, self.v))
        added, taken = u.square() * given, v.square() * (1 - given)
        proba = log_probabilities(logits).exp()
        mass = proba + added - torch.minimum(taken, (proba - 1e-4).clamp_min(0.0))
        total = mass.sum(-1)
        residual = chosen + added - taken - given
        with torch.no_grad():
            ratio = given / mass.masked_fill(given == 0, 1.0)
            u_step = 2 * u * (given * (1 / total.unsqueeze(-1) - ratio)).sum(-1, keepdim=True)
            v_step = -4 * v * (1 - given) * residual
            # squares of at most 1 - 1e-4; the sign of what is squared means nothing
            self.u[indices] = (u - self.lr_u * u_step).abs().clamp_max(1 - 5e-5).to(self.u.dtype)
            self.v[indices] = (v - self.lr_v * v_step).abs().clamp_max(1 - 5e-5).to(self.v.dtype)
        misfit = total.log() - (given * mass.masked_fill(given == 0, 1.0).log()).sum(-1)
        return misfit + residual.square().sum(-1)
