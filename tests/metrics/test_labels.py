"""What became of wrong labels, and whether they were found: hand values and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from sklabelnoise import metrics
from sklabelnoise.audit import find_label_issues


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestFateOfWrongLabels:
    # rows: right and kept, wrong and memorized, wrong and corrected, wrong and predicted as a third class
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

    def test_of_labels_of_one_quality_the_first_are_called_wrong(self):
        quality, wrong = np.arange(1_000) % 2, np.arange(1_000) % 2 == 0
        wrong[400:] = False
        assert metrics.detection_scores(wrong, quality)["precision"] == 1

    def test_one_kind_of_label_only_is_refused(self):
        with pytest.raises(ValueError, match="must hold right and wrong labels, got 0 of 2 wrong"):
            metrics.detection_scores([False, False], [0.1, 0.2])

    def test_a_decision_without_issues_has_neither_precision_nor_recall(self):
        scores = metrics.detection_scores([True, False, True], [0.1, 0.2, 0.3], is_issue=[False, False, False])
        assert (scores["precision"], scores["recall"]) == (0, 0)

    def test_nan_quality_is_refused(self):
        with pytest.raises(ValueError, match="label_quality contains NaN"):
            metrics.detection_scores([False, True], [0.1, np.nan])


class TestFlagsAndRows:
    truth, quality = [True, False, True, False], [0.1, 0.2, 0.3, 0.9]

    @pytest.mark.parametrize(
        "flags", [[1, 0, 1, 0], [1.0, 0.0, 1.0, 0.0], pd.array([True, False, True, False], dtype="boolean")]
    )
    def test_ones_and_zeros_are_flags_in_any_type(self, flags):
        expected = metrics.detection_scores(self.truth, self.quality, is_issue=self.truth)
        assert metrics.detection_scores(flags, self.quality, is_issue=flags) == expected

    @pytest.mark.parametrize("argument", ["is_mislabeled", "is_issue"])
    @pytest.mark.parametrize(
        ("flags", "message"),
        [
            ([1, -1, 1, -1], "must hold True and False, or 1 and 0, got -1"),  # as detectors of outliers say it
            ([1, 0.3, 1, 0], "must hold True and False, or 1 and 0, got 0.3"),
            (["True", "False", "True", "False"], "must hold True and False, or 1 and 0, got str"),
            ([1, 0, np.nan, 0], "must not hold missing labels, got one in row 2"),
            (np.array([True, False, None, False], dtype=object), "must not hold missing labels, got one in row 2"),
        ],
    )
    def test_what_is_no_flag_is_refused(self, argument, flags, message):
        arguments = {"is_mislabeled": self.truth, "label_quality": self.quality, argument: flags}
        with pytest.raises((ValueError, TypeError), match=f"^{argument} {message}"):
            metrics.detection_scores(**arguments)

    def test_issues_that_are_sorted_are_not_taken_for_rows_in_order(self):
        y, proba = [0, 0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6]]
        wrong = pd.Series([False, True, False, False])
        issues = find_label_issues(pd.Series(y), proba, which="all")
        with pytest.raises(
            ValueError, match=r"label_quality must have their rows in the same order.*label_quality.loc"
        ):
            metrics.detection_scores(wrong, issues["quality"])
        assert metrics.detection_scores(wrong, issues["quality"].loc[wrong.index])["auc"] == 1

    @pytest.mark.parametrize("name", ["label_recovery", "memorization_rate", "correction_rate"])
    def test_columns_of_pandas_in_two_orders_are_refused(self, name):
        y = pd.Series([0, 1, 1], index=["a", "b", "c"])
        with pytest.raises(ValueError, match="y_noisy must have their rows in the same order"):
            getattr(metrics, name)(y, y[::-1], [0, 1, 1])
        other = pd.Series([0, 1, 1], index=["a", "b", "d"])  # other rows, or other names: nothing is known of them
        assert metrics.label_recovery(y, [1, 1, 1], other) == 1

    @pytest.mark.parametrize("name", ["label_recovery", "memorization_rate", "correction_rate"])
    def test_no_label_at_all_is_refused(self, name):
        with pytest.raises(ValueError, match=r"^y_clean must hold one label at least, got none"):
            getattr(metrics, name)([], [], [])
