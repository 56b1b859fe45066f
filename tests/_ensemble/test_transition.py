"""Laws of the estimated transition matrix."""

import numpy as np
import pytest

from sklabelnoise._ensemble._transition import (
    anchors_of_votes,
    estimate_transition,
    inequality,
    ramp,
    sharpened,
    shrink_by_evidence,
    simple_transition,
)
from sklabelnoise.noise import pair_flip_transition_matrix, symmetric_transition_matrix


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
