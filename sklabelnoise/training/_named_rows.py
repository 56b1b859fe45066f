"""A Dataset that says which of its items failed."""

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
