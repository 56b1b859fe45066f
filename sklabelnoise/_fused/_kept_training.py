"""A stacked training that goes on where a run that was ended left it."""

import io
import time

import numpy as np
import torch

# Seconds between two snapshots: a run that is killed loses that much, and writing takes little of it.
_SECONDS = 30.0


class KeptTraining:
    """Snapshots of one stacked training in a checkpoint.

    Parameters
    ----------
    checkpoint : Checkpoint
        Where.
    name : str
        What tells this training from the others of the run.
    """

    def __init__(self, checkpoint, name):
        self._checkpoint, self._name = checkpoint, name
        self._last = time.monotonic()

    def load(self):
        """The last snapshot, None where there is none. Nothing is executed by reading it."""
        stored = self._checkpoint.load(self._name)
        return None if stored is None else torch.load(io.BytesIO(stored.tobytes()), weights_only=True)

    def offer(self, take, *, is_last):
        """Keep what ``take()`` gives, if the last snapshot is old or the training ends."""
        if is_last or time.monotonic() - self._last >= _SECONDS:
            buffer = io.BytesIO()
            torch.save(take(), buffer)
            self._checkpoint.save(self._name, np.frombuffer(buffer.getvalue(), dtype=np.uint8))
            self._last = time.monotonic()
