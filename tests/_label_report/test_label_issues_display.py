"""The display of labels to doubt: rows in the order of the issues."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklabelnoise.audit import LabelReport
from sklabelnoise.inspection import (
    LabelIssuesDisplay,
)

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


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
        with pytest.raises(ValueError, match="labels to doubt to draw, got none"):
            LabelIssuesDisplay(LabelReport([0, 1] * 10, np.eye(2)[[0, 1] * 10])).plot()
