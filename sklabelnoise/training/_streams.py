"""Rows that stay on the host: which do, and how they reach the device in time.

An array of which a device could hold two, beside what lies there already, is sent whole, once. Others are streams: a
thread reads the rows of one batch, from memory, a file or a sparse matrix, while the device computes with the batch
before, and fetches them from there without making anybody wait. It holds :data:`BATCHES_ON_DEVICE` batches at most,
however many rows there are. Labels, weights and the order of the rows, a few bytes a row, are on the device all the
same.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse
import torch

from sklabelnoise.training._device import free_memory

# One that arrives, and the one before, which whoever iterates has not let go of yet.
BATCHES_ON_DEVICE = 2
# Share of the free memory of a device that an array may take; networks and what they compute need the rest.
_SHARE_OF_FREE = 0.5


def stays_on_host(X, device):
    """Whether rows are to be sent batch by batch: sparse ones, files that can't be written, and what is too large.

    Parameters
    ----------
    X : ndarray, Tensor or CSR matrix
        Rows.
    device : torch.device
        Where they are trained on.
    """
    if scipy.sparse.issparse(X):
        return True
    if isinstance(X, torch.Tensor):
        return False
    if device.type == "cpu":
        # torch shares no memory that can't be written: it would read the whole file.
        return _is_mapped(X) and not X.flags.writeable
    free = free_memory(device)
    return free is not None and X.nbytes > _SHARE_OF_FREE * free


def reads_ahead(X, device):
    """Whether rows on the host are read in a thread, as neither the device nor a disk should be waited for."""
    return device.type != "cpu" or _is_mapped(X)


def sent_ahead(data, wanted):
    """The rows of one batch after the other on the device, each read while the one before is computed with.

    Parameters
    ----------
    data : TensorData
        Its rows are on the host.
    wanted : list of LongTensor
        Row numbers of each batch, on the host.

    Yields
    ------
    X : Tensor
    """
    with ThreadPoolExecutor(1, "sklabelnoise-rows") as reader:
        read = reader.submit(data.rows_on_host, wanted[0])
        for following in [*wanted[1:], None]:
            rows = read.result()
            if following is not None:
                read = reader.submit(data.rows_on_host, following)
            # On the stream of what is computed: memory of batches before is taken again, in their order. To copy
            # beside it would take a batch for each that the host is ahead.
            yield rows.to(data.device, non_blocking=True)


def _is_mapped(X):
    """Whether an array is a view of a file."""
    while isinstance(X, np.ndarray):
        if isinstance(X, np.memmap):
            return True
        X = X.base
    return False


def as_tensor(array):
    """Share memory with a writable array, copy a read-only one (torch warns that it could be written through)."""
    if isinstance(array, torch.Tensor):
        return array
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy())
