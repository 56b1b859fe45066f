"""Scikit-learn's digits with wrong labels."""

from __future__ import annotations

from typing import Literal

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from sklabelnoise._foundation._types import ArrayLike, Bunch, RandomState
from sklabelnoise.noise import (
    check_transition_matrix,
    corrupt_labels,
    pair_flip_transition_matrix,
    symmetric_transition_matrix,
)
from sklabelnoise.noise._transition_matrices import in_order_of_classes


def load_digits_noisy(
    noise_rate: float = 0.4,
    *,
    noise: Literal["symmetric", "pair_flip"] | ArrayLike = "symmetric",
    test_size: float | int = 0.25,
    random_state: RandomState = None,
) -> Bunch:
    """Load scikit-learn's digits with part of the training labels replaced.

    The test labels stay clean. The split is stratified by the clean labels.

    Parameters
    ----------
    noise_rate : float, default=0.4
        Probability that a training label is replaced by another class; the realized share differs a little.

    noise : {"symmetric", "pair_flip"} or array-like of shape (10, 10), default="symmetric"
        How labels are replaced: by any other digit with equal probability, by the next digit, or by a transition matrix
        of your own with ``T[i, j] = P(given = j | true = i)``, for which `noise_rate` is not used. The rows and columns
        of a frame are found by name.

    test_size : float or int, default=0.25
        Share, or number, of the 1,797 images kept for testing.

    random_state : int, RandomState instance or None, default=None
        Determines the split and the noise.

    Returns
    -------
    digits : :class:`~sklearn.utils.Bunch`
        With the following attributes.

        X_train, X_test : ndarray of shape (n_samples, 64)
            Gray values from 0 to 16.
        y_train : ndarray of shape (n_train,)
            The given labels, some of them wrong.
        y_train_clean : ndarray of shape (n_train,)
            The true labels of the same images.
        y_test : ndarray of shape (n_test,)
            True labels.
        transition_matrix : ndarray of shape (10, 10)
            The matrix the given labels were drawn with.
        feature_names, target_names : list of str
            What pixels and classes are called.

    Examples
    --------
    >>> from sklabelnoise.datasets import load_digits_noisy
    >>> digits = load_digits_noisy(0.4, random_state=0)
    >>> digits.X_train.shape, digits.X_test.shape
    ((1347, 64), (450, 64))
    >>> wrong = digits.y_train != digits.y_train_clean
    >>> bool(0.35 < wrong.mean() < 0.45)
    True
    """
    random_state = check_random_state(random_state)
    digits = load_digits()
    X_train, X_test, y_train, y_test = train_test_split(
        digits.data, digits.target, test_size=test_size, stratify=digits.target, random_state=random_state
    )
    n_classes = len(digits.target_names)
    if not isinstance(noise, str):
        transition_matrix = check_transition_matrix(in_order_of_classes(noise, digits.target_names), n_classes)
    elif noise == "symmetric":
        transition_matrix = symmetric_transition_matrix(n_classes, noise_rate)
    elif noise == "pair_flip":
        transition_matrix = pair_flip_transition_matrix(n_classes, noise_rate)
    else:
        raise ValueError(f"noise must be 'symmetric', 'pair_flip' or a transition matrix, got {noise!r}.")
    return Bunch(
        X_train=X_train,
        y_train=corrupt_labels(y_train, transition_matrix, random_state=random_state),
        y_train_clean=y_train,
        X_test=X_test,
        y_test=y_test,
        transition_matrix=transition_matrix,
        feature_names=list(digits.feature_names),
        target_names=[str(label) for label in digits.target_names],
    )
