"""Which device a process trains on: each worker of a search, and each process of a training, has its own."""

import multiprocessing
import time
from types import SimpleNamespace
from unittest import mock

import pytest
import torch
from joblib import Parallel, delayed

from sklabelnoise import DMClassifier
from sklabelnoise.training import _device
from sklabelnoise.training._device import device_here, resolve_device
from sklabelnoise.training._workers import worker_number


@pytest.fixture
def three_devices():
    with simulated_count(3):
        yield


def simulated_count(n):
    cuda = {"is_available": lambda: n > 0, "device_count": lambda: n, "current_device": lambda: 0}
    return mock.patch.multiple(torch.cuda, **cuda)


def device_of_worker():
    time.sleep(0.5)  # so that each worker has some of the tasks
    with simulated_count(2):
        return str(resolve_device("auto"))


@pytest.mark.slow
def test_workers_of_joblib_take_devices_in_turn():
    assert set(Parallel(n_jobs=2)(delayed(device_of_worker)() for _ in range(6))) == {"cuda:0", "cuda:1"}


@pytest.mark.parametrize(
    "name, number",
    [
        ("LokyProcess-1", 0),
        ("LokyProcess-12", 11),
        ("ForkPoolWorker-3", 2),
        ("Process-2", 1),
        ("MainProcess", None),
        ("Dask Worker process (from Nanny)", None),
    ],
)
def test_a_worker_is_known_by_its_name(name, number):
    with mock.patch.object(multiprocessing, "current_process", lambda: SimpleNamespace(name=name)):
        assert worker_number() == number


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_the_workers_are_counted_round_the_devices(three_devices, device):
    with mock.patch.object(_device, "worker_number", side_effect=[0, 1, 2, 3, 4]):
        found = [str(resolve_device(device)) for _ in range(5)]
    assert found == ["cuda:0", "cuda:1", "cuda:2", "cuda:0", "cuda:1"]


def test_what_a_user_says_is_done_in_workers_too(three_devices):
    with mock.patch.object(_device, "worker_number", return_value=1):
        assert str(resolve_device("cuda:2")) == "cuda:2"
        assert str(resolve_device("cpu")) == "cpu"


def test_a_process_that_trains_with_others_takes_the_device_of_its_rank(three_devices):
    with mock.patch.object(_device, "current_processes", return_value=SimpleNamespace(local_rank=2)):
        assert str(resolve_device("auto")) == "cuda:2"
    with mock.patch.object(_device, "current_processes", return_value=SimpleNamespace(local_rank=3)):
        with pytest.raises(ValueError, match=r"one of the 3 CUDA devices of this machine, .*, got cuda:3\."):
            resolve_device("auto")


def test_a_device_this_machine_lacks_is_named(three_devices):
    with pytest.raises(ValueError, match=r"one of the 3 CUDA devices of this machine, .*, got cuda:7\."):
        resolve_device("cuda:7")
    with simulated_count(0), pytest.raises(ValueError, match="must be 'auto' or 'cpu' where torch sees no CUDA device"):
        resolve_device("cuda")


@pytest.mark.parametrize("device", ["mps", "xpu", torch.device("vulkan")])
def test_another_device_this_machine_lacks_is_named(device):
    if torch.device(device).type == "mps" and torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    message = f"device must be 'auto' or one that this machine has, got '{device!s}'"
    with pytest.raises(ValueError, match=message):
        resolve_device(device)
    with pytest.raises(ValueError, match=message):
        DMClassifier(device=device, max_epochs=1).fit([[0.0], [1.0]], [0, 1])


def test_a_net_of_a_larger_machine_comes_to_the_first_device(three_devices):
    assert str(device_here("cuda:5")) == "cuda:0"
    assert str(device_here("cuda:2")) == "cuda:2"
    assert str(device_here("cpu")) == "cpu"


def test_the_thread_of_backward_passes_computes_before_a_product_of_matrices(monkeypatch):
    # cuBLAS warns where it is the first to compute in a thread; that this is enough only a GPU can show
    went_back = []
    monkeypatch.setattr(_device, "_go_back_once", went_back.append)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 2)
    for device in ("cpu", "cuda", torch.device("cuda:1")):
        _device.open_backward_thread(device)
    assert went_back == [2, 1]
