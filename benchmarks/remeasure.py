"""Which committed rows have to be measured again, and measuring them.

    python -m benchmarks.remeasure                        # the list
    python -m benchmarks.remeasure --run                  # all of them, from a clean tree
    python -m benchmarks.remeasure --run --files schedules papers/dm_table2 --n-jobs 2

A row has to be measured again if it came from a tree with changes, or if its method is defined otherwise now. Such rows
are taken out of their file just before what makes them runs: of the papers' scripts one job after the other, of other
files all at once. A killed run goes on with the same command, where all were taken out at once with the file's own
(``python -m benchmarks.schedules``); what was taken out, git gives back.
"""

import argparse
import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.cells import markdown
from benchmarks.profiles import PROFILES
from benchmarks.rows import EARLIER, RESULTS, git_commit, read_rows, write_rows
from benchmarks.run import plan, run_all
from benchmarks.usable import from_changed_tree, outdated

# Files whose rows are those of one command; those of `benchmarks.run` and of the papers are found by their rows. Of
# `gpu`, which asks for another machine, and of `ensemble_trial`, whose seeds were chosen by hand, there is none.
COMMANDS = {
    "detection": (("benchmarks.detection",),),
    "equal_rows": (("benchmarks.equal_rows",),),
    "mlp_defaults": (("benchmarks.mlp_defaults",),),
    "refinery": (("benchmarks.refinery", "curve"), ("benchmarks.refinery", "overhead")),
    "refinery_mends": (("benchmarks.refinery_mends",),),
    "reliability": (("benchmarks.reliability",),),
    "scale": (("benchmarks.scale",),),
    "schedules": (("benchmarks.schedules",),),
    "selection": (("benchmarks.selection",),),
    "speed": (("benchmarks.speed",),),
}
# What the papers' scripts call the parts of a job on their command line; a part without an option is run for all.
OPTIONS = {
    "scale": "--scale", "seed": "--seeds", "condition": "--conditions", "method": "--methods", "share": "--shares",
    "features": "--features", "group": "--groups", "step": "--steps", "n_reviews": "--n-reviews",
}  # fmt: skip


def stale(row):
    """Whether a row has to be measured again."""
    return from_changed_tree(row) or outdated(row)


def names(results=RESULTS):
    """Files with rows that have to be measured again, by their path in `results` without ending."""
    paths = sorted(path for path in Path(results).rglob("*.jsonl") if path.stem != EARLIER)
    return [path.relative_to(results).with_suffix("").as_posix() for path in paths if any(map(stale, read_rows(path)))]


def profiles_of(name):
    """Profiles of `benchmarks.run` whose rows stand in a file."""
    return [profile for key, profile in PROFILES.items() if (profile.file or key) == name]


def _job_command(name, job):
    module = f"benchmarks.{name.replace('/', '.')}"
    known = _help(module)
    words = [module]
    for part, value in job.items():
        if (option := OPTIONS.get(part)) and option in known:
            words += [option, str(value)]
    return words


@functools.cache
def _help(module):
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def overview(results=RESULTS):
    """One line a file: how many rows, why, and the seconds they took when they were made."""
    lines = {}
    for name in names(results):
        rows = read_rows(Path(results) / f"{name}.jsonl")
        again = [row for row in rows if stale(row)]
        seconds = sum(row.get("seconds", row.get("fit_seconds", np.nan)) for row in again)
        lines[name] = {
            "rows": str(len(rows)),
            "from a tree with changes": str(sum(map(from_changed_tree, again))),
            "of another definition": str(sum(map(outdated, again))),
            "seconds then": "–" if np.isnan(seconds) else f"{seconds:,.0f}",
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("file")


def remeasure(name, results=RESULTS, n_jobs=1, execute=None):
    """Take the rows of one file out that have to be measured again, and run what makes them.

    Parameters
    ----------
    name : str
        File, without ending, in `results`.
    n_jobs : int
        Processes, where the command can use several.
    execute : callable, default=None
        Runs one command line; for tests.
    """
    execute = execute or (lambda words: subprocess.run([sys.executable, "-m", *words], check=True))
    if not (name.startswith("papers/") or name in COMMANDS or profiles_of(name)):
        sys.exit(f"No command is known that makes the rows of {name}: see benchmarks/{name}.py.")
    path = Path(results) / f"{name}.jsonl"
    again = [row for row in read_rows(path) if stale(row)]
    if name.startswith("papers/"):
        for job in {json.dumps(row["job"], sort_keys=True): row["job"] for row in again}.values():
            write_rows(path, [row for row in read_rows(path) if not (stale(row) and row["job"] == job)])
            execute(_job_command(name, job))
        return
    write_rows(path, [row for row in read_rows(path) if not stale(row)])
    if name in COMMANDS:
        for words in COMMANDS[name]:
            execute(words)
        return
    lost = {(row["task"], row["method"], row["seed"]) for row in again}
    runs = [run for profile in profiles_of(name) for run in plan(profile)]
    errors = run_all([run for run in runs if (run.task.name, run.method, run.seed) in lost], path, n_jobs)
    if errors:
        sys.exit(f"{len(errors)} fits failed.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="measure them")
    parser.add_argument("--files", nargs="+", metavar="FILE", help="some of the files, as the list calls them")
    parser.add_argument("--n-jobs", type=int, default=1)
    options = parser.parse_args()
    found = names()
    chosen = found if options.files is None else options.files
    if unknown := [name for name in chosen if name not in found]:
        parser.error(f"No rows of {', '.join(unknown)} have to be measured again; files that have some: {found}.")
    if not options.run:
        print(markdown(overview().loc[chosen]) if chosen else "Nothing has to be measured again.")
        return
    if (commit := git_commit()) is None or commit.endswith("+changes"):
        sys.exit(f"Rows are measured from a clean tree, so that their commit says what made them; got {commit}.")
    for name in chosen:
        remeasure(name, n_jobs=options.n_jobs)


if __name__ == "__main__":
    main()
