"""joblib's results one by one, so that each can be kept or shown when it is there."""

from sklearn.utils.parallel import Parallel


def as_they_come(n_jobs):
    """A Parallel whose results come as they are finished; all together where the backend knows no other way."""
    return _returning("generator_unordered", n_jobs=n_jobs)


def in_order(n_jobs, pre_dispatch="2 * n_jobs"):
    """A Parallel whose results come in the order of the tasks; all together where the backend knows no other way."""
    return _returning("generator", n_jobs=n_jobs, pre_dispatch=pre_dispatch)


def _returning(return_as, **params):
    try:
        return Parallel(**params, return_as=return_as)
    except ValueError:
        return Parallel(**params)
