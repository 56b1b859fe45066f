"""Features of one order of magnitude: what a network wants of a table."""

import numpy as np
from scipy import sparse

from sklabelnoise._foundation._callers_line import warn

# Largest over smallest column by magnitude from which on a network learns from the largest alone at first.
_MAX_SCALE_RATIO = 1_000
_NUMBERS_AT_ONCE = 2048
_SHARE_THAT_DRIFTS = 0.25


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
    described = [
        f"{f'column {j}' if names is None else repr(names[j])} up to {sizes[j]:.3g} in magnitude"
        for j in (smallest, largest)
    ]
    warn(
        f"The features of X differ in scale by more than a factor of {_MAX_SCALE_RATIO:,}: {' and '.join(described)}. "
        "A network learns little from the small ones; put a StandardScaler first: "
        f"make_pipeline(StandardScaler(), {classifier}()).",
    )


def warn_of_other_scale(X, X_val):
    """Warn where held-out rows of a table are on another scale than those to train on.

    Parameters
    ----------
    X, X_val : ndarray, CSR matrix or Dataset
        Checked rows. Only tables of numbers are looked at, and of these the columns that vary.
    """
    if not all(isinstance(rows, np.ndarray) and rows.ndim == 2 and len(rows) for rows in (X, X_val)):
        return
    low, high, mean = X.min(axis=0), X.max(axis=0), X_val.mean(axis=0, dtype=np.float64)
    vary = low < high
    beyond = int((vary & ((mean < low) | (mean > high))).sum())
    # A column may drift; a scaler that was left out moves nearly all.
    if beyond > _SHARE_THAT_DRIFTS * vary.sum():
        warn(
            f"X_val must be on the scale of X: the mean of {beyond} of the {vary.sum()} columns of X_val lies beyond "
            "all rows of X. A Pipeline transforms X alone: transform X_val likewise, or by its transform_input."
        )


def _magnitudes(X):
    """Largest absolute value of each column, without a copy of X."""
    if sparse.issparse(X):
        sizes = np.zeros(X.shape[1])
        np.maximum.at(sizes, X.indices, np.abs(X.data))
        return sizes
    # Some hundred rows as one: to go through rows of few numbers takes NumPy several times as long.
    n, width = X.shape
    at_once = min(n, -(-_NUMBERS_AT_ONCE // width))
    whole = n - n % at_once
    sizes = _largest(X[:whole].reshape(-1, at_once * width)).reshape(at_once, width).max(axis=0)
    return sizes if whole == n else np.maximum(sizes, _largest(X[whole:]))


def _largest(X):
    return np.maximum(X.max(axis=0), -X.min(axis=0))
