"""Rows that come as a torch Dataset, a folder of images, or a data set of Hugging Face."""

import numpy as np

from sklabelnoise._foundation._class_names import by_name, kept_labels, named_labels
from sklabelnoise._foundation._extras import is_of
from sklabelnoise._foundation._image_files import is_pillow_image


def is_dataset(X):
    """Whether X is a Dataset of torch or of Hugging Face."""
    return is_of(X, "torch.utils.data") or is_hugging_face(X)


def is_hugging_face(X):
    return is_of(X, "datasets") and hasattr(X, "features")


class Datasets:
    """What an audit asks of a Dataset, whichever library it is of.

    Parameters
    ----------
    dataset : torch Dataset or datasets.Dataset
    column : str, default=None
        Where the labels of one of Hugging Face are. None takes the first column of class labels, else "label" and the
        like; there may be none.

    Attributes
    ----------
    labels : ndarray of shape (n_samples,)
        Names of classes where the Dataset has them, else what its items hold.
    paths : list of str or None
        Files of the images, where there are any.
    shows_pictures : bool
        Whether its items are images.
    """

    def __init__(self, dataset, column=None):
        self._dataset = dataset
        self.is_hugging_face = is_hugging_face(dataset)
        if self.is_hugging_face:
            self._label_column = column or _label_column(dataset)
            self._input_columns = [name for name in dataset.column_names if name != self._label_column]

    def __len__(self):
        return len(self._dataset)

    @property
    def labels(self):
        if self.is_hugging_face:
            if self._label_column is None:
                raise ValueError(
                    f"X must have a column of class labels, got the columns {self._dataset.column_names}: pass the "
                    "labels, or the name of their column, as y."
                )
            feature = self._dataset.features[self._label_column]
            return by_name(np.asarray(self._dataset[self._label_column]), getattr(feature, "names", None))
        base, rows = _unwrapped(self._dataset)
        return named_labels(base, self._labels_of(base, rows))

    def _labels_of(self, base, rows):
        kept = kept_labels(base)
        if kept is not None:
            return kept[rows]
        items = [self._item(row) for row in range(len(self))]
        is_tuple = bool(items) and isinstance(items[0], tuple | list)
        if items and not (is_tuple and len(items[0]) == 2):
            got = f"items of {len(items[0])} parts" if is_tuple else type(items[0]).__name__
            raise ValueError(f"X is a Dataset whose items must be pairs (x, y) if there is no y, got {got}.")
        return np.asarray([item[1] for item in items])

    @property
    def paths(self):
        if self.is_hugging_face:
            return None
        base, rows = _unwrapped(self._dataset)
        samples = getattr(base, "samples", None)
        if not samples or not isinstance(samples[0], tuple | list) or not isinstance(samples[0][0], str):
            return None
        return [samples[row][0] for row in rows]

    @property
    def shows_pictures(self):
        if len(self) == 0:
            return False
        first = self.input_of(0)
        return is_pillow_image(first) or np.ndim(first) > 1

    def input_of(self, row):
        """The input of one item; an error says which item it was."""
        item = self._item(row)
        if self.is_hugging_face:
            return item[self._input_column]
        return item[0] if isinstance(item, tuple | list) else item

    @property
    def _input_column(self):
        """The column that people see: the first image, else the first text."""
        kinds = {name: type(self._dataset.features[name]).__name__ for name in self._input_columns}
        texts = [name for name in self._input_columns if getattr(self._dataset.features[name], "dtype", "") == "string"]
        images = [name for name, kind in kinds.items() if kind == "Image"]
        if not (images or texts):
            raise ValueError(f"X has neither images nor texts to show, got the columns {self._input_columns}.")
        return (images or texts)[0]

    @property
    def is_table(self):
        """Whether one of Hugging Face has columns of numbers rather than a text or an image."""
        if not self.is_hugging_face:
            return False
        dtypes = [getattr(self._dataset.features[name], "dtype", "") for name in self._input_columns]
        kinds = [type(self._dataset.features[name]).__name__ for name in self._input_columns]
        return "Image" not in kinds and (dtypes.count("string") != 1 or len(dtypes) > 2)

    def frame(self):
        """The columns of one of Hugging Face that are no labels, as a pandas frame."""
        return self._dataset.to_pandas()[self._input_columns]

    def _item(self, row):
        try:
            return self._dataset[int(row)]
        except Exception as reason:  # whatever a Dataset of the user's raises
            raise ValueError(f"X is a Dataset whose item {row} cannot be read, got {reason!r}.") from reason


def _label_column(dataset):
    """Where the labels are likely to be, None for nowhere."""
    for name, feature in dataset.features.items():
        if type(feature).__name__ == "ClassLabel":
            return name
    for name in ("label", "labels", "target"):
        if name in dataset.column_names:
            return name
    return None


def _unwrapped(dataset):
    """What a chain of Subsets is of, and which rows of that."""
    rows = np.arange(len(dataset))
    while hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        rows = np.asarray(dataset.indices)[rows]
        dataset = dataset.dataset
    return dataset, rows
