"""Fitting and scoring the candidates of a search, together where that is possible."""

import time
from dataclasses import dataclass, field
from functools import partial
from itertools import product

import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.utils.parallel import delayed

from sklabelnoise._classifiers._known_predictions import KnownPredictions, predictions_suffice
from sklabelnoise._classifiers._net_classifier import NetClassifier
from sklabelnoise._compat import MultimetricScorer, check_method_params, fit_and_score, safe_indexing, score_fitted
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._cloned import cloned_with
from sklabelnoise._foundation._given import as_labels, check_none_missing, check_same_rows
from sklabelnoise._foundation._in_parallel import in_order
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._fused._fits import Fit, Fits
from sklabelnoise._fused._folds import make_folds
from sklabelnoise._fused._plan import final_classifier


def checked_labels(estimator, y, params):
    """Labels of a search as an array for a network, as they are for a classifier that may want a type of its own.

    Parameters
    ----------
    estimator : estimator
        What is searched over.
    y : array-like or None
        What the caller passed.
    params : dict or None
        Metadata, of which `soft_labels` must have the rows of `y`.
    """
    check_same_rows(y=y, soft_labels=(params or {}).get("soft_labels"), numbers=False)
    if isinstance(estimator, NetClassifier):
        return as_labels(y)
    if is_classifier(estimator):
        check_none_missing(y)
    return y


@dataclass(eq=False)
class Evaluation:
    """Scores of all candidates on all splits.

    Parameters
    ----------
    estimator : estimator
        What is searched over.
    candidates : list of dict
        Parameter settings.
    X, y : array-like
        Rows and given labels.
    splits : list of (train, test)
        Row numbers.
    scorer : callable
        What scikit-learn made of `scoring`.
    fit_params, score_params : dict
        Metadata for ``fit`` and for the scorer.
    return_train_score, error_score, verbose
        As in GridSearchCV.

    Attributes
    ----------
    estimators : list of estimator
        The candidates.
    keys : list of (int, int)
        Candidate and split of each fit, in scikit-learn's order.
    results : dict of (int, int) to dict
        What scikit-learn notes of a fit, for each candidate and split that is finished.
    """

    estimator: object
    candidates: list
    X: object
    y: object
    splits: list
    scorer: object
    fit_params: dict
    score_params: dict
    return_train_score: bool
    error_score: object
    verbose: int
    results: dict = field(default_factory=dict)

    def __post_init__(self):
        self.estimators = [cloned_with(self.estimator, parameters) for parameters in self.candidates]
        self.keys = list(product(range(len(self.candidates)), range(len(self.splits))))
        self._predictions_suffice = predictions_suffice(self.scorer, type(final_classifier(self.estimator)))
        # Candidates are scored fold by fold, all on the same rows.
        self._parts_of_fold = None, ()

    def run(self, *, n_jobs, pre_dispatch, caller, search_context):
        """Train what can be trained together, then fit the rest through joblib.

        Parameters
        ----------
        n_jobs, pre_dispatch
            Of joblib, for the ordinary fits.
        caller : estimator
            The search.
        search_context : CallbackContext
            scikit-learn's callback context of the search.
        """
        if not self.keys:
            raise ValueError(
                "No fits were performed: param_grid must have candidates and cv splits, got "
                f"{len(self.candidates)} and {len(self.splits)}."
            )
        if self.verbose > 0:
            print(
                f"Fitting {len(self.splits)} folds for each of {len(self.candidates)} candidates, totalling "
                f"{len(self.keys)} fits"
            )
        context = search_context.subcontext(task_name="search", max_subtasks=len(self.keys), sequential_subtasks=False)
        context.call_on_fit_task_begin(estimator=caller)
        contexts = {
            key: context.subcontext(task_name="candidate-split-evaluation", task_id=i)
            for i, key in enumerate(self.keys)
        }
        # Those that are reported one by one need no bar.
        bar = Progress(len(self.keys), "search", unit="fits", shown=self.verbose == 1)
        parts = ("test", "train") if self.return_train_score else ("test",)
        self.fits = Fits(
            self.estimators,
            len(self.splits),
            partial(make_folds, X=self.X, y=self.y, splits=self.splits, fit_params=self.fit_params, parts=parts),
            partial(
                self._fit_alone,
                n_jobs=n_jobs,
                pre_dispatch=pre_dispatch,
                caller=caller,
                contexts=contexts,
                advance=bar.advance,
            ),
            parts=parts,
            record_accuracy=not self._predictions_suffice,
            verbose=self.verbose,
            advance=bar.advance,
        )
        with bar:
            for fit in self.fits:
                if (fit.candidate, fit.fold) not in self.results:
                    self._score_fit(fit)
        context.call_on_fit_task_end(estimator=caller)

    def _fit_alone(self, keys, *, n_jobs, pre_dispatch, caller, contexts, advance):
        """Ordinary fits, scored where they were fitted, as scikit-learn's search does them."""
        for reason in sorted(self.fits.unusable_modules):
            warn(f"Candidates are fitted one by one, not together: {reason.rstrip('.')}.")
        tasks = (
            delayed(fit_and_score)(
                clone(self.estimator),
                self.X,
                self.y,
                scorer=self.scorer,
                train=self.splits[split][0],
                test=self.splits[split][1],
                verbose=self.verbose,
                parameters=self.candidates[number],
                fit_params=self.fit_params,
                score_params=self.score_params,
                return_train_score=self.return_train_score,
                return_n_test_samples=True,
                return_times=True,
                split_progress=(split, len(self.splits)),
                candidate_progress=(number, len(self.candidates)),
                error_score=self.error_score,
                caller=caller,
                callback_ctx=contexts[number, split],
            )
            for number, split in keys
        )
        for key, result in zip(keys, in_order(n_jobs, pre_dispatch)(tasks), strict=True):
            self.results[key] = result
            advance(1)
            yield Fit(*key)

    @property
    def is_finished(self):
        """Whether all fits are done."""
        return self.results.keys() >= set(self.keys)

    def table(self):
        """One row a candidate: whether it was trained with others, in which stack, why, and whether it is finished."""
        n_splits = len(self.splits)
        rows = []
        for number in range(len(self.candidates)):
            group = self.fits.stack_of.get(number, -1)
            reason = self.fits.apart_by[group] if group >= 0 else self.fits.reasons.get(number, "")
            finished = all((number, split) in self.results for split in range(n_splits))
            rows.append({"fused": group >= 0, "group": group, "reason": reason, "finished": finished})
        return pd.DataFrame(rows).rename_axis("candidate")

    def failed(self, error):
        """What scikit-learn notes of a fit that failed."""
        scores = self.error_score
        if isinstance(self.scorer, MultimetricScorer):
            scores = dict.fromkeys(self.scorer._scorers, self.error_score)
        result = {"fit_error": error, "test_scores": scores, "fit_time": 0.0, "score_time": 0.0, "n_test_samples": 0}
        return {**result, "train_scores": scores} if self.return_train_score else result

    def _score_fit(self, fit):
        """Score a candidate that was trained together with others on one split."""
        if fit.failure is not None:
            if self.error_score == "raise":
                fit.check()
            result = self.failed(f"ValueError: {fit.failure}\n")
        else:
            start = time.perf_counter()
            fitted = None if self._predictions_suffice else fit.fitted()
            scores = []
            for (X, y, params), logits in zip(self._parts(fit.fold), fit.logits, strict=True):
                answering = KnownPredictions(fit.classes, logits) if fitted is None else fitted
                scores.append(score_fitted(answering, X, y, self.scorer, params, self.error_score))
            result = {"fit_error": None, **dict(zip(("test_scores", "train_scores"), scores, strict=False))}
            result["score_time"] = time.perf_counter() - start
        result["fit_time"] = fit.seconds
        result["n_test_samples"] = len(self.splits[fit.fold][1])
        self.results[fit.candidate, fit.fold] = result
        self._report(fit.candidate, fit.fold, result)

    def _parts(self, fold):
        """What scorers are handed of a fold: its test rows, and its training rows where they are scored."""
        if self._parts_of_fold[0] != fold:
            of_splits = self.splits[fold][::-1][: 1 + self.return_train_score]
            self._parts_of_fold = fold, [self._part(rows) for rows in of_splits]
        return self._parts_of_fold[1]

    def _part(self, rows):
        params = check_method_params(self.X, params=self.score_params, indices=rows)
        return safe_indexing(self.X, rows), safe_indexing(self.y, rows), params

    def _report(self, number, split, result):
        if self.verbose <= 1:
            return
        settings = ", ".join(f"{key}={value}" for key, value in sorted(self.candidates[number].items()))
        scores = result["test_scores"] if isinstance(result["test_scores"], dict) else {"score": result["test_scores"]}
        shown = ", ".join(f"{name}={value:.3f}" for name, value in scores.items()) if self.verbose > 2 else ""
        seconds = result["fit_time"] + result["score_time"]
        print(f"[CV {split + 1}/{len(self.splits)}] END {settings}; {shown} total time={seconds:6.2f}s")
