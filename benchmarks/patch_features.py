"""Images as vectors without labels: k-means over whitened patches (Coates, Ng and Lee, AISTATS 2011)."""

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.utils import check_random_state

_PATCH = 6  # pixels
_STRIDE = 2
_N_PATCHES = 40_000
_BLOCK = 250  # images encoded at a time


def patch_features(images, *, n_centers=200, n_components=256, random_state=None):
    """Features of images, learned from the images alone.

    Patches are normalized, whitened and clustered; each patch of an image is described by how much closer it is to each
    center than on average ("triangle" activation, their section 3.2.2), summed over the four quadrants, and projected
    by principal components.

    Parameters
    ----------
    images : ndarray of uint8 of shape (n_samples, height, width, 3) or (n_samples, 3, height, width)

    n_centers : int, default=200
        Number of clusters.

    n_components : int, default=256
        Length of the vectors.

    random_state : int, RandomState instance or None, default=None
        Decides patches, clusters and projection.

    Returns
    -------
    features : ndarray of float32 of shape (n_samples, n_components)
    """
    rng = check_random_state(random_state)
    X = images if images.shape[1] == 3 else images.transpose(0, 3, 1, 2)
    size = X.shape[2]
    which, top, left = rng.randint(len(X), size=_N_PATCHES), *rng.randint(size - _PATCH + 1, size=(2, _N_PATCHES))
    patches = np.stack(
        [X[i, :, a : a + _PATCH, b : b + _PATCH].ravel() for i, a, b in zip(which, top, left, strict=True)]
    )
    patches = _normalize(torch.from_numpy(patches).float())
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(patches.T))
    whiten = vectors @ torch.diag((values + 0.1).rsqrt()) @ vectors.T
    kmeans = MiniBatchKMeans(n_centers, batch_size=4096, n_init=1, max_iter=5, random_state=rng)
    centers = torch.from_numpy(kmeans.fit((patches - mean) @ whiten).cluster_centers_).float()
    blocks = [
        _encode(torch.from_numpy(X[i : i + _BLOCK]).float(), mean, whiten, centers) for i in range(0, len(X), _BLOCK)
    ]
    return PCA(n_components, random_state=rng).fit_transform(torch.cat(blocks).numpy()).astype(np.float32)


def _normalize(patches):
    """Each patch to mean 0 and unit variance; 10 keeps plain sky from becoming noise."""
    centered = patches - patches.mean(-1, keepdim=True)
    return centered / (centered.var(-1, keepdim=True) + 10).sqrt()


@torch.no_grad()
def _encode(images, mean, whiten, centers):
    side = (images.shape[2] - _PATCH) // _STRIDE + 1
    patches = _normalize(torch.nn.functional.unfold(images, _PATCH, stride=_STRIDE).transpose(1, 2))
    distance = torch.cdist((patches - mean) @ whiten, centers)
    active = (distance.mean(-1, keepdim=True) - distance).clamp(min=0)
    active = active.unflatten(1, (side, side))
    half = side // 2
    quadrants = [active[:, a, b] for a in (slice(half), slice(half, None)) for b in (slice(half), slice(half, None))]
    return torch.cat([quadrant.sum((1, 2)) for quadrant in quadrants], dim=1)
