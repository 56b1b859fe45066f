"""The display of changed labels: a band for each pair, as wide as there are rows."""

import itertools

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.inspection import (
    LabelFlowDisplay,
)

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


@pytest.mark.parametrize("counts", [[[1, -1], [0, 1]], [[1, np.nan], [0, 1]]])
def test_bands_are_of_rows(counts):
    with pytest.raises(ValueError, match="counts must hold numbers of rows, none negative or missing, got"):
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
