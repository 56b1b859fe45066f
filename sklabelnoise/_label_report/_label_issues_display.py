"""A contact sheet of labels to doubt."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sklabelnoise._foundation._counts import check_count
from sklabelnoise._foundation._style import NEUTRAL, pyplot, shorten
from sklabelnoise._foundation._types import ArrayLike, Estimator, Figure, Labels, SubFigure
from sklabelnoise._label_report._audit import audit
from sklabelnoise._label_report._evidence import codes_of
from sklabelnoise._label_report._report import LabelReport, check_report
from sklabelnoise._label_report._report_display import ReportDisplay
from sklabelnoise._label_report._views import view_of_report

_WIDTHS = (0.07, 0.13, 0.13, 0.08, 0.59)  # of the columns of a table


class LabelIssuesDisplay(ReportDisplay, kind="issues"):
    """Labels to doubt side by side: pictures, or rows of a table.

    Parameters
    ----------
    report : LabelReport
        As :func:`~sklabelnoise.audit.audit_labels` returns it, with its `X` or `display`.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        One axes a picture, or the axes of the table.

    figure_ : matplotlib Figure
        Figure of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklabelnoise.audit import LabelReport
    >>> from sklabelnoise.inspection import LabelIssuesDisplay
    >>> y, images = np.repeat([0, 1], 20), np.zeros((40, 8, 8))
    >>> proba = np.eye(2)[y]
    >>> proba[7] = 0, 1  # the model is sure of the other class
    >>> display = LabelIssuesDisplay(LabelReport(y, proba, X=images)).plot()
    >>> display.axes_[0].get_title()
    '0 → 1?'
    """

    axes_: NDArray[Any]
    figure_: Figure

    def __init__(self, report: LabelReport):
        check_report(report)
        self.report = report

    @classmethod
    def from_estimator(cls, estimator: Estimator, X: ArrayLike, y: Labels, **kwargs: Any) -> Self:
        """Display of an audit.

        Parameters
        ----------
        estimator : classifier
            It is cloned.

        X : array-like of shape (n_samples, ...)
            What it is fitted to and what is shown.

        y : array-like of shape (n_samples,)
            Given labels.

        **kwargs
            Passed to :func:`~sklabelnoise.audit.audit_labels`.

        Returns
        -------
        display : LabelIssuesDisplay
        """
        return cls(audit(estimator, X, y, **kwargs))

    @classmethod
    def from_report(cls, report: LabelReport) -> Self:
        """Display of a report.

        Parameters
        ----------
        report : LabelReport
            As :func:`~sklabelnoise.audit.audit_labels` returns it.

        Returns
        -------
        display : LabelIssuesDisplay
        """
        return cls(report)

    def plot(
        self,
        *,
        n_issues: int = 24,
        n_columns: int = 8,
        image_shape: tuple[int, ...] | None = None,
        figure: Figure | SubFigure | None = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the worst issues: given label, suggestion, and what there is to see.

        Parameters
        ----------
        n_issues : int, default=24
            Number of issues.

        n_columns : int, default=8
            Pictures beside each other.

        image_shape : tuple of int, default=None
            Shape of the pictures in the rows of a two-dimensional `X`.

        figure : matplotlib Figure or SubFigure, default=None
            Where to draw. None makes a new one.

        **kwargs
            Passed to ``ax.imshow`` for pictures.

        Returns
        -------
        self : LabelIssuesDisplay
        """
        n_issues = check_count("n_issues", n_issues, least=1)
        n_columns = check_count("n_columns", n_columns, least=1)
        plt = pyplot()
        issues = self.report.issues.head(n_issues)
        if len(issues) == 0:
            raise ValueError("There must be labels to doubt to draw, got none.")
        view = view_of_report(self.report, image_shape=image_shape)
        if view.kind == "image":
            n_rows = -(-len(issues) // n_columns)
            figure = figure or plt.figure(figsize=(1.25 * n_columns, 1.55 * n_rows), layout="constrained")
            self._plot_pictures(figure, view, issues, n_rows, n_columns, kwargs)
        else:
            figure = figure or plt.figure(figsize=(9.5, 0.6 + 0.34 * len(issues)), layout="constrained")
            self._plot_table(figure, view, issues)
        self.figure_ = figure
        return self

    def _plot_pictures(self, figure, view, issues, n_rows, n_columns, kwargs):
        axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for ax in axes:
            ax.axis("off")
        for ax, issue in zip(axes, issues.itertuples(), strict=False):
            pixels = view.pixels(issue.row)
            if pixels is None:
                ax.text(0.5, 0.5, "cannot be read", transform=ax.transAxes, ha="center", va="center", fontsize=7)
            else:
                ax.imshow(pixels, **{"cmap": "gray"} | kwargs)
            ax.set_title(f"{shorten(issue.given_label, 9)} → {shorten(issue.suggested_label, 9)}?", fontsize=9)
            ax.text(
                0.5,
                -0.04,
                f"row {issue.row}",
                transform=ax.transAxes,
                ha="center",
                va="top",
                fontsize=7,
                color=NEUTRAL,
            )
        self.axes_ = axes

    def _plot_table(self, figure, view, issues):
        given, suggested = (codes_of(issues[f"{role}_label"], self.report.classes) for role in ("given", "suggested"))
        contents = view.brief(issues["row"].to_numpy(), given, suggested)
        cells = [
            [
                str(issue.row),
                shorten(issue.given_label),
                shorten(issue.suggested_label),
                f"{issue.quality:.2f}",
                shorten(view.line(content) if content else "", 78),
            ]
            for issue, content in zip(issues.itertuples(), contents, strict=True)
        ]
        ax = figure.subplots()
        ax.axis("off")
        table = ax.table(
            cells,
            colLabels=[
                "row",
                "given",
                "suggested",
                "quality",
                "what speaks for it" if view.kind == "values" else "content",
            ],
            colWidths=_WIDTHS,
            cellLoc="left",
            colLoc="left",
            bbox=[0, 0, 1, 1],
        )
        table.auto_set_font_size(False)
        table.set_fontsize(8)
        for (i, j), cell in table.get_celld().items():
            cell.PAD = 0.008 / _WIDTHS[j]  # matplotlib counts it in widths of the cell
            cell.set(edgecolor="#dfe3e8", linewidth=0.6)
            # Not by color: beside this table, colors are those of classes and methods.
            cell.get_text().set(color=NEUTRAL if i == 0 else "#1d2530", weight="bold" if i and j == 2 else "normal")
        self.axes_ = np.array([ax])
