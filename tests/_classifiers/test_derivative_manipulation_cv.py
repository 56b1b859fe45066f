"""DMClassifierCV: it chooses by left-out accuracy, and averages its members."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.datasets import make_moons
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import accuracy_score, get_scorer_names, log_loss, make_scorer
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, DMClassifierCV
from sklabelnoise.datasets import load_table
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

QUICK = {"max_epochs": 8, "random_state": 0, "module__hidden": (16,), "lr": 0.02}
CANDIDATES = [(0, 0), (0.5, 8), (2, 24)]


@pytest.fixture(scope="module")
def moons():
    X, y = make_moons(240, noise=0.2, random_state=0)
    flipped = np.random.default_rng(0).random(240) < 0.2
    return X, np.where(flipped, 1 - y, y)


@pytest.fixture(scope="module")
def fitted(moons):
    return DMClassifierCV(candidates=CANDIDATES, cv=3, n_members=2, **QUICK).fit(*moons)


def test_scores_are_pooled_left_out_accuracies_of_single_fits(moons):
    X, y = moons
    cv = StratifiedKFold(3, shuffle=True, random_state=1)
    scores = DMClassifierCV(candidates=CANDIDATES, cv=cv, n_members=1, **QUICK).fit(X, y).scores_
    drawn = np.random.RandomState(0).randint(2**31 - 2)
    for row in scores.itertuples():
        single = DMClassifier(lam=row.lam, beta=row.beta, **{**QUICK, "random_state": int(drawn)})
        assert row.score == pytest.approx(accuracy_score(y, cross_val_predict(single, X, y, cv=cv)), abs=1e-12)


def test_the_best_candidate_is_chosen(fitted):
    best = fitted.scores_["score"].argmax()
    assert (fitted.lam_, fitted.beta_) == CANDIDATES[best]
    assert [(m.lam, m.beta) for m in fitted.estimators_] == [CANDIDATES[best]] * 2


def test_the_prediction_is_the_mean_of_the_members(fitted, moons):
    X, y = moons
    mean = np.mean([member.predict_proba(X) for member in fitted.estimators_], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X), mean, rtol=1e-9)
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(X)), mean, rtol=1e-9)
    np.testing.assert_allclose(fitted.label_quality_, mean[np.arange(len(y)), y], rtol=1e-9)
    assert (fitted.predict(X) == mean.argmax(axis=1)).all()
    assert ((fitted.decision_function(X) > 0) == (mean[:, 1] > mean[:, 0])).all()


def test_members_differ_and_equal_single_fits(fitted, moons):
    X, y = moons
    first, second = fitted.estimators_
    assert not np.array_equal(first.predict_proba(X), second.predict_proba(X))
    alone = DMClassifier(**first.get_params()).fit(X, y)
    # float64: only the order of sums differs between stacked and single training
    np.testing.assert_allclose(first.predict_proba(X), alone.predict_proba(X), atol=1e-9)


def test_the_choice_is_made_in_float32_and_the_members_compute_as_x_says(moons):
    X, y = moons
    double = DMClassifierCV(candidates=CANDIDATES, cv=3, **QUICK).fit(X, y)
    single = DMClassifierCV(candidates=CANDIDATES, cv=3, **QUICK).fit(X.astype(np.float32), y)
    assert (double.scores_.to_numpy() == single.scores_.to_numpy()).all()
    assert {member.net_.numpy_dtype for member in double.estimators_} == {np.float64}
    assert {member.net_.numpy_dtype for member in single.estimators_} == {np.float32}
    kept = DMClassifierCV(candidates=CANDIDATES, cv=3, refit=False, **QUICK).fit(X, y)
    assert {member.net_.numpy_dtype for member in kept.estimators_} == {np.float64}


@pytest.mark.filterwarnings("ignore")  # of the scale
@pytest.mark.parametrize("number", [1e39, -1e39])
def test_numbers_that_float32_cannot_hold_stay_in_float64(number, moons):
    X, y = moons
    X = X.copy()
    X[0, 0] = number
    model = DMClassifierCV(candidates=CANDIDATES[:1], cv=2, **{**QUICK, "lr": 1e-300}).fit(X, y)
    assert model.scores_["score"].notna().all()


@pytest.mark.slow  # two choices a table
@pytest.mark.parametrize("name", ["ERA", "SWD", "abalone", "spambase"])
def test_the_choice_in_float32_is_that_in_float64_on_shared_tables(name, shared_data):
    pytest.importorskip("pyarrow")
    table = load_table(name, data_home=shared_data)
    rows = np.random.default_rng(0).permutation(len(table.data))[:500]
    X = StandardScaler().fit_transform(table.data.iloc[rows].select_dtypes("number").to_numpy(np.float64))
    classes, y = np.unique(table.target.iloc[rows], return_inverse=True)
    y = corrupt_labels(y, symmetric_transition_matrix(len(classes), 0.4), random_state=0)
    single = DMClassifierCV(n_members=1, random_state=0).fit(X, y)
    double = DMClassifierCV(refit=False, random_state=0).fit(X, y)
    assert (single.lam_, single.beta_) == (double.lam_, double.beta_)
    assert np.abs(single.scores_["score"] - double.scores_["score"]).max() <= 1 / len(y)


def test_without_refit_the_members_are_the_networks_of_the_folds(moons):
    X, y = moons
    cv = list(StratifiedKFold(3, shuffle=True, random_state=1).split(X, y))
    model = DMClassifierCV(candidates=CANDIDATES, cv=cv, refit=False, **QUICK).fit(X, y)
    assert len(model.estimators_) == 3
    for member, (train, _) in zip(model.estimators_, cv, strict=True):
        alone = DMClassifier(**member.get_params()).fit(X[train], y[train])
        np.testing.assert_allclose(member.predict_proba(X), alone.predict_proba(X), atol=1e-9)


def test_candidates_that_cannot_be_stacked_are_fitted_alone(moons):
    X, y = moons
    model = DMClassifierCV(candidates=CANDIDATES[:2], cv=2, n_members=1, early_stopping=True, **QUICK).fit(X, y)
    assert model.scores_["score"].notna().all()
    folds = DMClassifierCV(candidates=CANDIDATES[:2], cv=2, refit=False, early_stopping=True, **QUICK).fit(X, y)
    assert len(folds.estimators_) == 2


def test_string_labels_frames_and_weights(moons):
    X, y = moons
    names = np.array(["no", "yes"])[y]
    frame = pd.DataFrame(X, columns=["a", "b"])
    settings = {"candidates": CANDIDATES[:2], "cv": 2, "n_members": 1, **QUICK}
    plain = DMClassifierCV(**settings).fit(X, y)
    named = DMClassifierCV(**settings).fit(frame, names, sample_weight=np.ones(len(y)))
    assert named.feature_names_in_.tolist() == ["a", "b"]
    assert (named.predict(frame) == np.array(["no", "yes"])[plain.predict(X)]).all()
    np.testing.assert_allclose(named.predict_proba(frame), plain.predict_proba(X), atol=1e-9)


def test_hard_soft_labels_change_nothing(moons):
    X, y = moons
    settings = {"candidates": CANDIDATES[:2], "cv": 2, "n_members": 1, **QUICK}
    hard = DMClassifierCV(**settings).fit(X, y)
    soft = DMClassifierCV(**settings).fit(X, y, soft_labels=np.eye(2)[y])
    np.testing.assert_allclose(soft.predict_proba(X), hard.predict_proba(X), atol=1e-9)


def test_held_out_rows_stop_the_members(moons):
    X, y = moons
    X_val = pd.DataFrame(X[:60], columns=["a", "b"])
    settings = {**QUICK, "max_epochs": 30, "n_iter_no_change": 2, "early_stopping": True}
    model = DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **settings)
    held_out = {"X_val": X[:60], "y_val": y[:60], "sample_weight_val": np.arange(60) % 3}
    model.fit(pd.DataFrame(X, columns=["a", "b"]), y, **{**held_out, "X_val": X_val})
    drawn = np.random.RandomState(0).randint(2**31 - 3)
    for number, member in enumerate(model.estimators_):
        single = DMClassifier(lam=model.lam_, beta=model.beta_, **{**settings, "random_state": int(drawn) + number})
        single.fit(X, y, **held_out)
        np.testing.assert_array_equal(member.predict_proba(X), single.predict_proba(X))
    assert model.n_iter_ < 30 and "valid_loss" in model.history_
    assert model.n_iter_ == max(member.n_iter_ for member in model.estimators_)
    cv = list(StratifiedKFold(3).split(X, y))
    folds = DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=cv, refit=False, **settings).fit(X, y, **held_out)
    for (train, _), member in zip(cv, folds.estimators_, strict=True):
        single = DMClassifier(**member.get_params()).fit(X[train], y[train], **held_out)
        np.testing.assert_array_equal(member.predict_proba(X), single.predict_proba(X))
    assert folds.n_iter_ == max(member.n_iter_ for member in folds.estimators_) > folds.estimators_[0].n_iter_


def test_held_out_rows_have_the_columns_of_the_others(moons):
    X, y = moons
    with pytest.raises(ValueError, match="has 3 features, but DMClassifierCV is expecting 2"):
        DMClassifierCV(candidates=[(0, 0)], cv=2, **QUICK).fit(X, y, X_val=np.zeros((4, 3)), y_val=y[:4])


def test_features_of_the_members_stand_side_by_side(fitted, moons):
    X, _ = moons
    features = fitted.embed(X[:5])
    np.testing.assert_array_equal(features, np.hstack([member.embed(X[:5]) for member in fitted.estimators_]))
    assert features.shape == (5, 2 * 16)
    assert len(fitted.loss_curve_) == len(fitted.history_) == fitted.n_iter_
    assert fitted.module_ is fitted.estimators_[0].module_


def test_pickle_and_repeat(fitted, moons):
    X, y = moons
    again = DMClassifierCV(candidates=CANDIDATES, cv=3, n_members=2, **QUICK).fit(X, y)
    assert np.array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), fitted.predict_proba(X))


@pytest.mark.parametrize("refit", [True, False])
def test_a_saved_one_predicts_as_before(moons, tmp_path, refit):
    X, y = pd.DataFrame(moons[0], columns=["a", "b"]), np.array(["no", "yes"])[moons[1]]
    model = DMClassifierCV(candidates=CANDIDATES[:2], cv=2, n_members=3, refit=refit, **QUICK).fit(X, y)
    model.save(tmp_path / "model")
    loaded = DMClassifierCV.load(tmp_path / "model")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert (loaded.predict(X) == model.predict(X)).all()
    assert np.array_equal(loaded.label_quality_, model.label_quality_)
    pd.testing.assert_frame_equal(loaded.scores_, model.scores_)
    assert loaded.get_params() == model.get_params()
    for name in ("lam_", "beta_", "n_iter_", "n_features_in_"):
        assert getattr(loaded, name) == getattr(model, name)
    assert loaded.feature_names_in_.tolist() == ["a", "b"]


def test_a_module_of_the_users_is_handed_in_on_loading(moons, tmp_path):
    settings = {"candidates": CANDIDATES[:1], "cv": 2, "n_members": 2, "max_epochs": 2, "random_state": 0}
    model = DMClassifierCV(module=torch.nn.Linear, **settings).fit(*moons)
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match=r"its module is .*Linear.*, pass that class or factory as module="):
        DMClassifierCV.load(tmp_path / "model")
    loaded = DMClassifierCV.load(tmp_path / "model", module=torch.nn.Linear)
    assert np.array_equal(loaded.predict_proba(moons[0]), model.predict_proba(moons[0]))


def test_what_cannot_be_saved_without_code_is_refused(moons, tmp_path):
    settings = {"candidates": CANDIDATES[:1], "n_members": 1, **QUICK}
    model = DMClassifierCV(cv=StratifiedKFold(2), **settings).fit(*moons)
    with pytest.raises(TypeError, match=r"cv can't be saved.* got StratifiedKFold"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_file_of_a_single_fit_is_refused(moons, tmp_path):
    DMClassifier(**QUICK).fit(*moons).save(tmp_path / "model")
    with pytest.raises(ValueError, match="must hold a DMClassifierCV, got a 'DMClassifier'"):
        DMClassifierCV.load(tmp_path / "model")


@pytest.mark.parametrize(
    "scoring",
    [
        "neg_log_loss",
        "neg_brier_score",
        *(
            pytest.param(
                name, marks=pytest.mark.skipif(name not in get_scorer_names(), reason="since scikit-learn 1.8")
            )
            for name in ("d2_log_loss_score", "d2_brier_score")
        ),
        make_scorer(log_loss, greater_is_better=False, response_method="predict_proba"),
    ],
    ids=str,
)
def test_scores_that_reward_fitting_the_noise_warn(moons, scoring):
    with pytest.warns(UserWarning, match="scoring=.* on noisy labels rewards fitting the noise"):
        DMClassifierCV(candidates=CANDIDATES[:1], cv=2, n_members=1, scoring=scoring, **QUICK).fit(*moons)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_images_have_as_many_features_as_a_single_fit_says(moons, as_dataset):
    images, y = np.random.default_rng(0).random((12, 3, 4, 4), dtype=np.float32), np.arange(12) % 2
    rows = (TensorDataset(torch.from_numpy(images), torch.from_numpy(y)), None) if as_dataset else (images, y)
    quick = {"max_epochs": 1, "random_state": 0}
    model = DMClassifierCV(candidates=CANDIDATES[:1], cv=2, n_members=1, **quick).fit(*moons)
    assert model.n_features_in_ == 2
    assert model.fit(*rows).n_features_in_ == DMClassifier(**quick).fit(*rows).n_features_in_ == 3


def test_a_function_that_scores_gets_the_fitted_network(moons):
    def shallow_accuracy(estimator, X, y):
        assert estimator.n_features_in_ == 2
        return estimator.score(X, y) - 0 * len(list(estimator.module_.parameters()))

    settings = {"candidates": CANDIDATES, "cv": 3, "n_members": 1, **QUICK}
    by_function = DMClassifierCV(scoring=shallow_accuracy, **settings).fit(*moons).scores_
    pd.testing.assert_frame_equal(by_function, DMClassifierCV(**settings).fit(*moons).scores_)


@pytest.mark.parametrize("early_stopping", [False, True], ids=["stacked", "alone"])
def test_a_fold_may_miss_a_class(moons, early_stopping):
    X, y = moons
    y = y.copy()
    y[:2] = 2  # of one fold, so that its network does not know them
    cv = [(np.r_[40:240], np.r_[:40]), (np.r_[:200], np.r_[200:240])]
    settings = {"candidates": CANDIDATES[:1], "cv": cv, "early_stopping": early_stopping, **QUICK}
    model = DMClassifierCV(refit=False, **settings).fit(X, y)
    assert [len(member.classes_) for member in model.estimators_] == [2, 3]
    proba = model.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-9)
    without, knows = (member.predict_proba(X) for member in model.estimators_)
    np.testing.assert_allclose(proba, (np.c_[without, np.zeros(len(X))] + knows) / 2, rtol=1e-9)
    assert (model.scores_["score"] > 0).all()


def test_one_weight_for_all_rows_is_none(moons):
    settings = {"candidates": CANDIDATES[:2], "cv": 2, "n_members": 1, **QUICK}
    plain = DMClassifierCV(**settings).fit(*moons)
    weighted = DMClassifierCV(**settings).fit(*moons, sample_weight=2.0)
    assert np.array_equal(weighted.predict_proba(moons[0]), plain.predict_proba(moons[0]))


def test_a_dataset_is_what_its_rows_are(moons):
    X, y = moons[0].astype(np.float32), moons[1]
    settings = {"candidates": CANDIDATES[:2], "cv": 2, "n_members": 2, **QUICK}
    dataset = TensorDataset(torch.from_numpy(X), torch.from_numpy(y))
    table, items = DMClassifierCV(**settings).fit(X, y), DMClassifierCV(**settings).fit(dataset)
    # float32: trained together or one by one, rounding apart
    np.testing.assert_allclose(items.predict_proba(dataset), table.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(items.scores_["score"], table.scores_["score"], atol=0.02)


def test_candidates_that_fail_are_named_and_not_chosen(moons):
    model = DMClassifierCV(candidates=[(0, 1e6), (0.5, 8)], cv=2, n_members=1, normalization="none", **QUICK)
    with pytest.warns(FitFailedWarning, match="1 of 2 candidates could not be trained and scored in every fold: "):
        model.fit(*moons)
    assert (model.lam_, model.beta_) == (0.5, 8)


def test_scores_that_are_all_nan_are_an_error(moons):
    model = DMClassifierCV(candidates=CANDIDATES[:2], cv=2, scoring=lambda estimator, X, y: np.nan, **QUICK)
    with pytest.raises(ValueError, match=r"No candidate could be trained and scored, got: their scores are NaN\."):
        model.fit(*moons)

    def refuses(estimator, X, y):
        raise ValueError("of mine")

    with pytest.raises(ValueError, match=r"No candidate could be trained and scored, got: of mine"):
        model.set_params(scoring=refuses).fit(*moons)


def test_folds_without_a_split_are_an_error(moons):
    with pytest.raises(ValueError, match=r"cv must give at least one split, got \[\]"):
        DMClassifierCV(cv=[], **QUICK).fit(*moons)


@pytest.mark.parametrize(
    "candidates",
    [
        [],
        [1, 2],
        [(0, 1, 2)],
        [(-1, 2)],
        [(0, np.inf)],
        [("a", 1)],
        [("1", "2")],
        [(True, 8)],
        [(0, 0), None],
        (1, 16),
        [(2**70, 1)],
        [(0, 10**400)],
    ],
)
def test_malformed_candidates(moons, candidates):
    with pytest.raises(ValueError, match=r"candidates must be pairs \(lam, beta\) of finite numbers with lam >= 0"):
        DMClassifierCV(candidates=candidates).fit(*moons)


def test_candidates_may_be_a_frame_by_whose_names_they_are_read(moons):
    """Such as those of an earlier fit, in `scores_`, the best of which are to be compared again."""
    model = DMClassifierCV(candidates=CANDIDATES[:2], cv=2, n_members=1, **QUICK).fit(*moons)
    for frame in (model.scores_, model.scores_[["beta", "lam"]]):
        again = DMClassifierCV(candidates=frame, cv=2, n_members=1, **QUICK).fit(*moons)
        pd.testing.assert_frame_equal(again.scores_, model.scores_)
    with pytest.raises(ValueError, match=r"pairs .* or a frame with columns lam and beta, got \['a'"):
        DMClassifierCV(candidates=pd.DataFrame({"a": [0], "b": [0]})).fit(*moons)


def test_a_failed_fit_keeps_what_was_fitted(moons):
    X, y = moons
    model = DMClassifierCV(candidates=CANDIDATES[:1], cv=2, n_members=1, **QUICK).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(np.full((10, 3), np.nan), np.arange(10) % 2)
    assert np.array_equal(model.predict_proba(X), before)


def test_when_every_candidate_diverges_the_error_says_why(moons):
    model = DMClassifierCV(candidates=CANDIDATES[:2], cv=2, **{**QUICK, "lr": 1e200, "optimizer": "SGD"})
    with pytest.raises(ValueError, match="No candidate could be trained and scored, got: Training stopped"):
        model.fit(*moons)


def test_a_learning_rate_that_float32_cannot_hold_is_refused_by_name(moons):
    X, y = moons
    with pytest.raises(ValueError, match=r"lr must be at most 3.4e\+38 for a network in float32, got 1e\+200"):
        DMClassifier(lr=1e200, optimizer="SGD", device="cpu").fit(X.astype(np.float32), y)
    model = DMClassifier(max_epochs=1, warm_start=True, random_state=0, device="cpu").fit(X.astype(np.float32), y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="lr must be at most"):
        model.set_params(lr=1e200).fit(X.astype(np.float32), y)
    assert np.array_equal(model.predict_proba(X), before)


@pytest.mark.slow  # half a minute: the promise of DMClassifierCV's default search on a table of 5,000 rows
def test_it_finds_what_saves_digits_from_forty_percent_noise():
    from sklabelnoise import RobustLossClassifier
    from sklabelnoise.datasets import load_digits_noisy

    digits = load_digits_noisy(0.4, random_state=0)
    chosen = DMClassifierCV(random_state=0).fit(digits.X_train, digits.y_train)
    plain = RobustLossClassifier(loss="cross_entropy", random_state=0).fit(digits.X_train, digits.y_train)
    assert chosen.score(digits.X_test, digits.y_test) > plain.score(digits.X_test, digits.y_test) + 0.03


def test_groups_are_kept_whole_by_the_folds(moons):
    X, y = moons
    X, y = X[:120], y[:120]
    groups = np.arange(120) // 4
    given = DMClassifierCV(candidates=CANDIDATES, cv=GroupKFold(3), n_members=1, **QUICK).fit(X, y, groups=groups)
    splits = list(GroupKFold(3).split(X, y, groups))
    expected = DMClassifierCV(candidates=CANDIDATES, cv=splits, n_members=1, **QUICK).fit(X, y)
    pd.testing.assert_frame_equal(given.scores_, expected.scores_)
    # Two copies of each row, one with the wrong label: apart, each tells the network the answer of the other.
    twice = np.repeat(np.random.default_rng(0).normal(size=(60, 2)), 2, axis=0)
    labels, pairs = np.tile([0, 1], 60), np.repeat(np.arange(60), 2)
    shapes = []

    class Recording(StratifiedGroupKFold):
        def split(self, X, y, groups=None):
            for train, test in super().split(X, y, groups):
                shapes.append(set(pairs[train]) & set(pairs[test]))
                yield train, test

    DMClassifierCV(candidates=[(0, 0)], cv=Recording(3), n_members=1, **QUICK).fit(twice, labels, groups=pairs)
    assert shapes == [set()] * 3
    for given, folds in ((pairs, StratifiedGroupKFold), (None, StratifiedKFold)):
        settings = {"candidates": [(0, 0), (2, 24)], "n_members": 1, **QUICK, "random_state": 3}
        by_number = DMClassifierCV(cv=3, **settings).fit(twice, labels, groups=given)
        drawn = np.random.RandomState(3).randint(2**31 - 2)
        splits = list(folds(3, shuffle=True, random_state=drawn).split(twice, labels, given))
        expected = DMClassifierCV(cv=splits, **settings).fit(twice, labels)
        pd.testing.assert_frame_equal(by_number.scores_, expected.scores_)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        DMClassifierCV(cv=3, **QUICK).fit(X, y, groups=groups[:50])


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored by KFold")
@pytest.mark.parametrize("make", [lambda X: KFold(3), lambda X: list(KFold(3).split(X)), lambda X: KFold(3).split(X)])
def test_folds_that_tear_groups_apart_are_refused(moons, make):
    X, y = moons
    X, y, groups = X[:120], y[:120], np.array(["a", "b", "c", "d", "e", "f", "g"])[np.arange(120) % 7]
    with pytest.raises(ValueError, match=r"The rows of a group must stay on one side .* Got group a on both"):
        DMClassifierCV(candidates=[(0, 0)], cv=make(X), n_members=1, **QUICK).fit(X, y, groups=groups)
    whole = np.arange(120) // 40  # which folds of neighbors leave whole
    DMClassifierCV(candidates=[(0, 0)], cv=make(X), n_members=1, **QUICK).fit(X, y, groups=whole)


def test_groups_are_routed(moons):
    X, y = moons
    groups = np.arange(240) // 4
    with config_context(enable_metadata_routing=True):
        model = DMClassifierCV(candidates=[(0, 0)], cv=GroupKFold(2), n_members=1, **QUICK).set_fit_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), model).fit(X, y, groups=groups)
        scores = cross_val_score(pipeline, X, y, cv=2, params={"groups": groups})
    assert len(pipeline[-1].scores_) == 1 and np.isfinite(scores).all()


def test_a_small_unsigned_number_of_members_does_not_overflow(moons):
    X, y = moons
    models = [DMClassifierCV(candidates=[(0, 0)], cv=kind(2), n_members=kind(2), **QUICK) for kind in (int, np.uint8)]
    one, other = (model.fit(X, y).predict_proba(X) for model in models)
    assert np.array_equal(one, other)


def test_weights_weigh_what_candidates_are_scored_by(moons):
    X, y = moons
    cv = list(StratifiedKFold(3, shuffle=True, random_state=1).split(X, y))
    weight = np.random.default_rng(0).integers(1, 9, size=240)
    weight[cv[1][1]] = 0  # a fold without a say
    weight[cv[0][1][:5]] = 0  # and rows in one that has
    settings = {"candidates": CANDIDATES[:2], "n_members": 1, **QUICK}
    scores = DMClassifierCV(cv=cv, **settings).fit(X, y, sample_weight=weight).scores_
    drawn = np.random.RandomState(0).randint(2**31 - 2)
    hit, of_folds = np.zeros((240, 2)), np.full((2, 3), np.nan)
    for number, (lam, beta) in enumerate(CANDIDATES[:2]):
        for fold, (train, test) in enumerate(cv):
            single = DMClassifier(lam=lam, beta=beta, **{**QUICK, "random_state": int(drawn)})
            hit[test, number] = single.fit(X[train], y[train], sample_weight=weight[train]).predict(X[test]) == y[test]
            if weight[test].any():
                of_folds[number, fold] = np.average(hit[test, number], weights=weight[test])
    np.testing.assert_allclose(scores["score"], np.average(hit, axis=0, weights=weight), rtol=1e-12)
    np.testing.assert_allclose(scores[["fold0", "fold1", "fold2"]], of_folds, rtol=1e-12)  # the second of which is NaN


def test_decision_values_of_many_classes_are_logarithms_of_probabilities(blobs):
    model = DMClassifierCV(candidates=CANDIDATES[:1], cv=2, n_members=3, **QUICK).fit(*blobs)
    np.testing.assert_allclose(np.exp(model.decision_function(blobs[0])).sum(axis=1), 1, rtol=1e-9)


def test_rows_that_are_predicted_in_parts_have_the_predictions_of_the_whole(fitted, moons, monkeypatch):
    X = np.tile(moons[0], (40, 1))  # three batches of a prediction
    X[-1] = 0, 9
    expected = fitted.predict_proba(X), fitted.predict(X)
    monkeypatch.setattr("sklabelnoise._classifiers._derivative_manipulation_cv._ROWS", 1)
    assert np.array_equal(fitted.predict_proba(X), expected[0]) and np.array_equal(fitted.predict(X), expected[1])


def test_features_are_of_rows_as_in_fit(moons):
    X, y = pd.DataFrame(moons[0], columns=["a", "b"]), moons[1]
    model = DMClassifierCV(candidates=CANDIDATES[:1], cv=2, n_members=1, **QUICK).fit(X, y)
    with pytest.raises(ValueError, match="feature names should match those that were passed during fit"):
        model.embed(X[["b", "a"]])


def test_a_choice_that_fails_after_its_fits_keeps_what_was_fitted(moons):
    model = DMClassifierCV(candidates=CANDIDATES[:2], cv=2, n_members=1, **QUICK).fit(*moons)
    before = vars(model).copy()
    with pytest.raises(ValueError, match="No candidate could be trained and scored"):
        model.set_params(scoring=lambda estimator, X, y: np.nan).fit(*moons)
    assert {name: vars(model)[name] for name in before if name != "scoring"} == {
        name: value for name, value in before.items() if name != "scoring"
    }


@pytest.mark.parametrize("early_stopping", [False, True], ids=["stacked", "alone"])
def test_one_bar_counts_all_fits(moons, early_stopping, capsys):
    settings = {"candidates": CANDIDATES[:2], "cv": 2, "early_stopping": early_stopping, **QUICK}
    DMClassifierCV(n_members=3, **settings).fit(*moons)
    assert capsys.readouterr() == ("", "")
    for params, fits in (({"n_members": 3}, 7), ({"n_members": 3, "refit": False}, 4)):
        DMClassifierCV(verbose=1, **params, **settings).fit(*moons)
        shown = capsys.readouterr()
        assert f"{fits}/{fits} fits" in shown.err and "epochs" not in shown.err and shown.out == ""
