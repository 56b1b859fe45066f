"""The display of labels to doubt: rows in the order of the issues."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklabelnoise._foundation._style import shorten
from sklabelnoise._label_report._views import view_of_report
from sklabelnoise.audit import LabelReport, audit_labels
from sklabelnoise.inspection import (
    LabelIssuesDisplay,
)

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def table_of(display):
    """The texts of its cells, row by row."""
    cells = next(child for child in display.axes_[0].get_children() if hasattr(child, "get_celld")).get_celld()
    n_rows = max(i for i, _ in cells) + 1
    return [[cells[i, j].get_text().get_text() for j in range(5)] for i in range(n_rows)]


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

    def test_each_row_shows_its_own_whatever_rows_are_called(self, report):
        names = np.arange(150)[::-1]
        images = np.random.default_rng(0).integers(0, 255, (150, 4, 5), dtype=np.uint8)
        shown = LabelReport(pd.Series(report.y, index=names), report.proba, X=images, in_sample=True)
        figure = plt.figure()
        display = LabelIssuesDisplay(shown).plot(n_issues=7, n_columns=2, figure=figure, cmap="hot")
        assert display.figure_ is figure and len(display.axes_) == 8
        left, right = display.axes_[:2]
        assert left.get_position().y0 == right.get_position().y0 > display.axes_[2].get_position().y0
        for ax, row in zip(display.axes_, shown.issues["row"][:7], strict=False):
            np.testing.assert_array_equal(ax.images[0].get_array(), images[row])
            assert ax.images[0].get_cmap().name == "hot"
            assert [text.get_text() for text in ax.texts] == [f"row {row}"]
        for n_issues, n_axes in ((30, 32), (16, 16)):
            assert len(LabelIssuesDisplay(shown).plot(n_issues=n_issues).axes_) == n_axes

    def test_a_table_shows_what_speaks_for_the_suggestion(self, report, noisy):
        names = np.arange(150)[::-1]
        shown = LabelReport(report.y, report.proba, X=pd.DataFrame(noisy[0], index=names), in_sample=True)
        figure = plt.figure()
        display = LabelIssuesDisplay(shown).plot(n_issues=30, figure=figure)
        assert display.figure_ is figure
        texts, contents = table_of(display), view_of_report(shown)
        assert texts[0] == ["row", "given", "suggested", "quality", "what speaks for it"] and len(texts) == 31
        for cells, issue in zip(texts[1:], shown.issues.itertuples(), strict=False):
            assert cells[:3] == [str(issue.row), issue.given_label, issue.suggested_label]
            codes = (np.searchsorted(shown.classes, [label]) for label in cells[1:3])
            line = contents.line(contents.brief(np.array([issue.row]), *codes)[0])
            assert cells[4] == shorten(line, 78)
        texts = LabelReport(report.y, report.proba, X=[f"text {i}" for i in range(150)], in_sample=True)
        (_, *_, header), (row, *_, content), *_ = table_of(LabelIssuesDisplay(texts).plot())
        assert (header, content) == ("content", f"text {row}")

    def test_labels_are_no_formulas(self):
        y = np.array(["$a_1$", "b"] * 20)
        proba = np.where(y[:, None] == np.array(["$a_1$", "b"]), 0.95, 0.05)
        proba[0] = 0, 1
        display = LabelIssuesDisplay(LabelReport(y, proba, X=np.ones((40, 2, 2)))).plot()
        display.figure_.canvas.draw()
        assert display.axes_[0].get_title() == r"\$a_1\$ → b?"

    def test_an_estimator_is_audited(self, noisy):
        options = {"random_state": 3, "cv": 3, "ids": [f"flower {i}" for i in range(150)]}
        display = LabelIssuesDisplay.from_estimator(LogisticRegression(), *noisy[:2], **options)
        assert len(display.report.issues) > 10
        expected = audit_labels(LogisticRegression(), *noisy[:2], **options)
        pd.testing.assert_frame_equal(display.report.issues, expected.issues)

    @pytest.mark.parametrize("wrong", [0, -1, 2.5, "4"])
    @pytest.mark.parametrize("name", ["n_issues", "n_columns"])
    def test_numbers_that_are_none_are_named(self, report, name, wrong):
        with pytest.raises(ValueError, match=f"{name} must be an integer of at least 1, got {wrong!r}"):
            LabelIssuesDisplay(report).plot(**{name: wrong})

    def test_nothing_to_draw_is_said(self):
        with pytest.raises(ValueError, match="labels to doubt to draw, got none"):
            LabelIssuesDisplay(LabelReport([0, 1] * 10, np.eye(2)[[0, 1] * 10])).plot()
