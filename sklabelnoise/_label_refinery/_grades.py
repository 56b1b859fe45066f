"""From a continuous prediction to a grade: thresholds between ordered grades."""

import numpy as np
from scipy.optimize import minimize

from sklabelnoise.metrics import quadratic_weighted_kappa


def grade(values, thresholds, grades):
    """Cut continuous values into grades.

    Parameters
    ----------
    values : ndarray of shape (n_samples,)
        Continuous predictions.
    thresholds : ndarray of shape (n_grades - 1,)
        Increasing; a value equal to a threshold belongs to the grade above.
    grades : ndarray of shape (n_grades,)
        The grades in ascending order.

    Returns
    -------
    y : ndarray of shape (n_samples,)
        One of `grades` for each value.

    Examples
    --------
    >>> import numpy as np
    >>> grade(np.array([-1.0, 0.4, 0.5, 7.0]), np.array([0.5, 1.5]), np.array([0, 1, 2]))
    array([0, 0, 1, 2])
    """
    return grades[np.searchsorted(thresholds, values, side="right")]


def halfway_thresholds(grades):
    """Thresholds in the middle between neighboring grades.

    Parameters
    ----------
    grades : ndarray of shape (n_grades,)
        The grades in ascending order.

    Returns
    -------
    thresholds : ndarray of shape (n_grades - 1,)
        The midpoints.
    """
    grades = grades.astype(np.float64)  # sums of small integers would wrap round
    return (grades[1:] + grades[:-1]) / 2


def kappa_thresholds(grades, y, values, sample_weight=None):
    """Thresholds under which the grades of some predictions agree best with given grades.

    Nelder-Mead on the quadratic weighted kappa, which is piecewise constant in the thresholds and so has no gradient
    to follow. It starts from the midpoints, or, where those agree less, from the quantiles that give each grade its
    share of `y`: predictions with little spread lie between few midpoints.

    Parameters
    ----------
    grades : ndarray of shape (n_grades,)
        The grades in ascending order.
    y : ndarray of shape (n_samples,)
        Given grades.
    values : ndarray of shape (n_samples,)
        Continuous predictions, out of fold: thresholds fitted to predictions of seen rows would be too sure.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Weights of the rows.

    Returns
    -------
    thresholds : ndarray of shape (n_grades - 1,)
        Increasing thresholds, with a kappa at least that of the midpoints.
    """
    codes = np.searchsorted(grades, y)
    numbers = np.arange(len(grades), dtype=np.float64)
    weights = np.ones(len(y)) if sample_weight is None else sample_weight

    def loss(thresholds):
        predicted = grade(values, np.sort(thresholds), numbers)
        return -quadratic_weighted_kappa(codes, predicted, sample_weight=weights)

    order = values.argsort(kind="stable")
    below = np.bincount(codes, weights=weights, minlength=len(grades)).cumsum()[:-1]
    quantiles = values[order][np.searchsorted(weights[order].cumsum(), below, side="right").clip(max=len(y) - 1)]
    start = min(halfway_thresholds(grades), quantiles, key=loss)
    # Steps that move thresholds past some rows; the default, 5 % of each value, is nothing for one near zero.
    spread = np.average((values - np.average(values, weights=weights)) ** 2, weights=weights) ** 0.5
    simplex = np.vstack([start, start + np.diag(np.full(len(start), max(spread, 1e-6) / 5))])
    found = minimize(loss, start, method="Nelder-Mead", options={"initial_simplex": simplex, "fatol": 1e-6})
    return np.sort(found.x)  # the start is a corner of the first simplex, so what is found is no worse


def check_thresholds(thresholds, grades):
    """Thresholds given by the user as an array.

    Parameters
    ----------
    thresholds : array-like
        One number between each two neighboring grades.
    grades : ndarray of shape (n_grades,)
        The grades in ascending order.

    Returns
    -------
    thresholds : ndarray of shape (n_grades - 1,)
        Float64.

    Raises
    ------
    ValueError
        If they are not increasing or of another number.
    """
    array = np.asarray(thresholds)
    array = array.astype(np.float64) if array.dtype.kind in "biuf" else np.empty(0)
    if array.shape != (len(grades) - 1,) or not (np.diff(array) > 0).all():
        raise ValueError(
            f"The 'thresholds' parameter must be {len(grades) - 1} increasing numbers, one between each two of the "
            f"{len(grades)} grades {grades.tolist()}. Got {thresholds!r}."
        )
    return array
