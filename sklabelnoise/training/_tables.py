"""What a network can take of a table: numbers in every column, of one order of magnitude."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from scipy import sparse

from sklabelnoise._foundation._image_files import image_paths
from sklabelnoise.metrics._class_columns import pandas_frame

# Largest over smallest column by magnitude from which on a network learns from the largest alone at first.
_MAX_SCALE_RATIO = 1_000
# Columns that a message names of each kind.
_N_NAMED = 3


def check_numeric_columns(X, classifier, *, allow_missing=False, name="X"):
    """Refuse a frame with columns that are no numbers, and say how to encode it.

    Parameters
    ----------
    X : any
        Anything but a frame, of pandas or another library, is left to the checks that follow.
    classifier : str
        What the classifier is called, for the line that helps.
    allow_missing : bool, default=False
        Whether numbers may be missing.
    name : str, default="X"
        What to call X.

    Raises
    ------
    ValueError
        If a column holds text, categories or dates, or a value is missing.
    """
    frame = X if isinstance(X, pd.DataFrame) else pandas_frame(X, name)
    if frame is None:
        return
    kinds = {}
    for position, column in enumerate(frame.columns):
        kind = _kind_of_column(frame.iloc[:, position], allow_missing)
        if kind is not None:
            kinds.setdefault(kind, []).append(column)
    if not kinds:
        return
    found = "; ".join(f"{kind} in {_listed(columns)}" for kind, columns in kinds.items())
    raise ValueError(
        f"{name} must hold a number in every cell for {classifier}, got {found}. "
        f"skrub.tabular_pipeline({classifier}()) takes such a table as it is: "
        "pip install 'sklabelnoise[tables]'."
    )


def check_no_texts(X, classifier, *, name="X"):
    """Refuse texts and paths, and say what makes numbers of them.

    Parameters
    ----------
    X, classifier, name
        As of :func:`check_numeric_columns`.

    Raises
    ------
    ValueError
        If X is a column of texts or of paths of images.
    """
    what = None if image_paths(X) is None else "paths of images"
    if isinstance(X, pd.Series | np.ndarray):
        X = X.tolist() if X.ndim == 1 and X.dtype.kind not in "biufcmM" else None
    if isinstance(X, list | tuple) and len(X) and all(isinstance(item, str) for item in X):
        what = what or "texts"
    if what is not None:
        raise ValueError(
            f"{name} must hold numbers for {classifier}, got {what}. "
            "sklabelnoise.feature_extraction.embed_dataset turns them into features by a pretrained network, and texts "
            f"also go through make_pipeline(TfidfVectorizer(), {classifier}())."
        )


def warn_of_scales(X, classifier, names=None):
    """Warn where features of a table are of very different magnitude.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        A checked table.
    classifier : str
        What the classifier is called that is about to train a network on it.
    names : ndarray of str, default=None
        Names of the features, where they have some.
    """
    sizes = _magnitudes(X)
    used = np.flatnonzero(sizes)
    if not len(used):
        return
    largest, smallest = used[sizes[used].argmax()], used[sizes[used].argmin()]
    if sizes[largest] <= _MAX_SCALE_RATIO * sizes[smallest]:
        return
    described = [f"{j if names is None else names[j]!r} up to {sizes[j]:.3g} in magnitude" for j in (smallest, largest)]
    warnings.warn(
        f"The features of X differ in scale by more than a factor of {_MAX_SCALE_RATIO:,}: {' and '.join(described)}. "
        "A network learns little from the small ones; put a StandardScaler first: "
        f"make_pipeline(StandardScaler(), {classifier}()).",
        UserWarning,
        stacklevel=2,
    )


def _magnitudes(X):
    """Largest absolute value of each column, without a copy of X."""
    if sparse.issparse(X):
        sizes = np.zeros(X.shape[1])
        np.maximum.at(sizes, X.indices, np.abs(X.data))
        return sizes
    return np.maximum(X.max(axis=0), -X.min(axis=0))


def _kind_of_column(column, allow_missing):
    """What a column holds that is no number, None where it is one."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "categories"
    if dtype.kind in "mM" or isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype | pd.IntervalDtype):
        return "dates or times"
    if not pd.api.types.is_numeric_dtype(dtype):
        present = column[column.notna()]
        if pd.to_numeric(present, errors="coerce").isna().any() or present.map(type).eq(str).any():
            return "text or other objects"
    if not allow_missing and column.isna().any():
        return "missing values"
    return None


def _listed(columns):
    more = f" and {len(columns) - _N_NAMED} more" if len(columns) > _N_NAMED else ""
    return ", ".join(map(repr, columns[:_N_NAMED])) + more
