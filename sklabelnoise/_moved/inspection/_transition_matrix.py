"""Where version 0.1 had :class:`sklabelnoise.inspection.TransitionMatrixDisplay`."""

from sklabelnoise._label_report._transition_matrix_display import TransitionMatrixDisplay

__all__ = ["TransitionMatrixDisplay"]
