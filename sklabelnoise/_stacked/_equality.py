"""Whether values are equal, whatever they are, and whether tensors are equal up to rounding."""

import numpy as np
import torch
from torch import nn


def same(a, b):
    """Whether two values are equal, whatever they are; False where that can't be told."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor | np.ndarray):
        return a.shape == b.shape and bool((a == b).all())
    if isinstance(a, nn.Module):
        return same(vars(a), vars(b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    try:
        return bool(a == b)
    except (TypeError, ValueError, RuntimeError):
        return False


def close(a, b):
    """Whether two tensors are equal up to what the order of operations does to their type; integers exactly."""
    if a.shape != b.shape:
        return False
    if not b.is_floating_point():
        return torch.equal(a, b)
    tolerance = 1e4 * torch.finfo(b.dtype).eps
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
