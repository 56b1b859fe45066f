"""What all classifiers share: scikit-learn's conventions around a skorch net."""

from __future__ import annotations

import copy
from abc import abstractmethod
from contextlib import contextmanager
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from skorch.helper import predefined_split

from sklabelnoise._classifiers._net_classifier import NetClassifier
from sklabelnoise._classifiers._parameters import SWITCHES, common_constraints
from sklabelnoise._classifiers._saving import check_net, net_from_saved, net_to_saved
from sklabelnoise._compat import CallbackSupportMixin, callback_context, fit_context, has_callbacks, with_callbacks
from sklabelnoise._foundation._counts import is_integer
from sklabelnoise._foundation._fitted_state import keeping_fitted_state
from sklabelnoise._foundation._given import label_column
from sklabelnoise._foundation._seeds import draw_seed
from sklabelnoise._foundation._types import ArrayLike, Labels, Rows
from sklabelnoise._fused._fits import predict_left_out
from sklabelnoise._stacked._equality import same
from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import seeded
from sklabelnoise.training._building import NetBuilder, plain, takes_channels_last
from sklabelnoise.training._callbacks import EpochProgressBar, SklearnTasks
from sklabelnoise.training._callers_torch import callers_torch_aside
from sklabelnoise.training._device import resolve_device
from sklabelnoise.training._early_stopping import forget_best_weights, hold_out
from sklabelnoise.training._epoch_record import history_frame
from sklabelnoise.training._failures import naming_batch_size
from sklabelnoise.training._forward import embedding, map_logits, mean_proba_over_views
from sklabelnoise.training._pixel_scale import warn_of_pixel_scale
from sklabelnoise.training._processes import current_processes, joined
from sklabelnoise.training._training_defaults import TRAINING_PARAMETERS
from sklabelnoise.training._training_set import LabeledRows, check_inputs

# A subclass that changes one of these may train or predict in a way the stacked training does not know.
_OWN_METHODS = (
    "fit",
    "_train",
    "_split",
    "_net_builder",
    "_forward",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
)
# Types of values that processes can compare.
_PLAIN = (int, float, str, type(None))
# What else sets a training parameter, and comes before it.
_OF_SKORCH = {
    "lr": "optimizer__lr",
    "weight_decay": "optimizer__weight_decay",
    "batch_size": "iterator_train__batch_size",
}


class BaseNoisyLabelClassifier(CallbackSupportMixin, NetClassifier):
    """Base of the classifiers: validate, encode, build, train, record.

    A subclass adds its own parameters and :meth:`_make_criterion`.
    """

    _parameter_constraints = common_constraints()
    _saved_attributes = (*NetClassifier._saved_attributes, "input_shape_")

    @abstractmethod
    def _make_criterion(self):
        """The criterion of this classifier, an ``nn.Module`` called with logits, target and sample_weight."""

    def _net_builder(self):
        """What makes the nets of this classifier, from its parameters as they are now."""
        net_params = plain(self._net_params)
        optimizer_params = {name: value for name, value in net_params.items() if name.startswith("optimizer__")}
        return NetBuilder(
            module=MLP if self.module is None else self.module,
            module_params=plain(self._params_for("module")),
            training={**{name: plain(getattr(self, name)) for name in TRAINING_PARAMETERS}, **optimizer_params},
            skorch_params={k: v for k, v in net_params.items() if k.startswith(("iterator_", "callbacks__"))},
            switches={name: net_params[name] for name in SWITCHES if net_params.get(name)},
            make_criterion=self._make_criterion,
            callbacks=list(self.callbacks or []),
            patience=int(self.n_iter_no_change) if self.early_stopping else None,
        )

    def _network_params(self):
        """Parameters that make the network; training that goes on can't follow a change of theirs."""
        switches = {name: self._net_params.get(name, False) for name in ("compile", "channels_last")}
        own = {name: value for name, value in self._net_params.items() if name.startswith("module__")}
        return {"module": self.module, **switches, **own}

    def _made_with(self):
        built_with = vars(self).get("_built_with")  # pickles of version 0.1 have none
        return {**(self._network_params() if built_with is None else built_with), "amp": self.net_.amp}

    def _check_same_network(self):
        """Refuse to go on with a network that the parameters no longer describe."""
        before, now = vars(self).get("_built_with"), self._network_params()
        for name in () if before is None else sorted({*before, *now}):
            if not same(plain(before.get(name)), plain(now.get(name))):
                # A cell of a notebook that runs again defines its class anew.
                again = ", another of this name" if repr(before.get(name)) == repr(now.get(name)) else ""
                raise ValueError(
                    f"Training goes on with the fitted network, which was made with {name}={before.get(name)!r}: set "
                    f"it back, or train another with warm_start=False and fit, got {name}={now.get(name)!r}{again}."
                )

    def _observers(self, X, y, data, epochs):
        """Callbacks of one training beside the user's: the progress bar, and scikit-learn's."""
        observers = []
        if self.verbose and (current_processes() is None or current_processes().rank == 0):
            observers.append(EpochProgressBar(epochs, type(self).__name__))
        if has_callbacks(self):
            context = callback_context(self, max_subtasks=epochs)
            observers.append(SklearnTasks(self, context, X, y, partial(_prediction_attributes, data)))
        return observers

    def _before_training(self, X, y, data, validation, *, seed, continues, partial):
        """Look at the training rows before the net is built: to learn what the criterion is made from, or to warn.

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

    def _common_parameters(self):
        """The plain values among the parameters that processes which train together must all be given."""
        own = ("device", "random_state", "verbose", "iterator_")  # the first one's seed is for all
        return {
            name: value
            for name, value in self.get_params().items()
            if not name.startswith(own)
            and all(isinstance(part, _PLAIN) for part in (value if isinstance(value, tuple) else [value]))
        }

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
            if name.startswith(("callbacks__", "iterator_")) or (name in SWITCHES and value):
                return f"{name} is set"
        return None

    # Fitting

    @with_callbacks
    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: Labels | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        soft_labels: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: Labels | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        """Train on given labels, some of which may be wrong.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Training rows: a table (array, DataFrame or CSR matrix), images (uint8 or float) of shape (n_samples,
            channels, height, width) or paths of files of images of one size, or a torch ``Dataset`` of pairs (x, y).

        y : array-like of shape (n_samples,), default=None
            Given labels: numbers, booleans, texts, dates or durations. None when X is a ``Dataset``, whose labels then
            are the names of its classes where it has some, in `classes` or `class_to_idx`.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. Rows of weight zero are left out.

        soft_labels : array-like or DataFrame of shape (n_samples, n_classes), default=None
            Targets to train on in place of y: rows on the simplex. The columns of an array follow the sorted labels
            of y; the columns of a DataFrame are the classes, which may be more than y shows.

        X_val, y_val : array-like, default=None
            Held-out rows for early stopping, trusted if possible. Without `early_stopping` they are only recorded. A
            Pipeline hands X_val on as it is, unless its `transform_input` names it.

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
        with self._fitting():
            continues = self.warm_start and hasattr(self, "net_")
            known = (self.classes_, self.input_shape_) if continues else None
            data = self._check_training_set(X, y, sample_weight, soft_labels, known=known, reset=not continues)
            validation = self._check_held_out(X_val, y_val, sample_weight_val, data)
            validation = validation and validation.cast(data.dtype)
            return self._train(X, y, data, validation, net=self.net_ if continues else None)

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Rows,
        y: Labels | None = None,
        sample_weight: ArrayLike | None = None,
        classes: Labels | None = None,
    ) -> Self:
        """Train for one epoch on a chunk of the data.

        The learning-rate schedule and the training progress count each call as one epoch of `max_epochs`; both stay
        at their end after that. With chunks of a larger data set set `max_epochs` to chunks times passes.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            The chunk, as in `fit`.

        y : array-like of shape (n_samples,), default=None
            Given labels.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        classes : array-like of shape (n_classes,), default=None
            All class labels; needed in the first call.

        Returns
        -------
        self : estimator
        """
        with self._fitting():
            if self.early_stopping:
                raise ValueError(
                    "early_stopping must be False for partial_fit, which trains for one epoch on all rows it is given, "
                    "got True."
                )
            first = not hasattr(self, "net_")
            if first and classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit, got None.")
            if classes is not None:
                classes = label_column(classes, "classes")
            if not first and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError(f"classes must be the same in every call: expected {self.classes_}, got {classes}.")
            known = (np.unique(classes), None) if first else (self.classes_, self.input_shape_)
            data = self._check_training_set(X, y, sample_weight, known=known, reset=first)
            return self._train(X, y, data, None, net=None if first else self.net_, partial=True)

    @contextmanager
    def _fitting(self):
        """A block that fits: all processes go through it together, and what fails leaves the fitted state.

        What the caller has torch set to does not matter here.
        """
        with keeping_fitted_state(self), joined(self._net_params.get("accelerator")), callers_torch_aside():
            yield

    def _train(self, X, y, data, validation, *, net=None, partial=False):
        """Build a net or copy the fitted one, train it, and record the outcome."""
        if net is not None:
            self._check_same_network()
            # The network computes in its type, whatever that of these rows is.
            data, validation = data.cast(net.numpy_dtype), validation and validation.cast(net.numpy_dtype)
        device = resolve_device(self.device)
        seed = draw_seed(self.random_state)
        processes = current_processes()
        if processes is not None:
            processes.use_device(device)
            seed = processes.of_first(seed)
        train, held_out = self._split(data, validation, seed)
        self._before_training(X, y, data, validation, seed=seed, continues=net is not None, partial=partial)
        builder = self._net_builder()
        # A net that goes on draws other dropout masks than the first time.
        with seeded(seed + (len(net.history) if net is not None else 0)):
            with naming_batch_size(None, device):
                tensors = train.as_tensors(device)
                if net is None:
                    net, used = builder.build(tensors, data, device, seed)
                else:
                    # Trained in a copy, so that a call that fails leaves the fitted net as it was.
                    # Where it was pickled by version 0.1 its history alone says what it was trained with.
                    before = vars(self).get("_training_used") or self.history_.attrs
                    net, used = builder.continue_with(copy.deepcopy(net), before, device)
                    warn_of_pixel_scale(net, data.X)
            if validation is not None:
                warn_of_pixel_scale(net, validation.X, "X_val")
            net.criterion_.prepare(len(tensors), len(data.classes), device=device, dtype=net.dtype)
            if held_out is not None:
                net.train_split = predefined_split(held_out.as_tensors(device))
            epochs = 1 if partial else used["max_epochs"]
            if processes is not None:
                n_batches = len(net.get_iterator(tensors, training=True))
                counted = {"batches of an epoch": n_batches, "epochs": epochs, "batch_size": used["batch_size"]}
                held = {"number of held-out rows": 0 if held_out is None else len(held_out)}
                layers = {"shapes of the network's parameters": [tuple(p.shape) for p in net.module_.parameters()]}
                processes.check_equal({**data.facts(), **counted, **held, **self._common_parameters(), **layers})
            observers = self._observers(X, y, data, epochs)
            with naming_batch_size(self._in_effect(used)["batch_size"], device):
                net.fit_epochs(
                    tensors,
                    epochs=epochs,
                    continues=partial,
                    observers=observers,
                    keep_interrupted=self.on_interrupt == "keep",
                    same_bits=self.random_state is not None,
                )
            net.train_split = None
            if self.early_stopping:
                forget_best_weights(net)

        return self._record(net, data, used, LabeledRows(data.all_X, data.all_labels))

    def _record(self, net, data, used, given):
        """Take a trained net as the fitted state."""
        vars(self).update(_prediction_attributes(data, net))
        self._built_with = self._network_params()
        if len(data.input_shape) > 1:
            # scikit-learn counts features of tables only.
            self.n_features_in_ = data.input_shape[-1 if takes_channels_last(net.module_) else 0]
        self.n_iter_ = len(net.history)
        self._training_used = self._in_effect(used)
        vars(self).pop("history_", None)
        self.loss_curve_ = [row["train_loss"] for row in net.history]
        self._keep_given(given)
        return self

    def _in_effect(self, used):
        """The training parameters used, where skorch's names say otherwise what they say."""
        given = self.get_params(deep=False)
        return {**used, **{name: given[other] for name, other in _OF_SKORCH.items() if given.get(other) is not None}}

    def _split(self, data, validation, seed):
        """Training rows and held-out rows, None where nothing is held out."""
        if validation is not None or not self.early_stopping:
            return data, validation
        return hold_out(data, self.validation_fraction, seed)

    @cached_property
    def history_(self) -> pd.DataFrame:
        """One row an epoch; the training parameters that were used stand in its `attrs`.

        It is made when it is first read: a stream of chunks would make one of all epochs for each chunk.
        """
        check_is_fitted(self)
        frame = history_frame(self.net_.history[: self.n_iter_])
        frame.attrs = self._training_used
        return frame

    @property
    def module_(self) -> torch.nn.Module:
        """The fitted module."""
        check_is_fitted(self)
        return self.net_.module_

    # Prediction

    def _forward(self, X, function):
        return map_logits(self.net_, X, function)

    def predict_proba(self, X: Rows, *, n_augment: int = 0) -> NDArray[Any]:
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

        TypeError
            If `n_augment` is no integer.
        """
        if not is_integer(n_augment):
            raise TypeError(f"n_augment must be an integer, got {n_augment!r}.")
        n_augment = int(n_augment)
        if not n_augment:
            return super().predict_proba(X)
        check_is_fitted(self)
        net = self.net_
        if net.augment is None or n_augment < 0:
            raise ValueError(
                f"n_augment must be 0, or more where the classifier was trained with augment, got {n_augment}."
            )
        return mean_proba_over_views(net, check_inputs(self, X), n_augment)

    def embed(self, X: Rows) -> NDArray[Any]:
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
        return embedding(self.net_, check_inputs(self, X))

    def _predict_left_out(self, X, targets, splits, sample_weight=None, classes=None):
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

        classes : ndarray of shape (n_classes,), default=None
            The labels that the columns of `targets` are about, which `class_weight` names; None takes their numbers.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Predicted distributions.
        """
        return predict_left_out(self, X, targets, splits, sample_weight, classes)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "net_")

    def _to_saved(self):
        return net_to_saved(self)

    def _check_saved(self, header):
        loaded = super()._check_saved(header)
        check_net(loaded, self.net_, header["used"])
        return loaded

    @classmethod
    def _from_saved(cls, header, tensors, module):
        return net_from_saved(cls._with_saved_params(header, module), header, tensors)


def _prediction_attributes(data, net):
    """Fitted attributes that prediction needs."""
    return {"classes_": data.classes, "input_shape_": data.input_shape, "net_": net}
