"""Where version 0.1 had :class:`sklabelnoise.audit.LabelReport`."""

from sklabelnoise._label_report._report import LabelReport

__all__ = ["LabelReport"]
