"""Tables with a number in every cell, and what helps where there is something else."""

import os
from collections.abc import Hashable, ItemsView, Iterator, KeysView, Mapping, Set, ValuesView

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.utils import get_tags

from sklabelnoise._foundation._extras import comes_with, is_of
from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._given import is_masked
from sklabelnoise._foundation._image_files import image_paths, is_pillow_image
from sklabelnoise._foundation._last_step import last_step

# Columns that a message names of each kind.
_N_NAMED = 3
# What makes numbers of what is none.
_EMBED = (
    "sklabelnoise.feature_extraction.embed_dataset turns them into features by a pretrained network, and texts also go "
    "through make_pipeline(TfidfVectorizer(), {}())."
)
_ARRAYS = "Pictures are given as an array of shape (n_samples, channels, height, width), or as paths of files."
_PATHS = "Images are named by a str or a path object in every row."
_LISTS = "lists or arrays"
# What has rows in no order, can be gone through once, or has none.
_NO_ROWS = Mapping | str | bytes | os.PathLike | Iterator | Set | KeysView | ItemsView | ValuesView


def check_is_rows(X, name="X"):
    """Refuse what has no rows that could be told apart: a dict, set, text or path, what is gone through once, nothing.

    Parameters
    ----------
    X : any
    name : str, default="X"
        What to call it.

    Raises
    ------
    TypeError
        Where NumPy would speak of scalars.
    """
    # SciPy's sparse matrix of keys is a dict as well.
    if X is None or (isinstance(X, _NO_ROWS) and not scipy.sparse.issparse(X)):
        hint = ""
        if isinstance(X, Mapping):
            hint = f" pandas.DataFrame({name}) makes a table of its columns."
            if any(getattr(column, "ndim", 1) > 1 for column in X.values()):
                hint = " np.concatenate joins arrays of several columns to one array, which a network can split again."
        elif isinstance(X, str | os.PathLike) and os.path.isdir(X):
            hint = f" torchvision.datasets.ImageFolder({name}) reads a folder of images."
        raise TypeError(f"{name} must be an array, a frame or a list of rows, got {type(X).__name__}.{hint}")


def check_no_dataset(X, classifier, *, name="X"):
    """Refuse a Dataset or a loader of torch, which NumPy would take for a list of what its items hold.

    Parameters
    ----------
    X, classifier, name
        As of :func:`check_numeric_columns`.

    Raises
    ------
    TypeError
        If X is one.
    """
    if is_of(X, "torch.utils.data"):
        raise TypeError(
            f"{name} must be an array, a frame or a list of rows for {classifier}, got {type(X).__name__} of torch. "
            "sklabelnoise.feature_extraction.embed_dataset turns a Dataset into features by a pretrained network, and "
            "the networks, as DMClassifier, take it as it is."
        )


def check_numeric_columns(X, classifier, *, allow_missing=False, name="X"):
    """Refuse a table with columns that are no numbers, and say how to encode it.

    Parameters
    ----------
    X : any
        A frame of pandas or another library, or an array or lists with texts or dates in them. Anything else, and what
        is missing in an array, is left to the checks that follow.
    classifier : str
        What the classifier is called, for the line that helps.
    allow_missing : bool, default=False
        Whether numbers may be missing.
    name : str, default="X"
        What to call X.

    Raises
    ------
    ValueError
        If a column holds text, categories or dates, or a value is missing.

    TypeError
        If it is no table at all.
    """
    check_is_rows(X, name)
    check_no_dataset(X, classifier, name=name)
    if isinstance(X, list | tuple) and X and isinstance(X[0], Mapping):
        raise TypeError(
            f"{name} must be an array, a frame or a list of rows, got a list of {type(X[0]).__name__}. "
            f"pandas.DataFrame({name}) makes a table of them."
        )
    if isinstance(X, np.ndarray) and X.dtype.names:
        raise TypeError(
            f"{name} must be an array of numbers, a frame or a list of rows, got an array of the fields "
            f"{_listed(X.dtype.names)}. pandas.DataFrame({name}) makes a table of them."
        )
    frame = X if isinstance(X, pd.DataFrame) else pandas_frame(X, name)
    if frame is None:
        kinds, table = _kinds_in_array(X), "pandas.DataFrame(X)"
        if not allow_missing and is_masked(X) and X.ndim == 2:
            kinds = [*kinds, *((number, "missing values") for number in np.flatnonzero(X.mask.any(axis=0)))]
    else:
        columns = (frame.iloc[:, position] for position in range(frame.shape[1]))
        kinds = [(column.name, _kind_of_column(column, allow_missing)) for column in columns]
        table = "such a table as it is"
    found = {}
    for column, kind in kinds:
        if kind is not None:
            found.setdefault(kind, []).append(column)
    if found:
        lists, others = found.get(_LISTS), found.keys() - {_LISTS}
        spread = lists and (
            f"pandas.DataFrame({name}[{lists[0]!r}].tolist(), index={name}.index).add_prefix({str(lists[0])!r}) makes "
            "columns of what is in one. "
        )
        raise ValueError(
            f"{name} must hold a number in every cell for {classifier}, got "
            f"{'; '.join(f'{kind} in {_listed(columns)}' for kind, columns in found.items())}. {spread or ''}"
            + (f"skrub.tabular_pipeline({classifier}()) takes {'the others' if lists else table}. " if others else "")
            + (f"That needs {comes_with('skrub', extra='tables')}." if others else "")
        )


def check_no_texts(X, classifier, *, name="X"):
    """Refuse texts, paths, bytes and pictures, and say what makes numbers of them.

    Parameters
    ----------
    X, classifier, name
        As of :func:`check_numeric_columns`.

    Raises
    ------
    ValueError
        If X is a column of texts, of paths of images, of lists, or one that has such things beside others.
    """
    if image_paths(X) is not None:
        what, help_ = "paths of images", _EMBED
    else:
        what, help_ = _kind_of_items(X)
    if what is not None:
        raise ValueError(f"{name} must hold numbers for {classifier}, got {what}. {help_.format(classifier, X=name)}")


def with_nan_for_na(X):
    """A table with NaN where pandas' NA stands among objects, or a value is masked; others as they are.

    NumPy takes NA for no number, and scikit-learn a masked value for what lies below its mask.

    Parameters
    ----------
    X : any
        Frames of pandas, arrays of objects and masked arrays are looked at.

    Examples
    --------
    >>> with_nan_for_na(np.array([[1, pd.NA], [None, 2]], dtype=object)).astype(float)
    array([[ 1., nan],
           [nan,  2.]])
    """
    if is_masked(X):
        X = (X if X.dtype.kind in ("f", "O") else X.astype(np.float64)).filled(np.nan)
    if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 2 and _holds_na(X.ravel()):
        return np.where(pd.isna(X), np.nan, X)
    if isinstance(X, pd.DataFrame):
        X = _as_one_kind(X)
        objects = [j for j, dtype in enumerate(X.dtypes) if isinstance(dtype, np.dtype) and dtype.kind == "O"]
        found = [j for j in objects if _holds_na(X.iloc[:, j])]
        if found:
            X = X.copy(deep=False)
            for j in found:  # by position: names may be repeated
                X.isetitem(j, X.iloc[:, j].where(X.iloc[:, j].notna(), np.nan))
    return X


def _holds_na(values):
    return any(value is pd.NA or value is pd.NaT for value in values)


def _as_one_kind(frame):
    """A frame with dense columns, unless all are sparse with zeros between their values: others have no sparse matrix.

    What pandas has between values is NaN where nobody says something else.
    """
    sparse = [j for j, dtype in enumerate(frame.dtypes) if isinstance(dtype, pd.SparseDtype)]
    if sparse and (len(sparse) < frame.shape[1] or any(dtype.fill_value != 0 for dtype in frame.dtypes)):
        frame = frame.copy(deep=False)
        for j in sparse:
            frame.isetitem(j, frame.iloc[:, j].sparse.to_dense())
    return frame


def note_what_is_no_number(error, X, estimator):
    """Add to the error of an estimator what in the rows it was given is no number, and what helps.

    Parameters
    ----------
    error : Exception
        What its ``fit`` or ``predict`` raised.
    X : any
        The rows.
    estimator : estimator instance
        Of any library; a Pipeline goes by its last step.
    """
    if not isinstance(error, ValueError | TypeError) or "tabular_pipeline" in str(error):
        return
    final = last_step(estimator)
    try:
        check_numeric_columns(X, type(final).__name__, allow_missing=get_tags(final).input_tags.allow_nan)
        check_no_texts(X, type(final).__name__)
    except (ValueError, TypeError) as reason:
        error.add_note(str(reason))


def _kinds_in_array(X):
    """What the columns of an array, or of lists, hold that is no number; empty for what is not two-dimensional."""
    if isinstance(X, list | tuple) and any(isinstance(v, str) for row in X if np.iterable(row) for v in row):
        X = np.array(X, dtype=object) if len({len(row) for row in X if np.iterable(row)}) == 1 else None
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        return []
    if X.dtype.kind in "mM":
        return [(number, "dates or times") for number in range(X.shape[1])]
    if X.dtype.kind not in "OU":
        return []
    said = ((number, next(filter(None, map(_why_no_number, X[:, number])), None)) for number in range(X.shape[1]))
    return [(number, reason and f"text ({reason})") for number, reason in said]


def _kind_of_items(X):
    """What the items of a list, or of a column of objects, are if not numbers, and what helps; else None and None."""
    if isinstance(X, pd.Series | np.ndarray):
        X = X.tolist() if X.ndim == 1 and X.dtype.kind not in "biufcmM" else None
        # Pictures of several sizes are looked at where pictures are.
        if X and all(isinstance(item, list | tuple | np.ndarray) and _n_axes(item) == 1 for item in X):
            stacked = len({len(item) for item in X}) == 1
            return f"{_LISTS} in one column", "numpy.stack({X}) makes rows of them." if stacked else "Lengths differ."
    if not isinstance(X, list | tuple):
        return None, None
    rows = {}
    for row, item in enumerate(X):
        rows.setdefault(_kind_of_item(item), row)
    odd = [kind for kind in rows if kind is not None]
    if not odd:
        return None, None
    if len(rows) > 1:
        first_two = list(rows.items())[:2]
        return " and ".join(f"{kind or _name_of(X[row])} in row {row}" for kind, row in first_two), _PATHS
    return odd[0], {"texts": _EMBED, "pictures of pillow": _ARRAYS}.get(odd[0], f"{_PATHS} {_ARRAYS}")


def _n_axes(item):
    try:
        return np.ndim(item)
    except ValueError:  # lists of several lengths in a list
        return 2


def _name_of(item):
    missing = item is None or item is pd.NA or (isinstance(item, float) and item != item)
    return "a missing value" if missing else type(item).__name__


def _kind_of_item(item):
    if isinstance(item, str):
        return "texts"
    if isinstance(item, bytes):
        return "bytes"
    if isinstance(item, os.PathLike):
        return "paths"
    return "pictures of pillow" if is_pillow_image(item) else None


def _why_no_number(value):
    """What Python says of a text that spells no number; one that does is read by scikit-learn."""
    if isinstance(value, str):
        try:
            float(str(value))
        except ValueError as error:
            return str(error)
    return None


def _kind_of_column(column, allow_missing):
    """What a column holds that is no number, None where it is one."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "categories"
    if isinstance(dtype, pd.IntervalDtype):
        return "intervals"
    if dtype.kind in "mM" or isinstance(dtype, pd.DatetimeTZDtype | pd.PeriodDtype):
        return "dates or times"
    if not pd.api.types.is_numeric_dtype(dtype):
        present = column[column.notna()]
        if len(present) and not any(isinstance(value, Hashable) for value in present):
            return _LISTS
        if pd.to_numeric(present, errors="coerce").isna().any() or present.map(type).eq(str).any():
            return "text or other objects"
    if not allow_missing and column.isna().any():
        return "missing values"
    return None


def _listed(columns):
    more = f" and {len(columns) - _N_NAMED} more" if len(columns) > _N_NAMED else ""
    names = (repr(column) if isinstance(column, str) else f"column {column}" for column in columns[:_N_NAMED])
    return ", ".join(names) + more
