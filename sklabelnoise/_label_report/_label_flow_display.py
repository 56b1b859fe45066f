"""What became of labels: from true to given, or from given to corrected."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from sklabelnoise._foundation._classes import count_pairs
from sklabelnoise._foundation._given import check_not_masked, check_same_kind, label_column
from sklabelnoise._foundation._style import NEUTRAL, class_colors, new_axes, shorten
from sklabelnoise._foundation._types import ArrayLike, Axes, Figure, Labels
from sklabelnoise._label_report._report import LabelReport, check_report
from sklabelnoise._label_report._report_display import ReportDisplay
from sklabelnoise.noise._transition_matrices import in_order_of_classes

_GAP = 0.02  # between classes, as a share of the height
_WIDTH = 0.06  # of the bars, as a share of the width


class LabelFlowDisplay(ReportDisplay, kind="flow"):
    """Flow of rows from one labeling to another: a band for each pair of classes, as wide as there are rows.

    Parameters
    ----------
    counts : array-like or DataFrame of shape (n_classes, n_classes)
        ``counts[i, j]`` rows go from class i on the left to class j on the right. The rows and columns of a frame, as
        ``pandas.crosstab`` makes them, are found by name.

    classes : array-like of shape (n_classes,)
        Names of the classes.

    names : tuple of str, default=("given", "corrected")
        Names of the two labelings.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bands.

    figure_ : matplotlib Figure
        Figure of the axes.

    bands_ : dict of (int, int) to matplotlib PathPatch
        The bands by pair of classes.

    Examples
    --------
    >>> from sklabelnoise.inspection import LabelFlowDisplay
    >>> display = LabelFlowDisplay.from_labels(["a", "a", "b"], ["a", "b", "b"]).plot()
    >>> sorted(display.bands_)
    [(0, 0), (0, 1), (1, 1)]
    """

    ax_: Axes
    figure_: Figure
    bands_: dict[tuple[int, int], Any]

    def __init__(self, counts: ArrayLike, classes: Labels, *, names: tuple[str, ...] = ("given", "corrected")):
        self.classes = label_column(classes, "classes")
        check_not_masked(counts, "counts")
        self.counts = np.asarray(in_order_of_classes(counts, self.classes, "counts"))
        self.names = names
        if isinstance(names, str) or np.ndim(names) != 1 or len(names) != 2:
            raise ValueError(f"names must be two, of the labels on the left and on the right, got {names!r}.")
        if self.counts.shape != (len(self.classes),) * 2:
            raise ValueError(
                f"counts must have a row and a column for each of {len(self.classes)} classes, "
                f"got shape {self.counts.shape}."
            )
        if self.counts.dtype.kind not in "biuf" or not (np.isfinite(self.counts) & (self.counts >= 0)).all():
            raise ValueError(f"counts must hold numbers of rows, none negative or missing, got {self.counts.tolist()}.")

    @classmethod
    def from_labels(
        cls,
        y_from: ArrayLike,
        y_to: ArrayLike,
        *,
        classes: Labels | None = None,
        names: tuple[str, ...] = ("given", "corrected"),
    ) -> Self:
        """Display of two labelings of the same rows.

        Parameters
        ----------
        y_from, y_to : array-like of shape (n_samples,)
            Labels on the left and on the right.

        classes : array-like of shape (n_classes,), default=None
            Labels in the order to draw them, from the top. None sorts those found.

        names : tuple of str, default=("given", "corrected")
            Names of the two labelings.

        Returns
        -------
        display : LabelFlowDisplay
        """
        y_from, y_to = check_same_kind(y_from=y_from, y_to=y_to)
        classes, counts = count_pairs(classes, y_from=y_from, y_to=y_to)
        return cls(counts, classes, names=names)

    @classmethod
    def from_report(cls, report: LabelReport) -> Self:
        """Display of what accepting every suggestion of a report would change.

        Parameters
        ----------
        report : LabelReport
            As :func:`~sklabelnoise.audit.audit_labels` returns it.

        Returns
        -------
        display : LabelFlowDisplay
        """
        check_report(report)
        suggested = report.apply(report.issues.assign(decision="accept"))
        return cls.from_labels(report.y, suggested, classes=report.classes, names=("given", "suggested"))

    def plot(self, *, ax: Axes | None = None, changes_only: bool = False) -> Self:
        """Draw the bands.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a new figure.

        changes_only : bool, default=False
            Whether to leave out the rows that keep their label, which lets small changes be seen.

        Returns
        -------
        self : LabelFlowDisplay
        """
        counts = self.counts.astype(np.float64)
        if changes_only:
            np.fill_diagonal(counts, 0)
        if counts.sum() == 0:
            raise ValueError("There must be labels that change to draw, got none.")
        n = len(self.classes)
        ax = new_axes(ax, figsize=(6, np.clip(2 + 0.4 * n, 3.5, 9)))
        counts *= (1 - _GAP * (n - 1)) / counts.sum()
        colors = class_colors(n)
        tops = [_tops(counts.sum(axis=1)), _tops(counts.sum(axis=0))]
        self._draw_bars(ax, counts, tops, colors)
        left, right = (side.copy() for side in tops)
        self.bands_ = {}
        for i in range(n):
            for j in range(n):
                if counts[i, j] > 0:
                    style = (NEUTRAL, 0.25) if i == j else (colors[i], 0.65)
                    self.bands_[i, j] = ax.add_patch(_band(left[i], right[j], counts[i, j], *style))
                left[i] -= counts[i, j]
                right[j] -= counts[i, j]
        ax.set(xlim=(-0.3, 1.3), ylim=(-0.02, 1.08))
        ax.axis("off")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_bars(self, ax, counts, tops, colors):
        for side, x, align in ((0, 0, "right"), (1, 1, "left")):
            heights = counts.sum(axis=1 - side)
            ax.bar(
                np.full(len(heights), x - _WIDTH * (1 - side)),
                heights,
                bottom=tops[side] - heights,
                width=_WIDTH,
                color=colors,
                align="edge",
            )
            for label, top, height in zip(self.classes, tops[side], heights, strict=True):
                if height > 0:
                    outside = x + (_WIDTH + 0.02) * (1 if side else -1)
                    ax.text(outside, top - height / 2, shorten(label), ha=align, va="center", fontsize=9)
            ax.text(x, 1.03, self.names[side], ha=align, va="bottom", weight="bold")


def _tops(heights):
    """Upper ends of bars stacked from the top with gaps between them."""
    return 1 - np.concatenate([[0], np.cumsum(heights + _GAP)[:-1]])


def _band(left, right, height, color, alpha):
    """A band between two bars, given where its upper edge leaves and arrives."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    upper = [(0, left), (0.5, left), (0.5, right), (1, right)]
    lower = [(1, right - height), (0.5, right - height), (0.5, left - height), (0, left - height)]
    codes = [Path.MOVETO, *[Path.CURVE4] * 3, Path.LINETO, *[Path.CURVE4] * 3, Path.CLOSEPOLY]
    return PathPatch(Path([*upper, *lower, (0, left)], codes), facecolor=color, alpha=alpha, lw=0)
