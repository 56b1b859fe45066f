"""What an epoch leaves in the history: loss, accuracy, learning rate and time."""

import math
import time

import numpy as np
import pandas as pd
import torch

from sklabelnoise.training._failures import nonfinite_loss_message

# Batches whose predictions are compared with their labels in one go: for each alone it is a good part of the step of a
# small network.
_COMPARED_AT_ONCE = 32


class EpochRecord:
    """Losses and hits of the batches of one epoch, brought together when it ends.

    Parameters
    ----------
    history : skorch.history.History
        Its last row is the epoch.
    prefix : str
        "train" or "valid".
    device : torch.device
        Where the batches are computed.
    """

    def __init__(self, history, prefix, device):
        self._history = history
        self._row = history[-1]  # once: skorch copies its list of all epochs for it
        self._prefix = prefix
        # Numbers at once where nothing has to be waited for: small tensors kept between large ones would keep the heap
        # from giving memory back. Elsewhere they stay on the device until the epoch ends.
        self._noted = torch.Tensor.item if torch.device(device).type == "cpu" else torch.Tensor.detach
        self._losses, self._masses, self._hits = [], [], []
        self._predicted = []
        self._start = time.perf_counter()

    @property
    def has_steps(self):
        """Whether a step was noted."""
        return bool(self._losses)

    def note(self, batch, step):
        """Take in what a step made of a batch: its `loss`, and `y_pred` or the `predicted` classes."""
        labels, weight = batch.labels, batch.sample_weight
        # At once, as a network may write its next predictions where these are.
        predicted = step["y_pred"].argmax(dim=1) if "y_pred" in step else step["predicted"]
        self._predicted.append((predicted, labels, weight))
        self._masses.append(len(labels) if weight is None else self._noted(weight.sum()))
        self._losses.append(self._noted(step["loss"]))
        if len(self._predicted) == _COMPARED_AT_ONCE:
            self._compare()

    def _compare(self):
        """Count the predictions noted last that are the label."""
        predicted, labels, weights = map(_joined, zip(*self._predicted, strict=True))
        self._predicted = []
        hit = predicted == labels
        self._hits.append(self._noted(hit.sum() if weights is None else (weights * hit).sum()))

    def write_batch(self, size):
        """Write the loss of the batch noted last into the history, for callbacks that read it there."""
        last = self._row["batches"][-1]
        last[f"{self._prefix}_loss"] = float(self._losses[-1])
        last[f"{self._prefix}_batch_size"] = size

    def write(self, lr, processes=None):
        """Bring the epoch's numbers from the device and write them into the history.

        Parameters
        ----------
        lr : float
            Learning rate at the end.
        processes : Processes, default=None
            Those that train together, which write what the first has: devices may round differently.

        Raises
        ------
        ValueError
            If a loss is not finite.
        """
        if self._predicted:
            self._compare()
        seconds = time.perf_counter() - self._start
        if processes is not None:
            processes.anybody(False)  # here a process that failed is noticed, and no device is waited for in vain
        numbers = [_as_numbers(values) for values in (self._losses, self._masses, self._hits)]
        self._losses, masses, hits = numbers if processes is None else processes.of_first(numbers)
        for i, loss in enumerate(self._losses, start=1):
            if not math.isfinite(loss):
                place = {"epoch": len(self._history), "batch": i, "n_batches": len(self._losses)}
                raise ValueError(nonfinite_loss_message(self._prefix, loss, **place, lr=lr))
        total = sum(masses)
        mean = sum(loss * mass for loss, mass in zip(self._losses, masses, strict=True)) / total
        row = self._row
        self._write_best(row, f"{self._prefix}_loss", mean, min)
        self._write_best(row, f"{self._prefix}_accuracy", sum(hits) / total, max)
        if self._prefix == "train":
            row["lr"] = lr
            row["seconds"] = seconds
        row[f"{self._prefix}_batch_count"] = len(self._losses)

    def _write_best(self, row, key, value, best):
        """Write a value, and whether it is the best so far, which skorch's Checkpoint and PrintLog ask for."""
        # The last that was the best so far is the best of all before: the others need no look.
        before = next((other[key] for other in reversed(self._history) if other.get(f"{key}_best")), None)
        row[key] = value
        row[f"{key}_best"] = before is None or (value != before and value == best(value, before))


def _joined(parts):
    """One tensor of many; None where there are none."""
    return parts[0] if len(parts) == 1 or parts[0] is None else torch.cat(parts)


def _as_numbers(values):
    """Numbers of Python; those of tensors come from the device at once."""
    return torch.stack(values).tolist() if isinstance(values[0], torch.Tensor) else values


def history_frame(history):
    """The scalars of skorch's history, one row an epoch, without what only its callbacks read."""
    for_callbacks = ("batches", "_best", "_batch_count")
    rows = [{k: v for k, v in row.items() if not k.endswith(for_callbacks) and np.isscalar(v)} for row in history]
    # By columns: pandas takes several times as long to turn rows into them.
    names = dict.fromkeys(name for row in rows for name in row)
    return pd.DataFrame({name: [row.get(name, np.nan) for row in rows] for name in names})
