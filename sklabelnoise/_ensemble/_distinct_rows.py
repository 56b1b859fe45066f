"""Each row once: a row that comes three times is the same as one of weight three.

Copies of a row would otherwise be asked about each other: leaving one out is worth nothing while the next is there.
And what is drawn at random must not depend on whether a row is repeated or weighted, nor on the order of the rows.
"""

import hashlib
import pickle
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
import scipy.sparse

from sklabelnoise._foundation._frames import pandas_frame


@dataclass(frozen=True)
class DistinctRows:
    """Distinct rows of a training set, in an order that depends on their content alone.

    Attributes
    ----------
    rows : ndarray of int of shape (n_distinct,)
        Where each of them is found first.
    weight : ndarray of shape (n_distinct,)
        How many rows it stands for.
    of_row : ndarray of int of shape (n_samples,)
        Which of them each row is; -1 for rows without weight.
    features : ndarray of int of shape (n_distinct,)
        The same number for those that differ in nothing but their labels, or in what keeps them apart.
    apart : ndarray of int of shape (n_samples,)
        What keeps rows apart: groups, or folds of the user.
    """

    rows: np.ndarray
    weight: np.ndarray
    of_row: np.ndarray
    features: np.ndarray
    apart: np.ndarray


def distinct_rows(X, codes, sample_weight=None, apart=None):
    """Find the distinct rows of a training set.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Rows of any kind.
    codes : ndarray of int of shape (n_samples,)
        Their labels; rows that differ in these are distinct.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights. Whole numbers are repetitions; others are relative, and are scaled to a mean of one.
    apart : ndarray of int of shape (n_samples,), default=None
        Rows that differ in this are distinct too: groups, or folds of the user.

    Returns
    -------
    distinct : DistinctRows
    """
    n_samples = len(codes)
    weight = np.ones(n_samples) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    present = np.flatnonzero(weight > 0)
    with np.errstate(over="ignore"):
        whole = (weight == np.round(weight)).all() and np.isfinite(weight.sum())
    if not whole and np.ptp(weight[present]) == 0:
        weight = (weight > 0).astype(np.float64)  # rounding would make nearly ones of them
    elif not whole:
        # By a power of two first, which changes no digit: sums of the largest and the smallest numbers are none.
        weight = np.ldexp(weight, -np.frexp(weight.max())[1])
        weight = weight * (len(present) / weight.sum())
    apart = np.zeros(n_samples, dtype=np.int64) if apart is None else apart
    of_features = row_keys(X)[present].T
    order = np.lexsort((codes[present], apart[present], *of_features))
    other_features = _changes(of_features, order)
    changed = other_features | _changes((codes[present], apart[present]), order)
    of_row = np.full(n_samples, -1)
    of_row[present[order]] = np.cumsum(changed)
    # lexsort keeps the order of equal rows: the first of each group is the first in X.
    is_first = np.concatenate([[True], changed[1:]]) if len(present) else changed
    first, features = present[order][is_first], np.cumsum(other_features)[is_first]
    return DistinctRows(first, np.bincount(of_row[present], weight[present]), of_row, features, apart)


def _changes(keys, order):
    """Where, in some order, one of the keys of a row is not that of the row before."""
    changed = np.zeros(len(order), dtype=bool)
    for key in keys:
        ordered = key[order]
        changed[1:] |= ordered[1:] != ordered[:-1]
    return changed


def row_keys(X):
    """Two 64-bit numbers for each row; equal rows have equal ones, and different rows different ones."""
    if (frame := pandas_frame(X, "X")) is not None:
        hashed = pd.util.hash_pandas_object(_of_one_zero(frame), index=False).to_numpy()
        return np.stack([hashed, np.zeros_like(hashed)], axis=1)
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf":
        content = (row.tobytes() for row in _plain_numbers(X).reshape(len(X), -1))
    elif scipy.sparse.issparse(X):
        content = _stored_entries(X)
    else:
        content = map(_content, X)
    digests = b"".join(hashlib.blake2b(row, digest_size=16).digest() for row in content)
    return np.frombuffer(digests, dtype="<u8").reshape(-1, 2)


def rows_digest(X):
    """A text that is the same for the same rows in the same order only."""
    return hashlib.blake2b(row_keys(X).tobytes(), digest_size=16).hexdigest()


def _plain_numbers(values):
    """The same numbers in memory that says nothing else: equal ones have equal bytes."""
    if values.dtype.kind == "f":
        # Zero has two signs, and a long double has bytes without a meaning.
        values = (values if values.dtype.itemsize <= 8 else values.astype(np.float64)) + 0.0
    return np.ascontiguousarray(values)


def _of_one_zero(frame):
    """The same frame with zeros of one sign: pandas 2.2 tells the two apart."""
    plain = frame.copy(deep=False)
    for number, dtype in enumerate(frame.dtypes):
        if pd.api.types.is_float_dtype(dtype):
            plain.isetitem(number, frame.iloc[:, number] + 0.0)
    return plain


def _content(row):
    """Bytes that say what is in a row, and nothing of where it is."""
    values = np.asarray(row)
    if values.dtype.kind in "biuf":
        return _plain_numbers(values).tobytes()
    if values.dtype.kind == "O":
        # One by one: the pickle of several says which of them are one object in memory. And zero has two signs.
        return b"".join(pickle.dumps(own + 0.0 if isinstance(own, float) else own) for own in values.ravel())
    return pickle.dumps(row)


def _stored_entries(X):
    """Bytes of columns and values of each sparse row: in order, each column once, without stored zeros."""
    X = scipy.sparse.csr_matrix(X, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    columns = X.indices.astype(np.int64)
    for first, end in pairwise(X.indptr):
        yield columns[first:end].tobytes() + X.data[first:end].tobytes()
