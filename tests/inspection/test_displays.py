"""Displays: the numbers they draw, the axes they use, and what they refuse. Never pixels."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import trapezoid
from sklearn.linear_model import LogisticRegression

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise.audit import LabelReport, estimate_transition_matrix
from sklabelnoise.inspection import (
    EmphasisDisplay,
    LabelFlowDisplay,
    LabelIssuesDisplay,
    LearningDynamicsDisplay,
    RefineryDisplay,
    TransitionMatrixDisplay,
)
from sklabelnoise.losses import DMEmphasis
from sklabelnoise.noise import corrupt_labels, realized_transition_matrix, symmetric_transition_matrix
from sklabelnoise.training import LearningDynamics

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def noisy(blobs):
    X, y = blobs
    return X, corrupt_labels(y, symmetric_transition_matrix(3, 0.3), exact_counts=True, random_state=0), y


@pytest.fixture
def report(noisy):
    X, y, y_clean = noisy
    proba = np.where(np.eye(3)[y_clean] == 1, 0.9, 0.05)
    return LabelReport(np.array(["ant", "bee", "cow"])[y], proba, X=X, in_sample=True)


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

    def test_several_share_axes(self):
        ax = plt.subplots()[1]
        for loss in ("mae", "gce"):
            assert EmphasisDisplay.from_emphasis(loss).plot(ax=ax).ax_ is ax
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["mae", "gce"]
        colors = {line.get_color() for line in ax.get_lines()}
        assert len(colors) == 2

    def test_methods_without_an_emphasis_are_refused(self):
        with pytest.raises(ValueError, match="ProSelfLCClassifier has no emphasis"):
            EmphasisDisplay.from_estimator(ProSelfLCClassifier())


class TestLearningDynamics:
    @pytest.fixture
    def model(self, noisy):
        X, y, y_clean = noisy
        dynamics = LearningDynamics(y_clean, X_test=X[:50], y_test=y_clean[:50])
        return ProSelfLCClassifier(callbacks=[dynamics], max_epochs=4, random_state=0).fit(X, y)

    @pytest.mark.parametrize(
        ("quantity", "columns"),
        [
            ("label_proba", {"label_proba_clean", "label_proba_wrong"}),
            ("accuracy", {"corrupted_accuracy", "intact_accuracy", "test_accuracy"}),
            ("wrong_labels", {"memorization_rate", "correction_rate"}),
            ("confidence", {"entropy", "trust"}),
        ],
    )
    def test_lines_are_the_history(self, model, quantity, columns):
        display = LearningDynamicsDisplay.from_estimator(model).plot(quantity)
        assert {column for _, column in display.lines_} == columns
        for (_, column), line in display.lines_.items():
            np.testing.assert_array_equal(line.get_ydata(), model.history_[column])
            np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])

    def test_several_models_differ_in_colour_and_name(self, model):
        ax = plt.subplots()[1]
        display = LearningDynamicsDisplay.from_estimators({"A": model, "B": model}).plot(ax=ax)
        assert display.ax_ is ax and len(display.lines_) == 4
        texts = [text.get_text() for text in ax.get_legend().get_texts()]
        assert texts == ["A", "B", "right labels", "wrong labels"]
        assert (
            display.lines_["A", "label_proba_clean"].get_color() != display.lines_["B", "label_proba_clean"].get_color()
        )

    def test_a_plain_history_shows_what_it_has(self, noisy):
        model = DMClassifier(max_epochs=2, random_state=0).fit(*noisy[:2])
        display = LearningDynamicsDisplay.from_estimator(model).plot("accuracy")
        assert {column for _, column in display.lines_} == {"train_accuracy"}

    def test_missing_columns_and_unknown_quantities_are_named(self):
        display = LearningDynamicsDisplay({"x": pd.DataFrame({"train_loss": [1.0]})})
        with pytest.raises(ValueError, match=r"No history holds any of .*LearningDynamics\(y_clean\)"):
            display.plot("wrong_labels")
        with pytest.raises(ValueError, match=r"quantity must be one of .* got 'loss'"):
            display.plot("loss")


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
        assert all(i != j for i, j in display.bands_)
        assert display.counts.sum() == len(report.y)

    def test_nothing_to_draw_is_said(self):
        with pytest.raises(ValueError, match="no label changes"):
            LabelFlowDisplay.from_labels([0, 1], [0, 1]).plot(changes_only=True)
        with pytest.raises(ValueError, match=r"each of 2 classes, got shape \(3, 3\)"):
            LabelFlowDisplay(np.eye(3), ["a", "b"])


class TestLabelIssues:
    def test_pictures_in_the_order_of_the_issues(self, report):
        images = np.random.default_rng(0).uniform(size=(150, 6))
        with_images = LabelReport(report.y, report.proba, X=images, in_sample=True)
        display = LabelIssuesDisplay(with_images).plot(n_issues=5, n_columns=3, image_shape=(2, 3))
        assert len(display.axes_) == 6 and not display.axes_[5].images
        worst = report.issues.iloc[0]
        assert display.axes_[0].get_title() == f"{worst['given_label']} → {worst['suggested_label']}?"
        assert display.axes_[0].images[0].get_array().shape == (2, 3)

    def test_tables_show_rows_and_values(self, report):
        display = LabelIssuesDisplay(report).plot(n_issues=4)
        cells = next(child for child in display.axes_[0].get_children() if hasattr(child, "get_celld")).get_celld()
        assert [cells[i, 0].get_text().get_text() for i in range(1, 5)] == report.issues["row"][:4].astype(str).tolist()
        assert "x" in cells[1, 4].get_text().get_text()

    def test_labels_are_no_formulas(self):
        y = np.array(["$a_1$", "b"] * 20)
        proba = np.where(y[:, None] == np.array(["$a_1$", "b"]), 0.95, 0.05)
        proba[0] = 0, 1
        display = LabelIssuesDisplay(LabelReport(y, proba, X=np.ones((40, 2, 2)))).plot()
        display.figure_.canvas.draw()
        assert display.axes_[0].get_title() == r"\$a_1\$ → b?"

    def test_an_estimator_is_audited(self, noisy):
        display = LabelIssuesDisplay.from_estimator(LogisticRegression(), *noisy[:2], random_state=0)
        assert len(display.report.issues) > 10

    def test_nothing_to_draw_is_said(self):
        with pytest.raises(ValueError, match="no label is to doubt"):
            LabelIssuesDisplay(LabelReport([0, 1] * 10, np.eye(2)[[0, 1] * 10])).plot()


class TestRefinery:
    def test_rounds_are_those_of_a_fit(self, noisy):
        X, y, y_clean = noisy
        refinery = StochasticLabelRefinery(LogisticRegression(), n_rounds=3, random_state=0)
        display = RefineryDisplay.from_estimator(refinery, X, y, rounds=(0, 1, 3), y_clean=y_clean).plot()
        np.testing.assert_array_equal(display.soft_labels[3], refinery.fit(X, y).soft_labels_)
        np.testing.assert_array_equal(display.soft_labels[0].argmax(1), y)
        assert display.positions.shape == (150, 2)
        wrong = int((display.soft_labels[1].argmax(1) != y_clean).sum())
        assert [ax.get_title() for ax in display.axes_[:2]] == ["given: 45 wrong", f"round 1: {wrong} wrong"]

    def test_colours_mix_as_the_labels_do(self):
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


def test_without_matplotlib_the_line_that_installs_it_is_shown(monkeypatch):
    display = TransitionMatrixDisplay(np.eye(2), classes=["ant", "bee"])
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'sklabelnoise\[plot\]'"):
        display.plot()
