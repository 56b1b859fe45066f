import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.comparison import BASELINE, CEILING, Comparison, frame_of, share_recovered
from benchmarks.recovery import FLOORS, Recovered, best_plain_on_clean, floor_of, mean_interval

TASKS = [f"t{i}/symmetric/0.4" for i in range(4)]


def scores(*values):
    return pd.Series(values, index=TASKS[: len(values)], dtype=float)


def test_shares_by_hand():
    floor, ceiling = scores(0.5, 0.6, 0.70), scores(0.9, 0.8, 0.705)
    recovered = Recovered.of(scores(0.7, 0.8, 0.75), floor, ceiling)
    assert recovered.pooled == pytest.approx(0.45 / 0.605)  # .2 + .2 + .05 of .4 + .2 + .005
    # The third table loses half a point: its share of ten is no share.
    assert recovered.mean == pytest.approx(0.75) and recovered.median == pytest.approx(0.75)
    assert recovered.n_tasks == 3


def test_the_floor_recovers_nothing_and_the_ceiling_all_with_certainty():
    floor, ceiling = scores(0.5, 0.6, 0.7), scores(0.9, 0.8, 0.9)
    for score, share in ((floor, 0), (ceiling, 1)):
        recovered = Recovered.of(score, floor, ceiling)
        assert (recovered.pooled, recovered.low, recovered.high) == pytest.approx((share,) * 3)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12))
def test_where_every_table_loses_all_the_interval_is_that_of_a_mean(values):
    score = pd.Series(values, index=[f"d{i}/clean/0" for i in range(len(values))])
    recovered = Recovered.of(score, 0 * score, 0 * score + 1)
    assert (recovered.pooled, recovered.low, recovered.high) == pytest.approx(mean_interval(score))


def test_where_nothing_is_lost_there_is_no_share():
    same = scores(0.5, 0.6)
    assert np.isnan(Recovered.of(scores(0.6, 0.7), same, same).pooled)
    assert Recovered.of(scores(0.6), pd.Series(dtype=float), same).n_tasks == 0


def test_the_floor_is_the_form_that_is_better_on_average_not_by_task():
    plain, stopped = FLOORS
    frame = pd.DataFrame({plain: scores(0.9, 0.2, 0.2), stopped: scores(0.5, 0.5, 0.5)})
    assert floor_of(frame).equals(frame[stopped])
    assert floor_of(frame[[plain]]).equals(frame[plain])


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=12))
def test_an_interval_has_its_mean_inside_and_is_that_of_the_mirror(values):
    differences = pd.Series(values, index=[f"d{i}/clean/0" for i in range(len(values))])
    mean, low, high = mean_interval(differences)
    assert low - 1e-9 <= np.median([low, mean, high]) <= high + 1e-9
    mirrored = mean_interval(-differences)
    assert mirrored[1] == pytest.approx(-high, abs=1e-9) and mirrored[2] == pytest.approx(-low, abs=1e-9)


def test_an_interval_is_that_of_the_normal_approximation_when_there_are_many_data_sets():
    values = pd.Series(np.random.default_rng(0).normal(size=400), index=[f"d{i}/clean/0" for i in range(400)])
    mean, low, high = mean_interval(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.06)  # 4,000 draws know it to a few percent
    assert (low + high) / 2 == pytest.approx(mean, abs=0.01)


def test_shares_by_seed_are_of_what_is_lost_at_that_seed():
    accuracy = pd.DataFrame({CEILING: [0.9, 0.9], BASELINE: [0.5, 0.7], "x": [0.7, 0.8]})
    assert share_recovered(accuracy)["x"].tolist() == pytest.approx([0.5, 0.5])
    assert share_recovered(accuracy.drop(columns=CEILING)).isna().all(axis=None)


def test_label_sets_of_the_same_images_are_one_data_set():
    one = mean_interval(pd.Series({"cifar10n_worse/human/0": 0.1, "cifar10n_random1/human/0": 0.3, "a/human/0": 0.2}))
    alone = mean_interval(pd.Series({"cifar10n_worse/human/0": 0.2, "a/human/0": 0.2}))
    assert one[1:] == pytest.approx(alone[1:])  # the two always come together, with mean .2


def test_the_best_plain_learner_is_taken_from_clean_rows(row):
    rows = [
        row("a/clean/0", "forest", 0, 0.9, kind="baseline"),
        row("a/clean/0", "trees", 0, 0.8, kind="baseline"),
        row("a/clean/0", "trees", 1, 0.95, kind="baseline"),  # better once, not on average
        row("a/clean/0", "robust", 0, 0.99, kind="robust"),
        row("a/symmetric/0.4", "forest", 0, 0.95, kind="baseline"),
    ]
    best = best_plain_on_clean(frame_of(rows), ["a/symmetric/0.4", "b/symmetric/0.4"])
    assert best["a/symmetric/0.4"] == 0.9 and np.isnan(best["b/symmetric/0.4"])


@pytest.mark.parametrize(
    ("noise", "n_classes", "counts"),
    [
        ("symmetric/0.6", 2, False),
        ("pair_flip/0.5", 2, False),
        ("symmetric/0.45", 2, True),
        ("symmetric/0.6", 3, True),
        ("instance/0.6", 2, True),
    ],
)
def test_two_classes_with_most_labels_wrong_count_nowhere(row, noise, n_classes, counts):
    rows = [
        row(f"{dataset}/{noise}", method, 0, 0.5, n_classes=n) for method in (CEILING, BASELINE, "x")
        for dataset, n in (("a", n_classes), ("b", 5))
    ]  # fmt: skip
    comparison = Comparison.of(frame_of(rows))
    assert comparison.tasks == ([f"a/{noise}"] if counts else []) + [f"b/{noise}"]
    assert comparison.hopeless == ([] if counts else [f"a/{noise}"])
