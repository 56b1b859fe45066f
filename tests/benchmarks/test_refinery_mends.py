"""What is tried against a refinery that harms: what each trial does to the labels."""

import json

import numpy as np
import pytest

from benchmarks import refinery_mends
from benchmarks.refinery_mends import LABEL_WEIGHT, N_ROUNDS, label_weight_of, mended, mends_block
from benchmarks.rows import read_rows

GIVEN = np.eye(3)[[0, 1, 2, 0]]
REFINED = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.1, 0.1, 0.8], [0.2, 0.7, 0.1]])
PREDICTED = np.array([[0.5, 0.5, 0.0], [0.95, 0.05, 0.0], [0.05, 0.05, 0.9], [0.3, 0.4, 0.3]])
QUALITY = np.array([0.5, 0.05, 0.9, 0.3])


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.2, 0.4])
def test_a_label_moves_by_twice_the_noise_rate_at_most(rate):
    weight = label_weight_of(rate)
    assert 1 - (weight / (weight + 1)) ** N_ROUNDS == pytest.approx(2 * rate)


def test_many_wrong_labels_are_given_the_default_weight_and_none_all_of_it():
    assert label_weight_of(0.5) == pytest.approx(LABEL_WEIGHT)
    assert label_weight_of(0) > 1e5


def test_without_estimated_noise_no_given_label_moves():
    np.testing.assert_array_equal(mended(GIVEN, REFINED, PREDICTED, QUALITY, 0.0)["as many as wrong"], GIVEN)


def test_as_many_of_the_most_doubtful_rows_move_as_are_wrong():
    labels = mended(GIVEN, REFINED, PREDICTED, QUALITY, 0.5)["as many as wrong"]
    np.testing.assert_array_equal(labels, [GIVEN[0], REFINED[1], GIVEN[2], REFINED[3]])


def test_labels_move_where_the_last_round_is_sure_alone():
    labels = mended(GIVEN, REFINED, PREDICTED, QUALITY, 0.0)["where sure"]
    np.testing.assert_array_equal(labels, [GIVEN[0], REFINED[1], REFINED[2], GIVEN[3]])


def test_hard_labels_are_the_most_probable_classes():
    labels = mended(GIVEN, REFINED, PREDICTED, QUALITY, 0.0)["most probable class"]
    np.testing.assert_array_equal(labels, np.eye(3)[[0, 0, 2, 1]])


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
