"""Run tasks x methods x seeds; one JSON line each.

    python -m benchmarks.run --profile quick
    python -m benchmarks.run --profile tables --n-jobs 2
    python -m benchmarks.run --profile tables --tasks magic/symmetric/0.4 --methods "DM(2, 24)" --seeds 0 1

Rows are appended to results/<profile>.jsonl as they are finished. A run that was killed goes on where it stopped: what
is in the file is not run again. A fit that fails is reported, leaves no row and is tried again next time.
"""

import argparse
import itertools
import json
import sys
import time
import traceback
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks.measures import measure
from benchmarks.methods import METHODS
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import CIFAR10N, DATASETS, TABLES, Task


@dataclass(frozen=True)
class Profile:
    """What one command runs.

    Parameters
    ----------
    tasks : sequence of str
        Names ``dataset/noise/rate``.
    methods : sequence of str
        Names of `benchmarks.methods.METHODS`.
    seeds : sequence of int
        Each fixes split, noise, initial weights and row order.
    budget : dict, default={}
        Training parameters that all networks get; empty for their defaults.
    max_train, max_test : int
        Rows used at most.
    without : sequence of (str, str)
        Data sets and methods that would take more time together than all the rest.
    """

    tasks: tuple
    methods: tuple = tuple(METHODS)
    seeds: tuple = tuple(range(5))
    budget: dict = field(default_factory=dict)
    max_train: int = 5000
    max_test: int = 5000
    without: tuple = ()


# What the tables are about; the other values of lam and beta are candidates of DMClassifierCV, and its oracle.
_NOT_SHOWN = ("DM(0.5, 4)", "DM(1, 8)", "DM(2, 12)")
_MAIN = tuple(name for name in METHODS if name not in _NOT_SHOWN)
# Shown for `tables` only: variants, and what takes the time of ten fits or more.
_VARIANTS = (
    "DMClassifierCV, best by test labels", "DMClassifierCV, refit=False", "DM(2, 24)", "cross entropy, mean of five",
    "DM(1, 16), mean of five", "refinery of cross entropy",
)  # fmt: skip

PROFILES = {
    "quick": Profile(
        tasks=("digits/symmetric/0.4", "magic/symmetric/0.4", "car_evaluation/symmetric/0.4"),
        methods=(
            "cross entropy, clean labels", "cross entropy", "cross entropy, stopped early", "DM(0, 0)", "DM(1, 16)",
            "DMClassifierCV", "ProSelfLC", "GCE", "LogisticRegression",
        ),
        seeds=(0, 1),
        max_train=2000,
    ),
    "tables": Profile(
        tasks=tuple(f"{dataset}/symmetric/0.4" for dataset in (*TABLES, "digits")), methods=_MAIN, max_train=2000
    ),
    # Every kind of noise and every data set; fewer rows, since there are nine times as many tasks.
    "noises": Profile(
        tasks=(
            *(
                f"{dataset}/{noise}"
                for dataset in (*TABLES, "digits", "mnist", "banking77", "imdb")
                for noise in (
                    "clean/0", "symmetric/0.2", "symmetric/0.4", "symmetric/0.6", "pair_flip/0.3", "pair_flip/0.4",
                    "imbalance/0.1", "instance/0.4",
                )
            ),
            *(f"{dataset}/human/0" for dataset in ("lidc_malignancy", *CIFAR10N)),
        ),
        methods=tuple(name for name in _MAIN if name not in _VARIANTS),
        seeds=(0, 1, 2),
        max_train=1000,
        max_test=2000,
        without=(("banking77", "HistGradientBoosting"), ("banking77", "CleanLearning of RandomForest")),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One fit: what its row is recognised by."""

    task: Task
    method: str
    seed: int
    budget: dict

    @property
    def key(self):
        return _key(self.task.name, self.task.max_train, self.task.max_test, self.method, self.seed, self.budget)


def key_of(row):
    """The key of a row; equal to that of the run that would make it again."""
    return _key(*(row[name] for name in ("task", "max_train", "max_test", "method", "seed", "budget")))


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
        with threadpool_limits(1), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Processor time: with one thread it is what a quiet machine's clock would show.
            start = time.process_time()
            method.fit(estimator, draw)
            fit_seconds = time.process_time() - start
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
        "budget": run.budget,
        "seed": run.seed,
        **measures,
        "fit_seconds": round(fit_seconds, 4),
    }


def run_all(runs, path, n_jobs=1, report=print):
    """Execute the runs that have no row in `path` yet; returns the texts of the errors."""
    done = {key_of(row) for row in read_rows(path)}
    runs = [run for run in runs if run.key not in done]
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
    parser.add_argument("--tasks", nargs="+", metavar="DATASET/NOISE/RATE", help=f"data sets: {', '.join(DATASETS)}")
    parser.add_argument(
        "--methods", nargs="+", metavar="METHOD", choices=METHODS, help=f"some of: {'; '.join(METHODS)}"
    )
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--output", type=Path, help="file of the rows; default results/<profile>.jsonl")
    options = parser.parse_args(arguments)
    chosen = {name: tuple(value) for name in ("tasks", "methods", "seeds") if (value := getattr(options, name))}
    profile = Profile(**{**vars(PROFILES[options.profile]), **chosen})
    try:
        plan(profile)
    except ValueError as error:
        parser.error(str(error))
    return profile, options.output or RESULTS / f"{options.profile}.jsonl", options.n_jobs


def main():
    profile, path, n_jobs = parse()
    errors = run_all(plan(profile), path, n_jobs)
    print(f"Rows are in {path}; python -m benchmarks.report makes the tables.")
    if errors:
        sys.exit(f"{len(errors)} fits failed.")


if __name__ == "__main__":
    main()
