import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits

from sklabelnoise.datasets import load_digits_noisy


def test_training_and_test_rows_are_the_digits():
    noisy = load_digits_noisy(random_state=0)
    rows = np.vstack([noisy.X_train, noisy.X_test])
    labels = np.concatenate([noisy.y_train_clean, noisy.y_test])
    order = np.lexsort(np.column_stack([labels, rows]).T)
    digits = load_digits()
    expected = np.lexsort(np.column_stack([digits.target, digits.data]).T)
    np.testing.assert_array_equal(rows[order], digits.data[expected])
    np.testing.assert_array_equal(labels[order], digits.target[expected])


def test_no_noise_gives_the_clean_labels():
    noisy = load_digits_noisy(0.0, random_state=0)
    np.testing.assert_array_equal(noisy.y_train, noisy.y_train_clean)


@pytest.mark.parametrize("noise", ["symmetric", "pair_flip"])
def test_the_realized_rate_is_near_the_asked_one(noise):
    noisy = load_digits_noisy(0.4, noise=noise, random_state=0)
    n = len(noisy.y_train)
    # 5 standard errors of a binomial share.
    assert np.mean(noisy.y_train != noisy.y_train_clean) == pytest.approx(0.4, abs=5 * np.sqrt(0.4 * 0.6 / n))


def test_pair_flips_go_to_the_next_digit():
    noisy = load_digits_noisy(0.4, noise="pair_flip", random_state=0)
    wrong = noisy.y_train != noisy.y_train_clean
    np.testing.assert_array_equal(noisy.y_train[wrong], (noisy.y_train_clean[wrong] + 1) % 10)


def test_a_matrix_of_your_own_is_used_as_it_is():
    T = np.roll(np.eye(10), 3, axis=1)
    noisy = load_digits_noisy(noise=T, random_state=0)
    np.testing.assert_array_equal(noisy.y_train, (noisy.y_train_clean + 3) % 10)
    np.testing.assert_array_equal(noisy.transition_matrix, T)


@pytest.mark.parametrize("names", [range(10), list("0123456789")])
def test_a_frame_says_by_name_which_digit_becomes_which(names):
    T = np.roll(np.eye(10), 3, axis=1)
    frame = pd.DataFrame(T, index=names, columns=names)
    shuffled = frame.iloc[::-1, [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]]
    noisy = load_digits_noisy(noise=shuffled, random_state=0)
    np.testing.assert_array_equal(noisy.y_train, (noisy.y_train_clean + 3) % 10)
    np.testing.assert_array_equal(noisy.transition_matrix, T)


def test_every_digit_has_its_share_of_the_test_rows():
    noisy = load_digits_noisy(test_size=0.25, random_state=0)
    assert (np.abs(np.bincount(noisy.y_test) - np.bincount(load_digits().target) / 4) < 1).all()
    assert len(load_digits_noisy(test_size=97, random_state=0).y_test) == 97


def test_the_seed_decides_which_labels_change():
    first, other = (load_digits_noisy(noise="pair_flip", random_state=seed) for seed in (0, 1))
    both = (first.y_train_clean == 0) & (other.y_train_clean == 0)  # for which equal numbers do the same
    assert (first.y_train[both] != other.y_train[both]).any()


def test_one_seed_gives_one_data_set():
    first, again, other = (load_digits_noisy(random_state=seed) for seed in (0, 0, 1))
    for key in ("X_train", "y_train", "y_train_clean", "X_test", "y_test"):
        np.testing.assert_array_equal(first[key], again[key])
    assert not np.array_equal(first.y_train, other.y_train)


def test_the_split_does_not_depend_on_the_noise():
    first, other = load_digits_noisy(0.2, random_state=0), load_digits_noisy(0.6, noise="pair_flip", random_state=0)
    np.testing.assert_array_equal(first.X_train, other.X_train)
    np.testing.assert_array_equal(first.y_train_clean, other.y_train_clean)


def test_unknown_noise_is_named():
    with pytest.raises(ValueError, match="'symmetric', 'pair_flip' or a transition matrix, got 'uniform'"):
        load_digits_noisy(noise="uniform")


def test_a_seed_is_the_generator_that_begins_with_it():
    seeded, drawn = (load_digits_noisy(random_state=state) for state in (3, np.random.RandomState(3)))
    np.testing.assert_array_equal(seeded.X_train, drawn.X_train)
    np.testing.assert_array_equal(seeded.y_train, drawn.y_train)
