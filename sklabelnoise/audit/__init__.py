"""Audit given labels: how much noise there is, between which classes, and which labels to doubt."""

from sklabelnoise.audit._audit_labels import audit_labels
from sklabelnoise.audit._issues import find_label_issues
from sklabelnoise.audit._report import LabelReport
from sklabelnoise.audit._transition import estimate_noise_rate, estimate_transition_matrix

__all__ = ["audit_labels", "find_label_issues", "estimate_transition_matrix", "estimate_noise_rate", "LabelReport"]
