import json

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from benchmarks import run as run_module
from benchmarks.memory import PeakMemory
from benchmarks.methods import KINDS, METHODS, Method
from benchmarks.rows import read_rows
from benchmarks.run import PROFILES, Profile, key_of, parse, plan, run_all
from benchmarks.tasks import Task

SMALL = Profile(
    tasks=("digits/symmetric/0.4", "digits/clean/0"), methods=("LogisticRegression",), seeds=(0, 1), max_train=150
)


def quiet(message):
    pass


def results(path):
    """Rows without what no two runs share: their time and memory, and the order workers finish in."""
    own = ("fit_seconds", "peak_mb")
    rows = [{name: value for name, value in row.items() if name not in own} for row in read_rows(path)]
    return sorted(rows, key=key_of)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("run") / "rows.jsonl"
    assert run_all(plan(SMALL), path, report=quiet) == []
    return path


def test_there_is_one_row_for_each_task_method_and_seed(whole):
    assert sorted(map(key_of, read_rows(whole))) == sorted(run.key for run in plan(SMALL))


def test_a_finished_run_is_not_run_again(whole, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(whole.read_bytes())
    run_all(plan(SMALL), path, report=quiet)
    assert path.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
def test_a_run_killed_at_any_moment_ends_with_the_same_rows(whole, tmp_path, share):
    path = tmp_path / "rows.jsonl"
    text = whole.read_bytes()
    path.write_bytes(text[: int(share * len(text))])
    run_all(plan(SMALL), path, report=quiet)
    assert results(path) == results(whole)


def test_workers_write_the_same_rows(whole, tmp_path):
    path = tmp_path / "rows.jsonl"
    run_all(plan(SMALL), path, n_jobs=2, report=quiet)
    assert results(path) == results(whole)


def test_other_settings_are_other_rows():
    base = plan(SMALL)[0].key
    for change in [{"max_train": 151}, {"budget": {"max_epochs": 3}}, {"seeds": (7,)}]:
        assert plan(Profile(**{**vars(SMALL), **change}))[0].key != base


def test_a_budget_is_recognized_when_it_comes_back_from_a_file():
    run = plan(Profile(tasks=("digits/clean/0",), budget={"module__hidden": (8,), "lr": 0.1}))[0]
    row = {"task": run.task.name, "max_train": 5000, "max_test": 5000, "method": run.method, "seed": 0}
    row["definition"] = METHODS[run.method].definition
    assert key_of(json.loads(json.dumps({**row, "budget": run.budget}))) == run.key


def test_a_fit_that_fails_is_reported_leaves_no_row_and_is_tried_again(tmp_path, monkeypatch):
    methods = {
        "broken": Method("broken", lambda budget, seed: DummyClassifier(strategy="no such"), "baseline"),
        "sound": Method("sound", lambda budget, seed: DummyClassifier(), "baseline"),
    }
    monkeypatch.setattr(run_module, "METHODS", methods)
    profile = Profile(tasks=("digits/clean/0",), methods=("broken", "sound"), seeds=(0,), max_train=150)
    errors = run_all(plan(profile), tmp_path / "rows.jsonl", report=quiet)
    assert len(errors) == 1 and errors[0].startswith("digits/clean/0, broken, seed 0:")
    assert [row["method"] for row in read_rows(tmp_path / "rows.jsonl")] == ["sound"]
    methods["broken"] = Method("broken", lambda budget, seed: DummyClassifier(), "baseline")
    assert run_all(plan(profile), tmp_path / "rows.jsonl", report=quiet) == []


def test_a_method_whose_library_is_missing_is_skipped_with_the_reason(tmp_path, monkeypatch):
    methods = {
        "sound": Method("sound", lambda budget, seed: DummyClassifier(), "baseline"),
        "rival": Method("rival", lambda budget, seed: DummyClassifier(), "baseline", requires=("no_such_library",)),
    }
    monkeypatch.setattr(run_module, "METHODS", methods)
    profile = Profile(tasks=("digits/clean/0",), methods=("rival", "sound"), seeds=(0,), max_train=150)
    said = []
    assert run_all(plan(profile), tmp_path / "rows.jsonl", report=said.append) == []
    assert said[0] == "skipped: rival (no_such_library can't be imported: No module named 'no_such_library')"
    assert [row["method"] for row in read_rows(tmp_path / "rows.jsonl")] == ["sound"]


def test_a_method_that_is_defined_otherwise_is_measured_again(tmp_path, monkeypatch):
    def method(strategy):
        return {"guess": Method("guess", lambda budget, seed: DummyClassifier(strategy=strategy), "baseline")}

    path = tmp_path / "rows.jsonl"
    profile = Profile(tasks=("digits/clean/0",), methods=("guess",), seeds=(0,), max_train=150)
    for strategy, n_rows in (("prior", 1), ("prior", 1), ("uniform", 2)):
        monkeypatch.setattr(run_module, "METHODS", method(strategy))
        run_all(plan(profile), path, report=quiet)
        assert len(read_rows(path)) == n_rows
    assert len({row["definition"] for row in read_rows(path)}) == 2


def test_a_row_says_which_labels_it_saw_and_what_memory_it_took(whole):
    rows = {(row["task"], row["seed"]): row for row in read_rows(whole)}
    assert len({row["labels"] for row in rows.values()}) == len(rows)
    with PeakMemory() as memory:
        counted = memory.megabytes() is not None  # where the kernel does
    assert {type(row["peak_mb"]) for row in rows.values()} == {float if counted else type(None)}


class Spy(LogisticRegression):
    """Remembers what it was fitted to."""

    seen = None

    def fit(self, X, y, **test):
        Spy.seen, Spy.test = y, test
        return super().fit(X, y)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_ceiling_sees_clean_labels(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(run_module, "METHODS", {"spy": Method("spy", lambda budget, seed: Spy(max_iter=1000), kind)})
    profile = Profile(tasks=("digits/symmetric/0.4",), methods=("spy",), seeds=(0,), max_train=150)
    assert run_all(plan(profile), tmp_path / "rows.jsonl", report=quiet) == []
    draw = Task("digits", "symmetric", 0.4, max_train=150).draw(0)
    np.testing.assert_array_equal(Spy.seen, draw.y_clean if kind == "ceiling" else draw.y_given)
    assert set(Spy.test) == ({"X_test", "y_test"} if kind == "oracle" else set())


@pytest.mark.parametrize("name", METHODS)
def test_a_method_makes_a_new_estimator_with_the_seed_it_is_given(name):
    if METHODS[name].definition is None:
        pytest.skip(METHODS[name].why_missing())
    budget = {"max_epochs": 3}
    first, second = (METHODS[name].make(budget, 7) for _ in range(2))
    assert first is not second
    parameters = clone(first).get_params()
    seeds = [value for key, value in parameters.items() if key.split("__")[-1] == "random_state"]
    seeds += [value.random_state for value in parameters.values() if isinstance(value, StratifiedKFold)]
    assert seeds and set(seeds) == {7}
    assert METHODS[name].name == name and METHODS[name].kind in KINDS


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_names_what_there_is(name):
    runs = plan(PROFILES[name])
    assert {run.method for run in runs} <= set(METHODS)
    assert len({run.key for run in runs}) == len(runs)


def test_options_narrow_a_profile():
    profile, path, n_jobs = parse(["--profile", "tables", "--methods", "DM(2, 24)", "--seeds", "3", "--n-jobs", "2"])
    assert (profile.methods, profile.seeds, n_jobs) == (("DM(2, 24)",), (3,), 2)
    assert profile.tasks == PROFILES["tables"].tasks
    assert path.name == "tables.jsonl"


def test_patterns_choose_tasks_of_the_profile():
    profile, path, _ = parse(["--profile", "kinds", "--tasks", "magic/*", "*/pair_flip/0.4", "adult/clean/0"])
    assert len(profile.tasks) == 7 + 15 + 1 and profile.tasks[0].startswith("magic/")
    assert path.name == "tables.jsonl"  # what `tables` has measured is not measured again


def test_a_pattern_without_a_task_stops_before_anything_runs(capsys):
    with pytest.raises(SystemExit):
        parse(["--profile", "kinds", "--tasks", "*/loud/*"])
    assert "No task of the profile matches '*/loud/*'" in capsys.readouterr().err


def test_a_task_that_is_none_stops_before_anything_runs(capsys):
    with pytest.raises(SystemExit):
        parse(["--tasks", "magic/loud/0.4"])
    assert "Unknown noise 'loud'" in capsys.readouterr().err
