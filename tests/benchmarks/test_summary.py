import pandas as pd
import pytest

from benchmarks.comparison import BASELINE, CEILING, Comparison, by_condition, frame_of
from benchmarks.leaderboard import measures_table, wins_table
from benchmarks.profiles import PROFILES
from benchmarks.report import README, block
from benchmarks.rows import RESULTS
from benchmarks.summary import (
    SHOWN,
    advice,
    leads,
    least_behind,
    mind_block,
    recommended,
    recovered_by_method,
    shares_table,
    shown_rows,
    standing,
    summary_table,
)
from benchmarks.usable import usable_rows

OURS = "NoisyLabelClassifier"


@pytest.fixture
def made(row):
    """``made({kind: {method: accuracy}})``: rows of eight data sets that differ a little, half with two classes."""

    def rows(scores):
        return [
            row(
                f"d{i}/{kind}",
                method,
                seed,
                accuracy + 0.001 * (i - 3.5),
                n_classes=2 + i % 2,
                balanced_accuracy=accuracy,
            )
            for kind, methods in scores.items()
            for method, accuracy in methods.items()
            for i in range(8)
            for seed in (0, 1)
        ]

    return rows


SCORES = {
    "clean/0": {CEILING: 0.9, BASELINE: 0.85, OURS: 0.88, "RandomForest": 0.89},
    "symmetric/0.4": {CEILING: 0.9, BASELINE: 0.7, OURS: 0.8, "RandomForest": 0.75},
}


def test_a_sentence_and_a_paragraph_say_who_wins_what(made):
    rows = made(SCORES)
    assert advice(rows) == (
        "Use `NoisyLabelClassifier` where you don't know how your labels are wrong: over 2 kinds of noise it is on "
        "average 0.5 points behind the best method of each; clearly ahead of it is RandomForest at clean (by 1.0)."
    )
    text = mind_block(rows)
    assert "It loses at clean (RandomForest +1.0 [+1.0, +1.0]): use that one" in text
    assert "It leads at symmetric 40% (RandomForest -5.0 [-5.0, -5.0])." in text
    assert "Its mean rank is not the best at clean." in text


def test_a_method_that_leads_nowhere_is_said_to(made):
    rows = made({"clean/0": {BASELINE: 0.9, OURS: 0.8}})
    assert "So nothing here says that it is better than what is already there." in mind_block(rows)
    assert advice(rows) == (
        "Use `cross entropy` where you don't know how your labels are wrong: over clean noise it is on average 0.0 "
        "points behind the best method of each; clearly ahead of it is none."
    )


def test_a_difference_with_zero_in_its_interval_is_level(row):
    rows = [
        row(f"d{i}/clean/0", method, 0, 0.8 + (method == OURS) * (0.1 if i % 2 else -0.09))
        for i in range(8)
        for method in (OURS, BASELINE)
    ]
    assert standing(by_condition(rows), OURS).loc["clean", "verdict"] == "level"


def test_the_recommended_method_is_the_first_that_has_rows(made):
    def of(*methods):
        return recommended(*by_condition(made({"clean/0": dict.fromkeys(methods, 0.5)})).values())

    assert of(BASELINE, "DMClassifierCV", OURS) == OURS
    assert of(BASELINE, "DMClassifierCV") == "DMClassifierCV"
    assert of(BASELINE, "RandomForest") is None


def test_shares_are_given_apart_for_two_classes_and_more(row):
    accuracy = {
        CEILING: (0.9, 0.8), BASELINE: (0.5, 0.6), "cross entropy, stopped early": (0.7, 0.4), OURS: (0.8, 0.7),
        "forest": (0.6, 0.75),
    }  # fmt: skip
    rows = [
        row(f"d{i}/symmetric/0.4", method, 0, two if i % 2 else more, n_classes=2 if i % 2 else 5)
        for method, (two, more) in accuracy.items()
        for i in range(4)
    ]
    rows += [row(f"d{i}/clean/0", "forest", 0, 1.0, kind="baseline", n_classes=2) for i in range(4)]
    table = shares_table(rows)
    # two classes: from .7, where it stopped early, to .9; more: from .6 to .8; all: the two forms are level
    assert table.loc[OURS, ["two classes", "more than two"]].tolist() == ["50", "50"]
    assert table.loc["forest", ["two classes", "more than two"]].tolist() == ["-50", "75"]
    assert table.loc[OURS, "of the best plain learner on clean labels"] == "44"  # .4 of .9: floor .55, clean forest 1
    assert table.loc["forest", f"points over {OURS} [95 %]"].startswith("-7.5 [")
    assert table.loc[OURS, "p"] == "–"


def test_shares_and_wins_say_the_same_of_points_and_p(row):
    """Two tables of the same differences, each adjusted for all of them."""
    accuracy = {BASELINE: 0.5, OURS: 0.8, "near": 0.79, "far": 0.6}
    rows = [
        row(f"d{i}/symmetric/0.4", name, 0, value + (name == "near") * 0.05 * (-1) ** i * (i + 1) / 8, n_classes=3)
        for name, value in accuracy.items()
        for i in range(8)
    ]
    shares, wins = shares_table(rows), wins_table(rows)
    others = ["near", "far", BASELINE]
    assert shares.loc[others, f"points over {OURS} [95 %]"].tolist() == wins.loc[others, f"points over {OURS}"].tolist()
    assert shares.loc[others, "p"].tolist() == wins.loc[others, f"p ({OURS})"].tolist()
    assert shares.loc["far", "p"] == f"{3 * 2 / 2**8:.3f}"  # of two signs for eight tables one is as far, three times


def test_the_mean_and_the_median_are_those_of_the_tables(row):
    won = (0.08, 0.2, 0.36, 0.0)  # of .4
    rows = [row(f"d{i}/symmetric/0.4", OURS, 0, 0.5 + share, n_classes=3) for i, share in enumerate(won)]
    for name, value in {CEILING: 0.9, BASELINE: 0.5}.items():
        rows += [row(f"d{i}/symmetric/0.4", name, 0, value, n_classes=3) for i in range(4)]
    assert shares_table(rows).loc[OURS, ["mean", "median"]].tolist() == ["40", "35"]  # .2, .5, .9, 0


def test_the_best_of_the_others_is_so_on_average(row):
    accuracy = {OURS: (0.8, 0.8, 0.8), "steady": (0.7, 0.7, 0.7), "once": (0.95, 0.5, 0.5)}
    rows = [row(f"d{i}/clean/0", name, 0, a) for name, scores in accuracy.items() for i, a in enumerate(scores)]
    assert standing(by_condition(rows), OURS).loc["clean", "best"] == "steady"


def test_a_rival_of_one_seed_is_met_on_that_and_moves_no_other(row):
    """Seed 0 is harder: over it alone the forest would be level, over all seeds it is behind."""
    accuracy = {OURS: (0.6, 0.8, 0.8), "forest": (0.6, 0.7, 0.7), "costly": (0.58,)}
    rows = [
        row(f"d{i}/clean/0", name, seed, score)
        for name, scores in accuracy.items()
        for seed, score in enumerate(scores)
        for i in range(5)
    ]
    comparison = by_condition(rows)["clean"]
    assert leads(comparison, OURS).mean().to_dict() == pytest.approx({"costly": 0.02, "forest": 0.2 / 3})
    assert standing({"clean": comparison}, OURS).loc["clean", ["best", "verdict"]].tolist() == ["costly", "ahead"]
    assert least_behind({"clean": comparison}) == (OURS, 0)


def test_who_is_least_behind_was_compared_under_every_kind(made):
    rows = made({"clean/0": {OURS: 0.8, BASELINE: 0.7, "once": 0.9}, "symmetric/0.4": {OURS: 0.8, BASELINE: 0.7}})
    assert least_behind(by_condition(rows)) == (OURS, pytest.approx(5))


def test_the_readmes_table_compares_over_seeds_of_all_from_the_better_floor(row):
    """Of its own seeds a method may have harder ones; and the floor need not be a method that is shown."""
    accuracy = {CEILING: 0.9, BASELINE: 0.5, "cross entropy, stopped early": 0.7, OURS: 0.8, "RandomForest": 0.6}
    rows = [
        row(f"d{i}/symmetric/0.4", name, seed, value - 0.1 * seed, fit_seconds=(1, 2, 30)[i])
        for name, value in accuracy.items()
        for i in range(3)
        for seed in (0, 1)
        if (name, seed) != ("RandomForest", 1)
    ]
    table = summary_table(rows)
    assert "cross entropy, stopped early" not in table.index
    assert table["symmetric 40%"].to_dict() == {
        CEILING: "90.0",
        OURS: "**80.0**",
        "RandomForest": "60.0",
        BASELINE: "50.0",
    }
    assert table.loc[[OURS, BASELINE], "recovered, %"].tolist() == ["50 [50, 50]", "-100 [-100, -100]"]
    assert set(table["fit, s"]) == {"2.0"}


def test_what_has_fewer_seeds_is_measured_over_its_own(row):
    """Seed 1 is harder for all by a tenth: what has no rows of it is not ahead by that, and wins back no less."""
    accuracy = {CEILING: 0.9, BASELINE: 0.5, OURS: 0.8, "few": 0.7}
    rows = [
        row(f"d{i}/symmetric/0.4", method, seed, value + 0.01 * i - 0.1 * seed * (method != CEILING), n_classes=2 + i)
        for method, value in accuracy.items()
        for i in range(4)
        for seed in (0, 1)
        if (method, seed) != ("few", 1)
    ]
    clean = [row(f"d{i}/clean/0", "few", seed, 1.0 - seed / 2, kind="baseline") for i in range(4) for seed in (0, 1)]
    table = shares_table(rows + clean)
    assert table.loc["few", f"points over {OURS} [95 %]"] == "-10.0 [-10.0, -10.0]"
    assert table.loc["few", "recovered, % [95 %]"] == "50 [50, 50]"  # .2 of .4; against both seeds it is .25 of .45
    assert table.loc[OURS, "recovered, % [95 %]"] == "67 [67, 67]"  # .3 of .45
    assert table.loc["few", "of the best plain learner on clean labels"] == "41"  # .2 of 1 - .515, of seed 0
    rows += [row(f"d{i}/symmetric/0.4", "oracle", seed, 0.85, kind="oracle") for i in range(4) for seed in (0, 1)]
    assert measures_table(rows).loc["few", "of oracle"] == "60"  # .2 of .85 - .515


def test_what_has_no_seed_of_the_floor_has_no_share(row):
    seeds = {CEILING: (0,), BASELINE: (0,), "other": (1,)}
    rows = [row(f"d{i}/clean/0", name, s, 0.5 + 0.1 * i) for name, of in seeds.items() for s in of for i in range(3)]
    shares = recovered_by_method(Comparison.of(frame_of(rows)))
    assert shares["other"] is None and shares[BASELINE].n_tasks == 3


def test_the_readme_has_one_table_of_twelve_rows_at_most():
    assert len(SHOWN) <= 12
    text = README.read_text(encoding="utf-8")
    results = text[text.index("## Results") : text.index("### The papers' tables")]
    assert results.count("\n| --- |") == 1
    assert results.count("\n| ") - 2 <= 12  # header and rule


def test_the_readmes_table_marks_the_best_of_every_kind_of_noise():
    # Means over many tables, where the order of a sum decides the last digit.
    text = README.read_text(encoding="utf-8")
    text = text[text.index("<!-- benchmark:summary -->") : text.index("<!-- /benchmark:summary -->")]
    header, _, *lines = (line for line in text.splitlines() if line.startswith("|"))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, *lines)]
    for name, *column in zip(*cells, strict=True):
        if name not in ("method", "recovered, %", "fit, s"):
            assert sum(cell.startswith("**") for cell in column) >= 1, name


def test_the_table_marks_the_best_that_saw_no_clean_label(made, results):
    table = summary_table(made(SCORES))
    assert list(table.index) == [CEILING, OURS, "RandomForest", BASELINE]
    assert table.loc["RandomForest", "clean"] == "**89.0**" and table.loc[CEILING, "clean"] == "90.0"
    assert table.loc[OURS, "symmetric 40%"] == "**80.0**"
    assert table.loc[OURS, "mean rank"] == table.loc["RandomForest", "mean rank"] == "**1.5**"
    assert table.loc[OURS, "recovered, %"] == "50 [50, 50]"
    text = block("summary", results(tables=made(SCORES)))
    assert "No rows yet of DMClassifierCV; RandomForest, tuned;" in text


def test_the_readmes_table_and_all_kinds_of_noise_come_from_rows_of_one_commit():
    """Promised of them. With a method's definition changes its row, and with that all of them: `benchmarks.again`."""
    rows = shown_rows(usable_rows(RESULTS / "tables.jsonl")[0])
    compared = pd.concat(comparison.rows for comparison in by_condition(rows, paired=True).values())
    assert compared["commit"].nunique() == 1
    of_kinds = [row["commit"] for row in rows if row["method"] in PROFILES["kinds"].methods]
    assert set(of_kinds) == set(compared["commit"])
