"""What a person sees of a row: its picture, its text, or its values."""

import base64
import io
import math
import os
from abc import ABC, abstractmethod
from numbers import Integral

import numpy as np
import pandas as pd
from scipy import sparse

from sklabelnoise._foundation._extras import needed
from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._given import of_tensor
from sklabelnoise._foundation._image_files import are_image_paths, is_pillow_image
from sklabelnoise._label_report._datasets import Datasets, is_dataset
from sklabelnoise._label_report._speaking_values import SpeakingValues, as_text, shortened

_MAX_TEXT = 2000  # characters of a text that are shown at once
_MAX_FULL_TEXT = 20_000  # characters of a text that are shown on demand
_MAX_VALUES = 6  # values of a row that are shown at once
_LOSSLESS_SIDE = 64  # pixels; larger pictures are stored as JPEG


class View(ABC):
    """Rows as people see them. `kind` is "image", "text", "values" or "none"."""

    kind = "none"
    # Names of the columns that `full` shows, None where it shows none.
    columns = None

    @abstractmethod
    def brief(self, rows, given, suggested):
        """What is shown of rows at once, one entry a row, ready for JSON.

        Parameters
        ----------
        rows : ndarray of int
        given, suggested : ndarray of int
            Codes of the given and of the suggested class of each of them.
        """

    def full(self, row):
        """What is shown of a row on demand, ready for JSON; None where `brief` is all there is."""
        return None

    def line(self, content):
        """An entry of `brief` as one line of text."""
        return ""


class NoView(View):
    def brief(self, rows, given, suggested):
        return [None] * len(rows)


class TextView(View):
    """Rows that are texts."""

    kind = "text"

    def __init__(self, text_of):
        self._text_of = text_of

    def brief(self, rows, given, suggested):
        return [shortened(str(self._text_of(row)), _MAX_TEXT) for row in rows]

    def full(self, row):
        text = str(self._text_of(row))
        return None if len(text) <= _MAX_TEXT else shortened(text, _MAX_FULL_TEXT)

    def line(self, content):
        return content


class PictureView(View):
    """Rows that are pictures. What cannot be read is shown as its path and a note.

    Parameters
    ----------
    picture_of : callable
        From a row number to an array, a PIL image or a path.
    size : int, default=128
        Pixels of the longer side.
    """

    kind = "image"

    def __init__(self, picture_of, size=128):
        self._picture_of = picture_of
        self._size = size

    def brief(self, rows, given, suggested):
        return [self._entry(row) for row in rows]

    def _entry(self, row):
        try:
            picture = self._picture_of(row)
        except Exception as reason:  # whatever a Dataset of the user's raises
            return {"note": f"cannot be read: {reason}"}
        if pd.api.types.is_scalar(picture) and pd.isna(picture):
            return {"note": "missing"}
        try:
            with needed("A page with pictures", "PIL", extra="report"):
                return data_uri(picture, self._size)
        except FileNotFoundError:
            return {"path": str(picture), "note": "file not found"}
        except (OSError, SyntaxError, ValueError) as reason:  # what pillow raises for broken files
            if not isinstance(picture, str | os.PathLike):
                raise
            return {"path": str(picture), "note": f"not a picture that can be read ({type(reason).__name__})"}

    def pixels(self, row):
        """The picture as an array, None where it cannot be read."""
        try:
            picture = self._picture_of(row)
            # Without pillow arrays can be drawn all the same.
            return pixels_of(picture if hasattr(picture, "dtype") else picture_at(picture))
        except (OSError, SyntaxError, ValueError):
            return None

    def line(self, content):
        return content["note"] if isinstance(content, dict) else ""


class ValuesView(View):
    """Rows of a table: the values that speak most for the suggestion and against the given label."""

    kind = "values"

    def __init__(self, frame, codes, n_classes):
        self._frame = frame
        self._values = SpeakingValues(frame, codes, n_classes)

        self._n_columns = frame.shape[1]

    @property
    def columns(self):
        """Names of the columns that `full` shows."""
        return [str(name) for name in self._frame.columns[: self._n_columns]]

    def keep_columns(self, n_columns):
        """Let `full` show so many columns at most."""
        self._n_columns = min(n_columns, self._frame.shape[1])

    def brief(self, rows, given, suggested):
        return self._values.of(rows, given, suggested, _MAX_VALUES)

    def full(self, row):
        return [as_text(self._frame.iat[int(row), j]) for j in range(self._n_columns)]

    def line(self, content):
        return ", ".join(f"{name} {value}" for name, value, _ in content)


class SparseView(View):
    """Rows of a sparse table: their largest entries."""

    kind = "values"

    def __init__(self, X):
        self._X = sparse.csr_array(X)

    def brief(self, rows, given, suggested):
        return [self._largest(row, _MAX_VALUES) for row in rows]

    def full(self, row):
        return [[name, value] for name, value, _ in self._largest(row, 100)]

    def _largest(self, row, n_values):
        start, stop = self._X.indptr[row : row + 2]
        columns, values = self._X.indices[start:stop], self._X.data[start:stop]
        order = np.argsort(-np.abs(values), kind="stable")[:n_values]
        return [[f"x{columns[k]}", as_text(values[k].item()), None] for k in order]

    def line(self, content):
        return ", ".join(f"{name} {value}" for name, value, _ in content)


def view_of(data, codes, n_classes, *, must_show=False, image_shape=None, image_size=128):
    """How people see some data.

    Parameters
    ----------
    data : array-like, list, frame, sparse array, Dataset or None
    codes : ndarray of int of shape (n_samples,)
        Codes of the given labels.
    n_classes : int
    must_show : bool, default=False
        Whether the data are there to be seen, and nothing else: then what can't be shown is refused.
    image_shape : tuple of int, default=None
        Shape of the pictures in the rows of a two-dimensional array.
    image_size : int, default=128
        Pixels of the longer side of a picture.
    """
    data = of_tensor(data)
    if image_shape is not None:
        data = _images(data, image_shape)
    if data is None:
        return NoView()
    if is_dataset(data):
        return _view_of_dataset(Datasets(data), image_size)
    if sparse.issparse(data):
        return SparseView(data)
    frame = pandas_frame(data, "X")
    if frame is not None:
        if frame.shape[1] == 1 and not pd.api.types.is_numeric_dtype(frame.dtypes.iloc[0]):
            return _view_of_items(frame.iloc[:, 0].tolist(), image_size)
        return ValuesView(frame, codes, n_classes)
    if isinstance(data, pd.Series):
        return _view_of_items(data.tolist(), image_size)
    if not hasattr(data, "__array__") or _is_of_objects(data):
        items = list(data)
        if not items or not _is_row_of_numbers(items[0]):
            return _view_of_items(items, image_size)
        if len({len(item) if _is_row_of_numbers(item) else -1 for item in items}) > 1:  # numbers of words, say
            return TextView(items.__getitem__)
        data = items
    X = np.asarray(data)
    if X.ndim == 1 or (X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "OU"):
        return _view_of_items(X.ravel().tolist(), image_size)
    if X.ndim == 2:
        columns = [f"x{j}" for j in range(X.shape[1])]
        return ValuesView(pd.DataFrame(X, columns=columns, copy=False), codes, n_classes)
    if X.ndim > 4 and must_show:
        raise ValueError(f"display must hold images, texts or rows of a table, got shape {X.shape}.")
    if X.ndim > 4:  # films, say: a network takes them, and a page does without
        return NoView()
    return PictureView(X.__getitem__, image_size)


def _images(data, shape):
    """Rows of numbers as pictures of that shape; refuses what are no such rows."""
    if isinstance(shape, str) or np.ndim(shape) != 1 or not all(isinstance(side, Integral) for side in shape):
        raise ValueError(f"image_shape must be a tuple of integers, got {shape!r}.")
    rows = list(data) if _is_of_objects(data) else data
    if sparse.issparse(rows):
        X = rows.toarray()
    elif is_dataset(rows) or (isinstance(rows, list | tuple) and not all(map(_is_row_of_numbers, rows[:1]))):
        X = np.array(None)
    else:
        X = np.asarray(rows)
    if X.dtype.kind not in "biuf" or X.ndim < 2:
        raise ValueError(f"image_shape is for images in rows of numbers, got {shape} for {type(data).__name__}.")
    if X.size != len(X) * math.prod(shape):
        raise ValueError(f"image_shape must be that of the {X.size // max(len(X), 1)} values of a row, got {shape}.")
    return X.reshape(len(X), *shape)


def view_of_report(report, **sizes):
    """How people see the rows of a report: `display` where it has one, else X; `sizes` as of :func:`view_of`."""
    given = report.display is not None
    data = report.display if given else report.X
    return view_of(data, report.to_cleanlab()["labels"], len(report.classes), must_show=given, **sizes)


def _is_of_objects(data):
    return getattr(getattr(data, "dtype", None), "kind", "") == "O"


def _is_row_of_numbers(item):
    return isinstance(item, list | tuple | np.ndarray) and np.ndim(item) == 1


def _view_of_dataset(dataset, image_size):
    if dataset.paths is not None:
        return PictureView(dataset.paths.__getitem__, image_size)
    if dataset.shows_pictures:
        return PictureView(dataset.input_of, image_size)
    return TextView(dataset.input_of)


def _view_of_items(items, image_size):
    first = next((item for item in items if item is not None), None)
    if isinstance(first, os.PathLike) or are_image_paths(items):
        return PictureView(lambda row: os.fspath(items[row]), image_size)
    if is_pillow_image(first) or np.ndim(first) > 1:  # pictures of pillow, or arrays of several sizes
        return PictureView(items.__getitem__, image_size)
    return TextView(items.__getitem__)


def pixels_of(image):
    """Height x width, or height x width x 3, in uint8."""
    image = np.asarray(of_tensor(image))
    if image.size == 0 or image.ndim < 2:  # NumPy makes an array of a None, too
        raise ValueError(f"Images must have pixels, got shape {image.shape}.")
    if image.ndim == 3 and image.shape[0] in (1, 3, 4) and image.shape[-1] not in (1, 3, 4):
        image = np.moveaxis(image, 0, -1)  # channels first, as networks take them
    if image.ndim == 3 and image.shape[-1] not in (1, 3, 4):
        raise ValueError(f"Images must have 1, 3 or 4 channels, got shape {image.shape}.")
    if image.ndim == 3:
        image = image[..., 0] if image.shape[-1] == 1 else image[..., :3]
    if image.dtype == np.uint8:
        return image
    # Standardized or otherwise scaled: what can be seen is the contrast.
    image = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0, neginf=0)
    low, high = float(image.min()), float(image.max())
    scale = 255 / (high - low) if high > low else 0
    return np.round((image - low) * scale).astype(np.uint8)


def picture_at(picture, size=None):
    """A picture of pillow from a path, an array or a picture, in gray or RGB."""
    from PIL import Image  # optional dependency

    if isinstance(picture, str | os.PathLike):
        with Image.open(picture) as image:
            if size is not None:
                image.draft("RGB", (2 * size, 2 * size))  # a JPEG is then decoded at about the size wanted
            image.load()
    elif is_pillow_image(picture):
        image = picture
    else:
        image = Image.fromarray(np.ascontiguousarray(pixels_of(picture)))
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def data_uri(picture, size):
    """A picture as text that a page can hold, its longer side at most `size` pixels."""
    image = picture_at(picture, size)
    if max(image.size) > size:
        image = image.copy()
        image.thumbnail((size, size))
    kind = "png" if max(image.size) <= _LOSSLESS_SIDE else "jpeg"
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
