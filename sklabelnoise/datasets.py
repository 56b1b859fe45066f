"""Data sets with wrong labels: given and clean labels side by side."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch, check_random_state

from sklabelnoise.noise import corrupt_labels, pair_flip_transition_matrix, symmetric_transition_matrix

__all__ = ["load_digits_noisy", "load_table"]

_TARGET_NAMES = {
    "adult": ("<=50K", ">50K"),
    "car_evaluation": ("unacc", "acc", "good", "vgood"),
    "nursery": ("not_recom", "very_recom", "priority", "spec_prior"),
}
_ORDINAL = ("ERA", "ESL", "SWD", "abalone", "car_evaluation", "lidc_malignancy", "nursery", "wine_quality")
_ONLY_NOMINAL_CODES = ("mushroom", "nursery")  # every feature is a category with an arbitrary integer code


def load_table(name, *, data_home=None):
    """Load one of the shared benchmark tables.

    Columns that reveal the target (further raters, the number of rings the
    classes of ``abalone`` were cut from, patient identifiers) are not among the
    features. Rows stand in the order of the file, which may be sorted by class.

    Parameters
    ----------
    name : str
        Name of the table, such as ``"spambase"``; the file is
        ``tab_<name>.parquet``. An unknown name raises an error that lists what
        the folder holds.

    data_home : str or path-like, default=None
        Folder of the files. If None, the environment variable
        ``SKLABELNOISE_DATA`` names it.

    Returns
    -------
    table : :class:`~sklearn.utils.Bunch`
        With the following attributes.

        data : DataFrame of shape (n_samples, n_features)
            Features: int64, float64, or category where the file holds text.
            Missing cells are NaN.
        target : Series of shape (n_samples,)
            Class codes as the file has them, int64.
        frame : DataFrame of shape (n_samples, n_features + 1)
            Features and target together.
        feature_names : list of str
        target_names : list of str
            One per class, in the order of the sorted codes.
        categorical_features : list of str
            Features whose values are categories in no order: text columns, and
            integer codes known to be arbitrary.
        ordinal : bool
            Whether the order of the classes has a meaning.
        split : Series of shape (n_samples,)
            ``"train"`` or ``"test"``; only where there is an official split.
        groups : Series of shape (n_samples,)
            Rows of one group must not be separated by cross-validation; only
            where there are groups.
        raters : DataFrame of shape (n_samples, n_raters)
            Each rater's label; only where there are several.

    Raises
    ------
    ValueError
        If no folder is named, or it holds no table of this name.
    ImportError
        If pyarrow is missing.

    Examples
    --------
    >>> from sklabelnoise.datasets import load_table
    >>> table = load_table("lidc_malignancy")  # doctest: +SKIP
    >>> table.data.shape, table.raters.shape  # doctest: +SKIP
    ((809, 65), (809, 4))
    """
    frame = _read_parquet(_table_path(name, data_home))
    raters = [column for column in frame if column.startswith("rater")]
    groups = [column for column in frame if column.startswith("group_")]
    beside = {"target", "target_rings", "split", *raters, *groups}

    data = frame[[column for column in frame if column not in beside]].apply(_widen)
    target = frame["target"].astype(np.int64)
    codes = np.unique(target)
    nominal = data.columns if name in _ONLY_NOMINAL_CODES else data.select_dtypes("category").columns
    table = Bunch(
        data=data,
        target=target,
        frame=data.assign(target=target),
        feature_names=list(data.columns),
        target_names=list(_TARGET_NAMES.get(name, map(str, codes))),
        categorical_features=list(nominal),
        ordinal=name in _ORDINAL,
    )
    if "split" in frame:
        table.split = frame["split"].astype(object)
    if groups:
        table.groups = frame[groups[0]].astype(np.int64)
    if raters:
        table.raters = frame[raters].astype(np.int64)
    return table


def _table_path(name, data_home):
    folder = data_home or os.environ.get("SKLABELNOISE_DATA")
    if not folder:
        raise ValueError(
            "load_table needs the folder of the shared tables: pass data_home, or set the environment variable "
            "SKLABELNOISE_DATA."
        )
    # Looking the name up, instead of building a path from it, keeps "../" in a name from leaving the folder.
    tables = {path.stem.removeprefix("tab_"): path for path in Path(folder).glob("tab_*.parquet")}
    if name not in tables:
        known = ", ".join(sorted(tables)) or "no table at all"
        raise ValueError(f"The folder {os.fspath(folder)!r} holds no table {name!r}; it holds: {known}.")
    return tables[name]


def _read_parquet(path):
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"Reading {path.name} needs pyarrow, which comes with the extra 'bench': pip install 'sklabelnoise[bench]'."
        ) from error
    return pd.read_parquet(path, engine="pyarrow")


def _widen(column):
    """Return a column in the dtype users compute with: the files hold int8, where even a sum would overflow."""
    if pd.api.types.is_integer_dtype(column):
        return column.astype(np.int64)
    if pd.api.types.is_float_dtype(column):
        return column.astype(np.float64)
    return column.astype("category")


def load_digits_noisy(noise_rate=0.4, *, noise="symmetric", test_size=0.25, random_state=None):
    """Load scikit-learn's digits with part of the training labels replaced.

    The test labels stay clean. The split is stratified by the clean labels.

    Parameters
    ----------
    noise_rate : float, default=0.4
        Probability that a training label is replaced by another class; the
        realised share differs a little.

    noise : {"symmetric", "pair_flip"} or array-like of shape (10, 10), default="symmetric"
        How labels are replaced: by any other digit with equal probability, by
        the next digit, or by a transition matrix of your own with
        ``T[i, j] = P(given = j | true = i)``, for which `noise_rate` is not used.

    test_size : float or int, default=0.25
        Share, or number, of the 1,797 images kept for testing.

    random_state : int, RandomState instance or None, default=None
        Determines the split and the noise.

    Returns
    -------
    digits : :class:`~sklearn.utils.Bunch`
        With the following attributes.

        X_train, X_test : ndarray of shape (n_samples, 64)
            Grey values from 0 to 16.
        y_train : ndarray of shape (n_train,)
            The given labels, some of them wrong.
        y_train_clean : ndarray of shape (n_train,)
            The true labels of the same images.
        y_test : ndarray of shape (n_test,)
            True labels.
        transition_matrix : ndarray of shape (10, 10)
            The matrix the given labels were drawn with.
        feature_names, target_names : list of str

    Examples
    --------
    >>> from sklabelnoise.datasets import load_digits_noisy
    >>> digits = load_digits_noisy(0.4, random_state=0)
    >>> digits.X_train.shape, digits.X_test.shape
    ((1347, 64), (450, 64))
    >>> wrong = digits.y_train != digits.y_train_clean
    >>> bool(0.35 < wrong.mean() < 0.45)
    True
    """
    random_state = check_random_state(random_state)
    digits = load_digits()
    X_train, X_test, y_train, y_test = train_test_split(
        digits.data, digits.target, test_size=test_size, stratify=digits.target, random_state=random_state
    )
    n_classes = len(digits.target_names)
    if not isinstance(noise, str):
        transition_matrix = np.asarray(noise, dtype=np.float64)
    elif noise == "symmetric":
        transition_matrix = symmetric_transition_matrix(n_classes, noise_rate)
    elif noise == "pair_flip":
        transition_matrix = pair_flip_transition_matrix(n_classes, noise_rate)
    else:
        raise ValueError(f"noise must be 'symmetric', 'pair_flip' or a transition matrix, got {noise!r}.")
    return Bunch(
        X_train=X_train,
        y_train=corrupt_labels(y_train, transition_matrix, random_state=random_state),
        y_train_clean=y_train,
        X_test=X_test,
        y_test=y_test,
        transition_matrix=transition_matrix,
        feature_names=list(digits.feature_names),
        target_names=[str(label) for label in digits.target_names],
    )
