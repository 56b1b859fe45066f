"""Several processes train the network of one: to the digit in float64, and never waiting for one that failed.

The slow laws connect them as ``torchrun`` does, by gloo on the CPU; the others let threads stand for them.
"""

import copy
import os
import pickle
import re
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from torch import nn
from torch.utils.data import Dataset

from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise.modules._draws import dropout
from sklabelnoise.training import _processes
from sklabelnoise.training._data_parallel import (
    _remember,
    _synced_statistics,
    notify_together,
    training_together,
)
from sklabelnoise.training._processes import Processes

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch is built without torch.distributed")

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "data_parallel"
# What is tested here may wait for ever, and on a busy machine importing torch in each process takes a minute.
SECONDS = 560


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def start(command, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.Popen(list(map(str, command)), env=environment, cwd=ROOT, start_new_session=True)
    try:
        assert process.wait(timeout=SECONDS) == 0
    finally:
        # with the processes that it started
        if process.poll() is None:
            os.killpg(process.pid, 9)


def told(folder, n_processes):
    """What each process wrote, in their order."""
    return [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in range(n_processes)]


class Threads:
    """Stands for ``torch.distributed``: threads in place of processes, so that these laws cost no start of any."""

    is_available = is_initialized = staticmethod(lambda: True)

    def __init__(self, size):
        self.size, self.own = size, threading.local()
        self.told, self.all_here = [None] * size, threading.Barrier(size)

    def train(self, make, *given, times=1, **more):
        """What `make` makes, fitted by each some times over, in their order."""

        def fit(rank):
            self.own.rank, model = rank, make()
            try:
                for _ in range(times):
                    model.fit(*given, **more)
                return model
            except BaseException:
                self.all_here.abort()
                raise

        store = mock.Mock(check=lambda keys: False)
        replaced = {"distributed": self, "default_store": lambda: store}
        with mock.patch.multiple(_processes, **replaced), ThreadPoolExecutor(self.size) as pool:
            return list(pool.map(fit, range(self.size)))

    def exchange(self, value):
        self.told[self.own.rank] = copy.deepcopy(value)
        self.all_here.wait(timeout=SECONDS)
        values = list(self.told)
        self.all_here.wait(timeout=SECONDS)
        return values

    def get_rank(self):
        return self.own.rank

    def get_world_size(self):
        return self.size

    def new_group(self, backend):
        return backend

    def destroy_process_group(self, group):
        pass

    def barrier(self, group):
        self.exchange(None)

    def all_gather_object(self, values, value, group):
        values[:] = self.exchange(value)

    def broadcast_object_list(self, values, src, group):
        values[:] = self.exchange(values)[src]

    def all_reduce(self, tensor, group):
        tensor.copy_(sum(self.exchange(tensor.detach())))

    def all_gather(self, parts, tensor, group):
        for part, value in zip(parts, self.exchange(tensor.detach()), strict=True):
            part.copy_(value)

    def broadcast(self, tensor, src, group):
        tensor.copy_(self.exchange(tensor.detach())[src])


class Normalized(nn.Module):
    """Normalizes over the batch in every way that there is."""

    def __init__(self, n_classes):
        super().__init__()
        self.first, self.second = nn.BatchNorm2d(2, track_running_stats=False), nn.BatchNorm3d(2, momentum=None)
        self.output, self.last = nn.Linear(2, n_classes), nn.BatchNorm1d(n_classes, affine=False, eps=0.1)

    def forward(self, x):
        return self.last(self.output(self.second(self.first(x).relu()[:, :, None]).mean((2, 3, 4))))


class Items(Dataset):
    """97 rows and their labels: the last batch of 24 is one row, of which some processes have none."""

    rng = np.random.default_rng(0)
    labels = np.arange(97) % 3
    rows = (2 * np.eye(3, 5)[labels] + rng.normal(size=(97, 5))).astype(np.float32)
    weight = rng.uniform(0.5, 2, size=97)

    def __len__(self):
        return 97

    def __getitem__(self, i):
        return self.rows[i], self.labels[i]


TABLE = Items.rows.astype(float), Items.labels
PICTURES = Items.rows[:96, :4].reshape(96, 1, 2, 2).repeat(2, 1).astype(float) * [[[[1]], [[-2]]]], Items.labels[:96]
HELD_OUT = {"X_val": PICTURES[0][:3] * 3 + 1, "y_val": [0, 1, 2]}
SHARED = {"batch_size": 24, "max_epochs": 2, "random_state": 0, "accelerator": "auto", "device": "cpu"}
TOGETHER = {
    "weights": (DMClassifier, {"class_weight": "balanced"}, TABLE, {"sample_weight": Items.weight}),
    "rows that a loss remembers": (RobustLossClassifier, {"loss": "elr"}, TABLE, {}),
    "norms": (
        DMClassifier,
        {"module": Normalized, "augment": False},
        PICTURES,
        HELD_OUT,
    ),
    "a Dataset": (DMClassifier, {}, (Items(),), {"sample_weight": Items.weight}),
    "a Dataset in turn": (DMClassifier, {"iterator_train__shuffle": False}, (Items(), Items.labels), {}),
}


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("name", TOGETHER)
def test_those_who_train_together_train_the_network_of_one(name, size):
    kind, params, given, more = TOGETHER[name]
    one = kind(**SHARED, **params).fit(*given, **more)
    rows = Items.rows if isinstance(given[0], Items) else given[0]
    tolerance = {"rtol": 1e-3, "atol": 1e-4} if isinstance(given[0], Items) else {"rtol": 1e-7, "atol": 1e-9}
    for fitted in Threads(size).train(lambda: kind(**SHARED, **params), *given, **more):
        np.testing.assert_allclose(fitted.predict_proba(rows), one.predict_proba(rows), **tolerance)
        histories = (model.history_.drop(columns="seconds") for model in (fitted, one))
        np.testing.assert_allclose(*histories, **tolerance)
        for ours, theirs in zip(*(model.module_.state_dict().values() for model in (fitted, one)), strict=True):
            torch.testing.assert_close(ours, theirs, **tolerance)
        assert not any("forward" in vars(layer) for layer in fitted.module_.modules())
        # and alone it evaluates as ever
        assert fitted.module_(torch.as_tensor(rows[:1])).shape == (1, 3)


class Seen(nn.Module):
    """Notes which of its rows a dropout keeps, and their mean; every process begins with numbers of its own."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.output, self.kept = nn.Linear(n_features, n_classes), []
        own = threading.get_ident() % 1000 / 1e4
        nn.init.constant_(self.output.weight, own)
        self.register_buffer("mean", torch.tensor(own))
        self.means = []

    def forward(self, x):
        dropped = dropout(torch.ones_like(x), 0.5, self.training)
        if self.training:
            self.kept.append(dropped > 0)
            self.means.append(self.mean.item())
            self.mean.copy_(x.mean())
        return self.output(x * dropped)


def test_each_of_them_drops_and_augments_by_draws_of_its_own_and_has_the_weights_of_all():
    shifts = []

    def shift(batch, generator):
        shifts.append(torch.randn(4, generator=generator))
        return batch

    X, y = TABLE[0][:96], TABLE[1][:96]
    params = {**SHARED, "batch_size": 96, "augment": shift, "warm_start": True}
    first, second = Threads(2).train(lambda: DMClassifier(Seen, **params), X, y, times=3)
    assert torch.equal(first.module_.output.weight, second.module_.output.weight)
    assert torch.equal(first.module_.mean, second.module_.mean)
    assert first.module_.means[0] == second.module_.means[0] and first.module_.means[1] != second.module_.means[1]
    first, second = first.module_.kept, second.module_.kept
    assert len(first) == len(second) == 6 and first[0].shape == (48, 5)
    assert not any(torch.equal(a, b) for a, b in combinations([*first, *second], 2))
    assert not any(torch.equal(a, b) for a, b in combinations(shifts, 2))


def test_statistics_that_no_batch_has_a_share_in_stay():
    layer = nn.BatchNorm1d(2, momentum=0.0)
    _remember(layer, torch.ones(2), torch.full((2,), 3.0))
    assert layer.running_mean.tolist() == [0, 0] and layer.running_var.tolist() == [1, 1]


def test_an_interrupt_is_no_planned_end():
    def interrupted():
        raise KeyboardInterrupt

    net = SimpleNamespace(callbacks_=[], wants_to_stop_=False)
    with pytest.raises(KeyboardInterrupt):
        notify_together(net, interrupted, None, ends_epoch=True)
    assert not net.wants_to_stop_


def test_a_training_that_goes_on_forgets_the_end_of_the_one_before():
    net = SimpleNamespace(compile=False, wants_to_stop_=True, module_=nn.Linear(2, 2))
    with training_together(net, mock.Mock()):
        assert not net.wants_to_stop_


def test_a_layer_whose_forward_was_put_in_place_keeps_it():
    network = Normalized(3)
    own = network.last.forward = lambda x: x
    with pytest.raises(ZeroDivisionError), _synced_statistics(network, None):
        assert network.last.forward is not own and "forward" in vars(network.first)
        raise ZeroDivisionError
    assert network.last.forward is own and "forward" not in vars(network.first)


@pytest.mark.parametrize("n", [0, 1, 5, 24])
@pytest.mark.parametrize("size", [1, 3, 4])
def test_parts_of_a_batch_are_all_its_rows_and_differ_by_one_at_most(n, size):
    parts = [Processes.part(SimpleNamespace(rank=rank, size=size), n) for rank in range(size)]
    assert np.concatenate([np.arange(n)[part] for part in parts]).tolist() == list(range(n))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.slow
def test_one_two_and_four_processes_train_the_same_network(tmp_path):
    start([sys.executable, SCRIPTS / "forked.py", SCRIPTS / "equal.py", tmp_path, free_port(), 1, 2, 4])
    (one,) = told(tmp_path / "1", 1)
    for n_processes in (2, 4):
        for of_process in told(tmp_path / str(n_processes), n_processes):
            assert len(of_process) == len(one) if n_processes == 2 else len(of_process) > 5
            for case, got in of_process.items():
                expected = one[case]
                assert got["processes"] == n_processes
                assert got["columns"] == expected["columns"], case
                # float32 where X is a Dataset
                rtol, atol = (1e-3, 1e-4) if expected["single"] else (1e-5, 1e-6)
                for name, values in expected["values"].items():
                    what = f"{case}: {name} of {n_processes} processes"
                    np.testing.assert_allclose(got["values"][name], values, rtol=rtol, atol=atol, err_msg=what)


@pytest.mark.slow
def test_no_process_waits_for_one_that_failed(tmp_path):
    start([sys.executable, SCRIPTS / "forked.py", SCRIPTS / "failing.py", tmp_path, free_port(), 2])
    first, second = told(tmp_path / "2", 2)
    unequal = {
        "classes": r"classes must be the same, got \['a', 'b', 'c'\] in process 0, \['a', 'b', 'd'\] in process 1\.",
        "rows": r"number of rows must be the same, got 96 in process 0, 90 in process 1\.",
        "order": "labels must be the same, got",
        "batches": r"batches of an epoch must be the same, got 4 in process 0, 6 in process 1\.",
        "network": r"module__hidden must be the same, got \(8,\) in process 0, \(6,\) in process 1\.",
        "own network": r"shapes of the network's parameters must be the same, got \[\(8, 5\), ",
        "loss": r"beta must be the same, got 8\.0 in process 0, 2\.0 in process 1\.",
        "held out": r"number of held-out rows must be the same, got 0 in process 0, 20 in process 1\.",
    }
    for case, message in unequal.items():
        for said in (first[case], second[case]):
            assert re.match(f"ValueError: All processes must call fit with the same rows.*: {message}", said), said
    assert first["compile"] == second["compile"]
    assert first["compile"].startswith("ValueError: compile must be False where processes train together")
    unreadable = "ValueError: X is a Dataset whose item 7 cannot be read, got OSError('the disk is gone')"
    alone = {
        "unreadable rows": "ValueError: Input X contains NaN",
        "dataset": unreadable,
        "dataset in a worker": unreadable,
        "callback": "ZeroDivisionError: division by zero",
        "interrupt": "KeyboardInterrupt",
    }
    for case, message in alone.items():
        assert message in second[case], second[case]
        ended = f"EndedByOther: Training on 2 processes ended, as process 1 of 2 failed: {message}"
        assert first[case].startswith(ended.partition("\n")[0]), first[case]
    # what one ends as planned ends for both, and after failures they train again
    assert first["stop"] == second["stop"] == "3 epochs"
    assert first["kept"] == second["kept"] == "the old network"
    assert first["after"] == second["after"]


@pytest.mark.slow
@pytest.mark.parametrize("connected_by", ["torchrun", "accelerate"])
def test_processes_of_a_launcher_train_together_whoever_connects_them(tmp_path, connected_by):
    """``accelerate launch`` starts processes on GPUs by torchrun's own code; on a CPU it would need MPI."""
    if connected_by == "accelerate":
        pytest.importorskip("accelerate", reason="accelerate is not installed")
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", 2, "--master-port", free_port()]
    start([sys.executable, *launcher, SCRIPTS / "launched.py", tmp_path, connected_by])
    first, second = told(tmp_path, 2)
    assert first["processes"] == second["processes"] == 2
    np.testing.assert_array_equal(first["weights"], second["weights"])


def test_one_process_needs_no_others(blobs):
    X, y = blobs
    alone, wanted = (
        DMClassifier(max_epochs=2, random_state=0, **more).fit(X, y) for more in ({}, {"accelerator": "auto"})
    )
    np.testing.assert_array_equal(alone.predict_proba(X), wanted.predict_proba(X))
    with pytest.raises(ValueError, match="The 'accelerator' parameter of DMClassifier must be"):
        DMClassifier(accelerator="gpu").fit(X, y)


@pytest.mark.slow  # two workers that import torch
def test_a_worker_of_joblib_under_a_launcher_trains_alone(blobs, monkeypatch):
    """It inherits the variables that tell processes of each other, and would wait for them."""
    X, y = blobs
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    model = DMClassifier(max_epochs=1, accelerator="auto", random_state=0)
    fitted = Parallel(n_jobs=2)(delayed(type(model).fit)(model, X, y) for _ in range(2))
    assert [one.n_iter_ for one in fitted] == [1, 1]
