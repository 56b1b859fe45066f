"""Rows that an accelerator can't hold go through it by batches, and a full one says what was free.

The device is simulated (`tests.simulated_device`) with little memory.
"""

import numpy as np
import pytest
import scipy.sparse
import torch
from torch import nn

from sklabelnoise import (
    DMClassifier,
)
from sklabelnoise.training._batches import TensorBatches, TensorData
from sklabelnoise.training._streams import BATCHES_ON_DEVICE
from tests.simulated_device import DEVICE, per_batch, simulated_device

N, N_CLASSES = 192, 3


def parameters(batch_size, **more):
    return {"device": DEVICE.type, "batch_size": batch_size, "max_epochs": 2, "random_state": 0, **more}


WIDE = 256  # numbers in a row, so that labels and row numbers are little beside them


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(3)
    y = np.arange(768) % N_CLASSES
    return (np.eye(N_CLASSES, WIDE)[y] + rng.normal(size=(len(y), WIDE))).astype(np.float32), y


def as_kind(X, kind, folder):
    if kind == "sparse":
        return scipy.sparse.csr_matrix(X)
    if kind == "images":
        return X.reshape(-1, 1, 16, 16)
    if kind == "memmap":
        np.save(folder / f"{len(X)}.npy", X)
        return np.load(folder / f"{len(X)}.npy", mmap_mode="r")
    return X


@pytest.mark.parametrize("kind", ["array", "memmap", "sparse", "images"])
def test_rows_that_do_not_fit_on_the_device_go_through_it_by_batches(wide, tmp_path, kind):
    """Peak memory does not grow with the rows but by their labels, weights and order."""
    X, y = wide
    network = {"module": OwnImageStack, "augment": False} if kind == "images" else {"module__hidden": (4,)}
    batch_bytes = 32 * WIDE * 4
    sizes = (len(X) // 2, len(X))
    peaks = []
    for n in sizes:
        rows = as_kind(X[:n], kind, tmp_path)
        with simulated_device(memory=11 * batch_bytes) as device:
            model = DMClassifier(**parameters(32, **network)).fit(rows, y[:n], sample_weight=np.linspace(1, 2, n))
            assert model.predict_proba(rows).shape == (n, N_CLASSES)
            assert device.refused == []
            peaks.append(device.peak)
    # labels, weights, the order of the rows, and the numbers of an epoch: 8 bytes each
    assert peaks[1] - peaks[0] < 6 * 8 * (sizes[1] - sizes[0])
    assert peaks[1] < 11 * batch_bytes < X.nbytes / 2


class OwnImageStack(nn.Module):
    """A linear network of images of a user's, without intermediate results of their size."""

    def __init__(self, n_classes):
        super().__init__()
        self.output = nn.Linear(WIDE, n_classes)

    def forward(self, x):
        return self.output(x.flatten(1))


@pytest.mark.parametrize("kind", ["array", "memmap", "sparse"])
def test_a_stream_holds_two_batches_and_costs_one_copy_for_each(wide, tmp_path, kind):
    X, y = wide
    rows = as_kind(X, kind, tmp_path)
    batch_bytes = 64 * WIDE * 4

    def run(size):
        return DMClassifier(OwnImageStack, **parameters(size)).fit(rows, y)

    spent = per_batch(run, memory=8 * batch_bytes)
    assert spent["waits"] == {}
    assert list(spent["copies"].values()) == [2 * (768 // 32 - 768 // 64)]
    with simulated_device(memory=8 * batch_bytes) as device:
        data = TensorData(rows, y, device=DEVICE)
        before = device.peak
        for batch in TensorBatches(data, 64, generator=torch.Generator().manual_seed(0)):
            assert batch[0].shape == (64, WIDE)
        of_rows = 8 * len(y)  # their order
        of_batch = 64 * 8  # labels
        assert device.peak - before <= BATCHES_ON_DEVICE * (batch_bytes + of_batch) + of_rows


@pytest.mark.parametrize("kind", ["array", "memmap", "sparse", "images"])
def test_a_stream_trains_the_same_network_as_rows_on_the_device(wide, tmp_path, kind):
    X, y = wide
    rows = as_kind(X, kind, tmp_path)
    more = {"module": OwnImageStack, "augment": False, "iterator_valid__batch_size": 32}
    probabilities = []
    for memory in (11 * 32 * WIDE * 4, None):
        with simulated_device(memory=memory):
            model = DMClassifier(**parameters(32, **more)).fit(rows, y)
            probabilities.append(model.predict_proba(rows))
    np.testing.assert_array_equal(*probabilities)


def test_rows_of_which_the_device_can_hold_two_are_sent_once(wide):
    X, y = wide
    copies = []
    for memory in (3 * X.nbytes, None):
        with simulated_device(memory=memory) as device:
            DMClassifier(**parameters(64, module__hidden=(4,))).fit(X, y)
            copies.append(sum(device.copies.values()))
    assert copies[0] == copies[1]


@pytest.mark.parametrize("when", ["fit", "predict", "network"])
def test_a_device_that_is_full_names_the_batch_and_what_was_free(wide, when):
    X, y = wide
    batch_bytes = 64 * WIDE * 4
    model = DMClassifier(**parameters(64, module__hidden=(8,)))
    with simulated_device(memory=8 * batch_bytes) as device:
        model.fit(X, y)
        before, history = model.predict_proba(X), model.history_
        if when == "fit":
            with pytest.raises(
                MemoryError,
                match=r"A batch needs more memory than meta has, with \d+ MiB free: use a "
                r"smaller batch_size, got 768\.",
            ):
                model.set_params(batch_size=768).fit(X, y)
        elif when == "predict":
            with pytest.raises(MemoryError, match=r"use a smaller iterator_valid__batch_size, got 768\."):
                model.set_params(iterator_valid__batch_size=768).fit(X, y).predict(X)
            model.set_params(iterator_valid__batch_size=64).fit(X, y)
        else:
            with pytest.raises(MemoryError, match=r"The network and its rows need more memory than meta has, with"):
                model.set_params(module__hidden=(10_000,)).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), before)
        assert (model.history_ is history) == (when != "predict")
        assert device.refused == []


def test_the_device_counts_memory():
    with simulated_device(memory=4096) as device:
        a = torch.zeros(256, device=DEVICE)
        assert (device.allocated, device.peak) == (1024, 1024)
        b = a[:10].view(2, 5)
        c = a + 1
        del a
        assert (device.allocated, device.peak) == (2048, 2048)  # b is a view of what a was
        del b, c
        assert (device.allocated, device.peak) == (0, 2048)
        with pytest.raises(torch.cuda.OutOfMemoryError):
            torch.zeros(1025, device=DEVICE)
