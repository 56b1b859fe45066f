"""Estimators whose `set_params` or `fit` returns nothing: scikit-learn's FrozenEstimator, and many a user's own."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import BaggingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression

from sklabelnoise import (
    DMClassifier,
    NoisyLabelClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise._foundation._cloned import cloned_with
from sklabelnoise.audit import audit_labels
from sklabelnoise.model_selection import fused_cross_val_predict

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
# Fitted elsewhere, to other labels: what was trained anew would predict otherwise.
OTHER = 1 - Y


class SaysNothing(ClassifierMixin, BaseEstimator):
    """A classifier whose `fit` and `set_params` return None."""

    def __init__(self, C=1.0):
        self.C = C

    def set_params(self, **params):
        super().set_params(**params)

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(X, y)
        self.classes_ = self.model_.classes_

    def predict_proba(self, X):
        return self.model_.predict_proba(X)

    def predict(self, X):
        return self.model_.predict(X)


def test_a_clone_with_other_parameters_is_a_clone():
    original = SaysNothing()
    other = cloned_with(original, {"C": 2.0})
    assert type(other) is SaysNothing
    assert (other.C, original.C) == (2.0, 1.0)


@pytest.mark.parametrize(
    "inner", [LogisticRegression(), DMClassifier(max_epochs=2, random_state=0)], ids=["logistic regression", "network"]
)
def test_a_frozen_classifier_is_used_as_it_is(inner):
    frozen = FrozenEstimator(inner.fit(X, OTHER))
    expected = frozen.predict_proba(X)
    ensemble = NoisyLabelClassifier([("frozen", frozen)], random_state=0).fit(X, Y)
    assert ensemble.members_["status"].tolist() == ["used"]
    np.testing.assert_array_equal(ensemble.estimators_["frozen"][0].predict_proba(X), expected)
    refinery = StochasticLabelRefinery(frozen, n_rounds=1, cv=3, soft_label_method="argmax", random_state=0).fit(X, Y)
    np.testing.assert_allclose(refinery.predict_proba(X), expected, rtol=1e-6)
    np.testing.assert_allclose(refinery.oof_proba_, expected, rtol=1e-6)
    left_out = fused_cross_val_predict(frozen, X, Y, cv=3, method="predict_proba")
    np.testing.assert_allclose(left_out, expected, rtol=1e-6)
    with pytest.warns(UserWarning, match="too often wrong"):
        report = audit_labels(frozen, X, Y, cv=3, random_state=0)
    np.testing.assert_allclose(report.proba, expected, rtol=1e-6)
    np.testing.assert_array_equal(frozen.predict_proba(X), expected)


def test_a_frozen_regressor_is_used_as_it_is():
    frozen = FrozenEstimator(LinearRegression().fit(X, OTHER))
    refinery = StochasticLabelRefineryRegressor(frozen, n_rounds=1, cv=3, random_state=0).fit(X, X[:, 0])
    np.testing.assert_allclose(refinery.predict(X), frozen.predict(X))


def test_a_classifier_that_returns_nothing_is_used_all_the_same():
    ensemble = NoisyLabelClassifier([("own", SaysNothing(), {"C": [0.1, 1.0]})], random_state=0).fit(X, Y)
    assert ensemble.members_["status"].tolist() == ["used"]
    assert ensemble.score(X, Y) > 0.9
    weighted = NoisyLabelClassifier([("own", SaysNothing())], random_state=0).fit(X, Y, np.repeat([1, 2], 30))
    assert weighted.score(X, Y) > 0.9
    for cv in (3, None):
        report = audit_labels(SaysNothing(), X, Y, cv=cv, random_state=0)
        assert report.proba[np.arange(len(Y)), Y].mean() > 0.7
    refinery = StochasticLabelRefinery(SaysNothing(), n_rounds=1, cv=3, soft_label_method="argmax", random_state=0)
    assert refinery.fit(X, Y).score(X, Y) > 0.9


def test_an_estimator_among_the_parameters_is_not_shared():
    """As the candidates of a search would, which are fitted one after the other."""
    inner = LogisticRegression(C=3)
    one, other = (cloned_with(BaggingClassifier(), {"estimator": inner}) for _ in range(2))
    assert one.estimator is not inner and one.estimator is not other.estimator
    assert one.estimator.C == 3
