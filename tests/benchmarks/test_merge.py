import sys

import pytest

from benchmarks import merge as module
from benchmarks.merge import merge
from benchmarks.methods import METHODS
from benchmarks.rows import append_row, read_rows


@pytest.fixture
def elsewhere(tmp_path, row):
    now = METHODS["GCE"].definition
    path = tmp_path / "elsewhere.jsonl"
    for seed, changes in (
        (0, {}), (1, {}), (2, {"commit": "abc+changes"}), (3, {"definition": "0" * 12}), (1, {}),
    ):  # fmt: skip
        append_row(path, row("a/clean/0", "GCE", seed, 0.5, **({"definition": now} | changes)))
    return path


def test_what_is_lacking_is_added_once_and_what_may_not_be_shown_is_refused(results, row, elsewhere):
    path = results(some=[row("a/clean/0", "GCE", 0, 0.7)]) / "some.jsonl"
    added, again, refused = merge(path, [elsewhere])
    assert [r["seed"] for r in added] == [1] and [r["seed"] for r in refused] == [2, 3]
    assert [(old["test_accuracy"], new["test_accuracy"]) for old, new in again] == [(0.7, 0.5), (0.5, 0.5)]
    assert [(r["seed"], r["test_accuracy"]) for r in read_rows(path)] == [(0, 0.7), (1, 0.5)]


def test_other_results_of_the_same_fit_are_told(results, row, elsewhere, monkeypatch, capsys):
    folder = results(some=[row("a/clean/0", "GCE", 0, 0.7)])
    monkeypatch.setattr(module, "RESULTS", folder)
    monkeypatch.setattr(sys, "argv", ["merge", "some", str(elsewhere)])
    module.main()
    printed = capsys.readouterr().out
    assert "1 rows added, 2 were there, 2 refused." in printed
    assert "made again with another result: a/clean/0, GCE, seed 0: 0.7" in printed


def test_a_row_made_again_takes_the_place_of_what_stood_there(results, row, elsewhere, monkeypatch, capsys):
    old, other = row("a/clean/0", "GCE", 0, 0.7), row("a/clean/0", "SCE", 0, 0.6)
    folder = results(some=[other, old])
    monkeypatch.setattr(module, "RESULTS", folder)
    monkeypatch.setattr(sys, "argv", ["merge", "some", str(elsewhere), "--instead"])
    module.main()
    assert "1 rows added, 2 were there, of which 1 were replaced, 2 refused." in capsys.readouterr().out
    shown = [(r["method"], r["seed"], r["test_accuracy"]) for r in read_rows(folder / "some.jsonl")]
    assert shown == [("SCE", 0, 0.6), ("GCE", 0, 0.5), ("GCE", 1, 0.5)]
    assert read_rows(folder / "earlier.jsonl") == [old]
    module.main()  # with the same rows nothing moves any more
    assert read_rows(folder / "earlier.jsonl") == [old] and len(read_rows(folder / "some.jsonl")) == 3


def test_a_file_that_does_not_exist_is_named(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["merge", "some", "nowhere.jsonl"])
    with pytest.raises(SystemExit, match=r"No such files: nowhere\.jsonl"):
        module.main()
