"""Run tasks x methods x seeds; one JSON line each.

    python -m benchmarks.run --profile quick
    python -m benchmarks.run --profile tables --n-jobs 2
    python -m benchmarks.run --profile kinds --tasks "*/pair_flip/0.4" --methods "RandomForest, tuned" --seeds 0 1

Rows are appended to the profile's file in results/ as they are finished. A run that was killed goes on where it
stopped: what is in the file is not run again, unless the method was defined otherwise then. A fit that fails is
reported, leaves no row and is tried again next time. A method whose library can't be imported is skipped, with the
reason.
"""

import argparse
import hashlib
import itertools
import json
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import joblib
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks.measures import measure
from benchmarks.memory import PeakMemory
from benchmarks.methods import METHODS
from benchmarks.profiles import PROFILES, Profile, matching
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import DATASETS, Task

__all__ = ["PROFILES", "Profile", "key_of", "plan", "run_all"]


@dataclass(frozen=True)
class Run:
    """One fit: what its row is recognized by."""

    task: Task
    method: str
    seed: int
    budget: dict

    @property
    def key(self):
        definition = METHODS[self.method].definition
        limits = self.task.max_train, self.task.max_test
        return _key(self.task.name, *limits, self.method, definition, self.seed, self.budget)


def key_of(row):
    """The key of a row; equal to that of the run that would make it again."""
    return _key(*(row[name] for name in ("task", "max_train", "max_test", "method", "definition", "seed", "budget")))


def _key(*parts):
    return json.dumps(parts, sort_keys=True)  # as it comes back from a file: tuples are lists there


def plan(profile):
    """All runs of a profile, seeds outermost: a run stopped early has whole comparisons."""
    limits = {"max_train": profile.max_train, "max_test": profile.max_test}
    tasks = [Task.from_name(name, **limits) for name in profile.tasks]
    return [
        Run(task, method, seed, profile.budget)
        for seed, task, method in itertools.product(profile.seeds, tasks, profile.methods)
        if (task.dataset, method) not in profile.without
    ]


def execute(run):
    """Fit and measure; the row, or the text of the error."""
    torch.set_num_threads(1)
    try:
        draw = run.task.draw(run.seed)
        method = METHODS[run.method]
        estimator = method.make(run.budget, run.seed)
        with threadpool_limits(1), warnings.catch_warnings(), PeakMemory() as memory:
            # Budgets end where they end, folds may lack a rare class, and a refinery says how it teaches a forest.
            warnings.simplefilter("ignore", ConvergenceWarning)
            warnings.simplefilter("ignore", UserWarning)
            # Processor time: with one thread it is what a quiet machine's clock would show.
            start = time.process_time()
            method.fit(estimator, draw)
            fit_seconds = time.process_time() - start
            peak = memory.megabytes()
            measures = measure(estimator, draw)
    except Exception:
        return f"{run.task.name}, {run.method}, seed {run.seed}:\n{traceback.format_exc()}"
    return {
        "task": run.task.name,
        "max_train": run.task.max_train,
        "max_test": run.task.max_test,
        "n_train": len(draw.X_train),
        "n_test": len(draw.X_test),
        "n_features": draw.X_train.shape[1],
        "n_classes": draw.n_classes,
        "realised_rate": round(float(np.mean(draw.y_given != draw.y_clean)), 5),
        "method": run.method,
        "kind": method.kind,
        "definition": method.definition,
        "budget": run.budget,
        "seed": run.seed,
        "labels": _digest(draw),
        **measures,
        "fit_seconds": round(fit_seconds, 4),
        "peak_mb": peak,
    }


def _digest(draw):
    """What the labels of a draw are recognized by: rows of one task and seed must have seen the same ones."""
    labels = np.concatenate([draw.y_given, draw.y_clean, draw.y_test]).astype(np.int64)
    return hashlib.sha256(labels.tobytes()).hexdigest()[:12]


def run_all(runs, path, n_jobs=1, report=print):
    """Execute the runs that have no row in `path` yet; returns the texts of the errors."""
    missing = {name: METHODS[name].why_missing() for name in dict.fromkeys(run.method for run in runs)}
    for name in (name for name, reason in missing.items() if reason):
        report(f"skipped: {name} ({missing[name]})")
    done = {key_of(row) for row in read_rows(path)}
    runs = [run for run in runs if not missing[run.method] and run.key not in done]
    errors = []
    torch.set_num_threads(1)  # as in every worker, so that the environment says what was used
    about = environment()
    # Only this process writes, one line at a time: workers cannot tear each other's rows.
    results = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")(joblib.delayed(execute)(r) for r in runs)
    for count, result in enumerate(results, start=1):
        if isinstance(result, dict):
            append_row(path, {**result, **about})
            report(
                f"{count:5} of {len(runs)}  {result['task']:30} {result['method']:30} seed {result['seed']}  "
                f"accuracy {result['test_accuracy']:.4f}  {result['fit_seconds']:.2f} s"
            )
        else:
            errors.append(result)
            report(f"{count:5} of {len(runs)}  failed: {result}")
    return errors


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES, default="quick")
    parser.add_argument(
        "--tasks",
        nargs="+",
        metavar="DATASET/NOISE/RATE",
        help=f"names, or patterns as */clean/0; data sets: {', '.join(DATASETS)}",
    )
    parser.add_argument(
        "--methods", nargs="+", metavar="METHOD", choices=METHODS, help=f"some of: {'; '.join(METHODS)}"
    )
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, help="file of the rows; default results/<profile>.jsonl")
    options = parser.parse_args(arguments)
    chosen = {name: tuple(value) for name in ("tasks", "methods", "seeds") if (value := getattr(options, name))}
    profile = PROFILES[options.profile]
    try:
        if "tasks" in chosen:
            chosen["tasks"] = matching(chosen["tasks"], profile.tasks)
        profile = replace(profile, **chosen)
        plan(profile)
    except ValueError as error:
        parser.error(str(error))
    return profile, options.output or RESULTS / f"{profile.file or options.profile}.jsonl", options.n_jobs


def main():
    profile, path, n_jobs = parse()
    errors = run_all(plan(profile), path, n_jobs)
    print(f"Rows are in {path}; python -m benchmarks.report makes the tables.")
    if errors:
        sys.exit(f"{len(errors)} fits failed.")


if __name__ == "__main__":
    main()
