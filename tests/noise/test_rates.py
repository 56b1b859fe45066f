"""How much noise there is, in given labels and in a matrix."""

import numpy as np
import pytest

from sklabelnoise import noise


def test_realised_rate_and_matrix_agree():
    y = np.arange(1000) % 5
    y_noisy = noise.corrupt_labels(y, noise.pair_flip_transition_matrix(5, 0.3), random_state=0)
    T = noise.realized_transition_matrix(y, y_noisy)
    assert noise.realized_noise_rate(y, y_noisy) == pytest.approx(noise.expected_noise_rate(T))


def test_expected_rate_follows_the_class_prior():
    T = [[1, 0], [0.5, 0.5]]
    assert noise.expected_noise_rate(T, class_prior=[90, 10]) == pytest.approx(0.05)


BAD = {
    "lengths": (lambda: noise.realized_noise_rate([0, 1], [0]), "inconsistent numbers of samples: "),
    "prior": (lambda: noise.expected_noise_rate(np.eye(2), class_prior=[0, 0]), "class_prior must hold 2 shares"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_named(name):
    call, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_shares_of_classes_are_in_their_order():
    with pytest.raises(TypeError, match="class_prior must hold 2 shares in the order of the classes, got"):
        noise.expected_noise_rate(np.eye(2), class_prior={1: 1, 0: 2})
