"""Labels become positions among classes in one way, and columns find their class."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklabelnoise import DMClassifier
from sklabelnoise._foundation._classes import (
    at_all_classes,
    check_probabilities,
    check_rows_sum_to_one,
    encode,
    in_full_precision,
)
from sklabelnoise._foundation._given import as_labels
from sklabelnoise.audit import find_label_issues
from sklabelnoise.metrics import expected_calibration_error, quadratic_weighted_kappa
from sklabelnoise.noise import corrupt_labels, realized_transition_matrix
from sklabelnoise.training import LearningDynamics


@pytest.mark.parametrize("kind", [int, float, str, object, bool, "datetime64[D]"], ids=str)
def test_codes_give_the_labels_back(kind):
    y = np.array([3, 1, 1, 2, 0, 3]).astype(kind)
    classes, codes = encode(y)
    assert (classes[codes] == y).all()
    assert classes.dtype == y.dtype
    assert (classes == np.unique(y)).all()


def test_texts_that_differ_in_zeros_at_their_end_are_other_labels():
    classes, codes = encode(as_labels(["a\0", "a", "a\0"]))  # NumPy's own texts lose them
    assert classes.tolist() == ["a", "a\0"] and codes.tolist() == [1, 0, 1]


def test_classes_keep_the_order_they_are_given_in():
    classes, codes = encode(["a", "c", "b"], classes=["c", "a", "b"])
    assert classes.tolist() == ["c", "a", "b"]
    assert codes.tolist() == [1, 0, 2]


@pytest.mark.parametrize("y, unknown", [([1, 5, 0], r"\[5\]"), ([-1, 9, 9], r"\[-1, 9\]")])
def test_unknown_labels_are_named(y, unknown):
    with pytest.raises(ValueError, match=rf"^y_val must hold labels of the classes \[0, 1\] only, got {unknown}\.$"):
        encode(y, [0, 1], name="y_val")


def test_labels_of_mixed_types_are_refused():
    with pytest.raises(TypeError):
        encode(np.array(["a", 1], dtype=object))


def test_a_table_of_labels_is_refused():
    with pytest.raises(ValueError, match=r"y must be one-dimensional, got shape \(1, 2\)\."):
        encode([[0, 1]])


@pytest.mark.parametrize("fill", [0.0, -np.inf])
def test_columns_of_absent_classes_are_filled(fill):
    whole = at_all_classes(np.array([[1.0, 2.0]]), np.array([2, 7]), np.array([2, 5, 7]), fill=fill)
    assert whole.tolist() == [[1.0, fill, 2.0]]


def test_a_whole_table_is_returned_as_it_is():
    values = np.ones((2, 2))
    assert at_all_classes(values, np.arange(2), np.arange(2), fill=0) is values


def test_the_row_that_is_farthest_off_is_named():
    check_rows_sum_to_one(np.array([[0.5, 0.5001]]), "proba", tolerance=1e-3)
    with pytest.raises(ValueError, match=r"^Rows of proba must sum to 1, got 0\.5 in row 1\. Hint\.$"):
        check_rows_sum_to_one(np.array([[0.5, 0.6], [0.5, 0.0]]), "proba", tolerance=1e-3, hint=" Hint.")


def test_a_row_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="got nan in row 1"):
        check_rows_sum_to_one(np.array([[0.5, 0.5], [np.nan, 0.0]]), "proba", tolerance=1e-3)


def test_classes_named_twice_are_refused():
    with pytest.raises(ValueError, match=r"classes must be distinct, got 'a' twice\."):
        encode(["a", "b"], classes=["a", "b", "a"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_filled_table_keeps_its_type(dtype):
    assert at_all_classes(np.ones((1, 1), dtype=dtype), np.array([2]), np.array([1, 2]), fill=0).dtype == dtype


def test_probabilities_may_be_rounded_and_no_more():
    check_probabilities(np.array([[1 + 5e-7, -5e-7], [0.5, 0.5005]]), "proba")
    with pytest.raises(ValueError, match=r"pred must hold probabilities, got values from -0\.1 to 1\.1\."):
        check_probabilities(np.array([[1.1, -0.1]]), "pred")
    with pytest.raises(ValueError, match=r"Rows of pred must sum to 1, got 1\.01 in row 0\."):
        check_probabilities(np.array([[0.5, 0.51]]), "pred")
    for beyond in ([1 + 5e-6, 0.0], [1.0, -5e-6]):
        with pytest.raises(ValueError, match="pred must hold probabilities"):
            check_probabilities(np.array([beyond]), "pred")


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("n_classes", [2, 10, 1000])
def test_rounding_of_half_precision_is_removed(half, n_classes):
    exact = torch.randn(50, n_classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64).softmax(1)
    rounded = exact.to(half)
    for values in (rounded, rounded.numpy()) if half == torch.float16 else (rounded,):
        whole = in_full_precision(values)
        assert whole.dtype == np.float64
        assert np.allclose(whole.sum(axis=1), 1, rtol=0, atol=1e-12)
        assert np.allclose(whole, exact.numpy(), rtol=2 * torch.finfo(half).eps, atol=1e-7)


def test_a_sum_is_rounded_by_at_most_the_distance_of_two_numbers_of_half_precision():
    step = 2.0**-10
    rounded, wrong = (np.float16([[0.5 + step / 2, 0.25 + more * step, 0.25]]) for more in (0.25, 1.0))
    assert in_full_precision(rounded).sum() == pytest.approx(1, abs=1e-12)
    assert in_full_precision(wrong).sum() == 1 + 1.5 * step


def test_what_is_no_distribution_stays_wrong_in_half_precision():
    values = np.array([[0.5, 0.4], [0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0]])
    assert np.array_equal(in_full_precision(values.astype(np.float16)), values.astype(np.float16), equal_nan=True)
    assert in_full_precision(values) is values
    assert in_full_precision(values.astype(np.float32)).dtype == np.float32
    assert in_full_precision([[0.5, 0.5]]) == [[0.5, 0.5]]


NO_CLASSES = {
    "a text": ("ab", TypeError, "must be an array, a series or a list of labels, got str"),
    "a set": ({"a", "b"}, TypeError, "must be an array, a series or a list of labels, got set"),
    "an iterator": (iter("ab"), TypeError, "must be an array, a series or a list of labels, got str_"),
    "a missing one": (["a", "b", None], ValueError, "must not hold missing labels, got one in row 2"),
    "NaN": (["a", "b", np.nan], ValueError, "must not hold missing labels, got one in row 2"),
    "two kinds": (["a", "b", 1], TypeError, "must hold labels of one kind, .* got int and str"),
    "a table": ([["a", "b"]], ValueError, r"must be one-dimensional, got shape \(1, 2\)"),
    "a number": (5, ValueError, r"must be one-dimensional, got shape \(\)"),
    "none": ([], ValueError, "must hold one label at least, got none"),
    "one twice": (["a", "b", "a"], ValueError, "must be distinct, got 'a' twice"),
}
Y, PROBA = ["a", "b"] * 20, [[0.9, 0.1], [0.2, 0.8]] * 20
NAMING_CLASSES = {
    "corrupt_labels": (lambda classes: corrupt_labels(Y, np.eye(2), classes=classes), "classes"),
    "realized_transition_matrix": (lambda classes: realized_transition_matrix(Y, Y, classes=classes), "classes"),
    "find_label_issues": (lambda classes: find_label_issues(Y, PROBA, classes=classes), "classes"),
    "expected_calibration_error": (lambda labels: expected_calibration_error(Y, PROBA, labels=labels), "labels"),
    "quadratic_weighted_kappa": (lambda labels: quadratic_weighted_kappa(Y, Y, labels=labels), "labels"),
    "LearningDynamics": (
        lambda classes: DMClassifier(max_epochs=1, callbacks=[LearningDynamics(Y, classes=classes)]).fit(PROBA, Y),
        "classes",
    ),
}


@pytest.mark.parametrize("classes, error, message", NO_CLASSES.values(), ids=NO_CLASSES)
@pytest.mark.parametrize("call, argument", NAMING_CLASSES.values(), ids=NAMING_CLASSES)
def test_what_names_no_classes_is_refused_by_its_name(call, argument, classes, error, message):
    with pytest.raises(error, match=f"^{argument} {message}"):
        call(classes)


@pytest.mark.parametrize("call", [call for call, _ in NAMING_CLASSES.values()], ids=NAMING_CLASSES)
@pytest.mark.parametrize("convert", [tuple, np.array, pd.Index, pd.Categorical, lambda y: np.array(y)[:, None]])
def test_classes_come_in_any_container_of_labels(call, convert):
    call(convert(["a", "b"]))
