"""What is tried against a refinery that harms: what each trial does to the labels."""

import json

import pytest

from benchmarks import refinery_mends
from benchmarks.refinery_mends import LABEL_WEIGHT, N_ROUNDS, label_weight_of, mends_block
from benchmarks.rows import read_rows


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.2, 0.4])
def test_a_label_moves_by_twice_the_noise_rate_at_most(rate):
    weight = label_weight_of(rate)
    assert 1 - (weight / (weight + 1)) ** N_ROUNDS == pytest.approx(2 * rate)


def test_many_wrong_labels_are_given_the_default_weight_and_none_all_of_it():
    assert label_weight_of(0.5) == pytest.approx(LABEL_WEIGHT)
    assert label_weight_of(0) > 1e5


@pytest.mark.slow
def test_a_row_has_every_trial_and_is_not_made_twice(tmp_path, monkeypatch, capsys):
    path = tmp_path / "refinery_mends.jsonl"
    monkeypatch.setattr(refinery_mends, "PATH", path)
    monkeypatch.setattr(refinery_mends, "RATES", (0.2,))
    monkeypatch.setattr(refinery_mends, "MAX_TRAIN", 100)
    for _ in range(2):
        refinery_mends.run(["digits"], ["LogisticRegression"], [0])
    (row,) = read_rows(path)
    assert len(row["test_accuracy"]) == 7
    assert all(0 <= value <= 1 for value in row["test_accuracy"].values())
    text = mends_block([row])
    assert all(trial in text for trial in row["test_accuracy"]), text
    assert json.loads(path.read_text()) == row
    assert "LogisticRegression, 20 %" in text


def test_seeds_that_chose_and_seeds_that_judge_are_apart():
    def row(seed, accuracy):
        return {
            "task": "digits/symmetric/0.2", "estimator": "network", "seed": seed, "commit": "abc",
            "test_accuracy": {"refinery": accuracy},
        }  # fmt: skip

    text = mends_block([row(0, 0.5), row(1, 0.7), row(2, 0.9)])
    chosen, judged = text.split("no choice had seen")
    assert "**60.0** | 2 |" in chosen and "90.0" not in chosen
    assert "(seeds 2)" in judged and "**90.0** | 1 |" in judged
