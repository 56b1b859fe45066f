"""Whether the recommended method keeps what was set as its bounds before its rows were made.

    python -m benchmarks.verdict
    python -m benchmarks.verdict --method DMClassifierCV --rows some.jsonl

The bounds are those of the issue that asked for the estimator: tables with at most 2,000 rows, five seeds, the kinds
of noise of the profile ``kinds``. A bound is judged over the tasks and seeds that all methods it names have. Where that
are fewer than there should be, the verdict holds so far; without any it is open.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cells import markdown, share_text
from benchmarks.comparison import BASELINE, CEILING, MOST_SYMMETRIC, condition, frame_of
from benchmarks.held_out import HELD_OUT
from benchmarks.profiles import SIXTEEN
from benchmarks.ranks import mean_ranks
from benchmarks.recovery import Recovered
from benchmarks.rows import RESULTS
from benchmarks.usable import usable_rows

METHOD = "NoisyLabelClassifier"
FOREST = "RandomForest, tuned"
N_SEEDS = 5
RIVALS = (FOREST, "robust LightGBM, tuned", "cross entropy, tuned")


@dataclass(frozen=True)
class Bound:
    """One bound.

    Parameters
    ----------
    kind : str
        Noise and rate, as in ``symmetric/0.4``.
    title : str
        What is measured.
    least : float
        What it has to reach.
    aim : float or None
        What was hoped for.
    rivals : tuple of str
        Methods whose rows it needs beside those of the method.
    measured : callable
        ``measured(scores, method)`` from mean scores: tasks are rows, methods are columns.
    scale : str
        How the figure is printed.
    more_than_two : bool
        Whether tables with two classes are left out.
    measure : str
        What is compared, a column of the frame.
    strict : bool
        Whether reaching it means to be above, not to be equal.
    """

    kind: str
    title: str
    least: float
    aim: float | None
    rivals: tuple
    measured: Callable
    scale: str = "{:+.1f}"
    more_than_two: bool = False
    measure: str = "score"
    strict: bool = False


def _recovered(scores, method):
    return 100 * (scores[method] - scores[BASELINE]).sum() / (scores[CEILING] - scores[BASELINE]).sum()


def _ahead_of(*rivals):
    """Points by which the mean over tasks is ahead of the best of the rivals' means."""
    return lambda scores, method: 100 * (scores[method].mean() - scores[list(rivals)].mean().max())


def _tables_within(margin, *rivals):
    """Share of the tables on which it is within a margin of the better of the rivals; 14 of 16 are 87.5 %."""
    return lambda scores, method: 100 * (scores[method] >= scores[list(rivals)].max(axis=1) - margin - 1e-12).mean()


def _rank_margin(*rivals):
    """By how much the mean rank is better than that of the best rival, ranked among themselves."""

    def margin(scores, method):
        ranks = mean_ranks(scores[[method, *rivals]])
        return ranks.drop(method).min() - ranks[method]

    return margin


_PLAIN = ("HistGradientBoosting", "RandomForest")
BOUNDS = (
    *(
        Bound(f"{kind}/0.4", "recovered from cross entropy, %", least, aim, (BASELINE, CEILING), _recovered, "{:.0f}")
        for kind, least, aim in (("symmetric", 62, 75), ("pair_flip", 75, 90), ("instance", 64, 75))
    ),
    *(
        Bound(kind, f"points over {FOREST}", least, aim, (FOREST,), _ahead_of(FOREST))
        for kind, least, aim in (
            ("symmetric/0.4", 0.5, 1.5), ("pair_flip/0.4", 4.5, None), ("instance/0.4", 1.0, None),
            ("clean/0", 1.0, None),
        )
    ),
    Bound(
        "clean/0", f"tables within .5 point of the better of {' and '.join(_PLAIN)}, %", 87.5, None, _PLAIN,
        _tables_within(0.005, *_PLAIN), "{:.1f}",
    ),
    Bound(
        "clean/0", f"points over the better mean of {' and '.join(_PLAIN)}", 0, None, _PLAIN,
        _ahead_of(*_PLAIN), strict=True,
    ),
    Bound("symmetric/0.2", f"points over {CEILING}", 0, None, (CEILING,), _ahead_of(CEILING), strict=True),
    *(
        Bound(
            "symmetric/0.6", f"points over {rival}, more than two classes", 0, None, (rival,), _ahead_of(rival),
            more_than_two=True, strict=True,
        )
        for rival in ("GCE", FOREST)
    ),
    Bound(
        "imbalance/0.1", "points of accuracy over HistGradientBoosting", 0, None, ("HistGradientBoosting",),
        _ahead_of("HistGradientBoosting"), measure="test_accuracy",
    ),
    *(
        Bound(
            kind, "mean rank ahead of the tuned rivals by", 0, None, RIVALS, _rank_margin(*RIVALS), strict=True,
        )
        for kind in (
            "symmetric/0.4", "pair_flip/0.4", "instance/0.4", "clean/0", "symmetric/0.2", "symmetric/0.6",
            "imbalance/0.1",
        )
    ),
)  # fmt: skip


def judge(rows, method=METHOD, datasets=SIXTEEN):
    """Each bound with what was measured.

    Parameters
    ----------
    rows : list of dict
    method : str
        What is judged.
    datasets : sequence of str
        What there should be rows of.

    Returns
    -------
    verdicts : DataFrame
        ``kind``, ``what``, ``least``, ``aim`` and ``measured`` as texts, ``tasks``, ``seeds`` (the least of any task)
        and ``verdict``: "met" or "not met", followed by "so far" where rows are missing; "open" without any.
    """
    frame = frame_of(rows)
    return pd.DataFrame([_judged(frame, bound, method, datasets) for bound in BOUNDS])


def _judged(frame, bound, method, datasets):
    noise, rate = bound.kind.split("/")
    of_kind = frame[(frame["noise"] == noise) & (frame["rate"] == float(rate))]
    if _without_two(bound):
        of_kind = of_kind[of_kind["n_classes"] != 2]
    needed = [method, *bound.rivals]
    wide = of_kind[of_kind["method"].isin(needed)].pivot_table(bound.measure, ["task", "seed"], "method")
    wide = wide.reindex(columns=needed).dropna()
    scores = wide.groupby("task").mean()
    value = bound.measured(scores, method) if len(scores) else np.nan
    reached = value > bound.least if bound.strict else value >= bound.least - 1e-9
    n_seeds = int(wide.groupby("task").size().min()) if len(scores) else 0
    # All of the tables, but for those that can't be asked for this kind.
    two = set(frame.loc[frame["n_classes"] == 2, "dataset"]) if _without_two(bound) else set()
    whole = n_seeds >= N_SEEDS and set(datasets) - two <= {task.split("/")[0] for task in scores.index}
    return {
        "kind": condition(noise, float(rate)),
        "what": bound.title,
        "least": ("> " if bound.strict else "") + f"{bound.least:g}",
        "aim": "" if bound.aim is None else f"{bound.aim:g}",
        "measured": bound.scale.format(value) if len(scores) else "–",
        "tasks": len(scores),
        "seeds": n_seeds,
        "verdict": "open" if not len(scores) else ("met" if reached else "not met") + ("" if whole else " so far"),
    }


def _without_two(bound):
    noise, rate = bound.kind.split("/")
    return bound.more_than_two or (noise == "symmetric" and float(rate) > MOST_SYMMETRIC)


def verdict_table(rows, method=METHOD, datasets=SIXTEEN):
    """The verdicts in Markdown."""
    table = judge(rows, method, datasets)
    bold = table["verdict"].where(~table["verdict"].str.startswith("not met"), "**" + table["verdict"] + "**")
    table = table.assign(verdict=bold).astype(str)
    return markdown(table.set_index("kind").rename_axis("noise"))


def recovered_by_classes(rows, method=METHOD):
    """Recovered shares of the tables with two classes, of those with more and of all, by kind of noise.

    With two classes a label can only be mistaken for the other one: their pair flips are symmetric noise, of which a
    transition matrix tells no more than its rate.
    """
    frame = frame_of(rows)
    frame = frame[frame["method"].isin([method, BASELINE, CEILING])]
    shares = {}
    for noise, rate in (bound.kind.split("/") for bound in BOUNDS if bound.measured is _recovered):
        of_kind = frame[(frame["noise"] == noise) & (frame["rate"] == float(rate))]
        wide = of_kind.pivot_table("score", ["n_classes", "task", "seed"], "method")
        wide = wide.reindex(columns=[method, BASELINE, CEILING]).dropna()
        two = wide.index.get_level_values("n_classes") == 2
        shares[condition(noise, float(rate))] = {
            f"{title}, %": share_text(_share(wide[chosen].groupby("task").mean(), method), interval=True)
            for title, chosen in (("two classes", two), ("more than two", ~two), ("all", two | ~two))
        }
    return pd.DataFrame(shares).T.rename_axis("noise")


def _share(scores, method):
    return Recovered.of(scores[method], scores[BASELINE], scores[CEILING])


def held_out_block(rows):
    """The verdicts on the held-out tables, for `benchmarks.report`."""
    n_two = len({row["task"].split("/")[0] for row in rows if row["n_classes"] == 2})
    return (
        f"{verdict_table(rows, datasets=HELD_OUT)}\nThe same bounds on {len(HELD_OUT)} tables that no choice has seen "
        f"({', '.join(name.removeprefix('keel_') for name in HELD_OUT)}; of the KEEL repository).\n\n"
        f"{markdown(recovered_by_classes(rows))}\nWhat is recovered by number of classes, with the 95 % interval of a "
        f"bootstrap over tables; {n_two} have two. Their pair flips are symmetric noise, of which a transition matrix "
        "tells no more than its rate.\n"
    )


def verdict_block(rows):
    """The table and what it is about, for `benchmarks.report`."""
    return (
        f"{verdict_table(rows)}\nWhat {METHOD} was asked to reach, written down before its rows, over the tasks and "
        'seeds that all methods of a line have. "Recovered" is counted here as when the bounds were set, from cross '
        f"entropy to its ceiling on clean labels. The tuned rivals are {'; '.join(RIVALS)}.\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default=METHOD)
    parser.add_argument("--rows", type=Path, default=RESULTS / "tables.jsonl")
    parser.add_argument("--held-out", action="store_true", help="judge the rows of the held-out tables")
    parser.add_argument("--with-changes", action="store_true", help="count rows from a tree with changes as well")
    options = parser.parse_args()
    path, datasets = (RESULTS / "held_out.jsonl", HELD_OUT) if options.held_out else (options.rows, SIXTEEN)
    rows, remark = usable_rows(path, options.with_changes)
    print((verdict_table(rows, options.method, datasets) if rows else f"No rows in {path.name} yet.") + remark)


if __name__ == "__main__":
    main()
