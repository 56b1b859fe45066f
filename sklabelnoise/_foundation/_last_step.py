"""The end of a Pipeline, and whether it says how probable classes are."""

from sklearn import get_config
from sklearn.pipeline import Pipeline

from sklabelnoise._compat import BaseSearchCV


def last_step(estimator):
    """The estimator that takes the labels: the end of a Pipeline, however deep, else the estimator itself."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def name_for_last_step(parameter, estimator):
    """What the fit of an estimator calls a parameter of its last step; where metadata are routed it keeps its name."""
    names = []
    while isinstance(estimator, Pipeline):
        name, estimator = estimator.steps[-1]
        names.append(name)
    return parameter if get_config()["enable_metadata_routing"] else "__".join([*names, parameter])


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
