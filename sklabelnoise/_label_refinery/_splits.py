"""Splits of the rows into those a model learns from and those it is asked about."""

from copy import copy
from numbers import Integral

import numpy as np
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from sklabelnoise._compat import num_samples
from sklabelnoise._foundation._given import check_groups_whole
from sklabelnoise._foundation._row_numbers import (
    DEFAULT_FOLDS,
    check_folds,
    check_left_out_once,
    is_splitter,
    pairs_of_rows,
)
from sklabelnoise._foundation._warning_filters import callers_filters


class FoldDrawer:
    """Partition the rows into folds, anew for every round.

    Parameters
    ----------
    cv : int, "auto", None, splitter or iterable of (train, test)
        An integer gives shuffled folds, stratified where there are classes, with groups kept whole where there are
        groups; None is 5. "auto" is 5, or as few as the rarest class or the groups allow. A splitter with
        ``shuffle=True`` is reseeded for every round, any other is asked again as it is. An iterable is reused.
    X : array-like
        Handed to the splitter.
    y : ndarray of shape (n_samples,)
        Given labels or values.
    groups : array-like of shape (n_samples,) or None
        Rows of one group stay together.
    classes : ndarray or None, default=None
        Sorted classes; None if `y` is continuous.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Rows of weight zero are predicted, but nothing is learned from them: folds are counted and stratified without
        them.
    resplit : bool, default=True
        False keeps the partition of the first round.

    Raises
    ------
    ValueError
        If a class has fewer rows, or there are fewer groups, than folds are asked for.
    """

    def __init__(self, cv, X, y, groups, *, classes=None, sample_weight=None, resplit=True):
        self.X, self.y, self.groups = X, y, groups
        self.weighs = np.ones(len(y), dtype=bool) if sample_weight is None else sample_weight > 0
        self.classes = None  # a splitter of the user is asked with the labels themselves
        self.resplit = resplit
        self._drawn = None
        if not (isinstance(cv, str) and cv == "auto"):
            check_folds(cv)
        if cv is None or isinstance(cv, str | Integral):
            kind = {
                (True, True): StratifiedGroupKFold,
                (True, False): StratifiedKFold,
                (False, True): GroupKFold,
                (False, False): KFold,
            }[classes is not None, groups is not None]
            self.splitter = kind(self._n_folds(cv, classes), shuffle=True)
            self.classes = classes
        elif is_splitter(cv):
            self.splitter = cv
        else:
            self.resplit = False
            self._drawn = self._checked(cv)

    def draw(self, number, random_state):
        """Draw the folds of one round.

        Parameters
        ----------
        number : int
            Number of the round, from 1.
        random_state : int
            Seed of the round.

        Returns
        -------
        splits : list of (train, test)
            Row numbers; the test sets partition the rows.

        Raises
        ------
        ValueError
            If the test sets do not partition the rows, or a row or group is on both sides of a split.
        """
        if self._drawn is not None:
            return self._drawn
        splitter = self._reseeded(number, random_state)
        # With cv="auto" a class of a single row is accepted: the fold that holds it has a model without it. A splitter
        # that ignores groups is refused below where it tears one apart, and right where it does not.
        silenced = "The (least populated class|groups parameter is ignored)"
        with callers_filters((UserWarning, silenced)):
            splits = self._checked(splitter.split(self.X, self._strata(), self.groups))
        if not self.resplit:
            self._drawn = splits
        return splits

    def _strata(self):
        """What the folds are to have in equal shares."""
        if self.classes is None:
            return self.y
        # Also the rows that count, lest all of a class come into one fold.
        return 2 * np.searchsorted(self.classes, self.y) + self.weighs

    def _n_folds(self, cv, classes):
        n_rows = int(self.weighs.sum())
        limits = {f"{n_rows} rows": n_rows}
        if self.groups is not None:
            n_groups = len(np.unique(np.asarray(self.groups)[self.weighs]))
            limits[f"{n_groups} different groups"] = n_groups
        if classes is not None:
            counts = np.bincount(np.searchsorted(classes, self.y), weights=self.weighs).astype(int)
            rarest = np.where(counts > 0, counts, len(self.y)).argmin()
            limits[f"{counts[rarest]} rows of class {classes[rarest]!s}"] = counts[rarest]
        what, least = min(limits.items(), key=lambda item: item[1])
        if cv == "auto":
            return int(max(2, min(DEFAULT_FOLDS, least)))
        n_folds = DEFAULT_FOLDS if cv is None else cv
        if least < n_folds:
            raise ValueError(
                f"cv={n_folds} needs at least {n_folds} rows, {n_folds} of every class and, where there are groups, "
                f"{n_folds} groups. Got {what} ({_shape(self.X)}). cv='auto' uses fewer folds; a splitter or an "
                "iterable of splits is taken as it is."
            )
        return n_folds

    def _reseeded(self, number, random_state):
        if not (getattr(self.splitter, "shuffle", False) and hasattr(self.splitter, "random_state")):
            return self.splitter
        splitter = copy(self.splitter)
        own = self.splitter.random_state
        if not isinstance(own, Integral):
            splitter.random_state = random_state
        elif number > 1:
            # The first partition is the one this splitter draws anywhere; the later ones follow from the same seed.
            splitter.random_state = np.random.RandomState([own, number])
        return splitter

    def _checked(self, splits):
        """Splits as row numbers, after making sure that no model is asked about what it has seen."""
        n_samples = len(self.y)
        splits = pairs_of_rows(splits, n_samples)
        check_left_out_once(splits, n_samples, self.weighs)
        check_groups_whole(splits, self.groups)
        return splits


def _shape(X):
    n_features = f", n_features={X.shape[1]}" if len(getattr(X, "shape", ())) > 1 else ""
    return f"n_samples={num_samples(X)}{n_features}"
