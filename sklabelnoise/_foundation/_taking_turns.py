"""Fits that draw from a generator of which the process has only one.

libsvm and liblinear seed theirs when a fit begins. Fits in several threads at once would draw each other's numbers, so
that results would differ from run to run, whatever the seed.
"""

import threading
from contextlib import nullcontext

from sklearn.svm import SVC, LinearSVC, LinearSVR, NuSVC

from sklabelnoise._foundation._extras import is_of

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
    ours = any(is_of(part, "sklabelnoise") for part in parts)
    return _turn if any(map(_draws, parts)) and not ours else nullcontext()


def _draws(part):
    if isinstance(part, SVC | NuSVC):
        return part.probability is True
    return isinstance(part, LinearSVC | LinearSVR) or getattr(part, "solver", None) == "liblinear"
