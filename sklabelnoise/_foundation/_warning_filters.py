"""The filters of the caller's warnings: the same after a call as before it, for any number of threads at once.

``warnings.catch_warnings`` puts back the filters that it found. Where blocks of two threads overlap, one of them finds
what the other one made, and whoever ends last leaves that to the caller for good. Blocks of our own would do so, and
scikit-learn opens one whenever it checks an array or runs a task. So calls are counted here: the first one in remembers
the caller's filters, and the last one out takes away what is left of others'.
"""

import threading
import warnings
import weakref
from contextlib import contextmanager

import numpy as np

_lock = threading.Lock()
_inside = weakref.WeakSet()  # a call that an interrupt ends before it could sign off is gone with its frame
_callers = None, []
# Begins the pattern of each filter of ours, so that copies of it are known as well; a comment matches anything.
_MARK = "(?#sklabelnoise)"
# What scikit-learn and pandas turn on for a moment.
_OF_LIBRARIES = (
    ("error", np.exceptions.ComplexWarning),
    ("error", np.exceptions.VisibleDeprecationWarning),
    ("ignore", FutureWarning),
    ("always", DeprecationWarning),
)


class _Call:
    """One block, for as long as it lasts."""


@contextmanager
def callers_filters(*silenced):
    """Leave the filters of warnings as they are found, also where other threads are in such a block.

    Parameters
    ----------
    *silenced : tuple of (category, message)
        Warnings not to show meanwhile: a class of warnings, and a regular expression that their beginning matches.
        They are not shown in other threads either.
    """
    global _callers
    call = _Call()
    with _lock:
        if not _inside:
            _callers = warnings.filters, [one for one in warnings.filters if not _is_ours(one)]
        _inside.add(call)
        for category, message in silenced:
            warnings.filterwarnings("ignore", _MARK + message, category)
    try:
        yield
    finally:
        with _lock:
            _inside.discard(call)
            if not _inside:
                _put_back(*_callers)


def _put_back(filters, content):
    # Blocks of others that overlap write into a list that they take for theirs: into the caller's as well. What the
    # caller filtered meanwhile stays.
    filters[:] = [*_added(filters, content), *content]
    current = warnings.filters
    if current is filters:
        return
    # scikit-learn empties a list and writes it anew for its tasks: the same filters are to be the same objects again.
    if _added(current, filters):  # the user's own, in a block that is open or was closed meanwhile
        known = {_described(one): one for one in filters}
        kept = [known.get(_described(one), one) for one in current]
        current[:] = [one for one in kept if _described(one) in known or not (_is_ours(one) or _is_of_a_library(one))]
    else:
        warnings.filters = filters


def _added(filters, content):
    """Filters that are neither among others nor ours nor a library's."""
    known = {_described(one) for one in content}
    return [one for one in filters if not (_described(one) in known or _is_ours(one) or _is_of_a_library(one))]


def _is_ours(one):
    return str(getattr(one[1], "pattern", "")).startswith(_MARK)


def _is_of_a_library(one):
    action, message, category, module, _ = one
    return message is None and module is None and (action, category) in _OF_LIBRARIES


def _described(one):
    action, message, category, module, line = one
    return action, getattr(message, "pattern", message), category, getattr(module, "pattern", module), line
