"""Pieces of a fit: done once, kept in a checkpoint, none begun after the time is over."""

import pickle
import time

import numpy as np


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
    """

    def __init__(self, checkpoint=None, deadline=np.inf):
        self._checkpoint = checkpoint
        self._deadline = deadline

    def piece(self, name, compute):
        """The result of ``compute()``, from the checkpoint where it is there already.

        Parameters
        ----------
        name : str
            Unique within the fit.
        compute : callable
            Does the work; its result can be pickled.

        Returns
        -------
        result : object

        Raises
        ------
        TimeIsOver
            If the result is not there yet and the time limit has passed.
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
        stored = None if self._checkpoint is None else self._checkpoint.load(name)
        return (False, None) if stored is None else (True, pickle.loads(stored.tobytes()))

    def keep(self, name, result):
        """Put the result of a piece into the checkpoint, if there is one."""
        if self._checkpoint is not None:
            self._checkpoint.save(name, np.frombuffer(pickle.dumps(result), dtype=np.uint8))

    @property
    def checkpoint(self):
        """Where finished pieces are kept, None for nowhere."""
        return self._checkpoint

    def without_limit(self):
        """The same checkpoint without a time limit."""
        return Work(self._checkpoint)
