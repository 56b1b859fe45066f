"""The trial of equal rows: tables in coarse steps, both ways of leaving out, and what the table says of them."""

import numpy as np
import pytest

from benchmarks import equal_rows
from benchmarks.report import block
from benchmarks.rows import append_row, environment


def test_steps_hold_equally_many_training_rows():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(400, 3)), np.arange(400) % 2])
    train, test = equal_rows.coarse(X, X[:50], 2, 4, rng)
    assert train.shape == (400, 2) and np.array_equal(test, train[:50])
    for column in train.T:  # the column of two values is none of them
        assert np.array_equal(np.bincount(column.astype(int)), [100] * 4)


def test_a_row_has_both_ways_on_one_draw(monkeypatch):
    shares = []

    class Recording:
        noise_rate_ = 0.3

        def __init__(self, random_state):
            self.random_state = random_state

        def fit(self, X, y):
            shares.append((equal_rows._left_out_folds._CONTESTED, X.tobytes(), y.tobytes()))
            return self

        def score(self, X, y):
            return len(shares) / 10

    monkeypatch.setattr(equal_rows, "NoisyLabelClassifier", Recording)
    before = equal_rows._left_out_folds._CONTESTED
    row = equal_rows.measure("digits", 3, 4, "symmetric", 20, max_train=300)
    assert equal_rows._left_out_folds._CONTESTED == before
    assert [share for share, *_ in shares] == [2.0, 0.0] and shares[0][1:] == shares[1][1:]
    assert (row["accuracy_together"], row["accuracy_dealt"]) == (0.1, 0.2)
    assert 0.5 < row["share"] <= 1 and row["realised_rate"] == pytest.approx(0.4, abs=5 * np.sqrt(0.24 / 300))


def test_the_table_counts_gains_and_how_far_the_rate_is_off(tmp_path):
    common = {"table": "magic", "noise": "symmetric", "max_train": 700, "realised_rate": 0.4, **environment()}
    common["commit"] = "0123456789ab"
    for seed, (share, gain) in enumerate([(0.1, -0.01), (0.25, 0.02), (0.3, 0.04), (0.34, -0.03), (0.4, 0.01)]):
        row = {"seed": seed, "share": share, "accuracy_together": 0.7, "accuracy_dealt": 0.7 + gain}
        append_row(
            tmp_path / "equal_rows.jsonl", {**common, **row, "noise_rate_together": 0.3, "noise_rate_dealt": 0.42}
        )
    text = block("equal-rows", tmp_path)
    assert "| 0.25 to 0.375 | 3 | 2, 1 | +1.0 ± 2.1 | 10.0 | 2.0 |" in text
    assert "| 0.375 to 0.5 | 1 | 1, 0 | +1.0 | 10.0 | 2.0 |" in text and "Commit 0123456789ab." in text
