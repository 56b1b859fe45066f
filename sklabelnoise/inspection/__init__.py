"""Displays of noise and of learning from it, in scikit-learn's manner: arrays first, drawing in `plot`.

A display is made by `from_estimator`, `from_report` or another of its class methods, and drawn by `plot`, into axes of
your own if you give some. What was drawn stays at hand as `figure_`, `ax_` and the like:

>>> from sklabelnoise.inspection import TransitionMatrixDisplay
>>> display = TransitionMatrixDisplay.from_labels([0, 0, 1, 1], [0, 1, 1, 1]).plot()
>>> display.ax_.get_ylabel()
'true label'

``METHOD_COLORS`` holds the color that a method has in every picture of this package.
"""

from pathlib import Path

from sklabelnoise._foundation._style import METHOD_COLORS
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
    "METHOD_COLORS",
]
