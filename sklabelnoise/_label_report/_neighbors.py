"""Trusted rows that are most alike: examples of the given and of the suggested class beside a label in doubt."""

import os

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._given import of_tensor
from sklabelnoise._foundation._image_files import are_image_paths, is_pillow_image
from sklabelnoise._label_report._datasets import Datasets, is_dataset
from sklabelnoise._label_report._views import picture_at

_MAX_CANDIDATES = 1500  # of all classes together: each may be a picture on the page
_MIN_CANDIDATES = 20  # of each class
_MAX_FEATURES = 1024
_MAX_CATEGORIES = 20
_LARGEST = 1e100  # squares of larger numbers may be infinite
_SIDE = 16  # pixels a picture is compared by


def neighbors_of(report, rows, given, suggested, *, n_neighbors=3):
    """Rows that nobody doubts and that are most like those of a report's issues.

    Parameters
    ----------
    report : LabelReport
    rows, given, suggested : ndarray of int of shape (n_rows,)
        Numbers of rows, codes of their given and suggested classes.
    n_neighbors : int, default=3

    Returns
    -------
    of_given, of_suggested : list of list of int
        For each row the nearest rows of each class, the nearest first; empty where rows cannot be compared.
    """
    codes = report.to_cleanlab()["labels"]
    candidates = _candidates(codes, report.issues["row"].to_numpy(), np.union1d(given, suggested))
    every = np.concatenate([rows, *candidates.values()])
    nothing = [[] for _ in rows]
    features = None
    for data in (report.X, report.display):
        if features is None and candidates:
            features = _features(data, every)
    if features is None:
        return nothing, nothing
    starts = np.cumsum([len(rows), *map(len, candidates.values())])
    of_class = {
        code: (members, features[start : start + len(members)])
        for (code, members), start in zip(candidates.items(), starts[:-1], strict=True)
    }
    return tuple(_nearest(features[: len(rows)], classes, of_class, n_neighbors) for classes in (given, suggested))


def _candidates(codes, doubted, classes):
    """Rows of each class that are not in doubt, so many at most that a page can hold them."""
    trusted = np.ones(len(codes), dtype=bool)
    trusted[doubted] = False
    limit = max(_MIN_CANDIDATES, _MAX_CANDIDATES // max(len(classes), 1))
    rng = np.random.default_rng(0)
    found = {}
    for code in classes.tolist():
        members = np.flatnonzero(trusted & (codes == code))
        if len(members):
            found[code] = np.sort(rng.choice(members, limit, replace=False)) if len(members) > limit else members
    return found


def _nearest(features, classes, of_class, n_neighbors):
    nearest = [[] for _ in classes]
    for code in np.unique(classes).tolist():
        if code not in of_class:
            continue
        members, theirs = of_class[code]
        mine = np.flatnonzero(classes == code)
        search = NearestNeighbors(n_neighbors=min(n_neighbors, len(members)), algorithm="brute").fit(theirs)
        for i, found in zip(mine.tolist(), search.kneighbors(features[mine], return_distance=False), strict=True):
            nearest[i] = members[found].tolist()
    return nearest


def _features(data, rows):
    """What rows are compared by, or None."""
    if data is None:
        return None
    data = of_tensor(data)
    if is_dataset(data):
        dataset = Datasets(data)
        paths = dataset.paths  # of all rows, listed anew each time
        if paths is not None:
            return _of_pictures([paths[row] for row in rows])
        return _of_items([_input_or_none(dataset, row) for row in rows])
    if sparse.issparse(data):
        return sparse.csr_array(data)[rows]
    frame = pandas_frame(data, "X")
    if frame is not None:
        return _of_frame(frame.iloc[rows])
    if isinstance(data, pd.Series):
        return _of_items(data.iloc[rows].tolist())
    if hasattr(data, "__array__") and getattr(getattr(data, "dtype", None), "kind", "") != "O":
        taken = np.asarray(data)[rows]
        if taken.size == 0:
            return None
        if taken.dtype.kind in "fiub":
            return _standardized(_thinned(taken.reshape(len(rows), -1)))
        return _of_items(taken.ravel().tolist()) if taken.size == len(rows) else None
    data = data if hasattr(data, "__getitem__") else list(data)
    return _of_items([data[row] for row in rows.tolist()])


def _input_or_none(dataset, row):
    try:
        return dataset.input_of(row)
    except ValueError:
        return None


def _of_items(items):
    first = next((item for item in items if item is not None), None)
    if isinstance(first, os.PathLike) or is_pillow_image(first) or np.ndim(first) > 1 or are_image_paths(items):
        return _of_pictures(items)
    if isinstance(first, str):
        readable = [str(item).encode("utf-8", "replace").decode() for item in items]
        return HashingVectorizer(n_features=2**16, alternate_sign=False).transform(readable)
    if np.ndim(first) == 1 and len({np.shape(item) for item in items}) == 1:
        numbers = np.asarray(items)
        return _standardized(_thinned(numbers)) if numbers.dtype.kind in "fiub" else None
    return None


def _of_pictures(pictures):
    """Small gray pictures; what cannot be read is like nothing in particular."""
    pixels = np.full((len(pictures), _SIDE * _SIDE), 127.5, dtype=np.float32)
    for i, picture in enumerate(pictures):
        try:
            pixels[i] = np.asarray(picture_at(picture, _SIDE).convert("L").resize((_SIDE, _SIDE))).ravel()
        except (ImportError, OSError, SyntaxError, TypeError, ValueError):
            continue
    return pixels


def _of_frame(frame):
    columns = []
    for j in range(frame.shape[1]):
        column = frame.iloc[:, j]
        if pd.api.types.is_numeric_dtype(column):
            columns.append(_standardized(column.to_numpy(dtype=np.float64, na_value=np.nan)[:, None]))
        else:
            codes, values = pd.factorize(column.map(str))
            frequent = np.argsort(-np.bincount(codes, minlength=len(values)), kind="stable")[:_MAX_CATEGORIES]
            columns.append((codes[:, None] == frequent).astype(np.float32))
    return np.hstack(columns) if columns else None


def _thinned(numbers):
    return numbers[:, :: -(-numbers.shape[1] // _MAX_FEATURES) or 1]


def _standardized(numbers):
    numbers = np.where(np.isfinite(numbers), numbers, np.nan).astype(np.float64)
    numbers[:, np.isnan(numbers).all(axis=0)] = 0  # of which nothing is known: it tells no rows apart
    largest = np.nanmax(np.abs(numbers), axis=0)
    numbers /= np.where(largest > _LARGEST, largest, 1)
    return np.nan_to_num(StandardScaler().fit_transform(numbers)).astype(np.float32)
