"""Reading archives and pickles of others without letting them write a file or run code."""

import io
import pickle
import tarfile
import zlib
from pathlib import PurePosixPath

import numpy as np


def read_members(path, folder, wanted):
    """Read files of a tar archive into memory.

    Nothing is unpacked to disk. An archive that would put anything outside of its folder, or that holds links or
    devices, is refused as a whole.

    Parameters
    ----------
    path : path-like
        The archive, compressed or not.

    folder : str
        The one folder at the top of the archive.

    wanted : callable
        ``wanted(name)`` says whether to read the file of that path inside `folder`.

    Returns
    -------
    members : dict of str to bytes
        Contents by path inside `folder`, in the order of the archive.

    Raises
    ------
    ValueError
        If the archive is damaged or refused.
    """
    members = {}
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = _name_inside(member, folder, path)
                if member.isfile() and wanted(name):
                    members[name] = archive.extractfile(member).read()
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ValueError(f"{path} is no readable tar archive: {error}.") from error
    return members


def _name_inside(member, folder, path):
    parts = PurePosixPath(member.name).parts
    if not parts or parts[0] != folder or ".." in parts or "\\" in member.name:
        raise ValueError(f"{path} is refused: its member {member.name!r} lies outside of the folder {folder!r}.")
    if not (member.isfile() or member.isdir()):
        raise ValueError(f"{path} is refused: its member {member.name!r} is neither a file nor a folder.")
    return "/".join(parts[1:])


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuilds numbers, text, containers and numpy arrays, and looks up nothing else."""

    _reconstruct = staticmethod(np.zeros(0).__reduce__()[0])
    _known = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,  # as numpy 1 names it
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module, name):
        """Return the class or function of that name, if it is one that arrays need."""
        try:
            return self._known[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only numpy arrays are allowed") from None


def unpickle_arrays(content, name):
    """Rebuild the containers and numpy arrays of a pickle, running no code from it.

    Parameters
    ----------
    content : bytes
        The pickle; text of Python 2 comes back as bytes.

    name : str
        What to call it in errors.

    Returns
    -------
    value : object

    Raises
    ------
    ValueError
        If the pickle needs anything but arrays and Python's own containers, or is damaged.
    """
    try:
        return _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # damaged pickles raise almost anything
        raise ValueError(f"The pickle {name} is refused: {error}.") from error
