"""Dimensionality-driven learning (D2L): hard bootstrapping whose trust in the labels falls once features spread out.

Ma et al., "Dimensionality-Driven Learning with Noisy Labels", ICML 2018. While a network learns what classes have in
common, its features of a class lie on fewer and fewer dimensions; once it memorizes wrong labels, on more. From then on
the given label of each row is mixed with the predicted class. The mixture is :func:`hard_bootstrapping
<sklabelnoise.losses.hard_bootstrapping>`; what is here is when it begins and how much of the label it keeps.
"""

import numpy as np
import torch
from skorch.callbacks import Callback

from sklabelnoise import RobustLossClassifier
from sklabelnoise.losses import hard_bootstrapping
from sklabelnoise.training._forward import embedding


def local_dimensions(features, k=20):
    r"""Local intrinsic dimension at each of some points, by maximum likelihood from its k nearest neighbors.

    With :math:`r_1 \le \dots \le r_k` the distances to them (the paper, Equation 2),

    .. math::
        \widehat{\mathrm{LID}} = -\Bigl(\frac{1}{k} \sum_{i=1}^{k} \log \frac{r_i}{r_k}\Bigr)^{-1} .

    Parameters
    ----------
    features : ndarray of shape (n, d)
        Points, n > k.
    k : int, default=20
        Neighbors.

    Returns
    -------
    dimensions : ndarray of shape (n,)
        Infinite where the k neighbors are equally far, NaN where one of them lies on the point.
    """
    points = torch.as_tensor(features).double()
    # By differences, not by the product of all points, which leaves rounding between points that are close.
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(torch.inf)
    nearest = distances.topk(k, largest=False).values
    logs = (nearest / nearest[:, -1:]).log().mean(1)
    return torch.where(logs.isfinite(), -1 / logs, torch.nan).numpy()


def lid_paced(logits, targets, *, alpha=1.0):
    """Cross entropy with targets mixed with the predicted class: the loss of D2L at a trust of alpha in the labels."""
    return hard_bootstrapping(logits, targets, beta=alpha)


class D2L(Callback):
    r"""Sets alpha of :func:`lid_paced` before each epoch.

    Before epoch i of T (from 0) the dimension :math:`L_i` is the mean over `n_batches` batches of random rows. The
    first i of at least ``begin * T + window`` at which :math:`L_i` is more than two standard deviations above the mean
    of the `window` dimensions before it is the turn: weights go back to those of an epoch earlier. From then on
    :math:`\alpha = \exp(-\frac{i}{T} \frac{L_i}{\min_{j \le i} L_j})`, before it is 1, which is cross entropy. The
    authors' code restores a file that has the weights of this same epoch; the paper's Algorithm 1 goes back by one.

    Parameters
    ----------
    begin : float, default=0.3
        Share of the training before which no turn is looked for; the authors' 60 of 200 epochs for CIFAR-100.
    window : int, default=5
        Epochs.
    n_batches, batch_size, k : int, default=10, 128, 20
        Rows that the dimension is taken from, and neighbors.

    Attributes
    ----------
    dimensions_ : list of float
        Mean dimension before each epoch.
    turn_ : int or None
        Epoch of the turn.
    """

    def __init__(self, begin=0.3, window=5, n_batches=10, batch_size=128, k=20):
        self.begin, self.window = begin, window
        self.n_batches, self.batch_size, self.k = n_batches, batch_size, k

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.data_, self.dimensions_, self.turn_, self.earlier_ = X, [], None, None
        # Its own, so that no order and no augmentation of the training changes.
        self.rng_ = np.random.default_rng(net.seed)

    def on_epoch_begin(self, net, **kwargs):
        epoch = len(net.history) - 1
        self.dimensions_.append(self._dimension(net))
        weights = {name: value.clone() for name, value in net.module_.state_dict().items()}
        if self.turn_ is None and self._turns(epoch, net.max_epochs):
            self.turn_ = epoch
            net.module_.load_state_dict(self.earlier_)
        self.earlier_ = weights
        if self.turn_ is not None:
            spread = self.dimensions_[-1] / min(self.dimensions_)
            net.criterion_.hyper["alpha"] = float(np.exp(-epoch / net.max_epochs * spread))

    def _dimension(self, net):
        size = min(self.batch_size, len(self.data_))
        rows = self.rng_.permutation(len(self.data_))[: self.n_batches * size]
        found = [
            local_dimensions(embedding(net, self.data_.rows(rows[start : start + size])), self.k)
            for start in range(0, len(rows) - size + 1, size)
        ]
        mean = float(np.nanmean(np.concatenate(found)))
        return mean if np.isfinite(mean) or not self.dimensions_ else self.dimensions_[-1]

    def _turns(self, epoch, max_epochs):
        if epoch < self.begin * max_epochs + self.window:
            return False
        *before, now = self.dimensions_[-self.window - 1 :]
        return now - np.mean(before) > 2 * np.std(before)


def d2l(**settings):
    """Row of a table: D2L."""

    def make(training):
        callbacks = [*training.get("callbacks", ()), D2L(**settings)]
        return RobustLossClassifier(**{**training, "loss": lid_paced, "loss__alpha": 1.0, "callbacks": callbacks})

    return make
