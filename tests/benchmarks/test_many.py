"""Many cells at once: those without a row, in order, each once; none begun that would end too late."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.utils import Bunch

from benchmarks.papers import _images, _runner, many
from benchmarks.rows import append_row, read_rows


@pytest.fixture
def two_columns(monkeypatch):
    """An order of two tables, the first of which comes back."""
    order = (
        ("dm_table9", ("r=0.4",), (0,), ("CCE",)),
        ("dm_table9", ("r=0.4",), (0,), None),
        ("dm_table8", ("r=0.4",), (1,), None),
        ("dm_table9", None, (0,), None),
    )
    monkeypatch.setattr(many, "ORDER", order)
    monkeypatch.setattr(many.ProcessPoolExecutor, "__new__", lambda cls, n, **start: ThreadPoolExecutor(n))
    monkeypatch.setattr(many._images, "decode", lambda dataset, folder: None)


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


def test_every_cell_of_the_order_exists():
    for name, conditions, seeds, methods in many.ORDER:
        table = many.table_of(name)
        assert set(conditions or ()) <= set(table.conditions) and set(methods or ()) <= set(table.methods) and seeds


def test_the_row_is_that_of_the_script(monkeypatch):
    asked = []
    table = many.table_of("dm_table9")
    measures = {"final": 0.5, "epochs": 1, "n_train": 100}
    monkeypatch.setattr(type(table), "execute", lambda self, **job: asked.append(job) or measures)
    monkeypatch.setattr(many, "_last", (0.0, 1, 1))
    job = {"scale": "tiny", "seed": 0, "condition": "r=0.4", "method": "CCE"}
    row = many.execute("dm_table9", job, "cpu", time.time() + 60)
    assert row["job"] == job and row["final"] == 0.5 and row["seconds"] >= 0 and "commit" in row
    assert asked == [{**job, "device": "cpu"}]
    assert many.execute("dm_table9", job, "cpu", time.time() - 1) is None
    assert len(asked) == 1


def test_what_a_cell_takes_is_told_from_the_last_that_trained(monkeypatch):
    """One of three times the epochs and of half the images: what counts is the time of an image of an epoch."""
    table = many.table_of("dm_table9")
    measures = {"epochs": 6, "n_train": 500}
    monkeypatch.setattr(type(table), "execute", lambda self, **job: measures)
    monkeypatch.setattr(many, "_last", (0.0, 1, 1))
    clock = iter([0.0, 12.0, 100.0, 100.1, 200.0])
    monkeypatch.setattr(many.time, "perf_counter", lambda: next(clock))
    job = {"scale": "tiny", "seed": 0, "condition": "r=0.4", "method": "CCE"}
    many.execute("dm_table9", job, "cpu", time.time() + 60)
    assert many.expected("tiny") == pytest.approx(8)  # 2 epochs of 1,000 images, where 3,000 took 12 s
    measures["taken_from"] = "dm_table2"
    many.execute("dm_table9", job, "cpu", time.time() + 60)
    assert many.expected("tiny") == pytest.approx(8)
    assert many.execute("dm_table9", job, "cpu", time.time() + 8.2) is None
    assert many.expected("paper") == pytest.approx(12)  # the size of the paper is not known here


def test_a_cell_that_fails_leaves_the_others(two_columns, tmp_path, monkeypatch, capsys):
    def execute(name, job, device, deadline):
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


def test_a_run_that_another_cell_has_begun_is_taken_over_when_it_is_done(two_columns, tmp_path, monkeypatch, capsys):
    seen = []

    def execute(name, job, device, deadline):
        if name == "dm_table8" and name not in seen:
            seen.append(name)
            raise _runner.RunElsewhere("abc")
        return {"job": job, "seconds": 1.0, "until": min(deadline, 1e300)}

    monkeypatch.setattr(many, "execute", execute)
    monkeypatch.setattr(_runner, "FOLDER", tmp_path / "committed")
    assert many.main(["--scale", "tiny", "--out", str(tmp_path), "--processes", "1"]) == 0
    assert "0 cells left for the next time, 0 failed" in capsys.readouterr().out
    rows = read_rows(tmp_path / "dm_table8.jsonl")
    assert len(rows) == len(many.table_of("dm_table8").methods)
    assert rows[-1]["until"] == 1e300  # it may be late: nothing trains


def test_a_run_is_begun_once(tmp_path, monkeypatch):
    _runner.claim("abc")
    _runner.claim("abc")  # alone
    monkeypatch.setattr(_runner, "CLAIMS", tmp_path)
    _runner.claim("abc")
    _runner.claim("abe")
    with pytest.raises(_runner.RunElsewhere):
        _runner.claim("abc")


def test_decoded_images_are_those_of_the_files(tmp_path, monkeypatch):
    images = Bunch(X_train=np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2), target_names=["a", "b"])
    monkeypatch.setattr(_images, "fetch_cifar10", lambda: images)
    fetch = _images._fetch.__wrapped__
    monkeypatch.setattr(_images, "_fetch", fetch)
    _images.decode("cifar10", tmp_path)
    monkeypatch.setattr(_images, "fetch_cifar10", None)
    monkeypatch.setattr(_images, "DECODED", tmp_path)
    found = fetch("cifar10")
    np.testing.assert_array_equal(found.X_train, images.X_train)
    assert found.target_names == images.target_names and not found.X_train.flags.writeable
