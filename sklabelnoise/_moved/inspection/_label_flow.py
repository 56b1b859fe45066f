"""Where version 0.1 had :class:`sklabelnoise.inspection.LabelFlowDisplay`."""

from sklabelnoise._label_report._label_flow_display import LabelFlowDisplay

__all__ = ["LabelFlowDisplay"]
