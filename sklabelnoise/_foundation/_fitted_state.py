"""What was fitted before a call that fails is still there after it."""

from contextlib import contextmanager

from sklabelnoise._foundation._warning_filters import callers_filters


@contextmanager
def keeping_fitted_state(estimator):
    """Leave an estimator as it was when the block fails: nothing that was fitted is lost.

    The warning filters of the caller are left as they are found, whether it fails or not.
    """
    before = dict(vars(estimator))
    try:
        with callers_filters():
            yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
