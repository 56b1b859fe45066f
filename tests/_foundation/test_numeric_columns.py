"""Tables as people have them: what is no number is named, with the line that helps."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise._foundation._numeric_columns import with_nan_for_na
from sklabelnoise.audit import audit_labels
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

SMALL = {"max_epochs": 2, "random_state": 0}
N = 60


def frame(**columns):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"age": rng.normal(size=N), "hours": rng.normal(size=N), **columns})


Y = np.arange(N) % 2
TEXT = np.array(["private", "state"])[Y]
COLUMNS = {
    "text": (TEXT.astype(object), "text or other objects in 'extra'"),
    "strings": (pd.array(TEXT, dtype="string"), "text or other objects in 'extra'"),
    "digits as text": (Y.astype(str).astype(object), "text or other objects in 'extra'"),
    "category": (pd.Categorical(TEXT), "categories in 'extra'"),
    "numbers as category": (pd.Categorical(Y), "categories in 'extra'"),
    "date": (pd.date_range("2020", periods=N), "dates or times in 'extra'"),
    "zoned date": (pd.date_range("2020", periods=N, tz="UTC"), "dates or times in 'extra'"),
    "duration": (pd.to_timedelta(np.arange(N), unit="D"), "dates or times in 'extra'"),
    "interval": (pd.interval_range(0, N), "intervals in 'extra'"),
    "NaN": (np.where(Y, np.nan, 1.0), "missing values in 'extra'"),
    "NA": (pd.array([None, 1] * (N // 2), dtype="Int64"), "missing values in 'extra'"),
    "None": (np.array([None, 1.0] * (N // 2), dtype=object), "missing values in 'extra'"),
}


@pytest.mark.parametrize("values, message", COLUMNS.values(), ids=COLUMNS)
def test_a_column_that_is_no_number_is_named_with_the_line_that_helps(values, message):
    with pytest.raises(ValueError, match=message) as caught:
        DMClassifier(**SMALL).fit(frame(extra=values), Y)
    assert "skrub.tabular_pipeline(DMClassifier())" in str(caught.value)
    assert "pip install 'sklabelnoise[tables]'" in str(caught.value)


@pytest.mark.parametrize(
    "estimator, values, message",
    [
        pytest.param(kind(), *column, id=f"{kind.__name__}-{name}")
        for kind in (
            DMClassifierCV,
            ProSelfLCClassifier,
            RobustLossClassifier,
            NoisyLabelClassifier,
            StochasticLabelRefinery,
            StochasticLabelRefineryRegressor,
        )
        for name, column in COLUMNS.items()
        if kind is not NoisyLabelClassifier or "missing" not in column[1]  # it takes these as they are
    ],
)
def test_every_estimator_says_its_own_line(estimator, values, message):
    with pytest.raises(ValueError, match=message) as caught:
        estimator.fit(frame(extra=values), Y)
    assert f"skrub.tabular_pipeline({type(estimator).__name__}()) takes such a table as it is" in str(caught.value)


# Each gets one classifier of another library, which fails by itself on a raw table, and may take missing values.
WRAPPERS = {
    "refinery": lambda inner, X: StochasticLabelRefinery(inner, n_rounds=1, cv=2).fit(X, Y),
    "refinery without rounds": lambda inner, X: StochasticLabelRefinery(inner, n_rounds=0).fit(X, Y),
    "two estimators": lambda inner, X: StochasticLabelRefinery([inner, inner], n_rounds=1, cv=2).fit(X, Y),
    "Pipeline": lambda inner, X: StochasticLabelRefinery(make_pipeline(StandardScaler(), inner), cv=2).fit(X, Y),
    "audit": lambda inner, X: audit_labels(inner, X, Y, cv=2),
    "audit of a fit": lambda inner, X: audit_labels(inner, X, Y, evidence="fit"),
}


EMBEDDED = [np.ones(2).tolist() if i % 2 else [0.0, 1.0] for i in range(N)]
OURS = [DMClassifier(**SMALL), NoisyLabelClassifier(["neighbors"]), StochasticLabelRefinery()]


@pytest.mark.parametrize("estimator", OURS)
@pytest.mark.parametrize("cell", [list, np.array])
def test_a_column_of_lists_is_told_how_to_become_columns(estimator, cell):
    """Embeddings lie so in many a frame. skrub does not take them."""
    X = frame(vector=pd.Series(map(cell, EMBEDDED)))
    with pytest.raises(ValueError, match=r"lists or arrays in 'vector'\. pandas\.DataFrame.* makes columns") as caught:
        estimator.fit(X, Y)
    assert "skrub" not in str(caught.value)
    line = re.search(r"pandas.DataFrame.*(?= makes)", str(caught.value))[0]
    X = X.drop(columns="vector").join(eval(line, {"pandas": pd, "X": X}))
    assert clone(estimator).fit(X, Y).n_features_in_ == 4


@pytest.mark.parametrize("estimator", OURS)
@pytest.mark.parametrize("kind", [pd.Series, lambda rows: pd.Series(map(np.array, rows)).to_numpy()])
def test_one_column_of_lists_alone_is_told_as_well(estimator, kind):
    X = kind(EMBEDDED)
    with pytest.raises(ValueError, match=r"numbers .*, got lists or arrays in one column\. numpy.stack\(X\)"):
        estimator.fit(X, Y)
    assert clone(estimator).fit(np.stack(X), Y).n_features_in_ == 2


@pytest.mark.parametrize("estimator", OURS)
def test_lists_of_several_lengths_are_not_told_to_be_stacked(estimator):
    with pytest.raises(ValueError, match=r"got lists or arrays in one column\. Lengths differ\.$"):
        estimator.fit(pd.Series([[1.0] * (1 + i % 2) for i in range(N)]), Y)


@pytest.mark.parametrize("estimator", OURS)
def test_fields_of_an_array_are_no_columns(estimator):
    X = frame()
    with pytest.raises(TypeError, match=r"got an array of the fields 'age', 'hours'\. pandas\.DataFrame\(X\)"):
        estimator.fit(X.to_records(index=False), Y)


@pytest.mark.parametrize("kind", [lambda pairs: pairs, DataLoader])
@pytest.mark.parametrize(
    "estimator",
    [NoisyLabelClassifier(), NoisyLabelClassifier([("mine", DMClassifier(), {})]), StochasticLabelRefinery()],
)
def test_a_dataset_is_told_from_rows(estimator, kind):
    """NumPy speaks of an inhomogeneous shape."""
    pairs = kind(TensorDataset(torch.rand(N, 2), torch.as_tensor(Y)))
    with pytest.raises(TypeError, match=rf"{type(pairs).__name__} of torch\. .*embed_dataset turns a Dataset"):
        estimator.fit(pairs, Y)


@pytest.mark.parametrize("rows", [{"a": [1, 2]}, iter([[1], [2]]), {1: [1]}.values(), {1: [1]}.keys(), {(1, 2)}, "ab"])
def test_what_has_no_rows_is_refused_by_an_audit_too(rows):
    for estimator in (LogisticRegression(), None):
        with pytest.raises(TypeError, match=f"X must be an array, a frame or a list .*, got {type(rows).__name__}"):
            audit_labels(estimator, rows, [0, 1])


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize(
    "kind", [pd.DataFrame, np.asarray, lambda X: X.to_numpy().tolist()], ids=["frame", "array", "lists"]
)
def test_errors_of_a_wrapped_estimator_carry_the_line(wrap, kind):
    with pytest.raises(ValueError, match="could not convert string to float") as caught:
        wrap(LogisticRegression(), kind(frame(extra=TEXT.astype(object))))
    (note,) = (note for note in caught.value.__notes__ if "skrub.tabular_pipeline(LogisticRegression())" in note)
    assert ("text or other objects in 'extra'" if kind is pd.DataFrame else "in column 2") in note


def test_dates_and_gaps_of_a_wrapped_estimator_are_noted():
    with pytest.raises((TypeError, ValueError)) as caught:
        StochasticLabelRefinery(LogisticRegression(), cv=2).fit(frame(extra=pd.date_range("2020", periods=N)), Y)
    assert any("dates or times in 'extra'" in note for note in caught.value.__notes__)
    with pytest.raises(ValueError, match="NaN") as caught:
        StochasticLabelRefineryRegressor(Ridge(), cv=2).fit(frame(extra=np.where(Y, np.nan, 1.0)), Y)
    assert any("missing values in 'extra'" in note and "(Ridge())" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("inner", [RandomForestClassifier(3), HistGradientBoostingClassifier(max_iter=2)], ids=str)
def test_what_a_wrapped_estimator_takes_is_not_refused(inner):
    X = frame(extra=np.where(Y, np.nan, 1.0))
    refined = StochasticLabelRefinery(inner, n_rounds=1, cv=2, soft_label_method="argmax").fit(X, Y)
    assert refined.predict(X).shape == (N,)


def test_an_error_of_numbers_carries_no_line():
    with pytest.raises(ValueError, match="nonsense") as caught:
        StochasticLabelRefinery(LogisticRegression(solver="nonsense"), cv=2).fit(frame(), Y)
    assert not any("skrub" in note for note in caught.value.__notes__)


def test_a_search_and_left_out_predictions_say_it():
    line = r"skrub\.tabular_pipeline\(DMClassifier\(\)\)"
    with pytest.raises(ValueError, match=line):
        FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2).fit(frame(extra=TEXT), Y)
    with pytest.raises(ValueError, match=line):
        fused_cross_val_predict(DMClassifier(**SMALL), frame(extra=TEXT), Y, cv=2)
    with pytest.raises(ValueError, match=line):
        audit_labels(DMClassifier(**SMALL), frame(extra=TEXT), Y)


@pytest.mark.parametrize("fit", [
    DMClassifier(**SMALL).fit,
    NoisyLabelClassifier().fit,
    StochasticLabelRefinery().fit,
    lambda X, Y: DMClassifier(**SMALL).partial_fit(X, Y, classes=[0, 1]),
], ids=["network", "ensemble", "refinery", "partial_fit"])  # fmt: skip
class TestArraysAndLists:
    def test_texts_are_named_by_their_column(self, fit):
        X = np.column_stack([np.arange(N), TEXT, Y]).astype(object)
        for cells in (X, X.astype(str), X.tolist(), [tuple(row) for row in X]):
            with pytest.raises(
                ValueError, match=r"got text \(could not .*'private'\) in column 1\. skrub.* takes pandas"
            ):
                fit(cells, Y)

    def test_a_text_may_stand_in_any_row(self, fit):
        X = np.arange(2 * N).reshape(N, 2).astype(object)
        X[-1, 1] = "private"
        for cells in (X, X.tolist()):
            with pytest.raises(ValueError, match=r"got text \(could not .*'private'\) in column 1\."):
                fit(cells, Y)

    def test_dates_are_no_numbers(self, fit):
        dates = np.arange(2 * N).reshape(N, 2).astype("datetime64[D]")
        for cells in (dates, dates - dates[0]):
            with pytest.raises(ValueError, match="got dates or times in column 0, column 1"):
                fit(cells, Y)

    def test_numbers_that_are_spelled_are_read_as_before(self, fit):
        fit(np.column_stack([Y, np.arange(N) % 7]).astype(str).astype(object), Y)


@pytest.mark.parametrize(
    "first, others, message",
    [
        (b"a.png", b"b.png", r"got bytes\. Images are named by a str or a path"),
        (b"a.png", Path("b.png"), "got bytes in row 0 and paths in row 1"),
        (3, Path("b.png"), "got int in row 0 and paths in row 1"),
        (None, "b.png", "got a missing value in row 0 and texts in row 1"),
        ([1, 2], "b.png", "got list in row 0 and texts in row 1"),
    ],
)
@pytest.mark.parametrize("column", [list, tuple, pd.Series], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    "estimator",
    [DMClassifier(**SMALL), NoisyLabelClassifier(cv=2), StochasticLabelRefinery()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_items_that_are_no_numbers_are_named(estimator, column, first, others, message):
    with pytest.raises(ValueError, match=rf"X must hold numbers for {type(estimator).__name__}, {message}"):
        estimator.fit(column([first, *[others] * (N - 1)]), Y)


@pytest.mark.parametrize("X, message", [
    ({"a": np.arange(N), "b": np.arange(N)}, r"got dict\. pandas\.DataFrame\(X\) makes a table of its columns"),
    ({"a": np.zeros((N, 2)), "b": np.arange(N)}, r"got dict\. np\.concatenate joins arrays of several columns to one "),
    ([{"a": 1, "b": 2}] * N, r"got a list of dict\. pandas\.DataFrame\(X\) makes a table of them"),
    (zip(range(N), range(N), strict=True), r"got zip\."),
    ((row for row in range(N)), r"got generator\."),
    ("people.csv", r"got str\."),
    (Path("people.csv"), r"got (Posix|Windows)Path\."),
    (".", r"got str\. torchvision\.datasets\.ImageFolder\(X\) reads a folder of images\."),
    (None, r"got NoneType\."),
])  # fmt: skip
@pytest.mark.parametrize(
    "estimator",
    [DMClassifier(**SMALL), DMClassifierCV(**SMALL), NoisyLabelClassifier(cv=2), StochasticLabelRefinery()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_is_no_rows_is_refused_with_what_is(estimator, X, message):
    """NumPy says that float() takes no dict, or that a scalar came."""
    with pytest.raises(TypeError, match=rf"X must be an array, a frame or a list of rows, {message}"):
        estimator.fit(X, Y)


@pytest.mark.parametrize(
    "estimator",
    [NoisyLabelClassifier([("own", LogisticRegression())], cv=2), StochasticLabelRefinery(LogisticRegression())],
    ids=lambda estimator: type(estimator).__name__,
)
def test_around_a_classifier_of_the_users_it_is_refused_as_well(estimator):
    with pytest.raises(TypeError, match=r"X must be an array, a frame or a list of rows, got dict\."):
        estimator.fit({"a": np.arange(N)}, Y)


def test_rows_that_are_dicts_are_left_to_a_classifier_that_takes_them():
    rows = [{"a": label, "b": text} for label, text in zip(Y.tolist(), TEXT.tolist(), strict=True)]
    own = make_pipeline(DictVectorizer(), LogisticRegression())
    for estimator in (NoisyLabelClassifier([("own", own)], cv=2), StochasticLabelRefinery(own, n_rounds=1, cv=2)):
        assert (estimator.fit(rows, Y).predict(rows) == Y).all()
    assert audit_labels(own, rows, Y, cv=2, random_state=0).issues.empty


def test_pictures_of_pillow_are_refused_with_what_is_taken():
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed").new("RGB", (4, 4))
    with pytest.raises(ValueError, match=r"got pictures of pillow\. Pictures are given as an array of shape"):
        DMClassifier(**SMALL).fit([image] * N, Y)


@pytest.mark.parametrize("X_val, error, message", [
    (frame(extra=TEXT), ValueError, "X_val must hold a number in every cell for DMClassifier, got text .*'extra'"),
    (["a text", "another"], ValueError, "X_val must hold numbers for DMClassifier, got texts"),
    ([{"a": 1}, {"a": 2}], TypeError, r"X_val must be an array.* list of dict. pandas.DataFrame\(X_val\) makes"),
    ({"a": [1, 2]}, TypeError, r"X_val must be an array.*, got dict. pandas.DataFrame\(X_val\) makes"),
], ids=["text", "texts", "dicts", "dict"])  # fmt: skip
def test_held_out_rows_are_called_by_their_name(X_val, error, message):
    with pytest.raises(error, match=message):
        DMClassifier(**SMALL).fit(frame(), Y, X_val=X_val, y_val=Y[: len(X_val)])


def test_all_kinds_are_listed_and_long_lists_are_cut():
    with pytest.raises(ValueError, match="text or other objects in 'a', 'b', 'c'\\. skrub"):
        DMClassifier(**SMALL).fit(frame(a=TEXT, b=TEXT, c=TEXT), Y)
    X = frame(a=TEXT, b=TEXT, c=TEXT, d=TEXT, e=pd.Categorical(TEXT))
    with pytest.raises(ValueError, match="text or other objects in 'a', 'b', 'c' and 1 more; categories in 'e'"):
        DMClassifier(**SMALL).fit(X, Y)


@pytest.mark.parametrize("model", [DMClassifier(**SMALL), StochasticLabelRefinery(n_rounds=1, cv=2)], ids=str)
def test_prediction_says_it_too(model):
    model.fit(frame(), Y)
    with pytest.raises(ValueError, match="missing values in 'age'"):
        model.predict(frame().mask(frame() < 0))


@pytest.mark.parametrize("values", [Y, Y.astype(bool), pd.array(Y, dtype="Int64"), Y.astype(object)], ids=repr)
def test_columns_of_numbers_of_any_kind_are_taken(values):
    taken = DMClassifier(**SMALL).fit(frame(extra=values), Y)
    plain = DMClassifier(**SMALL).fit(frame(extra=Y.astype(float)), Y)
    np.testing.assert_array_equal(
        taken.predict_proba(frame(extra=values)), plain.predict_proba(frame(extra=Y.astype(float)))
    )


@pytest.mark.skipif(importlib.util.find_spec("skrub") is None, reason="skrub is not installed")
# pandas 2.2 says it of skrub's own code
@pytest.mark.filterwarnings("ignore:Downcasting behavior in `replace` is deprecated:FutureWarning")
def test_the_line_that_is_shown_works():
    import skrub

    X = frame(extra=TEXT, born=pd.date_range("1990", periods=N), gap=np.where(Y, np.nan, 1.0))
    for final in (
        DMClassifierCV(candidates=((0, 0), (0.5, 8)), cv=2, n_members=1, **SMALL),
        StochasticLabelRefinery(n_rounds=1, cv=2),
    ):
        assert skrub.tabular_pipeline(final).fit(X, Y).predict_proba(X).shape == (N, 2)
        # Columns have names here: skrub before 0.7 warns of numbers, and goes on.
        cells = pd.DataFrame(X[["age", "hours", "extra", "gap"]].to_numpy(), columns=list("abcd"))
        assert skrub.tabular_pipeline(final).fit(cells, Y).predict(cells).shape == (N,)
    inside = StochasticLabelRefinery(skrub.tabular_pipeline(LogisticRegression()), n_rounds=1, cv=2)
    assert inside.fit(X, Y).predict(X).shape == (N,)


@pytest.mark.parametrize("as_given", [np.asarray, pd.DataFrame])
@pytest.mark.parametrize("missing", [pd.NA, pd.NaT])
def test_na_among_objects_is_a_missing_value(as_given, missing):
    plain = np.random.default_rng(0).normal(size=(N, 2))
    plain[1:4, 0] = np.nan
    values = plain.astype(object)
    values[1, 0], values[2, 0] = missing, None
    X = as_given(values)
    model, expected = (NoisyLabelClassifier(["boosting"], random_state=0).fit(table, Y) for table in (X, plain))
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(plain))
    assert values[1, 0] is missing  # what the caller has stays as it was
    assert (X if as_given is np.asarray else X.to_numpy())[1, 0] is missing
    with pytest.raises(ValueError, match=r"missing values|contains NaN"):
        DMClassifier(**SMALL).fit(X, Y)


@pytest.mark.parametrize("fill_value", [np.nan, 0.0, 1.0])
@pytest.mark.parametrize("all_columns", [True, False])
def test_sparse_columns_of_any_fill_are_as_dense_ones(fill_value, all_columns):
    """pandas' own fill is NaN, which no sparse matrix of SciPy has."""
    dense = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 2)).round(), columns=["a", "b"])
    sparse = dense.copy()
    for name in sparse if all_columns else ["a"]:
        sparse[name] = sparse[name].astype(pd.SparseDtype(float, fill_value))
    kept = sparse.dtypes.tolist()
    for model in (NoisyLabelClassifier(["boosting"], cv=2, random_state=0), DMClassifier(**SMALL)):
        expected = clone(model).fit(dense, Y).predict_proba(dense)
        np.testing.assert_allclose(model.fit(sparse, Y).predict_proba(sparse), expected, rtol=1e-12)
    assert sparse.dtypes.tolist() == kept
    if np.isnan(fill_value) and all_columns:
        gaps = dense.where(dense != 0)
        model = NoisyLabelClassifier(["boosting"], cv=2, random_state=0)
        expected = clone(model).fit(gaps, Y).predict_proba(gaps)
        gaps = gaps.astype(pd.SparseDtype(float))
        np.testing.assert_array_equal(model.fit(gaps, Y).predict_proba(gaps), expected)


def test_sparse_columns_of_several_fills_are_as_dense_ones():
    dense = pd.DataFrame(np.random.default_rng(0).normal(size=(N, 2)).round(), columns=["a", "b"])
    for fills in ((0.0, np.nan), (np.nan, 0.0), (0.0, 1.0)):
        sparse = dense.astype({name: pd.SparseDtype(float, fill) for name, fill in zip("ab", fills, strict=True)})
        expected = DMClassifier(**SMALL).fit(dense, Y).predict_proba(dense)
        np.testing.assert_allclose(DMClassifier(**SMALL).fit(sparse, Y).predict_proba(sparse), expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", [float, np.float32, int, object])
def test_a_masked_value_is_a_missing_one(dtype):
    """scikit-learn reads what lies below the mask."""
    plain = np.random.default_rng(0).normal(size=(N, 2)).round()
    masked = np.ma.masked_array(plain.astype(dtype), mask=np.zeros((N, 2), dtype=bool))
    masked[1:4, 0] = np.ma.masked
    plain[1:4, 0] = np.nan
    model, expected = (NoisyLabelClassifier(["boosting"], random_state=0).fit(table, Y) for table in (masked, plain))
    np.testing.assert_array_equal(model.predict_proba(masked), expected.predict_proba(plain))
    assert masked.mask[1, 0] and masked.mask.sum() == 3
    for fit in (DMClassifier(**SMALL).fit, StochasticLabelRefinery(n_rounds=1).fit):
        with pytest.raises(ValueError, match="missing values in column 0"):
            fit(masked, Y)
    with pytest.raises(ValueError, match="contains NaN"):
        DMClassifier(**SMALL).fit(masked.reshape(N, 1, 2, 1), Y)


@pytest.mark.parametrize("other", [pd.Series([1.0, pd.NA], dtype=object), pd.arrays.SparseArray([0.0, 1.0])])
def test_the_frame_that_is_given_stays_as_it_was(other):
    frame = pd.DataFrame({"a": [1.0, 2.0], "other": other})
    before = frame.copy()
    with_nan_for_na(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert frame.dtypes.equals(before.dtypes) and (frame["other"][1] is pd.NA) is (before["other"][1] is pd.NA)
