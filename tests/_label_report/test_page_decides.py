"""Decisions on the review page, in a real browser: made, taken back, and kept from one window to another."""

import json

import numpy as np
import pandas as pd
import pytest

from tests.review_page import BACKSPACE, DOWN, ENTER, ESCAPE, TOLD, UP

# Labels are drawn at random in this file, so the models could not be poorer.
pytestmark = pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")


class TestDecides:
    def test_one_key_a_row_and_the_next_comes_by_itself(self, page, animals):
        page.start()
        seen = []
        for key in "akuxa":
            seen.append(page.current)
            page.press(key)
        assert seen == animals.issues["row"].head(5).tolist()
        assert page.text("progress") == "5 of 60 decided (2 accepted, 1 kept, 1 unsure, 1 removed)"

    def test_ten_clicks_review_ten_rows(self, page, animals):
        for row in animals.issues["row"].head(10):
            page.click(row, "accept")
        assert page.text("progress") == "10 of 60 decided (10 accepted)"

    def test_what_is_decided_comes_back_as_labels_rows_and_weights(self, page, animals):
        rows = animals.issues["row"].tolist()
        for row, decision in zip(rows, ["accept", "reject", "unsure", "remove"], strict=False):
            page.click(row, decision)
        path = page.download()
        assert f'report.apply("{path.name}")' in page.one("footer").text.replace("\n", " ")
        y, keep, weight = animals.apply(path, return_rows=True)
        assert np.flatnonzero(y != animals.y).tolist() == [rows[0]]
        assert y[rows[0]] == animals.issues["suggested_label"].iloc[0]
        assert np.flatnonzero(~keep).tolist() == [rows[3]]
        assert (weight[rows[2]], weight[rows[3]], weight.sum()) == (0.5, 0.0, 58.5)

    def test_a_class_of_ones_own_by_the_mouse_and_by_a_digit(self, page, animals):
        first, second = animals.issues.head(2).to_dict("records")
        others = [({"cat", "dog", "cow"} - {r["given_label"], r["suggested_label"]}).pop() for r in (first, second)]
        page.click(first["row"], "relabel")
        next(
            b for b in page.browser.find_elements("css selector", "#picker-list button") if others[0] in b.text
        ).click()
        ranking = np.argsort(-animals.proba[second["row"]])
        page.press(str(1 + animals.classes[ranking].tolist().index(others[1])))
        y = animals.apply(page.download())
        assert [y[first["row"]], y[second["row"]]] == others
        assert page.text("progress") == "2 of 60 decided (2 relabeled)"

    def test_a_class_found_by_typing_its_name(self, page, animals):
        issue = animals.issues.iloc[0]
        other = ({"cat", "dog", "cow"} - {issue["given_label"], issue["suggested_label"]}).pop()
        page.start()
        page.press("o", other[:2], ENTER)
        assert f"→ {other}" in page.one(f'tr[data-row="{issue["row"]}"] .outcome').text

    def test_undo_and_redo_also_of_all_rows_at_once(self, page):
        page.start()
        page.press("a", "k")
        page.press("m")
        buttons = page.browser.find_elements("css selector", "#all-buttons button")
        assert "2 of them decided already" in page.text("all-text")
        next(b for b in buttons if b.text == "Remove all").click()
        assert page.text("progress") == "60 of 60 decided (1 accepted, 1 kept, 58 removed)"
        page.press("z")
        assert page.text("progress") == "2 of 60 decided (1 accepted, 1 kept)"
        page.press("z", "z")
        assert page.text("progress") == "0 of 60 decided"
        page.press("y", "y", "y")
        assert page.text("progress") == "60 of 60 decided (1 accepted, 1 kept, 58 removed)"
        page.one("#undo").click()
        assert page.text("progress") == "2 of 60 decided (1 accepted, 1 kept)"

    def test_what_was_undone_does_not_come_back_after_another_decision(self, page):
        page.start()
        page.press("a", "k", "z", DOWN, "u", "y")
        assert page.text("progress") == "2 of 60 decided (1 accepted, 1 unsure)"

    def test_after_the_last_row_comes_the_first_that_is_open(self, page, animals):
        page.start()
        page.press("a")
        page.browser.execute_script("document.querySelector('#issues tbody tr:last-child').focus()")
        page.press("k")
        assert page.current == animals.issues["row"].iloc[1]

    def test_clearing_all_is_asked_for_and_can_be_undone(self, page):
        page.start()
        page.press("a", "a", "m")
        page.press(ESCAPE)
        assert page.text("progress") == "2 of 60 decided (2 accepted)"
        page.press("m")
        page.browser.find_elements("css selector", "#all-buttons button")[-1].click()
        assert page.text("progress") == "0 of 60 decided"
        page.press("z")
        assert page.text("progress") == "2 of 60 decided (2 accepted)"

    def test_a_decision_is_taken_back_and_a_comment_stays(self, page, animals):
        row = animals.issues["row"].iloc[0]
        page.start()
        page.press("c")
        page.press('=who knows, "maybe"')
        page.one("#note-save").click()
        page.press("a", UP, BACKSPACE)
        assert page.text("progress") == "0 of 60 decided"
        assert "maybe" in page.one(f'tr[data-row="{row}"] .outcome').text
        page.press("a")
        file = pd.read_csv(page.download())
        assert file["comment"].tolist() == ['\'=who knows, "maybe"']  # a spreadsheet would run it
        assert file["id"].tolist() == [f"animal {row}"]

    def test_the_keys_are_named(self, page):
        page.start()
        page.press("?")
        assert page.browser.execute_script("return document.getElementById('help').open")
        assert "accept the suggestion" in page.text("keys")

    def test_decisions_survive_a_reload(self, page):
        page.start()
        page.press("a", "x")
        decided = "2 of 60 decided (1 accepted, 1 removed)"
        page.until(lambda: page.text("progress") == decided)

        def shown_again():
            page.browser.refresh()  # on a busy machine Chromium may load the page before it has what the last one kept
            return page.text("progress") == decided

        page.until(shown_again)

    def test_two_windows_with_one_report_show_and_keep_the_same(self, page):
        first = page.browser.current_window_handle
        page.browser.switch_to.new_window("tab")
        second = page.browser.current_window_handle
        try:
            page.browser.get(page.path.as_uri())
            page.browser.switch_to.window(first)
            page.start()
            page.press("a", "c")
            page.one("#note-text").send_keys("in both")
            page.one("#note-save").click()
            row = page.rows[1]
            page.browser.switch_to.window(second)
            page.until(lambda: "in both" in page.one(f'tr[data-row="{row}"] .outcome').text)
            assert page.text("progress") == "1 of 60 decided (1 accepted)"
            page.click(row, "remove")
            page.browser.switch_to.window(first)
            page.until(lambda: page.text("progress") == "2 of 60 decided (1 accepted, 1 removed)")
            pressed = page.one(f'tr[data-row="{row}"] [data-decision=remove]').get_attribute("aria-pressed")
            assert pressed == "true" and "in both" in page.one(f'tr[data-row="{row}"] .outcome').text
            # Storage that is cleared elsewhere takes nothing away.
            page.browser.switch_to.window(second)
            page.browser.execute_script("localStorage.clear()")
            page.browser.switch_to.window(first)
            page.press("z")
            page.start()
            page.press("u")
            page.browser.switch_to.window(second)
            page.until(lambda: page.text("progress") == "2 of 60 decided (1 unsure, 1 removed)")
        finally:
            page.browser.switch_to.window(second)
            page.browser.close()
            page.browser.switch_to.window(first)

    def test_what_another_window_decided_since_is_not_undone_and_not_redone(self, page):
        first = page.browser.current_window_handle
        page.browser.switch_to.new_window("tab")
        second = page.browser.current_window_handle

        def press(row, decision):  # wherever the list is scrolled to, the bar covers part of it
            button = page.one(f'#issues tr[data-row="{row}"] [data-decision={decision}]')
            page.browser.execute_script("arguments[0].click()", button)

        def elsewhere(before, row, decision, after):
            """Decide a row in the second window, once it knows what was decided in the first."""
            page.browser.switch_to.window(second)
            page.until(lambda: page.text("progress") == before)
            press(row, decision)
            page.browser.switch_to.window(first)
            page.until(lambda: page.text("progress") == after)

        try:
            page.browser.get(page.path.as_uri())
            page.browser.switch_to.window(first)
            rows = page.rows
            page.start()
            page.press("a", "a", "a")
            elsewhere("3 of 60 decided (3 accepted)", rows[1], "remove", "3 of 60 decided (2 accepted, 1 removed)")
            page.press("z")
            assert page.text("progress") == "2 of 60 decided (1 accepted, 1 removed)"
            page.press("z")
            assert page.text("progress") == "2 of 60 decided (1 accepted, 1 removed)"
            said = page.text("status")
            assert said.startswith(f"Not undone: row {rows[1]}: accepted") and "another window" in said
            assert page.current == rows[1]
            page.press("z", "z")  # one step a key, and then there is none
            assert page.text("progress") == "1 of 60 decided (1 removed)"
            assert page.text("status") == "Nothing to undo."
            page.press("y", "y", "y")
            assert page.text("progress") == "3 of 60 decided (2 accepted, 1 removed)"
            # Of all rows at once those are undone that are as they were left.
            page.one("#mass").click()
            page.one("#all-buttons button:first-child").click()
            assert page.text("progress") == "60 of 60 decided (59 accepted, 1 removed)"
            after = "60 of 60 decided (58 accepted, 1 kept, 1 removed)"
            elsewhere("60 of 60 decided (59 accepted, 1 removed)", rows[9], "reject", after)
            page.press("z")
            assert page.text("progress") == "4 of 60 decided (2 accepted, 1 kept, 1 removed)"
            assert page.text("status").startswith("Undone: 57 rows accepted, but for 1 row")
            after = "5 of 60 decided (2 accepted, 1 kept, 1 unsure, 1 removed)"
            elsewhere("4 of 60 decided (2 accepted, 1 kept, 1 removed)", rows[20], "unsure", after)
            page.press("y")
            assert page.text("progress") == "60 of 60 decided (57 accepted, 1 kept, 1 unsure, 1 removed)"
            assert page.text("status").startswith("Redone: 57 rows accepted, but for 1 row")
            # A decision that another window took back and took again is the same one.
            page.browser.switch_to.window(second)
            page.until(lambda: page.text("progress").startswith("60 of 60"))
            press(rows[0], "reject")
            press(rows[0], "accept")
            press(rows[59], "remove")
            page.browser.switch_to.window(first)
            page.until(lambda: "2 removed" in page.text("progress"))
            page.press("z", "z", "z")
            assert page.text("progress") == "4 of 60 decided (1 kept, 1 unsure, 2 removed)"
        finally:
            page.browser.switch_to.window(second)
            page.browser.close()
            page.browser.switch_to.window(first)

    def test_the_dialog_of_a_row_knows_the_keys(self, page, animals):
        page.start()
        page.press(ENTER)
        page.press("a")
        assert page.text("progress") == "1 of 60 decided (1 accepted)"
        assert page.current == animals.issues["row"].iloc[1]

    def test_the_dialog_of_a_row_has_a_button_a_decision(self, page, animals):
        page.one("td.content button").click()
        page.one("#detail-decide [data-decision=reject]").click()
        assert page.text("progress") == "1 of 60 decided (1 kept)"
        assert page.current == animals.issues["row"].iloc[1]
        page.press(UP, ENTER)
        assert page.one("#detail-decide [data-decision=reject]").get_attribute("aria-pressed") == "true"
        page.one("#detail-decide [data-decision=relabel]").click()
        assert page.browser.execute_script("return document.activeElement.id") == "picker-search"

    def test_a_browser_that_keeps_nothing_is_named(self, page, animals):
        page.browser.execute_script(
            "window.native = Storage.prototype.setItem;"
            "Storage.prototype.setItem = () => { throw new Error('refused'); }"
        )
        page.start()
        assert not page.one("#not-kept").is_displayed()
        page.press("a")
        assert "download your decisions before you close it" in page.one("#not-kept").text.replace("\n", " ")
        left = "return !dispatchEvent(new Event('beforeunload', {cancelable: true}))"
        assert page.browser.execute_script(left)  # the browser asks before it closes the page
        # What another window could keep does not take away what this one could not.
        page.browser.execute_script(TOLD, f"sklabelnoise {animals.fingerprint}", json.dumps({"decided": []}))
        assert page.text("progress") == "1 of 60 decided (1 accepted)"
        page.browser.execute_script("Storage.prototype.setItem = window.native")
        page.press("k")
        assert not page.one("#not-kept").is_displayed() and not page.browser.execute_script(left)
