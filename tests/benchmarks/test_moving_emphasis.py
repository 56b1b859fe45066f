"""The benchmark of schedules: a moving emphasis does what it says, and the rule decides."""

import numpy as np
import pytest

from benchmarks import schedules
from benchmarks.comparison import BASELINE, CEILING
from benchmarks.schedules import MovingEmphasis, name_of, schedule_table, schedules_block, worth_keeping
from sklabelnoise import DMClassifier

FAST = {"max_epochs": 4, "batch_size": 50, "device": "cpu", "random_state": 0}


def test_an_emphasis_that_stays_is_the_fixed_one(blobs):
    X, y = blobs
    fixed = DMClassifier(lam=1, beta=16, **FAST).fit(X, y)
    staying = DMClassifier(callbacks=[MovingEmphasis((1, 16), (1, 16))], **FAST).fit(X, y)
    assert np.array_equal(staying.predict_proba(X), fixed.predict_proba(X))


def test_it_moves_in_equal_steps_and_ends_at_the_end(blobs):
    seen = []

    class Records(MovingEmphasis):
        def on_batch_begin(self, net, batch=None, training=None, **kwargs):
            super().on_batch_begin(net, batch, training, **kwargs)
            seen.append((net.criterion_.emphasis.lam, net.criterion_.emphasis.beta))

    DMClassifier(callbacks=[Records((2, 24), (0, 0))], **FAST).fit(*blobs)
    np.testing.assert_allclose(seen, np.linspace((2, 24), (0, 0), 13)[1:], rtol=0, atol=1e-12)


def rows_with(accuracies):
    """Rows of two tasks; methods that are not named have an accuracy of one half."""
    like = {"max_train": 2000, "versions": {"torch": "2"}, "processor": "a machine", "commit": "abc"}
    return [
        {"task": task, "seed": seed, "method": method, "test_accuracy": accuracies.get(method, (0.5, 0.5))[i], **like}
        for i, task in enumerate(["a/symmetric/0.4", "b/symmetric/0.4"])
        for seed in range(2)
        for method in schedules.METHODS
    ]


BEST_FIXED = {CEILING: (0.9, 0.9), BASELINE: (0.4, 0.4), "DM(1, 16)": (0.6, 0.6)}


def test_points_are_counted_from_the_best_fixed_emphasis():
    table, best = schedule_table(rows_with({**BEST_FIXED, "DM(0, 0)": (0.65, 0.5)}))
    assert best == "DM(1, 16)"
    assert table.loc["DM(0, 0)", "points over the best fixed"] == pytest.approx(-2.5)
    assert table.loc["DM(0, 0)", ["worst table", "where"]].tolist() == [pytest.approx(-10), "b"]
    assert table.loc["DM(1, 16)", "recovered"] == pytest.approx(0.4)
    assert table.loc["the best fixed one of each table", "points over the best fixed"] == pytest.approx(2.5)


@pytest.mark.parametrize("accuracies, passes", [
    ((0.62, 0.62), True), ((0.605, 0.605), False), ((0.66, 0.58), False),
], ids=["better", "too little", "worse on one table"])  # fmt: skip
def test_a_schedule_must_gain_and_harm_no_table(accuracies, passes):
    schedule = name_of(*schedules.MOVING[0])
    rows = rows_with({**BEST_FIXED, schedule: accuracies})
    assert worth_keeping(schedule_table(rows)[0]) == ([schedule] if passes else [])
    assert (f"These pass: {schedule}." if passes else "None of the schedules passes") in schedules_block(rows)


def test_a_seed_that_is_not_finished_is_left_out():
    rows = rows_with(BEST_FIXED)
    unfinished = [row | {"seed": 2, "test_accuracy": 0.0} for row in rows if row["seed"] == 0][:3]
    assert schedules_block(rows + unfinished).startswith("2 tables with 40 % symmetric noise, 2 seeds")
