"""Features of a frozen network for all items of some data."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._foundation._counts import check_count
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._foundation._types import ArrayLike, RowsByNumber
from sklabelnoise.feature_extraction._backbone import Backbone
from sklabelnoise.feature_extraction._items import Items
from sklabelnoise.training._device import note_computation, resolve_device

# Items whose features are kept in one file of the cache; a run that was killed goes on behind the last whole file.
_KEPT_TOGETHER = 1024


def embed_dataset(
    backbone: torch.nn.Module | Callable[..., Any] | str,
    data: ArrayLike | RowsByNumber,
    *,
    preprocess: Callable[..., Any] | None = None,
    output: str | int | None = None,
    pool: Literal["mean", "max", "first"] | None = None,
    drop_head: bool = True,
    batch_size: int = 64,
    num_workers: int = 0,
    device: str | torch.device = "auto",
    cache: str | os.PathLike[str] | None = None,
    verbose: int = 0,
) -> NDArray[Any]:
    """Features that a frozen network gives images or texts, a table for any classifier.

    The network is asked once for each item, in evaluation mode and without gradients; the caller's own stays as it is.

    Parameters
    ----------
    backbone : torch.nn.Module, callable or str
        A network, of torchvision or timm for example; a class or factory that makes one when it is called without
        arguments, such as ``partial(torchvision.models.resnet18, weights="DEFAULT")``; a function of a batch; a model
        of sentence-transformers, or the name of one (the extra `embed`).

    data : array-like or Dataset of shape (n_samples, ...)
        A torch ``Dataset`` of inputs, or of pairs (x, y) whose y is not read; paths of files of images; texts; pictures
        of pillow; an array or tensor.

    preprocess : callable, default=None
        Makes of an item what the network takes: ``weights.transforms()`` of torchvision, or a tokenizer that returns
        tensors or a dict of them, or a function of yours, from a picture of pillow to a tensor of floats (channels,
        height, width). None leaves items as they are, which arrays of floats may be; for pictures and a network of timm
        it is timm's own.

    output : str or int, default=None
        Which entry of a dict or tuple, where the backbone returns one.

    pool : {"mean", "max", "first"}, default=None
        What makes one row of maps (n, channels, height, width) or tokens (n, tokens, features): their mean or maximum,
        or the first token, the class token of many transformers. None refuses them. A backbone that gives one row an
        item leaves nothing to pool.

    drop_head : bool, default=True
        Where a network returns what its last linear layer gives, as classifiers do, take what that layer receives.

    batch_size : int, default=64
        Items in a batch.

    num_workers : int, default=0
        Processes that read and prepare items.

    device : str or torch.device, default="auto"
        "auto" is CUDA where there is one, else the CPU.

    cache : str or path-like, default=None
        Folder where features are kept. The same weights, data, preprocessing and versions of libraries find them there
        again; a run that was ended goes on where it was. Of files and folders of images the paths, sizes and times of
        change are compared, of anything else the content.

    verbose : int, default=0
        1 shows a progress bar with the time that remains.

    Returns
    -------
    features : ndarray of shape (n_samples, n_features)
        Numbers of float32.

    Raises
    ------
    ValueError
        If the backbone can't take the items, gives maps, tokens, a dict or a tuple without a choice of what to take, or
        features that are not finite; if an item can't be read.
    TypeError
        If `backbone` or `data` is of another kind, or with `cache` something can't be pickled.
    ImportError
        If pillow or sentence-transformers is needed and missing.

    Warns
    -----
    UserWarning
        If a factory builds the network without trained weights.

    See Also
    --------
    ImageReader : Pixels, for a network to be trained on.
    sklabelnoise.text.PVDBOWVectorizer : Features of texts, learned from these texts alone.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from sklabelnoise.feature_extraction import embed_dataset
    >>> backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())  # in place of a pretrained one
    >>> images = np.zeros((5, 3, 16, 16), dtype=np.float32)
    >>> embed_dataset(backbone, images, pool="mean").shape
    (5, 8)
    """
    batch_size = check_count("batch_size", batch_size, least=1)
    num_workers = check_count("num_workers", num_workers, least=0)
    if pool not in (None, "mean", "max", "first"):
        raise ValueError(f'pool must be "mean", "max", "first" or None, got {pool!r}.')
    items = Items(data)
    network = Backbone(backbone, output=output, pool=pool, drop_head=drop_head, device=resolve_device(device))
    preprocess = preprocess or _preprocess(network, items)
    kept = None
    if cache is not None:
        identity = {
            "backbone": network.identity,
            "data": items.identity,
            "preprocess": preprocess,
            "output": (output, pool, drop_head),
        }
        kept = Checkpoint(cache, identity, code_of=(network.code, preprocess), argument="cache")
    note_computation()
    features = None
    with Progress(len(items), "embedding", unit="items", shown=verbose) as bar:
        for start in range(0, len(items), _KEPT_TOGETHER):
            numbers = range(start, min(start + _KEPT_TOGETHER, len(items)))
            part = kept.load(f"items-{start}") if kept is not None else None
            if part is None:
                part = _embed(network, items, numbers, bar, batch_size, preprocess, num_workers)
                if kept is not None:
                    kept.save(f"items-{start}", part)
            else:
                bar.advance(len(part))
            if features is None:
                features = np.empty((len(items), part.shape[1]), dtype=np.float32)
            features[start : start + len(part)] = part
    return features


def _preprocess(network, items):
    """What makes tensors of the items where the user did not say; refuses those that nothing is known to make."""
    if items.are_texts != network.takes_texts and network.wants_floats:
        wanted, got = ("texts", "none") if network.takes_texts else ("no texts, or preprocess, a tokenizer", "texts")
        raise ValueError(f"backbone {network.name} takes {wanted}, got data that are {got}.")
    if not items.are_pictures and not items.are_pixels:
        return None
    own = network.own_preprocess() if items.are_pictures else None
    if own is None and network.wants_floats:
        raise ValueError(
            f"preprocess must make of the images what backbone {network.name} was trained on, as weights.transforms() "
            "of torchvision or timm.data.create_transform does (or a function of yours, from a picture to a tensor of "
            "floats), got None."
        )
    return own


def _embed(network, items, numbers, bar, batch_size, preprocess, num_workers):
    parts = []
    for batch in items.batches(numbers, batch_size, preprocess=preprocess, num_workers=num_workers):
        features = network(batch).numpy()
        done = sum(map(len, parts))
        finite = np.isfinite(features).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"backbone {network.name} must give finite features, got others for item "
                f"{numbers[done + int(finite.argmin())]} of data."
            )
        if parts and parts[0].shape[1] != features.shape[1]:
            raise ValueError(
                f"backbone {network.name} must give as many features of each item, got {parts[0].shape[1]} and "
                f"{features.shape[1]} in two batches."
            )
        parts.append(features)
        bar.advance(len(features))
    return np.concatenate(parts)
