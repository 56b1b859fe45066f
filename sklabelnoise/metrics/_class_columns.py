"""Tables with one column for each class: a frame says by name which column is which class."""

import numpy as np
import pandas as pd
import scipy.sparse

from sklabelnoise._foundation._classes import check_distinct, in_full_precision
from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._given import check_not_masked, of_tensor


def class_columns(table, labels, *, argument, ordered=False):
    """The classes that the columns of a table are named after, and its values.

    Names beat positions: what comes back has to be put in order by `in_class_order`, whatever the order of the columns.

    Parameters
    ----------
    table : array-like or DataFrame of shape (n_samples, n_columns)
        One column for each class. The frame may be that of any library: pandas, what narwhals knows where it is
        installed (polars, pyarrow, modin and others), or what speaks pandas' interchange protocol.

    labels : ndarray of shape (n_labels,)
        The labels that are known already, distinct. Names count as these also if they are spelled alike: frames whose
        column names must be text have a column "3" for the label 3.

    argument : str
        What messages call the table.

    ordered : bool, default=False
        Whether the caller was told the order of the columns. The numbers 0, 1, 2, ... that pandas gives to columns
        without a name are then no names.

    Returns
    -------
    classes : ndarray of shape (n_columns,) or None
        The class of each column: all of `labels` that have one, and classes beyond them. None for what has no names.

    values : array-like of shape (n_samples, n_columns)
        What is in the table, an array where there were names, else the table as it came; of half precision, without
        its rounding.

    Raises
    ------
    ValueError
        If columns have the same name, or if no name is a label or of the type of labels.

    TypeError
        If `table` is a frame that cannot be read.
    """
    table = of_tensor(in_full_precision(table))
    check_not_masked(table, argument)
    columns, values = _columns_and_values(table, argument, ordered)
    if columns is None:
        return None, table
    labels = np.asarray(labels)
    # pandas has units of its own for dates, and NumPy's dates are equal in one unit only.
    dates = labels.dtype.kind in "mM" and labels.dtype.kind == columns.dtype.kind
    names = (columns.to_numpy().astype(labels.dtype) if dates else columns).tolist()
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise ValueError(f"{argument} must have one column for each class, got two columns named {twice!r}.")
    return _as_labels(names, labels, argument), in_full_precision(values)


def in_class_order(values, columns, classes, *, argument):
    """Values with one column for each of `classes`, in their order.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_columns)
    columns : ndarray of shape (n_columns,)
        The class of each column.
    classes : ndarray of shape (n_classes,)
    argument : str
        What messages call the table.

    Returns
    -------
    values : ndarray of shape (n_samples, n_classes)
        Zero where a class has no column.

    Raises
    ------
    ValueError
        If a column is of no class.
    """
    place = {label: j for j, label in enumerate(np.asarray(classes).tolist())}
    columns = np.asarray(columns).tolist()
    unknown = [label for label in columns if label not in place]
    if unknown:
        raise ValueError(f"{argument} must have columns named after the classes {list(place)}, got {unknown} as well.")
    order = [place[label] for label in columns]
    if order == list(range(len(place))):
        return values
    placed = np.zeros((len(values), len(place)), dtype=values.dtype)
    placed[:, order] = values
    return placed


def complete_in_class_order(values, columns, classes, *, argument):
    """As :func:`in_class_order`, of a table that must have a column for every class.

    Raises
    ------
    ValueError
        If a class has no column, or a column is of no class.
    """
    columns, classes = np.asarray(columns), np.asarray(classes)
    missing = [label for label in classes.tolist() if label not in set(columns.tolist())]
    if missing:
        raise ValueError(f"{argument} must have one column for each of {len(classes)} classes, got none for {missing}.")
    return in_class_order(values, columns, classes, argument=argument)


def predicted_columns(table, classes, *, argument):
    """What a classifier predicts for its classes, as an array whose columns are in their order.

    Parameters
    ----------
    table : array-like or DataFrame of shape (n_samples, n_classes)
        What its method returned. A frame says by name which column is which class.
    classes : array-like of shape (n_classes,)
        Its ``classes_``.
    argument : str
        What messages call the table.

    Returns
    -------
    values : ndarray of shape (n_samples, n_classes)

    Raises
    ------
    ValueError
        If it is no array with a column for each class, if a frame has columns that are not named after the classes,
        or if `classes` holds one twice.
    """
    check_distinct(classes, f"classes_ of the columns of {argument}")
    if scipy.sparse.issparse(table):
        raise ValueError(f"{argument} must return an array or a frame. Got {type(table).__name__}.")
    columns, values = class_columns(table, classes, argument=argument, ordered=True)
    values = np.asarray(values)
    if columns is not None:
        return complete_in_class_order(values, columns, classes, argument=argument)
    if values.ndim != 2 or values.shape[1] != len(classes):
        raise ValueError(
            f"{argument} must return a column for each of its {len(classes)} classes. Got shape {values.shape}."
        )
    return values


def check_known(classes, labels, estimator):
    """Refuse an estimator with classes of which it was given no label.

    Parameters
    ----------
    classes : array-like
        Its ``classes_``.
    labels : ndarray
        All labels that it could be given.
    estimator : str
        What messages call it.

    Raises
    ------
    ValueError
        Naming the classes.
    """
    known = set(labels.tolist())
    strange = [label for label in np.asarray(classes).tolist() if label not in known]
    if strange:
        raise ValueError(f"{estimator} must have classes_ of labels it was given. Got {strange} as well.")


def _columns_and_values(table, argument, ordered):
    frame = pandas_frame(table, argument)
    if frame is None or (ordered and is_numbered(frame.columns)):
        return None, None
    if frame.columns.nlevels > 1:
        raise ValueError(f"{argument} must have columns named after classes, got {frame.columns.nlevels} levels.")
    values = frame.to_numpy()
    if values.dtype == object:  # pandas' types with a missing value of their own
        values = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return frame.columns, values


def is_numbered(columns):
    return isinstance(columns, pd.RangeIndex) and columns.start == 0 and columns.step == 1


def _as_labels(names, labels, argument):
    """Names of columns as labels: those that are labels, else those that are spelled as labels."""
    known = labels.tolist()
    if not set(names).isdisjoint(known):
        kinds = {isinstance(value, str) for value in [*names, *known]}
        if len(kinds) == 1:
            return _array_of(names, labels)
    else:
        spelled = {str(label): label for label in known}
        if any(name in spelled for name in names):
            found = [spelled.get(name, _read_as(labels.dtype, name)) for name in names]
            if None not in found:
                return _array_of(found, labels)
    raise ValueError(
        f"{argument} must have columns named after the classes, which are {known}, got {names}. Name them so, or pass "
        "the values alone if they are in the order of the sorted classes."
    )


def _read_as(dtype, name):
    """The number that a text spells, a class that no row has; None for any other text."""
    if not isinstance(name, str) or dtype.kind not in "iuf":
        return None
    try:
        number = dtype.type(name).item()
    except ValueError:
        return None
    return number if str(number) == name else None


def _array_of(names, labels):
    if labels.dtype == object:
        array = np.empty(len(names), dtype=object)
        array[:] = names
        return array
    if labels.dtype.kind in "mM":
        return np.asarray(names, dtype=labels.dtype)
    array = np.asarray(names)
    if array.dtype.kind in "biuf" and labels.dtype.kind in "biuf" and (array.astype(labels.dtype) == array).all():
        return array.astype(labels.dtype)
    return array
