"""Softmax of logits whose rows, not classes, are neighbors in memory."""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

_SOFTMAX = {
    torch.softmax,
    torch.log_softmax,
    torch.Tensor.softmax,
    torch.Tensor.log_softmax,
    F.softmax,
    F.log_softmax,
}


class RowsLast(TorchFunctionMode):
    """Within this context softmax over the last dimension runs where the numbers lie.

    The logits of a stacked network are stored as (..., n_classes, n_rows) and seen as (..., n_rows, n_classes). torch's
    kernel for the last dimension copies such a tensor first, and is many times slower for few classes than the one for
    other dimensions, which takes neighboring rows at once. The numbers are the same up to rounding.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise._stacked._rows_last import RowsLast
    >>> logits = torch.zeros(2, 5).mT
    >>> with RowsLast():
    ...     proba = logits.softmax(-1)
    >>> proba[0], proba.stride()
    (tensor([0.5000, 0.5000]), (1, 5))
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in _SOFTMAX and _is_over_strided_rows(*args, **kwargs):
            return func(args[0].mT, dim=-2).mT
        return func(*args, **kwargs)


def _is_over_strided_rows(X, dim=None, *others, **options):
    plain = not others and not options
    return plain and X.ndim > 1 and dim in (-1, X.ndim - 1) and X.stride(-1) != 1
