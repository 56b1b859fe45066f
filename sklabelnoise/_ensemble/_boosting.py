"""Boosted trees over the number of rounds, left out by folds."""

from itertools import islice

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_brier
from sklabelnoise._ensemble._linear import OneClass
from sklabelnoise._foundation._classes import at_all_classes


class FirstRounds:
    """A boosted classifier as it was after its first rounds.

    Parameters
    ----------
    model : HistGradientBoostingClassifier
        Fitted.
    n_rounds : int
        How many rounds count.
    """

    def __init__(self, model, n_rounds):
        self.model, self.n_rounds = model, n_rounds
        self.classes_ = model.classes_

    def predict_proba(self, X):
        """Probabilities after those rounds, shape (n_samples, n_classes)."""
        return next(islice(self.model.staged_predict_proba(X), self.n_rounds - 1, None))


class Boosting(Family):
    """Histogram gradient boosting with small steps and small trees.

    Rounds are added until more of them predict left-out labels worse: one fit of each fold gives all numbers of rounds.
    """

    name, view = "boosting", "binned"
    ROUNDS = (10, 20, 40, 80, 160, 320)
    PARAMETERS = {
        "learning_rate": 0.1,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 40,
        "max_features": 0.5,
        "l2_regularization": 10.0,
        "max_bins": 63,
        "early_stopping": False,
        "warm_start": True,
    }

    def cost(self, n_samples, n_features, n_classes, n_folds, by_folds):
        a_tree = 4e-4 + 1.5e-5 * n_features + 2e-8 * n_samples * np.sqrt(n_features)
        return n_folds * 80 * (n_classes if n_classes > 2 else 1) * a_tree

    def fit(self, rows, work, seed):
        models, candidates, left_outs = [None] * len(rows.splits), [], []
        for n_rounds in self.ROUNDS:
            left_out = np.zeros((len(rows), rows.n_classes))
            for fold, (train, test) in enumerate(rows.splits):
                models[fold], left_out[test] = work.piece(
                    f"{self.name}-{n_rounds}-{fold}",
                    lambda model=models[fold], train=train, test=test, n=n_rounds: self._more_rounds(
                        model, rows, train, test, n, seed
                    ),
                )
            candidates.append(rows.scored({"max_iter": n_rounds}, left_out))
            left_outs.append(left_out)
            if len(candidates) > 1 and candidates[-1].brier >= candidates[-2].brier:
                break
        chosen = best_by_brier(candidates)
        kept = [model if isinstance(model, OneClass) else FirstRounds(model, self.ROUNDS[chosen]) for model in models]
        return FittedFamily(self.name, self.view, candidates, chosen, left_outs[chosen], kept)

    def _more_rounds(self, model, rows, train, test, n_rounds, seed):
        X, codes = rows.views[self.view], rows.codes[train]
        if len(np.unique(codes)) < 2:
            model = OneClass(codes[0])
        else:
            if model is None:
                model = HistGradientBoostingClassifier(**self.PARAMETERS, random_state=seed)
            # Weights of one are left out: weighted quantiles of the features take most of the time.
            weight = None if (rows.weight == 1).all() else rows.weight[train]
            model.set_params(max_iter=n_rounds).fit(X[train], codes, weight)
        return model, at_all_classes(model.predict_proba(X[test]), model.classes_, np.arange(rows.n_classes), fill=0)
