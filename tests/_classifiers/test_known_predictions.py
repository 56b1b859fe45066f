"""Predictions that are known beforehand are scored as scikit-learn scores them."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from sklabelnoise._classifiers import _logits_classifier
from sklabelnoise._classifiers._known_predictions import KnownPredictions

CLASSES = {
    "integers": np.array([3, 5, 9]),
    "bytes": np.array([3, 5, 9], dtype=np.uint8),
    "booleans": np.array([False, True]),
    "strings": np.array(["a", "bb", "c"]),
    "objects": np.array(["a", "bb", "c"], dtype=object),
    "numbers": np.array([1.0, 2.0]),
}


@pytest.fixture(params=CLASSES)
def known(request):
    """Known predictions, and labels of their classes."""
    rng = np.random.default_rng(0)
    classes = CLASSES[request.param]
    return KnownPredictions(classes, rng.normal(size=(60, len(classes)))), classes[rng.integers(0, len(classes), 60)]


def test_accuracy_is_that_of_scikit_learn_to_the_bit(known):
    model, y = known
    weight = np.random.default_rng(1).exponential(size=60)
    for labels in (y, y.tolist(), pd.Series(y, index=range(60, 0, -1)), y[::-1][::-1]):
        assert model.score(None, labels) == accuracy_score(labels, model.predict(None))
        assert model.score(None, labels, weight) == accuracy_score(labels, model.predict(None), sample_weight=weight)


def test_labels_that_no_network_has_seen_are_not_hit():
    model = KnownPredictions(np.array([0, 1]), np.eye(2)[[0, 1, 0, 1, 0, 1]])
    assert model.score(None, np.array([0, 1, 0, 2, 2, 2])) == 0.5


def test_plain_labels_are_counted_at_once(known, monkeypatch):
    model, y = known

    def look_through(self, *args):
        raise AssertionError("scikit-learn is asked")

    monkeypatch.setattr(_logits_classifier.ClassifierMixin, "score", look_through)
    if y.dtype.kind in "biuU":
        assert 0 <= model.score(None, y) <= 1
    else:
        with pytest.raises(AssertionError, match="is asked"):
            model.score(None, y)


@pytest.mark.parametrize("y", [np.zeros(59, dtype=int), np.zeros((60, 2), dtype=int)])
def test_labels_that_fit_no_prediction_get_the_message_of_scikit_learn(y):
    model = KnownPredictions(np.array([0, 1]), np.zeros((60, 2)))
    with pytest.raises(ValueError) as ours:
        model.score(None, y)
    with pytest.raises(ValueError) as theirs:
        accuracy_score(y, model.predict(None))
    assert str(ours.value) == str(theirs.value)
