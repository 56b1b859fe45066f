"""Linear algebra in one thread, for any number of callers at once.

The order of sums, and with it the last bits of a fit, must not depend on how many threads a library has. BLAS keeps one
number of threads for the whole process: callers that limit it and put it back each on their own would, where they
overlap, put back each other's limit. So the first one in limits it, and the last one out puts it back. OpenMP keeps
one for each thread that calls it. OpenBLAS 0.3.31 takes a number from the main thread alone: a fit that others call
from threads of their own has as many threads of BLAS as the process.
"""

import sys
import threading
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_inside = 0
_blas = None


@contextmanager
def one_thread():
    """Let BLAS and OpenMP compute in the calling thread alone, and leave their settings as they were."""
    global _inside, _blas
    with _lock:
        if _inside == 0:
            _blas = _limited("blas")
        _inside += 1
    try:
        with _limited("openmp"):
            yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _blas.restore_original_limits()


def _limited(user_api):
    # Libraries come with modules: as long as there are no others, they are those that were found.
    # They are selected first: a limit for one kind of them would put back the numbers of the other kind as well.
    return _libraries(len(sys.modules)).select(user_api=user_api).limit(limits=1)


@lru_cache(maxsize=1)
def _libraries(n_modules):
    # To find them takes milliseconds, which is as long as a small member takes to be fitted.
    return ThreadpoolController()
