"""What the stochastic label refinery does to labels and accuracy, round by round, and what it costs.

    python -m benchmarks.refinery curve
    python -m benchmarks.refinery overhead

``curve``: five tables, 20 and 40 % symmetric noise, three estimators. After each round: the share of training labels
that are right, as refined labels and as the plain out-of-fold argmax of that round, and the test accuracy of the final
model. Beside it the paper's competitors (Fang et al., ICPR 2020, Tables II and III): label refinery in sample, where
each model learns what the one before it predicts for its own training rows, and knowledge distillation, where a second
model learns the mean of the given labels and the predictions of the first.

``overhead``: time of the whole refinery over the time inside `fit` of its estimators, in the same run.

Rows are appended to results/refinery.jsonl as they are finished; a killed run goes on where it stopped.
"""

import argparse
import itertools
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.cells import best_in_bold, markdown
from benchmarks.memory import peak_gigabytes
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import Task
from sklabelnoise import DMClassifier, StochasticLabelRefinery
from sklabelnoise._label_refinery._soft_fit import DistributionFit, choose_method

PATH = RESULTS / "refinery.jsonl"
TABLES = ("car_evaluation", "magic", "nursery", "satimage", "spambase")
RATES = (0.2, 0.4)
SEEDS = (0, 1, 2)
N_ROUNDS = 8
MAX_TRAIN = 1500

ESTIMATORS = {
    "LogisticRegression": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "DMClassifier": lambda seed: make_pipeline(StandardScaler(), DMClassifier(device="cpu", random_state=seed)),
    # Fewer iterations and bins than by default: scikit-learn spends most of a weighted fit on the bins' quantiles.
    "HistGradientBoosting": lambda seed: HistGradientBoostingClassifier(max_iter=50, max_bins=32, random_state=seed),
}


def curve(estimator, draw, seed):
    """Right labels and accuracy after 0, 1, ... rounds.

    Runs that differ in `n_rounds` alone share a checkpoint, so a point costs one round and one final fit more than the
    point before.
    """
    columns = {"refined_right": [], "oof_right": [], "test_accuracy": [], "confidence": []}
    with tempfile.TemporaryDirectory() as folder:
        for n_rounds in range(N_ROUNDS + 1):
            refinery = StochasticLabelRefinery(estimator, n_rounds=n_rounds, checkpoint=folder, random_state=seed)
            refinery.fit(draw.X_train, draw.y_given)
            out_of_fold = refinery.classes_[refinery.oof_proba_.argmax(axis=1)] if n_rounds else draw.y_given
            columns["refined_right"].append(np.mean(refinery.transduction_ == draw.y_clean))
            columns["oof_right"].append(np.mean(out_of_fold == draw.y_clean))
            columns["test_accuracy"].append(refinery.score(draw.X_test, draw.y_test))
            columns["confidence"].append(refinery.soft_labels_.max(axis=1).mean())
    return columns


def in_sample_competitors(estimator, draw):
    """Label refinery in sample, round by round, and knowledge distillation."""
    classes, given = np.unique(draw.y_given, return_inverse=True)
    fit = DistributionFit(classes, choose_method(estimator, "auto", len(given)))

    def learn(targets):
        return fit.fit(clone(estimator), draw.X_train, draw.y_given, targets)

    def score(model):
        return np.mean(classes[fit.predict(model, draw.X_test).argmax(axis=1)] == draw.y_test)

    labels = np.eye(len(classes))[given]
    teacher = model = learn(labels)
    columns = {"in_sample_right": [np.mean(draw.y_given == draw.y_clean)], "in_sample_accuracy": [score(teacher)]}
    for _ in range(N_ROUNDS):
        targets = fit.predict(model, draw.X_train)
        model = learn(targets)
        columns["in_sample_right"].append(np.mean(classes[targets.argmax(axis=1)] == draw.y_clean))
        columns["in_sample_accuracy"].append(score(model))
    distilled = learn((labels + fit.predict(teacher, draw.X_train)) / 2)
    return {**columns, "distilled_accuracy": [score(distilled)]}


def run_curves(tables, estimators, seeds):
    done = {(row["task"], row["estimator"], row["seed"]) for row in read_rows(PATH) if row["part"] == "curve"}
    tasks = [Task(table, rate=rate, max_train=MAX_TRAIN) for table, rate in itertools.product(tables, RATES)]
    for seed, name, task in itertools.product(seeds, estimators, tasks):
        if (task.name, name, seed) in done:
            continue
        draw, estimator = task.draw(seed), ESTIMATORS[name](seed)
        start = time.perf_counter()
        columns = {**curve(estimator, draw, seed), **in_sample_competitors(estimator, draw)}
        row = {
            "part": "curve",
            "task": task.name,
            "n_train": len(draw.X_train),
            "n_classes": draw.n_classes,
            "realised_rate": round(float(np.mean(draw.y_given != draw.y_clean)), 5),
            "estimator": name,
            "seed": seed,
            **{key: [round(float(value), 5) for value in values] for key, values in columns.items()},
            "seconds": round(time.perf_counter() - start, 1),
            **environment(),
        }
        append_row(PATH, row)
        print(
            f"{task.name:30} {name:22} seed {seed}: given {row['refined_right'][0]:.3f}, refined "
            f"{' '.join(f'{value:.3f}' for value in row['refined_right'][1:])} ({row['seconds']} s)",
            flush=True,
        )


class _Stopwatch:
    """Mixed into an estimator, adds up the time spent in its methods."""

    seconds = {"fit": 0.0, "predict_proba": 0.0}

    def fit(self, *args, **kwargs):
        return self._timed("fit", *args, **kwargs)

    def predict_proba(self, X):
        return self._timed("predict_proba", X)

    def _timed(self, name, *args, **kwargs):
        start = time.perf_counter()
        try:
            return getattr(super(), name)(*args, **kwargs)
        finally:
            _Stopwatch.seconds[name] += time.perf_counter() - start


class TimedLogisticRegression(_Stopwatch, LogisticRegression):
    """Logistic regression that knows how long it took."""

    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y, sample_weight=sample_weight)


def run_overhead(repeats=3):
    """5 folds x 3 rounds of logistic regression; the large case first, for its memory is the process's peak."""
    for n_samples, repeat in itertools.product((100_000, 5_000), range(repeats)):
        X, y = make_classification(
            n_samples, n_features=50, n_informative=20, n_classes=3, flip_y=0.4, random_state=repeat
        )
        before = peak_gigabytes()
        _Stopwatch.seconds = {"fit": 0.0, "predict_proba": 0.0}
        start = time.perf_counter()
        StochasticLabelRefinery(TimedLogisticRegression(), n_rounds=3, random_state=0).fit(X, y)
        total = time.perf_counter() - start
        inside = _Stopwatch.seconds
        row = {
            "part": "overhead",
            "n_samples": n_samples,
            "n_features": 50,
            "n_classes": 3,
            "repeat": repeat,
            "total_seconds": round(total, 2),
            "fit_seconds": round(inside["fit"], 2),
            "ratio_to_fits": round(total / inside["fit"], 4),
            "ratio_to_fits_and_predictions": round(total / sum(inside.values()), 4),
            "peak_gib": round(peak_gigabytes(), 3),
            "peak_before_gib": round(before, 3),
            **environment(),
        }
        append_row(PATH, row)
        print({key: row[key] for key in ("n_samples", "total_seconds", "ratio_to_fits", "peak_gib")}, flush=True)


# What a curve's last figure is compared with: title, column, and which of its values.
FINAL = {
    "plain estimator": ("test_accuracy", 0),
    "refinery": ("test_accuracy", -1),
    "label refinery in sample": ("in_sample_accuracy", -1),
    "knowledge distillation": ("distilled_accuracy", -1),
}


def accuracy_table(curves):
    """Test accuracy of the refinery beside the paper's competitors, by estimator and noise; the best is bold."""
    frame = pd.DataFrame(
        {
            "estimator": row["estimator"],
            "noise": "/".join(row["task"].split("/")[1:]),
            **{title: row[column][at] for title, (column, at) in FINAL.items()},
        }
        for row in curves
    )
    groups = frame.groupby(["estimator", "noise"])
    means = 100 * groups[list(FINAL)].mean()
    cells = best_in_bold(means.map("{:.1f}".format), means)
    cells["curves"] = groups.size().astype(str)
    cells.index = [f"{estimator}, {noise}" for estimator, noise in cells.index]
    return cells.rename_axis("estimator, noise")


def rounds_table(curves):
    """Share of training labels that are right after each round, a mean over tables and seeds."""
    lines = {}
    for title, column in {
        "refined": "refined_right", "out of fold": "oof_right", "in sample": "in_sample_right",
    }.items():  # fmt: skip
        frame = pd.DataFrame([row[column] for row in curves], index=[row["estimator"] for row in curves])
        for estimator, means in (100 * frame.groupby(level=0).mean()).iterrows():
            lines[f"{estimator}, {title}"] = means.map("{:.1f}".format)
    return pd.DataFrame(lines).T.sort_index().rename_axis("labels right, %, after round").rename(columns=str)


def refinery_block(rows):
    """Tables of the curves and the overhead, for `benchmarks.report`."""
    curves = [row for row in rows if row["part"] == "curve" and "distilled_accuracy" in row]
    overhead = pd.DataFrame([row for row in rows if row["part"] == "overhead"])
    commits = ", ".join(sorted({row["commit"] for row in rows}))
    text = f"Commits {commits}."
    if len(overhead):
        medians = overhead.groupby("n_samples")["ratio_to_fits"].median()
        text += " Time of the whole refinery of a logistic regression over that inside its fits: " + "; ".join(
            f"{ratio:.2f} at {n:,} x 50" for n, ratio in medians.items()
        )
        text += "."
    if not curves:
        return f"{text}\n"
    tables, seeds = {row["task"].split("/")[0] for row in curves}, {row["seed"] for row in curves}
    n_all = len(ESTIMATORS) * len(TABLES) * len(RATES) * len(SEEDS)
    return (
        f"{markdown(accuracy_table(curves))}\nAccuracy on clean test labels in %, after {N_ROUNDS} rounds: "
        f"{len(curves)} of {n_all} curves (tables {', '.join(sorted(tables))}; seeds "
        f"{', '.join(map(str, sorted(seeds)))}; at most {MAX_TRAIN:,} rows).\n\n"
        f"{markdown(rounds_table(curves))}\n{text}\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("curve", "overhead"))
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=tuple(ESTIMATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    options = parser.parse_args()
    with threadpool_limits(1), warnings.catch_warnings():
        # Histogram boosting counts copies in min_samples_leaf; the docstring says so and the figures include it.
        warnings.filterwarnings("ignore", "Soft labels reach")
        if options.part == "curve":
            run_curves(options.tables, options.estimators, options.seeds)
        else:
            run_overhead()


if __name__ == "__main__":
    main()
