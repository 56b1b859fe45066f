"""A fused search is a grid search, only sooner."""

import time

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from tests.model_selection.compared import SMALL, assert_same_results, searches


class TestEquality:
    def test_scores_are_those_of_grid_search_and_probabilities_agree_to_1e9(self, noisy):
        X, y = noisy
        classifier = DMClassifier(
            module__batch_norm=True,
            **{**SMALL, "batch_size": 64, "max_epochs": 5},
            optimizer="AdamW",
            lr=0.01,
            lr_schedule="one-cycle",
        )
        # 211 rows in 5 folds: training sets of 168 and 169 rows, so unequal, with a short last batch.
        grid = {"lam": [0, 1], "weight_decay": [0.0, 0.1], "lr": [0.01, 0.03]}
        scoring = {"accuracy": "accuracy", "neg_log_loss": "neg_log_loss"}
        fused, plain = searches(
            classifier, grid, X, y, scoring=scoring, refit="accuracy", return_train_score=True, cv=5
        )
        assert fused.fused_["fused"].all()
        assert set(fused.fused_["group"]) == {0}
        assert_same_results(fused, plain)
        assert fused.best_params_ == plain.best_params_
        assert fused.best_score_ == plain.best_score_
        np.testing.assert_array_equal(fused.predict_proba(X), plain.predict_proba(X))
        splits = StratifiedKFold(5)
        np.testing.assert_allclose(
            fused_cross_val_predict(classifier, X, y, cv=splits, method="predict_proba"),
            cross_val_predict(classifier, X, y, cv=splits, method="predict_proba"),
            rtol=0,
            atol=1e-9,
        )

    @pytest.mark.parametrize(
        ("classifier", "grid"),
        [
            (DMClassifier(**SMALL), {"lr": [0.001, 0.1], "lr_schedule": ["constant", "one-cycle", lambda t: 1 - t]}),
            (DMClassifier(optimizer="SGD", lr=0.1, **SMALL), {"optimizer__momentum": [0.0, 0.9], "beta": [0, 4]}),
            (DMClassifier(**SMALL), {"class_weight": [None, "balanced", {"a": 2.0, "b": 1.0, "c": 1.0}]}),
            (DMClassifier(**SMALL), {"random_state": [0, 1, 2], "lam": [0.5, 1]}),
            (DMClassifier(**SMALL), {"module__hidden": [(4,), (4, 4)], "batch_size": [50, 128], "lam": [0, 1]}),
            (ProSelfLCClassifier(**SMALL), {"slope": [8, 16], "midpoint": [0.4, 0.5]}),
            (RobustLossClassifier(**SMALL), {"loss__q": [0.3, 0.7]}),
            (RobustLossClassifier(**SMALL), {"loss": ["cross_entropy", "mae"], "lr": [0.01, 0.1]}),
            (make_pipeline(StandardScaler(), DMClassifier(**SMALL)), {"dmclassifier__lam": [0, 0.5, 1]}),
            (
                make_pipeline(StandardScaler(), PCA(), DMClassifier(**SMALL)),
                {"pca__n_components": [2, 3], "dmclassifier__lam": [0, 1]},
            ),
            (
                make_pipeline(StandardScaler(), DMClassifier(**SMALL)),
                {"dmclassifier": [DMClassifier(**SMALL), ProSelfLCClassifier(**SMALL)]},
            ),
        ],
        ids=["rates", "momentum", "weights", "seeds", "architectures", "proselflc", "robust", "losses", "pipeline",
             "transformers", "classifiers"],
    )  # fmt: skip
    def test_every_kind_of_grid_is_trained_together(self, noisy, classifier, grid):
        X, y = noisy
        fused, plain = searches(classifier, grid, X, y, cv=3, refit=False, scoring=["accuracy", "neg_log_loss"])
        assert fused.fused_["fused"].all(), fused.fused_["reason"].tolist()
        assert_same_results(fused, plain)

    @pytest.mark.parametrize(
        "cv",
        [KFold(3), GroupKFold(3), [(np.arange(50), np.arange(50, 90)), (np.arange(30, 211), np.arange(30))]],
        ids=["k-fold", "groups", "iterable"],
    )
    def test_folds_of_any_size(self, noisy, cv):
        X, y = noisy
        fit_params = {"groups": np.repeat(np.arange(22), 10)[:211] ** 2} if isinstance(cv, GroupKFold) else None
        classifier = DMClassifier(**{**SMALL, "batch_size": 40})
        params = {"cv": cv, "refit": False, "scoring": "neg_log_loss"}
        fused, plain = searches(classifier, {"lam": [0, 1]}, X, y, fit_params=fit_params, **params)
        assert fused.fused_["fused"].all()
        assert_same_results(fused, plain)

    def test_a_class_missing_in_a_fold(self, noisy):
        X, y = noisy
        order = np.argsort(y, kind="stable")
        fused, plain = searches(
            DMClassifier(**SMALL), {"lam": [0, 1]}, X[order], y[order], cv=KFold(3), scoring="accuracy", refit=False
        )
        assert fused.fused_["fused"].all()
        assert_same_results(fused, plain)

    def test_metadata_is_split(self, noisy):
        X, y = noisy
        rng = np.random.default_rng(1)
        soft = pd.DataFrame(rng.dirichlet(np.ones(3), len(y)), columns=["a", "b", "c"])
        weight = rng.integers(0, 4, len(y)).astype(float)  # rows of weight zero are left out
        for fit_params in (
            {"sample_weight": weight},
            {"soft_labels": soft},
            {"sample_weight": weight, "soft_labels": soft},
        ):
            fused, plain = searches(
                DMClassifier(**SMALL), {"beta": [0, 8]}, X, y, cv=3, fit_params=fit_params, scoring="neg_log_loss"
            )
            assert fused.fused_["fused"].all()
            assert_same_results(fused, plain)
        names = {"dmclassifier__soft_labels": soft}
        pipeline = make_pipeline(StandardScaler(), DMClassifier(**SMALL))
        fused, plain = searches(pipeline, {"dmclassifier__beta": [0, 8]}, X, y, cv=3, fit_params=names)
        assert fused.fused_["fused"].all()
        assert_same_results(fused, plain)

    def test_metadata_is_routed(self, noisy):
        X, y = noisy
        weight = np.random.default_rng(1).uniform(0.5, 2, len(y))
        with sklearn_routing():
            classifier = DMClassifier(**SMALL).set_fit_request(sample_weight=True)
            scoring = make_scorer(accuracy_score).set_score_request(sample_weight=True)
            pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), classifier)
            for estimator, name in ((classifier, "beta"), (pipeline, "dmclassifier__beta")):
                fused, plain = searches(
                    estimator, {name: [0, 8]}, X, y, cv=3, scoring=scoring, fit_params={"sample_weight": weight}
                )
                assert fused.fused_["fused"].all()
                assert_same_results(fused, plain)

    @pytest.mark.parametrize("kind", ["frame", "csr", "float32", "integers", "list"])
    def test_inputs_of_every_kind(self, noisy, kind):
        X, y = noisy
        X = {
            "frame": lambda: pd.DataFrame(X, columns=list("vwxyz")),
            "csr": lambda: scipy.sparse.csr_matrix(np.where(abs(X) > 1, X, 0)),
            "float32": lambda: X.astype(np.float32),
            "integers": lambda: (10 * X).astype(int),
            "list": lambda: X.tolist(),
        }[kind]()
        fused, plain = searches(DMClassifier(**SMALL), {"lam": [0, 1]}, X, y, cv=3, scoring="neg_log_loss")
        assert fused.fused_["fused"].all()
        # In float32 a rounding grows over the few steps of this training.
        assert_same_results(fused, plain, tolerance=1e-4 if kind == "float32" else 1e-9)
        if kind == "frame":
            assert list(fused.feature_names_in_) == list("vwxyz")

    @pytest.mark.parametrize("kind", ["array", "frame", "csr"])
    def test_training_rows_are_scored_as_a_pipeline_predicts_them(self, kind, noisy):
        X, y = noisy
        X = {"array": np.asarray, "frame": pd.DataFrame, "csr": scipy.sparse.csr_matrix}[kind](X)
        pipeline = make_pipeline(LeavesOneOut(), DMClassifier(**SMALL))
        grid = {"dmclassifier__lam": [0, 1], "leavesoneout__by": [0.5, 1.0]}
        params = {"scoring": "neg_log_loss", "return_train_score": True, "cv": 3}
        fused, plain = searches(pipeline, grid, X, y, **params)
        assert fused.fused_["fused"].all(), fused.fused_["reason"].tolist()
        assert_same_results(fused, plain)

    def test_images_through_a_module_that_needs_vmap(self):
        rng = np.random.default_rng(0)
        y = rng.integers(2, size=40)
        X = rng.integers(0, 100, size=(40, 1, 6, 6)) + 100 * y[:, None, None, None]
        fused, plain = searches(
            DMClassifier(SmallConvolution, max_epochs=2, batch_size=16, random_state=0, device="cpu", augment=False),
            {"lam": [0.5, 1]}, X.astype(np.uint8), y, cv=2, scoring="neg_log_loss",
        )  # fmt: skip
        assert fused.fused_["fused"].all(), fused.fused_["reason"].tolist()
        assert_same_results(fused, plain, tolerance=1e-4)  # images are computed in float32


class LeavesOneOut(TransformerMixin, BaseEstimator):
    """As encoders of targets do, it gives rows that it is fitted on other numbers than afterwards."""

    def __init__(self, by=1.0):
        self.by = by

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * X

    def fit_transform(self, X, y=None):
        return X * self.by


class SmallConvolution(nn.Module):
    def __init__(self, in_channels, n_classes):
        super().__init__()
        # Before the normalization a bias has derivative zero: rounding, of which Adam makes whole steps in float32.
        self.convolution, self.norm = nn.Conv2d(in_channels, 3, 3, bias=False), nn.BatchNorm2d(3)
        self.output = nn.Linear(3, n_classes)

    def forward(self, x):
        return self.output(torch.relu(self.norm(self.convolution(x))).mean((2, 3)))


def sklearn_routing():
    import sklearn

    return sklearn.config_context(enable_metadata_routing=True)


class TestInterface:
    """What users of GridSearchCV rely on."""

    def test_parameters_are_those_of_grid_search(self):
        classifier = DMClassifier()
        fused, plain = FusedGridSearchCV(classifier, {}), GridSearchCV(classifier, {})
        assert list(fused.get_params(deep=False)) == list(plain.get_params(deep=False))
        assert fused.get_params(deep=False) == plain.get_params(deep=False)
        assert clone(fused).get_params(deep=False)["param_grid"] == {}

    def test_predictions_are_delegated(self, noisy):
        X, y = noisy
        fused, plain = searches(DMClassifier(**SMALL), {"lam": [0, 1]}, X, y, cv=3)
        assert list(fused.classes_) == ["a", "b", "c"]
        assert fused.n_features_in_ == 5
        assert fused.multimetric_ is False
        assert fused.n_splits_ == 3
        assert fused.refit_time_ > 0
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            np.testing.assert_array_equal(getattr(fused, method)(X), getattr(plain, method)(X))
        assert fused.score(X, y) == plain.score(X, y)

    def test_the_best_is_fitted_with_what_the_others_were_given(self, noisy):
        X, y = noisy
        fit_params = {"sample_weight": np.where(y == "a", 9.0, 1.0)}
        fused, plain = searches(DMClassifier(**SMALL), {"lam": [0, 1]}, X, y, cv=3, fit_params=fit_params)
        np.testing.assert_array_equal(fused.predict_proba(X), plain.predict_proba(X))

    def test_scorers_are_those_that_scored(self, noisy):
        X, y = noisy
        for scoring in ("accuracy", ["accuracy", "neg_log_loss"]):
            fused, plain = searches(DMClassifier(**SMALL), {"lam": [0]}, X, y, cv=2, scoring=scoring, refit="accuracy")
            assert str(fused.scorer_) == str(plain.scorer_)
            assert fused.score(X, y) == plain.score(X, y)

    def test_a_metric_to_refit_by_is_among_those_of_a_callable(self, noisy):
        X, y = noisy
        search = FusedGridSearchCV(
            DMClassifier(**SMALL), {"lam": [0]}, cv=2, scoring=lambda *_: {"one": 1.0}, refit="other"
        )
        with pytest.raises(ValueError, match="the parameter refit must be set to a scorer key"):
            search.fit(X, y)

    def test_the_time_of_a_stack_is_shared_out_among_its_fits(self, noisy):
        X, y = noisy
        start = time.perf_counter()
        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 0.5, 1]}, cv=4, refit=False).fit(X, y)
        seconds = time.perf_counter() - start
        fitting, scoring = (search.cv_results_[f"mean_{name}_time"] for name in ("fit", "score"))
        assert (fitting > 0).all() and (scoring > 0).all()
        assert 4 * (fitting.sum() + scoring.sum()) < seconds

    def test_attributes_are_those_of_grid_search(self, noisy):
        X, y = noisy
        fused, plain = searches(DMClassifier(**SMALL), {"lam": [0, 1]}, X, y, cv=3)
        public = [{name for name in vars(search) if not name.startswith("_")} for search in (fused, plain)]
        assert public[0] - public[1] == {"fused_"}
        assert public[1] <= public[0]

    def test_refit_may_be_a_callable_or_left_out(self, noisy):
        X, y = noisy
        fused = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=3, refit=lambda results: 1).fit(X, y)
        assert fused.best_params_ == {"lam": 1}
        assert not hasattr(fused, "best_score_")
        fused = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=3, refit=False).fit(X, y)
        assert not hasattr(fused, "best_estimator_")
        assert fused.best_index_ in (0, 1)

    def test_a_callable_scorer_gets_a_fitted_estimator(self, noisy):
        X, y = noisy
        seen = []

        def score(estimator, X, y):
            classifier = estimator[-1]
            seen.append(classifier)
            return {"proba": -log_loss(y, estimator.predict_proba(X)), "epochs": len(classifier.loss_curve_)}

        estimator = make_pipeline(StandardScaler(), DMClassifier(**SMALL))
        fused, plain = searches(estimator, {"dmclassifier__lam": [0, 1]}, X, y, cv=3, scoring=score, refit="proba")
        assert fused.fused_["fused"].all()
        assert_same_results(fused, plain)
        # The first split trains on 140 rows, the others on 141; the fused search scores in an order of its own.
        ours, _, theirs, _ = [classifier for classifier in seen if len(classifier.label_quality_) == 140]
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
        np.testing.assert_allclose(ours.label_quality_, theirs.label_quality_, rtol=1e-9)
        assert list(ours.history_) == list(theirs.history_)
        assert ours.history_.attrs == theirs.history_.attrs
        assert ours.n_iter_ == 3
        assert ours.n_features_in_ == 5

    def test_verbosity(self, noisy, capsys):
        X, y = noisy
        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=3, refit=False, verbose=3).fit(X, y)
        out = capsys.readouterr().out
        assert "Fitting 3 folds for each of 2 candidates, totalling 6 fits" in out
        assert "Training 6 fits of 2 candidates together" in out
        assert out.count("END lam=") == 6
        search.set_params(verbose=2).fit(X, y)
        two = capsys.readouterr().out
        assert two.count("END lam=") == 6 and "score=" in out and "score=" not in two
        search.set_params(verbose=1).fit(X, y)
        assert "Fitting 3 folds for each of 2 candidates, totalling 6 fits" in capsys.readouterr().out
        search.set_params(verbose=0).fit(X, y)
        assert capsys.readouterr().out == ""

    def test_without_a_seed_all_candidates_start_alike(self, noisy):
        X, y = noisy
        classifier = DMClassifier(**{**SMALL, "random_state": None})
        search = FusedGridSearchCV(classifier, {"weight_decay": [0.0, 1e-300]}, cv=3, refit=False).fit(X, y)
        assert search.cv_results_["split0_test_score"][0] == search.cv_results_["split0_test_score"][1]

    def test_the_search_leaves_the_random_generators_alone(self, noisy):
        X, y = noisy
        before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        FusedGridSearchCV(DMClassifier(**SMALL, module__dropout=0.2), {"lam": [0, 1]}, cv=3).fit(X, y)
        assert torch.equal(torch.get_rng_state(), before)
        assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002

    def test_dropout_is_reproducible(self, noisy):
        X, y = noisy
        search = FusedGridSearchCV(DMClassifier(**SMALL, module__dropout=0.2), {"lam": [0, 1]}, cv=3)
        first = search.fit(X, y).cv_results_["mean_test_score"]
        assert (search.fit(X, y).cv_results_["mean_test_score"] == first).all()

    @pytest.mark.parametrize("grid", [{"lam": [0, 0.5, 1]}, {"class_weight": [{"a": 5}, "balanced", {"c": 5}]}])
    def test_memory_decides_how_many_are_trained_at_once(self, noisy, grid, monkeypatch):
        X, y = noisy
        whole = FusedGridSearchCV(DMClassifier(**SMALL), grid, cv=3, scoring="neg_log_loss").fit(X, y)
        for n_bytes in (1, 5_000, 400_000):  # one replica and one row at a time, two replicas to predict, to train
            monkeypatch.setattr("sklabelnoise._stacked._memory._CPU_BYTES", n_bytes)
            chunked = FusedGridSearchCV(DMClassifier(**SMALL), grid, cv=3, scoring="neg_log_loss").fit(X, y)
            assert_same_results(chunked, whole)


@pytest.mark.slow
def test_a_search_of_150_fits_is_at_least_five_times_faster_than_one_by_one():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 100)).astype(np.float32)
    y = (X[:, :5].sum(axis=1) > 0).astype(int)
    classifier = DMClassifier(module__hidden=(8,), batch_size=250, max_epochs=5, device="cpu", random_state=0)
    grid = {"lam": [0, 0.5, 1, 1.5, 2], "beta": [0, 2, 4, 8, 12, 16]}

    def seconds(search):  # of the processor: a busy machine does not count
        start = time.process_time()
        search.fit(X, y)
        return time.process_time() - start

    one = {name: values[:1] for name, values in grid.items()}
    seconds(GridSearchCV(classifier, one, cv=2, refit=False))  # torch loads parts of itself in the first training
    alone = 30 * seconds(GridSearchCV(classifier, one, cv=5, refit=False))
    assert seconds(FusedGridSearchCV(classifier, grid, cv=5, refit=False)) < alone / 5


class TestFittedAgain:
    FOUND = ("best_index_", "best_score_", "best_params_", "best_estimator_", "refit_time_", "feature_names_in_")

    @pytest.mark.parametrize(
        ("settings", "gone"),
        [
            ({"refit": lambda results: 0}, {"best_score_", "feature_names_in_"}),
            ({"refit": False}, {"best_estimator_", "refit_time_", "feature_names_in_"}),
            ({"refit": False, "scoring": ["accuracy", "f1_macro"]}, set(FOUND)),
        ],
    )
    def test_nothing_of_an_earlier_fit_stays(self, noisy, settings, gone):
        X, y = noisy
        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2).fit(pd.DataFrame(X).add_prefix("x"), y)
        assert all(hasattr(search, name) for name in self.FOUND)
        search.set_params(**settings).fit(X, y)
        assert {name for name in self.FOUND if not hasattr(search, name)} == gone

    def test_all_of_it_stays_where_a_later_fit_fails(self, noisy, monkeypatch):
        X, y = noisy
        search = FusedGridSearchCV(DMClassifier(**SMALL), {"lam": [0, 1]}, cv=2, error_score="raise").fit(X, y)
        before = dict(vars(search))
        monkeypatch.setattr(DMClassifier, "fit", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            search.set_params(refit=True).fit(X, y)
        assert vars(search).keys() == before.keys()
        assert all(vars(search)[name] is value for name, value in before.items())
