"""Several processes that train one network, each on a device of its own and on its part of every batch.

They are started by ``torchrun`` or ``accelerate launch``, and all call the same ``fit`` with the same rows. Each
computes the logits of its part of a batch; logits are brought together, so that the loss, which may depend on all rows
of the batch or remember rows of others, is that of one process, its derivative exact, and the history the same
everywhere. Then the derivatives of the parameters are added up.

What a process can't do without the others it must not do alone for ever: where one fails, it says why and hangs up, and
the others fail, too.
"""

import atexit
import os
import threading
import traceback
from contextlib import contextmanager
from itertools import pairwise

import joblib
import torch
from torch import distributed

from sklabelnoise._compat import abort_group, default_store
from sklabelnoise.training._workers import is_worker

_thread = threading.local()
# Variables that torchrun and accelerate launch set for each process.
_OF_LAUNCHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class Processes:
    """The processes of one training, as one of them sees them.

    Groups are held here and nowhere else: letting go of them closes the connections, which is what tells the others.

    Parameters
    ----------
    number : int
        How many trainings there were before; the same in all processes.

    Attributes
    ----------
    rank, size : int
        Number of this process, and of all of them.
    local_rank : int
        Number of this process among those on its machine.
    """

    def __init__(self, number):
        self.rank, self.size = distributed.get_rank(), distributed.get_world_size()
        self.local_rank = int(os.environ.get("LOCAL_RANK", self.rank))
        self._failure = f"sklabelnoise/{number}/failure"
        self._words = distributed.new_group(backend="gloo")  # for what is said on the host
        self._numbers = None  # for tensors, where they are on a GPU

    def use_device(self, device):
        """Get ready to exchange tensors on the device that this process trains on."""
        kinds = self.all_say(torch.device(device).type)
        if len(set(kinds)) > 1:
            raise ValueError(f"All processes must train on devices of one kind, got {_by_process(kinds)}.")
        if kinds[0] == "cuda" and self._numbers is None:
            self._numbers = distributed.new_group(backend="nccl")

    # Words

    def all_say(self, value):
        """What each process says, in their order; a small object that can be pickled."""
        values = [None] * self.size
        with self._together():
            distributed.all_gather_object(values, value, group=self._words)
        return values

    def of_first(self, value):
        """What the first process says, in all of them."""
        values = [value]
        with self._together():
            distributed.broadcast_object_list(values, src=0, group=self._words)
        return values[0]

    def anybody(self, says):
        """Whether any process says yes."""
        answer = torch.tensor([int(says)])
        with self._together():
            distributed.all_reduce(answer, group=self._words)
        return answer.item() > 0

    def check_equal(self, facts):
        """Refuse to go on, in every process, where they do not hold the same.

        Parameters
        ----------
        facts : dict of str
            What this process holds, by a name that fits into a message.
        """
        everywhere = self.all_say(facts)
        for name in facts:
            values = [held[name] for held in everywhere]
            if any(value != values[0] for value in values):
                raise ValueError(
                    "All processes must call fit with the same rows, labels and parameters, as each trains on its part "
                    f"of every batch: {name} must be the same, got {_by_process(values)}."
                )

    # Numbers

    def part(self, n):
        """Places of the rows of this process in a batch of n, a slice."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    @torch.no_grad()
    def add_up(self, tensor):
        """Sum of a tensor over all processes, in place."""
        with self._together():
            distributed.all_reduce(tensor, group=self._numbers or self._words)
        return tensor

    def add_up_gradients(self, parameters):
        """Sum of the derivatives over all processes, in place, sent as one buffer for each type."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        for dtype in dict.fromkeys(gradient.dtype for gradient in gradients):
            same = [gradient for gradient in gradients if gradient.dtype == dtype]
            summed = self.add_up(torch.cat([gradient.flatten() for gradient in same]))
            for gradient, part in zip(same, summed.split([gradient.numel() for gradient in same]), strict=True):
                gradient.copy_(part.view_as(gradient))

    @torch.no_grad()
    def gather_rows(self, rows, n):
        """The rows of all processes, a batch of n, of which `rows` are the part of this one."""
        largest = -(-n // self.size)
        padded = rows.new_zeros(largest, *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        with self._together():
            distributed.all_gather(parts, padded, group=self._numbers or self._words)
        bounds = [n * rank // self.size for rank in range(self.size + 1)]
        sizes = [stop - start for start, stop in pairwise(bounds)]
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    @torch.no_grad()
    def copy_from_first(self, tensors):
        """Give tensors the values they have in the first process, in place."""
        for tensor in tensors:
            with self._together():
                distributed.broadcast(tensor, src=0, group=self._numbers or self._words)

    # The end

    def leave(self):
        """End the training together; nobody hangs up while others still read."""
        with self._together():
            distributed.barrier(group=self._words)
        self._hang_up()

    def fail(self, error):
        """Tell the others why this process can't go on, and hang up."""
        store = default_store()
        if not isinstance(error, EndedByOther) and not store.check([self._failure]):
            what = f"{type(error).__name__}: {error}".removesuffix(": ")
            store.set(self._failure, f"process {self.rank} of {self.size} failed: {what}")
        if self._numbers is not None:
            abort_group(self._numbers)
            self._numbers = None
        _end_workers(error)
        self._hang_up()

    def _hang_up(self):
        groups, self._numbers, self._words = (self._numbers, self._words), None, None
        for group in groups:
            if group is not None:
                distributed.destroy_process_group(group)

    @contextmanager
    def _together(self):
        try:
            yield
        except RuntimeError as error:
            store = default_store()
            reason = store.get(self._failure).decode() if store.check([self._failure]) else str(error)
            raise EndedByOther(f"Training on {self.size} processes ended, as {reason}") from error


class EndedByOther(RuntimeError):
    """Another process ended the training."""


def current_processes():
    """The processes of the training that runs in this thread; None where it has one process."""
    return getattr(_thread, "processes", None)


@contextmanager
def joined(wanted):
    """A block that all processes go through together, where there are several and it is wanted.

    Inside of another such block it does nothing of its own.

    Yields
    ------
    processes : Processes or None
    """
    if not wanted or current_processes() is not None or not _are_several():
        yield current_processes()
        return
    _thread.trainings = getattr(_thread, "trainings", 0) + 1
    processes = _thread.processes = Processes(_thread.trainings)
    try:
        yield processes
        processes.leave()
    except BaseException as error:
        processes.fail(error)
        raise
    finally:
        _thread.processes = None


def _are_several():
    """Whether this is one of several processes that torch connects, which are connected where they are not yet."""
    if not distributed.is_available():
        return False
    if not distributed.is_initialized():
        # Workers of joblib and of loaders inherit the variables of the process they work for.
        if is_worker() or int(os.environ.get("WORLD_SIZE", 1)) < 2 or not all(map(os.environ.get, _OF_LAUNCHER)):
            return False
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(_disconnect)
    return distributed.get_world_size() > 1


def _disconnect():
    if distributed.is_initialized():
        distributed.destroy_process_group()


def fingerprint(*values):
    """A short text that is the same for the same arrays."""
    return joblib.hash(values)[:8]


def _end_workers(error):
    """Let go of the loaders that an error's frames hold: their forked workers would keep the connections open."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _by_process(values):
    return ", ".join(f"{value} in process {rank}" for rank, value in enumerate(values))
