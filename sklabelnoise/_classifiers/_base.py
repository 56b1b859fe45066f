"""What all classifiers share: scikit-learn's conventions around a skorch net."""

import copy
import inspect
from abc import abstractmethod
from contextlib import suppress
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from skorch.helper import predefined_split
from torch import nn

from sklabelnoise._classifiers._fitted_state import keeping_fitted_state
from sklabelnoise._classifiers._net_classifier import NetParamsMixin
from sklabelnoise._classifiers._prediction import LogitsPredictionMixin
from sklabelnoise._classifiers._saving import SavingMixin
from sklabelnoise._fused._fits import predict_left_out
from sklabelnoise.modules import MLP
from sklabelnoise.training._augmentation import average_over_views
from sklabelnoise.training._building import NetBuildingMixin, takes_channels_last
from sklabelnoise.training._device import naming_batch_size, resolve_device, seeded
from sklabelnoise.training._module import input_of, last_linear
from sklabelnoise.training._optimizer import resolve_optimizer
from sklabelnoise.training._training_set import check_inputs, check_training_set

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin."""

    def with_callbacks(method):
        """Stand in for scikit-learn's decorator."""
        return method


# A subclass that changes one of these may train or predict in a way the stacked training does not know.
_OWN_METHODS = (
    "fit",
    "_train",
    "_split",
    "_build_net",
    "_forward",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
)


class BaseNoisyLabelClassifier(
    NetParamsMixin,
    NetBuildingMixin,
    LogitsPredictionMixin,
    SavingMixin,
    CallbackSupportMixin,
    ClassifierMixin,
    BaseEstimator,
):
    """Base of the classifiers: validate, encode, build, train, record.

    A subclass adds its own parameters and :meth:`_make_criterion`.
    """

    _parameter_constraints = {
        "module": [nn.Module, callable, None],
        "lr": [Interval(Real, 0, None, closed="neither"), None],
        "weight_decay": [Interval(Real, 0, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "optimizer": [str, callable, None],
        "lr_schedule": [str, dict, callable, None],
        "augment": [str, list, callable, "boolean", None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "callbacks": [list, None],
        "device": [str, torch.device],
        "dtype": [StrOptions({"auto", "float32"})],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "amp": ["boolean"],
        "compile": ["boolean"],
        "channels_last": ["boolean"],
    }

    def __init__(
        self,
        module=None,
        *,
        lr=None,
        weight_decay=None,
        max_epochs=None,
        batch_size=None,
        optimizer=None,
        lr_schedule=None,
        augment=None,
        class_weight=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        callbacks=None,
        device="auto",
        dtype="auto",
        warm_start=False,
        random_state=None,
        verbose=0,
        **net_params,
    ):
        self.module = module
        self.lr = lr
        self.weight_decay = weight_decay
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr_schedule = lr_schedule
        self.augment = augment
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.device = device
        self.dtype = dtype
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self._set_net_params(net_params)

    def _known_net_params(self):
        known = super()._known_net_params()
        # Called from the constructor, which accepts anything: what has no signature adds no names.
        with suppress(TypeError, ValueError):
            module = MLP if self.module is None else self.module
            known += [f"module__{argument}" for argument in inspect.signature(module).parameters]
        with suppress(TypeError, ValueError):
            optimizer = resolve_optimizer(self.optimizer or MLP.training_defaults["optimizer"])
            known += [f"optimizer__{argument}" for argument in inspect.signature(optimizer).parameters]
        known += [f"optimizer__{argument}" for argument in inspect.signature(torch.optim.SGD).parameters]
        return known

    @abstractmethod
    def _make_criterion(self):
        """The criterion of this classifier, an ``nn.Module`` called with logits, target and sample_weight."""

    def _learn_for_criterion(self, X, y, data, validation, *, seed, continues, partial):
        """Learn from the training rows what the criterion is made from; most criteria need nothing.

        Parameters
        ----------
        X, y : array-like
            As in ``fit``.
        data, validation : TrainingSet
            Checked rows to train on, and those held out by the user or None.
        seed : int
            Of this training.
        continues : bool
            Whether a fitted net is trained further.
        partial : bool
            Whether these are a chunk of the rows only.
        """

    def _why_alone(self):
        """Why this classifier can't be trained together with others, None where its parameters allow it."""
        kind = type(self)
        for method in _OWN_METHODS:
            if getattr(kind, method) is not getattr(BaseNoisyLabelClassifier, method):
                return f"{kind.__name__} has a method {method} of its own"
        if self.early_stopping:
            return "early_stopping ends each training by itself"
        if self.callbacks:
            return "callbacks watch a single training"
        for name, value in self.get_params().items():
            if name.startswith(("callbacks__", "iterator_")) or (name in self._net_switches and value):
                return f"{name} is set"
        return None

    # Fitting

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None, *, soft_labels=None, X_val=None, y_val=None, sample_weight_val=None):
        """Train on given labels, some of which may be wrong.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Training rows: a table (array, DataFrame or CSR matrix), images (uint8 or float) of shape (n_samples,
            channels, height, width), or a torch ``Dataset`` of pairs (x, y).

        y : array-like of shape (n_samples,)
            Given labels of any sortable type. None when X is a ``Dataset``.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. Rows of weight zero are left out.

        soft_labels : array-like or DataFrame of shape (n_samples, n_classes), default=None
            Targets to train on in place of y: rows on the simplex. The columns of an array follow the sorted labels
            of y; the columns of a DataFrame are the classes, which may be more than y shows.

        X_val, y_val : array-like, default=None
            Held-out rows for early stopping, trusted if possible. Without `early_stopping` they are only recorded.

        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the held-out rows.

        Returns
        -------
        self : estimator
            The fitted classifier.

        Raises
        ------
        ValueError
            If the data or the module do not fit each other, or the loss becomes infinite or NaN. What was fitted before
            is kept.
        """
        with keeping_fitted_state(self):
            continues = self.warm_start and hasattr(self, "net_")
            known = (self.classes_, self.input_shape_) if continues else None
            data = self._check_training_set(X, y, sample_weight, soft_labels, known=known, reset=not continues)
            validation = None
            if X_val is not None or y_val is not None:
                known = (data.classes, data.input_shape)
                validation = self._check_training_set(
                    X_val, y_val, sample_weight_val, known=known, reset=False, names=("X_val", "y_val")
                )
            return self._train(X, y, data, validation, net=self.net_ if continues else None)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None, classes=None):
        """Train for one epoch on a chunk of the data.

        The learning-rate schedule and the training progress count each call as one epoch of `max_epochs`; both stay
        at their end after that. With chunks of a larger data set set `max_epochs` to chunks times passes.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            The chunk, as in `fit`.

        y : array-like of shape (n_samples,)
            Given labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        classes : array-like of shape (n_classes,), default=None
            All class labels; needed in the first call.

        Returns
        -------
        self : estimator
        """
        with keeping_fitted_state(self):
            first = not hasattr(self, "net_")
            if first and classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            if not first and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError(f"classes must be the same in every call: expected {self.classes_}, got {classes}.")
            known = (np.unique(classes), None) if first else (self.classes_, self.input_shape_)
            data = self._check_training_set(X, y, sample_weight, known=known, reset=first)
            return self._train(X, y, data, None, net=None if first else self.net_, partial=True)

    def _check_training_set(self, X, y, *args, **kwargs):
        single = self.dtype == "float32" or resolve_device(self.device).type != "cpu"
        return check_training_set(self, X, y, *args, single=single, **kwargs)

    def _train(self, X, y, data, validation, *, net=None, partial=False):
        """Build a net or copy the fitted one, train it, and record the outcome."""
        device = resolve_device(self.device)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        train, held_out = self._split(data, validation, seed)
        self._learn_for_criterion(X, y, data, validation, seed=seed, continues=net is not None, partial=partial)
        # A net that goes on draws other dropout masks than the first time.
        with seeded(seed + (len(net.history) if net is not None else 0), device):
            tensors = self._as_tensors(train, device)
            if net is None:
                net, used = self._build_net(tensors, data, device, seed)
            else:
                # Trained in a copy, so that a call that fails leaves the fitted net as it was.
                net, used = self._continue_net(copy.deepcopy(net))
            if hasattr(net.criterion_, "prepare"):
                net.criterion_.prepare(len(tensors), len(data.classes), device=device, dtype=net.dtype)
            if held_out is not None:
                net.train_split = predefined_split(self._as_tensors(held_out, device))
            epochs = 1 if partial else used["max_epochs"]
            observers = self._observers(X, y, data, epochs)
            with naming_batch_size(used["batch_size"]):
                net.fit_epochs(tensors, epochs=epochs, continues=partial, observers=observers)
            net.train_split = None
            if self.early_stopping:
                # A second copy of the network, no longer needed.
                dict(net.callbacks_)["early_stopping"].best_model_weights_ = None

        return self._record(net, data, used)

    def _record(self, net, data, used):
        """Take a trained net as the fitted state."""
        vars(self).update(self._prediction_attributes(data, net))
        if len(data.input_shape) > 1:
            # scikit-learn counts features of tables only.
            self.n_features_in_ = data.input_shape[-1 if takes_channels_last(net.module_) else 0]
        self.n_iter_ = len(net.history)
        self.history_ = _history_frame(net.history, used)
        self.loss_curve_ = [row["train_loss"] for row in net.history]
        proba = self._softmax(self._forward(data.all_X))
        self.label_quality_ = proba[np.arange(len(proba)), data.all_labels]
        return self

    def _split(self, data, validation, seed):
        """Training rows and held-out rows, None where nothing is held out."""
        if validation is not None or not self.early_stopping:
            return data, validation
        rows = np.arange(len(data))
        try:
            train, held_out = train_test_split(
                rows, test_size=self.validation_fraction, stratify=data.labels, random_state=seed
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping can't hold out validation_fraction={self.validation_fraction:g} of {len(rows)} rows "
                f"with every class among them; pass X_val and y_val, or do without. ({error})"
            ) from error
        return data.take(np.sort(train)), data.take(np.sort(held_out))

    @property
    def module_(self):
        """The fitted module."""
        check_is_fitted(self)
        return self.net_.module_

    # Prediction

    def _logits(self, X):
        check_is_fitted(self)
        return self._forward(check_inputs(self, X))

    def _forward(self, X):
        """Logits of validated inputs, an array of shape (n_samples, n_classes)."""
        return np.concatenate([logits.numpy() for logits in self.net_.forward_iter(X, device="cpu")])

    def predict_proba(self, X, *, n_augment=0):
        """Predict class probabilities: the softmax of the logits.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        n_augment : int, default=0
            Average over so many augmented views of each row beside the row itself (test-time augmentation), with the
            augmentation of training. The views are the same in every call.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        ValueError
            If `n_augment` is positive and the classifier was trained without augmentation.
        """
        if not n_augment:
            return self._softmax(self._logits(X))
        check_is_fitted(self)
        net = self.net_
        if net.augment is None or n_augment < 0:
            raise ValueError(
                f"n_augment={n_augment} needs a classifier trained with augment, and a number of views >= 0."
            )
        generator = torch.Generator().manual_seed(net.seed)

        def proba(batch):
            return net.module_(batch).softmax(dim=1)

        def mean_proba(batch):
            return average_over_views(proba, batch, net.augment, n_augment, generator)

        return net.map_batches(check_inputs(self, X), mean_proba).numpy()

    def embed(self, X):
        """Features before the last linear layer.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_embedding)
            The input of the module's last ``Linear``, or where it has none what its `forward_features` returns.

        Raises
        ------
        ValueError
            If the module has neither.
        """
        check_is_fitted(self)
        X = check_inputs(self, X)
        layer = last_linear(self.module_)
        if layer is not None:
            extract = partial(input_of, layer, self.module_)
        elif hasattr(self.module_, "forward_features"):
            extract = self.module_.forward_features
        else:
            raise ValueError(
                f"module {type(self.module_).__name__} has neither a Linear layer nor forward_features to embed with."
            )
        return self.net_.map_batches(X, extract).flatten(1).numpy()

    def _predict_left_out(self, X, targets, splits, sample_weight=None):
        """Predict every row by a model trained without it; all folds are trained as one.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        targets : ndarray of shape (n_samples, n_classes)
            Rows on the simplex.

        splits : list of (train, test)
            Row numbers.

        sample_weight : ndarray of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Predicted distributions.
        """
        return predict_left_out(self, X, targets, splits, sample_weight)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _history_frame(history, used):
    """The scalars of skorch's history, one row an epoch, without what only its callbacks read."""
    for_callbacks = ("batches", "_best", "_batch_count")
    rows = [{k: v for k, v in row.items() if not k.endswith(for_callbacks) and np.isscalar(v)} for row in history]
    frame = pd.DataFrame(rows)
    frame.attrs = used
    return frame
