"""Arrays on disk: whole, or not there."""

import logging
import os

import numpy as np
import pytest

from sklabelnoise._label_refinery._checkpoint import Checkpoint


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
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save("x", np.arange(4))
    assert checkpoint.load("x").tolist() == [0, 1, 2]


def test_identities_have_folders_of_their_own(tmp_path):
    X = np.random.default_rng(0).normal(size=(5, 2))
    one, equal, other = (Checkpoint(tmp_path, {"X": array}) for array in (X, X.copy(), X + 1e-9))
    assert one.path == equal.path
    assert one.path != other.path


def test_objects_are_refused(tmp_path):
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        Checkpoint(tmp_path, {}).save("x", np.array([{}], dtype=object))


def test_removing_is_forgiving(tmp_path):
    checkpoint = Checkpoint(tmp_path, {})
    checkpoint.save("x", np.arange(3))
    checkpoint.remove("x", "y")
    assert checkpoint.load("x") is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"'checkpoint' parameter must be a folder that can be written. Got .*file"):
        Checkpoint(tmp_path / "file", {})


def test_what_cannot_be_hashed_is_named():
    with pytest.raises(TypeError, match="With 'checkpoint' all parameters must be picklable"):
        Checkpoint("never-made", {"augment": lambda X, rng: X})
