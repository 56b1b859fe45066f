"""The end of a Pipeline."""

from sklearn.pipeline import Pipeline


def last_step(estimator):
    """The estimator that takes the labels: the end of a Pipeline, however deep, else the estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator
