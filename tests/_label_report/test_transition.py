"""Estimates of the noise, against known noise and slow references."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise.audit import (
    estimate_noise_rate,
    estimate_transition_matrix,
)
from sklabelnoise.noise import (
    corrupt_labels,
    pair_flip_transition_matrix,
    symmetric_transition_matrix,
)

METHODS = ["anchor_sets", "confident_joint", "anchor_points", "predictions"]


def separable_evidence(T, n_per_class=2000, seed=0):
    """What a perfect model of the given labels says: row y of T, moved a little so that no two rows are equal."""
    rng = np.random.default_rng(seed)
    y_clean = np.repeat(np.arange(len(T)), n_per_class)
    proba = T[y_clean] + rng.uniform(0, 1e-3, (len(y_clean), len(T)))
    return corrupt_labels(y_clean, T, random_state=seed), proba / proba.sum(axis=1, keepdims=True), y_clean


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rate", [0.0, 0.2, 0.4])
def test_a_perfect_model_reveals_the_matrix(method, rate):
    T = pair_flip_transition_matrix(4, rate)
    y, proba, _ = separable_evidence(T)
    # Five standard errors of the half of 2000 rows that anchor sets count; 0.001 is what the rows were moved by.
    bound = 5 * np.sqrt(T * (1 - T) / 1000) + 0.002
    assert (np.abs(estimate_transition_matrix(y, proba, method=method) - T) <= bound).all()


@pytest.mark.parametrize("method", METHODS)
def test_rows_sum_to_one(method, no_warning_of_a_poor_model, random_evidence):
    T = estimate_transition_matrix(*random_evidence(), method=method)
    np.testing.assert_allclose(T.sum(axis=1), 1, rtol=0, atol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_permuting_classes_permutes_the_matrix(method, no_warning_of_a_poor_model, random_evidence):
    y, proba = random_evidence()
    order = np.array([2, 0, 4, 1, 3])
    permuted = estimate_transition_matrix(np.argsort(order)[y], proba[:, order], method=method)
    expected = estimate_transition_matrix(y, proba, method=method)[np.ix_(order, order)]
    np.testing.assert_allclose(permuted, expected, rtol=0, atol=1e-12)


def test_confident_joint_equals_a_slow_reference(no_warning_of_a_poor_model, random_evidence):
    y, proba = random_evidence()
    thresholds = [np.mean([proba[i, j] for i in range(len(y)) if y[i] == j]) for j in range(5)]
    counts = np.zeros((5, 5))  # given by true, equation 1 of Northcutt et al.
    for i in range(len(y)):
        claims = [j for j in range(5) if proba[i, j] >= thresholds[j]]
        if claims:
            counts[y[i], max(claims, key=lambda j: proba[i, j])] += 1
    joint = counts / counts.sum(axis=1, keepdims=True) * np.bincount(y)[:, None] / len(y)  # equation 3
    T = estimate_transition_matrix(y, proba, method="confident_joint")
    np.testing.assert_allclose(T, (joint / joint.sum(axis=0)).T, rtol=0, atol=1e-12)
    assert estimate_noise_rate(y, proba, method="confident_joint") == pytest.approx(1 - np.trace(joint))


@pytest.mark.parametrize("rate", [0.1, 0.2, 0.3, 0.4])
def test_noise_rate_of_a_real_fit_is_within_five_points(rate):
    X, y_clean = load_digits(return_X_y=True)
    y = corrupt_labels(y_clean, symmetric_transition_matrix(10, rate), exact_counts=True, random_state=0)
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05))
    proba = cross_val_predict(model, X, y, cv=cv, method="predict_proba")
    assert abs(estimate_noise_rate(y, proba) - rate) < 0.05


def test_a_class_nobody_is_predicted_as_keeps_the_identity(no_warning_of_a_poor_model):
    proba = np.tile([0.6, 0.3, 0.1], (30, 1))
    T = estimate_transition_matrix(np.arange(30) % 3, proba)
    np.testing.assert_array_equal(T[1:], np.eye(3)[1:])


def test_a_class_nobody_was_given_may_have_a_column(no_warning_of_a_poor_model, random_evidence):
    y, proba = random_evidence()
    y[y == 2] = 1
    for method in METHODS:
        T = estimate_transition_matrix(y, proba, classes=range(5), method=method)
        assert np.isfinite(T).all()


def test_poor_models_are_warned_of(random_evidence):
    y, proba = random_evidence(2000)
    with pytest.warns(UserWarning, match=r"disagree with \d\d% of the given labels.*too often wrong"):
        estimate_noise_rate(y, proba)


def test_a_model_that_is_wrong_where_it_is_unsure_is_warned_of():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 5, 4000)
    sure = rng.uniform(0.3, 1, 4000)
    predicted = np.where(rng.uniform(size=4000) < sure, y, (y + 1) % 5)  # right as often as it says
    proba = np.where(np.eye(5)[predicted] == 1, sure[:, None], (1 - sure[:, None]) / 4)
    with pytest.warns(UserWarning, match="too often wrong"):
        estimate_noise_rate(y, proba)


def test_a_method_nobody_knows_is_named():
    with pytest.raises(ValueError, match=r"method must be one of .* got 'guess'"):
        estimate_noise_rate([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], method="guess")


@pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")
def test_anchor_points_weigh_the_surest_rows_by_what_is_predicted_and_the_rate_is_of_the_method(random_evidence):
    y, proba = random_evidence()
    y = np.minimum(y, 2)  # so that shares of labels and of predictions differ
    surest, predicted = proba[proba.argmax(axis=0)], proba.argmax(axis=1)
    classes = np.arange(5)
    given = {"method": "anchor_points", "classes": classes}
    np.testing.assert_allclose(estimate_transition_matrix(y, proba, **given), surest, rtol=1e-12)
    kept = surest.diagonal()[predicted].mean()
    assert estimate_noise_rate(y, proba, **given) == pytest.approx(1 - kept, rel=1e-12)
    given = {"method": "predictions", "classes": classes}
    assert estimate_noise_rate(y, proba, **given) == pytest.approx(np.mean(y != predicted), rel=1e-12)
