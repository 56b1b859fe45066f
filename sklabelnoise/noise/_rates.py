"""How much noise there is: asked for by a transition matrix, or realized in given labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklabelnoise._foundation._classes import check_classes, count_pairs
from sklabelnoise._foundation._given import check_not_masked, check_same_kind, of_tensor
from sklabelnoise._foundation._types import ArrayLike, Labels
from sklabelnoise.noise._transition_matrices import check_transition_matrix, named_classes


def realized_noise_rate(y_clean: Labels, y_noisy: ArrayLike) -> float:
    """Share of the labels that differ from the truth.

    Parameters
    ----------
    y_clean, y_noisy : array-like of shape (n_samples,)
        True and given labels of the same rows.

    Returns
    -------
    noise_rate : float

    Examples
    --------
    >>> from sklabelnoise.noise import realized_noise_rate
    >>> realized_noise_rate([0, 0, 1, 1], [0, 1, 1, 1])
    0.25
    """
    y_clean, y_noisy = check_same_kind(y_clean=y_clean, y_noisy=y_noisy)
    return float(np.mean(y_clean != y_noisy))


def realized_transition_matrix(y_clean: Labels, y_noisy: ArrayLike, *, classes: Labels | None = None) -> NDArray[Any]:
    """Share of each true class that was given each label.

    Parameters
    ----------
    y_clean, y_noisy : array-like of shape (n_samples,)
        True and given labels of the same rows.

    classes : array-like of shape (n_classes,), default=None
        The labels in the wanted order. None takes the sorted labels found in either argument.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j]`` is the share of label j among the rows of true class i; rows sum to one. The row of a class that is
        nobody's truth is that of the identity: nothing says that its labels change.

    Examples
    --------
    >>> from sklabelnoise.noise import realized_transition_matrix
    >>> realized_transition_matrix(["a", "a", "b", "b"], ["a", "b", "b", "b"])
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    y_clean, y_noisy = check_same_kind(y_clean=y_clean, y_noisy=y_noisy)
    return shares_of_each_class(count_pairs(classes, y_clean=y_clean, y_noisy=y_noisy)[1])


def shares_of_each_class(counts):
    """A transition matrix from counts of true (rows) and given labels; that of the identity where a class has none."""
    counts = counts.astype(np.float64)
    absent = counts.sum(axis=1) == 0
    counts[absent, absent] = 1
    return counts / counts.sum(axis=1, keepdims=True)


def expected_noise_rate(transition_matrix: ArrayLike, *, class_prior: ArrayLike | None = None) -> float:
    """Noise rate that a transition matrix asks for.

    Parameters
    ----------
    transition_matrix : array-like of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    class_prior : array-like of shape (n_classes,), default=None
        Share (or number) of the rows of each true class. None means balanced classes. Those of a Series that names the
        classes, as ``y.value_counts()``, are found by name.

    Returns
    -------
    noise_rate : float
        Probability that a label differs from the truth.

    Examples
    --------
    >>> from sklabelnoise.noise import expected_noise_rate
    >>> round(expected_noise_rate([[0.8, 0.2], [0, 1]]), 2)
    0.1
    >>> round(expected_noise_rate([[0.8, 0.2], [0, 1]], class_prior=[3, 1]), 2)
    0.15
    """
    T = check_transition_matrix(transition_matrix)
    if isinstance(class_prior, Mapping):
        raise TypeError(f"class_prior must hold {len(T)} shares in the order of the classes, got {class_prior!r}.")
    class_prior = np.ones(len(T)) if class_prior is None else of_tensor(class_prior)
    check_not_masked(class_prior, "class_prior")
    class_prior = _in_order_of_rows(class_prior, transition_matrix)
    try:
        prior = np.asarray(class_prior, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise type(error)(f"class_prior must hold {len(T)} shares, got {class_prior!r}.") from error
    if prior.shape != (len(T),) or not np.isfinite(prior).all() or prior.min() < 0 or prior.max() == 0:
        raise ValueError(f"class_prior must hold {len(T)} shares, none negative and not all zero, got {class_prior!r}.")
    prior = prior / prior.max()  # the sum of large ones would be infinite
    return float(1 - prior @ np.diag(T) / prior.sum())


def _in_order_of_rows(class_prior, transition_matrix):
    """Shares of classes in the order of the rows of a transition matrix, by the names of both where they have any."""
    if not isinstance(class_prior, pd.Series) or isinstance(class_prior.index, pd.RangeIndex):
        return class_prior
    given = class_prior.index.tolist()
    names = named_classes(transition_matrix)[0]
    if names is None:
        return class_prior.iloc[np.argsort(check_classes(class_prior.index, "the index of class_prior"))]
    place = {str(name): i for i, name in enumerate(given)}
    if not len(place) == len(given) == len(names) or {str(name) for name in names} != place.keys():
        raise ValueError(f"class_prior must name each class once, {names}, got {given}.")
    return class_prior.iloc[[place[str(name)] for name in names]]
