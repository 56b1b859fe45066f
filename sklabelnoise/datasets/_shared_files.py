"""Reading the files of a shared folder of data sets: tables as parquet, images as sheets of lossless WebP."""

import io
import os
from itertools import pairwise

import numpy as np
import pandas as pd

from sklabelnoise._foundation._extras import needed
from sklabelnoise._foundation._paths import local_path


def shared_folder(data_home=None):
    """Folder named by the argument, else by the environment variable ``SKLABELNOISE_DATA``, else None."""
    name = "SKLABELNOISE_DATA" if data_home is None else "data_home"
    # A variable that is set to nothing is none.
    folder = os.environ.get(name) or None if data_home is None else data_home
    return None if folder is None else local_path(folder, name)


def find_shared(names, data_home=None):
    """Paths of the files `names` in the shared folder, or None unless all are there."""
    folder = shared_folder(data_home)
    if folder is None or not all((folder / name).exists() for name in names):
        return None
    return [folder / name for name in names]


def read_parquet(path):
    """Read a table, with an error that names the extra where pyarrow is missing."""
    with needed(f"Reading {path.name}", "pyarrow", extra="bench"):
        import pyarrow  # noqa: F401
    return pd.read_parquet(path, engine="pyarrow")


def read_image_sheets(path):
    """Read a file of images that are stacked into sheets of lossless WebP.

    Parameters
    ----------
    path : Path
        An npz file with the compressed sheets one after the other (``blob``), where each begins and the last ends
        (``offsets``), the ``shape`` (n, height, width, channels) of all images, and labels, one array each.

    Returns
    -------
    images : ndarray of shape (n, channels, height, width), uint8

    labels : dict of str to ndarray of shape (n,), int64
        The arrays whose name begins with ``y``.
    """
    Image = _pillow(path)
    with np.load(path) as content:
        blob, offsets = content["blob"].tobytes(), content["offsets"]
        n, height, width, channels = content["shape"]
        labels = {name: content[name].astype(np.int64) for name in content.files if name.startswith("y")}
    sheets = []
    for start, end in pairwise(offsets):
        with Image.open(io.BytesIO(blob[start:end]), formats=["WEBP"]) as sheet:
            sheets.append(np.asarray(sheet.convert("RGB")).reshape(-1, height, width, channels))
    images = np.concatenate(sheets).transpose(0, 3, 1, 2)
    if len(images) != n:
        raise ValueError(f"{path} is damaged: it holds {len(images)} images, but says {n}.")
    return np.ascontiguousarray(images), labels


def _pillow(path):
    with needed(f"Reading {path.name}", "PIL", extra="bench"):
        from PIL import Image, features
    if not features.check("webp"):
        raise ImportError(f"Reading {path.name} needs a pillow built with WebP; the wheels of PyPI are.")
    return Image
