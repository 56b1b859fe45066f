"""Rows of very many columns, sparse ones above all: what each family sees of them, and that it is said."""

from functools import cache

import numpy as np
import pytest
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise._ensemble._components import Components
from sklabelnoise._ensemble._distinct_rows import distinct_rows
from sklabelnoise._ensemble._members import TABLE_FAMILIES
from sklabelnoise._ensemble._views import Views
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

pytestmark = pytest.mark.usefixtures("short_networks", "few_trees", "few_rounds")

FAST = ["kernel_ridge", "neighbors", "logistic_regression"]


def texts(n_texts=160, seed=0):
    """Texts of two kinds, words of which are drawn from overlapping vocabularies, and their kinds."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(n_texts) % 2
    return [" ".join(f"w{word}" for word in 250 * kind + rng.integers(0, 350, 30)) for kind in kinds], kinds


def wide(n_samples=80, n_features=1_200, seed=0):
    """Dense rows of more columns than networks take, and labels that a direction of them decides."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(n_samples, 3))
    return hidden @ rng.normal(size=(3, n_features)) + rng.normal(size=(n_samples, n_features)), (
        hidden[:, 0] > 0
    ).astype(int)


@pytest.fixture(scope="module")
def read(short_networks, few_trees, few_rounds):
    """All families fitted to TF-IDF of texts with wrong labels."""
    documents, clean = texts(240)
    X = TfidfVectorizer().fit(documents[:160]).transform(documents)
    y = corrupt_labels(clean[:160], symmetric_transition_matrix(2, 0.2), random_state=0)
    return NoisyLabelClassifier(cv=3, random_state=0).fit(X[:160], y), X, clean, y


def test_every_family_learns_from_tfidf_and_says_what_it_saw(read):
    model, X, clean, _ = read
    assert X.shape[1] > 400
    assert tuple(model.members_["family"]) == TABLE_FAMILIES
    assert (model.members_["status"] == "used").all()
    seen = model.members_.set_index("family")["sees"]
    assert seen["logistic_regression"] == "all columns"
    assert (seen.drop("logistic_regression") == "100 components").all()
    assert np.mean(model.predict(X[160:]) == clean[160:]) > 0.95
    assert np.mean(model.oof_proba_.argmax(axis=1) == clean[:160]) > 0.95


@pytest.mark.parametrize("form", ["csc_matrix", "coo_matrix", "csr_array", "toarray"])
def test_the_form_in_which_rows_are_stored_does_not_matter_to_predictions(read, form):
    model, X, *_ = read
    stored = X[:20].toarray() if form == "toarray" else getattr(scipy.sparse, form)(X[:20])
    np.testing.assert_allclose(model.predict_proba(stored), model.predict_proba(X[:20]), rtol=1e-6)


def test_sparse_rows_of_few_columns_are_the_same_as_dense_ones_to_the_last_bit():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, size=(90, 6)) * (rng.uniform(size=(90, 6)) < 0.4).astype(float)
    X[0, 0] = np.nan
    y = (np.nan_to_num(X).sum(axis=1) > 2).astype(int)
    whole = NoisyLabelClassifier([*FAST, "random_forest"], random_state=0).fit(X, y)
    sparse = NoisyLabelClassifier([*FAST, "random_forest"], random_state=0).fit(scipy.sparse.csr_matrix(X), y)
    assert np.array_equal(sparse.predict_proba(X), whole.predict_proba(scipy.sparse.csr_matrix(X)))
    assert (sparse.members_["sees"] == "all columns").all()


def test_stored_zeros_and_the_order_of_entries_make_no_row_distinct():
    rows = scipy.sparse.csr_matrix(
        (np.array([1.0, 2.0, 2.0, 1.0, 0.0, 1.0, 2.0]), np.array([0, 3, 3, 0, 2, 0, 1]), np.array([0, 2, 5, 7])),
        shape=(3, 4),
    )
    distinct = distinct_rows(rows, np.zeros(3, dtype=int))
    assert distinct.of_row[0] == distinct.of_row[1] != distinct.of_row[2]
    assert len(distinct.rows) == 2


def test_copies_of_sparse_rows_are_not_asked_about_each_other():
    rng = np.random.default_rng(0)
    X = scipy.sparse.random(60, 300, density=0.05, random_state=0, format="csr")
    y = rng.integers(0, 2, 60)
    model = NoisyLabelClassifier(["neighbors", "logistic_regression"], random_state=0)
    model.fit(scipy.sparse.vstack([X, X]).tocsr(), np.tile(y, 2))
    assert np.mean(model.oof_proba_.argmax(axis=1) == np.tile(y, 2)) < 0.75


def test_missing_values_in_very_wide_sparse_rows_are_refused(read):
    model, X, _, y = read
    holed = X[:160].copy()
    holed.data[0] = np.nan
    for call in (lambda: NoisyLabelClassifier(FAST).fit(holed, y), lambda: model.predict(holed)):
        with pytest.raises(ValueError, match=r"no missing values where it is sparse .* got NaN\.$"):
            call()


def test_a_network_never_sees_more_than_a_thousand_columns_and_it_is_said():
    X, y = wide()
    X[0, 0] = np.nan
    views = Views().fit(X)
    rows = views.transform(X)
    assert rows["given"].shape == (80, 1_200) and rows["normal"].shape == (80, 1_201)
    assert rows["standard"].shape == rows["binned"].shape == (80, 79)
    assert [views.seen(name) for name in ("given", "standard", "linear")] == [
        "all columns", "79 components", "all columns",
    ]  # fmt: skip
    model = NoisyLabelClassifier(["networks", "random_forest", *FAST], cv=2, random_state=0).fit(X, y)
    assert model.members_.set_index("family")["sees"]["networks"] == "79 components"
    assert np.mean(model.oof_proba_.argmax(axis=1) == y) > 0.8


@cache
def viewed(shape):
    """Views of rows, the rows, and all views of them."""
    X = np.random.default_rng(0).normal(size=shape)
    X = scipy.sparse.csr_matrix(X) if shape[1] == 250 else X
    views = Views().fit(X)
    return views, X, views.transform(X)


@pytest.mark.parametrize("names", [("given",), ("binned",), ("standard",), ("linear",), ("normal", "binned")], ids=str)
@pytest.mark.parametrize("shape", [(30, 5), (30, 1_100), (30, 250)], ids=str)
def test_a_view_is_the_same_alone_as_among_all(names, shape):
    views, X, together = viewed(shape)
    alone = views.transform(X, names)
    assert set(alone) == set(names) and set(together) == set(Views.NAMES)
    for name in names:
        pair = [rows.toarray() if scipy.sparse.issparse(rows) else rows for rows in (alone[name], together[name])]
        assert np.array_equal(*pair)


def test_components_do_not_depend_on_the_unit_of_the_rows():
    X = scipy.sparse.random(50, 400, density=0.1, random_state=0, format="csr")
    one, other = Components().fit(X), Components().fit(1_000 * X)
    np.testing.assert_allclose(one.transform(X), other.transform(1_000 * X), atol=1e-8)
    np.testing.assert_allclose(np.mean(one.transform(X) ** 2), 1)


def test_rows_without_any_entry_are_predicted():
    documents, y = texts(40)
    X = TfidfVectorizer().fit_transform(documents)
    model = NoisyLabelClassifier(FAST, random_state=0).fit(X, y)
    assert np.isfinite(model.predict_proba(scipy.sparse.csr_matrix((2, X.shape[1])))).all()


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_a_fold_of_one_class_is_learned_from_sparse_rows_too():
    X = scipy.sparse.random(40, 300, density=0.1, random_state=0, format="csr")
    y = np.zeros(40, dtype=int)
    y[7] = 1
    model = NoisyLabelClassifier(["logistic_regression"], random_state=0).fit(X, y)
    assert (model.predict(X) == 0).mean() > 0.9
    dense = NoisyLabelClassifier(["logistic_regression"], random_state=0).fit(X.toarray(), y)
    np.testing.assert_allclose(model.oof_proba_, dense.oof_proba_, atol=1e-3)
