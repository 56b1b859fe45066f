"""Retrieval with learned features: who is this, given pictures of many people?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_consistent_length

from sklabelnoise._foundation._counts import is_integer
from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._given import check_comparable, check_same_rows, label_column
from sklabelnoise._foundation._matrix import check_matrix
from sklabelnoise._foundation._types import ArrayLike, Labels
from sklabelnoise.metrics._class_columns import is_numbered

# Queries scored at a time: bounds the memory to this many rows of the similarity matrix.
_BLOCK = 1024


def _unit_rows(features, name):
    features = check_matrix(features, name, "(n_samples, n_features)")
    # By the largest entry first: squares of very large and very small ones are infinite or zero.
    largest = np.abs(features).max(axis=1, keepdims=True)
    features = features / np.where(largest > 0, largest, 1)
    length = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(length > 0, length, 1)


def average_sets(features: ArrayLike, sets: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """One feature vector for each set of rows: their mean, at unit length.

    Comparing these by cosine is set-to-set retrieval: a video against a video rather than a frame against a frame.

    Parameters
    ----------
    features : array-like of shape (n_samples, n_features)
        Features of the rows, such as ``estimator.embed(X)``.

    sets : array-like of shape (n_samples,)
        The set of each row, such as the video of a frame.

    Returns
    -------
    set_features : ndarray of shape (n_sets, n_features)
        In the order of the sorted sets.

    unique_sets : ndarray of shape (n_sets,)
        The sorted sets.

    References
    ----------
    Wang et al.: "Derivative Manipulation for General Example Weighting", section 4.3.

    Examples
    --------
    >>> from sklabelnoise.metrics import average_sets
    >>> set_features, unique_sets = average_sets([[2, 0], [4, 0], [0, 5]], ["a", "a", "b"])
    >>> set_features
    array([[1., 0.],
           [0., 1.]])
    """
    check_same_rows(features=features, sets=sets)
    features = check_matrix(features, "features", "(n_samples, n_features)")
    sets = label_column(sets, "sets")
    check_consistent_length(features, sets)
    unique_sets, members = np.unique(sets, return_inverse=True)
    order = np.argsort(members, kind="stable")
    features, members = features[order], members[order]
    starts = np.searchsorted(members, np.arange(len(unique_sets)))
    # The sum has the direction of the mean; by the largest entry of each set first, or it might be infinite.
    largest = np.maximum.reduceat(np.abs(features).max(axis=1), starts)
    features = features / np.where(largest > 0, largest, 1)[members, None]
    return _unit_rows(np.add.reduceat(features, starts, axis=0), "features"), unique_sets


def _in_order_of(queries, gallery):
    """The gallery with its columns in the order of those of the queries, by their names where both have any."""
    frames = pandas_frame(queries, "queries"), pandas_frame(gallery, "gallery")
    if any(frame is None or is_numbered(frame.columns) for frame in frames):
        return gallery
    wanted, found = (frame.columns for frame in frames)
    if wanted.equals(found):
        return gallery
    if not (wanted.is_unique and len(wanted) == len(found) and wanted.isin(found).all()):
        raise ValueError(f"gallery must have the columns of queries, {wanted.tolist()}, got {found.tolist()}.")
    return frames[1][wanted]


def retrieval_scores(
    queries: ArrayLike,
    query_labels: Labels,
    gallery: ArrayLike,
    gallery_labels: Labels,
    *,
    query_groups: ArrayLike | None = None,
    gallery_groups: ArrayLike | None = None,
    ranks: int | Sequence[int] = (1, 5, 10, 20),
) -> dict[str, float]:
    """Mean average precision and cumulative matching characteristic of ranking a gallery by cosine similarity.

    Parameters
    ----------
    queries : array-like or DataFrame of shape (n_queries, n_features)
        Features to search for.

    query_labels : array-like of shape (n_queries,)
        Identity of each query.

    gallery : array-like or DataFrame of shape (n_gallery, n_features)
        Features to search in. Where both are frames, the columns are found by name.

    gallery_labels : array-like of shape (n_gallery,)
        Identity of each gallery row.

    query_groups, gallery_groups : array-like, default=None
        For example the cameras. Gallery rows with the identity *and* the group of a query are left out of its ranking,
        because they are too easy to find. Give both or none.

    ranks : int or sequence of int, default=(1, 5, 10, 20)
        Ranks of the cumulative matching characteristic.

    Returns
    -------
    scores : dict of str to float
        ``"map"``, the mean over queries of the average precision, and ``"cmc_k"`` for each k of `ranks`, the share of
        the queries with a match among their first k. Queries without any match in the gallery do not count.

    See Also
    --------
    average_sets : For set-to-set retrieval, apply it to queries and gallery first.

    References
    ----------
    Zheng et al.: "MARS: A Video Benchmark for Large-Scale Person Re-Identification", ECCV 2016.

    Examples
    --------
    >>> from sklabelnoise.metrics import retrieval_scores
    >>> gallery = [[1, 0], [1, 0.1], [0, 1]]
    >>> retrieval_scores([[1, 0]], ["ann"], gallery, ["bob", "ann", "ann"], ranks=(1, 2))
    {'map': 0.5833333333333333, 'cmc_1': 0.0, 'cmc_2': 1.0}
    """
    check_same_rows(queries=queries, query_labels=query_labels, query_groups=query_groups)
    check_same_rows(gallery=gallery, gallery_labels=gallery_labels, gallery_groups=gallery_groups)
    gallery = _in_order_of(queries, gallery)
    queries, gallery = _unit_rows(queries, "queries"), _unit_rows(gallery, "gallery")
    query_labels, gallery_labels = check_comparable(query_labels=query_labels, gallery_labels=gallery_labels)
    check_consistent_length(queries, query_labels)
    check_consistent_length(gallery, gallery_labels)
    ranks = list(ranks) if isinstance(ranks, Iterable) else [ranks]
    for k in ranks:
        if not is_integer(k) or k < 1:
            raise ValueError(f"ranks must hold positive integers, got {k!r}.")
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"gallery must have the {queries.shape[1]} features of queries, got {gallery.shape[1]}.")
    if (query_groups is None) != (gallery_groups is None):
        raise ValueError("query_groups and gallery_groups belong together, got only one of them.")
    if query_groups is not None:
        query_groups, gallery_groups = check_comparable(query_groups=query_groups, gallery_groups=gallery_groups)
        check_consistent_length(queries, query_groups)
        check_consistent_length(gallery, gallery_groups)

    average_precision, first_match = [], []
    for start in range(0, len(queries), _BLOCK):
        block = slice(start, start + _BLOCK)
        similarity = queries[block] @ gallery.T
        match = query_labels[block, None] == gallery_labels
        if query_groups is not None:
            left_out = match & (query_groups[block, None] == gallery_groups)
            similarity[left_out] = -np.inf  # to the end of the ranking, where they displace nobody
            match &= ~left_out
        match = np.take_along_axis(match, np.argsort(-similarity, axis=1, kind="stable"), axis=1)
        match = match[match.any(axis=1)]
        precision = match.cumsum(axis=1) / np.arange(1, match.shape[1] + 1)
        average_precision.append((precision * match).sum(axis=1) / match.sum(axis=1))
        first_match.append(match.argmax(axis=1))
    average_precision, first_match = np.concatenate(average_precision), np.concatenate(first_match)
    if len(first_match) == 0:
        raise ValueError("gallery must hold a match of one query at least, got none.")
    return {"map": float(average_precision.mean())} | {f"cmc_{k}": float(np.mean(first_match < k)) for k in ranks}
