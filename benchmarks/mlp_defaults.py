"""Choose the default MLP and how it is trained, from noisy labels alone.

    python -m benchmarks.mlp_defaults

Plain cross entropy is trained on eight shared tables (at most 2,000 rows, 20 and 40 % symmetric noise) and scored by
its out-of-fold accuracy on the *given* labels: no clean label and no test row is read, and no robust method is run.
The score of a candidate is the mean over tables and rates; every candidate sees the same rows, folds and noise.

The search has three stages: random candidates, the neighbors of the best ones (one setting changed), and new seeds
for the finalists, which decide. The training loop is written out in PyTorch, so the choice does not depend on the
estimators it is made for. Rows go to results/mlp_defaults.jsonl; the winner is printed.
"""

import argparse
import functools
import itertools
import math
import time

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional as F

from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import Task

PATH = RESULTS / "mlp_defaults.jsonl"
TABLES = ("optdigits", "pendigits", "letter", "satimage", "magic", "spambase", "cmc", "nursery")
RATES = (0.2, 0.4)
N_FOLDS = 3

# A rate suits one optimizer and not another, so the two are one setting.
SETTINGS = {
    "optimizer": [("Adam", 1e-3), ("Adam", 3e-3), ("Adam", 1e-2), ("AdamW", 1e-3), ("AdamW", 3e-3), ("AdamW", 1e-2),
                  ("SGD", 0.02), ("SGD", 0.05), ("SGD", 0.1)],
    "hidden": [(64,), (128,), (256,), (64, 64), (128, 128)],
    "epochs": [20, 40, 80],
    "batch_size": [128, 256],
    "schedule": ["constant", "cosine", "one_cycle"],
    "weight_decay": [0.0, 1e-4, 1e-3, 1e-2, 1e-1],
}  # fmt: skip
OPTIMIZERS = {
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "SGD": lambda parameters, **kwargs: torch.optim.SGD(parameters, momentum=0.9, **kwargs),
}


def rate_factor(schedule, progress):
    """Learning rate, as a share of its maximum, after a share `progress` of the training steps."""
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        return (1 + math.cos(math.pi * progress)) / 2
    warm_up = 0.3  # one_cycle: up from 1/25 of the rate, then down to nothing, as in PyTorch's OneCycleLR
    if progress < warm_up:
        return 1 / 25 + (1 - 1 / 25) * (1 - math.cos(math.pi * progress / warm_up)) / 2
    return (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up))) / 2


def train(X, labels, n_classes, candidate, seed):
    """Fit an MLP by cross entropy: shuffled consecutive batches, initial weights and row order fixed by the seed."""
    name, lr = candidate["optimizer"]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        widths = [X.shape[1], *candidate["hidden"]]
        hidden = itertools.chain.from_iterable((nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(widths))
        module = nn.Sequential(*hidden, nn.Linear(widths[-1], n_classes))
    optimizer = OPTIMIZERS[name](module.parameters(), lr=lr, weight_decay=candidate["weight_decay"], fused=True)
    shuffle = torch.Generator().manual_seed(seed)
    n_steps, step = candidate["epochs"] * math.ceil(len(X) / candidate["batch_size"]), 0
    for _ in range(candidate["epochs"]):
        for rows in torch.randperm(len(X), generator=shuffle).split(candidate["batch_size"]):
            optimizer.param_groups[0]["lr"] = lr * rate_factor(candidate["schedule"], step / n_steps)
            optimizer.zero_grad()
            F.cross_entropy(module(X[rows]), labels[rows]).backward()
            optimizer.step()
            step += 1
    return module


def out_of_fold_accuracy(X, given, candidate, seed, *, scale=True):
    """Share of the given labels that networks trained on the other folds predict."""
    hits = 0
    labels = torch.as_tensor(given)
    for fit, left_out in StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(X, given):
        scaler = StandardScaler(with_mean=scale, with_std=scale).fit(X[fit])
        X_fit, X_left_out = (torch.as_tensor(scaler.transform(X[rows])) for rows in (fit, left_out))
        module = train(X_fit, labels[fit], int(given.max()) + 1, candidate, seed)
        with torch.inference_mode():
            hits += (module(X_left_out).argmax(1) == labels[left_out]).sum().item()
    return hits / len(X)


@functools.cache
def cell(table, rate, seed):
    """Training rows and given labels; the rest of the draw is thrown away here."""
    draw = Task(table, "symmetric", rate, max_train=2000).draw(seed)
    return draw.X_train, draw.y_given


def measure(candidate, seed, stage):
    """One row: out-of-fold accuracy of a candidate in every cell, and their mean."""
    start = time.perf_counter()
    cells = {}
    for table, rate in itertools.product(TABLES, RATES):
        cells[f"{table}/{rate}"] = round(out_of_fold_accuracy(*cell(table, rate, seed), candidate, seed), 4)
    return {
        "stage": stage,
        "seed": seed,
        **candidate,
        "score": round(float(np.mean(list(cells.values()))), 5),
        "cells": cells,
        "seconds": round(time.perf_counter() - start, 2),
        **environment(),
    }


def random_candidate(rng):
    return {name: values[rng.integers(len(values))] for name, values in SETTINGS.items()}


def neighbors(candidate):
    """Candidates that differ in one setting, by one place in its list (names: by any place)."""
    for name, values in SETTINGS.items():
        at = values.index(candidate[name])
        near = range(len(values)) if name == "schedule" else (at - 1, at + 1)
        for other in near:
            if 0 <= other < len(values) and other != at:
                yield {**candidate, name: values[other]}


def key(candidate):
    return tuple(str(list(v) if isinstance(v, tuple) else v) for v in (candidate[name] for name in SETTINGS))


def search(*, n_random=32, n_refined=2, n_finalists=5, seeds=(0, 1, 2), report=print):
    """Run the three stages; rows that are in the file are not measured again."""
    rows = {(key(row), row["seed"]): row for row in read_rows(PATH)}

    def score(candidate, seed, stage):
        if (key(candidate), seed) not in rows:
            row = measure(candidate, seed, stage)
            append_row(PATH, row)
            rows[key(candidate), seed] = row
            report(f"{stage:8} {row['score']:.4f} {row['seconds']:6.1f} s  {candidate}")
        return rows[key(candidate), seed]["score"]

    rng = np.random.default_rng(0)
    tried = {key(c): c for c in (random_candidate(rng) for _ in range(n_random))}

    def best(n):
        return sorted(tried.values(), key=lambda c: -score(c, seeds[0], "random"))[:n]

    for candidate in best(n_refined):
        for near in neighbors(candidate):
            score(near, seeds[0], "refined")
            tried.setdefault(key(near), near)
    finalists = best(n_finalists)
    final = {key(c): np.mean([score(c, seed, "final") for seed in seeds[1:]]) for c in finalists}
    return sorted(((final[key(c)], c) for c in finalists), key=lambda pair: -pair[0])


def unscaled_digits(candidate, seed=0):
    """Out-of-fold accuracy on clean digits in [0, 16], for users who forget to scale."""
    X, y = load_digits(return_X_y=True)
    return out_of_fold_accuracy(X.astype(np.float32), y, candidate, seed, scale=False)


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    ranking = search()
    for score, candidate in ranking:
        print(f"{score:.4f}  raw digits {unscaled_digits(candidate):.3f}  {candidate}")


if __name__ == "__main__":
    main()
