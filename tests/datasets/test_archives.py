import os
import pickle
import tarfile

import numpy as np
import pytest

from sklabelnoise.datasets._archives import read_members, unpickle_arrays


class Hostile:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def write(path, content):
    path.write_bytes(content)
    return path


def test_wanted_files_are_read_and_nothing_is_unpacked(make_archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    archive = make_archive([("data/a", b"1"), ("data/b", b"2"), ("data/deep/c", b"3"), ("data/d", b"4")])
    path = write(tmp_path / "x.tar.gz", archive)
    members = read_members(path, "data", wanted=lambda name: name != "b")
    assert members == {"a": b"1", "deep/c": b"3", "d": b"4"}
    assert os.listdir(tmp_path) == ["x.tar.gz"]


@pytest.mark.parametrize(
    "name", ["../evil", "data/../../evil", "/etc/evil", "evil", "data2/evil", "data/..\\evil", "data/x/../../../evil"]
)
def test_a_member_outside_of_the_folder_refuses_the_whole_archive(make_archive, tmp_path, name):
    path = write(tmp_path / "x.tar.gz", make_archive([("data/a", b"1"), (name, b"2")]))
    with pytest.raises(ValueError, match=r"is refused: its member .*evil' lies outside of the folder 'data'"):
        read_members(path, "data", wanted=lambda name: True)
    assert os.listdir(tmp_path) == ["x.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_refuse_the_whole_archive(make_archive, tmp_path, kind):
    link = tarfile.TarInfo("data/a")
    link.type, link.linkname = kind, "/etc/passwd"
    path = write(tmp_path / "x.tar.gz", make_archive([(link, b"")]))
    with pytest.raises(ValueError, match="its member 'data/a' is neither a file nor a folder"):
        read_members(path, "data", wanted=lambda name: True)


@pytest.mark.parametrize("keep", [0, 5, 200])
def test_a_damaged_archive_says_so(make_archive, tmp_path, keep):
    random = np.random.default_rng(0).bytes(5000)  # does not compress, so 200 bytes are a part of it
    path = write(tmp_path / "x.tar.gz", make_archive([("data/a", random)])[:keep])
    with pytest.raises(ValueError, match=r"x\.tar\.gz is no readable tar archive"):
        read_members(path, "data", wanted=lambda name: True)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_and_containers_come_back(protocol):
    content = pickle.dumps({"data": [1, 2.5, "x"], "labels": (None, True)}, protocol=protocol)
    assert unpickle_arrays(content, "x") == {"data": [1, 2.5, "x"], "labels": (None, True)}


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32])
@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_of_numbers_come_back(dtype, protocol):
    array = np.arange(6, dtype=dtype).reshape(2, 3)
    again = unpickle_arrays(pickle.dumps({b"data": array}, protocol=protocol), "x")[b"data"]
    assert again.dtype == dtype
    np.testing.assert_array_equal(again, array)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_before_it_runs(tmp_path, protocol):
    content = pickle.dumps({"data": Hostile(tmp_path / "evil")}, protocol=protocol)
    with pytest.raises(ValueError, match=r"The pickle batch is refused: it asks for \w+\.mkdir, and only numpy arrays"):
        unpickle_arrays(content, "batch")
    assert not (tmp_path / "evil").exists()

    pickle.loads(content)  # the same bytes do run elsewhere, so the test above tests something
    assert (tmp_path / "evil").exists()


@pytest.mark.parametrize("wanted", [b"builtins eval", b"numpy fromfile", b"numpy.ctypeslib load_library", b"os system"])
def test_no_other_name_can_be_reached(wanted):
    module, name = wanted.split()
    content = b"c" + module + b"\n" + name + b"\n."
    with pytest.raises(ValueError, match="only numpy arrays are allowed"):
        unpickle_arrays(content, "x")


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps([1, 2, 3])[:-4]])
def test_a_damaged_pickle_says_so(content):
    with pytest.raises(ValueError, match="The pickle batch is refused"):
        unpickle_arrays(content, "batch")
