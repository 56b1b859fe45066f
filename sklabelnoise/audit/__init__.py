"""Audit given labels: how much noise there is, between which classes, and which labels to doubt."""

from pathlib import Path

from sklabelnoise._label_report._issues import find_label_issues
from sklabelnoise._label_report._report import LabelReport
from sklabelnoise._label_report._transition import estimate_noise_rate, estimate_transition_matrix
from sklabelnoise.audit._audit_labels import audit_labels

# Pickles of version 0.1 name modules that lived here; these are found beside those of the package itself.
__path__.append(str(Path(__file__).parents[1] / "_moved" / "audit"))

__all__ = ["audit_labels", "find_label_issues", "estimate_transition_matrix", "estimate_noise_rate", "LabelReport"]
