"""The run that waits for a GPU, on the CPU at sizes that say nothing: every piece, its rows, and going on."""

import json

import pytest

from benchmarks import gpu

COUNTED = {"images": 4, "search": 1, "steps": 1, "streams": 2, "kernels": 1}


@pytest.fixture(autouse=True)
def no_committed_rows(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "RESULTS", tmp_path / "none")


def rows(folder):
    return [json.loads(line) for line in (folder / gpu.NAME).read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("piece", COUNTED)
def test_a_piece_writes_its_rows_and_is_not_run_again(tmp_path, piece, capsys):
    command = ["--pieces", piece, "--device", "cpu", "--tiny", "--out", str(tmp_path)]
    assert gpu.main(command) == 0, capsys.readouterr().out
    written = rows(tmp_path)
    assert len(written) == COUNTED[piece]
    assert {(row["piece"], row["device"], row["tiny"]) for row in written} == {(piece, "cpu", True)}
    assert all({"case", "commit", "versions", "seconds"} <= row.keys() for row in written)
    assert gpu.main(command) == 0
    assert rows(tmp_path) == written


def test_a_killed_run_goes_on_behind_its_last_row(tmp_path, monkeypatch):
    done = []
    pieces = {
        "one": gpu.Piece(lambda setting: [(case, lambda case=case: done.append(case) or {}) for case in "abc"], 10)
    }
    monkeypatch.setattr(gpu, "PIECES", pieces)
    setting = gpu.Setting("cpu", True)
    gpu.run_pieces(["one"], setting, tmp_path, 100)
    whole = (tmp_path / gpu.NAME).read_text()
    (tmp_path / gpu.NAME).write_text("".join(whole.splitlines(keepends=True)[:1]))
    gpu.run_pieces(["one"], setting, tmp_path, 100)
    assert done == ["a", "b", "c", "b", "c"]
    assert [row["case"] for row in rows(tmp_path)] == ["a", "b", "c"]


def test_no_row_is_begun_for_which_there_is_no_time_and_a_failure_stops_no_other(tmp_path, monkeypatch, capsys):
    def broken():
        raise ValueError("no such card")

    pieces = {
        "long": gpu.Piece(lambda setting: [("long", dict)], 1000),
        "broken": gpu.Piece(lambda setting: [("broken", broken)], 1),
        "short": gpu.Piece(lambda setting: [("short", dict)], 1),
    }
    monkeypatch.setattr(gpu, "PIECES", pieces)
    assert gpu.run_pieces(["long", "broken", "short"], gpu.Setting("cpu", False), tmp_path, 100) == 1
    assert [row["case"] for row in rows(tmp_path)] == ["short"]
    said = capsys.readouterr().out
    assert "long: left for the next time" in said and "broken FAILED: ValueError: no such card" in said


def test_what_comes_first_fits_into_a_quarter_of_an_hour():
    expected = {name: 4 if name == "kernels" else COUNTED.get(name, 1) for name in gpu.PIECES}
    first = sum(gpu.PIECES[name].seconds * n for name, n in expected.items() if name != "table")
    assert first < 13 * 60
    assert all(piece.seconds < 600 for piece in gpu.PIECES.values())


@pytest.mark.parametrize("command", [[], ["--device", "cpu"]])
def test_without_a_gpu_it_says_so(command, capsys):
    import torch

    if not command and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(SystemExit):
        gpu.main(command)
    assert "--tiny" in capsys.readouterr().err


@pytest.mark.slow
def test_the_tests_marked_gpu_run_on_the_cpu(tmp_path, capsys):
    assert gpu.main(["--pieces", "tests", "--device", "cpu", "--tiny", "--out", str(tmp_path)]) == 0
    (row,) = rows(tmp_path)
    assert row["passed"], capsys.readouterr().out


@pytest.mark.slow
def test_a_cell_of_a_table_of_images_is_a_row(tmp_path, shared_data):
    assert gpu.main(["--pieces", "table", "--device", "cpu", "--tiny", "--out", str(tmp_path)]) == 0
    assert {"final", "fits given", "curve"} <= rows(tmp_path)[0].keys()
