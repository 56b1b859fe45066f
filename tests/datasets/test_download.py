import hashlib
import logging
import subprocess
import sys
from functools import partial

import pytest

from sklabelnoise.datasets import _download, fetch_cifar10, fetch_cifar100, fetch_cifar_n, fetch_imdb
from sklabelnoise.datasets._download import RemoteFile, fetch_file

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def remote(server):
    server.files["letters.bin"] = CONTENT
    return RemoteFile("letters.bin", server.url + "letters.bin", hashlib.sha256(CONTENT).hexdigest())


def test_a_file_is_downloaded_once_and_then_found(remote, server, tmp_path):
    path = fetch_file(remote, data_home=tmp_path / "new" / "folder")
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["letters.bin"]
    assert fetch_file(remote, data_home=path.parent) == path
    assert len(server.ranges) == 1


def test_downloads_go_to_scikit_learns_data_home(remote, tmp_path):
    assert fetch_file(remote) == tmp_path / "scikit_learn_data" / "sklabelnoise" / "letters.bin"


def test_the_folder_of_the_environment_comes_first(remote, server, tmp_path, monkeypatch):
    (tmp_path / "letters.bin").write_bytes(CONTENT)
    monkeypatch.setenv("SKLABELNOISE_DATA", str(tmp_path))
    assert fetch_file(remote) == tmp_path / "letters.bin"
    assert server.ranges == []


def test_of_two_files_that_of_the_environment_is_taken(remote, server, tmp_path, monkeypatch):
    default = fetch_file(remote)
    (tmp_path / "letters.bin").write_bytes(CONTENT)
    monkeypatch.setenv("SKLABELNOISE_DATA", str(tmp_path))
    assert fetch_file(remote) == tmp_path / "letters.bin" != default


@pytest.mark.parametrize(("n_retries", "waited"), [(0, []), (2, [7.5, 7.5])])
def test_so_many_retries_are_made_with_so_long_a_pause(remote, server, tmp_path, monkeypatch, n_retries, waited):
    pauses = []
    monkeypatch.setattr(_download.time, "sleep", pauses.append)
    server.answers = [503] * 5
    with pytest.raises(OSError, match=f"failed at attempt {n_retries + 1}: HTTP Error 503"):
        fetch_file(remote, data_home=tmp_path, n_retries=n_retries, delay=7.5)
    assert pauses == waited and len(server.ranges) == n_retries + 1


def test_a_connection_that_breaks_off_is_resumed(remote, server, tmp_path, caplog):
    server.cuts = [1000, 500]
    with caplog.at_level(logging.WARNING):
        path = fetch_file(remote, data_home=tmp_path, delay=0)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=1000-", "bytes=1500-"]
    assert "broke off: the connection closed after 1000 of 10240 bytes" in caplog.text


def test_the_next_call_goes_on_where_the_last_one_failed(remote, server, tmp_path):
    server.cuts = [1000, 500]
    with pytest.raises(OSError, match=r"failed at attempt 2: .* The 1500 bytes received so far are kept in"):
        fetch_file(remote, data_home=tmp_path, n_retries=1, delay=0)
    assert not (tmp_path / "letters.bin").exists()
    assert fetch_file(remote, data_home=tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] == "bytes=1500-"


def test_a_server_that_cannot_continue_sends_everything_again(remote, server, tmp_path):
    server.cuts, server.continues = [1000], False
    assert fetch_file(remote, data_home=tmp_path, delay=0).read_bytes() == CONTENT


def test_a_part_that_is_already_whole_is_taken(remote, server, tmp_path):
    (tmp_path / "letters.bin.part").write_bytes(CONTENT)
    assert fetch_file(remote, data_home=tmp_path).read_bytes() == CONTENT
    assert server.ranges == [f"bytes={len(CONTENT)}-"]


@pytest.mark.parametrize("part", [b"", b"something else", b"\1" + CONTENT[1:]])
def test_a_wrong_download_is_deleted(remote, server, tmp_path, part):
    server.files["letters.bin"] = CONTENT[:-1] + b"?"
    (tmp_path / "letters.bin.part").write_bytes(part)
    with pytest.raises(OSError, match=rf"SHA-256 checksum [0-9a-f]+, expected {remote.sha256}; it was deleted"):
        fetch_file(remote, data_home=tmp_path)
    assert list(tmp_path.glob("letters*")) == []


def test_a_wrong_file_of_the_user_is_refused_and_left_alone(remote, server, tmp_path):
    (tmp_path / "letters.bin").write_bytes(b"my own letters")
    with pytest.raises(OSError, match=rf"is not the file published at .* expected {remote.sha256}"):
        fetch_file(remote, data_home=tmp_path)
    assert (tmp_path / "letters.bin").read_bytes() == b"my own letters"
    assert server.ranges == []


def test_nothing_is_downloaded_unless_allowed(remote, server, tmp_path):
    with pytest.raises(OSError, match=r"letters.bin is not in .*, and download_if_missing is False"):
        fetch_file(remote, data_home=tmp_path, download_if_missing=False)
    assert server.ranges == []


def test_a_server_without_the_file_is_not_asked_twice(remote, server, tmp_path):
    del server.files["letters.bin"]
    with pytest.raises(OSError, match="failed at attempt 1: HTTP Error 404"):
        fetch_file(remote, data_home=tmp_path, delay=0)
    assert len(server.ranges) == 1


def test_a_server_in_trouble_is_asked_again(remote, server, tmp_path):
    server.answers = [503, 500]
    assert fetch_file(remote, data_home=tmp_path, delay=0).read_bytes() == CONTENT


@pytest.mark.parametrize("broken_off", [pytest.param(False, marks=pytest.mark.slow), True])
def test_two_processes_share_one_download(remote, server, tmp_path, broken_off):
    server.files["letters.bin"] = content = CONTENT * 2000
    if broken_off:
        server.cuts = [1000]
    code = f"""
import sys
from functools import partial
from sklabelnoise.datasets import fetch_cifar10, fetch_cifar100, fetch_cifar_n, fetch_imdb
from sklabelnoise.datasets._download import RemoteFile, fetch_file
sys.stdin.readline()
remote = RemoteFile("letters.bin", {remote.url!r}, {hashlib.sha256(content).hexdigest()!r})
print(fetch_file(remote, data_home={str(tmp_path / "shared")!r}, delay=0))
"""
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    paths = {process.communicate(timeout=300)[0].strip() for process in processes}
    assert paths == {str(tmp_path / "shared" / "letters.bin")}
    assert server.ranges == ([None, "bytes=1000-"] if broken_off else [None])
    assert [(path.name, path.read_bytes() == content) for path in (tmp_path / "shared").iterdir()] == [
        ("letters.bin", True)
    ]


def test_a_process_killed_while_it_downloads_is_not_waited_for(remote, server, tmp_path):
    code = f"""
import time
from sklabelnoise.datasets import _download
from sklabelnoise.datasets import fetch_cifar10, fetch_cifar100, fetch_cifar_n, fetch_imdb
from sklabelnoise.datasets._download import RemoteFile, fetch_file
def never_ends(url, part, n_retries, delay):
    part.write_bytes(b"{{}}")
    print("holding", flush=True)
    time.sleep(60)
_download._download = never_ends
fetch_file(RemoteFile("letters.bin", {remote.url!r}, "0"), data_home={str(tmp_path)!r})
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "holding\n"
    process.kill()
    process.wait(timeout=300)
    process.stdout.close()
    (tmp_path / "letters.bin.part").write_bytes(CONTENT[:10])
    assert fetch_file(remote, data_home=tmp_path).read_bytes() == CONTENT
    assert server.ranges == ["bytes=10-"]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["letters.bin"]


@pytest.mark.parametrize(
    "fetch",
    [fetch_cifar10, fetch_cifar100, partial(fetch_cifar_n, "worse"), partial(fetch_cifar_n, "noisy100"), fetch_imdb],
    ids=["cifar10", "cifar100", "worse", "noisy100", "imdb"],
)
def test_what_is_said_of_a_download_reaches_it(fetch, monkeypatch, tmp_path):
    asked = []

    def refuse(remote, **options):
        asked.append(options)
        raise OSError("nothing is downloaded here")

    for module in ("_cifar", "_cifar_n", "_imdb"):
        monkeypatch.setattr(f"sklabelnoise.datasets.{module}.fetch_file", refuse)
    options = {"data_home": tmp_path, "download_if_missing": False, "n_retries": 7, "delay": 0.5}
    with pytest.raises(OSError, match="nothing is downloaded here"):
        fetch(**options)
    assert asked == [options]
