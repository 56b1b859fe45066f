"""Displays of noise and of learning from it, in scikit-learn's manner: arrays first, drawing in `plot`."""

from pathlib import Path

from sklabelnoise._label_report._label_flow_display import LabelFlowDisplay
from sklabelnoise._label_report._label_issues_display import LabelIssuesDisplay
from sklabelnoise._label_report._transition_matrix_display import TransitionMatrixDisplay
from sklabelnoise.inspection._emphasis import EmphasisDisplay
from sklabelnoise.inspection._learning_dynamics import LearningDynamicsDisplay
from sklabelnoise.inspection._refinery import RefineryDisplay

# Pickles of version 0.1 name modules that lived here; these are found beside those of the package itself.
__path__.append(str(Path(__file__).parents[1] / "_moved" / "inspection"))

__all__ = [
    "EmphasisDisplay",
    "LearningDynamicsDisplay",
    "LabelFlowDisplay",
    "TransitionMatrixDisplay",
    "LabelIssuesDisplay",
    "RefineryDisplay",
]
