"""How much noise there is, and between which classes, from given labels and out-of-fold probabilities."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._types import ArrayLike, Labels
from sklabelnoise._label_report._evidence import check_evidence, confident_classes
from sklabelnoise._label_report._reliability import GOOD, reliability_of
from sklabelnoise.noise._anchors import joint_of_anchor_sets


def estimate_transition_matrix(
    y: Labels,
    proba: ArrayLike,
    *,
    method: Literal["anchor_sets", "confident_joint", "anchor_points", "predictions"] = "anchor_sets",
    classes: Labels | None = None,
) -> NDArray[Any]:
    """Estimate how often each true class was given each label.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The given labels.

    proba : array-like or DataFrame of shape (n_samples, n_classes)
        Probabilities of the classes by a model that was trained on given labels, but not on those of the same row:
        out-of-fold probabilities, as by ``cross_val_predict(..., method="predict_proba")``. The columns of a frame are
        found by name.

    method : {"anchor_sets", "confident_joint", "anchor_points", "predictions"}, default="anchor_sets"
        * "anchor_sets" takes, for each class, the most confident half of the rows predicted as it for its own, and
          counts the labels they were given. It needs the order of the probabilities only, not their values.
        * "confident_joint" counts the rows that are confidently of one class and were given another [1]_. Model errors
          count as noise, the more so for rare classes.
        * "anchor_points" reads the probabilities of the one row surest of each class [2]_. They have to be calibrated
          for the *given* labels; networks, which are surer than they should be, make it see too little noise.
        * "predictions" takes the most probable class for the truth. Every error of the model counts as noise; for one
          fit that does not memorize, whose opinion of its training rows leaves little error to count.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the columns of `proba`. None takes the sorted labels of `y`.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one. A class that no row is predicted as keeps the row of
        the identity. (cleanlab's noise matrix is the transpose.)

    Raises
    ------
    ValueError
        If labels and probabilities do not fit each other, or if columns have names that are no classes.

    Warns
    -----
    UserWarning
        If the model is too often wrong for the estimate to mean much: it would make nearly half of the labels wrong,
        or disagrees with the given labels clearly less often where it is surest, which label noise that does not depend
        on the features cannot explain. `LabelReport` says the same in its `reliability`, and has an interval.

    See Also
    --------
    estimate_noise_rate : The overall share of wrong labels.

    References
    ----------
    .. [1] Northcutt, Jiang and Chuang: "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021,
       section 3.1.
    .. [2] Patrini et al.: "Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach", CVPR 2017,
       equations 12 and 13.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_predict
    >>> from sklabelnoise.audit import estimate_transition_matrix
    >>> from sklabelnoise.noise import corrupt_labels, pair_flip_transition_matrix
    >>> X, y_clean = make_blobs(3000, centers=[[0, 0], [0, 6], [6, 0]], random_state=0)
    >>> y = corrupt_labels(y_clean, pair_flip_transition_matrix(3, 0.3), random_state=0)
    >>> proba = cross_val_predict(LogisticRegression(), X, y, method="predict_proba")
    >>> estimate_transition_matrix(y, proba).round(1)
    array([[0.7, 0.3, 0. ],
           [0. , 0.7, 0.3],
           [0.3, 0. , 0.7]])
    """
    codes, proba, _ = check_evidence(y, proba, classes)
    return estimate_noise(codes, proba, method)[0]


def estimate_noise_rate(
    y: Labels,
    proba: ArrayLike,
    *,
    method: Literal["anchor_sets", "confident_joint", "anchor_points", "predictions"] = "anchor_sets",
    classes: Labels | None = None,
) -> float:
    """Estimate the share of wrong labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The given labels.

    proba : array-like or DataFrame of shape (n_samples, n_classes)
        Out-of-fold probabilities of the classes. The columns of a frame are found by name.

    method : {"anchor_sets", "confident_joint", "anchor_points", "predictions"}, default="anchor_sets"
        As in `estimate_transition_matrix`.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the columns of `proba`. None takes the sorted labels of `y`.

    Returns
    -------
    noise_rate : float

    Raises
    ------
    ValueError
        If labels and probabilities do not fit each other, or if columns have names that are no classes.

    Warns
    -----
    UserWarning
        As `estimate_transition_matrix`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklabelnoise.audit import estimate_noise_rate
    >>> y = np.repeat([0, 0, 0, 1, 1, 1, 1, 0], 10)  # the last of each eight is wrong
    >>> proba = np.repeat(np.eye(2)[[0, 0, 0, 1, 1, 1, 1, 1]], 10, axis=0)
    >>> estimate_noise_rate(y, proba, method="confident_joint")
    0.125
    """
    codes, proba, _ = check_evidence(y, proba, classes)
    return estimate_noise(codes, proba, method)[1]


def estimate_noise(codes, proba, method):
    """Transition matrix and noise rate of checked evidence, what they are worth, and why.

    Warns where they are not worth much.
    """
    if not isinstance(method, str) or method not in _JOINTS:
        raise ValueError(f"method must be one of {list(_JOINTS)}, got {method!r}.")
    joint = _JOINTS[method](codes, proba)  # of true (rows) and given (columns) labels
    prior = joint.sum(axis=1, keepdims=True)
    T = np.divide(joint, prior, out=np.eye(len(joint)), where=prior > 0)
    rate = float(1 - np.trace(joint))
    reliability, reason = reliability_of(codes, proba, rate)
    if reliability != GOOD:
        warn(reason)
    return T, rate, reliability, reason


def _joint_of_confident_rows(codes, proba):
    n_classes = proba.shape[1]
    confident = confident_classes(codes, proba)
    claimed = confident >= 0
    counts = np.bincount(codes[claimed] * n_classes + confident[claimed], minlength=n_classes**2)
    counts = counts.reshape(n_classes, n_classes).astype(np.float64)  # given by true
    np.fill_diagonal(counts, np.maximum(counts.diagonal(), 1))  # each class has at least one right label
    # Each given label counts for as many rows as were given it, not only for those a class could claim.
    counts *= (np.bincount(codes, minlength=n_classes) / counts.sum(axis=1))[:, None]
    return counts.T / counts.sum()


def _joint_of_predictions(codes, proba):
    n_classes = proba.shape[1]
    counts = np.bincount(proba.argmax(axis=1) * n_classes + codes, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes) / len(codes)


def _joint_of_anchor_points(codes, proba):
    T = proba[proba.argmax(axis=0)].astype(np.float64)
    T /= T.sum(axis=1, keepdims=True)
    return np.bincount(proba.argmax(axis=1), minlength=len(T))[:, None] / len(codes) * T


_JOINTS = {
    "anchor_sets": joint_of_anchor_sets,
    "confident_joint": _joint_of_confident_rows,
    "anchor_points": _joint_of_anchor_points,
    "predictions": _joint_of_predictions,
}
