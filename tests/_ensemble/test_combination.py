"""Laws of the combination: what the weights of families may and may not depend on."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import softmax

from sklabelnoise._ensemble._combination import (
    centered_log_proba,
    clean_posterior,
    combination_loss,
    combination_weights,
    combine,
    deconvolve,
)
from sklabelnoise.noise import pair_flip_transition_matrix, symmetric_transition_matrix

N_CLASSES = 4


def draw(n_samples, seed=0, sharpness=2.0):
    """True posteriors of clean labels, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    proba = softmax(sharpness * rng.normal(size=(n_samples, N_CLASSES)), axis=1)
    return proba, given(proba, rng)


def given(proba, rng):
    return (proba.cumsum(axis=1) < rng.uniform(size=(len(proba), 1))).sum(axis=1)


def members(*probas):
    return np.stack([centered_log_proba(proba) for proba in probas])


@pytest.fixture
def three():
    """Logits of three members of different worth, and labels."""
    rng = np.random.default_rng(1)
    proba, codes = draw(400)
    blurred = [softmax(np.log(proba) + noise * rng.normal(size=proba.shape), axis=1) for noise in (0.3, 1.0, 3.0)]
    return members(*blurred), codes


@pytest.mark.parametrize("T", [None, pair_flip_transition_matrix(N_CLASSES, 0.3)], ids=["S", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_gradient_is_that_of_finite_differences(three, T, weighted):
    logits, codes = three
    mass = np.random.default_rng(2).integers(0, 4, len(codes)).astype(float) if weighted else None
    for weights in (np.full(3, 1 / 3), np.array([0.7, 0.0, 0.4])):
        gradient = combination_loss(weights, logits, codes, T, mass)[1]
        numeric = approx_fprime(weights, lambda w: combination_loss(w, logits, codes, T, mass)[0], 1e-7)
        np.testing.assert_allclose(gradient, numeric, atol=1e-6)


@pytest.mark.parametrize("T", [None, symmetric_transition_matrix(N_CLASSES, 0.4)], ids=["S", "F"])
def test_equal_members_get_equal_weights(T):
    proba, codes = draw(300)
    weights = combination_weights(members(proba, proba, proba), codes, T)
    np.testing.assert_allclose(weights, weights.mean(), atol=1e-6)


def test_the_weight_of_a_member_that_is_noise_goes_to_zero_as_rows_grow():
    found = []
    for n_samples in (100, 1_000, 30_000):
        proba, codes = draw(n_samples, seed=3)
        noise = draw(n_samples, seed=4)[0]
        found.append(combination_weights(members(proba, noise), codes)[1])
    assert found[-1] < 0.02
    assert found[-1] <= found[0]


@pytest.mark.parametrize("T", [None, pair_flip_transition_matrix(N_CLASSES, 0.3)], ids=["S", "F"])
def test_permuting_members_permutes_the_weights(three, T):
    logits, codes = three
    order = [2, 0, 1]
    weights, permuted = combination_weights(logits, codes, T), combination_weights(logits[order], codes, T)
    np.testing.assert_allclose(permuted, weights[order], atol=1e-5)


@pytest.mark.parametrize("T", [None, pair_flip_transition_matrix(N_CLASSES, 0.3)], ids=["S", "F"])
def test_permuting_classes_changes_no_weight(three, T):
    logits, codes = three
    order = np.array([3, 1, 0, 2])
    T_permuted = None if T is None else T[np.ix_(order, order)]
    permuted = combination_weights(logits[:, :, order], np.argsort(order)[codes], T_permuted)
    np.testing.assert_allclose(permuted, combination_weights(logits, codes, T), atol=1e-5)


def test_with_the_identity_for_T_the_forward_stack_is_the_plain_one(three):
    logits, codes = three
    np.testing.assert_allclose(
        combination_weights(logits, codes, np.eye(N_CLASSES)), combination_weights(logits, codes), atol=1e-6
    )


def test_weights_are_nonnegative_even_for_a_member_that_is_always_wrong(three):
    logits, codes = three
    weights = combination_weights(np.concatenate([logits, -logits[:1]]), codes)
    assert (weights >= 0).all()
    assert weights[3] == 0


@pytest.mark.parametrize("make_T", [symmetric_transition_matrix, pair_flip_transition_matrix])
def test_a_stack_of_true_posteriors_under_a_known_T_returns_them(make_T):
    T = make_T(N_CLASSES, 0.4)
    proba, _ = draw(20_000, sharpness=1.0)
    codes = given(proba @ T, np.random.default_rng(5))
    logits = members(proba, proba)
    weights = combination_weights(logits, codes, T)
    assert weights.sum() == pytest.approx(1, abs=0.05)
    np.testing.assert_allclose(combine(logits, weights), proba, atol=0.02)


def test_a_weight_of_two_is_a_row_twice_and_a_weight_of_zero_is_none(three):
    logits, codes = three
    mass = np.random.default_rng(6).integers(0, 3, len(codes))
    weighted = combination_loss(np.array([0.5, 0.2, 0.1]), logits, codes, None, mass.astype(float))
    repeated = combination_loss(np.array([0.5, 0.2, 0.1]), logits.repeat(mass, axis=1), codes.repeat(mass), None, None)
    assert weighted[0] == pytest.approx(repeated[0], rel=1e-12)
    np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-10)


def test_members_less_sure_than_they_could_be_get_weights_above_one():
    proba, codes = draw(2000)
    weights = combination_weights(members(softmax(np.log(proba) / 3, axis=1)), codes)
    np.testing.assert_allclose(weights, 3, atol=0.3)


def test_a_floor_keeps_impossible_predictions_finite_and_logits_centered():
    logits = centered_log_proba(np.eye(3))
    assert np.isfinite(logits).all()
    np.testing.assert_allclose(logits.mean(axis=1), 0, atol=1e-12)


def test_deconvolution_of_what_T_mixed_returns_it():
    T = pair_flip_transition_matrix(N_CLASSES, 0.3)
    proba, _ = draw(200, sharpness=1.0)
    np.testing.assert_allclose(deconvolve(proba @ T, T, n_steps=3000), proba, atol=1e-3)
    np.testing.assert_allclose(deconvolve(proba, np.eye(N_CLASSES)), proba, atol=1e-12)


def test_each_step_of_the_deconvolution_comes_nearer_to_what_was_seen():
    T = symmetric_transition_matrix(N_CLASSES, 0.5)
    seen = draw(50, seed=7)[0]

    def divergence(n_steps):
        mixed = deconvolve(seen, T, n_steps) @ T
        return np.sum(seen * np.log(seen / mixed))

    distances = [divergence(n) for n in range(0, 60, 5)]
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(distances))


def test_the_clean_posterior_is_bayes_rule_and_the_prediction_where_that_is_silent():
    proba = np.array([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    T = np.array([[0.8, 0.2, 0.0], [0.4, 0.6, 0.0], [0.0, 0.0, 1.0]])
    posterior = clean_posterior(proba, np.array([0, 2]), T)
    np.testing.assert_allclose(posterior, [[2 / 3, 1 / 3, 0], [0, 1, 0]])


def test_fifty_steps_are_taken_and_the_probabilities_that_were_seen_stay_what_they_are():
    T = symmetric_transition_matrix(N_CLASSES, 0.5)
    seen = draw(50, seed=7)[0]
    before = seen.copy()
    found = deconvolve(seen, T)
    by_hand = seen.copy()
    for _ in range(50):
        by_hand = by_hand * ((seen / (by_hand @ T)) @ T.T)
    np.testing.assert_allclose(found, by_hand / by_hand.sum(axis=1, keepdims=True), rtol=1e-10)
    posterior = clean_posterior(seen, np.arange(50) % N_CLASSES, T)
    assert posterior is not seen
    np.testing.assert_array_equal(seen, before)


def test_the_prior_counts_as_many_rows_as_it_is_told_and_draws_to_equal_weights(three):
    logits, codes = three
    at = np.array([0.7, 0.0, 0.4])
    few, many = (combination_loss(at, logits, codes, prior_rows=rows)[0] for rows in (0.0, 8.0))
    assert many - few == pytest.approx(8 * np.sum((at - 1 / 3) ** 2) / (2 * len(codes)))
    np.testing.assert_allclose(combination_weights(logits, codes, prior_rows=1e9), 1 / 3, atol=1e-4)


@pytest.mark.parametrize("T", [None, pair_flip_transition_matrix(N_CLASSES, 0.3)], ids=["S", "F"])
def test_no_other_weights_have_a_smaller_loss(three, T):
    logits, codes = three
    logits = np.concatenate([logits, logits[:1] * 0.3])  # two that want very different weights
    weights = combination_weights(logits, codes, T)
    gradient = combination_loss(weights, logits, codes, T)[1]
    assert (np.abs(gradient[weights > 0]) < 1e-5).all() and (gradient[weights == 0] >= 0).all()


def test_a_probability_of_nothing_counts_as_one_in_a_thousand():
    found = centered_log_proba(np.array([[1.0, 0.0]]))
    assert found[0, 0] - found[0, 1] == pytest.approx(np.log(1000))
