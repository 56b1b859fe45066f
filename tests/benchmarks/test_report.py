import sys
from pathlib import Path

import pytest

from benchmarks import figures
from benchmarks import report as report_module
from benchmarks.cells import markdown, mean_sd
from benchmarks.comparison import BASELINE, CEILING
from benchmarks.leaderboard import leaderboard, measures_table, noise_table, task_table, wins_table
from benchmarks.report import BLOCKS, block, fill, update
from benchmarks.rows import RESULTS, append_row, environment

ROOT = Path(__file__).parents[2]


ORACLE = "DM, best by test labels"
KINDS = {CEILING: "ceiling", BASELINE: "baseline", ORACLE: "oracle"}


def row(task, method, seed, accuracy, **changes):
    return {
        "task": task,
        "max_train": 2000,
        "max_test": 5000,
        "method": method,
        "kind": KINDS.get(method, "robust"),
        "budget": {},
        "seed": seed,
        "test_accuracy": accuracy,
        "calibration_error": 0.1,
        "label_recovery": 0.8,
        "fitted_given": 0.7,
        "memorised": 0.2,
        "detection_auc": 0.9,
        "fit_seconds": 1.0,
        **environment(),
        **changes,
    }


TASKS = ("magic/symmetric/0.4", "digits/symmetric/0.4")
ACCURACY = {CEILING: (0.9, 0.98), BASELINE: (0.7, 0.78), "DM(2, 24)": (0.8, 0.9), "other": (0.6, 0.95)}
ROWS = [
    row(task, method, seed, accuracy + 0.01 * seed)
    for method, accuracies in ACCURACY.items()
    for task, accuracy in zip(TASKS, accuracies, strict=True)
    for seed in (0, 1)
]


def test_mean_and_standard_deviation_over_seeds():
    assert mean_sd([0.5, 0.7], 100) == "60.0 ± 14.1"
    assert mean_sd([0.5]) == "0.5"
    assert mean_sd([None, None]) == "–"


def test_leaderboard_by_hand():
    table = leaderboard(ROWS)
    assert list(table.index) == [CEILING, "DM(2, 24)", "other", BASELINE]
    assert table.loc["DM(2, 24)", "test accuracy, %"] == "85.5 ± 0.7"
    # cross entropy is at 74, its ceiling at 94: DM's 85 wins back 11 of 20 points
    assert table.loc["DM(2, 24)", "recovered, %"] == "55 ± 0"
    assert table.loc[BASELINE, "recovered, %"] == "0"
    # ranks are those among methods without clean labels: DM is 1st and 2nd
    assert table.loc[CEILING, "mean rank"] == "–"
    assert table.loc["DM(2, 24)", "mean rank"].strip("*") == "1.5"
    # the seeds add the same to all methods, so differences have no error: no ties
    assert table.loc["DM(2, 24)", "against cross entropy"] == "2/0/0"
    assert table.loc["other", "against cross entropy"] == "1/0/1"
    assert table.loc[BASELINE, "against cross entropy"] == "–"
    assert set(table["n"]) == {"2"}


def test_a_seed_that_lacks_a_task_does_not_count():
    lacking = [r for r in ROWS if (r["method"], r["task"], r["seed"]) != ("other", TASKS[0], 1)]
    table = leaderboard(lacking)
    assert table.loc["other", "n"] == "1"
    assert table.loc["other", "test accuracy, %"] == "77.5"
    assert table.loc[BASELINE, "n"] == "2"


def test_the_best_method_of_a_task_is_bold_and_the_ceiling_never():
    table = task_table(ROWS)
    assert table.loc[TASKS[0], "DM(2, 24)"] == "**80.5 ± 0.7**"
    assert table.loc[TASKS[1], "other"] == "**95.5 ± 0.7**"
    assert not table[CEILING].str.contains("*", regex=False).any()


def with_oracle(rows):
    return rows + [row(task, ORACLE, seed, 0.96 + 0.01 * seed) for task in TASKS for seed in (0, 1)]


def test_an_oracle_is_listed_apart_and_changes_no_rank():
    plain, table = leaderboard(ROWS), leaderboard(with_oracle(ROWS))
    assert list(table.index[:2]) == [CEILING, ORACLE]
    assert table.loc[ORACLE, "mean rank"] == "–"
    assert table.drop(index=ORACLE).equals(plain)
    tasks = task_table(with_oracle(ROWS))
    assert list(tasks.columns[:2]) == [CEILING, ORACLE]
    assert not tasks[ORACLE].str.contains("*", regex=False).any()
    assert ORACLE not in wins_table(with_oracle(ROWS)).index


def test_measures_state_the_share_of_the_oracle():
    table = measures_table(with_oracle(ROWS))
    # cross entropy is at 74, the ceiling at 94, DM at 85, the oracle at 96: 11 of 22 points
    assert table.loc["DM(2, 24)", f"of {ORACLE}"] == "50 ± 0"
    assert table.loc[CEILING, f"of {ORACLE}"] == "–"
    assert table.loc[BASELINE, "recovered, %"] == "0 ± 0"
    assert table.loc["other", "detection AUC"] == "0.900 ± 0.000"
    assert set(table["balanced accuracy, %"]) == {"–"}  # these rows have none


def test_wins_are_counted_against_both_references():
    rows = [r | {"method": r["method"].replace("DM(2, 24)", "DMClassifierCV")} for r in ROWS]
    table = wins_table(rows)
    assert table.loc["other", "against DMClassifierCV"] == "1/0/1"
    assert table.loc["other", "points over DMClassifierCV"] == "-7.5"
    assert table.loc["DMClassifierCV", "points over cross entropy"] == "+11.0"
    assert table.loc["DMClassifierCV", "against DMClassifierCV"] == "–"
    assert CEILING not in table.index


def test_a_task_that_a_method_lacks_is_left_out_for_all(tmp_path):
    tasks = [f"t{i}/symmetric/0.4" for i in range(5)]
    rows = [
        row(task, method, 0, accuracy + 0.1 * (task == tasks[0]))
        for method, accuracy in {CEILING: 0.8, BASELINE: 0.5, "good": 0.6, "slow": 0.7}.items()
        for task in tasks
        if (method, task) != ("slow", tasks[0])
    ]
    for r in rows:
        append_row(tmp_path / "tables.jsonl", r)
    assert "Left out for all: t0/symmetric/0.4 (no rows of slow)." in block("tables", tmp_path)
    table = leaderboard(rows)
    assert table.loc["good", "test accuracy, %"] == "60.0"  # of the other four
    assert table.loc["slow", "mean rank"].strip("*") == "1.0"
    assert task_table(rows).loc[tasks[0], "slow"] == "–"
    assert list(task_table(rows).columns) == [CEILING, "good", BASELINE, "slow"]


def test_a_method_that_lacks_many_tasks_is_left_out_and_named(tmp_path):
    tasks = [f"t{i}/symmetric/0.4" for i in range(4)]
    rows = [
        row(task, method, 0, accuracy)
        for method, accuracy in {CEILING: 0.8, BASELINE: 0.5, "good": 0.6, "slow": 0.7}.items()
        for task in tasks
        if (method, task) != ("slow", tasks[0])
    ]
    for r in rows:
        append_row(tmp_path / "tables.jsonl", r)
    assert "slow" not in leaderboard(rows).index
    assert leaderboard(rows).loc["good", "mean rank"].strip("*") == "1.0"
    assert "Not compared everywhere, for want of rows: slow." in block("tables", tmp_path)


def test_rows_of_two_sizes_are_an_error():
    with pytest.raises(ValueError, match=r"Two rows of magic/symmetric/0\.4, other, seed 0"):
        leaderboard([*ROWS, row(TASKS[0], "other", 0, 0.5, max_train=100)])


NOISES = ("clean/0", "symmetric/0.2", "imbalance/0.1", "human/0")
NOISE_ROWS = [
    row(f"{dataset}/{noise}", method, seed, accuracy - 0.1 * NOISES.index(noise), balanced_accuracy=accuracy / 2)
    for method, accuracy in {CEILING: 0.95, BASELINE: 0.8, "good": 0.9}.items()
    for dataset in ("magic", "digits")
    for noise in NOISES
    for seed in (0, 1)
]


def test_kinds_of_noise_are_columns_in_their_order():
    table = noise_table(NOISE_ROWS)
    assert list(table.columns) == ["mean rank", "clean", "symmetric 20%", "imbalance 1:10", "human"]
    assert list(table.index[:3]) == [CEILING, "good", BASELINE]
    assert table.loc["good", "mean rank"] == "1.0"
    assert table.loc["good", "symmetric 20%"] == "**80.0** (**1.0**)"
    assert table.loc[BASELINE, "symmetric 20%"] == "70.0 (2.0)"
    assert table.loc[CEILING, "symmetric 20%"] == "85.0"
    assert table.loc["good", "imbalance 1:10"] == "**45.0** (**1.0**)"  # the balanced accuracy
    assert table.loc["*tasks*", "human"] == "2"


def test_a_method_without_a_kind_of_noise_has_a_dash_and_no_mean_rank():
    table = noise_table([r for r in NOISE_ROWS if (r["method"], r["task"][-7:]) != ("good", "human/0")])
    assert table.loc["good", "human"] == "–"
    assert table.loc["good", "mean rank"] == "–"
    assert list(table.index[:3]) == [CEILING, BASELINE, "good"]


def test_a_kind_of_noise_measured_elsewhere_is_said_to_be(tmp_path):
    for r in NOISE_ROWS:
        append_row(tmp_path / "noises.jsonl", r)
    for r in ROWS:
        append_row(tmp_path / "tables.jsonl", r)
    text = block("noises", tmp_path)
    assert "symmetric 40%: the 2 tasks: 2 data sets" in text
    assert "| imbalance 1:10 |" in text and "| symmetric 40% |" in text


def test_markdown_has_one_line_a_row():
    lines = markdown(leaderboard(ROWS)).splitlines()
    assert len(lines) == 2 + len(ACCURACY)
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_blocks_are_replaced_and_nothing_else(tmp_path):
    for r in ROWS:
        append_row(tmp_path / "tables.jsonl", r)
    text = "Before.\n<!-- benchmark:tables -->\nstale text\n<!-- /benchmark:tables -->\nAfter.\n"
    new = fill(text, tmp_path)
    assert new.startswith("Before.\n<!-- benchmark:tables -->\n") and new.endswith(
        "<!-- /benchmark:tables -->\nAfter.\n"
    )
    assert "stale text" not in new and "85.5 ± 0.7" in new and "40%" in new
    assert fill(new, tmp_path) == new
    path = tmp_path / "README.md"
    path.write_text(text)
    assert update(path, tmp_path) is True
    assert path.read_text() == new
    assert update(path, tmp_path) is False


def test_the_last_measurement_of_a_ratio_counts(tmp_path):
    measured = {"ratio_low": 0.5, "ratio_high": 3.0, "promise": 1.2, "ours_ms": 12.34, "reference_ms": 10.0}
    for case, ratio in [("loop", 1.5), ("kernel", 1.1), ("loop", 1.2), ("search", 1.21)]:
        append_row(tmp_path / "speed.jsonl", {"case": case, "ratio": ratio, **measured, **environment()})
    lines = block("speed", tmp_path).splitlines()
    assert "| kernel | 12.3 | 10 | 1.10 (0.50 to 3.00) | ≤ 1.2 | yes |" in lines
    assert "| loop | 12.3 | 10 | 1.20 (0.50 to 3.00) | ≤ 1.2 | yes |" in lines
    assert "| search | 12.3 | 10 | 1.21 (0.50 to 3.00) | ≤ 1.2 | **no** |" in lines


def test_a_block_without_rows_says_so(tmp_path):
    assert "No rows in speed.jsonl yet." in block("speed", tmp_path)


def test_an_unknown_block_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=f"Unknown benchmark block 'sped'; expected one of {', '.join(BLOCKS)}"):
        fill("<!-- benchmark:sped -->\n<!-- /benchmark:sped -->\n", tmp_path)


def test_figures_are_equal_for_equal_rows_and_stale_for_others(tmp_path):
    for r in ROWS:
        append_row(tmp_path / "tables.jsonl", r)
    for r in NOISE_ROWS:
        append_row(tmp_path / "noises.jsonl", r)
    paths = [figures.path_of(name, tmp_path) for name in figures.FIGURES]
    assert figures.stale(tmp_path) == paths
    assert set(figures.update(tmp_path).values()) == {"drawn"}
    assert figures.stale(tmp_path) == []
    first = [path.read_bytes() for path in paths]
    assert set(figures.update(tmp_path).values()) == {"unchanged"}
    for path in paths:
        path.unlink()
    figures.update(tmp_path)
    assert [path.read_bytes() for path in paths] == first
    append_row(tmp_path / "tables.jsonl", row(TASKS[0], "newcomer", 0, 0.5))
    append_row(tmp_path / "tables.jsonl", row(TASKS[1], "newcomer", 0, 0.5))
    assert paths[0] in figures.stale(tmp_path)


def test_without_matplotlib_the_tables_are_written_all_the_same(tmp_path, monkeypatch):
    for r in ROWS:
        append_row(tmp_path / "tables.jsonl", r)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    (state,) = figures.update(tmp_path).values()
    assert state.startswith("not drawn: needs matplotlib")


def test_the_rank_figure_shows_methods_from_the_best_on():
    figure = figures.draw_ranks(figures.rank_data(ROWS))
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["DM(2, 24)", "other", BASELINE]
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first is on top
    assert ax.get_xlabel() == "mean rank over 2 tasks, 1 is best"


def test_the_map_of_gains_is_zero_for_cross_entropy():
    data = figures.gain_data(NOISE_ROWS, [])
    assert (data.loc[BASELINE] == 0).all()
    assert data.loc["good", "symmetric 20%"] == pytest.approx(10)
    figure = figures.draw_gains(data)
    assert len(figure.axes[0].texts) == data.size


def test_check_names_what_is_stale(tmp_path, monkeypatch):
    document = tmp_path / "README.md"
    document.write_text("<!-- benchmark:speed -->\nold\n<!-- /benchmark:speed -->\n")
    monkeypatch.setattr(report_module, "DOCUMENTS", (document,))
    monkeypatch.setattr(report_module, "RESULTS", tmp_path)
    monkeypatch.setattr("sys.argv", ["report", "--check"])
    with pytest.raises(SystemExit) as error:
        report_module.main()
    assert str(document) in error.value.code


def test_committed_figures_show_the_committed_rows():
    assert figures.stale(RESULTS) == [], "run python -m benchmarks.report"


@pytest.mark.parametrize("document", ["README.md", "benchmarks/README.md"])
def test_documents_say_what_the_committed_rows_say(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    assert fill(text) == text, f"{document} is stale: run python -m benchmarks.report"
