"""What is said when a training fails: numbers that stop being finite, batches too large or too small."""

from contextlib import contextmanager

import torch

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
    finite = [p.isfinite().all() for p in module.parameters()]
    if finite and not torch.stack(finite).all():
        raise ValueError(nonfinite_parameter_message(epoch=epoch, lr=lr))


@contextmanager
def naming_batch_size(batch_size):
    """Say what to change when a batch is too large for the GPU, or too small for BatchNorm."""
    try:
        yield
    except torch.cuda.OutOfMemoryError as error:
        raise MemoryError(f"The GPU has too little memory for batch_size={batch_size}; use a smaller one.") from error
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            f"batch_size must leave no batch of one row, on which BatchNorm can't be trained, got {batch_size}; use "
            f"another, or iterator_train__drop_last=True. ({error})"
        ) from error
