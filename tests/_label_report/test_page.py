"""What the review page is written of, and what it shows in a real browser."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from sklabelnoise._label_report._page import _data, _largest_confusions, _matrix
from sklabelnoise.audit import LabelReport
from tests.review_page import ENTER, Page

# Labels are drawn at random in this file, so the models could not be poorer.
pytestmark = pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")


class TestShows:
    def test_labels_and_title_as_text(self, nasty, nasty_report):
        assert nasty.browser.title == "<b>Titel</b> & so"
        assert nasty.one("h1").text == "<b>Titel</b> & so"
        head = nasty_report.issues.head(60)
        for name, shown in (("given_label", "given"), ("suggested_label", "suggested")):
            texts = nasty.column(shown)[:60]
            assert all(text.startswith(label) for text, label in zip(texts, head[name], strict=True))
        assert not nasty.browser.find_elements("css selector", "td img")
        assert nasty.browser.get_log("browser") == []

    def test_nothing_is_loaded_and_only_its_own_script_runs(self, nasty):
        run = nasty.browser.execute_script
        assert run("return performance.getEntriesByType('resource').length") == 0
        run("const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)")
        assert run("return window.ran") is None
        assert "Content Security Policy" in nasty.browser.get_log("browser")[0]["message"]

    def test_rows_sorted_by_a_click_and_back_by_another(self, nasty, nasty_report):
        for name in ("quality", "margin"):
            button = nasty.one(f"th [data-sort={name}]")
            head = nasty.one(f"th:has([data-sort={name}])")
            expected = nasty_report.issues[name].sort_values()
            button.click()
            if head.get_attribute("aria-sort") == "descending":  # it was sorted by quality already
                button.click()
            np.testing.assert_allclose(np.array(nasty.column(name)[:60], float), expected[:60], atol=5e-5)
            button.click()
            assert head.get_attribute("aria-sort") == "descending"
            np.testing.assert_allclose(np.array(nasty.column(name)[:60], float), expected[::-1][:60], atol=5e-5)
            assert len(nasty.browser.find_elements("css selector", "[aria-sort]")) == 1

    def test_rows_of_a_class_and_with_words(self, nasty, nasty_report):
        issues = nasty_report.issues
        nasty.choose("given", "1")
        nasty.one("#search").send_keys("TEXT 1")
        texts = pd.Series(nasty_report.X).str.contains("text 1")
        expected = issues[(issues["given_label"] == nasty_report.classes[1]) & texts[issues["row"]].to_numpy()]
        assert nasty.rows == expected["row"].tolist()
        assert nasty.text("matching") == f"{len(expected)} rows of {len(issues)}"

    def test_every_row_once_when_one_scrolls(self, nasty, nasty_report):
        expected = nasty_report.issues["row"].tolist()

        def all_rows():
            nasty.browser.execute_script("scrollTo(0, document.body.scrollHeight)")
            return len(nasty.rows) >= len(expected)

        nasty.until(all_rows)
        assert nasty.rows == expected

    def test_the_whole_row_its_classes_and_rows_like_it(self, page, animals):
        page.start()
        page.press(ENTER)
        shown = page.text("detail-body")
        row = animals.issues["row"].iloc[0]
        for column in ("legs", "sound"):
            assert column in shown
        assert f"{animals.X['legs'][row]:.4g}" in shown and animals.X["sound"][row] in shown
        assert "cat" in shown and "dog" in shown and "cow" in shown

    def test_the_matrix_and_the_rows_behind_a_cell(self, browser, tmp_path):
        rng = np.random.default_rng(0)
        y = np.arange(3000) % 100
        proba = np.full((3000, 100), 0.001)
        proba[np.arange(3000), np.where(rng.random(3000) < 0.2, (y + 1) % 100, y)] = 0.901
        report = LabelReport(y, proba)
        page = Page(browser, report.to_html(tmp_path / "report.html"))
        page.one("#noise summary").click()
        cells = page.until(lambda: page.browser.find_elements("css selector", ".matrix td"))  # built when it is opened
        assert len(cells) == 100 * 100
        title = page.one(".matrix td.wrong button").get_attribute("title")
        percent, true, given = re.fullmatch(r"(\d+) % of (\d+) were given (\d+)", title).groups()
        assert int(percent) == round(100 * report.transition_matrix[int(true), int(given)])
        page.one(".matrix td.wrong button").click()
        assert page.rows == report.issues.query(f"given_label == {given} and suggested_label == {true}")["row"].tolist()

    def test_how_likely_the_given_label_is_among_many_classes(self, browser, tmp_path):
        proba = np.full((40, 20), 0.05)
        proba[:, 0], proba[:, 1:] = 0.43, 0.03  # the given label is one of nineteen equals, most of them not listed
        report = LabelReport(np.arange(40) % 20, proba, in_sample=True)
        page = Page(browser, report.to_html(tmp_path / "report.html"))
        assert {text.split()[-2] for text in page.column("given")} == {"3"}

    @pytest.mark.parametrize(
        ("doubted", "said"), [(0, "None of 30 labels is"), (1, "1 of 30 labels (3.3%) is in doubt")]
    )
    def test_a_page_of_nothing_or_of_one(self, browser, tmp_path, doubted, said):
        y = np.arange(30) % 2
        proba = np.where(np.eye(2)[y] == 1, 0.9, 0.1)
        proba[:doubted] = proba[:doubted, ::-1]
        page = Page(browser, LabelReport(y, proba, in_sample=True).to_html(tmp_path / "report.html"))
        assert said in page.one(".statement").text
        assert len(page.rows) == doubted
        assert ("No label is in doubt" in page.one("#issues").text) == (doubted == 0)
        assert page.one("#done").get_property("value") == 0
        page.press("m")
        assert page.text("all-text").startswith(("0 rows match", "1 row matches")[doubted])

    def test_names_from_right_to_left_keep_the_figures_beside_them_in_place(self, browser, tmp_path):
        y = np.array(["\u05db\u05df", "\u05dc\u05d0"])[np.arange(20) % 2]
        texts = ["\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd (1)."] * 20
        report = LabelReport(y, np.eye(2)[1 - np.arange(20) % 2], X=texts, in_sample=True)
        page = Page(browser, report.to_html(tmp_path / "report.html", title="\u05d1\u05d3\u05d9\u05e7\u05d4 1"))
        name, share = (page.one(f"td.given {part}").rect for part in ("bdi", "small"))
        assert name["x"] + name["width"] <= share["x"] + 1  # the figure follows the name
        style = "return getComputedStyle(document.querySelector('td .text')).direction"
        assert page.browser.execute_script(style) == "rtl"
        page.start()
        page.press("a")
        assert f"accepted \u2068{report.issues['suggested_label'].iloc[0]}\u2069. Undo" in page.text("status")
        assert pd.read_csv(page.download())["label"].tolist() == [report.issues["suggested_label"].iloc[0]]


def test_the_page_is_one_file_with_the_data_escaped(nasty_report, tmp_path):
    page = nasty_report.to_html(tmp_path / "report.html", title="</title><script>").read_text(encoding="utf-8")
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL).group(1))
    assert data["names"] == list(nasty_report.classes)
    assert len(data["issues"]) == len(nasty_report.issues)


def test_a_title_may_hold_what_no_file_can(nasty_report, tmp_path):
    page = nasty_report.to_html(tmp_path / "report.html", title="half \ud83d a sign", max_issues=0)
    assert "<title>half ? a sign</title>" in page.read_text(encoding="utf-8")


def test_the_page_says_what_it_leaves_out(nasty_report, tmp_path):
    page = nasty_report.to_html(tmp_path / "report.html", max_issues=7).read_text(encoding="utf-8")
    assert f"The worst 7 of {len(nasty_report.issues)} labels to doubt are shown." in page
    assert f"max_issues={len(nasty_report.issues)}" in page


def test_of_many_classes_the_matrix_shows_those_that_are_confused_and_that_others_are_taken_for():
    T = np.eye(102)
    T[3, [3, 101]] = 0.6, 0.4
    shown = _matrix(SimpleNamespace(transition_matrix=T, transition_matrix_interval=None))
    assert {3, 101} < set(shown["classes"]) and len(shown["classes"]) == 100
    assert shown["note"] == "The 100 of 102 classes that are confused most."
    at = [shown["classes"].index(k) for k in (3, 101)]
    assert [shown["shares"][at[0]][k] for k in at] == [0.6, 0.4] and shown["low"] is None


def test_the_matrix_says_nothing_of_a_class_that_no_row_is_predicted_as(no_warning_of_a_poor_model):
    predicted = np.repeat([0, 1], 40)
    given = np.where(np.arange(80) % 10, predicted, 2)
    shown = _matrix(LabelReport(given, np.eye(3)[predicted] * 0.85 + 0.05, in_sample=True))
    assert shown["shares"] == [[0.9, 0.0, 0.1], [0.0, 0.9, 0.1], [0.0, 0.0, 0.0]]
    assert shown["note"] == "The row of a class that nothing is predicted as is empty."


def test_confusions_are_named_from_true_to_given_but_for_what_rounds_to_nothing():
    T = np.array([[0.9, 0.1, 0.0], [0.0004, 0.9991, 0.0005], [0.3, 0.0, 0.7]])
    assert _largest_confusions(T) == [[2, 0, 0.3], [0, 1, 0.1], [1, 2, 0.0005]]


def test_there_are_as_many_ranks_as_digits_and_a_dozen_confusions():
    assert _largest_confusions(np.full((5, 5), 0.2)) == [[0, j, 0.2] for j in range(1, 5)] + [
        [i, j, 0.2] for i in (1, 2) for j in range(5) if i != j
    ]
    proba = np.random.default_rng(0).dirichlet(np.ones(12), 60)
    report = LabelReport(np.arange(60) % 12, proba, in_sample=True)
    issues = _data(report, report.issues, None, 128)["issues"]
    for row, *_, top, _, _ in issues:
        assert [code for code, _ in top] == np.argsort(-proba[row])[:9].tolist()
        np.testing.assert_allclose([share for _, share in top], np.sort(proba[row])[::-1][:9], atol=5e-5)


def test_a_rate_that_means_nothing_is_not_on_the_page(nasty_report, tmp_path):
    assert nasty_report.reliability == "none"
    page = nasty_report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<dd>unknown" in page and "cannot be told" in page
    figures = page.partition('<p class="statement')[0]
    assert "%" not in figures[figures.index("<dl") :]


@pytest.mark.parametrize("images", [False, True])
def test_rows_may_be_a_tensor_with_a_derivative(tmp_path, images):
    rng = np.random.default_rng(0)
    X = rng.random((60, 3, 8, 8) if images else (60, 3))
    proba = rng.dirichlet([1, 1], 60)
    pages = [
        LabelReport(np.arange(60) % 2, proba, X=rows, in_sample=True).to_html(tmp_path / name)
        for name, rows in (("tensor", torch.tensor(X, requires_grad=True)), ("array", X))
    ]
    assert pages[0].read_bytes() == pages[1].read_bytes()


@pytest.mark.parametrize(
    "sizes, message",
    [
        ({"image_size": 0}, "image_size must be an integer of at least 1, got 0"),
        ({"image_size": 64.5}, "image_size must be an integer of at least 1, got 64.5"),
        ({"max_issues": -1}, "max_issues must be an integer of at least 0, got -1"),
        ({"image_shape": (8, 9)}, r"image_shape must be that of the 64 values of a row, got \(8, 9\)"),
    ],
)
def test_sizes_that_are_none_are_named(tmp_path, sizes, message):
    report = LabelReport(np.arange(60) % 2, np.full((60, 2), 0.5), X=np.ones((60, 64)), in_sample=True)
    with pytest.raises(ValueError, match=message):
        report.to_html(tmp_path / "report.html", **sizes)
