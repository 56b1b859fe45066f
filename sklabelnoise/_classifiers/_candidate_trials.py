"""Candidates tried on folds: their scores on the rows a fold leaves out, and the networks these come from."""

import numpy as np
import pandas as pd

from sklabelnoise._classifiers._known_predictions import KnownPredictions
from sklabelnoise._compat import BaseScorer
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise.losses._declare import Interval
from sklabelnoise.training._training_set import take_rows

# Functions behind scorers that, on noisy labels, reward a model for being as unsure, or as wrong, as the labels are.
_MISLEADING = ("log_loss", "brier_score_loss", "d2_log_loss_score", "d2_brier_score")


def is_misleading(scorer):
    """Whether a scorer rewards fitting the noise."""
    return getattr(getattr(scorer, "_score_func", None), "__name__", None) in _MISLEADING


def check_candidates(candidates):
    """Candidates as pairs of floats."""
    if isinstance(candidates, pd.DataFrame):
        if not {"lam", "beta"} <= set(candidates.columns):
            raise ValueError(
                "candidates must be pairs (lam, beta), or a frame with columns lam and beta, got "
                f"{list(candidates.columns)}."
            )
        candidates = candidates[["lam", "beta"]].to_numpy()
    try:
        pairs = [tuple(pair) for pair in candidates]
    except TypeError:
        pairs = []
    if not pairs or not all(map(_is_pair, pairs)):
        raise ValueError(f"candidates must be pairs (lam, beta) of finite numbers with lam >= 0, got {candidates!r}.")
    return [(float(lam), float(beta)) for lam, beta in pairs]


def _is_pair(pair):
    return len(pair) == 2 and all(value in Interval() for value in pair) and pair[0] >= 0


class Trials:
    """Scores of candidates on left-out rows, and the networks they come from."""

    def __init__(self, X, y, splits, scorer, sample_weight, classes):
        self.X, self.y, self.splits, self.scorer = X, y, splits, scorer
        self.sample_weight, self.classes = sample_weight, classes
        # A scorer asks for predictions alone; a function may ask its estimator for anything.
        self.takes_predictions = isinstance(scorer, BaseScorer)
        self.scores, self.models, self.failures = {}, {}, []

    def add(self, fit):
        """Score a candidate on a fold."""
        if fit.failure is not None:
            self.failures.append(fit.failure)
            return
        if self.takes_predictions:
            logits = at_all_classes(fit.logits[0], fit.classes, self.classes, fill=-np.inf)
            model = KnownPredictions(self.classes, logits)
        else:
            model = fit.fitted()
        self.scores[fit.candidate, fit.fold] = self._score(fit.fold, model)
        self.models[fit.candidate, fit.fold] = fit.fitted

    def _score(self, split, model):
        test = self.splits[split][1]
        weighted = self.sample_weight is not None and self.takes_predictions
        if weighted and not self.sample_weight[test].any():
            return np.nan  # in some versions of scikit-learn accuracy divides by the weight
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
        return [self.models[number, split]() for split in range(len(self.splits))]

    def first_failure(self):
        return self.failures[0] if self.failures else "their scores are NaN."
