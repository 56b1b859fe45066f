"""Anchors: the rows a model is surest of, which stand for their class when noise is estimated."""

import itertools

import numpy as np


def rows_of_each_prediction(proba):
    """Row numbers by predicted class, the surest first.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of the classes.

    Returns
    -------
    rows : list of ndarray of int
        One array for each class, empty where no row is predicted as it.
    """
    predicted = proba.argmax(axis=1)
    order = np.lexsort((-proba.max(axis=1), predicted))
    bounds = np.searchsorted(predicted[order], np.arange(proba.shape[1] + 1))
    return [order[start:stop] for start, stop in itertools.pairwise(bounds)]


def anchor_sets(proba):
    """Row numbers of the surest half of the rows predicted as each class, and of ten at least where there are as many.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of the classes.

    Returns
    -------
    rows : list of ndarray of int
        One array for each class, the surest first, empty where no row is predicted as it.
    """
    return [rows[: max((len(rows) + 1) // 2, min(10, len(rows)))] for rows in rows_of_each_prediction(proba)]


def joint_of_anchor_sets(codes, proba):
    """Share of each true class with each given label, by the given labels of the anchors of each class.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        The given labels, as columns of `proba`.
    proba : ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities of the classes.

    Returns
    -------
    joint : ndarray of shape (n_classes, n_classes)
        Of true classes (rows) and given labels (columns); sums to one. One minus its trace is the noise rate.
    """
    T = np.eye(proba.shape[1])
    for j, rows in enumerate(anchor_sets(proba)):
        if len(rows):
            T[j] = np.bincount(codes[rows], minlength=len(T)) / len(rows)
    return np.bincount(proba.argmax(axis=1), minlength=len(T))[:, None] / len(codes) * T


def transition_matrix_of_predictions(proba):
    """Transition matrix of the noise that a model of the *given* labels has learned.

    Where a row surely is of class i, the probabilities of its given label are row i of the transition matrix. The row
    surest of a class alone would be one whose label the network has memorized, whose probabilities show no noise: the
    mean over the anchor set of the class stands in its place.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of the given labels.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one. A class that no row is predicted as keeps the row of
        the identity.

    References
    ----------
    Patrini et al., Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach, CVPR 2017, equations
    12 and 13; section 5 takes the 97th percentile in place of the maximum.
    """
    T = np.eye(proba.shape[1])
    for i, rows in enumerate(anchor_sets(proba)):
        if len(rows):
            T[i] = proba[rows].mean(axis=0, dtype=np.float64)
    return T / T.sum(axis=1, keepdims=True)
