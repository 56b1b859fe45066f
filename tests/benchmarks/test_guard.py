from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks import guard as guard_module
from benchmarks import run as run_module
from benchmarks.guard import COMMITTED, LEAST_MARGIN, compare, guard, runnable, standard_error, table
from benchmarks.methods import Method
from benchmarks.rows import append_row, read_rows
from benchmarks.run import PROFILES, Profile, key_of, plan, run_all

SMALL = Profile(
    tasks=("digits/symmetric/0.4", "digits/clean/0"), methods=("LogisticRegression",), seeds=(0, 1), max_train=150
)


def quiet(message):
    pass


def row(method, task, seed, accuracy):
    return {
        "task": task, "max_train": 100, "max_test": 100, "method": method, "definition": "0", "budget": {},
        "seed": seed, "test_accuracy": accuracy,
    }  # fmt: skip


ROWS = [
    row(method, task, seed, 0.8 + 0.02 * seed * noisy)
    for method, noisy in (("steady", 0), ("noisy", 4))
    for task in ("a", "b")
    for seed in (0, 1)
]


def lowered(rows, method, by):
    return [r | {"test_accuracy": r["test_accuracy"] - by * (r["method"] == method)} for r in rows]


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    path = tmp_path_factory.mktemp("guard") / "rows.jsonl"
    assert run_all(plan(SMALL), path, report=quiet) == []
    return read_rows(path)


def test_unchanged_code_passes(committed):
    assert guard(SMALL, committed, report=quiet) == []


def test_a_method_that_has_become_worse_fails(committed, monkeypatch):
    guess = Method("LogisticRegression", lambda budget, seed: DummyClassifier(), "baseline")
    vars(guess)["definition"] = committed[0]["definition"]  # the same parameters, but what they do is worse
    monkeypatch.setitem(run_module.METHODS, "LogisticRegression", guess)
    (message,) = guard(SMALL, committed, report=quiet)
    assert message.startswith("LogisticRegression: mean accuracy over 2 tasks fell from ")


def test_a_method_that_is_defined_otherwise_needs_new_rows(committed, monkeypatch):
    other = Method("LogisticRegression", lambda budget, seed: LogisticRegression(C=0.1, random_state=seed), "baseline")
    monkeypatch.setitem(run_module.METHODS, "LogisticRegression", other)
    (message,) = guard(SMALL, committed, report=quiet)
    assert message.startswith("No committed rows of digits/clean/0, LogisticRegression")


def test_a_method_that_cannot_be_fitted_fails(committed, monkeypatch):
    def broken(budget, seed):
        raise RuntimeError("out of order")

    monkeypatch.setitem(run_module.METHODS, "LogisticRegression", Method("LogisticRegression", broken, "baseline"))
    wrong = guard(SMALL, committed, report=quiet)
    assert len(wrong) == 4 and all("out of order" in text for text in wrong)


@pytest.mark.parametrize("fall, worse", [(-0.05, False), (0.0, False), (0.01, False), (0.0101, True)])
def test_a_steady_method_may_fall_by_the_least_margin(fall, worse):
    comparison = compare(lowered(ROWS, "steady", fall), ROWS)
    assert comparison.loc["steady", "margin"] == LEAST_MARGIN
    assert comparison.loc["steady", "worse"] == worse
    assert not comparison.loc["noisy", "worse"]


def test_a_noisy_method_may_fall_by_its_standard_error():
    # on each of two tasks the seeds differ by 0.08: variance 0.0032, and the mean is over four rows
    error = np.sqrt(0.0032 / 4)
    assert standard_error(pd.DataFrame(ROWS).query("method == 'noisy'")) == pytest.approx(error)
    assert not compare(lowered(ROWS, "noisy", 0.99 * error), ROWS)["worse"].any()
    assert compare(lowered(ROWS, "noisy", 1.01 * error), ROWS).loc["noisy", "worse"]


def test_one_seed_has_the_least_margin():
    first = [r for r in ROWS if r["seed"] == 0]
    assert set(compare(first, ROWS)["margin"]) == {LEAST_MARGIN}


def test_the_verdict_can_be_read():
    text = table(compare(lowered(lowered(ROWS, "steady", 0.02), "noisy", -0.1), ROWS))
    assert "| steady | 80.00 | 78.00 | 1.00 | WORSE |" in text
    assert "| noisy | 84.00 | 94.00 | 2.83 | better |" in text


def test_nothing_to_compare_is_an_error():
    with pytest.raises(ValueError, match="nothing to compare"):
        compare([], ROWS)


def test_rows_without_a_counterpart_are_an_error(committed):
    with pytest.raises(ValueError, match=r"No committed rows of a, steady: run python -m benchmarks\.run"):
        compare(ROWS[:1], ROWS[1:])
    (message,) = guard(SMALL, [], report=quiet)
    assert "digits/clean/0, LogisticRegression" in message


def test_without_the_real_data_the_digits_are_left(tmp_path):
    quick = PROFILES["quick"]
    reduced, absent = runnable(quick, tmp_path / "absent")
    assert reduced.tasks and set(reduced.tasks) | set(absent) == set(quick.tasks)
    assert reduced == replace(quick, tasks=tuple(task for task in quick.tasks if task.startswith("digits/")))
    assert runnable(quick, tmp_path) == (quick, [])


def test_what_was_not_compared_is_said(monkeypatch, tmp_path, capsys, committed):
    monkeypatch.setenv("SKLABELNOISE_DATA", str(tmp_path / "absent"))
    monkeypatch.setattr("sys.argv", ["guard"])
    monkeypatch.setitem(guard_module.PROFILES, "quick", replace(SMALL, tasks=(*SMALL.tasks, "magic/symmetric/0.4")))
    path = tmp_path / "quick.jsonl"
    for r in committed:
        append_row(path, r)
    monkeypatch.setattr(guard_module, "COMMITTED", path)
    guard_module.main()
    printed = capsys.readouterr().out
    assert "not compared are magic/symmetric/0.4" in printed
    assert "Nothing has become worse on digits/symmetric/0.4, digits/clean/0." in printed


def test_a_regression_ends_with_an_error_status(monkeypatch, tmp_path, committed):
    monkeypatch.setattr("sys.argv", ["guard"])
    monkeypatch.setitem(guard_module.PROFILES, "quick", SMALL)
    path = tmp_path / "quick.jsonl"
    for r in committed:
        append_row(path, r | {"test_accuracy": 1.0})
    monkeypatch.setattr(guard_module, "COMMITTED", path)
    with pytest.raises(SystemExit) as error:
        guard_module.main()
    assert "LogisticRegression" in error.value.code


def test_the_committed_rows_are_those_of_the_quick_profile():
    assert {run.key for run in plan(PROFILES["quick"])} == {key_of(r) for r in read_rows(COMMITTED)}
