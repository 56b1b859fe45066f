"""The rates of large data: a row for each way, with what makes it comparable."""

from pathlib import Path

from benchmarks import scale
from benchmarks.rows import read_rows

PAGE = Path(__file__).parents[2] / "examples" / "guide" / "scale.rst"


def test_the_guide_shows_the_committed_rates():
    page = PAGE.read_text(encoding="utf-8").replace("\n  ", " ")
    lines = scale.page_lines(read_rows(scale.PATH))
    assert len(lines) == 6
    assert [line for line in lines if line not in page] == []


def test_every_way_gives_a_rate():
    rows = list(scale.rates(tiny=True))
    assert [row["n"] for row in rows] == [5_000] * 4 + [40] * 2
    assert all(row["a_second"] > 0 and row["commit"] != "" for row in rows)


def test_tiny_sizes_leave_no_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scale, "PATH", tmp_path / "scale.jsonl")
    scale.main(["--tiny"])
    assert not scale.PATH.exists() and capsys.readouterr().out.count("a second") == 6
