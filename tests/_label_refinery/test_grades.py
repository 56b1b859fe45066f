"""Thresholds between ordered grades."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from sklabelnoise._label_refinery._grades import check_thresholds, grade, halfway_thresholds, kappa_thresholds

GRADES = np.arange(5)


def kappa(y, predicted):
    return cohen_kappa_score(y, predicted, weights="quadratic")


def test_halfway_thresholds_round_to_the_nearest_grade():
    values = np.linspace(-1.3, 5.2, 200)
    expected = np.clip(np.rint(values), 0, 4)
    np.testing.assert_array_equal(grade(values, halfway_thresholds(GRADES), GRADES), expected)


def test_grades_with_gaps_are_returned_as_they_are():
    grades = np.array([3.0, 5.0, 6.0])
    assert grade(np.array([3.9, 4.0, 5.6, 99]), halfway_thresholds(grades), grades).tolist() == [3, 5, 6, 6]


def test_fitted_thresholds_undo_a_shrunken_prediction():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, size=500)
    values = 2 + 0.3 * (y - 2) + rng.normal(scale=0.05, size=500)
    fitted = kappa_thresholds(GRADES, y, values)
    assert (np.diff(fitted) > 0).all()
    assert kappa(y, grade(values, halfway_thresholds(GRADES), GRADES)) < 0.8
    assert kappa(y, grade(values, fitted, GRADES)) > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_fitted_thresholds_are_never_worse_than_the_midpoints(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, size=60)
    values = y + rng.normal(scale=1.5, size=60)
    start, fitted = halfway_thresholds(GRADES), kappa_thresholds(GRADES, y, values)
    assert kappa(y, grade(values, fitted, GRADES)) >= kappa(y, grade(values, start, GRADES))


def test_a_search_that_finds_nothing_better_ends_where_it_began():
    y = np.arange(5).repeat(4)
    start = halfway_thresholds(GRADES)
    np.testing.assert_array_equal(kappa_thresholds(GRADES, y, y.astype(float)), start)  # right already


@pytest.mark.parametrize("seed", range(5))
def test_fitted_thresholds_are_better_than_where_the_search_began(seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, size=60)
    values = y + rng.normal(scale=1.5, size=60)
    # Those that give each grade its share: the search begins there or at the midpoints.
    shares = np.sort(values)[np.bincount(y, minlength=5).cumsum()[:-1]]
    starts = [kappa(y, grade(values, start, GRADES)) for start in (halfway_thresholds(GRADES), shares)]
    fitted = kappa(y, grade(values, kappa_thresholds(GRADES, y, values), GRADES))
    assert fitted > max(starts) + 0.005


def test_a_search_in_which_thresholds_pass_each_other_ends_no_worse_than_it_began():
    rng = np.random.default_rng(40)
    y = rng.integers(0, 5, size=30)
    values = y + rng.normal(scale=3, size=30)
    shares = np.sort(values)[np.bincount(y, minlength=5).cumsum()[:-1]]
    fitted = kappa_thresholds(GRADES, y, values)
    assert kappa(y, grade(values, fitted, GRADES)) >= kappa(y, grade(values, shares, GRADES))


def test_weights_equal_repetition():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, size=60)
    values = y + rng.normal(size=60)
    weights = rng.integers(0, 3, size=60)
    weighted = kappa_thresholds(GRADES, y, values, weights)
    repeated = kappa_thresholds(GRADES, y.repeat(weights), values.repeat(weights))
    # Kappa is piecewise constant, so both searches take the same path.
    np.testing.assert_allclose(weighted, repeated, rtol=1e-9)


@pytest.mark.parametrize("thresholds", [[0.5, 1.5], [0.5, 1.5, 1.5, 3], [3, 2, 1, 0], 1.0, [1j, 2j, 3j, 4j], "1234"])
def test_thresholds_that_do_not_fit_the_grades_are_refused(thresholds):
    with pytest.raises(ValueError, match="must be 4 increasing numbers, one between each two of the 5 grades"):
        check_thresholds(thresholds, GRADES)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.float16, np.float32])
def test_halfway_is_between_grades_of_any_type(dtype):
    grades = np.array([0, 80, 120])
    assert halfway_thresholds(grades.astype(dtype)).tolist() == [40, 100]
