"""ProSelfLC: progressive trust in the network's own prediction over the given label."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from skorch import NeuralNet

from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise._classifiers._parameters import document_common
from sklabelnoise._compat import Interval, StrOptions
from sklabelnoise._foundation._types import RandomState
from sklabelnoise.losses import ProSelfLCLoss


@document_common
class ProSelfLCClassifier(BaseNoisyLabelClassifier):
    r"""Neural network trained by progressive self label correction.

    The network learns from corrected targets, a mixture of the given label q and its own prediction p [1]_,

    .. math:: (1 - \epsilon) q + \epsilon p, \qquad \epsilon = g(t) \, l(p), \qquad
        g(t) = \frac{1}{1 + \exp(-B (t / \Gamma - m))}, \qquad l(p) = 1 - \frac{H(p)}{\log C}.

    The global trust g grows with training time t from 0 to 1: early on the labels teach, later the network may
    contradict them. The local trust l is high where the prediction has low entropy H. So confident predictions late in
    training replace labels, and uncertain ones do not.

    Time counts training iterations, from 1 to their planned number; with early stopping the trust therefore stays below
    its final value. Under `partial_fit` each call counts as one of `max_epochs` epochs, under `warm_start` counting
    goes on, and in both the trust stays at its end once it is reached.

    Parameters
    ----------
    %(module)s

    slope : float, default=10.0
        B, positive: how fast the global trust rises. The paper tries 8 to 16, smaller for more noise.

    midpoint : float, default=0.5
        m, the fraction of training after which the network as a whole is trusted as much as the labels. The paper uses
        1/2, its code also 0.2 to 0.7.

    temperature : float, default=1.0
        Below 1 the prediction inside the target, and the entropy that decides how far it is trusted, are those of the
        sharpened distribution softmax(z / temperature), a constant through training despite the published name
        "annealed temperature" [2]_.

    local_trust : {"entropy", "max", None}, default="entropy"
        How a single prediction is trusted: 1 - H(p) / log C, the largest probability, or fully (None).

    detach_target : bool, default=False
        Whether the corrected target is a constant. By default the gradient flows through p, as in the code of the
        paper. A constant target needs a temperature below 1: at 1 its gradient is (1 - epsilon) (p - q), cross entropy
        with weights and no correction at all.

    %(common_parameters)s

    Attributes
    ----------
    %(common_attributes)s

    See Also
    --------
    DMClassifier : Weights the examples in place of correcting their labels.
    StochasticLabelRefinery : Corrects labels by out-of-fold predictions of any estimator.

    References
    ----------
    .. [1] X. Wang, Y. Hua, E. Kodirov, D. A. Clifton, N. M. Robertson, "ProSelfLC: progressive self label correction
       for training robust deep neural networks", CVPR 2021, Eq. 7.
    .. [2] X. Wang et al., "ProSelfLC: progressive self label correction towards a low-temperature entropy state",
       arXiv:2207.00118, 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sklabelnoise import ProSelfLCClassifier
    >>> from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
    >>> X_train, X_test, y_train, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
    >>> y_given = corrupt_labels(y_train, symmetric_transition_matrix(10, 0.4), random_state=0)
    >>> model = ProSelfLCClassifier(random_state=0).fit(X_train, y_given)
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
        "slope": [Interval(Real, 0, None, closed="neither")],
        "midpoint": [Interval(Real, None, None, closed="neither")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "local_trust": [StrOptions({"entropy", "max"}), None],
        "detach_target": ["boolean"],
    }

    def __init__(
        self,
        module: torch.nn.Module | Callable[..., Any] | None = None,
        *,
        slope: float = 10.0,
        midpoint: float = 0.5,
        temperature: float = 1.0,
        local_trust: Literal["entropy", "max"] | None = "entropy",
        detach_target: bool = False,
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

    def _make_criterion(self):
        return ProSelfLCLoss(
            slope=self.slope,
            midpoint=self.midpoint,
            temperature=self.temperature,
            local_trust=self.local_trust,
            detach_target=self.detach_target,
        )
