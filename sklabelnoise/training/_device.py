"""The device a training runs on."""

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
