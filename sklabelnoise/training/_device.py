"""The device a training runs on, and torch's threads after a fork."""

import os

import torch

_has_computed = False


def note_computation():
    """Note that this process computes with torch, so that a child forked from it has to do without torch's threads."""
    global _has_computed
    _has_computed = True


def _after_fork():
    # The child has torch's pool of threads but none of the threads: the first operation shared out among them would
    # wait for ever. With one thread, as in the workers of a DataLoader, nothing is shared out.
    if _has_computed:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def generator_on(device, seed):
    """A generator on a device, so that what it draws need not be sent there; on the CPU where the device has none."""
    try:
        generator = torch.Generator(device)
    except RuntimeError:
        generator = torch.Generator()
    return generator.manual_seed(seed)


def knows_float64(device):
    """Whether a device computes in double precision; Apple's do not."""
    try:
        torch.zeros(1, dtype=torch.float64, device=device)
    except (TypeError, RuntimeError):
        return False
    return True


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
        raise ValueError(f"device must be 'auto' or 'cpu' where torch sees no CUDA device, got {str(device)!r}.")
    return resolved
