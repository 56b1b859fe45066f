"""How much each training example counts, by the probability of its label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from sklabelnoise._foundation._classes import check_range
from sklabelnoise._foundation._counts import check_count
from sklabelnoise._foundation._given import of_tensor
from sklabelnoise._foundation._last_step import last_step
from sklabelnoise._foundation._matrix import check_number_column
from sklabelnoise._foundation._style import PALETTE, line_style, new_axes, remove_frame
from sklabelnoise._foundation._types import ArrayLike, Axes, Figure

if TYPE_CHECKING:
    from sklabelnoise._classifiers._derivative_manipulation import DMClassifier
    from sklabelnoise._classifiers._robust_loss import RobustLossClassifier
else:
    DMClassifier = RobustLossClassifier = Any  # they load torch, which no other picture needs


class EmphasisDisplay:
    """Weight of an example in the gradient against the probability of its given label.

    Parameters
    ----------
    p : ndarray of shape (n_points,)
        Probabilities of the given label.

    weight : ndarray of shape (n_points,)
        Weights w(p): the L1 norms of the derivatives with respect to the logits.

    density : bool, default=True
        Whether `weight` is divided by its integral over [0, 1], which makes losses of different scale comparable.

    label_proba : array-like of shape (n_samples,), default=None
        Probabilities of the given labels of data; shown beneath the curve.

    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    mode : float
        Where the weight is greatest. NaN if it is the same everywhere.

    ax_ : matplotlib Axes
        Axes with the curve.

    data_ax_ : matplotlib Axes or None
        Axes with the histogram of `label_proba`.

    figure_ : matplotlib Figure
        Figure of the axes.

    line_ : matplotlib Line2D
        The curve.

    References
    ----------
    Wang et al.: "Derivative Manipulation for General Example Weighting", equation 8 and Figure 1.

    Examples
    --------
    >>> from sklabelnoise.inspection import EmphasisDisplay
    >>> from sklabelnoise.losses import DMEmphasis
    >>> display = EmphasisDisplay.from_emphasis(DMEmphasis(lam=0.5, beta=8)).plot()
    >>> round(display.mode, 2)
    0.33
    """

    mode: float
    ax_: Axes
    data_ax_: Axes | None
    figure_: Figure
    line_: Any

    def __init__(
        self,
        p: NDArray[Any],
        weight: NDArray[Any],
        *,
        density: bool = True,
        label_proba: ArrayLike | None = None,
        name: str | None = None,
    ):
        self.p = check_number_column(p, "p")
        self.weight = np.asarray(of_tensor(weight))
        if self.weight.dtype.kind not in "biuf":
            raise ValueError(f"weight must hold a finite number for each of {self.p.size} points, got {weight!r}.")
        if self.weight.ndim != 1 or self.p.shape != self.weight.shape or not np.isfinite(self.weight).all():
            raise ValueError(
                f"weight must hold a finite number for each of {self.p.size} points, got shape {self.weight.shape} "
                f"with {np.count_nonzero(~np.isfinite(self.weight))} that are not finite."
            )
        self.density = density
        if label_proba is not None:
            label_proba = check_number_column(label_proba, "label_proba")
            check_range(label_proba, "label_proba")
        self.label_proba = label_proba
        self.name = name
        is_flat = np.ptp(self.weight) <= 1e-6 * np.abs(self.weight).max()
        self.mode = float("nan") if is_flat else float(self.p[self.weight.argmax()])

    @classmethod
    def from_emphasis(
        cls,
        emphasis: Callable[..., Any] | str,
        *,
        density: bool = True,
        n_points: int = 1001,
        n_classes: int | None = None,
        label_proba: ArrayLike | None = None,
        name: str | None = None,
        **hyper: Any,
    ) -> Self:
        """Display of an emphasis or of a loss.

        Parameters
        ----------
        emphasis : callable or str
            A function w(p), such as `DMEmphasis(0.5, 8)`, or the name of a loss, see `sklabelnoise.losses.NAMES`.

        density : bool, default=True
            Whether to divide by the integral over [0, 1].

        n_points : int, default=1001
            Number of points on the curve.

        n_classes : int, default=None
            Needed by losses whose weight depends on more than the probability of the label.

        label_proba : array-like of shape (n_samples,), default=None
            Probabilities of the given labels of data.

        name : str, default=None
            Name in the legend; None takes that of the loss or the emphasis.

        **hyper
            Hyper-parameters of a loss given by name.

        Returns
        -------
        display : EmphasisDisplay
        """
        import torch

        from sklabelnoise.losses import emphasis_of
        from sklabelnoise.losses._derivative_view import check_takes

        check_count("n_points", n_points, least=2)
        if not (isinstance(emphasis, str) or callable(emphasis)) or isinstance(emphasis, type):
            raise TypeError(
                "emphasis must be a function w(p), such as DMEmphasis(lam=0.5, beta=8), or the name of a loss, got "
                f"{emphasis!r}."
            )
        check_takes(emphasis, hyper)
        p = torch.linspace(0, 1, n_points, dtype=torch.float64)
        with torch.no_grad():
            if isinstance(emphasis, str):
                weight = emphasis_of(emphasis, p, n_classes=n_classes, **hyper)
            else:
                weight = emphasis(p)
        p, weight = p.numpy(), np.asarray(weight, dtype=np.float64)
        if density and weight.shape == p.shape:
            area = trapezoid(weight, p)
            if area == 0:
                raise ValueError("emphasis must have an integral to be divided by, or density=False, got one of 0.")
            weight = weight / area
        name = name or (emphasis if isinstance(emphasis, str) else getattr(emphasis, "__name__", repr(emphasis)))
        return cls(p, weight, density=density, label_proba=label_proba, name=name)

    @classmethod
    def from_estimator(
        cls,
        estimator: DMClassifier | RobustLossClassifier,
        *,
        density: bool = True,
        n_points: int = 1001,
        name: str | None = None,
    ) -> Self:
        """Display of a classifier's emphasis, with the probabilities of its training labels beneath if it is fitted.

        Parameters
        ----------
        estimator : DMClassifier or RobustLossClassifier
            Fitted or not; of a Pipeline the last step.

        density : bool, default=True
            Whether to divide by the integral over [0, 1].

        n_points : int, default=1001
            Number of points on the curve.

        name : str, default=None
            Name in the legend.

        Returns
        -------
        display : EmphasisDisplay
        """
        from sklabelnoise.losses import DMEmphasis

        estimator = last_step(estimator)
        params, hyper = estimator.get_params(deep=False), {}
        if callable(params.get("loss")):
            raise ValueError(
                "estimator must have an emphasis, a weight that depends on p alone, got "
                f"{type(estimator).__name__} with a loss of your own, {params['loss']!r}."
            )
        if "loss" in params:
            emphasis = params["loss"]
            hyper = {key.removeprefix("loss__"): v for key, v in params.items() if key.startswith("loss__")}
        elif "lam" in params:
            emphasis = params["emphasis"] or DMEmphasis(params["lam"], params["beta"])
        else:
            raise ValueError(
                f"estimator must have an emphasis, a weight that depends on p alone, got {type(estimator).__name__}."
            )
        return cls.from_emphasis(
            emphasis,
            density=density,
            n_points=n_points,
            n_classes=len(estimator.classes_) if hasattr(estimator, "classes_") else None,
            label_proba=getattr(estimator, "label_quality_", None),
            name=name,
            **hyper,
        )

    def plot(
        self,
        *,
        ax: Axes | None = None,
        data_ax: Axes | None = None,
        color: Any = None,
        mark_mode: bool = True,
        **kwargs: Any,
    ) -> Self:
        """Draw the curve, its mode, and the histogram of the data beneath.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in; several displays may share them. None makes a new figure, with the data beneath.

        data_ax : matplotlib Axes, default=None
            Axes for the histogram of the data, if `ax` is given.

        color : color, default=None
            Color of curve, mode and histogram.

        mark_mode : bool, default=True
            Whether to mark where the weight is greatest.

        **kwargs
            Passed to ``ax.plot``.

        Returns
        -------
        self : EmphasisDisplay
        """
        if ax is None and self.label_proba is not None:
            ax, data_ax = new_axes(None, nrows=2, sharex=True, height_ratios=[3, 1], figsize=(5.5, 4.5))
        ax = new_axes(ax, figsize=(5.5, 4))
        color = color or PALETTE[len(ax.get_lines()) % len(PALETTE)]
        (self.line_,) = ax.plot(self.p, self.weight, **{"color": color, "label": self.name} | line_style(kwargs))
        if mark_mode and np.isfinite(self.mode):
            # A marker only: several displays in the same axes would hide each other's labels. `_` keeps it out of the
            # legend and of the count of curves above.
            ax.scatter(self.mode, self.weight.max(), color=color, zorder=3, s=28, label=f"_mode {self.mode:.2f}")
            ax.vlines(self.mode, 0, self.weight.max(), color=color, lw=0.8, ls=":")
        ax.set(xlim=(0, 1), ylabel="normalized emphasis" if self.density else "weight w(p)")
        ax.set_ylim(0, 1.06 * max(line.get_ydata().max() for line in ax.get_lines()))
        remove_frame(ax)
        if self.name is not None:
            ax.legend(frameon=False)
        self.data_ax_ = data_ax if self.label_proba is not None else None
        if self.data_ax_ is not None:
            self.data_ax_.hist(self.label_proba, bins=np.linspace(0, 1, 41), color=color, alpha=0.55)
            self.data_ax_.set(xlim=(0, 1), ylabel="examples")
            remove_frame(self.data_ax_)
        (ax if self.data_ax_ is None else self.data_ax_).set_xlabel("probability p of the given label")
        self.ax_, self.figure_ = ax, ax.figure
        return self
