"""What could choose better, or do more, than `DMClassifierCV` does?

    python -m benchmarks.selection                      # everything that has no row yet
    python -m benchmarks.selection --seeds 0 --print    # and the table

Every candidate is cross-validated twice (five folds, other folds and initial weights the second time) and trained five
times on all rows, on the tables with 40 % symmetric noise. From these predictions follows what each rule below would
have chosen and how good its choice is; "retrained" variants fit the chosen candidate once more on labels, weights or
rows that its out-of-fold predictions suggest. Rules see given labels only, but for the oracle.

``--cache`` keeps the predictions (20 MB a table): a new rule then costs seconds.
"""

import argparse
import itertools
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, mutual_info_score
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import StandardScaler

from benchmarks.cells import markdown
from benchmarks.comparison import BASELINE, CEILING
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from benchmarks.tasks import TABLES, Task
from sklabelnoise import DMClassifier, DMClassifierCV, RobustLossClassifier
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._fused._fits import Fits, fit_together, refuse
from sklabelnoise._fused._folds import make_folds
from sklabelnoise.audit import estimate_transition_matrix

PATH = RESULTS / "selection.jsonl"
TASKS = tuple(f"{dataset}/symmetric/0.4" for dataset in (*TABLES, "digits"))
CANDIDATES = DMClassifierCV().candidates
OTHERS = ("gce", "cross_entropy")
N_CANDIDATES, CROSS_ENTROPY = len(CANDIDATES), len(CANDIDATES) + OTHERS.index("cross_entropy")
N_REPEATS, N_FOLDS, N_MEMBERS = 2, 5, 5
TODAY = "accuracy (DMClassifierCV)"
LAST = "retrained on the rows whose given label is predicted out of fold"


def estimators(seed):
    """The candidates, then the other losses."""
    return [
        *(DMClassifier(lam=lam, beta=beta, device="cpu", random_state=seed) for lam, beta in CANDIDATES),
        *(RobustLossClassifier(loss=loss, device="cpu", random_state=seed) for loss in OTHERS),
    ]


def scaled(draw):
    scaler = StandardScaler().fit(draw.X_train)
    return scaler.transform(draw.X_train), scaler.transform(draw.X_test)


def predictions(task, seed):
    """Probabilities of all candidates for one draw.

    Returns
    -------
    arrays : dict
        ``oof``: out of fold, of shape (n_repeats, n_candidates, n_train, n_classes). ``foldtest``: mean of the folds'
        networks on test rows, (n_repeats, n_candidates, n_test, n_classes). ``mem``: of each member on test rows,
        (n_candidates, n_members, n_test, n_classes). ``clean``: test accuracy of cross entropy on clean labels.
    """
    draw = task.draw(seed)
    X, X_test = scaled(draw)
    n, n_test, n_classes, n_all = len(X), len(X_test), draw.n_classes, len(estimators(0))
    oof = np.zeros((N_REPEATS, n_all, n, n_classes), np.float16)
    foldtest = np.zeros((N_REPEATS, n_all, n_test, n_classes), np.float32)
    # Test rows are left out of every fold, so one pass predicts both.
    all_rows, all_labels = np.vstack([X, X_test]), np.r_[draw.y_given, np.zeros(n_test, int)]
    for repeat in range(N_REPEATS):
        cv = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed * 10 + repeat)
        splits = [(train, np.r_[left_out, n : n + n_test]) for train, left_out in cv.split(X, draw.y_given)]
        candidates = estimators(seed * 100 + repeat)
        folds = partial(make_folds, X=all_rows, y=all_labels, splits=splits, fit_params={})
        for fit in Fits(candidates, N_FOLDS, folds, refuse):
            left_out = splits[fit.fold][1][:-n_test]
            logits = at_all_classes(fit.logits[0], fit.classes, np.arange(n_classes), fill=-np.inf)
            proba = torch.from_numpy(logits).softmax(-1).numpy()
            oof[repeat, fit.candidate, left_out] = proba[:-n_test]
            foldtest[repeat, fit.candidate] += proba[-n_test:] / N_FOLDS
    mem = np.zeros((n_all, N_MEMBERS, n_test, n_classes), np.float16)
    members = [estimators(seed * 100 + 50 + member) for member in range(N_MEMBERS)]
    for number, same in enumerate(zip(*members, strict=True)):
        for member, fitted in enumerate(fit_together(list(same), X, draw.y_given)):
            mem[number, member][:, fitted.classes_] = fitted.predict_proba(X_test)
    ceiling = RobustLossClassifier(loss="cross_entropy", device="cpu", random_state=seed).fit(X, draw.y_clean)
    return {
        "oof": oof,
        "foldtest": foldtest.astype(np.float16),
        "mem": mem,
        "clean": ceiling.score(X_test, draw.y_test),
    }


def scores_of(oof, y):
    """What each rule maximizes, for every candidate; `oof` as in `predictions`."""
    labels = np.arange(oof.shape[-1])
    predicted = oof.argmax(axis=-1)
    accuracy = (predicted == y).mean(axis=2)
    first = accuracy[0]
    information = np.array([[mutual_info_score(y, one) for one in repeat] for repeat in predicted])
    best = predicted[0, first[:N_CANDIDATES].argmax()]
    hits, best_hits = (predicted[0] == y).astype(float), (best == y).astype(float)
    error = (hits - best_hits).std(axis=1) / np.sqrt(len(y))
    near = first >= first[:N_CANDIDATES].max() - error
    neighbors = np.exp(-np.abs(np.subtract.outer(np.arange(N_CANDIDATES), np.arange(N_CANDIDATES))))
    smooth = np.r_[neighbors @ first[:N_CANDIDATES] / neighbors.sum(axis=1), np.zeros(len(OTHERS))]
    proba = oof[0, first[:N_CANDIDATES].argmax()].astype(float)
    matrix = estimate_transition_matrix(y, proba / proba.sum(axis=1, keepdims=True), classes=labels)
    inverse = np.linalg.pinv(matrix)
    consensus = oof[0, :N_CANDIDATES].astype(float).mean(axis=0).argmax(axis=-1)
    return {
        TODAY: first,
        "accuracy, folds repeated": accuracy.mean(axis=0),
        "accuracy of the mean of the repeats": (oof.astype(float).mean(axis=0).argmax(axis=-1) == y).mean(axis=1),
        "accuracy, smoothed over neighbours": smooth,
        "accuracy, corrected by an estimated transition matrix": np.array(
            [inverse[y, one].mean() for one in predicted[0]]
        ),
        "balanced accuracy": np.array([balanced_accuracy_score(y, one) for one in predicted[0]]),
        "Cohen's kappa": np.array([cohen_kappa_score(y, one) for one in predicted[0]]),
        "mutual information with the given labels": information[0],
        "mutual information, folds repeated": information.mean(axis=0),
        "mutual information among those within a standard error of the best accuracy": np.where(
            near, information[0], -1.0
        ),
        "agreement with the mean of all candidates": (predicted[0] == consensus).mean(axis=1),
    }


def evaluate(task, seed, arrays):
    """Test accuracy of what each rule makes, by its name."""
    draw = task.draw(seed)
    y, y_test = draw.y_given, draw.y_test
    members = arrays["mem"].astype(np.float32)
    means = members.mean(axis=1)

    def accuracy(proba):
        return float((proba.argmax(axis=-1) == y_test).mean())

    scores = scores_of(arrays["oof"].astype(np.float32), y)
    score = scores[TODAY][:N_CANDIDATES]
    order = np.argsort(-score, kind="stable")
    chosen = order[0]
    standard_error = np.sqrt(score[chosen] * (1 - score[chosen]) / len(y))
    weights = np.exp((score - score[chosen]) / standard_error)
    folds = arrays["foldtest"].astype(np.float32)[0]
    results = {
        BASELINE: accuracy(members[CROSS_ENTROPY, 0]),
        CEILING: float(arrays["clean"]),
        "oracle: best of the candidates on the test labels": max(map(accuracy, means[:N_CANDIDATES])),
        **{rule: accuracy(means[values[:N_CANDIDATES].argmax()]) for rule, values in scores.items()},
        "accuracy, GCE and cross entropy among the candidates": accuracy(means[scores[TODAY].argmax()]),
        "accuracy, one member": accuracy(members[chosen, 0]),
        "accuracy, networks of the folds (refit=False)": accuracy(folds[chosen]),
        "accuracy, members and networks of the folds": accuracy(means[chosen] + folds[chosen]),
        "mean of the two best": accuracy(means[order[:2]].mean(axis=0)),
        "mean of the three best": accuracy(means[order[:3]].mean(axis=0)),
        "mean of all, weighted by accuracy": accuracy((weights[:, None, None] * means[:N_CANDIDATES]).sum(axis=0)),
        "mean of all": accuracy(means[:N_CANDIDATES].mean(axis=0)),
        "cross entropy, five members": accuracy(means[CROSS_ENTROPY]),
    }
    return results | retrained(draw, seed, CANDIDATES[chosen], arrays["oof"][0, chosen].astype(float))


def retrained(draw, seed, candidate, proba):
    """The chosen candidate once more, on what its out-of-fold predictions suggest."""
    X, X_test = scaled(draw)
    proba = proba / proba.sum(axis=1, keepdims=True)
    given = np.eye(draw.n_classes)[draw.y_given]
    kept = proba.argmax(axis=1) == draw.y_given
    everything = np.ones(len(X), dtype=bool)
    variants = {
        "retrained on the mean of given labels and out-of-fold predictions": (everything, None, (given + proba) / 2),
        "retrained with the out-of-fold probability of the given label as weight": (
            everything, proba[np.arange(len(X)), draw.y_given], None,
        ),
        LAST: (kept, None, None),
    }  # fmt: skip
    results = {}
    for name, (rows, weight, soft) in variants.items():
        if np.ptp(draw.y_given[rows]) == 0:  # the candidate predicts one class, so only its rows are left
            results[name] = float((draw.y_test == draw.y_given[rows][0]).mean())
            continue
        members = [
            DMClassifier(lam=candidate[0], beta=candidate[1], device="cpu", random_state=1000 * seed + member)
            for member in range(N_MEMBERS)
        ]
        soft = None if soft is None else pd.DataFrame(soft, columns=np.arange(draw.n_classes))
        total = np.zeros((len(X_test), draw.n_classes))
        for fitted in fit_together(
            members, X[rows], draw.y_given[rows], None if weight is None else weight[rows], soft
        ):
            total[:, fitted.classes_] += fitted.predict_proba(X_test)
        results[name] = float((total.argmax(axis=1) == draw.y_test).mean())
    return results


def selection_table(rows):
    """Each rule: mean accuracy, share recovered with its standard error, points over today's, worst table."""
    frame = pd.DataFrame(rows).pivot_table(index=["task", "seed"], columns="rule", values="test_accuracy", sort=False)
    by_seed, by_task = frame.groupby("seed").mean(), frame.groupby("task").mean()
    recovered = by_seed.sub(by_seed[BASELINE], axis=0).div(by_seed[CEILING] - by_seed[BASELINE], axis=0)
    gain = 100 * by_task.sub(by_task[TODAY], axis=0)
    table = pd.DataFrame(
        {
            "accuracy, %": (100 * frame.mean()).map("{:.1f}".format),
            "recovered, %": (100 * recovered.mean()).map("{:.0f}".format),
            "points over today's": [
                f"{mean:+.1f} ± {error:.1f}"
                for mean, error in zip(gain.mean(), gain.std(ddof=1) / np.sqrt(len(gain)), strict=True)
            ],
            "worst table": [f"{gain[rule].min():+.1f}" for rule in gain],
        }
    )
    table.loc[TODAY, ["points over today's", "worst table"]] = "–"
    return table.loc[frame.mean().sort_values(ascending=False, kind="stable").index].rename_axis("rule")


def selection_block(rows):
    """The table and where it comes from, for `benchmarks.report`."""
    frame = pd.DataFrame(rows)
    commits = ", ".join(sorted({row["commit"] or "?" for row in rows}))
    return (
        f"{frame['task'].nunique()} tables with 40 % symmetric noise, seeds {sorted(frame['seed'].unique().tolist())}, "
        f"at most {frame['max_train'].max():,} training rows; ± is the standard error of the mean over tables. torch "
        f"{rows[-1]['versions']['torch']}, {rows[-1]['processor']}, commits {commits}.\n\n"
        f"{markdown(selection_table(rows))}\n"
    )


def cached_predictions(task, seed, cache):
    """Predictions from the cache where they are, else made and, with a cache, kept."""
    if cache is None:
        return predictions(task, seed)
    path = cache / f"{task.name.replace('/', '_')}_{seed}.npz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, **predictions(task, seed))
        partial.rename(path)
    with np.load(path) as arrays:
        return dict(arrays)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--max-train", type=int, default=2000)
    parser.add_argument("--cache", type=Path, help="folder of the predictions")
    parser.add_argument("--output", type=Path, default=PATH)
    parser.add_argument("--print", action="store_true", help="show the table at the end")
    options = parser.parse_args()
    torch.set_num_threads(1)
    about = environment()
    done = {(row["task"], row["max_train"], row["seed"], row["rule"]) for row in read_rows(options.output)}
    for seed, name in itertools.product(options.seeds, options.tasks):
        task = Task.from_name(name, max_train=options.max_train)
        if (task.name, task.max_train, seed, LAST) in done:
            continue
        results = evaluate(task, seed, cached_predictions(task, seed, options.cache))
        for rule, value in results.items():
            key = {"task": task.name, "max_train": task.max_train, "seed": seed, "rule": rule}
            if tuple(key.values()) not in done:
                append_row(options.output, {**key, "test_accuracy": round(value, 5), **about})
        print(f"{task.name:32} seed {seed}  {TODAY} {results[TODAY]:.4f}", flush=True)
    if options.print:
        print(selection_block(read_rows(options.output)))


if __name__ == "__main__":
    main()
