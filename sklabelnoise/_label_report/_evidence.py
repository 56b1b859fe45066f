"""The evidence of an audit: given labels and the probabilities a model gives the classes."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length

from sklabelnoise._foundation._classes import check_classes, check_probabilities, encode
from sklabelnoise._foundation._given import check_same_rows, label_column
from sklabelnoise._foundation._matrix import check_matrix
from sklabelnoise.metrics._class_columns import class_columns, complete_in_class_order

_ROUNDING = 1e-6  # of means, as `check_probabilities` allows for


def check_evidence(y, proba, classes=None, *, argument="proba"):
    """Validate labels and probabilities, and bring columns that have names into the order of the classes.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        Column of `proba` of each given label.

    proba : ndarray of shape (n_samples, n_classes)
        Float32 stays float32; nothing is copied that need not be.

    classes : ndarray of shape (n_classes,)
    """
    check_same_rows(y=y, **{argument: proba}, numbers=False)
    y = label_column(y)
    found, codes = encode(y)
    known = found if classes is None else check_classes(classes)
    columns, proba = class_columns(proba, known, argument=argument, ordered=classes is not None)
    proba = check_matrix(proba, argument, "(n_samples, n_classes)")
    check_consistent_length(y, proba)
    if columns is not None:
        classes = np.unique(columns) if classes is None else known
        proba = complete_in_class_order(proba, columns, classes, argument=argument)
    elif classes is None:
        if len(found) != proba.shape[1]:
            raise ValueError(
                f"{argument} must have one column for each of the {len(found)} labels of y, got {proba.shape[1]} "
                "columns. If y misses a class, pass classes."
            )
        classes = found
    else:
        classes = known
        if len(classes) != proba.shape[1]:
            raise ValueError(
                f"{argument} must have one column for each of {len(classes)} classes, got {proba.shape[1]}."
            )
    codes = encode(found, classes)[1][codes]
    if len(classes) < 2:
        raise ValueError(f"An audit needs at least 2 classes, got one class: {classes.tolist()[0]!r}.")
    check_probabilities(proba, argument)
    return codes, proba, classes


def codes_of(labels, classes):
    """Position among the classes of each label. (An index of pandas cannot hold every text that is a label.)"""
    classes = np.asarray(classes)
    if classes.dtype.kind in "mM":  # of which pandas has units and objects of its own
        labels = np.asarray(labels).astype(classes.dtype)
    else:
        labels = np.asarray(labels, dtype=object)
    column = {label: j for j, label in enumerate(classes.tolist())}
    return np.array([column[label] for label in labels.tolist()], dtype=np.int64)


def as_column(labels, index):
    """Labels as a column of a frame, of pandas' own type for text where that can hold them."""
    try:
        return pd.Series(labels, index=index)
    except UnicodeEncodeError:  # lone surrogates
        return pd.Series(labels.astype(object), index=index, dtype=object)


def row_names(y, other=None):
    """Index by which a pandas user knows the rows: that of `other`, else that of `y`, else positions."""
    for data in (other, y):
        if isinstance(data, pd.DataFrame | pd.Series):
            return data.index
    return pd.RangeIndex(len(y))


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
