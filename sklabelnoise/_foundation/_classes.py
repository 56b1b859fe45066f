"""Labels as positions among classes, and tables with a column for each class."""

import numpy as np
import pandas as pd

from sklabelnoise._foundation._given import as_numbers, is_masked, label_column, of_tensor

# By types of NumPy and torch, the distance of one from the next number: rounded entries sum to one within half of it,
# and what they are divided by was rounded as well.
_EPSILON_OF_HALF = {"float16": 2.0**-10, "torch.float16": 2.0**-10, "torch.bfloat16": 2.0**-7}


def encode(y, classes=None, *, name="y"):
    """Classes, and the position of each label among them.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Labels, none missing.
    classes : array-like of shape (n_classes,), default=None
        All classes, in any order, which stays; None takes the sorted ones of y.
    name : str, default="y"
        What messages call y.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    codes : ndarray of int of shape (n_samples,)

    Raises
    ------
    ValueError
        If y is not one-dimensional, if it holds a label that is not in `classes`, or these are no classes.

    Examples
    --------
    >>> encode(["b", "a", "b"])
    (array(['a', 'b'], dtype='<U1'), array([1, 0, 1]))
    >>> encode([2, 1], classes=[2, 3])
    Traceback (most recent call last):
    ...
    ValueError: y must hold labels of the classes [2, 3] only, got [1].
    """
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {y.shape}.")
    found, codes = _found(y)
    if classes is None:
        return found, codes
    classes = check_classes(classes)
    names, labels = _numbers(classes), _numbers(found)
    order = np.argsort(names)
    if (names.dtype.kind in "OU") != (labels.dtype.kind in "OU"):
        unknown = np.ones(len(found), dtype=bool)  # NumPy would compare numbers with texts by what spells them
    else:
        position = np.searchsorted(names, labels, sorter=order).clip(max=len(names) - 1)
        unknown = names[order[position]] != labels
    if unknown.any():
        raise ValueError(
            f"{name} must hold labels of the classes {classes.tolist()} only, got {found[unknown].tolist()}."
        )
    return classes, order[position][codes]


def in_type_of(y, classes):
    """Classes in the type of some labels, as they are where that has no room for one of them.

    Examples
    --------
    >>> in_type_of(np.array([0, 1], dtype=np.int8), np.array([0, 1, 2])).dtype
    dtype('int8')
    >>> in_type_of(np.array(["a", "b"]), np.array(["a", "b", "other"])).dtype
    dtype('<U5')
    """
    try:
        own = classes.astype(y.dtype)
    except (TypeError, ValueError):
        return classes
    return own if (own == classes).all() else classes


def count_pairs(classes=None, **labels):
    """Classes, and how many rows have each pair of labels.

    Parameters
    ----------
    classes : array-like of shape (n_classes,), default=None
        All classes, in any order, which stays; None takes the sorted labels of either column.
    **labels : ndarray of shape (n_samples,)
        Two columns of labels of one kind, by the names that messages call them.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
    counts : ndarray of int of shape (n_classes, n_classes)
        The first column is that of the rows.

    Raises
    ------
    ValueError
        As :func:`encode`.

    Examples
    --------
    >>> count_pairs(y_clean=np.array([5, 5, 7]), y_noisy=np.array([5, 7, 7]))
    (array([5, 7]), array([[1, 1],
           [0, 1]]))
    """
    if classes is None:
        classes = np.unique(np.concatenate(list(labels.values())))
    first, second = (encode(y, classes, name=name)[1] for name, y in labels.items())
    n = len(classes)
    return np.asarray(classes), np.bincount(n * first + second, minlength=n * n).reshape(n, n)


def check_classes(classes, name="classes"):
    """All classes as the user names them: labels, none missing, none twice.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)
    name : str, default="classes"
        What to call them.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        In their order.

    Raises
    ------
    TypeError, ValueError
        As :func:`~sklabelnoise._foundation._given.label_column`, or if there is none, or one twice.

    Examples
    --------
    >>> check_classes({"cat", "dog"})
    Traceback (most recent call last):
    ...
    TypeError: classes must be an array, a series or a list of labels, got set.
    """
    classes = label_column(classes, name)
    if len(classes) == 0:
        raise ValueError(f"{name} must hold one label at least, got none.")
    check_distinct(classes, name)
    return classes


def check_distinct(classes, name="classes"):
    """Refuse classes of which one is named twice: it would have two columns.

    Raises
    ------
    ValueError
        Naming the first that comes again.

    Examples
    --------
    >>> check_distinct(["a", "b", "a"])
    Traceback (most recent call last):
    ...
    ValueError: classes must be distinct, got 'a' twice.
    """
    seen = set()
    for label in np.asarray(classes).tolist():
        if label in seen:
            raise ValueError(f"{name} must be distinct, got {label!r} twice.")
        seen.add(label)


def _numbers(labels):
    """Labels as an array of numbers where they are numbers in an array of objects; others as they are."""
    kinds = ("integer", "floating", "mixed-integer-float", "boolean")
    is_of_objects = labels.dtype.kind == "O" and pd.api.types.infer_dtype(labels, skipna=False) in kinds
    return np.array(labels.tolist()) if is_of_objects else labels


def _found(y):
    if y.dtype.kind not in "OU":
        return np.unique(y, return_inverse=True)
    # Hashing is several times faster than comparing texts, and leaves only the classes to be sorted. Not by pandas,
    # which before version 3 takes texts for one that differ in zeros at their end.
    labels = y.tolist()
    codes = {label: code for code, label in enumerate(dict.fromkeys(labels))}
    found = np.array(list(codes), dtype=y.dtype)
    codes = np.fromiter(map(codes.__getitem__, labels), dtype=np.intp, count=len(labels))
    order = np.argsort(found)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return found[order], rank[codes]


def at_all_classes(values, classes, all_classes, *, fill):
    """A table with a column for each of all classes, from one with a column for some of them.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
    classes : ndarray of shape (n_columns,)
        The class of each column, in any order.
    all_classes : ndarray of shape (n_classes,)
        Sorted.
    fill : float
        What stands in the columns of the others: 0 among probabilities, -inf among logits.

    Examples
    --------
    >>> at_all_classes(np.array([[0.4, 0.6]]), np.array(["a", "c"]), np.array(["a", "b", "c"]), fill=0)
    array([[0.4, 0. , 0.6]])
    >>> at_all_classes(np.array([[0.4, 0.6]]), np.array([1, 0]), np.array([0, 1]), fill=0)
    array([[0.6, 0.4]])
    """
    if np.array_equal(classes, all_classes):
        return values
    whole = np.full((len(values), len(all_classes)), fill, dtype=values.dtype)
    whole[:, np.searchsorted(all_classes, classes)] = values
    return whole


def in_full_precision(values):
    """Distributions that were given in half precision, in float64 and without its rounding; others as they are.

    Parameters
    ----------
    values : array-like of shape (n_rows, n_classes)
        Rows that sum to one but for rounding are divided by their sum; those that do not stay as they are, for the
        checks that follow.

    Examples
    --------
    >>> thirds = np.full((1, 3), 1 / 3, dtype=np.float16)
    >>> float(thirds.sum(dtype=float)), float(in_full_precision(thirds).sum())
    (0.999755859375, 1.0)
    """
    epsilon = _EPSILON_OF_HALF.get(str(getattr(values, "dtype", None)))
    array = of_tensor(values)
    if epsilon is None or not isinstance(array, np.ndarray) or is_masked(array) or array.ndim != 2:
        return values
    values = array.astype(np.float64)
    sums = values.sum(axis=1, keepdims=True)
    return np.divide(values, sums, out=values, where=np.abs(sums - 1) <= epsilon)


def check_range(proba, name):
    """Refuse numbers that are no probabilities; rounding is forgiven."""
    # A mean of equal float64 numbers may exceed them by rounding; cleanlab allows for as much.
    low, high = proba.min(), proba.max()
    if low < -1e-6 or high > 1 + 1e-6:
        raise ValueError(f"{name} must hold probabilities, got values from {low:g} to {high:g}.")


def check_probabilities(proba, name):
    """Refuse a table whose rows are no probabilities of classes; rounding is forgiven.

    Raises
    ------
    ValueError
        Naming the range of its values, or the row that is farthest from summing to one.
    """
    check_range(proba, name)
    check_rows_sum_to_one(proba, name, tolerance=1e-3)


def check_rows_sum_to_one(values, name, *, tolerance, hint=""):
    """Refuse a table whose rows are no distributions; rounding is forgiven.

    Raises
    ------
    ValueError
        Naming the row that is farthest off, followed by `hint`.
    """
    sums = values.sum(axis=1)
    row = int(np.abs(sums - 1).argmax())
    if not abs(sums[row] - 1) <= tolerance:
        raise ValueError(f"Rows of {name} must sum to 1, got {sums[row]:g} in row {row}.{hint}")


def weights_of_classes(class_weight, classes):
    """A dictionary of finite weights as an array in the order of `classes`, one where it says nothing of a class."""
    known = set(classes.tolist())
    unknown = [label for label in class_weight if label not in known]
    # Weights of more classes than these are in order, as a fold may miss one; a name in place of another is not.
    if unknown and not known <= class_weight.keys():
        raise ValueError(f"class_weight must have keys of the classes {classes.tolist()} only, got {unknown}.")
    weights = as_numbers([class_weight.get(label, 1.0) for label in classes.tolist()], "class_weight")
    if not np.isfinite(weights).all():
        raise ValueError(f"class_weight must hold finite weights, got {class_weight!r}.")
    return weights
