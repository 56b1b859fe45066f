"""What the folds of a search are made of: each is made once, and few are held at a time."""

import gc
import tracemalloc
import weakref
from dataclasses import replace
from functools import cache
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklabelnoise import DMClassifier
from sklabelnoise._fused import _folds
from sklabelnoise._stacked._criterion import NotStackableError
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

SMALL = {"module__hidden": (4,), "max_epochs": 2, "batch_size": 32, "device": "cpu", "random_state": 0}
N_FOLDS = 3


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = np.arange(103) % 3
    return rng.normal(size=(103, 4)) + np.eye(3, 4)[y], y


@pytest.fixture(params=[0, 2, N_FOLDS], ids=["one fold held", "two folds held", "all folds held"])
def n_held(request, table, monkeypatch):
    """How many folds are held at a time."""
    monkeypatch.setattr(_folds, "_BYTES_HELD", request.param * table[0].nbytes)
    return max(1, request.param)


class Scaled(TransformerMixin, BaseEstimator):
    """Copies the rows, and counts how often it was fitted."""

    fits = 0

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        Scaled.fits += 1
        return self

    def transform(self, X):
        return self.factor * X


@pytest.fixture
def counted(monkeypatch):
    """Folds whose rows are counted as long as they live."""
    alive, most = [], []
    make = _folds._fold_of_pipeline

    def fold_of_pipeline(*args):
        fold, head = make(*args)
        alive.append(weakref.ref(fold.X))
        most.append(sum(reference() is not None for reference in alive))
        return fold, head

    monkeypatch.setattr(_folds, "_fold_of_pipeline", fold_of_pipeline)
    return most


def negative_log_loss(estimator, X, y):
    """A scorer that asks the fitted estimator for more than a prediction."""
    assert len(estimator.steps) == 2
    assert estimator[-1].history_.shape[0] == SMALL["max_epochs"]
    return np.log(estimator.predict_proba(X)[np.arange(len(y)), y]).mean()


GRIDS = {
    "one stack": {"dmclassifier__beta": [0, 4, 8]},
    "two stacks": {"dmclassifier__beta": [0, 4], "dmclassifier__module__hidden": [(4,), (6,)]},
    "other transformers": {"dmclassifier__beta": [0, 4], "scaled__factor": [0.5, 2.0]},
    "seeds": {"dmclassifier__random_state": [0, 1]},
    "class weights": {"dmclassifier__class_weight": [None, "balanced", {0: 1, 1: 0, 2: 3}]},
}


def found_by(search, table, name, scoring):
    pipeline = make_pipeline(Scaled(), DMClassifier(**SMALL))
    return search(pipeline, GRIDS[name], cv=N_FOLDS, scoring=scoring, refit=False).fit(*table)


@pytest.fixture(scope="module")
def expected(table):
    """What is found where all folds are held, and one by one; by grid and scoring."""

    @cache
    def found(name, scoring):
        with mock.patch.object(_folds, "_BYTES_HELD", 2**40):
            searches = [found_by(search, table, name, scoring) for search in (FusedGridSearchCV, GridSearchCV)]
        return [search.cv_results_ for search in searches]

    return found


@pytest.mark.parametrize("scoring", [None, negative_log_loss], ids=["predictions", "fitted estimators"])
@pytest.mark.parametrize("name", GRIDS)
def test_results_do_not_depend_on_how_many_folds_are_held(table, counted, n_held, name, scoring, expected):
    Scaled.fits = 0
    fused = found_by(FusedGridSearchCV, table, name, scoring)
    assert fused.fused_["fused"].all()
    assert Scaled.fits == N_FOLDS * len(GRIDS[name].get("scaled__factor", [0]))
    assert max(counted) == n_held
    whole, plain = expected(name, scoring)
    for fold in range(N_FOLDS):
        scores = f"split{fold}_test_score"
        np.testing.assert_array_equal(fused.cv_results_[scores], whole[scores])
        np.testing.assert_allclose(fused.cv_results_[scores], plain[scores], rtol=0, atol=1e-12)


def test_left_out_predictions_are_the_same_bits(table, counted, n_held, monkeypatch):
    X, y = table
    pipeline = make_pipeline(StandardScaler(), DMClassifier(**SMALL))
    few = fused_cross_val_predict(pipeline, X, y, cv=N_FOLDS, method="predict_proba")
    assert max(counted) == n_held
    monkeypatch.setattr(_folds, "_BYTES_HELD", 2**40)
    np.testing.assert_array_equal(few, fused_cross_val_predict(pipeline, X, y, cv=N_FOLDS, method="predict_proba"))
    np.testing.assert_allclose(few, cross_val_predict(pipeline, X, y, cv=N_FOLDS, method="predict_proba"), atol=1e-12)


@pytest.mark.parametrize("kind", [pd.DataFrame, scipy.sparse.csr_matrix], ids=["frame", "sparse"])
def test_frames_and_sparse_rows_are_held_few_at_a_time(table, counted, kind, monkeypatch):
    X, y = kind(table[0]), table[1]
    monkeypatch.setattr(_folds, "_BYTES_HELD", 0)
    pipeline = make_pipeline(StandardScaler(with_mean=False), DMClassifier(**SMALL))
    fused = FusedGridSearchCV(pipeline, {"dmclassifier__beta": [0, 8]}, cv=3, refit=False).fit(X, y)
    plain = GridSearchCV(pipeline, {"dmclassifier__beta": [0, 8]}, cv=3, refit=False).fit(X, y)
    assert fused.fused_["fused"].all()
    assert max(counted) == 1
    np.testing.assert_array_equal(fused.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])


def test_weights_and_soft_labels_follow_their_fold(table, n_held):
    X, y = table
    rng = np.random.default_rng(1)
    params = {
        "dmclassifier__sample_weight": rng.random(len(y)),
        "dmclassifier__soft_labels": pd.DataFrame(rng.dirichlet(np.ones(3), len(y))),
    }
    pipeline = make_pipeline(StandardScaler(), DMClassifier(**SMALL))
    grid = {"dmclassifier__class_weight": [None, "balanced", {0: 1, 1: 2, 2: 3}]}
    fused = FusedGridSearchCV(pipeline, grid, cv=N_FOLDS, refit=False).fit(X, y, **params)
    plain = GridSearchCV(pipeline, grid, cv=N_FOLDS, refit=False).fit(X, y, **params)
    assert fused.fused_["fused"].all()
    np.testing.assert_array_equal(fused.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])


def test_folds_whose_transformers_give_other_columns_are_trained_together_where_they_can_be(n_held, recwarn):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3, (103, 2)).astype(str).astype(object)
    X[7, 0] = "only here"
    y = rng.integers(0, 2, 103)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    pipeline = make_pipeline(encoder, DMClassifier(**SMALL))
    fused = FusedGridSearchCV(pipeline, {"dmclassifier__beta": [0, 8]}, cv=3, refit=False).fit(X, y)
    plain = GridSearchCV(pipeline, {"dmclassifier__beta": [0, 8]}, cv=3, refit=False).fit(X, y)
    assert fused.fused_["fused"].all()
    assert not [str(warning.message) for warning in recwarn if "one by one" in str(warning.message)]
    np.testing.assert_array_equal(fused.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_transformer_that_fails_in_a_later_fold_fails_that_fit_alone(table, n_held):
    X, y = table
    rows = np.arange(len(y))
    splits = [(rows[30:], rows[:30]), (rows[:70], rows[70:]), (rows[35:], rows[:35])]

    class WithoutRow(TransformerMixin, BaseEstimator):
        def fit(self, Z, y=None):
            if len(Z) == 70:
                raise ValueError("seventy rows are too many")
            return self

        def transform(self, Z):
            return Z

    pipeline = make_pipeline(WithoutRow(), DMClassifier(**SMALL))
    grid = {"dmclassifier__beta": [0, 8]}
    fused = FusedGridSearchCV(pipeline, grid, cv=splits, refit=False).fit(X, y)
    plain = GridSearchCV(pipeline, grid, cv=splits, refit=False).fit(X, y)
    for fold in range(3):
        name = f"split{fold}_test_score"
        np.testing.assert_array_equal(fused.cv_results_[name], plain.cv_results_[name])
    assert np.isnan(fused.cv_results_["split1_test_score"]).all()
    with pytest.raises(ValueError, match="seventy rows are too many"):
        fused.set_params(error_score="raise").fit(X, y)


def test_memory_does_not_grow_with_the_number_of_folds(monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(10_000, 50)), rng.integers(0, 2, 10_000)
    monkeypatch.setattr(_folds, "_BYTES_HELD", X.nbytes)
    pipeline = make_pipeline(StandardScaler(), DMClassifier(**{**SMALL, "max_epochs": 1, "batch_size": 1024}))
    grid = {"dmclassifier__beta": [0, 8]}
    FusedGridSearchCV(pipeline, grid, cv=2, refit=False).fit(X[:100], y[:100])

    def peak(n_folds):
        gc.collect()
        tracemalloc.start()
        try:
            FusedGridSearchCV(pipeline, grid, cv=n_folds, refit=False).fit(X, y)
            return tracemalloc.get_traced_memory()[1] / X.nbytes
        finally:
            tracemalloc.stop()

    of_ten = peak(10)
    assert of_ten < 2.8  # what is left out, transformed, beside the rows to train on, and both joined
    assert of_ten < 1.2 * peak(3)


SPLITS = [(np.arange(70), np.arange(70, 103)), (np.arange(30, 103), np.arange(30))]


class TestMakeFolds:
    def test_parameters_of_fit_that_no_stack_knows_are_refused_by_name(self, table):
        pipeline = make_pipeline(StandardScaler(), DMClassifier())
        for estimator, prefix in ((DMClassifier(), ""), (pipeline, "dmclassifier__")):
            with pytest.raises(NotStackableError, match="fit is called with X_val"):
                _folds.make_folds(estimator, *table, SPLITS, {f"{prefix}X_val": table[0]})
            data = _folds.make_folds(estimator, *table, SPLITS, {f"{prefix}X_val": None})
            assert data.folds[0].sample_weight is None

    @pytest.mark.parametrize("wanted", [True, False])
    def test_weights_are_routed_to_the_classifier_that_asks_for_them(self, table, wanted):
        weight = np.linspace(0, 1, len(table[1]))
        with config_context(enable_metadata_routing=True):
            classifier = DMClassifier().set_fit_request(sample_weight=wanted)
            scaler = StandardScaler().set_fit_request(sample_weight=True)
            data = _folds.make_folds(make_pipeline(scaler, classifier), *table, SPLITS, {"sample_weight": weight})
        for split, (train, _) in enumerate(SPLITS):
            found = data.folds[split].sample_weight
            assert found is None if not wanted else np.array_equal(found, weight[train])

    def test_rows_without_labels_are_refused(self, table):
        with pytest.raises(NotStackableError, match="there is no y beside X"):
            _folds.make_folds(DMClassifier(), table[0], None, SPLITS, {})

    @pytest.mark.parametrize("kind", [np.asarray, pd.DataFrame, scipy.sparse.csr_matrix])
    def test_the_pipeline_that_is_given_stays_unfitted(self, table, kind):
        pipeline = make_pipeline(StandardScaler(with_mean=False), DMClassifier())
        steps = list(pipeline.steps)
        data = _folds.make_folds(pipeline, kind(table[0]), table[1], SPLITS, {})
        assert pipeline.steps == steps
        assert not hasattr(pipeline[0], "scale_") and not hasattr(pipeline[1], "classes_")
        for split, (train, test) in enumerate(SPLITS):
            scaler, fold = clone(pipeline[0]).fit(table[0][train]), data.folds[split]
            np.testing.assert_allclose(data.heads[split][0].scale_, scaler.scale_)
            rows = fold.X.toarray() if scipy.sparse.issparse(fold.X) else fold.X
            np.testing.assert_allclose(rows[fold.train], table[0][train] / scaler.scale_)
            np.testing.assert_allclose(rows[fold.test], table[0][test] / scaler.scale_)
            np.testing.assert_array_equal(fold.y, table[1][train])

    def test_each_candidate_of_a_split_ends_a_pipeline_of_its_own(self, table):
        data = _folds.make_folds(make_pipeline(StandardScaler(), DMClassifier()), *table, SPLITS, {})
        classifiers = [DMClassifier(lam=lam) for lam in (0, 1)]
        pipelines = [data.with_classifier(1, classifier) for classifier in classifiers]
        assert [pipeline[-1] for pipeline in pipelines] == classifiers
        assert all(pipeline[0] is data.heads[1][0] for pipeline in pipelines)
        alone = _folds.make_folds(DMClassifier(), *table, SPLITS, {})
        assert alone.with_classifier(1, classifiers[0]) is classifiers[0]

    def test_statistics_are_those_of_images_grey_or_not(self, table):
        fold = _folds.make_folds(DMClassifier(), *table, SPLITS, {}).folds[0]
        assert not _folds.takes_statistics(fold)
        for shape in ((103, 2, 2), (103, 1, 2, 2)):
            assert _folds.takes_statistics(replace(fold, X=table[0].reshape(shape)))


def test_rows_take_their_bytes_and_sparse_ones_those_of_their_places_too(table):
    assert _folds._n_bytes(table[0]) == 103 * 4 * 8
    sparse = scipy.sparse.csr_matrix(table[0])
    assert _folds._n_bytes(sparse) == sparse.data.nbytes + sparse.indices.nbytes + sparse.indptr.nbytes
