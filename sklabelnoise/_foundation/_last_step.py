"""The end of a Pipeline, and whether it says how probable classes are."""

from sklearn.pipeline import Pipeline

from sklabelnoise._compat import BaseSearchCV


def last_step(estimator):
    """The estimator that takes the labels: the end of a Pipeline, however deep, else the estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def predicts_proba(classifier):
    """Whether a classifier has `predict_proba` once it is fitted, inside a Pipeline or a search too."""
    if hasattr(classifier, "predict_proba"):
        return True
    from sklearn.ensemble import StackingClassifier

    final = last_step(classifier)
    if isinstance(final, BaseSearchCV):
        return predicts_proba(final.estimator)
    # Its default final estimator, a logistic regression, is made in `fit`; before, scikit-learn says there is none.
    return isinstance(final, StackingClassifier) and final.final_estimator is None
