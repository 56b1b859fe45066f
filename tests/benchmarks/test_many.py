"""Many cells at once: those without a row, in order, each once; none begun that would end too late."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks.papers import _runner, many
from benchmarks.rows import append_row, read_rows


@pytest.fixture
def two_columns(monkeypatch):
    """An order of two tables, the first of which comes back."""
    order = (("dm_table9", ("r=0.4",), (0,)), ("dm_table8", ("r=0.4",), (1,)), ("dm_table9", None, (0,)))
    monkeypatch.setattr(many, "ORDER", order)
    monkeypatch.setattr(many.ProcessPoolExecutor, "__new__", lambda cls, n, mp_context: ThreadPoolExecutor(n))


def test_cells_come_once_in_order_without_those_that_have_a_row(two_columns, tmp_path):
    jobs = many.jobs_of("tiny", [tmp_path])
    table = many.table_of("dm_table9")
    assert len(jobs) == len(table.methods) * len(table.conditions) + len(many.table_of("dm_table8").methods)
    assert [name for name, _ in jobs[: len(table.methods) + 1]] == ["dm_table9"] * len(table.methods) + ["dm_table8"]
    name, job = jobs[0]
    append_row(tmp_path / f"{name}.jsonl", {"job": job, "protocol": many.SCALES["tiny"].protocol})
    assert many.jobs_of("tiny", [tmp_path, tmp_path / "none"]) == jobs[1:]
    # A row of another protocol is none.
    name, job = jobs[1]
    append_row(tmp_path / f"{name}.jsonl", {"job": job, "protocol": "another"})
    assert many.jobs_of("tiny", [tmp_path]) == jobs[1:]


def test_the_row_is_that_of_the_script(tmp_path, monkeypatch):
    asked = []
    table = many.table_of("dm_table9")
    monkeypatch.setattr(type(table), "execute", lambda self, **job: asked.append(job) or {"final": 0.5})
    job = {"scale": "tiny", "seed": 0, "condition": "r=0.4", "method": "CCE"}
    monkeypatch.setattr(_runner, "FOLDERS_BESIDE", [])
    row = many.execute("dm_table9", job, [tmp_path], "cpu", time.time() + 60)
    assert row["job"] == job and row["final"] == 0.5 and row["seconds"] >= 0 and "commit" in row
    assert asked == [{**job, "device": "cpu"}] and _runner.FOLDERS_BESIDE == [tmp_path]
    assert many.execute("dm_table9", job, [tmp_path], "cpu", time.time() - 1) is None
    assert len(asked) == 1


def test_a_cell_that_fails_leaves_the_others(two_columns, tmp_path, monkeypatch, capsys):
    def execute(name, job, folders, device, deadline):
        if job["method"] == "CCE":
            raise RuntimeError("no memory left")
        return None if job["condition"] == "r=0.8" else {"job": job, "seconds": 1.0, "final": 0.5}

    monkeypatch.setattr(many, "execute", execute)
    monkeypatch.setattr(_runner, "FOLDER", tmp_path / "committed")
    assert many.main(["--scale", "tiny", "--out", str(tmp_path), "--processes", "2"]) == 5
    said = capsys.readouterr().out
    assert "FAILED: RuntimeError: no memory left" in said and "5 cells left for the next time, 5 failed" in said
    assert len(read_rows(tmp_path / "dm_table9.jsonl")) == 3 * 5
    assert len(read_rows(tmp_path / "dm_table8.jsonl")) == len(many.table_of("dm_table8").methods) - 1
