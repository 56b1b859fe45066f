"""Rows as families for tables see them."""

import numpy as np
import pytest

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise._ensemble._members import TABLE_FAMILIES
from sklabelnoise._ensemble._views import Views


@pytest.mark.parametrize("family", TABLE_FAMILIES)
def test_values_may_be_missing_in_new_rows_alone(family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    model = NoisyLabelClassifier([family], cv=2, random_state=0).fit(X, y)
    missing = X.copy()
    missing[:5, 1] = np.nan
    proba = model.predict_proba(missing)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba[5:], model.predict_proba(X)[5:], rtol=1e-6)


def test_what_is_missing_in_new_rows_is_filled_by_the_medians_of_the_training_rows():
    X = np.array([[0.0, 10.0], [1.0, np.nan], [2.0, 30.0], [9.0, 20.0]])
    views = Views().fit(X)
    new = np.array([[np.nan, 500.0], [7.0, np.nan]])
    filled = np.array([[1.5, 500.0], [7.0, 20.0]])
    for name in ("standard", "common", "normal"):
        marked, plain = views.transform(new)[name], views.transform(filled)[name]
        np.testing.assert_allclose(marked[:, :2], plain[:, :2])
        # the second column was missing in training too, and has a mark of its own
        assert (marked[:, 2] > plain[:, 2]).tolist() == [False, True]


@pytest.mark.parametrize("n_values", [0, 1])
def test_a_column_without_a_value_in_some_fold_keeps_no_family_out(n_values):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = (X[:, 0] > 0).astype(int)
    rare = np.full(100, np.nan)
    rare[:n_values] = 5.0
    model = NoisyLabelClassifier(["boosting", "random_forest"], random_state=0).fit(np.c_[X, rare], y)
    assert (model.members_["status"] == "used").all()
    assert model.score(np.c_[X, rare], y) > 0.9
    # A value where none ever was says nothing.
    if n_values == 0:
        full = np.c_[X, np.full(100, 7.0)]
        boosting = model.estimators_["boosting"][0]
        np.testing.assert_array_equal(boosting.predict_proba(full), boosting.predict_proba(np.c_[X, rare]))


ORDINARY = np.random.default_rng(0).normal(size=(80, 3))
SIDES = (ORDINARY[:, 0] > 0).astype(int)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "value",
    [1e39, -np.finfo(float).max, *(pytest.param(v, marks=pytest.mark.slow) for v in (1e200, np.finfo(float).max))],
)
def test_a_number_beyond_single_precision_is_a_large_one(value):
    X = ORDINARY.copy()
    X[0, 0] = value
    model = NoisyLabelClassifier(random_state=0).fit(X, SIDES)
    assert (model.members_["status"] == "used").all()
    assert model.score(X[1:], SIDES[1:]) > 0.85
    # And so it is in new rows, of a model that has never seen one.
    proba = NoisyLabelClassifier(["random_forest", "networks"], random_state=0).fit(ORDINARY, SIDES).predict_proba(X)
    assert np.isfinite(proba).all()
    assert proba[0].argmax() == (value > 0)


@pytest.mark.filterwarnings("error")
def test_columns_of_nothing_but_huge_numbers_are_as_good_as_others():
    scale = 2.0**700
    members = ["random_forest", "neighbors", "logistic_regression", "boosting"]
    small, large = (
        NoisyLabelClassifier(members, random_state=0).fit(X, SIDES).predict_proba(X[:5])
        for X in (ORDINARY, ORDINARY * scale)
    )
    assert np.array_equal(small.argmax(axis=1), large.argmax(axis=1))
    model = NoisyLabelClassifier(random_state=0).fit(ORDINARY * scale, SIDES)
    assert (model.members_["status"] == "used").all()
    assert model.score(ORDINARY * scale, SIDES) > 0.9


def test_rows_in_range_are_left_alone():
    X = np.where(ORDINARY > 1.5, np.nan, ORDINARY * 1e30)
    views = Views().fit(X)
    assert views._exponents is None
    assert views._in_range(X) is X
