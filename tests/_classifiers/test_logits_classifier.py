"""Predictions of one network agree with each other, whichever way they are asked for."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier

CLASSIFIERS = [DMClassifier, ProSelfLCClassifier, RobustLossClassifier]
FAST = {"max_epochs": 3, "random_state": 0}

each_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS)


@each_classifier
def test_predictions_agree_with_each_other(classifier, blobs):
    X, y = blobs
    names = np.array(["cat", "ant", "bee"])[y]
    model = classifier(**FAST).fit(X, names)
    p = model.predict_proba(X)
    assert model.classes_.tolist() == ["ant", "bee", "cat"]
    assert np.allclose(p.sum(axis=1), 1)
    assert np.array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    assert np.allclose(model.predict_log_proba(X), np.log(p))
    logits = model.decision_function(X)
    assert np.allclose(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), p)
    assert model.score(X, names) == np.mean(model.predict(X) == names)


def test_log_probabilities_are_finite_where_probabilities_vanish(blobs):
    X, y = blobs
    model = RobustLossClassifier(loss="cross_entropy", **FAST).fit(X, y)
    far = 1e6 * X
    assert (model.predict_proba(far) == 0).any()
    assert np.isfinite(model.predict_log_proba(far)).all()


def test_for_two_classes_the_decision_is_the_difference_of_the_logits(blobs):
    X, y = blobs[0], (blobs[1] == 0).astype(int)
    model = DMClassifier(**FAST).fit(X, y)
    decision, p = model.decision_function(X), model.predict_proba(X)
    assert decision.shape == (150,)
    assert np.allclose(1 / (1 + np.exp(-decision)), p[:, 1])
    assert np.array_equal(model.predict(X), (decision > 0).astype(int))


@each_classifier
def test_label_quality_is_the_probability_of_the_given_labels(classifier, blobs):
    X, y = blobs
    for options in ({}, {"early_stopping": True}, {"class_weight": {0: 0, 1: 1, 2: 2}}):
        model = classifier(**options, **FAST).fit(X, y)
        assert np.array_equal(model.label_quality_, model.predict_proba(X)[np.arange(150), y])


def test_the_score_is_the_share_of_the_weight(blobs):
    X, y = blobs
    model = DMClassifier(max_epochs=1, lr=0.01, random_state=0).fit(X, y)
    shown = np.where(np.arange(150) % 4 == 0, (y + 1) % 3, y)
    hit, weight = model.predict(X) == shown, np.arange(150) % 7
    assert model.score(X, shown, sample_weight=weight) == pytest.approx(np.average(hit, weights=weight), rel=1e-12)


def test_a_dataset_is_scored_by_the_labels_that_are_passed(blobs):
    X, y = blobs
    model = DMClassifier(max_epochs=1, lr=0.01, random_state=0).fit(X, y)
    wrong = (model.predict(X) + 1) % 3
    items = TensorDataset(torch.from_numpy(X), torch.from_numpy(wrong))
    assert (model.score(items), model.score(items, model.predict(X))) == (0, 1)
