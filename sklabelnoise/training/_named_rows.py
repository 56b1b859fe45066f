"""A Dataset that says which of its items failed."""

import re
from contextlib import contextmanager

import torch
from torch.utils.data import Dataset, default_collate

# What is said of items, found again in the traceback that torch makes the message of.
_SAID = re.compile(
    r"\w+ is a Dataset whose item .* cannot be read, got .*|X must be a Dataset of items of one shape, .*"
)


class NamedRows(Dataset):
    """A Dataset whose errors name the item.

    Parameters
    ----------
    dataset : Dataset
        With `__getitem__` and `__len__`.
    name : str, default="X"
        What to call it in messages.
    """

    def __init__(self, dataset, name="X"):
        self.dataset = dataset
        self.name = name

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        try:
            return self.dataset[index]
        except Exception as reason:  # whatever a Dataset of the user's raises
            raise ValueError(f"{self.name} is a Dataset whose item {index} cannot be read, got {reason!r}.") from reason


@contextmanager
def naming_item():
    """Say which item failed in the worker of a loader, without the traceback that torch makes the message of."""
    try:
        yield
    except ValueError as error:
        named = _SAID.search(str(error))
        if named is None:
            raise
        raise ValueError(named[0]) from error


def collated(items):
    """A batch of pairs (x, number of the item) as tensors.

    Raises
    ------
    ValueError
        If the items are of several shapes; it names two of them.
    """
    try:
        return default_collate(items)
    except RuntimeError as error:
        shapes = {}
        for x, number in items:
            shapes.setdefault(tuple(torch.as_tensor(x).shape), number)
        if len(shapes) < 2:
            raise
        (first, one), (second, other) = list(shapes.items())[:2]
        raise ValueError(
            "X must be a Dataset of items of one shape, unless iterator_train__collate_fn and "
            f"iterator_valid__collate_fn join pairs (x, number) of several, got {first} in item {one} and {second} in "
            f"item {other}."
        ) from error
