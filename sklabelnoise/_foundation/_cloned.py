"""Clones of estimators with other parameters."""

from sklearn.base import clone


def cloned_with(estimator, parameters):
    """A clone of an estimator with some parameters set.

    Parameters
    ----------
    estimator : estimator instance
        Left as it is.
    parameters : dict
        Those that are estimators are cloned as well.

    Returns
    -------
    clone : estimator instance
        Unfitted. It is not what `set_params` returns, which is nothing for scikit-learn's FrozenEstimator.
    """
    estimator = clone(estimator)
    estimator.set_params(**clone(parameters, safe=False))
    return estimator
