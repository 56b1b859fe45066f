"""Co-teaching: two networks, each trained on the rows of a batch that the other finds easy, as a stack of two."""

from numbers import Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from sklabelnoise._foundation._seeds import draw_seed
from sklabelnoise._stacked._loop import StackedFold, replica_logits, train_replicas
from sklabelnoise._stacked._network import StackedNetwork
from sklabelnoise._stacked._optimizer import StackedOptimizer
from sklabelnoise.losses import cross_entropy
from sklabelnoise.losses._protocol import Criterion
from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import captured, seeded
from sklabelnoise.training._batches import TensorData
from sklabelnoise.training._schedules import constant


class CoTeachingLoss(Criterion):
    r"""Cross entropy of each network on the rows whose cross entropy is smallest for the other.

    With :math:`\ell_i^{(1)}` and :math:`\ell_i^{(2)}` the cross entropies of the two networks for the rows of a batch
    of n, network 1 descends along the mean of :math:`\ell_i^{(1)}` over the :math:`\lfloor (1 - R) n \rfloor` rows of
    smallest :math:`\ell_i^{(2)}`, and the other way round. R, the share that is forgotten, grows linearly from 0 to
    `forget_rate` over the share `ramp` of the training.

    Parameters
    ----------
    forget_rate : float
        In [0, 1): in the paper the rate of the noise.
    ramp : float, default=0.05
        In [0, 1]: 10 of 200 epochs in the paper.

    References
    ----------
    Han et al., Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels, NeurIPS 2018,
    Algorithm 1. Their code divides a mean by the number of rows once more, which Adam does not notice; not so here.
    """

    def __init__(self, forget_rate, ramp=0.05):
        super().__init__()
        self.forget_rate, self.ramp = forget_rate, ramp
        self.progress = 0.0

    def forward(self, logits, target, sample_weight=None):
        """A value for each network from logits of shape (2, ..., n_samples, n_classes)."""
        if len(logits) != 2:
            raise ValueError(f"logits must be those of two networks, shape (2, ..., n, C), got {tuple(logits.shape)}.")
        if sample_weight is not None:
            raise ValueError("sample_weight must be None: co-teaching counts rows, got weights.")
        values = cross_entropy(logits, target)
        forgotten = self.forget_rate * (min(1.0, self.progress / self.ramp) if self.ramp else 1.0)
        n_kept = max(1, int((1 - forgotten) * values.shape[-1]))
        easy_for_other = values.detach().flip(0).sort(dim=-1, stable=True).indices[..., :n_kept]
        return values.gather(-1, easy_for_other).mean(-1)


class CoTeachingClassifier(ClassifierMixin, BaseEstimator):
    """Two perceptrons trained by co-teaching; the first predicts, as the authors report each by itself.

    Parameters
    ----------
    forget_rate, ramp
        As in :class:`CoTeachingLoss`.
    hidden : tuple of int, default=(128,)
        Widths of the hidden layers.
    lr : float, default=0.001
        Of Adam.
    batch_size, max_epochs : int
    random_state : int, RandomState or None, default=0

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    network_ : StackedNetwork
        Both networks.
    """

    _parameter_constraints = {
        "forget_rate": [Interval(Real, 0, 1, closed="left")],
        "ramp": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self, *, forget_rate=0.2, ramp=0.05, hidden=(128,), lr=1e-3, batch_size=128, max_epochs=200, random_state=0
    ):
        self.forget_rate = forget_rate
        self.ramp = ramp
        self.hidden = hidden
        self.lr = lr
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.random_state = random_state

    def fit(self, X, y):
        """Train both networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)

        Returns
        -------
        self : CoTeachingClassifier
        """
        self._validate_params()
        X, y = validate_data(self, X, y, dtype=np.float32)
        self.classes_, labels = np.unique(y, return_inverse=True)
        seed = draw_seed(self.random_state)
        with seeded(seed), captured():
            pair = [MLP(X.shape[1], len(self.classes_), hidden=self.hidden) for _ in range(2)]
        data, rows = TensorData(X, labels), torch.arange(len(X))
        # Both see the same batches, so one seed for the order of the rows; they start from weights of their own.
        folds = [StackedFold(data, rows, seed, dict(network.named_parameters())) for network in pair]
        self.network_ = StackedNetwork(pair[0], [fold.state for fold in folds], n_replicas=1)
        rates = {"lr": self.lr, "weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
        train_replicas(
            self.network_,
            StackedOptimizer(torch.optim.Adam, self.network_.parameters, rates),
            CoTeachingLoss(self.forget_rate, self.ramp),
            folds,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            schedules=[constant],
        )
        return self

    def decision_function(self, X, network=0):
        """Logits of one of the two networks, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32)
        fold = StackedFold(TensorData(X, np.zeros(len(X), dtype=np.int64)), torch.arange(len(X)), 0, {})
        return replica_logits(self.network_, network, fold, fold.rows)[0].numpy()

    def predict(self, X):
        """The most probable class of each row, to the first network."""
        return self.classes_[self.decision_function(X).argmax(axis=1)]
