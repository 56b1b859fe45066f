"""Nothing that was fitted is lost by a call that fails."""

from contextlib import contextmanager


@contextmanager
def keeping_fitted_state(estimator):
    """Leave an estimator as it was when the block fails."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
