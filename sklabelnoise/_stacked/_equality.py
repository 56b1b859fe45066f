"""Whether values are equal, whatever they are, and whether tensors are equal up to rounding."""

import numpy as np
import torch
from torch import nn


def same(a, b):
    """Whether two values are equal, whatever they are; False where that can't be told."""
    try:
        return _same(a, b)
    except Exception:  # values of a user may do anything when they are compared
        return False


def _same(a, b):
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor | np.ndarray):
        kinds = [(x.shape, x.dtype, getattr(x, "requires_grad", None)) for x in (a, b)]
        return kinds[0] == kinds[1] and bool((a == b).all())
    if isinstance(a, nn.Module):
        return _same(vars(a), vars(b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if type(a).__eq__ is not object.__eq__:
        return bool(a == b)
    # Estimators, generators and partial functions, among others: equal where their copies are made from the same.
    parts = a.__reduce_ex__(4), b.__reduce_ex__(4)
    return isinstance(parts[0], tuple) and _same(*parts)


def close(a, b, as_of=None):
    """Whether tensors are equal up to what the order of operations does to their type, or `as_of`; integers exactly."""
    if a.shape != b.shape:
        return False
    if not (b.is_floating_point() or b.is_complex()):
        return torch.equal(a, b)
    tolerance = 1e4 * torch.finfo(as_of or b.dtype).eps
    return torch.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True)
