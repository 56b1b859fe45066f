import numpy as np

from benchmarks.measures import measure
from benchmarks.tasks import Draw


class Says:
    """A fitted classifier that predicts one fixed probability table for the classes it knows."""

    def __init__(self, proba, classes):
        self.proba, self.classes_ = np.array(proba), np.array(classes)

    def predict_proba(self, X):
        return self.proba[: len(X)]


X = np.zeros((4, 1))
CLEAN = np.array([0, 1, 0, 1])


def test_measures_by_hand():
    given = np.array([0, 1, 1, 2])  # the last two are wrong
    knows_two_of_three = Says([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]], [0, 1])
    assert measure(knows_two_of_three, Draw(X, given, CLEAN, X, CLEAN, 3)) == {
        "test_accuracy": 0.75,
        "balanced_accuracy": 0.75,  # one of two zeros, both ones
        "calibration_error": 0.275,  # right with .9, .8, .9, wrong with .7: (.1 + .2 + .1 + .7) / 4, bins of 1/15
        "fitted_given": 0.75,
        "label_recovery": 0.5,  # two wrong labels before, one after
        "memorised": 0.5,
        "detection_auc": 1.0,  # qualities .7 and 0 of the wrong labels, .9 and .8 of the right ones
    }


def test_recovery_and_memory_are_of_the_predictions_on_training_rows():
    given = np.array([1, 1, 1, 2])
    right, learned = (
        measure(Says(np.eye(3)[y], [0, 1, 2]), Draw(X, given, CLEAN, X, CLEAN, 3)) for y in (CLEAN, given)
    )
    assert (right["label_recovery"], right["memorised"], right["fitted_given"]) == (1, 0, 0.25)
    assert (learned["label_recovery"], learned["memorised"], learned["fitted_given"]) == (0, 1, 1)


def test_a_class_without_test_rows_has_no_recall():
    """As scikit-learn's balanced accuracy has it, and not as one of which every row is missed."""
    one_of_three = Says([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], [0, 1, 2])
    measures = measure(one_of_three, Draw(X, CLEAN, CLEAN, X, CLEAN, 3))
    assert measures["balanced_accuracy"] == 0.75  # one of two zeros, both ones


def test_clean_labels_have_nothing_to_recover():
    measures = measure(Says(np.eye(2)[CLEAN], [0, 1]), Draw(X, CLEAN, CLEAN, X, CLEAN, 2))
    assert measures["test_accuracy"] == measures["fitted_given"] == 1
    assert measures["label_recovery"] is measures["memorised"] is measures["detection_auc"] is None
