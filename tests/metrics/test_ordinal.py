"""The quadratic weighted kappa against scikit-learn and hand values."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

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
        with pytest.raises(ValueError, match=r"grades of labels only, got \[9\]"):
            metrics.quadratic_weighted_kappa([0, 9], [0, 1], labels=[0, 1])

    def test_ordered_categories_are_in_their_own_order(self):
        grades = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
        y_true, y_pred = ["low", "mid", "high", "low"], ["mid", "high", "high", "low"]
        expected = metrics.quadratic_weighted_kappa(y_true, y_pred, labels=["low", "mid", "high"])
        assert expected != metrics.quadratic_weighted_kappa(y_true, y_pred)  # by their letters
        for true, pred in [(0, 1), (0, 0), (1, 0)]:
            true = y_true if true else pd.Series(y_true, dtype=grades)
            pred = y_pred if pred else pd.Categorical(y_pred, dtype=grades)
            assert metrics.quadratic_weighted_kappa(true, pred) == expected

    @pytest.mark.parametrize(
        ("kwargs", "message"),
        [
            ({"sample_weight": [-1, 1]}, "Negative values in data passed to `sample_weight`"),
            ({"sample_weight": [np.nan, 1]}, "sample_weight contains NaN"),
            ({"sample_weight": [0, 0]}, "Sample weights must contain at least one non-zero number"),
            ({"labels": [0, 0, 1]}, "labels must be distinct, got 0 twice"),
            ({"y_true": [], "y_pred": []}, "y_true must hold one label at least, got none"),
            (
                {
                    "y_true": pd.Categorical(["a", "b"], ordered=True),
                    "y_pred": pd.Categorical(["a", "b"], ["b", "a"], ordered=True),
                },
                "the same ordered categories",
            ),
            ({"y_true": pd.Series([0, 1]), "y_pred": pd.Series([0, 1], index=[1, 0])}, "rows in the same order"),
        ],
    )
    def test_bad_input_is_named(self, kwargs, message):
        with pytest.raises(ValueError, match=message):
            metrics.quadratic_weighted_kappa(**{"y_true": [0, 1], "y_pred": [1, 0]} | kwargs)
