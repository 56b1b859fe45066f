"""Rows made again: what one commit makes of fits that tables took from several.

    python -m benchmarks.run --profile kinds --output elsewhere.jsonl         # in a clean clone
    python -m benchmarks.merge tables elsewhere.jsonl --instead

Rows are measured over months, and a method is measured again only where its definition has changed. That nothing else
in the code has moved what it does is for a run of all of them at one commit to say. Its rows stand in the tables;
those that stood there before are kept, and each is compared here with the one that took its place.
"""

import pandas as pd

from benchmarks.cells import markdown
from benchmarks.run import key_of

# What a row says of a fit, its cost aside, which every run has another of.
MEASURES = (
    "test_accuracy", "balanced_accuracy", "calibration_error", "fitted_given", "label_recovery", "memorised",
    "detection_auc",
)  # fmt: skip


def paired(now, then):
    """One row for each fit that has both, with its difference in accuracy and whether all measures are the same.

    Parameters
    ----------
    now, then : list of dict
        Rows of `benchmarks.run`, those that the tables show and those that stood there before.

    Returns
    -------
    pairs : DataFrame
        ``method``, ``task``, ``seed``, ``now`` and ``then`` (commits), ``moved`` (accuracy, new minus old), ``same``.
    """
    known = {key_of(row): row for row in now}
    pairs = [(known[key_of(row)], row) for row in then if key_of(row) in known]
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


def again_block(then, now):
    """How many fits came out as they were, by method, for benchmarks/README.md."""
    pairs = paired(now, then)
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
    other = set(pairs["then"]) - set(pairs["now"])
    seeds = ", ".join(map(str, sorted(set(pairs["seed"]))))
    return (
        f"{markdown(cells)}\n{len(pairs)} fits over {pairs['task'].nunique()} tasks (seed {seeds}) made again at "
        f"commit {', '.join(sorted(set(pairs['now'])))} and shown in the tables in place of those of {len(other)} "
        f"other commits: {pairs['same'].sum()} are the same in every measure ({', '.join(MEASURES)}), to the last "
        "of five decimals. Differences are in accuracy.\n"
    )
