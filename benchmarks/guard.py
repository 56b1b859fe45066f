"""Guard the learning quality: run the quick profile again and compare with its committed rows.

    python -m benchmarks.guard               # fails where a method has become worse
    python -m benchmarks.guard --n-jobs 2

The rows go to a temporary file. Seeds fix the rows, the noise, the weights and the order of batches, so unchanged code
with unchanged versions gives unchanged accuracies; other versions and processors round differently. Of each method the
mean test accuracy over tasks and seeds may fall by one standard error over seeds of the committed rows, and by
`LEAST_MARGIN` in any case. A change that is meant comes with new rows:

    rm benchmarks/results/quick.jsonl && python -m benchmarks.run --profile quick

Without the real data the tasks are compared that need none. Nothing to compare is a failure.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cells import markdown
from benchmarks.rows import RESULTS, read_rows
from benchmarks.run import PROFILES, key_of, plan, run_all
from benchmarks.tasks import data_home

COMMITTED = RESULTS / "quick.jsonl"
LEAST_MARGIN = 0.01
NEED_NO_DATA = ("digits",)


def runnable(profile, home=None):
    """A profile reduced to the tasks whose data are here, and the names of the others."""
    if (home or data_home()).is_dir():
        return profile, []
    absent = [task for task in profile.tasks if task.split("/")[0] not in NEED_NO_DATA]
    return replace(profile, tasks=tuple(task for task in profile.tasks if task not in absent)), absent


def standard_error(rows):
    """Standard error over seeds of the mean accuracy over tasks; the tasks share their number of seeds.

    The variance over seeds is pooled over the tasks: of one task two seeds would say too little.
    """
    by_task = rows.groupby("task")["test_accuracy"]
    return float(np.sqrt(by_task.var(ddof=1).fillna(0.0).mean() / len(rows)))


def compare(new, committed):
    """Mean test accuracy of each method before and now, over the same tasks and seeds.

    Parameters
    ----------
    new, committed : list of dict
        Rows; each of `new` needs its counterpart in `committed`, of which the others are ignored.

    Returns
    -------
    comparison : DataFrame
        One row a method: ``before``, ``now``, ``margin`` and whether it is ``worse`` by more than that.

    Raises
    ------
    ValueError
        If there is nothing to compare, or no committed row for a new one.
    """
    before = {key_of(row): row for row in committed}
    lacking = sorted({f"{row['task']}, {row['method']}" for row in new if key_of(row) not in before})
    if lacking:
        raise ValueError(f"No committed rows of {'; '.join(lacking)}: run python -m benchmarks.run --profile quick.")
    if not new:
        raise ValueError("There is nothing to compare.")
    now = pd.DataFrame(new)
    then = pd.DataFrame([before[key_of(row)] for row in new])
    comparison = pd.DataFrame(
        {
            "before": then.groupby("method")["test_accuracy"].mean(),
            "now": now.groupby("method")["test_accuracy"].mean(),
            "margin": {method: max(LEAST_MARGIN, standard_error(rows)) for method, rows in then.groupby("method")},
        }
    )
    # What differs by the margin to the last decimal of the rows has not become worse by more.
    worse = comparison["before"] - comparison["now"] > comparison["margin"] + 1e-9
    return comparison.assign(worse=worse)


def table(comparison):
    """The comparison in percent, for people."""
    cells = pd.DataFrame(
        {
            "before, %": comparison["before"].map("{:.2%}".format).str.rstrip("%"),
            "now, %": comparison["now"].map("{:.2%}".format).str.rstrip("%"),
            "margin": comparison["margin"].map("{:.2%}".format).str.rstrip("%"),
            "verdict": np.where(
                comparison["worse"],
                "WORSE",
                np.where(comparison["now"] - comparison["before"] > comparison["margin"], "better", "as before"),
            ),
        }
    )
    return markdown(cells.rename_axis("method"))


def guard(profile, committed, n_jobs=1, report=print):
    """Run a profile and compare; the texts of what is wrong, none if nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        failed = run_all(plan(profile), path, n_jobs, report=report)
        new = read_rows(path)
    if failed:
        return failed
    try:
        comparison = compare(new, committed)
    except ValueError as error:
        return [str(error)]
    report(table(comparison))
    return [
        f"{method}: mean accuracy over {len(profile.tasks)} tasks fell from {row['before']:.2%} to {row['now']:.2%}, "
        f"more than the margin of {row['margin']:.2%}."
        for method, row in comparison[comparison["worse"]].iterrows()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    profile, absent = runnable(PROFILES["quick"])
    if absent:
        print(f"No real data in {data_home()}: not compared are {', '.join(absent)}.")
    wrong = guard(profile, read_rows(COMMITTED), options.n_jobs)
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"Nothing has become worse on {', '.join(profile.tasks)}.")


if __name__ == "__main__":
    main()
