"""Files are whole or not there: permissions, links, kills, full disks, several writers."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest

from sklabelnoise._foundation import _whole_files
from sklabelnoise._foundation._whole_files import put_in_place, write_whole


@pytest.fixture(params=["unnamed", "named"])
def folder(request, tmp_path, monkeypatch):
    """A folder on a file system with and without files that have no name."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return tmp_path


@pytest.fixture
def umask():
    old = os.umask(0o027)
    yield
    os.umask(old)


def mode(path):
    return path.stat().st_mode & 0o777


def test_content_is_what_was_written_and_nothing_else_is_there(folder):
    write_whole(folder / "a", b"one", memoryview(b" two"))
    write_whole(folder / "a", b"three")
    assert (folder / "a").read_bytes() == b"three"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own(folder, umask):
    write_whole(folder / "a", b"x")
    assert mode(folder / "a") == 0o640
    (folder / "a").chmod(0o600)
    write_whole(folder / "a", b"y")
    assert mode(folder / "a") == 0o600


def test_a_symbolic_link_stays_one(folder):
    (folder / "shelf").mkdir()
    (folder / "link").symlink_to(folder / "shelf" / "model")
    for content in (b"first", b"second"):  # of a file that is not there yet, and of one that is
        write_whole(folder / "link", content)
        assert (folder / "link").is_symlink()
        assert (folder / "shelf" / "model").read_bytes() == content
    assert [path.name for path in (folder / "shelf").iterdir()] == ["model"]


def test_a_file_that_must_not_be_replaced_is_kept(folder):
    write_whole(folder / "a", b"first", replace=False)
    with pytest.raises(FileExistsError):
        write_whole(folder / "a", b"second", replace=False)
    assert (folder / "a").read_bytes() == b"first"
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("failure", [OSError, KeyboardInterrupt])
def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(folder, monkeypatch, failure):
    write_whole(folder / "a", b"old")

    def fail(descriptor):
        raise failure(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_whole_files.os, "fsync", fail)
    with pytest.raises(failure) as caught:
        write_whole(folder / "a", b"new")
    assert (folder / "a").read_bytes() == b"old"
    assert len(list(folder.iterdir())) == 1
    if failure is OSError:
        assert str(caught.value) == f"[Errno 28] No space left on device: {str(folder / 'a')!r}"


@pytest.mark.parametrize("name", ["a" * 255, "\u00fc" * 127, "\u732b" * 85, "\U0001f408" * 63], ids=list("1234"))
def test_a_name_may_be_as_long_as_any(folder, name):
    for content in (b"first", b"second"):  # of a file that is not there yet, and of one that is
        write_whole(folder / name, content)
        assert (folder / name).read_bytes() == content
    assert [path.name for path in folder.iterdir()] == [name]


def test_what_a_kill_has_left_is_in_nobodys_way(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(_whole_files.Path, "unlink", lambda *args, **kwargs: None)
        patch.setattr(_whole_files.os, "replace", lambda *args: 1 / 0)
        (folder / "a").write_bytes(b"old")
        with pytest.raises(ZeroDivisionError):
            write_whole(folder / "a", b"new")
    assert len(list(folder.iterdir())) == 2
    write_whole(folder / "a", b"newer")
    assert (folder / "a").read_bytes() == b"newer"


@pytest.fixture
def steps(monkeypatch):
    """What is asked of the system, in its order: the kind of what is brought to the disk, and the naming of files."""
    asked = []

    def noted(name, what):
        ask = getattr(os, name)
        monkeypatch.setattr(
            _whole_files.os, name, lambda *args, **kwargs: asked.append(what(*args)) or ask(*args, **kwargs)
        )

    def size(descriptor):
        found = os.fstat(descriptor)
        return "folder" if stat.S_ISDIR(found.st_mode) else f"{found.st_size} bytes"

    noted("fsync", size)
    noted("replace", lambda *args: "named")
    noted("link", lambda *args: "named")
    return asked


@pytest.mark.parametrize("replace", [True, False])
def test_the_content_is_on_disk_before_it_has_its_name_and_the_name_before_the_end(folder, steps, replace):
    write_whole(folder / "a", b"one", b" two", replace=replace)
    assert steps == ["7 bytes", "named", "folder"]


def test_a_part_is_on_disk_before_it_takes_the_place(tmp_path, steps):
    (tmp_path / "a.part").write_bytes(b"new")
    put_in_place(tmp_path / "a.part", tmp_path / "a")
    assert steps == ["3 bytes", "named", "folder"]


def test_a_folder_that_is_not_there_is_named(folder):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_whole(folder / "nowhere" / "a", b"x")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes that have a name")
def test_what_is_no_regular_file_is_written_to_and_not_replaced(folder):
    # Not /dev/null: where this fails for root, the device would be gone for every program.
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(pipe, b"one ", b"two")
        assert os.read(reader, 20) == b"one two"
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_complete_part_takes_the_place_of_the_file(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a.part").write_bytes(b"new")
    put_in_place(tmp_path / "a.part", tmp_path / "a")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"new")]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="a kill leaves a hidden file where files cannot be unnamed")
def test_a_kill_at_any_moment_leaves_whole_files_only(tmp_path):
    code = f"""
from sklabelnoise._foundation._whole_files import write_whole
number = 0
write_whole({str(tmp_path / "a")!r}, bytes(2_000_000))
print("ready", flush=True)
while True:
    number += 1
    write_whole({str(tmp_path / "a")!r}, bytes([number % 256]) * 2_000_000)
"""
    rng = np.random.default_rng(0)
    for _ in range(10):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        process.stdout.readline()
        time.sleep(rng.uniform(0.01, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=300)
        process.stdout.close()
        content = (tmp_path / "a").read_bytes()
        assert len(content) == 2_000_000
        assert len(set(content)) == 1
        # Linux links no file without a name over another one: for an instant the whole new file has a name of its own,
        # and a kill in that instant leaves it.
        left = [path for path in tmp_path.iterdir() if path.name != "a"]
        assert len(left) <= 1
        for path in left:
            content = path.read_bytes()
            assert len(content) == 2_000_000 and len(set(content)) == 1
            path.unlink()


def test_of_several_processes_one_writes_what_must_not_be_replaced(tmp_path):
    code = f"""
import sys
from sklabelnoise._foundation._whole_files import write_whole
sys.stdin.readline()
try:
    write_whole({str(tmp_path / "a")!r}, sys.argv[1].encode(), replace=False)
    print("mine")
except FileExistsError:
    print("taken")
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in "xyz"
    ]
    answers = [process.communicate("go\n", timeout=300)[0].strip() for process in processes]
    assert sorted(answers) == ["mine", "taken", "taken"]
    assert (tmp_path / "a").read_text() == "xyz"[answers.index("mine")]


@pytest.mark.parametrize("unnamed", [True, False])
def test_an_error_names_the_file_and_not_the_part_that_nobody_knows(tmp_path, monkeypatch, unnamed):
    if not unnamed:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)

    def refused(*args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(args[0]), None, str(args[-1]))

    monkeypatch.setattr(os, "replace", refused)
    (tmp_path / "kept").write_text("before")
    for path in (tmp_path / "missing" / "file", tmp_path / "kept"):
        with pytest.raises(OSError) as caught:
            write_whole(path, b"content")
        assert str(caught.value).endswith(f": {str(path)!r}")
    assert [file.name for file in tmp_path.iterdir()] == ["kept"] and (tmp_path / "kept").read_text() == "before"
