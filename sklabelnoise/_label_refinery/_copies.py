"""Rows repeated for the classes they may belong to: soft labels for estimators that take hard ones and weights."""

from contextlib import contextmanager

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import check_random_state, gen_batches

from sklabelnoise._compat import binned_by_columns, num_samples, safe_indexing

# A row is not repeated for a class this improbable; what is left out is spread over its other classes.
NEGLIGIBLE_WEIGHT = 1e-6
# Rows are repeated for all their classes as long as the copies take no more than this many bytes ...
COPIES_BYTES = 2**30
# ... and otherwise, and always for boosting on histograms of more than three classes, this often at most.
FEWEST_COPIES = 2
_BLOCK = 4096


def copies(targets, sample_weight=None, *, most=None, random_state=0):
    """Repeat each row once for every class it may belong to, weighted with the probability of that class.

    The weights of the copies of a row sum to the weight of the row, so a loss that is a weighted sum over rows
    becomes the cross entropy with the soft labels: sum_i sum_k t_ik loss(k, x_i).

    A row of more than `most` classes keeps the most probable ones but for its last copy, which stands for all others:
    its class is drawn from them, with their probabilities, and gets all their weight. So the loss is the same in the
    mean over draws.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_classes)
        Rows on the simplex.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights of the rows.
    most : int or None, default=None
        Largest number of copies of a row, at least 2.
    random_state : int or RandomState, default=0
        Decides what is drawn.

    Returns
    -------
    rows : ndarray of shape (n_copies,)
        Row numbers, ascending.
    labels : ndarray of shape (n_copies,)
        Class numbers.
    weights : ndarray of shape (n_copies,)
        Weights of the copies.

    Examples
    --------
    >>> import numpy as np
    >>> rows, labels, weights = copies(np.array([[1.0, 0.0], [0.25, 0.75]]))
    >>> rows, labels, weights
    (array([0, 1, 1]), array([0, 0, 1]), array([1.  , 0.25, 0.75]))
    """
    rng = check_random_state(random_state)
    parts = []
    # In blocks: with many classes the tables in between are larger than X.
    for block in gen_batches(len(targets), _BLOCK):
        kept = np.where(targets[block] >= NEGLIGIBLE_WEIGHT, targets[block], 0)
        kept /= kept.sum(axis=1, keepdims=True)
        if most is not None and most < kept.shape[1]:
            _merge_tails(kept, most, rng)
        rows, labels = np.nonzero(kept)
        parts.append((block.start + rows, labels, kept[rows, labels]))
    rows, labels, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return rows, labels, weights if sample_weight is None else weights * sample_weight[rows]


def _merge_tails(proba, most, rng):
    """Give the weight of all but the `most` - 1 largest entries of a row to one of them, drawn in proportion."""
    (many,) = np.nonzero(np.count_nonzero(proba, axis=1) > most)
    tail = proba[many]
    largest = np.argpartition(tail, -(most - 1), axis=1)[:, -(most - 1) :]
    np.put_along_axis(tail, largest, 0, axis=1)
    total = tail.cumsum(axis=1)
    drawn = (total > rng.random_sample((len(many), 1)) * total[:, -1:]).argmax(axis=1)
    proba[many] -= tail
    proba[many, drawn] = total[:, -1]


def most_copies(estimator, X, n_classes):
    """How often a row may be repeated: for all its classes, unless that takes too much time or memory.

    Parameters
    ----------
    estimator : estimator instance
        What is fitted to the copies.
    X : array-like of shape (n_samples, n_features)
        Rows.
    n_classes : int
        Number of classes.

    Returns
    -------
    most : int
    """
    if isinstance(estimator, HistGradientBoostingClassifier):
        return n_classes if n_classes <= 3 else FEWEST_COPIES
    if issparse(X):
        n_bytes = X.data.nbytes
    else:
        n_bytes = getattr(X, "nbytes", 8 * num_samples(X) * (np.shape(X)[1] if np.ndim(X) > 1 else 1))
    return max(FEWEST_COPIES, COPIES_BYTES // max(n_bytes, 1))


@contextmanager
def rows_to_fit(X, numbers, estimator, *, rows=None):
    """A block in which an estimator may be fitted to rows of X by number, some of them more than once.

    Where boosting on histograms does nothing with rows but find their bins, no table of the repeated ones is made: it
    is fitted to their numbers, which stand in every column, and finds what they stand for when it asks for its bins.

    Parameters
    ----------
    X, numbers, estimator, rows
        As in :func:`repeated`.

    Yields
    ------
    X : array-like of shape (n_copies, n_features)
        What the `fit` of the estimator takes, in this block only.
    """
    if not _only_bins(estimator, X):
        with binned_by_columns(estimator):
            yield repeated(X, numbers, estimator, rows=rows)
        return
    rows = np.arange(num_samples(X)) if rows is None else rows

    def columns_of(stand_in, columns):
        copied = stand_in[:, 0].astype(np.intp)
        table = np.empty((len(copied), len(range(X.shape[1])[columns])))
        for k, j in enumerate(range(X.shape[1])[columns]):
            table[:, k] = _quantized_column(X, rows, j, estimator)[copied]
        return table

    stand_in = np.broadcast_to(numbers.astype(np.float64)[:, np.newaxis], (len(numbers), X.shape[1]))
    if isinstance(X, pd.DataFrame):
        stand_in = pd.DataFrame(stand_in, columns=X.columns, copy=False)
    del numbers  # nothing of no use beside the fit, which takes most memory of all
    with binned_by_columns(estimator, columns_of):
        yield stand_in


def _only_bins(estimator, X):
    """Whether all that the fit of an estimator does with the numbers of X is to find their bins."""
    if type(estimator) is not HistGradientBoostingClassifier or estimator.early_stopping is not False:
        return False
    if not (estimator.categorical_features is None or isinstance(estimator.categorical_features, str)):
        return False
    if isinstance(X, pd.DataFrame):
        return len(X.columns) > 0 and all(_is_plain(dtype) for dtype in X.dtypes)
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] > 0 and _is_plain(X.dtype)


def _is_plain(dtype):
    return isinstance(dtype, np.dtype) and dtype.kind in "iuf"


def _quantized_column(X, rows, j, estimator):
    column = X.iloc[rows, j].to_numpy() if isinstance(X, pd.DataFrame) else X[rows, j]
    return quantized(column, estimator.max_bins)


def repeated(X, numbers, estimator, *, rows=None):
    """Rows of X by number, some of them more than once; quantized where the estimator works on histograms.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows.
    numbers : ndarray of shape (n_copies,)
        Which row each copy is of: a number among `rows`.
    estimator : estimator instance
        What is fitted to the copies.
    rows : ndarray of int of shape (n_rows,) or None, default=None
        Rows of X to be repeated and quantized by; None for all.

    Returns
    -------
    X : array-like of shape (n_copies, n_features)
        What is quantized is laid out as the estimator takes it, so that it makes no table of its own: arrays are
        float64, frames of nothing else hold one table.
    """
    rows = np.arange(num_samples(X)) if rows is None else rows
    is_frame = isinstance(X, pd.DataFrame)
    is_numeric = isinstance(X, np.ndarray) and X.ndim == 2 and _is_plain(X.dtype)
    if not isinstance(estimator, HistGradientBoostingClassifier) or not (is_frame or is_numeric):
        return safe_indexing(X, rows[numbers])
    # Column by column, as the estimator reads it: no second table in between.
    if is_frame and not (X.dtypes == np.float64).all():
        # Categories are few and stay; what is no plain number is left to the estimator.
        columns = [
            _quantized_column(X, rows, j, estimator)[numbers] if _is_plain(dtype) else X.iloc[rows[numbers], j]
            for j, dtype in enumerate(X.dtypes)
        ]
        return pd.DataFrame({j: getattr(column, "array", column) for j, column in enumerate(columns)}).set_axis(
            X.columns, axis=1
        )
    # Row by row in memory: where the estimator draws a sample of them, it would turn all others as well.
    copied = np.empty((len(numbers), X.shape[1]))
    for j in range(X.shape[1]):
        copied[:, j] = _quantized_column(X, rows, j, estimator)[numbers]
    return pd.DataFrame(copied, columns=X.columns, copy=False) if is_frame else copied


def quantized(values, n_values):
    """Move the values of a feature to at most so many of them, in a way that trees on histograms do not notice.

    Boosting on histograms splits a feature between neighboring values, if there are few, and otherwise at quantiles,
    which for weighted rows it computes one by one at the cost of many fits. So the values are cut into quantile bins,
    each bin is cut in its middle, and the values of each half become the outermost one of the bin. Every split between
    neighbors that are left then parts the values that came as it parts those that went: a tree grown on the one
    predicts the other.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Numbers; NaN stays NaN.
    n_values : int
        How many different numbers may be left, at least 2. A feature that has no more is left as it is.

    Returns
    -------
    values : ndarray of shape (n_samples,)
        Of the same type; each one of the numbers that came.

    Examples
    --------
    >>> import numpy as np
    >>> quantized(np.array([0.0, 1.0, 4.0, 5.0, 6.0, 9.0]), 4)
    array([0., 0., 4., 5., 5., 9.])
    """
    missing = np.isnan(values)
    ordered = np.sort(values[~missing])
    if len(ordered) == 0 or 1 + (ordered[1:] != ordered[:-1]).sum() <= n_values:
        return values
    n_bins = n_values // 2
    ends = np.unique(ordered[-(-np.arange(1, n_bins + 1) * len(ordered) // n_bins) - 1])
    starts = ordered[np.append(0, np.searchsorted(ordered, ends[:-1], side="right"))]
    # In double precision, as the threshold will be. Between infinities there is none.
    with np.errstate(invalid="ignore"):
        middles = (starts.astype(np.float64) + ends) / 2
    bins = np.searchsorted(ends, values).clip(max=len(ends) - 1)
    return np.where(missing, values, np.where(values <= middles[bins], starts[bins], ends[bins]))
