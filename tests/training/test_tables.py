"""Tables as people have them: what a network can't take is refused with the line that helps, and scales are noticed."""

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.model_selection import FusedGridSearchCV

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
    "estimator",
    [DMClassifierCV(), ProSelfLCClassifier(), RobustLossClassifier(), NoisyLabelClassifier()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_every_classifier_says_its_own_line(estimator):
    with pytest.raises(ValueError, match=rf"skrub\.tabular_pipeline\({type(estimator).__name__}\(\)\)"):
        estimator.fit(frame(extra=TEXT), Y)


def test_all_kinds_are_listed_and_long_lists_are_cut():
    X = frame(a=TEXT, b=TEXT, c=TEXT, d=TEXT, e=pd.Categorical(TEXT))
    with pytest.raises(ValueError, match="text or other objects in 'a', 'b', 'c' and 1 more; categories in 'e'"):
        DMClassifier(**SMALL).fit(X, Y)


def test_prediction_says_it_too():
    model = DMClassifier(**SMALL).fit(frame(), Y)
    with pytest.raises(ValueError, match="missing values in 'age'"):
        model.predict(frame().mask(frame() < 0))


@pytest.mark.parametrize("values", [Y, Y.astype(bool), pd.array(Y, dtype="Int64"), Y.astype(object)], ids=repr)
def test_columns_of_numbers_of_any_kind_are_taken(values):
    taken = DMClassifier(**SMALL).fit(frame(extra=values), Y)
    plain = DMClassifier(**SMALL).fit(frame(extra=Y.astype(float)), Y)
    np.testing.assert_array_equal(
        taken.predict_proba(frame(extra=values)), plain.predict_proba(frame(extra=Y.astype(float)))
    )


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix, pd.DataFrame], ids=["array", "sparse", "frame"])
def test_scales_that_differ_a_thousandfold_warn(kind):
    X = frame().to_numpy(copy=True)
    X[:, 1] *= 5_000 / np.abs(X[:, 1]).max() * np.abs(X[:, 0]).max()
    with pytest.warns(UserWarning, match=r"differ in scale by more than a factor of 1,000: .* StandardScaler"):
        DMClassifier(**SMALL).fit(kind(X), Y)


def test_the_warning_names_the_columns():
    X = frame(income=40_000.0 + np.arange(N), constant=np.zeros(N))
    with pytest.warns(UserWarning, match="'hours' up to .* and 'income' up to 4.01e"):
        DMClassifier(**SMALL).fit(X[["age", "hours", "income", "constant"]].assign(age=1.0 * Y * 3), Y)


@pytest.mark.parametrize("spread", [1.0, 900.0])
def test_scales_within_a_thousand_do_not_warn(spread):
    X = np.asarray(frame(extra=np.zeros(N)))
    X = X / np.abs(X).max(axis=0, where=X != 0, initial=1e-300) * [1, spread, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DMClassifier(**SMALL).fit(X, Y)


def test_a_scaler_before_the_network_ends_the_warning():
    X = frame(income=40_000.0 + np.arange(N))
    make_pipeline(StandardScaler(), DMClassifier(**SMALL)).fit(X, Y)


def test_pictures_and_predictions_do_not_warn():
    X = np.zeros((N, 1, 4, 4), dtype=np.uint8)
    X[:, :, 0, 0], X[:, :, 1, 1] = 255, Y[:, None]
    DMClassifier(**SMALL).fit(X, Y).predict(X)
    table = frame()
    model = DMClassifier(**SMALL).fit(table, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(table * [1, 1e6])


def test_a_search_warns_as_a_fit_does():
    X = frame(income=40_000.0 + np.arange(N))
    with pytest.warns(UserWarning, match="differ in scale"):
        FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 0.5]}, cv=2).fit(X, Y)
    with pytest.warns(UserWarning, match="differ in scale"):
        DMClassifierCV(candidates=((0, 0),), cv=2, n_members=1, **SMALL).fit(X, Y)


@pytest.mark.skipif(importlib.util.find_spec("skrub") is None, reason="skrub is not installed")
def test_the_line_that_is_shown_works():
    import skrub

    X = frame(extra=TEXT, born=pd.date_range("1990", periods=N), gap=np.where(Y, np.nan, 1.0))
    model = skrub.tabular_pipeline(DMClassifierCV(candidates=((0, 0), (0.5, 8)), cv=2, n_members=1, **SMALL))
    assert model.fit(X, Y).predict_proba(X).shape == (N, 2)
