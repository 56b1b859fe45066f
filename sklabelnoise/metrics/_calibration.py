"""Whether probabilities mean what they say."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.utils import check_consistent_length

from sklabelnoise._foundation._classes import check_classes, check_probabilities
from sklabelnoise._foundation._counts import is_integer
from sklabelnoise._foundation._given import check_same_rows, check_weights, label_column
from sklabelnoise._foundation._matrix import check_matrix
from sklabelnoise._foundation._types import ArrayLike, Labels
from sklabelnoise.metrics._class_columns import class_columns


def expected_calibration_error(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    labels: Labels | None = None,
    n_bins: int = 10,
    strategy: Literal["uniform", "quantile"] = "uniform",
    sample_weight: ArrayLike | None = None,
) -> float:
    """Mean gap between the confidence of the predicted class and how often it is right.

    Rows are put into bins by the probability of their predicted class; the gap of a bin is that between its mean
    probability and its accuracy; bins count by their rows.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels scored against. Wrong labels make a good model look over-confident: use clean ones where there are any.

    proba : array-like or DataFrame of shape (n_samples, n_classes)
        Probabilities of the classes. The columns of a frame are found by name.

    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns, as an estimator's ``classes_``. None takes the sorted labels of
        `y_true`, which must be as many as there are columns.

    n_bins : int, default=10
        Number of bins.

    strategy : {"uniform", "quantile"}, default="uniform"
        Bins of equal width on (0, 1], or bins of equally many rows (of equal weight, where rows have one), whose error
        estimate is less noisy.

    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each row.

    Returns
    -------
    error : float
        0 for calibrated confidence, at most 1.

    Raises
    ------
    ValueError
        If rows of `proba` are no probabilities (logits, say), if weights are negative, missing or all zero, or if
        labels and columns do not fit each other.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger: "On Calibration of Modern Neural Networks", ICML 2017, equation 3.

    Examples
    --------
    >>> from sklabelnoise.metrics import expected_calibration_error
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.2, 0.8]]
    >>> round(expected_calibration_error([0, 1, 1, 1], proba), 2)
    0.3
    """
    check_same_rows(y_true=y_true, proba=proba, sample_weight=sample_weight)
    y_true = label_column(y_true, "y_true")
    known = np.unique(y_true) if labels is None else check_classes(labels, "labels")
    columns, proba = class_columns(proba, known, argument="proba", ordered=labels is not None)
    proba = check_matrix(proba, "proba", "(n_samples, n_classes)", dtype=np.float64)
    check_consistent_length(y_true, proba)
    check_probabilities(proba, "proba")
    weight = check_weights(sample_weight, len(y_true))
    if not is_integer(n_bins) or n_bins < 1:
        raise ValueError(f"n_bins must be a positive integer, got {n_bins!r}.")
    n_bins = int(n_bins)
    if strategy not in ("uniform", "quantile"):
        raise ValueError(f'strategy must be "uniform" or "quantile", got {strategy!r}.')
    labels = known if columns is None else columns
    if len(labels) != proba.shape[1]:
        raise ValueError(f"proba must have a column for each of {len(labels)} labels, got {proba.shape[1]} columns.")
    if set(y_true.tolist()).isdisjoint(labels.tolist()):  # texts beside numbers: every row would count as wrong
        first = y_true.tolist()[0]
        raise ValueError(f"y_true must hold labels of the classes {labels.tolist()}, got none, but {first!r}.")
    counted = weight > 0  # the others would move the edges of bins of equally many rows
    y_true, proba, weight = y_true[counted], proba[counted], weight[counted]
    confidence = proba.max(axis=1)
    correct = labels[proba.argmax(axis=1)] == y_true
    if strategy == "uniform":
        # Bins are open on the left; the small shift keeps 0.3 out of the bin above when 10 * 0.3 rounds up.
        bins = np.ceil(confidence * n_bins - 1e-9).astype(np.intp) - 1
    else:
        bins = np.searchsorted(_weighted_quantiles(confidence, weight, n_bins), confidence, side="left")
    gap = np.bincount(bins.clip(0, n_bins - 1), weights=weight * (confidence - correct), minlength=n_bins)
    return float(np.abs(gap).sum() / weight.sum())


def _weighted_quantiles(values, weight, n_parts):
    """The values that end all but the last of some parts of equal weight; a weight counts as so many rows."""
    order = np.argsort(values, kind="stable")
    mass = weight[order].cumsum()
    # The shift keeps a mass that rounding made a little too small from opening the next part.
    wanted = mass[-1] * np.arange(1, n_parts) / n_parts * (1 - 1e-12)
    return values[order][np.searchsorted(mass, wanted, side="left")]
