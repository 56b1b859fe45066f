"""Fitting and scoring the candidates of a search, together where that is possible."""

import time
import warnings
from dataclasses import dataclass, field
from itertools import product

import pandas as pd
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sklabelnoise._classifiers._known_predictions import KnownPredictions, predictions_suffice
from sklabelnoise._compat import MultimetricScorer, check_method_params, fit_and_score, safe_indexing, score_fitted
from sklabelnoise._fused._fits import train_stack
from sklabelnoise._fused._folds import check_stackable, final_classifier, make_folds
from sklabelnoise._fused._plan import first_line, plan_fits
from sklabelnoise._stacked._criterion import NotStackableError, same


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
        self.estimators = [
            clone(self.estimator).set_params(**clone(parameters, safe=False)) for parameters in self.candidates
        ]
        self.keys = list(product(range(len(self.candidates)), range(len(self.splits))))
        self._groups, self._reasons, self._parts = {}, {}, {}

    def run(self, *, n_jobs, pre_dispatch, caller, contexts):
        """Train what can be trained together, then fit the rest through joblib.

        Parameters
        ----------
        n_jobs, pre_dispatch
            Of joblib, for the ordinary fits.
        caller : estimator
            The search.
        contexts : dict of (int, int) to CallbackContext
            scikit-learn's callback context of each fit.
        """
        for numbers in self._numbers_by_head():
            self._run_together(numbers)
        todo = [key for key in self.keys if key not in self.results]
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
            for number, split in todo
        )
        for key, result in zip(todo, _in_order(n_jobs, pre_dispatch)(tasks), strict=True):
            self.results[key] = result

    def table(self):
        """One row a candidate: whether it was trained with others, in which group, why, and whether it is finished."""
        n_splits = len(self.splits)
        rows = []
        for number in range(len(self.candidates)):
            group = self._groups.get(number, -1)
            reason = self._parts[group] if group >= 0 else self._reasons.get(number, "")
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

    def _numbers_by_head(self):
        """Candidates whose classifiers see the same rows: equal transformers, and one type to compute in."""
        heads = []
        for number, estimator in enumerate(self.estimators):
            classifier = final_classifier(estimator)
            head = {}
            if classifier is not estimator:
                last = estimator.steps[-1][0]
                own = self.candidates[number].items()
                head = {key: value for key, value in own if key != last and not key.startswith(f"{last}__")}
            head["", "type"] = [getattr(classifier, name, None) for name in ("dtype", "device")]
            for other, numbers in heads:
                if same(head, other):
                    numbers.append(number)
                    break
            else:
                heads.append((head, [number]))
        return [numbers for _, numbers in heads]

    def _run_together(self, numbers):
        numbers = [number for number in numbers if self._may_be_stacked(number)]
        if not numbers:
            return
        estimators = [self.estimators[number] for number in numbers]
        try:
            data = make_folds(estimators[0], self.X, self.y, self.splits, self.fit_params)
        except Exception as error:  # the ordinary fits raise it again, where scikit-learn expects it
            reason = str(error) if isinstance(error, NotStackableError) else first_line(error)
            self._reasons.update(dict.fromkeys(numbers, reason))
            return
        plan = plan_fits([final_classifier(estimator) for estimator in estimators], data.folds)
        self._reasons.update({numbers[i]: reason for i, reason in plan.reasons.items()})
        for reason in sorted(plan.unusable_modules):
            warnings.warn(f"Candidates are fitted one by one, not together: {reason}.", UserWarning, stacklevel=2)
        for stack in plan.stacks:
            apart = stack.apart_by or ("other rows to train on, of other transformers or dtype" if self._parts else "")
            self._train_and_score(stack, data, numbers, apart)

    def _may_be_stacked(self, number):
        """Whether nothing in a candidate's parameters speaks against it; else note what does."""
        try:
            check_stackable(final_classifier(self.estimators[number]))
        except NotStackableError as error:
            self._reasons[number] = str(error)
        except Exception as error:  # the ordinary fit raises it again, where scikit-learn expects it
            self._reasons[number] = first_line(error)
        return number not in self._reasons

    def _train_and_score(self, stack, data, numbers, apart):
        members = [numbers[recipe.number] for recipe in stack.recipes]
        group = len(self._parts)
        self._parts[group] = apart
        self._groups.update(dict.fromkeys(members, group))
        if self.verbose > 0:
            print(f"Training {len(members) * len(self.splits)} fits of {len(members)} candidates together")
        trainings = train_stack(stack, data.folds, record_accuracy=not self._predictions_suffice(members[0]))
        while True:
            try:
                trained = next(trainings, None)
            except Exception as error:  # a user's module or loss may fail in ways that no probe shows
                reason = f"training together failed: {first_line(error)}"
                warnings.warn(f"Candidates are fitted one by one: {reason}.", UserWarning, stacklevel=2)
                for number in members:
                    if (number, 0) not in self.results:
                        del self._groups[number]
                        self._reasons[number] = reason
                return
            if trained is None:
                return
            for one in trained:
                self._score_group(one, data, numbers)

    def _predictions_suffice(self, number):
        estimator = self.estimators[number]
        return predictions_suffice(self.scorer, estimator, final_classifier(estimator))

    def _score_group(self, trained, data, numbers):
        """Score all candidates of one stacked training on one split."""
        split = trained.fold_number
        sides = [(self._part(self.splits[split][1]), trained.each_logits(trained.fold.test))]
        if self.return_train_score:
            sides.append((self._part(self.splits[split][0]), trained.each_logits(trained.fold.train)))
        for replica, recipe in enumerate(trained.recipes):
            answers = [(*side, next(logits)) for side, logits in sides]
            number = numbers[recipe.number]
            failure = trained.failure(replica)
            if failure is not None:
                if self.error_score == "raise":
                    raise ValueError(failure)
                result = self.failed(f"ValueError: {failure}\n")
            else:
                start = time.perf_counter()
                fitted = None
                if not self._predictions_suffice(number):
                    fitted = data.with_classifier(split, trained.fitted(replica))
                scores = []
                for X, y, params, logits in answers:
                    answering = KnownPredictions(trained.classes, logits) if fitted is None else fitted
                    scores.append(score_fitted(answering, X, y, self.scorer, params, self.error_score))
                result = {"fit_error": None, **dict(zip(("test_scores", "train_scores"), scores, strict=False))}
                result["score_time"] = time.perf_counter() - start
            result["fit_time"] = trained.seconds
            result["n_test_samples"] = len(self.splits[split][1])
            self.results[number, split] = result
            self._report(number, split, result)

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


def _in_order(n_jobs, pre_dispatch):
    """Results one after the other, so that an interrupted search keeps them; all at once where joblib can't."""
    try:
        return Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch, return_as="generator")
    except ValueError:
        return Parallel(n_jobs=n_jobs, pre_dispatch=pre_dispatch)
