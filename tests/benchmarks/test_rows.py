import json

import pytest

from benchmarks.rows import append_row, environment, read_rows


def test_rows_come_back_in_their_order(tmp_path):
    path = tmp_path / "new folder" / "rows.jsonl"
    rows = [{"seed": seed, "name": "Ä", "value": None} for seed in range(3)]
    for row in rows:
        append_row(path, row)
    assert read_rows(path) == rows


def test_a_file_that_does_not_exist_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("n_written", range(1, len('{"seed": 1}\n')))
def test_a_torn_last_line_is_no_row_and_harms_no_later_one(tmp_path, n_written):
    path = tmp_path / "rows.jsonl"
    append_row(path, {"seed": 0})
    with open(path, "a") as file:
        file.write('{"seed": 1}\n'[:n_written])
    assert read_rows(path) == [{"seed": 0}]
    append_row(path, {"seed": 2})
    assert read_rows(path) == [{"seed": 0}, {"seed": 2}]


def test_a_file_that_holds_only_a_torn_line_is_begun_again(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"seed"')
    append_row(path, {"seed": 2})
    assert read_rows(path) == [{"seed": 2}]


def test_a_figure_that_is_not_a_number_is_refused_before_it_is_written(tmp_path):
    path = tmp_path / "rows.jsonl"
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_row(path, {"accuracy": float("nan")})
    assert read_rows(path) == []


def test_a_row_says_what_made_it():
    names = {"python", "system", "processor", "cpus", "threads", "versions", "commit"}
    assert names <= set(environment())
    assert {"numpy", "scikit-learn", "torch", "skorch"} <= set(environment()["versions"])
    json.dumps(environment(), allow_nan=False)
