"""Co-teaching: two networks, each trained on the rows of a batch that the other finds easy, as a stack of two."""

from numbers import Real
from types import SimpleNamespace

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklabelnoise import RobustLossClassifier
from sklabelnoise._foundation._seeds import draw_seed
from sklabelnoise._stacked._augmentation import stackable_augmentation
from sklabelnoise._stacked._loop import StackedFold, train_replicas
from sklabelnoise._stacked._network import StackedNetwork
from sklabelnoise._stacked._optimizer import StackedOptimizer, optimizer_options
from sklabelnoise.losses import cross_entropy
from sklabelnoise.losses._protocol import Criterion
from sklabelnoise.modules._draws import seeded
from sklabelnoise.training._device import resolve_device
from sklabelnoise.training._training_set import LabeledRows

# Of a training: a stack computes in the type of the rows throughout.
_OF_ONE_NETWORK = ("amp", "channels_last")


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


class _Logits(Criterion):
    """What callbacks of a net watch in place of its criterion."""

    def forward(self, logits):
        return logits


class _Watched(Criterion):
    """Co-teaching, of which the callbacks of a net see what they see of a training alone: that of the first network.

    Parameters
    ----------
    loss : CoTeachingLoss
    net : NoisyLabelNet
        Its callbacks watch; its module has the weights of the first network at the end of each epoch.
    network : StackedNetwork
        Both networks.
    data : TensorData
        What they are trained on.
    """

    def __init__(self, loss, net, network, data):
        super().__init__()
        self.loss, self.shown, self.progress = loss, _Logits(), loss.progress
        self._net, self._network, self._data = net, network, data
        # Gives the orders of the rows that the stack takes them in.
        self._orders = torch.Generator().manual_seed(net.seed)

    def forward(self, logits, target, sample_weight=None):
        self._net.batch_ = SimpleNamespace(indices=next(self._batches))
        self.loss.progress = self.progress
        first = self.shown(logits[0, 0])
        return self.loss(torch.stack([first[None], logits[1]]), target, sample_weight)

    def begin(self):
        """Let the training begin."""
        self._own, self._net.criterion_ = self._net.criterion_, self.shown
        self._net.notify("on_train_begin", X=self._data, y=None)
        self._begin_epoch()

    def end_epoch(self, share):
        """Let an epoch end, and the next one begin."""
        self._net.module_.load_state_dict(self._network.state_dict(0, 0))
        self._net.notify("on_epoch_end")
        if len(self._net.history) < self._net.max_epochs:
            self._begin_epoch()

    def end(self):
        """Let the training end."""
        self._net.notify("on_train_end", X=self._data, y=None)
        self._net.criterion_, self._net.batch_ = self._own, None

    def _begin_epoch(self):
        order = torch.randperm(len(self._data), generator=self._orders)
        self._batches = iter(order.to(self._data.device).split(self._net.batch_size))
        self._net.notify("on_epoch_begin")


class CoTeachingClassifier(ClassifierMixin, BaseEstimator):
    """Two networks trained by co-teaching; the first predicts, as the authors report each by itself.

    Both see the same batches, and of augmented images the same views, as in the authors' loop.

    Parameters
    ----------
    estimator : estimator
        A classifier of this package: the network, its training, its seed, and callbacks that watch epochs of the first
        network. Its loss is not used.
    forget_rate, ramp
        As in :class:`CoTeachingLoss`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    networks_ : list of estimator
        Both networks, as fitted clones of `estimator`.
    """

    _parameter_constraints = {
        "forget_rate": [Interval(Real, 0, 1, closed="left")],
        "ramp": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, estimator, *, forget_rate=0.2, ramp=0.05):
        self.estimator = estimator
        self.forget_rate = forget_rate
        self.ramp = ramp

    def fit(self, X, y):
        """Train both networks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, channels, height, width)
        y : array-like of shape (n_samples,)

        Returns
        -------
        self : CoTeachingClassifier
        """
        self._validate_params()
        # Callbacks keep what they record, so that they are the caller's own.
        pair = [clone(self.estimator).set_params(callbacks=callbacks) for callbacks in (self.estimator.callbacks, None)]
        data, _ = (one._check_training_set(X, y) for one in pair)
        device, seed = resolve_device(self.estimator.device), draw_seed(self.estimator.random_state)
        tensors = data.as_tensors(device)
        with seeded(seed):  # from which each network draws weights of its own
            (net, used), (other, _) = (one._net_builder().build(tensors, data, device, seed) for one in pair)
            # Both see the same batches and views: one seed, and one scaler of images.
            rows = torch.arange(len(tensors), device=device)
            shared = {"preprocess": net.preprocess, "augment": stackable_augmentation(net.augment)}
            folds = [
                StackedFold(tensors, rows, seed, {**dict(m.named_parameters()), **dict(m.named_buffers())}, **shared)
                for m in (net.module_, other.module_)
            ]
            states = [fold.state for fold in folds]
            network = StackedNetwork(net.module_, states, n_replicas=1, device=device, dtype=net.dtype)
            rates, options = optimizer_options(net.optimizer_)
            optimizer = StackedOptimizer(
                type(net.optimizer_),
                network.parameters,
                {name: np.array([rate]) for name, rate in rates.items()},
                nesterov=options.get("nesterov", False),
            )
            criterion = _Watched(CoTeachingLoss(self.forget_rate, self.ramp), net, network, tensors)
            criterion.begin()
            log = train_replicas(
                network,
                optimizer,
                criterion,
                folds,
                batch_size=used["batch_size"],
                max_epochs=used["max_epochs"],
                schedules=[net.lr_schedule],
                record_accuracy=True,
                advance=criterion.end_epoch,
            )
            criterion.end()
        for failure in log.failures.values():
            raise ValueError(failure)
        for _ in range(used["max_epochs"]):
            other.notify("on_epoch_begin")
        given = LabeledRows(data.all_X, data.all_labels)
        for place, (one, trained) in enumerate(zip(pair, (net, other), strict=True)):
            trained.module_.load_state_dict(network.state_dict(place, 0))
            for epoch, row in enumerate(trained.history.to_list()):
                row["train_loss"], row["train_accuracy"] = log.loss[epoch, place, 0], log.accuracy[epoch, place, 0]
            one._record(trained, data, used, given)
        self.networks_, self.classes_ = pair, data.classes
        return self

    @property
    def history_(self):
        """That of the first network, with what the callbacks recorded."""
        check_is_fitted(self)
        return self.networks_[0].history_

    def decision_function(self, X, network=0):
        """Logits of one of the two networks, as those of `estimator`."""
        check_is_fitted(self)
        return self.networks_[network].decision_function(X)

    def predict(self, X):
        """The most probable class of each row, to the first network."""
        check_is_fitted(self)
        return self.networks_[0].predict(X)


def co_teaching(forget_rate, **parameters):
    """Row of a table: two networks by the same training, which a stack computes in the type of the rows throughout."""

    def make_pair(training):
        of_both = {name: value for name, value in training.items() if name not in _OF_ONE_NETWORK}
        network = RobustLossClassifier(loss="cross_entropy", **of_both, **parameters)
        return CoTeachingClassifier(network, forget_rate=forget_rate)

    return make_pair
