"""Predictions of each row by a model trained without it, all folds trained together."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import is_classifier
from sklearn.model_selection import cross_val_predict
from sklearn.utils import indexable

from sklabelnoise._classifiers._known_predictions import KnownPredictions
from sklabelnoise._compat import check_method_params, num_samples, safe_indexing
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._foundation._row_numbers import folds_of, pairs_of_rows
from sklabelnoise._foundation._types import ArrayLike, CrossValidation, Estimator, Labels
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._fused._fits import Fits, refuse
from sklabelnoise._fused._folds import make_folds
from sklabelnoise._fused._plan import final_classifier
from sklabelnoise._stacked._criterion import NotStackableError
from sklabelnoise.model_selection._evaluation import checked_labels

_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@callers_filters()
def fused_cross_val_predict(
    estimator: Estimator,
    X: ArrayLike,
    y: Labels | None = None,
    *,
    groups: ArrayLike | None = None,
    cv: CrossValidation = None,
    n_jobs: int | None = None,
    verbose: int = 0,
    params: dict[Any, Any] | None = None,
    pre_dispatch: int | str = "2*n_jobs",
    method: Literal["predict", "predict_proba", "predict_log_proba", "decision_function"] = "predict",
) -> NDArray[Any]:
    """Predict each row by a model trained without it, all folds trained together.

    It takes and gives what :func:`sklearn.model_selection.cross_val_predict` does. The folds of a classifier of this
    package, or of a Pipeline that ends in one, are trained as one stack; anything else, and folds in which
    a class is missing, are handed on to scikit-learn.

    Parameters
    ----------
    estimator : estimator
        Cloned, not changed.

    X : array-like of shape (n_samples, n_features)
        Rows.

    y : array-like of shape (n_samples,), default=None
        Given labels.

    groups : array-like of shape (n_samples,), default=None
        Groups for the splitter.

    cv : int, splitter or iterable, default=None
        How the rows are split; each row has to be in one test set.

    n_jobs : int, default=None
        Jobs of joblib, for ordinary fits.

    verbose : int, default=0
        1 shows a progress bar; for ordinary fits it is joblib's.

    params : dict, default=None
        Metadata for ``fit`` and the splitter.

    pre_dispatch : int or str, default='2*n_jobs'
        Of joblib, for ordinary fits.

    method : {'predict', 'predict_proba', 'predict_log_proba', 'decision_function'}, default='predict'
        What to return.

    Returns
    -------
    predictions : ndarray
        Result of `method` for each row.

    See Also
    --------
    FusedGridSearchCV : A search whose fits are trained together.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklabelnoise import DMClassifier
    >>> from sklabelnoise.model_selection import fused_cross_val_predict
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> fused_cross_val_predict(DMClassifier(random_state=0), X, y, method="predict_proba").shape
    (200, 2)
    """
    y = checked_labels(estimator, y, params)
    X, y, groups = indexable(X, y, groups)
    splits = splitter = folds_of(cv, y, num_samples(X), classifier=is_classifier(estimator))
    try:
        if get_config()["enable_metadata_routing"] and (params or groups is not None):
            raise NotStackableError("scikit-learn routes the metadata")
        splits = pairs_of_rows(splitter.split(X, y, groups), num_samples(X))
        if not splits:
            raise ValueError(f"cv must give at least one split, got {cv!r}.")
        test = np.concatenate([test for _, test in splits])
        if method not in _METHODS or not np.array_equal(np.sort(test), np.arange(num_samples(X))):
            raise NotStackableError("scikit-learn says what is wrong")
        if y is None or any(len(np.unique(safe_indexing(y, train))) < len(np.unique(y)) for train, _ in splits):
            raise NotStackableError("a fold misses a class, or there is no y")
        params_of_fit = check_method_params(X, params=params or {})
        folds = partial(make_folds, X=X, y=y, splits=splits, fit_params=params_of_fit)
        with Progress(len(splits), type(final_classifier(estimator)).__name__, unit="fits", shown=verbose) as bar:
            predictions = {}
            for fit in Fits([estimator], len(splits), folds, refuse, advance=bar.advance):
                fit.check()
                predictions[fit.fold] = getattr(KnownPredictions(fit.classes, fit.logits[0]), method)(None)
    except NotStackableError:
        keywords = {"n_jobs": n_jobs, "verbose": verbose, "pre_dispatch": pre_dispatch, "method": method}
        return cross_val_predict(estimator, X, y, groups=groups, cv=splits, params=params, **keywords)
    return np.concatenate([predictions[fold] for fold in range(len(splits))])[np.argsort(test)]
