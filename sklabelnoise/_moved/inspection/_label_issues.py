"""Where version 0.1 had :class:`sklabelnoise.inspection.LabelIssuesDisplay`."""

from sklabelnoise._label_report._label_issues_display import LabelIssuesDisplay

__all__ = ["LabelIssuesDisplay"]
