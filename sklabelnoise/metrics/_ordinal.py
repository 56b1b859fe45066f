"""Agreement of ordinal labels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sklabelnoise._foundation._classes import check_classes
from sklabelnoise._foundation._given import check_same_kind, check_same_rows, check_weights
from sklabelnoise._foundation._types import ArrayLike, Labels


def quadratic_weighted_kappa(
    y_true: ArrayLike, y_pred: ArrayLike, *, labels: Labels | None = None, sample_weight: ArrayLike | None = None
) -> float:
    r"""Agreement of two ordinal ratings beyond chance, disagreement counted by its square.

    With :math:`O` the matrix of observed pairs and :math:`E` the outer product of its margins, both summing to one,

    .. math:: \kappa = 1 - \frac{\sum_{ij} (i - j)^2 O_{ij}}{\sum_{ij} (i - j)^2 E_{ij}}.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_samples,)
        Labels scored against, and labels scored. Their sorted order is the order of the grades; that of ordered
        categories of pandas is their own.

    labels : array-like of shape (n_grades,), default=None
        All grades in their order. None takes the ordered categories of `y_true` or `y_pred`, else the sorted labels
        found in either argument; give them when a grade in between may be missing from both, because the distance
        between grades is counted in positions, and for grades with names, which sort by their letters.

    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each pair.

    Returns
    -------
    kappa : float
        1 for full agreement, 0 for agreement as by chance. Where all labels of both are one and the same grade, chance
        cannot disagree either, and full agreement counts as 1.

    Raises
    ------
    ValueError
        If a grade is none of `labels`, if weights are negative, missing or all zero, or if the two have ordered
        categories in different orders.

    See Also
    --------
    sklearn.metrics.cohen_kappa_score : The same with ``weights="quadratic"``, through a confusion matrix.

    References
    ----------
    Cohen: "Weighted kappa: nominal scale agreement with provision for scaled disagreement or partial credit",
    Psychological Bulletin 70 (4), 1968.

    Examples
    --------
    >>> from sklabelnoise.metrics import quadratic_weighted_kappa
    >>> quadratic_weighted_kappa([0, 1, 2, 3], [0, 1, 3, 2])
    0.8
    """
    labels = _ordered_categories(y_true, y_pred) if labels is None else check_classes(labels, "labels")
    check_same_rows(y_true=y_true, y_pred=y_pred, sample_weight=sample_weight)
    y_true, y_pred = check_same_kind(y_true=y_true, y_pred=y_pred)
    n = len(y_true)
    weight = check_weights(sample_weight, n)
    if labels is None:
        grades = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)[1]
        true, pred = grades[:n], grades[n:]
    else:
        rank = {label: i for i, label in enumerate(labels.tolist())}
        unknown = set(np.concatenate([y_true, y_pred]).tolist()) - rank.keys()
        if unknown:
            raise ValueError(f"y_true and y_pred must hold grades of labels only, got {sorted(unknown)}.")
        true, pred = (np.array([rank[label] for label in y.tolist()]) for y in (y_true, y_pred))
    weight = weight / weight.sum()
    true, pred = true - true[0], pred - true[0]  # kappa ignores shifts; this one makes a single grade exactly zero
    observed = weight @ np.square(true - pred)
    # Over all pairs the mean squared difference needs only the first two moments, no matrix of pairs.
    chance = weight @ np.square(true) + weight @ np.square(pred) - 2 * (weight @ true) * (weight @ pred)
    return 1.0 if chance == 0 else float(1 - observed / chance)


def _ordered_categories(y_true, y_pred):
    """The grades in the order that pandas knows of them, None where it knows of none."""
    orders = [y.dtype.categories for y in (y_true, y_pred) if _has_order(y)]
    if len(orders) == 2 and not orders[0].equals(orders[1]):
        raise ValueError(
            "y_true and y_pred must have the same ordered categories, or labels must say which, got "
            f"{orders[0].tolist()} and {orders[1].tolist()}."
        )
    return orders[0].to_numpy() if orders else None


def _has_order(y):
    dtype = getattr(y, "dtype", None)
    return isinstance(dtype, pd.CategoricalDtype) and bool(dtype.ordered)
