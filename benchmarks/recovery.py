"""What a method wins back of what wrong labels take, and how sure that is.

What is taken is measured from a floor, cross entropy on the noisy labels or its early-stopped form, whichever is better
on the tasks in question, to a ceiling on clean labels: that of cross entropy, or of the best plain learner. A share is
pooled (of the sums over tasks), or the mean or median of the shares of single tasks; there only tasks count that lose a
point at least, since the share of next to nothing is noise.

Intervals are those of a bootstrap over data sets, which are what differs from the reader's data: 95 % of the resampled
figures lie inside.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.comparison import BASELINE

FLOORS = (BASELINE, f"{BASELINE}, stopped early")
LEAST_LOSS = 0.01
N_RESAMPLES = 4000


def floor_of(scores):
    """Scores of the form of cross entropy that is better on average; to choose it by task would take clean labels.

    Parameters
    ----------
    scores : DataFrame
        One row a task, one column a method: mean scores over seeds.
    """
    return scores[scores[[name for name in FLOORS if name in scores]].mean().idxmax()]


def best_plain_on_clean(frame, tasks):
    """Mean score, without noise, of the plain learner that is best on the data of each task; NaN without such rows.

    Parameters
    ----------
    frame : DataFrame
        Made by `frame_of`, with the rows of ``dataset/clean/0``.
    tasks : sequence of str
    """
    clean = frame[(frame["noise"] == "clean") & (frame["kind"] == "baseline")]
    best = clean.groupby(["dataset", "method"])["score"].mean().groupby("dataset").max()
    return pd.Series({task: best.get(task.split("/")[0], np.nan) for task in tasks}, dtype=float)


@dataclass(frozen=True)
class Recovered:
    """Shares won back, of one method between a floor and a ceiling; NaN where nothing was measured.

    `low` and `high` bound the pooled share.
    """

    pooled: float
    mean: float
    median: float
    low: float
    high: float
    n_tasks: int

    @classmethod
    def of(cls, score, floor, ceiling):
        """From scores by task; tasks that lack one of the three are left out."""
        table = pd.DataFrame({"won": score - floor, "lost": ceiling - floor}).dropna()
        if table.empty or table["lost"].sum() <= 0:
            return cls(*[float("nan")] * 5, len(table))
        shares = (table["won"] / table["lost"])[table["lost"] >= LEAST_LOSS]
        sums = _resampled(table)
        low, high = np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975)) if len(table) > 1 else (np.nan, np.nan)
        pooled = table["won"].sum() / table["lost"].sum()
        return cls(float(pooled), float(shares.mean()), float(shares.median()), float(low), float(high), len(table))


def mean_interval(differences):
    """Mean of differences by task, and the interval of its bootstrap; NaN for the interval of a single task."""
    differences = pd.Series(differences).dropna()
    if len(differences) < 2:
        return float(differences.mean()), float("nan"), float("nan")
    sums = _resampled(pd.DataFrame({"sum": differences, "n": 1.0}))
    return float(differences.mean()), *map(float, np.quantile(sums[:, 0] / sums[:, 1], (0.025, 0.975)))


def dataset_of(task):
    """Data set of a task; the label sets of CIFAR-10N are of the same images."""
    dataset = str(task).split("/")[0]
    return "cifar10n" if dataset.startswith("cifar10n_") else dataset


def _resampled(table):
    """Sums of the columns over data sets drawn with replacement, a row a draw; tasks of a data set stay together."""
    by_dataset = table.groupby(table.index.map(dataset_of)).sum().to_numpy()
    draws = np.random.default_rng(0).integers(len(by_dataset), size=(N_RESAMPLES, len(by_dataset)))
    return by_dataset[draws].sum(axis=1)
