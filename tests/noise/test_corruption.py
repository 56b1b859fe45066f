"""Labels that are made wrong: how many, which, and what stays as it was."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import norm, truncnorm

from sklabelnoise import noise

TEN = noise.symmetric_transition_matrix(10, 0.4)


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


@pytest.mark.parametrize("y, classes, dtype", [
    (np.array([0, 1, 1], dtype=np.int8), [0, 1], np.int8),
    (np.array([0, 1, 1], dtype=np.float32), [0, 1, 2], np.float32),
    (np.array(["a", "b", "b"], dtype=object), ["a", "b"], object),
    (np.array(["a", "b", "b"]), ["b", "a", "longer"], "<U6"),  # one of three letters has no room for it
    (np.array([0, 1, 1], dtype=np.int8), [0, 1, 300], np.int64),
])  # fmt: skip
def test_labels_keep_their_dtype_whatever_that_of_the_classes(y, classes, dtype):
    T = noise.symmetric_transition_matrix(len(classes), 0.3)
    assert noise.corrupt_labels(y, T, classes=classes, random_state=0).dtype == dtype


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


@pytest.mark.parametrize(
    "drawn",
    [
        lambda y, seed: noise.corrupt_labels(y, TEN, random_state=seed),
        lambda y, seed: noise.corrupt_labels(y, TEN, exact_counts=True, random_state=seed),
        lambda y, seed: noise.corrupt_labels_by_instance(y[:, None] / 10, y, 0.4, random_state=seed),
        lambda y, seed: noise.subsample_classes(np.arange(1000), y, {k: 1 + k for k in range(10)}, random_state=seed)[
            0
        ],
    ],
    ids=["independently", "exact counts", "by instance", "subsampled"],
)
def test_the_seed_decides_and_leaves_no_footprint(drawn):
    y = np.arange(1000) % 10
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is what must not move
    first, again, other = (drawn(y, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class Zeros(np.random.RandomState):
    """The least numbers that a generator may draw."""

    def uniform(self, size):
        return np.zeros(size)


def test_a_label_of_probability_zero_is_never_given():
    T = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert noise.corrupt_labels([0, 1, 2], T, random_state=Zeros()).tolist() == [1, 2, 0]
    X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 3
    y_noisy = noise.corrupt_labels_by_instance(X, y, 0.0, spread=0, random_state=Zeros())
    np.testing.assert_array_equal(y_noisy, y)


class Greatest(np.random.RandomState):
    """The greatest numbers that a generator may draw."""

    def uniform(self, size):
        return np.full(size, np.nextafter(1, 0))


def test_no_draw_is_so_great_that_no_class_is_left_for_it():
    T = [[0.5, 0.5 - 5e-7], [5e-7, 1 - 1e-6]]  # rows may sum to a little less than one
    assert noise.corrupt_labels([0, 1], T, random_state=Greatest(0)).tolist() == [1, 1]
    X, y = np.random.default_rng(0).normal(size=(1000, 3)), np.arange(1000) % 10
    y_noisy = noise.corrupt_labels_by_instance(X, y, 0.5, spread=0, random_state=Greatest(0))
    np.testing.assert_array_equal(y_noisy, 9)


def test_classes_with_equal_remainders_have_equal_chances_of_the_label_that_is_left():
    T = np.tile([1 / 3, 1 / 3, 1 - 2 / 3], (3, 1))  # equal but for rounding
    drawn = [noise.corrupt_labels([0], T, classes=range(3), exact_counts=True, random_state=k) for k in range(300)]
    # Five standard errors of a share of 1/3 among 300 draws.
    assert (np.abs(np.bincount(np.ravel(drawn), minlength=3) - 100) < 5 * (300 * 2 / 9) ** 0.5).all()


class TestByInstance:
    @pytest.fixture
    def rows(self):
        rng = np.random.default_rng(0)
        return rng.normal(size=(5000, 6)), rng.integers(0, 4, 5000)

    @pytest.mark.parametrize("rate", [0.2, 0.4])
    def test_realized_rate_is_the_asked_one(self, rows, rate):
        y_noisy = noise.corrupt_labels_by_instance(*rows, rate, random_state=0)
        # Cutting at 0 moves the mean rate of 0.2 by 0.0008; the rest is five standard errors of 5000 draws.
        assert abs(noise.realized_noise_rate(rows[1], y_noisy) - rate) < 0.001 + 5 * np.sqrt(rate * (1 - rate) / 5000)

    def test_flip_rates_are_cut_at_zero_and_one(self, rows):
        """The mean of a normal distribution that is cut on both sides, far from the asked rate where it is wide."""
        y_noisy = noise.corrupt_labels_by_instance(*rows, 0.1, spread=0.5, random_state=0)
        low, high = -0.1 / 0.5, 0.9 / 0.5
        mean = 0.1 + 0.5 * (norm.pdf(low) - norm.pdf(high)) / (norm.cdf(high) - norm.cdf(low))
        # Five standard errors of 5000 draws.
        assert abs(noise.realized_noise_rate(rows[1], y_noisy) - mean) < 5 * np.sqrt(mean * (1 - mean) / 5000)

    def test_labels_are_those_of_the_equation(self, rows):
        """Row by row, from the same draws in the order of the docstring: flip rates, projections, labels."""
        X, y = (part[:200] for part in rows)
        rng = np.random.RandomState(3)
        q = truncnorm.rvs(-0.3 / 0.1, 0.7 / 0.1, loc=0.3, scale=0.1, size=200, random_state=rng)
        W = [rng.standard_normal((6, 4)) for _ in range(4)]
        expected = []
        for x, true, rate, u in zip(X, y, q, rng.uniform(size=200), strict=True):
            odds = {j: np.exp(x @ W[true])[j] for j in range(4) if j != true}
            P = [1 - rate if j == true else rate * odds[j] / sum(odds.values()) for j in range(4)]
            expected.append(np.searchsorted(np.cumsum(P), u, side="right"))
        assert noise.corrupt_labels_by_instance(X, y, 0.3, random_state=3).tolist() == expected

    def test_wrong_labels_follow_from_the_features(self, rows):
        X, y = rows
        y_noisy = noise.corrupt_labels_by_instance(10 * X, y, 0.5, random_state=0)
        wrong = (y_noisy != y) & (y == 0)
        # At this scale the wrong label is nearly a function of x: each is found on one side of a linear boundary.
        center = {c: X[wrong & (y_noisy == c)].mean(axis=0) for c in np.unique(y_noisy[wrong])}
        nearest = [max(center, key=lambda c: x @ center[c]) for x in X[wrong]]
        assert np.mean(nearest == y_noisy[wrong]) > 0.8  # 1/3 by chance

    def test_features_of_zero_make_it_symmetric(self, rows):
        X, y = rows
        y_noisy = noise.corrupt_labels_by_instance(0 * X, y, 0.4, spread=0, random_state=0)
        T, per_class = noise.symmetric_transition_matrix(4, 0.4), np.bincount(y).min()
        realized = noise.realized_transition_matrix(y, y_noisy)
        assert (np.abs(realized - T) < 5 * np.sqrt(T * (1 - T) / per_class)).all()

    def test_images_are_flattened(self, rows):
        X, y = rows
        flat = noise.corrupt_labels_by_instance(X, y, 0.4, random_state=0)
        images = noise.corrupt_labels_by_instance(X.reshape(-1, 1, 2, 3), y, 0.4, random_state=0)
        np.testing.assert_array_equal(flat, images)

    @pytest.mark.parametrize("scale", [1, 1e38])
    def test_features_of_single_precision_are_these_numbers(self, rows, scale):
        X, y = (scale * np.abs(rows[0])).clip(0, 3e38).astype(np.float32), rows[1]
        single, double = (noise.corrupt_labels_by_instance(x, y, 0.4, random_state=0) for x in (X, X.astype(float)))
        np.testing.assert_array_equal(single, double)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda X, y: noise.corrupt_labels_by_instance(X, y, 0.3, random_state=0),
        lambda X, y: noise.subsample_classes(X, y, 2, random_state=0),
    ],
    ids=["by instance", "subsampled"],
)
def test_rows_and_labels_in_two_orders_are_refused(spoil):
    X = pd.DataFrame({"a": np.arange(20.0)}, index=list("abcdefghijklmnopqrst"))
    y = pd.Series(np.arange(20) % 2, index=X.index)
    spoil(X, y)
    spoil(X.sample(frac=1, random_state=0), y.reset_index(drop=True))  # without names it is the order that counts
    with pytest.raises(ValueError, match="X and y must have their rows in the same order"):
        spoil(X, y[::-1])


class TestSubsampleClasses:
    def test_ratio_of_two_classes_is_positive_to_negative(self):
        y = np.repeat(["negative", "positive"], [100, 30])  # 3.7 parts of 30 / 3.7 are less than 30 by rounding
        assert (noise.subsample_classes(y[:, None], y, 3.7, random_state=0)[1] == "positive").sum() == 30
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

    @pytest.mark.parametrize("kind", ["matrix", "array"])
    @pytest.mark.parametrize("format", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
    def test_sparse_rows_of_any_format_keep_it(self, format, kind):
        X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
        X_sub, _ = noise.subsample_classes(getattr(scipy.sparse, f"{format}_{kind}")(X), y, 0.2, random_state=0)
        assert type(X_sub) is getattr(scipy.sparse, f"{format}_{kind}")
        np.testing.assert_array_equal(X_sub.toarray(), noise.subsample_classes(X, y, 0.2, random_state=0)[0])

    def test_equal_parts_of_balanced_classes_change_nothing(self):
        y = np.arange(30) % 3
        np.testing.assert_array_equal(noise.subsample_classes(y[:, None], y, {0: 1, 1: 1, 2: 1})[1], y)


BAD = {
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
    "other classes": (lambda: noise.corrupt_labels([0, 1, 2], np.eye(2)), r"each of 3 labels of y, got shape \(2, 2\)"),
    "more classes": (lambda: noise.corrupt_labels([0, 1], np.eye(3)), r"each of 2 labels of y, got shape \(3, 3\)"),
    "nearly one": (
        lambda: noise.corrupt_labels([0, 1], [[1, 0], [1e-5, 1]]),
        "Rows of transition_matrix must sum to 1, got 1.00001 in row 1",
    ),
    "unknown label": (
        lambda: noise.corrupt_labels([0, 5], np.eye(2), classes=[0, 1]),
        r"y must hold labels of the classes .* only, got \[5\]",
    ),
    "two dimensions": (
        lambda: noise.corrupt_labels([[0, 1]], np.eye(2)),
        r"y must be one-dimensional, got shape \(1, 2\)",
    ),
    "ratio": (lambda: noise.subsample_classes([[0], [1]], [0, 1], 0), "ratio must be positive and finite, got 0"),
    "ratio and classes": (
        lambda: noise.subsample_classes([[0], [1], [2]], [0, 1, 2], 10),
        "must be a dict of label to parts where y has 3 classes",
    ),
    "ratio of other labels": (
        lambda: noise.subsample_classes([[0], [1]], [0, 1], {0: 1}),
        r"must name each label of y, \[0, 1\], got \[0\]",
    ),
    "ratio of more labels": (
        lambda: noise.subsample_classes([[0], [1]], [0, 1], {0: 1, 1: 1, 2: 1}),
        r"must name each label of y, \[0, 1\], got \[0, 1, 2\]",
    ),
    "nothing left": (
        lambda: noise.subsample_classes([[0], [1]], [0, 1], 10),
        "ratio must leave a row of class 0, got 10",
    ),
    "spread": (
        lambda: noise.corrupt_labels_by_instance([[0], [1]], [0, 1], 0.1, spread=-1),
        "spread must be .* got -1",
    ),
    "endless spread": (
        lambda: noise.corrupt_labels_by_instance([[0], [1]], [0, 1], 0.1, spread=np.inf),
        "spread must be a finite number of at least 0, got inf",
    ),
    "one class": (
        lambda: noise.corrupt_labels_by_instance([[0], [1]], ["a", "a"], 0.1),
        "y needs at least 2 classes, got one class: 'a'",
    ),
    "lengths": (
        lambda: noise.corrupt_labels_by_instance([[0], [1], [2]], [0, 1], 0.1),
        r"inconsistent numbers of samples: \[3, 2\]",
    ),
    "a class that y misses": (
        lambda: noise.corrupt_labels(["a", "a"], np.eye(2)),
        r"each of 1 labels of y, got shape \(2, 2\)\. If y misses a class, pass classes\.",
    ),
    "infinite X": (lambda: noise.corrupt_labels_by_instance([[np.inf], [1]], [0, 1], 0.1), "Input X contains infinity"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


class TestNamesOfClasses:
    T = pd.DataFrame([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], index=list("cab"), columns=list("cab"))

    @pytest.mark.parametrize("classes", [None, ["b", "c", "a"]])
    @pytest.mark.parametrize(
        "of",
        [lambda T: T, lambda T: T[["a", "b", "c"]], lambda T: T.loc[["b", "a", "c"]]],
        ids=["T", "columns", "rows"],
    )
    def test_a_frame_says_by_name_which_class_becomes_which(self, of, classes):
        y_noisy = noise.corrupt_labels(["a", "b", "c"], of(self.T), classes=classes)  # c -> a, a -> a, b -> c
        assert y_noisy.tolist() == ["a", "c", "a"]

    def test_a_frame_from_a_file_has_texts_for_columns_and_numbers_for_rows(self, tmp_path):
        T = self.T.set_axis([7, 3, 5]).set_axis([7, 3, 5], axis=1)
        T.to_csv(tmp_path / "T.csv")
        read = pd.read_csv(tmp_path / "T.csv", index_col=0)
        assert noise.corrupt_labels([3, 5, 7], read).tolist() == [3, 7, 3]

    @pytest.mark.parametrize("of", [lambda T: T.reset_index(drop=True), lambda T: T.set_axis(range(3), axis=1)])
    def test_names_of_one_side_are_those_of_both(self, of):
        assert noise.corrupt_labels(["a", "b", "c"], of(self.T)).tolist() == ["a", "c", "a"]

    def test_numbers_of_one_side_in_another_order_may_mean_either_and_are_refused(self):
        T = self.T.set_axis(range(3)).set_axis(range(3), axis=1)
        for of in (T[[2, 0, 1]], T.loc[[2, 0, 1]], T.rename(columns=str)[["2", "0", "1"]]):
            with pytest.raises(ValueError, match=r"transition_matrix must name its rows as its columns, or .* got \["):
                noise.corrupt_labels([0, 1, 2], of)
        both = T.loc[[2, 0, 1], [1, 0, 2]]
        for of in (both, T.rename(columns=str)):
            expected = noise.corrupt_labels([0, 1, 2], T)
            np.testing.assert_array_equal(noise.corrupt_labels([0, 1, 2], of), expected)

    def test_a_frame_without_names_is_in_the_order_of_the_classes(self):
        T = pd.DataFrame(self.T.to_numpy())
        assert noise.corrupt_labels(["a", "b", "c"], T).tolist() == ["b", "b", "a"]

    @pytest.mark.parametrize("index, columns", [("cab", "cax"), ("cab", "caa"), ("xyz", "xyz")])
    def test_a_frame_with_other_names_is_refused(self, index, columns):
        T = self.T.set_axis(list(index)).set_axis(list(columns), axis=1)
        with pytest.raises(ValueError, match=r"transition_matrix must .*named after the"):
            noise.corrupt_labels(["a", "b", "c"], T)

    def test_a_class_named_twice_is_refused(self):
        with pytest.raises(ValueError, match="classes must be distinct, got 1 twice"):
            noise.corrupt_labels([0, 1], np.eye(3), classes=[0, 1, 1])


def test_features_beyond_all_bounds_make_labels_wrong_as_often_as_others():
    X, y = np.random.default_rng(0).uniform(size=(3000, 3)), np.arange(3000) % 3
    y_noisy = noise.corrupt_labels_by_instance(X * 1e308, y, 0.0, spread=0, random_state=0)
    np.testing.assert_array_equal(y_noisy, y)


@pytest.mark.parametrize("ratio", [None, [1, 2], pd.Series([1, 2], index=[1, 2])])
def test_a_ratio_is_a_number_or_a_dict(ratio):
    with pytest.raises(TypeError, match="ratio must be a number or a dict of label to parts, got"):
        noise.subsample_classes(np.ones((4, 1)), [1, 1, 2, 2], ratio)


@pytest.mark.parametrize("spread", [1e4, 1e10, 1e100, 1e300])
def test_a_spread_without_bound_makes_flip_rates_uniform(spread):
    y = np.arange(4000) % 2
    y_noisy = noise.corrupt_labels_by_instance(np.zeros((4000, 1)), y, 0.1, spread=spread, random_state=0)
    # 5 standard errors around one half
    assert abs(noise.realized_noise_rate(y, y_noisy) - 0.5) < 5 * 0.5 / np.sqrt(4000)


def test_a_fraction_is_a_ratio():
    y = np.repeat([0, 1], 90)
    third = noise.subsample_classes(y[:, None], y, Fraction(1, 3), random_state=0)[1]
    assert np.bincount(third).tolist() == [90, 30]


@pytest.mark.parametrize("part", ["a", None, 1j])
def test_parts_are_numbers(part):
    with pytest.raises(TypeError, match=r"ratio must hold numbers, got \{0: "):
        noise.subsample_classes([[0], [1]], [0, 1], {0: part, 1: 1})
