"""Arrays of numbers that are no features: probabilities, rates between classes, vectors to compare."""

import re
from contextlib import contextmanager

import numpy as np
from sklearn.utils.validation import check_array

from sklabelnoise._foundation._given import check_not_masked, of_tensor, one_a_row

_FLOATS = [np.float64, np.float32]


def check_matrix(values, name, shape, *, dtype=_FLOATS, hint=""):
    """Numbers in rows and columns, as scikit-learn checks them, and refused in words about this argument.

    scikit-learn's own words for a number or a list are about samples and features, and ask for a reshape that no
    matrix of probabilities wants.

    Parameters
    ----------
    values : array-like
        What the user gave.
    name : str
        The argument.
    shape : str
        What its rows and columns are, ``"(n_samples, n_classes)"``.
    dtype : dtype or list of dtypes, default=[float64, float32]
        As in `check_array`.
    hint : str, default=""
        A sentence on where such a matrix comes from, for who gave none.

    Returns
    -------
    matrix : ndarray of two dimensions

    Raises
    ------
    ValueError
        If it is no finite numbers in rows and columns, or one is masked.
    TypeError
        If it is sparse.
    """
    values = of_tensor(values)
    check_not_masked(values, name)
    dimensions = 2 if _is_ragged(values) else np.ndim(values)
    if dimensions != 2:
        came = repr(values) if dimensions == 0 else f"shape {np.shape(values)}"
        raise ValueError(f"{name} must be an array of shape {shape}, got {came}.{hint}")
    with naming(name, shape):
        return check_array(values, dtype=dtype, input_name=name)


def check_number_column(values, name):
    """Finite numbers, one a row, refused in words about this argument.

    Parameters
    ----------
    values : array-like of shape (n_samples,) or (n_samples, 1)
        What the user gave.
    name : str
        The argument.

    Returns
    -------
    column : ndarray of shape (n_samples,)

    Raises
    ------
    TypeError, ValueError
        If it is something else.

    Examples
    --------
    >>> check_number_column(["a", "b"], "scores")
    Traceback (most recent call last):
    ...
    ValueError: scores must be numbers of shape (n_samples,), got something else: could not convert string to float: 'a'
    """
    values = of_tensor(values)
    check_not_masked(values, name)
    with naming(name, "(n_samples,)"):
        column = check_array(values, dtype=_FLOATS, ensure_2d=False, allow_nd=True, input_name=name)
    return one_a_row(column, name)


@contextmanager
def naming(name, shape):
    """A block of scikit-learn's checks, whose messages do not all name the argument."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error)):
            raise
        raise type(error)(f"{name} must be numbers of shape {shape}, got something else: {error}") from error


def _is_ragged(values):
    try:
        np.ndim(values)
    except ValueError:
        return True
    return False
