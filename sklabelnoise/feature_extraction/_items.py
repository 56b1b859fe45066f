"""Data of any kind as items that a network can be shown in batches."""

import os

import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, default_collate

from sklabelnoise._foundation._image_files import (
    channels_first,
    check_files,
    image_paths,
    is_pillow_image,
    naming_row,
    read_image,
)
from sklabelnoise.modules._draws import captured, seeded
from sklabelnoise.training._named_rows import NamedRows
from sklabelnoise.training._streams import as_tensor


class Items:
    """Items by number, of a Dataset, of files, or of an array.

    Parameters
    ----------
    data : Dataset, list, Series, ndarray or Tensor
        Paths of images, texts, pictures of pillow, arrays, or a Dataset of inputs or of tuples that begin with one.

    Attributes
    ----------
    are_texts : bool
        Whether the items are str.
    are_pictures : bool
        Whether the items are pictures of pillow, which a network cannot take as they are.
    are_pixels : bool
        Whether they are of type uint8.
    identity : object
        What tells these data from others: contents, or of files their paths, sizes and times of change.
    """

    def __init__(self, data):
        self.data = data
        if isinstance(data, IterableDataset):
            raise TypeError(
                "data must be a Dataset with __getitem__, got an IterableDataset, whose items have no numbers."
            )
        paths = None if isinstance(data, Dataset) else image_paths(data)
        if isinstance(data, Dataset):
            self._items = NamedRows(data, "data")
            self.identity = (data, _changes(_files_of(data)))
        elif paths is not None:
            check_files(paths, "data")
            self._items = _Pictures(paths)
            self.identity = (paths, _changes(paths))
        else:
            self._items = _as_sequence(data)
            self.identity = self._items
        if len(self._items) == 0:
            raise ValueError("data must have at least one item, got none.")
        with seeded(0), captured():
            first = self[0]
        self.are_texts = isinstance(first, str)
        self.are_pictures = is_pillow_image(first)
        self.are_pixels = getattr(first, "dtype", None) == torch.uint8

    def __len__(self):
        return len(self._items)

    def __getitem__(self, number):
        item = self._items[number]
        item = item[0] if isinstance(item, tuple | list) else item
        return as_tensor(item) if isinstance(item, np.ndarray) else item

    def batches(self, numbers, batch_size, *, preprocess, num_workers):
        """The items of some numbers as tensors of at most `batch_size` items, or as lists of texts.

        Parameters
        ----------
        numbers : range
        batch_size : int
        preprocess : callable or None
            Applied to each item.
        num_workers : int
            Processes that read items.

        Yields
        ------
        batch : Tensor of shape (n, ...) or list of str
        """
        if self.are_texts and preprocess is None:
            for start in range(0, len(numbers), batch_size):
                yield [self[number] for number in numbers[start : start + batch_size]]
            return
        prepared = Subset(_Prepared(self, preprocess), numbers)
        loader = DataLoader(
            prepared, batch_size, num_workers=num_workers, generator=torch.Generator(), collate_fn=_joined
        )
        yield from loader


class _Pictures:
    """Pictures of pillow, read when they are asked for."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, number):
        with naming_row("data", self.paths[number], number):
            return read_image(self.paths[number])


class _Prepared(Dataset):
    """Items as tensors."""

    def __init__(self, items, preprocess):
        self.items, self.preprocess = items, preprocess

    def __len__(self):
        return len(self.items)

    def __getitem__(self, number):
        # What is drawn to change an item is no draw of the caller's, and the same in every call, batch and worker.
        with seeded(number), captured():
            item = self.items[number]
            if self.preprocess is not None:
                try:
                    item = self.preprocess(item)
                except Exception as reason:
                    raise ValueError(f"preprocess failed for item {number} of data, got {reason!r}.") from reason
        return item if isinstance(item, torch.Tensor | str | dict) else as_tensor(channels_first(item))


def _joined(items):
    if isinstance(items[0], str):
        return items
    try:
        return default_collate(items)
    except RuntimeError as error:
        shapes = {tuple(item.shape) for item in items if isinstance(item, torch.Tensor)}
        raise ValueError(
            f"data must give items of one shape, got {' and '.join(map(str, sorted(shapes)[:2]))} in one batch: let "
            "preprocess resize them."
        ) from error


def _as_sequence(data):
    if isinstance(data, pd.Series | pd.Index):
        data = data.tolist() if data.dtype.kind not in "biuf" else data.to_numpy()
    if isinstance(data, pd.DataFrame):
        data = data.to_numpy()
    if isinstance(data, np.ndarray) and data.dtype.kind in "OUS" and data.ndim == 1:
        data = data.tolist()
    if isinstance(data, np.ndarray | torch.Tensor):
        if data.ndim < 2:
            raise ValueError(f"data must hold one item a row, got an array of shape {tuple(data.shape)}.")
        return data
    if isinstance(data, list | tuple):
        odd = next((item for item in data if isinstance(item, str) != isinstance(data[0], str)), None)
        if odd is not None:
            raise ValueError(f"data must be all text or none, got {odd!r} among others.")
        return data
    raise TypeError(
        "data must be a torch Dataset, a list of paths, texts or pictures, or an array, got "
        f"{type(data).__name__}. Of a data set of Hugging Face pass a column, such as data['text']."
    )


def _files_of(dataset):
    """Files that a folder of images, or a Subset of one, reads its items from."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    samples = getattr(dataset, "samples", None)
    if not isinstance(samples, list):
        return []
    return [sample[0] for sample in samples if isinstance(sample, tuple) and isinstance(sample[0], str)]


def _changes(paths):
    """Size and time of change of each file, None where it is missing."""
    changes = []
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            changes.append(None)
        else:
            changes.append((status.st_size, status.st_mtime_ns))
    return changes
