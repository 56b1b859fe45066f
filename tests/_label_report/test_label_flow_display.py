"""The display of changed labels: a band for each pair, as wide as there are rows."""

import itertools

import numpy as np
import pandas as pd
import pytest

from sklabelnoise._label_report._report_display import ReportDisplay
from sklabelnoise.inspection import LabelFlowDisplay, TransitionMatrixDisplay

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class TestLabelFlow:
    def test_a_band_for_each_pair_as_wide_as_there_are_rows(self, noisy):
        _, y, y_clean = noisy
        display = LabelFlowDisplay.from_labels(y_clean, y, names=("true", "given")).plot()
        assert set(display.bands_) == {(i, j) for i in range(3) for j in range(3) if display.counts[i, j]}
        height = {pair: np.ptp(band.get_path().vertices[[0, -2], 1]) for pair, band in display.bands_.items()}
        for pair, value in height.items():
            assert value / height[0, 0] == pytest.approx(display.counts[pair] / display.counts[0, 0])
        assert {"true", "given"} <= {text.get_text() for text in display.ax_.texts}

    def test_changes_only_leaves_out_what_stays(self, report):
        display = LabelFlowDisplay.from_report(report).plot(changes_only=True)
        changed = {(i, j) for i, j in np.argwhere(display.counts) if i != j}
        assert changed and set(display.bands_) == changed
        assert display.counts.sum() == len(report.y)

    def test_nothing_to_draw_is_said(self):
        with pytest.raises(ValueError, match="labels that change to draw, got none"):
            LabelFlowDisplay.from_labels([0, 1], [0, 1]).plot(changes_only=True)
        with pytest.raises(ValueError, match=r"each of 2 classes, got shape \(3, 3\)"):
            LabelFlowDisplay(np.eye(3), ["a", "b"])


NO_COUNTS = {
    "negative": [[1, -1], [0, 1]],
    "NaN": [[1, np.nan], [0, 1]],
    "masked": np.ma.masked_array(np.eye(2), mask=np.eye(2)),
    "texts": [["a", "b"], ["c", "d"]],
    "complex": np.eye(2) * 1j,
}


@pytest.mark.parametrize("counts", NO_COUNTS.values(), ids=NO_COUNTS)
def test_bands_are_of_rows(counts):
    with pytest.raises(
        ValueError, match=r"counts must (hold numbers of rows, none negative or missing|not hold missing values), got"
    ):
        LabelFlowDisplay(counts, ["a", "b"])


@pytest.mark.parametrize(
    ("y_to", "error", "message"),
    [
        ([1, 2, 3], TypeError, "y_from and y_to must hold labels of one kind, got text and number"),
        (["a", None, "b"], ValueError, "y_to must not hold missing labels, got one in row 1"),
        (
            pd.Series(["a", "b", "b"], index=[2, 0, 1]),
            ValueError,
            "y_from and y_to must have their rows in the same order",
        ),
    ],
)
def test_two_labelings_are_of_the_same_rows(y_to, error, message):
    with pytest.raises(error, match=message):
        LabelFlowDisplay.from_labels(pd.Series(["a", "b", "b"]), y_to)


def test_a_label_of_no_class_is_refused_and_loses_no_row():
    with pytest.raises(ValueError, match=r"y_to must hold labels of the classes \['b', 'a'\] only, got \['c'\]"):
        LabelFlowDisplay.from_labels(["a", "b"], ["a", "c"], classes=["b", "a"])
    display = LabelFlowDisplay.from_labels(["a", "b", "b"], ["a", "a", "b"], classes=["b", "a", "z"])
    assert display.counts.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]


def test_bands_leave_and_arrive_one_below_the_other():
    """On either side those of a class fill its bar, without gaps and without one over the other."""
    counts = np.array([[3, 1, 2], [4, 0, 5], [1, 6, 2]])
    display = LabelFlowDisplay(counts, ["a", "b", "c"]).plot()
    vertices = {pair: band.get_path().vertices for pair, band in display.bands_.items()}
    for side, (top, bottom) in enumerate([(0, 7), (3, 4)]):
        for k in range(3):
            ends = sorted(
                ((v[top, 1], v[bottom, 1]) for pair, v in vertices.items() if pair[side] == k), key=lambda end: -end[0]
            )
            for (_, above), (below, _) in itertools.pairwise(ends):
                assert above == pytest.approx(below)
            total = counts.sum(axis=1 - side)[k] / counts.sum()
            assert ends[0][0] - ends[-1][1] == pytest.approx(total * (1 - 2 * 0.02))  # two gaps between three bars


def test_drawing_leaves_the_counts_as_they_are():
    counts = np.array([[3.0, 1.0], [0.0, 2.0]])
    display = LabelFlowDisplay(counts, ["a", "b"]).plot(changes_only=True).plot()
    assert display.counts.tolist() == counts.tolist() == [[3, 1], [0, 2]]
    assert sorted(display.bands_) == [(0, 0), (0, 1), (1, 1)]


def test_counts_that_name_their_classes_are_found_by_name():
    y_from, y_to = pd.Series(list("aabbbc")), pd.Series(list("abbbca"))
    counts = pd.crosstab(y_from, y_to)
    expected = LabelFlowDisplay.from_labels(y_from, y_to)
    shuffled = LabelFlowDisplay(counts.loc[list("cab"), list("bca")], expected.classes)
    np.testing.assert_array_equal(shuffled.counts, expected.counts)
    with pytest.raises(
        ValueError, match=r"counts must be named after the classes \['a', 'b', 'x'\], got \['a', 'b', 'c'\]"
    ):
        LabelFlowDisplay(counts, list("abx"))


@pytest.mark.parametrize("names", [("given",), ("a", "b", "c"), "ab", None], ids=repr)
def test_the_labelings_have_two_names(names):
    with pytest.raises(ValueError, match="names must be two, of the labels on the left and on the right, got"):
        LabelFlowDisplay.from_labels([0, 1], [1, 1], names=names)


@pytest.mark.parametrize("classes", [None, "ab", {"a", "b"}, ["a", None]], ids=["None", "a string", "a set", "a gap"])
@pytest.mark.parametrize("display", [LabelFlowDisplay, TransitionMatrixDisplay])
def test_classes_are_named_one_by_one(display, classes):
    if display is TransitionMatrixDisplay and classes is None:
        assert display(np.eye(2)).classes.tolist() == [0, 1]
        return
    with pytest.raises((TypeError, ValueError), match="classes must "):
        display(np.eye(2), classes)


@pytest.mark.parametrize("display", ReportDisplay.of_kind.values(), ids=ReportDisplay.of_kind)
@pytest.mark.parametrize("report", [None, pd.DataFrame(), "report.html"], ids=lambda report: type(report).__name__)
def test_what_is_no_report_is_refused(display, report):
    with pytest.raises(TypeError, match=f"report must be a LabelReport, .*, got {type(report).__name__}"):
        display.from_report(report)
