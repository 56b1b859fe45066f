"""Candidates tried on folds: their scores on the rows a fold leaves out, and the networks these come from."""

import numpy as np
import pandas as pd
from sklearn.base import clone

from sklabelnoise._classifiers._known_predictions import KnownPredictions
from sklabelnoise._compat import BaseScorer, safe_indexing
from sklabelnoise.training._training_set import take_rows


class Trials:
    """Scores of candidates on left-out rows, and the networks they come from."""

    def __init__(self, X, y, splits, scorer, sample_weight, classes):
        self.X, self.y, self.splits, self.scorer = X, y, splits, scorer
        self.sample_weight, self.classes = sample_weight, classes
        # A scorer asks for predictions alone; a function may ask its estimator for anything.
        self.takes_predictions = isinstance(scorer, BaseScorer)
        self.scores, self.models, self.failures = {}, {}, []

    def add_group(self, group):
        """Score the candidates of one stacked training."""
        logits = group.logits(group.fold.test)
        for replica, recipe in enumerate(group.recipes):
            key = recipe.number, group.fold_number
            failure = group.failure(replica)
            if failure is not None:
                self.failures.append(failure)
                continue
            if self.takes_predictions:
                model = KnownPredictions(self.classes, at_all_classes(logits[replica], group.classes, self.classes))
            else:
                model = group.fitted(replica)
            self.scores[key] = self._score(group.fold_number, model)
            self.models[key] = group, replica

    def add_model(self, number, split, model, failure):
        """Score a candidate that was fitted alone."""
        if failure is not None:
            self.failures.append(failure)
            return
        self.scores[number, split] = self._score(split, model)
        self.models[number, split] = model

    def _score(self, split, model):
        test = self.splits[split][1]
        weighted = self.sample_weight is not None and self.takes_predictions
        weight = {"sample_weight": self.sample_weight[test]} if weighted else {}
        try:
            return self.scorer(model, take_rows(self.X, test), self.y[test], **weight)
        except ValueError as error:
            self.failures.append(str(error))
            return np.nan

    def table(self, pairs):
        """One row a candidate; its score is the mean over all left-out rows, NaN where a fold failed."""
        mass = [len(test) if self.sample_weight is None else self.sample_weight[test].sum() for _, test in self.splits]
        rows = []
        for number, (lam, beta) in enumerate(pairs):
            scores = [self.scores.get((number, split), np.nan) for split in range(len(self.splits))]
            # A fold without weight has no score and no say.
            known = [(score, m) for score, m in zip(scores, mass, strict=True) if m > 0]
            score = sum(score * m for score, m in known) / sum(m for _, m in known) if known else np.nan
            folds = {f"fold{split}": score for split, score in enumerate(scores)}
            rows.append({"lam": lam, "beta": beta, "score": score, **folds})
        return pd.DataFrame(rows)

    def fold_models(self, number):
        """The fitted networks of a candidate, one a fold."""
        models = [self.models[number, split] for split in range(len(self.splits))]
        return [group.fitted(replica) for group, replica in models] if isinstance(models[0], tuple) else models

    def first_failure(self):
        return self.failures[0] if self.failures else "their scores are NaN."


def at_all_classes(logits, classes, all_classes):
    """Logits with a column for each class; one that a fold has not seen is impossible to its network."""
    if len(classes) == len(all_classes):
        return logits
    whole = np.full((len(logits), len(all_classes)), -np.inf, dtype=logits.dtype)
    whole[:, np.searchsorted(all_classes, classes)] = logits
    return whole


def fit_one(estimator, X, y, train, fit_params, validation):
    """Fit one candidate on one fold; the model and None, or None and what went wrong.

    `fit_params` have one entry a row of X; `validation`, rows that the user holds out, is the same for every fold.
    """
    params = {name: None if value is None else safe_indexing(value, train) for name, value in fit_params.items()}
    try:
        return clone(estimator).fit(take_rows(X, train), y[train], **params, **validation), None
    except ValueError as error:
        return None, str(error)
