"""The calibration error against a slow reference."""

import itertools

import numpy as np
import pandas as pd
import pytest

from sklabelnoise import metrics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


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
    @pytest.mark.parametrize("n_bins", [1, 10, 15, np.uint64(15), np.int8(15)])
    def test_equals_a_slow_reference(self, rng, n_bins):
        proba, y = rng.dirichlet(np.ones(4), 400), rng.integers(0, 4, 400)
        expected = slow_calibration_error(y, proba, np.linspace(0, 1, int(n_bins) + 1))
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

    @pytest.mark.parametrize("strategy", ["uniform", "quantile"])
    def test_weights_equal_repetition(self, rng, strategy):
        proba, y, times = rng.dirichlet(np.ones(3), 60), rng.integers(0, 3, 60), rng.integers(0, 4, 60)
        how = {"labels": [0, 1, 2], "strategy": strategy}
        repeated = metrics.expected_calibration_error(y.repeat(times), proba.repeat(times, axis=0), **how)
        for scale in (1, 1 / 3, 1e307):
            weighted = metrics.expected_calibration_error(y, proba, sample_weight=times * scale, **how)
            assert weighted == pytest.approx(repeated)

    @pytest.mark.parametrize("n_bins", [2, 3, 4, 6])
    def test_weights_that_are_all_alike_are_no_weights_whatever_their_sums_round_to(self, rng, n_bins):
        proba, y = rng.dirichlet(np.ones(3), 12), np.arange(12) % 3
        how = {"strategy": "quantile", "n_bins": n_bins}
        plain = metrics.expected_calibration_error(y, proba, **how)
        for weight in (0.1, 0.3, 0.7, 1 / 3):
            weighted = metrics.expected_calibration_error(y, proba, sample_weight=np.full(12, weight), **how)
            assert weighted == pytest.approx(plain, abs=1e-12)

    def test_a_frame_is_read_by_its_names(self, rng):
        proba, y = pd.DataFrame(rng.dirichlet(np.ones(3), 60), columns=list("abc")), rng.choice(list("abc"), 60)
        expected = metrics.expected_calibration_error(y, proba.to_numpy())
        assert metrics.expected_calibration_error(y, proba[["c", "a", "b"]]) == pytest.approx(expected)

    def test_labels_name_the_columns(self):
        assert metrics.expected_calibration_error(["b", "b"], [[0, 1], [0, 1]], labels=["a", "b"]) == 0

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"proba": np.ones((2, 3)) / 3}, "proba must have a column for each of 2 labels, got 3 columns"),
            ({"proba": [[np.nan, 1], [0, 1]]}, "proba contains NaN"),
            ({"n_bins": 0}, "n_bins must be a positive integer, got 0"),
            ({"strategy": "equal"}, "strategy must be"),
            ({"proba": [[3.0, -2.0], [-1.0, 2.0]]}, "proba must hold probabilities, got values from -2 to 3"),
            ({"proba": [[0.5, 0.1], [0.4, 0.6]]}, "Rows of proba must sum to 1, got 0.6 in row 0"),
            ({"labels": [0, 0]}, "labels must be distinct, got 0 twice"),
            ({"sample_weight": [-1, 1]}, "Negative values in data passed to `sample_weight`"),
            ({"sample_weight": [np.nan, 1]}, "sample_weight contains NaN"),
            ({"sample_weight": [0, 0]}, "Sample weights must contain at least one non-zero number"),
        ],
    )
    def test_bad_input_is_named(self, kwargs, message):
        with pytest.raises(ValueError, match=message):
            metrics.expected_calibration_error(**{"y_true": [0, 1], "proba": np.eye(2)} | kwargs)

    @pytest.mark.parametrize("strategy", ["uniform", "quantile"])
    def test_rows_of_weight_zero_are_not_there(self, rng, strategy):
        proba, y = rng.dirichlet(np.ones(3), 60), np.arange(60) % 3
        weight = np.arange(60) % 4 > 1
        alone = metrics.expected_calibration_error(y[weight], proba[weight], strategy=strategy)
        assert metrics.expected_calibration_error(y, proba, sample_weight=weight, strategy=strategy) == alone
