"""Rows made again: what one commit makes of the fits that the tables took from several.

    python -m benchmarks.run --profile kinds --seeds 0 --output benchmarks/results/again.jsonl

Rows are measured over months, and a method is measured again only where its definition has changed. That nothing else
in the code has moved what it does is for a run of all of them at one commit to say: each of its rows stands here beside
the one that the tables show.
"""

import pandas as pd

from benchmarks.cells import markdown
from benchmarks.run import key_of

# What a row says of a fit, its cost aside, which every run has another of.
MEASURES = (
    "test_accuracy", "balanced_accuracy", "calibration_error", "fitted_given", "label_recovery", "memorised",
    "detection_auc",
)  # fmt: skip


def paired(again, shown):
    """One row for each fit that has both, with its difference in accuracy and whether all measures are the same.

    Parameters
    ----------
    again, shown : list of dict
        Rows of `benchmarks.run`, those made again and those that the tables show.

    Returns
    -------
    pairs : DataFrame
        ``method``, ``task``, ``seed``, ``now`` and ``then`` (commits), ``moved`` (accuracy, new minus old), ``same``.
    """
    known = {key_of(row): row for row in shown}
    pairs = [(row, known[key_of(row)]) for row in again if key_of(row) in known]
    return pd.DataFrame(
        [
            {
                **{name: new[name] for name in ("method", "task", "seed")},
                "now": new["commit"],
                "then": old["commit"],
                "moved": new["test_accuracy"] - old["test_accuracy"],
                "same": all(new[name] == old[name] for name in MEASURES),
            }
            for new, old in pairs
        ],
        columns=["method", "task", "seed", "now", "then", "moved", "same"],
    )


def again_block(again, shown):
    """How many fits came out as they were, by method, for benchmarks/README.md."""
    pairs = paired(again, shown)
    if pairs.empty:
        return "No fit of the tables was made again yet.\n"
    by = pairs.groupby("method")
    cells = pd.DataFrame(
        {
            "fits": by.size().map(str),
            "the same to the last digit": by["same"].sum().map(str),
            "largest difference, points": by["moved"].apply(lambda moved: f"{100 * moved.abs().max():.1f}"),
            "mean difference, points": by["moved"].apply(lambda moved: f"{100 * moved.mean():+.2f}"),
        }
    )
    other = sorted(set(pairs["then"]) - set(pairs["now"]))
    seeds = ", ".join(map(str, sorted(set(pairs["seed"]))))
    return (
        f"{markdown(cells)}\n{len(pairs)} fits over {pairs['task'].nunique()} tasks (seed {seeds}) made again at "
        f"commit {', '.join(sorted(set(pairs['now'])))}, beside those of {len(other)} other commits in the tables: "
        f"{pairs['same'].sum()} are the same in every measure ({', '.join(MEASURES)}), to the last of five decimals. "
        "Differences are in accuracy.\n"
    )
