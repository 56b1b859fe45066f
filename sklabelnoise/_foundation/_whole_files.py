"""Files that are on disk whole or not at all, whatever ends the process that writes them."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path


def write_whole(path, *chunks, replace=True):
    """Write a file so that nobody ever sees a part of it.

    The content goes to a file that has no name until it is complete, so a process that is killed leaves nothing
    behind; where the file system knows no such files, to a hidden one beside the target, which only a kill leaves
    there. The file gets the permissions that the umask asks for, or keeps those of the one it replaces. A symbolic
    link stays one: what it points to is replaced.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist. What is no regular file, such as ``/dev/stdout``, is written to directly.
    *chunks : bytes-like
        Content.
    replace : bool, default=True
        Whether the file may exist already.

    Raises
    ------
    FileExistsError
        If it exists and must not be replaced. Of several processes that try at once, one succeeds.
    OSError
        If it cannot be written, for want of room or permission; the error names it, and the old file is kept.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder) / "words.txt", b"one ", b"two")
    ...     (Path(folder) / "words.txt").read_text(), len(list(Path(folder).iterdir()))
    ('one two', 1)
    """
    path = Path(os.path.realpath(path))
    # Names have 255 bytes at most, and characters up to four.
    part = path.with_name(f".{path.name[:60]}.{secrets.token_hex(4)}.part")
    try:
        if path.exists() and not path.is_file():
            with open(path, "wb") as file:
                file.writelines(chunks)
            return
        try:
            _write_and_name(part, path, chunks, replace)
        except BaseException:
            with suppress(FileNotFoundError):
                part.unlink()
            raise
        sync_folder(path.parent)
    except OSError as error:
        # `write` and `fsync` know no name, and others that of a file of which nobody has heard.
        if error.errno is not None and error.filename in (None, os.fspath(part)):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise


def put_in_place(part, path):
    """Give a complete file its name, in the place of whatever had it.

    Parameters
    ----------
    part : path-like
        The file, in the folder of `path`.
    path : path-like
        What it is to be called.
    """
    descriptor = os.open(part, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(part, path)
    sync_folder(Path(path).parent)


def sync_folder(folder):
    """POSIX: names of files are on disk only once their folder is. Windows cannot open folders."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write_and_name(part, path, chunks, replace):
    descriptor, unnamed = _open_unnamed(part)
    with os.fdopen(descriptor, "wb") as file:
        if replace and path.exists() and hasattr(os, "fchmod"):
            os.fchmod(descriptor, stat.S_IMODE(path.stat().st_mode))
        file.writelines(chunks)
        file.flush()
        os.fsync(descriptor)
        if unnamed:
            try:
                return _name(descriptor, path)
            except FileExistsError:
                if not replace:
                    raise
            _name(descriptor, part)
    if replace:
        os.replace(part, path)
    else:
        os.link(part, path)
        part.unlink()


def _open_unnamed(part):
    """A new file for writing, without a name where that is possible, else under the name `part`."""
    if hasattr(os, "O_TMPFILE") and os.path.isdir("/proc/self/fd"):
        with suppress(OSError):  # not every file system can, and the attempt below says what else is wrong
            return os.open(part.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), True
    return os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666), False


def _name(descriptor, path):
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        # With the descriptor of a folder Python asks for the file that the link in /proc points to.
        os.link(f"/proc/self/fd/{descriptor}", path.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)
