"""CIFAR-N: what people answered when they were asked to label CIFAR."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pandas as pd

from sklabelnoise._compat import safe_globals
from sklabelnoise._foundation._types import Bunch
from sklabelnoise.datasets._cifar import fetch_cifar10, fetch_cifar100
from sklabelnoise.datasets._download import RemoteFile, fetch_file
from sklabelnoise.datasets._shared_files import find_shared

_HUMAN_LABELS = {
    "cifar10": RemoteFile(
        "CIFAR-10_human.pt",
        "https://raw.githubusercontent.com/UCSC-REAL/cifar-10-100n/main/data/CIFAR-10_human.pt",
        "873e69c39cb9b5e97fb6bae2d60bb59b38a5cbc31d2b868f7903dcb2b9dd2310",
    ),
    "cifar100": RemoteFile(
        "CIFAR-100_human.pt",
        "https://raw.githubusercontent.com/UCSC-REAL/cifar-10-100n/main/data/CIFAR-100_human.pt",
        "bd2d80409754d420292d622e15e25248ba21e37d27429efac49c8da723f44394",
    ),
}
# Our name of each set of labels, and the name in the published files.
_CIFAR10_SETS = {
    "aggregate": "aggre_label",
    "random1": "random_label1",
    "random2": "random_label2",
    "random3": "random_label3",
    "worse": "worse_label",
}
_CIFAR100_SETS = {"noisy100": "noisy_label"}


def fetch_cifar_n(
    label_set: str = "worse",
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch:
    """Load CIFAR-10 or CIFAR-100 with labels from people, many of them wrong [1]_.

    Three workers of a crowdsourcing service labeled each training image of CIFAR-10, one each of CIFAR-100. This is
    real label noise, which depends on the image. The test labels are the official ones.

    The labels are licensed CC BY-NC 4.0: for research, not for commercial use. Where the images come from is as for
    :func:`fetch_cifar10`.

    Parameters
    ----------
    label_set : str, default="worse"
        Which answers to take. For CIFAR-10: ``"random1"``, ``"random2"``, ``"random3"`` (one worker's answer, 17 to 18
        % wrong), ``"aggregate"`` (majority of the three, 9 % wrong), ``"worse"`` (a wrong answer if there is one, 40 %
        wrong). For CIFAR-100: ``"noisy100"`` (40 % wrong).

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
        What :func:`fetch_cifar10` or :func:`fetch_cifar100` returns, where

        y_train : ndarray of shape (50000,)
            is the given label of each training image, and these are added:
        y_train_clean : ndarray of shape (50000,)
            The official label of the same image.
        label_sets : DataFrame of shape (50000, n_sets)
            All sets of given labels, one column each.

    Raises
    ------
    ValueError
        If `label_set` is unknown, or the files are damaged or not what they should be.
    OSError
        If the files are missing and must not, or cannot, be downloaded, or if a checksum is wrong.
    ImportError
        If the files of the shared folder need pillow and it is not installed.

    References
    ----------
    .. [1] J. Wei, Z. Zhu, H. Cheng, T. Liu, G. Niu, Y. Liu, "Learning with noisy
       labels revisited: a study using real-world human annotations", ICLR 2022. http://www.noisylabels.com

    Examples
    --------
    >>> from sklabelnoise.datasets import fetch_cifar_n
    >>> cifar = fetch_cifar_n("worse")  # doctest: +SKIP
    >>> round(float((cifar.y_train != cifar.y_train_clean).mean()), 3)  # doctest: +SKIP
    0.402
    """
    if label_set in _CIFAR10_SETS:
        name, fetch, sets = "cifar10", fetch_cifar10, _CIFAR10_SETS
    elif label_set in _CIFAR100_SETS:
        name, fetch, sets = "cifar100", fetch_cifar100, _CIFAR100_SETS
    else:
        known = ", ".join(map(repr, [*_CIFAR10_SETS, *_CIFAR100_SETS]))
        raise ValueError(f"label_set must be one of {known}; got {label_set!r}.")
    download = {"download_if_missing": download_if_missing, "n_retries": n_retries, "delay": delay}

    human = _read_human_labels(name, sets, data_home, **download)
    cifar = fetch(data_home=data_home, **download)
    if not np.array_equal(human["clean_label"], cifar.y_train):
        raise ValueError(f"The human labels of {name} belong to other images: their clean labels differ from ours.")
    cifar.y_train_clean = cifar.y_train
    cifar.label_sets = pd.DataFrame({ours: human[theirs] for ours, theirs in sets.items()})
    cifar.y_train = cifar.label_sets[label_set].to_numpy(copy=True)
    return cifar


def _read_human_labels(name, sets, data_home, **download):
    """Arrays of int64 by the names of the published files, from the shared file or the official one."""
    shared = find_shared([f"{name}_labels.npz"], data_home)
    if shared is not None:
        path = shared[0]
        with np.load(path) as content:
            labels = {"clean_label" if key == "y_clean" else key: content[key] for key in content.files}
    else:
        path = fetch_file(_HUMAN_LABELS[name], data_home=data_home, **download)
        labels = _load_arrays(path)
    needed = {"clean_label", *sets.values()}
    if not isinstance(labels, dict) or not needed <= set(labels):
        raise ValueError(f"{path} does not hold the labels it should: {', '.join(sorted(needed))}.")
    return {key: np.asarray(labels[key], dtype=np.int64) for key in needed}


def _load_arrays(path):
    """Read numpy arrays that ``torch.save`` wrote, allowing nothing else."""
    import torch

    arrays = [
        (np.zeros(0).__reduce__()[0], "numpy.core.multiarray._reconstruct"),  # as numpy 1 names it
        np.zeros(0).__reduce__()[0],
        np.ndarray,
        np.dtype,
        *{type(np.dtype(code)) for code in np.typecodes["AllInteger"]},
    ]
    try:
        with safe_globals(arrays):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise ValueError(f"{path} is refused: it holds more than numpy arrays, or is damaged.") from error
