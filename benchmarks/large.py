"""How much memory large fits take, how many fits a refinery of boosted trees costs, and how time grows with rows.

    python -m benchmarks.speed --only large boosting exponents

Memory is that of a fresh process at its peak, its table included where a line says so.
"""

import math
import subprocess
import sys
import time
import tracemalloc
from ast import literal_eval
from functools import wraps
from unittest import mock

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.memory import PeakMemory, peak_gigabytes
from benchmarks.timing import single
from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
)
from sklabelnoise._label_refinery._copies import repeated
from sklabelnoise.model_selection import FusedGridSearchCV

QUICK_NET = {"max_epochs": 2, "module__hidden": (32,), "device": "cpu", "random_state": 0}
# Rows of the smaller of two tables, the larger has four times as many; how an estimator is made.
ESTIMATORS = {
    "DMClassifier": (8_000, lambda: DMClassifier(**QUICK_NET)),
    "ProSelfLCClassifier": (8_000, lambda: ProSelfLCClassifier(**QUICK_NET)),
    "RobustLossClassifier": (8_000, lambda: RobustLossClassifier(**QUICK_NET)),
    "DMClassifierCV": (4_000, lambda: DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=3, n_members=2, **QUICK_NET)),
    "FusedGridSearchCV": (4_000, lambda: FusedGridSearchCV(DMClassifier(**QUICK_NET), {"beta": [0, 8]}, cv=3)),
    "StochasticLabelRefinery": (
        4_000,
        lambda: StochasticLabelRefinery(LogisticRegression(), n_rounds=1, random_state=0),
    ),
    "NoisyLabelClassifier": (500, lambda: NoisyLabelClassifier(random_state=0, n_jobs=1)),
}


def make_table(rows, features, classes, dtype=np.float64):
    """Rows, and labels of which three in ten are drawn at random."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, features)).astype(dtype)
    y = (X[:, np.arange(classes) % features] + 0.5 * rng.normal(size=(rows, classes))).argmax(axis=1)
    return X, np.where(rng.random(rows) < 0.3, rng.integers(0, classes, rows), y)


def in_fresh_process(call):
    """What a function of this module returns, in numbers, in a process of its own."""
    code = f"from benchmarks import large; large.torch_threads(); print(large.{call})"
    return literal_eval(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def torch_threads():
    """One thread, as in all rows."""
    import torch

    torch.set_num_threads(1)


def gigabytes_of_large_fit():
    """Peak of a process that makes 1,000,000 x 50 float64 numbers, fits and predicts."""
    X, y = make_table(1_000_000, 50, 5)
    model = DMClassifier(max_epochs=1, batch_size=4096, device="cpu", random_state=0).fit(X, y)
    model.predict_proba(X)
    return peak_gigabytes()


def refinery_of_trees():
    """A refinery of boosted trees, and the trees: one iteration takes as much memory as many."""
    tree = HistGradientBoostingClassifier(max_iter=1, early_stopping=False, random_state=0)
    return StochasticLabelRefinery(tree, n_rounds=2, random_state=0), tree


def bytes_of_refinery(rows, classes):
    """Peak memory of a refinery of boosted trees beyond what a plain fit takes, in bytes a byte of X."""
    X, y = make_table(rows, 50, classes)
    refinery, tree = refinery_of_trees()
    tree.fit(X, y)
    with PeakMemory() as memory:
        refinery.fit(X, y)
    return memory.megabytes() * 2**20 / X.nbytes


def refinery_beside_its_last_fit(rows, classes):
    """Most bytes a byte of X in use at a time by that refinery, and by scikit-learn alone in the last fit of it.

    The copies of rows that it is fitted to are not counted there. Its trees are the same, so that it keeps as many
    histograms. Counted as they are asked for: what the system hands out leaves tenths open.
    """
    X, y = make_table(rows, 50, classes)
    refinery, tree = refinery_of_trees()
    given, fit = {}, HistGradientBoostingClassifier.fit

    @wraps(fit)
    def recording(self, stand_in, labels, sample_weight=None):
        given.update(numbers=stand_in[:, 0].astype(np.intp), labels=labels, weights=sample_weight)
        return fit(self, stand_in, labels, sample_weight)

    with mock.patch.object(HistGradientBoostingClassifier, "fit", recording):
        refinery.fit(X, y)
    copied = repeated(X, given["numbers"], tree)
    ours = traced_bytes(lambda: refinery.fit(X, y))
    theirs = traced_bytes(lambda: tree.fit(copied, given["labels"], sample_weight=given["weights"]))
    return ours / X.nbytes, theirs / X.nbytes


def traced_bytes(function):
    """The most that a function has in use at a time."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def bytes_of_search(rows):
    """Peak memory of a fused search over a Pipeline of five folds, in bytes a byte of X."""
    X, y = make_table(rows, 50, 3)
    pipeline = make_pipeline(StandardScaler(), DMClassifier(batch_size=4096, **{**QUICK_NET, "max_epochs": 1}))
    with PeakMemory() as memory:
        FusedGridSearchCV(pipeline, {"dmclassifier__beta": [0, 4, 8, 16]}, cv=5, refit=False).fit(X, y)
    return memory.megabytes() * 2**20 / X.nbytes


def large(quick):
    """Memory of large fits."""
    peak = in_fresh_process("gigabytes_of_large_fit()")
    yield single("peak memory of DMClassifier on 1,000,000 x 50 float64, table, fit and predict, GB", 2.0, peak)
    rows = 20_000 if quick else 100_000
    for n, classes in ((rows, 10), (6_000, 10), (rows, 50)):
        case = f"refinery of boosted trees, {n:,} x 50, {classes} classes"
        share = in_fresh_process(f"bytes_of_refinery({n}, {classes})")
        yield single(f"{case}, bytes a byte of X", 4.0, share)
        # What scikit-learn keeps of a tree and a class is its own affair. Beyond it there are the labels that are
        # learned and the last predictions, both returned: two numbers a row and class.
        ours, theirs = in_fresh_process(f"refinery_beside_its_last_fit({n}, {classes})")
        case = f"{case}, beyond scikit-learn's fit to the copies, bytes a byte"
        yield single(case, 0.4 + 2 * classes / 50, ours - theirs, ours=round(ours, 4), scikit_learn=round(theirs, 4))
    share = in_fresh_process(f"bytes_of_search({5 * rows})")
    yield single(f"fused search over a Pipeline, {5 * rows:,} x 50, 5 folds, bytes a byte of X", 4.0, share)


def boosting(quick):
    """A refinery's processor time in fits of its estimator: one round of five folds, and the refit."""
    X, y = make_table(6_000, 50, 3)
    tree = HistGradientBoostingClassifier(max_iter=10 if quick else 50, random_state=0)
    ratios = []
    for _ in range(1 if quick else 3):
        start = time.process_time()
        tree.fit(X, y)
        middle = time.process_time()
        StochasticLabelRefinery(tree, n_rounds=1, random_state=0).fit(X, y)
        ratios.append((time.process_time() - middle) / (middle - start))
    case = "refinery of boosted trees, 6,000 x 50, one round of five folds and a refit, in fits"
    yield single(case, 15.0, np.median(ratios))


def exponents(quick):
    """How fits and predictions grow with rows: the exponent between a table and one of four times its rows."""
    for name, (rows, make) in ESTIMATORS.items():
        seconds = {rows: [], 4 * rows: []}
        for size in [*seconds] * (1 if quick else 3):
            X, y = make_table(size, 20, 3)
            start = time.process_time()
            make().fit(X, y).predict(X)
            seconds[size].append(time.process_time() - start)
        small, big = (np.median(taken) for taken in seconds.values())
        yield single(
            f"{name}: exponent of time in rows, {rows:,} to {4 * rows:,}", 1.1, math.log(big / small) / math.log(4)
        )
