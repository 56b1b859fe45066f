"""Arrays on disk: whole, or not there."""

import errno
import hashlib
import io
import logging
import os
import subprocess
import sys
import traceback

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import Ridge

from sklabelnoise._foundation._checkpoint import Checkpoint, first_seed, open_checkpoint


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.int64(7), np.zeros((0, 2)), np.array(["a", "bc"]), np.array([np.nan])]
)
def test_arrays_come_back_as_they_were(tmp_path, array):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save("x", array)
    back = checkpoint.load("x")
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype


def test_an_absent_array_is_none(tmp_path):
    assert Checkpoint(tmp_path, {}).load("x") is None


def test_a_new_folder_is_empty_however_deep_it_lies(tmp_path):
    assert list(Checkpoint(tmp_path / "not" / "there", {}).path.iterdir()) == []


def test_reading_executes_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "trace"),)

    buffer = io.BytesIO()
    np.save(buffer, np.array([Bomb()], dtype=object), allow_pickle=True)
    checkpoint = Checkpoint(tmp_path, {})
    (checkpoint.path / "x").write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())
    with pytest.raises(ValueError, match="allow_pickle=False"):
        checkpoint.load("x")
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("length", [0, 10, 32, 100, -1])
def test_a_truncated_file_is_noticed(tmp_path, length, caplog):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save("x", np.arange(100.0))
    path = checkpoint.path / "x"
    path.write_bytes(path.read_bytes()[:length])
    with caplog.at_level(logging.WARNING):
        assert checkpoint.load("x") is None
    assert "is damaged and will be computed again" in caplog.text


def test_a_flipped_byte_is_noticed(tmp_path):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save("x", np.arange(100.0))
    path = checkpoint.path / "x"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    assert checkpoint.load("x") is None


def test_a_write_that_fails_leaves_the_old_array(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save("x", np.arange(3))

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoint.save("x", np.arange(4))
    assert caught.value.errno == errno.ENOSPC
    assert checkpoint.load("x").tolist() == [0, 1, 2]


def test_a_write_that_fails_leaves_no_buffer_for_the_garbage_collector(tmp_path, monkeypatch):
    # Collected with the frames of its error, a buffer that is still looked into crashes Python 3.12.1.
    checkpoint = Checkpoint(tmp_path, {})

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        checkpoint.save("x", np.arange(4))
    views = [value for frame in traceback.walk_tb(caught.tb) for value in frame[0].f_locals.values()
             if isinstance(value, memoryview)]  # fmt: skip
    assert views
    for view in views:
        with pytest.raises(ValueError, match="released"):
            len(view)


def test_identities_have_folders_of_their_own(tmp_path):
    X = np.random.default_rng(0).normal(size=(5, 2))
    one, equal, other = (Checkpoint(tmp_path, {"X": array}) for array in (X, X.copy(), X + 1e-9))
    assert one.path == equal.path
    assert one.path != other.path


def test_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        Checkpoint(tmp_path, {}).save("x", np.array([{}], dtype=object))


def test_arrays_are_removed_by_pattern(tmp_path):
    checkpoint = Checkpoint(tmp_path, {})
    for name in ("round-1", "round-1-fold-0", "round-1-fold-1", "round-11-fold-1"):
        checkpoint.save(name, np.arange(3))
    checkpoint.remove("round-1-fold-*")
    checkpoint.remove("absent")
    assert sorted(path.name for path in checkpoint.path.iterdir()) == ["round-1", "round-11-fold-1"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"'checkpoint' parameter must be a folder that can be written. Got .*file"):
        Checkpoint(tmp_path / "file", {})


def test_what_cannot_be_hashed_is_named():
    with pytest.raises(TypeError, match="With 'checkpoint' all parameters must be picklable"):
        Checkpoint("never-made", {"augment": lambda X, rng: X})


def test_messages_name_the_argument_as_its_user_knows_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"The 'cache' parameter must be a folder that can be written. Got .*file"):
        Checkpoint(tmp_path / "file", {}, argument="cache")
    with pytest.raises(TypeError, match="With 'cache' all parameters must be picklable"):
        Checkpoint(tmp_path, {"augment": lambda X, rng: X}, argument="cache")


def test_a_full_disk_names_the_file_and_what_is_kept(tmp_path):
    code = f"""
import resource
from pathlib import Path
import numpy as np
from sklabelnoise._foundation._checkpoint import Checkpoint
for allowed in (200, 4096):
    checkpoint = Checkpoint(Path({str(tmp_path)!r}) / str(allowed), {{}})
    checkpoint.save("round-1", np.zeros(3))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (allowed, before[1]))
    try:
        checkpoint.save("round-2", np.arange(100_000))
    except OSError as error:
        print(type(error).__name__, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.load("round-1").tolist() == [0, 0, 0]
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300).stdout
    for allowed, line in zip(("200", "4096"), shown.splitlines(), strict=True):
        (folder,) = (tmp_path / allowed).iterdir()
        said = f"OSError The checkpoint could not write '{folder}/round-2'. What was finished before is"
        assert line.startswith(said)
        assert "kept in that folder; the same fit goes on from there once files can be written. Got [Errno 27]" in line
        assert [path.name for path in folder.iterdir()] == ["round-1"]


def test_what_is_saved_first_stays(tmp_path):
    one, other = Checkpoint(tmp_path, {}), Checkpoint(tmp_path, {})
    assert one.save_first("seed", 3) == 3
    assert other.save_first("seed", 4) == 3
    assert other.once("seed", lambda: 1 / 0) == 3
    # Two runs find nothing, and the other one is quicker.
    assert one.once("other", lambda: other.once("other", lambda: 5) + 1) == other.load("other") == 5
    (one.path / "seed").write_bytes(b"damaged")
    assert other.save_first("seed", 4) == 4
    assert one.load("seed") == 4


def test_tensors_and_networks_name_the_same_folder_by_their_content(tmp_path):
    import torch
    from torch import nn
    from torch.utils.data import TensorDataset

    def network(bias):
        module = nn.Linear(2, 3).requires_grad_(False)
        nn.init.ones_(module.weight)
        nn.init.constant_(module.bias, bias)
        return module

    def path(value):
        return Checkpoint(tmp_path, {"value": value}).path

    for make in (
        torch.tensor,
        lambda x: TensorDataset(torch.tensor([x])),
        network,
        lambda x: torch.tensor(x).bfloat16(),
    ):
        assert path(make(1.5)) == path(make(1.5))
        assert path(make(1.5)) != path(make(2.5))
    assert path(torch.zeros(4)) != path(torch.zeros(2, 2))
    assert path(torch.zeros(4)) != path(torch.zeros(4, requires_grad=True))
    assert path(torch.arange(6.0).view(2, 3).T) == path(torch.arange(6.0).view(2, 3).T.contiguous())
    assert path(torch.zeros(2)) != path(torch.zeros(2, dtype=torch.int32))


class Kept(BaseEstimator):
    def __init__(self, inner=None, n_jobs=None, checkpoint=None):
        self.inner, self.n_jobs, self.checkpoint = inner, n_jobs, checkpoint


class TestOfAnEstimator:
    def path(self, folder, data=(1, 2), inner=None, n_jobs=None):
        return open_checkpoint(Kept(inner, n_jobs, folder), data, apart={"n_jobs", "checkpoint"}).path

    def test_there_is_none_without_a_folder(self):
        assert open_checkpoint(Kept(), (1, 2), apart=set()) is None

    def test_what_is_set_apart_shares_a_folder_and_what_decides_does_not(self, tmp_path):
        assert self.path(tmp_path) == self.path(tmp_path, n_jobs=2)
        others = [self.path(tmp_path, (1, 3)), self.path(tmp_path, inner=2), self.path(tmp_path, inner=3)]
        assert len({self.path(tmp_path), *others}) == 4
        decided = open_checkpoint(Kept(2, None, tmp_path), (1, 2), apart={"n_jobs", "checkpoint"}, inner=3)
        assert decided.path == self.path(tmp_path, inner=3)

    def test_an_estimator_that_was_fitted_is_the_same(self, tmp_path):
        fitted = Ridge().fit([[0.0], [1.0]], [0.0, 1.0])
        assert self.path(tmp_path, inner=fitted) == self.path(tmp_path, inner=Ridge())

    def test_a_run_goes_on_from_the_seed_it_started_from(self, tmp_path):
        one, other = Checkpoint(tmp_path, {"run": 1}), Checkpoint(tmp_path, {"run": 2})
        started = first_seed(None, one)
        assert first_seed(None, Checkpoint(tmp_path, {"run": 1})) == started != first_seed(None, other)
        assert type(started) is int

    def test_an_integer_gives_the_same_seed_with_and_without_a_checkpoint(self, tmp_path):
        assert first_seed(3, None, below=1000) == first_seed(3, Checkpoint(tmp_path, {}), below=1000) < 1000
