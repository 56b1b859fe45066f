"""Data sets of the benchmarks, as rows, labels, groups of rows that belong together, and a way to make numbers of them.

The real data come from the folder `data_home`; digits come with scikit-learn, the tables of `benchmarks.held_out` with
a package.
"""

import functools
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from benchmarks.held_out import HELD_OUT, load_held_out
from benchmarks.patch_features import patch_features
from sklabelnoise.datasets import fetch_imdb, load_table
from sklabelnoise.datasets._shared_files import read_image_sheets

MIN_CLASS_SIZE = 20  # rarer classes are left out: a split could not show them to both sides
N_TOPICS = 100
N_IMAGES = 4_000

# ERA, ESL and SWD are not here: their labels are human judgments that contradict each other, so nothing is clean.
TABLES = (
    "abalone", "adult", "car_evaluation", "cmc", "letter", "magic", "mushroom", "nursery", "optdigits", "pendigits",
    "satimage", "shuttle", "sleep", "spambase", "wine_quality",
)  # fmt: skip
_LABEL_SETS = {"aggregate": "aggre_label", "random1": "random_label1", "worse": "worse_label"}
CIFAR10N = tuple(f"cifar10n_{name}" for name in _LABEL_SETS)
DATASETS = (*TABLES, "lidc_malignancy", "digits", "mnist", "banking77", "imdb", *CIFAR10N, *HELD_OUT)


def data_home():
    """Folder of the shared tables: ``SKLABELNOISE_DATA``, or ``../shared/data`` beside the checkout."""
    return Path(os.environ.get("SKLABELNOISE_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Source(NamedTuple):
    """A data set before splitting.

    `X` is a DataFrame, `y` holds codes, `human` one annotator's codes where there are several, and ``make_encoder()``
    an unfitted transformer from rows of X to numbers.
    """

    X: pd.DataFrame
    y: np.ndarray
    groups: np.ndarray
    make_encoder: Callable
    human: np.ndarray | None = None


@functools.lru_cache(maxsize=1)
def load(dataset):
    """Read a data set, leave rare classes out, and group the rows that must not be separated."""
    if dataset == "mnist":
        return _mnist()
    if dataset == "banking77":
        texts = pd.read_parquet(data_home() / "banking77.parquet")
        return _texts(texts["text"], texts["category"])
    if dataset == "imdb":
        reviews = fetch_imdb(data_home=data_home())
        return _texts(*(np.concatenate([reviews[f"{name}_train"], reviews[f"{name}_test"]]) for name in "Xy"))
    if dataset in HELD_OUT:
        return _table(load_held_out(dataset))
    if dataset in CIFAR10N:
        return _cifar10n(dataset.removeprefix("cifar10n_"))
    return _table(load_digits(as_frame=True) if dataset == "digits" else load_table(dataset, data_home=data_home()))


def _table(table):
    sizes = table.target.value_counts()
    keep = table.target.isin(sizes.index[sizes >= MIN_CLASS_SIZE]).to_numpy()
    X, target = table.data[keep], table.target[keep]
    classes, y = np.unique(target, return_inverse=True)
    if "groups" in table:
        groups = np.unique(table.groups[keep], return_inverse=True)[1]
    else:
        # Equal rows share a number; on both sides of a split they would let a model be scored on what it memorized.
        groups = X.groupby(list(X.columns), dropna=False, observed=True, sort=False).ngroup().to_numpy()
    human = np.searchsorted(classes, table.raters[keep].iloc[:, 0]) if "raters" in table else None
    return Source(X, y, groups, functools.partial(_one_hot, table.get("categorical_features", [])), human)


def _one_hot(categories):
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer((encoder, categories), remainder="passthrough")


def _mnist():
    with np.load(data_home() / "mnist.npz") as file:
        parts = [
            np.frombuffer(lzma.decompress(file[f"xz_{part}"].tobytes()), np.uint8).reshape(len(file[f"y_{part}"]), -1)
            for part in ("train", "test")
        ]
        y = np.concatenate([file["y_train"], file["y_test"]]).astype(np.int64)
    return Source(pd.DataFrame(np.concatenate(parts)), y, np.arange(len(y)), _as_array)


def _cifar10n(label_set):
    images, clean = _image_vectors()
    with np.load(data_home() / "cifar10_labels.npz") as file:
        human = file[_LABEL_SETS[label_set]][: len(images)].astype(np.int64)
    return Source(pd.DataFrame(images), clean, np.arange(len(images)), _as_array, human)


@functools.cache
def _image_vectors():
    # A tenth of what fetch_cifar10 would decode. The vectors are learned from the images alone, without any label.
    images, labels = read_image_sheets(data_home() / "cifar10_train1.npz")
    return patch_features(images[:N_IMAGES], random_state=0), labels["y"][:N_IMAGES]


def _as_array():
    return FunctionTransformer(np.asarray)


def _texts(texts, target):
    X = pd.DataFrame({"text": np.asarray(texts, dtype=object)})
    y = np.unique(target, return_inverse=True)[1]
    return Source(X, y, X.groupby("text", sort=False).ngroup().to_numpy(), _latent_semantic_analysis)


def _latent_semantic_analysis():
    return make_pipeline(
        FunctionTransformer(_text_column),
        TfidfVectorizer(sublinear_tf=True, min_df=2, max_features=20_000, dtype=np.float32),
        TruncatedSVD(N_TOPICS, random_state=0),
    )


def _text_column(X):
    return X["text"]
