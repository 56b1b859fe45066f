"""Features of very different scale are noticed where a network is trained on them, and nowhere else."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import config_context
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import EpochScoring
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.training._scales import _magnitudes

SMALL = {"max_epochs": 2, "random_state": 0}
N = 60
Y = np.arange(N) % 2


def fits_in_silence(model, *data):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model.fit(*data)


def frame(**columns):
    rng = np.random.default_rng(0)
    return pd.DataFrame({"age": rng.normal(size=N), "hours": rng.normal(size=N), **columns})


KINDS = {
    "array": np.asarray,
    "float32": np.float32,
    "integers": lambda X: np.rint(X * 1e4).astype(np.int64),
    "lists": lambda X: X.tolist(),
    "sparse": sparse.csr_matrix,
    "sparse of float32": lambda X: sparse.csr_array(X.astype(np.float32)),
    "frame": pd.DataFrame,
    "frame of float32": lambda X: pd.DataFrame(X, dtype=np.float32),
    "frame of nullable numbers": lambda X: pd.DataFrame(X).astype("Float64"),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_scales_that_differ_a_thousandfold_warn(kind):
    X = frame().to_numpy(copy=True)
    X[:, 1] *= 5_000 / np.abs(X[:, 1]).max() * np.abs(X[:, 0]).max()
    with pytest.warns(UserWarning, match=r"differ in scale by more than a factor of 1,000: .* StandardScaler"):
        DMClassifier(**SMALL).fit(kind(X), Y)


def test_the_warning_names_the_columns():
    X = frame(income=40_000.0 + np.arange(N), constant=np.zeros(N))
    with pytest.warns(UserWarning, match="'hours' up to .* and 'income' up to 4.01e"):
        DMClassifier(**SMALL).fit(X[["age", "hours", "income", "constant"]].assign(age=1.0 * Y * 3), Y)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("spread", [1.0, 900.0])
def test_scales_within_a_thousand_do_not_warn(spread, kind):
    X = np.asarray(frame(extra=np.zeros(N)))
    X = X / np.abs(X).max(axis=0, where=X != 0, initial=1e-300) * [1, spread, 1]
    fits_in_silence(DMClassifier(**SMALL), kind(X), Y)


ALIKE = np.linspace(-1, 1, N)
TABLES_IN_SILENCE = {
    "one column, however large": 1e12 * ALIKE[:, None],
    "one column, however small": 1e-12 * ALIKE[:, None],
    "a column of zeros": np.column_stack([1e6 * ALIKE, np.zeros(N)]),
    "zeros alone but for one": np.column_stack([np.zeros(N), np.zeros(N), 1e6 * ALIKE]),
    "zeros alone": np.zeros((N, 3)),
    "constants of one size": np.column_stack([np.full(N, 5.0), np.full(N, -7.0), ALIKE]),
    "a sparse column without entries": sparse.csr_matrix(np.column_stack([1e6 * ALIKE, np.zeros(N)])),
    "negative numbers of one size": np.column_stack([-2 - ALIKE, 900 * ALIKE]),
}


@pytest.mark.parametrize("X", TABLES_IN_SILENCE.values(), ids=TABLES_IN_SILENCE)
def test_nothing_to_compare_does_not_warn(X):
    fits_in_silence(DMClassifier(**SMALL), X, Y)


def test_a_constant_column_of_another_size_warns_too():
    # It is as much of an input to the network as one that varies.
    with pytest.warns(UserWarning, match="column 0 up to 1 in magnitude and column 1 up to 5e\\+03 in magnitude"):
        DMClassifier(**SMALL).fit(np.column_stack([ALIKE, np.full(N, 5000.0)]), Y)


def test_the_sign_does_not_matter():
    with pytest.warns(UserWarning, match="column 1 up to 5e\\+03 in magnitude"):
        DMClassifier(**SMALL).fit(np.column_stack([ALIKE, np.linspace(-5000, -4000, N)]), Y)


class Flat(torch.nn.Module):
    def __init__(self, in_channels, n_classes):
        super().__init__()
        self.output = torch.nn.LazyLinear(n_classes)

    def forward(self, X):
        return self.output(X.flatten(1))


def test_images_and_datasets_do_not_warn():
    uneven = np.column_stack([ALIKE, 1e6 * ALIKE, ALIKE, ALIKE]).astype(np.float32)
    fits_in_silence(DMClassifier(Flat, **SMALL), uneven.reshape(N, 1, 2, 2), Y)
    fits_in_silence(DMClassifier(**SMALL), TensorDataset(torch.from_numpy(uneven), torch.from_numpy(Y)))


def test_it_warns_once_in_a_fit_and_not_of_more_rows_of_the_kind():
    X = frame(income=40_000.0 + np.arange(N))
    model = DMClassifier(warm_start=True, **SMALL)
    with pytest.warns(UserWarning, match="differ in scale") as caught:
        model.fit(X, Y, X_val=X, y_val=Y)
    assert len(caught) == 1
    fits_in_silence(model, X, Y)


def test_classifiers_that_scale_by_themselves_do_not_warn():
    X = frame(income=40_000.0 + np.arange(N))
    fits_in_silence(NoisyLabelClassifier(["neighbors", "kernel_ridge"], random_state=0), X, Y)


def test_a_scaler_before_the_network_ends_the_warning():
    X = frame(income=40_000.0 + np.arange(N))
    make_pipeline(StandardScaler(), DMClassifier(**SMALL)).fit(X, Y)


def test_pictures_and_predictions_do_not_warn():
    X = np.zeros((N, 1, 4, 4), dtype=np.uint8)
    X[:, :, 0, 0], X[:, :, 1, 1] = 255, Y[:, None]
    fits_in_silence(DMClassifier(**SMALL), X, Y).predict(X)
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


@pytest.mark.parametrize(
    "settings",
    [{}, {"refit": False}, {"callbacks": [EpochScoring("accuracy")]}],
    ids=["alone", "without members", "with a score"],
)
def test_a_choice_by_folds_says_it_once_of_itself(settings):
    # its members, which are of a class that the user did not call, said it again
    X = frame(income=40_000.0 + np.arange(N))
    model = DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **SMALL, **settings)
    with pytest.warns(UserWarning, match="X") as caught:
        model.fit(X, Y, X_val=X / 100 - 5, y_val=Y)
    said = [str(one.message) for one in caught]
    assert len(said) == 2 and "DMClassifierCV()" in said[0] and "X_val must be on the scale" in said[1]


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (101, 20), (1999, 7), (4097, 1), (3, 5000)])
def test_magnitudes_are_those_of_the_columns(shape):
    X = np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[1] + 1)
    for given in (X, -np.abs(X), np.where(X > 0, X, 0)):
        for converted in (given, sparse.csr_matrix(given), sparse.csr_array(given)):
            np.testing.assert_array_equal(_magnitudes(converted), np.abs(given).max(axis=0))


HELD_OUT_ROWS = np.random.default_rng(0).normal([100, 5, -3], [10, 2, 1], size=(N, 3))


@pytest.mark.parametrize("estimator", [
    DMClassifier(**SMALL), DMClassifier(early_stopping=True, **SMALL),
    DMClassifierCV(candidates=((0, 0), (1, 4)), cv=2, n_members=1, early_stopping=True, **SMALL),
])  # fmt: skip
def test_held_out_rows_that_a_pipeline_did_not_scale_are_noticed(estimator):
    """scikit-learn's Pipeline transforms X alone, and the network would be judged by rows it can't know."""
    X, name = HELD_OUT_ROWS, type(estimator).__name__.lower()
    model = make_pipeline(StandardScaler(), estimator)
    with pytest.warns(UserWarning, match=r"the mean of 3 of the 3 columns of X_val lies beyond .*transform_input"):
        model.fit(X, Y, **{f"{name}__X_val": X[:20], f"{name}__y_val": Y[:20]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, Y, **{f"{name}__X_val": StandardScaler().fit(X).transform(X[:20]), f"{name}__y_val": Y[:20]})


def test_held_out_rows_of_other_times_are_none_of_another_scale():
    X = np.random.default_rng(0).normal(size=(N, 5))
    drifted = X[:20] + np.array([0, 0, 0, 0.5, 20])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for kind in (np.asarray, sparse.csr_matrix):
            DMClassifier(lam=1, **SMALL).fit(kind(X), Y, X_val=kind(drifted), y_val=Y[:20])


def test_a_pipeline_transforms_held_out_rows_where_it_is_told_to():
    X = HELD_OUT_ROWS
    network = DMClassifier(lam=1, early_stopping=True, **SMALL)
    with config_context(enable_metadata_routing=True), warnings.catch_warnings():
        warnings.simplefilter("error")
        steps = [("scale", StandardScaler()), ("network", network.set_fit_request(X_val=True, y_val=True))]
        model = Pipeline(steps, transform_input=["X_val"]).fit(X, Y, X_val=X[:20], y_val=Y[:20])
    assert model[-1].history_["valid_accuracy"].iloc[-1] == model.score(X[:20], Y[:20])
