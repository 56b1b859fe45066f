"""Files of images: which rows name them, and how they are read."""

import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils.parallel import Parallel, delayed

from sklabelnoise._foundation._extras import needed
from sklabelnoise._foundation._given import of_tensor
from sklabelnoise._foundation._progress import Progress

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
# Longer than the path of any file; a text that long needs no look at its end.
_MAX_PATH = 4096
# Modes of pillow with more than eight bits a channel, which a conversion would clip without a word.
_DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")


def are_image_paths(items):
    """Whether all of some items are text that ends as the names of image files do."""
    return len(items) > 0 and all(map(_ends_as_an_image, items))


def _ends_as_an_image(item):
    return isinstance(item, str) and len(item) < _MAX_PATH and Path(item).suffix.lower() in SUFFIXES


def is_pillow_image(item):
    """Whether an item is a picture of pillow; by what it has, because asking pillow would import it."""
    return isinstance(getattr(item, "mode", None), str) and hasattr(item, "convert")


def image_paths(X):
    """The paths that rows are, a list of str; None if X is anything else than a column of paths of images.

    Parameters
    ----------
    X : any
        A list, array or Series counts whose items are all text or paths, if one is a path object or ends as the names
        of image files do: then the others are meant as paths too.
    """
    if isinstance(X, pd.Series | pd.Index | np.ndarray):
        if X.ndim != 1 or X.dtype.kind in "biufcmM":
            return None
        X = X.tolist()
    if not isinstance(X, list | tuple) or not all(isinstance(item, str | os.PathLike) for item in X):
        return None
    if not any(isinstance(item, os.PathLike) or _ends_as_an_image(item) for item in X):
        return None
    return [os.fspath(item) for item in X]


def check_files(paths, name="X"):
    """Refuse paths of which one is no file; the message names the first."""
    missing = [row for row, path in enumerate(paths) if not os.path.isfile(path)]
    if missing:
        others = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise ValueError(
            f"{name} must name files of images that exist, got {paths[missing[0]]!r} in row {missing[0]}{others}."
        )


def read_image(path, mode="RGB"):
    """One picture of pillow, as people see it: turned as its EXIF data say.

    Parameters
    ----------
    path : str
        Its file.
    mode : {"RGB", "L"}, default="RGB"
        Three channels, or one.

    Raises
    ------
    ImportError
        If pillow is not installed.
    OSError or ValueError
        If it cannot be read, or has more than eight bits a channel.
    """
    with needed("Reading images", "PIL", extra="images"):
        from PIL import Image, ImageOps
    with Image.open(path) as image:
        return in_mode(ImageOps.exif_transpose(image), mode)


def in_mode(image, mode):
    """A picture of pillow with three channels or one."""
    if image.mode in _DEEP_MODES:
        raise ValueError(
            f"its mode {image.mode} has more than eight bits a channel, which would be clipped; "
            "an array of what it holds, (n_samples, 1, height, width) say, is taken as it is"
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # pillow warns of another way
    return image if image.mode == mode else image.convert(mode)


@contextmanager
def naming_row(name, path, row):
    """A block that reads an image, in which an error says what named it, and in which row."""
    try:
        yield
    except ImportError:
        raise
    except Exception as reason:  # whatever pillow and what the user handed in raise
        raise ValueError(f"{name} must name images that can be read, got {path!r} in row {row}: {reason}.") from reason


def read_images(
    paths, *, size=None, mode="RGB", reader=None, preprocess=None, n_jobs=None, verbose=0, advice="", name="X"
):
    """Read files of images into one array.

    Parameters
    ----------
    paths : list of str
        The files.
    size : pair of int, default=None
        Height and width that every image is resized to; None wants images of one size.
    mode : {"RGB", "L"}, default="RGB"
        Three channels, or one.
    reader : callable, default=None
        ``reader(path)`` returns a picture of pillow, for formats that pillow does not know.
    preprocess : callable, default=None
        Applied to each picture after all that; returns a picture, an array or a tensor.
    n_jobs : int, default=None
        Threads that read.
    verbose : int, default=0
        1 shows a progress bar.
    advice : str, default=""
        What helps against images of several sizes.
    name : str, default="X"
        What to call the paths in messages.

    Returns
    -------
    images : ndarray of shape (n_samples, n_channels, height, width)
        uint8, or of the type that `preprocess` returns.

    Raises
    ------
    ValueError
        If a file is missing or no image, or the sizes differ; the message names the file.
    """
    if reader is None:
        check_files(paths, name)  # all of them before the first is read: reading may take long

    def picture(row):
        with naming_row(name, paths[row], row):
            image = read_image(paths[row], mode) if reader is None else in_mode(reader(paths[row]), mode)
            if size is not None:
                image = image.resize((size[1], size[0]))
            return image if preprocess is None else preprocess(image)

    def pixels(row):
        image = channels_first(picture(row))
        if image.ndim == 0 or image.dtype.kind not in "biuf":
            raise ValueError(
                f"preprocess must return a picture, an array or a tensor of numbers, got {image.tolist()!r:.60} for "
                f"{paths[row]!r}."
            )
        return image

    first = pixels(0)
    images = np.empty((len(paths), *first.shape), dtype=first.dtype)

    def read(row):
        image = first if row == 0 else pixels(row)
        if image.shape != first.shape:
            raise ValueError(
                f"{name} must name images of one size, got {_sides(first)} in {paths[0]!r} and {_sides(image)} in "
                f"{paths[row]!r} in row {row}.{advice}"
            )
        if not (np.can_cast(image.dtype, first.dtype) or image.dtype.kind == first.dtype.kind == "f"):
            raise ValueError(
                f"preprocess must return numbers of one type, got {first.dtype} for {paths[0]!r} and {image.dtype} for "
                f"{paths[row]!r}."
            )
        images[row] = image
        bar.advance()

    with Progress(len(paths), "reading images", unit="images", shown=verbose) as bar:
        Parallel(n_jobs=n_jobs, require="sharedmem")(delayed(read)(row) for row in range(len(paths)))
    return images


def _sides(image):
    return " x ".join(map(str, image.shape[-2:]))


def channels_first(image):
    """A picture of pillow, an array or a tensor as an array; pictures of pillow with their channels first."""
    array = np.asarray(of_tensor(image))
    if not is_pillow_image(image):
        return array
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
