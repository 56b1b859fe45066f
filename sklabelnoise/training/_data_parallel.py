"""One net trained by several processes: what they do together at each step and at the end of each epoch."""

from contextlib import contextmanager
from functools import partial

import torch
from torch import nn

from sklabelnoise.losses._margin import at_least_float32
from sklabelnoise.training._early_stopping import StopTraining, stopped_early

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@contextmanager
def training_together(net, processes):
    """A block in which a net trains on its part of each batch, from and to the weights that all processes have.

    Parameters
    ----------
    net : NoisyLabelNet
        Initialized.
    processes : Processes

    Raises
    ------
    ValueError
        If the net is compiled: what the processes exchange within a layer can't be.
    """
    if net.compile:
        raise ValueError("compile must be False where processes train together, got compile=True.")
    net.wants_to_stop_ = False
    processes.copy_from_first([*net.module_.parameters(), *net.module_.buffers()])
    with _synced_statistics(net.module_, processes):
        yield
    # Those of layers of the user's, which each process filled from its own rows.
    processes.copy_from_first(net.module_.buffers())


def step_together(net, batch, logits, processes):
    """Compute the loss of the whole batch, and from its derivative go back through the part of this process.

    So the loss may depend on all rows of a batch, or remember rows that other processes see, as in one process.

    Parameters
    ----------
    net : NoisyLabelNet
    batch : Batch
    logits : Tensor
        Of this process's rows, with their graph.
    processes : Processes

    Returns
    -------
    step : dict
        As of a training step: `loss` and `y_pred` of the whole batch.
    """
    n = len(batch.labels)
    whole = processes.gather_rows(logits.detach(), n).requires_grad_()
    loss = net.get_loss(whole, batch.labels, training=True)
    net.go_back(loss)
    logits.backward(whole.grad[processes.part(n)])
    processes.add_up_gradients(net.module_.parameters())
    return {"loss": loss, "y_pred": whole}


def notify_together(net, notify, processes, *, ends_epoch):
    """Call callbacks; where one ends the training, all processes end it, at the end of that epoch.

    Raises
    ------
    StopTraining
        At the end of an epoch.
    """
    try:
        notify()
    except StopTraining:
        net.wants_to_stop_ = True
    except KeyboardInterrupt:
        if not stopped_early(net):
            raise
        net.wants_to_stop_ = True
    if ends_epoch and processes.anybody(net.wants_to_stop_):
        raise StopTraining


@contextmanager
def _synced_statistics(module, processes):
    """A block in which BatchNorm layers normalize by the rows of all processes.

    ``torch.nn.SyncBatchNorm`` does that on CUDA alone, and takes the place of the layers.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _NORMS)]
    own = [vars(layer).get("forward") for layer in layers]
    for layer in layers:
        layer.forward = partial(_normalize, layer, layer.forward, processes)
    try:
        yield
    finally:
        for layer, forward in zip(layers, own, strict=True):
            del layer.forward
            if forward is not None:
                layer.forward = forward


def _normalize(layer, alone, processes, x):
    """What a BatchNorm layer gives for this part of a batch; in evaluation mode it goes `alone`."""
    if not layer.training:
        return alone(x)
    dims = [0, *range(2, x.dim())]
    shape = [1, -1, *[1] * (x.dim() - 2)]
    values = at_least_float32(x)
    n_rows = values.new_full((1,), values.numel() // values.shape[1])
    # The mean first: squares around another point would lose the digits of the variance.
    total, n = _Sum.apply(torch.cat([values.sum(dims), n_rows]), processes).split([values.shape[1], 1])
    mean = total / n
    centered = values - mean.view(shape)
    variance = _Sum.apply(centered.square().sum(dims), processes) / n
    if layer.track_running_stats:
        _remember(layer, mean.detach(), (variance * n / (n - 1)).detach())
    out = centered * (variance + layer.eps).rsqrt().view(shape)
    if layer.affine:
        out = out * layer.weight.view(shape) + layer.bias.view(shape)
    return out.to(x.dtype)


@torch.no_grad()
def _remember(layer, mean, variance):
    layer.num_batches_tracked.add_(1)
    # without a momentum the mean over all batches
    share = 1 / layer.num_batches_tracked.to(mean.dtype) if layer.momentum is None else layer.momentum
    for running, value in ((layer.running_mean, mean), (layer.running_var, variance)):
        running.add_((value.to(running.dtype) - running) * share)


class _Sum(torch.autograd.Function):
    """Sum over all processes; its derivative is the sum of theirs."""

    @staticmethod
    def forward(ctx, x, processes):
        ctx.processes = processes
        return processes.add_up(x.clone())

    @staticmethod
    def backward(ctx, grad):
        return ctx.processes.add_up(grad.clone()), None
