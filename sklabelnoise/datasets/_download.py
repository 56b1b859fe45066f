"""Files from their official source: kept, checked, and resumed where a download broke off."""

import hashlib
import http.client
import logging
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from sklearn.datasets import get_data_home

from sklabelnoise._foundation._paths import local_path
from sklabelnoise._foundation._whole_files import put_in_place
from sklabelnoise.datasets._shared_files import shared_folder

logger = logging.getLogger(__name__)

_CHUNK = 2**20


@dataclass(frozen=True)
class RemoteFile:
    """A file, where to get it, and how to recognize it."""

    name: str
    url: str
    sha256: str


def fetch_file(remote, *, data_home=None, download_if_missing=True, n_retries=3, delay=1.0):
    """Path of a file whose checksum is right, downloaded if need be.

    A download goes to ``<name>.part`` first. If it breaks off, the next attempt, or the next call, asks the server only
    for what is missing. Of several processes that want the file, one downloads it and the others wait.

    Parameters
    ----------
    remote : RemoteFile

    data_home : str or path-like, default=None
        Folder to look in and to download to. If None, the folder named by the environment variable
        ``SKLABELNOISE_DATA`` is looked at first, then ``sklabelnoise`` in scikit-learn's data home, to which downloads
        go.

    download_if_missing : bool, default=True
        If False, a missing file is an error.

    n_retries : int, default=3
        How often to go on after the connection broke.

    delay : float, default=1.0
        Seconds between attempts.

    Returns
    -------
    path : Path

    Raises
    ------
    OSError
        If the file is missing and must not be downloaded, if the download failed, or if the checksum is wrong. A wrong
        download is deleted, a wrong file that was there before is left for the user to look at.
    """
    folders = _folders(data_home)
    for folder in folders:
        path = folder / remote.name
        if path.exists():
            return _checked(path, remote)
    if not download_if_missing:
        raise OSError(f"{remote.name} is not in {', '.join(map(str, folders))}, and download_if_missing is False.")

    path.parent.mkdir(parents=True, exist_ok=True)
    with _only_process(path):
        if path.exists():  # brought by the process that was waited for
            return _checked(path, remote)
        part = path.with_name(path.name + ".part")
        logger.info("Downloading %s to %s.", remote.url, path)
        _download(remote.url, part, n_retries, delay)
        if (found := _sha256(part)) != remote.sha256:
            part.unlink()
            raise OSError(
                f"The download of {remote.url} has the SHA-256 checksum {found}, expected {remote.sha256}; it was "
                "deleted. Call again to download it from the beginning."
            )
        put_in_place(part, path)
    return path


def _checked(path, remote):
    if (found := _sha256(path)) != remote.sha256:
        raise OSError(
            f"{path} is not the file published at {remote.url}: its SHA-256 checksum is {found}, expected "
            f"{remote.sha256}. Move it away to download the right one."
        )
    return path


@contextmanager
def _only_process(path):
    """Wait until no other process downloads the file; a process that dies is waited for no longer."""
    lock = path.with_name(f".{path.name}.lock")
    with FileLock(lock):
        try:
            yield
        finally:
            # Whoever waited for it finds the file, or takes up its part.
            with suppress(OSError):  # Windows keeps it while it is held
                lock.unlink()


def _folders(data_home):
    if data_home is not None:
        return [local_path(data_home, "data_home")]
    shared, default = shared_folder(), Path(get_data_home()) / "sklabelnoise"
    return [default] if shared is None else [shared, default]


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url, part, n_retries, delay):
    for attempt in range(n_retries + 1):
        try:
            _receive(url, part)
            return
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < http.HTTPStatus.INTERNAL_SERVER_ERROR
            if refused or attempt == n_retries:
                received = part.stat().st_size if part.exists() else 0
                raise OSError(
                    f"Downloading {url} failed at attempt {attempt + 1}: {error}. The {received} bytes received so far "
                    f"are kept in {part}, and the next call goes on from there."
                ) from error
            logger.warning("Downloading %s broke off: %s. Trying again.", url, error)
            time.sleep(delay)


def _receive(url, part):
    """Append to the file `part` what it lacks, or begin anew where the server cannot continue."""
    received = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={received}-"} if received else {})
    try:
        response = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        if received and error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            error.close()
            return  # nothing is missing; the checksum says whether that is right
        raise
    with response:
        continues = response.status == http.HTTPStatus.PARTIAL_CONTENT
        missing = response.headers.get("Content-Length")
        n_new = 0
        with open(part, "ab" if continues else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                n_new += len(chunk)
    # http.client reports a connection that closes early as the end of the file.
    if missing is not None and n_new < int(missing):
        raise ConnectionError(f"the connection closed after {n_new} of {missing} bytes")
