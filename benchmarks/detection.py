"""Find wrong labels, and say how many there are: audits of this package against five fits scored by cleanlab.

    python -m benchmarks.detection                      # everything that has no row yet
    python -m benchmarks.detection --parts tables --seeds 0
    python -m benchmarks.detection --print              # the tables

Every method of a network has the same network, budget and rows. "One fit" is the ranking of `audit_labels` with its
defaults: what the network predicted for its training rows, averaged over its epochs; "two half fits" are what it
estimates the noise rate from. "Left out" is what `audit_labels` does where no classifier is named: one fit of
`NoisyLabelClassifier`, which predicts every row without its label as it goes. "Five fits" are out-of-fold
probabilities, ranked by cleanlab's ``get_label_quality_scores`` (pip install cleanlab --no-deps; pip install
termcolor), of the networks, of a random forest and of one whose leaf size was chosen on the same labels. No clean label
is used but for scoring.

Parts: ``tables`` has 20 % symmetric noise on every table; ``rates`` has 10, 30 and 40 % on the tables that cross
entropy, trained on clean labels, gets right out of fold for more than 90 % of the rows; ``cifar10n`` has the human
labels of CIFAR-10N, with images as vectors of unsupervised patch features.
"""

import argparse
import functools
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks import grids
from benchmarks.cells import best_in_bold, markdown, mean_sd
from benchmarks.patch_features import patch_features
from benchmarks.rows import PACKAGES, RESULTS, append_row, environment, read_rows
from benchmarks.tasks import TABLES, Task, data_home
from benchmarks.tuned import ChosenLeaf
from sklabelnoise import DMClassifier, NoisyLabelClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.audit import audit_labels, estimate_noise_rate
from sklabelnoise.datasets import fetch_cifar_n
from sklabelnoise.metrics import detection_scores

PATH = RESULTS / "detection.jsonl"
NETWORKS = {
    "cross entropy": functools.partial(RobustLossClassifier, loss="cross_entropy"),
    "DM(0.5, 8)": DMClassifier,
    "ProSelfLC": ProSelfLCClassifier,
}
OTHERS = {
    "NoisyLabelClassifier": NoisyLabelClassifier,
    "RandomForest": RandomForestClassifier,
    "RandomForest, tuned": lambda random_state: ChosenLeaf(
        RandomForestClassifier(grids.N_TREES, random_state=random_state), grids.LEAVES, random_state=random_state
    ),
}
ONE_FIT, FIVE_FITS = "one fit", "five fits, cleanlab"
HALVES, LEFT_OUT = "two half fits", "left out"
# What ranks labels; one fit of plain cross entropy memorizes, so the package does not take it for evidence.
RANKINGS = (
    ("cross entropy", FIVE_FITS),
    *((name, evidence) for name in ("DM(0.5, 8)", "ProSelfLC") for evidence in (ONE_FIT, FIVE_FITS)),
    ("NoisyLabelClassifier", LEFT_OUT),
    ("RandomForest", FIVE_FITS),
    ("RandomForest, tuned", FIVE_FITS),
)
ESTIMATES = (
    ("cross entropy", FIVE_FITS),
    ("ProSelfLC", HALVES),
    ("NoisyLabelClassifier", LEFT_OUT),
    ("RandomForest, tuned", FIVE_FITS),
)
EVIDENCE = {ONE_FIT: "fit", HALVES: "fit", LEFT_OUT: "fit", FIVE_FITS: "out_of_fold"}
CLEAN_ERROR = "clean error"
RATES = (0.1, 0.2, 0.3, 0.4)
MAX_CLEAN_ERROR = 0.1
N_IMAGES = 5_000
LABEL_SETS = ("random1", "worse", "aggregate")


def classifier(name, seed):
    if name in OTHERS:
        return OTHERS[name](random_state=seed)
    return make_pipeline(StandardScaler(), NETWORKS[name](device="cpu", random_state=seed))


def draw(task, seed):
    """Features, given labels and true labels of a task."""
    if not task.startswith("cifar10n/"):
        drawn = Task.from_name(task, max_train=2000).draw(seed)
        return drawn.X_train, drawn.y_given, drawn.y_clean
    labels = fetch_cifar_n(task.removeprefix("cifar10n/"), data_home=data_home())
    return _image_vectors(), labels.y_train[:N_IMAGES], labels.y_train_clean[:N_IMAGES]


@functools.cache
def _image_vectors():
    from sklabelnoise.datasets import fetch_cifar10

    return patch_features(fetch_cifar10(data_home=data_home()).X_train[:N_IMAGES], random_state=0)


def audit(name, evidence, X, y, seed):
    """Report of an audit; its warnings concern what the table shows anyway."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The predictions disagree with", category=UserWarning)
        return audit_labels(classifier(name, seed), X, y, evidence=EVIDENCE[evidence], random_state=seed)


def scores_of(report, evidence):
    if evidence != FIVE_FITS:
        return report.label_quality
    from cleanlab.rank import get_label_quality_scores

    return get_label_quality_scores(**report.to_cleanlab())


def run(task, seed, name, evidence):
    """The measurements of one row."""
    X, y, y_clean = draw(task, seed)
    start = time.perf_counter()
    if evidence == CLEAN_ERROR:
        report = audit(name, FIVE_FITS, X, y_clean, seed)
        measured = {"clean_error": round(float(np.mean(report.classes[report.proba.argmax(axis=1)] != y_clean)), 5)}
    else:
        report = audit(name, evidence, X, y, seed)
        wrong = y != y_clean
        measured = {"realised_rate": wrong.mean()}
        if evidence != HALVES:
            measured |= detection_scores(wrong, scores_of(report, evidence))
        if evidence != ONE_FIT:
            measured["estimated_rate"] = report.noise_rate
        if evidence == FIVE_FITS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                joint = estimate_noise_rate(y, report.proba, method="confident_joint", classes=report.classes)
            measured["confident_joint_rate"] = joint
        measured = {key: round(float(value), 5) for key, value in measured.items()}
    seconds = round(time.perf_counter() - start, 3)
    return {"task": task, "seed": seed, "network": name, "evidence": evidence, **measured, "seconds": seconds}


def runs_of(part, seeds, rows):
    """What a part measures, seeds outermost; `rates` follows from the clean errors measured with `tables`."""
    if part == "rates":
        tables = accurate_tables(rows)
        pairs = list(ESTIMATES)
        tasks = [f"{table}/symmetric/{rate:g}" for rate in RATES for table in tables]
    else:
        pairs = list(RANKINGS)
        tasks = [f"cifar10n/{label_set}" for label_set in LABEL_SETS]
    if part == "tables":
        pairs.append(("cross entropy", CLEAN_ERROR))
        tasks = [f"{table}/symmetric/0.2" for table in TABLES]
    return [(task, seed, *pair) for seed in seeds for task in tasks for pair in pairs]


def accurate_tables(rows):
    """Tables whose out-of-fold error on clean labels is small enough for noise rates to be estimated."""
    errors = pd.DataFrame([row for row in rows if row["evidence"] == CLEAN_ERROR], columns=["task", "clean_error"])
    means = errors.groupby("task")["clean_error"].mean()
    return [task.partition("/")[0] for task in means.index[means < MAX_CLEAN_ERROR]]


def detection_table(rows):
    """AUC of finding wrong labels, mean ± sd over seeds; the best of a task in bold."""
    frame = pd.DataFrame(
        [row for row in rows if "auc" in row and row["task"].endswith(("/symmetric/0.2", *LABEL_SETS))]
    )
    frame["method"] = frame["network"] + ", " + frame["evidence"]
    by = frame.groupby(["task", "method"])["auc"]
    means = by.mean().unstack()
    cells = best_in_bold(by.apply(mean_sd, digits=3).unstack().fillna("–"), means)
    on_tables = means.index.str.endswith("/symmetric/0.2")
    cells.loc["mean over tables"] = means[on_tables].dropna().mean().map("{:.4f}".format)
    return cells.rename_axis("task", axis=0)


def noise_rate_table(rows):
    """Error of the estimated noise rate in points, mean ± sd over tables and seeds, and the greatest of a task."""
    tables = accurate_tables(rows)
    frame = pd.DataFrame([row for row in rows if "estimated_rate" in row and row["task"].partition("/")[0] in tables])
    frame["rate"] = frame["task"].str.rpartition("/")[2].astype(float)
    columns = {}
    for (name, evidence), group in frame.groupby(["network", "evidence"]):
        if group["rate"].nunique() == len(RATES):
            columns[f"{name}, {evidence.split(',')[0]}"] = (group, "estimated_rate")
            if evidence == FIVE_FITS:
                columns[f"{name}, five fits, confident joint"] = (group, "confident_joint_rate")
    table = {}
    for title, (group, column) in columns.items():
        error = 100 * (group[column] - group["realised_rate"])
        cells = {f"{rate:.0%}": mean_sd(error[group["rate"] == rate]) for rate in RATES}
        by_task = error.groupby(group["task"]).mean().abs()
        table[title] = cells | {
            "greatest": f"{by_task.max():.1f} ({by_task.idxmax()})",
            "tasks within 5": f"{(by_task <= 5).sum()} of {len(by_task)}",
        }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("estimate from")


def detection_block(rows):
    """Both tables with where they come from, for `benchmarks.report`."""
    seeds = pd.DataFrame(rows).groupby("task")["seed"].nunique()
    versions = rows[-1]["versions"]
    commits = ", ".join(sorted({row["commit"] or "?" for row in rows}))
    return (
        "AUC of telling wrong from right labels. At most 2,000 rows of each table with 20 % symmetric noise, "
        f"{N_IMAGES:,} images with the human labels of CIFAR-10N; seeds a task: {seeds.min()} to {seeds.max()}, ± is "
        f"the standard deviation over them. cleanlab {versions.get('cleanlab')}, torch {versions['torch']}, "
        f"{rows[-1]['processor']}, commits {commits}.\n\n"
        f"{markdown(detection_table(rows))}\n"
        "Estimated minus true noise rate, in points, ± the standard deviation over the tables whose "
        "out-of-fold error on clean labels is under "
        f"{MAX_CLEAN_ERROR:.0%} ({', '.join(accurate_tables(rows))}).\n\n{markdown(noise_rate_table(rows))}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--parts", nargs="+", choices=("tables", "rates", "cifar10n"), default=("tables", "rates", "cifar10n")
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=tuple(range(5)))
    parser.add_argument("--output", type=Path, default=PATH, help="file of the rows")
    parser.add_argument("--print", action="store_true", help="show the tables, measure nothing")
    options = parser.parse_args()
    if options.print:
        print(detection_block(read_rows(options.output)))
        return
    torch.set_num_threads(1)
    about = environment((*PACKAGES, "cleanlab"))
    for part in options.parts:
        done = {(row["task"], row["seed"], row["network"], row["evidence"]) for row in read_rows(options.output)}
        for key in runs_of(part, options.seeds, read_rows(options.output)):
            if key not in done:
                row = run(*key)
                append_row(options.output, row | about)
                print(row, flush=True)


if __name__ == "__main__":
    main()
