"""A Dataset that says which of its items failed."""

import re
from contextlib import contextmanager

from torch.utils.data import Dataset


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
        named = re.search(r"\w+ is a Dataset whose item .* cannot be read, got .*", str(error))
        if named is None:
            raise
        raise ValueError(named[0]) from error
