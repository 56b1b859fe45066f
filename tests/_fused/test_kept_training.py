"""Snapshots of a stacked training: the last one always, the others not too often, and none that runs code."""

import io
import os
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._fused import _kept_training
from sklabelnoise._fused._kept_training import KeptTraining


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test moves on."""
    seconds = [1000.0]
    monkeypatch.setattr(_kept_training, "time", SimpleNamespace(monotonic=lambda: seconds[0]))
    return seconds


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path, {})


def epoch(number):
    return lambda: {"epoch": number, "weights": torch.arange(3.0) * number}


def kept_epoch(checkpoint):
    state = KeptTraining(checkpoint, "stack").load()
    return None if state is None else state["epoch"]


def test_the_last_snapshot_is_kept_however_soon_it_comes(clock, checkpoint):
    kept = KeptTraining(checkpoint, "stack")
    assert kept.load() is None
    kept.offer(epoch(1), is_last=False)
    assert kept.load() is None
    kept.offer(epoch(2), is_last=True)
    state = KeptTraining(checkpoint, "stack").load()
    assert state["epoch"] == 2
    assert torch.equal(state["weights"], torch.tensor([0.0, 2.0, 4.0]))


def test_no_snapshot_is_taken_until_the_last_one_is_old(clock, checkpoint):
    kept, found, taken = KeptTraining(checkpoint, "stack"), [], []
    for number in range(1, 8):  # ten seconds an epoch: the third is old, and the third after it
        clock[0] += _kept_training._SECONDS / 3
        kept.offer(lambda number=number: taken.append(number) or epoch(number)(), is_last=False)
        found.append(kept_epoch(checkpoint))
    assert found == [None, None, 3, 3, 3, 6, 6]
    assert taken == [3, 6]


def test_trainings_of_one_run_do_not_take_each_others(clock, checkpoint):
    KeptTraining(checkpoint, "stack").offer(epoch(1), is_last=True)
    assert KeptTraining(checkpoint, "other").load() is None


def test_reading_a_snapshot_executes_nothing(checkpoint, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trace"),)

    buffer = io.BytesIO()
    torch.save(Bomb(), buffer)
    checkpoint.save("stack", np.frombuffer(buffer.getvalue(), dtype=np.uint8))
    with pytest.raises(pickle.UnpicklingError):
        KeptTraining(checkpoint, "stack").load()
    assert not (tmp_path / "trace").exists()
