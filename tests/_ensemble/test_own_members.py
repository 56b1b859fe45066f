"""Members of the user: what they are shown, and how they are weighted."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise.audit import audit_labels


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
    assert model.predict(X).shape == (90,)


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
