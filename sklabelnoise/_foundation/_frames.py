"""Frames of any library, read as those of pandas."""

import numpy as np
import pandas as pd


def pandas_frame(table, argument):
    """A frame of any library as one of pandas; None for what is no frame.

    Parameters
    ----------
    table : object
    argument : str
        What messages call it.

    Raises
    ------
    TypeError
        If it is a frame that cannot be read.
    """
    if isinstance(table, pd.DataFrame):
        return table
    # A series of any library may be handed over through Arrow as well, but it is no frame.
    if (
        isinstance(table, np.ndarray)
        # An array of another library has one type for all of its cells; xarray's named one goes through Arrow as well.
        or hasattr(table, "dtype")
        or getattr(table, "ndim", 2) == 1
        or len(getattr(table, "shape", ())) == 1
        or not (
            any(hasattr(table, name) for name in ("columns", "column_names", "__dataframe__", "__arrow_c_stream__"))
        )
    ):
        return None
    for read in (_read_with_narwhals, _read_from_arrow, _read_by_interchange):
        try:
            return read(table)
        except Exception as failure:  # whatever the table's own library raises
            reason = failure
    # Its columns have names, so taking them by position would be the mistake that this file is to prevent.
    raise TypeError(
        f"{argument} must be an array, a pandas DataFrame, or a frame that narwhals (if it is installed) or pandas can "
        f"read, got {type(table).__module__}.{type(table).__qualname__}."
    ) from reason


def class_frame(values, classes):
    """A frame whose columns are named after classes, from values in their order."""
    # pandas has no index of half precision floats.
    return pd.DataFrame(values, columns=classes.tolist() if classes.dtype == np.float16 else classes)


def _read_with_narwhals(table):
    import narwhals  # optional dependency

    frame = narwhals.from_native(table, eager_only=True)
    return pd.DataFrame({name: frame[name].to_numpy() for name in frame.columns})


def _read_from_arrow(table):
    return pd.DataFrame.from_arrow(table)  # since pandas 3.0


def _read_by_interchange(table):
    return pd.api.interchange.from_dataframe(table)  # until pandas 4.0
