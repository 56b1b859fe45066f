"""What is given for each row, checked in one way everywhere: labels, none of them missing, and weights."""

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.utils import check_consistent_length, column_or_1d

from sklabelnoise._compat import check_sample_weight

# What labels of the types of NumPy are; True and 1 are equal.
_KINDS = {"b": "number", "i": "number", "u": "number", "f": "number", "M": "date", "m": "duration"}


def of_tensor(values):
    """A tensor of torch as an array, on whatever device and with or without a derivative; anything else as it is.

    torch is not loaded for it.
    """
    if not (hasattr(values, "detach") and hasattr(values, "numpy")):
        return values
    # bfloat16 is no type of NumPy's.
    return (values.float() if str(values.dtype) == "torch.bfloat16" else values).numpy(force=True)


def is_masked(values):
    """Whether something is an array of NumPy some of whose values are masked; others would read what is below."""
    return isinstance(values, np.ma.MaskedArray) and bool(np.ma.getmaskarray(values).any())


def check_not_masked(values, name, what="values"):
    """Refuse an array of NumPy some of whose values are masked: scikit-learn would read what is below.

    Raises
    ------
    ValueError
        Naming the first row.

    Examples
    --------
    >>> check_not_masked(np.ma.array([0.5, 0.2], mask=[False, True]), "rates")
    Traceback (most recent call last):
    ...
    ValueError: rates must not hold missing values, got one in row 1.
    """
    if is_masked(values):
        mask = np.ma.getmaskarray(values)
        row = np.unravel_index(mask.argmax(), mask.shape)[0]
        raise ValueError(f"{name} must not hold missing {what}, got one in row {row}.")


def check_none_missing(y, name="y"):
    """Refuse labels that are not there, before anything compares or sorts them.

    NumPy and scikit-learn each say something else about None, NaN and pandas' NA among labels, and nothing at all
    about NaT, which would become a class.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Given labels. What is wrong in another way is left to the checks that follow.
    name : str, default="y"
        What to call it.

    Raises
    ------
    ValueError
        If a label is missing.

    Examples
    --------
    >>> check_none_missing(["a", None, "b"])
    Traceback (most recent call last):
    ...
    ValueError: y must not hold missing labels, got one in row 1.
    """
    if y is None:
        return
    if isinstance(y, list | tuple) and not _is_nested(y):
        # As objects: NumPy would make the string "None" of a None among strings.
        y = np.array(y, dtype=object)
    elif hasattr(y, "to_numpy") and not isinstance(y, pd.Series | pd.DataFrame | pd.Index):
        y = _values_of(y)
    check_not_masked(y, name, "labels")
    missing = np.asarray(pd.isna(np.asarray(y) if isinstance(y, np.ma.MaskedArray) else y))
    if missing.any():
        row = np.unravel_index(missing.argmax(), missing.shape)[0]
        raise ValueError(f"{name} must not hold missing labels, got one in row {row}.")


def as_labels(y, name="y"):
    """Labels in a type that NumPy, pandas and scikit-learn sort, compare and hand back alike; others are refused.

    NumPy makes the text "1" of the number 1 in a list that holds texts as well, compares True as equal to 1, and has
    floats for the integers of pandas that may be missing. scikit-learn accepts an array of objects if its first one is
    a text.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Given labels.
    name : str, default="y"
        What to call them.

    Returns
    -------
    y : ndarray of the shape of `y`
        Numbers, booleans, texts or datetimes. None and sparse matrices come back as they are, for the checks that
        follow.

    Raises
    ------
    TypeError
        If labels are of two kinds, such as numbers and texts, or of one that is neither of these.

    ValueError
        If a label is missing, complex, or an integer of more than 64 bits.

    Examples
    --------
    >>> as_labels([1, "b"])
    Traceback (most recent call last):
    ...
    TypeError: y must hold labels of one kind, all numbers, booleans, texts or datetime64, got int and str.
    >>> as_labels(pd.Series([True, False], dtype="boolean"))
    array([ True, False])
    """
    y = of_tensor(y)
    check_none_missing(y, name)
    if y is None or scipy.sparse.issparse(y):
        return y
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        return as_labels(y.iloc[:, 0], name)[:, None]
    if isinstance(y, str | bytes | dict | set | frozenset | Iterator):
        raise TypeError(f"{name} must be an array, a series or a list of labels, got {type(y).__name__}.")
    labels = _as_array(y)
    if labels.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} must hold labels that can be sorted, got {labels.dtype}.")
    if labels.dtype.kind in "SV":
        raise _not_labels(labels, name)
    if labels.dtype.kind != "O":
        return labels
    kind = pd.api.types.infer_dtype(labels.ravel(), skipna=False)
    if kind in ("string", "empty"):
        return labels
    if kind == "boolean":
        return labels.astype(bool)
    if kind in ("integer", "floating", "mixed-integer-float"):
        numbers = np.array(labels.tolist())
        if kind == "integer" and numbers.dtype.kind not in "iu":
            raise ValueError(f"{name} must hold integers of at most 64 bits, got {max(labels.ravel(), key=abs)}.")
        return numbers
    if kind in ("datetime64", "timedelta") and all(isinstance(label, np.generic) for label in labels.ravel()):
        return np.array(labels.tolist())
    raise _not_labels(labels, name)


def label_column(y, name="y"):
    """Labels as :func:`as_labels` reads them, one a row. (scikit-learn's `column_or_1d` calls everything y.)

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, 1)
        Given labels.
    name : str, default="y"
        What to call them.

    Returns
    -------
    y : ndarray of shape (n_samples,)

    Raises
    ------
    TypeError, ValueError
        As :func:`as_labels`, or if there is not one label a row.

    Examples
    --------
    >>> label_column([["a"], ["b"]])
    array(['a', 'b'], dtype='<U1')
    >>> label_column([[1, 2]], "sets")
    Traceback (most recent call last):
    ...
    ValueError: sets must be one-dimensional, got shape (1, 2).
    """
    labels = as_labels(y, name)
    if labels is None or scipy.sparse.issparse(labels):
        raise TypeError(f"{name} must be an array, a series or a list of labels, got {type(labels).__name__}.")
    return one_a_row(labels, name)


def one_a_row(values, name):
    """Values of which there is one a row, also where they come as a table of one column."""
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {values.shape}.")
    return values


def check_same_kind(**labels):
    """Several columns of labels, checked, that can be compared with each other.

    Parameters
    ----------
    **labels : array-like of shape (n_samples,)
        By the names that messages call them.

    Returns
    -------
    columns : list of ndarray of shape (n_samples,)

    Raises
    ------
    TypeError
        As :func:`as_labels`, or if some are texts and others numbers: no label of one is ever equal to one of the
        other.

    ValueError
        If they are empty, have different lengths, more dimensions than one, or their rows in different orders.

    Examples
    --------
    >>> check_same_kind(y_clean=[1, 2], y_noisy=["1", "2"])
    Traceback (most recent call last):
    ...
    TypeError: y_clean and y_noisy must hold labels of one kind, got number and text.
    """
    check_same_rows(**labels)
    columns = check_comparable(**labels)
    check_consistent_length(*columns)
    if len(columns[0]) == 0:
        raise ValueError(f"{next(iter(labels))} must hold one label at least, got none.")
    return columns


def check_comparable(**labels):
    """Columns of labels, checked, of which one may be equal to one of another; they may have different lengths.

    Parameters
    ----------
    **labels : array-like of shape (n_samples,)
        By the names that messages call them.

    Returns
    -------
    columns : list of ndarray

    Raises
    ------
    TypeError
        As :func:`as_labels`, or if some are texts and others numbers.

    ValueError
        If one has more dimensions than one.

    Examples
    --------
    >>> check_comparable(query_labels=["ann"], gallery_labels=["ann", "bob"])
    [array(['ann'], dtype='<U3'), array(['ann', 'bob'], dtype='<U3')]
    """
    columns = [label_column(y, name) for name, y in labels.items()]
    kinds = [_KINDS.get(column.dtype.kind, "text") for column in columns]
    if len(set(kinds)) > 1:
        names, kinds = " and ".join(labels), " and ".join(dict.fromkeys(kinds))
        raise TypeError(f"{names} must hold labels of one kind, got {kinds}.")
    return columns


def check_same_rows(*, numbers=True, **columns):
    """Refuse what pandas knows to be of the same rows in different orders: rows belong together by position.

    Parameters
    ----------
    numbers : bool, default=True
        Whether the numbers that pandas gives to rows without names are compared as well. The labels of shuffled rows,
        in a Series of their own, have such numbers and are in order.
    **columns : object
        What is given for each row, by the names that messages call it. Only what has an index of pandas is compared.

    Raises
    ------
    ValueError
        If two of them have the same index in two orders.

    Examples
    --------
    >>> check_same_rows(y=pd.Series([1, 2]), quality=pd.Series([0.1, 0.2], index=[1, 0]))
    Traceback (most recent call last):
    ...
    ValueError: y and quality must have their rows in the same order, got the same index in two orders. Take \
    quality.loc[y.index], or the values alone if they are in the same order.
    """
    frames = {name: data for name, data in columns.items() if isinstance(data, pd.Series | pd.DataFrame)}
    if not numbers:
        frames = {name: data for name, data in frames.items() if not isinstance(data.index, pd.RangeIndex)}
    for (first, one), (second, other) in itertools.combinations(frames.items(), 2):
        if len(one) != len(other) or one.index.equals(other.index):
            continue
        if one.index.is_unique and other.index.isin(one.index).all() and other.index.is_unique:
            raise ValueError(
                f"{first} and {second} must have their rows in the same order, got the same index in two orders. "
                f"Take {second}.loc[{first}.index], or the values alone if they are in the same order."
            )


def names_of_rows(*data):
    """The index of the first that has one of pandas with names, else one of numbers in order; None if none has any."""
    found = [one.index for one in data if isinstance(one, pd.Series | pd.DataFrame)]
    named = [index for index in found if not isinstance(index, pd.RangeIndex)]
    return next(iter([*named, *found]), None)


def as_numbers(values, name):
    """Real numbers as an array of floats, from whatever holds them."""
    if np.iscomplexobj(values):
        raise ValueError(f"{name} must hold real numbers, got {np.asarray(values).dtype}.")
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers, got {values!r}.") from error


def check_flags(flags, name):
    """Yes or no for each row: booleans, or the numbers 1 and 0; nothing else is taken for one of them.

    Parameters
    ----------
    flags : array-like of shape (n_rows,)
        Flags as the user passed them.
    name : str
        What to call them.

    Returns
    -------
    flags : ndarray of bool of shape (n_rows,)

    Raises
    ------
    TypeError
        If they are no numbers.

    ValueError
        If one is missing, or is neither 1 nor 0. Detectors of scikit-learn call outliers -1 and all others 1.

    Examples
    --------
    >>> check_flags([1, -1], "is_issue")
    Traceback (most recent call last):
    ...
    ValueError: is_issue must hold True and False, or 1 and 0, got -1.
    """
    flags = label_column(flags, name)
    if len(flags) == 0:
        return flags.astype(bool)
    if flags.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold True and False, or 1 and 0, got {type(flags.tolist()[0]).__name__}.")
    neither = (flags != 0) & (flags != 1)
    if neither.any():
        raise ValueError(f"{name} must hold True and False, or 1 and 0, got {flags[neither][0]}.")
    return flags.astype(bool)


def _values_of(y):
    """A column of another library of data frames as an array: pandas does not see its missing values."""
    try:
        return y.to_numpy()
    except Exception:  # pyarrow's arrays refuse to copy
        return np.asarray(y)


def _as_array(y):
    """Labels as an array that has not lost what distinguishes them."""
    if isinstance(y, list | tuple) and not _is_nested(y):
        values = np.empty(len(y), dtype=object)
        values[:] = y
        if pd.api.types.infer_dtype(values, skipna=False) != "string":
            return values
        texts = np.array(y)
        return texts if (texts == values).all() else values  # NumPy's texts end before a zero at their end
    dtype = getattr(y, "dtype", None)
    if isinstance(dtype, pd.api.extensions.ExtensionDtype):
        own = getattr(dtype, "numpy_dtype", None)
        return y.to_numpy(dtype=own) if own is not None and own.kind in "biufmM" else np.asarray(y)
    labels = np.asarray(y)
    if labels.dtype.kind == "T":
        return labels.astype(object)
    return labels.astype(labels.dtype.newbyteorder("="), copy=False)  # pandas reads no other order of bytes


def _not_labels(labels, name):
    found = " and ".join(sorted({type(label).__name__ for label in labels.ravel().tolist()})[:3])
    return TypeError(f"{name} must hold labels of one kind, all numbers, booleans, texts or datetime64, got {found}.")


def check_weights(sample_weight, n_rows, name="sample_weight"):
    """One weight a row, as floats; ones for None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), number or None
        Weights as the user passed them.
    n_rows : int
        Number of rows.
    name : str, default="sample_weight"
        What to call them.

    Returns
    -------
    sample_weight : ndarray of shape (n_rows,), float64
        As they are, or in proportion where their sum would be infinite.

    Raises
    ------
    ValueError
        If a weight is no number, negative, infinite or NaN, if all are zero, or if there is not one for each row.

    Examples
    --------
    >>> check_weights(None, 2)
    array([1., 1.])
    """
    if sample_weight is None:
        return np.ones(n_rows)
    sample_weight = of_tensor(sample_weight)
    check_not_masked(sample_weight, name, "weights")
    if getattr(getattr(sample_weight, "dtype", None), "kind", None) in ("c", "m", "M"):  # NumPy makes numbers of them
        raise ValueError(f"{name} must hold numbers that can be compared, got {sample_weight.dtype}.")
    try:
        sample_weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold numbers, got {sample_weight!r}.") from error
    try:
        # A column of zeros stands in for X, of which only the length matters: X may be a Dataset.
        weight = check_sample_weight(sample_weight, np.zeros((n_rows, 1)), dtype=np.float64, ensure_non_negative=True)
    except ValueError as error:  # scikit-learn's messages know one name
        raise ValueError(str(error).replace("sample_weight", name)) from error
    with np.errstate(over="ignore"):
        total = weight.sum()
    # A power of two rounds nothing; every mean over an infinite sum would be zero or NaN.
    return weight if np.isfinite(total) else np.ldexp(weight, -n_rows.bit_length())


def check_groups_whole(splits, groups):
    """Refuse splits of `cv` that tear a group apart.

    Parameters
    ----------
    splits : iterable of (train, test)
        Row numbers.
    groups : array-like of shape (n_rows,) or None
        The group of each row.

    Raises
    ------
    ValueError
        If rows of one group are on both sides of a split.
    """
    if groups is None:
        return
    groups = np.asarray(groups)
    for fold, (train, test) in enumerate(splits):
        shared = np.intersect1d(groups[train], groups[test])
        if len(shared):
            raise ValueError(
                f"The rows of a group must stay on one side of each split. Got group {shared[0]!s} on both sides of "
                f"split {fold} of 'cv'; use a group splitter such as GroupKFold."
            )


def check_groups(groups, n_rows):
    """The group of each row, none of them missing, of a type that can be sorted; None for None.

    Parameters
    ----------
    groups : array-like of shape (n_rows,) or None
        Groups as the user passed them.
    n_rows : int
        Number of rows.

    Returns
    -------
    groups : ndarray of shape (n_rows,) or None

    Raises
    ------
    TypeError
        If they are of several kinds, such as numbers and texts, which have no order.

    ValueError
        If one is missing, or there is not one for each row.

    Examples
    --------
    >>> check_groups(["ann", "bob", None], 3)
    Traceback (most recent call last):
    ...
    ValueError: groups must not hold missing labels, got one in row 2.
    """
    if groups is None:
        return None
    groups = of_tensor(groups)
    check_none_missing(groups, "groups")
    if len(shape := np.shape(groups)) != 1 and not (len(shape) == 2 and shape[1] == 1):
        raise ValueError(f"groups must be one-dimensional, got shape {shape}.")
    groups = column_or_1d(groups)
    check_consistent_length(np.zeros(n_rows), groups)
    try:
        np.unique(groups)
    except TypeError as error:
        kinds = " and ".join(sorted({type(group).__name__ for group in groups.tolist()})[:3])
        raise TypeError(f"groups must be of one kind that can be sorted, all numbers or texts, got {kinds}.") from error
    return groups


def _is_nested(y):
    return len(y) > 0 and isinstance(y[0], list | tuple | np.ndarray)
