"""Files of the review page, in a real browser: what it hands on, loads and merges."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from sklabelnoise.audit import LabelReport
from tests.review_page import ESCAPE, TOLD, Page, on_its_own

# Labels are drawn at random in this file, so the models could not be poorer.
pytestmark = pytest.mark.filterwarnings("ignore:The predictions disagree with:UserWarning")


class TestFiles:
    def decided(self, page, keys):
        page.start()
        page.press(*keys)
        return page.download()

    def cleared(self, page):
        page.one("#mass").click()
        page.one("#all-buttons button:last-child").click()
        assert page.text("progress") == "0 of 60 decided"

    def named(self, page, reviewer):
        page.one("#files").click()
        page.browser.execute_script(
            "const r = document.getElementById('reviewer'); r.value = arguments[0];"
            "r.dispatchEvent(new Event('change'))",
            reviewer,
        )
        page.press(ESCAPE)

    def test_a_decision_keeps_the_name_of_who_took_it(self, page):
        for reviewer in ("Ann", "Bob"):
            self.named(page, reviewer)
            page.one("#issues tr[data-decision=''] [data-decision=accept]").click()
        assert sorted(pd.read_csv(page.download())["reviewer"]) == ["Ann", "Bob"]

    def test_two_reviewers_are_merged_and_compared(self, page, animals, tmp_path):
        rows = animals.issues["row"].tolist()
        self.named(page, "Ann")
        anns = self.decided(page, "aaak")
        hers = pd.read_csv(anns)
        assert set(hers["reviewer"]) == {"Ann"}
        decisions = dict(zip(hers["row"], hers["decision"], strict=True))
        assert decisions == dict(zip(rows, ["accept", "accept", "accept", "reject"], strict=False))
        self.cleared(page)
        page.start()
        page.press("a", "a", "x")  # the third differs, the fourth is Ann's alone
        assert page.text("progress") == "3 of 60 decided (2 accepted, 1 removed)"
        assert page.current == rows[3]
        said = page.load(anns)
        suggested, given = (animals.issues[f"{role}_label"].tolist() for role in ("suggested", "given"))
        theirs = [f"accept {label}" for label in suggested[:3]]
        kappa = cohen_kappa_score([*theirs[:2], f"remove {given[2]}"], theirs)
        expected = f"1 new here, 2 agree, 1 in conflict. Agreement 67 %, kappa {kappa:.2f}."
        assert f"4 rows in the file: {expected}" in said
        page.one("#import-take").click()
        assert page.text("progress") == "4 of 60 decided (2 accepted, 1 kept, 1 removed, 1 conflict)"
        assert page.rows == [rows[2]]  # the conflicts are shown
        assert "Ann: accepted" in page.one(".outcome").text
        page.one(".outcome button").click()
        assert page.text("progress") == "4 of 60 decided (3 accepted, 1 kept)"
        page.press("z", "z")
        assert page.text("progress") == "3 of 60 decided (2 accepted, 1 removed)"

    def test_what_another_window_decides_while_a_file_is_looked_at_is_in_conflict_with_it(self, page, animals):
        anns = self.decided(page, "a")
        self.cleared(page)
        assert "1 row in the file: 1 new here" in page.load(anns)
        mine = [[int(animals.issues["row"].iloc[0]), {"decision": "remove", "by": "Bo"}]]
        page.browser.execute_script(TOLD, f"sklabelnoise {animals.fingerprint}", json.dumps({"decided": mine}))
        page.one("#import-take").click()
        assert page.text("progress") == "1 of 60 decided (1 removed, 1 conflict)"

    def test_a_file_that_a_spreadsheet_saved_is_read_by_page_and_report(self, page, animals, tmp_path):
        file = pd.read_csv(self.decided(page, "akx"), dtype=str, keep_default_na=False)
        file["row"] = file["row"] + ".0"
        spoiled = tmp_path / "spreadsheet.csv"
        spoiled.write_bytes(b"sep=;\r\n" + file.to_csv(index=False, sep=";").encode("cp1252"))
        self.cleared(page)
        assert page.load(spoiled).startswith("3 rows in the file: 3 new here.")
        page.one("#import-take").click()
        assert page.text("progress") == "3 of 60 decided (1 accepted, 1 kept, 1 removed)"
        y, keep, _ = animals.apply(spoiled, return_rows=True)
        assert (y != animals.y).sum() == 1 and (~keep).sum() == 1

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("report,row,decision\r\nr0123456789abcdef,1,accept", "about another report: they name r0123456789abcdef"),
            ("a,b\r\n1,2", "no columns row and decision"),
            ("row,decision\r\n1000,accept", "Row 1000 is not on this page"),
            ("row,decision\r\n0,perhaps", "Row 0 has the unknown decision perhaps"),
            ("row,decision,label\r\n0,relabel,horse", "Row 0 is to have the unknown label horse"),
            ("row,given_label,decision\r\n0,dog,accept", "row 0 was given cat, they say dog"),
            ("row,decision\r\n0,accept\r\n0,reject", "decides row 0 in two ways"),
        ],
    )
    def test_what_is_wrong_with_a_file_is_said(self, page, tmp_path, text, message):
        path = tmp_path / "wrong.csv"
        path.write_text(text)
        assert message in page.load(path)
        assert page.text("progress") == "0 of 60 decided"

    def test_a_file_of_the_page_of_version_0_1_is_read(self, page, animals, tmp_path):
        first, second = animals.issues.head(2).to_dict("records")
        old = [
            {"report": animals.fingerprint[1:], **{k: r[k] for k in ("row", "given_label", "suggested_label")}}
            for r in (first, second)
        ]
        path = tmp_path / "old.csv"
        pd.DataFrame(old).assign(decision=["accept", "reject"]).to_csv(path, index=False)
        page.load(path)
        page.one("#import-take").click()
        assert page.text("progress") == "2 of 60 decided (1 accepted, 1 kept)"
        assert np.flatnonzero(animals.apply(path) != animals.y).tolist() == [first["row"]]

    def test_tasks_for_label_studio(self, page, animals):
        page.start()
        page.press("a")
        tasks = json.loads(page.download("label-studio").read_text(encoding="utf-8"))
        issue = animals.issues.iloc[0]
        assert len(tasks) == len(animals.issues)
        assert tasks[0]["data"]["row"] == issue["row"] and "legs:" in tasks[0]["data"]["text"]
        choice = tasks[0]["annotations"][0]["result"][0]
        assert choice["type"] == "choices" and choice["value"] == {"choices": [issue["suggested_label"]]}
        assert tasks[1]["annotations"] == []
        assert tasks[1]["predictions"][0]["result"][0]["value"]["choices"] == [
            animals.issues["suggested_label"].iloc[1]
        ]

    def test_records_for_argilla(self, page, animals):
        page.start()
        page.press("k")
        records = json.loads(page.download("argilla").read_text(encoding="utf-8"))
        first, second = animals.issues.head(2).to_dict("records")
        assert records[0]["suggestions"]["label"] == {"value": first["given_label"], "score": 1, "agent": "reviewer"}
        assert records[1]["suggestions"]["label"]["value"] == second["suggested_label"]
        assert records[1]["fields"]["text"].startswith("legs: ")
        assert len({record["id"] for record in records}) == len(animals.issues)

    def test_a_suggestion_has_the_score_of_its_own_class_where_another_is_likelier(self, browser, tmp_path):
        # The likeliest class of the last row, the first, is not sure enough of it to claim it; the second is.
        proba = np.array([[0.99, 0.005, 0.005], [0.3, 0.4, 0.3], [0.1, 0.1, 0.8], [0.48, 0.42, 0.1]])
        report = LabelReport([0, 1, 2, 2], proba, X=["a", "b", "c", "d"])
        assert report.issues[["row", "suggested_label"]].to_numpy().tolist() == [[3, 1]]
        page = Page(browser, on_its_own(report).to_html(tmp_path / "report.html"))
        (task,) = json.loads(page.download("label-studio").read_text(encoding="utf-8"))
        assert task["predictions"][0]["score"] == 0.42
        (record,) = json.loads(page.download("argilla").read_text(encoding="utf-8"))
        assert record["suggestions"]["label"] == {"value": "1", "score": 0.42, "agent": "sklabelnoise"}
