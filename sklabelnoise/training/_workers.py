"""Which worker this process is, where joblib, multiprocessing or Dask started several."""

import multiprocessing
import re
import sys


def is_worker():
    """Whether another process started this one to work for it, and it has that one's environment variables."""
    return multiprocessing.current_process().name != "MainProcess"


def worker_number():
    """Number of this process among the workers that were started, from 0; None where it is no worker.

    joblib and multiprocessing count their processes in their names, Dask's clusters on one machine name their workers
    by numbers. Ray shows each worker its own devices only, and needs none.
    """
    distributed = sys.modules.get("distributed")
    if distributed is not None:
        try:
            name = distributed.get_worker().name
        except ValueError:  # there is a Dask in this process, but no worker of it
            name = None
        if isinstance(name, int):
            return name
    if not is_worker():
        return None
    counted = re.search(r"-(\d+)$", multiprocessing.current_process().name)
    return int(counted[1]) - 1 if counted else None
