"""A recorder asks torch for a recording as torch wants to be asked, and leaves nothing behind, whatever happens.

Here torch's graphs are stand-ins that note what they are asked for; tests/test_gpu.py asks real ones.
"""

import gc
import runpy
import threading
from contextlib import nullcontext
from itertools import pairwise
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sklabelnoise import _compat
from sklabelnoise.training import _recorder
from sklabelnoise.training._recorder import _KEPT, Recorder, Recording, is_undisturbed, pays

CPU = torch.device("cpu")


class Stream:
    device = torch.device("cuda", 1)

    def __init__(self, name, noted):
        self.name, self.noted = name, noted

    def wait_stream(self, other):
        self.noted.append(f"{self.name} waits for {other.name}")


class Generator:
    def __init__(self, name, noted):
        self.name, self.noted = name, noted

    def clone_state(self):
        return f"clone of {self.name}"

    def graphsafe_set_state(self, state):
        self.noted.append(f"{self.name} is {state}")


@pytest.fixture
def noted(monkeypatch):
    """What a GPU with the number 1 is asked for, one string each; `fails` names the calls of a graph that fail."""
    noted = Noted()

    class Graph:
        def register_generator_state(self, generator):
            noted.append(f"registered {generator.name}")

        def capture_begin(self, pool, capture_error_mode):
            assert capture_error_mode == "thread_local"
            noted.call(f"begin in {pool}")

        def capture_end(self):
            noted.call("end")

        def replay(self):
            noted.call("replay")

        def reset(self):
            noted.append("reset")

    def let_go(name):
        def call(index, pool):
            noted.append(f"{name} {index} {pool}")
            if name == "left" and not noted.is_in_pool:
                raise RuntimeError("not currently recording")

        return call

    usual, aside = Stream("usual", noted), Stream("aside", noted)
    monkeypatch.setattr(_recorder, "_stream", {Stream.device: aside}.__getitem__)
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion("2.11.0"))
    for name, value in {
        "CUDAGraph": Graph,
        "graph_pool_handle": lambda: "pool",
        "current_stream": lambda device: usual,
        "stream": lambda stream: nullcontext(),
        "default_generators": [None, Generator("torch's", noted)],
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch._C, "_cuda_endAllocateToPool", let_go("left"), raising=False)
    monkeypatch.setattr(torch._C, "_cuda_releasePool", let_go("released"), raising=False)
    return noted


class Noted(list):
    fails, is_in_pool = (), True

    def call(self, what):
        self.append(what)
        if what.partition(" ")[0] in self.fails:
            raise RuntimeError(f"{what}: operation failed due to a previous error during capture")

    def record(self, error=None):
        def function():
            self.append("function")
            if error is not None:
                raise error

        return Recorder(Stream.device).record(function, [Generator("ours", self)])


BEGUN = ["aside waits for usual", "registered ours", "begin in pool"]


def test_a_recording_is_made_on_a_stream_of_its_own(noted):
    noted.record().replay()
    assert noted == [*BEGUN, "function", "end", "usual waits for aside", "replay"]


@pytest.mark.parametrize("is_collecting", [True, False])
def test_while_it_records_no_garbage_is_collected_and_then_as_before(noted, is_collecting):
    was_collecting, seen = gc.isenabled(), []
    try:
        (gc.enable if is_collecting else gc.disable)()
        Recorder(Stream.device).record(lambda: seen.append(gc.isenabled()), [])
        seen.append(gc.isenabled())
        with pytest.raises(ValueError, match="by itself"):
            noted.record(ValueError("by itself"))
        seen.append(gc.isenabled())
    finally:
        (gc.enable if was_collecting else gc.disable)()
    assert seen == [False, is_collecting, is_collecting]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_recording_in_which_something_fails_is_ended(noted, error):
    with pytest.raises(error, match="by itself"):
        noted.record(error("by itself"))
    assert noted == [*BEGUN, "function", "end", "reset", "usual waits for aside"]


@pytest.mark.parametrize("fails", ["begin", "end"])
def test_after_a_recording_that_torch_gives_up_memory_and_generators_are_as_they_were(noted, fails):
    # an operation that can't be recorded, or a Ctrl-C between two operations: torch ends nothing then
    noted.fails = ("begin", "end") if fails == "begin" else ("end",)
    with pytest.raises(RuntimeError, match=fails):
        noted.record()
    asked = [*BEGUN, "end"] if fails == "begin" else [*BEGUN, "function", "end", "end"]
    memory = ["left 1 pool", "released 1 pool"]
    generators = ["torch's is clone of torch's", "ours is clone of ours"]
    assert noted == [*asked, "reset", *memory, *generators, "usual waits for aside"]


def test_memory_of_a_recording_is_released_once(noted):
    noted.fails, noted.is_in_pool = ("end",), False  # as torch 2.13 leaves it
    with pytest.raises(RuntimeError):
        noted.record()
    assert "left 1 pool" in noted and "released 1 pool" not in noted


def test_torch_2_4_calls_the_end_of_a_pool_otherwise(noted, monkeypatch):
    end = torch._C._cuda_endAllocateToPool
    monkeypatch.delattr(torch._C, "_cuda_endAllocateToPool")
    monkeypatch.setattr(torch._C, "_cuda_endAllocateCurrentStreamToPool", end, raising=False)
    noted.fails = ("end",)
    with pytest.raises(RuntimeError):
        noted.record()
    assert "left 1 pool" in noted and "released 1 pool" in noted


def test_newer_torch_is_told_of_no_generator(noted, monkeypatch):
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion("2.14.0"))
    noted.record()
    noted.fails = ("end",)
    with pytest.raises(RuntimeError):
        noted.record()
    assert not any("ours" in what or "torch's" in what for what in noted)


def test_the_usual_stream_waits_for_what_was_interrupted(noted):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Recorder(Stream.device).warm_up(interrupted)
    assert noted == ["aside waits for usual", "usual waits for aside"]


class Graph:
    n_reset = 0

    def reset(self):
        Graph.n_reset += 1


def test_memory_of_recordings_that_are_gone_is_given_back_after_some_of_them(monkeypatch):
    given_back = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(Graph.n_reset))
    for _ in range(4 * _KEPT):
        Recording(Graph()).close()
    assert len(given_back) == 4
    assert {later - earlier for earlier, later in pairwise(given_back)} == {_KEPT}


def test_steps_that_are_few_or_large_are_not_worth_it():
    small, large = torch.empty(100, 100, device="meta"), torch.empty(10_000, 10_000, device="meta")
    assert pays(50, [small], 256)
    assert not pays(49, [small], 256)
    assert not pays(1_000, [small, large], 256)
    assert pays(1_000, [small, large], 16)


class Hears(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class HearsFunctions(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Deterministic:
    def __enter__(self):
        torch.use_deterministic_algorithms(True)

    def __exit__(self, *error):
        torch.use_deterministic_algorithms(False)


DISTURBANCES = {
    "operations are heard of": Hears,
    "functions are heard of": HearsFunctions,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "deterministic": Deterministic,
    "saved tensors are heard of": torch.autograd.graph.save_on_cpu,
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("name", DISTURBANCES)
def test_nothing_is_recorded_where_somebody_hears_of_it_or_adds_to_it(name):
    if name.startswith("saved") and not hasattr(torch._C._autograd, "_top_saved_tensors_default_hooks"):
        pytest.skip("torch before 2.8 does not say")
    assert is_undisturbed(CPU)
    with DISTURBANCES[name]():
        assert not is_undisturbed(CPU)
    assert is_undisturbed(CPU)


def test_nothing_is_recorded_beside_the_main_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(is_undisturbed(CPU)))
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.parametrize("backend", ["native", "cudaMallocAsync", "pluggable"])
@pytest.mark.parametrize("caches", [True, False])
def test_nothing_is_recorded_in_memory_that_others_get(monkeypatch, backend, caches):
    monkeypatch.setattr(torch.cuda, "get_allocator_backend", lambda: backend)
    monkeypatch.delenv("PYTORCH_NO_CUDA_MEMORY_CACHING", raising=False)
    if not caches:
        monkeypatch.setenv("PYTORCH_NO_CUDA_MEMORY_CACHING", "1")
    assert is_undisturbed(torch.device("cuda", 0)) == (backend == "native" and caches)


@pytest.mark.parametrize("waits", ["0", "1"])
def test_nothing_is_recorded_where_the_host_waits_for_each_operation(monkeypatch, waits):
    monkeypatch.setenv("CUDA_LAUNCH_BLOCKING", waits)
    assert is_undisturbed(CPU) == (waits == "0")


@pytest.mark.parametrize("version", [None, "6.4"])
def test_a_device_of_amd_does_not_record(version):
    with mock.patch.object(torch.version, "hip", version):
        assert runpy.run_path(_recorder.__file__)["DEVICES"] == (("cuda",) if version is None else ())


def test_a_layer_that_was_compiled_in_place_is_known():
    layer = torch.nn.Linear(1, 1)
    assert not _compat.is_compiled_in_place(layer)
    with mock.patch.object(torch, "compile", lambda call, **kwargs: call):
        layer.compile()
    assert _compat.is_compiled_in_place(layer)
    assert not _compat.is_compiled_in_place(SimpleNamespace(_compiled_call_impl=None))
