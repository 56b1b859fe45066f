"""Statistics of methods compared over tasks: mean ranks, what may be told apart, wins and losses.

Scores are frames with one row a task and one column a method, larger is better and nothing is missing. The tasks of a
comparison should be different data sets: the tests take them as independent.

References
----------
J. Demšar, Statistical comparisons of classifiers over multiple data sets, Journal of Machine Learning Research 7, 2006.
"""

import functools

import numpy as np
import pandas as pd
from scipy.stats import chi2, studentized_range, wilcoxon

# No accuracy is known to more digits; means of equal ones over seeds differ by rounding.
_DIGITS = 12


def mean_ranks(scores):
    """Mean rank of each method over the tasks, 1 is best; methods with equal scores share the mean of their ranks."""
    return scores.round(_DIGITS).rank(axis=1, ascending=False).mean().sort_values(kind="stable")


def friedman(scores):
    """p-value of Friedman's test that all methods are alike, corrected for ties (Demšar 2006, section 3.2.2).

    None where there is nothing to test: fewer than two tasks, fewer than three methods, or no differences at all.
    """
    n_tasks, n_methods = scores.shape
    if n_tasks < 2 or n_methods < 3:
        return None
    ranks = scores.round(_DIGITS).rank(axis=1)
    # The sum of squared deviations within tasks is what ties diminish; without any it is N k (k^2 - 1) / 12.
    within = ((ranks - (n_methods + 1) / 2) ** 2).to_numpy().sum()
    between = n_tasks**2 * ((ranks.mean() - (n_methods + 1) / 2) ** 2).sum()
    if not within:
        return None
    return float(chi2.sf((n_methods - 1) * between / within, n_methods - 1))


@functools.cache  # the quantile is slow
def critical_difference(n_methods, n_tasks, alpha=0.05):
    """Least difference of two mean ranks that Nemenyi's test takes for real (Demšar 2006, section 3.2.2).

    ``q sqrt(k (k + 1) / (6 N))`` for k methods and N tasks, with q the quantile of the studentized range over sqrt(2).
    """
    quantile = studentized_range.ppf(1 - alpha, n_methods, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(n_methods * (n_methods + 1) / (6 * n_tasks)))


def not_worse_than_the_best(scores, alpha=0.05):
    """Methods whose mean rank is less than a critical difference from the best one; best first."""
    ranks = mean_ranks(scores)
    if len(ranks) < 2:
        return list(ranks.index)
    return list(ranks.index[ranks - ranks.iloc[0] < critical_difference(len(ranks), len(scores), alpha)])


def differences(rows, method, reference, score="score"):
    """Score of a method minus that of a reference, by task: mean and standard error over the seeds both have.

    Parameters
    ----------
    rows : DataFrame
        Columns ``task``, ``method``, ``seed`` and `score`.

    Returns
    -------
    differences : DataFrame
        One row a task that both have, with ``mean`` and ``error``. Equal seeds mean equal rows and equal noise, so the
        differences are paired; of one seed there is no error, it is taken as 0.
    """
    pairs = rows[rows["method"].isin((method, reference))].pivot(index=["task", "seed"], columns="method", values=score)
    pairs = pairs.reindex(columns=[method, reference]).dropna()
    by_task = (pairs[method] - pairs[reference]).groupby("task")
    return pd.DataFrame({"mean": by_task.mean(), "error": by_task.sem(ddof=1).fillna(0.0)})


def win_tie_loss(differences):
    """Tasks won, tied and lost; a tie is a difference within one standard error over seeds."""
    # Differences of decimal fractions miss zero by rounding.
    tie = differences["mean"].abs() <= differences["error"] + 10**-_DIGITS
    won = differences["mean"] > 0
    return int((won & ~tie).sum()), int(tie.sum()), int((~won & ~tie).sum())


def wilcoxon_p(differences):
    """p-value of Wilcoxon's signed-rank test of mean differences over tasks (Demšar 2006, section 3.1.3)."""
    differences = np.asarray(differences, dtype=float)
    differences = differences[np.abs(differences) > 10**-_DIGITS]
    return float(wilcoxon(differences).pvalue) if len(differences) else 1.0


def holm(p_values):
    """p-values adjusted for asking several questions at once by Holm's step-down procedure (Demšar 2006, 3.2.2).

    Parameters
    ----------
    p_values : Series
    """
    ordered = p_values.sort_values(kind="stable")
    adjusted = (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)
    return adjusted.reindex(p_values.index)
