"""Paths as people write them."""

import os
import re
from pathlib import Path

# A letter before it is a drive of Windows; pathlib makes one slash of two.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


def local_path(path, name="path"):
    """A path on this machine.

    Parameters
    ----------
    path : str or path-like
        A ~ in front is the home of the user, as in scikit-learn's ``data_home`` and pandas.
    name : str, default="path"
        What messages call it.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    TypeError
        If it is no path: Python takes bytes for one here and not there, and a number for a file that is open.
    ValueError
        If it is the address of something elsewhere, which would be a folder beside the program, and go with it; or
        empty, as a variable is that nobody has set, which would be the folder of the program itself.

    Examples
    --------
    >>> local_path("runs/first").as_posix()
    'runs/first'
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(text := os.fspath(path), str):
        raise TypeError(f"{name} must be a str or a path object, got {type(path).__name__}.")
    if not text:
        raise ValueError(f"{name} must name a file or a folder, got ''.")
    if _ADDRESS.match(text):
        raise ValueError(f"{name} must be a path on this machine, got {text!r}.")
    return Path(text).expanduser()


def local_file(path, name="path"):
    """A path on this machine where a file can be written.

    Raises
    ------
    FileNotFoundError
        If its folder does not exist.
    """
    found = local_path(path, name)
    if not found.parent.is_dir():
        raise FileNotFoundError(f"{name} must lie in an existing folder, got {str(found)!r}.")
    return found
