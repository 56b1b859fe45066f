"""What decides, and how far: the opinions that a decision is made of."""

import numpy as np
import pytest
from scipy.special import softmax

from sklabelnoise._ensemble._combination import centered_log_proba, combination_weights, combine, deconvolve
from sklabelnoise._ensemble._decision import Decision, learn_decision
from sklabelnoise._ensemble._transition import Transition
from sklabelnoise.noise import pair_flip_transition_matrix, symmetric_transition_matrix


def draw(T, n_samples=600, n_members=4, blur=0.3, seed=0):
    """Predictions of blurred members for the given label, given labels, and clean ones."""
    rng = np.random.default_rng(seed)
    n_classes = len(T)
    clean_proba = softmax(4 * rng.normal(size=(n_samples, n_classes)), axis=1)
    clean = clean_proba.argmax(axis=1)
    codes = (T[clean].cumsum(axis=1) < rng.uniform(size=(n_samples, 1))).sum(axis=1)
    logits = np.log(clean_proba @ T) + blur * rng.normal(size=(n_members, n_samples, n_classes))
    return softmax(logits, axis=2), codes, clean


def decided(n_classes, gate, structure, noise_rate=0.3):
    """A decision with S and F apart, and its parts of some predictions."""
    decision, probas = decided_as(n_classes, gate, structure, noise_rate), drawn(n_classes)
    logits = centered_log_proba(probas)
    given, clean = decision.given_weights, decision.clean_weights
    T = decision.transition.matrix
    parts = deconvolve(combine(logits, given), T), combine(logits, clean), probas.mean(axis=0)
    return decision.proba(probas), parts


def drawn(n_classes):
    return draw(symmetric_transition_matrix(n_classes, 0.3))[0]


def decided_as(n_classes, gate, structure, noise_rate=0.3):
    T = symmetric_transition_matrix(n_classes, 0.3) if n_classes == 2 else pair_flip_transition_matrix(n_classes, 0.3)
    given, clean = np.array([1.0, 0, 0, 0]), np.array([0, 1.0, 0, 0])
    return Decision(given, clean, Transition(T, gate, (structure, structure)), np.ones(n_classes), False, noise_rate)


def mixed(weights, parts):
    logs = sum(weight * np.log(part + 1e-4) for weight, part in zip(weights, parts, strict=True))
    return softmax(logs / sum(weights), axis=1)


@pytest.mark.parametrize(
    "gate, structure, weights",
    [
        (0, 0, (0, 1, 0.5)),  # without structure what is left of S would only repeat it
        (0, 0.025, (0.5, 1, 0.5)),
        (0, 0.05, (1, 1, 0.5)),
        (0, 0.3, (1, 1, 0.5)),
        (0.5, 0.5, (1, 0.5, 0.25)),
        (0.5, 0, (0.5, 0.5, 0.25)),
        (1, 0.9, (1, 0, 0)),
    ],
)
def test_each_opinion_counts_as_far_as_the_noise_has_structure(gate, structure, weights):
    found, parts = decided(4, gate, structure)
    np.testing.assert_allclose(found, mixed(weights, parts), rtol=1e-10)


@pytest.mark.parametrize("noise_rate, share", [(0, 0), (0.05, 0.25), (0.2, 1), (0.6, 1)])
def test_the_mean_of_the_families_counts_as_far_as_labels_are_wrong(noise_rate, share):
    found, parts = decided(4, 0.5, 0.5, noise_rate)
    np.testing.assert_allclose(found, mixed((1, 0.5, share * 0.25), parts), rtol=1e-10)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3])
def test_the_share_of_wrong_labels_is_learned_with_the_decision(rate):
    probas, codes, clean = draw(symmetric_transition_matrix(4, rate), 4_000, blur=0.05)
    decision = learn_decision(probas, codes, np.ones(4_000))
    assert decision.noise_rate == pytest.approx(np.mean(codes != clean), abs=0.08)


def test_a_decision_that_was_saved_without_the_share_of_wrong_labels_decides_as_it_did():
    new = decided_as(4, 0.5, 0.5, noise_rate=0.3)
    old = Decision.__new__(Decision)
    old.__dict__.update({name: value for name, value in vars(new).items() if name != "noise_rate"})
    np.testing.assert_array_equal(old.proba(drawn(4)), new.proba(drawn(4)))


def test_of_two_classes_s_decides_with_the_noise_taken_out():
    found, parts = decided(2, 0.0, 0.0)
    np.testing.assert_allclose(found, mixed((1, 0, 0), parts), rtol=1e-10)


def test_weights_of_two_classes_are_nearer_to_equal_than_the_labels_alone_would_have_them_until_rows_are_many():
    T = symmetric_transition_matrix(2, 0.4)
    apart = {}
    for n_samples in (300, 30_000):
        probas, codes, _ = draw(T, n_samples)
        probas[0] = softmax(np.random.default_rng(1).normal(size=probas[0].shape), axis=1)
        alone = combination_weights(centered_log_proba(probas), codes)
        weights = learn_decision(probas, codes, np.ones(n_samples)).given_weights
        apart[n_samples] = [np.ptp(own[1:]) for own in (weights, alone)]
        assert weights[0] < weights[1:].min()
    assert apart[300][0] < apart[300][1] / 2
    assert apart[30_000][0] > 0.9 * apart[30_000][1]


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@pytest.mark.parametrize("combination", ["auto", "mean"])
@pytest.mark.parametrize(("n_classes", "equal"), [(2, False), (2, True), (4, True)])
def test_a_weight_is_that_many_rows(n_classes, equal, combination, class_weight):
    """With more classes the surest half of the rows stands for each: of rows, of which weights make no more."""
    probas, codes, _ = draw(pair_flip_transition_matrix(n_classes, 0.3), 150)
    probas, codes = np.tile(probas, (1, 2, 1)), np.tile(codes, 2)
    times = np.full(300, 3) if equal else np.random.default_rng(0).integers(0, 4, 300)
    rows = np.repeat(np.arange(300), times)
    weighted = learn_decision(probas, codes, times.astype(float), combination, class_weight)
    repeated = learn_decision(probas[:, rows], codes[rows], np.ones(len(rows)), combination, class_weight)
    for name in ("given_weights", "clean_weights", "class_weight", "noise_rate"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name), rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(weighted.transition.matrix, repeated.transition.matrix, rtol=1e-5)
    np.testing.assert_allclose(weighted.proba(probas), repeated.proba(probas), rtol=1e-4)


@pytest.mark.parametrize("combination", ["auto", "mean"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_order_of_the_families_decides_nothing(n_classes, combination):
    probas, codes, _ = draw(pair_flip_transition_matrix(n_classes, 0.3), 300, blur=1.0)
    order = [2, 0, 3, 1]
    one, other = (learn_decision(of, codes, np.ones(300), combination) for of in (probas, probas[order]))
    np.testing.assert_allclose(other.given_weights, one.given_weights[order], rtol=1e-4)
    np.testing.assert_allclose(other.transition.matrix, one.transition.matrix, rtol=1e-4)
    np.testing.assert_allclose(other.proba(probas[order]), one.proba(probas), rtol=1e-4)


@pytest.mark.parametrize("combination", ["auto", "mean"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_weight_of_a_class_multiplies_its_odds(n_classes, combination):
    probas, codes, _ = draw(symmetric_transition_matrix(n_classes, 0.3), 300)
    plain, weighted = (
        learn_decision(probas, codes, np.ones(300), combination, weight).proba(probas)
        for weight in (None, np.arange(1.0, n_classes + 1))
    )
    odds = [proba[:, 1:] / proba[:, :1] for proba in (plain, weighted)]
    np.testing.assert_allclose(odds[1], odds[0] * np.arange(2, n_classes + 1), rtol=1e-9)


def test_families_that_know_the_clean_labels_count_in_full_in_f_and_little_in_s():
    rng = np.random.default_rng(0)
    T, clean_proba = pair_flip_transition_matrix(4, 0.35), softmax(4 * rng.normal(size=(2_000, 4)), axis=1)
    clean = (clean_proba.cumsum(axis=1) < rng.uniform(size=(2_000, 1))).sum(axis=1)
    codes = (T[clean].cumsum(axis=1) < rng.uniform(size=(2_000, 1))).sum(axis=1)
    decision = learn_decision(np.stack([clean_proba] * 2), codes, np.ones(2_000))
    assert decision.clean_weights.sum() > 1 > 3 * decision.given_weights.sum()


def test_shares_of_classes_and_of_wrong_labels_are_those_of_the_clean_ones():
    T = np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.0, 0.3, 0.7]])
    rng = np.random.default_rng(0)
    clean = rng.choice(3, size=6_000, p=[0.7, 0.2, 0.1])
    codes = (T[clean].cumsum(axis=1) < rng.uniform(size=(6_000, 1))).sum(axis=1)
    sure = 0.98 * np.eye(3)[clean] + 0.02 / 3
    probas = np.stack([sure @ T] * 3)
    decision = learn_decision(probas, codes, np.ones(6_000), class_weight="balanced")
    shares = 1 / decision.class_weight
    np.testing.assert_allclose(shares / shares.sum(), [0.7, 0.2, 0.1], atol=0.03)
    assert decision.noise_rate == pytest.approx(0.7 * 0.1 + 0.1 * 0.3, abs=0.03)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_noise_is_taken_out_of_probabilities(n_classes):
    T = symmetric_transition_matrix(n_classes, 0.3)
    probas, codes, clean = draw(T, 4_000, blur=0.05)
    proba = learn_decision(probas, codes, np.ones(4_000)).proba(probas)
    said = proba.max(axis=1).mean()
    assert said == pytest.approx(np.mean(proba.argmax(axis=1) == clean), abs=0.12)


def test_one_row_of_a_class_of_its_own_changes_no_other_decision():
    T = symmetric_transition_matrix(3, 0.3)
    probas, codes, clean = draw(T, 1_500)
    before = learn_decision(probas, codes, np.ones(1_500)).proba(probas).argmax(axis=1)
    wider = np.concatenate([0.999 * probas, np.full((4, 1_500, 1), 0.001)], axis=2)
    rare = codes.copy()
    rare[0] = 3
    after = learn_decision(wider, rare, np.ones(1_500)).proba(wider).argmax(axis=1)
    assert np.mean(before == after) > 0.99
    assert np.mean(after == clean) > np.mean(before == clean) - 0.005


def test_balanced_weights_move_decisions_to_rare_classes_and_raise_their_recall():
    rng = np.random.default_rng(0)
    prior = np.array([0.85, 0.1, 0.05])
    clean = rng.choice(3, size=3_000, p=prior)
    logits = np.log(prior) + 1.5 * np.eye(3)[clean] + rng.normal(size=(4, 3_000, 3))
    probas = softmax(logits, axis=2)
    plain, balanced = (
        learn_decision(probas, clean, np.ones(3_000), class_weight=weight).proba(probas).argmax(axis=1)
        for weight in (None, "balanced")
    )

    def recall(predicted):
        return np.mean([np.mean(predicted[clean == k] == k) for k in range(3)])

    assert recall(balanced) > recall(plain) + 0.05
    assert np.mean(plain == clean) >= np.mean(balanced == clean)


@pytest.mark.parametrize("n_samples", [300, 3_000, 30_000])
def test_a_class_of_a_single_row_that_nobody_expects_is_not_predicted_everywhere_for_its_weight(n_samples):
    expected = (np.arange(n_samples) % (n_samples // 15) == 1).astype(int)
    codes = expected.copy()
    codes[0] = 2
    probas = np.stack([share * np.eye(3)[expected] + (1 - share) / 2 * np.array([1, 1, 0]) for share in (0.99, 0.98)])
    probas /= probas.sum(axis=2, keepdims=True)
    proba = learn_decision(probas, codes, np.ones(n_samples), class_weight="balanced").proba(probas)
    assert np.array_equal(proba.argmax(axis=1), expected)
    assert (
        proba[:, 2].max() < 0.1
    )  # what a floor leaves of it, times the largest weight, which is a tenth of the floor's inverse
