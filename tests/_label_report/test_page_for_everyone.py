"""The review page in a real browser for everyone: on a phone, by keys, to a screen reader, with thousands of rows."""

import time

import numpy as np
import pytest

from sklabelnoise.audit import LabelReport
from tests.review_page import DOWN, ENTER, ESCAPE, Page

# Labels are drawn at random in this file, so the models could not be poorer.
pytestmark = pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")


class TestEveryone:
    @pytest.mark.parametrize(
        ("size", "scheme"),
        [
            ("phone", "dark"),
            pytest.param("desktop", "light", marks=pytest.mark.slow),
            pytest.param("desktop", "dark", marks=pytest.mark.slow),
            pytest.param("phone", "light", marks=pytest.mark.slow),
        ],
    )
    def test_every_rule_of_axe_passes(self, page, axe, size, scheme):
        page.size(size, scheme)
        page.start()
        page.press("a", "k", "u", "x")
        states = {
            "list": "",
            "matrix": "document.getElementById('noise').open = true",
            "row": "document.querySelector('td.content button').click()",
            "class": "document.querySelector('[data-decision=relabel]').click()",
            "files": "document.getElementById('files').click()",
            "all": "document.getElementById('mass').click()",
            "help": "document.getElementById('help-open').click()",
        }
        page.browser.execute_script(axe)
        for state, script in states.items():
            page.browser.execute_script(f"document.querySelectorAll('dialog').forEach((d) => d.close()); {script}")
            # Also the rules that axe leaves to those who ask for them, such as the contrast of level AAA.
            found = page.browser.execute_async_script(
                "const done = arguments[0];"
                "const rules = Object.fromEntries(axe.getRules().map(({ruleId}) => [ruleId, {enabled: true}]));"
                "axe.run(document, {rules}).then(({violations, passes}) => done({passed: passes.length, violations:"
                "violations.map((v) => [v.id, v.nodes.map((n) => n.html)])}))"
            )
            assert found["violations"] == [], state
            assert found["passed"] > 10

    def test_on_a_phone_rows_are_cards_and_nothing_sticks_out(self, page):
        page.size("phone")
        width = page.browser.execute_script("return document.documentElement.scrollWidth")
        assert width == 390
        row = page.one("#issues tbody tr")
        inside = ["td.content", "td.given", "td.suggested", "[data-decision=accept]", "[data-decision=remove]"]
        for selector in inside:
            box = row.find_element("css selector", selector).rect
            assert 0 <= box["x"] and box["x"] + box["width"] <= 390, selector
        assert row.find_element("css selector", "[data-decision=accept]").rect["height"] >= 44
        assert not page.one("#filters").is_displayed()
        page.one("#filters-toggle").click()
        assert page.one("#filters").is_displayed()
        row.find_element("css selector", "[data-decision=accept]").click()
        assert page.text("progress") == "1 of 60 decided (1 accepted)"

    @pytest.mark.parametrize("opener", ["files", "mass", "help-open"])
    def test_a_dialog_of_the_bar_ends_where_it_was_opened(self, page, opener):
        page.browser.execute_script("document.getElementById(arguments[0]).focus()", opener)
        page.press(ENTER)
        page.press(ESCAPE)
        assert page.browser.execute_script("return document.activeElement.id") == opener

    @pytest.mark.parametrize("opener", ["td.content button", "#help-open"])
    def test_on_a_phone_a_long_dialog_begins_at_its_head(self, page, opener):
        page.size("phone")
        page.one(opener).click()
        assert page.one("dialog[open] h2").is_displayed()
        top = page.browser.execute_script("return document.querySelector('dialog[open]').scrollTop")
        assert top == 0

    @pytest.mark.parametrize("end", [ENTER, ESCAPE])
    def test_from_the_search_one_comes_to_what_was_found(self, page, end):
        page.start()
        page.press("/", "moo", end)
        assert page.current in page.rows and 0 < len(page.rows) < 60
        page.press("a")
        assert page.text("progress") == "1 of 60 decided (1 accepted)"

    def test_from_the_matrix_one_comes_to_its_rows(self, page):
        page.one("#noise summary").click()
        # It is built when it is opened.
        buttons = page.until(lambda: page.browser.find_elements("css selector", ".confusions button"))
        buttons[0].send_keys(ENTER)
        assert page.current == page.rows[0]

    def test_keys_of_one_letter_can_be_switched_off(self, page):
        page.start()
        page.press("?")
        page.one("#keys-on").click()
        page.press(ESCAPE)
        page.browser.refresh()  # it is remembered
        page.until(lambda: not page.one("#keys-on").is_selected())
        page.start()
        page.press("a", "1", ENTER, "k")  # nor in the dialog of a row
        assert page.browser.execute_script("return document.getElementById('detail').open")
        page.press(ESCAPE, DOWN)
        assert page.text("progress") == "0 of 60 decided"
        page.one("#help-open").click()
        page.one("#keys-on").click()
        page.press(ESCAPE)
        page.start()
        page.press("a")
        assert page.text("progress") == "1 of 60 decided (1 accepted)"

    def test_on_paper_stand_all_rows_and_what_was_decided(self, nasty, nasty_report):
        nasty.start()
        nasty.press("a")
        nasty.browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        assert nasty.rows == nasty_report.issues["row"].tolist()
        nasty.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
        first, second = nasty.browser.find_elements("css selector", "#issues tbody tr")[:2]
        shown = [
            [b.text for b in row.find_elements("css selector", "button") if b.is_displayed()] for row in (first, second)
        ]
        assert not nasty.one("#bar").is_displayed()
        nasty.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        assert shown == [["Accept"], []]

    def test_the_bar_stays_in_sight(self, page):
        top = page.browser.execute_script(
            "scrollTo(0, 3000); return document.getElementById('bar').getBoundingClientRect().top"
        )
        assert abs(top) < 1

    def test_at_four_hundred_percent_the_row_is_seen_and_not_the_bar_over_it(self, page):
        """Which leaves 320 x 250 of a screen of 1280 x 1000; the bar and the message took seven eighths of it."""
        metrics = {"width": 320, "height": 250, "deviceScaleFactor": 4, "mobile": False}
        page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        page.start()
        for key in "aak":
            page.press(key)
            seen = page.browser.execute_script(
                "const row = document.activeElement, box = row.getBoundingClientRect(), rows = [];"
                "for (let y = 2; y < innerHeight; y += 4)"
                "  if (row.contains(document.elementFromPoint(box.left + box.width / 2, y))) rows.push(y);"
                "return 4 * rows.length / Math.min(innerHeight, box.height)"
            )
            assert seen > 0.75
        assert page.browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")

    def test_in_high_contrast_one_sees_what_was_decided_and_where_one_is(self, page):
        page.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "forced-colors", "value": "active"}]}
        )
        page.start()
        page.press("a", "k")
        style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
        grounds = [
            page.browser.execute_script(style, f"#issues tbody tr [aria-pressed={pressed}]", "backgroundColor")
            for pressed in ("true", "false")
        ]
        assert grounds[0] != grounds[1]
        edges = [
            page.browser.execute_script(style, f"#issues tbody tr{which}", "borderLeftWidth")
            for which in (".current", ":not(.current)")
        ]
        assert edges == ["4px", "0px"]
        assert page.browser.execute_script(style, "#status", "borderTopWidth") == "1px"

    def test_a_long_text_is_read_by_keys(self, browser, tmp_path):
        texts = ["one line\n" * 200] * 20
        report = LabelReport(np.arange(20) % 2, np.eye(2)[1 - np.arange(20) % 2], X=texts, in_sample=True)
        page = Page(browser, report.to_html(tmp_path / "report.html"))
        page.start()
        page.press(ENTER, "\ue004")  # Tab comes to the text first
        assert page.browser.execute_script("return document.activeElement.getAttribute('aria-label')") == "text"
        assert page.one("#detail-body .text").get_attribute("tabindex") == "0"

    def test_pictures_say_what_they_are(self, browser, tmp_path):
        X = np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8)
        report = LabelReport(np.arange(20) % 2, np.eye(2)[1 - np.arange(20) % 2], X=X, in_sample=True)
        page = Page(browser, report.to_html(tmp_path / "report.html"))
        assert page.one("td img").get_attribute("alt") == f"row {page.rows[0]}, given {report.y[page.rows[0]]}"


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A page of two thousand pictures."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (4000, 32, 32, 3), dtype=np.uint8)
    y, proba = rng.integers(0, 10, 4000), rng.dirichlet(np.full(10, 0.4), 4000)
    return LabelReport(y, proba, X=X, in_sample=True).to_html(tmp_path_factory.mktemp("many") / "many.html")


def test_two_thousand_pictures_are_usable_within_two_seconds(browser, many):
    page = Page(browser, many)
    seconds = []
    for _ in range(3):  # the best of three: others may keep the machine busy
        browser.get("about:blank")
        start = time.perf_counter()
        browser.get(many.as_uri())
        page.start()
        page.press("a")
        page.one("th [data-sort=margin]").click()
        assert "of 2,000 decided" in page.text("progress")
        seconds.append(time.perf_counter() - start)
        if seconds[-1] < 2:
            break
    assert min(seconds) < 2


def test_two_thousand_pictures_scroll_without_jank(browser, many):
    page = Page(browser, many)
    run = browser.execute_cdp_cmd
    # Counted in time of the page's own thread: how busy the machine is does not matter.
    run("Performance.enable", {"timeDomain": "threadTicks"})

    def busy():
        return next(m["value"] for m in run("Performance.getMetrics", {})["metrics"] if m["name"] == "TaskDuration")

    before, n_frames = busy(), 200
    browser.execute_async_script(
        """
        const [n, done] = arguments;
        let frames = 0;
        const frame = () => { scrollBy(0, 150); if (++frames < n) requestAnimationFrame(frame); else done(); };
        requestAnimationFrame(frame);
        """,
        n_frames,
    )
    seconds = (busy() - before) / n_frames
    run("Performance.disable", {})
    assert len(page.rows) > 200  # they were made while one scrolled
    assert seconds < 1 / 60
