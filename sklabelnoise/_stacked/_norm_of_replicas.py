"""Batch normalization of many networks: every feature of every network is a channel of its own, and one call does all.

Under :func:`torch.vmap` torch normalizes so, too, but scales and shifts in operations of their own, over numbers that
are as many as the layer puts out: on a CPU a residual network of many replicas took half of its time there.
"""

import torch
import torch.nn.functional as F


class BatchNormOfReplicas(torch.autograd.Function):
    """The inner level of two nested vmaps: weights and statistics (channels,) of each replica; see :func:`fold_norm`.

    Like the others of its kind it is only ever asked for its rule, in which autograd sees the operations.
    """

    @staticmethod
    def forward(x, running_mean, running_var, weight, bias, training, momentum, eps):
        return F.batch_norm(x, running_mean, running_var, weight, bias, training, momentum, eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Nothing is kept."""

    @staticmethod
    def vmap(info, in_dims, x, *others):
        return _OfFolds.apply(*_with_own_channels(info, in_dims, x, *others)).unflatten(1, (info.batch_size, -1)), 1


class _OfFolds(BatchNormOfReplicas):
    """The outer level, which is the same."""

    @staticmethod
    def vmap(info, in_dims, x, *others):
        channels = _with_own_channels(info, in_dims, x, *others)
        return F.batch_norm(*channels).unflatten(1, (info.batch_size, -1)), 1


def _with_own_channels(info, in_dims, x, *others):
    """Arguments of all networks of a level as those of one: x (n, networks x channels, ...), the rest flat."""
    x_dim, *dims = in_dims
    if x_dim is None:
        x = x.unsqueeze(1).expand(-1, info.batch_size, *x.shape[1:])
    else:
        x = x.movedim(x_dim, 1)
    *tensors, training, momentum, eps = others
    flat = []
    for place, (tensor, dim) in enumerate(zip(tensors, dims[: len(tensors)], strict=True)):
        if tensor is not None:
            tensor = tensor.expand(info.batch_size, -1) if dim is None else tensor.movedim(dim, 0)
            # The statistics of a training are updated where they are, so no copy will do.
            tensor = tensor.view(-1) if training and place < 2 else tensor.reshape(-1)
        flat.append(tensor)
    return x.flatten(1, 2), *flat, training, momentum, eps
