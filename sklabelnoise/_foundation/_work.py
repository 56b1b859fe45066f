"""Pieces of a fit: done once, kept in a checkpoint, none begun after the time is over."""

import hashlib
import logging
import pickle
import re
import time

import numpy as np

logger = logging.getLogger(__name__)

# Names of pieces that are names of files everywhere, whatever the system makes of capitals.
_PLAIN_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,120}")


class TimeIsOver(Exception):
    """Raised in place of a piece of work that would begin after the time limit."""


class Work:
    """Runs the pieces of a fit.

    Parameters
    ----------
    checkpoint : Checkpoint or None, default=None
        Where finished pieces are kept. They hold fitted models, which are pickled.
    deadline : float, default=inf
        Time of ``time.monotonic`` after which no piece begins.

    Attributes
    ----------
    trouble : Exception or None
        Why a result could not be kept, or read back: no fault of the piece.
    """

    def __init__(self, checkpoint=None, deadline=np.inf):
        self._checkpoint = checkpoint
        self._deadline = deadline
        self.trouble = None

    def piece(self, name, compute):
        """The result of ``compute()``, from the checkpoint where it is there already.

        Parameters
        ----------
        name : str
            Unique within the fit; any text.
        compute : callable
            Does the work; its result can be pickled.

        Returns
        -------
        result : object

        Raises
        ------
        TimeIsOver
            If the result is not there yet and the time limit has passed.
        TypeError
            If there is a checkpoint and the result cannot be pickled.
        OSError
            If the checkpoint cannot be written, or read.
        """
        done, result = self.found(name)
        if done:
            return result
        if time.monotonic() > self._deadline:
            raise TimeIsOver(name)
        result = compute()
        self.keep(name, result)
        return result

    def found(self, name):
        """Whether the result of a piece is there already, and the result."""
        try:
            stored = None if self._checkpoint is None else self._checkpoint.load(_file_name(name))
        except OSError as error:
            self.trouble = error
            raise
        if stored is None:
            return False, None
        try:
            return True, pickle.loads(stored.tobytes())
        except Exception as error:  # whatever a class that has changed since makes of its old state
            logger.warning("Piece %r of the checkpoint cannot be read and is done again: %s", name, error)
            return False, None

    def keep(self, name, result):
        """Put the result of a piece into the checkpoint, if there is one."""
        if self._checkpoint is None:
            return
        try:
            self._checkpoint.save(_file_name(name), np.frombuffer(_pickled(name, result), dtype=np.uint8))
        except Exception as error:
            self.trouble = error
            raise

    @property
    def checkpoint(self):
        """Where finished pieces are kept, None for nowhere."""
        return self._checkpoint

    def without_limit(self):
        """The same checkpoint without a time limit."""
        return Work(self._checkpoint)


def _file_name(name):
    """A name as one of a file: it may be the user's, with slashes or of any length."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    return f"piece-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _pickled(name, result):
    try:
        return pickle.dumps(result)
    except Exception as error:  # pickle raises whatever a class makes it raise
        raise TypeError(
            f"With 'checkpoint' fitted models must be picklable, to be kept when they are done, got one of {name!r} "
            f"that is not: {error}"
        ) from error
