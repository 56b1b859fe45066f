"""What an audit is given, as a classifier takes it: rows, labels, and what people know them by."""

import os

import numpy as np
import pandas as pd

from sklabelnoise._foundation._given import of_tensor
from sklabelnoise._foundation._image_files import are_image_paths, is_pillow_image, naming_row
from sklabelnoise._foundation._numeric_columns import check_is_rows
from sklabelnoise._label_report._datasets import Datasets, is_dataset, is_hugging_face
from sklabelnoise._label_report._views import picture_at

_SIDE = 32  # pixels of pictures that become the features of an ordinary classifier


def as_rows(X, y, *, takes_datasets):
    """Rows, labels, what to show and ids.

    Parameters
    ----------
    X : array-like, frame, sparse array, list, tensor or Dataset
    y : array-like, str or None
        The labels; of a Dataset None takes its own, and a str is the name of a column.
    takes_datasets : bool
        Whether the classifier is fitted to a torch Dataset as it is.

    Returns
    -------
    X : what the classifier is fitted to
    y : array-like of shape (n_samples,)
    display : what people see, None for X
    ids : list of str or None
        Paths of the files of a folder of images.
    """
    if not is_dataset(X):
        check_is_rows(X)
        if y is None:
            raise ValueError("y must hold the labels, got None: only a Dataset brings its own.")
        return of_tensor(X), y, None, None
    column = y if isinstance(y, str) else None
    if column is not None and not is_hugging_face(X):
        raise ValueError(f"y must hold the labels, where X is no data set of Hugging Face, got {column!r}.")
    if column is not None and column not in X.column_names:
        raise ValueError(f"y must name one of the columns {X.column_names} of X, got {column!r}.")
    dataset = Datasets(X, column)
    labels = dataset.labels if y is None or column is not None else y
    if len(labels) != len(dataset):
        raise ValueError(f"y must have one label for each of the {len(dataset)} items of X, got {len(labels)}.")
    if takes_datasets and not dataset.is_hugging_face:
        from sklabelnoise.training._named_rows import NamedRows  # torch, which a Dataset has loaded already

        return NamedRows(X), labels, X, dataset.paths
    if dataset.is_table:
        return dataset.frame(), labels, None, None
    # What is shown must not be the label.
    shown = X if column is None else X.remove_columns(column)
    return _features_of(dataset), labels, shown, dataset.paths


def _features_of(dataset):
    """The inputs of a Dataset as an array, or as a list of texts."""
    first = dataset.input_of(0)
    items = [first, *(dataset.input_of(row) for row in range(1, len(dataset)))]
    if isinstance(first, str):
        return items
    if is_pillow_image(first):
        return _small_pictures(items)
    items = [np.asarray(of_tensor(item)) for item in items]
    shapes = {item.shape for item in items}
    if len(shapes) > 1:
        raise ValueError(
            f"X is a Dataset whose items must have one shape, got {len(shapes)} different ones, such as "
            f"{' and '.join(map(str, sorted(shapes)[:2]))}."
        )
    return np.stack(items).reshape(len(items), -1)


def small_picture(picture):
    """A picture of any size as one row of numbers."""
    return np.asarray(picture_at(picture, _SIDE).convert("RGB").resize((_SIDE, _SIDE))).ravel()


def picture_rows(X):
    """Paths of images as rows of numbers; None if they are no such paths. An error names the file."""
    items = X.tolist() if isinstance(X, np.ndarray | pd.Series) else X
    if not isinstance(items, list | tuple) or not items:
        return None
    if not all(isinstance(item, os.PathLike) for item in items) and not are_image_paths(items):
        return None
    return _small_pictures(map(os.fspath, items))


def _small_pictures(pictures):
    rows = []
    for number, picture in enumerate(pictures):
        with naming_row("X", picture, number):
            rows.append(small_picture(picture))
    return np.stack(rows)
