"""DM Table 5: sentiment of the IMDB reviews under label noise and class imbalance.

    python -m benchmarks.papers.dm_table5
    python -m benchmarks.papers.dm_table5 --scale tiny --features raw --steps mean --seeds 0
    python -m benchmarks.papers.dm_table5 --report

Wang et al., "Derivative manipulation for general example weighting", arXiv:1905.11233, Section 4.4 and Appendix D.
Features: PV-DBOW, size 100, learnt from the 25,000 training and 25,000 test texts together by one thread, so that a
seed gives the same vectors again; each seed has its own, so that what is said of seeds covers the vectors. They are
kept in benchmarks/.cache. Network: 100 inputs, 8 hidden units, ReLU, 2 outputs, Caffe's "xavier" weights, biases zero.
Solver: Caffe's SGD, momentum 0.9, weight decay 0.002, rate 0.01 falling as (1 + 1e-5 t) ** -0.75, batch 250, 10,000
iterations.

Where we differ from the paper, by need: gensim in place of word2vec's sentence vectors, noise words in place of noise
words and a hierarchical softmax, no skip-gram beside it, 10 passes in place of 20, and the 50,000 unlabeled reviews
are not shared.

What the paper leaves open is varied: the *features* as they come (raw), with rows of length one (unit), or columns of
mean 0 and variance 1 (standard); and the *step*, the derivative of a batch being the mean of its examples (as Caffe's
losses have it) or the sum of them, 250 times as large. A derivative that is divided by the sum of its weights (-DN) has
the mass of a mean, and is multiplied by 250 for the step of a sum. "DM, integral" divides the emphasis by its integral,
as Eq. 8 reads, in place of the sum over the batch. The group "emphases" tries other values of lam and beta than the
paper's at 40 % noise, with the step of a mean. Raw features are also trained with "four means", four times the step of
a mean: of the steps that `dm_table5_steps` tries, the first at which cross entropy at 40 % noise is near the paper's.
Steps of a sum, with which most methods end with one class whatever the seed, are run with the first seed alone.
"""

import itertools
import warnings
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd
from sklearn.exceptions import FitFailedWarning
from sklearn.preprocessing import StandardScaler, normalize
from torch import nn

from benchmarks.cells import markdown
from benchmarks.papers._runner import (
    CACHE,
    beside_the_paper,
    command_line,
    frame_of_scale,
    rows_path,
    run_jobs,
    use_shared_data,
)
from sklabelnoise import DMClassifier
from sklabelnoise.datasets import fetch_imdb
from sklabelnoise.losses import BetaEmphasis, DMEmphasis
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.modules import MLP
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
from sklabelnoise.text import PVDBOWVectorizer

NAME = "dm_table5"


@dataclass(frozen=True)
class Scale:
    """Number of reviews in each half, passes of PV-DBOW, and iterations of the network."""

    n_reviews: int
    epochs: int
    n_iterations: int


SCALES = {"paper": Scale(25_000, 10, 10_000), "small": Scale(2500, 20, 2000), "tiny": Scale(300, 5, 40)}
FEATURES = ("raw", "unit", "standard")
BATCH_SIZE = 250
MEAN, FOUR_MEANS, SUM = "mean", "four means", "sum"
STEPS = {MEAN: 1, FOUR_MEANS: 4, SUM: BATCH_SIZE}

# Conditions that have the same number of iterations in a pass are trained together.
EMPHASES = "emphases"
GROUPS = {"noise": ("r=0", "r=0.2", "r=0.4"), "10:1": ("10:1",), "50:1": ("50:1",), EMPHASES: ("r=0.4",)}
DM_SETTINGS = {"r=0": (0, 0.9), "r=0.2": (0, -0.52), "r=0.4": (0, -0.33), "10:1": (0.3, 6.5), "50:1": (0.3, 6.5)}
OTHER_DM_SETTINGS = (
    (0, -0.52), (0, -0.33), (0, -0.1), (0, 0), (0, 0.33), (0, 0.9), (0.5, 8), (1, 8), (1, 16), (2, 24),
)  # fmt: skip

# (alpha, eta) and the factor of the emphasis p^(alpha-1) (1-p)^(eta-1) that each loss amounts to (Eqs. 5 and 11).
LOSSES = {"CCE": (1, 2, 2), "GCE": (1.7, 2, 2), "MAE": (2, 2, 2), "MSE": (2, 3, 4)}

# In percent, as printed in the paper: CCE GCE MAE MSE, the same with derivative normalization, DM. "0.5" is its way
# of saying that the network predicts one class.
PUBLISHED = {
    "r=0": "88.9 88.9 88.9 88.9 88.5 87.7 74.5 88.2 89.1",
    "r=0.2": "87.7 88.6 88.6 88.5 87.2 85.5 72.8 87.0 88.7",
    "r=0.4": "75.5 83.6 84.9 83.7 75.0 75.2 80.2 75.3 86.4",
    "10:1": "78.9 77.0 75.4 77.6 77.5 59.1 0.5 78.5 80.6",
    "50:1": "63.4 0.5 0.5 58.6 61.4 0.5 0.5 64.4 65.0",
}
ONE_CLASS = "0.5"
METHODS = [*LOSSES, *(f"{loss}-DN" for loss in LOSSES), "DM"]
PAPER = {
    (method, condition): value
    for condition, values in PUBLISHED.items()
    for method, value in zip(METHODS, values.split(), strict=True)
}


@dataclass(frozen=True)
class LossOrDMEmphasis:
    """The emphasis of a loss times that of DM: one family for all rows of the table, so that they train together."""

    alpha: float = 1.0
    eta: float = 1.0
    lam: float = 0.0
    beta: float = 0.0

    @property
    def factors(self):
        return BetaEmphasis(self.alpha, self.eta), DMEmphasis(self.lam, self.beta)

    def __call__(self, p):
        loss, dm = self.factors
        return loss(p) * dm(p)

    @property
    def integral(self):
        """Of the emphasis of DM alone; no row of the table needs another."""
        return self.factors[1].integral


def movie_net(n_features, n_classes, hidden=8):
    """The paper's network: one hidden layer, weights uniform in ±sqrt(3 / inputs) and biases zero, as Caffe draws."""
    module = MLP(n_features, n_classes, hidden=(hidden,))
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            bound = (3 / layer.in_features) ** 0.5
            nn.init.uniform_(layer.weight, -bound, bound)
            nn.init.zeros_(layer.bias)
    return module


def candidates(normalization, condition, step):
    """Method and parameters of each training with one normalization and step.

    A derivative c times as large is a learning rate c times as large, with a weight decay divided by c.
    """
    lam, beta = DM_SETTINGS[condition]
    dm = LossOrDMEmphasis(lam=float(lam), beta=beta)
    if normalization == "batch":
        rows = [(f"{loss}-DN", LossOrDMEmphasis(float(a), float(e)), 1) for loss, (a, e, _) in LOSSES.items()]
        rows.append(("DM", dm, 1))
    else:
        rows = [(loss, LossOrDMEmphasis(float(a), float(e)), factor) for loss, (a, e, factor) in LOSSES.items()]
        rows.append(("DM, integral", dm, 1 / float(dm.integral)))
    size = STEPS[step]
    return [
        (method, {"emphasis": emphasis, "lr": 0.01 * c * size, "weight_decay": 0.002 / (c * size)})
        for method, emphasis, c in rows
    ]


def other_emphases():
    """The same for other values of lam and beta, with the step of a mean."""
    return [
        (f"DM({lam:g}, {beta:g})", {"emphasis": LossOrDMEmphasis(lam=float(lam), beta=float(beta))})
        for lam, beta in OTHER_DM_SETTINGS
    ]


def reviews(scale):
    """Texts and labels of both halves, those of a smaller scale drawn at random."""
    imdb = fetch_imdb()
    rng = np.random.default_rng(0)
    halves = []
    for half in ("train", "test"):
        rows = rng.permutation(len(imdb[f"y_{half}"]))[: scale.n_reviews]
        texts = [text.replace("<br />", " ") for text in imdb[f"X_{half}"][rows]]
        halves.append((texts, imdb[f"y_{half}"][rows]))
    return halves


def vectors(name, seed, *, cache=CACHE):
    """Paragraph vectors and labels of both halves; each seed's computed once."""
    scale = SCALES[name]
    settings = {"vector_size": 100, "negative": 5, "sample": 1e-3, "min_count": 2, "epochs": scale.epochs}
    path = cache / f"imdb_pvdbow_{scale.n_reviews}_{'_'.join(map(str, settings.values()))}_seed{seed}.npz"
    if not path.exists():
        (X_train, y_train), (X_test, y_test) = reviews(scale)
        vectorizer = PVDBOWVectorizer(**settings, unlabeled=X_test, n_jobs=1, random_state=seed)
        arrays = {"X_train": vectorizer.fit_transform(X_train), "X_test": vectorizer.transform(X_test)}
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, **arrays, y_train=y_train, y_test=y_test)
        partial.rename(path)
    with np.load(path) as arrays:
        return tuple(arrays[key] for key in ("X_train", "y_train", "X_test", "y_test"))


def digest_of(X_train, X_test):
    """Which vectors a row was measured on: the same in all rows of a seed."""
    return blake2b(X_train.tobytes() + X_test.tobytes(), digest_size=8).hexdigest()


def scale_features(X_train, X_test, features):
    """The same features in one of the three scales."""
    if features == "unit":
        return normalize(X_train), normalize(X_test)
    if features == "standard":
        scaler = StandardScaler().fit(X_train)
        return scaler.transform(X_train), scaler.transform(X_test)
    return X_train, X_test


def training_rows(y, condition, seed):
    """Row numbers and given labels of one condition."""
    rng = np.random.default_rng(seed)
    if condition.startswith("r="):
        matrix = symmetric_transition_matrix(2, float(condition[2:]))
        return np.arange(len(y)), corrupt_labels(y, matrix, random_state=int(rng.integers(2**31)))
    ratio = int(condition.split(":")[0])
    positive, negative = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    kept = rng.choice(negative, len(positive) // ratio, replace=False)
    rows = np.sort(np.concatenate([positive, kept]))
    return rows, y[rows]


def execute(scale, features, group, step, seed, *, cache=CACHE):
    """Train all methods with one step on the conditions of a group; test accuracies."""
    X_train, y_train, X_test, y_test = vectors(scale, seed, cache=cache)
    digest = digest_of(X_train, X_test)
    X_train, X_test = scale_features(X_train, X_test, features)
    conditions = GROUPS[group]
    drawn = [training_rows(y_train, condition, seed) for condition in conditions]
    # One search for all conditions: each is a split, with training rows of its own and the common test rows.
    X = np.concatenate([*(X_train[rows] for rows, _ in drawn), X_test])
    y = np.concatenate([*(given for _, given in drawn), y_test])
    ends = np.cumsum([len(rows) for rows, _ in drawn])
    test = np.arange(ends[-1], len(y))
    splits = [(np.arange(end - len(rows), end), test) for end, (rows, _) in zip(ends, drawn, strict=True)]
    accuracies = []
    for normalization in ("batch",) if group == EMPHASES else ("none", "batch"):
        settings = _settings(normalization, group, step)
        scores = train(
            scale,
            normalization,
            [parameters for _, parameters, _ in settings],
            X,
            y,
            splits,
            n_rows=len(drawn[0][0]),
            seed=seed,
        )
        for (method, _, wanted), measured in zip(settings, scores, strict=True):
            for condition, accuracy in zip(conditions, measured, strict=True):
                if condition in wanted:
                    accuracies.append({"method": method, "condition": condition, "accuracy": accuracy})
    return {"n_train": [len(rows) for rows, _ in drawn], "vectors": digest, "accuracies": accuracies}


def train(scale, normalization, settings, X, y, splits, *, n_rows, seed):
    """Train every setting on every split with the paper's solver, all together.

    Returns for each setting the accuracies by split; None stands for a training that diverged.
    """
    classifier = DMClassifier(
        movie_net,
        normalization=normalization,
        lr=0.01,
        weight_decay=0.002,
        optimizer="SGD",
        optimizer__momentum=0.9,
        lr_schedule={"name": "inv", "gamma": 1e-5, "power": 0.75},
        batch_size=BATCH_SIZE,
        max_epochs=max(1, round(SCALES[scale].n_iterations / -(-n_rows // BATCH_SIZE))),
        dtype="float32",
        device="cpu",
        random_state=seed,
    )
    grid = [{name: [value] for name, value in parameters.items()} for parameters in settings]
    search = FusedGridSearchCV(classifier, grid, cv=splits, scoring="accuracy", refit=False)
    with warnings.catch_warnings():  # a training that does not stay finite is a result, too
        warnings.simplefilter("ignore", FitFailedWarning)
        warnings.filterwarnings("ignore", "One or more of the test scores are non-finite")
        search.fit(X, y)
    scores = np.stack([search.cv_results_[f"split{k}_test_score"] for k in range(len(splits))], axis=1)
    return [[round(float(score), 5) if np.isfinite(score) else None for score in row] for row in scores]


def _settings(normalization, group, step):
    """Different trainings among the candidates of all conditions of a group, with the conditions that want them."""
    settings = []
    for condition in GROUPS[group]:
        listed = other_emphases() if group == EMPHASES else candidates(normalization, condition, step)
        for method, parameters in listed:
            for known, same, wanted in settings:
                if known == method and same == parameters:
                    wanted.append(condition)
                    break
            else:
                settings.append((method, parameters, [condition]))
    return settings


def jobs_of(scale, seeds, features=FEATURES, steps=tuple(STEPS), groups=tuple(GROUPS)):
    """What there is to train, in the order of what it tells: a run that is killed leaves a smaller table, but whole."""
    jobs = []
    for size, scaled, group, seed in itertools.product(steps, features, groups, seeds):
        tells = {MEAN: True, FOUR_MEANS: scaled == "raw", SUM: seed == seeds[0]}[size]
        if tells and (size == MEAN or group != EMPHASES):
            jobs.append({"scale": scale, "seed": seed, "features": scaled, "group": group, "step": size})
    # The longer step that meets the paper comes beside the mean of the same features.
    return sorted(jobs, key=lambda job: (job["step"] == SUM, job["features"] != "raw"))


def tables(path=None, scale="paper"):
    """The paper's table in each feature scale and with each step."""
    frame = frame_of_scale(path or rows_path(NAME), scale, "accuracies")
    if frame.empty:
        return f"No rows of scale {scale} yet.\n"
    others = [method for method, _ in other_emphases()]
    order = {method: place for place, method in enumerate([*METHODS, "DM, integral", *others])}
    conditions = list(DM_SETTINGS)
    parts = []
    for features, step, emphases in itertools.product(FEATURES, STEPS, (False, True)):
        chosen = (frame["features"] == features) & (frame["step"] == step) & ((frame["group"] == EMPHASES) == emphases)
        if not chosen.any():
            continue
        part = frame[chosen].sort_values("condition", key=lambda column: column.map(conditions.index), kind="stable")
        part = part.sort_values("method", key=lambda column: column.map(order), kind="stable")
        n_seeds = part.groupby("condition", sort=False)["seed"].nunique()
        seeds = ", ".join(f"{condition}: {n}" for condition, n in n_seeds.items())
        table = beside_the_paper(part, PAPER, rows="method", columns="condition", value="accuracy")
        size = step if step == FOUR_MEANS else f"a {step}"
        parts.append(f"Features {features}, step of {size}; number of seeds {seeds}:\n\n{table}")
    return "\n".join([agreement(frame), *parts])


def agreement(frame, points=2):
    """Which cells of the paper ours comes close to, by features and step."""
    ours = (
        100 * frame[frame["group"] != EMPHASES].groupby(["features", "step", "condition", "method"])["accuracy"].mean()
    )
    lines = {}
    for features, step in itertools.product(FEATURES, STEPS):
        cells, n_near, n_all = {}, 0, 0
        for condition in DM_SETTINGS:
            gaps = {}
            for method in METHODS:
                published = 50.0 if PAPER[method, condition] == ONE_CLASS else float(PAPER[method, condition])
                if (features, step, condition, method) in ours.index:
                    gaps[method] = abs(ours[features, step, condition, method] - published)
            near = [method for method, gap in gaps.items() if gap <= points]
            cells[condition] = (", ".join(near) or "none") if gaps else "–"
            n_near, n_all = n_near + len(near), n_all + len(gaps)
        if n_all:
            lines[f"{features}, {step}"] = {**cells, "cells": f"{n_near} of {n_all}"}
    table = markdown(pd.DataFrame.from_dict(lines, orient="index").rename_axis("features, step"))
    return f"Methods whose mean over seeds is within {points} points of the paper's figure:\n\n{table}"


def main():
    parser = command_line(__doc__, scales=SCALES, default_scale="paper")
    parser.add_argument("--features", nargs="+", choices=FEATURES, default=FEATURES)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=tuple(STEPS))
    parser.add_argument("--groups", nargs="+", choices=GROUPS, default=tuple(GROUPS))
    options = parser.parse_args()
    use_shared_data()
    if not options.report:
        jobs = jobs_of(options.scale, options.seeds, options.features, options.steps, options.groups)
        run_jobs(rows_path(NAME), jobs, execute)
    print(tables(scale=options.scale))


if __name__ == "__main__":
    main()
