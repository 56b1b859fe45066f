"""What a network thought of its training rows, averaged over the whole training."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from sklabelnoise.training._watch import TrainingLogits, odds_of


class MeanPrediction(TrainingLogits):
    """Average the predictions for each training row over the epochs.

    Networks learn right labels before wrong ones, so the average still tells them apart where the network has
    memorized both in the end. It costs no forward pass: the predictions are those that training makes anyway.

    Attributes
    ----------
    proba_ : ndarray of shape (n_samples, n_classes)
        Mean probabilities of the rows that were trained on, in their order.

    References
    ----------
    Pleiss et al.: "Identifying Mislabeled Data using the Area Under the Margin Ranking", NeurIPS 2020, section 3, which
    averages margins. Huang et al.: "O2U-Net: A Simple Noisy Label Detection Approach for Deep Neural Networks", ICCV
    2019, which averages losses.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklabelnoise import ProSelfLCClassifier
    >>> from sklabelnoise.training import MeanPrediction
    >>> X, y = load_digits(return_X_y=True)
    >>> mean = MeanPrediction()
    >>> model = ProSelfLCClassifier(callbacks=[mean], max_epochs=5, random_state=0).fit(X, y)
    >>> mean.proba_.shape
    (1797, 10)
    """

    proba_: NDArray[Any]

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        super().on_train_begin(net, X, y, **kwargs)
        self.total_, self.n_samples_ = None, len(X)

    def take(self, net, indices, logits, progress):
        odds, _, total = odds_of(logits)
        if self.total_ is None:
            self.total_ = torch.zeros(self.n_samples_, logits.shape[-1], device=logits.device)
        self.total_.index_add_(0, indices, odds / total[:, None])

    def on_epoch_end(self, net, **kwargs):
        self.flush(net)

    def on_train_end(self, net, X=None, y=None, **kwargs):
        super().on_train_end(net, X, y, **kwargs)
        # Rows that no batch held, with an iterator that drops the last one, stay undecided.
        count = self.total_.sum(1, keepdim=True)
        mean = torch.where(count > 0, self.total_ / count, 1 / self.total_.shape[1])
        self.proba_ = mean.cpu().numpy()
        del self.total_, self.pending_
