"""Folds of the distinct rows."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import KFold, StratifiedGroupKFold, StratifiedKFold

from sklabelnoise._ensemble._distinct_rows import distinct_rows
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._label_refinery._splits import DEFAULT_FOLDS, FoldDrawer


def leave_out(X, y, codes, sample_weight, groups, cv, seed):
    """Distinct rows of a training set and their folds: drawn ones for a number, else those that `cv` gives."""
    if is_number_of_folds(cv):
        distinct = distinct_rows(X, codes, sample_weight, groups)
        own_groups = None if groups is None else groups[distinct.rows]
        return distinct, drawn_folds(codes[distinct.rows], own_groups, cv, seed)
    splits, fold_of_row = given_folds(cv, X, y, groups, np.unique(y), sample_weight, seed)
    distinct = distinct_rows(X, codes, sample_weight, fold_of_row)
    return distinct, of_distinct(splits, distinct)


def drawn_folds(codes, groups, cv, seed):
    """Shuffled folds with as equal shares of the classes as rows and groups allow.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Labels of the rows. A class of fewer rows than folds is in some of them only.
    groups : ndarray of int of shape (n_samples,) or None
        Rows of one group stay together.
    cv : int or None
        Number of folds, 5 for None; fewer where there are fewer rows or groups.
    seed : int
        Decides the folds.

    Returns
    -------
    splits : list of (train, test)

    Raises
    ------
    ValueError
        If there are fewer than two rows or groups.
    """
    units = len(codes) if groups is None else len(np.unique(groups))
    if units < 2:
        raise ValueError(
            f"X must have at least 2 different rows (or groups) to leave some out, got n_samples = {units}."
        )
    n_folds = min(DEFAULT_FOLDS if cv is None else cv, units)
    if groups is not None:
        splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    elif np.bincount(codes).max() >= n_folds:
        splitter = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    else:
        splitter = KFold(n_folds, shuffle=True, random_state=seed)
    with callers_filters((UserWarning, "The least populated class")):
        splits = list(splitter.split(codes, codes, groups))
    # Groups may be so unequal that a fold stays empty, or takes all.
    splits = [(train, test) for train, test in splits if len(test)]
    if any(len(train) == 0 for train, _ in splits):
        raise ValueError(f"groups must leave rows to learn from in each of {n_folds} folds, got {units} groups.")
    return splits


def given_folds(cv, X, y, groups, classes, sample_weight, seed):
    """Splits of a splitter or an iterable, checked; and the number of the test set of each row."""
    splits = FoldDrawer(cv, X, y, groups, classes=classes, sample_weight=sample_weight).draw(1, seed)
    of_row = np.empty(len(y), dtype=np.int64)
    for number, (_, test) in enumerate(splits):
        of_row[test] = number
    return splits, of_row


def of_distinct(splits, distinct):
    """Splits of all rows as splits of the distinct ones; folds without rows to leave out fall away."""
    found = []
    for train, test in splits:
        own = [np.unique(distinct.of_row[rows]) for rows in (train, test)]
        train, test = (rows[rows >= 0] for rows in own)
        if len(test):
            found.append((np.setdiff1d(train, test), test))
    return found


def is_number_of_folds(cv):
    """Whether cv leaves it to us how rows are left out."""
    return cv is None or isinstance(cv, Integral)
