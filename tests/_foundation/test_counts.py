"""Arguments that are numbers."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from sklabelnoise import DMClassifier
from sklabelnoise._foundation._counts import check_count, is_integer, is_number
from sklabelnoise.feature_extraction import ImageReader
from sklabelnoise.inspection import EmphasisDisplay, RefineryDisplay
from sklabelnoise.losses import DMEmphasis, DMLoss, derivative_manipulation, emphasis_of
from sklabelnoise.noise import (
    block_flip_transition_matrix,
    corrupt_labels_by_instance,
    subsample_classes,
    symmetric_transition_matrix,
)

X, y = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])
NO_NUMBERS = [True, np.True_, 2**63, 10**400, float("nan"), float("inf"), "1", None]


@pytest.mark.parametrize("value", [0, -(2**63), 2**63 - 1, np.int8(3), np.uint64(3)])
def test_an_integer_of_64_bits_is_a_number(value):
    assert is_integer(value) and is_number(value)


@pytest.mark.parametrize("value", [0.5, 1e300, np.float32(1), Fraction(1, 3)])
def test_a_real_number_is_no_integer(value):
    assert is_number(value) and not is_integer(value)


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number(value):
    assert not is_integer(value) and not is_number(value)


NUMBERS = {
    "n": lambda value: check_count("n", value, least=0),
    "size": lambda value: ImageReader(size=(4, value), reader=str).fit(["a.png"]),
    "damping": lambda value: DMLoss(damping=value),
    "damping of the function": lambda value: derivative_manipulation(
        torch.zeros(1, 2), torch.tensor([0]), DMEmphasis(), damping=value
    ),
    "rate": lambda value: symmetric_transition_matrix(2, value),
    "n_classes": lambda value: symmetric_transition_matrix(value, 0.1),
    "block_size": lambda value: block_flip_transition_matrix(4, 0.1, block_size=value),
    "spread": lambda value: corrupt_labels_by_instance(X, y, 0.1, spread=value),
    "ratio": lambda value: subsample_classes(X, y, value),
    "n_classes of a weight": lambda value: emphasis_of("mae", torch.tensor([0.5]), n_classes=value),
    "n_points": lambda value: EmphasisDisplay.from_emphasis("gce", n_points=value),
    "n_columns": lambda value: RefineryDisplay(np.zeros((1, 2)), {0: np.ones((1, 2)) / 2}, [0, 1]).plot(
        n_columns=value
    ),
    "n_augment": lambda value: DMClassifier(max_epochs=1).fit(X, y).predict_proba(X, n_augment=value),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, False, 10**400, float("nan")], ids=["True", "False", "401 digits", "nan"])
def test_an_argument_that_is_no_number_is_refused_by_its_name(name, value):
    with pytest.raises((ValueError, TypeError), match=rf"(?s)^'?{name.split()[0]}'? must be .*, got .*{value}"):
        NUMBERS[name](value)
