"""Any loss of the literature in one classifier."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from skorch import NeuralNet

from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise._classifiers._logits_classifier import probabilities
from sklabelnoise._classifiers._parameters import document_common
from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._types import RandomState
from sklabelnoise.losses import BATCH_CRITERIA, NAMES, ROW_CRITERIA, hyper_parameters, make_criterion
from sklabelnoise.noise._anchors import transition_matrix_of_predictions
from sklabelnoise.noise._transition_matrices import in_order_of_classes


@document_common
class RobustLossClassifier(BaseNoisyLabelClassifier):
    """Neural network trained with any loss of :mod:`sklabelnoise.losses`.

    Parameters
    ----------
    %(module)s

    loss : str or callable, default="gce"
        A name of ``sklabelnoise.losses.NAMES``, such as "cross_entropy", "gce" or "mae", of ``ROW_CRITERIA`` for
        losses that remember every row ("elr", "truncated_gce", "joint_optimization", "pencil", "sop"), of
        ``BATCH_CRITERIA`` for losses of a batch as a whole ("ohem", "peer"), or a function
        ``loss(logits, labels_or_targets)`` that returns one value per example. Hyper-parameters are set as
        ``loss__q=0.7``, and can be searched.

        "forward" and "backward" take the transition matrix of the noise as ``loss__transition_matrix``, classes in the
        order of `classes_` or a frame that names them, or ``loss__transition_matrix="estimate"``: then a first network
        of the same parameters is trained with cross entropy, and the matrix read off its predictions of the training
        rows [1]_. See Notes.

    %(common_parameters)s

    Attributes
    ----------
    %(common_attributes)s

    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        The estimate of ``T[i, j] = P(given = j | true = i)``, with ``loss__transition_matrix="estimate"`` only.

    See Also
    --------
    DMClassifier : Designs the derivative in place of the loss.
    sklabelnoise.audit.estimate_transition_matrix : Other estimates, from out-of-fold probabilities.

    Notes
    -----
    Where a row surely is of class i, a network that is trained on the given labels predicts row i of the transition
    matrix. The paper reads it off the row surest of class i, or at the 97th percentile [1]_. But the surest row is
    one whose label the network has memorized, and a percentile over all rows misses rare classes. Here row i is the
    mean prediction over the surest half of the rows predicted as class i; a class that no row is predicted as is taken
    to be free of noise. A network that memorizes its labels still sees less noise than there is.

    The first network has the same `random_state`, held-out rows and copies of the callbacks. With `warm_start` the
    estimate of the first `fit` stays, as it does in `partial_fit` after `fit`. `partial_fit` without a `fit` before it
    can't estimate, as it does not see all rows; nor can it train with a loss that remembers every row.

    References
    ----------
    .. [1] Patrini et al.: "Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach", CVPR 2017,
       equations 12 and 13.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklabelnoise import RobustLossClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RobustLossClassifier(loss="gce", loss__q=0.5, random_state=0).fit(X, y)
    >>> model.predict(X[:2])
    array([0, 0])

    Forward correction of noise that is not known beforehand:

    >>> model = RobustLossClassifier(loss="forward", loss__transition_matrix="estimate", random_state=0).fit(X, y)
    >>> model.transition_matrix_.shape
    (3, 3)
    """

    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    n_iter_: int
    loss_curve_: list[float]
    net_: NeuralNet
    transition_matrix_: NDArray[Any]

    _net_prefixes = (*BaseNoisyLabelClassifier._net_prefixes, "loss")

    _saved_attributes = (*BaseNoisyLabelClassifier._saved_attributes, "transition_matrix_")

    _parameter_constraints = {
        **BaseNoisyLabelClassifier._parameter_constraints,
        "loss": [str, callable],
    }

    def __init__(
        self,
        module: torch.nn.Module | Callable[..., Any] | None = None,
        *,
        loss: str | Callable[..., Any] = "gce",
        lr: float | None = None,
        weight_decay: float | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | type[Any] | None = None,
        lr_schedule: str | dict[Any, Any] | Callable[..., Any] | None = None,
        augment: str | Callable[..., Any] | list[Any] | Literal[False] | None = None,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        callbacks: list[Any] | None = None,
        on_interrupt: Literal["raise", "keep"] = "raise",
        device: str | torch.device = "auto",
        dtype: Literal["auto", "float32"] = "auto",
        warm_start: bool = False,
        random_state: RandomState = None,
        verbose: int = 0,
        **net_params: Any,
    ):
        self._store(locals())

    def _known_net_params(self):
        hyper = sorted({name for loss in (*NAMES, *ROW_CRITERIA, *BATCH_CRITERIA) for name in hyper_parameters(loss)})
        return [*super()._known_net_params(), *(f"loss__{name}" for name in hyper)]

    def _why_alone(self):
        estimate = "loss__transition_matrix='estimate' takes a training of its own" if self._estimates() else None
        frame = "loss__transition_matrix is a frame, whose classes are found by name" if self._names_classes() else None
        return super()._why_alone() or estimate or frame

    def _before_training(self, X, y, data, validation, *, seed, continues, partial):
        if partial and isinstance(self.loss, str) and self.loss in ROW_CRITERIA:
            raise ValueError(
                "partial_fit needs a loss that does not remember every training row by its number, which chunks have "
                f"not (call fit), got loss={self.loss!r}."
            )
        if self._names_classes():
            matrix = self._net_params["loss__transition_matrix"]
            self._ordered_matrix = in_order_of_classes(matrix, data.classes, "loss__transition_matrix")
        if not self._estimates():
            vars(self).pop("transition_matrix_", None)
            return
        if continues and hasattr(self, "transition_matrix_"):
            return
        if partial:
            raise ValueError(
                "partial_fit needs loss__transition_matrix as a matrix, or a call of fit before it: a first network "
                "needs all rows at once, of which chunks are parts, got 'estimate'."
            )
        # A wrong loss or hyper-parameter shows before the time is spent.
        self._criterion_with(np.eye(len(data.classes)))
        first = clone(self).set_params(
            loss="cross_entropy", random_state=self.random_state if isinstance(self.random_state, Integral) else seed
        )
        first._net_params = {name: value for name, value in self._net_params.items() if not name.startswith("loss__")}
        # scikit-learn's callbacks follow one training.
        vars(first).pop("_skl_callbacks", None)
        first._train(X, y, data, validation)
        self.transition_matrix_ = transition_matrix_of_predictions(first._forward(data.X, probabilities))
        try:
            self._criterion_with(self.transition_matrix_)
        except ValueError as error:
            raise ValueError(_unusable(self.loss, self.transition_matrix_, data.classes)) from error

    def _make_criterion(self):
        if self._names_classes():
            return self._criterion_with(self._ordered_matrix)
        if not self._estimates():
            return make_criterion(self.loss, **self._params_for("loss"))
        return self._criterion_with(self.transition_matrix_)

    def _estimates(self):
        """Whether the transition matrix is to be estimated."""
        matrix = self._net_params.get("loss__transition_matrix")
        if isinstance(matrix, str) and matrix != "estimate":
            raise ValueError(f"loss__transition_matrix must be a matrix or 'estimate', got {matrix!r}.")
        return isinstance(matrix, str)

    def _names_classes(self):
        """Whether the transition matrix is a frame."""
        return pandas_frame(self._net_params.get("loss__transition_matrix"), "loss__transition_matrix") is not None

    def _criterion_with(self, transition_matrix):
        return make_criterion(self.loss, **{**self._params_for("loss"), "transition_matrix": transition_matrix})


def _unusable(loss, T, classes):
    """What to say of an estimated matrix that a loss refuses, which is for want of an inverse."""
    distance = np.abs(T[:, None] - T).sum(axis=-1) + np.diag(np.full(len(T), np.inf))
    a, b = classes[list(np.unravel_index(distance.argmin(), T.shape))].tolist()
    return (
        f"loss={loss!r} needs the inverse of the transition matrix, and the one estimated from the predictions of a "
        f"first network is singular: its rows of the classes {a!r} and {b!r} are the nearest to each other. Use "
        "loss='forward', which needs no inverse, or pass a matrix as loss__transition_matrix."
    )
