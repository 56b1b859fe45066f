"""Members of the user: what they are shown, and how they are weighted."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklabelnoise import DMClassifier, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise._ensemble._families import TrainingRows
from sklabelnoise._ensemble._left_out_folds import leave_out
from sklabelnoise._ensemble._own_members import OwnMember, Recoded, checked_proba
from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._foundation._work import TimeIsOver, Work
from sklabelnoise.audit import audit_labels
from tests._label_refinery.refined import Memory


def draw(n_samples=90):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, (X[:, 0] + 0.5 * rng.normal(size=n_samples) > 0).astype(int)


def by_name():
    return make_pipeline(ColumnTransformer([("scaled", StandardScaler(), ["a", "b"])]), LogisticRegression())


class KeepsType(GaussianNB):
    """Notes in what form it is given rows."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = type(X), X.dtype
        return super().fit(X.toarray() if scipy.sparse.issparse(X) else X, y, sample_weight)

    def predict_proba(self, X):
        assert (type(X), X.dtype) == self.seen_
        return super().predict_proba(X.toarray() if scipy.sparse.issparse(X) else X)


def test_beside_families_for_tables_a_frame_reaches_a_member_as_a_frame():
    X, y = draw()
    frame = pd.DataFrame(X, columns=list("abcd"))
    weight = (np.arange(90) >= 5).astype(float)
    both = NoisyLabelClassifier(["neighbors", ("by name", by_name())], random_state=0).fit(frame, y, weight)
    assert (both.members_["status"] == "used").all()
    alone = NoisyLabelClassifier([("by name", by_name())], cv=5, random_state=0).fit(frame, y, weight)
    assert both.members_["score"][1] == pytest.approx(alone.members_["score"][0], abs=0.1)
    assert both.predict_proba(frame).shape == (90, 2)


@pytest.mark.parametrize("form", [scipy.sparse.csr_matrix, lambda X: X.astype(np.float32)], ids=["sparse", "float32"])
def test_beside_families_for_tables_rows_keep_their_form(form):
    X, y = draw()
    X = form(X)
    model = NoisyLabelClassifier(["neighbors", ("keeps", KeepsType())], random_state=0).fit(X, y)
    assert (model.members_["status"] == "used").all()
    assert model.estimators_["keeps"][0].model.seen_ == (type(X), X.dtype)
    expected = model.predict_proba(X)
    # What was fitted is what predicts: members that are set since are those of the next fit.
    for members in ("auto", ["neighbors"], "no such"):
        assert np.array_equal(model.set_params(members=members).predict_proba(X), expected)


class ByPosition(ClassifierMixin, BaseEstimator):
    """Reads columns by their places, as networks of other libraries do."""

    def fit(self, X, y):
        self.model_ = GaussianNB().fit(np.asarray(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(np.asarray(X))


@pytest.mark.parametrize("member", [by_name(), GaussianNB(), ByPosition(), DMClassifier(max_epochs=1)])
def test_members_of_your_own_are_given_the_columns_of_the_fit(member):
    """Wherever these stand in a frame, and whatever stands beside them, as where scikit-learn combines classifiers."""
    X, y = draw()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = NoisyLabelClassifier([("own", member)], random_state=0).fit(frame, y)
    proba = model.predict_proba(frame)
    moved = model.predict_proba(frame[["c", "b", "d", "a"]].assign(e=1.0))
    np.testing.assert_allclose(moved, proba, rtol=1e-12)  # a frame in other pieces is summed in another order


def test_a_column_that_no_member_reads_may_be_missing():
    X, y = draw()
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = NoisyLabelClassifier([("by name", by_name())], random_state=0).fit(frame, y)
    np.testing.assert_array_equal(model.predict(frame[["b", "a"]]), model.predict(frame))
    with pytest.raises(ValueError, match=r"columns are missing: \{'b'\}"):
        model.predict(frame[["a"]])


@pytest.mark.parametrize("deep", [False, True])
def test_weights_that_are_not_whole_reach_the_last_step_of_a_pipeline(deep):
    class NeedsWeights(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            self.weighted_ = sample_weight is not None
            return super().fit(X, y, sample_weight)

    X, y = draw()
    member = make_pipeline(StandardScaler(), NeedsWeights())
    if deep:
        member = make_pipeline(StandardScaler(), member)
    model = NoisyLabelClassifier([("pipeline", member)], random_state=0).fit(X, y, np.arange(90) % 2 + 0.5)
    assert model.members_["status"].tolist() == ["used"]
    last = model.estimators_["pipeline"][0].model
    while hasattr(last, "steps"):
        last = last[-1]
    assert last.weighted_


def test_what_members_are_set_to_after_the_fit_changes_no_prediction():
    texts = np.array([f"{word} {number}" for number in range(30) for word in ("good", "bad")], dtype=object)
    y = np.tile([1, 0], 30)

    class Words(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            return super().fit(self._numbers(X), y)

        def predict_proba(self, X):
            return super().predict_proba(self._numbers(X))

        @staticmethod
        def _numbers(X):
            return np.array([[text.startswith("good")] for text in X], dtype=float)

    model = NoisyLabelClassifier([("words", Words())], random_state=0).fit(texts, y)
    expected = model.predict_proba(texts)
    assert np.array_equal(model.set_params(members="auto").predict_proba(texts), expected)
    X, y = draw()
    model = NoisyLabelClassifier(["neighbors"], random_state=0).fit(X, y)
    expected = model.predict_proba(X)
    assert np.array_equal(model.set_params(members=[("words", clone(Words()))]).predict_proba(X.tolist()), expected)


def test_a_fit_to_rows_without_columns_forgets_how_many_there_were():
    class Length(LogisticRegression):
        def fit(self, X, y):
            return super().fit([[len(text)] for text in X], y)

        def predict_proba(self, X):
            return super().predict_proba([[len(text)] for text in X])

    X, y = draw()
    model = NoisyLabelClassifier(["neighbors"], random_state=0).fit(pd.DataFrame(X, columns=list("abcd")), y)
    texts = ["x" * (1 + label) for label in y]
    model.set_params(members=[("length", Length())]).fit(texts, y)
    assert not hasattr(model, "n_features_in_") and not hasattr(model, "feature_names_in_")
    assert model.score(texts, y) == 1


def test_a_setting_that_fails_leaves_the_others_of_its_grid():
    X, y = draw()
    grid = {"var_smoothing": [-1.0, 1e-9, 1e-3]}
    with pytest.warns(
        FitFailedWarning, match=r"Settings of members are left out: 'bayes' with {'var_smoothing': -1.0}"
    ):
        model = NoisyLabelClassifier([("bayes", GaussianNB(), grid)], random_state=0).fit(X, y)
    assert [row["var_smoothing"] for row in model.candidates_["parameters"]] == [1e-9, 1e-3]
    assert len(model.estimators_["bayes"]) == 5
    with pytest.warns(FitFailedWarning, match="Members are left out: 'bayes' failed with InvalidParameterError"):
        worse = [("logistic", LogisticRegression()), ("bayes", GaussianNB(), {"var_smoothing": [-1.0, -2.0]})]
        NoisyLabelClassifier(worse, random_state=0).fit(X, y)


@pytest.mark.filterwarnings("ignore:The predictions disagree:UserWarning")
def test_a_label_that_only_rows_of_weight_zero_have_is_one_of_the_report():
    X, y = draw()
    y[:3] = 7
    weight = (np.arange(90) >= 3).astype(float)
    model = NoisyLabelClassifier([("bayes", GaussianNB())], random_state=0).fit(X, y, weight)
    assert model.classes_.tolist() == [0, 1]
    report = model.report(X)
    assert report.classes.tolist() == [0, 1, 7]
    assert report.issues["given_label"].eq(7).any()
    assert audit_labels(model, X, y).issues.equals(report.issues)


@pytest.mark.filterwarnings("ignore:The predictions disagree:UserWarning")  # these labels mean nothing
def test_only_the_very_rows_of_the_fit_are_audited_without_another(monkeypatch):
    X, y = draw()
    y = np.sort(y)  # as it is where rows come class by class
    model = NoisyLabelClassifier(["neighbors"], random_state=0).fit(X, y)
    fits = []
    fit = NoisyLabelClassifier.fit
    monkeypatch.setattr(NoisyLabelClassifier, "fit", lambda self, *args: fits.append(1) or fit(self, *args))
    scaled = StandardScaler().fit(X)
    piped = make_pipeline(scaled, clone(model)).fit(X, y)
    fits.clear()
    for estimator in (model, piped):
        assert audit_labels(estimator, X, y).issues["row"].size
        assert audit_labels(estimator, pd.DataFrame(X), y).issues["row"].size
    assert fits == []
    for estimator, rows in (
        (model, X[::-1]),
        (model, X + 1e-9),
        (piped, X[::-1]),
        (make_pipeline(StandardScaler(), model), X),
    ):
        expected = audit_labels(clone(estimator), rows, y)
        assert audit_labels(estimator, rows, y).fingerprint == expected.fingerprint
    assert len(fits) == 8


def rows_of(codes, splits, weight=None):
    X = np.random.default_rng(0).normal(size=(len(codes), 2))
    weight = np.ones(len(codes)) if weight is None else weight
    return TrainingRows({"own": X}, codes, weight, codes.max() + 1, splits, True)


HALVES = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]


@pytest.mark.parametrize("named", ["X and y", "X", "y"])
def test_a_report_refuses_rows_in_another_order_than_that_of_the_fit(named, tmp_path):
    X, y = draw()
    index = [f"row {number}" for number in range(90)]
    frame = pd.DataFrame(X, columns=list("abcd"), index=index)
    labels = pd.Series(y, index=index)
    given = (frame if "X" in named else X, labels if "y" in named else y)
    model = NoisyLabelClassifier([("bayes", GaussianNB())], random_state=0).fit(*given)
    for fitted in (model, pickle.loads(pickle.dumps(model))):
        fitted.report(frame)
        fitted.report(frame.reset_index(drop=True))  # without names it is the order that counts
        fitted.report(X, display=frame, ids=labels)
        for other in ({"X": frame[::-1]}, {"display": frame[::-1]}, {"ids": labels[::-1]}):
            with pytest.raises(ValueError, match=f"{next(iter(other))} must have their rows in the same order"):
                fitted.report(**other)
    pytest.importorskip("skops")
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="must have their rows in the same order"):
        NoisyLabelClassifier.load(tmp_path / "model").report(frame[::-1])
    model.fit(X, y).report(frame[::-1])  # nor known of a fit to arrays


@pytest.mark.filterwarnings("ignore:The predictions disagree:UserWarning")
@pytest.mark.parametrize("index", [pd.Index(np.arange(90)[::-1]), pd.RangeIndex(100, 190), pd.Index(list("ab") * 45)])
def test_a_report_names_rows_as_an_audit_does(index):
    # Numbers of a table that was shuffled are no positions: X.loc[report.issues.index] were other rows.
    X, y = draw()
    frame, labels = pd.DataFrame(X, columns=list("abcd"), index=index), pd.Series(y, index=index)
    for given in ((frame, labels), (frame, y), (X, labels)):
        model = NoisyLabelClassifier([("bayes", GaussianNB())], random_state=0).fit(*given)
        audited = audit_labels(model, *given).issues
        assert len(audited) and list(audited.index) == list(index[audited["row"]])
        for report in (model.report(), model.report(given[0]), model.report(display=X)):
            pd.testing.assert_frame_equal(report.issues, audited)
    assert model.report(pd.DataFrame(X)).issues.index.tolist() == audited["row"].tolist()  # rows that it is shown


class KnowsPatients(LogisticRegression):
    """Certain of patients whom it was fitted to, in the last column."""

    def fit(self, X, y):
        self.patients_ = X[:, -1]
        return super().fit(X, y)

    def predict_proba(self, X):
        return np.where(np.isin(X[:, [-1]], self.patients_), [1.0, 0.0], [0.5, 0.5])


@pytest.mark.parametrize("given", [{"cv": LeaveOneGroupOut()}, {"cv": 4}, {"cv": GroupKFold(3)}])
def test_rows_that_weigh_nothing_are_left_out_with_their_group_as_well(given):
    X, y = draw()
    patients = np.arange(90) % 9
    X[:, -1] = patients
    weight = (np.arange(90) % 4 > 0).astype(float)
    weight[patients == 8] = 0  # whom no model knows
    model = NoisyLabelClassifier([("knows", KnowsPatients())], combination="mean", random_state=0, **given)
    model.fit(X, y, weight, groups=patients)
    np.testing.assert_allclose(model.oof_proba_, 0.5)
    # New rows are those of all models.
    assert model.predict_proba(X[:8])[:, 0].min() > 0.6


def test_a_fold_that_learns_from_one_class_says_that_class():
    codes = np.repeat([2, 0, 1], [30, 15, 15])
    fitted = OwnMember("bayes", GaussianNB(), None, np.array(["a", "b", "c"])).fit(rows_of(codes, HALVES), Work(), 0)
    np.testing.assert_array_equal(fitted.left_out[30:], np.tile([0, 0, 1], (30, 1)))
    np.testing.assert_array_equal(fitted.left_out[:30, 2], 0)  # a class that the other fold does not know
    np.testing.assert_allclose(fitted.left_out[:30].sum(axis=1), 1)


def test_members_without_a_seed_are_given_one_and_others_keep_theirs():
    codes = np.arange(60) % 2
    left_outs = {}
    for own_seed in (None, 5):
        member = OwnMember("tree", DecisionTreeClassifier(splitter="random", random_state=own_seed), None, np.arange(2))
        fitted = [member.fit(rows_of(codes, HALVES), Work(), seed) for seed in (1, 1, 2)]
        left_outs[own_seed] = [one.left_out for one in fitted]
        assert member.estimator.random_state == own_seed and not hasattr(member.estimator, "classes_")
    one, same, other = left_outs[None]
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert np.array_equal(left_outs[5][0], left_outs[5][2])


def test_each_fold_has_a_model_of_its_own_that_its_rows_were_left_out_by():
    rows = rows_of(np.arange(60) % 2, HALVES)
    fitted = OwnMember("bayes", GaussianNB(), {"var_smoothing": [1e-3, 10.0]}, np.arange(2)).fit(rows, Work(), 0)
    for model, (_, test) in zip(fitted.models, HALVES, strict=True):
        np.testing.assert_array_equal(model.predict_proba(rows.views["own"][test]), fitted.left_out[test])
        assert model.model.var_smoothing == fitted.parameters["var_smoothing"]


class Late(Work):
    """Its time is over, or its checkpoint broken, at a piece of that name."""

    def __init__(self, name, error):
        super().__init__()
        self.name, self.error = name, error

    def piece(self, name, compute):
        if name != self.name:
            return super().piece(name, compute)
        if not isinstance(self.error, TimeIsOver):
            self.trouble = self.error
        raise self.error


@pytest.mark.parametrize("piece", ["bayes-0-1", "bayes-1-0"])
@pytest.mark.parametrize("error", [TimeIsOver("piece"), OSError("no space left")])
def test_what_is_no_fault_of_a_setting_ends_the_member(piece, error):
    member = OwnMember("bayes", GaussianNB(), {"var_smoothing": [1e-9, 1e-3, 1e-1]}, np.arange(2))
    with pytest.raises(type(error)) as raised:
        member.fit(rows_of(np.arange(60) % 2, HALVES), Late(piece, error), 0)
    assert raised.value is error


def test_the_last_setting_may_fail_and_each_failure_says_which_it_was():
    member = OwnMember("bayes", GaussianNB(), {"var_smoothing": [1e-9, -1.0]}, np.arange(2))
    fitted = member.fit(rows_of(np.arange(60) % 2, HALVES), Work(), 0)
    assert [candidate.parameters for candidate in fitted.candidates] == [{"var_smoothing": 1e-9}]
    (failure,) = fitted.failures
    assert failure.startswith("{'var_smoothing': -1.0} failed with InvalidParameterError: ")


@pytest.mark.parametrize("row", [[np.nan, 1], [-0.1, 1.1], [0.5, 0.4], [0.5, np.inf]])
def test_rows_that_are_no_probabilities_are_refused(row):
    with pytest.raises(ValueError, match="its predict_proba gives rows that are no probabilities"):
        checked_proba([[0.5, 0.5], row], 2)
    with pytest.raises(ValueError, match="its predict_proba gives 1 rows for 2"):
        checked_proba([[0.5, 0.5]], 2)
    np.testing.assert_array_equal(checked_proba(np.array([[1, 0]]), 1), [[1.0, 0.0]])


def test_columns_of_a_frame_of_probabilities_are_found_by_name():
    class Framed(GaussianNB):
        def predict_proba(self, X):
            return pd.DataFrame(super().predict_proba(X), columns=self.classes_)[self.classes_[::-1]]

    X, y = draw()
    words = np.array(["no", "yes"])[y]
    model = Recoded(Framed().fit(X, words), np.array(["no", "or", "yes"]))
    np.testing.assert_array_equal(model.classes_, [0, 2])
    np.testing.assert_array_equal(model.predict_proba(X), GaussianNB().fit(X, words).predict_proba(X))


def test_weights_go_to_steps_that_ask_for_them_where_metadata_is_routed():
    X, y = draw()
    weight = np.arange(90) % 2 + 0.5
    with config_context(enable_metadata_routing=True):
        asks = LogisticRegression().set_fit_request(sample_weight=True)
        scaled = StandardScaler().set_fit_request(sample_weight=False)
        member = make_pipeline(scaled, asks)
        model = NoisyLabelClassifier(
            [("pipeline", member)],
            cv=[(np.arange(45), np.arange(45, 90))] * 1 + [(np.arange(45, 90), np.arange(45))],
            random_state=0,
        ).fit(X, y, weight)
    by_hand = make_pipeline(StandardScaler(), LogisticRegression())
    by_hand.fit(X[:45], y[:45], logisticregression__sample_weight=weight[:45])
    np.testing.assert_allclose(model.estimators_["pipeline"][0].model.predict_proba(X), by_hand.predict_proba(X))


def test_weights_that_are_not_whole_are_never_rounded_to_repetitions():
    rows = rows_of(np.arange(60) % 2, HALVES, np.where(np.arange(60) < 30, 1.5, 0.5))
    with pytest.raises(ValueError, match="takes no sample_weight, and the weights are not whole numbers"):
        OwnMember("none", NoWeights(), None, np.arange(2)).fit(rows, Work(), 0)


def test_large_whole_weights_are_not_made_into_that_many_rows():
    # Rows of a census stand for thousands of people each.
    weight = np.random.default_rng(0).integers(1_000_000, 3_000_000, 60).astype(float)
    rows = rows_of(np.arange(60) % 2, HALVES, weight)
    tracemalloc.start()
    piped = OwnMember("piped", make_pipeline(StandardScaler(), GaussianNB()), None, np.arange(2)).fit(rows, Work(), 0)
    with pytest.raises(ValueError, match="takes no sample_weight, and the weights are too large to repeat rows by"):
        OwnMember("none", NoWeights(), None, np.arange(2)).fit(rows, Work(), 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
    X = rows.views["own"]
    by_hand = make_pipeline(StandardScaler(), GaussianNB())
    train, test = HALVES[0]
    by_hand.fit(X[train], rows.codes[train], gaussiannb__sample_weight=weight[train])
    np.testing.assert_array_equal(piped.left_out[test], by_hand.predict_proba(X[test]))


@pytest.mark.parametrize(
    ("member", "keyword"),
    [
        (GridSearchCV(LogisticRegression(), {"C": [0.01, 1]}, cv=2), "sample_weight"),
        (GridSearchCV(make_pipeline(GaussianNB()), {}, cv=2), "gaussiannb__sample_weight"),
        (make_pipeline(GridSearchCV(GaussianNB(), {}, cv=2)), "gridsearchcv__sample_weight"),
        (VotingClassifier([("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"), "sample_weight"),
        (StackingClassifier([("a", GaussianNB())], cv=2), "sample_weight"),
    ],
)
def test_weights_are_handed_on_by_searches_votes_and_stacks(member, keyword):
    # Where each row is repeated instead, folds of their own have copies of a row on both sides.
    for weight in (1.0 + np.arange(60) % 3, 0.5 + np.arange(60) % 3):
        rows = rows_of(np.arange(60) % 2, HALVES, weight)
        left_out = OwnMember("member", member, None, np.arange(2)).fit(rows, Work(), 0).left_out
        for train, test in HALVES:
            by_hand = clone(member).fit(rows.views["own"][train], rows.codes[train], **{keyword: weight[train]})
            np.testing.assert_array_equal(left_out[test], by_hand.predict_proba(rows.views["own"][test]))


def test_a_member_that_fails_in_a_prediction_is_named():
    class Fussy(GaussianNB):
        def predict_proba(self, X):
            return super().predict_proba(X) * (np.nan if len(X) == 1 else 1)

    X, y = draw()
    model = NoisyLabelClassifier([("bayes", GaussianNB()), ("fussy", Fussy())], random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="its predict_proba gives rows that are no probabilities") as caught:
        model.predict(X[:1])
    assert "member 'fussy'" in caught.value.__notes__[0]


@pytest.mark.parametrize("form", ["coo", "bsr", "dia", "dok", "lil", "csc"])
@pytest.mark.filterwarnings("ignore:Constructing a DIA matrix:scipy.sparse.SparseEfficiencyWarning")
def test_sparse_rows_of_every_format_are_the_same(form):
    X, y = draw()
    rows = scipy.sparse.csr_matrix(np.round(X))
    for members in ([("linear", LogisticRegression())], ["neighbors", ("linear", LogisticRegression())]):
        model, expected = (NoisyLabelClassifier(members, random_state=0) for _ in range(2))
        model.fit(rows.asformat(form), y)
        np.testing.assert_array_equal(model.oof_proba_, expected.fit(rows, y).oof_proba_)
        np.testing.assert_array_equal(model.predict_proba(rows.asformat(form)), expected.predict_proba(rows))


@pytest.mark.filterwarnings("error")
def test_weights_beyond_all_integers_are_weights():
    rows = rows_of(np.arange(60) % 2, HALVES, np.full(60, 2.0**70))
    one = rows_of(np.arange(60) % 2, HALVES, np.full(60, 1.0))
    members = [OwnMember("tree", DecisionTreeClassifier(max_depth=1), None, np.arange(2)) for _ in range(2)]
    left_out = [member.fit(weighted, Work(), 0).left_out for member, weighted in zip(members, (rows, one), strict=True)]
    np.testing.assert_array_equal(*left_out)


class NoWeights(DummyClassifier):
    def fit(self, X, y):
        return super().fit(X, y)


def test_pieces_of_settings_and_folds_are_kept_apart(tmp_path):
    rows, work = rows_of(np.arange(60) % 2, HALVES), Work(Checkpoint(tmp_path, {}))
    members = [
        OwnMember(name, GaussianNB(), {"var_smoothing": settings}, np.arange(2))
        for name, settings in (("one", [1.0, 1e-3]), ("other", [0.1, 10.0]))
    ]
    for member in (*members, *members):  # the second time from what was kept
        kept, expected = member.fit(rows, work, 0), member.fit(rows, Work(), 0)
        assert np.array_equal(kept.left_out, expected.left_out) and kept.candidates == expected.candidates


class ClassMemory(Memory, ClassifierMixin, BaseEstimator):
    """A classifier that fails when it is asked about a group it saw."""

    def fit(self, X, y):
        self._remember(X, y)
        return self


FOLDS_OF_THEIR_OWN = {
    "refinery": StochasticLabelRefinery(ClassMemory(), soft_label_method="argmax", n_rounds=1, cv=3, random_state=0),
    "search": GridSearchCV(ClassMemory(), {}, cv=GroupKFold(2), scoring="neg_log_loss", error_score="raise"),
    "ensemble": NoisyLabelClassifier([("memory", ClassMemory())], cv=3, random_state=0),
}
FOLDS_OF_THEIR_OWN["pipeline"] = make_pipeline("passthrough", FOLDS_OF_THEIR_OWN["refinery"])


@pytest.mark.parametrize("routed", [False, True])
@pytest.mark.parametrize("cv", [3, GroupKFold(3)])
@pytest.mark.parametrize("member", FOLDS_OF_THEIR_OWN.values(), ids=FOLDS_OF_THEIR_OWN)
def test_groups_are_whole_in_folds_that_a_member_draws_itself(member, cv, routed):
    groups = np.arange(60) // 4
    X, y = np.column_stack([groups, np.arange(60.0)]), np.arange(60) % 2
    with config_context(enable_metadata_routing=routed):
        model = NoisyLabelClassifier([("memory", member)], cv=cv, random_state=0).fit(X, y, groups=groups)
    assert model.members_["status"].tolist() == ["used"]


def test_rows_are_distinct_by_group_in_folds_of_the_user_too():
    X, y, groups = np.zeros((40, 2)), np.arange(40) % 2, np.arange(40) // 4
    folds = [(np.arange(20), np.arange(20, 40)), (np.arange(20, 40), np.arange(20))]
    distinct, splits, *_ = leave_out(X, y, y, None, groups, folds, 0)
    assert len(distinct.rows) == 20 and set(distinct.weight) == {2}
    assert all(
        np.array_equal(np.unique(groups[distinct.rows[test]]), np.unique(groups[given]))
        for (_, test), (_, given) in zip(splits, folds, strict=True)
    )
