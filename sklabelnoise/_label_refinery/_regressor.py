"""The stochastic label refinery of grades and continuous targets."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import RegressorMixin, is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils.multiclass import check_classification_targets

from sklabelnoise._compat import StrOptions, fit_context
from sklabelnoise._foundation._types import ArrayLike, CrossValidation, Estimator, Labels, RandomState
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._label_refinery._grades import check_thresholds, grade, halfway_thresholds, kappa_thresholds
from sklabelnoise._label_refinery._refinement import BaseLabelRefinery
from sklabelnoise._label_refinery._soft_fit import ValueFit


class StochasticLabelRefineryRegressor(RegressorMixin, BaseLabelRefinery):
    r"""Refine grades or continuous targets with out-of-fold predictions of any regressor.

    The loop of :class:`StochasticLabelRefinery` with one number a row instead of a distribution, the way [1]_ treats
    the grading of retinopathy: :math:`L_{t+1} = (n L_t + P_t) / (n + 1)`, with :math:`P_t` predicted by models that
    did not see the row.

    Parameters
    ----------
    estimator : estimator, list of estimators or of (str, estimator), or None, default=None
        Any regressor, also a Pipeline. Several are averaged; entries ``(name, estimator)`` have parameters by their
        name, as in scikit-learn's ensembles. None is a Ridge.
    n_rounds : int, default=6
        Number of rounds; 0 is the estimator as it is.
    label_weight : float or "average", default=3
        Weight n of the targets against one round of predictions. "average" is n = t in round t.
    cv : int, "auto", splitter or iterable of (train, test), default="auto"
        Folds of each round. An integer: shuffled. "auto": 5, or fewer where there are fewer rows or groups. A
        splitter with ``shuffle=True`` is reseeded for every round; an iterable is reused. The test sets must
        partition the rows.
    resplit : bool, default=True
        Whether every round draws its own folds.
    final : {"refit", "folds"}, default="refit"
        "refit" fits the estimator to all rows with the refined targets; "folds" averages the models of the last round.
    soft_label_method : {"auto", "regression"}, default="auto"
        Both mean that the regressor learns the refined targets: there is nothing else to choose from here.
    augment : callable or None, default=None
        ``augment(X, rng)`` returns a changed copy of the rows, with `rng` a :class:`numpy.random.Generator`.
    n_augment : int, default=0
        Number of augmented copies whose predictions are averaged with those of the left-out rows.
    tol : float or None, default=None
        Stop when a round moves the targets by no more than this, in the mean.
    checkpoint : str, path-like or None, default=None
        Folder that keeps every finished fold and round, as in :class:`StochasticLabelRefinery`.
    callback : callable or None, default=None
        Called after each round with a :class:`~sklearn.utils.Bunch` of the columns of `history_`, `round`,
        `n_rounds`, `soft_labels` and `predicted`. The arrays are not to be changed.
    n_jobs : int or None, default=None
        Fits that run at the same time, through joblib. The result does not depend on it.
    random_state : int, RandomState instance or None, default=None
        Decides the folds, the augmentation and every ``random_state`` of the estimator that is not an integer.
    verbose : int, default=0
        1 prints a line for every round, above a bar with the time that remains; the line is logged at level INFO too.
    thresholds : {"half", "qwk"}, array-like or None, default=None
        None: `predict` is continuous. Otherwise `y` holds ordered grades and `predict` cuts the continuous prediction
        into them: at the midpoints between grades, where the out-of-fold predictions of the last round have the
        highest quadratic weighted kappa with the given grades, or at given, increasing numbers.

    Attributes
    ----------
    soft_labels_ : ndarray of shape (n_samples,)
        The refined targets.
    transduction_ : ndarray of shape (n_samples,)
        Grades of `soft_labels_`. Absent without thresholds.
    oof_prediction_ : ndarray of shape (n_samples,)
        Out-of-fold predictions of the last round. Absent without rounds.
    label_quality_ : ndarray of shape (n_samples,)
        Minus the distance between the given target and the mean out-of-fold prediction; small for targets to doubt.
        Absent without rounds.
    history_ : DataFrame
        One row a round: `change`, the mean absolute change of the targets; `oof_mae` and `oof_rmse` of the
        predictions against the given targets; `shift`, the mean distance of refined from given targets. For
        estimators with a `loss_curve_`, `losses` lists the training loss of each epoch, averaged over the folds.
    n_iter_ : int
        Number of rounds run.
    grades_ : ndarray of shape (n_grades,)
        The given grades, sorted. Absent without thresholds.
    thresholds_ : ndarray of shape (n_grades - 1,)
        The thresholds used. Absent without thresholds.
    estimator_ : estimator instance
        The final model, for a single estimator with ``final="refit"``.
    estimators_ : list of estimator instances
        The final models in any other case.
    n_features_in_ : int
        Number of features, if the estimator knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the estimator knows them.

    See Also
    --------
    StochasticLabelRefinery : The same for classes.
    sklabelnoise.metrics.quadratic_weighted_kappa : The usual score of grades.

    References
    ----------
    .. [1] X. Fang, J. Yang, B. Ni. Stochastic Label Refinery: Toward Better Target Label Distribution. ICPR 2020,
       Section III and Table III.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import Ridge
    >>> from sklabelnoise import StochasticLabelRefineryRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> severity = 2 + X @ [0.8, 0.4, 0.2]
    >>> y = np.clip(np.rint(severity + rng.normal(scale=0.5, size=200)), 0, 4).astype(int)
    >>> refinery = StochasticLabelRefineryRegressor(Ridge(), thresholds="half", random_state=0).fit(X, y)
    >>> refinery.predict(X[:5])
    array([2, 2, 3, 1, 0])
    >>> bool(np.abs(refinery.soft_labels_ - severity).mean() < np.abs(y - severity).mean())
    True
    """

    soft_labels_: NDArray[Any]
    transduction_: NDArray[Any]
    oof_prediction_: NDArray[Any]
    label_quality_: NDArray[Any]
    history_: pd.DataFrame
    n_iter_: int
    grades_: NDArray[Any]
    thresholds_: NDArray[Any]
    estimator_: Estimator
    estimators_: list[Estimator]
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    _parameter_constraints = {
        **BaseLabelRefinery._parameter_constraints,
        "soft_label_method": [StrOptions({"auto", "regression"})],
        "thresholds": [None, StrOptions({"half", "qwk"}), "array-like"],
    }

    def __init__(
        self,
        estimator: Estimator | list[Estimator | tuple[str, Estimator]] | None = None,
        *,
        n_rounds: int = 6,
        label_weight: float | Literal["average"] = 3,
        cv: CrossValidation = "auto",
        resplit: bool = True,
        final: Literal["refit", "folds"] = "refit",
        soft_label_method: Literal["auto", "regression"] = "auto",
        augment: Callable[..., Any] | None = None,
        n_augment: int = 0,
        tol: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callback: Callable[..., Any] | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
        thresholds: Literal["half", "qwk"] | ArrayLike | None = None,
    ):
        self._store(locals())

    # The inner estimators validate their own parameters when they are fitted.
    @callers_filters()
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: Labels, sample_weight: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> Self:
        """Refine the targets, then fit the estimator to them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Whatever the estimator accepts, if its rows can be indexed.
        y : array-like of shape (n_samples,)
            The given grades or values.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group, such as the images of one patient, stay on one side of every split, also of those that
            an estimator draws itself, such as a search with ``GroupKFold``.

        Returns
        -------
        self : StochasticLabelRefineryRegressor
            Fitted.

        Raises
        ------
        ValueError
            If X is no table of numbers for the default estimator (the message shows what makes one of it), if the
            estimator is no regressor, if there are fewer rows or groups than folds, if the test sets of `cv` do
            not partition the rows, if `thresholds` do not fit the grades, or if the checkpoint folder cannot be
            written.
        RuntimeError
            If a worker process dies.
        """
        X, y, sample_weight, groups = self._check_rows(X, y, sample_weight, groups)
        if y.dtype.kind not in "fiub":
            try:
                if y.dtype.kind in "mM":
                    raise TypeError(f"dates are no numbers, got {y.dtype}")
                y = y.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{type(self).__name__} needs a numeric y. Got dtype {y.dtype}.") from error
        grades, thresholds = self._check_grades(y)
        members = [(ValueFit(), estimator) for estimator in self._estimators()]
        for _, estimator in members:
            if is_classifier(estimator) or not hasattr(estimator, "predict"):
                raise ValueError(
                    f"The 'estimator' parameter must be a regressor with predict. Got {type(estimator).__name__}."
                )

        result = self._refine(members, X, y, y.astype(np.float64), sample_weight, groups)
        attributes = {"soft_labels_": result.refined, "history_": result.history, "n_iter_": result.n_iter}
        if result.n_iter:
            attributes["oof_prediction_"] = result.predicted
            attributes["label_quality_"] = -np.abs(y - result.mean_about_given)
        if grades is not None:
            if thresholds is None:
                thresholds = kappa_thresholds(grades, y, result.predicted, result.sample_weight)
            attributes["grades_"] = grades
            attributes["thresholds_"] = thresholds
            attributes["transduction_"] = grade(result.refined, thresholds, grades)
        self._set_fitted(members, result.models, **attributes)
        return self

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Grades if there are thresholds, else continuous values.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted grades or values.
        """
        values = self.predict_continuous(X)
        return grade(values, self.thresholds_, self.grades_) if hasattr(self, "thresholds_") else values

    def predict_continuous(self, X: ArrayLike) -> NDArray[Any]:
        """Continuous values, averaged over the final models, whatever the thresholds.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        values : ndarray of shape (n_samples,)
            Predicted values.
        """
        return self._predict_mean(X)

    def _check_grades(self, y):
        """Grades and thresholds; the latter None where they are fitted later."""
        if self.thresholds is None:
            return None, None
        try:
            check_classification_targets(y)
        except ValueError as error:  # which speaks of classifiers
            raise ValueError(
                f"thresholds need y to hold ordered grades, got continuous values such as {y[0]}; thresholds=None "
                "predicts values."
            ) from error
        grades = np.unique(y)
        if not isinstance(self.thresholds, str):
            return grades, check_thresholds(self.thresholds, grades)
        if self.thresholds == "half":
            return grades, halfway_thresholds(grades)
        if self.n_rounds == 0:
            raise ValueError("thresholds='qwk' is fitted to out-of-fold predictions: it needs n_rounds >= 1. Got 0.")
        return grades, None

    def _default_estimator(self):
        return Ridge()

    def _first_targets(self, given, classes):
        return given

    def _about_given(self, given, predicted):
        """The prediction itself, to be compared with the given value."""
        return predicted

    def _describe(self, given, learned, predicted, refined, average):
        return {
            "change": average(np.abs(refined - learned)),
            "oof_mae": average(np.abs(predicted - given)),
            "oof_rmse": average((predicted - given) ** 2) ** 0.5,
            "shift": average(np.abs(refined - given)),
        }
