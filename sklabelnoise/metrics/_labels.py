"""What became of wrong labels: recovered, memorized, corrected, detected. For data whose true labels are known."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score
from sklearn.utils import check_consistent_length

from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._given import check_flags, check_same_kind, check_same_rows
from sklabelnoise._foundation._matrix import check_number_column
from sklabelnoise._foundation._types import ArrayLike, Labels


def _share(part, whole, what):
    """Share of the rows of `whole` that are also in `part`; NaN, with a warning, where there are none."""
    if not whole.any():
        warn(f"{what} is not defined: no label is wrong.", UndefinedMetricWarning)
        return np.nan
    return float(np.mean(part[whole]))


def label_recovery(y_clean: Labels, y_noisy: ArrayLike, y_corrected: ArrayLike) -> float:
    """Share of the label noise that a correction removed.

    Parameters
    ----------
    y_clean, y_noisy, y_corrected : array-like of shape (n_samples,)
        True labels, given labels, and the labels after correction, of the same rows.

    Returns
    -------
    recovery : float
        ``1 - (wrong labels after) / (wrong labels before)``: 1 if all labels are right after the correction, 0 if
        nothing was won, negative if there is more noise than before. NaN, with a warning, if no given label is wrong.

    See Also
    --------
    correction_rate : Looks at the wrong labels only, not at right ones that were spoiled.

    Examples
    --------
    >>> from sklabelnoise.metrics import label_recovery
    >>> label_recovery([0, 0, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1])
    0.5
    """
    y_clean, y_noisy, y_corrected = check_same_kind(y_clean=y_clean, y_noisy=y_noisy, y_corrected=y_corrected)
    before = np.count_nonzero(y_noisy != y_clean)
    if before == 0:
        warn("label_recovery is not defined: no label is wrong.", UndefinedMetricWarning)
        return np.nan
    return float(1 - np.count_nonzero(y_corrected != y_clean) / before)


def memorization_rate(y_clean: Labels, y_noisy: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of the wrong training labels that a model predicts as they were given.

    Parameters
    ----------
    y_clean, y_noisy, y_pred : array-like of shape (n_samples,)
        True labels, given labels and predictions of the same training rows.

    Returns
    -------
    rate : float
        0 if the model believes none of the wrong labels, 1 if it learned all of them by heart. NaN, with a warning, if
        no given label is wrong.

    See Also
    --------
    correction_rate : Share predicted as the truth instead.

    References
    ----------
    Arpit et al.: "A Closer Look at Memorization in Deep Networks", ICML 2017.

    Examples
    --------
    >>> from sklabelnoise.metrics import memorization_rate
    >>> memorization_rate([0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 0, 0])
    0.5
    """
    y_clean, y_noisy, y_pred = check_same_kind(y_clean=y_clean, y_noisy=y_noisy, y_pred=y_pred)
    return _share(y_pred == y_noisy, y_noisy != y_clean, "memorization_rate")


def correction_rate(y_clean: Labels, y_noisy: ArrayLike, y_pred: ArrayLike) -> float:
    """Share of the wrong training labels for which a model predicts the true class.

    Parameters
    ----------
    y_clean, y_noisy, y_pred : array-like of shape (n_samples,)
        True labels, given labels and predictions of the same training rows.

    Returns
    -------
    rate : float
        NaN, with a warning, if no given label is wrong.

    See Also
    --------
    memorization_rate : Share predicted as given. With more than two classes the two need not sum to one.

    Examples
    --------
    >>> from sklabelnoise.metrics import correction_rate
    >>> correction_rate([0, 0, 0, 0], [0, 1, 1, 2], [0, 0, 1, 1])
    0.3333333333333333
    """
    y_clean, y_noisy, y_pred = check_same_kind(y_clean=y_clean, y_noisy=y_noisy, y_pred=y_pred)
    return _share(y_pred == y_clean, y_noisy != y_clean, "correction_rate")


def detection_scores(
    is_mislabeled: ArrayLike, label_quality: ArrayLike, *, is_issue: ArrayLike | None = None
) -> dict[str, float]:
    """How well wrong labels are found: by a ranking, and by a decision.

    Parameters
    ----------
    is_mislabeled : array-like of shape (n_samples,)
        The truth: whether each given label is wrong.

    label_quality : array-like of shape (n_samples,)
        A score that is small for labels to doubt, such as the probability of the given label.

    is_issue : array-like of shape (n_samples,), default=None
        The decision: whether each label was called wrong. None calls wrong as many labels as really are, the ones with
        the smallest `label_quality`; precision and recall are the same number then.

    Returns
    -------
    scores : dict of str to float
        ``auc``, the probability that a wrong label ranks before a right one; ``precision``, the share of the issues
        that are wrong; ``recall``, the share of the wrong labels that are issues.

    Raises
    ------
    ValueError
        If there are no wrong labels or no right ones, if flags are neither True and False nor 1 and 0, or if two
        columns of pandas have the same index in different orders, as ``find_label_issues(...)["quality"]``, the worst
        first, and the truth in the order of the rows.

    Examples
    --------
    >>> from sklabelnoise.metrics import detection_scores
    >>> detection_scores([True, False, True, False], [0.1, 0.2, 0.3, 0.9])
    {'auc': 0.75, 'precision': 0.5, 'recall': 0.5}
    """
    check_same_rows(is_mislabeled=is_mislabeled, label_quality=label_quality, is_issue=is_issue)
    is_mislabeled = check_flags(is_mislabeled, "is_mislabeled")
    label_quality = check_number_column(label_quality, "label_quality")
    is_issue = None if is_issue is None else check_flags(is_issue, "is_issue")
    check_consistent_length(is_mislabeled, label_quality, is_issue)
    n_wrong = np.count_nonzero(is_mislabeled)
    if n_wrong in (0, len(is_mislabeled)):
        raise ValueError(
            f"is_mislabeled must hold right and wrong labels, got {n_wrong} of {len(is_mislabeled)} wrong."
        )
    if is_issue is None:
        is_issue = np.zeros(len(is_mislabeled), dtype=bool)
        is_issue[np.argsort(label_quality, kind="stable")[:n_wrong]] = True
    hits = np.count_nonzero(is_issue & is_mislabeled)
    n_issues = np.count_nonzero(is_issue)
    return {
        "auc": float(roc_auc_score(~is_mislabeled, label_quality)),
        "precision": float(hits / n_issues) if n_issues else 0.0,
        "recall": float(hits / n_wrong),
    }
