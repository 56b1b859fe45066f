"""What a reviewer is shown of a row: its picture, its text, or its most telling values."""

import base64
import io

import numpy as np
import pandas as pd
from scipy import sparse

_MAX_VALUES = 6  # values of a table row
_MAX_TEXT = 2000  # characters of a text
_MAX_SIDE = 128  # pixels; larger pictures are scaled down
_LOSSLESS_SIDE = 64  # pixels; larger pictures are stored as JPEG


def contents_of(report, issues, *, image_shape=None):
    """Kind of the contents ("image", "text", "values" or "none"), and one entry for each issue, ready for JSON."""
    X, rows = report.X, issues["row"].to_numpy()
    if X is None:
        return "none", [None] * len(rows)
    if isinstance(X, pd.DataFrame):
        return "values", _unusual_values(X, report.y, rows)
    if sparse.issparse(X):
        X = X.tocsr()
        names = [f"x{j}" for j in range(X.shape[1])]
        return "values", [_largest_entries(X[row], names) for row in rows]
    X = np.asarray(X) if hasattr(X, "__array__") else np.asarray(X, dtype=object)
    if image_shape is not None:
        X = X.reshape(len(X), *image_shape)
    if X.ndim == 1:
        return "text", [_shorten(str(X[row])) for row in rows]
    if X.ndim == 2:
        if X.shape[1] == 1 and X.dtype.kind in "OU":
            return "text", [_shorten(str(X[row, 0])) for row in rows]
        columns = [f"x{j}" for j in range(X.shape[1])]
        return "values", _unusual_values(pd.DataFrame(X, columns=columns, copy=False), report.y, rows)
    if X.ndim > 4:
        raise ValueError(f"X must hold images, texts or rows of a table, got shape {X.shape}.")
    return "image", [_data_uri(pixels_of(X[row])) for row in rows]


def _shorten(text):
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _unusual_values(X, y, rows):
    """The values of each row that are least like those of its given class; text columns come first.

    A number's distance is counted in standard deviations of the column within the given class.
    """
    names = [str(name) for name in X.columns]
    numeric = X.dtypes.map(pd.api.types.is_numeric_dtype).to_numpy()
    distance = np.full((len(rows), X.shape[1]), np.inf)  # text always comes first
    for j in np.flatnonzero(numeric):
        column = X.iloc[:, j].to_numpy(dtype=np.float64, na_value=np.nan)
        of_class = pd.Series(column).groupby(y)
        spread = of_class.transform("std").to_numpy()[rows]
        away = np.abs(column[rows] - of_class.transform("mean").to_numpy()[rows])
        distance[:, j] = np.divide(away, spread, out=np.zeros(len(rows)), where=spread > 0)
    distance[np.isnan(distance)] = -1
    chosen = np.argsort(-distance, axis=1, kind="stable")[:, :_MAX_VALUES]
    return [
        [[names[j], _value(X.iat[row, j])] for j in columns] for row, columns in zip(rows, chosen.tolist(), strict=True)
    ]


def _largest_entries(row, names):
    order = np.argsort(-np.abs(row.data), kind="stable")[:_MAX_VALUES]
    return [[names[row.indices[k]], _value(row.data[k])] for k in order]


def _value(value):
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    return _shorten(str(value))


def pixels_of(image):
    """Height x width, or height x width x 3, in uint8."""
    if image.ndim == 3 and image.shape[0] in (1, 3, 4) and image.shape[-1] not in (1, 3, 4):
        image = np.moveaxis(image, 0, -1)  # channels first, as networks take them
    if image.ndim == 3 and image.shape[-1] not in (1, 3, 4):
        raise ValueError(f"Images must have 1, 3 or 4 channels, got shape {image.shape}.")
    if image.ndim == 3:
        image = image[..., 0] if image.shape[-1] == 1 else image[..., :3]
    if image.dtype == np.uint8:
        return image
    # Standardised or otherwise scaled: what can be seen is the contrast.
    low, high = float(image.min()), float(image.max())
    scale = 255 / (high - low) if high > low else 0
    return np.round((image - low) * scale).astype(np.uint8)


def _data_uri(pixels):
    from PIL import Image  # optional dependency

    image = Image.fromarray(np.ascontiguousarray(pixels))
    if max(image.size) > _MAX_SIDE:
        image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    kind = "png" if max(image.size) <= _LOSSLESS_SIDE else "jpeg"
    buffer = io.BytesIO()
    image.save(buffer, format=kind)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
