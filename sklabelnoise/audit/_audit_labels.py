"""One call from data to report."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, column_or_1d

from sklabelnoise._foundation._given import check_none_missing
from sklabelnoise.audit._report import LabelReport


def audit_labels(
    estimator, X, y, *, evidence="auto", pred_probs=None, classes=None, cv=5, n_jobs=None, random_state=None
):
    """Find the labels to doubt, and how much noise there is, with any classifier.

    Parameters
    ----------
    estimator : classifier or None
        The classifier whose opinion counts; it is cloned. Only with `pred_probs` it may be None.

    X : array-like of shape (n_samples, ...), list of str, or None
        What the classifier is fitted to, and what `LabelReport.to_html` shows. Only with `pred_probs` it may be None.

    y : array-like of shape (n_samples,)
        The given labels.

    evidence : {"auto", "fit", "out_of_fold"}, default="auto"
        * "out_of_fold" fits `cv` times, so that no row is judged by a model that saw its label.
        * "fit" fits once and takes what the model says about its training rows, for the networks of this package their
          mean prediction over all epochs. That ranks labels well if the model does not memorise wrong ones; but what it
          has memorised it cannot count, so the noise is estimated from two more fits, to one half of the rows each.
        * "auto" takes "fit" for the classifiers of this package (also as the last step of a Pipeline), other than plain
          cross entropy, and "out_of_fold" for all others.

    pred_probs : array-like of shape (n_samples, n_classes), default=None
        Out-of-fold probabilities that are at hand already, as cleanlab takes them; nothing is fitted then.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the columns of `pred_probs`. None takes the sorted labels of `y`.

    cv : int, splitter or iterable, default=5
        Folds of "out_of_fold". An int means as many stratified, shuffled folds.

    n_jobs : int, default=None
        Folds (or halves) fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Determines the folds that an int `cv` makes, and the halves of "fit". The classifier has its own.

    Returns
    -------
    report : LabelReport

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklabelnoise.audit import audit_labels
    >>> X, y = load_iris(return_X_y=True)
    >>> y[:3] = 1  # three flowers that are not versicolor
    >>> report = audit_labels(LogisticRegression(max_iter=500), X, y, random_state=0)
    >>> report.issues["row"].head(3).sort_values().tolist()
    [0, 1, 2]
    """
    if evidence not in ("auto", "fit", "out_of_fold"):
        raise ValueError(f'evidence must be "auto", "fit" or "out_of_fold", got {evidence!r}.')
    if pred_probs is not None:
        return LabelReport(y, pred_probs, classes=classes, X=X)
    if estimator is None:
        raise ValueError("estimator may be None only if pred_probs are given.")
    if classes is not None:
        raise ValueError("classes name the columns of pred_probs; an estimator finds its own.")
    check_none_missing(y)
    y = column_or_1d(y)
    final = _final_step(estimator)
    if evidence != "out_of_fold" and _is_ours(final) and hasattr(final, "n_rounds"):
        return _report_of_a_refinery(clone(estimator), X, y)
    does_not_memorise = _is_ours(final) and getattr(final, "loss", None) != "cross_entropy"
    if evidence == "fit" or (evidence == "auto" and does_not_memorise):
        halves = _predict_left_out(estimator, X, y, 2, n_jobs, random_state)
        return _report_of_one_fit(clone(estimator), X, y, halves)
    return LabelReport(y, _predict_left_out(estimator, X, y, cv, n_jobs, random_state), X=X)


def _predict_left_out(estimator, X, y, cv, n_jobs, random_state):
    if isinstance(cv, int):
        seed = check_random_state(random_state).randint(np.iinfo(np.int32).max)
        cv = StratifiedKFold(cv, shuffle=True, random_state=seed)
    return cross_val_predict(estimator, X, y, cv=cv, n_jobs=n_jobs, method="predict_proba")


def _final_step(estimator):
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _is_ours(estimator):
    """Whether it is a class of this package or derived from one; by name, because importing them would import torch."""
    return any(base.__module__.startswith("sklabelnoise.") for base in type(estimator).__mro__)


def _report_of_one_fit(estimator, X, y, left_out):
    final = _final_step(estimator)
    mean = _watch(final)
    estimator.fit(X, y)
    proba = getattr(mean, "proba_", None)
    # Held-out rows and rows of weight zero are not trained on: then only the fitted model speaks of all of them.
    if proba is None or len(proba) != len(y):
        proba = estimator.predict_proba(X)
    return LabelReport(y, proba, classes=final.classes_, X=X, in_sample=True, noise_proba=left_out)


def _report_of_a_refinery(estimator, X, y):
    """A label refinery has out-of-fold probabilities of its own, unless it runs no round."""
    final = _final_step(estimator.fit(X, y))
    proba = final.oof_proba_ if hasattr(final, "oof_proba_") else estimator.predict_proba(X)
    return LabelReport(y, proba, classes=final.classes_, X=X, in_sample=not hasattr(final, "oof_proba_"))


def _watch(final):
    """Make a network of this package average its predictions while it trains; None for anything else."""
    if not hasattr(final, "embed") or "callbacks" not in final.get_params(deep=False):
        return None
    from sklabelnoise.training import MeanPrediction  # torch, which a network has loaded already

    mean = MeanPrediction()
    final.set_params(callbacks=[*(final.callbacks or []), mean])
    return mean
