"""Tasks: a data set, a kind of label noise and a rate; drawn anew, and reproducibly, for each seed.

The rules, the same for every task and method:

* A seed fixes the split, the subsample and the noise. A quarter of the rows is for testing, official splits are pooled;
  rows with equal features, and rows of one patient, stay on one side of the split.
* At most ``max_train`` training rows and ``max_test`` test rows are used, drawn at random.
* Classes with fewer than `MIN_CLASS_SIZE` rows are left out: a split could not show them to both sides.
* Categories become one-hot columns, learned from the training rows; numbers stay as they are (a method that needs a
  scale brings its own scaler). Test rows and clean labels never reach anything that is fitted.
* Labels are codes 0 to ``n_classes`` - 1. Only training labels are corrupted; test labels are the clean ones.
"""

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklabelnoise.datasets import load_table
from sklabelnoise.noise import (
    corrupt_labels,
    corrupt_labels_by_instance,
    pair_flip_transition_matrix,
    symmetric_transition_matrix,
)

MIN_CLASS_SIZE = 20
TEST_SHARE = 0.25

# ERA, ESL and SWD are not here: their labels are human judgements that contradict each other, so nothing is clean.
TABLES = (
    "abalone", "adult", "car_evaluation", "cmc", "letter", "magic", "mushroom", "nursery", "optdigits", "pendigits",
    "satimage", "shuttle", "sleep", "spambase", "wine_quality",
)  # fmt: skip
DATASETS = (*TABLES, "lidc_malignancy", "digits")


def data_home():
    """Folder of the shared tables: ``SKLABELNOISE_DATA``, or ``../shared/data`` beside the checkout."""
    return Path(os.environ.get("SKLABELNOISE_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Source(NamedTuple):
    """A data set before splitting; `human` holds one annotator's labels where there are several annotators."""

    X: object
    y: np.ndarray
    groups: np.ndarray
    categories: list
    human: np.ndarray | None


class Draw(NamedTuple):
    """What one seed makes of a task. `y_clean` belongs to the training rows and is for scoring only."""

    X_train: np.ndarray
    y_given: np.ndarray
    y_clean: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    n_classes: int


@functools.lru_cache(maxsize=1)
def load(dataset):
    """Read a data set, leave rare classes out, and group the rows that must not be separated."""
    table = load_digits(as_frame=True) if dataset == "digits" else load_table(dataset, data_home=data_home())
    sizes = table.target.value_counts()
    keep = table.target.isin(sizes.index[sizes >= MIN_CLASS_SIZE]).to_numpy()
    X, target = table.data[keep], table.target[keep]
    classes, y = np.unique(target, return_inverse=True)
    if "groups" in table:
        groups = np.unique(table.groups[keep], return_inverse=True)[1]
    else:
        # Equal rows share a number; on both sides of a split they would let a model be scored on what it memorised.
        groups = X.groupby(list(X.columns), dropna=False, observed=True, sort=False).ngroup().to_numpy()
    human = np.searchsorted(classes, table.raters[keep].iloc[:, 0]) if "raters" in table else None
    return Source(X, y, groups, table.get("categorical_features", []), human)


def _by_matrix(make_matrix):
    def corrupt(X, y, human, n_classes, rate, random_state):
        return corrupt_labels(y, make_matrix(n_classes, rate), random_state=random_state)

    return corrupt


def _by_instance(X, y, human, n_classes, rate, random_state):
    # The flips follow projections of the features, so a column in large units would decide all of them alone.
    return corrupt_labels_by_instance(StandardScaler().fit_transform(X), y, rate, random_state=random_state)


def _clean(X, y, human, n_classes, rate, random_state):
    if rate:
        raise ValueError(f"Clean labels have noise rate 0, got {rate!r}.")
    return y.copy()


def _human(X, y, human, n_classes, rate, random_state):
    if human is None or rate:
        raise ValueError("Human noise needs a data set with several annotators, and rate 0: nothing is simulated.")
    return human.copy()


NOISES = {
    "clean": _clean,
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
        X, y, groups, categories, human = load(self.dataset)
        # Two streams, so that the split does not depend on the noise: all tasks of a data set share their rows.
        split, noise = (np.random.default_rng([seed, stream]) for stream in range(2))
        train, test = (split.permutation(rows) for rows in split_groups(groups, split))
        train, test = train[: self.max_train], test[: self.max_test]
        encode = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), categories), remainder="passthrough"
        )
        X_train = encode.fit_transform(X.iloc[train]).astype(np.float32)
        X_test = encode.transform(X.iloc[test]).astype(np.float32)
        n_classes = int(y.max()) + 1
        y_given = NOISES[self.noise](
            X_train,
            y[train],
            None if human is None else human[train],
            n_classes,
            self.rate,
            int(noise.integers(2**31)),
        )
        return Draw(X_train, y_given, y[train], X_test, y[test], n_classes)


def split_groups(groups, rng, test_share=TEST_SHARE):
    """Row numbers of the training and the test part; whole groups join the test part until it has its share."""
    sizes = np.bincount(groups)
    order = rng.permutation(len(sizes))
    n_test = np.searchsorted(sizes[order].cumsum(), test_share * len(groups)) + 1
    in_test = np.isin(groups, order[:n_test])
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)
