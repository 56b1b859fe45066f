"""Displays of noise and of learning from it, in scikit-learn's manner: arrays first, drawing in `plot`."""

from sklabelnoise.inspection._emphasis import EmphasisDisplay
from sklabelnoise.inspection._label_flow import LabelFlowDisplay
from sklabelnoise.inspection._label_issues import LabelIssuesDisplay
from sklabelnoise.inspection._learning_dynamics import LearningDynamicsDisplay
from sklabelnoise.inspection._refinery import RefineryDisplay
from sklabelnoise.inspection._transition_matrix import TransitionMatrixDisplay

__all__ = [
    "EmphasisDisplay",
    "LearningDynamicsDisplay",
    "LabelFlowDisplay",
    "TransitionMatrixDisplay",
    "LabelIssuesDisplay",
    "RefineryDisplay",
]
