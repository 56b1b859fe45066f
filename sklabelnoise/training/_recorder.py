"""What is asked of a GPU, recorded in a CUDA graph and asked for again by one launch."""

import gc
import itertools
from contextlib import contextmanager, suppress
from functools import cache

import torch

# Types of devices that can record.
DEVICES = ("cuda",)
# Recordings after which torch is asked for the memory of those that are gone: it keeps some MiB of each until it finds
# no more, whoever else may want them, and to give everything back at once takes some milliseconds.
_KEPT = 32
_n_closed = itertools.count(1)


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
        graph = torch.cuda.CUDAGraph()
        with self._aside(), _without_garbage_collection():
            for generator in generators:
                graph.register_generator_state(generator)
            graph.capture_begin(capture_error_mode="thread_local")
            try:
                function()
            except BaseException:
                with suppress(RuntimeError):
                    graph.capture_end()
                raise
            graph.capture_end()
        return Recording(graph)

    @contextmanager
    def _aside(self):
        usual = torch.cuda.current_stream(self._device)
        stream = _stream(usual.device)
        stream.wait_stream(usual)
        with torch.cuda.stream(stream):
            yield
        usual.wait_stream(stream)


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
