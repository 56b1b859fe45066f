"""Classifiers of other libraries that learn numbers of classes, from zero on, and no other labels."""

from sklearn.base import is_classifier

from sklabelnoise._foundation._extras import is_of
from sklabelnoise._foundation._last_step import last_step


def learns_numbers(estimator):
    """Whether a classifier has to be given numbers of classes in place of labels, itself or something in it.

    XGBoost's classifiers refuse other labels, and those that lack a number. The loss of a network of skorch takes them
    for its outputs: on a GPU any label that is none of these ends all computing. What is of this package gives its
    parts what they take.

    Parameters
    ----------
    estimator : classifier
        Unfitted.

    Returns
    -------
    learns : bool
    """
    if is_of(last_step(estimator), "sklabelnoise"):
        return False
    return any(
        (is_of(part, "skorch") and hasattr(part, "criterion")) or (is_of(part, "xgboost") and is_classifier(part))
        for part in [estimator, *estimator.get_params(deep=True).values()]
    )
