"""The classifier that judges where none is named: it takes what comes."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise.audit import audit_labels
from sklabelnoise.audit._default_classifier import _is_prose, with_default_classifier

N = 120


@pytest.fixture
def iris():
    """Flowers of which six are named wrongly, in an order of their own."""
    X, y = load_iris(return_X_y=True, as_frame=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X.iloc[order], np.array(["setosa", "versicolor", "virginica"])[y.iloc[order]]
    wrong = np.flatnonzero(y == "setosa")[:6]
    y[wrong] = "virginica"
    return X, y, wrong


@pytest.mark.parametrize("kind", ["numbers", "frame", "texts", "images", "sparse"])
def test_the_default_classifier_prepares_what_comes(kind):
    rng = np.random.default_rng(0)
    y = np.arange(N) % 2
    numbers = rng.normal(size=(N, 4)) + 3 * y[:, None]
    X = {
        "numbers": numbers,
        "frame": pd.DataFrame({"a": numbers[:, 0], "b": np.where(y, "u", "v"), "c": [None, 1.0] * (N // 2)}),
        "texts": [f"a {'good' if label else 'bad'} film about {rng.integers(1000)}" for label in y],
        "images": rng.integers(0, 100, (N, 8, 8), dtype=np.uint8) + (100 * y[:, None, None]).astype(np.uint8),
        "sparse": sparse.csr_array(numbers),
    }[kind]
    estimator, rows = with_default_classifier(X, 0)
    prepared = estimator[:-1].fit_transform(rows) if len(estimator) > 1 else rows
    prepared = np.nan_to_num(np.asarray(prepared))  # the classifier takes missing values
    assert prepared.shape[0] == N and isinstance(estimator[-1], NoisyLabelClassifier)
    assert LogisticRegression(max_iter=500).fit(prepared, y).score(prepared, y) > 0.95


def prepared(X, n_rows=None):
    estimator, rows = with_default_classifier(X, 7)
    assert estimator[-1].random_state == 7
    return estimator[:-1].fit_transform(rows[:n_rows])


@pytest.mark.parametrize("n_columns", [1, 2, 3])
def test_no_column_or_word_of_few_is_lost(n_columns):
    """Beside columns that vary more the one that tells classes apart would be what fewer components leave out."""
    rng = np.random.default_rng(0)
    y = np.arange(N) % 2
    X = sparse.csr_array(np.column_stack([y + 0.1 * rng.normal(size=N), *9 * rng.normal(size=(n_columns - 1, N))]))
    texts = [" ".join(["good" if label else "bad", *rng.permutation(["film", "plot"])[: n_columns - 1]]) for label in y]
    for found in (prepared(X), prepared(texts)):
        assert LogisticRegression(C=100).fit(found, y).score(found, y) == 1


@pytest.mark.parametrize("column", [list, pd.Series, lambda texts: np.array(texts, dtype=object)])
@pytest.mark.parametrize("odd, row", [(None, 1), (None, 0), (3, 1), (np.nan, 5)])
def test_a_text_that_is_missing_is_named_by_its_row(column, odd, row):
    """TfidfVectorizer says that None has no attribute lower."""
    texts = ["a good film", "a bad film"] * (N // 2)
    texts[row] = odd
    with pytest.raises(ValueError, match=rf"X must hold a text in every row, got (nan|{odd}) in row {row}\."):
        audit_labels(None, column(texts), np.arange(N) % 2)


@pytest.mark.parametrize("kind", [object, "string", "category"])
def test_a_column_of_texts_in_a_frame_is_read_by_its_words(kind):
    """Each is a category of its own otherwise, of which fifty are told apart: nothing is left of what they say."""
    y = np.arange(N) % 2
    texts = pd.Series([f"{'good' if label else 'bad'} film {i % 60}{'!' * (i // 60)}" for i, label in enumerate(y)])
    for frame in (
        pd.DataFrame({"text": texts.astype(kind)}),
        pd.DataFrame({0: np.ones(N), "text": texts.astype(kind)}),
    ):
        fitted, rows = with_default_classifier(frame, 0)
        train, test = np.arange(N) < N // 2, np.arange(N) >= N // 2
        found = fitted[:-1].fit(rows[train]).transform(rows)
        assert LogisticRegression(C=100).fit(found[train], y[train]).score(found[test], y[test]) == 1
    texts[5] = None  # which says nothing
    assert np.isfinite(prepared(pd.DataFrame({"text": texts.astype(kind)}))).all()


def test_a_fold_may_lack_words():
    texts = [f"word{i}" for i in range(N)]
    assert prepared(texts, N // 2).shape == (N // 2, N // 2)  # of a hundred components as many as there are rows


def test_what_is_drawn_on_the_way_is_drawn_alike():
    X = sparse.csr_array(sparse.random(N, 200, density=0.1, random_state=0, format="csr"))
    np.testing.assert_array_equal(prepared(X), prepared(X))


@pytest.mark.parametrize("shape", [(N, 16, 16), (N, 256)])
def test_pictures_are_a_hundred_components_at_most_and_half_of_the_rows_are_enough(shape):
    """Rows of bytes are pictures as well: those of paths come so. A noise rate is estimated from fits to halves."""
    pictures = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert prepared(pictures, N // 2).shape == (N // 2, N // 2)
    assert prepared(np.tile(pictures, (2, *[1] * (len(shape) - 1)))).shape == (2 * N, 100)


@pytest.mark.slow
def test_none_is_the_classifier_that_needs_no_settings(iris):
    X, y, wrong = iris
    report = audit_labels(None, X, y, random_state=0)
    assert set(np.argsort(report.label_quality, kind="stable")[: len(wrong)]) == set(wrong)
    assert len(set(wrong) & set(report.issues["row"])) >= 4  # two are less sure than the mean row of their class
    pd.testing.assert_frame_equal(X.loc[report.issues.index], X.iloc[report.issues["row"]])


def test_a_category_that_a_fold_has_not_seen_is_no_error_and_many_are_few_columns():
    """A noise rate is estimated from fits to parts of the rows; what is rare may be in one of them only."""
    rows = pd.DataFrame({"code": [f"c{i % 60}" for i in range(N)], "flag": np.arange(N) % 2 == 0, "n": np.arange(N)})
    estimator, _ = with_default_classifier(rows, 0)
    half = estimator[:-1].fit(rows[: N // 4])
    assert np.isfinite(np.asarray(half.transform(rows), dtype=float)).all()
    found = np.asarray(prepared(rows), dtype=float)
    assert found.shape == (N, 1 + 50 + 2)  # the number, the most frequent codes with the others as one, and the flag
    np.testing.assert_array_equal(found[:, 0], np.arange(N))


def test_components_of_large_pictures_are_the_same_in_every_fit():
    """Of more than 500 pixels scikit-learn draws where it begins to look for them."""
    pictures = np.random.default_rng(0).integers(0, 255, (520, 23, 23), dtype=np.uint8)
    first = prepared(pictures)
    np.testing.assert_array_equal(first, prepared(pictures))
    assert first.shape == (520, 100)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
def test_pictures_of_any_numbers_are_flat_rows_with_as_many_components_as_pixels_at_most(dtype):
    pictures = (np.random.default_rng(0).integers(0, 255, (N, 2, 3)) * (1 if dtype == np.uint8 else 1.3)).astype(dtype)
    found = prepared(pictures)
    centered = pictures.reshape(N, 6) - pictures.reshape(N, 6).astype(float).mean(axis=0)
    assert found.shape == (N, 6)
    # components keep distances
    np.testing.assert_allclose(found @ found.T, centered @ centered.T, rtol=1e-3, atol=1)


def test_a_word_said_often_counts_by_the_logarithm_and_none_of_many_is_lost():
    texts = ["good " * 9 + "film", "good film"] + ["bad film"] * (N - 2)
    many, once = prepared(texts)[:2]
    words = TfidfVectorizer(sublinear_tf=True).fit_transform(texts).toarray()
    np.testing.assert_allclose(np.vstack([many, once]), words[:2], rtol=1e-5)
    estimator, rows = with_default_classifier([f"word{i} word{i + 500}" for i in range(300)], 0)
    assert estimator[0].fit_transform(rows).shape == (300, 600)
    assert estimator[0].fit_transform(rows).dtype == np.float32


def test_twenty_thousand_words_are_known_at_most():
    texts = [" ".join(f"word{i}" for i in range(start, start + 67)) for start in range(0, 20_100, 67)]
    assert len(with_default_classifier(texts, 0)[0][0].vocabulary) == 20_000


def test_the_default_classifier_has_the_seed_of_the_audit_and_no_other_setting():
    estimator, _ = with_default_classifier(np.zeros((4, 2)), 7)
    assert estimator[-1].get_params() == NoisyLabelClassifier(random_state=7).get_params()
    assert with_default_classifier(np.zeros((4, 2)), 7, cv=3)[0][-1].cv == 3


@pytest.mark.parametrize("good, bad", [("👍", "👎"), ("A", "B"), ("1 2", "3 4")])
def test_texts_without_a_word_of_two_letters_are_told_apart_by_what_there_is(good, bad):
    found = prepared([good, bad] * (N // 2))
    assert len(np.unique(found, axis=0)) == 2


def test_texts_without_anything_are_refused():
    with pytest.raises(ValueError, match=r"X must hold texts with words in them, got ' ' in row 0"):
        audit_labels(None, [" "] * N, np.arange(N) % 2)


@pytest.mark.parametrize("n_texts", [50, 51])
def test_texts_of_several_words_are_prose_where_they_are_more_than_the_categories_of_a_column(n_texts):
    assert _is_prose(pd.Series([f"text {number}" for number in range(n_texts)] * 2)) == (n_texts > 50)
