"""Members of the user: what they are shown, and how they are weighted."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import NoisyLabelClassifier


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
