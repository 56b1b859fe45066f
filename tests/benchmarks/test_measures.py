import numpy as np
import pytest

from benchmarks.measures import calibration_error, detection_auc, measure
from benchmarks.tasks import Draw


class Says:
    """A fitted classifier that predicts one fixed probability table for the classes it knows."""

    def __init__(self, proba, classes):
        self.proba, self.classes_ = np.array(proba), np.array(classes)

    def predict_proba(self, X):
        return self.proba[: len(X)]


def test_calibration_error_of_a_sure_classifier_is_its_error():
    proba = np.eye(3)[[0, 1, 2, 0]]
    assert calibration_error(np.array([0, 1, 2, 1]), proba) == pytest.approx(0.25)


def test_calibration_error_by_hand():
    # two bins: confidence .6, half right, and confidence .9, all right
    proba = np.array([[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]])
    assert calibration_error(np.array([0, 1, 0, 0]), proba, n_bins=2) == pytest.approx(
        abs((0.6 + 0.6 + 0.9 + 0.9 - 3) / 4)
    )
    assert calibration_error(np.array([0, 1, 0, 0]), proba, n_bins=10) == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)


def test_detection_is_perfect_where_wrong_labels_have_the_lowest_quality():
    wrong = np.array([True, False, True, False])
    assert detection_auc(wrong, np.array([0.1, 0.9, 0.2, 0.8])) == 1
    assert detection_auc(wrong, np.array([0.9, 0.1, 0.8, 0.2])) == 0
    assert detection_auc(np.zeros(4, dtype=bool), np.ones(4)) is None


def test_measures_by_hand():
    X = np.zeros((4, 1))
    clean, given = np.array([0, 1, 0, 1]), np.array([0, 1, 1, 2])  # the last two are wrong
    draw = Draw(X, given, clean, X, clean, 3)
    memorises_one = Says([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]], [0, 1])  # has never heard of class 2
    values = measure(memorises_one, draw)
    assert values["test_accuracy"] == values["label_recovery"] == 0.75
    assert values["fitted_given"] == 0.75
    assert values["memorised"] == 0.5
    assert values["detection_auc"] == 1.0
