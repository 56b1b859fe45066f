"""Arrays of an interrupted run, written so that a kill at any moment leaves only whole files behind."""

import hashlib
import io
import logging
import os
import pickle
import sys

import numpy as np
from joblib.hashing import NumpyHasher
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklabelnoise._foundation._code_identity import code_identity
from sklabelnoise._foundation._paths import local_path
from sklabelnoise._foundation._seeds import MAX_SEED
from sklabelnoise._foundation._whole_files import write_whole

logger = logging.getLogger(__name__)


class _Hasher(NumpyHasher):
    """joblib's hash, with tensors of torch by their content: their pickles name storages anew each time."""

    def save(self, obj):
        torch = sys.modules.get("torch")  # where it was not imported, nothing is a tensor
        if torch is not None and isinstance(obj, torch.Tensor):
            content = obj.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            obj = (type(obj).__name__, str(obj.dtype), tuple(obj.shape), obj.requires_grad, content)
        super().save(obj)


def open_checkpoint(estimator, data, *, apart, **decided):
    """The checkpoint of an estimator's fit, in the folder that its parameter `checkpoint` names.

    Parameters
    ----------
    estimator : estimator instance
        Its class and parameters decide what is kept; those it holds are taken unfitted.
    data : tuple
        What it is fitted to.
    apart : set of str
        Parameters in which fits may differ that share what they keep.
    **decided
        What to take in place of parameters, by name.

    Returns
    -------
    checkpoint : Checkpoint or None
        None where `checkpoint` is.
    """
    if estimator.checkpoint is None:
        return None
    own = {**estimator.get_params(deep=False), **decided}
    parameters = {name: clone(value, safe=False) for name, value in own.items() if name not in apart}
    identity = {"class": type(estimator).__name__, "parameters": parameters, "data": data}
    return Checkpoint(estimator.checkpoint, identity, code_of=parameters)


def first_seed(random_state, checkpoint, *, below=MAX_SEED):
    """A seed of `random_state`, or where there is a checkpoint, the one from which its first run started.

    With ``random_state=None`` a run that is taken up again must go on with the seed it started from.
    """

    def draw():
        return check_random_state(random_state).randint(below)

    return int(draw() if checkpoint is None else checkpoint.once("seed", draw))


class Checkpoint:
    """A folder of named arrays for one combination of parameters and data.

    A file is the SHA-256 of its content followed by an array in NumPy's own format: nothing is pickled, so
    reading executes nothing, and a file that was cut short is noticed.

    Parameters
    ----------
    folder : str or path-like
        Folder shared by any number of runs; each has a subfolder of its own.
    identity : dict
        Whatever decides the arrays: parameters, data. Runs with equal identities share a subfolder.
    code_of : object, default=None
        What names classes and functions by which the arrays are computed: their code, and the versions of libraries,
        are part of the identity.
    argument : str, default="checkpoint"
        What messages call the folder.

    Attributes
    ----------
    path : pathlib.Path
        The subfolder of this run.

    Raises
    ------
    TypeError
        If `identity` or `code_of` hold something that cannot be hashed, such as a lambda.
    ValueError
        If the folder cannot be created or written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(folder, {"alpha": 0.1})
    ...     checkpoint.save("round-1", np.eye(2))
    ...     Checkpoint(folder, {"alpha": 0.1}).load("round-1")
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, folder, identity, *, code_of=None, argument="checkpoint"):
        try:
            key = _Hasher("md5").hash((identity, code_identity(code_of)))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise TypeError(
                f"With '{argument}' all parameters must be picklable, as their hash names the folder of the run, got: "
                f"{error}"
            ) from error
        self.path, self._argument = local_path(folder, argument) / key, argument
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.save("probe", np.zeros(0))
            self.remove("probe")
        except OSError as error:
            raise ValueError(
                f"The '{argument}' parameter must be a folder that can be written. Got {os.fspath(folder)!r}: {error}"
            ) from error

    def save(self, name, array, *, replace=True):
        """Write an array so that it is on disk in full, or not at all.

        Parameters
        ----------
        name : str
            Name of the array.
        array : ndarray
            Any array without Python objects.
        replace : bool, default=True
            Whether it takes the place of one of that name.

        Raises
        ------
        FileExistsError
            If it must not, and there is one.
        OSError
            If the file cannot be written; the message says what is kept.
        """
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
        try:
            # Let go at once: an error keeps this frame, and a buffer must not be collected while it is looked into.
            with buffer.getbuffer() as content:
                write_whole(self.path / name, hashlib.sha256(content).digest(), content, replace=replace)
        except FileExistsError:
            raise
        except OSError as error:
            explained = OSError(
                f"The {self._argument} could not write {os.fspath(self.path / name)!r}. What was finished before is "
                f"whole and kept in that folder; the same fit goes on from there once files can be written. Got {error}"
            )
            explained.errno = error.errno
            raise explained from error

    def save_first(self, name, array):
        """Write an array unless there is one of that name, by another run that shares the folder.

        Parameters
        ----------
        name : str
            Name of the array.
        array : ndarray
            Any array without Python objects.

        Returns
        -------
        array : ndarray
            What is there now: all runs that ask at once get the same.

        Raises
        ------
        OSError
            If the file cannot be written; the message says what is kept.
        """
        try:
            self.save(name, array, replace=False)
        except FileExistsError:
            if (stored := self.load(name)) is not None:
                return stored
            self.save(name, array)
        return array

    def once(self, name, make):
        """An array that all runs of this folder share: the first one makes it.

        Parameters
        ----------
        name : str
            Name of the array.
        make : callable
            Gives the array, or a number.

        Returns
        -------
        array : ndarray
        """
        stored = self.load(name)
        return self.save_first(name, make()) if stored is None else stored

    def load(self, name):
        """Read an array back.

        Parameters
        ----------
        name : str
            Name of the array.

        Returns
        -------
        array : ndarray or None
            None where there is no such file or it is damaged; the latter is logged as a warning.
        """
        path = self.path / name
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        digest, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != digest:
            logger.warning("%s is damaged and will be computed again", path)
            return None
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)

    def remove(self, pattern):
        """Delete arrays that are not needed any more.

        Parameters
        ----------
        pattern : str
            Their names, with ``*`` for anything.
        """
        for path in self.path.glob(pattern):
            path.unlink(missing_ok=True)
