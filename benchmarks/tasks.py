"""Tasks: a data set, a kind of label noise and a rate; drawn anew, and reproducibly, for each seed.

The rules, the same for every task and method:

* A seed fixes the split, the subsample and the noise. A quarter of the rows is for testing, official splits are pooled;
  rows with equal features, and rows of one patient, stay on one side of the split.
* At most ``max_train`` training rows and ``max_test`` test rows are used, drawn at random.
* Classes with fewer than `MIN_CLASS_SIZE` rows are left out: a split could not show them to both sides.
* Categories become one-hot columns, texts become vectors of latent semantic analysis, both learned from the training
  rows; numbers stay as they are (a method that needs a scale brings its own scaler). Test labels and clean labels never
  reach anything that is fitted.
* Labels are codes 0 to ``n_classes`` - 1. Only training labels are corrupted; test labels are the clean ones.
* ``imbalance`` spoils no label: it removes training rows. With classes ordered from frequent to rare, class k of C
  keeps at most ``rate ** (k / (C - 1))`` times as many rows as the first one, a long tail (Cui et al., CVPR 2019); the
  test rows stay as they are.
* ``human`` is not simulated: the training labels are those of one radiologist or of the annotators of CIFAR-10N.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import StandardScaler

from benchmarks.held_out import HELD_OUT
from benchmarks.sources import CIFAR10N, DATASETS, TABLES, data_home, load
from sklabelnoise.noise import (
    corrupt_labels,
    corrupt_labels_by_instance,
    pair_flip_transition_matrix,
    symmetric_transition_matrix,
)

__all__ = ["CIFAR10N", "DATASETS", "HELD_OUT", "NOISES", "TABLES", "Draw", "Task", "data_home", "split_groups"]

TEST_SHARE = 0.25


class Draw(NamedTuple):
    """What one seed makes of a task. `y_clean` belongs to the training rows and is for scoring only."""

    X_train: np.ndarray
    y_given: np.ndarray
    y_clean: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    n_classes: int


def _by_matrix(make_matrix):
    def corrupt(X, y, human, n_classes, rate, random_state):
        # Few rows may lack a rare class, which the matrix has all the same.
        classes = np.arange(n_classes)
        return corrupt_labels(y, make_matrix(n_classes, rate), classes=classes, random_state=random_state)

    return corrupt


def _by_instance(X, y, human, n_classes, rate, random_state):
    # The flips follow projections of the features, so a column in large units would decide all of them alone.
    return corrupt_labels_by_instance(StandardScaler().fit_transform(X), y, rate, random_state=random_state)


def _clean(X, y, human, n_classes, rate, random_state):
    if rate:
        raise ValueError(f"Clean labels have noise rate 0, got {rate!r}.")
    return y.copy()


def _imbalance(X, y, human, n_classes, rate, random_state):
    return y.copy()  # rows are removed before, by `long_tail`


def _human(X, y, human, n_classes, rate, random_state):
    if human is None or rate:
        raise ValueError("Human noise needs a data set with several annotators, and rate 0: nothing is simulated.")
    return human.copy()


NOISES = {
    "clean": _clean,
    "imbalance": _imbalance,
    "symmetric": _by_matrix(symmetric_transition_matrix),
    "pair_flip": _by_matrix(pair_flip_transition_matrix),
    "instance": _by_instance,
    "human": _human,
}


@dataclass(frozen=True)
class Task:
    """A data set under one kind and rate of label noise.

    Parameters
    ----------
    dataset : str
        One of `DATASETS`.
    noise : str, default="symmetric"
        One of `NOISES`.
    rate : float, default=0.4
        Probability that a training label is wrong.
    max_train, max_test : int, default=5000
        Rows used at most.
    """

    dataset: str
    noise: str = "symmetric"
    rate: float = 0.4
    max_train: int = 5000
    max_test: int = 5000

    def __post_init__(self):
        if self.dataset not in DATASETS:
            raise ValueError(f"Unknown data set {self.dataset!r}; expected one of {', '.join(DATASETS)}.")
        if self.noise not in NOISES:
            raise ValueError(f"Unknown noise {self.noise!r}; expected one of {', '.join(NOISES)}.")

    @classmethod
    def from_name(cls, name, **limits):
        """Task called ``dataset/noise/rate``, as in ``magic/symmetric/0.4``."""
        try:
            dataset, noise, rate = name.split("/")
            rate = float(rate)
        except ValueError:
            raise ValueError(f"A task is named dataset/noise/rate, as in magic/symmetric/0.4; got {name!r}.") from None
        return cls(dataset, noise, rate, **limits)

    @property
    def name(self):
        return f"{self.dataset}/{self.noise}/{self.rate:g}"

    def draw(self, seed):
        """Split, subsample, encode and corrupt, all fixed by the seed."""
        return _draw(self, seed)


@functools.lru_cache(maxsize=1)
def _draw(task, seed):
    # The last draw is kept: the methods of a task come one after the other.
    source = load(task.dataset)
    X, y, human = source.X, source.y, source.human
    # Two streams, so that the split does not depend on the noise: all tasks of a data set share their rows.
    split, noise = (np.random.default_rng([seed, stream]) for stream in range(2))
    train, test = (split.permutation(rows) for rows in split_groups(source.groups, split))
    if task.noise == "imbalance":
        train = long_tail(train, y[train], task.rate, noise)
    train, test = train[: task.max_train], test[: task.max_test]
    encoder = source.make_encoder()
    X_train = encoder.fit_transform(X.iloc[train]).astype(np.float32)
    X_test = encoder.transform(X.iloc[test]).astype(np.float32)
    n_classes = int(y.max()) + 1
    y_given = NOISES[task.noise](
        X_train, y[train], None if human is None else human[train], n_classes, task.rate, int(noise.integers(2**31))
    )
    return Draw(X_train, y_given, y[train], X_test, y[test], n_classes)


def long_tail(rows, y, rate, rng):
    """Rows that stay when the classes, from frequent to rare, may keep less and less; their order stays.

    Parameters
    ----------
    rows : ndarray of shape (n_rows,)
        Row numbers.
    y : ndarray of shape (n_rows,)
        Their labels, codes from 0.
    rate : float
        Largest size of the last class as a share of that of the first; a class that is smaller anyway stays whole.
    rng : numpy.random.Generator
        Decides which rows stay.
    """
    counts = np.bincount(y)
    order = np.argsort(-counts, kind="stable")
    most = np.empty(len(counts))
    most[order] = counts.max() * rate ** (np.arange(len(counts)) / max(len(counts) - 1, 1))
    kept = [rng.permutation(np.flatnonzero(y == label))[: max(1, round(limit))] for label, limit in enumerate(most)]
    return rows[np.sort(np.concatenate(kept))]


def split_groups(groups, rng, test_share=TEST_SHARE):
    """Row numbers of the training and the test part; whole groups join the test part until it has its share."""
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    n_test = np.searchsorted(sizes[order].cumsum(), test_share * len(groups)) + 1
    in_test = np.isin(groups, order[:n_test])
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)
