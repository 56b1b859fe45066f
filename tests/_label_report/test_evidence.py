"""Labels and probabilities that do not fit each other are named, whatever they are given to."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from sklabelnoise._label_report._evidence import check_evidence, confident_classes
from sklabelnoise.audit import (
    LabelReport,
    audit_labels,
    estimate_noise_rate,
    estimate_transition_matrix,
    find_label_issues,
)
from sklabelnoise.metrics import expected_calibration_error

GOOD = {"y": [0, 1, 1], "proba": [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]}
BAD = {
    "NaN": ({"proba": [[np.nan, 1], [0, 1], [0, 1]]}, "Input proba contains NaN"),
    "columns": ({"proba": np.full((3, 3), 1 / 3)}, "one column for each of the 2 labels of y, got 3 columns"),
    "columns and classes": ({"classes": [0, 1, 2]}, "one column for each of 3 classes, got 2"),
    "rows": ({"proba": [[0.9, 0.3], [0.2, 0.8], [0.5, 0.5]]}, r"Rows of proba must sum to 1, got 1.2 in row 0"),
    "negative": ({"proba": [[-0.5, 1.5], [0, 1], [0, 1]]}, "must hold probabilities, got values from -0.5 to 1.5"),
    "lengths": ({"y": [0, 1]}, "inconsistent numbers of samples"),
    "unknown": ({"classes": [1, 2]}, r"y must hold labels of the classes \[1, 2\] only, got \[0\]"),
    "missing": ({"y": np.array(["a", None, "b"], dtype=object)}, "y must not hold missing labels, got one in row 1"),
    "one class": ({"y": [1, 1, 1], "proba": [[1], [1], [1]]}, "needs at least 2 classes, got one class: 1"),
}


@pytest.mark.parametrize("function", [find_label_issues, estimate_noise_rate, LabelReport])
@pytest.mark.parametrize("name", BAD)
def test_bad_evidence_is_named(function, name):
    change, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        function(**GOOD | change)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_probabilities_in_half_precision_are_those_without_its_rounding(half, random_evidence):
    y, proba = random_evidence(500)
    rounded = torch.from_numpy(proba).to(half)
    exact = rounded.double().numpy()
    exact = exact / exact.sum(axis=1, keepdims=True)
    pd.testing.assert_frame_equal(find_label_issues(y, rounded), find_label_issues(y, exact))
    assert expected_calibration_error(y, rounded) == expected_calibration_error(y, exact)


class TestNames:
    """Columns that are classes are found by name, in every function that takes probabilities."""

    @pytest.fixture
    def named(self, random_evidence):
        return partial(self.evidence, *random_evidence(2000))

    def evidence(self, y, proba, library="pandas"):
        labels = np.array(["ant", "bee", "cow", "dog", "eel"])[y]
        frame = pd.DataFrame(proba, columns=["ant", "bee", "cow", "dog", "eel"])
        if library != "pandas":
            pyarrow = pytest.importorskip("pyarrow")
            return labels, proba, pyarrow.Table.from_pandas(frame[["cow", "ant", "eel", "dog", "bee"]])
        return labels, proba, frame[["cow", "ant", "eel", "dog", "bee"]]

    @pytest.mark.parametrize("library", ["pandas", "pyarrow"])
    def test_in_any_order(self, named, library, no_warning_of_a_poor_model):
        y, proba, frame = named(library)
        pd.testing.assert_frame_equal(find_label_issues(y, frame), find_label_issues(y, proba))
        for method in ("anchor_sets", "confident_joint", "anchor_points", "predictions"):
            T = estimate_transition_matrix(y, frame, method=method)
            np.testing.assert_array_equal(T, estimate_transition_matrix(y, proba, method=method))
            assert estimate_noise_rate(y, frame, method=method) == estimate_noise_rate(y, proba, method=method)
        report, expected = LabelReport(y, frame, noise_proba=frame), LabelReport(y, proba, noise_proba=proba)
        np.testing.assert_array_equal(report.proba, expected.proba)
        assert report.noise_rate == expected.noise_rate and report.fingerprint == expected.fingerprint
        again = audit_labels(None, None, y, pred_probs=frame)
        assert again.fingerprint == expected.fingerprint

    def test_also_beyond_an_order_that_is_told(self, named, no_warning_of_a_poor_model):
        y, proba, frame = named()
        classes = ["eel", "dog", "cow", "bee", "ant"]
        report = LabelReport(y, frame, classes=classes)
        np.testing.assert_array_equal(report.proba, proba[:, ::-1])
        assert report.classes.tolist() == classes

    def test_a_class_that_nobody_was_given_has_its_column(self, named, no_warning_of_a_poor_model):
        y, _, frame = named()
        y[y == "cow"] = "ant"
        assert LabelReport(y, frame).classes.tolist() == ["ant", "bee", "cow", "dog", "eel"]

    def test_numbers_of_columns_are_no_names_of_other_labels(self, named):
        y, proba, _ = named()
        with pytest.raises(ValueError, match=r"must have columns named after the classes, .* got \[0, 1, 2, 3, 4\]"):
            find_label_issues(y, pd.DataFrame(proba))
        classes = ["ant", "bee", "cow", "dog", "eel"]
        issues = find_label_issues(y, pd.DataFrame(proba), classes=classes)
        pd.testing.assert_frame_equal(issues, find_label_issues(y, proba))

    @pytest.mark.parametrize("function", [find_label_issues, estimate_noise_rate, LabelReport])
    def test_a_class_without_a_column_is_named(self, named, function):
        y, _, frame = named()
        with pytest.raises(ValueError, match=r"labels .*\['cow'\]|got \['cow'\]"):
            function(y, frame.drop(columns="cow"))

    def test_rows_in_two_orders_are_refused(self, named):
        y, _, frame = named()
        y = pd.Series(y, index=[f"row {i}" for i in range(len(y))])
        frame = frame.set_index(y.index).sample(frac=1, random_state=0)
        with pytest.raises(ValueError, match=r"must have their rows in the same order.*Take proba.loc\[y.index\]"):
            find_label_issues(y, frame)


class TestConfidentClasses:
    PROBA = np.array([[0.8, 0.1, 0.1], [0.6, 0.1, 0.3], [0.1, 0.2, 0.7], [0.2, 0.2, 0.6], [0.1, 0.0, 0.9]])

    def test_a_class_with_one_given_label_claims_what_is_as_probable_as_that(self):
        """Thresholds are .7 for class 0 and the .7 of its single row for class 2; row 2 is its own, and row 4 more."""
        codes = np.array([0, 0, 2, 0, 0])
        proba = self.PROBA.copy()
        threshold = proba[codes == 0, 0].mean()
        assert threshold == pytest.approx(0.425)
        np.testing.assert_array_equal(confident_classes(codes, proba), [0, 0, 2, -1, 2])

    def test_a_class_with_no_given_label_claims_nothing(self):
        codes = np.array([0, 0, 0, 1, 1])
        assert 2 not in confident_classes(codes, self.PROBA)

    def test_a_class_named_twice_is_refused(self):
        with pytest.raises(ValueError, match="classes must be distinct, got 1 twice"):
            check_evidence([0, 1], self.PROBA[:2], [0, 1, 1])


def test_a_class_claims_rows_that_are_all_as_sure_as_their_mean_up_to_rounding():
    for share in np.arange(51, 100) / 100:
        codes, proba = np.zeros(20, dtype=int), np.tile([share, 1 - share], (20, 1))
        assert (confident_classes(codes, proba) == 0).all()
