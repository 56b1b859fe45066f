"""The display of a transition matrix: its cells are the matrix."""

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.audit import estimate_transition_matrix
from sklabelnoise.inspection import (
    TransitionMatrixDisplay,
)
from sklabelnoise.noise import realized_transition_matrix, symmetric_transition_matrix

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class TestTransitionMatrix:
    def test_cells_are_the_matrix(self, noisy):
        _, y, y_clean = noisy
        ax = plt.subplots()[1]
        display = TransitionMatrixDisplay.from_labels(y_clean, y).plot(ax=ax)
        T = realized_transition_matrix(y_clean, y)
        np.testing.assert_array_equal(display.im_.get_array(), T)
        assert display.ax_ is ax and (ax.get_xlabel(), ax.get_ylabel()) == ("given label", "true label")
        assert display.text_[0, 0].get_text() == f"{T[0, 0]:.2f}".removeprefix("0")

    def test_estimates_come_from_the_audit(self, noisy, report):
        estimate = TransitionMatrixDisplay.from_predictions(report.y, report.proba)
        np.testing.assert_array_equal(estimate.transition_matrix, estimate_transition_matrix(report.y, report.proba))
        display = TransitionMatrixDisplay.from_report(report)
        np.testing.assert_array_equal(display.transition_matrix, report.transition_matrix)
        assert display.classes.tolist() == ["ant", "bee", "cow"]

    def test_a_hundred_classes_stay_legible(self):
        display = TransitionMatrixDisplay(symmetric_transition_matrix(100, 0.2)).plot()
        assert display.text_ is None and len(display.ax_.get_xticks()) <= 25

    def test_bad_matrices_and_names_are_refused(self):
        with pytest.raises(ValueError, match="Rows of transition_matrix must sum to 1"):
            TransitionMatrixDisplay([[0.5, 0.4], [0, 1]])
        with pytest.raises(ValueError, match="classes must name each of 2 classes, got 1"):
            TransitionMatrixDisplay(np.eye(2), ["a"])


def test_a_frame_names_the_classes():
    T = pd.DataFrame([[0.1, 0.9], [0.7, 0.3]], index=["b", "a"], columns=["a", "b"])
    display = TransitionMatrixDisplay(T)
    assert display.classes.tolist() == ["b", "a"]
    assert display.transition_matrix.tolist() == [[0.9, 0.1], [0.3, 0.7]]
    assert TransitionMatrixDisplay(T, ["a", "b"]).transition_matrix.tolist() == [[0.7, 0.3], [0.1, 0.9]]


def test_predictions_may_have_a_class_that_nobody_was_given():
    y, proba = ["a", "b"] * 20, np.tile([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]], (20, 1))
    display = TransitionMatrixDisplay.from_predictions(y, pd.DataFrame(proba, columns=["a", "b", "c"])[["c", "a", "b"]])
    assert display.classes.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(display.transition_matrix, np.eye(3))


@pytest.mark.parametrize(
    ("y_noisy", "error", "message"),
    [
        ([1, 2], TypeError, "y_clean and y_noisy must hold labels of one kind, got text and number"),
        (["a", None], ValueError, "y_noisy must not hold missing labels, got one in row 1"),
        (["a"], ValueError, "inconsistent numbers of samples"),
    ],
)
def test_labels_are_checked_before_they_are_drawn(y_noisy, error, message):
    with pytest.raises(error, match=message):
        TransitionMatrixDisplay.from_labels(["a", "b"], y_noisy)


def ticks(axis):
    return dict(zip(axis.get_ticklocs().tolist(), (text.get_text() for text in axis.get_ticklabels()), strict=True))


def test_cells_and_names_stand_where_the_matrix_has_them():
    T = np.array([[0.6, 0.3, 0.1], [0.0, 0.9, 0.1], [0.2, 0.0, 0.8]])
    display = TransitionMatrixDisplay(T, ["ant", "bee", "cow"]).plot()
    for (i, j), text in np.ndenumerate(display.text_):
        assert text.get_position() == (j, i)
        assert text.get_text() == (f"{T[i, j]:.2f}"[1:] if T[i, j] else "")
    names = {0: "ant", 1: "bee", 2: "cow"}
    assert ticks(display.ax_.xaxis) == ticks(display.ax_.yaxis) == names
    many = [f"class {i}" for i in range(60)]
    names = {place: many[int(place)] for place in range(0, 60, 2)}
    display = TransitionMatrixDisplay(np.eye(60), many).plot()
    assert ticks(display.ax_.xaxis) == ticks(display.ax_.yaxis) == names


def test_what_is_asked_of_a_plot_is_drawn():
    display = TransitionMatrixDisplay(np.eye(2))
    assert len(display.plot().figure_.axes) == 2 and display.im_.get_clim() == (0, 1)
    assert len(display.plot(colorbar=False).figure_.axes) == 1
    assert display.plot(values=False).text_ is None
    assert display.plot(cmap="viridis", vmax=0.5).im_.get_cmap().name == "viridis"
    assert display.im_.get_clim() == (0, 0.5)
    few = TransitionMatrixDisplay([[0.8, 0.2], [0.1, 0.9]]).plot(vmax=0.3)
    assert [text.get_color() == "white" for text in few.text_.ravel()] == [True, True, False, True]  # on dark cells
    assert TransitionMatrixDisplay(np.eye(30)).plot(values=True).text_.shape == (30, 30)


def test_classes_and_method_are_those_that_are_passed(report, noisy):
    _, y, y_clean = noisy
    names = np.array(["ant", "bee", "cow", "dog"])
    order = [2, 3, 0, 1]
    shown = TransitionMatrixDisplay.from_labels(names[y_clean], names[y], classes=names[order])
    assert shown.classes.tolist() == names[order].tolist()
    T = np.eye(4)
    T[:3, :3] = realized_transition_matrix(y_clean, y)
    np.testing.assert_array_equal(shown.transition_matrix, T[order][:, order])
    expected = estimate_transition_matrix(report.y, report.proba, method="predictions")
    assert (expected != estimate_transition_matrix(report.y, report.proba)).any()
    for order, classes in (([0, 1, 2], None), ([2, 0, 1], ["cow", "ant", "bee"])):
        estimate = TransitionMatrixDisplay.from_predictions(
            report.y, report.proba[:, order], method="predictions", classes=classes
        )
        assert estimate.classes.tolist() == (["ant", "bee", "cow"] if classes is None else classes)
        np.testing.assert_array_equal(estimate.transition_matrix, expected[order][:, order])
