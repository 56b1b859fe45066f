import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import friedmanchisquare, wilcoxon

from benchmarks.ranks import (
    critical_difference,
    differences,
    friedman,
    holm,
    mean_ranks,
    not_worse_than_the_best,
    wilcoxon_p,
    win_tie_loss,
)

# Few levels, so that ties are common.
SCORES = st.tuples(st.integers(2, 8), st.integers(3, 6)).flatmap(
    lambda shape: arrays(float, shape, elements=st.integers(0, 4).map(float))
)


def frame(values):
    return pd.DataFrame(values, columns=[f"m{j}" for j in range(np.shape(values)[1])])


def rows_of(scores):
    """Rows of a dictionary ``method: {task: scores by seed}``."""
    return pd.DataFrame(
        [
            {"method": method, "task": task, "seed": seed, "score": score}
            for method, tasks in scores.items()
            for task, by_seed in tasks.items()
            for seed, score in enumerate(by_seed)
        ]
    )


def test_the_best_has_rank_one_and_equal_scores_share_ranks():
    ranks = mean_ranks(frame([[0.9, 0.8, 0.8], [0.7, 0.6, 0.5]]))
    assert list(ranks.index) == ["m0", "m1", "m2"]
    assert list(ranks) == [1.0, 2.25, 2.75]


def test_scores_that_differ_by_rounding_alone_share_ranks():
    # means of .1, .2 and of .3, 0, as seeds in another order give them
    same = frame([[0.1 + 0.2, 0.3, 0.1]] * 4)
    assert list(mean_ranks(same)) == [1.5, 1.5, 3.0]
    assert friedman(same) == friedman(same.round(3))


@given(SCORES)
def test_mean_ranks_sum_to_those_of_an_order_and_do_not_follow_the_scale(values):
    ranks = mean_ranks(frame(values))
    k = values.shape[1]
    assert ranks.sum() == pytest.approx(k * (k + 1) / 2)  # rounding only
    pd.testing.assert_series_equal(ranks, mean_ranks(frame(np.exp(values))))


@given(SCORES)
def test_friedman_is_that_of_scipy(values):
    if (values == values[:, :1]).all():
        assert friedman(frame(values)) is None  # scipy divides by zero there
    else:
        assert friedman(frame(values)) == pytest.approx(friedmanchisquare(*values.T).pvalue, abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 5), (5, 2)])
def test_friedman_needs_two_tasks_and_three_methods(shape):
    assert friedman(frame(np.random.default_rng(0).random(shape))) is None


# q of Demšar's Table 5(a), for alpha 0.05 and 0.10; it is rounded to three digits.
@pytest.mark.parametrize(
    "n_methods, q05, q10",
    [(2, 1.960, 1.645), (3, 2.343, 2.052), (5, 2.728, 2.459), (8, 3.031, 2.780), (10, 3.164, 2.920)],
)
def test_the_critical_difference_has_the_published_quantiles(n_methods, q05, q10):
    scale = np.sqrt(n_methods * (n_methods + 1) / (6 * 14))
    assert critical_difference(n_methods, 14) / scale == pytest.approx(q05, abs=2e-3)
    assert critical_difference(n_methods, 14, alpha=0.1) / scale == pytest.approx(q10, abs=2e-3)


def test_four_times_the_tasks_halve_the_critical_difference():
    assert critical_difference(6, 64) == pytest.approx(critical_difference(6, 16) / 2)


def test_the_group_of_the_best_ends_at_the_critical_difference():
    # ranks 1, 2, 3 on n tasks; the critical difference of three methods is 2.343 sqrt(2 / n)
    def scores(n):
        return frame(np.tile([3.0, 2.0, 1.0], (n, 1)))

    assert not_worse_than_the_best(scores(1)) == ["m0", "m1", "m2"]
    assert not_worse_than_the_best(scores(10)) == ["m0", "m1"]
    assert not_worse_than_the_best(scores(11)) == ["m0"]
    assert not_worse_than_the_best(scores(1)[["m0"]]) == ["m0"]


def test_differences_are_paired_by_task_and_seed():
    rows = rows_of({"a": {"x": (0.5, 0.7), "y": (0.9,)}, "b": {"x": (0.4, 0.5, 0.1), "z": (0.3,)}})
    by_task = differences(rows, "a", "b")
    assert list(by_task.index) == ["x"]  # the only task of both, and of it the two seeds of both
    assert by_task.loc["x", "mean"] == pytest.approx(0.15)
    assert by_task.loc["x", "error"] == pytest.approx(0.05)  # of 0.1 and 0.2: sd 0.0707 over sqrt(2)


def test_of_one_seed_only_equality_is_a_tie():
    rows = rows_of({"a": {"x": (0.3,), "y": (0.5,), "z": (0.6,)}, "b": {"x": (0.1 + 0.2,), "y": (0.4,), "z": (0.7,)}})
    assert win_tie_loss(differences(rows, "a", "b")) == (1, 1, 1)


def test_a_tie_is_a_difference_within_one_standard_error():
    table = pd.DataFrame({"mean": [0.03, 0.02, 0.01, -0.02, -0.03], "error": 0.02})
    assert win_tie_loss(table) == (1, 3, 1)


@given(arrays(float, st.integers(1, 9), elements=st.floats(-1, 1)))
def test_wins_of_one_are_losses_of_the_other(means):
    table = pd.DataFrame({"mean": means, "error": 0.1})
    won, tied, lost = win_tie_loss(table)
    assert won + tied + lost == len(means)
    assert win_tie_loss(table.assign(mean=-means)) == (lost, tied, won)


def test_wilcoxon_leaves_equal_tasks_out():
    values = [0.1, 0.2, -0.05, 0.3, 0.15]
    assert wilcoxon_p([*values, 0.0, 1e-17]) == wilcoxon(values).pvalue
    assert wilcoxon_p([0.0, 0.0]) == 1.0
    assert wilcoxon_p([]) == 1.0


def test_holm_by_hand():
    adjusted = holm(pd.Series({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.9}))
    # 0.01 x 4, 0.03 x 3, 0.04 x 2 but not below the one before, 0.9 x 1
    assert adjusted.to_dict() == pytest.approx({"a": 0.09, "b": 0.04, "c": 0.09, "d": 0.9})
    assert holm(pd.Series({"a": 0.6, "b": 0.7})).to_dict() == {"a": 1.0, "b": 1.0}
    assert holm(pd.Series(dtype=float)).empty
