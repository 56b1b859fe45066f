"""Arrays of numbers that are no features: probabilities, rates between classes, vectors to compare."""

import numpy as np
from sklearn.utils.validation import check_array

from sklabelnoise._foundation._given import of_tensor

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
        If it is no finite numbers in rows and columns.
    TypeError
        If it is sparse.
    """
    values = of_tensor(values)
    dimensions = 2 if _is_ragged(values) else np.ndim(values)
    if dimensions != 2:
        came = repr(values) if dimensions == 0 else f"shape {np.shape(values)}"
        raise ValueError(f"{name} must be an array of shape {shape}, got {came}.{hint}")
    try:
        return check_array(values, dtype=dtype, input_name=name)
    except (ValueError, TypeError) as error:
        if name in str(error):
            raise
        raise type(error)(f"{name} must be numbers of shape {shape}, got something else: {error}") from error


def _is_ragged(values):
    try:
        np.ndim(values)
    except ValueError:
        return True
    return False
