"""Which classes are mistaken for which."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklabelnoise._foundation._classes import count_pairs
from sklabelnoise._foundation._given import check_same_kind, label_column
from sklabelnoise._foundation._style import new_axes, shorten
from sklabelnoise._foundation._types import ArrayLike, Axes, Figure, Labels
from sklabelnoise._label_report._evidence import check_evidence
from sklabelnoise._label_report._report import LabelReport, check_report
from sklabelnoise._label_report._report_display import ReportDisplay
from sklabelnoise._label_report._transition import estimate_noise
from sklabelnoise.noise import check_transition_matrix
from sklabelnoise.noise._rates import shares_of_each_class
from sklabelnoise.noise._transition_matrices import in_order_of_classes, named_classes

_MAX_ANNOTATED = 20  # classes; more cells than that are too small for numbers


class TransitionMatrixDisplay(ReportDisplay, kind="transition_matrix"):
    """A transition matrix as a picture.

    Parameters
    ----------
    transition_matrix : array-like or DataFrame of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one. The rows and columns of a frame are found by name.

    classes : array-like of shape (n_classes,), default=None
        Names of the classes, in the order of the rows. None takes those of a frame, else numbers.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the matrix.

    figure_ : matplotlib Figure
        Figure of the axes.

    im_ : matplotlib AxesImage
        The matrix.

    text_ : ndarray of Text of shape (n_classes, n_classes) or None
        The numbers.

    Examples
    --------
    >>> from sklabelnoise.inspection import TransitionMatrixDisplay
    >>> from sklabelnoise.noise import pair_flip_transition_matrix
    >>> display = TransitionMatrixDisplay(pair_flip_transition_matrix(3, 0.3), ["ant", "bee", "cow"]).plot()
    >>> display.text_[0, 1].get_text()
    '.30'
    """

    ax_: Axes
    figure_: Figure
    im_: Any
    text_: NDArray[Any] | None

    def __init__(self, transition_matrix: ArrayLike, classes: Labels | None = None):
        names = named_classes(transition_matrix)[0]
        if classes is not None:
            classes = label_column(classes, "classes")
            transition_matrix = in_order_of_classes(transition_matrix, classes)
        self.transition_matrix = check_transition_matrix(transition_matrix)
        n_classes = len(self.transition_matrix)
        self.classes = np.asarray(classes if classes is not None else range(n_classes) if names is None else names)
        if len(self.classes) != n_classes:
            raise ValueError(f"classes must name each of {n_classes} classes, got {len(self.classes)}.")

    @classmethod
    def from_labels(cls, y_clean: Labels, y_noisy: ArrayLike, *, classes: Labels | None = None) -> Self:
        """Display of the noise in given labels whose truth is known.

        Parameters
        ----------
        y_clean, y_noisy : array-like of shape (n_samples,)
            True and given labels.

        classes : array-like of shape (n_classes,), default=None
            All labels in their order.

        Returns
        -------
        display : TransitionMatrixDisplay
        """
        y_clean, y_noisy = check_same_kind(y_clean=y_clean, y_noisy=y_noisy)
        classes, counts = count_pairs(classes, y_clean=y_clean, y_noisy=y_noisy)
        return cls(shares_of_each_class(counts), classes)

    @classmethod
    def from_predictions(
        cls, y: Labels, proba: ArrayLike, *, method: str = "anchor_sets", classes: Labels | None = None
    ) -> Self:
        """Display of an estimate from out-of-fold probabilities.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Given labels.

        proba : array-like of shape (n_samples, n_classes)
            Out-of-fold probabilities.

        method : str, default="anchor_sets"
            As in :func:`~sklabelnoise.audit.estimate_transition_matrix`.

        classes : array-like of shape (n_classes,), default=None
            The labels in the order of the columns of `proba`.

        Returns
        -------
        display : TransitionMatrixDisplay
        """
        codes, proba, classes = check_evidence(y, proba, classes)
        return cls(estimate_noise(codes, proba, method)[0], classes)

    @classmethod
    def from_report(cls, report: LabelReport) -> Self:
        """Display of the estimate of a report.

        Parameters
        ----------
        report : LabelReport
            As :func:`~sklabelnoise.audit.audit_labels` returns it.

        Returns
        -------
        display : TransitionMatrixDisplay
        """
        check_report(report)
        return cls(report.transition_matrix, report.classes)

    def plot(
        self,
        *,
        ax: Axes | None = None,
        cmap: str | Any = "Blues",
        colorbar: bool = True,
        values: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the matrix.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        cmap : str or Colormap, default="Blues"
            Colors of the shares.

        colorbar : bool, default=True
            Whether to draw one.

        values : bool, default=None
            Whether to write the shares into the cells. None does up to twenty classes.

        **kwargs
            Passed to ``ax.imshow``.

        Returns
        -------
        self : TransitionMatrixDisplay
        """
        T, n = self.transition_matrix, len(self.classes)
        side = np.clip(2.2 + 0.42 * n, 4, 9)
        ax = new_axes(ax, figsize=(side + 0.8 * colorbar, side))
        self.im_ = ax.imshow(T, **{"cmap": cmap, "vmin": 0, "vmax": 1} | kwargs)
        self.text_ = None
        if n <= _MAX_ANNOTATED if values is None else values:
            # Light text where the cell is dark.
            self.text_ = np.array(
                [
                    [
                        ax.text(
                            *(j, i, _share(T[i, j])),
                            ha="center",
                            va="center",
                            fontsize=9 if n <= 12 else 7,
                            color="white" if self.im_.norm(T[i, j]) > 0.55 else "#1d2530",
                        )
                        for j in range(n)
                    ]
                    for i in range(n)
                ]
            )
        step = max(1, n // 25)  # names of a hundred classes would overlap
        ticks, names = range(0, n, step), [shorten(label) for label in self.classes[::step]]
        long = max(map(len, names)) > 3
        ax.set_xticks(
            ticks, names, rotation=45 if long else 0, ha="right" if long else "center", rotation_mode="anchor"
        )
        ax.set_yticks(ticks, names)
        ax.set(xlabel="given label", ylabel="true label")
        if colorbar:
            ax.figure.colorbar(self.im_, ax=ax, label="share of the true class", fraction=0.046, pad=0.03)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _share(value):
    """Two digits without the zero before the point; cells that round to nothing stay empty."""
    if value < 0.005:
        return ""
    return f"{value:.2f}".removeprefix("0")
