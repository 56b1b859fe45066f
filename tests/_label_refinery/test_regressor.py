"""The stochastic label refinery of grades and continuous targets."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from sklabelnoise import StochasticLabelRefineryRegressor
from sklabelnoise._label_refinery._grades import kappa_thresholds
from sklabelnoise.metrics import quadratic_weighted_kappa


@pytest.fixture(scope="module")
def graded():
    """Rows, given grades, and the severity behind them."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    severity = 2 + X @ [0.9, 0.4, 0.2]
    return X, np.clip(np.rint(severity + rng.normal(scale=0.7, size=300)), 0, 4).astype(int), severity


class TestRegressor:
    def model(self, **kwargs):
        return StochasticLabelRefineryRegressor(Ridge(), **{"random_state": 0, **kwargs})

    def test_the_update_is_that_of_scalars(self, graded):
        X, y, _ = graded
        rounds = []
        model = self.model(n_rounds=2, callback=rounds.append).fit(X, y)
        expected = y.astype(float)
        for info in rounds:
            expected = (3 * expected + info.predicted) / 4
        np.testing.assert_allclose(model.soft_labels_, expected, rtol=1e-12)
        np.testing.assert_array_equal(model.oof_prediction_, rounds[-1].predicted)
        assert model.history_.columns.tolist() == ["change", "oof_mae", "oof_rmse", "shift"]

    def test_the_history_is_that_of_the_rounds(self, graded):
        X, y, _ = graded
        weight, rounds = np.random.default_rng(0).integers(1, 4, 300), []
        model = self.model(n_rounds=3, callback=rounds.append).fit(X, y, weight)
        learned = y.astype(float)
        for info, (_, row) in zip(rounds, model.history_.iterrows(), strict=True):
            errors = np.abs(info.predicted - y)
            assert row.change == pytest.approx(np.average(np.abs(info.soft_labels - learned), weights=weight))
            assert row.oof_mae == pytest.approx(np.average(errors, weights=weight))
            assert row.oof_rmse == pytest.approx(np.average(errors**2, weights=weight) ** 0.5)
            assert row["shift"] == pytest.approx(np.average(np.abs(info.soft_labels - y), weights=weight))
            assert info.n_rounds == 3
            learned = info.soft_labels
        predicted = np.mean([info.predicted for info in rounds], axis=0)
        np.testing.assert_allclose(model.label_quality_, -np.abs(y - predicted))

    @pytest.mark.parametrize("estimator", [Ridge(), make_pipeline(QuantileTransformer(n_quantiles=10), Ridge())])
    def test_a_weight_of_zero_is_a_row_left_out(self, graded, estimator):
        X, y, _ = graded
        y = np.where(np.arange(300) < 200, y, 4 - y)  # other rows, to which other thresholds would belong
        weight = (np.arange(300) < 200) * 1.0
        splits = list(KFold(5, shuffle=True, random_state=0).split(X))
        few = [(train[train < 200], test[test < 200]) for train, test in splits]
        model, expected = (
            StochasticLabelRefineryRegressor(estimator, n_rounds=2, cv=cv, thresholds="qwk", random_state=0)
            for cv in (splits, few)
        )
        model.fit(X, y, weight)
        expected.fit(X[:200], y[:200])
        np.testing.assert_allclose(model.soft_labels_[:200], expected.soft_labels_, rtol=1e-9)
        np.testing.assert_allclose(model.thresholds_, expected.thresholds_, rtol=1e-9)
        np.testing.assert_array_equal(model.predict(X), expected.predict(X))

    def test_grades_need_not_follow_each_other(self, graded):
        X, y, _ = graded
        grades = np.array([-1, 0, 2, 5, 9])
        model = self.model(n_rounds=1, thresholds="half").fit(X, grades[y])
        np.testing.assert_array_equal(model.grades_, grades)
        np.testing.assert_array_equal(model.thresholds_, [-0.5, 1, 3.5, 7])
        assert set(model.predict(X)) <= set(grades)

    def test_what_is_set_after_the_fit_changes_no_prediction(self, graded):
        X, y, _ = graded
        for before, after in (("half", None), (None, "half")):
            model = self.model(n_rounds=1, thresholds=before).fit(X, y)
            expected = model.predict(X)
            np.testing.assert_array_equal(model.set_params(thresholds=after).predict(X), expected)

    def test_refined_targets_are_nearer_to_the_truth(self, graded):
        X, y, severity = graded
        model = self.model().fit(X, y)
        assert np.abs(model.soft_labels_ - severity).mean() < 0.7 * np.abs(y - severity).mean()

    def test_the_worst_targets_have_the_lowest_quality(self, graded):
        X, y, severity = graded
        quality = self.model().fit(X, y).label_quality_
        assert np.corrcoef(quality, -np.abs(y - severity))[0, 1] > 0.8

    def test_without_thresholds_predictions_are_continuous(self, graded):
        X, y, _ = graded
        model = self.model().fit(X, y)
        np.testing.assert_array_equal(model.predict(X), model.predict_continuous(X))
        assert not hasattr(model, "thresholds_")

    @pytest.mark.parametrize("thresholds", ["half", "qwk", [0.4, 1.6, 2.4, 3.6]])
    def test_with_thresholds_predictions_are_grades(self, graded, thresholds):
        X, y, _ = graded
        model = self.model(thresholds=thresholds).fit(X, y)
        assert set(model.predict(X)) <= set(range(5))
        assert model.predict(X).dtype == y.dtype
        assert model.thresholds_.shape == (4,)
        assert model.predict_continuous(X).dtype == float
        np.testing.assert_array_equal(model.predict(X), np.searchsorted(model.thresholds_, model.predict_continuous(X)))
        np.testing.assert_array_equal(model.transduction_, np.searchsorted(model.thresholds_, model.soft_labels_))

    def test_thresholds_are_fitted_out_of_fold(self, graded):
        X, y, _ = graded
        half, fitted = (self.model(thresholds=name).fit(X, y) for name in ("half", "qwk"))
        by_half, by_fitted = (
            quadratic_weighted_kappa(y, np.searchsorted(model.thresholds_, model.oof_prediction_))
            for model in (half, fitted)
        )
        assert by_fitted >= by_half
        by_what = [
            kappa_thresholds(fitted.grades_, y, of, None) for of in (fitted.oof_prediction_, fitted.soft_labels_)
        ]
        np.testing.assert_array_equal(fitted.thresholds_, by_what[0])
        assert np.abs(by_what[0] - by_what[1]).max() > 0.01

    def test_kappa_is_a_scorer(self, graded):
        X, y, _ = graded
        search = GridSearchCV(
            self.model(n_rounds=2), {"thresholds": ["half", "qwk"]}, scoring=make_scorer(quadratic_weighted_kappa), cv=3
        )
        assert 0.5 < search.fit(X, y).best_score_ < 1

    def test_average_and_groups_and_several_estimators(self, graded):
        X, y, _ = graded
        model = StochasticLabelRefineryRegressor([Ridge(), Ridge(alpha=10)], label_weight="average", n_rounds=2)
        assert len(model.fit(X, y, groups=np.arange(300) // 3).estimators_) == 2

    def test_targets_that_spell_numbers_are_these_numbers(self, graded):
        X, y, _ = graded
        model = StochasticLabelRefineryRegressor(Ridge(), n_rounds=1, random_state=0)
        models = [clone(model).fit(X, given) for given in (y, y.astype(str))]
        np.testing.assert_array_equal(models[0].predict(X), models[1].predict(X))

    @pytest.mark.parametrize(
        ("parameters", "y", "message"),
        [
            ({"thresholds": [1, 2]}, np.arange(60) % 4, "must be 3 increasing numbers"),
            ({"thresholds": "best"}, np.arange(60), "'thresholds' parameter of StochasticLabelRefineryRegressor must"),
            ({"thresholds": "half"}, np.linspace(0, 1, 60), "thresholds need y to hold ordered grades, got"),
            ({"thresholds": "qwk", "n_rounds": 0}, np.arange(60) % 4, "fitted to out-of-fold predictions"),
            ({"soft_label_method": "replicate"}, np.arange(60), "'soft_label_method' parameter of Stochastic"),
            ({}, np.array(["low", "high"] * 30), "needs a numeric y. Got dtype <U4"),
            ({}, np.arange(60).astype("datetime64[D]"), "needs a numeric y. Got dtype datetime64"),
            ({"estimator": StandardScaler()}, np.arange(60), "must be a regressor with predict. Got StandardScaler"),
            ({"estimator": GaussianNB()}, np.arange(60), "must be a regressor with predict. Got GaussianNB"),
        ],
    )
    def test_bad_input(self, parameters, y, message):
        with pytest.raises(ValueError, match=message):
            self.model().set_params(**parameters).fit(np.random.default_rng(0).normal(size=(60, 2)), y)
