"""The rounds: no row is predicted by what saw it, a seed gives the same labels, weights and groups reach everything."""

import gc
import sys
import tracemalloc
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import RandomForestRegressor, VotingClassifier
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedKFold,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklabelnoise import RobustLossClassifier, StochasticLabelRefinery, StochasticLabelRefineryRegressor
from sklabelnoise._foundation._checkpoint import open_checkpoint
from sklabelnoise._label_refinery._refinement import _NOT_IN_THE_ROUNDS
from tests._label_refinery.refined import Memory, ValueMemory, refinery


class WeightedMemory(Memory, ClassifierMixin, BaseEstimator):
    def fit(self, X, y, sample_weight=None):
        self._remember(X, y)
        return self


class SoftMemory(Memory, ClassifierMixin, BaseEstimator):
    def fit(self, X, y, *, soft_labels=None):
        self._remember(X, y)
        return self


SEEDS = []


class Seeded(GaussianNB):
    """Notes the seed of each of its fits."""

    def __init__(self, random_state=None):
        super().__init__()
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        SEEDS.append(self.random_state)
        return super().fit(X, y, sample_weight)


class SeededInAllFolds(Seeded):
    """Fits all folds of a round at once, with one seed."""

    def _predict_left_out(self, X, targets, splits):
        SEEDS.append(self.random_state)
        return targets


class RegressingMemory(Memory, RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        self._remember(X, [0, 1, 2])
        return self

    def predict(self, X):
        return self.predict_proba(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


class Measuring(DummyRegressor):
    """Notes what is allocated whenever it is fitted."""

    allocated = []

    def fit(self, X, y, sample_weight=None):
        gc.collect()
        self.allocated.append(tracemalloc.get_traced_memory()[0])
        return super().fit(X, y, sample_weight)


def fail_fit(self, X, y, sample_weight=None):
    raise RuntimeError("the estimator gave up")


class TestLeftOut:
    NAMES = np.arange(60.0)

    @pytest.mark.parametrize(
        ("estimator", "method"),
        [
            (SoftMemory(), "soft_labels"),
            (WeightedMemory(), "replicate"),
            (RegressingMemory(), "regression"),
            (WeightedMemory(), "argmax"),
        ],
    )
    @pytest.mark.parametrize("grouped", [False, True])
    def test_no_row_is_predicted_by_a_model_that_saw_it_or_its_group(self, estimator, method, grouped):
        names = np.arange(60.0) // (4 if grouped else 1)
        X = np.column_stack([names, np.ones(60)])
        model = refinery(estimator, soft_label_method=method, n_rounds=3)
        model.fit(X, np.arange(60) % 3, groups=names if grouped else None)
        assert model.n_iter_ == 3

    @pytest.mark.parametrize("grouped", [False, True])
    def test_no_value_is_predicted_by_a_model_that_saw_it_or_its_group(self, grouped):
        names = np.arange(60.0) // (4 if grouped else 1)
        X = np.column_stack([names, np.ones(60)])
        model = StochasticLabelRefineryRegressor(ValueMemory(), n_rounds=3)
        assert model.fit(X, np.arange(60.0), groups=names if grouped else None).n_iter_ == 3

    @pytest.mark.parametrize("final", ["refit", "folds"])
    @pytest.mark.parametrize(
        ("method", "routed"),  # where weights are routed a scorer has to ask for them too
        [("replicate", False), ("argmax", False), ("argmax", True), ("soft_labels", False), ("soft_labels", True)],
    )
    def test_groups_are_whole_in_folds_that_an_estimator_draws_itself(self, method, final, routed):
        names = np.arange(60.0) // 4
        X, memory = np.column_stack([names, np.ones(60)]), SoftMemory() if method == "soft_labels" else WeightedMemory()
        search = GridSearchCV(memory, {}, cv=GroupKFold(2), scoring="neg_log_loss", error_score="raise")
        inner = refinery(search, n_rounds=1, cv=3, soft_label_method="argmax")
        with sklearn.config_context(enable_metadata_routing=True):
            memory = memory.set_fit_request(soft_labels=True) if method == "soft_labels" else memory
            inner.set_fit_request(groups=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Soft labels reach", UserWarning)  # as copies, whose folds are not exact
            for estimator in (search, make_pipeline("passthrough", search), *[inner] * (method == "argmax")):
                with sklearn.config_context(enable_metadata_routing=routed):
                    model = refinery(estimator, soft_label_method=method, n_rounds=2, cv=3, final=final)
                    assert model.fit(X, np.arange(60) % 3, groups=names).n_iter_ == 2

    def test_the_memory_of_these_tests_would_fail(self):
        X = np.column_stack([np.arange(60.0) // 4, np.ones(60)])
        with pytest.raises(AssertionError, match="asked about rows it has seen"):
            refinery(WeightedMemory(), soft_label_method="replicate").fit(X, np.arange(60) % 3)

    def test_folds_are_redrawn_each_round_unless_told_not_to(self, noisy):
        X, y, _ = noisy
        for resplit in (True, False):
            rounds = []
            # So much label weight that nothing but the folds can change the predictions.
            refinery(n_rounds=2, label_weight=1e12, resplit=resplit, callback=rounds.append).fit(X, y)
            same = np.allclose(rounds[0].predicted, rounds[1].predicted, atol=1e-6)
            assert same is not resplit

    def test_augmented_copies_are_averaged(self, noisy):
        X, y, _ = noisy
        seen, drawn = [], set()

        def augment(X, rng):
            assert isinstance(rng, np.random.Generator)
            seen.append(len(X))
            drawn.add(rng.random())
            return X

        plain = refinery(n_rounds=1).fit(X, y)
        augmented = refinery(n_rounds=1, augment=augment, n_augment=3).fit(X, y)
        assert seen == [30] * 15
        assert len(drawn) == 15  # no two copies of a row are the same
        np.testing.assert_allclose(augmented.oof_proba_, plain.oof_proba_, rtol=1e-12)
        mirrored = refinery(n_rounds=1, augment=lambda X, rng: -X, n_augment=1).fit(X, y)
        assert not np.allclose(mirrored.oof_proba_, plain.oof_proba_)

    def test_several_estimators_are_averaged(self, noisy):
        X, y, _ = noisy
        parts = [GaussianNB(), LogisticRegression()]
        both = refinery(parts, n_rounds=1, cv=KFold(5)).fit(X, y)
        alone = [refinery(part, n_rounds=1, cv=KFold(5)).fit(X, y) for part in parts]
        expected = np.mean([model.oof_proba_ for model in alone], axis=0)
        np.testing.assert_allclose(both.oof_proba_, expected, rtol=1e-12)
        assert [type(model) for model in both.estimators_] == [GaussianNB, LogisticRegression]
        expected = np.mean([model.predict_proba(X) for model in both.estimators_], axis=0)
        np.testing.assert_allclose(both.predict_proba(X), expected, rtol=1e-12)

    def test_several_estimators_and_augmentation_go_together(self, noisy):
        X, y, y_clean = noisy
        model = refinery(
            [GaussianNB(), LogisticRegression()],
            augment=lambda X, rng: X + 0.1 * rng.normal(size=X.shape),
            n_augment=2,
        ).fit(X, y)
        assert np.mean(model.transduction_ == y_clean) > 0.9

    def test_an_augmentation_that_is_never_asked_for_is_said(self, noisy):
        X, y, _ = noisy
        with pytest.warns(UserWarning, match="augment is not used with n_augment=0") as caught:
            model = refinery(n_rounds=1, augment=lambda X, rng: X).fit(X, y)
        assert caught[0].filename == __file__
        np.testing.assert_array_equal(model.oof_proba_, refinery(n_rounds=1).fit(X, y).oof_proba_)

    def test_final_folds_averages_the_models_of_the_last_round(self, noisy):
        X, y, _ = noisy
        model = refinery(n_rounds=2, final="folds").fit(X, y)
        assert len(model.estimators_) == 5
        expected = np.mean([fold.predict_proba(X) for fold in model.estimators_], axis=0)
        np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
        refit = refinery(n_rounds=2).fit(X, y)
        np.testing.assert_array_equal(model.soft_labels_, refit.soft_labels_)

    def test_final_folds_keeps_models_of_the_last_round_and_fits_none_twice(self, noisy):
        X, y, _ = noisy

        class Counting(GaussianNB):
            fits = 0

            def fit(self, X, y, sample_weight=None):
                type(self).fits += 1
                return super().fit(X, y, sample_weight)

        refinery(Counting(), n_rounds=2, cv=3, final="folds").fit(X, y)
        assert Counting.fits == 6

    @pytest.mark.parametrize("resplit", [True, False])
    def test_every_fit_has_a_seed_of_its_own(self, noisy, resplit):
        X, y, _ = noisy
        SEEDS.clear()
        members = [Seeded(), Seeded(), SeededInAllFolds(), SeededInAllFolds()]
        refinery(members, n_rounds=3, cv=3, resplit=resplit).fit(X, y)
        assert len(set(SEEDS)) == len(SEEDS) == 3 * (2 * 3 + 2) + 4

    def test_folds_that_are_kept_are_those_of_the_first_round(self, noisy):
        X, y, _ = noisy
        kept, drawn = (refinery(n_rounds=1, resplit=resplit).fit(X, y) for resplit in (False, True))
        np.testing.assert_array_equal(kept.soft_labels_, drawn.soft_labels_)

    def test_final_folds_has_models_when_tol_stops_early(self, noisy):
        X, y, _ = noisy
        model = refinery(n_rounds=9, tol=0.05, final="folds").fit(X, y)
        assert len(model.estimators_) == 5
        assert model.n_iter_ < 9

    def test_an_estimator_may_predict_all_folds_itself(self, noisy):
        X, y, _ = noisy

        class AllFolds(GaussianNB):
            calls = []

            def _predict_left_out(self, X, targets, splits):
                self.calls.append((targets.shape, len(splits)))
                return np.full(targets.shape, 1 / 3)

        model = refinery(AllFolds(), n_rounds=2).fit(X, y)
        assert AllFolds.calls == [((150, 3), 5), ((150, 3), 5)]
        np.testing.assert_array_equal(model.oof_proba_, np.full((150, 3), 1 / 3))

        class Short(GaussianNB):
            def _predict_left_out(self, X, targets, splits):
                return targets[:3]

        with pytest.raises(ValueError, match=r"of Short must return finite values of shape \(150, 3\)"):
            refinery(Short(), n_rounds=1).fit(X, y)

        class Unsure(GaussianNB):
            def _predict_left_out(self, X, targets, splits):
                return np.where(np.arange(150)[:, None] == 7, np.nan, targets)

        with pytest.raises(ValueError, match=r"Got shape \(150, 3\) with 3 values that are not finite"):
            refinery(Unsure(), n_rounds=1).fit(X, y)

    def test_who_predicts_all_folds_is_given_the_weights_and_asked_for_no_augmented_copies(self, noisy):
        X, y, _ = noisy
        weights = np.random.default_rng(0).random(150)

        class AllFolds(GaussianNB):
            given = []

            def _predict_left_out(self, X, targets, splits, sample_weight=None):
                self.given.append(sample_weight)
                return targets

        refinery(AllFolds(), n_rounds=1).fit(X, y, weights)
        np.testing.assert_array_equal(AllFolds.given, [weights])
        options = {"n_rounds": 1, "augment": lambda X, rng: -X, "n_augment": 1}
        augmented, expected = (refinery(one, **options).fit(X, y) for one in (AllFolds(), GaussianNB()))
        assert len(AllFolds.given) == 1
        np.testing.assert_array_equal(augmented.oof_proba_, expected.oof_proba_)

    def test_losses_are_means_over_the_folds_that_still_train(self, noisy):
        X, y, _ = noisy

        class Curves(GaussianNB):
            def _predict_left_out(self, X, targets, splits):
                self._left_out_loss_curves = [np.array([1.0]), np.array([2.0, 4.0]), np.array([6.0, 5.0, 3.0])]
                return targets

        history = refinery(Curves(), n_rounds=2, cv=3).fit(X, y).history_
        assert history["losses"].tolist() == [[3, 4.5, 3]] * 2

    def test_losses_of_a_pipeline_are_those_of_its_last_step(self, noisy):
        X, y, _ = noisy

        class Learner(GaussianNB):
            loss_curve_ = (0.5, 0.25)

        for estimator in (Learner(), make_pipeline(StandardScaler(), Learner())):
            assert refinery(estimator, n_rounds=1).fit(X, y).history_["losses"].tolist() == [[0.5, 0.25]]

    def test_no_change_at_all_is_as_little_as_a_tolerance_of_zero(self, noisy):
        X, y, _ = noisy

        class Agreeing(GaussianNB):
            def _predict_left_out(self, X, targets, splits):
                return targets

        assert refinery(Agreeing(), n_rounds=5, tol=0).fit(X, y).n_iter_ == 1
        assert refinery(n_rounds=2, tol=0).fit(X, y).n_iter_ == 2

    def test_models_of_folds_are_those_of_the_round_that_was_the_last(self, noisy):
        X, y, _ = noisy
        splits = list(StratifiedKFold(3).split(X, y))
        for options in ({"n_rounds": 2}, {"n_rounds": 9, "tol": 10}):
            model = refinery(cv=splits, final="folds", **options).fit(X, y)
            for (_, test), fold in zip(splits, model.estimators_, strict=True):
                np.testing.assert_allclose(fold.predict_proba(X[test]), model.oof_proba_[test], rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "own"), [(StochasticLabelRefinery, "relabel"), (StochasticLabelRefineryRegressor, "thresholds")]
)
def test_all_parameters_but_those_that_decide_no_round_are_part_of_the_run(kind, own, tmp_path):
    def folder(**changed):
        return open_checkpoint(kind(**{"checkpoint": tmp_path, **changed}), (), apart=_NOT_IN_THE_ROUNDS).path

    names = set(kind().get_params(deep=False)) - {"checkpoint"}
    shared = {name for name in names if folder(**{name: "another"}) == folder()}
    assert shared == {"n_rounds", "tol", "final", own, "callback", "n_jobs", "verbose"}


class TestReproducibility:
    @pytest.mark.parametrize("final", ["refit", "folds"])
    def test_the_number_of_jobs_does_not_matter(self, noisy, final):
        X, y, _ = noisy
        estimator = DecisionTreeClassifier(splitter="random", max_depth=3)
        one, two = (refinery(estimator, n_rounds=2, n_jobs=n, final=final).fit(X, y) for n in (1, 2))
        np.testing.assert_array_equal(one.soft_labels_, two.soft_labels_)
        np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))

    def test_another_seed_gives_another_result_and_the_global_generator_is_left_alone(self, noisy):
        X, y, _ = noisy
        state = np.random.get_state()[1].copy()  # noqa: NPY002, the generator to be left alone
        one, other = refinery(n_rounds=1).fit(X, y), refinery(n_rounds=1, random_state=1).fit(X, y)
        assert not np.array_equal(one.soft_labels_, other.soft_labels_)
        np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002

    def test_the_estimators_own_seed_is_respected_and_an_open_one_filled_in(self, noisy):
        X, y, _ = noisy
        assert refinery(DecisionTreeClassifier(random_state=5), n_rounds=1).fit(X, y).estimator_.random_state == 5
        filled = refinery(DecisionTreeClassifier(), n_rounds=1).fit(X, y)
        assert isinstance(filled.estimator_.random_state, int)
        assert filled.estimator.random_state is None
        nested = make_pipeline(StandardScaler(), DecisionTreeClassifier())
        assert isinstance(refinery(nested, n_rounds=1).fit(X, y).estimator_[-1].random_state, int)

    def test_a_generator_of_the_user_is_not_drawn_from(self, noisy):
        X, y, _ = noisy
        generator = np.random.RandomState(0)
        model = refinery(DecisionTreeClassifier(random_state=generator), n_rounds=1).fit(X, y)
        assert isinstance(model.estimator_.random_state, int)
        assert generator.randint(1000) == np.random.RandomState(0).randint(1000)

    def test_equal_members_with_open_seeds_are_not_the_same_model(self, noisy):
        X, y, _ = noisy
        for final in ("refit", "folds"):
            model = refinery([DecisionTreeClassifier(), DecisionTreeClassifier()], n_rounds=1, final=final).fit(X, y)
            seeds = [one.random_state for one in model.estimators_]
            assert len(set(seeds)) == len(seeds)

    def test_augmentation_follows_the_seed(self, noisy):
        X, y, _ = noisy
        options = {"n_rounds": 1, "augment": lambda X, rng: X + rng.normal(size=X.shape), "n_augment": 1}
        first, again = (refinery(**options).fit(X, y) for _ in range(2))
        np.testing.assert_array_equal(first.oof_proba_, again.oof_proba_)

    def test_a_failed_fit_loses_nothing_that_was_fitted(self, noisy, monkeypatch):
        X, y, _ = noisy
        model = refinery(n_rounds=1).fit(X, y)
        before = model.predict_proba(X)
        monkeypatch.setattr(GaussianNB, "fit", fail_fit)
        with pytest.raises(RuntimeError, match="the estimator gave up"):
            model.fit(X[:100, :3], y[:100])
        np.testing.assert_array_equal(model.predict_proba(X), before)

    def test_refitting_leaves_nothing_of_the_fit_before(self, noisy):
        X, y, _ = noisy
        model = refinery(n_rounds=1).fit(X, y)
        model.set_params(n_rounds=0, final="refit").fit(X, y)
        assert not hasattr(model, "oof_proba_")

    def test_it_prints_a_line_a_round_only_when_asked(self, noisy, capsys):
        X, y, _ = noisy
        refinery(n_rounds=2).fit(X, y)
        assert capsys.readouterr().out == ""
        refinery(n_rounds=2, verbose=1).fit(X, y)
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 2
        assert lines[1].startswith("[StochasticLabelRefinery] round 2 of 2: change 0.")


class TestNames:
    def test_named_estimators_are_the_same_as_without_names(self, noisy):
        X, y, _ = noisy
        pair = [GaussianNB(), make_pipeline(StandardScaler(), LogisticRegression())]
        plain, named, fewer = (
            refinery(estimators, n_rounds=1, cv=3).fit(X, y)
            for estimators in (pair, [("bayes", pair[0]), ("linear", pair[1])], [pair[0], ("linear", "drop")])
        )
        np.testing.assert_array_equal(named.soft_labels_, plain.soft_labels_)
        np.testing.assert_array_equal(fewer.soft_labels_, refinery(pair[:1], n_rounds=1, cv=3).fit(X, y).soft_labels_)

    def test_their_parameters_have_their_names(self, noisy):
        X, y, _ = noisy
        given = [("bayes", GaussianNB()), ("linear", LogisticRegression())]
        model = refinery(given, n_rounds=1, cv=3)
        assert model.get_params()["linear__C"] == 1 and model.get_params()["linear"] is given[1][1]
        assert "linear" not in model.get_params(deep=False)
        searched = GridSearchCV(model, {"linear__C": [1e-3, 1.0], "bayes": ["drop"]}, cv=2).fit(X, y)
        assert searched.best_params_["linear__C"] in (1e-3, 1.0)
        assert sklearn.base.clone(model).set_params(linear__C=5.0).estimator[1][1].C == 5
        assert given[1][1].C == 1 and given[0][1] is model.estimator[0][1]
        one = refinery(LogisticRegression()).set_params(estimator=GaussianNB(), estimator__var_smoothing=0.1)
        assert one.get_params()["estimator__var_smoothing"] == 0.1

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ([("a__b", GaussianNB())], "hold no '__'.* got 'a__b'"),
            ([("cv", GaussianNB())], "no parameters of the ensemble.* got 'cv'"),
            ([("a", GaussianNB()), ("a", GaussianNB())], "different names, got 'a' twice"),
            ([("a", "drop")], "Got 'drop' for all"),
            ([("a", 3)], r"Got \('a', 3\) in the list"),
            ([("a", GaussianNB(), {})], "in the list"),
        ],
    )
    def test_names_that_say_nothing_are_refused(self, noisy, given, message):
        with pytest.raises(ValueError, match=message):
            refinery(given).fit(*noisy[:2])


class TestWeightsAndRouting:
    def test_weights_multiply(self, noisy):
        X, y, _ = noisy
        weights = np.random.default_rng(0).random(150)
        model = refinery(n_rounds=1).fit(X, y, weights)
        doubled = refinery(n_rounds=1).fit(X, y, 2 * weights)
        np.testing.assert_allclose(model.soft_labels_, doubled.soft_labels_, rtol=1e-9)

    @pytest.mark.parametrize(
        "estimator",
        [GaussianNB(), make_pipeline(StandardScaler(), DecisionTreeClassifier()), RandomForestRegressor(5)],
    )
    def test_a_weight_of_zero_is_a_row_left_out(self, noisy, estimator):
        X, y, _ = noisy
        weights = np.where(np.arange(150) < 100, 1.0, 0.0)
        splits = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
        few = [(train[train < 100], test[test < 100]) for train, test in splits]
        model = refinery(estimator, cv=splits).fit(X, y, weights)
        expected = refinery(estimator, cv=few).fit(X[:100], y[:100])
        np.testing.assert_array_equal(model.soft_labels_[:100], expected.soft_labels_)
        np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
        pd.testing.assert_frame_equal(model.history_, expected.history_)

    def test_a_class_without_weight_is_known_and_never_predicted(self, noisy):
        X, y, _ = noisy
        model = refinery(n_rounds=1).fit(X, y, (y != 2) * 1.0)
        assert model.classes_.tolist() == [0, 1, 2]
        assert (model.predict_proba(X)[:, 2] == 0).all()
        with pytest.raises(ValueError, match=r"at least 2 classes with a positive weight. Got 1 class: 0"):
            refinery(n_rounds=1).fit(X, y, (y == 0) * 1.0)

    def test_folds_are_as_many_as_the_rows_of_a_class_that_weigh(self, noisy):
        X, y, _ = noisy
        weights = (y != 2) * 1.0
        weights[np.flatnonzero(y == 2)[:3]] = 1
        assert len(refinery(n_rounds=1, final="folds").fit(X, y, weights).estimators_) == 3

    def test_weights_are_refused_where_the_estimator_cannot_use_them(self, noisy):
        X, y, _ = noisy
        knn = refinery(KNeighborsClassifier(), soft_label_method="argmax")
        with pytest.raises(ValueError, match="needs an estimator whose fit takes it"):
            knn.fit(X, y, np.ones(150))

    @pytest.mark.parametrize(
        ("around", "method"),
        [
            (lambda one: VotingClassifier([("one", one)], voting="soft"), "replicate"),
            (lambda one: GridSearchCV(make_pipeline(one), {}, cv=2), "argmax"),
        ],
    )
    def test_weights_and_soft_labels_go_through_what_searches_or_votes(self, noisy, around, method):
        X, y, _ = noisy
        weights = 0.5 + np.arange(150) % 3
        plain, other = (
            refinery(estimator, n_rounds=2, cv=3, soft_label_method=method).fit(X, y, weights)
            for estimator in (GaussianNB(), around(GaussianNB()))
        )
        np.testing.assert_allclose(other.soft_labels_, plain.soft_labels_, rtol=1e-12)
        assert not np.allclose(other.soft_labels_, refinery(n_rounds=2, cv=3).fit(X, y).soft_labels_, rtol=1e-3)

    def test_soft_labels_go_through_a_search_over_a_pipeline(self, noisy):
        X, y, _ = noisy
        network = RobustLossClassifier(loss="gce", max_epochs=2, random_state=0)
        plain, searched = (
            refinery(estimator, n_rounds=1, cv=3, soft_label_method="soft_labels").fit(X, y)
            for estimator in (network, GridSearchCV(make_pipeline(network), {}, cv=2))
        )
        np.testing.assert_allclose(searched.predict_proba(X), plain.predict_proba(X))

    def test_routing_asks_for_what_the_estimator_requests(self, noisy):
        X, y, _ = noisy
        weights = np.arange(150) % 2 + 0.0
        with sklearn.config_context(enable_metadata_routing=True):
            with pytest.raises(UnsetMetadataPassedError):
                refinery(n_rounds=1).fit(X, y, weights)
            unweighted = refinery(GaussianNB().set_fit_request(sample_weight=False), n_rounds=1).fit(X, y, weights)
            weighted = refinery(GaussianNB().set_fit_request(sample_weight=True), n_rounds=1).fit(X, y, weights)
        np.testing.assert_array_equal(unweighted.soft_labels_, refinery(n_rounds=1).fit(X, y).soft_labels_)
        np.testing.assert_array_equal(weighted.soft_labels_, refinery(n_rounds=1).fit(X, y, weights).soft_labels_)

    def test_weights_that_one_of_several_does_not_want_reach_none(self, noisy):
        X, y, _ = noisy
        with sklearn.config_context(enable_metadata_routing=True):
            both = [GaussianNB().set_fit_request(sample_weight=wanted) for wanted in (True, False)]
            model = refinery(both, n_rounds=1).fit(X, y, np.arange(150) % 2 + 0.0)
        expected = refinery([GaussianNB(), GaussianNB()], n_rounds=1).fit(X, y)
        np.testing.assert_array_equal(model.soft_labels_, expected.soft_labels_)

    def test_the_default_estimator_gets_weights_without_being_asked(self, noisy):
        X, y, _ = noisy
        with sklearn.config_context(enable_metadata_routing=True):
            model = StochasticLabelRefinery(n_rounds=1, random_state=0).fit(X, y, np.arange(150) % 2)
        expected = StochasticLabelRefinery(n_rounds=1, random_state=0).fit(X, y, np.arange(150) % 2)
        np.testing.assert_array_equal(model.soft_labels_, expected.soft_labels_)

    def test_routing_carries_weights_and_groups_through_a_grid_search(self, noisy):
        X, y, _ = noisy
        groups = np.arange(150) // 3
        with sklearn.config_context(enable_metadata_routing=True):
            inner = GaussianNB().set_fit_request(sample_weight=True)
            model = refinery(inner, n_rounds=1, cv=GroupKFold(3)).set_fit_request(sample_weight=True, groups=True)
            model.set_score_request(sample_weight=False)
            search = GridSearchCV(model, {"label_weight": [2, 3]}, cv=GroupKFold(2))
            search.fit(X, y, sample_weight=np.ones(150), groups=groups)
        assert search.best_estimator_.n_iter_ == 1

    def test_soft_labels_need_no_request_in_a_pipeline(self, noisy):
        X, y, _ = noisy
        X = np.column_stack([np.arange(150.0), X])
        pipeline = make_pipeline(StandardScaler(), SoftMemory())
        with sklearn.config_context(enable_metadata_routing=True):
            assert refinery(pipeline, n_rounds=2).fit(X, y).n_iter_ == 2


class TestSeveral:
    def test_each_model_is_asked_the_way_it_was_fitted(self, noisy):
        X, y, _ = noisy
        members = [LogisticRegression(), Ridge()]  # one learns repeated rows, one the soft labels themselves
        splits = list(StratifiedKFold(3).split(X, y))
        for final in ("refit", "folds"):
            models = [refinery(m, n_rounds=1, cv=splits, final=final).fit(X, y) for m in (members, members[::-1])]
            np.testing.assert_allclose(models[0].predict_proba(X), models[1].predict_proba(X), rtol=1e-9)

    def test_what_one_of_them_cannot_take_none_can(self):
        def tagged(**changes):
            class Tagged(GaussianNB):
                def __sklearn_tags__(self):
                    tags = super().__sklearn_tags__()
                    for name, value in changes.items():
                        setattr(tags if hasattr(tags, name) else tags.input_tags, name, value)
                    return tags

            return Tagged()

        for name in ("sparse", "allow_nan", "string", "categorical", "three_d_array"):
            for other in (True, False):
                members = [tagged(**{name: True}), tagged(**{name: other})]
                assert getattr(refinery(members).__sklearn_tags__().input_tags, name) is other
        for other in (True, False):
            members = [tagged(positive_only=other, non_deterministic=other), tagged()]
            tags = refinery(members).__sklearn_tags__()
            assert (tags.input_tags.positive_only, tags.non_deterministic) == (other, other)

    def test_names_of_features_are_known(self, noisy):
        X, y, _ = noisy
        frame = pd.DataFrame(X, columns=list("abcde"))
        for estimator in (GaussianNB(), [GaussianNB(), GaussianNB()]):
            assert refinery(estimator, n_rounds=1).fit(frame, y).feature_names_in_.tolist() == list("abcde")

    def test_groups_are_of_the_rows(self, noisy):
        X, y, _ = noisy
        with pytest.raises(ValueError, match=r"groups must .*150.*149|inconsistent numbers of samples"):
            refinery(n_rounds=1).fit(X, y, groups=np.arange(149))
        with pytest.raises(ValueError, match="groups must not hold missing"):
            refinery(n_rounds=1).fit(X, y, groups=np.where(np.arange(150) == 3, np.nan, 1.0))


class TestMemory:
    @pytest.mark.parametrize("relabel", ["suspects", *(pytest.param(r, marks=pytest.mark.slow) for r in ("all", 0.9))])
    def test_two_tables_of_labels_stand_beside_a_fit(self, relabel):
        X, y = np.zeros((20_000, 1)), np.arange(20_000) % 10
        table = 8 * 20_000 * 10
        model = refinery(Measuring(), soft_label_method="regression", n_rounds=2, cv=2, relabel=relabel)
        Measuring.allocated.clear()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            model.fit(X, y)
        finally:
            tracemalloc.stop()
        # The labels learned, and the last predictions or half of each. One number a row is a tenth of a table here.
        assert len(Measuring.allocated) == 5
        assert max(Measuring.allocated) - before < 2.6 * table

    @pytest.mark.slow
    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads peak memory as Linux counts it")
    @pytest.mark.parametrize("rows", [100_000, 120_000, 200_000])
    def test_ten_classes_of_boosted_trees_take_at_most_thrice_the_memory_of_the_rows(self, rows):
        from benchmarks.large import in_fresh_process

        assert in_fresh_process(f"bytes_of_refinery({rows}, 10)") <= 3

    @pytest.mark.slow
    @pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads peak memory as Linux counts it")
    @pytest.mark.parametrize("rows", [6_000, 20_000])
    def test_a_refinery_takes_little_more_than_the_fit_to_its_repeated_rows(self, rows):
        from benchmarks.large import in_fresh_process

        # The same trees, so that both keep as many histograms, which are as large whatever the number of rows.
        ours, theirs = in_fresh_process(f"refinery_beside_its_last_fit({rows}, 10)")
        assert ours <= theirs + 0.8
