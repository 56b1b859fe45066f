"""The scale of pixels: images scaled by their statistics in fit must come on the same scale afterwards."""

import torch
from torch.utils.data import Dataset

from sklabelnoise._foundation._callers_line import warn
from sklabelnoise.training._streams import as_tensor

# Images looked at in one go.
_AT_ONCE = 256


def white_of(images):
    """What stands for white in images, as far as their pixels tell.

    Parameters
    ----------
    images : Tensor or ndarray of shape (n_samples, ...)

    Returns
    -------
    white : float or None
        1 for fractions from 0 to 1, the largest number for whole numbers beyond. None for all others: standardized
        ones, and black and white ones of 0 and 1, which are on either scale.

    Examples
    --------
    >>> import numpy as np
    >>> white_of(np.array([0, 3, 255])), white_of(np.array([0.0, 0.4])), white_of(np.array([0, 1, 1]))
    (255.0, 1.0, None)
    """
    found = []
    for start in range(0, len(images), _AT_ONCE):
        part = as_tensor(images[start : start + _AT_ONCE])
        has_fractions = (part != part.round()).any() if part.is_floating_point() else part.new_zeros(())
        found.append(torch.stack([-part.min().float(), part.max().float(), has_fractions.float()]))
    # Asked once: each number that leaves a device waits for it.
    below, largest, has_fractions = torch.stack(found).amax(0).tolist()
    if below > 0 or (largest > 1 and has_fractions):
        return None
    return 1.0 if has_fractions else largest if largest > 1 else None


def warn_of_pixel_scale(net, images, name="X"):
    """Warn where images are fractions, and those of the fit whole numbers, or the other way round.

    Parameters
    ----------
    net : NoisyLabelNet
        A fitted net.
    images : ndarray, CSR matrix or Dataset
        Checked rows of a later call. Those of a net that scales no images are passed over.
    name : str, default="X"
        What to call them.
    """
    white = None if net.preprocess is None else net.preprocess.white
    if white is None or isinstance(images, Dataset) or (images.dtype.kind == "u" and white > 1):
        return
    # Mostly the first ones say that all is well, and the others need no look.
    for part in (images[:_AT_ONCE], images):
        now = white_of(part)
        if now is not None and (now > 1) == (white > 1):
            return
    if now is None:
        return
    fractions, whole = "fractions of at most 1", "whole numbers"
    # The same words each time: Python shows a warning of a line once.
    seen, came = (f"{whole} up to {white:g}", fractions) if white > 1 else (fractions, f"{whole} above 1")
    warn(
        f"{name} must have pixels of the scale of fit, {seen}: got {came}, which the network takes for images that are "
        f"{'nearly black' if white > 1 else 'far too bright'}. Scale them as in fit."
    )
