"""What could mend the refinery where few labels are wrong, and whether it does.

    python -m benchmarks.refinery_mends

Refining moves right labels as well as wrong ones, and where hardly any is wrong the final model gets worse by it. Tried
against that, none by a clean label:

* fewer rounds: two instead of six;
* label weight by rate: the more weight to the labels, the fewer of them are estimated to be wrong, so that in all
  rounds together a label moves by twice that share at most, and as by default from 41 % on;
* where sure: refined labels where the last round gives a class nine parts in ten, given labels elsewhere
  (`relabel=0.9` since);
* as many as wrong: refined labels for the most doubtful rows, as many as are estimated to be wrong; given labels
  elsewhere (`relabel="suspects"` since);
* most probable class: the refined labels made hard.

Five tables, 0 to 40 % symmetric noise, logistic regression and a network. What to keep was chosen by two seeds, and is
judged by two others, whose rows were made afterwards. Rows are appended to results/refinery_mends.jsonl as they are
finished; a killed run goes on where it stopped.
"""

import argparse
import itertools
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.cells import best_in_bold, markdown
from benchmarks.refinery import MAX_TRAIN, TABLES
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import Task
from sklabelnoise import RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise.audit import estimate_noise_rate

PATH = RESULTS / "refinery_mends.jsonl"
RATES = (0, 0.1, 0.2, 0.4)
CHOSEN_ON = (0, 1)
SEEDS = (*CHOSEN_ON, 2, 3)
N_ROUNDS, LABEL_WEIGHT = 6, 3  # the defaults of the refinery
SURE = 0.9

ESTIMATORS = {
    "LogisticRegression": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)),
    "cross entropy": lambda seed: make_pipeline(
        StandardScaler(), RobustLossClassifier(loss="cross_entropy", device="cpu", random_state=seed)
    ),
}


def label_weight_of(noise_rate):
    """Weight of the labels by which `N_ROUNDS` rounds move them by twice the noise rate, or as by default."""
    kept = max(1 - 2 * noise_rate, (LABEL_WEIGHT / (LABEL_WEIGHT + 1)) ** N_ROUNDS)
    kept = min(kept, 1 - 1e-6) ** (1 / N_ROUNDS)  # of a label, by one round
    return kept / (1 - kept)


def accuracies(estimator, draw, seed):
    """Test accuracy of the final model by trial, and the estimated noise rate."""

    def refinery(folder, **parameters):
        return StochasticLabelRefinery(estimator, checkpoint=folder, random_state=seed, **parameters).fit(
            draw.X_train, draw.y_given
        )

    with tempfile.TemporaryDirectory() as folder:
        fits = {n: refinery(folder, n_rounds=n) for n in (0, 1, 2, N_ROUNDS)}
        noise_rate = estimate_noise_rate(draw.y_given, fits[1].oof_proba_)
        models = {
            "plain estimator": fits[0],
            "refinery": fits[N_ROUNDS],
            "fewer rounds": fits[2],
            "label weight by rate": refinery(folder, label_weight=label_weight_of(noise_rate)),
            "where sure": refinery(folder, relabel=SURE),
            "as many as wrong": refinery(folder, relabel="suspects"),
            "most probable class": clone(estimator).fit(draw.X_train, fits[N_ROUNDS].transduction_),
        }
    return {trial: model.score(draw.X_test, draw.y_test) for trial, model in models.items()}, noise_rate


def run(tables, estimators, seeds):
    done = {(row["task"], row["estimator"], row["seed"]) for row in read_rows(PATH)}
    tasks = [
        Task(table, "symmetric" if rate else "clean", rate=rate, max_train=MAX_TRAIN)
        for table, rate in itertools.product(tables, RATES)
    ]
    for seed, name, task in itertools.product(seeds, estimators, tasks):
        if (task.name, name, seed) in done:
            continue
        draw, start = task.draw(seed), time.perf_counter()
        scores, noise_rate = accuracies(ESTIMATORS[name](seed), draw, seed)
        row = {
            "task": task.name,
            "n_train": len(draw.X_train),
            "n_classes": draw.n_classes,
            "realised_rate": round(float(np.mean(draw.y_given != draw.y_clean)), 5),
            "estimated_rate": round(noise_rate, 5),
            "estimator": name,
            "seed": seed,
            "test_accuracy": {trial: round(float(score), 5) for trial, score in scores.items()},
            "seconds": round(time.perf_counter() - start, 1),
            **environment(),
        }
        append_row(PATH, row)
        print(f"{task.name:26} {name:20} seed {seed}: {row['test_accuracy']} ({row['seconds']} s)", flush=True)


def mends_block(rows):
    """Mean accuracy by estimator and noise, for `benchmarks.report`: of seeds that chose, and of those that judge."""
    tables = {row["task"].split("/")[0] for row in rows}
    text = ""
    for title, chose in (("What was chosen by", True), ("And on seeds that no choice had seen", False)):
        own = [row for row in rows if (row["seed"] in CHOSEN_ON) == chose]
        if own:
            seeds = ", ".join(map(str, sorted({row["seed"] for row in own})))
            text += f"{title} (seeds {seeds}):\n\n{markdown(_accuracy_table(own))}\n"
    return (
        f"{text}Accuracy on clean test labels in %; tables {', '.join(sorted(tables))}; at most {MAX_TRAIN:,} rows. "
        f"Commits {', '.join(sorted({row['commit'] for row in rows}))}.\n"
    )


def _accuracy_table(rows):
    """A line for each estimator and noise, a column for each trial; the best is bold."""
    frame = pd.DataFrame(
        {"estimator": row["estimator"], "noise": row["task"].split("/")[-1], **row["test_accuracy"]} for row in rows
    )
    groups = frame.groupby(["estimator", "noise"])
    means = 100 * groups.mean()
    cells = best_in_bold(means.map("{:.1f}".format), means)
    cells["rows"] = groups.size().astype(str)
    cells.index = [f"{estimator}, {100 * float(noise):.0f} %" for estimator, noise in cells.index]
    return cells.rename_axis("estimator, wrong labels")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--estimators", nargs="+", choices=ESTIMATORS, default=tuple(ESTIMATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    options = parser.parse_args()
    with threadpool_limits(1), warnings.catch_warnings():
        # The rate is estimated of whatever there is, also where the report would call it rough.
        warnings.filterwarnings("ignore", category=UserWarning)
        run(options.tables, options.estimators, options.seeds)


if __name__ == "__main__":
    main()
