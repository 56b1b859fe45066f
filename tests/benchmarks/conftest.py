"""Rows as `benchmarks.run` writes them, made up."""

from functools import cache

import pytest

from benchmarks.comparison import BASELINE, CEILING
from benchmarks.methods import METHODS
from benchmarks.rows import environment, write_rows

ORACLE = "DM, best by test labels"
KINDS = {CEILING: "ceiling", BASELINE: "baseline", ORACLE: "oracle"}
here = cache(environment)


def make_row(task, method, seed, accuracy, **changes):
    return {
        "task": task,
        "max_train": 2000,
        "max_test": 5000,
        "method": method,
        "kind": KINDS.get(method, "robust"),
        "definition": METHODS[method].definition if method in METHODS else "0123456789ab",
        "budget": {},
        "seed": seed,
        "test_accuracy": accuracy,
        "calibration_error": 0.1,
        "label_recovery": 0.8,
        "fitted_given": 0.7,
        "memorised": 0.2,
        "detection_auc": 0.9,
        "fit_seconds": 1.0,
        **here(),
        "commit": "0123456789ab",
        **changes,
    }


TASKS = ("magic/symmetric/0.4", "digits/symmetric/0.4")
ACCURACY = {CEILING: (0.9, 0.98), BASELINE: (0.7, 0.78), "DM(2, 24)": (0.8, 0.9), "other": (0.6, 0.95)}
ROWS = [
    make_row(task, method, seed, accuracy + 0.01 * seed)
    for method, accuracies in ACCURACY.items()
    for task, accuracy in zip(TASKS, accuracies, strict=True)
    for seed in (0, 1)
]
NOISES = ("clean/0", "symmetric/0.2", "imbalance/0.1", "human/0")
NOISE_ROWS = [
    make_row(f"{dataset}/{noise}", method, seed, accuracy - 0.1 * NOISES.index(noise), balanced_accuracy=accuracy / 2)
    for method, accuracy in {CEILING: 0.95, BASELINE: 0.8, "good": 0.9}.items()
    for dataset in ("magic", "digits")
    for noise in NOISES
    for seed in (0, 1)
]


@pytest.fixture
def row():
    """``row(task, method, seed, accuracy, **changes)`` makes one row."""
    return make_row


@pytest.fixture
def rows():
    """Two tables under one kind of noise: four methods, two seeds."""
    return list(ROWS)


@pytest.fixture
def with_oracle():
    """The same rows and those of an entry that chose by test labels."""
    return ROWS + [make_row(task, ORACLE, seed, 0.96 + 0.01 * seed) for task in TASKS for seed in (0, 1)]


@pytest.fixture
def noise_rows():
    """Two data sets under four kinds of noise: three methods, two seeds."""
    return list(NOISE_ROWS)


@pytest.fixture
def results(tmp_path):
    """``results(tables=rows, ...)`` writes files of rows into a folder, and returns it."""

    def write(**files):
        for name, rows in files.items():
            write_rows(tmp_path / f"{name}.jsonl", rows)
        return tmp_path

    return write
