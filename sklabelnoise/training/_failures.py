"""What is said when a training fails: numbers that stop being finite, batches too large or too small."""

from contextlib import contextmanager

import torch

from sklabelnoise.training._device import free_memory

_ADVICE = "Scale the features, lower lr, or add weight_decay."


def nonfinite_loss_message(kind, loss, *, epoch, batch, n_batches, lr):
    """Message for a training or validation loss (`kind`) that is infinite or NaN; epoch and batch count from 1."""
    return (
        f"Training stopped: the {kind} loss became {loss} in epoch {epoch}, batch {batch} of {n_batches}, "
        f"at lr={lr:g}. {_ADVICE}"
    )


def nonfinite_parameter_message(*, epoch, lr):
    """Message for a network whose last update, after the last loss was seen, was not finite."""
    return f"Training stopped: a parameter of the network is not finite after epoch {epoch}, at lr={lr:g}. {_ADVICE}"


def check_parameters(module, *, epoch, lr):
    """Refuse a network whose last update, after the last loss was seen, was not finite.

    Raises
    ------
    ValueError
        If a parameter is infinite or NaN.
    """
    with torch.no_grad():
        # A sum shows what is not finite in a quarter of the time, or that it is too large itself.
        if torch.as_tensor(sum(p.sum() for p in module.parameters())).isfinite():
            return
        finite = all(p.isfinite().all() for p in module.parameters())
    if not finite:
        raise ValueError(nonfinite_parameter_message(epoch=epoch, lr=lr))


@contextmanager
def naming_batch_size(batch_size, device="cpu", *, name="batch_size"):
    """Say what to change when a batch is too large for the device, or too small for BatchNorm.

    Parameters
    ----------
    batch_size : int or None
        Rows in a batch; None before that is known.
    device : torch.device, default="cpu"
        What it is computed on.
    name : str, default="batch_size"
        The parameter to change.

    Raises
    ------
    MemoryError
        If the device has too little memory.
    ValueError
        If a layer can't be trained on a batch of one row.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise MemoryError(_out_of_memory_message(batch_size, device, name)) from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            f"batch_size must leave no batch of one row, on which BatchNorm can't be trained, got {batch_size}; use "
            f"another, or iterator_train__drop_last=True. ({error})"
        ) from error


def is_out_of_memory(error):
    """Whether a device is full: CUDA has an error of its own for it, Apple's and the CPU a message."""
    if isinstance(error, torch.cuda.OutOfMemoryError) or type(error) is MemoryError:
        return True
    return "out of memory" in str(error) or "can't allocate memory" in str(error)


def _out_of_memory_message(batch_size, device, name):
    free = free_memory(device)
    left = "" if free is None else f", with {free / 2**20:,.0f} MiB free"
    if batch_size is None:
        return f"The network and its rows need more memory than {device} has{left}; use a smaller network."
    return f"A batch needs more memory than {device} has{left}: use a smaller {name}, got {batch_size}."
