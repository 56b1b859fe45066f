"""The evidence of an audit: given labels and the probabilities a model gives the classes."""

import numpy as np
import pandas as pd
from sklearn.utils import check_array, check_consistent_length, column_or_1d

from sklabelnoise._foundation._given import check_none_missing

# A mean of equal float64 numbers may exceed them by rounding; cleanlab allows for as much.
_ROUNDING = 1e-6


def check_evidence(y, proba, classes=None):
    """Validate labels and probabilities.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        Column of `proba` of each given label.

    proba : ndarray of shape (n_samples, n_classes)
        Float32 stays float32; nothing is copied that need not be.

    classes : ndarray of shape (n_classes,)
    """
    check_none_missing(y)
    y = column_or_1d(y)
    proba = check_array(proba, dtype=[np.float64, np.float32], input_name="proba")
    check_consistent_length(y, proba)
    found, codes = _encode(y)
    if classes is None:
        if len(found) != proba.shape[1]:
            raise ValueError(
                f"proba must have one column for each of the {len(found)} labels of y, got {proba.shape[1]} columns. "
                "If y misses a class, pass classes."
            )
        classes = found
    else:
        classes = column_or_1d(classes)
        if len(classes) != proba.shape[1]:
            raise ValueError(f"proba must have one column for each of {len(classes)} classes, got {proba.shape[1]}.")
        column = {label: j for j, label in enumerate(classes.tolist())}
        unknown = [label for label in found.tolist() if label not in column]
        if unknown:
            raise ValueError(f"y holds labels that are not in classes: {unknown}.")
        codes = np.array([column[label] for label in found.tolist()])[codes]
    if len(classes) < 2:
        raise ValueError(f"An audit needs at least 2 classes, got one class: {classes.tolist()[0]!r}.")
    if proba.min() < -_ROUNDING or proba.max() > 1 + _ROUNDING:
        raise ValueError(f"proba must hold probabilities, got values from {proba.min():g} to {proba.max():g}.")
    off = np.abs(proba.sum(axis=1) - 1)
    if off.max() > 1e-3:
        row = int(off.argmax())
        raise ValueError(f"Rows of proba must sum to 1, got {proba[row].sum():g} in row {row}.")
    return codes, proba, classes


def _encode(y):
    if y.dtype.kind in "OU":  # hashing is several times faster than np.unique's comparisons of strings
        codes, found = pd.factorize(y, sort=True)
        return np.asarray(found).astype(y.dtype), codes
    return np.unique(y, return_inverse=True)


def confident_classes(codes, proba):
    """The class each row confidently belongs to, -1 for rows that no class can claim.

    A class claims the rows that give it at least the probability it has on average among its own given labels; of
    several such classes the most probable one counts.

    References
    ----------
    Northcutt, Jiang and Chuang: "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021, equations 1
    and 2.
    """
    n_samples, n_classes = proba.shape
    of_given = proba[np.arange(n_samples), codes]
    count = np.bincount(codes, minlength=n_classes)
    total = np.bincount(codes, weights=of_given, minlength=n_classes)
    # A class nobody was given has no threshold, so it claims nothing.
    threshold = np.divide(total, count, out=np.full(n_classes, np.inf), where=count > 0) - _ROUNDING
    claimed = np.where(proba >= threshold.astype(proba.dtype), proba, -1)
    confident = claimed.argmax(axis=1)
    confident[claimed[np.arange(n_samples), confident] < 0] = -1
    return confident
