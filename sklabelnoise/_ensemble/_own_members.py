"""Members that the user brings along."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline

from sklabelnoise._compat import num_samples, safe_indexing
from sklabelnoise._ensemble._families import Family, FittedFamily, best_by_brier
from sklabelnoise._ensemble._linear import OneClass
from sklabelnoise._foundation._classes import at_all_classes, encode
from sklabelnoise._foundation._cloned import cloned_with
from sklabelnoise._foundation._last_step import groups_keyword, keyword_of
from sklabelnoise._foundation._numbers_of_classes import learns_numbers
from sklabelnoise._foundation._taking_turns import in_turn
from sklabelnoise._foundation._work import TimeIsOver
from sklabelnoise._label_refinery._left_out import seeded_clone
from sklabelnoise.metrics._class_columns import predicted_columns

# Rows are repeated by their weights until there are this many for each, or this many in all: in a census a row stands
# for thousands of people.
_REPETITIONS = 10
_FEW_ROWS = 100_000


class Recoded:
    """A model of labels as one of numbers of classes.

    Parameters
    ----------
    model : classifier
        Fitted to labels.
    classes : ndarray of shape (n_classes,)
        All labels, sorted.
    numbers : ndarray of int of shape (n_labels,), default=None
        Where it was fitted to numbers in place of labels, the class that each stands for.
    """

    def __init__(self, model, classes, numbers=None):
        self.model = model
        if numbers is None:
            self.classes_ = encode(model.classes_, classes, name="its classes_")[1]
        else:
            self.classes_ = numbers[model.classes_]

    def predict_proba(self, X):
        """Probabilities of its classes, checked."""
        proba = predicted_columns(self.model.predict_proba(X), self.model.classes_, argument="its predict_proba")
        return checked_proba(proba, num_samples(X))


class OwnMember(Family):
    """A classifier of the user with `predict_proba`, over the settings of its grid.

    Parameters
    ----------
    name : str
        What the user calls it.
    estimator : classifier
        Unfitted.
    grid : dict, list of dict or None
        As of ``ParameterGrid``.
    classes : ndarray of shape (n_classes,)
        All labels, sorted: the member is fitted to labels, not to numbers.
    """

    view = "own"

    def __init__(self, name, estimator, grid, classes):
        self.name, self.estimator, self.classes = name, estimator, classes
        self.settings = settings_of(grid)

    def fit(self, rows, work, seed):
        candidates, left_outs, models, failures = [], [], [], []
        for number, setting in enumerate(self.settings):
            try:
                own_models, left_out = self._fit_setting(number, setting, rows, work, seed)
            except Exception as error:  # of whatever the user's classifier does with this setting
                last = number == len(self.settings) - 1
                if isinstance(error, TimeIsOver) or error is work.trouble or (last and not candidates):
                    raise
                failures.append(f"{setting} failed with {type(error).__name__}: {error}")
                continue
            candidates.append(rows.scored(setting, left_out))
            left_outs.append(left_out)
            models.append(own_models)
        chosen = best_by_brier(candidates)
        return FittedFamily(
            self.name, self.view, candidates, chosen, left_outs[chosen], models[chosen], failures=failures
        )

    def _fit_setting(self, number, setting, rows, work, seed):
        """A model for each fold, and what they say of the rows left out."""
        estimator = seeded_clone(cloned_with(self.estimator, setting), seed)
        models, left_out = [], np.zeros((len(rows), rows.n_classes))
        for fold, (train, test) in enumerate(rows.splits):
            model, left_out[test] = work.piece(
                f"{self.name}-{number}-{fold}",
                lambda train=train, test=test: self._fit_fold(estimator, rows, train, test),
            )
            models.append(model)
        return models, left_out

    def _fit_fold(self, estimator, rows, train, test):
        X = rows.views[self.view]
        present = np.unique(rows.codes[train])
        if len(present) < 2:
            model = OneClass(present[0])
        else:
            by_number = learns_numbers(estimator)
            labels = np.searchsorted(present, rows.codes) if by_number else self.classes[rows.codes]
            fitted = fit_weighted(clone(estimator), X, labels, rows.weight, train, rows.groups)
            model = Recoded(fitted, self.classes, present if by_number else None)
        proba = model.predict_proba(safe_indexing(X, test))
        return model, at_all_classes(proba, model.classes_, np.arange(rows.n_classes), fill=0)


def settings_of(grid):
    """All settings of a grid; one without parameters where there is none."""
    return list(ParameterGrid(grid or {}))


def fit_weighted(estimator, X, y, weight, train, groups=None):
    """Fit to some rows; a classifier that takes no weights gets rows repeated instead.

    So does a Pipeline, as weights are for all of its steps; only its last step knows of weights that are not whole, or
    that would make too many rows, or where folds of its own would have copies of a row on both sides.

    Raises
    ------
    ValueError
        If it takes no weights and these are not whole, or too large.
    """
    is_whole, weights = (np.round(weight) == weight).all(), {}
    can_repeat = is_whole and weight[train].sum() <= max(_FEW_ROWS, _REPETITIONS * len(train))
    keyword = keyword_of(estimator, "sample_weight")
    if (weight == 1).all():
        pass
    elif keyword and not (can_repeat and isinstance(estimator, Pipeline) and not _has_folds(estimator)):
        weights = {keyword: weight[train]}
    elif can_repeat:
        train = np.repeat(train, weight[train].astype(int))
    else:
        why = "too large to repeat rows by" if is_whole else "not whole numbers to repeat rows by"
        raise ValueError(f"its fit takes no sample_weight, and the weights are {why}")
    keyword = None if groups is None else groups_keyword(estimator)
    told = {keyword: groups[train]} if keyword else {}
    with in_turn(estimator):
        estimator.fit(safe_indexing(X, train), y[train], **weights, **told)
    return estimator  # not what `fit` returns, which may be nothing


def _has_folds(estimator):
    """Whether something in it leaves rows out: a search, a stack, a calibration."""
    return any(name.rpartition("__")[2] == "cv" for name in estimator.get_params(deep=True))


def checked_proba(proba, n_rows):
    """Probabilities as floats.

    Raises
    ------
    ValueError
        If they are none, or not of that many rows: NumPy would repeat a single one.
    """
    proba = np.asarray(proba, dtype=np.float64)
    if len(proba) != n_rows:
        raise ValueError(f"its predict_proba gives {len(proba)} rows for {n_rows}")
    if not np.isfinite(proba).all() or (proba < -1e-6).any() or (np.abs(proba.sum(axis=1) - 1) > 1e-3).any():
        raise ValueError("its predict_proba gives rows that are no probabilities (NaN, negative, or not summing to 1)")
    return proba
