"""The IMDB movie reviews."""

from __future__ import annotations

import os
import re

import numpy as np
import pandas as pd

from sklabelnoise._foundation._types import Bunch
from sklabelnoise.datasets._archives import read_members
from sklabelnoise.datasets._download import RemoteFile, fetch_file
from sklabelnoise.datasets._shared_files import find_shared, read_parquet

_IMDB = RemoteFile(
    "aclImdb_v1.tar.gz",
    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
)
_CLASSES = ["neg", "pos"]
_REVIEW = re.compile(r"(?P<split>train|test)/(?P<label>neg|pos)/(?P<file_id>\d+)_(?P<rating>\d+)\.txt")


def fetch_imdb(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    n_retries: int = 3,
    delay: float = 1.0,
) -> Bunch:
    """Load the IMDB reviews, 50,000 texts about films, half of them negative [1]_.

    The texts come from ``imdb.parquet`` in a shared folder, if it is there, else from the official archive (84 MB, read
    in about half a minute), whose checksum is verified at every call. The authors ask for a citation.

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
    imdb : :class:`~sklearn.utils.Bunch`
        With the following attributes, rows ordered by label and number of the review: shuffle before you take a part.

        X_train, X_test : ndarray of shape (25000,), object
            Texts, with HTML's line breaks as in the source.
        y_train, y_test : ndarray of shape (25000,)
            1 for positive, 0 for negative: whether the rating is above 5.
        rating_train, rating_test : ndarray of shape (25000,)
            The reviewer's stars, 1 to 4 and 7 to 10.
        target_names : list of 2 str
            What the classes are called.

    Raises
    ------
    OSError
        If the files are missing and must not, or cannot, be downloaded, or if the checksum is wrong.
    ValueError
        If the archive is damaged or holds what it should not.
    ImportError
        If the file of the shared folder needs pyarrow and it is not installed.

    References
    ----------
    .. [1] A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts,
       "Learning word vectors for sentiment analysis", ACL 2011. https://ai.stanford.edu/~amaas/data/sentiment/

    Examples
    --------
    >>> from sklabelnoise.datasets import fetch_imdb
    >>> imdb = fetch_imdb()  # doctest: +SKIP
    >>> imdb.X_train.shape, imdb.y_train.mean()  # doctest: +SKIP
    ((25000,), np.float64(0.5))
    """
    shared = find_shared(["imdb.parquet"], data_home)
    if shared is not None:
        reviews = read_parquet(shared[0])
    else:
        path = fetch_file(
            _IMDB, data_home=data_home, download_if_missing=download_if_missing, n_retries=n_retries, delay=delay
        )
        reviews = _read_archive(path)
    reviews = reviews.sort_values(["label", "file_id"])

    imdb = Bunch(target_names=list(_CLASSES))
    for split in ("train", "test"):
        part = reviews[reviews["split"] == split]
        imdb[f"X_{split}"] = part["text"].to_numpy(dtype=object)
        imdb[f"y_{split}"] = part["label"].to_numpy(dtype=np.int64)
        imdb[f"rating_{split}"] = part["rating"].to_numpy(dtype=np.int64)
    return imdb


def _read_archive(path):
    """One row a review; the path of a review says all but its text."""
    members = read_members(path, "aclImdb", wanted=_REVIEW.fullmatch)
    rows = [{**_REVIEW.fullmatch(name).groupdict(), "text": text.decode()} for name, text in members.items()]
    if not rows:
        raise ValueError(f"{path} is damaged: it holds no reviews.")
    reviews = pd.DataFrame(rows)
    reviews["label"] = reviews["label"].map(_CLASSES.index)
    return reviews.astype({"file_id": np.int64, "rating": np.int64})
