"""Fits made again: which rows are paired, and what the table says of them."""

import pytest
from sklearn.dummy import DummyClassifier

from benchmarks.again import MEASURES, again_block, paired
from benchmarks.measures import measure
from benchmarks.report import block
from benchmarks.rows import append_row
from benchmarks.tasks import Task

ROW = {
    "task": "digits/clean/0", "max_train": 100, "max_test": 100, "method": "a rival that is gone", "definition": "d",
    "seed": 0, "budget": {}, "commit": "0123456789ab", **dict.fromkeys(MEASURES, 0.5),
}  # fmt: skip


def test_every_measure_of_a_row_is_compared():
    draw = Task.from_name("digits/symmetric/0.4", max_train=100, max_test=100).draw(0)
    fitted = DummyClassifier().fit(draw.X_train, draw.y_given)
    assert set(measure(fitted, draw)) == set(MEASURES)


def test_only_the_same_fit_is_a_pair():
    other = [{**ROW, name: value} for name, value in {"seed": 1, "definition": "e", "max_train": 99}.items()]
    assert paired([ROW], other).empty and len(paired([*other, ROW], [ROW])) == 1
    assert len(paired([ROW], [*other, ROW])) == 1
    assert again_block([ROW], other) == "No fit of the tables was made again yet.\n"


@pytest.mark.parametrize("name", MEASURES)
def test_a_difference_in_any_measure_is_one(name):
    pairs = paired([{**ROW, name: 0.50001}], [ROW])
    assert not pairs["same"].any()
    assert pairs["moved"].item() == pytest.approx(1e-5 if name == "test_accuracy" else 0)


def test_what_is_not_defined_for_either_is_no_difference():
    assert paired([{**ROW, "detection_auc": None}], [{**ROW, "detection_auc": None}])["same"].all()


def test_cost_and_machine_are_none():
    assert paired([{**ROW, "fit_seconds": 9.0, "processor": "x", "commit": "b"}], [ROW])["same"].all()


def test_the_table_counts_what_came_out_as_it_was(tmp_path):
    for seed, (now, then) in enumerate([(0.7, 0.7), (0.75, 0.7), (0.68, 0.7)]):
        for name, accuracy, commit in (("tables", now, "ba9876543210"), ("earlier", then, "0123456789ab")):
            append_row(tmp_path / f"{name}.jsonl", {**ROW, "seed": seed, "test_accuracy": accuracy, "commit": commit})
    text = block("again", tmp_path)
    assert "| a rival that is gone | 3 | 1 | 5.0 | +1.00 |" in text
    assert "3 fits over 1 tasks (seed 0, 1, 2) made again at commit ba9876543210 and shown" in text
    assert "in place of those of 1 other commits" in text
    assert "1 are the same in every measure" in text


def test_without_rows_it_says_so(tmp_path):
    append_row(tmp_path / "tables.jsonl", ROW)
    assert "No rows in earlier.jsonl yet." in block("again", tmp_path)
