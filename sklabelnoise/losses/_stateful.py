"""Losses with a memory of every training row: early-learning regularization and truncated cross entropy.

They follow a small protocol: ``prepare(n_samples, n_classes, device=..., dtype=...)`` is called once at the start of
training, and every batch comes with ``indices``, the row numbers of its examples in the training set.
"""

from __future__ import annotations

import math

import torch

from sklabelnoise.losses._declare import AT_LEAST_ZERO, DeclaredCriterion, Interval
from sklabelnoise.losses._log_odds import log_probabilities
from sklabelnoise.losses._margin import check_sample_weight, check_targets, weighted_mean
from sklabelnoise.losses._robust import gce, mae
from sklabelnoise.losses._targets import cross_entropy, cross_entropy_of

# Bytes and booleans are masks to torch.
_ROW_NUMBERS = (torch.int64, torch.int32)


class RowLoss(DeclaredCriterion):
    """What losses with a memory share: the protocol, and plain cross entropy in evaluation mode.

    A subclass makes its memory in ``_make_memory`` and gives one value per example in ``_values``.
    """

    needs_indices = True

    def __init__(self, **hyper):
        super().__init__(**hyper)
        self.n_samples = None

    def prepare(self, n_samples, n_classes, *, device=None, dtype=torch.float32):
        """Forget all rows and make room for as many as the training set has.

        Parameters
        ----------
        n_samples, n_classes : int
            Size of the training set.
        device : torch.device, default=None
            Where the logits will be; None for torch's default.
        dtype : torch.dtype, default=torch.float32
            Of the memory.
        """
        self.n_samples = n_samples
        self._make_memory(n_samples, n_classes, device=device, dtype=dtype)

    def forward(self, logits, target, sample_weight=None, *, indices=None):
        check_sample_weight(logits, sample_weight)
        if not self.training:
            return weighted_mean(cross_entropy(logits, target), sample_weight)
        name = type(self).__name__
        if self.n_samples is None:
            raise RuntimeError(f"{name} has no memory yet: call prepare(n_samples, n_classes) before training.")
        if indices is None:
            raise ValueError(
                f"{name} needs the row numbers of the batch in the training set as 'indices', got None: it cannot "
                "train on data without row numbers."
            )
        if logits.dim() != 2:
            raise ValueError(f"{name} takes logits of shape (n_samples, n_classes), got shape {tuple(logits.shape)}.")
        logits, target = check_targets(logits, target)
        indices = torch.as_tensor(indices)
        if indices.dtype not in _ROW_NUMBERS or indices.shape != logits.shape[:1]:
            raise ValueError(
                f"indices must be a row number for each of {len(logits)} samples, got {indices.dtype} of shape "
                f"{tuple(indices.shape)}."
            )
        return weighted_mean(self._values(logits, target, indices, sample_weight), sample_weight)


class ELRLoss(RowLoss):
    r"""Early-learning regularization: cross entropy that may not forget what the model said early on.

    Every row keeps a running mean t of its predictions, updated at each visit by
    :math:`t \leftarrow \beta t + (1 - \beta) \hat p` (a constant of the backward pass), and

    .. math::
        \ell = -\log p_y + \lambda \log(1 - \langle p, t \rangle), \qquad
        \frac{\partial \ell}{\partial z} = p - e_y
        + \lambda \, p \odot \frac{\langle p, t \rangle - t}{1 - \langle p, t \rangle} .

    Parameters
    ----------
    beta : float, default=0.7
        Memory of the running mean, in [0, 1). 0.9 for CIFAR-100 and for asymmetric noise.
    lam : float, default=3.0
        Weight of the regularization, at least 0; 0 is cross entropy. 1 for asymmetric noise, 7 for CIFAR-100.

    Attributes
    ----------
    running_targets : tensor of shape (n_samples, n_classes)
        The memory, after ``prepare``.

    Notes
    -----
    :math:`\hat p` is the prediction clamped to [1e-4, 1 - 1e-4] and scaled to sum to one, as in the released code,
    which keeps the logarithm finite; the code clamps p in the regularization as well.

    References
    ----------
    Liu et al., Early-Learning Regularization Prevents Memorization of Noisy Labels, NeurIPS 2020, and
    released code (the defaults are those for CIFAR-10 with symmetric noise).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import ELRLoss
    >>> criterion = ELRLoss()
    >>> criterion.prepare(n_samples=10, n_classes=2)
    >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), indices=torch.tensor([4]))
    tensor(1.3154)
    """

    hyper_parameters = {"beta": (0.7, Interval(0, 1, closed="left")), "lam": (3.0, AT_LEAST_ZERO)}

    def __init__(self, *, beta: float = 0.7, lam: float = 3.0):
        super().__init__(beta=beta, lam=lam)

    def _make_memory(self, n_samples, n_classes, **like):
        self.register_buffer("running_targets", torch.zeros(n_samples, n_classes, **like), persistent=False)

    def _values(self, logits, target, indices, sample_weight):
        log_proba = log_probabilities(logits)
        proba = log_proba.exp()
        with torch.no_grad():
            clamped = proba.clamp(1e-4, 1 - 1e-4)
            clamped = clamped / clamped.sum(-1, keepdim=True)
            memory = self.running_targets[indices].to(clamped)
            memory = self.beta * memory + (1 - self.beta) * clamped
            self.running_targets[indices] = memory.to(self.running_targets.dtype)
        # Detached once more: torch.compile forgets no_grad for what is written into a buffer.
        agreement = (proba * memory.detach()).sum(-1)
        return cross_entropy_of(log_proba, target) + self.lam * torch.log1p(-agreement)


class TruncatedGCELoss(RowLoss):
    r"""Truncated generalized cross entropy: rows whose label the model disbelieves are left out.

    .. math::
        \ell = \begin{cases} (1 - p_y^q) / q & \text{while the row is kept} \\ (1 - k^q) / q & \text{else,}
        \end{cases} \qquad
        \frac{\partial \ell}{\partial z} = \begin{cases} p_y^q (p - e_y) \\ 0, \end{cases}

    so that a row left out has a constant loss. From ``start`` on, and again after every ``interval``, rows are kept
    where the label had a probability above k when the model last saw the row.

    Parameters
    ----------
    q : float, default=0.7
        Of :func:`gce`, in (0, 1].
    k : float, default=0.5
        Probability of the label below which a row is left out, in (0, 1).
    start : float, default=0.3333333333333333
        Share of the training before the first pruning, in [0, 1]: epoch 40 of 120 in the released code.
    interval : float, default=0.08333333333333333
        Share of the training between prunings, in (0, 1]: every tenth of 120 epochs in the released code.

    Attributes
    ----------
    progress : float
        Share of the training iterations that are done; the training loop sets it before every batch.
    label_proba : tensor of shape (n_samples,)
        Probability of each label when the model last saw its row, after ``prepare``.
    kept : tensor of bool of shape (n_samples,)
        Rows that take part.

    Notes
    -----
    The paper prunes by a pass of the best model so far over all rows; the released code chooses that model by test
    accuracy. Here no clean label and no extra pass is needed.

    References
    ----------
    Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels, NeurIPS
    2018, truncated loss.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import TruncatedGCELoss
    >>> criterion = TruncatedGCELoss()
    >>> criterion.prepare(n_samples=10, n_classes=2)
    >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]), indices=torch.tensor([4]))
    tensor(1.1062)
    """

    hyper_parameters = {
        "q": (0.7, Interval(0, 1, closed="right")),
        "k": (0.5, Interval(0, 1, closed="neither")),
        "start": (1 / 3, Interval(0, 1)),
        "interval": (1 / 12, Interval(0, 1, closed="right")),
    }

    @staticmethod
    def emphasis(p, *, q, k, start, interval):
        return 2 * p**q * (1 - p) * (p > k)

    # before the first batch, and in pickles of version 0.1
    _progress = 0.0

    def __init__(self, *, q: float = 0.7, k: float = 0.5, start: float = 1 / 3, interval: float = 1 / 12):
        super().__init__(q=q, k=k, start=start, interval=interval)

    @property
    def progress(self) -> float:
        return self._progress

    @progress.setter
    def progress(self, progress):
        # Prunings fall due here and not in the forward pass, which torch.compile would translate anew for each.
        self._progress = progress
        # The quotient of a progress that falls due may be rounded to a little less than the whole number it is.
        due = math.floor((progress - self.start) / self.interval + 1e-9) if progress >= self.start else -1
        if self.n_samples is not None and due > self._pruned:
            self.kept.copy_(self.label_proba > self.k)
            self._pruned = due

    def _make_memory(self, n_samples, n_classes, *, device, dtype):
        # a row that was never seen is kept
        self.register_buffer("label_proba", torch.ones(n_samples, device=device, dtype=dtype), persistent=False)
        self.register_buffer("kept", torch.ones(n_samples, device=device, dtype=torch.bool), persistent=False)
        self._pruned = -1  # the number of the last pruning

    def _values(self, logits, target, indices, sample_weight):
        with torch.no_grad():
            self.label_proba[indices] = (1 - mae(logits, target)).to(self.label_proba.dtype)
        left_out = (1 - self.k**self.q) / self.q
        return torch.where(self.kept[indices], gce(logits, target, q=self.q), left_out)
