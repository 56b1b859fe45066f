"""Folds of the distinct rows."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from sklabelnoise._ensemble._distinct_rows import DistinctRows, distinct_rows
from sklabelnoise._foundation._row_numbers import DEFAULT_FOLDS
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._label_refinery._splits import FoldDrawer

# Share of the rows that have equal ones of another label, from which on equal rows are observations of their own. Below
# it, leaving rows out by folds alone costs more than the wrong evidence (benchmarks/README.md).
_CONTESTED = 0.25
# So few different rows, each so often, that little is left to learn of one from the others.
_FEW_ROWS, _OFTEN = 50, 10
# Whole weights from here on are no numbers of rows: sums of them are no integers of the machine.
_MOST_REPETITIONS = 2**31


def leave_out(X, y, codes, sample_weight, groups, cv, seed):
    """Distinct rows of a training set, and how they are left out.

    Parameters
    ----------
    X, y, codes, sample_weight, groups, cv
        Rows, labels, these as numbers of classes, and what the user said.
    seed : int
        Decides what is drawn.

    Returns
    -------
    distinct : DistinctRows
    splits : list of (train, test)
        Of the distinct rows: drawn ones for a number, else those that `cv` gives.
    by_folds : bool
        Whether rows may be left out by these splits alone.
    repeats : bool
        Whether that is so because of :func:`repeat_by_nature`.
    """
    if not is_number_of_folds(cv):
        splits, fold_of_row = given_folds(cv, X, y, groups, np.unique(y), sample_weight, seed)
        apart = fold_of_row if groups is None else np.unique([fold_of_row, groups], axis=1, return_inverse=True)[1]
        distinct = distinct_rows(X, codes, sample_weight, apart)
        return distinct, of_distinct(splits, distinct), True, False
    distinct = distinct_rows(X, codes, sample_weight, groups)
    if groups is None and repeat_by_nature(distinct):
        return *dealt_folds(distinct, codes, sample_weight, DEFAULT_FOLDS if cv is None else cv), True, True
    own_groups = None if groups is None else groups[distinct.rows]
    return distinct, drawn_folds(codes[distinct.rows], own_groups, cv, seed), groups is not None, False


def repeat_by_nature(distinct):
    """Whether equal rows are observations of their own, as in a table of few categories, and no copies of one.

    Where all rows that are equal and have one label were left out at once, those of the other labels alone would be
    left of them: each prediction would contradict the label of the row, whatever it is.
    """
    n_rows, n_different = distinct.weight.sum(), distinct.features[-1] + 1
    few = n_different <= _FEW_ROWS and n_rows >= _OFTEN * n_different
    return few or contested_share(distinct) >= _CONTESTED


def contested_share(distinct):
    """Share of the rows that have an equal one of another label."""
    n_labels = np.bincount(distinct.features)
    return distinct.weight[n_labels[distinct.features] > 1].sum() / distinct.weight.sum()


def dealt_folds(distinct, codes, sample_weight, n_folds):
    """Folds that equal rows are dealt out to, one after the other.

    Parameters
    ----------
    distinct : DistinctRows
        Of the whole training set.
    codes : ndarray of int of shape (n_samples,)
        Labels of the rows.
    sample_weight : ndarray of shape (n_samples,) or None
        Weights. Whole ones are repetitions: each is dealt out by itself.
    n_folds : int
        Into how many.

    Returns
    -------
    distinct : DistinctRows
        Those of the same fold alone are one.
    splits : list of (train, test)
    """
    present = np.flatnonzero(distinct.of_row >= 0)
    times, worth = np.ones(len(present), dtype=np.int64), np.ones(len(present))
    if sample_weight is not None:
        weight = sample_weight[present]
        if (weight == np.round(weight)).all() and weight.max() < _MOST_REPETITIONS:
            times = weight.astype(np.int64)
        else:
            worth = weight / weight.max()
            worth *= distinct.weight.sum() / worth.sum()
    # Class by class, so that each has equal shares in all folds; in one round, lest all begin with the first fold.
    own = distinct.of_row[present]
    order = np.lexsort((own, codes[present]))
    begin = np.empty(len(present), dtype=np.int64)
    begin[order] = np.cumsum(times[order]) - times[order]
    folds = np.arange(n_folds)
    # How many of the numbers from `begin` on, as many as there are repetitions, belong to each fold.
    dealt = (begin[:, None] + times[:, None] - 1 - folds) // n_folds - (begin[:, None] - 1 - folds) // n_folds
    weight = np.zeros((len(distinct.rows), n_folds))
    np.add.at(weight, own, dealt * worth[:, None])
    number, fold = np.nonzero(weight)
    place = np.zeros(weight.shape, dtype=np.int64)
    place[number, fold] = np.arange(len(number))
    of_row = np.full(len(distinct.of_row), -1)
    of_row[present] = place[own, begin % n_folds]
    parts = DistinctRows(distinct.rows[number], weight[number, fold], of_row, distinct.features[number], distinct.apart)
    return parts, [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in np.unique(fold)]


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
    # Stratified ones exist only where a class has as many rows as there are folds.
    stratified = np.bincount(codes).max() >= n_folds
    if groups is None:
        kind = StratifiedKFold if stratified else KFold
    else:
        kind = StratifiedGroupKFold if stratified else GroupKFold
    splitter = kind(n_folds, shuffle=True, random_state=seed)
    with callers_filters((UserWarning, "The least populated class")):
        splits = list(splitter.split(codes, codes, groups))
    # Groups may be so unequal that a fold stays empty. None takes all: of two groups the second is in another fold.
    return [(train, test) for train, test in splits if len(test)]


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
            found.append((train, test))
    return found


def folds_of_unseen(distinct, splits):
    """Rows without weight, from which nothing is learned, by the split that leaves them out.

    Parameters
    ----------
    distinct : DistinctRows
    splits : list of (train, test)
        Of the distinct rows, where these belong together by what keeps them apart; else none.

    Yields
    ------
    fold : int or None
        None for rows that belong to no other row: all models may be asked.
    rows : ndarray of int
        Their numbers.
    """
    unseen = np.flatnonzero(distinct.of_row < 0)
    fold_of = {}
    for fold, (_, test) in enumerate(splits):
        fold_of |= dict.fromkeys(distinct.apart[distinct.rows[test]].tolist(), fold)
    folds = np.array([fold_of.get(own, -1) for own in distinct.apart[unseen].tolist()], dtype=np.int64)
    for fold in np.unique(folds).tolist():
        yield (None if fold < 0 else fold), unseen[folds == fold]


def is_number_of_folds(cv):
    """Whether cv leaves it to us how rows are left out."""
    return cv is None or isinstance(cv, Integral)
