"""Frames as the encoders of scikit-learn take them: columns of floats or of categories of one type, found by name."""

from collections.abc import Hashable
from datetime import date
from decimal import Decimal
from functools import partial
from numbers import Real

import numpy as np
import pandas as pd


def with_plain_columns(frame):
    """A frame whose columns hold floats or categories that can be sorted; one that does already, as it is.

    Numbers of any kind with something missing become floats with NaN, dates and durations days, and what is of several
    types in one column, as it comes of spreadsheets and of files with half a million rows, the texts that it reads as.

    Parameters
    ----------
    frame : DataFrame

    Returns
    -------
    frame : DataFrame

    Raises
    ------
    ValueError
        If a column holds what is neither, such as lists.

    Examples
    --------
    >>> frame = pd.DataFrame({1: pd.array([7, None], dtype="Int64"), 0: pd.Series([7, "x"], dtype=object)})
    >>> with_plain_columns(frame).values.tolist()
    [[7.0, '7'], [nan, 'x']]
    """
    columns = [frame.iloc[:, j] for j in range(frame.shape[1])]
    plain = [_plain(column) for column in columns]
    # Of other names scikit-learn takes numbers for positions, and refuses what is mixed or there twice.
    names = frame.columns
    speaking = names.is_unique and all(isinstance(name, str) for name in names)
    if speaking and all(new is old for new, old in zip(plain, columns, strict=True)):
        return frame
    named = {name if speaking else f"x{j}": column for j, (name, column) in enumerate(zip(names, plain, strict=True))}
    return pd.DataFrame(named, index=frame.index)


def _plain(column):
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype) or (isinstance(dtype, np.dtype) and dtype.kind in "biuf"):
        return column
    if dtype.kind == "c":
        raise _no_cell(column, column.iloc[0])
    if isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if column.dtype.kind in "mM":
        return _days(column)
    if isinstance(dtype, pd.CategoricalDtype):
        kinds = set(map(type, dtype.categories))
        return column if (len(kinds) < 2 and tuple not in kinds) or _are_numbers(kinds) else _texts(column)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        return _floats(column)
    return _plain_objects(column)


def _plain_objects(column):
    """Of objects, and of what libraries keep in types of their own, what all of them are together."""
    present = column[column.notna()]
    kinds = set(map(type, present))
    if _are_numbers(kinds):
        return _floats(column)
    if kinds and all(issubclass(kind, date) for kind in kinds):
        return _days(pd.to_datetime(column.astype(object), errors="coerce", utc=True))
    odd = next((value for value in present if not isinstance(value, Hashable)), None)
    if odd is not None:
        raise _no_cell(column, odd)
    if kinds <= {str} and not any(value is pd.NA for value in column):
        return column
    return _texts(column)


def _are_numbers(kinds):
    return bool(kinds) and all(issubclass(kind, Real | Decimal) and kind is not bool for kind in kinds)


def _floats(column):
    return column.astype(object).where(column.notna(), np.nan).astype(np.float64)


def _texts(column):
    """The encoder has a category of its own for what is missing."""
    values = column.astype(object)
    return values.where(values.isna(), values.map(str)).where(values.notna(), None)


def _days(column):
    """Days since 1970, or of a duration."""
    if isinstance(column.dtype, pd.ArrowDtype):
        read = pd.to_timedelta if column.dtype.kind == "m" else partial(pd.to_datetime, utc=True)
        column = read(column.astype(object))
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)
    if column.dtype.kind == "M":
        column = column - pd.Timestamp(0)
    return column / pd.Timedelta(days=1)


def _no_cell(column, value):
    return ValueError(
        "X must hold numbers, texts, categories, dates or truth values in every column, got "
        f"{type(value).__name__} in column {column.name!r}. Spread it over columns of numbers, or leave it out."
    )
