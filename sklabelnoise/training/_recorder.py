"""What is asked of a GPU, recorded in a CUDA graph and asked for again by one launch."""

import gc
import itertools
import os
import threading
from contextlib import contextmanager
from functools import cache

import torch

from sklabelnoise._compat import forget_recording, register_generator, under_modes

# Types of devices that can record. AMD's go by the same name, and were never tried.
DEVICES = ("cuda",) if torch.version.hip is None else ()
# Steps to be replayed for which recording pays: it takes the host about as long as ten steps.
_WORTH = 50
# Products of a number and a parameter in a step that takes a GPU longer than the host takes to ask for it: to record it
# would double its memory for nothing.
_LARGE = 2**33
# Recordings after which torch is asked for the memory of those that are gone: it keeps some MiB of each until it finds
# no more, whoever else may want them, and to give everything back at once takes some milliseconds.
_KEPT = 32
_n_closed = itertools.count(1)


def pays(n_steps, parameters, batch_size):
    """Whether to record a step pays.

    Parameters
    ----------
    n_steps : int
        How often it will be taken.
    parameters : iterable of Tensor
        What is trained.
    batch_size : int
        Rows that each parameter meets in a step.
    """
    return n_steps >= _WORTH and batch_size * sum(p.numel() for p in parameters) <= _LARGE


def is_undisturbed(device):
    """Whether what this thread asks a device for can be recorded now: nobody hears of it, adds to it, or waits for it.

    A failure to record is not left to chance: torch is not made for going on after one.
    """
    return (
        # Operations that other threads ask for meanwhile must not be recorded with ours, nor fail because of it.
        threading.current_thread() is threading.main_thread()
        and not under_modes()
        # which looks at each derivative
        and not torch.is_anomaly_enabled()
        # where older versions of torch look at the places that something is written to
        and not torch.are_deterministic_algorithms_enabled()
        # which keeps copies of parameters from one step to the next
        and not torch.is_autocast_enabled(device.type)
        # by which somebody wants to know which operation fails
        and os.environ.get("CUDA_LAUNCH_BLOCKING", "0") == "0"
        and (device.type != "cuda" or _keeps_memory_apart())
    )


def _keeps_memory_apart():
    """Whether the memory of a recording is given to nobody else: allocators of a user's know of no recordings."""
    return torch.cuda.get_allocator_backend() == "native" and "PYTORCH_NO_CUDA_MEMORY_CACHING" not in os.environ


class Recorder:
    """Records what is asked of a GPU, on a stream of its own: the usual one can't be recorded.

    Parameters
    ----------
    device : torch.device
        The GPU.
    """

    def __init__(self, device):
        self._device = device

    def warm_up(self, function):
        """Call a function on the stream on which is recorded, so that what libraries keep for each stream is there."""
        with self._aside():
            return function()

    def record(self, function, generators):
        """A :class:`Recording` of what a function asks for.

        Parameters
        ----------
        function : callable
            What it makes for others it has to write into tensors that were there before.
        generators : list of torch.Generator
            Those it draws from, beside torch's own.
        """
        with self._aside() as stream, _without_garbage_collection():
            graph, pool = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle()
            for generator in generators:
                register_generator(graph, generator)
            try:
                graph.capture_begin(pool, capture_error_mode="thread_local")
                function()
                graph.capture_end()
            except BaseException:
                _give_up(graph, pool, stream.device, generators)
                raise
        return Recording(graph)

    @contextmanager
    def _aside(self):
        usual = torch.cuda.current_stream(self._device)
        stream = _stream(usual.device)
        stream.wait_stream(usual)
        try:
            with torch.cuda.stream(stream):
                yield stream
        finally:
            usual.wait_stream(stream)


def _give_up(graph, pool, device, generators):
    """End a recording in which something failed, or was interrupted."""
    try:
        graph.capture_end()
    except RuntimeError:
        graph.reset()
        forget_recording(pool, device, [torch.cuda.default_generators[device.index], *generators])
    else:
        graph.reset()


class Recording:
    """Operations that a GPU does again at one request.

    Parameters
    ----------
    graph : torch.cuda.CUDAGraph
        The operations.
    """

    def __init__(self, graph):
        self._graph = graph

    def replay(self):
        self._graph.replay()

    def close(self):
        self._graph.reset()
        if next(_n_closed) % _KEPT == 0:
            torch.cuda.empty_cache()


@cache
def _stream(device):
    # One for all recordings: cuBLAS keeps a workspace for each stream that it has met.
    return torch.cuda.Stream(device)


@contextmanager
def _without_garbage_collection():
    """A block in which Python destroys no objects in cycles, whose end on the GPU must not be recorded."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
