"""The device a training runs on: choosing it, seeding it, and running out of its memory."""

from contextlib import contextmanager

import torch


def resolve_device(device):
    """The torch device that the parameter `device` means on this machine.

    Raises
    ------
    ValueError
        If torch does not know it, or it is CUDA where there is none.
    """
    if str(device) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be 'auto' or a device that torch knows, got {device!r}: {error}") from error
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={str(device)!r} was asked for, but torch sees no CUDA device; use 'auto' or 'cpu'.")
    return resolved


@contextmanager
def seeded(seed, device):
    """Seed torch for a block on the CPU and on `device`, and leave the caller's generators as they were."""
    on_gpu = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        torch.random.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


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
            f"With batch_size={batch_size} there is a batch of one row, on which BatchNorm can't be trained; use "
            f"another batch_size, or iterator_train__drop_last=True. ({error})"
        ) from error
