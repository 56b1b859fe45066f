"""Numbers in rows and columns that are no features: read as scikit-learn does, refused in words of their own."""

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.utils import check_array

from sklabelnoise._foundation._matrix import check_matrix
from sklabelnoise.audit import find_label_issues
from sklabelnoise.metrics import average_sets, detection_scores, expected_calibration_error, retrieval_scores
from sklabelnoise.noise import (
    check_transition_matrix,
    corrupt_labels,
    corrupt_labels_by_instance,
    expected_noise_rate,
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, object])
def test_it_is_what_scikit_learn_makes_of_it(dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    own, theirs = check_matrix(values, "rates", "(a, b)"), check_array(values, dtype=[np.float64, np.float32])
    np.testing.assert_array_equal(own, theirs)
    assert own.dtype == theirs.dtype


@pytest.mark.parametrize(
    "convert", [torch.Tensor.float, torch.Tensor.double, torch.Tensor.bfloat16, lambda t: t.clone().requires_grad_()]
)
def test_a_tensor_is_the_numbers_in_it(convert):
    values = torch.arange(6.0).reshape(2, 3)
    read = check_matrix(convert(values), "rates", "(a, b)")
    np.testing.assert_array_equal(read, values.numpy())
    assert read.dtype == (np.float64 if convert is torch.Tensor.double else np.float32)


def test_nothing_is_copied_that_need_not_be():
    values = np.eye(2, dtype=np.float32)
    assert np.shares_memory(check_matrix(values, "rates", "(a, b)"), values)


WRONG = [
    (0.3, ValueError, "got 0.3"),
    (None, ValueError, "got None"),
    ("symmetric", ValueError, "got 'symmetric'"),
    (np.zeros(5), ValueError, r"got shape \(5,\)"),
    (np.zeros((2, 2, 2)), ValueError, r"got shape \(2, 2, 2\)"),
    ([[0.5, 0.5], [1.0]], ValueError, "got something else"),
    ([["a", "b"]], ValueError, "got something else: could not convert"),
    (np.zeros((0, 2)), ValueError, "got something else: Found array with 0 sample"),
    (scipy.sparse.csr_matrix(np.eye(2)), TypeError, "[Ss]parse"),
    ([[0.5, np.nan]], ValueError, "Input rates contains NaN"),
]


@pytest.mark.parametrize("values, kind, message", WRONG, ids=[message for *_, message in WRONG])
def test_what_is_none_is_refused_by_the_name_of_the_argument(values, kind, message):
    with pytest.raises(kind, match=message) as caught:
        check_matrix(values, "rates", "(a, b)")
    assert "rates" in str(caught.value)
    assert "reshape" not in str(caught.value)


ASKED = {
    "corrupt_labels": lambda: corrupt_labels([0, 1], 0.3),
    "expected_noise_rate": lambda: expected_noise_rate(0.3),
    "check_transition_matrix": lambda: check_transition_matrix([0.3, 0.7]),
    "find_label_issues": lambda: find_label_issues([0, 1], [0.3, 0.7]),
    "expected_calibration_error": lambda: expected_calibration_error([0, 1], [0.3, 0.7]),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_one_number_a_row_or_in_all_is_no_matrix(asked):
    with pytest.raises(ValueError, match=r"must be an array of shape \(n_\w+, n_classes\), got "):
        asked()


def test_who_gives_a_rate_is_told_what_makes_a_matrix_of_it():
    with pytest.raises(ValueError, match=r"symmetric_transition_matrix\(n_classes, rate\)"):
        corrupt_labels([0, 1], 0.3)


COLUMN_OF_NONE = [
    (["a", "b"], ValueError, "got something else: could not convert"),
    (np.eye(2), ValueError, r"one-dimensional, got shape \(2, 2\)"),
    (0.5, (TypeError, ValueError), "got something else"),
    ([0.1, None], ValueError, "NaN"),
    (np.ma.array([0.1, 0.2], mask=[False, True]), ValueError, "must not hold missing values, got one in row 1"),
    (scipy.sparse.csr_array([[0.1, 0.2]]), TypeError, "[Ss]parse"),
]


@pytest.mark.parametrize("values, kind, message", COLUMN_OF_NONE, ids=[message for *_, message in COLUMN_OF_NONE])
def test_what_is_no_column_of_numbers_is_refused_by_the_name_of_the_argument(values, kind, message):
    with pytest.raises(kind, match=message) as caught:
        detection_scores([True, False], values)
    assert "label_quality" in str(caught.value)


@pytest.mark.parametrize("convert", [torch.Tensor.bfloat16, lambda t: t.clone().requires_grad_(), lambda t: t[:, None]])
def test_a_column_may_be_a_tensor(convert):
    scores = detection_scores([True, False, True], [0.25, 0.5, 1.0])
    assert detection_scores([True, False, True], convert(torch.tensor([0.25, 0.5, 1.0]))) == scores


MASKED = np.ma.array(np.eye(2), mask=[[False, False], [True, False]])
READING_NUMBERS = {
    "check_transition_matrix": lambda: check_transition_matrix(MASKED),
    "expected_noise_rate": lambda: expected_noise_rate(np.eye(2), class_prior=MASKED[1]),
    "corrupt_labels_by_instance": lambda: corrupt_labels_by_instance(MASKED, [0, 1], 0.1),
    "average_sets": lambda: average_sets(MASKED, [0, 1]),
    "retrieval_scores": lambda: retrieval_scores(np.eye(2), [0, 1], MASKED, [0, 1]),
}


@pytest.mark.parametrize("call", READING_NUMBERS.values(), ids=READING_NUMBERS)
def test_what_lies_below_a_mask_is_not_read(call):
    with pytest.raises(ValueError, match=r"must not hold missing values, got one in row [01]"):
        call()
