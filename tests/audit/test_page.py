"""The review page: what it shows of each row, and its use in a real browser."""

import json
import re
import shutil
import time

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from sklabelnoise.audit import LabelReport
from sklabelnoise.audit._page_content import contents_of

# Labels are drawn at random in this file, so the models could not be poorer.
pytestmark = pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")


class TestContents:
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])

    def contents(self, X, **kwargs):
        report = LabelReport(self.y, np.eye(2)[1 - self.y], X=X, in_sample=True)
        return contents_of(report, report.issues, **kwargs)

    @pytest.mark.parametrize("shape", [(8, 5, 5), (8, 1, 5, 5), (8, 3, 5, 5), (8, 5, 5, 3), (8, 200, 300, 3)])
    @pytest.mark.parametrize("dtype", [np.uint8, np.float32])
    def test_images_of_any_layout_become_pictures(self, shape, dtype):
        X = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
        kind, contents = self.contents(X)
        assert kind == "image" and len(contents) == 8
        assert all(content.startswith("data:image/") for content in contents)

    def test_rows_can_be_read_as_images(self):
        kind, contents = self.contents(np.arange(8 * 6).reshape(8, 6), image_shape=(2, 3))
        assert kind == "image" and len(set(contents)) == 1  # contrast is stretched, so ramps look alike

    def test_texts_are_kept_up_to_a_length(self):
        kind, contents = self.contents(["short"] * 7 + ["x" * 10_000])
        assert kind == "text" and contents[0] == "short" and len(contents[-1]) == 2000

    def test_tables_show_what_is_least_like_the_given_class(self):
        X = pd.DataFrame({"usual": [1.0, 1.1] * 4, "odd": [5, 5.1, 4.9, 90, 5, 5.1, 4.9, 5], "name": list("abcdefgh")})
        kind, contents = self.contents(X)
        assert kind == "values"
        assert [name for name, _ in contents[3]] == ["name", "odd", "usual"]
        assert dict(map(tuple, contents[3])) == {"name": "d", "odd": "90", "usual": "1.1"}

    def test_missing_values_and_constant_columns_are_shown_last(self):
        X = np.zeros((8, 3))
        X[:, 1] = [np.nan, 1, 2, 3, 1, 2, 3, 4]
        names = [name for name, _ in self.contents(X)[1][0]]
        assert names[-1] == "x1"

    def test_sparse_rows_show_their_largest_entries(self):
        kind, contents = self.contents(sparse.csr_matrix(np.diag(np.arange(1.0, 9.0))))
        assert kind == "values" and contents[2] == [["x2", "3"]]

    def test_five_dimensions_are_refused(self):
        with pytest.raises(ValueError, match="X must hold images, texts or rows of a table"):
            self.contents(np.zeros((8, 1, 1, 1, 1)))


NASTY = [
    '<img src=x onerror="document.title=1">',
    "say \"no\", or 'yes'",
    "two\r\nlines",
    "grün 🦊",
    "=1+1",
    "</script>",
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium that downloads into `browser.downloads`."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("Chromium is not installed (apt-get install chromium chromium-driver)")
    downloads = tmp_path_factory.mktemp("downloads")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1300,1000"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.downloads = downloads
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def nasty_report():
    rng = np.random.default_rng(0)
    y = np.array(NASTY)[np.arange(300) % 6]
    proba = rng.dirichlet(np.full(6, 0.3), 300)
    texts = [f"text {i} {NASTY[i % 6]}" for i in range(300)]
    return LabelReport(y, proba, classes=NASTY, X=texts, in_sample=True)


class TestPage:
    @pytest.fixture
    def page(self, browser, nasty_report, tmp_path):
        path = nasty_report.to_html(tmp_path / "report.html", title="<b>Titel</b> & so")
        browser.get(path.as_uri())
        browser.execute_script("localStorage.clear()")
        browser.get(path.as_uri())
        return browser

    def column(self, page, index):
        cells = f"document.querySelectorAll('#issues tbody td:nth-child({index})')"
        return page.execute_script(f"return [...{cells}].map((cell) => cell.textContent)")

    def download(self, page):
        before = set(page.downloads.iterdir())
        page.find_element("id", "download").click()
        for _ in range(100):
            new = {path for path in set(page.downloads.iterdir()) - before if path.suffix == ".csv"}
            if new and max(path.stat().st_size for path in new):  # Chromium reserves the name before it writes
                return new.pop()
            time.sleep(0.05)
        raise AssertionError("nothing was downloaded")

    def test_labels_and_title_are_shown_as_text(self, page, nasty_report):
        assert page.title == "<b>Titel</b> & so"
        assert page.find_element("css selector", "h1").text == "<b>Titel</b> & so"
        head = nasty_report.issues.head(100)
        assert self.column(page, 5) == head["given_label"].tolist()
        assert self.column(page, 6) == head["suggested_label"].tolist()
        assert not page.find_elements("css selector", "td img")
        assert page.get_log("browser") == []

    def test_nothing_is_loaded_and_only_its_own_script_runs(self, page):
        assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
        page.execute_script(
            "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
        )
        assert page.execute_script("return window.ran") is None
        assert "Content Security Policy" in page.get_log("browser")[0]["message"]

    def test_sorts_by_a_click_and_back_by_another(self, page, nasty_report):
        for name, index in [("row", 4), ("quality", 7), ("margin", 8)]:
            button = page.find_element("css selector", f"[data-sort={name}]")
            expected = nasty_report.issues[name].sort_values()
            button.click()
            if button.get_attribute("aria-sort") == "descending":  # it was sorted by quality already
                button.click()
            np.testing.assert_allclose(np.array(self.column(page, index), float), expected[:100], atol=5e-5)
            button.click()
            np.testing.assert_allclose(np.array(self.column(page, index), float), expected[::-1][:100], atol=5e-5)

    def test_filters_by_class_and_by_words(self, page, nasty_report):
        issues = nasty_report.issues
        page.find_element("css selector", "#given option:nth-child(3)").click()
        given = nasty_report.classes[1]
        page.find_element("id", "search").send_keys("TEXT 1")
        texts = pd.Series(nasty_report.X).str.contains("text 1")
        expected = issues[(issues["given_label"] == given) & texts[issues["row"]].to_numpy()]
        assert self.column(page, 4) == expected["row"].astype(str).tolist()
        assert page.find_element("id", "page").text == f"1–{len(expected)} of {len(expected)}"

    def test_pages_show_every_issue_once(self, page, nasty_report):
        rows = self.column(page, 4)
        while page.find_element("id", "next").is_enabled():
            page.find_element("id", "next").click()
            rows += self.column(page, 4)
        assert sorted(map(int, rows)) == sorted(nasty_report.issues["row"])

    def test_decisions_come_back_as_labels(self, page, nasty_report):
        boxes = page.find_elements("css selector", "#issues input")
        boxes[0].click()  # accept the first
        boxes[3].click()  # reject the second
        boxes[4].click()  # accept the third, then change the mind
        boxes[5].click()
        assert not boxes[4].is_selected()
        assert "1 accepted, 2 rejected" in page.find_element("id", "progress").text
        path = self.download(page)
        y = nasty_report.apply(path)
        first = nasty_report.issues.iloc[0]
        assert np.flatnonzero(y != nasty_report.y).tolist() == [first["row"]]
        assert y[first["row"]] == first["suggested_label"]
        assert '"=' not in path.read_text(encoding="utf-8-sig")  # a spreadsheet would run it

    def test_all_matching_can_be_accepted_at_once(self, page, nasty_report):
        page.find_element("css selector", "#suggested option:nth-child(2)").click()
        page.find_element("id", "accept-shown").click()
        y = nasty_report.apply(self.download(page))
        issues = nasty_report.issues
        expected = issues.loc[issues["suggested_label"] == nasty_report.classes[0], "row"]
        assert np.flatnonzero(y != nasty_report.y).tolist() == sorted(expected)

    def test_keys_decide_and_move(self, page):
        row = page.find_element("css selector", "#issues tbody tr")
        page.execute_script("arguments[0].focus()", row)
        page.switch_to.active_element.send_keys("a")
        page.switch_to.active_element.send_keys("\ue015")  # arrow down
        page.switch_to.active_element.send_keys("r")
        assert "1 accepted, 1 rejected" in page.find_element("id", "progress").text

    def test_decisions_survive_a_reload(self, page):
        page.find_element("css selector", "#issues input").click()
        page.refresh()
        assert "1 accepted, 0 rejected" in page.find_element("id", "progress").text

    def test_two_thousand_pictures_are_usable_within_two_seconds(self, browser, tmp_path):
        rng = np.random.default_rng(0)
        X = rng.integers(0, 256, (4000, 32, 32, 3), dtype=np.uint8)
        y, proba = rng.integers(0, 10, 4000), rng.dirichlet(np.full(10, 0.4), 4000)
        path = LabelReport(y, proba, X=X, in_sample=True).to_html(tmp_path / "many.html")
        seconds = []
        for _ in range(3):  # the best of three: others may keep the machine busy
            browser.get("about:blank")
            start = time.perf_counter()
            browser.get(path.as_uri())
            browser.find_element("css selector", "#issues input").click()
            browser.find_element("css selector", "[data-sort=margin]").click()
            assert "2000" in browser.find_element("id", "page").text
            seconds.append(time.perf_counter() - start)
        assert min(seconds) < 2


def test_the_page_is_one_file_with_the_data_escaped(nasty_report, tmp_path):
    page = nasty_report.to_html(tmp_path / "report.html", title="</title><script>").read_text(encoding="utf-8")
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", page)
    data = json.loads(re.search(r'<script id="data"[^>]*>(.*?)</script>', page, re.DOTALL).group(1))
    assert data["names"] == list(nasty_report.classes)
    assert len(data["issues"]) == len(nasty_report.issues)


def test_the_page_says_what_it_leaves_out(nasty_report, tmp_path):
    page = nasty_report.to_html(tmp_path / "report.html", max_issues=7).read_text(encoding="utf-8")
    assert f"The worst 7 of {len(nasty_report.issues)} labels to doubt are shown." in page
