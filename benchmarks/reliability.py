"""What the noise rate of an audit is worth, and whether the report says so.

    python -m benchmarks.reliability                    # everything that has no row yet
    python -m benchmarks.reliability --seeds 1 --datasets digits magic
    python -m benchmarks.reliability --print            # the table

Each row is one audit: of the shared tables and of digits with 0 to 40 % symmetric noise, or of people's labels
(CIFAR-10N as vectors, one radiologist of LIDC), by a linear model, a forest, a network of this package, or
`NoisyLabelClassifier`, which `audit_labels` takes where no classifier is named. It holds the true rate, the estimate,
its interval, and what the report says of its reliability. The constants behind that were chosen on seed 0
(`sklabelnoise/_label_report/_reliability.py`), so the rows that count are of other seeds.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.cells import markdown
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import CIFAR10N, TABLES, Task
from sklabelnoise import NoisyLabelClassifier, ProSelfLCClassifier
from sklabelnoise.audit import audit_labels

PATH = RESULTS / "reliability.jsonl"
RATES = (0.1, 0.2, 0.3, 0.4)
DATASETS = (*TABLES, "digits", "lidc_malignancy", *CIFAR10N)
AUDITORS = {
    "logistic regression, five fits": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)),
    "random forest, five fits": lambda seed: RandomForestClassifier(min_samples_leaf=2, random_state=seed),
    "ProSelfLC, two half fits": lambda seed: make_pipeline(
        StandardScaler(), ProSelfLCClassifier(device="cpu", random_state=seed)
    ),
    "NoisyLabelClassifier, left out": lambda seed: NoisyLabelClassifier(random_state=seed),
}
OFF, NEAR = 0.1, 0.05  # an estimate is off by more than the first, and near by less than the second
LEVELS = ("good", "rough", "none")


def tasks_of(dataset):
    """Names of the tasks that a data set is measured on."""
    if dataset in CIFAR10N or dataset == "lidc_malignancy":
        return [f"{dataset}/human/0"]
    return [f"{dataset}/clean/0", *(f"{dataset}/symmetric/{rate:g}" for rate in RATES)]


def run(task, seed, auditor):
    """The measurements of one row."""
    drawn = Task.from_name(task, max_train=2000).draw(seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what they say is in the row
        report = audit_labels(AUDITORS[auditor](seed), drawn.X_train, drawn.y_given, random_state=seed)
    low, high = report.noise_rate_interval
    measured = {
        "true_rate": np.mean(drawn.y_given != drawn.y_clean),
        "estimated_rate": report.noise_rate,
        "low": low,
        "high": high,
        "seconds": time.perf_counter() - start,
    }
    return {
        "task": task,
        "seed": seed,
        "auditor": auditor,
        "reliability": report.reliability,
        "n_issues": len(report.issues),
        "n_rows": len(report.y),
        **{name: round(float(value), 5) for name, value in measured.items()},
    }


def reliability_table(rows):
    """One line a level of reliability: how often it is given, how far off estimates are, how often intervals hold."""
    frame = pd.DataFrame(rows)
    frame["off"] = (frame["estimated_rate"] - frame["true_rate"]).abs()
    frame["held"] = frame["true_rate"].between(frame["low"], frame["high"])
    frame["width"] = frame["high"] - frame["low"]
    lines = {}
    for level in LEVELS:
        of_level = frame[frame["reliability"] == level]
        if len(of_level):
            lines[level] = {
                "audits": str(len(of_level)),
                "off by, median": f"{100 * of_level['off'].median():.1f}",
                "95 % within": f"{100 * of_level['off'].quantile(0.95):.1f}",
                "interval holds": f"{of_level['held'].mean():.0%}",
                "its width, mean": f"{100 * of_level['width'].mean():.1f}",
            }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("reliability")


def warned_shares(rows):
    """How often the report warns: where the estimate is off, and where it is near."""
    frame = pd.DataFrame(rows)
    off = (frame["estimated_rate"] - frame["true_rate"]).abs()
    warned = frame["reliability"] != "good"
    return warned[off > OFF].mean(), warned[off < NEAR].mean()


def reliability_block(rows):
    """The table with where it comes from, for `benchmarks.report`."""
    frame = pd.DataFrame(rows)
    of_off, of_near = warned_shares(rows)
    auditors = ", ".join(sorted(frame["auditor"].unique()))
    seeds = ", ".join(map(str, sorted(frame["seed"].unique())))
    commits = ", ".join(sorted({row["commit"] or "?" for row in rows}))
    return (
        f"{len(rows)} audits of {frame['task'].nunique()} tasks ({auditors}; seeds {seeds}), at most 2,000 rows each, "
        "0 to 40 % symmetric noise and the labels of people. How far the estimated noise rate is off, in points, by "
        f"what the report says of it. It warns of {of_off:.0%} of the estimates that are off by more than "
        f"{100 * OFF:.0f} points, and of {of_near:.0%} of those that are within {100 * NEAR:.0f}. "
        f"{rows[-1]['processor']}, commits {commits}.\n\n{markdown(reliability_table(rows))}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", nargs="+", choices=DATASETS, default=DATASETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=(1,))
    parser.add_argument("--output", type=Path, default=PATH, help="file of the rows")
    parser.add_argument("--print", action="store_true", help="show the table, measure nothing")
    options = parser.parse_args()
    if options.print:
        print(reliability_block(read_rows(options.output)))
        return
    torch.set_num_threads(1)
    about = environment()
    done = {(row["task"], row["seed"], row["auditor"]) for row in read_rows(options.output)}
    for seed in options.seeds:
        for task in (name for dataset in options.datasets for name in tasks_of(dataset)):
            for auditor in AUDITORS:
                if (task, seed, auditor) not in done:
                    row = run(task, seed, auditor)
                    append_row(options.output, row | about)
                    print(row, flush=True)


if __name__ == "__main__":
    main()
