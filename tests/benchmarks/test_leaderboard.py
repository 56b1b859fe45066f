import pytest

from benchmarks.cells import markdown, mean_sd
from benchmarks.comparison import BASELINE, CEILING, Comparison, frame_of
from benchmarks.leaderboard import (
    caption,
    leaderboard,
    measures_table,
    noise_table,
    ranking_caption,
    task_table,
    wins_table,
)
from benchmarks.report import block

TASKS = ("magic/symmetric/0.4", "digits/symmetric/0.4")
ORACLE = "DM, best by test labels"


def test_mean_and_standard_deviation_over_seeds():
    assert mean_sd([0.5, 0.7], 100) == "60.0 ± 14.1"
    assert mean_sd([0.5]) == "0.5"
    assert mean_sd([None, None]) == "–"


def test_markdown_has_one_line_a_row(rows):
    lines = markdown(leaderboard(rows)).splitlines()
    assert len(lines) == 2 + len({r["method"] for r in rows})
    assert {line.count("|") for line in lines} == {lines[0].count("|")}


def test_leaderboard_by_hand(rows):
    table = leaderboard(rows)
    assert list(table.index) == [CEILING, "DM(2, 24)", "other", BASELINE]
    assert table.loc["DM(2, 24)", "test accuracy, %"] == "**85.5 ± 0.7**"
    # cross entropy is at 74, its ceiling at 94: DM's 85 wins back 11 of 20 points
    assert table.loc["DM(2, 24)", "recovered, %"] == "55 [50, 60]"
    assert table.loc[BASELINE, "recovered, %"] == "0 [0, 0]"
    # ranks are those among methods without clean labels: DM is 1st and 2nd
    assert table.loc[CEILING, "mean rank"] == "–"
    assert table.loc["DM(2, 24)", "mean rank"] == "**1.5**"
    assert table.loc["other", "mean rank"] == "2.0"
    # the seeds add the same to all methods, so differences have no error: no ties
    assert table.loc["DM(2, 24)", "against cross entropy"] == "2/0/0"
    assert table.loc["other", "against cross entropy"] == "1/0/1"
    assert table.loc[BASELINE, "against cross entropy"] == "–"
    assert set(table["n"]) == {"2"}


def test_under_imbalance_the_leaderboard_has_the_accuracy_averaged_over_classes(noise_rows):
    table = leaderboard([r for r in noise_rows if r["task"].endswith("imbalance/0.1")])
    assert table.loc["good", "test accuracy, %"] == "**45.0 ± 0.0**"


def test_the_caption_names_what_the_ranks_tell_apart(row):
    # three methods in the same order on 11 tasks: the critical difference is just below 1
    rows = [row(f"t{i}/clean/0", m, 0, a) for i in range(11) for m, a in (("a", 0.9), ("b", 0.8), (BASELINE, 0.7))]
    text = ranking_caption(Comparison.of(frame_of(rows)))
    assert "from 1.0 on: worse than the best are b; cross entropy." in text
    assert "p = 2e-05" in text  # exp(-11), of chi-square 22 with two degrees of freedom
    text = ranking_caption(Comparison.of(frame_of(rows[:6])))
    assert "worse than the best are none." in text


def test_a_seed_that_lacks_a_task_does_not_count(rows):
    lacking = [r for r in rows if (r["method"], r["task"], r["seed"]) != ("other", TASKS[0], 1)]
    table = leaderboard(lacking)
    assert table.loc["other", "n"] == "1"
    assert table.loc["other", "test accuracy, %"] == "77.5"
    assert table.loc[BASELINE, "n"] == "2"


def test_paired_means_only_the_seeds_that_all_have(rows, row):
    fewer = [r for r in rows if (r["method"], r["seed"]) != ("other", 1)]
    comparison = Comparison.of(frame_of(fewer), paired=True)
    assert set(comparison.rows["seed"]) == {0} and set(comparison.methods) == {r["method"] for r in rows}
    assert set(Comparison.of(frame_of(fewer)).rows["seed"]) == {0, 1}
    apart = [r | {"seed": 2 + r["seed"]} if r["method"] == "other" else r for r in rows]
    assert len(Comparison.of(frame_of(apart), paired=True).rows) == len(rows)  # no seed is common: all count


def test_the_best_method_of_a_task_is_bold_and_the_ceiling_never(rows):
    table = task_table(rows)
    assert table.loc[TASKS[0], "DM(2, 24)"] == "**80.5 ± 0.7**"
    assert table.loc[TASKS[1], "other"] == "**95.5 ± 0.7**"
    assert not table[CEILING].str.contains("*", regex=False).any()


def test_an_oracle_is_listed_apart_and_changes_no_rank(rows, with_oracle):
    plain, table = leaderboard(rows), leaderboard(with_oracle)
    assert list(table.index[:2]) == [CEILING, ORACLE]
    assert table.loc[ORACLE, "mean rank"] == "–"
    assert table.drop(index=ORACLE).equals(plain)
    tasks = task_table(with_oracle)
    assert list(tasks.columns[:2]) == [CEILING, ORACLE]
    assert not tasks[ORACLE].str.contains("*", regex=False).any()
    assert ORACLE not in wins_table(with_oracle).index


def test_measures_state_the_share_of_the_oracle(with_oracle):
    table = measures_table(with_oracle)
    # cross entropy is at 74, the ceiling at 94, DM at 85, the oracle at 96: 11 of 22 points
    assert table.loc["DM(2, 24)", f"of {ORACLE}"] == "50"
    assert table.loc[CEILING, f"of {ORACLE}"] == "–"
    assert table.loc[BASELINE, f"of {ORACLE}"] == "0"
    assert table.loc["other", "detection AUC"] == "0.900 ± 0.000"
    assert set(table["balanced accuracy, %"]) == {"–"}  # these rows have none


def test_wins_are_counted_against_both_references(rows):
    chosen = [r | {"method": r["method"].replace("DM(2, 24)", "DMClassifierCV")} for r in rows]
    table = wins_table(chosen)
    assert table.loc["other", "against DMClassifierCV"] == "1/0/1"
    assert table.loc["other", "points over DMClassifierCV"] == "-7.5 [-20.0, +5.0]"
    assert table.loc["DMClassifierCV", "points over cross entropy"] == "+11.0 [+10.0, +12.0]"
    assert table.loc["DMClassifierCV", "against DMClassifierCV"] == "–"
    assert CEILING not in table.index


def test_a_task_that_a_method_lacks_is_left_out_for_all(results, row):
    tasks = [f"t{i}/symmetric/0.4" for i in range(5)]
    rows = [
        row(task, method, 0, accuracy + 0.1 * (task == tasks[0]))
        for method, accuracy in {CEILING: 0.8, BASELINE: 0.5, "good": 0.6, "slow": 0.7}.items()
        for task in tasks
        if (method, task) != ("slow", tasks[0])
    ]
    folder = results(tables=rows)
    assert "Left out for all: t0/symmetric/0.4 (no rows of slow)." in block("tables", folder)
    table = leaderboard(rows)
    assert table.loc["good", "test accuracy, %"] == "60.0"  # of the other four
    assert table.loc["slow", "mean rank"].strip("*") == "1.0"
    assert task_table(rows).loc[tasks[0], "slow"] == "–"
    assert list(task_table(rows).columns) == [CEILING, "good", BASELINE, "slow"]


def test_a_method_that_lacks_many_tasks_is_left_out_and_named(results, row):
    tasks = [f"t{i}/symmetric/0.4" for i in range(4)]
    rows = [
        row(task, method, 0, accuracy)
        for method, accuracy in {CEILING: 0.8, BASELINE: 0.5, "good": 0.6, "slow": 0.7}.items()
        for task in tasks
        if (method, task) != ("slow", tasks[0])
    ]
    folder = results(tables=rows)
    assert "slow" not in leaderboard(rows).index
    assert leaderboard(rows).loc["good", "mean rank"].strip("*") == "1.0"
    assert "Not compared everywhere, for want of rows: slow." in block("tables", folder)


def test_rows_of_two_sizes_are_an_error(rows, row):
    with pytest.raises(ValueError, match=r"Two rows of magic/symmetric/0\.4, other, seed 0"):
        leaderboard([*rows, row(TASKS[0], "other", 0, 0.5, max_train=100)])


def test_kinds_of_noise_are_columns_in_their_order(noise_rows):
    table = noise_table(noise_rows)
    assert list(table.columns) == ["mean rank", "clean", "symmetric 20%", "imbalance 1:10", "human"]
    assert list(table.index[:3]) == [CEILING, "good", BASELINE]
    assert table.loc["good", "mean rank"] == "1.0"
    assert table.loc["good", "symmetric 20%"] == "**80.0** (**1.0**)"
    assert table.loc[BASELINE, "symmetric 20%"] == "70.0 (2.0)"
    assert table.loc[CEILING, "symmetric 20%"] == "85.0"
    assert table.loc["good", "imbalance 1:10"] == "**45.0** (**1.0**)"  # the balanced accuracy
    assert table.loc["*tasks*", "human"] == "2"
    assert table.loc["*seeds*", "human"] == "2"


def test_the_seeds_of_a_kind_of_noise_are_its_own(noise_rows):
    rows = [r for r in noise_rows if r["task"].endswith("human/0") or r["seed"] == 0]
    table = noise_table(rows)
    assert table.loc["*seeds*", ["clean", "human"]].tolist() == ["1", "2"]
    assert "1 to 2 seeds" in caption(rows)


def test_a_method_without_a_kind_of_noise_has_a_dash_and_no_mean_rank(noise_rows):
    table = noise_table([r for r in noise_rows if (r["method"], r["task"][-7:]) != ("good", "human/0")])
    assert table.loc["good", "human"] == "–"
    assert table.loc["good", "mean rank"] == "–"
    assert list(table.index[:3]) == [CEILING, BASELINE, "good"]
