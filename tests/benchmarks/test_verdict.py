import pytest

from benchmarks.comparison import BASELINE, CEILING
from benchmarks.held_out import HELD_OUT
from benchmarks.profiles import KINDS, MATTER, SIXTEEN
from benchmarks.verdict import BOUNDS, FOREST, METHOD, held_out_block, judge, recovered_by_classes

TWO = ("adult", "magic", "mushroom", "spambase")


def rows_of(row, scores, seeds=range(5), datasets=SIXTEEN, kinds=("symmetric/0.4",)):
    return [
        row(f"{dataset}/{kind}", method, seed, accuracy, n_classes=2 if dataset in TWO else 4, balanced_accuracy=0.5)
        for kind in kinds
        for method, accuracy in scores.items()
        for dataset in datasets
        for seed in seeds
    ]


def verdict(rows, what, kind="symmetric 40%"):
    table = judge(rows)
    (line,) = table[(table["kind"] == kind) & table["what"].str.startswith(what)].to_dict("records")
    return line


@pytest.mark.parametrize(("accuracy", "said"), [(0.8239, "not met"), (0.8241, "met"), (0.95, "met")])
def test_a_share_is_measured_from_cross_entropy_to_its_ceiling(row, accuracy, said):
    # .7 + .62 x .2 = .824
    line = verdict(rows_of(row, {CEILING: 0.9, BASELINE: 0.7, METHOD: accuracy}), "recovered")
    assert line["verdict"] == said and line["tasks"] == 16 and line["seeds"] == 5


def test_points_over_the_forest_are_a_mean_over_tables(row):
    rows = rows_of(row, {FOREST: 0.7, METHOD: 0.7}) + rows_of(row, {"other": 0.9})
    assert verdict(rows, f"points over {FOREST}")["verdict"] == "not met"
    better = [r | {"test_accuracy": r["test_accuracy"] + 0.1} if r["method"] == METHOD and "adult" in r["task"] else r
              for r in rows]  # fmt: skip
    line = verdict(better, f"points over {FOREST}")
    assert line["measured"] == "+0.6" and line["verdict"] == "met"  # ten points on one of sixteen


def test_what_lacks_seeds_or_tables_holds_so_far_and_without_rows_it_is_open(row):
    scores = {FOREST: 0.6, METHOD: 0.7}
    assert verdict(rows_of(row, scores, seeds=range(4)), f"points over {FOREST}")["verdict"] == "met so far"
    assert verdict(rows_of(row, scores, datasets=SIXTEEN[:15]), f"points over {FOREST}")["verdict"] == "met so far"
    assert verdict(rows_of(row, {METHOD: 0.7}), f"points over {FOREST}")["verdict"] == "open"
    one_seed_less = [r for r in rows_of(row, scores) if (r["task"].split("/")[0], r["seed"]) != ("magic", 4)]
    line = verdict(one_seed_less, f"points over {FOREST}")
    assert line["seeds"] == 4 and line["verdict"] == "met so far"


def test_only_tasks_and_seeds_of_all_count(row):
    rows = rows_of(row, {METHOD: 0.7}) + rows_of(row, {FOREST: 0.6}, seeds=(1,), datasets=("magic", "cmc"))
    line = verdict(rows, f"points over {FOREST}")
    assert (line["tasks"], line["seeds"], line["measured"]) == (2, 1, "+10.0")


def test_at_much_symmetric_noise_two_classes_do_not_count(row):
    rows = [
        r | {"test_accuracy": 0.0} if r["method"] == METHOD and r["n_classes"] == 2 else r
        for r in rows_of(row, {"GCE": 0.5, FOREST: 0.5, METHOD: 0.6}, kinds=("symmetric/0.6",))
    ]
    line = verdict(rows, "points over GCE", "symmetric 60%")
    assert line["tasks"] == 12 and line["measured"] == "+10.0" and line["verdict"] == "met"


def test_nor_for_ranks(row):
    scores = {METHOD: 0.6, FOREST: 0.5, "robust LightGBM, tuned": 0.5, "cross entropy, tuned": 0.5}
    rows = [
        r | {"test_accuracy": 0.0} if r["method"] == METHOD and r["n_classes"] == 2 else r
        for r in rows_of(row, scores, kinds=("symmetric/0.6",))
    ]
    line = verdict(rows, "mean rank", "symmetric 60%")
    assert line["tasks"] == 12 and line["measured"] == "+2.0"  # the first of four, where three share the third rank


def test_under_imbalance_points_are_of_plain_accuracy(row):
    scores = {"HistGradientBoosting": 0.7, METHOD: 0.8}  # and .5 averaged over the classes
    line = verdict(rows_of(row, scores, kinds=("imbalance/0.1",)), "points of accuracy", "imbalance 1:10")
    assert line["measured"] == "+10.0"


def test_tables_within_half_a_point_of_the_better_plain_learner_are_counted(row):
    rows = rows_of(row, {"RandomForest": 0.8, "HistGradientBoosting": 0.7, METHOD: 0.795}, kinds=("clean/0",))
    assert verdict(rows, "tables within", "clean")["measured"] == "100.0"
    rows = [r | {"test_accuracy": 0.79} if r["method"] == METHOD and r["task"].startswith("s") else r for r in rows]
    line = verdict(rows, "tables within", "clean")
    assert line["measured"] == "75.0" and line["verdict"] == "not met"  # four of the tables begin with an s


def test_the_better_of_two_rivals_is_so_on_average(row):
    rows = [
        row(f"{dataset}/clean/0", name, seed, 0.75 if name == METHOD else 0.9 if (i + j) % 2 else 0.5, n_classes=4)
        for j, name in enumerate((METHOD, "RandomForest", "HistGradientBoosting"))
        for i, dataset in enumerate(SIXTEEN)
        for seed in range(5)
    ]
    assert verdict(rows, "points over the better mean", "clean")["measured"] == "+5.0"  # each has .7


def test_a_level_rank_is_not_a_better_one(row):
    scores = {METHOD: 0.7, FOREST: 0.7, "robust LightGBM, tuned": 0.6, "cross entropy, tuned": 0.5}
    assert verdict(rows_of(row, scores), "mean rank")["verdict"] == "not met"
    assert verdict(rows_of(row, scores | {METHOD: 0.71}), "mean rank")["verdict"] == "met"


def test_held_out_tables_are_judged_by_the_same_bounds(row):
    rows = rows_of(row, {FOREST: 0.6, METHOD: 0.7}, datasets=HELD_OUT)
    table = judge(rows, datasets=HELD_OUT)
    lines = table[table["what"] == f"points over {FOREST}"]
    assert lines["verdict"].tolist() == ["met", "open", "open", "open"] and lines["tasks"].max() == len(HELD_OUT)


def test_shares_by_number_of_classes_are_those_of_their_own_tables(row):
    scores = {CEILING: 0.9, BASELINE: 0.7, METHOD: 0.8}
    rows = [
        r | {"test_accuracy": 0.86} if r["method"] == METHOD and r["n_classes"] == 2 else r
        for r in rows_of(row, scores, kinds=("pair_flip/0.4",))
    ]
    table = recovered_by_classes(rows)
    assert table.columns.tolist() == ["two classes, %", "more than two, %", "all, %"]
    shares = [share.split()[0] for share in table.loc["pair flip 40%"]]
    assert shares == ["80", "50", "58"]  # (4 x .8 + 12 x .5) / 16 = .575
    assert table.loc["symmetric 40%"].tolist() == ["–"] * 3  # no rows of it


def test_the_block_of_held_out_tables_says_how_many_have_two_classes(row):
    rows = rows_of(row, {CEILING: 0.9, BASELINE: 0.7, METHOD: 0.8}, datasets=HELD_OUT)
    rows = [r | {"n_classes": 2} if r["task"].startswith(("keel_crx", "keel_ring", "keel_wdbc")) else r for r in rows]
    assert "; 3 have two." in held_out_block(rows)


def test_the_profile_has_what_every_bound_asks_for():
    assert {bound.kind for bound in BOUNDS} <= set(KINDS)
    assert {rival for bound in BOUNDS for rival in bound.rivals} <= set(MATTER)
