"""Linear layers of many networks that are given the same rows: one product in place of one for each network.

Under :func:`torch.vmap` a linear layer whose weights are of many networks becomes a batch of products, for which rows
that all of them share are repeated. Here the weights of the networks lie below one another in place of that, as if
they were one layer of many units; what comes out has neighboring rows in memory, which is where the layers behind,
and the loss over few classes, are fastest. A convolution is treated so by torch itself, a batch normalization in a file
of its own.
"""

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from sklabelnoise._stacked._norm_of_replicas import BatchNormOfReplicas


class SharedRows(TorchFunctionMode):
    """Within this block, inside two nested :func:`torch.vmap`, stacked layers are computed at once.

    These are linear layers and batch normalizations. Embeddings keep their row of padding as it is, which torch's own
    rule under ``vmap`` trains.

    Parameters
    ----------
    parameters : sequence of Tensor
        The stacked parameters and buffers, as the function under ``vmap`` sees them; layers of others are left alone.
    """

    def __init__(self, parameters):
        super().__init__()
        self.stacked = {id(parameter) for parameter in parameters}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is F.linear and len(args) in (2, 3) and not kwargs:
            x, weight, *bias = args
            bias = bias[0] if bias else None
            if x.dim() == 2 and id(weight) in self.stacked and (bias is None or id(bias) in self.stacked):
                return _LinearOfReplicas.apply(x, weight, bias)
        elif func is F.batch_norm:
            x, *numbers, training, momentum, eps = _arguments(*args, **(kwargs or {}))
            given = [tensor for tensor in numbers if tensor is not None]
            if x.dim() > 1 and given and all(id(tensor) in self.stacked for tensor in given):
                return BatchNormOfReplicas.apply(x, *numbers, training, momentum, eps)
        elif func is F.embedding:
            return _with_fixed_padding(func(*args, **(kwargs or {})), *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _arguments(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Those of ``torch.nn.functional.batch_norm`` in their order, however it was called."""
    return input, running_mean, running_var, weight, bias, training, momentum, eps


def _with_fixed_padding(embedded, input, weight, padding_idx=None, *args, **kwargs):
    """Embedded tokens, without derivatives of those that are padding."""
    if padding_idx is None:
        return embedded
    is_padding = (input == padding_idx % len(weight)).unsqueeze(-1)
    return torch.where(is_padding, embedded.detach(), embedded)


class _Folded(torch.autograd.Function):
    """A function that is only ever asked for its rule under ``vmap``, where its weights always are."""

    @staticmethod
    def forward(x, weight, bias):
        return F.linear(x, weight, bias)

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Nothing is kept: autograd sees the operations of the rules."""


class _LinearOfReplicas(_Folded):
    """The inner level: weights (units, d) of each replica, and rows (n, d) of each or of all."""

    @staticmethod
    def vmap(info, in_dims, x, weight, bias):
        x, weight, bias = map(_to_front, (x, weight, bias), in_dims)
        return _LinearOfFolds.apply(x, weight, bias), 0


class _LinearOfFolds(_Folded):
    """The outer level: weights (k, units, d) of each fold, and rows (n, d) that its replicas share, or (k, n, d)."""

    @staticmethod
    def vmap(info, in_dims, x, weight, bias):
        x, weight, bias = map(_to_front, (x, weight, bias), in_dims)
        g, k, units, d = weight.shape
        if in_dims[0] is None:
            x = x.expand(g, *x.shape)
        if x.dim() == 3:
            out = product(weight.reshape(g, k * units, d), x.mT, bias)
        else:
            out = product(weight.reshape(g * k, units, d), x.reshape(g * k, *x.shape[2:]).mT, bias)
        return out.view(g, k, units, -1).mT, 0


def _to_front(tensor, dim):
    return tensor if dim is None else tensor.movedim(dim, 0)


def product(weight, rows, bias=None):
    """Layers of weights (b, units, d) of rows (b, d, n), with a bias for each unit, in whatever shape that is given."""
    if bias is None:
        return torch.bmm(weight, rows)
    return torch.baddbmm(bias.reshape(*weight.shape[:2], 1), weight, rows)
