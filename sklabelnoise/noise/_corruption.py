"""Corrupt the labels of a data set: by a transition matrix, by its features, or by removing rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.stats import truncnorm
from sklearn.utils import check_array, check_consistent_length, check_random_state

from sklabelnoise._compat import safe_indexing
from sklabelnoise._foundation._classes import encode, in_type_of
from sklabelnoise._foundation._counts import is_number
from sklabelnoise._foundation._given import check_not_masked, check_same_rows, label_column, of_tensor
from sklabelnoise._foundation._types import ArrayLike, Labels, RandomState, SparseMatrix
from sklabelnoise.noise._transition_matrices import check_rate, check_transition_matrix, in_order_of_classes


def corrupt_labels(
    y: Labels,
    transition_matrix: ArrayLike,
    *,
    classes: Labels | None = None,
    exact_counts: bool = False,
    random_state: RandomState = None,
) -> NDArray[Any]:
    """Draw one given label for each true label.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        True labels: numbers, booleans, texts, dates or durations. Their dtype is kept where all classes are of it.

    transition_matrix : array-like or DataFrame of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one. The rows and columns of a frame are found by name.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the rows of `transition_matrix`. None takes the sorted labels found in `y`.

    exact_counts : bool, default=False
        False draws each label independently, so the realized rate varies around the asked one. True flips as many
        labels of each class, to each class, as `transition_matrix` asks for (rounded so that no count is off by one
        or more), and draws only which ones.

    random_state : int, RandomState instance or None, default=None
        Determines which labels change.

    Returns
    -------
    y_noisy : ndarray of shape (n_samples,)
        The given labels.

    See Also
    --------
    realized_noise_rate : How much noise there is in the end.

    Examples
    --------
    >>> import numpy as np
    >>> from sklabelnoise.noise import corrupt_labels, realized_noise_rate, symmetric_transition_matrix
    >>> y = np.repeat(["cat", "cow", "dog"], 100)
    >>> y_noisy = corrupt_labels(y, symmetric_transition_matrix(3, 0.4), exact_counts=True, random_state=0)
    >>> realized_noise_rate(y, y_noisy)
    0.4
    """
    y = label_column(y)
    found, true = encode(y, classes)
    T = check_transition_matrix(in_order_of_classes(transition_matrix, found))
    if len(T) != len(found):
        expected = f"transition_matrix must have one row for each of {len(found)}"
        if classes is not None:
            raise ValueError(f"{expected} classes, got shape {T.shape}.")
        raise ValueError(f"{expected} labels of y, got shape {T.shape}. If y misses a class, pass classes.")
    classes = in_type_of(y, found)
    rng = check_random_state(random_state)
    if exact_counts:
        return classes[_draw_exact_counts(true, T, rng)]
    return classes[_draw_independently(true, T, rng)]


def _draw_independently(true, T, rng):
    """Invert the CDF of each label's row, class by class: one row of T for each label would be large."""
    cdf = np.cumsum(T, axis=1)
    cdf[:, -1] = 1.0  # rounding must not leave room for a class n_classes
    u = rng.uniform(size=len(true))
    given = np.empty_like(true)
    for i in range(len(T)):
        members = true == i
        given[members] = np.searchsorted(cdf[i], u[members], side="right")
    return given


def _draw_exact_counts(true, T, rng):
    given = np.empty_like(true)
    for i, row in enumerate(T):
        members = np.flatnonzero(true == i)
        wanted = len(members) * row
        # The tolerance keeps 299.9999999 from becoming 299 with a remainder that is given elsewhere.
        counts = np.floor(wanted + 1e-9).astype(np.intp)
        # Largest remainders round up. A random order first, then a stable sort: equal remainders have equal chances.
        shuffled = rng.permutation(len(row))
        by_remainder = shuffled[np.argsort((counts - wanted)[shuffled].round(9), kind="stable")]
        counts[by_remainder[: len(members) - counts.sum()]] += 1
        given[rng.permutation(members)] = np.repeat(np.arange(len(row)), counts)
    return given


def corrupt_labels_by_instance(
    X: ArrayLike, y: Labels, rate: float, *, spread: float = 0.1, random_state: RandomState = None
) -> NDArray[Any]:
    r"""Instance-dependent noise: which labels are wrong, and how, follows from the features.

    Each row gets a flip rate :math:`q_i` from a normal distribution around `rate`, cut to [0, 1], and one random
    projection for each true class, :math:`W_c` with standard normal entries, turns the features into the odds of the
    wrong labels:

    .. math:: P_i(j) = q_i \, \mathrm{softmax}_{k \ne y_i}(x_i^T W_{y_i})_j \text{ for } j \ne y_i,
              \qquad P_i(y_i) = 1 - q_i.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        Features, flattened behind the first axis. Their scale matters: standardized columns (or images) make rows that
        look alike get the same wrong label, and features near zero make any wrong label as likely as another.

    y : array-like of shape (n_samples,)
        True labels.

    rate : float in [0, 1)
        Mean flip rate before it is cut to [0, 1].

    spread : float, default=0.1
        Standard deviation of the flip rates before they are cut; 0 gives each row the same.

    random_state : int, RandomState instance or None, default=None
        Determines the flip rates, the projections and the draws.

    Returns
    -------
    y_noisy : ndarray of shape (n_samples,)
        The given labels.

    References
    ----------
    Xia et al.: "Part-dependent Label Noise: Towards Instance-dependent Label Noise", NeurIPS 2020, Algorithm 2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from sklabelnoise.noise import corrupt_labels_by_instance, realized_noise_rate
    >>> X, y = load_iris(return_X_y=True)
    >>> y_noisy = corrupt_labels_by_instance(scale(X), y, 0.3, random_state=0)
    >>> 0.2 < realized_noise_rate(y, y_noisy) < 0.4
    True
    """
    rate = check_rate(rate)
    if not is_number(spread) or spread < 0:
        raise ValueError(f"spread must be a finite number of at least 0, got {spread!r}.")
    check_same_rows(X=X, y=y, numbers=False)
    X = of_tensor(X)
    check_not_masked(X, "X")
    X = check_array(X, allow_nd=True, dtype=[np.float64, np.float32], input_name="X")
    y = label_column(y)
    check_consistent_length(X, y)
    largest = min(1e150, float(np.finfo(X.dtype).max))  # sums of larger numbers have no softmax
    X = X.reshape(len(X), -1).clip(-largest, largest)
    classes, true = encode(y)
    if len(classes) < 2:
        raise ValueError(f"y needs at least 2 classes, got one class: {classes.tolist()[0]!r}.")
    rng = check_random_state(random_state)
    flip_rate = np.full(len(y), float(rate))
    if spread > 0:
        spread = min(spread, 1e8)  # as good as uniform; of still larger ones SciPy draws zeros
        low, high = -rate / spread, (1 - rate) / spread
        flip_rate = truncnorm.rvs(low, high, loc=rate, scale=spread, size=len(y), random_state=rng)
    odds = np.empty((len(y), len(classes)))
    for c in range(len(classes)):
        projection = rng.standard_normal((X.shape[1], len(classes)))
        odds[true == c] = X[true == c] @ projection
    rows = np.arange(len(y))
    odds[rows, true] = -np.inf
    odds -= odds.max(axis=1, keepdims=True)
    proba = np.exp(odds)
    proba *= (flip_rate / proba.sum(axis=1))[:, None]
    proba[rows, true] = 1 - flip_rate
    cdf = np.cumsum(proba, axis=1)
    cdf[:, -1] = 1.0  # as above
    return classes[(rng.uniform(size=(len(y), 1)) >= cdf).sum(axis=1)]


def subsample_classes(
    X: ArrayLike | SparseMatrix,
    y: Labels,
    ratio: float | dict[Any, Any],
    *,
    random_state: RandomState = None,
) -> tuple[Any, NDArray[Any]]:
    """Make classes imbalanced by removing rows, and only as many as needed.

    Parameters
    ----------
    X : {array-like, sparse matrix, dataframe} of shape (n_samples, ...)
        The features; the type is kept.

    y : array-like of shape (n_samples,)
        The labels.

    ratio : float or dict
        For two classes, how many rows of the positive class (the greater label) come on one of the negative class, the
        P-N ratio: 10 means ten to one. For any number of classes, ``{label: parts}``; ``{"a": 10, "b": 10, "c": 1}``
        leaves ten rows of "a" and of "b" for each of "c".

    random_state : int, RandomState instance or None, default=None
        Determines which rows stay.

    Returns
    -------
    X_subsampled, y_subsampled : same types as X, and ndarray
        The rows that stay, in their old order.

    References
    ----------
    Wang et al.: "Derivative Manipulation for General Example Weighting", section 4.4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from sklabelnoise.noise import subsample_classes
    >>> y = np.repeat([0, 1], 100)
    >>> X_subsampled, y_subsampled = subsample_classes(y[:, None], y, 10, random_state=0)
    >>> np.bincount(y_subsampled)
    array([ 10, 100])
    """
    check_same_rows(X=X, y=y, numbers=False)
    y = label_column(y)
    check_consistent_length(X, y)
    classes, codes = encode(y)
    if is_number(ratio):
        if len(classes) != 2:
            raise ValueError(
                f"ratio must be a dict of label to parts where y has {len(classes)} classes, not two, got {ratio!r}."
            )
        parts = np.array([1.0, float(ratio)])
    else:
        if not isinstance(ratio, Mapping):
            raise TypeError(f"ratio must be a number or a dict of label to parts, got {ratio!r}.")
        if set(ratio) != set(classes.tolist()):
            raise ValueError(f"ratio must name each label of y, {classes.tolist()}, got {list(ratio)}.")
        try:
            parts = np.array([float(ratio[label]) for label in classes.tolist()])
        except (TypeError, ValueError) as error:
            raise TypeError(f"ratio must hold numbers, got {ratio!r}.") from error
    if not np.isfinite(parts).all() or parts.min() <= 0:
        raise ValueError(f"ratio must be positive and finite, got {ratio!r}.")
    counts = np.bincount(codes)
    # The 1e-9 keeps a count that divides evenly from being rounded down.
    kept = np.floor(parts * (counts / parts).min() + 1e-9).astype(np.intp)
    if kept.min() == 0:
        raise ValueError(f"ratio must leave a row of class {classes.tolist()[kept.argmin()]!r}, got {ratio!r}.")
    rng = check_random_state(random_state)
    rows = [rng.choice(np.flatnonzero(codes == c), size=size, replace=False) for c, size in enumerate(kept)]
    rows = np.sort(np.concatenate(rows))
    if scipy.sparse.issparse(X):  # not all formats have rows that can be taken
        return X.tocsr()[rows].asformat(X.format), y[rows]
    return safe_indexing(X, rows), y[rows]
