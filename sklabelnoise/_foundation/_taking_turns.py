"""Fits that draw from a generator of which the process has only one.

libsvm and liblinear seed theirs when a fit begins. Fits in several threads at once would draw each other's numbers, so
that results would differ from run to run, whatever the seed.
"""

import threading
from contextlib import nullcontext

from sklearn.svm import SVC, LinearSVC, LinearSVR, NuSVC

_turn = threading.RLock()


def in_turn(estimator):
    """A block in which an estimator is fitted: one at a time where it draws from such a generator.

    Parameters
    ----------
    estimator : estimator instance
        Unfitted. Estimators of this package that fit others do without: they take turns with each of these, which in
        threads of their own would wait for this block.

    Returns
    -------
    block : context manager
    """
    parts = [estimator, *estimator.get_params(deep=True).values()]
    return _turn if any(map(_draws, parts)) and not any(map(_is_ours, parts)) else nullcontext()


def _draws(part):
    if isinstance(part, SVC | NuSVC):
        return part.probability is True
    return isinstance(part, LinearSVC | LinearSVR) or getattr(part, "solver", None) == "liblinear"


def _is_ours(part):
    return any(base.__module__.startswith("sklabelnoise.") for base in type(part).__mro__)
