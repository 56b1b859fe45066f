import pytest

from benchmarks import remeasure as module
from benchmarks.methods import METHODS
from benchmarks.papers import dm_table2
from benchmarks.remeasure import names, overview, remeasure
from benchmarks.rows import EARLIER, RESULTS, append_row, read_rows

CHANGED = "abc+changes"


def paper_row(method, seed, commit):
    job = {"scale": "core", "seed": seed, "condition": "r=0.4", "method": method}
    return {"job": job, "seconds": 2.0, "commit": commit}


@pytest.fixture
def folder(results, row):
    folder = results(
        schedules=[{"seed": 0, "commit": CHANGED}, {"seed": 1, "commit": "abc"}],
        tables=[
            row("digits/symmetric/0.4", "GCE", 0, 0.5, definition="0" * 12),
            row("digits/symmetric/0.4", "SCE", 0, 0.5, definition=METHODS["SCE"].definition),
        ],
        quick=[row("digits/symmetric/0.4", "GCE", 0, 0.5)],
    )
    for method, seed, commit in (("CCE", 0, CHANGED), ("CCE", 1, "abc"), ("DM, lam=0.5", 0, CHANGED)):
        append_row(folder / "papers" / "dm_table2.jsonl", paper_row(method, seed, commit))
    return folder


def test_files_with_rows_to_measure_again_are_listed_with_the_reason(folder):
    assert names(folder) == ["papers/dm_table2", "schedules", "tables"]
    table = overview(folder)
    assert table.loc["papers/dm_table2"].tolist() == ["3", "2", "0", "4"]
    assert table.loc["tables"].tolist() == ["2", "0", "1", "1"]


def test_rows_that_gave_their_place_to_others_are_left_alone(folder, row):
    append_row(folder / "earlier.jsonl", row("digits/symmetric/0.4", "GCE", 0, 0.5, definition="0" * 12))
    assert names(folder) == ["papers/dm_table2", "schedules", "tables"]


@pytest.mark.slow
def test_jobs_of_a_paper_are_taken_out_and_run_one_after_the_other(folder):
    path, seen = folder / "papers" / "dm_table2.jsonl", []

    def execute(words):
        seen.append((words, len(read_rows(path))))

    remeasure("papers/dm_table2", folder, execute=execute)
    assert [n_left for _, n_left in seen] == [2, 1]
    words = ["benchmarks.papers.dm_table2", "--scale", "core", "--seeds", "0", "--conditions", "r=0.4", "--methods"]
    assert [command for command, _ in seen] == [[*words, "CCE"], [*words, "DM, lam=0.5"]]
    assert set(dm_table2.METHODS) >= {"CCE", "DM, lam=0.5"}
    assert read_rows(path) == [paper_row("CCE", 1, "abc")]


def test_a_job_that_was_killed_leaves_the_others_to_be_found_again(folder):
    def killed(words):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remeasure("papers/dm_table2", folder, execute=killed)
    assert [row["job"]["method"] for row in read_rows(folder / "papers" / "dm_table2.jsonl")] == ["CCE", "DM, lam=0.5"]


def test_of_other_files_the_good_rows_stay_and_the_command_runs_once(folder):
    seen = []
    remeasure("schedules", folder, execute=seen.append)
    assert seen == [("benchmarks.schedules",)]
    assert read_rows(folder / "schedules.jsonl") == [{"seed": 1, "commit": "abc"}]


def test_rows_of_a_run_are_replaced_by_those_of_the_same_task_method_and_seed(folder, monkeypatch):
    runs = []

    def run_all(chosen, path, n_jobs):
        runs.extend((run.task.name, run.method, run.seed) for run in chosen)
        return []

    monkeypatch.setattr(module, "run_all", run_all)
    remeasure("tables", folder)
    assert set(runs) == {("digits/symmetric/0.4", "GCE", 0)}
    assert [row["method"] for row in read_rows(folder / "tables.jsonl")] == ["SCE"]


def test_rows_of_which_no_command_is_known_stay_where_they_are(results):
    folder = results(gpu=[{"case": "table", "commit": CHANGED}])
    with pytest.raises(SystemExit, match="No command is known that makes the rows of gpu"):
        remeasure("gpu", folder, execute=print)
    assert len(read_rows(folder / "gpu.jsonl")) == 1


def test_of_every_committed_file_a_command_is_known_but_for_those_of_other_machines_chosen_seeds_and_earlier_rows():
    files = {path.stem for path in RESULTS.glob("*.jsonl")}
    unknown = {name for name in files if name not in module.COMMANDS and not module.profiles_of(name)}
    assert unknown <= {"ensemble_trial", "gpu", EARLIER}


def test_rows_are_measured_from_a_clean_tree_alone(folder, monkeypatch):
    monkeypatch.setattr(module, "RESULTS", folder)
    monkeypatch.setattr(module, "names", lambda: ["schedules"])
    monkeypatch.setattr(module, "git_commit", lambda: "abc+changes")
    monkeypatch.setattr("sys.argv", ["remeasure", "--run"])
    with pytest.raises(SystemExit) as error:
        module.main()
    assert "from a clean tree" in error.value.code
    assert len(read_rows(folder / "schedules.jsonl")) == 2


def test_a_file_without_such_rows_is_named(monkeypatch, capsys):
    monkeypatch.setattr(module, "names", lambda: ["schedules"])
    monkeypatch.setattr("sys.argv", ["remeasure", "--files", "quick"])
    with pytest.raises(SystemExit):
        module.main()
    assert "No rows of quick have to be measured again" in capsys.readouterr().err
