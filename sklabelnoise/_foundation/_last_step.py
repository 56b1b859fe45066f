"""The end of a Pipeline: whether it says how probable classes are, and by which name it is told more of the rows."""

from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from sklabelnoise._compat import BaseSearchCV
from sklabelnoise._foundation._extras import is_of


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


def keyword_of(estimator, name):
    """What the fit of an estimator calls what is told of each row beside its label, such as its weight.

    Parameters
    ----------
    estimator : estimator instance
        Unfitted. A Pipeline tells its last step, a search what it searches over, and a vote or a stack all of its
        members.
    name : str
        What the estimators that take it call it: "sample_weight", say.

    Returns
    -------
    keyword : str or None
        None where it is taken by none, or not by all.
    """
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        keyword = keyword_of(last, name)
        if keyword is None or get_config()["enable_metadata_routing"]:  # then its steps say whether they want it
            return keyword
        return f"{step}__{keyword}"
    if isinstance(estimator, BaseSearchCV):
        return keyword_of(estimator.estimator, name)
    if (members := _asked_together(estimator)) is None:
        return name if has_fit_parameter(estimator, name) else None
    # It hands on weights alone, and under no other name.
    takes_all = name == "sample_weight" and all(keyword_of(one, name) == name for one in members)
    return name if takes_all else None


def groups_keyword(estimator):
    """What the fit of an estimator that leaves rows out itself calls groups of rows that it then keeps whole.

    It is this package's and takes groups, or a search whose splitter asks for them, such as ``GroupKFold``.

    Parameters
    ----------
    estimator : estimator instance
        Unfitted, and a copy: this package's at the end of a Pipeline is made to request groups where metadata are
        routed.

    Returns
    -------
    keyword : str or None
        None where it leaves no rows out, or goes by something else.
    """
    if isinstance(estimator, Pipeline):
        step, last = estimator.steps[-1]
        keyword = groups_keyword(last)
        if keyword is None or not get_config()["enable_metadata_routing"]:
            return keyword and f"{step}__{keyword}"
        if hasattr(last, "set_fit_request"):
            last.set_fit_request(groups=True)
        return keyword
    if isinstance(estimator, BaseSearchCV):
        takes = hasattr(estimator.cv, "split") and get_routing_for_object(estimator.cv).consumes("split", ["groups"])
    else:
        takes = is_of(estimator, "sklabelnoise") and has_fit_parameter(estimator, "groups")
    return "groups" if takes else None


def _asked_together(estimator):
    """The members of a vote or a stack of scikit-learn, whose `fit` shows no parameter of theirs; else None."""
    from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor

    if not isinstance(estimator, VotingClassifier | VotingRegressor | StackingClassifier | StackingRegressor):
        return None
    members = [one for _, one in estimator.estimators if not isinstance(one, str)]
    final = getattr(estimator, "final_estimator", None)  # by default one that takes weights
    return members if final is None else [*members, final]
