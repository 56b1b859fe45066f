"""Splits of somebody else's making, as row numbers."""

import reprlib
from collections.abc import Iterable
from numbers import Integral

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv

# What a number of folds is where none is given.
DEFAULT_FOLDS = 5
_EXPECTED = (
    "cv must be a number of folds (2 or more), a splitter, or an iterable of pairs (train, test), each a "
    "one-dimensional array of row numbers or a mask"
)


def check_folds(cv):
    """Refuse what can't say how rows are split.

    Parameters
    ----------
    cv : object
        What the caller passed as `cv`.

    Raises
    ------
    TypeError
        If it is no number, splitter or iterable.
    ValueError
        If it is a number below 2.
    """
    if isinstance(cv, type):
        raise TypeError(f"{_EXPECTED}, got the class {cv.__name__}; {cv.__name__}() is a splitter.")
    if isinstance(cv, Integral):
        if isinstance(cv, bool) or cv < 2:
            raise ValueError(f"{_EXPECTED}, got {cv!r}.")
        return
    # Arrays and tensors of one number are iterable by their type, and tensors split themselves.
    no_folds = isinstance(cv, str | bytes) or getattr(cv, "shape", None) == ()
    if cv is not None and (no_folds or not (is_splitter(cv) or isinstance(cv, Iterable))):
        raise TypeError(f"{_EXPECTED}, got {cv!r}.")


def is_splitter(cv):
    """Whether something checked splits rows by itself."""
    return hasattr(cv, "split") and not hasattr(cv, "shape")


def folds_of(cv, y, n_samples, *, classifier=True):
    """The splitter that `cv` means, as scikit-learn's `check_cv` has it, of what can say how rows are split.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        What the caller passed as `cv`.
    y : array-like or None
        Labels.
    n_samples : int
        Number of rows.
    classifier : bool, default=True
        Whether a number of folds means stratified ones.

    Returns
    -------
    splitter : splitter
    """
    check_folds(cv)
    if not (cv is None or isinstance(cv, Integral) or is_splitter(cv)):
        cv = pairs_of_rows(cv, n_samples)
    return check_cv(cv, y, classifier=classifier)


def shuffled_folds(n_folds, groups, seed):
    """A splitter into stratified folds, drawn from a seed, that keeps groups whole where there are groups."""
    check_folds(n_folds)
    kind = StratifiedKFold if groups is None else StratifiedGroupKFold
    return kind(int(n_folds), shuffle=True, random_state=seed)


def pairs_of_rows(splits, n_samples):
    """Splits as pairs of row numbers.

    Parameters
    ----------
    splits : iterable of (train, test)
        Row numbers, of which negative ones count from the end as NumPy's do, or masks.
    n_samples : int
        Number of rows.

    Returns
    -------
    pairs : list of (train, test)
        Integer arrays.

    Raises
    ------
    TypeError
        If `splits` are no pairs of row numbers.
    ValueError
        If a mask is not as long as there are rows.
    """
    pairs = []
    for fold, pair in enumerate(splits):
        if isinstance(pair, str | bytes | dict | set) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise TypeError(f"{_EXPECTED}, got {reprlib.repr(pair)} as split {fold}.")
        train, test = (_row_numbers(rows, n_samples, fold) for rows in pair)
        pairs.append((train, test))
    return pairs


def check_left_out_once(pairs, n_samples, weighs=None):
    """Refuse splits in which a model is asked about what it has seen, or not all rows are asked about.

    Parameters
    ----------
    pairs : list of (train, test)
        Of :func:`pairs_of_rows`.
    n_samples : int
        Number of rows.
    weighs : ndarray of bool of shape (n_samples,) or None, default=None
        Rows that something is learned from; None stands for all.

    Raises
    ------
    ValueError
        If the test sets do not partition the rows, or a row is on both sides of a split.
    """
    asked = np.concatenate([test for _, test in pairs]) if pairs else np.zeros(0, dtype=int)
    known = asked[(asked >= 0) & (asked < n_samples)]
    times = np.bincount(known, minlength=n_samples)
    if len(known) < len(asked) or (times != 1).any():
        missed, repeated = int((times == 0).sum()), int((times > 1).sum())
        raise ValueError(
            f"The test sets of 'cv' must partition the {n_samples} rows: each row in exactly one of them. Got "
            f"{missed} rows in none, {repeated} in several, and {len(asked) - len(known)} row numbers out of range."
        )
    for fold, (train, test) in enumerate(pairs):
        beyond = train[(train < 0) | (train >= n_samples)]
        if len(beyond):
            raise ValueError(
                f"Each split of 'cv' must train on rows below {n_samples}. Got row {beyond[0]} in split {fold}."
            )
        seen = np.zeros(n_samples, dtype=bool)
        seen[train] = True
        n_train = len(train) if weighs is None else int(weighs[train].sum())
        if n_train == 0 or seen[test].any():
            raise ValueError(
                f"Each split of 'cv' must train on some rows and on none of its test rows. Got {n_train} "
                f"training rows and {seen[test].sum()} test rows among them in split {fold}."
            )


def _row_numbers(rows, n_samples, fold):
    try:
        numbers = np.asarray(rows)
    except ValueError:  # lists of unlike lengths
        numbers = np.empty(())
    if numbers.shape == (0,):
        return np.zeros(0, dtype=np.intp)  # an empty list is an array of floats
    if numbers.ndim != 1 or numbers.dtype.kind not in "iub":
        raise TypeError(f"{_EXPECTED}, got {reprlib.repr(rows)} in split {fold}.")
    if numbers.dtype == bool:
        if len(numbers) != n_samples:
            raise ValueError(
                f"A mask in 'cv' must have one entry for each of the {n_samples} rows, got {len(numbers)} in split "
                f"{fold}."
            )
        return np.flatnonzero(numbers)
    numbers = numbers.astype(np.intp)
    return np.where(numbers < 0, numbers + n_samples, numbers)
