"""The display of a refinery: its rounds are those of a fit."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from scipy.spatial.distance import pdist
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklabelnoise import StochasticLabelRefinery
from sklabelnoise.inspection import (
    RefineryDisplay,
)

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")
to_rgb = plt.matplotlib.colors.to_rgb


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class TestRefinery:
    def test_without_a_round_there_is_nothing_to_show(self, noisy):
        X, y, _ = noisy
        with pytest.raises(ValueError, match=r"rounds must name one at least, .*, got \[\]"):
            RefineryDisplay.from_estimator(StochasticLabelRefinery(), X, y, rounds=[])

    def test_rounds_are_those_of_a_fit(self, noisy):
        X, y, y_clean = noisy
        refinery = StochasticLabelRefinery(LogisticRegression(), n_rounds=3, random_state=0)
        display = RefineryDisplay.from_estimator(refinery, X, y, rounds=(0, 1, 3), y_clean=y_clean).plot()
        np.testing.assert_array_equal(display.soft_labels[3], refinery.fit(X, y).soft_labels_)
        np.testing.assert_array_equal(display.soft_labels[0].argmax(1), y)
        assert display.positions.shape == (150, 2)
        wrong = int((display.soft_labels[1].argmax(1) != y_clean).sum())
        assert [ax.get_title() for ax in display.axes_[:2]] == ["given: 45 wrong", f"round 1: {wrong} wrong"]

    def test_a_class_that_is_no_true_one_is_wrong_wherever_it_stands(self):
        display = RefineryDisplay(np.eye(3, 2), {0: np.eye(3)}, ["a", "b", "c"], y_clean=["b", "b", "c"]).plot()
        assert display.axes_[0].get_title() == "given: 1 wrong"

    def test_the_refinery_itself_is_neither_fitted_nor_changed(self, noisy):
        refinery = StochasticLabelRefinery(LogisticRegression(), random_state=0)
        before = vars(refinery).copy()
        RefineryDisplay.from_estimator(refinery, *noisy[:2], rounds=(0, 1))
        assert vars(refinery) == before

    def test_names_of_classes_are_counted_as_their_numbers(self, noisy):
        refinery = StochasticLabelRefinery(LogisticRegression(), random_state=0)
        titles = []
        for names in (np.arange(3), np.array(["ant", "bee", "cat"])):
            y, y_clean = names[noisy[1]], names[noisy[2]]
            display = RefineryDisplay.from_estimator(refinery, noisy[0], y, rounds=(0, 1), y_clean=y_clean).plot()
            titles.append([ax.get_title() for ax in display.axes_])
        assert titles[0] == titles[1]

    def test_the_legend_has_the_colors_of_the_points_and_options_reach_them(self):
        display = RefineryDisplay([[0, 0], [1, 1]], {0: np.eye(2)}, ["a", "b"]).plot(s=99)
        points, (legend,) = display.axes_[0].collections[0], display.figure_.legends
        assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
        colors = [to_rgb(handle.get_color()) for handle in legend.legend_handles]
        np.testing.assert_allclose(points.get_facecolors()[:, :3], colors)
        assert points.get_sizes().tolist() == [99]

    def test_rows_in_a_plane_keep_their_distances(self, noisy):
        rng = np.random.default_rng(0)
        flat = rng.normal(size=(150, 2)) * [3, 1]
        X = flat @ np.linalg.qr(rng.normal(size=(5, 2)))[0].T
        refinery = StochasticLabelRefinery(LogisticRegression(), random_state=0)
        positions = RefineryDisplay.from_estimator(refinery, X, noisy[1], rounds=(0,)).positions
        np.testing.assert_allclose(pdist(positions), pdist(flat), rtol=1e-9)

    def test_rounds_come_in_any_order_and_what_is_left_of_the_grid_is_empty(self, noisy):
        refinery = StochasticLabelRefinery(LogisticRegression(), random_state=0)
        display = RefineryDisplay.from_estimator(refinery, *noisy[:2], rounds=(2, 0)).plot(n_columns=1)
        assert [ax.get_title() for ax in display.axes_] == ["round 2", "given"]
        display = RefineryDisplay([[0, 0], [1, 1]], {k: np.eye(2) for k in range(4)}, ["a", "b"]).plot()
        assert [ax.axison for ax in display.axes_] == [True] * 4 + [False] * 2

    def test_colors_mix_as_the_labels_do(self):
        soft = {0: np.eye(2), 1: np.full((2, 2), 0.5)}
        display = RefineryDisplay([[0, 0], [1, 1]], soft, ["a", "b"]).plot()
        given, mixed = (ax.collections[0].get_facecolors()[:, :3] for ax in display.axes_[:2])
        np.testing.assert_allclose(mixed, np.tile(given.mean(axis=0), (2, 1)), atol=1e-12)

    def test_axes_are_reused_and_counted(self):
        display = RefineryDisplay([[0, 0], [1, 1]], {0: np.eye(2), 1: np.eye(2)}, ["a", "b"])
        axes = plt.subplots(1, 2)[1]
        assert display.plot(axes=axes).axes_[0] is axes[0]
        with pytest.raises(ValueError, match="axes must be at least 2, got 1"):
            display.plot(axes=axes[:1])
        more = display.plot(axes=plt.subplots(1, 3)[1]).axes_
        assert [ax.axison for ax in more] == [True, True, False]

    def test_there_is_a_true_label_for_each_place(self):
        with pytest.raises(ValueError, match="y_clean must have 2 labels, got 3"):
            RefineryDisplay([[0, 0], [1, 1]], {0: np.eye(2)}, ["a", "b"], y_clean=["a", "b", "b"])


@pytest.mark.parametrize(
    "form", [scipy.sparse.csr_array, pd.DataFrame, lambda X: X[:, :1]], ids=["sparse", "frame", "column"]
)
def test_rows_of_any_form_have_a_place(noisy, form):
    X, y, _ = noisy
    refinery = StochasticLabelRefinery(LogisticRegression(), random_state=0)
    display = RefineryDisplay.from_estimator(refinery, form(X), y, rounds=(0, 1)).plot()
    assert display.positions.shape == (150, 2)
    if form(X).shape == X.shape:
        dense = RefineryDisplay.from_estimator(refinery, X, y, rounds=(0, 1))
        np.testing.assert_allclose(display.positions, dense.positions)


def test_true_labels_of_another_kind_are_refused(noisy):
    X, y, _ = noisy
    with pytest.raises(TypeError, match="y and y_clean must hold labels of one kind, got number and text"):
        RefineryDisplay.from_estimator(StochasticLabelRefinery(LogisticRegression()), X, y, y_clean=y.astype(str))


SOFT = np.array([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
PLACES = np.arange(6.0).reshape(3, 2)
NO_DISPLAY = {
    "places of one number": (
        (PLACES[:, :1], {0: SOFT}, ["a", "b"]),
        r"positions must .*\(n_samples, 2\), got shape \(3, 1\)",
    ),
    "missing places": ((np.full((3, 2), np.nan), {0: SOFT}, ["a", "b"]), "positions contains NaN"),
    "no rounds": (
        (PLACES, {}, ["a", "b"]),
        "soft_labels must be a dict of soft labels by round, one at least, got none",
    ),
    "a list": (
        (PLACES, [SOFT], ["a", "b"]),
        "soft_labels must be a dict of soft labels by round, one at least, got list",
    ),
    "a name": ((PLACES, {"first": SOFT}, ["a", "b"]), "Each round of soft_labels must be an integer .* got 'first'"),
    "fewer rows": ((PLACES, {4: SOFT[:2]}, ["a", "b"]), r"soft_labels\[4\] must have shape \(3, 2\), got \(2, 2\)"),
    "more classes": ((PLACES, {4: SOFT}, ["a", "b", "c"]), r"soft_labels\[4\] must have shape \(3, 3\), got \(3, 2\)"),
    "no probabilities": (
        (PLACES, {4: SOFT * 3}, ["a", "b"]),
        r"soft_labels\[4\] must hold probabilities, got values from",
    ),
    "classes in a text": ((PLACES, {0: SOFT}, "ab"), "classes must be an array, a series or a list of labels, got str"),
    "one class twice": ((PLACES, {0: SOFT}, ["a", "a"]), "classes must be distinct, got 'a' twice"),
}


@pytest.mark.parametrize("arguments, message", NO_DISPLAY.values(), ids=NO_DISPLAY)
def test_what_cannot_be_drawn_is_refused_by_its_name(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        RefineryDisplay(*arguments)


def test_columns_of_soft_labels_are_found_by_name():
    frame = pd.DataFrame(SOFT[:, ::-1], columns=["b", "a"])
    np.testing.assert_array_equal(RefineryDisplay(PLACES, {0: frame}, ["a", "b"]).soft_labels[0], SOFT)
    with pytest.raises(ValueError, match=r"soft_labels\[0\] must have columns named after the classes"):
        RefineryDisplay(PLACES, {0: frame.set_axis(["x", "y"], axis=1)}, ["a", "b"])


@pytest.mark.parametrize("rounds", [(0, -1), (0, 1.5), "01", None, (True,)], ids=repr)
def test_rounds_are_counted(noisy, rounds):
    with pytest.raises(ValueError, match="Each of rounds must be an integer of at least 0, got"):
        RefineryDisplay.from_estimator(StochasticLabelRefinery(LogisticRegression()), *noisy[:2], rounds=rounds)


@pytest.mark.parametrize(
    "rounds", [2, np.array([0, 2]), {0, 2}, iter([2, 0])], ids=lambda rounds: type(rounds).__name__
)
def test_rounds_come_in_any_container(noisy, rounds):
    refinery = StochasticLabelRefinery(LogisticRegression(), random_state=0)
    assert 2 in RefineryDisplay.from_estimator(refinery, *noisy[:2], rounds=rounds).soft_labels


@pytest.mark.parametrize("model", [LogisticRegression(), make_pipeline(StochasticLabelRefinery()), None], ids=str)
def test_only_a_refinery_has_rounds(noisy, model):
    with pytest.raises(TypeError, match=f"refinery must be a StochasticLabelRefinery, got {type(model).__name__}"):
        RefineryDisplay.from_estimator(model, *noisy[:2])


@pytest.mark.parametrize(
    "X, message",
    [
        ([f"text {i}" for i in range(150)], r"X must be .* RefineryDisplay takes positions of rows of any kind"),
        (pd.DataFrame({"a": ["u", "v", "w"] * 50, "b": 1}), "X must be numbers .* could not convert"),
        (np.where(np.arange(300).reshape(150, 2) == 7, np.nan, 1.0), "X contains NaN"),
    ],
    ids=["texts", "names", "missing"],
)
def test_rows_without_a_place_are_refused_before_the_fit(noisy, X, message):
    with pytest.raises(ValueError, match=message):
        RefineryDisplay.from_estimator(StochasticLabelRefinery(GaussianNB(), callback=pytest.fail), X, noisy[1])


def test_rows_of_several_dimensions_have_a_place(noisy):
    X, y, _ = noisy
    flatten = make_pipeline(FunctionTransformer(lambda X: np.reshape(X, (len(X), -1))), LogisticRegression())
    refinery = StochasticLabelRefinery(flatten, random_state=0)
    X = np.hstack([X, X[:, ::-1]])
    flat, square = (RefineryDisplay.from_estimator(refinery, Z, y, rounds=(0, 1)) for Z in (X, X.reshape(150, 2, -1)))
    np.testing.assert_allclose(flat.positions, square.positions)


def test_one_color_may_be_for_all():
    points = RefineryDisplay(PLACES, {0: SOFT}, ["a", "b"]).plot(color="red").axes_[0].collections[0]
    assert np.allclose(points.get_facecolors()[:, :3], to_rgb("red"))
    with pytest.raises(ValueError, match="n_columns must be an integer of at least 1, got 0"):
        RefineryDisplay(PLACES, {0: SOFT}, ["a", "b"]).plot(n_columns=0)
