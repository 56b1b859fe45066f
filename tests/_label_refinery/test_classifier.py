"""The stochastic label refinery, its reductions, its bookkeeping and what it must never do."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    learning_curve,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklabelnoise import StochasticLabelRefinery, StochasticLabelRefineryRegressor
from sklabelnoise.audit import estimate_noise_rate
from tests._label_refinery.refined import refinery


def fail_fit(self, X, y, sample_weight=None):
    raise RuntimeError("the estimator gave up")


class TestScikitLearn:
    def test_works_in_grid_search_and_cross_validation(self, noisy):
        X, y, y_clean = noisy
        grid = {"label_weight": [2, 3], "estimator__var_smoothing": [1e-9, 1e-3]}
        search = GridSearchCV(refinery(n_rounds=2), grid, cv=2)
        assert search.fit(X, y).score(X, y_clean) > 0.9
        assert cross_val_score(refinery(n_rounds=1), X, y, cv=3).mean() > 0.5

    @pytest.mark.parametrize("rarest", [1, 3])
    def test_defaults_fit_a_class_of_fewer_rows_than_folds(self, noisy, rarest):
        X, y, _ = noisy
        kept = np.append(np.flatnonzero(y < 2), np.flatnonzero(y == 2)[:rarest])
        model = StochasticLabelRefinery(GaussianNB(), random_state=0).fit(X[kept], y[kept])
        assert model.classes_.tolist() == [0, 1, 2]
        assert np.isfinite(model.predict_proba(X)).all()

    def test_works_in_bagging_halving_searches_and_learning_curves(self, noisy):
        X, y, y_clean = noisy
        rare = np.append(np.flatnonzero(y < 2), np.flatnonzero(y == 2)[:6])  # fewer of a class than folds, in samples
        X, y, y_clean = X[rare], y[rare], y_clean[rare]
        small = refinery(n_rounds=1)
        bagging = BaggingClassifier(small, n_estimators=5, max_samples=0.3, random_state=0).fit(X, y)
        assert bagging.score(X, y_clean) > 0.8
        search = HalvingGridSearchCV(small, {"label_weight": [1, 2, 3]}, cv=2, min_resources=20, random_state=0)
        assert np.isfinite(search.fit(X, y).cv_results_["mean_test_score"]).all()
        _, _, scores = learning_curve(small, X, y, train_sizes=[0.2, 1.0], cv=3, error_score="raise")
        assert np.isfinite(scores).all()

    def test_a_network_is_refined_searched_and_given_its_soft_labels(self, noisy):
        from sklabelnoise import DMClassifier

        X, y, _ = noisy
        network = DMClassifier(max_epochs=3, random_state=0, device="cpu")
        names = np.array(["x", "y", "z"])[y]
        frame = pd.DataFrame(X, index=np.arange(150) + 1000)
        model = refinery(network, n_rounds=2, cv=KFold(3)).fit(frame, names)
        expected = refinery(network, n_rounds=2, cv=KFold(3)).fit(X, y)
        np.testing.assert_array_equal(model.soft_labels_, expected.soft_labels_)
        within = refinery(make_pipeline(StandardScaler(), network), n_rounds=1, cv=2).fit(X, names)
        assert within.predict_proba(X).shape == (150, 3)
        grid = {"label_weight": [2, 3], "estimator__lam": [0.5, 1]}
        search = GridSearchCV(refinery(network, n_rounds=1, cv=KFold(2)), grid, cv=2).fit(X, y)
        assert set(search.best_params_) == set(grid)

    def test_a_fitted_refinery_survives_pickling_and_goes_into_other_estimators(self, noisy):
        X, y, _ = noisy
        model = refinery(n_rounds=1).fit(X, y)
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
        calibrated = CalibratedClassifierCV(make_pipeline(StandardScaler(), refinery(n_rounds=1)), cv=2).fit(X, y)
        assert calibrated.predict_proba(X).shape == (150, 3)

    def test_data_frames_reach_the_estimator(self, noisy):
        X, y, _ = noisy
        frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(150)[::-1])
        model = refinery(LogisticRegression(), n_rounds=1).fit(frame, pd.Series(y, index=frame.index))
        assert model.feature_names_in_.tolist() == list("abcde")
        assert model.n_features_in_ == 5
        array_model = refinery(LogisticRegression(), n_rounds=1).fit(X, y)
        np.testing.assert_array_equal(model.soft_labels_, array_model.soft_labels_)
        assert not hasattr(model.fit(X, y), "feature_names_in_")

    @pytest.mark.parametrize("container", [sparse.coo_array, sparse.csr_matrix, list])
    def test_other_containers_give_the_same(self, noisy, container):
        X, y, _ = noisy
        model = refinery(LogisticRegression(), n_rounds=1).fit(container(X), list(y))
        expected = refinery(LogisticRegression(), n_rounds=1).fit(X, y)
        np.testing.assert_allclose(model.soft_labels_, expected.soft_labels_, atol=1e-6)

    def test_missing_values_pass_where_the_estimator_takes_them(self, noisy):
        X, y, _ = noisy
        X = np.where(np.arange(X.size).reshape(X.shape) % 17 == 0, np.nan, X)
        boosting = HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1)
        assert refinery(boosting, n_rounds=1).fit(X, y).predict(X).shape == (150,)
        assert refinery(boosting).__sklearn_tags__().input_tags.allow_nan
        with pytest.raises(ValueError, match="Input X contains NaN"):
            refinery(LogisticRegression(), n_rounds=1).fit(X, y)

    def test_decision_function_is_that_of_a_single_final_model(self, noisy):
        X, y, _ = noisy
        model = refinery(LogisticRegression(), n_rounds=1).fit(X, y)
        np.testing.assert_array_equal(model.decision_function(X), model.estimator_.decision_function(X))
        assert not hasattr(refinery(), "decision_function")
        assert not hasattr(refinery(LogisticRegression(), final="folds"), "decision_function")
        with pytest.raises(NotFittedError):
            refinery(LogisticRegression()).decision_function(X)

    def test_decision_function_is_that_of_the_fit_whatever_is_set_since(self, noisy):
        X, y, _ = noisy
        model = refinery(LogisticRegression(), n_rounds=1).fit(X, y)
        expected = model.decision_function(X)
        for since in ({"estimator": GaussianNB()}, {"estimator": [GaussianNB()] * 2}, {"final": "folds"}):
            np.testing.assert_array_equal(copy.copy(model).set_params(**since).decision_function(X), expected)
        assert not hasattr(refinery(GaussianNB(), n_rounds=1).fit(X, y), "decision_function")
        folds = refinery(LogisticRegression(), n_rounds=1, final="folds").fit(X, y)
        assert not hasattr(folds.set_params(final="refit"), "decision_function")
        several = refinery([LogisticRegression()] * 2, n_rounds=1).fit(X, y)
        assert not hasattr(several.set_params(estimator=LogisticRegression()), "decision_function")

    def test_missing_values_pass_where_the_fitted_estimator_takes_them(self, noisy):
        X, y, _ = noisy
        X = np.where(np.arange(X.size).reshape(X.shape) % 17 == 0, np.nan, X)
        model = refinery(HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=1), n_rounds=1).fit(X, y)
        expected = model.predict_proba(X)
        np.testing.assert_array_equal(model.set_params(estimator=LogisticRegression()).predict_proba(X), expected)


class TestReductions:
    @pytest.mark.parametrize(
        "estimator",
        [LogisticRegression(), DecisionTreeClassifier(random_state=3), make_pipeline(StandardScaler(), GaussianNB())],
    )
    def test_no_rounds_is_the_estimator(self, noisy, estimator):
        X, y, _ = noisy
        model = refinery(estimator, n_rounds=0).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X), clone(estimator).fit(X, y).predict_proba(X), rtol=1e-12)
        np.testing.assert_array_equal(model.soft_labels_, np.eye(3)[y])
        assert model.n_iter_ == 0
        assert not hasattr(model, "oof_proba_")

    def test_no_rounds_is_the_regressor(self, noisy):
        X, y, _ = noisy
        model = StochasticLabelRefineryRegressor(Ridge(), n_rounds=0).fit(X, y)
        np.testing.assert_array_equal(model.predict(X), Ridge().fit(X, y).predict(X))

    def test_names_of_labels_do_not_matter(self, noisy):
        X, y, _ = noisy
        names = np.array(["x", "y", "z"])
        model, named = refinery().fit(X, y), refinery().fit(X, names[y])
        np.testing.assert_array_equal(model.soft_labels_, named.soft_labels_)
        assert named.predict(X).tolist() == names[model.predict(X)].tolist()
        assert named.transduction_.tolist() == names[model.transduction_].tolist()

    def test_more_rounds_go_on_where_fewer_stopped(self, noisy):
        X, y, _ = noisy
        two, three = refinery(n_rounds=2).fit(X, y), refinery(n_rounds=3).fit(X, y)
        pd.testing.assert_frame_equal(two.history_, three.history_.iloc[:2])

    @pytest.mark.parametrize("estimator", [GaussianNB(), RandomForestRegressor(5)])
    def test_unit_weights_change_nothing(self, noisy, estimator):
        X, y, _ = noisy
        model, weighted = (refinery(estimator, n_rounds=2).fit(X, y, weights) for weights in (None, np.ones(150)))
        np.testing.assert_allclose(model.soft_labels_, weighted.soft_labels_, rtol=1e-12)

    def test_a_forest_of_regressors_refines_labels_without_a_warning(self, noisy):
        X, y, y_clean = noisy
        model = refinery(RandomForestRegressor(10), n_rounds=4).fit(X, y)
        assert np.mean(model.transduction_ == y_clean) > np.mean(y == y_clean)
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


class TestLabels:
    def test_the_update_is_the_papers(self, noisy):
        X, y, _ = noisy
        rounds = []
        model = refinery(n_rounds=3, label_weight=2, callback=rounds.append).fit(X, y)
        expected = np.eye(3)[y]
        for info in rounds:
            expected = (2 * expected + info.predicted) / 3
            np.testing.assert_allclose(info.soft_labels, expected, rtol=1e-12)
        np.testing.assert_array_equal(model.soft_labels_, rounds[-1].soft_labels)
        np.testing.assert_array_equal(model.oof_proba_, rounds[-1].predicted)

    def test_average_is_the_mean_of_given_labels_and_predictions(self, noisy):
        X, y, _ = noisy
        rounds = []
        model = refinery(n_rounds=4, label_weight="average", callback=rounds.append).fit(X, y)
        everything = [np.eye(3)[y], *(info.predicted for info in rounds)]
        np.testing.assert_allclose(model.soft_labels_, np.mean(everything, axis=0), rtol=1e-12)

    @pytest.mark.parametrize("label_weight", [0.5, 3, "average"])
    def test_refined_labels_stay_on_the_simplex(self, noisy, label_weight):
        X, y, _ = noisy
        soft_labels = refinery(label_weight=label_weight).fit(X, y).soft_labels_
        assert soft_labels.min() >= 0
        np.testing.assert_allclose(soft_labels.sum(axis=1), 1, rtol=1e-12)

    def test_a_round_that_moves_nothing_is_the_last_also_where_nothing_is_the_tolerance(self):
        y = np.arange(40) % 2
        X = 10.0 * y[:, None] + np.linspace(0, 1, 40)[:, None]  # the nearest row has the same label
        nearest = refinery(KNeighborsClassifier(1), soft_label_method="argmax", tol=0)
        assert nearest.fit(X, y).n_iter_ == 1 and nearest.history_.change.tolist() == [0]

    def test_the_history_counts_a_row_by_its_weight(self, noisy):
        X, y, _ = noisy
        weights = np.where(y == 0, 9.0, 1.0)
        model = refinery(n_rounds=1).fit(X, y, weights)
        agrees = model.oof_proba_.argmax(axis=1) == y
        assert model.history_.oof_accuracy.tolist() == pytest.approx([np.average(agrees, weights=weights)])
        assert model.history_.oof_accuracy.iloc[0] != pytest.approx(agrees.mean(), abs=1e-3)
        quality = np.average(model.label_quality_, weights=weights)
        assert model.history_.oof_given_proba.tolist() == pytest.approx([quality])

    @pytest.mark.parametrize(("label_weight", "first"), [(2, 2), (3, 3), (4, 4)])
    def test_no_argmax_can_flip_before_the_given_label_weighs_less_than_half(self, noisy, label_weight, first):
        X, y, _ = noisy
        history = refinery(n_rounds=first, label_weight=label_weight).fit(X, y).history_
        assert (history.relabeled[: first - 1] == 0).all()

    def test_refined_labels_are_right_more_often_than_given_ones(self, noisy):
        X, y, y_clean = noisy
        model = refinery().fit(X, y)
        assert np.mean(y == y_clean) < 0.75
        assert np.mean(model.transduction_ == y_clean) > 0.9

    def test_wrong_labels_have_the_lowest_quality(self, noisy):
        X, y, y_clean = noisy
        quality = refinery().fit(X, y).label_quality_
        assert np.mean(np.sort(quality[y != y_clean])[-5:]) < np.median(quality[y == y_clean])

    @pytest.mark.parametrize("together", [True, False])
    @pytest.mark.parametrize("n_jobs", [None, 2])
    def test_the_losses_of_networks_are_kept_by_round_and_epoch(self, noisy, tmp_path, together, n_jobs):
        from sklabelnoise import DMClassifier

        X, y, _ = noisy
        network = DMClassifier(max_epochs=4, random_state=0, device="cpu", early_stopping=not together)
        model = refinery(network, n_rounds=2, cv=3, n_jobs=n_jobs, checkpoint=tmp_path).fit(X, y)
        losses = np.array(model.history_.losses.tolist())
        assert losses.shape == (2, 4)
        assert (losses[:, -1] < losses[:, 0]).all()
        assert clone(model).fit(X, y).history_.equals(model.history_)
        one_fold = list(StratifiedKFold(2, shuffle=True, random_state=0).split(X, y))
        model = refinery(network, n_rounds=1, cv=one_fold).fit(X, y)
        expected = [clone(network).fit(X[train], y[train]).loss_curve_ for train, _ in one_fold]
        np.testing.assert_allclose(model.history_.losses[1], np.mean(expected, axis=0), rtol=1e-4)

    def test_estimators_without_epochs_have_no_losses(self, noisy):
        X, y, _ = noisy
        assert "losses" not in refinery(n_rounds=1).fit(X, y).history_

    def test_label_quality_is_the_mean_over_rounds(self, noisy):
        X, y, _ = noisy
        rounds = []
        model = refinery(n_rounds=3, callback=rounds.append).fit(X, y)
        expected = np.mean([info.predicted[np.arange(150), y] for info in rounds], axis=0)
        np.testing.assert_allclose(model.label_quality_, expected, rtol=1e-12)

    def test_tol_stops_when_labels_no_longer_move(self, noisy):
        X, y, _ = noisy
        model = refinery(n_rounds=50, tol=0.05).fit(X, y)
        assert model.n_iter_ == len(model.history_) < 50
        assert model.history_.change.iloc[-1] <= 0.05 < model.history_.change.iloc[-2]

    def test_a_class_that_a_fold_lacks_keeps_its_column(self, noisy):
        X, y, _ = noisy
        y = np.append(y[:-1], 7)
        model = refinery(cv="auto", n_rounds=2).fit(X, y)
        assert model.classes_.tolist() == [0, 1, 2, 7]
        assert model.oof_proba_.shape == (150, 4)
        assert model.oof_proba_[-1, 3] == 0


class TestBadInput:
    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"label_weight": 0}, "'label_weight' parameter of StochasticLabelRefinery must be a float in the range"),
            ({"label_weight": -1.0}, "must be a float in the range"),
            ({"n_rounds": -1}, "'n_rounds' parameter of StochasticLabelRefinery must be an int in the range"),
            ({"final": "best"}, "'final' parameter of StochasticLabelRefinery must be a str among"),
            ({"estimator": 3}, "'estimator' parameter of StochasticLabelRefinery must be None, an object implementing"),
            ({"estimator": []}, "must be an estimator or a list of them. Got an empty list"),
            ({"estimator": [("nb", 3)]}, r"a list of them. Got \('nb', 3\) in the list"),
            ({"n_augment": 1, "augment": lambda X, rng: X[:1]}, r"a row for each of the \d+ rows of its X. Got 1 rows"),
            ({"n_augment": 1, "augment": lambda X, rng: None}, r"rows of its X. Got a NoneType"),
            ({"estimator": LinearSVC()}, "must have predict_proba. Got LinearSVC, which has none"),
            ({"final": "folds", "n_rounds": 0}, "final='folds' averages the models of the last round"),
            ({"n_augment": 2}, r"n_augment=2 needs a callable augment\(X, rng\). Got augment=None"),
            ({"cv": [(np.arange(50), np.arange(50, 100))]}, "must partition the 150 rows"),
            ({"cv": 60}, "cv=60 needs at least 60 rows"),
        ],
    )
    def test_parameters(self, noisy, parameters, message):
        X, y, _ = noisy
        with pytest.raises(ValueError, match=message):
            refinery().set_params(**parameters).fit(X, y)

    @pytest.mark.parametrize(
        ("y", "message"),
        [
            (None, "requires y to be passed, but the target y is None"),
            (np.ones(150), "needs labels of at least 2 classes. Got 1 class: 1.0"),
            (np.linspace(0, 1, 150), "Unknown label type: continuous"),
            (np.arange(100) % 3, "inconsistent numbers of samples"),
        ],
    )
    def test_labels(self, noisy, y, message):
        with pytest.raises(ValueError, match=message):
            refinery().fit(noisy[0], y)

    def test_an_error_says_in_which_round_it_happened(self, noisy, monkeypatch):
        X, y, _ = noisy
        monkeypatch.setattr(GaussianNB, "fit", fail_fit)
        with pytest.raises(RuntimeError) as caught:
            refinery().fit(X, y)
        assert caught.value.__notes__ == [
            "This happened in round 1 of the label refinery. Nothing is kept without 'checkpoint'."
        ]


def test_a_stratified_splitter_given_by_the_user_is_redrawn(noisy):
    X, y, _ = noisy
    rounds = []
    refinery(cv=StratifiedKFold(3, shuffle=True), n_rounds=2, label_weight=1e12, callback=rounds.append).fit(X, y)
    assert not np.allclose(rounds[0].predicted, rounds[1].predicted, atol=1e-6)


class TestRelabel:
    """Which rows keep their refined labels."""

    def moved(self, model, y):
        """Whether each row has another label distribution than its given one."""
        given = np.eye(len(model.classes_))[np.searchsorted(model.classes_, y)]
        return (model.soft_labels_ != given).any(axis=1)

    def test_all_is_the_default_and_a_tiny_probability_is_all(self, noisy):
        X, y, _ = noisy
        expected = refinery().fit(X, y)
        assert self.moved(expected, y).all()
        for relabel in ("all", 1e-9):
            model = refinery(relabel=relabel).fit(X, y)
            np.testing.assert_array_equal(model.soft_labels_, expected.soft_labels_)
            np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))

    def test_a_probability_that_is_just_reached_is_enough(self, noisy):
        """The nearest row is always sure."""
        X, y, _ = noisy
        nearest = KNeighborsClassifier(1)
        every, just = (
            StochasticLabelRefinery(nearest, n_rounds=1, soft_label_method="argmax", relabel=relabel, random_state=0)
            for relabel in ("all", 1)
        )
        np.testing.assert_array_equal(every.fit(X, y).soft_labels_, just.fit(X, y).soft_labels_)
        assert (every.soft_labels_.max(axis=1) < 1).any()

    @pytest.mark.parametrize("relabel", [0.5, 0.9, 1])
    def test_a_probability_moves_the_rows_that_reach_it_in_the_last_round(self, noisy, relabel):
        X, y, _ = noisy
        expected, model = refinery().fit(X, y), refinery(relabel=relabel).fit(X, y)
        sure = model.oof_proba_.max(axis=1) >= relabel
        np.testing.assert_array_equal(self.moved(model, y), sure)
        np.testing.assert_array_equal(model.soft_labels_[sure], expected.soft_labels_[sure])

    def test_suspects_are_the_most_doubtful_rows_as_many_as_are_estimated_to_be_wrong(self, noisy):
        X, y, y_clean = (part[:141] for part in noisy)  # of which 37.74 are estimated to be wrong
        expected, model = refinery().fit(X, y), refinery(relabel="suspects").fit(X, y)
        moved = self.moved(model, y)
        rate = estimate_noise_rate(y, refinery(n_rounds=1).fit(X, y).oof_proba_)
        assert moved.sum() == round(rate * len(y))
        assert model.label_quality_[moved].max() <= model.label_quality_[~moved].min()
        np.testing.assert_array_equal(model.soft_labels_[moved], expected.soft_labels_[moved])
        assert np.mean(model.transduction_ == y_clean) > np.mean(y == y_clean) + 0.2

    def test_clean_and_separable_labels_have_no_suspects(self, blobs):
        X, y = blobs
        model = refinery(relabel="suspects").fit(X, y)
        assert not self.moved(model, y).any()
        np.testing.assert_allclose(model.predict_proba(X), refinery(n_rounds=0).fit(X, y).predict_proba(X))

    def test_the_final_model_learns_the_labels_that_stand_in_soft_labels(self, noisy):
        X, y, _ = noisy
        model = refinery(LogisticRegression(), relabel="suspects").fit(X, y)
        rows, codes = np.nonzero(model.soft_labels_)
        again = LogisticRegression().fit(X[rows], codes, sample_weight=model.soft_labels_[rows, codes])
        np.testing.assert_allclose(model.predict_proba(X), again.predict_proba(X), atol=1e-4)

    def test_classes_may_be_called_anything_and_rows_come_in_any_order(self, noisy):
        X, y, _ = noisy
        named = refinery(relabel="suspects").fit(X, np.array(["b", "c", "a"])[y])
        assert self.moved(named, np.array(["b", "c", "a"])[y]).any()

    def test_runs_that_differ_in_it_share_their_rounds(self, noisy, tmp_path):
        X, y, _ = noisy
        refinery(checkpoint=tmp_path).fit(X, y)
        before = sorted(path.name for path in tmp_path.iterdir())
        model = refinery(checkpoint=tmp_path, relabel="suspects").fit(X, y)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        np.testing.assert_array_equal(model.soft_labels_, refinery(relabel="suspects").fit(X, y).soft_labels_)

    def test_folds_are_averaged_as_they_are(self, noisy):
        X, y, _ = noisy
        plain, model = refinery(final="folds").fit(X, y), refinery(final="folds", relabel=0.9).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
        assert not np.array_equal(model.soft_labels_, plain.soft_labels_)

    @pytest.mark.parametrize("relabel", ["suspect", 0, -0.5, 1.5, None, np.nan])
    def test_anything_else_is_refused(self, noisy, relabel):
        X, y, _ = noisy
        with pytest.raises(ValueError, match="'relabel' parameter"):
            refinery(relabel=relabel).fit(X, y)

    def test_a_pickle_from_before_it_moves_all(self, noisy):
        X, y, _ = noisy
        model = refinery().fit(X, y)
        state = model.__getstate__()
        del state["relabel"]
        old = StochasticLabelRefinery.__new__(StochasticLabelRefinery)
        old.__setstate__(state)
        assert clone(old).relabel == "all"
