"""The stochastic label refinery of classes: labels made better by models that have not seen them."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import entr
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from sklabelnoise._compat import Interval, StrOptions, fit_context
from sklabelnoise._foundation._given import as_labels
from sklabelnoise._foundation._numbers_of_classes import learns_numbers
from sklabelnoise._foundation._types import ArrayLike, CrossValidation, Estimator, Labels, RandomState
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._label_refinery._refinement import BaseLabelRefinery
from sklabelnoise._label_refinery._soft_fit import (
    DistributionFit,
    choose_method,
    column_by_column,
    warn_of_class_weight,
)
from sklabelnoise.noise._anchors import joint_of_anchor_sets


def _is_one_model_with_decision_function(self):
    if hasattr(self, "soft_labels_"):  # then what was fitted answers, whatever was set since
        is_single, model = hasattr(self, "estimator_"), getattr(self, "estimator_", None)
    else:
        estimators = self._estimators()
        is_single, model = len(estimators) == 1 and self.final == "refit", estimators[0]
    if not is_single:
        raise AttributeError("decision_function needs a single estimator and final='refit'.")
    return callable(model.decision_function)


class StochasticLabelRefinery(ClassifierMixin, BaseLabelRefinery):
    r"""Refine the labels of any classifier with its own out-of-fold predictions.

    In every round the rows are split anew into folds, each fold is predicted by a model that learned the current
    labels of the others, and the labels move towards the predictions:

    .. math:: L_{t+1} = \frac{n L_t + P_t}{n + 1},

    with n the `label_weight`, :math:`L_1` the given labels, one-hot, and :math:`P_t` the predictions of round t. A
    label that the rest of the data contradicts loses ground in every round; one that it supports stays. The last
    step fits the estimator to the refined labels.

    A given label keeps at least the weight :math:`(n / (n + 1))^t`, so with n = 3 no most probable class can change
    before round 3, and not before round 2 with n = 2.

    Parameters
    ----------
    estimator : estimator, list of estimators or of (str, estimator), or None, default=None
        Any classifier with ``predict_proba``, also a Pipeline, or a regressor to fit to the class probabilities.
        Several are averaged ("SLR-e" in [1]_, where the ensemble serves for the labels only: take
        ``estimators_[0]`` for that). Entries ``(name, estimator)`` have parameters by their name, as in scikit-learn's
        ensembles: ``set_params(forest__max_depth=3)``, or ``forest="drop"``. None is a LogisticRegression.
    n_rounds : int, default=6
        Number of rounds; 0 is the estimator as it is. Labels of noisy data get better for several rounds and then,
        as the given label fades, follow the estimator's own mistakes. The default is chosen between the best of
        ``benchmarks/refinery.py`` for 20 % symmetric noise, which is 5, and that for 40 %, where labels still improve
        after 8; 2 to 6 served best in [1]_.
    label_weight : float or "average", default=3
        Weight n of the labels against one round of predictions. "average" is n = t in round t: the mean of the given
        labels and of all predictions so far.
    cv : int, "auto", splitter or iterable of (train, test), default="auto"
        Folds of each round. An integer: shuffled and stratified by the given labels. "auto": 5, or as few as the
        rarest class needs, and never less than 2: a class of a single row is unknown to the model that predicts it.
        A splitter with ``shuffle=True`` is reseeded for every round; an iterable is reused. The test sets must
        partition the rows.
    resplit : bool, default=True
        Whether every round draws its own folds.
    final : {"refit", "folds"}, default="refit"
        "refit" fits the estimator to all rows with the refined labels; "folds" averages the models of the last round.
    soft_label_method : {"auto", "soft_labels", "replicate", "regression", "argmax"}, default="auto"
        How label distributions reach the estimator; see Notes.
    augment : callable or None, default=None
        ``augment(X, rng)`` returns a changed copy of the rows, with `rng` a :class:`numpy.random.Generator`.
    n_augment : int, default=0
        Number of augmented copies whose predictions are averaged with those of the left-out rows ("SLR-a" in [1]_).
    tol : float or None, default=None
        Stop when a round moves the labels by no more than this, in mean total variation.
    checkpoint : str, path-like or None, default=None
        Folder that keeps every finished fold and round. The same fit started again, after whatever ended it, goes on
        from there and ends with the same result. Each combination of parameters and data has a subfolder; runs that
        differ only in `n_rounds`, `tol`, `final` or `relabel`, or in how they run, share one.
    callback : callable or None, default=None
        Called after each round with a :class:`~sklearn.utils.Bunch` of the columns of `history_`, `round`,
        `n_rounds`, `soft_labels` and `predicted`. The arrays are not to be changed.
    n_jobs : int or None, default=None
        Fits that run at the same time, through joblib: inside ``joblib.parallel_config(backend="dask")`` on a
        cluster, or with ``backend="ray"`` once ``ray.util.joblib.register_ray()`` was called. The result does not
        depend on it.
    random_state : int, RandomState instance or None, default=None
        Decides the folds, the augmentation and every ``random_state`` of the estimator that is not an integer.
    verbose : int, default=0
        1 prints a line for every round, above a bar with the time that remains; the line is logged at level INFO too.
    relabel : {"all", "suspects"} or float, default="all"
        Which rows keep their refined labels after the last round; the others get their given ones back. "all", as in
        [1]_. "suspects": the rows whose given labels are most in doubt by `label_quality_`, as many as are estimated
        to be wrong by the predictions of the first round. A number in (0, 1]: the rows to which the last round gives
        a class with this probability or more. See Notes for when it helps. With ``final="folds"`` the models have been
        fitted before that, so that it only changes `soft_labels_`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The given labels, sorted.
    soft_labels_ : ndarray of shape (n_samples, n_classes)
        The refined labels: rows on the simplex.
    transduction_ : ndarray of shape (n_samples,)
        Most probable class of each row of `soft_labels_`.
    oof_proba_ : ndarray of shape (n_samples, n_classes)
        Out-of-fold predictions of the last round. Absent without rounds.
    label_quality_ : ndarray of shape (n_samples,)
        Probability of the given label out of fold, averaged over the rounds; small for labels to doubt. Absent
        without rounds.
    history_ : DataFrame
        One row a round: `change`, the mean total variation between the labels before and after it; `oof_accuracy` and
        `oof_given_proba`, agreement of the predictions with the given labels; `relabeled`, the share of rows whose
        most probable class is not the given one; `entropy` of the refined labels in nats. For estimators with a
        `loss_curve_`, as networks have, `losses`: a list of the training loss of each epoch, averaged over the folds
        (Figure 3 of [1]_).
    n_iter_ : int
        Number of rounds run.
    estimator_ : estimator instance
        The final model, for a single estimator with ``final="refit"``. XGBoost's and networks of skorch know the
        classes by their numbers in `classes_`.
    estimators_ : list of estimator instances
        The final models in any other case.
    n_features_in_ : int
        Number of features, if the estimator knows it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the estimator knows them.

    See Also
    --------
    StochasticLabelRefineryRegressor : The same for grades and continuous targets.

    Notes
    -----
    ``soft_label_method="auto"`` takes the first of these that suits the estimator:

    * "soft_labels": `fit` has an argument of that name, as all classifiers of this library do.
    * "regression": the estimator is a regressor. It is fitted to the probabilities as several outputs, one regressor
      a class where it can only have one; predictions are clipped at zero and normalized. For trees this is the Gini
      criterion with soft labels, and for forests the exact way, since a bootstrap then draws objects.
    * "replicate": each row is repeated once for every class, weighted with its probability. Exact wherever the
      objective is a weighted sum over rows: logistic regression, naive Bayes, boosting on log loss, trees without
      limits counted in rows. Inexact, with a warning, where rows are counted (``min_samples_leaf``, passes over
      mini-batches), and misleading where rows are drawn or held out (bootstraps, subsampling, an early stopping or a
      cross-validation of its own), so "auto" does not choose it there. ``class_weight="balanced"`` is computed from
      the soft labels (weights of classes move labels to those that weigh more, which a warning says), and
      ``early_stopping="auto"`` from the number of rows before repetition. For
      HistGradientBoostingClassifier the values of each feature are cut into bins once, without weights, and with more
      than three classes a row has two copies: one of its most probable class and one, with all the weight of the
      others, of a class drawn from them, so that time and memory do not grow with the number of classes. Other
      estimators get such rows only where all copies would take more than a gigabyte.
    * "argmax": the most probable class. Nothing changes before it does. "auto" warns when nothing else is left.

    Only the last step of a Pipeline sees repeated rows; its transformers are fitted to each row once.

    Better labels are not always a better final model. Where few labels are wrong, refining takes more from the right
    ones than it mends: the final model learns the estimator's own mistakes, so networks on clean or lightly noisy
    labels usually predict worse after it. So do estimators that are robust against wrong labels by themselves, such as
    :class:`DMClassifier`. :func:`sklabelnoise.audit.estimate_noise_rate` says how much there is to mend, and
    ``n_rounds=0`` is the estimator as it is, to compare with. ``benchmarks/refinery_mends.py`` tried what could mend
    it, with a network and logistic regression on five tables: ``relabel="suspects"`` was better than "all" at each rate
    of wrong labels from 0 to 40 %, on seeds that no choice had seen as well, and worse than the network as it is on
    clean labels alone, by less than a point (refining all: more than two); ``relabel=0.9`` was better than the
    estimator as it is or level with it, and gained nothing where many labels are wrong. Fewer rounds and a larger
    `label_weight` only do less of the same.

    An estimator with a method ``_predict_left_out(X, targets, splits)``, which returns an array of the shape of
    `targets`, predicts all folds of a round by itself; `sample_weight` and `classes`, the labels of the columns, are
    handed over where it has such arguments. It may leave the losses of each fold by epoch, a list of arrays, in an
    attribute ``_left_out_loss_curves``.

    References
    ----------
    .. [1] X. Fang, J. Yang, B. Ni. Stochastic Label Refinery: Toward Better Target Label Distribution. ICPR 2020,
       Equations 1 to 4 and Table I.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklabelnoise import StochasticLabelRefinery
    >>> X, y_clean = load_iris(return_X_y=True)
    >>> y = y_clean.copy()
    >>> y[::5] = (y[::5] + 1) % 3  # every fifth label is wrong
    >>> refinery = StochasticLabelRefinery(LogisticRegression(max_iter=1000), random_state=0).fit(X, y)
    >>> print(f"right: {(y == y_clean).mean():.2f} given, {(refinery.transduction_ == y_clean).mean():.2f} refined")
    right: 0.80 given, 0.95 refined
    """

    classes_: NDArray[Any]
    soft_labels_: NDArray[Any]
    transduction_: NDArray[Any]
    oof_proba_: NDArray[Any]
    label_quality_: NDArray[Any]
    history_: pd.DataFrame
    n_iter_: int
    estimator_: Estimator
    estimators_: list[Estimator]
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    _parameter_constraints = {
        **BaseLabelRefinery._parameter_constraints,
        "relabel": [StrOptions({"all", "suspects"}), Interval(Real, 0, 1, closed="right")],
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
        soft_label_method: Literal["auto", "soft_labels", "replicate", "regression", "argmax"] = "auto",
        augment: Callable[..., Any] | None = None,
        n_augment: int = 0,
        tol: float | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callback: Callable[..., Any] | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
        relabel: Literal["all", "suspects"] | float = "all",
    ):
        self._store(locals())

    def __setstate__(self, state):
        super().__setstate__({"relabel": "all", **state})  # a pickle may be older than the parameter

    # The inner estimators validate their own parameters when they are fitted.
    @callers_filters()
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: Labels, sample_weight: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> Self:
        """Refine the labels, then fit the estimator to them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Whatever the estimator accepts, if its rows can be indexed.
        y : array-like of shape (n_samples,)
            The given labels, some of them wrong.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        groups : array-like of shape (n_samples,), default=None
            Rows of one group stay on one side of every split, also of those that an estimator draws itself, such as a
            ``DMClassifierCV`` or a search with ``GroupKFold``.

        Returns
        -------
        self : StochasticLabelRefinery
            Fitted.

        Raises
        ------
        ValueError
            If X is no table of numbers for the default estimator (the message shows what makes one of it), if the
            estimator cannot predict probabilities or take the labels as asked for, if there are fewer rows of
            a class than folds, if the test sets of `cv` do not partition the rows, or if the checkpoint folder
            cannot be written.
        RuntimeError
            If a worker process dies.
        """
        X, y, sample_weight, groups = self._check_rows(X, as_labels(y), sample_weight, groups)
        check_classification_targets(y)
        classes, given = np.unique(y, return_inverse=True)
        present = classes if sample_weight is None else classes[np.unique(given[sample_weight > 0])]
        if len(present) < 2:
            positive = "" if len(classes) < 2 else " with a positive weight"
            raise ValueError(
                f"{type(self).__name__} needs labels of at least 2 classes{positive}. Got 1 class: {present[0]!s}."
            )
        members = []
        for estimator in self._estimators():
            method = choose_method(estimator, self.soft_label_method, len(y))
            if self.n_rounds:
                warn_of_class_weight(estimator, given)
            if method == "regression":
                estimator = column_by_column(estimator)
            by_number = method != "regression" and learns_numbers(estimator)
            members.append((DistributionFit(np.arange(len(classes)) if by_number else classes, method), estimator))

        result = self._refine(members, X, y, given, sample_weight, groups, classes)
        attributes = {
            "classes_": classes,
            "soft_labels_": result.refined,
            "transduction_": classes[result.refined.argmax(axis=1)],
            "history_": result.history,
            "n_iter_": result.n_iter,
        }
        if result.n_iter:
            attributes["oof_proba_"] = result.predicted
            attributes["label_quality_"] = result.mean_about_given
        self._set_fitted(members, result.models, **attributes)
        return self

    def _first_targets(self, given, classes):
        return np.eye(len(classes))[given]

    def _about_given(self, given, predicted):
        """The probability of the given label."""
        return predicted[np.arange(len(given)), given]

    def _note(self, given, predicted):
        """The noise rate, where suspects are counted by it."""
        if self.relabel == "suspects":
            return 1 - np.trace(joint_of_anchor_sets(given, predicted))
        return None

    def _settle(self, noise_rate, given, refined, predicted, mean_about_given):
        if self.relabel == "all":
            return refined
        if self.relabel == "suspects":
            moves = np.zeros(len(given), dtype=bool)
            moves[np.argsort(mean_about_given, kind="stable")[: round(noise_rate * len(given))]] = True
        else:
            moves = predicted.max(axis=1) >= self.relabel
        (stays,) = np.nonzero(~moves)
        refined = refined.copy()  # a callback may have kept those of the round
        refined[stays] = 0
        refined[stays, given[stays]] = 1
        return refined

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Most probable class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Predicted labels.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Class probabilities, averaged over the final models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Rows on the simplex, columns in the order of `classes_`.
        """
        return self._predict_mean(X)

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Logarithm of the class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Minus infinity where a probability is zero.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    @available_if(_is_one_model_with_decision_function)
    @callers_filters()
    def decision_function(self, X):
        """Decision values of the final model, if it is a single one that has them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the estimator returns them.

        Raises
        ------
        ValueError
            If the refined labels, and so the final model, lack one of the classes.
        """
        check_is_fitted(self)
        if len(self.estimator_.classes_) != len(self.classes_):
            raise ValueError(
                f"decision_function needs a final model of all {len(self.classes_)} classes. Got one of "
                f"{len(self.estimator_.classes_)}: no refined label is of another class."
            )
        return self.estimator_.decision_function(X)

    def _default_estimator(self):
        return LogisticRegression(max_iter=1000)

    def _describe(self, given, learned, predicted, refined, average):
        return {
            "change": average(np.abs(refined - learned).sum(axis=1) / 2),
            "oof_accuracy": average(predicted.argmax(axis=1) == given),
            "oof_given_proba": average(self._about_given(given, predicted)),
            "relabeled": average(refined.argmax(axis=1) != given),
            "entropy": average(entr(refined).sum(axis=1)),
        }
