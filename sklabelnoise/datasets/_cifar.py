"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from sklabelnoise._foundation._types import Bunch
from sklabelnoise.datasets._archives import read_members, unpickle_arrays
from sklabelnoise.datasets._download import RemoteFile, fetch_file
from sklabelnoise.datasets._shared_files import find_shared, read_image_sheets


@dataclass(frozen=True)
class _Archive:
    """An official archive: where it is, its pickled parts, and how they name what we call ``y``."""

    remote: RemoteFile
    folder: str
    train: tuple
    test: str
    label_keys: dict


_ARCHIVES = {
    "cifar10": _Archive(
        RemoteFile(
            "cifar-10-python.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
            "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
        folder="cifar-10-batches-py",
        train=("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"),
        test="test_batch",
        label_keys={"y": b"labels"},
    ),
    "cifar100": _Archive(
        RemoteFile(
            "cifar-100-python.tar.gz",
            "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
            "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        ),
        folder="cifar-100-python",
        train=("train",),
        test="test",
        label_keys={"y": b"fine_labels", "y_coarse": b"coarse_labels"},
    ),
}

_CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
_CIFAR100_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can castle
caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin elephant flatfish
forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle
mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree
wolf woman worm
""".split()
_CIFAR100_SUPERCLASSES = """
aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices household_furniture
insects large_carnivores large_man-made_outdoor_things large_natural_outdoor_scenes large_omnivores_and_herbivores
medium_mammals non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
""".split()


def fetch_cifar10(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch:
    """Load CIFAR-10, 60,000 color images of ten kinds of things [1]_.

    The images come from the files of a shared folder, if they are there, else from the official archive (170 MB), whose
    checksum is verified at every call. The authors ask for a citation.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the files. If None, the folder named by the environment variable ``SKLABELNOISE_DATA``, then
        ``sklabelnoise`` in scikit-learn's data home, where downloads go.

    download_if_missing : bool, default=True
        If False, raise an OSError where the files are missing.

    n_retries : int, default=3
        How often to go on with a download after the connection broke.

    delay : float, default=1.0
        Seconds between attempts.

    Returns
    -------
    cifar : :class:`~sklearn.utils.Bunch`
        With the following attributes, rows in the official order.

        X_train : ndarray of shape (50000, 3, 32, 32), uint8
            The images for training.
        y_train : ndarray of shape (50000,)
            Their classes.
        X_test : ndarray of shape (10000, 3, 32, 32), uint8
            The images for testing.
        y_test : ndarray of shape (10000,)
            Their classes.
        target_names : list of 10 str
            What the classes are called.

    Raises
    ------
    OSError
        If the files are missing and must not, or cannot, be downloaded, or if the checksum is wrong.
    ValueError
        If the archive is damaged or holds what it should not.
    ImportError
        If the files of the shared folder need pillow and it is not installed.

    See Also
    --------
    fetch_cifar_n : The same images with labels from people.

    References
    ----------
    .. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images",
       technical report, University of Toronto, 2009.
       https://www.cs.toronto.edu/~kriz/cifar.html

    Examples
    --------
    >>> from sklabelnoise.datasets import fetch_cifar10
    >>> cifar = fetch_cifar10()  # doctest: +SKIP
    >>> cifar.X_train.shape  # doctest: +SKIP
    (50000, 3, 32, 32)
    """
    (X_train, y_train), (X_test, y_test) = read_cifar(
        "cifar10", data_home, download_if_missing=download_if_missing, n_retries=n_retries, delay=delay
    )
    return Bunch(
        X_train=X_train,
        y_train=y_train["y"],
        X_test=X_test,
        y_test=y_test["y"],
        target_names=list(_CIFAR10_CLASSES),
    )


def fetch_cifar100(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch:
    """Load CIFAR-100, 60,000 color images of a hundred kinds of things in 20 groups [1]_.

    Where the images come from is as for :func:`fetch_cifar10`; the official archive has 169 MB.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the files. If None, the folder named by the environment variable ``SKLABELNOISE_DATA``, then
        ``sklabelnoise`` in scikit-learn's data home, where downloads go.

    download_if_missing : bool, default=True
        If False, raise an OSError where the files are missing.

    n_retries : int, default=3
        How often to go on with a download after the connection broke.

    delay : float, default=1.0
        Seconds between attempts.

    Returns
    -------
    cifar : :class:`~sklearn.utils.Bunch`
        With the following attributes, rows in the official order.

        X_train : ndarray of shape (50000, 3, 32, 32), uint8
            The images for training.
        y_train : ndarray of shape (50000,)
            Their classes.
        X_test : ndarray of shape (10000, 3, 32, 32), uint8
            The images for testing.
        y_test : ndarray of shape (10000,)
            Their classes.
        y_train_coarse, y_test_coarse : ndarray of shape (n_samples,)
            The group of each image.
        target_names : list of 100 str
            What the classes are called.
        coarse_target_names : list of 20 str
            What the groups are called.

    Raises
    ------
    OSError
        If the files are missing and must not, or cannot, be downloaded, or if the checksum is wrong.
    ValueError
        If the archive is damaged or holds what it should not.
    ImportError
        If the files of the shared folder need pillow and it is not installed.

    References
    ----------
    .. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images",
       technical report, University of Toronto, 2009.
       https://www.cs.toronto.edu/~kriz/cifar.html

    Examples
    --------
    >>> from sklabelnoise.datasets import fetch_cifar100
    >>> cifar = fetch_cifar100()  # doctest: +SKIP
    >>> cifar.target_names[cifar.y_train[0]]  # doctest: +SKIP
    'cattle'
    """
    (X_train, y_train), (X_test, y_test) = read_cifar(
        "cifar100", data_home, download_if_missing=download_if_missing, n_retries=n_retries, delay=delay
    )
    return Bunch(
        X_train=X_train,
        y_train=y_train["y"],
        X_test=X_test,
        y_test=y_test["y"],
        y_train_coarse=y_train["y_coarse"],
        y_test_coarse=y_test["y_coarse"],
        target_names=list(_CIFAR100_CLASSES),
        coarse_target_names=list(_CIFAR100_SUPERCLASSES),
    )


def read_cifar(name, data_home, **download):
    """Images and labels of ``"cifar10"`` or ``"cifar100"``, from the shared files or the official archive.

    Returns
    -------
    train, test : tuple of (ndarray of shape (n, 3, 32, 32), dict of str to ndarray)
        The labels are ``y``, and for CIFAR-100 ``y_coarse``.
    """
    parts = find_shared([f"{name}_train{i}.npz" for i in range(1, 6)] + [f"{name}_test.npz"], data_home)
    if parts is not None:
        *train, test = map(read_image_sheets, parts)
        return _concatenate(train), test

    archive = _ARCHIVES[name]
    path = fetch_file(archive.remote, data_home=data_home, **download)
    members = read_members(path, archive.folder, wanted={*archive.train, archive.test}.__contains__)
    missing = {*archive.train, archive.test} - set(members)
    if missing:
        raise ValueError(f"{path} is damaged: it holds no {', '.join(sorted(missing))}.")
    *train, test = (_read_batch(members[part], archive, part) for part in (*archive.train, archive.test))
    return _concatenate(train), test


def _concatenate(parts):
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), {key: np.concatenate([label[key] for label in labels]) for key in labels[0]}


def _read_batch(content, archive, name):
    """Images and labels of one pickled dictionary, checked before they are believed."""
    batch = unpickle_arrays(content, name)
    if not isinstance(batch, dict) or not {b"data", *archive.label_keys.values()} <= set(batch):
        raise ValueError(f"The pickle {name} is refused: it is no dictionary with images and labels.")
    pixels = batch[b"data"]
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3 * 32 * 32,):
        raise ValueError(f"The pickle {name} is refused: its images are no uint8 array with 3072 columns.")
    labels = {key: np.array(batch[theirs], dtype=np.int64) for key, theirs in archive.label_keys.items()}
    if any(label.shape != (len(pixels),) for label in labels.values()):
        raise ValueError(f"The pickle {name} is refused: it does not hold one label for each image.")
    return pixels.reshape(-1, 3, 32, 32), labels
