"""What may be compared of the rows of `benchmarks.run`, and how comparisons are ordered.

Every comparison is made over tasks that all compared methods have. A method with rows for fewer than `MIN_SHARE` of the
tasks (still running, or too slow for most) is left out; what one of the others lacks is left out for all. Captions say
what that was.
"""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from benchmarks.ranks import critical_difference, mean_ranks

CEILING, BASELINE = "cross entropy, clean labels", "cross entropy"
# Kinds that saw clean labels: they show what is possible, so they get no rank and are never the best.
INFORMED = ("ceiling", "oracle")
MIN_SHARE = 0.8
MOST_SYMMETRIC = 0.45  # of two classes
MEASURES = (
    "test_accuracy", "balanced_accuracy", "calibration_error", "label_recovery", "memorised", "detection_auc",
)  # fmt: skip
# From no noise over the simulated ones to people's mistakes.
NOISE_ORDER = ("clean", "symmetric", "pair_flip", "instance", "imbalance", "human")


def frame_of(rows):
    """Rows as a frame with columns for the parts of the task, and ``score``, what methods are compared by.

    That is test accuracy; where training rows of some classes were taken away (imbalance), accuracy averaged over the
    classes.
    """
    frame = pd.DataFrame(rows)
    if frame.duplicated(["task", "method", "seed"]).any():
        twice = frame[frame.duplicated(["task", "method", "seed"])].iloc[0]
        raise ValueError(
            f"Two rows of {twice['task']}, {twice['method']}, seed {twice['seed']}: a table needs rows of one profile, "
            "with one budget and one size."
        )
    if "labels" in frame and (frame.groupby(["task", "seed"])["labels"].nunique() > 1).any():
        raise ValueError("Rows of one task and seed saw different labels: how tasks are drawn has changed in between.")
    frame[["dataset", "noise", "rate"]] = frame["task"].str.split("/", expand=True)
    frame["rate"] = frame["rate"].astype(float)
    frame["n_classes"] = frame["n_classes"] if "n_classes" in frame else float("nan")
    # What is not defined for a task (nothing to detect on clean labels), or was not measured yet, is no number.
    for measure in MEASURES:
        frame[measure] = frame[measure].astype(float) if measure in frame else float("nan")
    balanced = frame["noise"] == "imbalance"
    frame["score"] = frame["test_accuracy"].where(~balanced, frame["balanced_accuracy"])
    return frame


def of_most_seeds(rows):
    """Rows of the seeds that half of the methods have at least: another seed is other rows and other noise.

    Where a few methods have more, their means would stand beside those of the others and be of other tasks.
    """
    methods_of = pd.DataFrame(rows).groupby("seed")["method"].agg(set)
    least = len(set().union(*methods_of)) / 2
    return [row for row in rows if len(methods_of[row["seed"]]) >= least]


def of_all_seeds(rows):
    """Rows of the methods that have every seed there is."""
    seeds_of = pd.DataFrame(rows).groupby("method")["seed"].agg(set)
    every = set().union(*seeds_of)
    return [row for row in rows if seeds_of[row["method"]] == every]


def hopeless(frame):
    """Which rows are of two classes with symmetric noise above `MOST_SYMMETRIC`.

    Above one half most labels are wrong and the best method must be below chance; near it no method can do better than
    chance by more than luck. Pair flips of two classes are symmetric noise.
    """
    symmetric = frame["noise"].isin(("symmetric", "pair_flip")) & (frame["rate"] > MOST_SYMMETRIC)
    return symmetric & (frame["n_classes"] == 2)


@dataclass(frozen=True)
class Comparison:
    """The rows that may be compared, and what had to be left out to get there.

    Parameters
    ----------
    rows : DataFrame
        Of every compared method, the seeds for which it has all compared tasks.
    tasks, methods : list of str
        What is compared.
    left_out : dict
        Task left out: methods that lack it.
    incomplete : list of str
        Methods left out.
    hopeless : list of str
        Tasks that count nowhere: two classes, and about as many labels wrong as right.
    """

    rows: pd.DataFrame
    tasks: list
    methods: list
    left_out: dict
    incomplete: list
    hopeless: list

    @classmethod
    def of(cls, frame, paired=False):
        """Choose what is comparable of a frame made by `frame_of`.

        Parameters
        ----------
        frame : DataFrame
        paired : bool, default=False
            Whether only seeds count that all compared methods have: what few have would else be compared with what
            many have, on other rows and other noise.
        """
        beyond = hopeless(frame)
        none = sorted(frame.loc[beyond, "task"].unique())
        frame = frame[~beyond]
        has = frame.groupby(["task", "method"]).size().unstack("method").notna()
        enough = has.mean() >= MIN_SHARE
        lacking = ~has.loc[:, enough]
        left_out = {task: list(lacking.columns[row]) for task, row in lacking.iterrows() if row.any()}
        rows = frame[frame["method"].isin(has.columns[enough]) & ~frame["task"].isin(left_out)]
        n_tasks = rows["task"].nunique()
        rows = rows[rows.groupby(["method", "seed"])["task"].transform("nunique") == n_tasks]
        compared = set(rows["method"])
        if paired:
            common = rows.groupby("seed")["method"].nunique() == len(compared)
            rows = rows[rows["seed"].isin(common.index[common])] if common.any() else rows
        methods = [method for method in frame["method"].unique() if method in compared]
        incomplete = [method for method in frame["method"].unique() if method not in methods]
        return cls(rows, sorted(rows["task"].unique()), methods, left_out, incomplete, none)

    @cached_property
    def kinds(self):
        return self.rows.groupby("method")["kind"].first()

    @property
    def informed(self):
        """The ceiling and the oracles, in that order."""
        return [method for kind in INFORMED for method in self.methods if self.kinds[method] == kind]

    @cached_property
    def scores(self):
        """Mean score over seeds; tasks are rows, methods that saw no clean label are columns."""
        means = self.rows.groupby(["task", "method"])["score"].mean().unstack("method")
        return means.drop(columns=self.informed)

    @cached_property
    def scores_by_seed(self):
        """The scores that these are means of; tasks and seeds are rows."""
        rows = self.rows[self.rows["method"].isin(self.scores.columns)]
        return rows.pivot(index=["task", "seed"], columns="method", values="score")

    @property
    def ranks(self):
        return mean_ranks(self.scores)

    @property
    def order(self):
        """Methods as tables list them: what saw clean labels, then the others from the best mean rank on."""
        return [*self.informed, *self.ranks.index]

    @property
    def critical_difference(self):
        return critical_difference(len(self.scores.columns), len(self.tasks))


def left_out_text(*comparisons):
    """Sentences on what was left out of comparisons, led by a blank; empty where nothing was."""
    tasks = {task: methods for comparison in comparisons for task, methods in comparison.left_out.items()}
    by_methods = {}
    for task, methods in tasks.items():
        by_methods.setdefault(" and ".join(methods) if len(methods) < 4 else f"{len(methods)} methods", []).append(task)
    incomplete = dict.fromkeys(method for comparison in comparisons for method in comparison.incomplete)
    texts = []
    if beyond := [task for comparison in comparisons for task in comparison.hopeless]:
        texts.append(
            f" In no mean and no rank, since two classes with more than {MOST_SYMMETRIC:.0%} symmetric noise leave "
            f"nothing to learn: {', '.join(beyond)}."
        )
    if tasks:
        listed = "; ".join(f"{', '.join(tasks)} (no rows of {methods})" for methods, tasks in by_methods.items())
        texts.append(f" Left out for all: {listed}.")
    if incomplete:
        texts.append(f" Not compared everywhere, for want of rows: {'; '.join(incomplete)}.")
    return "".join(texts)


def share_recovered(accuracy):
    """What a method wins back of what the noise takes from cross entropy; by seed, of mean accuracies over tasks.

    Parameters
    ----------
    accuracy : DataFrame
        Mean accuracies over tasks, one row a seed, one column a method.
    """
    if not {CEILING, BASELINE} <= set(accuracy.columns):
        return pd.DataFrame(index=accuracy.index, columns=accuracy.columns, dtype=float)
    lost = accuracy[CEILING] - accuracy[BASELINE]
    return accuracy.sub(accuracy[BASELINE], axis=0).div(lost, axis=0)


def condition(noise, rate):
    """How tables call a kind of noise at a rate."""
    if noise in ("clean", "human"):
        return noise
    return f"{noise.replace('_', ' ')} " + (f"1:{1 / rate:g}" if noise == "imbalance" else f"{rate:.0%}")


def by_condition(rows, paired=False):
    """A `Comparison` for each kind and rate of noise, in the order of tables."""
    frame = frame_of(rows)
    kinds = sorted(
        set(frame[["noise", "rate"]].itertuples(index=False, name=None)),
        key=lambda kind: (NOISE_ORDER.index(kind[0]) if kind[0] in NOISE_ORDER else -1, kind[1]),
    )
    of = frame.groupby(["noise", "rate"])
    comparisons = {condition(*kind): Comparison.of(of.get_group(kind), paired) for kind in kinds}
    return {name: comparison for name, comparison in comparisons.items() if comparison.tasks}


def overall_ranks(comparisons):
    """Mean over the kinds of noise of a method's mean rank, for methods that are ranked in all of them; best first."""
    ranks = pd.DataFrame({name: comparison.ranks for name, comparison in comparisons.items()})
    return ranks.dropna().mean(axis=1).sort_values(kind="stable")


def noise_order(comparisons):
    """Methods that saw clean labels, those ranked under every kind of noise, those that lack one."""
    everything = dict.fromkeys(method for comparison in comparisons.values() for method in comparison.methods)
    informed = dict.fromkeys(method for comparison in comparisons.values() for method in comparison.informed)
    ranked = overall_ranks(comparisons).index
    return [*informed, *ranked, *(method for method in everything if method not in informed and method not in ranked)]
