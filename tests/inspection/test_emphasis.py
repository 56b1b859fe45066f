"""The display of an emphasis: the numbers it draws, the axes it uses, and what it refuses. Never pixels."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.inspection import (
    EmphasisDisplay,
)
from sklabelnoise.losses import DMEmphasis

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class TestEmphasis:
    @pytest.mark.parametrize("loss", ["cross_entropy", "gce", DMEmphasis(0.5, 8), DMEmphasis(2, 24)])
    def test_density_integrates_to_one(self, loss):
        display = EmphasisDisplay.from_emphasis(loss)
        assert trapezoid(display.weight, display.p) == pytest.approx(1)

    @pytest.mark.parametrize(
        ("loss", "mode"),
        [("cross_entropy", 0), ("mae", 0.5), (DMEmphasis(0.5, 8), 1 / 3), (DMEmphasis(2, 24), 2 / 3)],
    )
    def test_mode_is_that_of_the_closed_form(self, loss, mode):
        assert EmphasisDisplay.from_emphasis(loss).mode == pytest.approx(mode, abs=1e-3)  # the grid's step

    def test_equal_weights_have_no_mode(self):
        assert np.isnan(EmphasisDisplay.from_emphasis(DMEmphasis(0, 0)).plot().mode)
        rounded = np.full(11, 0.1) * (1 + 1e-12 * np.arange(11))
        assert np.isnan(EmphasisDisplay(np.linspace(0, 1, 11), rounded).mode)
        assert EmphasisDisplay([0, 0.5, 1], [1, 1.001, 1]).mode == 0.5  # little, but more than rounding
        assert EmphasisDisplay([0, 0.5, 1], [1e-9, 2e-9, 1e-9]).mode == 0.5  # whatever the scale

    def test_weight_itself_on_demand(self):
        display = EmphasisDisplay.from_emphasis("cross_entropy", density=False).plot()
        np.testing.assert_allclose(display.line_.get_ydata(), 2 * (1 - display.p), atol=1e-12)
        assert display.ax_.get_ylabel() == "weight w(p)"

    def test_estimators_bring_parameters_and_data(self, noisy):
        model = DMClassifier(lam=1, beta=4, max_epochs=2, random_state=0).fit(*noisy[:2])
        display = EmphasisDisplay.from_estimator(model).plot()
        np.testing.assert_array_equal(display.label_proba, model.label_quality_)
        assert display.mode == pytest.approx(0.5, abs=1e-3)
        assert sum(patch.get_height() for patch in display.data_ax_.patches) == len(noisy[0])
        gce = EmphasisDisplay.from_estimator(RobustLossClassifier(loss="gce", loss__q=0.5))
        np.testing.assert_allclose(gce.weight, EmphasisDisplay.from_emphasis("gce", q=0.5).weight)
        own = EmphasisDisplay.from_estimator(DMClassifier(lam=1, beta=4, emphasis=DMEmphasis(2, 24)))
        np.testing.assert_array_equal(own.weight, EmphasisDisplay.from_emphasis(DMEmphasis(2, 24)).weight)

    def test_without_density_the_weight_is_as_the_function_gives_it(self):
        display = EmphasisDisplay.from_emphasis(lambda p: 3 * p, density=False)
        np.testing.assert_allclose(display.weight, 3 * display.p)

    def test_what_is_said_of_the_curve_reaches_it(self):
        options = {"density": False, "n_points": 11, "name": "mine"}
        display = EmphasisDisplay.from_estimator(DMClassifier(lam=1, beta=4), **options)
        assert (display.density, display.p.size, display.name) == (False, 11, "mine")
        np.testing.assert_array_equal(display.weight, EmphasisDisplay.from_emphasis(DMEmphasis(1, 4), **options).weight)

    def test_a_weight_that_depends_on_the_number_of_classes_knows_that_of_the_fit(self, noisy):
        model = RobustLossClassifier(loss="nce", max_epochs=1, random_state=0).fit(*noisy[:2])
        expected = EmphasisDisplay.from_emphasis("nce", n_classes=3)
        np.testing.assert_array_equal(EmphasisDisplay.from_estimator(model).weight, expected.weight)

    def test_the_data_lie_beneath_the_whole_curve(self):
        display = EmphasisDisplay.from_emphasis("gce", label_proba=[0.4, 0.5]).plot()
        bins = display.data_ax_.patches
        assert bins[0].get_x() == pytest.approx(0)
        assert bins[-1].get_x() + bins[-1].get_width() == pytest.approx(1)
        assert (display.ax_.get_xlabel(), display.data_ax_.get_xlabel()) == ("", "probability p of the given label")
        assert len(bins) == 40
        axes = plt.subplots(2)[1]
        alone = EmphasisDisplay.from_emphasis("gce").plot(ax=axes[0], data_ax=axes[1])
        assert alone.data_ax_ is None and len(axes[1].patches) == 0
        assert alone.ax_.get_xlabel() == "probability p of the given label"

    def test_the_mode_is_marked_where_it_is_unless_told_not_to(self):
        display = EmphasisDisplay.from_emphasis(DMEmphasis(0.5, 8))
        marked, plain = (display.plot(ax=plt.subplots()[1], mark_mode=mark).ax_.collections for mark in (True, False))
        np.testing.assert_allclose(marked[0].get_offsets(), [[display.mode, display.weight.max()]])
        assert len(plain) == 0

    def test_color_and_options_reach_the_line(self):
        line = EmphasisDisplay.from_emphasis("gce").plot(color="black", lw=7).line_
        assert (line.get_color(), line.get_linewidth()) == ("black", 7)

    def test_axes_that_are_shared_have_room_for_the_highest(self):
        high = EmphasisDisplay.from_emphasis(DMEmphasis(0.5, 24)).plot()
        low = EmphasisDisplay.from_emphasis("cross_entropy").plot(ax=high.ax_)
        assert low.ax_.get_ylim()[1] > high.weight.max() > low.weight.max()

    def test_several_share_axes(self):
        ax = plt.subplots()[1]
        for loss in ("mae", "gce"):
            assert EmphasisDisplay.from_emphasis(loss).plot(ax=ax).ax_ is ax
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mae", "gce"]
        colors = {line.get_color() for line in ax.get_lines()}
        assert len(colors) == 2

    def test_methods_without_an_emphasis_are_refused(self):
        with pytest.raises(ValueError, match=r"must have an emphasis.* got ProSelfLCClassifier"):
            EmphasisDisplay.from_estimator(ProSelfLCClassifier())
        with pytest.raises(ValueError, match=r"must have an emphasis.* RobustLossClassifier with a loss of your own"):
            EmphasisDisplay.from_estimator(RobustLossClassifier(loss=lambda logits, labels: logits[:, 0]))

    def test_of_a_pipeline_it_is_the_last_step(self):
        model = DMClassifier(lam=1, beta=4)
        display = EmphasisDisplay.from_estimator(make_pipeline(StandardScaler(), model))
        np.testing.assert_array_equal(display.weight, EmphasisDisplay.from_estimator(model).weight)

    @pytest.mark.parametrize(
        ("emphasis", "message"),
        [
            (lambda p: p * 0, "emphasis must have an integral to be divided by, or density=False, got one of 0"),
            (
                lambda p: p / 0,
                r"a finite number for each of 1001 points, got shape \(1001,\) with 1001 that",
            ),
            (lambda p: 1.0, r"weight must hold a finite number for each of 1001 points, got shape \(\)"),
        ],
        ids=["zero", "infinite", "one number"],
    )
    def test_what_is_no_curve_is_refused(self, emphasis, message):
        with pytest.raises(ValueError, match=message):
            EmphasisDisplay.from_emphasis(emphasis)

    def test_a_weight_that_is_no_loss_takes_no_hyper_parameters(self):
        with pytest.raises(TypeError, match=r"name of a loss to take the hyper-parameters \['q'\], got DMEmphasis"):
            EmphasisDisplay.from_emphasis(DMEmphasis(), q=0.5)


@pytest.mark.parametrize(
    "option", [{"label": "mine"}, {"linestyle": ":"}, {"ls": ":"}, {"c": "red"}, {"lw": 3}], ids=str
)
def test_options_of_a_line_win_over_defaults_by_any_of_their_names(option):
    line = EmphasisDisplay.from_emphasis(DMEmphasis(0.5, 8), name="DM").plot(**option).line_
    key, value = next(iter(option.items()))
    assert plt.getp(line, key) == value


@pytest.mark.parametrize("emphasis", [None, 5, DMEmphasis, [DMEmphasis(0.5, 8)]], ids=str)
def test_what_is_no_function_of_p_is_refused(emphasis):
    with pytest.raises(TypeError, match=r"emphasis must be a function w\(p\), such as .*, got "):
        EmphasisDisplay.from_emphasis(emphasis)


@pytest.mark.parametrize("n_points", [0, 1, -1, 2.5, None, True])
def test_a_curve_has_two_points_at_least(n_points):
    with pytest.raises(ValueError, match=f"n_points must be an integer of at least 2, got {n_points!r}"):
        EmphasisDisplay.from_emphasis("gce", n_points=n_points)


@pytest.mark.parametrize(
    ("label_proba", "message"),
    [
        ([0.5, np.nan], "label_proba contains NaN"),
        ([1.5, -1], "label_proba must hold probabilities, got values from -1 to 1.5"),
        (["a"], "label_proba must be numbers"),
        (np.eye(2), r"label_proba must be one-dimensional, got shape \(2, 2\)"),
    ],
)
def test_data_are_probabilities(label_proba, message):
    with pytest.raises(ValueError, match=message):
        EmphasisDisplay.from_emphasis("gce", label_proba=label_proba)


@pytest.mark.parametrize(
    ("p", "weight", "message"),
    [
        ([], [], "p must be numbers of shape .*, got something else: Found array with 0 sample"),
        (["a", "b"], [1, 2], "p must be numbers of shape .*, got something else"),
        ([0, 1], ["a", "b"], r"weight must hold a finite number for each of 2 points, got \['a', 'b'\]"),
    ],
)
def test_points_and_weights_are_numbers(p, weight, message):
    with pytest.raises(ValueError, match=message):
        EmphasisDisplay(p, weight)


def test_the_line_below_the_mode_ends_at_the_peak():
    display = EmphasisDisplay([0, 0.3, 1], [0, 5, 0]).plot()
    (line,) = display.ax_.collections[-1].get_segments()
    np.testing.assert_array_equal(line, [[0.3, 0], [0.3, 5]])
