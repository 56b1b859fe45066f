"""What is given for each row, checked in one way everywhere: labels, none of them missing, and weights."""

import numpy as np
import pandas as pd

from sklabelnoise._compat import check_sample_weight


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
        y = y.to_numpy()  # of another library of data frames, whose missing values pandas does not see
    missing = np.asarray(pd.isna(y))
    if missing.any():
        row = np.unravel_index(missing.argmax(), missing.shape)[0]
        raise ValueError(f"{name} must not hold missing labels, got one in row {row}.")


def check_weights(sample_weight, n_rows):
    """One weight a row, as floats; ones for None.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), number or None
        Weights as the user passed them.
    n_rows : int
        Number of rows.

    Returns
    -------
    sample_weight : ndarray of shape (n_rows,), float64

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
    try:
        sample_weight = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight must hold numbers, got {sample_weight!r}.") from error
    # A column of zeros stands in for X, of which only the length matters: X may be a Dataset.
    return check_sample_weight(sample_weight, np.zeros((n_rows, 1)), dtype=np.float64, ensure_non_negative=True)


def _is_nested(y):
    return len(y) > 0 and isinstance(y[0], list | tuple | np.ndarray)
