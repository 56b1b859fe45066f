"""Noise models: closed forms, realised rates, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sklabelnoise import noise

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
        realised = noise.realized_transition_matrix(y, y_noisy)
        standard_error = np.sqrt(T * (1 - T) / per_class)
        assert (np.abs(realised - T) <= 5 * standard_error + 1e-12).all()

    def test_exact_counts_are_off_by_less_than_one(self, name):
        T, per_class = MATRICES[name], 123
        y = np.repeat(np.arange(len(T)), per_class)
        y_noisy = noise.corrupt_labels(y, T, exact_counts=True, random_state=0)
        realised = noise.realized_transition_matrix(y, y_noisy)
        assert np.abs(realised * per_class - T * per_class).max() < 1


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


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float64, (4, 4), elements=st.floats(0.01, 1)),
    st.lists(st.integers(0, 3), min_size=1, max_size=200),
    st.integers(0, 2**31 - 1),
)
def test_exact_counts_hold_for_any_matrix_and_class_sizes(T, y, seed):
    T, y = T / T.sum(axis=1, keepdims=True), np.array(y)
    y_noisy = noise.corrupt_labels(y, T, classes=range(4), exact_counts=True, random_state=seed)
    for i in range(4):
        counts = np.bincount(y_noisy[y == i], minlength=4)
        assert (np.abs(counts - T[i] * (y == i).sum()) < 1).all()


def test_exact_counts_leave_no_trace_of_row_order():
    y = np.zeros(10_000, dtype=int)
    T = noise.symmetric_transition_matrix(2, 0.5)
    y_noisy = noise.corrupt_labels(y, T, classes=[0, 1], exact_counts=True, random_state=0)
    # Hypergeometric: the first half holds 2500 +- 35.4 flips; five standard deviations.
    assert abs(y_noisy[:5000].sum() - 2500) < 5 * 36


@pytest.mark.parametrize("exact_counts", [False, True])
def test_a_rate_of_zero_changes_nothing(exact_counts):
    y = np.array(["b", "a", "c", "a"])
    T = noise.symmetric_transition_matrix(3, 0.0)
    np.testing.assert_array_equal(noise.corrupt_labels(y, T, exact_counts=exact_counts), y)


@pytest.mark.parametrize("y", [["x", "y", "x"], [1.5, 3.0, 1.5], [7, 9, 7], [True, False, True]])
def test_labels_keep_their_values_and_dtype(y):
    y_noisy = noise.corrupt_labels(y, [[0, 1], [1, 0]], random_state=0)
    assert y_noisy.dtype == np.asarray(y).dtype
    assert (y_noisy != np.asarray(y)).all()
    assert set(y_noisy) == set(y)


def test_strings_equal_integers():
    T = noise.symmetric_transition_matrix(3, 0.5)
    y = np.arange(300) % 3
    names = np.array(["ant", "bee", "cat"])
    expected = names[noise.corrupt_labels(y, T, random_state=3)]
    np.testing.assert_array_equal(noise.corrupt_labels(pd.Series(names[y]), T, random_state=3), expected)


def test_classes_give_the_order_and_may_be_missing_from_y():
    T = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    y_noisy = noise.corrupt_labels(["low", "high"], T, classes=["low", "mid", "high"])
    assert y_noisy.tolist() == ["mid", "low"]


def test_the_seed_decides_and_leaves_no_footprint():
    y, T = np.arange(1000) % 10, MATRICES["symmetric"]
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is what must not move
    first, again, other = (noise.corrupt_labels(y, T, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_realised_rate_and_matrix_agree():
    y = np.arange(1000) % 5
    y_noisy = noise.corrupt_labels(y, noise.pair_flip_transition_matrix(5, 0.3), random_state=0)
    T = noise.realized_transition_matrix(y, y_noisy)
    assert noise.realized_noise_rate(y, y_noisy) == pytest.approx(noise.expected_noise_rate(T))


def test_expected_rate_follows_the_class_prior():
    T = [[1, 0], [0.5, 0.5]]
    assert noise.expected_noise_rate(T, class_prior=[90, 10]) == pytest.approx(0.05)


class TestByInstance:
    @pytest.fixture
    def rows(self):
        rng = np.random.default_rng(0)
        return rng.normal(size=(5000, 6)), rng.integers(0, 4, 5000)

    @pytest.mark.parametrize("rate", [0.2, 0.4])
    def test_realised_rate_is_the_asked_one(self, rows, rate):
        y_noisy = noise.corrupt_labels_by_instance(*rows, rate, random_state=0)
        # Cutting at 0 moves the mean rate of 0.2 by 0.0008; the rest is five standard errors of 5000 draws.
        assert abs(noise.realized_noise_rate(rows[1], y_noisy) - rate) < 0.001 + 5 * np.sqrt(rate * (1 - rate) / 5000)

    def test_wrong_labels_follow_from_the_features(self, rows):
        X, y = rows
        y_noisy = noise.corrupt_labels_by_instance(10 * X, y, 0.5, random_state=0)
        wrong = (y_noisy != y) & (y == 0)
        # At this scale the wrong label is nearly a function of x: each is found on one side of a linear boundary.
        centre = {c: X[wrong & (y_noisy == c)].mean(axis=0) for c in np.unique(y_noisy[wrong])}
        nearest = [max(centre, key=lambda c: x @ centre[c]) for x in X[wrong]]
        assert np.mean(nearest == y_noisy[wrong]) > 0.8  # 1/3 by chance

    def test_features_of_zero_make_it_symmetric(self, rows):
        X, y = rows
        y_noisy = noise.corrupt_labels_by_instance(0 * X, y, 0.4, spread=0, random_state=0)
        T, per_class = noise.symmetric_transition_matrix(4, 0.4), np.bincount(y).min()
        realised = noise.realized_transition_matrix(y, y_noisy)
        assert (np.abs(realised - T) < 5 * np.sqrt(T * (1 - T) / per_class)).all()

    def test_images_are_flattened(self, rows):
        X, y = rows
        flat = noise.corrupt_labels_by_instance(X, y, 0.4, random_state=0)
        images = noise.corrupt_labels_by_instance(X.reshape(-1, 1, 2, 3), y, 0.4, random_state=0)
        np.testing.assert_array_equal(flat, images)


class TestSubsampleClasses:
    def test_ratio_of_two_classes_is_positive_to_negative(self):
        y = np.repeat(["negative", "positive"], 12_500)
        for ratio, negatives in [(10, 1250), (50, 250)]:  # Derivative Manipulation, section 4.4.2
            _, y_sub = noise.subsample_classes(y[:, None], y, ratio, random_state=0)
            assert (y_sub == "negative").sum() == negatives
            assert (y_sub == "positive").sum() == 12_500

    def test_parts_for_each_class(self):
        y = np.arange(3000) % 3
        _, y_sub = noise.subsample_classes(y[:, None], y, {0: 4, 1: 2, 2: 1}, random_state=0)
        assert np.bincount(y_sub).tolist() == [1000, 500, 250]

    def test_rows_stay_together_in_order_and_keep_their_type(self):
        X = pd.DataFrame({"row": np.arange(300)}, index=np.arange(300) + 7)
        y = np.arange(300) % 2
        X_sub, y_sub = noise.subsample_classes(X, y, 0.2, random_state=0)
        assert isinstance(X_sub, pd.DataFrame) and X_sub["row"].is_monotonic_increasing
        np.testing.assert_array_equal(X_sub["row"] % 2, y_sub)

    def test_equal_parts_of_balanced_classes_change_nothing(self):
        y = np.arange(30) % 3
        np.testing.assert_array_equal(noise.subsample_classes(y[:, None], y, {0: 1, 1: 1, 2: 1})[1], y)


BAD = {
    "rate of one": (lambda: noise.symmetric_transition_matrix(3, 1.0), r"rate must be a number in \[0, 1\), got 1.0"),
    "negative rate": (lambda: noise.pair_flip_transition_matrix(3, -0.1), r"rate must be .* got -0.1"),
    "NaN rate": (lambda: noise.symmetric_transition_matrix(3, np.nan), r"rate must be .* got nan"),
    "one class": (lambda: noise.symmetric_transition_matrix(1, 0.1), "n_classes must be an integer of at least 2"),
    "rows": (
        lambda: noise.corrupt_labels([0, 1], [[0.5, 0.4], [0, 1]]),
        "Rows of transition_matrix must sum to 1, got 0.9 in row 0",
    ),
    "transposed": (
        lambda: noise.corrupt_labels([0, 1], [[0.9, 0.2], [0.1, 0.8]]),
        r"must sum to 1, got 1.1 in row 0. Its columns do; is it transposed\?",
    ),
    "negative": (lambda: noise.corrupt_labels([0, 1], [[1.5, -0.5], [0, 1]]), "negative probabilities, got -0.5"),
    "not square": (lambda: noise.corrupt_labels([0, 1], np.ones((2, 3)) / 3), r"must be square, got shape \(2, 3\)"),
    "NaN": (lambda: noise.corrupt_labels([0, 1], [[np.nan, 1], [0, 1]]), "Input transition_matrix contains NaN"),
    "other classes": (lambda: noise.corrupt_labels([0, 1, 2], np.eye(2)), r"each of 3 classes, got shape \(2, 2\)"),
    "unknown label": (
        lambda: noise.corrupt_labels([0, 5], np.eye(2), classes=[0, 1]),
        r"y must hold labels of the classes .* only, got \[5\]",
    ),
    "two dimensions": (lambda: noise.corrupt_labels([[0, 1]], np.eye(2)), r"one-dimensional, got shape \(1, 2\)"),
    "lengths": (lambda: noise.realized_noise_rate([0, 1], [0]), "inconsistent numbers of samples: "),
    "flip outside": (lambda: noise.asymmetric_transition_matrix(3, 0.1, {0: 3}), "both in 0 to 2, got 0: 3"),
    "flip to itself": (lambda: noise.asymmetric_transition_matrix(3, 0.1, {1: 1}), "one class to another.*got 1: 1"),
    "blocks": (lambda: noise.block_flip_transition_matrix(7, 0.1), "block_size must be .* divides 7, got 5"),
    "lonely class": (lambda: noise.superclass_transition_matrix([0, 0, 1], 0.1), "superclass 1 has one class only"),
    "flip": (
        lambda: noise.superclass_transition_matrix([0, 0], 0.1, flip="up"),
        'must be "next" or "pair", got \'up\'',
    ),
    "ratio": (lambda: noise.subsample_classes([[0], [1]], [0, 1], 0), "ratio must be positive and finite, got 0"),
    "ratio and classes": (
        lambda: noise.subsample_classes([[0], [1], [2]], [0, 1, 2], 10),
        "A single ratio needs two classes, y has 3",
    ),
    "ratio of other labels": (
        lambda: noise.subsample_classes([[0], [1]], [0, 1], {0: 1}),
        r"must name each label of y, \[0, 1\], got \[0\]",
    ),
    "nothing left": (lambda: noise.subsample_classes([[0], [1]], [0, 1], 10), "leaves no row of class 0"),
    "prior": (lambda: noise.expected_noise_rate(np.eye(2), class_prior=[0, 0]), "class_prior must hold 2 shares"),
    "spread": (
        lambda: noise.corrupt_labels_by_instance([[0], [1]], [0, 1], 0.1, spread=-1),
        "spread must be .* got -1",
    ),
    "infinite X": (lambda: noise.corrupt_labels_by_instance([[np.inf], [1]], [0, 1], 0.1), "Input X contains infinity"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()
