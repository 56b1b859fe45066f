"""Metrics against scikit-learn, slow references and hand values."""

import itertools

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score, cohen_kappa_score, precision_score, recall_score, roc_auc_score

from sklabelnoise import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class TestQuadraticWeightedKappa:
    @pytest.mark.parametrize("weighted", [False, True])
    @pytest.mark.parametrize("n_grades", [2, 5, 40])
    def test_equals_scikit_learn(self, rng, n_grades, weighted):
        y_true, y_pred = rng.integers(0, n_grades, (2, 300))
        weight = rng.uniform(size=300) if weighted else None
        expected = cohen_kappa_score(y_true, y_pred, weights="quadratic", sample_weight=weight)
        # Sums of 300 terms in another order.
        assert metrics.quadratic_weighted_kappa(y_true, y_pred, sample_weight=weight) == pytest.approx(
            expected, abs=1e-12
        )

    def test_labels_keep_grades_that_nobody_gave(self):
        y_true, y_pred, labels = ["low", "high", "low"], ["low", "high", "high"], ["low", "mid", "high"]
        expected = cohen_kappa_score(y_true, y_pred, labels=labels, weights="quadratic")
        assert metrics.quadratic_weighted_kappa(y_true, y_pred, labels=labels) == pytest.approx(expected)

    def test_full_agreement_is_one_also_on_a_single_grade(self):
        assert metrics.quadratic_weighted_kappa([0, 1, 2], [0, 1, 2]) == 1
        assert metrics.quadratic_weighted_kappa([3, 3], [3, 3], sample_weight=[0.1, 0.2]) == 1

    def test_a_constant_prediction_is_worth_nothing(self):
        assert metrics.quadratic_weighted_kappa([0, 1, 2, 1], [1, 1, 1, 1]) == pytest.approx(0)

    def test_unknown_grades_are_named(self):
        with pytest.raises(ValueError, match=r"grades that are not in labels: \[9\]"):
            metrics.quadratic_weighted_kappa([0, 9], [0, 1], labels=[0, 1])


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

    def test_nan_quality_is_refused(self):
        with pytest.raises(ValueError, match="label_quality contains NaN"):
            metrics.detection_scores([False, True], [0.1, np.nan])


def slow_calibration_error(y_true, proba, edges):
    total = 0.0
    for low, high in itertools.pairwise(edges):
        rows = [i for i in range(len(y_true)) if low < max(proba[i]) <= high]
        if rows:
            confidence = np.mean([max(proba[i]) for i in rows])
            accuracy = np.mean([np.argmax(proba[i]) == y_true[i] for i in rows])
            total += len(rows) / len(y_true) * abs(confidence - accuracy)
    return total


class TestExpectedCalibrationError:
    @pytest.mark.parametrize("n_bins", [1, 10, 15])
    def test_equals_a_slow_reference(self, rng, n_bins):
        proba, y = rng.dirichlet(np.ones(4), 400), rng.integers(0, 4, 400)
        expected = slow_calibration_error(y, proba, np.linspace(0, 1, n_bins + 1))
        assert metrics.expected_calibration_error(y, proba, n_bins=n_bins) == pytest.approx(expected)

    def test_quantile_bins_equal_a_slow_reference(self, rng):
        proba, y = rng.dirichlet(np.ones(4), 400), rng.integers(0, 4, 400)
        edges = np.quantile(proba.max(axis=1), np.linspace(0, 1, 11))
        edges[0] = 0
        expected = slow_calibration_error(y, proba, edges)
        assert metrics.expected_calibration_error(y, proba, strategy="quantile") == pytest.approx(expected)

    @pytest.mark.parametrize("n_bins", [3, 7, 10, 15])
    def test_a_confidence_on_the_edge_of_two_bins_belongs_to_the_lower_one(self, n_bins):
        for k in range(n_bins // 2 + 1, n_bins):
            edge, inside = k / n_bins, (k - 0.5) / n_bins
            proba = [[edge, 1 - edge], [max(inside, 0.51), min(1 - inside, 0.49)]]
            # The first is right and the second wrong: in one bin their gaps make up for each other.
            gaps = edge - 1, max(inside, 0.51)
            error = metrics.expected_calibration_error([0, 1], proba, n_bins=n_bins)
            assert error == pytest.approx(abs(sum(gaps)) / 2), k

    def test_a_confidence_on_the_edge_of_two_quantile_bins_belongs_to_the_lower_one(self):
        confidence = np.array([0.5, 0.6, 0.7, 0.8, 0.9])  # the edge is 0.7; right, wrong, right, wrong, right
        proba = np.column_stack([confidence, 1 - confidence])
        error = metrics.expected_calibration_error([0, 1, 0, 1, 0], proba, n_bins=2, strategy="quantile")
        assert error == pytest.approx((abs(-0.5 + 0.6 - 0.3) + abs(0.8 - 0.1)) / 5)

    def test_limits(self):
        sure = np.eye(2)[[0, 1, 1, 0]]
        assert metrics.expected_calibration_error([0, 1, 1, 0], sure) == 0
        assert metrics.expected_calibration_error([1, 0, 0, 1], sure) == 1

    def test_weights_equal_repetition(self, rng):
        proba, y, times = rng.dirichlet(np.ones(3), 60), rng.integers(0, 3, 60), rng.integers(0, 4, 60)
        repeated = metrics.expected_calibration_error(y.repeat(times), proba.repeat(times, axis=0), labels=[0, 1, 2])
        weighted = metrics.expected_calibration_error(y, proba, sample_weight=times)
        assert weighted == pytest.approx(repeated)

    def test_labels_name_the_columns(self):
        assert metrics.expected_calibration_error(["b", "b"], [[0, 1], [0, 1]], labels=["a", "b"]) == 0

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"proba": np.ones((2, 3)) / 3}, "proba has 3 columns for 2 labels"),
            ({"proba": [[np.nan, 1], [0, 1]]}, "proba contains NaN"),
            ({"n_bins": 0}, "n_bins must be a positive integer, got 0"),
            ({"strategy": "equal"}, "strategy must be"),
        ],
    )
    def test_bad_input_is_named(self, kwargs, message):
        with pytest.raises(ValueError, match=message):
            metrics.expected_calibration_error(**{"y_true": [0, 1], "proba": np.eye(2)} | kwargs)


class TestRetrieval:
    def test_equals_a_slow_reference(self, rng):
        queries, gallery = rng.normal(size=(40, 5)), rng.normal(size=(90, 5))
        query_labels, gallery_labels = rng.integers(0, 8, 40), rng.integers(0, 8, 90)
        cameras = rng.integers(0, 3, 40), rng.integers(0, 3, 90)
        scores = metrics.retrieval_scores(
            queries, query_labels, gallery, gallery_labels, query_groups=cameras[0], gallery_groups=cameras[1]
        )
        average_precision, ranks = [], []
        for i in range(40):
            similarity = gallery @ queries[i] / np.linalg.norm(gallery, axis=1) / np.linalg.norm(queries[i])
            match = gallery_labels == query_labels[i]
            shown = ~(match & (cameras[1] == cameras[0][i]))
            average_precision.append(average_precision_score(match[shown], similarity[shown]))
            ranks.append(np.flatnonzero(match[shown][np.argsort(-similarity[shown])])[0])
        assert scores["map"] == pytest.approx(np.mean(average_precision))
        for k in (1, 5, 10, 20):
            assert scores[f"cmc_{k}"] == pytest.approx(np.mean(np.array(ranks) < k))

    def test_blocks_of_queries_change_nothing(self, rng, monkeypatch):
        queries, labels = rng.normal(size=(50, 4)), rng.integers(0, 5, 50)
        whole = metrics.retrieval_scores(queries, labels, queries[::-1], labels[::-1])
        monkeypatch.setattr(metrics._retrieval, "_BLOCK", 7)
        assert metrics.retrieval_scores(queries, labels, queries[::-1], labels[::-1]) == pytest.approx(whole)

    def test_sets_are_unit_means(self, rng):
        frames, videos = rng.normal(size=(60, 4)), rng.integers(0, 7, 60).astype(str)
        features, names = metrics.average_sets(frames, videos)
        for feature, name in zip(features, names, strict=True):
            mean = frames[videos == name].mean(axis=0)
            np.testing.assert_allclose(feature, mean / np.linalg.norm(mean), rtol=0, atol=1e-12)

    def test_queries_without_a_match_do_not_count(self):
        scores = metrics.retrieval_scores([[1, 0], [0, 1]], [0, 9], [[1, 0]], [0], ranks=(1,))
        assert scores == {"map": 1, "cmc_1": 1}

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"gallery": [[1, 0, 0]]}, "queries have 2 features, gallery has 3"),
            ({"query_groups": [0]}, "belong together"),
            ({"gallery_labels": [5]}, "No query has a match in the gallery"),
            ({"queries": [[np.nan, 0]]}, "queries contains NaN"),
        ],
    )
    def test_bad_input_is_named(self, kwargs, message):
        good = {"queries": [[1, 0]], "query_labels": [0], "gallery": [[1, 0]], "gallery_labels": [0]}
        with pytest.raises(ValueError, match=message):
            metrics.retrieval_scores(**good | kwargs)
