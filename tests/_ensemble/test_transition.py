"""Laws of the estimated transition matrix."""

import numpy as np
import pytest

from sklabelnoise._ensemble._combination import deconvolve
from sklabelnoise._ensemble._transition import (
    anchors_of_votes,
    count_labels,
    estimate_transition,
    inequality,
    ramp,
    sharpened,
    shrink_by_evidence,
    simple_transition,
    symmetric_of,
)
from sklabelnoise.noise import pair_flip_transition_matrix, symmetric_transition_matrix
from sklabelnoise.noise._anchors import anchor_sets


def draw(T, n_samples=3_000, seed=0, sharpness=8.0, n_members=4):
    """Votes of families, their combination, and given labels, where the classes are nearly separable."""
    rng = np.random.default_rng(seed)
    n_classes = len(T)
    clean = rng.integers(0, n_classes, n_samples)
    logits = sharpness * np.eye(n_classes)[clean] + rng.normal(size=(n_samples, n_classes))
    clean_proba = np.exp(logits - logits.max(axis=1, keepdims=True))
    clean_proba /= clean_proba.sum(axis=1, keepdims=True)
    proba = clean_proba @ T
    codes = (T[clean].cumsum(axis=1) < rng.uniform(size=(n_samples, 1))).sum(axis=1)
    noise = rng.normal(scale=0.02, size=(n_members, *proba.shape))
    return (proba + noise).argmax(axis=2), proba, codes


@pytest.mark.parametrize("rate", [0, 0.2, 0.4])
@pytest.mark.parametrize("n_classes", [3, 6])
@pytest.mark.parametrize("make_T", [symmetric_transition_matrix, pair_flip_transition_matrix])
def test_separable_classes_show_the_true_matrix(make_T, n_classes, rate):
    T = make_T(n_classes, rate)
    found = estimate_transition(*draw(T))
    assert np.abs(found.matrix - T).sum(axis=1).max() / 2 < 0.06
    np.testing.assert_allclose(found.matrix.sum(axis=1), 1)
    assert (found.matrix >= 0).all()


def test_the_gate_is_open_for_pair_flips_and_shut_for_symmetric_noise():
    assert estimate_transition(*draw(pair_flip_transition_matrix(5, 0.4))).gate == 1
    assert estimate_transition(*draw(symmetric_transition_matrix(5, 0.4))).gate == 0


def test_two_classes_have_no_gate():
    found = estimate_transition(*draw(symmetric_transition_matrix(2, 0.3)))
    assert found.gate == 0
    np.testing.assert_allclose(found.matrix, symmetric_transition_matrix(2, 0.3), atol=0.05)


def test_the_order_of_classes_members_and_rows_does_not_matter():
    votes, proba, codes = draw(pair_flip_transition_matrix(4, 0.3), n_samples=800)
    expected = estimate_transition(votes, proba, codes).matrix
    order = np.array([2, 0, 3, 1])
    inverse = np.argsort(order)
    relabeled = estimate_transition(inverse[votes], proba[:, order], inverse[codes]).matrix
    np.testing.assert_allclose(relabeled, expected[np.ix_(order, order)], atol=1e-10)
    rows = np.random.default_rng(0).permutation(len(codes))
    np.testing.assert_allclose(estimate_transition(votes[::-1][:, rows], proba[rows], codes[rows]).matrix, expected)


def test_a_matrix_is_never_inverted():
    # Labels of two classes that say the opposite of what all families see: the noise cannot be seen, not be inverted.
    votes, proba, codes = draw(symmetric_transition_matrix(2, 0.1))
    found = estimate_transition(votes, proba, 1 - codes).matrix
    assert (np.diag(found) >= 0.5).all()
    votes, proba, codes = draw(symmetric_transition_matrix(4, 0.1))
    found = estimate_transition(votes, proba, (codes + 1) % 4).matrix
    assert (np.diag(found) >= found.max(axis=1) - 1e-12).all()


def test_counts_without_structure_give_equal_off_diagonals_and_no_structure():
    counts = np.full((4, 4), 10.0) + 60 * np.eye(4)
    T, structure = shrink_by_evidence(counts)
    np.testing.assert_allclose(T[~np.eye(4, dtype=bool)], (1 - T[0, 0]) / 3, rtol=1e-3)
    assert structure < 0.01


def test_few_counts_are_shrunk_and_many_believed():
    pairs = pair_flip_transition_matrix(4, 0.4)
    few, many = shrink_by_evidence(5 * pairs)[0], shrink_by_evidence(5000 * pairs)[0]
    np.testing.assert_allclose(many, pairs, atol=0.01)
    assert few[0, 2] > many[0, 2]
    assert shrink_by_evidence(5000 * pairs)[1] > 0.9


def test_labels_without_a_mistake_give_nearly_the_identity():
    T, structure = shrink_by_evidence(100.0 * np.eye(3))
    np.testing.assert_allclose(T, np.eye(3), atol=0.01)
    assert structure == 0


def test_sharpening_keeps_diagonals_and_sums_and_raises_the_largest():
    T = np.array([[0.6, 0.3, 0.1], [0.1, 0.6, 0.3], [0.3, 0.1, 0.6]])
    sharp = sharpened(T, 0.5)
    np.testing.assert_allclose(np.diag(sharp), 0.6)
    np.testing.assert_allclose(sharp.sum(axis=1), 1)
    np.testing.assert_allclose(sharp[0, 1], 0.4 * 0.9)
    np.testing.assert_allclose(sharpened(T, 0.2), T)
    assert [ramp(h) for h in (0, 0.2, 0.35, 0.5, 1)] == pytest.approx([0, 0, 0.5, 1, 1])


def test_anchors_cover_fifteen_percent_of_what_a_class_wins():
    rng = np.random.default_rng(0)
    n_samples = 1_000
    first = (np.arange(n_samples) < 600).astype(int)
    votes = np.stack([first, first, np.zeros(n_samples, dtype=int), np.ones(n_samples, dtype=int)])
    proba = np.stack([rng.uniform(size=n_samples)] * 2, axis=1)
    proba[:, 1] = 1 - proba[:, 0]
    anchors = anchors_of_votes(votes, proba)
    # Nobody is unanimous: three of four votes at most.
    assert len(anchors[1]) == 90 and len(anchors[0]) == 60
    assert (first[anchors[1]] == 1).all()


def test_only_rows_that_a_class_wins_stand_for_it():
    votes = np.zeros((2, 30), dtype=int)
    votes[:, :4] = 1
    votes[0, 10:25] = 2  # a tie that the more probable class wins
    proba = np.tile([0.7, 0.2, 0.1], (30, 1))
    anchors = anchors_of_votes(votes, proba)
    assert anchors[1].tolist() == [0, 1, 2, 3]
    assert len(anchors[0]) == 11 and len(anchors[2]) == 0


def test_a_class_that_wins_no_row_is_as_noisy_as_all_others_and_disturbs_none():
    votes, proba, codes = draw(symmetric_transition_matrix(4, 0.3))
    alone = estimate_transition(votes, proba, codes)
    # A fifth class that one row is given and nobody predicts.
    wider = np.hstack([0.999 * proba, np.full((len(proba), 1), 0.001)])
    codes = codes.copy()
    codes[0] = 4
    found = estimate_transition(votes, wider, codes)
    np.testing.assert_allclose(np.diag(found.matrix)[:4], np.diag(alone.matrix), atol=0.02)
    assert found.matrix[4, 4] == pytest.approx(np.diag(found.matrix)[:4].mean(), abs=0.02)
    assert found.gate == 0
    simple = simple_transition(wider, codes)
    assert simple[4, 4] == pytest.approx(np.diag(simple)[:4].mean(), abs=0.03)


def test_two_classes_lose_labels_unequally_only_where_chance_does_not_explain_it():
    equal = np.array([[60.0, 40.0], [35.0, 65.0]])
    assert inequality(equal) == 0
    assert inequality(np.array([[95.0, 5.0], [40.0, 60.0]])) == 1
    assert inequality(np.array([[95.0, 5.0], [0.0, 0.0]])) == 0
    T = np.array([[0.95, 0.05], [0.35, 0.65]])
    np.testing.assert_allclose(estimate_transition(*draw(T)).matrix, T, atol=0.06)
    found = estimate_transition(*draw(symmetric_transition_matrix(2, 0.4), n_samples=300)).matrix
    np.testing.assert_allclose(found, found.T)


def test_weights_count_rows():
    _, proba, codes = draw(pair_flip_transition_matrix(3, 0.3), n_samples=600)
    expected = simple_transition(proba, codes)
    np.testing.assert_allclose(simple_transition(proba, codes, np.ones(600)), expected)
    doubled = simple_transition(proba, codes, np.full(600, 2.0))
    assert 0 < np.abs(doubled - expected).max() < 0.01


@pytest.mark.parametrize("sample_weight", [True, False])
def test_a_wrong_label_without_weight_is_given_nobody(sample_weight):
    """Of pairs that are flipped, in which case later rounds count the labels again."""
    T = pair_flip_transition_matrix(5, 0.3)
    votes, proba, codes = draw(T)
    right = votes[0] == codes
    found = estimate_transition(votes, proba, codes, right.astype(float) if sample_weight else None).matrix
    np.testing.assert_allclose(found.diagonal(), 1 if sample_weight else 0.7, atol=0.05)


def test_votes_decide_and_probabilities_only_between_classes_of_as_many():
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    anchors = anchors_of_votes(np.array([[0, 0], [1, 0], [1, 1], [0, 1], [1, 1]]), certain)
    assert [rows.tolist() for rows in anchors] == [[], [0, 1]]
    anchors = anchors_of_votes(np.array([[0, 0], [1, 1]]), certain)
    assert [rows.tolist() for rows in anchors] == [[0, 1], []]


def test_the_estimate_is_four_rounds_of_counting_what_is_sure_and_sharpening_by_its_structure():
    """At the end as far as both the first and the last count show structure."""
    T = 0.6 * np.eye(4) + 0.4 * (0.6 * np.roll(np.eye(4), 1, axis=1) + 0.4 / 3 * (1 - np.eye(4)))
    votes, proba, codes = draw(T / T.sum(axis=1, keepdims=True), n_samples=900, sharpness=3.0)
    anchored, first = shrink_by_evidence(count_labels(anchors_of_votes(votes, proba), codes, np.ones(900), 4))
    found, structure = anchored, first
    for _ in range(4):
        clean = deconvolve(proba, sharpened(found, structure))
        found, structure = shrink_by_evidence(count_labels(anchor_sets(clean), codes, np.ones(900), 4))
    gate = ramp((first + structure) / 2)
    assert 0.05 < gate < 0.95
    estimate = estimate_transition(votes, proba, codes)
    assert estimate.gate == pytest.approx(gate) and estimate.structure == pytest.approx((first, structure))
    np.testing.assert_allclose(estimate.matrix, (1 - gate) * anchored + gate * sharpened(found, structure))


@pytest.mark.parametrize("n_won, n_anchors", [(4, 4), (20, 10), (200, 30)])
def test_ten_anchors_are_the_least_and_the_more_votes_they_have_the_sooner_a_row_is_one(n_won, n_anchors):
    n_samples = 2 * n_won
    own = np.arange(n_samples) < n_won
    few = np.arange(n_samples) < n_won // 2  # these have three of four votes, the others two and a higher probability
    votes = np.array([own, own, few, np.zeros(n_samples)]).astype(int)
    proba = np.where(few, 0.6, 0.9)
    proba = np.stack([1 - proba, proba], axis=1)
    proba[~own] = [0.9, 0.1]
    found = anchors_of_votes(votes, proba)[1]
    assert len(found) == n_anchors
    assert few[found].sum() == min(n_anchors, few.sum())


def test_symmetric_noise_is_counted_with_half_a_label_more_and_is_a_tenth_better_than_chance_at_least():
    counts = np.array([[6.0, 2, 2], [1, 8, 1], [0, 3, 7]])
    found = symmetric_of(counts)
    np.testing.assert_allclose(np.diag(found), 21.5 / 31)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(found[0, 1:], (1 - 21.5 / 31) / 2)
    np.testing.assert_allclose(np.diag(symmetric_of(10 * (1 - np.eye(3)))), 1 / 3 + 0.1 * 2 / 3)


def test_the_simple_matrix_adds_one_row_of_the_pooled_noise_to_the_labels_of_the_surest_half():
    _, proba, codes = draw(pair_flip_transition_matrix(3, 0.3), n_samples=60)
    weight = np.random.default_rng(0).uniform(0.5, 2, 60)
    counts = count_labels(anchor_sets(proba), codes, weight, 3)
    expected = counts + symmetric_of(counts)
    np.testing.assert_allclose(simple_transition(proba, codes, weight), expected / expected.sum(axis=1, keepdims=True))
    np.testing.assert_allclose((expected - counts).sum(axis=1), 1)


@pytest.mark.parametrize("errors, share", [(2.9, 0), (3.5, 0.5), (4.1, 1)])
def test_unequal_losses_of_two_classes_are_believed_from_three_standard_errors_to_four(errors, share):
    n = 10_000
    pooled = (2 * 0.7 * n + 0.5) / (2 * n + 1)
    apart = errors * np.sqrt(pooled * (1 - pooled) * 2 / n)
    rates = 0.7 + apart / 2 * np.array([1, -1])
    assert inequality(n * np.array([[rates[0], 1 - rates[0]], [1 - rates[1], rates[1]]])) == pytest.approx(share)


def test_diagonals_are_drawn_to_the_pooled_rate_where_they_differ_by_chance_alone():
    """However unequal they look, the pooled rate counts as much as half a row at least."""
    strength = np.geomspace(0.1, 3000, 40)[9]
    counts = 50 * np.eye(3)
    counts[2] = [25.0, 20.0, 5.0]
    T = shrink_by_evidence(np.array([[1e4, 0, 0], [0, 1e4, 0], [2.5e3, 2.5e3, 5e3]]))[0]
    pooled = symmetric_of(np.array([[1e4, 0, 0], [0, 1e4, 0], [2.5e3, 2.5e3, 5e3]]))[0, 0]
    expected = (5e3 + strength * pooled) / (1e4 + strength)
    assert T[2, 2] == pytest.approx(expected, rel=1e-9)
