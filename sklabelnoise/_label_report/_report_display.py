"""What a report draws itself with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

from sklabelnoise._foundation._types import Figure, SubFigure


class ReportDisplay(ABC):
    """Display that can be made of a report.

    Attributes
    ----------
    of_kind : dict of str to type
        The displays by what ``LabelReport.plot`` calls them. They import the report and the audit, so these cannot
        import them: each enters itself here.

    figure_ : matplotlib Figure or SubFigure
        What it was drawn on.
    """

    of_kind: ClassVar[dict[str, type[ReportDisplay]]] = {}
    figure_: Figure | SubFigure

    def __init_subclass__(cls, kind: str | None = None, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if kind is not None:
            ReportDisplay.of_kind[kind] = cls

    @classmethod
    @abstractmethod
    def from_report(cls, report: Any) -> Self:
        """Display of a report."""

    @abstractmethod
    def plot(self, **kwargs: Any) -> Self:
        """Draw it."""
