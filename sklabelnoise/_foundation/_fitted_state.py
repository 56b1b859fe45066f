"""What was fitted before a call that fails is still there after it."""

from contextlib import contextmanager


@contextmanager
def keeping_fitted_state(estimator):
    """Leave an estimator as it was when the block fails: nothing that was fitted is lost."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
