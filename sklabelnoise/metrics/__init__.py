"""Scores for work with wrong labels: what was recovered, memorized, detected, how calibrated and how well ranked."""

from sklabelnoise._foundation._renamed import old_names
from sklabelnoise.metrics._calibration import expected_calibration_error
from sklabelnoise.metrics._labels import correction_rate, detection_scores, label_recovery, memorization_rate
from sklabelnoise.metrics._ordinal import quadratic_weighted_kappa
from sklabelnoise.metrics._retrieval import average_sets, retrieval_scores

__all__ = [
    "label_recovery",
    "memorization_rate",
    "correction_rate",
    "detection_scores",
    "expected_calibration_error",
    "quadratic_weighted_kappa",
    "average_sets",
    "retrieval_scores",
]

__getattr__ = old_names(__name__, {"memorisation_rate": memorization_rate})
