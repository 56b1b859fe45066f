"""Reading data sets that are folders of image files with lists beside them, as their authors publish them."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.utils.data import Dataset

# Mean and standard deviation of the colors of ImageNet, which pretrained networks expect.
_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
_STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def check_layout(folder, needed, *, name, layout):
    """The folder as a path, if all that is needed is in it.

    Parameters
    ----------
    folder : path-like
        Where the data set is said to be.
    needed : sequence of str
        Files and folders inside it.
    name : str
        Of the data set.
    layout : str
        What its publisher says it looks like, with the source.

    Raises
    ------
    FileNotFoundError
        If there is no such folder or something is missing. The message says what was expected and what is there.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is no folder; expected the folder of {name}: {layout}.")
    missing = [entry for entry in needed if not (folder / entry).exists()]
    if missing:
        there = sorted(path.name for path in folder.iterdir())
        shown = ", ".join(there[:8]) + (f" and {len(there) - 8} more" if len(there) > 8 else "")
        raise FileNotFoundError(
            f"{folder} does not look like {name}: {', '.join(missing)} missing. Expected {layout}. "
            f"Found {shown or 'nothing'}."
        )
    return folder


def read_lines(path):
    """Lines that are not blank, without spaces around them."""
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def read_labels(path, n_classes):
    """Labels by key, from lines of a key and a number.

    Raises
    ------
    ValueError
        If a line is something else, or its number no class.
    """
    labels = {}
    for number, line in enumerate(read_lines(path), start=1):
        key, _, label = line.rpartition(" ")
        if not key or not label.isdigit() or int(label) >= n_classes:
            raise ValueError(
                f"{path}, line {number}: expected a key and a class from 0 to {n_classes - 1}, got {line!r}."
            )
        labels[key.strip()] = int(label)
    return labels


def read_columns(path, columns):
    """A table with at least these columns.

    Raises
    ------
    ValueError
        If some are missing.
    """
    table = pd.read_csv(path)
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(map(repr, missing))}; expected {', '.join(columns)}, "
            f"got {', '.join(map(str, table.columns))}."
        )
    return table


class ImageFiles(Dataset):
    """Images in files with their labels: pairs of a float32 tensor (3, side, side), normalized, and a label.

    Parameters
    ----------
    paths : sequence of Path
        The files. That all are there is checked at once, not hours later.
    labels : array-like of shape (n_images,)
        One for each.
    side : int
        Images are scaled to this height and width.
    listed_in : str
        Where the paths come from, for the message about missing ones.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ImportError
        If pillow is missing.
    ValueError
        From ``files[i]``, if a file is no image.
    """

    def __init__(self, paths, labels, side, *, listed_in):
        self._pillow = _pillow()
        missing = [path for path in paths if not path.is_file()]
        if missing:
            raise FileNotFoundError(
                f"{len(missing)} of {len(paths)} images that {listed_in} names are missing, such as {missing[0]}."
            )
        self.paths, self.labels, self.side = list(paths), np.asarray(labels), side

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        return (torch.from_numpy(self.pixels(i)).float() / 255 - _MEAN) / _STD, self.labels[i]

    def pixels(self, i):
        """One image, an array (3, side, side) of uint8."""
        try:
            with self._pillow.open(self.paths[i]) as image:
                scaled = image.convert("RGB").resize((self.side, self.side))
        except self._pillow.UnidentifiedImageError:
            raise ValueError(f"{self.paths[i]} should be an image, but pillow cannot read it.") from None
        return np.asarray(scaled).transpose(2, 0, 1).copy()

    def array(self):
        """All images in memory, an array (n_images, 3, side, side) of uint8."""
        return np.stack([self.pixels(i) for i in range(len(self))])

    def take(self, rows):
        """Some of the images."""
        rows = np.asarray(rows)
        return ImageFiles([self.paths[i] for i in rows], self.labels[rows], self.side, listed_in="a selection")


def _pillow():
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading image files needs pillow, which comes with the extra 'bench': pip install 'sklabelnoise[bench]'."
        ) from error
    return Image
