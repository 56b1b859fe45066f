"""Soft labels through estimators that know hard labels only."""

import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklabelnoise import StochasticLabelRefinery
from sklabelnoise._label_refinery._soft_fit import (
    AUTO_EARLY_STOPPING_ROWS,
    DistributionFit,
    ValueFit,
    choose_method,
    column_by_column,
    takes,
)

CLASSES = np.array(["a", "b", "c"])


class Learner(ClassifierMixin, BaseEstimator):
    """Takes soft labels and remembers what it was given."""

    def fit(self, X, y, sample_weight=None, *, soft_labels=None):
        self.X_, self.y_, self.sample_weight_, self.soft_labels_ = X, y, sample_weight, soft_labels
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


class Twice(BaseEstimator):
    """Draws rows as the samplers of imbalanced-learn do."""

    def fit_resample(self, X, y):
        return np.concatenate([X, X]), np.concatenate([y, y])


class OfImbalancedLearn(Pipeline):
    """A Pipeline some of whose steps draw rows, which has no `fit_transform` where these stand last."""

    def fit(self, X, y):
        X, y = self.steps[0][1].fit_resample(X, y)
        self.steps[1][1].fit(X, y)
        return self

    def __getitem__(self, part):
        raise AttributeError(f"This {part} has no attribute 'fit_transform'")

    def predict_proba(self, X):
        return self.steps[1][1].predict_proba(X)


@pytest.mark.parametrize("last", [GaussianNB(), Learner()], ids=["weights", "soft labels"])
def test_a_pipeline_that_draws_rows_is_fitted_as_a_whole(soft, last):
    """What its steps draw has neither the weights nor the soft labels of the rows it was given."""
    X, targets = soft
    pipeline = OfImbalancedLearn([("twice", Twice()), ("last", last)])
    with pytest.warns(UserWarning, match="because its step twice draws rows anew"):
        method = choose_method(pipeline, "auto", len(X))
    y = CLASSES[targets.argmax(axis=1)]
    learn = DistributionFit(CLASSES, method)
    predicted = learn.predict(learn.fit(pipeline, X, y, targets), X)
    np.testing.assert_allclose(predicted, last.fit(*Twice().fit_resample(X, y)).predict_proba(X))


@pytest.mark.parametrize("weight", ["balanced", {0: 1, 1: 9}], ids=["balanced", "dict"])
@pytest.mark.parametrize("around", [lambda model: model, make_pipeline], ids=["alone", "in a Pipeline"])
def test_weights_of_classes_are_said_to_move_the_labels(weight, around):
    """Of 22 % wrong labels they left 22 %, where without them 12 % were left."""
    model, given = around(LogisticRegression(class_weight=weight)), (np.arange(80) % 4 == 0).astype(int)
    X = np.random.default_rng(0).normal(size=(80, 2)) + given[:, None]
    with pytest.warns(UserWarning, match=r"class_weight=.* of LogisticRegression moves labels"):
        StochasticLabelRefinery(model, n_rounds=1).fit(X, given)
    StochasticLabelRefinery(model, n_rounds=0).fit(X, given)  # no warning


def test_weights_that_balance_what_is_balanced_move_nothing():
    given = np.arange(60) % 2
    X = np.random.default_rng(0).normal(size=(60, 2))
    StochasticLabelRefinery(LogisticRegression(class_weight="balanced"), n_rounds=1).fit(X, given)


@pytest.fixture
def soft():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    return X, rng.dirichlet([0.5, 1.0, 2.0], size=80)


def fit(method, estimator, X, targets, sample_weight=None):
    y = CLASSES[targets.argmax(axis=1)]
    return DistributionFit(CLASSES, method).fit(estimator, X, y, targets, sample_weight)


@pytest.mark.parametrize("method", ["soft_labels", "argmax", "replicate"])
def test_of_the_rows_of_a_fold_those_that_weigh_something_are_learned(soft, method):
    X, targets = soft
    rows, weight = np.arange(79, 29, -2), np.arange(25) % 3.0
    kept = rows[weight > 0]
    y = CLASSES[targets.argmax(axis=1)]
    learn = DistributionFit(CLASSES, method).fit
    model = learn(Learner(), X, y[rows], targets[rows], weight, rows=rows)
    expected = learn(Learner(), X[kept], y[kept], targets[kept], weight[weight > 0])
    for name in ("X_", "y_", "sample_weight_"):
        np.testing.assert_array_equal(getattr(model, name), getattr(expected, name))


class TestReplication:
    def test_equals_soft_cross_entropy_for_logistic_regression(self, soft):
        X, targets = soft
        model = fit("replicate", LogisticRegression(C=0.7, tol=1e-10, max_iter=10_000), X, targets)

        def loss(theta):
            W, b = theta[:12].reshape(4, 3), theta[12:]
            return -(targets * log_softmax(X @ W + b, axis=1)).sum() + (W**2).sum() / (2 * 0.7)

        best = minimize(loss, np.zeros(15), method="BFGS", options={"gtol": 1e-9})
        logits = X @ best.x[:12].reshape(4, 3) + best.x[12:]
        expected = np.exp(log_softmax(logits, axis=1))
        np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6, rtol=0)

    def test_gives_naive_bayes_the_soft_means_and_priors(self, soft):
        X, targets = soft
        model = fit("replicate", GaussianNB(), X, targets)
        # Dropped entries move priors and means by a few times NEGLIGIBLE_WEIGHT.
        np.testing.assert_allclose(model.class_prior_, targets.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(model.theta_, (targets.T @ X) / targets.sum(axis=0)[:, None], atol=1e-5)

    def test_equals_regression_on_the_simplex_for_gini_trees(self, soft):
        X, targets = soft
        # Equal weights on every copy decide between equally good splits only, so predictions agree to rounding.
        tree = fit("replicate", DecisionTreeClassifier(max_depth=4, random_state=0), X, targets)
        regression = fit("regression", DecisionTreeRegressor(max_depth=4, random_state=0), X, targets)
        by_regression = DistributionFit(CLASSES, "regression").predict(regression, X)
        np.testing.assert_allclose(tree.predict_proba(X), by_regression, atol=1e-5)

    def test_weighs_classes_by_soft_counts_when_they_are_to_be_balanced(self, soft):
        X, targets = soft
        model = fit("replicate", GaussianNBBalanced(), X, targets)
        np.testing.assert_allclose(np.bincount(model.labels_, weights=model.weights_), len(X) / 3, rtol=1e-9)
        assert model.class_weight is None

    def test_balanced_classes_weigh_as_much_as_the_rows_where_one_class_is_absent(self, soft):
        X, targets = soft
        without = targets * [1, 1, 0]
        model = fit("replicate", GaussianNBBalanced(), X, without / without.sum(axis=1, keepdims=True))
        np.testing.assert_allclose(np.bincount(model.labels_, weights=model.weights_), len(X) / 2, rtol=1e-9)

    def test_balancing_survives_a_class_without_weight(self, soft):
        X, targets = soft
        sample_weight = np.ones(80)
        hard = np.vstack([[[1, 0, 0]], targets[1:] * [0, 1, 1]])
        sample_weight[0] = 0
        model = fit("replicate", GaussianNBBalanced(), X, hard / hard.sum(axis=1, keepdims=True), sample_weight)
        assert np.isfinite(model.weights_).all()

    def test_knows_from_how_many_rows_on_scikit_learn_stops_early(self):
        X, y = np.zeros((AUTO_EARLY_STOPPING_ROWS + 1, 1)), np.arange(AUTO_EARLY_STOPPING_ROWS + 1) % 2
        models = [HistGradientBoostingClassifier(max_iter=1).fit(X[:n], y[:n]) for n in (len(y) - 1, len(y))]
        assert [model.do_early_stopping_ for model in models] == [False, True]

    @pytest.mark.parametrize("more", [0, 1])
    def test_automatic_early_stopping_goes_by_the_number_of_rows_not_of_their_copies(self, more):
        rng = np.random.default_rng(0)
        n_samples = AUTO_EARLY_STOPPING_ROWS + more  # two copies each
        X, targets = rng.normal(size=(n_samples, 1)), rng.dirichlet([5, 5], size=n_samples)
        model = HistGradientBoostingClassifier(max_iter=2)
        labels = np.array([0, 1])
        DistributionFit(labels, "replicate").fit(model, X, targets.argmax(axis=1), targets)
        assert model.do_early_stopping_ is bool(more)


class GaussianNBBalanced(ClassifierMixin, BaseEstimator):
    """Remembers the weights of the copies it was given."""

    def __init__(self, class_weight="balanced"):
        self.class_weight = class_weight

    def fit(self, X, y, sample_weight=None):
        self.labels_, self.weights_ = np.searchsorted(CLASSES, y), sample_weight
        return self


class TestOtherMethods:
    @pytest.mark.parametrize("method", ["soft_labels", "replicate", "argmax"])
    def test_one_hot_targets_are_the_plain_fit(self, soft, method):
        X, targets = soft
        y = CLASSES[targets.argmax(axis=1)]
        model = fit(method, Learner(), X, np.eye(3)[targets.argmax(axis=1)])
        assert model.X_ is X
        assert model.y_.tolist() == y.tolist()
        assert model.sample_weight_ is None
        assert model.soft_labels_ is None

    def test_soft_labels_come_with_the_classes_as_columns(self, soft):
        X, targets = soft
        y = np.array(["b"] * 80)  # a fold that lacks classes keeps their columns
        model = DistributionFit(CLASSES, "soft_labels").fit(Learner(), X, y, targets)
        pd.testing.assert_frame_equal(model.soft_labels_, pd.DataFrame(targets, columns=CLASSES))
        assert model.y_ is y

    def test_argmax_is_the_most_probable_class(self, soft):
        X, targets = soft
        model = fit("argmax", Learner(), X, targets)
        assert model.y_.tolist() == CLASSES[targets.argmax(axis=1)].tolist()

    def test_regression_is_clipped_and_normalized(self):
        class Odd(BaseEstimator):
            def predict(self, X):
                return np.array([[-1.0, 1.0, 3.0], [-1.0, -2.0, 0.0]])

        proba = DistributionFit(CLASSES, "regression").predict(Odd(), np.zeros((2, 1)))
        np.testing.assert_allclose(proba, [[0, 0.25, 0.75], [1 / 3, 1 / 3, 1 / 3]])

    def test_a_regressor_of_one_value_is_fitted_column_by_column(self, soft):
        X, targets = soft
        pipeline = make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=3))
        wrapped = column_by_column(pipeline)
        assert isinstance(wrapped.steps[-1][1], MultiOutputRegressor)
        assert isinstance(pipeline.steps[-1][1], GradientBoostingRegressor)
        proba = DistributionFit(CLASSES, "regression").predict(fit("regression", wrapped, X, targets), X)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert column_by_column(Ridge()).__class__ is Ridge

    def test_columns_of_a_model_without_some_class_are_aligned(self, soft):
        X, _ = soft
        model = GaussianNB().fit(X, np.where(X[:, 0] > 0, "c", "a"))
        proba = DistributionFit(CLASSES, "replicate").predict(model, X)
        np.testing.assert_allclose(proba[:, [0, 2]], model.predict_proba(X))
        assert (proba[:, 1] == 0).all()


class TestPipelines:
    @pytest.mark.parametrize("method", ["soft_labels", "replicate", "argmax"])
    def test_transformers_see_every_row_once(self, soft, method):
        X, targets = soft
        pipeline = fit(method, make_pipeline(StandardScaler(), Learner()), X, targets)
        np.testing.assert_array_equal(pipeline[0].mean_, StandardScaler().fit(X).mean_)
        assert pipeline[0].n_samples_seen_ == 80

    def test_a_fitted_pipeline_predicts_as_its_parts_do(self, soft):
        X, targets = soft
        scaler = StandardScaler().fit(X)
        alone = fit("replicate", LogisticRegression(), scaler.transform(X), targets)
        nested = make_pipeline(StandardScaler(), Pipeline([("only", LogisticRegression())]))
        within = fit("replicate", nested, X, targets)
        np.testing.assert_array_equal(within.predict_proba(X), alone.predict_proba(scaler.transform(X)))

    def test_cached_transformers_end_up_in_the_pipeline(self, soft, tmp_path):
        X, targets = soft
        pipeline = make_pipeline(StandardScaler(), GaussianNB(), memory=str(tmp_path))
        assert fit("replicate", pipeline, X, targets).predict_proba(X).shape == (80, 3)

    def test_a_transformer_that_requests_weights_gets_them_with_routing(self, soft):
        X, targets = soft
        weights = np.arange(80) % 2 + 0.0
        with sklearn.config_context(enable_metadata_routing=True):
            scaler = StandardScaler().set_fit_request(sample_weight=True)
            pipeline = make_pipeline(scaler, GaussianNB().set_fit_request(sample_weight=True))
            fit("replicate", pipeline, X, targets, weights)
        np.testing.assert_allclose(pipeline[0].mean_, X[1::2].mean(axis=0))

    def test_values_and_weights_reach_the_last_step(self, soft):
        X, _ = soft
        weights = np.arange(1.0, 81.0)
        pipeline = ValueFit().fit(make_pipeline(StandardScaler(), Ridge()), X, X[:, 0], X[:, 0], weights)
        alone = Ridge().fit(StandardScaler().fit_transform(X), X[:, 0], weights)
        np.testing.assert_allclose(pipeline[1].coef_, alone.coef_)


class TestChoice:
    @pytest.mark.parametrize(
        ("estimator", "method"),
        [
            (Learner(), "soft_labels"),
            (make_pipeline(StandardScaler(), Learner()), "soft_labels"),
            (GridSearchCV(Learner(), {}), "soft_labels"),
            (DecisionTreeRegressor(), "regression"),
            (LogisticRegression(), "replicate"),
            (make_pipeline(StandardScaler(), GaussianNB()), "replicate"),
            (ExtraTreesClassifier(), "replicate"),
            (GradientBoostingClassifier(), "replicate"),
        ],
    )
    def test_auto_takes_the_first_that_suits_and_is_silent(self, estimator, method):
        assert choose_method(estimator, "auto", 100) == method

    @pytest.mark.parametrize(
        ("estimator", "why"),
        [
            (RandomForestClassifier(), "bootstrap=True draws rows"),
            (BaggingClassifier(GaussianNB()), "bootstrap=True draws rows"),
            (GradientBoostingClassifier(subsample=0.5), "subsample=0.5 draws rows"),
            (GradientBoostingClassifier(n_iter_no_change=5), "n_iter_no_change=5 holds out rows"),
            (HistGradientBoostingClassifier(early_stopping=True), "early_stopping=True holds out rows"),
            (SGDClassifier(loss="log_loss", early_stopping=True), "early_stopping=True holds out rows"),
            (CalibratedClassifierCV(LinearSVC()), "its own cross-validation"),
            (GridSearchCV(LogisticRegression(), {}), "its own cross-validation"),
            (KNeighborsClassifier(), "its fit takes no sample_weight"),
        ],
    )
    def test_auto_warns_when_only_the_argmax_is_left(self, estimator, why):
        with pytest.warns(UserWarning, match=f"most probable class only .*because {why}"):
            assert choose_method(estimator, "auto", 100) == "argmax"

    def test_automatic_early_stopping_counts_from_its_number_of_rows(self):
        estimator = HistGradientBoostingClassifier(min_samples_leaf=1)
        assert choose_method(estimator, "auto", AUTO_EARLY_STOPPING_ROWS) == "replicate"
        with pytest.warns(UserWarning, match="early_stopping='auto' holds out rows"):
            assert choose_method(estimator, "auto", AUTO_EARLY_STOPPING_ROWS + 1) == "argmax"

    @pytest.mark.parametrize(
        ("estimator", "why"),
        [
            (HistGradientBoostingClassifier(), "min_samples_leaf=20 counts copies"),
            (DecisionTreeClassifier(min_samples_split=10), "min_samples_split=10 counts copies"),
            (SGDClassifier(loss="log_loss"), "max_iter=1000 counts passes over the copies"),
        ],
    )
    def test_replication_that_is_not_exact_warns(self, estimator, why):
        with pytest.warns(UserWarning, match=f"not exact here: {why}"):
            assert choose_method(estimator, "auto", 100) == "replicate"

    def test_replication_by_request_warns_of_bootstraps(self):
        with pytest.warns(UserWarning, match="bootstrap=True draws rows, so the copies of one row get apart"):
            choose_method(RandomForestClassifier(), "replicate", 100)

    @pytest.mark.parametrize(
        ("estimator", "method", "message"),
        [
            (LogisticRegression(), "soft_labels", "needs a fit with an argument soft_labels. Got LogisticRegression"),
            (KNeighborsClassifier(), "replicate", "needs a fit that takes sample_weight. Got KNeighborsClassifier"),
            (LogisticRegression(), "regression", "needs a regressor as 'estimator'. Got the classifier Logistic"),
            (Ridge(), "replicate", "needs a classifier as 'estimator'. Got the regressor Ridge"),
            (SVC(), "auto", "must have predict_proba. Got SVC, which has none"),
        ],
    )
    def test_what_cannot_work_is_refused(self, estimator, method, message):
        with pytest.raises(ValueError, match=message):
            choose_method(estimator, method, 100)

    def test_support_is_found_in_pipelines_and_searches(self):
        assert takes(GridSearchCV(make_pipeline(StandardScaler(), Learner()), {}), "soft_labels")
        assert not takes(make_pipeline(StandardScaler(), KNeighborsClassifier()), "sample_weight")


class TestBadPredictions:
    def test_a_wrong_number_of_columns_is_named(self):
        class Short(BaseEstimator):
            classes_ = CLASSES

            def predict_proba(self, X):
                return np.ones((5, 2))

        with pytest.raises(ValueError, match=r"a column for each of its 3 classes. Got shape \(5, 2\)"):
            DistributionFit(CLASSES, "argmax").predict(Short(), np.zeros((5, 1)))

    def test_nan_is_not_passed_on(self):
        class Broken(BaseEstimator):
            def predict(self, X):
                return np.array([1.0, np.nan])

        with pytest.raises(ValueError, match="Broken must predict finite values"):
            ValueFit().predict(Broken(), np.zeros((2, 1)))

    @pytest.mark.parametrize("shape", [(3,), (1,), (4, 2), ()])
    def test_values_that_are_not_one_a_row_are_refused(self, shape):
        class Other(BaseEstimator):
            def predict(self, X):
                return np.ones(shape)

        message = (
            rf"predict of Other must return an array of shape \(4,\), a row for each of X. Got {re.escape(str(shape))}"
        )
        with pytest.raises(ValueError, match=message):
            ValueFit().predict(Other(), np.zeros((4, 1)))

    def test_a_column_of_values_is_one_a_row(self):
        class Column(BaseEstimator):
            def predict(self, X):
                return np.arange(4)[:, None]

        assert ValueFit().predict(Column(), np.zeros((4, 1))).tolist() == [0, 1, 2, 3]

    @pytest.mark.parametrize("method", ["argmax", "regression"])
    def test_one_distribution_is_not_repeated_for_all_rows(self, method):
        class One(BaseEstimator):
            classes_ = CLASSES

            def predict_proba(self, X):
                return np.full((1, 3), 1 / 3)

            predict = predict_proba

        with pytest.raises(ValueError, match=r"of One must return an array of shape \(4, 3\), a row for each of X"):
            DistributionFit(CLASSES, method).predict(One(), np.zeros((4, 1)))
