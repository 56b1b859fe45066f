"""The device a training runs on, and torch's threads after a fork."""

import os
from functools import cache

import torch

from sklabelnoise.training._processes import current_processes
from sklabelnoise.training._workers import worker_number

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


def open_backward_thread(device):
    """Let the thread in which torch goes back on a GPU compute something, once.

    Where the derivative of a loss is known, a product of matrices is the first thing this thread is asked for, and
    cuBLAS warns that it finds no context there. Any other operation sets one up, as that of a loss does elsewhere.
    """
    device = torch.device(device)
    if device.type == "cuda":
        _go_back_once(torch.cuda.current_device() if device.index is None else device.index)


@cache
def _go_back_once(index):
    x = torch.ones(1, device=torch.device("cuda", index), requires_grad=True)
    torch.autograd.grad(x * x, x)


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


def free_memory(device):
    """Bytes that a device has left, what torch keeps for later included; None where that is not known."""
    device = torch.device(device)
    interface = getattr(torch, device.type, None)
    if not hasattr(interface, "mem_get_info"):
        return None
    free, _ = interface.mem_get_info(device)
    if device.type == "cuda":
        # Not by memory_reserved and memory_allocated, which sort all there is to know each time they are asked.
        known = torch.cuda.memory_stats_as_nested_dict(device)
        free += known["reserved_bytes"]["all"]["current"] - known["allocated_bytes"]["all"]["current"] if known else 0
    return free


def resolve_device(device):
    """The torch device that the parameter `device` means in this process.

    CUDA without a number is that of the process: where several train together the one of its local rank, in a worker
    of joblib, multiprocessing or Dask the one of the worker's number, counted round, else torch's current one.

    Raises
    ------
    ValueError
        If torch does not know it, or this machine has none of it.
    """
    if str(device) == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device must be 'auto' or a device that torch knows, got {device!r}: {error}") from error
    if resolved.type != "cuda":
        _check_it_computes(resolved)
        return resolved
    if not torch.cuda.is_available():
        raise ValueError(f"device must be 'auto' or 'cpu' where torch sees no CUDA device, got {str(device)!r}.")
    number, n_devices = _number_of_device() if resolved.index is None else resolved.index, torch.cuda.device_count()
    if number >= n_devices:
        raise ValueError(
            f"device must be one of the {n_devices} CUDA devices of this machine, one for each process that trains "
            f"on it, got {torch.device('cuda', number)!s}."
        )
    return torch.device("cuda", number)


def _check_it_computes(device):
    """Refuse a device of another kind than the processor or CUDA that this machine, or this torch, has none of."""
    if device.type in ("cpu", "meta"):  # the second, which only has shapes, is everywhere
        return
    try:
        torch.zeros(1, device=device).item()
    # It depends on the kind what torch raises where it was built without it.
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device must be 'auto' or one that this machine has, got {str(device)!r}: {reason}"
        ) from error


def _number_of_device():
    processes, worker = current_processes(), worker_number()
    if processes is not None:
        return processes.local_rank
    return torch.cuda.current_device() if worker is None else worker % torch.cuda.device_count()


def device_here(device):
    """A device that a net was trained on elsewhere, or the first of its kind where this machine has fewer."""
    device = torch.device(device)
    if device.type == "cuda" and torch.cuda.is_available() and (device.index or 0) >= torch.cuda.device_count():
        return torch.device("cuda", 0)
    return device
