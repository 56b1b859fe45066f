"""How much noise there is, in given labels and in a matrix."""

import numpy as np
import pandas as pd
import pytest

from sklabelnoise import noise


def test_realised_rate_and_matrix_agree():
    y = np.arange(1000) % 5
    y_noisy = noise.corrupt_labels(y, noise.pair_flip_transition_matrix(5, 0.3), random_state=0)
    T = noise.realized_transition_matrix(y, y_noisy)
    assert noise.realized_noise_rate(y, y_noisy) == pytest.approx(noise.expected_noise_rate(T))


def test_a_class_that_is_nobodys_truth_has_the_row_of_the_identity():
    T = noise.realized_transition_matrix(["a", "b", "b"], ["b", "c", "b"], classes=["a", "b", "c"])
    np.testing.assert_array_equal(T, [[0, 1, 0], [0, 0.5, 0.5], [0, 0, 1]])


def test_rows_and_columns_are_in_the_order_of_the_classes():
    y = np.arange(600) % 3
    y_noisy = noise.corrupt_labels(y, noise.pair_flip_transition_matrix(3, 0.3), random_state=0)
    order = np.array([2, 0, 1])
    T = noise.realized_transition_matrix(y, y_noisy)
    np.testing.assert_array_equal(noise.realized_transition_matrix(y, y_noisy, classes=order), T[np.ix_(order, order)])


def test_expected_rate_follows_the_class_prior():
    T = [[1, 0], [0.5, 0.5]]
    assert noise.expected_noise_rate(T, class_prior=[90, 10]) == pytest.approx(0.05)


BAD = {
    "lengths": (lambda: noise.realized_noise_rate([0, 1], [0]), "inconsistent numbers of samples: "),
    "prior": (lambda: noise.expected_noise_rate(np.eye(2), class_prior=[0, 0]), "class_prior must hold 2 shares"),
    "negative prior": (
        lambda: noise.expected_noise_rate(np.eye(2), class_prior=[2, -1]),
        r"class_prior must hold 2 shares, none negative and not all zero, got \[2, -1\]",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_shares_of_classes_are_in_their_order():
    with pytest.raises(TypeError, match="class_prior must hold 2 shares in the order of the classes, got"):
        noise.expected_noise_rate(np.eye(2), class_prior={1: 1, 0: 2})


class TestSharesThatNameTheirClasses:
    T = np.array([[0.8, 0.2, 0.0], [0.0, 1.0, 0.0], [0.0, 0.5, 0.5]])

    @pytest.mark.parametrize("kind", [str, int, "category", "datetime64[ns]"], ids=str)
    def test_counts_of_labels_are_in_the_order_of_the_classes(self, kind):
        y = pd.Series(np.repeat([7, 8, 9], [10, 20, 70])).astype(kind)
        counts = y.value_counts()  # the most frequent first
        expected = noise.expected_noise_rate(self.T, class_prior=[0.1, 0.2, 0.7])
        assert noise.expected_noise_rate(self.T, class_prior=counts) == pytest.approx(expected)

    def test_names_of_both_fit(self):
        frame = pd.DataFrame(self.T, index=list("zxy"), columns=list("zxy"))
        shares = pd.Series({"x": 0.2, "y": 0.7, "z": 0.1})
        expected = noise.expected_noise_rate(self.T, class_prior=[0.1, 0.2, 0.7])
        assert noise.expected_noise_rate(frame, class_prior=shares) == pytest.approx(expected)

    def test_numbered_shares_are_in_their_order(self):
        shares = [0.1, 0.2, 0.7]
        expected = noise.expected_noise_rate(self.T, class_prior=shares)
        assert noise.expected_noise_rate(self.T, class_prior=pd.Series(shares)) == expected

    @pytest.mark.parametrize("names", [list("zxw"), list("zzx"), list("zx"), list("zxyw")])
    def test_other_names_are_refused(self, names):
        frame = pd.DataFrame(self.T, index=list("zxy"), columns=list("zxy"))
        with pytest.raises(ValueError, match=r"class_prior must name each class once, \['z', 'x', 'y'\], got \['z'"):
            noise.expected_noise_rate(frame, class_prior=pd.Series(1.0, index=names))


def test_only_the_ratio_of_shares_counts():
    T = [[0.8, 0.2], [0.0, 1.0]]
    for scale in (1e-300, 1.0, 1.7e308):  # of which the sum is no number any more
        assert noise.expected_noise_rate(T, class_prior=np.array([1.0, 0.5]) * scale) == pytest.approx(0.4 / 3)


@pytest.mark.parametrize("prior", ["ab", ["a", "b"], [1j, 1]], ids=repr)
def test_what_are_no_shares_is_refused_by_name(prior):
    with pytest.raises((TypeError, ValueError), match="class_prior must hold 2 shares, got "):
        noise.expected_noise_rate(np.eye(2), class_prior=prior)


@pytest.mark.parametrize("names", [["a", "a"], ["a", None], [1, "a"]], ids=repr)
def test_shares_that_name_no_classes_are_refused(names):
    with pytest.raises((TypeError, ValueError), match="the index of class_prior must"):
        noise.expected_noise_rate(np.eye(2), class_prior=pd.Series([1, 1], index=names))
