"""The surest rows stand for their class, and show what its labels become."""

import numpy as np

from sklabelnoise.noise import corrupt_labels, pair_flip_transition_matrix
from sklabelnoise.noise._anchors import (
    anchor_sets,
    joint_of_anchor_sets,
    rows_of_each_prediction,
    transition_matrix_of_predictions,
)


def predictions(n_samples=90, n_classes=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(n_classes), n_samples)


def test_each_row_is_of_its_most_probable_class_and_the_surest_come_first():
    proba = predictions()
    rows = rows_of_each_prediction(proba)
    assert np.sort(np.concatenate(rows)).tolist() == list(range(90))
    for label, own in enumerate(rows):
        assert (proba[own].argmax(axis=1) == label).all()
        assert (np.diff(proba[own, label]) <= 0).all()


def test_of_rows_that_are_equally_sure_the_first_come_first():
    proba = np.tile([[0.7, 0.3], [0.4, 0.6]], (30, 1))
    assert [rows.tolist() for rows in anchor_sets(proba)] == [list(range(0, 30, 2)), list(range(1, 31, 2))]


def test_the_joint_of_true_and_given_labels_is_that_of_the_noise_where_a_model_knows_the_truth():
    T = pair_flip_transition_matrix(3, 0.3)
    true = np.repeat([0, 1, 2], [6_000, 3_000, 1_000])
    given = corrupt_labels(true, T, random_state=0)
    # nobody is surer of one row than of another: the first half of each class stands for it
    joint = joint_of_anchor_sets(given, np.eye(3)[true] * 0.8 + 0.1)
    np.testing.assert_allclose(joint.sum(), 1, rtol=0, atol=1e-12)
    np.testing.assert_allclose(joint.sum(axis=1), [0.6, 0.3, 0.1], rtol=0, atol=1e-12)
    # five standard errors of a share of .3 among 500 rows, the anchors of the smallest class
    np.testing.assert_allclose(joint / joint.sum(axis=1, keepdims=True), T, rtol=0, atol=5 * (0.21 / 500) ** 0.5)


def test_only_the_anchors_say_what_the_labels_of_a_class_become():
    proba = np.vstack([np.tile([0.9, 0.1], (20, 1)), np.tile([0.6, 0.4], (20, 1)), np.tile([0.2, 0.8], (40, 1))])
    given = np.repeat([0, 1, 1], [20, 20, 40])  # where the model is less sure all labels are wrong
    assert np.allclose(joint_of_anchor_sets(given, proba), np.diag([0.5, 0.5]))


def test_a_network_that_has_learned_the_noise_reveals_it():
    T = pair_flip_transition_matrix(4, 0.3)
    proba = T[np.arange(40) % 4]
    np.testing.assert_allclose(transition_matrix_of_predictions(proba), T, rtol=0, atol=1e-15)


def test_a_row_is_the_mean_over_the_surest_half():
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), 90).astype(np.float32)
    T = transition_matrix_of_predictions(proba)
    for i in range(3):
        own = proba[proba.argmax(axis=1) == i].astype(np.float64)
        surest = own[np.argsort(-own[:, i])][: -(-len(own) // 2)]
        # single precision predictions sum to one within 1e-7
        np.testing.assert_allclose(T[i], surest.mean(axis=0), rtol=0, atol=1e-6)
    np.testing.assert_allclose(T.sum(axis=1), 1, rtol=0, atol=1e-15)


def test_a_class_that_is_never_predicted_is_free_of_noise():
    T = transition_matrix_of_predictions(np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]]))
    np.testing.assert_allclose(T, [[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0, 0, 1]], rtol=0, atol=1e-15)


def test_small_classes_count_ten_rows():
    proba = np.repeat([[0.9, 0.1], [0.2, 0.8]], [40, 12], axis=0)
    assert [len(rows) for rows in anchor_sets(proba)] == [20, 10]
    assert [len(rows) for rows in anchor_sets(proba[:43])] == [20, 3]


def test_the_mean_of_many_rows_of_single_precision_keeps_its_digits():
    proba = np.tile(np.float32([0.7, 0.3]), (200_000, 1))
    np.testing.assert_allclose(transition_matrix_of_predictions(proba), [[0.7, 0.3], [0, 1]], rtol=1e-6)
