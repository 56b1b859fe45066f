"""Derivative manipulation: the emphasis of each example is designed, not the loss."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet

from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise._classifiers._parameters import document_common
from sklabelnoise._compat import Interval, StrOptions
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._types import RandomState
from sklabelnoise.losses import DMEmphasis, DMLoss, check_emphasis
from sklabelnoise.modules import MLP

# The smallest tables of two classes that benchmarks/results has rows of; of smaller ones nothing is known.
_LEAST_ROWS = 1_000


@lru_cache(maxsize=64)  # to look at its weights takes as long as a step of a small network
def _checked_emphasis(lam, beta):
    emphasis = DMEmphasis(lam, beta)
    check_emphasis(emphasis)
    return emphasis


@document_common
class DMClassifier(BaseNoisyLabelClassifier):
    r"""Neural network trained by derivative manipulation.

    A loss acts on a network only through its derivative with respect to the logits. Derivative manipulation [1]_ keeps
    the direction of cross entropy's derivative and designs its size: an example whose given label has probability p
    receives a derivative of L1 norm

    .. math:: w(p) = \exp(\beta \, p^\lambda (1 - p)),

    by default divided by the sum of w over the batch. For beta > 0 examples with p near lam / (lam + 1) are emphasized:
    with lam = 0 the hardest, with larger lam those whose label the network already half believes. Wrong labels stay
    improbable under such training and are hardly learned.

    More noise wants a larger `lam` and, with it, a larger `beta`: around (0, 0.5 to 4) for clean labels, (0.5, 8 to 12)
    for 20 %, (1, 12 to 16) for 40 %, (2, 12 to 24) for 60 % symmetric noise ([1]_, supplement, Table 9, and Section
    4.1). For two classes lam >= 1 suits better than the default: lam = 0.5 emphasizes p = 1/3, labels that a two-class
    network already disbelieves. A strong emphasis has its price: it needs more iterations, and where classes are
    unbalanced it can settle on few of them. On this package's tables with 40 % symmetric noise (1, 16) wins back far
    more than the default, while (2, 24) does harm (benchmarks/results/tables.jsonl). Without clean labels choose both
    by cross-validated accuracy on the given labels, as :class:`DMClassifierCV` does, never by log-loss, which rewards
    a model for fitting the noise.

    The default is the paper's for images of many classes. On tables with more than two classes it is nearly as good as
    what cross-validation chooses; on those with two it learns wrong labels much as cross entropy does
    (benchmarks/README.md, "few classes or many"), and `fit` warns where it was left as it is and there are 1,000 rows
    or more: call :class:`DMClassifierCV` or :class:`~sklabelnoise.NoisyLabelClassifier` in its place. Tables with text,
    categories, dates or missing values go through ``skrub.tabular_pipeline(DMClassifierCV())``.

    Parameters
    ----------
    %(module)s

    lam : float, default=0.5
        Where the emphasis lies: its mode is lam / (lam + 1).

    beta : float, default=8.0
        How uneven the emphasis is; 0 treats all examples alike. Negative values, for lam = 0, emphasize the easiest.

    emphasis : callable, default=None
        Replaces `lam` and `beta`: an emphasis of :mod:`sklabelnoise.losses` or any function w(p) of a tensor of
        probabilities.

    normalization : {"batch", "integral", "none"}, default="batch"
        Divide the derivatives of a batch by the sum of their weights ("batch"), by the integral of w over [0, 1] and
        the number of rows ("integral"), or by the number of rows ("none").

    damping : float, default=1e-8
        Lets the emphasis of a label fade that is fitted beyond doubt: a derivative has L1 norm
        w * 2(1-p) / (2(1-p) + damping). 0 is the equation of the paper, with which training on separable data diverges.

    %(common_parameters)s

    Attributes
    ----------
    %(common_attributes)s

    See Also
    --------
    DMClassifierCV : Chooses `lam` and `beta`.
    ProSelfLCClassifier : Corrects the labels in place of weighting them.
    RobustLossClassifier : Losses from the literature.

    References
    ----------
    .. [1] X. Wang, E. Kodirov, Y. Hua, N. M. Robertson, "Derivative manipulation for general example weighting",
       arXiv:1905.11233, 2019, Eqs. 7 and 12.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sklabelnoise import DMClassifier
    >>> from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
    >>> X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    >>> y_given = corrupt_labels(y_train, symmetric_transition_matrix(10, 0.4), random_state=0)
    >>> model = DMClassifier(lam=2, beta=24, random_state=0).fit(X_train, y_given)
    >>> bool(model.score(X_test, y_test) > 0.85)
    True
    """

    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    n_iter_: int
    loss_curve_: list[float]
    net_: NeuralNet

    _parameter_constraints = {
        **BaseNoisyLabelClassifier._parameter_constraints,
        "lam": [Interval(Real, 0, None, closed="left")],
        "beta": [Interval(Real, None, None, closed="neither")],
        "emphasis": [callable, None],
        "normalization": [StrOptions({"batch", "integral", "none"})],
        "damping": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        module: torch.nn.Module | Callable[..., Any] | None = None,
        *,
        lam: float = 0.5,
        beta: float = 8.0,
        emphasis: Callable[..., Any] | None = None,
        normalization: Literal["batch", "integral", "none"] = "batch",
        damping: float = 1e-8,
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

    def _before_training(self, X, y, data, validation, *, seed, continues, partial):
        table = isinstance(data.X, np.ndarray) and data.X.ndim == 2 and len(data) >= _LEAST_ROWS
        ours = self.module is None or self.module is MLP
        two_labels = len(data.classes) == 2 and data.soft_targets is None
        if table and ours and two_labels and not continues and self._nobody_chose_the_emphasis():
            warn(
                f"lam={self.lam} and beta={self.beta}, the defaults of DMClassifier, are meant for images of many "
                "classes; on tables of two classes they learn wrong labels much as cross entropy does. "
                "DMClassifierCV() chooses both by cross-validation on the given labels, and NoisyLabelClassifier() "
                "is the estimator to call first; values of your own, these included, are taken without this warning.",
            )

    def _nobody_chose_the_emphasis(self):
        # A clone has the very objects of the signature; a caller, a grid or a list of candidates brings its own.
        defaults = DMClassifier.__init__.__kwdefaults__
        return self.emphasis is None and all(getattr(self, name) is defaults[name] for name in ("lam", "beta"))

    def _make_criterion(self):
        if self.emphasis is None:
            emphasis = _checked_emphasis(self.lam, self.beta)
        else:
            emphasis = self.emphasis
            check_emphasis(emphasis)
        return DMLoss(emphasis, normalization=self.normalization, damping=self.damping)
