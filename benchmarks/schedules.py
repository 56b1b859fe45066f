"""Does an emphasis that moves during training beat a fixed one?

    python -m benchmarks.schedules                      # everything that has no row yet
    python -m benchmarks.schedules --seeds 0 --print    # and the table

The derivative manipulation paper leaves it as future work to change lambda and beta while the network learns. Here both
move linearly from a start to an end over the batches of a training, against the starts and ends held fixed: eight
tables with 40 % symmetric noise, the network, rows and noise of `benchmarks.run`.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from benchmarks.cells import markdown
from benchmarks.comparison import BASELINE, CEILING, share_recovered
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import Task
from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise.losses import DMEmphasis

PATH = RESULTS / "schedules.jsonl"
TABLES = ("adult", "letter", "magic", "mushroom", "nursery", "pendigits", "satimage", "spambase")
FIXED = ((0, 0), (0.5, 8), (1, 16), (2, 24))
MOVING = (
    ((0, 0), (0.5, 8)),
    ((0, 0), (1, 16)),
    ((0, 0), (2, 24)),
    ((1, 16), (0, 0)),
    ((2, 24), (0, 0)),
    ((0.5, 8), (1, 16)),
    ((1, 16), (0.5, 8)),
    ((2, 24), (1, 16)),
)
# A schedule is worth a parameter if its mean is better than that of the best fixed emphasis by at least the first, and
# no table loses more than the second; in points.
MIN_GAIN, MAX_LOSS = 1.0, 0.5


class MovingEmphasis(Callback):
    """Set the emphasis of a `DMLoss` before each batch, on the line between two pairs of lambda and beta."""

    def __init__(self, start, end):
        self.start = start
        self.end = end

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        if training:
            progress = net.iteration_ / net.n_iterations_
            pairs = zip(self.start, self.end, strict=True)
            net.criterion_.emphasis = DMEmphasis(*(a + progress * (b - a) for a, b in pairs))


def name_of(start, end):
    pair, other = (f"({lam:g}, {beta:g})" for lam, beta in (start, end))
    return f"DM{pair}" if start == end else f"DM{pair} → {other}"


METHODS = {
    CEILING: (RobustLossClassifier, {"loss": "cross_entropy"}),
    BASELINE: (RobustLossClassifier, {"loss": "cross_entropy"}),
    **{name_of(pair, pair): (DMClassifier, {"lam": pair[0], "beta": pair[1]}) for pair in FIXED},
    **{name_of(*ends): (DMClassifier, {"callbacks": [MovingEmphasis(*ends)]}) for ends in MOVING},
}


def run(task, seed, method):
    """One fit and its row."""
    draw = task.draw(seed)
    kind, parameters = METHODS[method]
    estimator = make_pipeline(StandardScaler(), kind(**parameters, device="cpu", random_state=seed))
    start = time.perf_counter()
    estimator.fit(draw.X_train, draw.y_clean if method == CEILING else draw.y_given)
    seconds = time.perf_counter() - start
    return {
        "task": task.name,
        "max_train": task.max_train,
        "seed": seed,
        "method": method,
        "test_accuracy": round(float(estimator.score(draw.X_test, draw.y_test)), 5),
        "fit_seconds": round(seconds, 4),
    }


def finished(rows):
    """Accuracies of the draws that all methods have rows for, one draw a row."""
    frame = pd.DataFrame(rows).pivot_table(index=["task", "seed"], columns="method", values="test_accuracy")
    return frame.reindex(columns=list(METHODS)).dropna()


def schedule_table(rows):
    """Accuracy of each method, and its distance in points from the fixed emphasis with the best mean."""
    frame = finished(rows)
    by_task = 100 * frame.groupby("task").mean()
    by_seed = frame.groupby("seed").mean()
    fixed = [name_of(pair, pair) for pair in FIXED]
    best = by_task[fixed].mean().idxmax()
    moving = [name_of(*ends) for ends in MOVING]
    # Which of several is best on a table is known from its test labels only.
    for oracle, names in (("the best fixed one of each table", fixed), ("the best moving one of each table", moving)):
        by_task[oracle] = by_task[names].max(axis=1)
        by_seed[oracle] = by_task[oracle].mean() / 100
    gain = by_task.sub(by_task[best], axis=0)
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    table = pd.DataFrame({"accuracy": by_task.mean(), "recovered": share_recovered(by_seed).mean()})
    table["points over the best fixed"] = gain.mean()
    table["standard error over tables"] = error
    table["worst table"] = gain.min()
    table["where"] = [task.partition("/")[0] for task in gain.idxmin()]
    return table.rename_axis("emphasis"), best


def worth_keeping(table):
    """Schedules that pass the rule that was set beforehand."""
    moving = table.loc[[name_of(*ends) for ends in MOVING]]
    kept = (moving["points over the best fixed"] >= MIN_GAIN) & (moving["worst table"] >= -MAX_LOSS)
    return list(moving.index[kept])


def schedules_block(rows):
    """The table with where it comes from and what follows, for `benchmarks.report`."""
    table, best = schedule_table(rows)
    kept = worth_keeping(table)
    tasks, seeds = (finished(rows).index.get_level_values(level).nunique() for level in ("task", "seed"))
    verdict = f"These pass: {', '.join(kept)}." if kept else "None of the schedules passes, so none is in the package."
    shown = pd.DataFrame(
        {
            "accuracy": table["accuracy"].map("{:.1f}".format),
            "recovered": table["recovered"].map("{:.2f}".format),
            f"points over {best}": [
                f"{mean:+.1f} ± {error:.1f}"
                for mean, error in table[["points over the best fixed", "standard error over tables"]].to_numpy()
            ],
            "worst table": [
                f"{worst:+.1f} ({where})" for worst, where in zip(table["worst table"], table["where"], strict=True)
            ],
        }
    )
    for column in shown.columns[2:]:
        shown.loc[[best], column] = "–"
    commits = ", ".join(sorted({row["commit"] or "?" for row in rows}))
    return (
        f"{tasks} tables with 40 % symmetric noise, {seeds} seeds, at most {rows[-1]['max_train']:,} training rows; ± "
        "is the standard error of the mean over tables. The last two rows choose by test labels. torch "
        f"{rows[-1]['versions']['torch']}, {rows[-1]['processor']}, commits {commits}.\n\n{markdown(shown)}\n"
        f"Set beforehand: a schedule is worth a parameter if it gains at least {MIN_GAIN:g} point over the best fixed "
        f"emphasis and loses no more than {MAX_LOSS:g} on any table. {verdict}\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", nargs="+", type=int, default=(0, 1, 2))
    parser.add_argument("--output", type=Path, default=PATH, help="file of the rows")
    parser.add_argument("--print", action="store_true", help="show the table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    done = {(row["task"], row["seed"], row["method"]) for row in read_rows(options.output)}
    about = environment()
    tasks = [Task(table, "symmetric", 0.4, max_train=2000) for table in TABLES]
    for seed, task, method in itertools.product(options.seeds, tasks, METHODS):
        if (task.name, seed, method) not in done:
            row = run(task, seed, method)
            append_row(options.output, {**row, **about})
            print(f"{task.name:26} seed {seed}  {method:24} {row['test_accuracy']:.4f}  {row['fit_seconds']:.2f} s")
    if options.print:
        print(schedules_block(read_rows(options.output)))


if __name__ == "__main__":
    main()
