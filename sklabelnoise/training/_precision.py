"""In which precision a device computes, and by which kernels: autocast, scaled losses, cuDNN's choice.

TF32 is torch's own affair: ``torch.set_float32_matmul_precision`` and ``torch.backends.cudnn`` say whether float32
products are rounded so, and nothing here touches that.
"""

import threading
from contextlib import contextmanager
from functools import cache

import torch

from sklabelnoise.training._batches import TensorData

# First generation of NVIDIA's cards that multiplies bfloat16; older ones have float16 alone.
_WITH_BFLOAT16 = (8, 0)


def _processor_has_bfloat16():
    """Whether torch has kernels for bfloat16 here. Without AVX-512 or the like it computes number by number.

    Measured on an AMD EPYC with AVX2, one thread, forward and backward: a convolution of 32 to 64 channels takes 13
    times as long as in float32, a product of 256 x 256 matrices 35 times.
    """
    asked = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return asked is not None and asked()


@cache
def autocast_dtype(amp, device):
    """The type that autocast computes in, None for no autocast.

    Parameters
    ----------
    amp : bool, "bfloat16" or "float16"
        True is what the device is quick in: bfloat16, float16 on cards without it, and no autocast on processors
        without it.
    device : str or torch.device
        What is computed on.
    """
    if not amp:
        return None
    if amp is not True:
        return getattr(torch, amp)
    device = torch.device(device)
    if device.type == "cpu" and not _processor_has_bfloat16():
        return None
    is_old = device.type == "cuda" and torch.cuda.get_device_capability(device) < _WITH_BFLOAT16
    return torch.float16 if is_old else torch.bfloat16


def loss_scaler(net):
    """What scales the loss of a net in float16, whose small derivatives would be zero; None for other types.

    A net that goes on keeps the one it has.

    Raises
    ------
    ValueError
        If the optimizer evaluates the loss by itself, and so does not know of the scale.
    """
    if autocast_dtype(net.amp, net.device) != torch.float16:
        return None
    if net.needs_closure_:
        raise ValueError(
            f"amp must not be float16 with {type(net.optimizer_).__name__}, which evaluates the loss by itself, got "
            f"amp={net.amp!r} on {net.device}."
        )
    return torch.amp.GradScaler(torch.device(net.device).type) if net.scaler_ is None else net.scaler_


def has_fixed_shapes(data):
    """Whether all batches but the last of an epoch are images of one shape."""
    return isinstance(data, TensorData) and data.X.ndim == 4


_wishes, _wishes_lock, _before = [], threading.Lock(), {}


@contextmanager
def cudnn_kernels(device, *, same_bits):
    """A block in which cuDNN chooses its kernels for images of one shape, unless a user of torch chose before.

    Parameters
    ----------
    device : torch.device
        On others than CUDA this does nothing.
    same_bits : bool
        Deterministic kernels, or those that are the fastest when tried. The switches are those of the process: where
        trainings overlap that differ in this, all are deterministic.
    """
    cudnn = torch.backends.cudnn
    if torch.device(device).type != "cuda":
        yield
        return
    with _wishes_lock:
        if not _wishes:
            _before.update(benchmark=cudnn.benchmark, deterministic=cudnn.deterministic)
        _wishes.append(same_bits)
        _apply_wishes()
    try:
        yield
    finally:
        with _wishes_lock:
            _wishes.remove(same_bits)
            _apply_wishes()


def _apply_wishes():
    cudnn = torch.backends.cudnn
    deterministic = _before["deterministic"] or any(_wishes)
    cudnn.deterministic = deterministic
    cudnn.benchmark = _before["benchmark"] or (bool(_wishes) and not deterministic)
