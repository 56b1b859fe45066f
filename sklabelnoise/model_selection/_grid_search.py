"""A grid search whose fits are trained together.

The way of the candidates, each room entered from the one before it: this file makes the splits -> `_evaluation` makes
an estimator of each setting -> `_fused/_fits` runs their fits, together or alone -> `_fused/_plan` sorts them into
stacks, by what each classifier says of itself -> `_fused/_folds` makes the rows that all of them see, and what each is
trained on, checked by `training/_training_set` -> `_fused/_training` trains a stack, as tensors in `_stacked`. On the
way back `_fits` hands over logits, fit by fit; `_evaluation` scores them, as `_classifiers/_known_predictions`, and
this file makes the table. These are seven rooms, and seven times a room is entered again:
`tests/test_way_of_candidates.py` says what counts, and follows them as they run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.utils import indexable

from sklabelnoise._compat import (
    callback_context,
    check_method_params,
    fit_context,
    insert_error_scores,
    num_samples,
    warn_or_raise_about_fit_failures,
)
from sklabelnoise._foundation._cloned import cloned_with
from sklabelnoise._foundation._fitted_state import keeping_fitted_state
from sklabelnoise._foundation._row_numbers import folds_of, pairs_of_rows
from sklabelnoise._foundation._types import ArrayLike, Estimator, Labels
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise.model_selection._evaluation import Evaluation, checked_labels

_OF_THE_BEST = ("best_index_", "best_score_", "best_params_", "best_estimator_", "refit_time_", "feature_names_in_")


class FusedGridSearchCV(GridSearchCV):
    """Grid search whose fits are trained together, as stacks of networks.

    It takes and gives what :class:`sklearn.model_selection.GridSearchCV` does, with the same scores, in a fraction of
    the time. For a classifier of this package, or a :class:`~sklearn.pipeline.Pipeline` that ends in one, candidates
    that differ only in numbers of the loss, in rates of the optimizer, in `lr_schedule`, `class_weight` or
    `random_state` are trained on all folds at once: their parameters are stacked, folds share a step, candidates share
    the batch, and transformers are fitted once per fold. Candidates that also differ in the architecture, the number
    of epochs, the batch size or the augmentation form stacks of their own. What can't be trained together (other
    estimators, early stopping, callbacks, other optimizers than SGD, Adam and AdamW, modules that can't run under
    :func:`torch.vmap`) is fitted by ordinary fits through joblib. `fused_` says which and why.

    Each fold is augmented as in a fit of its own, once for all candidates of one seed. A callable of yours as
    `augment` is trained together where its code shows that it draws the same then: it is a function, no object or
    method, that refers to constants, to torch, ``math`` and other such functions alone, assigns to nothing outside
    of itself, and draws from the generator that it is given. Else its candidates are fitted by ordinary fits, too.

    Parameters
    ----------
    estimator : estimator
        Any estimator; a classifier of this package, or a Pipeline that ends in one, profits.

    param_grid : dict or list of dict
        Parameter names and the values to try.

    scoring : str, callable, list, tuple or dict, default=None
        As in GridSearchCV. scikit-learn's own scorers are answered from the predictions; a callable of the user gets
        a fitted estimator, which costs more.

    n_jobs : int, default=None
        Jobs of joblib for the ordinary fits. Training together uses torch's threads.

    refit : bool, str or callable, default=True
        Whether, or by which metric, the best candidate is fitted on all rows.

    cv : int, splitter or iterable, default=None
        How the rows are split.

    verbose : int, default=0
        1 announces the fits, 2 shows the time of each, 3 its scores.

    pre_dispatch : int or str, default='2*n_jobs'
        As in GridSearchCV, for the ordinary fits.

    error_score : 'raise' or numeric, default=np.nan
        Score of a fit that failed, for instance of a candidate that diverged. The others are not touched by it.

    return_train_score : bool, default=False
        Whether scores on the training rows are computed too.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        As in GridSearchCV. The time of a stacked training is shared out evenly among its fits.

    fused_ : DataFrame
        One row a candidate. ``fused``: whether it was trained together with others; ``group``: the number of their
        stack (-1 for ordinary fits); ``reason``: why it was fitted alone, or what sets its stack apart from the first
        one; ``finished``: whether all its splits are done, which an interrupted search leaves false.

    best_estimator_ : estimator
        The best candidate, fitted on all rows; where `refit` is not False.

    best_score_ : float
        Its mean score over the splits.

    best_params_ : dict
        Its parameters.

    best_index_ : int
        Its number.

    scorer_ : callable or dict of callable
        What scored the held-out rows.

    n_splits_ : int
        Number of splits.

    refit_time_ : float
        Seconds that fitting `best_estimator_` took.

    multimetric_ : bool
        Whether there are several metrics.

    classes_ : ndarray of shape (n_classes,)
        Class labels of `best_estimator_`.

    n_features_in_ : int
        Number of features of `best_estimator_`.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, where X had some.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : The same with one fit after the other.
    fused_cross_val_predict : Predictions for the rows that each fold leaves out.

    Notes
    -----
    With an integer `random_state` every replica starts from the weights and sees the batches that it would alone. In
    float64 and without dropout the scores are those of GridSearchCV; in float32 each step agrees up to rounding, which
    training amplifies. Without a seed GridSearchCV draws one for each fit; here one is drawn for all, so that
    candidates are compared on equal terms.

    What is saved is the overhead of each step, so small networks gain most, and a network that keeps the processor busy
    by itself gains little on it.

    A fit that fails or is interrupted leaves what an earlier one found. Where there is none, `cv_results_` and `fused_`
    hold what was finished, after a KeyboardInterrupt or a failed refit; the rest has `error_score`.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklabelnoise import DMClassifier
    >>> from sklabelnoise.model_selection import FusedGridSearchCV
    >>> X, y = make_moons(200, noise=0.2, random_state=0)
    >>> classifier = DMClassifier(max_epochs=5, random_state=0)
    >>> search = FusedGridSearchCV(classifier, {"lam": [0, 0.5, 1], "lr": [0.003, 0.03]}, cv=3).fit(X, y)
    >>> search.best_params_["lr"]
    0.03
    >>> search.fused_["group"].tolist()
    [0, 0, 0, 0, 0, 0]
    """

    cv_results_: dict[str, Any]
    fused_: pd.DataFrame
    best_estimator_: Estimator
    best_score_: float
    best_params_: dict[Any, Any]
    best_index_: int
    scorer_: Callable[..., Any] | dict[str, Callable[..., Any]]
    n_splits_: int
    refit_time_: float
    multimetric_: bool
    feature_names_in_: NDArray[Any]

    @callers_filters()
    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: ArrayLike, y: Labels | None = None, **params: Any) -> Self:
        """Fit all candidates on all splits, and the best one on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows.

        y : array-like of shape (n_samples,), default=None
            Given labels.

        **params : dict
            Metadata for the estimator, the scorer and the splitter, as in GridSearchCV.

        Returns
        -------
        self : FusedGridSearchCV
            The fitted search.

        Raises
        ------
        ValueError
            If a parameter of the grid is unknown, or all fits fail.
        """
        y = checked_labels(self.estimator, y, params)
        scorers, refit_metric = self._get_scorers()
        X, y = indexable(X, y)
        params = check_method_params(X, params=params)
        routed_params = self._get_routed_params_for_fit(params)
        weights = params.get("sample_weight")
        task = {"estimator": self, "X": X, "y": y, "metadata": None if weights is None else {"sample_weight": weights}}
        context = callback_context(self, max_subtasks=1 + (self.refit is not False))
        context.call_on_fit_task_begin(**task)

        cv = folds_of(self.cv, y, num_samples(X), classifier=is_classifier(self.estimator))
        splits = pairs_of_rows(cv.split(X, y, **routed_params.splitter.split), num_samples(X))
        announced = cv.get_n_splits(X, y, **routed_params.splitter.split)
        if len(splits) != announced:
            raise ValueError(f"cv must give as many splits as it announces, {announced}, got {len(splits)}.")
        evaluation = Evaluation(
            clone(self.estimator),
            list(ParameterGrid(self.param_grid)),
            X,
            y,
            splits,
            scorer=scorers,
            fit_params=routed_params.estimator.fit,
            score_params=routed_params.scorer.score,
            return_train_score=self.return_train_score,
            error_score=self.error_score,
            verbose=self.verbose,
        )
        # What an earlier fit left stays until this one is done.
        first = not hasattr(self, "scorer_")
        try:
            with keeping_fitted_state(self):
                evaluation.run(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch, caller=self, search_context=context)
                self._conclude(evaluation, scorers, refit_metric, task, context, routed_params.estimator.fit)
        except BaseException as error:
            if first and (isinstance(error, KeyboardInterrupt) or evaluation.is_finished):
                self._keep_finished(evaluation)
            raise
        context.call_on_fit_task_end(**task)
        return self

    def _conclude(self, evaluation, scorers, refit_metric, task, context, fit_params):
        """Take the scores of all candidates, and refit the best."""
        out = [evaluation.results[key] for key in evaluation.keys]
        warn_or_raise_about_fit_failures(out, self.error_score)
        results = self._tabulate(evaluation, out)
        if self.multimetric_ and callable(self.scoring):
            self._check_refit_for_multimetric(out[0]["test_scores"])
            refit_metric = self.refit
        for name in _OF_THE_BEST:  # of an earlier fit with other settings; where this one fails they come back
            vars(self).pop(name, None)
        if self.refit or not self.multimetric_:
            self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
            if not callable(self.refit):
                self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
            self.best_params_ = results["params"][self.best_index_]
        if self.refit:
            self._refit(task, context, fit_params)
        self.scorer_ = getattr(scorers, "_scorers", scorers)
        self.cv_results_ = results
        self.fused_ = evaluation.table()

    def _tabulate(self, evaluation, out):
        """Results of all fits in scikit-learn's form."""
        if callable(self.scoring):
            insert_error_scores(out, self.error_score)
        self.n_splits_ = len(evaluation.splits)
        self.multimetric_ = isinstance(out[0]["test_scores"], dict)
        return self._format_results(evaluation.candidates, self.n_splits_, out)

    def _keep_finished(self, evaluation):
        """The results so far of a search that ends before its last step."""
        if not evaluation.results:
            return
        missing = evaluation.failed("KeyboardInterrupt")
        with callers_filters((UserWarning, "One or more of the")):  # scores are NaN: `fused_` says so
            out = [evaluation.results.get(key, missing) for key in evaluation.keys]
            self.cv_results_ = self._tabulate(evaluation, out)
        self.fused_ = evaluation.table()

    def _refit(self, task, context, fit_params):
        """Fit the best candidate on all rows."""
        self.best_estimator_ = cloned_with(self.estimator, self.best_params_)
        refit = context.subcontext(task_name="refit-with-best-params")
        with refit.propagate_callback_context(self.best_estimator_):
            refit.call_on_fit_task_begin(**task)
            start = time.time()
            if task["y"] is None:
                self.best_estimator_.fit(task["X"], **fit_params)
            else:
                self.best_estimator_.fit(task["X"], task["y"], **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        refit.call_on_fit_task_end(**task)
