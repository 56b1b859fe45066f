"""Noise models of the literature: closed forms, what is drawn from them, and what they refuse."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch

from sklabelnoise import noise
from sklabelnoise.noise import check_transition_matrix, symmetric_transition_matrix

# Superclasses and classes as listed on https://www.cs.toronto.edu/~kriz/cifar.html, in that page's order.
CIFAR100_CLASSES = """
beaver dolphin otter seal whale
aquarium_fish flatfish ray shark trout
orchid poppy rose sunflower tulip
bottle bowl can cup plate
apple mushroom orange pear sweet_pepper
clock keyboard lamp telephone television
bed chair couch table wardrobe
bee beetle butterfly caterpillar cockroach
bear leopard lion tiger wolf
bridge castle house road skyscraper
cloud forest mountain plain sea
camel cattle chimpanzee elephant kangaroo
fox porcupine possum raccoon skunk
crab lobster snail spider worm
baby boy girl man woman
crocodile dinosaur lizard snake turtle
hamster mouse rabbit shrew squirrel
maple_tree oak_tree palm_tree pine_tree willow_tree
bicycle bus motorcycle pickup_truck train
lawn_mower rocket streetcar tank tractor
"""


MATRICES = {
    "symmetric": noise.symmetric_transition_matrix(10, 0.4),
    "symmetric, true class included": noise.symmetric_transition_matrix(10, 0.4, include_true_class=True),
    "pair flip": noise.pair_flip_transition_matrix(10, 0.4),
    "CIFAR-10": noise.asymmetric_transition_matrix(10, 0.4, noise.CIFAR10_FLIPS),
    "MNIST": noise.asymmetric_transition_matrix(10, 0.4, noise.MNIST_FLIPS),
    "blocks, next": noise.block_flip_transition_matrix(100, 0.4),
    "blocks, pair": noise.block_flip_transition_matrix(100, 0.4, flip="pair", random_state=0),
    "superclass, next": noise.superclass_transition_matrix(noise.CIFAR100_SUPERCLASSES, 0.4),
    "superclass, pair": noise.superclass_transition_matrix(
        noise.CIFAR100_SUPERCLASSES, 0.4, flip="pair", random_state=0
    ),
}


# Over balanced classes; derived by hand from each definition.
RATES = dict(zip(MATRICES, [0.4, 0.36, 0.4, 0.2, 0.2, 0.4, 0.16, 0.4, 0.16], strict=True))


@pytest.mark.parametrize("name", MATRICES)
class TestEveryMatrix:
    def test_rows_sum_to_one(self, name):
        np.testing.assert_allclose(MATRICES[name].sum(axis=1), 1, rtol=0, atol=1e-12)

    def test_asks_for_the_documented_rate(self, name):
        assert noise.expected_noise_rate(MATRICES[name]) == pytest.approx(RATES[name], abs=1e-12)

    def test_drawn_labels_follow_the_formula_within_five_standard_errors(self, name):
        T, per_class = MATRICES[name], 5_000
        y = np.repeat(np.arange(len(T)), per_class)
        y_noisy = noise.corrupt_labels(y, T, random_state=0)
        realized = noise.realized_transition_matrix(y, y_noisy)
        standard_error = np.sqrt(T * (1 - T) / per_class)
        assert (np.abs(realized - T) <= 5 * standard_error + 1e-12).all()

    def test_exact_counts_are_off_by_less_than_one(self, name):
        T, per_class = MATRICES[name], 123
        y = np.repeat(np.arange(len(T)), per_class)
        y_noisy = noise.corrupt_labels(y, T, exact_counts=True, random_state=0)
        realized = noise.realized_transition_matrix(y, y_noisy)
        assert np.abs(realized * per_class - T * per_class).max() < 1


def test_symmetric_noise_excludes_the_true_class_unless_told_otherwise():
    excluded = noise.symmetric_transition_matrix(4, 0.6)
    included = noise.symmetric_transition_matrix(4, 0.6, include_true_class=True)
    np.testing.assert_allclose(np.diag(excluded), 0.4)
    np.testing.assert_allclose(np.diag(included), 0.4 + 0.15)
    np.testing.assert_allclose(included, noise.symmetric_transition_matrix(4, 0.6 * 3 / 4))


def test_superclasses_of_cifar100_are_the_official_ones():
    groups = [line.split() for line in CIFAR100_CLASSES.split("\n") if line]
    fine = sorted(name for group in groups for name in group)  # fine labels are alphabetical
    official = [next(i for i, group in enumerate(groups) if name in group) for name in fine]
    assert list(noise.CIFAR100_SUPERCLASSES) == official


def test_no_index_block_of_cifar100_is_a_superclass():
    blocks = np.reshape(noise.CIFAR100_SUPERCLASSES, (20, 5))
    assert all(len(set(block)) > 1 for block in blocks.tolist())
    superclass = np.array(noise.CIFAR100_SUPERCLASSES)
    T = noise.block_flip_transition_matrix(100, 0.4)
    np.fill_diagonal(T, 0)
    assert (superclass[T.argmax(axis=1)] == superclass).sum() == 6


@pytest.mark.parametrize("flip", ["next", "pair"])
def test_superclass_flips_stay_inside_the_superclass(flip):
    superclass = np.array(noise.CIFAR100_SUPERCLASSES)
    T = noise.superclass_transition_matrix(superclass, 0.3, flip=flip, random_state=1)
    source, target = np.nonzero(T)
    assert (superclass[source] == superclass[target]).all()
    if flip == "pair":
        np.testing.assert_array_equal(T, T.T)


def test_any_pair_of_a_superclass_may_be_the_one_that_is_drawn():
    matrices = [noise.superclass_transition_matrix([0, 0, 0], 0.3, flip="pair", random_state=seed) for seed in range(9)]
    assert {tuple(np.flatnonzero(T.diagonal() < 1)) for T in matrices} == {(0, 1), (0, 2), (1, 2)}


@pytest.mark.parametrize("flip", ["next", "pair"])
def test_blocks_are_superclasses_of_consecutive_classes(flip):
    blocks = np.repeat(np.arange(4), 3)
    for seed in range(3):
        T = noise.block_flip_transition_matrix(12, 0.3, block_size=3, flip=flip, random_state=seed)
        np.testing.assert_array_equal(T, noise.superclass_transition_matrix(blocks, 0.3, flip=flip, random_state=seed))


def test_the_next_of_a_superclass_is_the_one_above_it_and_the_first_after_the_last():
    alone = noise.superclass_transition_matrix([7] * 5, 0.3)
    np.testing.assert_array_equal(alone, noise.pair_flip_transition_matrix(5, 0.3))
    T = noise.superclass_transition_matrix(["a", "b", "a", "b", "a", "b"], 0.3)
    assert (T - np.diag(T.diagonal())).argmax(axis=1).tolist() == [2, 3, 4, 5, 0, 1]


BAD = {
    "rate of one": (lambda: noise.symmetric_transition_matrix(3, 1.0), r"rate must be a number in \[0, 1\), got 1.0"),
    "negative rate": (lambda: noise.pair_flip_transition_matrix(3, -0.1), r"rate must be .* got -0.1"),
    "NaN rate": (lambda: noise.symmetric_transition_matrix(3, np.nan), r"rate must be .* got nan"),
    "one class": (lambda: noise.symmetric_transition_matrix(1, 0.1), "n_classes must be an integer of at least 2"),
    "flip outside": (lambda: noise.asymmetric_transition_matrix(3, 0.1, {0: 3}), "both in 0 to 2, got 0: 3"),
    "flip to itself": (lambda: noise.asymmetric_transition_matrix(3, 0.1, {1: 1}), "one class to another.*got 1: 1"),
    "blocks": (lambda: noise.block_flip_transition_matrix(7, 0.1), "block_size must be .* divides 7, got 5"),
    "lonely class": (lambda: noise.superclass_transition_matrix([0, 0, 1], 0.1), "got one of superclass 1"),
    "superclasses of two dimensions": (
        lambda: noise.superclass_transition_matrix([[0, 0], [1, 1]], 0.1),
        r"superclasses must be one-dimensional, got shape \(2, 2\)",
    ),
    "flip": (
        lambda: noise.superclass_transition_matrix([0, 0], 0.1, flip="up"),
        'must be "next" or "pair", got \'up\'',
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("flips", [{True: 2}, {0.5: 1}, {"0": "1"}, {0: 1.5}, {0: None}])
def test_flips_are_of_numbers_of_classes(flips):
    with pytest.raises(ValueError, match="flips must map one class to another, both in 0 to 2, got"):
        noise.asymmetric_transition_matrix(3, 0.2, flips)


def test_flips_are_a_dict():
    with pytest.raises(TypeError, match="flips must be a dict of one class to another, got"):
        noise.asymmetric_transition_matrix(3, 0.2, [(0, 1)])


def test_superclasses_are_labels():
    with pytest.raises(ValueError, match="superclasses must not hold missing labels, got one in row 2"):
        noise.superclass_transition_matrix(["a", "a", None, None], 0.2)


def test_a_frame_is_checked_in_the_order_of_its_rows():
    T = pd.DataFrame([[0.1, 0.9], [0.7, 0.3]], index=["a", "b"], columns=["b", "a"])
    assert noise.check_transition_matrix(T).tolist() == [[0.9, 0.1], [0.3, 0.7]]
    assert noise.expected_noise_rate(T) == pytest.approx(0.2)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("n_classes", [3, 100])
def test_rows_sum_to_one_up_to_what_half_precision_rounds(half, n_classes):
    exact = symmetric_transition_matrix(n_classes, 0.3)
    checked = check_transition_matrix(torch.from_numpy(exact).to(half))
    assert np.allclose(checked.sum(axis=1), 1, rtol=0, atol=1e-12)
    assert np.allclose(checked, exact, rtol=2 * torch.finfo(half).eps)
    with pytest.raises(ValueError, match="Rows of transition_matrix must sum to 1"):
        check_transition_matrix(torch.from_numpy(exact * 0.98).to(half))


@pytest.mark.parametrize("rate", [np.float32(0.25), np.float16(0.25), Fraction(1, 4)], ids=repr)
@pytest.mark.parametrize(
    "make",
    [
        lambda rate: noise.symmetric_transition_matrix(7, rate),
        lambda rate: noise.symmetric_transition_matrix(7, rate, include_true_class=True),
        lambda rate: noise.pair_flip_transition_matrix(7, rate),
        lambda rate: noise.block_flip_transition_matrix(10, rate),
        lambda rate: noise.corrupt_labels_by_instance(np.eye(60)[:, :3], np.arange(60) % 3, rate, random_state=0),
    ],
    ids=["symmetric", "true class included", "pair flip", "blocks", "by instance"],
)
def test_a_rate_of_any_type_of_number_gives_what_a_float_gives(make, rate):
    expected = make(0.25)
    np.testing.assert_array_equal(make(rate), expected)
    assert make(rate).dtype == expected.dtype
