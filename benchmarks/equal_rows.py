"""From what share of contested rows on should equal rows be dealt out to folds?

    python -m benchmarks.equal_rows
    python -m benchmarks.equal_rows --tables satimage --seeds 20 --summary

`NoisyLabelClassifier` leaves out equal rows with equal labels together, and deals them out to folds where many rows
have an equal one of another label. Here it does the one and the other on tables made for it: a few columns of tables of
the leaderboard, in so few steps that rows repeat, with 40 % of the labels wrong, on draws that no leaderboard has rows
of. A row is one draw, with the share of contested rows, and accuracy and estimated noise rate both ways.
"""

import argparse
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd

from benchmarks.cells import markdown
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import NOISES, Task
from sklabelnoise import NoisyLabelClassifier
from sklabelnoise._ensemble import _left_out_folds
from sklabelnoise._ensemble._distinct_rows import distinct_rows

TABLES = ("magic", "satimage")
# Columns, and the steps of each: contested rows are next to none of the last, and half of the first.
COARSE = ((4, 10), (5, 8), (6, 8), (8, 8), (6, 12))
RATE = 0.4
# The two ways as the share from which on rows are dealt out: never, and always.
WAYS = {"together": 2.0, "dealt": 0.0}
# Between these the table takes draws together; the rule tells those from a quarter on from the others.
SHARES = (0.0, 0.125, 0.25, 0.375, 0.5)


def coarse(X_train, X_test, n_columns, n_steps, rng):
    """Some columns of many values as numbers of steps that hold equally many training rows each."""
    many = [column for column in rng.permutation(X_train.shape[1]) if len(np.unique(X_train[:, column])) > 5]
    chosen = many[:n_columns]
    cuts = [np.unique(np.quantile(X_train[:, column], np.arange(1, n_steps) / n_steps)) for column in chosen]

    def steps(X):
        numbers = [np.searchsorted(cut, X[:, column]) for column, cut in zip(chosen, cuts, strict=True)]
        return np.stack(numbers, axis=1).astype(np.float32)

    return steps(X_train), steps(X_test)


def measure(table, n_columns, n_steps, noise, seed, max_train=700):
    """One row: both ways on one draw."""
    draw = Task.from_name(f"{table}/clean/0", max_train=max_train).draw(seed)
    X, X_test = coarse(draw.X_train, draw.X_test, n_columns, n_steps, np.random.default_rng([seed, 0]))
    y = NOISES[noise](X, draw.y_clean, None, draw.n_classes, RATE, seed)
    row = {"table": table, "columns": n_columns, "steps": n_steps, "noise": noise, "rate": RATE, "seed": seed}
    row |= {"max_train": max_train, "share": round(float(_left_out_folds.contested_share(distinct_rows(X, y))), 5)}
    row["realised_rate"] = round(float(np.mean(y != draw.y_clean)), 5)
    for way, share in WAYS.items():
        with mock.patch.object(_left_out_folds, "_CONTESTED", share):
            model = NoisyLabelClassifier(random_state=seed).fit(X, y)
        row[f"accuracy_{way}"] = round(float(model.score(X_test, draw.y_test)), 5)
        row[f"noise_rate_{way}"] = round(float(model.noise_rate_), 5)
    return row


def summary(rows):
    """What dealing out gains, and how far the noise rate is off both ways, by the share of contested rows."""
    frame = pd.DataFrame(rows)
    gain = 100 * (frame["accuracy_dealt"] - frame["accuracy_together"])
    off = {way: 100 * (frame[f"noise_rate_{way}"] - frame["realised_rate"]).abs() for way in WAYS}
    table = {}
    for low, high in pairwise(SHARES):
        of = frame["share"].between(low, high, inclusive="left")
        if of.any():
            table[f"{low:g} to {high:g}"] = {
                "draws": str(of.sum()),
                "better, worse": f"{(gain[of] > 0).sum()}, {(gain[of] < 0).sum()}",
                "points of accuracy": f"{gain[of].mean():+.1f}" + (f" ± {gain[of].sem():.1f}" if of.sum() > 1 else ""),
                "noise rate off, left out together": f"{off['together'][of].mean():.1f}",
                "dealt out": f"{off['dealt'][of].mean():.1f}",
            }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("share of contested rows")


def equal_rows_block(rows):
    """The table with what was run, for the README."""
    of = {name: sorted({row[name] for row in rows}) for name in ("table", "seed", "noise", "commit")}
    seeds, noises = ", ".join(map(str, of["seed"])), " and ".join(of["noise"])
    return (
        f"{markdown(summary(rows))}\n{', '.join(of['table'])} in few columns and steps, {rows[0]['max_train']} "
        f"training rows, {noises} noise of {RATE:.0%}, seeds {seeds}, which no leaderboard has rows of: what it gains "
        "to deal equal rows out to folds, ± the standard error of the mean, and by how many points the noise rate is "
        f"off. Commit {', '.join(of['commit'])}.\n"
    )


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="+", default=TABLES)
    parser.add_argument("--seeds", nargs="+", type=int, default=(20, 21))
    parser.add_argument("--output", type=Path, default=RESULTS / "equal_rows.jsonl")
    parser.add_argument("--summary", action="store_true", help="only the table of the rows that are there")
    options = parser.parse_args(arguments)
    names = ("table", "columns", "steps", "noise", "seed")
    done = {tuple(row[name] for name in names) for row in read_rows(options.output)}
    jobs = [
        (table, *shape, noise, seed)
        for table in options.tables
        for shape in COARSE
        for noise in ("symmetric", "instance")
        for seed in options.seeds
    ]
    for job in [] if options.summary else [job for job in jobs if job not in done]:
        append_row(options.output, {**measure(*job), **environment()})
        print(*job)
    print(summary(read_rows(options.output)).to_string())


if __name__ == "__main__":
    main()
