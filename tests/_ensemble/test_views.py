"""Rows as families for tables see them."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.preprocessing import QuantileTransformer

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise._ensemble._components import Components
from sklabelnoise._ensemble._members import TABLE_FAMILIES
from sklabelnoise._ensemble._views import Views, _normal_scores

pytestmark = pytest.mark.usefixtures("short_networks", "few_trees", "few_rounds")


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
    model = NoisyLabelClassifier(cv=2, random_state=0).fit(X, SIDES)
    assert (model.members_["status"] == "used").all()
    assert model.score(X[1:], SIDES[1:]) > 0.85
    # And so it is in new rows, of a model that has never seen one.
    ordinary = NoisyLabelClassifier(["random_forest", "networks"], cv=2, random_state=0).fit(ORDINARY, SIDES)
    proba = ordinary.predict_proba(X)
    assert np.isfinite(proba).all()
    assert proba[0].argmax() == (value > 0)


@pytest.mark.filterwarnings("error")
def test_columns_of_nothing_but_huge_numbers_are_as_good_as_others():
    scale = 2.0**700
    members = ["random_forest", "neighbors", "logistic_regression", "boosting"]
    small, large = (
        NoisyLabelClassifier(members, cv=2, random_state=0).fit(X, SIDES).predict_proba(X[:5])
        for X in (ORDINARY, ORDINARY * scale)
    )
    assert np.array_equal(small.argmax(axis=1), large.argmax(axis=1))
    model = NoisyLabelClassifier(cv=2, random_state=0).fit(ORDINARY * scale, SIDES)
    assert (model.members_["status"] == "used").all()
    assert model.score(ORDINARY * scale, SIDES) > 0.9


@pytest.mark.parametrize("scale", [2.0**700, 1.0, 2.0**-700])
def test_negative_numbers_are_as_large_as_positive_ones(scale):
    X = np.random.default_rng(0).uniform(1, 9, (60, 2)) * scale
    X[:3, 0] = np.nan
    up, down = (Views().fit(rows).transform(rows)["given"] for rows in (X, -X))
    np.testing.assert_array_equal(up, -down)
    assert len(np.unique(down[:, 1])) == 60


@pytest.mark.parametrize("exponent", [-30, -60, -1000])
def test_columns_in_a_unit_too_large_for_them_are_as_good_as_others(exponent):
    # Trees and ranks of scikit-learn see no difference below 1e-7: seconds in place of nanoseconds told them nothing.
    small, usual = (Views().fit(X).transform(X) for X in (np.ldexp(ORDINARY, exponent), ORDINARY))
    for name in ("standard", "common", "normal"):
        np.testing.assert_array_equal(small[name], usual[name])
    ratio = small["given"] / usual["given"]
    assert ratio.min() == ratio.max() > 1e-3


def test_columns_keep_their_proportions_where_one_of_them_is_tiny():
    X = np.column_stack([ORDINARY, ORDINARY[:, 0] * 2.0**-40])
    views = Views().fit(X)
    assert len(set(views._exponents)) == 1
    common = views.transform(X)["common"]
    np.testing.assert_array_equal(common[:, -1], common[:, 0] * 2.0**-40)
    assert len(np.unique(views.transform(X)["given"][:, -1])) == len(np.unique(ORDINARY[:, 0].astype(np.float32)))


def test_the_tiniest_column_is_brought_into_range():
    given = Views().fit(X := ORDINARY[:, :1] * [1, 2.0**-20, 2.0**-40]).transform(X)["given"]
    assert np.abs(given).max(axis=0).min() >= 0.5
    np.testing.assert_array_equal(given, given[:, :1] * np.float32([1, 2.0**-20, 2.0**-40]))


def test_rows_in_range_are_left_alone():
    X = np.where(ORDINARY > 1.5, np.nan, ORDINARY * 1e30)
    views = Views().fit(X)
    assert views._exponents is None
    assert views._in_range(X) is X


def test_ranks_are_cut_off_at_three_and_ten_values_are_codes():
    values = np.column_stack([np.arange(440) % 10, np.arange(440) % 11, np.geomspace(1, 1e9, 440)]).astype(float)
    views = Views().fit(values)
    found, plain = (views.transform(values)[name] for name in ("normal", "standard"))
    np.testing.assert_allclose(found[:, 0], plain[:, 0], atol=1e-6)  # in proportion, as codes are
    assert np.abs(found[:, 1] - plain[:, 1]).max() > 0.1
    # beyond the cut all numbers are alike, in a column of standardized normal scores
    scores = views._ranked(views._filled(values))
    assert scores[:, 1:].min() == -3 and scores[:, 1:].max() == 3


def test_the_ranks_of_many_rows_are_those_of_all_of_them():
    """Of more than ten thousand rows scikit-learn would draw some, others in every fit."""
    X = np.random.default_rng(0).normal(size=(10_100, 1))
    one, other = (Views().fit(X).transform(X, ("normal",))["normal"] for _ in range(2))
    assert np.array_equal(one, other)
    assert Views().fit(X)._ranks.n_quantiles_ == 1000


def test_a_thousand_columns_are_seen_as_they_are_and_two_hundred_sparse_ones_are_stored_whole():
    X = np.random.default_rng(0).normal(size=(12, 1_001))
    assert Views().fit(X[:, :1000]).seen("standard") == "all columns"
    assert Views().fit(X).seen("standard") == "11 components"
    for n_columns, seen in ((200, "all columns"), (201, "12 components")):
        rows = scipy.sparse.csr_matrix(X[:, :n_columns])
        model = NoisyLabelClassifier(["neighbors"], cv=2, random_state=0).fit(rows, np.arange(12) % 2)
        assert model.members_["sees"].tolist() == [seen]


@pytest.mark.parametrize("kind", ["plain", "missing", "huge", "wide", "sparse"])
def test_the_rows_of_the_user_stay_as_they_are(kind):
    X = np.random.default_rng(0).normal(size=(20, 1_001 if kind == "wide" else 3))
    if kind in ("missing", "huge"):
        X[::5, 1] = np.nan if kind == "missing" else 1e300
    if kind == "sparse":
        X = scipy.sparse.csr_matrix(np.tile(X, 70))
    values = X.data if kind == "sparse" else X
    before, views = values.copy(), Views().fit(X)
    views.transform(X)
    views.transform(X[:5])
    np.testing.assert_array_equal(values, before)
    values.setflags(write=False)
    Views().fit(X).transform(X)


def test_columns_of_new_rows_are_divided_by_the_spread_of_the_training_rows():
    X = np.random.default_rng(0).normal(size=(50, 3)) * [1, 2, 5]
    views = Views().fit(X)
    spread = np.sqrt(X.var(axis=0).mean())
    np.testing.assert_allclose(views.transform(X[:1] + 7)["common"], (X[:1] + 7 - X.mean(axis=0)) / spread)
    np.testing.assert_allclose(views.transform(X[:1])["standard"], (X[:1] - X.mean(axis=0)) / X.std(axis=0), rtol=1e-5)


def test_all_columns_of_sparse_rows_are_in_units_that_do_not_depend_on_theirs():
    X = scipy.sparse.random(60, 400, density=0.1, random_state=0, format="csr")
    views, other = Views().fit(X), Views().fit(1_000 * X)
    found = views.transform(X)
    np.testing.assert_allclose(found["linear"].toarray(), other.transform(1_000 * X)["linear"].toarray(), rtol=1e-9)
    # their squares sum to the number of components, on average
    assert found["linear"].power(2).sum() / 60 == pytest.approx(60)
    assert Components().fit(X * 1e-9).scaled(X * 1e-9).power(2).sum() / 60 == pytest.approx(60)


def test_components_are_the_same_in_every_fit():
    X = scipy.sparse.random(60, 400, density=0.1, random_state=0, format="csr")
    one, other = (Components().fit(X).transform(X) for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(("spread", "n_components"), [(1.1e-3, 2), (0.9e-3, 1)])
def test_a_direction_of_less_than_a_thousandth_of_the_largest_spread_is_none(spread, n_components):
    assert Components().fit(np.diag([1.0, spread])).n_components == n_components


def test_normal_scores_are_those_of_scikit_learn_to_the_last_bit():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=300), np.exp(9 * rng.normal(size=300)), rng.integers(0, 15, 300)])
    ranks = QuantileTransformer(n_quantiles=300, subsample=None, output_distribution="normal").fit(X)
    near = np.array([0, 3e-8, -3e-8, 3e-7, -3e-7, 1e-3, -1e-3, 1e30, -1e30])[:, None]
    rows = np.vstack([X, rng.normal(size=(500, 3)), X.min(axis=0) + near, X.max(axis=0) + near])
    before = rows.copy()
    np.testing.assert_array_equal(_normal_scores(ranks, rows), np.clip(ranks.transform(rows), -3, 3))
    np.testing.assert_array_equal(rows, before)
