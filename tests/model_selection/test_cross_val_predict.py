"""Predictions of folds that are trained together are those of scikit-learn."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier
from sklabelnoise.model_selection import fused_cross_val_predict

SMALL = {"module__hidden": (8,), "max_epochs": 3, "batch_size": 128, "device": "cpu", "random_state": 0}


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_method_gives_what_scikit_learn_gives(noisy, method, n_classes):
    X, y = noisy
    if n_classes == 2:
        X, y = X[y != "c"], y[y != "c"]
    ours = fused_cross_val_predict(
        DMClassifier(**SMALL), X, y, cv=KFold(4, shuffle=True, random_state=0), method=method
    )
    theirs = cross_val_predict(DMClassifier(**SMALL), X, y, cv=KFold(4, shuffle=True, random_state=0), method=method)
    if method == "predict":
        np.testing.assert_array_equal(ours, theirs)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_pipelines_groups_and_weights(noisy):
    X, y = noisy
    estimator = make_pipeline(StandardScaler(), DMClassifier(**SMALL))
    keywords = {
        "groups": np.arange(len(y)) // 10,
        "cv": GroupKFold(3),
        "params": {"dmclassifier__sample_weight": np.linspace(0, 1, len(y))},
        "method": "predict_proba",
    }
    ours = fused_cross_val_predict(estimator, X, y, **keywords)
    np.testing.assert_allclose(ours, cross_val_predict(estimator, X, y, **keywords), rtol=1e-9, atol=1e-9)


def test_folds_are_trained_together(noisy, monkeypatch):
    X, y = noisy
    monkeypatch.setattr(DMClassifier, "fit", None)  # an ordinary fit would fail
    monkeypatch.setattr("sklabelnoise._classifiers._base._OWN_METHODS", ())
    assert len(fused_cross_val_predict(DMClassifier(**SMALL), X, y, cv=3)) == len(y)


def test_what_cannot_be_trained_together_is_handed_on(noisy):
    X, y = noisy
    forest = RandomForestClassifier(n_estimators=5, random_state=0)
    np.testing.assert_array_equal(fused_cross_val_predict(forest, X, y, cv=3), cross_val_predict(forest, X, y, cv=3))
    with pytest.raises(ValueError, match="only works for partitions"):
        fused_cross_val_predict(DMClassifier(**SMALL), X, y, cv=[(np.arange(50), np.arange(40, 60))])
    order = np.argsort(y, kind="stable")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of the missing class
        proba = fused_cross_val_predict(DMClassifier(**SMALL), X[order], y[order], cv=KFold(3), method="predict_proba")
    assert proba.shape == (len(y), 3)


def test_what_is_handed_on_is_handed_on_whole(noisy):
    X, y = noisy
    keywords = {
        "groups": np.arange(len(y)) // 10,
        "cv": GroupKFold(3),
        "params": {"sample_weight": np.where(y == "a", 9.0, 1.0)},
        "method": "predict_proba",
    }
    ours = fused_cross_val_predict(GaussianNB(), X, y, **keywords)
    np.testing.assert_array_equal(ours, cross_val_predict(GaussianNB(), X, y, **keywords))
    assert np.abs(ours - fused_cross_val_predict(GaussianNB(), X, y, **keywords | {"params": None})).max() > 0.01


def test_an_iterator_of_splits_is_gone_through_once(noisy):
    X, y = noisy
    for estimator in (DMClassifier(**SMALL), GaussianNB()):
        given = [fused_cross_val_predict(estimator, X, y, cv=cv) for cv in (KFold(3), KFold(3).split(X))]
        np.testing.assert_array_equal(*given)


@pytest.mark.parametrize("estimator", [DMClassifier(**SMALL), GaussianNB()], ids=["network", "other"])
def test_what_cannot_be_is_said(noisy, estimator):
    X, y = noisy
    with pytest.raises(ValueError, match="The 'method' parameter of cross_val_predict must be a str among"):
        fused_cross_val_predict(estimator, X, y, cv=3, method="score_samples")
    with pytest.raises(ValueError, match="y must not hold missing labels, got one in row 1"):
        fused_cross_val_predict(estimator, X, ["a", None] * 105 + ["b"], cv=3)


def test_where_metadata_are_routed_they_go_by_what_was_asked_for(noisy):
    X, y = noisy
    keywords = {"cv": 3, "params": {"sample_weight": np.where(y == "a", 9.0, 1.0)}, "method": "predict_proba"}
    with sklearn.config_context(enable_metadata_routing=True):
        for wanted in (True, False):
            estimator = DMClassifier(**SMALL).set_fit_request(sample_weight=wanted)
            if wanted:
                ours, theirs = (of(estimator, X, y, **keywords) for of in (fused_cross_val_predict, cross_val_predict))
                np.testing.assert_array_equal(ours, theirs)
            else:
                with pytest.raises(TypeError, match="sample_weight"):
                    fused_cross_val_predict(estimator, X, y, **keywords)


def test_a_diverging_fold_raises(noisy):
    X, y = noisy
    with pytest.raises(ValueError, match="Training stopped"):
        fused_cross_val_predict(DMClassifier(optimizer="SGD", lr=1e300, **SMALL), X, y, cv=3)
