"""How many replicas, and how many rows of prediction, fit into memory at once."""

import torch

from sklabelnoise.training._device import free_memory

# What one stack may take on a CPU: enough to keep the matrix products busy, and little beside the data.
_CPU_BYTES = 192 * 2**20
# Share of the free memory of an accelerator.
_SHARE_OF_FREE = 0.5
# Parameters, gradients, two moments of the optimizer, and two intermediate results of its step.
_COPIES_OF_PARAMETERS = 6
# Each layer's output is kept for the backward pass, which makes its gradient and an intermediate result.
_COPIES_OF_ACTIVATIONS = 3


def bytes_available(device):
    """Memory that one stack of replicas may take."""
    free = free_memory(device)
    return _CPU_BYTES if free is None else int(_SHARE_OF_FREE * free)


def numbers_per_row(module, X):
    """How many numbers the layers of a module put out for one row of X, inputs included."""
    count = [X[:1].numel()]

    def add(layer, inputs, output):
        if isinstance(output, torch.Tensor):
            count.append(output.numel())

    leaves = [layer for layer in module.modules() if next(layer.children(), None) is None]
    hooks = [layer.register_forward_hook(add) for layer in leaves]
    was_training = module.training
    try:
        module.eval()
        with torch.no_grad():
            module(X[:1])
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    return sum(count)


def replicas_within_memory(module, X, *, batch_size, device="cpu"):
    """How many replicas can be trained at once, at least one.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture, on the device and in the dtype of the training.
    X : Tensor of shape (n_rows, ...)
        Some inputs.
    batch_size : int
        Rows in a batch.
    device : torch.device or str, default="cpu"
        Where the training runs.
    """
    size = next(module.parameters()).element_size()
    parameters = sum(p.numel() for p in module.parameters()) * _COPIES_OF_PARAMETERS
    activations = batch_size * numbers_per_row(module, X) * _COPIES_OF_ACTIVATIONS
    return max(1, bytes_available(device) // (size * (parameters + activations)))


def rows_within_memory(module, X, *, n_replicas, device="cpu"):
    """How many rows some replicas of one fold can predict at once, at least one."""
    size = next(module.parameters()).element_size()
    return max(1, bytes_available(device) // (2 * size * numbers_per_row(module, X) * n_replicas))
