"""Audit given labels: how much noise there is, between which classes, and which labels to doubt.

:func:`audit_labels` does all of it with any classifier and returns a :class:`LabelReport`, which writes the page for
reviewers and applies what they decided. With out-of-fold probabilities at hand the functions do it piece by piece:

>>> import numpy as np
>>> from sklabelnoise.audit import find_label_issues
>>> y = np.array([0, 0, 0, 1, 1, 1])
>>> proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.05, 0.95], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]])
>>> find_label_issues(y, proba)["row"].tolist()
[2]
"""

from pathlib import Path

from sklabelnoise._label_report._issues import find_label_issues
from sklabelnoise._label_report._report import LabelReport
from sklabelnoise._label_report._transition import estimate_noise_rate, estimate_transition_matrix
from sklabelnoise.audit._audit_labels import audit_labels

# Pickles of version 0.1 name modules that lived here; these are found beside those of the package itself.
__path__.append(str(Path(__file__).parents[1] / "_moved" / "audit"))

__all__ = ["audit_labels", "find_label_issues", "estimate_transition_matrix", "estimate_noise_rate", "LabelReport"]
