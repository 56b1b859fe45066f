"""The classifier as its users see it."""

import threading
import time

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklabelnoise import DMClassifier, NoisyLabelClassifier
from sklabelnoise._ensemble._combination import clean_posterior
from sklabelnoise._ensemble._members import TABLE_FAMILIES
from sklabelnoise.audit import audit_labels
from sklabelnoise.noise import corrupt_labels, pair_flip_transition_matrix, symmetric_transition_matrix

pytestmark = pytest.mark.usefixtures("short_networks", "few_trees", "few_rounds")

FAST = ["kernel_ridge", "neighbors", "logistic_regression"]


def draw(n_samples=300, n_classes=3, rate=0.3, seed=0, make_T=symmetric_transition_matrix):
    """Rows, clean labels and given labels."""
    X, y_clean = make_classification(
        n_samples, 8, n_informative=6, n_classes=n_classes, class_sep=2.0, flip_y=0, random_state=seed
    )
    return X, y_clean, corrupt_labels(y_clean, make_T(n_classes, rate), random_state=seed)


@pytest.fixture(scope="module")
def whole(short_networks, few_trees, few_rounds):
    """One fit with all families."""
    X, y_clean, y = draw(make_T=pair_flip_transition_matrix)
    return NoisyLabelClassifier(random_state=0).fit(X, y), X, y_clean, y


def test_every_family_for_tables_takes_part(whole):
    model, *_ = whole
    assert tuple(model.members_["family"]) == TABLE_FAMILIES
    assert (model.members_["status"] == "used").all()
    assert (model.members_["weight"] >= 0).all() and (model.members_["seconds"] > 0).all()
    assert list(model.estimators_) == list(TABLE_FAMILIES)
    assert model.candidates_.groupby("family")["chosen"].sum().eq(1).all()


def test_predictions_are_nearer_to_the_clean_labels_than_the_given_ones(whole):
    model, X, y_clean, y = whole
    left_out = model.classes_[model.oof_proba_.argmax(axis=1)]
    assert np.mean(left_out == y_clean) > np.mean(y == y_clean) + 0.1
    assert np.mean(model.predict(X) == y_clean) > np.mean(y == y_clean) + 0.1


def test_fitted_attributes_fit_each_other(whole):
    model, X, _, y = whole
    n_samples, n_classes = len(X), 3
    for proba in (model.oof_proba_, model.soft_labels_, model.predict_proba(X)):
        assert proba.shape == (n_samples, n_classes)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_allclose(model.label_quality_, model.oof_proba_[np.arange(n_samples), y])
    np.testing.assert_allclose(model.transition_matrix_.sum(axis=1), 1)
    joint = model.oof_proba_ * model.transition_matrix_[:, y].T
    np.testing.assert_allclose(model.soft_labels_, joint / joint.sum(axis=1, keepdims=True))
    assert 0.15 < model.noise_rate_ < 0.45
    assert np.array_equal(model.predict(X), model.classes_[model.predict_proba(X).argmax(axis=1)])
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X))


def test_a_report_needs_no_further_fit(whole):
    model, X, y_clean, y = whole
    report = model.report(X)
    suspects = report.issues["row"].to_numpy()
    assert np.mean(y[suspects] != y_clean[suspects]) > 0.8
    assert np.array_equal(report.proba, model.oof_proba_)


def test_a_report_shows_what_a_reviewer_knows_the_rows_by(whole):
    model, X, *_ = whole
    names = [f"row {i}" for i in range(len(X))]
    report = model.report(X, display=names, ids=names)
    assert report.fingerprint == model.report().fingerprint
    assert report.issues["id"].tolist() == [names[row] for row in report.issues["row"]]
    assert report.display == names
    with pytest.raises(ValueError, match=rf"ids must have one row for each of {len(X)} labels, got 3"):
        model.report(X, ids=names[:3])


def test_an_audit_of_a_fitted_model_needs_no_further_fit(whole, monkeypatch):
    model, X, _, y = whole
    report = model.report(X)
    monkeypatch.setattr(NoisyLabelClassifier, "fit", None)
    audited = audit_labels(model, X, y)
    assert audited.fingerprint == report.fingerprint
    assert audit_labels(make_pipeline(FunctionTransformer(), model), X, y).fingerprint == report.fingerprint
    with pytest.raises(TypeError, match="not callable"):
        audit_labels(model, X, (y + 1) % 3)


@pytest.mark.parametrize("n_jobs", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_an_integer_seed_gives_the_same_bits_and_touches_no_global_generator(whole, n_jobs):
    import torch

    model, X, _, y = whole
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    again = NoisyLabelClassifier(random_state=0, n_jobs=n_jobs).fit(X, y)
    assert np.array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(again.oof_proba_, model.oof_proba_)


def test_the_order_of_the_rows_does_not_matter():
    X, _, y = draw(150)
    order = np.random.default_rng(0).permutation(150)
    model = NoisyLabelClassifier(FAST, random_state=0).fit(X, y)
    other = NoisyLabelClassifier(FAST, random_state=0).fit(X[order], y[order])
    assert np.array_equal(other.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(other.oof_proba_, model.oof_proba_[order])


@pytest.mark.parametrize("members", [FAST, ["random_forest"], ["networks"], ["boosting"]], ids=str)
@pytest.mark.parametrize("by", ["cv", "groups", None])
def test_weights_are_repetitions_and_zero_is_absence(members, by):
    X, _, y = draw(90)
    weight = np.random.default_rng(0).integers(0, 4, len(y))
    groups = np.arange(len(y)) // 3
    models = []
    for times, sample_weight in ((np.ones_like(weight), weight), (weight, None)):
        rows, own_groups = (np.repeat(values, times, axis=0) for values in (np.arange(len(y)), groups))
        cv = [(own_groups % 3 != fold, own_groups % 3 == fold) for fold in range(3)] if by == "cv" else 3
        model = NoisyLabelClassifier(members, cv=cv, random_state=0)
        model.fit(X[rows], y[rows], sample_weight, groups=own_groups if by == "groups" else None)
        models.append(model)
    weighted, repeated = models
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6)
    np.testing.assert_allclose(np.repeat(weighted.oof_proba_, weight, axis=0), repeated.oof_proba_, rtol=1e-6)


def test_weights_of_one_or_of_one_half_change_nothing():
    X, _, y = draw(100)
    model = NoisyLabelClassifier(FAST, random_state=0).fit(X, y)
    for value in (1.0, 0.5):
        weighted = NoisyLabelClassifier(FAST, random_state=0).fit(X, y, np.full(100, value))
        np.testing.assert_allclose(weighted.oof_proba_, model.oof_proba_, rtol=1e-9)


def test_rows_of_weight_zero_are_predicted_like_new_ones():
    X, _, y = draw(120)
    weight = (np.arange(120) < 100).astype(float)
    model = NoisyLabelClassifier(FAST, random_state=0).fit(X, y, weight)
    np.testing.assert_allclose(model.oof_proba_[100:], model.predict_proba(X[100:]))


def test_a_copy_of_a_row_is_not_asked_about_it():
    # Every row twice, labels at random: whoever sees the copy of a row knows its label.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)), rng.integers(0, 2, 100)
    model = NoisyLabelClassifier(["neighbors", "random_forest"], random_state=0).fit(np.tile(X, (2, 1)), np.tile(y, 2))
    assert np.mean(model.oof_proba_.argmax(axis=1) == np.tile(y, 2)) < 0.7


def test_rows_of_a_group_are_left_out_together():
    # Labels are at random but equal within a group of rows that lie together.
    rng = np.random.default_rng(0)
    centers, labels = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    groups = np.repeat(np.arange(50), 4)
    X, y = centers[groups] + 0.01 * rng.normal(size=(200, 3)), labels[groups]
    apart = NoisyLabelClassifier(["neighbors", "random_forest", "kernel_ridge"], random_state=0)
    leaking = clone(apart).fit(X, y)
    kept = apart.fit(X, y, groups=groups)
    assert np.mean(leaking.oof_proba_.argmax(axis=1) == y) > 0.9
    assert np.mean(kept.oof_proba_.argmax(axis=1) == y) < 0.7


def test_labels_may_be_words():
    X, _, y = draw(120)
    words = np.array(["cat", "dog", "eel"])[y]
    model = NoisyLabelClassifier([*FAST, ("bayes", GaussianNB())], random_state=0).fit(X, words)
    assert set(model.predict(X)) <= set(words)
    assert model.predict(X[:3]).dtype == words.dtype
    codes = NoisyLabelClassifier([*FAST, ("bayes", GaussianNB())], random_state=0).fit(X, y)
    assert np.array_equal(model.predict_proba(X), codes.predict_proba(X))


def test_missing_values_are_welcome():
    X, _, y = draw(150)
    X[np.random.default_rng(0).uniform(size=X.shape) < 0.1] = np.nan
    model = NoisyLabelClassifier(cv=2, random_state=0).fit(X, y)
    assert (model.members_["status"] == "used").all()
    assert np.isfinite(model.predict_proba(X)).all()


def test_constant_and_nearly_constant_features_do_no_harm():
    X, y_clean, y = draw(150)
    X = np.hstack([X, np.zeros((150, 2)), 1e-12 * np.arange(150)[:, None] + 5])
    model = NoisyLabelClassifier(FAST, random_state=0).fit(X, y)
    assert np.mean(model.predict(X) == y_clean) > 0.8


@pytest.mark.parametrize("n_rare", [1, 2])
def test_a_class_of_one_or_two_rows_is_kept(n_rare):
    X, _, y = draw(100, n_classes=2)
    y[:n_rare] = 7
    model = NoisyLabelClassifier(random_state=0).fit(X, y)
    assert (model.members_["status"] == "used").all()
    assert model.classes_.tolist() == [0, 1, 7]
    assert np.isfinite(model.predict_proba(X)).all()


def test_two_rows_a_class_are_enough_to_fit():
    X = np.arange(8.0)[:, None]
    y = np.repeat([0, 1, 2, 3], 2)
    model = NoisyLabelClassifier(random_state=0).fit(X, y)
    assert model.predict_proba(X).shape == (8, 4)


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2 classes, got 1 class"):
        NoisyLabelClassifier().fit(np.eye(3), np.zeros(3, dtype=int))


def test_infinity_is_refused():
    X, _, y = draw(50)
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        NoisyLabelClassifier().fit(X, y)


# Members of the user


class Broken(ClassifierMixin, BaseEstimator):
    """Does what `how` says, and no good."""

    def __init__(self, how="raises"):
        self.how = how

    def fit(self, X, y):
        if self.how == "raises":
            raise RuntimeError("the dog ate it")
        self.classes_ = np.array(["x", "y", "z"]) if self.how == "other classes" else np.unique(y)
        return self

    def predict_proba(self, X):
        proba = np.full((len(X), len(self.classes_)), 1 / len(self.classes_))
        if self.how == "NaN":
            proba[0] = np.nan
        return proba[:, :2] if self.how == "too few" else proba


@pytest.mark.parametrize(
    "how, message",
    [
        ("raises", "'bad' failed with RuntimeError: the dog ate it"),
        ("NaN", "'bad' failed with ValueError: its predict_proba gives rows that are no probabilities"),
        (
            "other classes",
            r"'bad' failed with ValueError: its classes_ must hold labels of the classes .* only, got \['x'.*\]",
        ),
        ("too few", r"'bad' failed with ValueError: its predict_proba must return a column for each of its 3"),
    ],
)
def test_a_bad_member_is_left_out_with_a_warning_that_names_it(how, message):
    X, _, y = draw(90)
    good = ("bayes", GaussianNB())
    with pytest.warns(FitFailedWarning, match=message):
        model = NoisyLabelClassifier([good, ("bad", Broken(how))], random_state=0).fit(X, y)
    assert model.members_["status"].str.contains("failed").tolist() == [False, True]
    alone = NoisyLabelClassifier([good], random_state=0).fit(X, y)
    assert np.array_equal(model.predict_proba(X), alone.predict_proba(X))


def test_all_members_failing_is_an_error_and_what_was_fitted_stays():
    X, _, y = draw(90)
    model = NoisyLabelClassifier([("bayes", GaussianNB())], random_state=0).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="members must have one at least that can be fitted, got: 'bad' failed"):
        model.set_params(members=[("bad", Broken())]).fit(X, y)
    assert np.array_equal(model.predict_proba(X), before)


def test_a_member_that_cannot_take_missing_values_is_left_out():
    X, _, y = draw(90)
    X[0, 0] = np.nan
    with pytest.warns(FitFailedWarning, match="'bayes' failed with ValueError: Input X contains NaN"):
        model = NoisyLabelClassifier(["neighbors", ("bayes", GaussianNB())], random_state=0).fit(X, y)
    assert model.members_["status"][0] == "used"


def test_a_grid_is_chosen_from_by_left_out_predictions():
    X, _, y = draw(200, rate=0.4)
    member = ("neighbors of mine", KNeighborsClassifier(), {"n_neighbors": [1, 15]})
    model = NoisyLabelClassifier([member], random_state=0).fit(X, y)
    assert model.members_["parameters"][0] == {"n_neighbors": 15}
    assert len(model.candidates_) == 2


def test_a_pipeline_and_a_member_without_weights_are_members():
    X, _, y = draw(90)
    members = [("pipeline", make_pipeline(StandardScaler(), LogisticRegression())), ("knn", KNeighborsClassifier())]
    weight = np.random.default_rng(0).integers(1, 3, 90)
    a = NoisyLabelClassifier(members, random_state=0).fit(X, y, weight)
    b = NoisyLabelClassifier(members, random_state=0).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), rtol=1e-6)
    with pytest.warns(FitFailedWarning, match="'knn' failed .* takes no sample_weight"):
        NoisyLabelClassifier(["neighbors", members[1]], random_state=0).fit(X, y, weight + 0.5 * (weight > 1))


def test_texts_go_to_members_that_take_them():
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = ["good film", "very good", "good indeed", "bad film", "very bad", "bad indeed"] * 5
    texts = [f"{text} {number}" for number, text in enumerate(texts)]
    y = np.array([1, 1, 1, 0, 0, 0] * 5)
    member = ("words", make_pipeline(TfidfVectorizer(), LogisticRegression()))
    model = NoisyLabelClassifier([member], random_state=0).fit(texts, y)
    assert model.predict(["a good one", "a bad one"]).tolist() == [1, 0]


def test_a_frame_reaches_members_as_a_frame():
    X, _, y = draw(90)
    frame = pd.DataFrame(X, columns=list("abcdefgh"))

    class NeedsNames(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            assert list(X.columns) == list("abcdefgh")
            return super().fit(X, y, sample_weight)

    model = NoisyLabelClassifier([("names", NeedsNames())], random_state=0).fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcdefgh")
    assert model.predict(frame).shape == (90,)


def test_networks_of_members_are_one_stack_and_images_are_welcome(monkeypatch):
    from sklabelnoise._ensemble import _networks

    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 1, 4, 4)).astype(np.float32)
    X[y == 1, :, :2] += 2
    calls = []
    Fits = _networks.Fits
    monkeypatch.setattr(_networks, "Fits", lambda est, *args: calls.append(Fits(est, *args)) or calls[-1])
    members = [
        ("damped", DMClassifier(max_epochs=30), {"lam": [0, 1], "beta": [0, 8]}),
        ("plain", DMClassifier(lam=0, beta=0, max_epochs=30)),
    ]
    model = NoisyLabelClassifier(members, random_state=0, cv=3).fit(X, y)
    assert [len(fits.candidates) for fits in calls] == [5]
    assert calls[0].reasons == {}
    assert model.members_["family"].tolist() == ["damped", "plain"]
    assert np.mean(model.predict(X) == y) > 0.9


@pytest.mark.parametrize(
    "members, message",
    [
        ([], "at least one member"),
        (["forest"], "must be among random_forest"),
        ([("a", GaussianNB()), ("a", GaussianNB())], "different names, got 'a' twice"),
        ([("a", GaussianNB)], "unfitted estimators"),
        ([("a", StandardScaler())], "must have predict_proba"),
        ([GaussianNB()], "tuples"),
        ([("a", GaussianNB(), {}, 3)], "tuples"),
    ],
)
def test_members_that_are_none_are_refused(members, message):
    X, _, y = draw(50)
    with pytest.raises(ValueError, match=message):
        NoisyLabelClassifier(members).fit(X, y)


# Decisions


def test_a_balanced_decision_finds_more_of_the_rare_class():
    X, y_clean = make_classification(600, 6, weights=[0.9], class_sep=0.8, flip_y=0, random_state=1)
    members = ["logistic_regression", "neighbors"]
    plain = NoisyLabelClassifier(members, random_state=0).fit(X, y_clean)
    balanced = NoisyLabelClassifier(members, class_weight="balanced", random_state=0).fit(X, y_clean)
    rare = y_clean == 1
    assert np.mean(balanced.predict(X)[rare]) > np.mean(plain.predict(X)[rare]) + 0.1
    assert np.array_equal(plain.transition_matrix_, balanced.transition_matrix_)


def test_what_a_decision_is_worth_does_not_change_which_labels_are_wrong():
    X, y_clean, _ = draw(600, n_classes=2)
    y = corrupt_labels(y_clean, [[0.98, 0.02], [0.4, 0.6]], random_state=0)
    members = ["logistic_regression", "neighbors"]
    plain, balanced, weighted = (
        NoisyLabelClassifier(members, class_weight=class_weight, random_state=0).fit(X, y)
        for class_weight in (None, "balanced", {1: 10.0})
    )
    assert plain.transition_matrix_[0, 1] != plain.transition_matrix_[1, 0]  # else shares of classes say nothing
    for other in (balanced, weighted):
        assert not np.array_equal(plain.predict_proba(X), other.predict_proba(X))
        assert plain.noise_rate_ == other.noise_rate_
        for name in ("oof_proba_", "soft_labels_", "label_quality_"):
            np.testing.assert_array_equal(getattr(plain, name), getattr(other, name))
        assert plain.report().noise_rate == other.report().noise_rate
        assert audit_labels(plain, X, y).noise_rate == audit_labels(other, X, y).noise_rate


def test_class_weights_multiply_the_odds():
    X, _, y = draw(120, n_classes=2)
    plain = NoisyLabelClassifier(FAST, random_state=0).fit(X, y).predict_proba(X)
    weighted = NoisyLabelClassifier(FAST, class_weight={0: 3.0}, random_state=0).fit(X, y).predict_proba(X)
    odds = [proba[:, 0] / proba[:, 1] for proba in (plain, weighted)]
    np.testing.assert_allclose(odds[1], 3 * odds[0])
    with pytest.raises(ValueError, match=r"class_weight must have keys of the classes \[0, 1\] only, got \[5\]"):
        NoisyLabelClassifier(FAST, class_weight={5: 1.0}).fit(X, y)


def test_the_mean_of_the_members_is_their_mean():
    X, _, y = draw(100)
    members = [("bayes", GaussianNB()), ("dummy", DummyClassifier())]
    model = NoisyLabelClassifier(members, combination="mean", random_state=0).fit(X, y)
    probas = [np.mean([m.predict_proba(X) for m in models], axis=0) for models in model.estimators_.values()]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(probas, axis=0), atol=1e-3)


# Time


def test_a_time_limit_too_short_leaves_the_first_member():
    X, _, y = draw(100)
    with pytest.warns(UserWarning, match=r"time_limit=0 was over before 'logistic_regression' could be finished"):
        model = NoisyLabelClassifier(["neighbors", "logistic_regression"], time_limit=0, random_state=0).fit(X, y)
    assert model.members_["status"].tolist() == ["used", "was not finished within the time limit"]
    assert model.predict(X).shape == (100,)


def test_a_member_that_would_take_longer_than_all_others_is_left_out_and_said_so(monkeypatch):
    from sklabelnoise._ensemble._neighbors import Neighbors

    monkeypatch.setattr(Neighbors, "cost", lambda *args: 1e4)
    X, _, y = draw(100)
    with pytest.warns(UserWarning, match="'neighbors' is left out: about 10000 s"):
        model = NoisyLabelClassifier(FAST, random_state=0).fit(X, y)
    assert model.members_["status"].str.contains("left out").tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_rows_may_be_a_tensor_as_for_networks(dtype):
    X, _, y = draw(90)
    X = X.round()
    tensor = torch.tensor(X, dtype=getattr(torch, dtype), requires_grad=True)
    model, expected = (NoisyLabelClassifier(["neighbors"], random_state=0).fit(rows, y) for rows in (tensor, X))
    np.testing.assert_array_equal(model.predict_proba(tensor), expected.predict_proba(X))
    assert model.report(tensor).X is tensor


@pytest.mark.filterwarnings("error")
def test_an_infinite_time_limit_is_none():
    X, _, y = draw(60)
    limited, plain = (
        NoisyLabelClassifier(["neighbors", "logistic_regression"], time_limit=limit, random_state=0).fit(X, y)
        for limit in (np.inf, None)
    )
    np.testing.assert_array_equal(limited.oof_proba_, plain.oof_proba_)


def test_the_time_limit_counts_from_the_begin_of_the_fit_and_ends_no_piece_that_began(monkeypatch):
    begin, late = time.monotonic(), []  # a clock that slow fits alone put on: how busy the machine is does not matter
    monkeypatch.setattr(time, "monotonic", lambda: begin + 300 * len(late))

    class Slow(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            late.append(True)
            return super().fit(X, y, sample_weight)

    X, _, y = draw(60)
    members = [("first", GaussianNB()), ("slow", Slow()), ("last", GaussianNB())]
    with pytest.warns(UserWarning, match=r"time_limit=299 was over before 'slow', 'last' could be finished"):
        model = NoisyLabelClassifier(members, cv=3, time_limit=299, random_state=0).fit(X, y)
    assert model.members_["status"].tolist() == ["used", *["was not finished within the time limit"] * 2]
    assert late == [True]  # and no further piece of it began
    in_time = NoisyLabelClassifier(members[::2], cv=3, time_limit=300, random_state=0).fit(X, y)
    assert (in_time.members_["status"] == "used").all()


def test_as_many_members_are_fitted_at_the_same_time_as_jobs_are_asked_for():
    both = threading.Barrier(2)

    class Meets(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            both.wait(timeout=20)
            return super().fit(X, y, sample_weight)

    X, _, y = draw(60)
    members = [("one", Meets()), ("other", Meets())]
    model = NoisyLabelClassifier(members, cv=2, n_jobs=2, random_state=0).fit(X, y)
    assert (model.members_["status"] == "used").all()


def test_what_is_said_of_a_row_whose_label_no_other_row_has_a_weight_for():
    """Its label is none of the classes: it has no quality, and the label says nothing of the clean one."""
    X, _, y = draw(90)
    y[:4] = [9, 9, -5, -5]
    weight = (np.arange(90) >= 4).astype(float)
    model = NoisyLabelClassifier([("bayes", GaussianNB())], cv=3, random_state=0).fit(X, y, weight)
    assert model.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(model.label_quality_[:4], 0)
    np.testing.assert_array_equal(model.soft_labels_[:4], model.oof_proba_[:4])
    np.testing.assert_allclose(model.label_quality_[4:], model.oof_proba_[np.arange(4, 90), y[4:]])
    expected = clean_posterior(model.oof_proba_[4:], y[4:], model.transition_matrix_)
    np.testing.assert_allclose(model.soft_labels_[4:], expected)


def test_the_share_of_wrong_labels_counts_rows_by_their_weight_and_classes_by_their_share():
    X, _, y = draw(120, make_T=pair_flip_transition_matrix)
    weight = np.random.default_rng(0).uniform(0.1, 3, 120)
    model = NoisyLabelClassifier(["kernel_ridge"], random_state=0).fit(X, y, weight)
    prior = np.average(model.oof_proba_, axis=0, weights=weight)
    assert model.noise_rate_ == pytest.approx(1 - prior @ np.diag(model.transition_matrix_))


def test_the_weight_of_a_member_is_that_by_which_it_tells_the_given_label(whole):
    model, *_ = whole
    np.testing.assert_array_equal(model.members_["weight"], model._decision.given_weights)
    assert not np.allclose(model._decision.given_weights, model._decision.clean_weights)


def test_missing_values_and_sparse_rows_are_welcome_where_all_members_are_for_tables():
    for members, welcome in (("auto", True), (["neighbors"], True), (["neighbors", ("own", GaussianNB())], False)):
        tags = NoisyLabelClassifier(members).__sklearn_tags__().input_tags
        assert tags.allow_nan == tags.sparse == welcome


def test_which_settings_are_tried():
    """Each committed row of the benchmarks was made with these."""
    X, _, y = draw(90)
    model = NoisyLabelClassifier([name for name in TABLE_FAMILIES if name != "networks"], random_state=0).fit(X, y)
    tried = {name: list(own["parameters"]) for name, own in model.candidates_.groupby("family")}
    for forest in ("random_forest", "extra_trees"):
        assert [own["min_samples_leaf"] for own in tried[forest]] == [1, 3, 8, 20]  # of 60 there are not two leaves
    assert {(own["scale"], own["kernel"], own["width"]) for own in tried["kernel_ridge"]} == {
        (scale, kernel, width)
        for scale in ("ranks", "spread", "one for all")
        for kernel in ("gaussian", "laplace")
        for width in (0.4, 1.5)
    }
    assert sorted({own["ridge"] for own in tried["kernel_ridge"]}) == [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]
    assert len(tried["kernel_ridge"]) == 3 * 2 * 2 * 9
    assert [own["n_neighbors"] for own in tried["neighbors"]] == [10, 20, 40, 80]
    assert [own["C"] for own in tried["logistic_regression"]] == [0.001, 0.01, 0.1, 1.0]
    assert {own["trees"] for own in tried["boosting"]} == {"damped", "bold"}


@pytest.mark.parametrize("changed", ["weights", "groups", "cv", "names of classes", "grid"])
def test_a_checkpoint_of_another_fit_is_not_used(tmp_path, changed):
    X, _, y = draw(60)
    halves = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    turns = [(np.arange(60)[own], np.arange(60)[~own]) for own in (np.arange(60) % 2 == 0, np.arange(60) % 2 == 1)]
    members = [("bayes", GaussianNB(), {"var_smoothing": [1e-9, 1.0]})]

    def proba(folder, other):
        own = {"cv": halves, "members": members}
        if other and changed == "cv":
            own["cv"] = turns
        if changed == "groups":
            own["cv"] = 3
        if other and changed == "grid":
            own["members"] = [("bayes", GaussianNB(), {"var_smoothing": [10.0, 1.0]})]
        weight = 1.0 + (np.arange(60) % 3) if other and changed == "weights" else np.ones(60)
        labels = np.array(["x", "y", "z"] if other and changed == "names of classes" else ["a", "b", "c"])[y]
        groups = {False: np.arange(60) // 3, True: np.arange(60) // 4}[other] if changed == "groups" else None
        model = NoisyLabelClassifier(own.pop("members"), random_state=0, checkpoint=folder, **own)
        return model.fit(X, labels, weight, groups=groups).oof_proba_

    proba(tmp_path, False)
    assert np.array_equal(proba(tmp_path, True), proba(None, True))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_checkpoint_of_another_version_is_not_used(tmp_path, monkeypatch):
    X, _, y = draw(60)
    model = NoisyLabelClassifier(["neighbors"], random_state=0, checkpoint=tmp_path)
    for version, n_folders in (("1", 1), ("1", 1), ("2", 2)):
        monkeypatch.setattr("sklabelnoise._ensemble._classifier.__version__", version)
        model.fit(X, y)
        assert len(list(tmp_path.iterdir())) == n_folders
