"""Weights, soft labels and class weights are what repeated rows would be."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.class_weight import compute_class_weight

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier

CLASSIFIERS = [DMClassifier, ProSelfLCClassifier, RobustLossClassifier]
FAST = {"max_epochs": 3, "random_state": 0}

each_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS)


def proba(model, X, y, **kwargs):
    return model.fit(X, y, **kwargs).predict_proba(X)


def full_batch(classifier=DMClassifier, **params):
    return classifier(batch_size=10_000, max_epochs=10, random_state=0, **params)


@each_classifier
@pytest.mark.parametrize("weight", [1.0, 7.5])
def test_equal_weights_change_nothing_to_the_bit(classifier, weight, blobs):
    model = classifier(batch_size=32, **FAST)
    assert np.array_equal(proba(model, *blobs), proba(model, *blobs, sample_weight=np.full(150, weight)))


@each_classifier
def test_integer_weights_equal_repetition(classifier, blobs):
    X, y = blobs
    weight = np.random.default_rng(0).integers(0, 4, size=len(y))
    ours = full_batch(classifier).fit(X, y, sample_weight=weight).predict_proba(X)
    theirs = full_batch(classifier).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight)).predict_proba(X)
    # sums over a full batch in another order: rounding of float64, grown over ten steps
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@each_classifier
def test_zero_weight_equals_removal(classifier, blobs):
    X, y = blobs
    kept = np.random.default_rng(0).random(len(y)) < 0.7
    model = classifier(batch_size=32, **FAST)
    ours = model.fit(X, y, sample_weight=kept).predict_proba(X)
    assert len(model.label_quality_) == len(y)
    assert np.array_equal(ours, model.fit(X[kept], y[kept]).predict_proba(X))


@each_classifier
def test_soft_labels_that_are_certain_equal_labels(classifier, blobs):
    X, y = blobs
    model = classifier(batch_size=32, **FAST)
    # the same terms, but a sum over classes in place of a look-up
    assert np.allclose(proba(model, X, y), proba(model, X, y, soft_labels=np.eye(3)[y]), rtol=1e-9, atol=1e-12)


def replicate(X, targets):
    rows, labels = targets.nonzero()
    return X[rows], labels, targets[rows, labels]


@pytest.mark.parametrize("model", [
    full_batch(DMClassifier, lam=1, beta=4), full_batch(DMClassifier, normalization="none"),
    full_batch(RobustLossClassifier, loss="cross_entropy"), full_batch(RobustLossClassifier, loss="gce"),
    full_batch(ProSelfLCClassifier),
])  # fmt: skip
def test_soft_labels_equal_one_weighted_row_for_each_class(model, blobs):
    X, y = blobs
    targets = np.random.default_rng(0).dirichlet(np.ones(3), size=len(y))
    ours = clone(model).fit(X, y, soft_labels=targets).predict_proba(X)
    rows, labels, weight = replicate(X, targets)
    theirs = clone(model).fit(rows, labels, sample_weight=weight).predict_proba(X)
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_frame_of_soft_labels_is_read_by_its_column_names(blobs):
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    frame = pd.DataFrame(np.eye(3)[y], columns=["a", "b", "c"])
    model = DMClassifier(**FAST)
    expected = proba(model, X, names, soft_labels=frame.to_numpy())
    assert np.array_equal(proba(model, X, names, soft_labels=frame[["c", "a", "b"]]), expected)


def test_a_frame_of_soft_labels_brings_classes_that_the_labels_miss(blobs):
    X, y = blobs
    shown = y != 2
    frame = pd.DataFrame(np.eye(4)[y], columns=[0, 1, 2, 3])
    model = DMClassifier(**FAST).fit(X[shown], y[shown], soft_labels=frame[shown])
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert model.predict_proba(X).shape == (150, 4)


@each_classifier
def test_balanced_class_weights_are_scikit_learns(classifier, blobs):
    X, y = blobs[0][:100], np.minimum(blobs[1][:100], 1)
    explicit = dict(enumerate(compute_class_weight("balanced", classes=np.array([0, 1]), y=y)))
    balanced = full_batch(classifier, class_weight="balanced")
    expected = proba(balanced, X, y)
    assert np.allclose(proba(full_batch(classifier, class_weight=explicit), X, y), expected, rtol=1e-9)
    weight = np.array([explicit[label] for label in y])
    assert np.allclose(proba(full_batch(classifier), X, y, sample_weight=weight), expected, rtol=1e-9)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5, 2: 0.0}])
def test_class_weights_of_soft_labels_multiply_each_class_of_a_row(class_weight, blobs):
    X, y = blobs
    targets = np.random.default_rng(0).dirichlet([0.3, 1, 2], size=len(y))
    weight = np.random.default_rng(1).uniform(0.5, 2, size=len(y))
    model = full_batch(RobustLossClassifier, loss="cross_entropy", class_weight=class_weight)
    ours = clone(model).fit(X, y, soft_labels=targets, sample_weight=weight).predict_proba(X)
    rows, labels, shares = replicate(X, weight[:, None] * targets)
    theirs = clone(model).fit(rows, labels, sample_weight=shares).predict_proba(X)
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@each_classifier
def test_rows_that_are_left_out_are_predicted_by_fits_with_the_weights_of_the_others(classifier, blobs):
    X, y = blobs
    targets = np.random.default_rng(0).dirichlet(np.ones(3), size=150)
    weight = np.random.default_rng(1).uniform(0.1, 2, size=150)
    splits = [(np.flatnonzero(np.arange(150) % 2 != fold), np.arange(fold, 150, 2)) for fold in range(2)]
    model = classifier(batch_size=32, **FAST)
    left_out = model._predict_left_out(X, targets, splits, weight)
    for train, test in splits:
        single = clone(model).fit(X[train], y[train], weight[train], soft_labels=targets[train])
        # trained together or one by one: sums in another order
        np.testing.assert_allclose(left_out[test], single.predict_proba(X[test]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("soft", [False, True])
def test_balanced_classes_have_equal_weight_after_the_weights_of_rows(soft, blobs):
    X, y = blobs
    y = np.minimum(y, 1)
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y)) * (1 + 5 * y)
    targets = np.random.default_rng(1).dirichlet([1, 3], len(y)) if soft else None
    data = DMClassifier(class_weight="balanced")._check_training_set(X, y, weight, targets)
    mass = np.bincount(data.labels, data.sample_weight) if not soft else data.sample_weight @ data.soft_targets
    assert mass[0] == pytest.approx(mass[1], rel=1e-12)
    assert mass.sum() == pytest.approx(weight.sum(), rel=1e-12)


def test_a_class_that_class_weight_does_not_name_weighs_one(blobs):
    model = full_batch(class_weight={0: 2.0})
    named = full_batch(class_weight={0: 2.0, 1: 1.0, 2: 1.0})
    assert np.array_equal(proba(model, *blobs), proba(named, *blobs))


@pytest.mark.parametrize("scale", [2.0**-900, 2.0**-80, 2.0**80, 2.0**900])
def test_weights_beyond_single_precision_are_those_within(scale, blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    weight = np.random.default_rng(0).uniform(0.5, 1, len(y))
    model = DMClassifier(batch_size=32, **FAST)
    expected = proba(model, X, y, sample_weight=weight)
    assert np.array_equal(proba(model, X, y, sample_weight=weight * scale), expected)
