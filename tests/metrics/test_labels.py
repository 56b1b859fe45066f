"""What became of wrong labels, and whether they were found: hand values and scikit-learn."""

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from sklabelnoise import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestFateOfWrongLabels:
    # rows: right and kept, wrong and memorised, wrong and corrected, wrong and predicted as a third class
    y_clean, y_noisy, y_pred = ["a", "a", "a", "a"], ["a", "b", "b", "b"], ["a", "b", "a", "c"]

    def test_hand_values(self):
        fate = self.y_clean, self.y_noisy, self.y_pred
        assert metrics.memorization_rate(*fate) == pytest.approx(1 / 3)
        assert metrics.correction_rate(*fate) == pytest.approx(1 / 3)
        assert metrics.label_recovery(*fate) == pytest.approx(1 / 3)

    def test_a_correction_that_spoils_right_labels_recovers_less_than_nothing(self):
        assert metrics.label_recovery([0, 0, 0], [0, 0, 1], [1, 1, 0]) == -1

    def test_limits(self, rng):
        y_clean, y_noisy = rng.integers(0, 4, (2, 100))
        assert metrics.label_recovery(y_clean, y_noisy, y_clean) == 1
        assert metrics.label_recovery(y_clean, y_noisy, y_noisy) == 0
        assert metrics.memorization_rate(y_clean, y_noisy, y_noisy) == 1
        assert metrics.memorization_rate(y_clean, y_noisy, y_clean) == 0
        assert metrics.correction_rate(y_clean, y_noisy, y_clean) == 1

    @pytest.mark.parametrize("name", ["label_recovery", "memorization_rate", "correction_rate"])
    def test_no_wrong_label_is_nan_with_a_warning(self, name):
        with pytest.warns(UndefinedMetricWarning, match=f"{name} is not defined: no label is wrong"):
            assert np.isnan(getattr(metrics, name)([0, 1], [0, 1], [1, 1]))

    @pytest.mark.parametrize("name", ["label_recovery", "memorization_rate", "correction_rate"])
    def test_the_warning_points_to_the_call(self, name):
        with pytest.warns(UndefinedMetricWarning) as caught:
            getattr(metrics, name)([0, 1], [0, 1], [1, 1])
        assert [warning.filename for warning in caught] == [__file__]

    def test_other_lengths_are_refused(self):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            metrics.memorization_rate([0, 1, 1], [0, 1], [0, 1])


class TestDetection:
    def test_equals_scikit_learn(self, rng):
        wrong, quality = rng.uniform(size=500) < 0.3, rng.uniform(size=500).round(2)
        issue = quality < 0.4
        scores = metrics.detection_scores(wrong, quality, is_issue=issue)
        assert scores["auc"] == pytest.approx(roc_auc_score(wrong, -quality))
        assert scores["precision"] == pytest.approx(precision_score(wrong, issue))
        assert scores["recall"] == pytest.approx(recall_score(wrong, issue))

    def test_by_default_as_many_issues_as_wrong_labels(self, rng):
        wrong, quality = rng.uniform(size=500) < 0.3, rng.uniform(size=500)
        scores = metrics.detection_scores(wrong, quality)
        assert scores["precision"] == scores["recall"]
        assert metrics.detection_scores(wrong, -wrong.astype(float)) == {"auc": 1, "precision": 1, "recall": 1}

    def test_one_kind_of_label_only_is_refused(self):
        with pytest.raises(ValueError, match="must hold right and wrong labels, got 0 of 2 wrong"):
            metrics.detection_scores([False, False], [0.1, 0.2])

    def test_a_decision_without_issues_has_neither_precision_nor_recall(self):
        scores = metrics.detection_scores([True, False, True], [0.1, 0.2, 0.3], is_issue=[False, False, False])
        assert (scores["precision"], scores["recall"]) == (0, 0)

    def test_nan_quality_is_refused(self):
        with pytest.raises(ValueError, match="label_quality contains NaN"):
            metrics.detection_scores([False, True], [0.1, np.nan])
