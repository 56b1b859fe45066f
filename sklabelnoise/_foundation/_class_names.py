"""What data sets keep beside their items: all labels, and the names of classes that these are numbers of."""

import numpy as np

from sklabelnoise._foundation._given import of_tensor


def kept_labels(dataset):
    """The labels of a data set that keeps them all: in an attribute of a usual name, or second of its two tensors.

    Parameters
    ----------
    dataset : object
        With a length.

    Returns
    -------
    labels : ndarray of shape (n_samples,) or None
        None where only its items have them.
    """
    for name in ("targets", "labels", "y"):
        values = getattr(dataset, name, None)
        if values is not None and np.ndim(values) == 1 and len(values) == len(dataset):
            return np.asarray(of_tensor(values))
    tensors = getattr(dataset, "tensors", ())
    return of_tensor(tensors[1]) if len(tensors) == 2 and tensors[1].ndim == 1 else None


def named_labels(dataset, labels):
    """Labels by the names of their classes, where a data set has names for their numbers.

    Parameters
    ----------
    dataset : object
        Has the names in `classes`, a sequence of str as of torchvision's data sets, or in `class_to_idx`, a dict of
        names to numbers.
    labels : ndarray of shape (n_samples,)
        What it gives as labels.

    Returns
    -------
    labels : ndarray of shape (n_samples,)
        Those given where they are no numbers of names, or the names are not different.
    """
    return by_name(labels, names_of_classes(dataset))


def by_name(labels, names):
    """Labels by their places in a list of names; as they are where that is None or they are no such places."""
    labels = np.asarray(labels)
    if names is None or labels.dtype.kind not in "iu" or not len(labels):
        return labels
    if labels.min() < 0 or labels.max() >= len(names):
        return labels
    return np.asarray(names)[labels]


def names_of_classes(dataset):
    """The names of a data set's classes in the order of their numbers, None where it has none."""
    names = getattr(dataset, "classes", None)
    if names is None and isinstance(numbers := getattr(dataset, "class_to_idx", None), dict):
        by_number = {number: name for name, number in numbers.items()}
        names = [by_number[number] for number in range(len(by_number)) if number in by_number]
        if len(names) < len(numbers):  # two names for one number, or numbers with gaps
            return None
    if not isinstance(names, list | tuple | np.ndarray):
        return None
    # ImageNet's classes are tuples of words for one thing.
    names = [", ".join(map(str, name)) if isinstance(name, tuple) else name for name in names]
    if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        return None
    return list(map(str, names))
