import pytest

from benchmarks.methods import METHODS
from benchmarks.papers import report as papers
from benchmarks.report import block
from benchmarks.rows import RESULTS, append_row, read_rows
from benchmarks.usable import outdated, usable_rows


def test_rows_from_a_tree_with_changes_are_left_out_unless_asked_for(results, row):
    clean, changed = row("a/clean/0", "x", 0, 0.5, commit="abc"), row("b/clean/0", "x", 0, 0.6, commit="abc+changes")
    unknown = row("c/clean/0", "x", 0, 0.7, commit=None)
    path = results(some=[clean, changed, unknown]) / "some.jsonl"
    shown, remark = usable_rows(path)
    assert shown == [clean]
    assert remark.startswith(" Left out since they come from a tree with changes that no commit has: 2 of 3 rows")
    shown, remark = usable_rows(path, with_changes=True)
    assert shown == [clean, changed, unknown]
    assert remark.startswith(" Shown although they come from a tree with changes")


def test_rows_of_a_method_as_it_was_before_are_left_out_even_when_asked_for(results, row):
    now = row("a/clean/0", "GCE", 0, 0.5, definition=METHODS["GCE"].definition, commit="abc")
    before = row("b/clean/0", "GCE", 0, 0.9, definition="0" * 12, commit="abc+changes")
    path = results(some=[now, before]) / "some.jsonl"
    for with_changes in (False, True):
        shown, remark = usable_rows(path, with_changes)
        assert shown == [now]
        assert remark == " Left out: 1 rows of methods as they were defined before (GCE)."


def test_a_file_of_good_rows_needs_no_remark(results, row):
    rows = [row("a/clean/0", "x", 0, 0.5, commit="abc")]
    assert usable_rows(results(some=rows) / "some.jsonl") == (rows, "")
    assert usable_rows(RESULTS / "none.jsonl") == ([], "")


def test_a_block_says_that_nothing_may_be_shown_and_why(results, rows):
    changed = [r | {"commit": "abc+changes"} for r in rows]
    folder = results(tables=changed)
    text = block("tables", folder)
    assert "No rows in tables.jsonl yet." in text and "16 of 16 rows" in text
    assert "85.5 ± 0.7" in block("tables", folder, with_changes=True)


@pytest.mark.parametrize("name", ["quick", "tables", "noises"])
def test_committed_rows_are_of_methods_as_they_are_defined_now(name):
    rows = read_rows(RESULTS / f"{name}.jsonl")
    assert all("definition" in row for row in rows)
    gone = {row["method"] for row in rows if outdated(row)}
    assert not gone, f"measure them again, or undo the change of a parameter: {sorted(gone)}"


def test_a_block_of_the_papers_leaves_them_out_too(tmp_path):
    job = {"scale": "core", "seed": 0, "condition": "r=0.4", "method": "CCE"}
    (row,) = (row for row in read_rows(RESULTS / "papers" / "dm_table2.jsonl") if row["job"] == job)
    append_row(tmp_path / "dm_table2.jsonl", row | {"final": 0.123, "commit": "abc+changes"})
    text = papers.block("dm_table2@core", tmp_path, with_changes=True)
    assert "12.3" in text and "Shown although" in text
    text = papers.block("dm_table2@core", tmp_path)
    assert "12.3" not in text and "Left out since" in text
