"""An accelerator made of rules: tensors on it can be computed with, but everything that would cost time is counted.

Its tensors report the device "meta", which every torch can schedule, and keep their numbers in memory of the host.
While :func:`simulated_device` is open

* operations on tensors of both devices are refused, as on a real one: single numbers and row numbers apart;
* a generator serves draws on its own device only, and none may come from the device's global one;
* float64 is refused where the device is said to lack it, as `mps` does;
* memory is counted, and where the device is said to have so much, it is full beyond that;
* each wait (the host reads a value) and each copy from the host is noted, with the line of the library that asks.
"""

import os
import sys
from collections import Counter
from contextlib import contextmanager, nullcontext
from functools import cache
from unittest import mock

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.device("meta")
_PACKAGE = f"{os.sep}sklabelnoise{os.sep}"
_aten = torch.ops.aten
# The number of their results, or what they return, depends on the values: the host waits.
_READ_VALUES = {
    _aten._local_scalar_dense,
    _aten.nonzero,
    _aten.masked_select,
    _aten.equal,
    _aten._unique2,
    _aten.unique_dim,
    _aten.unique_consecutive,
    _aten.is_nonzero,
}
_COPIES = (_aten._to_copy, _aten.copy_)
_BY_INDEX = (_aten.index, _aten.index_put, _aten.index_put_, _aten._index_put_impl_, _aten._unsafe_index)
# Joined tensors must be on one device even where they are single numbers.
_JOINS = (_aten.cat, _aten.stack, _aten.gather, _aten.scatter, _aten.scatter_, _aten.index_select, _aten.index_add_)
_FROM_PYTHON = {torch.tensor, torch.as_tensor, torch.asarray}
_CONVERSIONS = {torch.Tensor.tolist, torch.Tensor.numpy, *_FROM_PYTHON}
_REAL_GENERATOR = torch.Generator
_BELONGS_TO = {}


# Rows of a batch that the cost of one batch is measured with.
BATCHES = (64, 32)


class DeviceError(RuntimeError):
    """What a real accelerator would refuse."""


class DeviceTensor(torch.Tensor):
    """A tensor on the simulated device; `numbers` are its values."""

    # Unlike those of the device whose name it borrows.
    is_meta = False

    @staticmethod
    def __new__(cls, numbers):
        self = torch.Tensor._make_wrapper_subclass(
            cls,
            numbers.size(),
            strides=numbers.stride(),
            storage_offset=numbers.storage_offset(),
            dtype=numbers.dtype,
            device=DEVICE,
        )
        self.numbers = numbers
        return self

    def __repr__(self):
        return f"DeviceTensor({self.numbers})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise DeviceError(f"{func} on the simulated device, which is no longer open")


class DeviceGenerator(torch.Generator):
    """A generator that belongs to a device, the simulated one included."""

    def __new__(cls, device="cpu"):
        self = super().__new__(cls, "cpu")
        # torch hands another object around for the same generator.
        _BELONGS_TO[self._cdata] = torch.device(device)
        return self

    @property
    def device(self):
        return _BELONGS_TO[self._cdata]

    def __reduce__(self):
        return DeviceGenerator, (str(self.device),), self.get_state()

    def __setstate__(self, state):
        self.set_state(state)


class SimulatedDevice(TorchDispatchMode):
    """Runs the operations of the device and keeps the account.

    Attributes
    ----------
    waits, copies : Counter
        How often the host waited for a value, and how often it sent one, by operation and line of the library.
    refused : list of str
        What was refused; a caller may have caught the error.
    n_operations, n_launches : int
        All operations, and those that are no mere view of what is there: each is a launch at least.
    peak : int
        The most bytes that lay on the device at once.
    """

    def __init__(self, has_float64, memory):
        super().__init__()
        self.has_float64, self.memory = has_float64, memory
        self.peak, self._at_most, self._storages = 0, 0, {}
        self.waits, self.copies, self.refused = Counter(), Counter(), []
        self.n_operations = self.n_launches = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        leaves = list(_leaves((*args, *kwargs.values())))
        tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        ours = [tensor for tensor in tensors if isinstance(tensor, DeviceTensor)]
        wanted = kwargs.get("device")
        target = torch.device(wanted) if wanted is not None else (ours or tensors)[0].device if tensors else None
        on_device = target is not None and target.type == DEVICE.type
        names_device = any(isinstance(leaf, torch.device) for leaf in leaves)
        if (ours or on_device or names_device) and _is_made_up(func):
            with self:  # in inference mode what is made up of other operations arrives whole
                return func.decompose(*args, **kwargs)
        self._check_generator(func, leaves, on_device, target)
        if not ours and not on_device:
            return func(*args, **kwargs)
        self.n_operations += 1
        self.n_launches += not _is_view(func)
        self._check_devices(func, args, tensors, ours)
        self._count(func, args, kwargs, ours, on_device)
        if wanted is not None:
            kwargs["device"] = torch.device("cpu")
        if kwargs.get("pin_memory"):
            self._refuse("memory of the device can't be pinned")
        own = {id(tensor.numbers): tensor for tensor in ours}
        out = func(*_each(_numbers, args), **{name: _each(_numbers, value) for name, value in kwargs.items()})
        # A copy to the host stays there; what an operation changes in place is returned as it came.
        to_host = (func.overloadpacket is _aten._to_copy and not on_device) or (
            func.overloadpacket is _aten.copy_ and not isinstance(args[0], DeviceTensor)
        )
        if to_host:
            return args[0] if func.overloadpacket is _aten.copy_ else out
        return _each(lambda value: self._place(value, own), out)

    def _place(self, value, own):
        if not isinstance(value, torch.Tensor):
            return value
        if not self.has_float64 and value.dtype in (torch.float64, torch.complex128):
            self._refuse(f"{value.dtype} does not exist on this device")
        if id(value) in own:
            return own[id(value)]
        self._allocate(value)
        return DeviceTensor(value)

    @property
    def allocated(self):
        """Bytes that lie on the device."""
        self._storages = {key: kept for key, kept in self._storages.items() if not kept[0].expired()}
        self._at_most = sum(n_bytes for _, n_bytes in self._storages.values())
        return self._at_most

    def _allocate(self, value):
        storage = value.untyped_storage()
        kept = self._storages.get(storage._cdata)
        if kept is not None and not kept[0].expired():
            return
        n_bytes = storage.nbytes()
        # Counted exactly only where it may matter: what is gone is found by looking at everything.
        limit = self.peak if self.memory is None else min(self.peak, self.memory)
        if self._at_most + n_bytes > limit:
            needed = self.allocated + n_bytes
            if self.memory is not None and needed > self.memory:
                raise torch.cuda.OutOfMemoryError(f"the simulated device is out of memory for {n_bytes} bytes")
            self.peak = max(self.peak, needed)
        self._storages[storage._cdata] = StorageWeakRef(storage), n_bytes
        self._at_most += n_bytes

    def mem_get_info(self, device):
        """As ``torch.cuda.mem_get_info``."""
        return self.memory - self.allocated, self.memory

    def _check_generator(self, func, leaves, on_device, target):
        generators = [leaf for leaf in leaves if isinstance(leaf, _REAL_GENERATOR)]
        for generator in generators:
            device = _BELONGS_TO.get(generator._cdata, torch.device("cpu"))
            if target is not None and device.type != target.type:
                self._refuse(f"{func} draws on {target} from a generator of {device}")
        if on_device and not generators and torch.Tag.nondeterministic_seeded in func.tags:
            self._refuse(f"{func} draws from the global generator of the device")

    def _check_devices(self, func, args, tensors, ours):
        packet = func.overloadpacket
        foreign = [t for t in tensors if not isinstance(t, DeviceTensor) and (t.dim() or packet in _JOINS)]
        if packet in _BY_INDEX:
            foreign = [t for t in foreign if not any(t is index for index in args[1])]
        if ours and foreign and packet not in _COPIES:
            self._refuse(f"{func} mixes tensors of two devices")

    def _count(self, func, args, kwargs, ours, on_device):
        packet = func.overloadpacket
        reads = packet in _READ_VALUES and bool(ours)
        sends = False
        if packet is _aten._to_copy:
            sends, reads = on_device and not ours, bool(ours) and not on_device
        elif packet is _aten.copy_:
            to_device, from_device = (isinstance(tensor, DeviceTensor) for tensor in args[:2])
            sends, reads = to_device and not from_device, from_device and not to_device
        elif packet in _BY_INDEX:
            indices = [index for index in args[1] if index is not None]
            reads = any(index.dtype in (torch.bool, torch.uint8) for index in indices)
            sends = any(not isinstance(index, DeviceTensor) for index in indices)
        elif packet is _aten.repeat_interleave:
            reads = kwargs.get("output_size") is None
        if reads:
            self.waits[f"{packet.__name__} at {_line()}"] += 1
        if sends:
            self.copies[f"{packet.__name__} at {_line()}"] += 1

    def _refuse(self, what):
        self.refused.append(f"{what}, at {_line()}")
        raise DeviceError(self.refused[-1])


class _Conversions(TorchFunctionMode):
    """What goes past the dispatcher on its way from and to Python; here it is copied, as it really is."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func not in _CONVERSIONS:
            return func(*args, **kwargs)
        if func is torch.Tensor.tolist and isinstance(args[0], DeviceTensor):
            return args[0].cpu().tolist()
        if func is torch.Tensor.numpy and isinstance(args[0], DeviceTensor):
            if not kwargs.get("force"):
                raise TypeError("a tensor on the simulated device has no array; copy it to the host first")
            return args[0].detach().cpu().numpy()
        if func in _FROM_PYTHON and kwargs.get("device") is not None:
            device = torch.device(kwargs.pop("device"))
            requires_grad = kwargs.pop("requires_grad", False)
            made = func(*args, **kwargs).to(device)
            return made.requires_grad_() if requires_grad else made
        return func(*args, **kwargs)


@contextmanager
def simulated_device(*, has_float64=True, memory=None):
    """Open the simulated device in this thread.

    Parameters
    ----------
    has_float64 : bool, default=True
        Whether it knows double precision.
    memory : int, default=None
        Bytes that it has, which it tells as CUDA does; None for no bound.

    Yields
    ------
    device : SimulatedDevice
    """
    device = SimulatedDevice(has_float64, memory)
    known = nullcontext() if memory is None else mock.patch.object(torch, DEVICE.type, device, create=True)
    with mock.patch.object(torch, "Generator", DeviceGenerator), known, device, _Conversions():
        yield device


def per_batch(run, **options):
    """What `run(batch_size)` pays for each batch more: waits and copies, by operation and line."""
    seen = []
    for batch_size in BATCHES:
        with simulated_device(**options) as device:
            run(batch_size)
        assert device.refused == []
        assert device.n_operations > 0
        seen.append(device)
    few, many = seen
    # counters of what the second run has more; what it has less would be as telling
    assert not few.waits - many.waits and not few.copies - many.copies
    return {"waits": dict(many.waits - few.waits), "copies": dict(many.copies - few.copies)}


def _leaves(values):
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _leaves(value)
        else:
            yield value


def _each(function, value):
    """What an operation takes or returns, each tensor of it changed."""
    if isinstance(value, (list, tuple)):
        return type(value)([_each(function, part) for part in value])
    return function(value)


@cache
def _is_made_up(func):
    made_of = torch._C.DispatchKey.CompositeImplicitAutograd
    return made_of in func.py_kernels or torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), made_of)


@cache
def _is_view(func):
    schema = func._schema
    return not schema.is_mutable and any(returned.alias_info is not None for returned in schema.returns)


def _numbers(value):
    return value.numbers if isinstance(value, DeviceTensor) else value


def _line():
    """The innermost line of the library."""
    frame = sys._getframe()
    while frame is not None:
        path = frame.f_code.co_filename
        if _PACKAGE in path and f"{os.sep}tests{os.sep}" not in path:
            return f"{path.rpartition(_PACKAGE)[2]}:{frame.f_lineno}"
        frame = frame.f_back
    return "a caller"
