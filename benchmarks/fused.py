"""Speed and memory of training together: searches, refineries, and how they grow.

    python -m benchmarks.speed --only search refinery growth choice

Times are seconds of processor time on one thread, ours and the reference in turn, so that a busy machine counts as
little as it can. The fits of a reference do not know of each other, so one candidate is run on all folds and its time
multiplied by their number; two jobs of joblib are taken to halve it exactly, which they never quite do.
"""

import os
import subprocess
import sys
import time
import warnings
from functools import partial

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn
from torch.nn import functional as F

from benchmarks.memory import peak_gigabytes
from benchmarks.timing import compare, single
from sklabelnoise import DMClassifier, DMClassifierCV, StochasticLabelRefinery
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

ROWS, FEATURES, CLASSES, HIDDEN, BATCH, EPOCHS, FOLDS, CANDIDATES = 20_000, 100, 2, 8, 250, 5, 5, 30
LR = 1e-3


def make_table(rows=ROWS, features=FEATURES, classes=CLASSES):
    """Normal rows in float32, and the class whose linear score is highest."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, features)).astype(np.float32)
    return X, (X @ rng.normal(size=(features, classes))).argmax(axis=1)


def make_classifier(hidden=HIDDEN):
    """The classifier of the promise."""
    return classifier_of(module__hidden=(hidden,))


def classifier_of(**network):
    """A classifier that trains any network as the promise says."""
    return DMClassifier(
        **network,
        batch_size=BATCH,
        max_epochs=EPOCHS,
        optimizer="Adam",
        lr=LR,
        device="cpu",
        random_state=0,
    )


class OwnNetwork(nn.Module):
    """The same network as a user would write it."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.hidden, self.output = nn.Linear(n_features, HIDDEN), nn.Linear(HIDDEN, n_classes)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))


def search_of_own_network(X, y):
    """The search of the promise over a user's network."""
    return FusedGridSearchCV(classifier_of(module=OwnNetwork), make_grid(), cv=FOLDS, refit=False).fit(X, y)


def make_grid(candidates=CANDIDATES):
    """That many pairs of lam and beta."""
    return {"lam": np.linspace(0, 2, 5).tolist(), "beta": np.linspace(0, 16, candidates // 5).tolist()}


def fused_search(X, y, *, candidates=CANDIDATES, hidden=HIDDEN):
    """Search over all candidates and folds, without the last fit."""
    return FusedGridSearchCV(make_classifier(hidden), make_grid(candidates), cv=FOLDS, refit=False).fit(X, y)


def ordinary_search(estimator, X, y):
    """One candidate on all folds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # MLPClassifier: five epochs are what is compared
        return GridSearchCV(clone(estimator), {}, cv=FOLDS, refit=False).fit(X, y)


def skorch_net():
    """What a skorch user writes."""
    torch.manual_seed(0)
    return NeuralNetClassifier(
        nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES)),
        criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=LR, max_epochs=EPOCHS, batch_size=BATCH,
        iterator_train__shuffle=True, train_split=None, verbose=0,
    )  # fmt: skip


def plain_torch(X, y):
    """The loop that a careful torch user writes, for one candidate on all folds."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    for train, test in StratifiedKFold(FOLDS).split(X, y):
        torch.manual_seed(0)
        module = nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))
        optimizer = torch.optim.Adam(module.parameters(), lr=LR)
        rows = torch.from_numpy(train)
        for _ in range(EPOCHS):
            for batch in rows[torch.randperm(len(rows))].split(BATCH):
                optimizer.zero_grad()
                F.cross_entropy(module(X[batch]), y[batch]).backward()
                optimizer.step()
        with torch.no_grad():
            (module(X[test]).argmax(dim=1) == y[test]).float().mean().item()


def search(quick):
    """The search of the promise, 30 candidates x 5 folds, against what users have today; its growth and its memory."""
    X, y = make_table()
    repeats = 1 if quick else 5
    ours = partial(fused_search, X, y)
    references = {
        "skorch's NeuralNetClassifier, 2 jobs": (0.1, partial(ordinary_search, skorch_net(), X, y), CANDIDATES / 2),
        "our own one by one": (0.2, partial(ordinary_search, make_classifier(), X, y), CANDIDATES),
        "plain PyTorch, one loop after the other": (1.0, partial(plain_torch, X, y), CANDIDATES),
        "scikit-learn's MLPClassifier, 2 jobs": (1.0, partial(ordinary_search, sklearn_mlp(), X, y), CANDIDATES / 2),
    }
    for name, (promise, reference, scale) in references.items():
        yield compare(f"150-fit search against {name}", promise, ours, reference, repeats=repeats, scale=scale)
    own = partial(search_of_own_network, X, y)
    yield compare("150-fit search of a network of one's own against our MLP's", 1.3, own, ours, repeats=repeats)
    skorch, scale = references["skorch's NeuralNetClassifier, 2 jobs"][1], CANDIDATES
    yield compare(
        "150-fit search of a network of one's own against skorch, 1 job", round(1 / 30, 4), own, skorch,
        repeats=repeats, scale=scale,
    )  # fmt: skip
    twice = partial(fused_search, X, y, candidates=2 * CANDIDATES)
    yield compare("300-fit search against 150-fit search", 2.2, twice, ours, repeats=repeats)
    yield memory()


def sklearn_mlp():
    """scikit-learn's own network with the same training."""
    return MLPClassifier(
        (HIDDEN,), batch_size=BATCH, max_iter=EPOCHS, learning_rate_init=LR, alpha=0.0, n_iter_no_change=EPOCHS + 1,
        random_state=0,
    )  # fmt: skip


def memory():
    """Peak memory of a fresh process that makes its table and runs the 150-fit search, in GB."""
    code = "from benchmarks import fused; fused.torch.set_num_threads(1); print(fused.peak_of_search())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, peak = (float(value) for value in done.stdout.split())
    return single("peak memory of the 150-fit search, GB", 1.0, peak, before_gb=round(before, 4))


def peak_of_search():
    """Memory of this process before and at the peak of the search, as text."""
    X, y = make_table()
    before = peak_gigabytes()
    fused_search(X, y)
    return f"{before} {peak_gigabytes()}"


def choice(quick):
    """Seconds of `DMClassifierCV` with its defaults on 5,000 x 40: wall time on two threads, what a user waits for."""
    code = "from benchmarks import fused; fused.torch.set_num_threads(2); print(fused.seconds_of_choice())"
    environment_of_two = {**os.environ, "OMP_NUM_THREADS": "2"}
    seconds = []
    for _ in range(1 if quick else 3):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment_of_two
        )
        seconds.append(float(done.stdout))
    case = "DMClassifierCV with defaults, 5,000 x 40 in float64, 2 threads, seconds by the clock"
    yield single(case, 12.0, *seconds, threads=2)


def seconds_of_choice():
    """Wall time of one fit."""
    X, y = make_table(5_000, 40, 5)
    y = corrupt_labels(y, symmetric_transition_matrix(5, 0.4), random_state=0)
    model = DMClassifierCV(device="cpu", random_state=0)
    start = time.perf_counter()
    model.fit(X.astype(np.float64), y)
    return time.perf_counter() - start


def refinery(quick):
    """A refinery whose folds are trained together against the same one, fold by fold."""
    X, y = make_table(rows=10_000)

    class FoldByFold(DMClassifier):
        """The same classifier without the way to train folds together."""

        _predict_left_out = None

    def refine(kind):
        estimator = kind(**make_classifier().get_params())
        return StochasticLabelRefinery(estimator, n_rounds=2, random_state=0).fit(X, y)

    yield compare(
        "fused refinery against fold by fold, 10,000 x 100, 5 folds",
        round(1 / 1.2, 4),
        lambda: refine(DMClassifier),
        lambda: refine(FoldByFold),
        repeats=3 if quick else 9,
    )


def growth(quick):
    """How the search grows: each size four times that of the base, against the base; linear growth is a ratio of 4."""
    base = {"rows": 5_000, "features": 50, "classes": 3, "hidden": 8, "candidates": 15}
    for name, value in base.items():
        yield compare(
            f"search with four times the {name}",
            4.0,
            partial(sized_search, **{**base, name: 4 * value}),
            partial(sized_search, **base),
            repeats=1 if quick else 5,
            axis=name,
            value=4 * value,
        )


def sized_search(rows, features, classes, hidden, candidates):
    """A fused search of any size, its table included."""
    return fused_search(*make_table(rows, features, classes), candidates=candidates, hidden=hidden)
