"""Noise models of the literature as transition matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sklabelnoise._foundation._classes import check_rows_sum_to_one, in_full_precision
from sklabelnoise._foundation._counts import check_count, is_integer, is_number
from sklabelnoise._foundation._frames import pandas_frame
from sklabelnoise._foundation._given import label_column
from sklabelnoise._foundation._matrix import check_matrix
from sklabelnoise._foundation._types import ArrayLike, RandomState

#: Classes of CIFAR-10 that people confuse: truck -> automobile, bird -> airplane, deer -> horse, cat <-> dog.
CIFAR10_FLIPS = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}

#: Digits that look alike: 7 -> 1, 2 -> 7, 3 -> 8, 5 <-> 6.
MNIST_FLIPS = {7: 1, 2: 7, 3: 8, 5: 6, 6: 5}

#: The superclass (coarse label) of each of the 100 fine labels of CIFAR-100. Fine labels are in alphabetical order, so
#: five consecutive ones never form a superclass.
CIFAR100_SUPERCLASSES = (
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11, 6, 11, 5, 10, 7),
    *(6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5, 5, 19, 8, 8, 15, 13, 14, 17, 18, 10),
    *(16, 4, 17, 4, 2, 0, 17, 4, 18, 17, 10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16),
    *(12, 9, 13, 15, 13, 16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
)


def _is_class(number, n_classes):
    return is_integer(number) and 0 <= number < n_classes


def check_rate(rate):
    """A rate as a float, so that no single precision or fraction goes on into a matrix."""
    if not is_number(rate) or not 0 <= rate < 1:
        raise ValueError(f"rate must be a number in [0, 1), got {rate!r}.")
    return float(rate)


def check_transition_matrix(transition_matrix: ArrayLike, n_classes: int | None = None) -> NDArray[Any]:
    """Validate a transition matrix and return it as a float64 array.

    Parameters
    ----------
    transition_matrix : array-like or DataFrame of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``: no negative entry, every row sums to one. A frame that names rows and
        columns is put into the order of its rows.

    n_classes : int, default=None
        The number of classes it has to have; None accepts any.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)

    Raises
    ------
    ValueError
        If it is not square, not of the expected size, holds NaN or negative entries, or has a row that does not sum to
        one, or if a frame has other names for its rows than for its columns.

    Examples
    --------
    >>> from sklabelnoise.noise import check_transition_matrix
    >>> check_transition_matrix([[0.9, 0.1], [0.2, 0.8]])
    array([[0.9, 0.1],
           [0.2, 0.8]])
    """
    T = check_matrix(
        named_classes(transition_matrix)[1],
        "transition_matrix",
        "(n_classes, n_classes)",
        dtype=np.float64,
        hint=" symmetric_transition_matrix(n_classes, rate) makes one of a rate.",
    )
    if T.shape[0] != T.shape[1]:
        raise ValueError(f"transition_matrix must be square, got shape {T.shape}.")
    if n_classes is not None and len(T) != n_classes:
        raise ValueError(f"transition_matrix must have one row for each of {n_classes} classes, got shape {T.shape}.")
    if T.min() < 0:
        raise ValueError(f"transition_matrix must not hold negative probabilities, got {T.min():g}.")
    hint = " Its columns do; is it transposed?" if np.allclose(T.sum(axis=0), 1, rtol=0, atol=1e-6) else ""
    check_rows_sum_to_one(T, "transition_matrix", tolerance=1e-6, hint=hint)
    return T


def named_classes(transition_matrix, argument="transition_matrix"):
    """The classes that a frame names its rows and columns after, and its values with both in the order of the rows.

    Returns
    -------
    names : list or None
        None for what is no frame, and for one whose rows and columns are only numbered.

    values : array-like of shape (n_classes, n_classes)
        Of half precision, without its rounding.

    Raises
    ------
    ValueError
        If rows and columns are named after different classes, or one name comes twice, or if numbers on one side may
        be names or none.
    """
    frame = pandas_frame(transition_matrix, argument)
    if frame is None:
        return None, in_full_precision(transition_matrix)
    rows, columns = (None if _is_numbered(names) else names.tolist() for names in (frame.index, frame.columns))
    if rows is None or columns is None:  # a frame without an index has its rows in the order of its columns
        names = columns if rows is None else rows
        spelled, numbers = [str(name) for name in names or ()], [str(number) for number in range(len(names or ()))]
        # 0, 1, 2 beside 2, 0, 1: the numbers of rows that have no names, or the classes in their order.
        if spelled != numbers and set(spelled) == set(numbers):
            raise ValueError(
                f"{argument} must name its rows as its columns, or both in the order of the classes, got "
                f"{frame.index.tolist()} and {frame.columns.tolist()}."
            )
        return names, in_full_precision(frame.to_numpy())
    # One that was read from a file has texts for the names of its columns, and numbers for those of its rows.
    place = {str(name): j for j, name in enumerate(columns)}
    if not len(place) == len(rows) == len(columns) or {str(name) for name in rows} != place.keys():
        raise ValueError(
            f"{argument} must have rows and columns named after the same classes, got {rows} and {columns}."
        )
    return rows, in_full_precision(frame.to_numpy()[:, [place[str(name)] for name in rows]])


def in_order_of_classes(transition_matrix, classes, argument="transition_matrix"):
    """A transition matrix in the order of classes, by the names of its rows and columns if it has any.

    Raises
    ------
    ValueError
        If it is named after anything but these classes.
    """
    names, values = named_classes(transition_matrix, argument)
    if names is None:
        return values
    place = {str(name): i for i, name in enumerate(names)}
    classes = np.asarray(classes).tolist()
    if not len(place) == len(names) == len(classes) or {str(label) for label in classes} != place.keys():
        raise ValueError(f"{argument} must be named after the classes {classes}, got {names}.")
    order = [place[str(label)] for label in classes]
    return np.asarray(values)[np.ix_(order, order)]


def _is_numbered(names):
    return names.tolist() == list(range(len(names)))


def symmetric_transition_matrix(n_classes: int, rate: float, *, include_true_class: bool = False) -> NDArray[Any]:
    """Symmetric noise: a wrong label is any other class, with equal probability.

    Parameters
    ----------
    n_classes : int
        Number of classes, at least 2.

    rate : float in [0, 1)
        Probability that a label is redrawn.

    include_true_class : bool, default=False
        False draws the new label from the other classes, so `rate` is the noise rate. True draws it from all classes:
        then the true one comes back once in `n_classes` times, and the actual noise rate is
        ``rate * (n_classes - 1) / n_classes``. Results under the two conventions cannot be compared.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    See Also
    --------
    expected_noise_rate : The actual rate of any transition matrix.

    Examples
    --------
    >>> from sklabelnoise.noise import expected_noise_rate, symmetric_transition_matrix
    >>> symmetric_transition_matrix(3, 0.4)
    array([[0.6, 0.2, 0.2],
           [0.2, 0.6, 0.2],
           [0.2, 0.2, 0.6]])
    >>> T = symmetric_transition_matrix(10, 0.8, include_true_class=True)
    >>> round(expected_noise_rate(T), 2)
    0.72
    """
    n_classes = check_count("n_classes", n_classes, least=2)
    rate = check_rate(rate)
    spread = rate / (n_classes if include_true_class else n_classes - 1)
    T = np.full((n_classes, n_classes), spread)
    np.fill_diagonal(T, 1 - rate + (spread if include_true_class else 0))
    return T


def asymmetric_transition_matrix(n_classes: int, rate: float, flips: dict[int, int]) -> NDArray[Any]:
    """Asymmetric noise: each listed class is mistaken for one other class; classes that are not listed stay clean.

    Parameters
    ----------
    n_classes : int
        Number of classes, at least 2.

    rate : float in [0, 1)
        Probability that a label of a listed class is flipped. Over balanced classes the noise rate is
        ``rate * len(flips) / n_classes``.

    flips : dict of int to int
        ``{true: given}`` as indices of classes, such as `CIFAR10_FLIPS` or `MNIST_FLIPS`.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    References
    ----------
    Patrini, Rozza, Menon, Nock and Qu: "Making Deep Neural Networks Robust to Label Noise: a Loss Correction
    Approach", CVPR 2017, section 6 (the maps of CIFAR-10 and MNIST).

    Examples
    --------
    >>> from sklabelnoise.noise import CIFAR10_FLIPS, asymmetric_transition_matrix, expected_noise_rate
    >>> T = asymmetric_transition_matrix(10, 0.4, CIFAR10_FLIPS)
    >>> float(T[9, 1]), round(expected_noise_rate(T), 2)
    (0.4, 0.2)
    """
    n_classes = check_count("n_classes", n_classes, least=2)
    rate = check_rate(rate)
    if not isinstance(flips, Mapping):
        raise TypeError(f"flips must be a dict of one class to another, got {flips!r}.")
    T = np.eye(n_classes)
    for true, given in flips.items():
        if not (_is_class(true, n_classes) and _is_class(given, n_classes)) or true == given:
            raise ValueError(
                f"flips must map one class to another, both in 0 to {n_classes - 1}, got {true!r}: {given!r}."
            )
        T[true, true], T[true, given] = 1 - rate, rate
    return T


def pair_flip_transition_matrix(n_classes: int, rate: float) -> NDArray[Any]:
    """Pair flip: a wrong label is always the next class, and the last class becomes the first.

    Parameters
    ----------
    n_classes : int
        Number of classes, at least 2.

    rate : float in [0, 1)
        Probability that a label is flipped: the noise rate.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    References
    ----------
    Han et al.: "Co-teaching: Robust Training of Deep Neural Networks with Extremely Noisy Labels", NeurIPS 2018,
    section 3 and Figure 1.

    Examples
    --------
    >>> from sklabelnoise.noise import pair_flip_transition_matrix
    >>> pair_flip_transition_matrix(3, 0.25)
    array([[0.75, 0.25, 0.  ],
           [0.  , 0.75, 0.25],
           [0.25, 0.  , 0.75]])
    """
    n_classes = check_count("n_classes", n_classes, least=2)
    return asymmetric_transition_matrix(n_classes, rate, {i: (i + 1) % n_classes for i in range(n_classes)})


def block_flip_transition_matrix(
    n_classes: int,
    rate: float,
    *,
    block_size: int = 5,
    flip: Literal["next", "pair"] = "next",
    random_state: RandomState = None,
) -> NDArray[Any]:
    """Flips inside blocks of consecutive class indices, as many papers corrupt CIFAR-100.

    The fine labels of CIFAR-100 are in alphabetical order, so its blocks of five are *not* superclasses, though they
    are often called so: `superclass_transition_matrix` makes that noise, and results under the two cannot be compared.

    Parameters
    ----------
    n_classes : int
        Number of classes, a multiple of `block_size`.

    rate : float in [0, 1)
        Probability that a label of an affected class is flipped.

    block_size : int, default=5
        Number of consecutive classes in a block.

    flip : {"next", "pair"}, default="next"
        "next" flips every class to the next of its block, the last to the first: the noise rate is `rate`. "pair"
        draws one pair of classes in each block and flips these two to each other: over balanced classes the noise rate
        is ``2 * rate / block_size``.

    random_state : int, RandomState instance or None, default=None
        Determines the pairs; not used by ``flip="next"``.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    References
    ----------
    Patrini et al.: "Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach", CVPR 2017 ("next").
    Wang et al.: "Symmetric Cross Entropy for Robust Learning with Noisy Labels", ICCV 2019 ("pair").

    Examples
    --------
    >>> from sklabelnoise.noise import block_flip_transition_matrix, expected_noise_rate
    >>> block_flip_transition_matrix(4, 0.25, block_size=2)
    array([[0.75, 0.25, 0.  , 0.  ],
           [0.25, 0.75, 0.  , 0.  ],
           [0.  , 0.  , 0.75, 0.25],
           [0.  , 0.  , 0.25, 0.75]])
    >>> T = block_flip_transition_matrix(100, 0.4, flip="pair", random_state=0)
    >>> round(expected_noise_rate(T), 2)
    0.16
    """
    n_classes = check_count("n_classes", n_classes, least=2)
    if not is_integer(block_size) or block_size < 2 or n_classes % block_size:
        raise ValueError(f"block_size must be an integer of at least 2 that divides {n_classes}, got {block_size!r}.")
    return superclass_transition_matrix(
        np.arange(n_classes) // int(block_size), rate, flip=flip, random_state=random_state
    )


def superclass_transition_matrix(
    superclasses: ArrayLike, rate: float, *, flip: Literal["next", "pair"] = "next", random_state: RandomState = None
) -> NDArray[Any]:
    """Flips inside superclasses: classes are mistaken only for related ones.

    Parameters
    ----------
    superclasses : array-like of shape (n_classes,)
        The superclass of each class, for example `CIFAR100_SUPERCLASSES`. Each needs at least two classes.

    rate : float in [0, 1)
        Probability that a label of an affected class is flipped.

    flip : {"next", "pair"}, default="next"
        "next" flips every class to the next of its superclass, the last to the first: the noise rate is `rate`. "pair"
        draws one pair of classes in each superclass and flips these two to each other, so the other classes stay
        clean.

    random_state : int, RandomState instance or None, default=None
        Determines the pairs; not used by ``flip="next"``.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    See Also
    --------
    block_flip_transition_matrix : The same inside blocks of consecutive indices.

    References
    ----------
    Wang et al.: "Derivative Manipulation for General Example Weighting", section 4.2.1, and Wang et al.: "ProSelfLC",
    CVPR 2021, section 5 ("pair"). Englesson and Azizpour: "Generalized Jensen-Shannon Divergence Loss for Learning
    with Noisy Labels", NeurIPS 2021 ("next").

    Examples
    --------
    >>> from sklabelnoise.noise import CIFAR100_SUPERCLASSES, superclass_transition_matrix
    >>> T = superclass_transition_matrix(CIFAR100_SUPERCLASSES, 0.4)
    >>> int(T[0].argsort()[-2])  # apples (0) become mushrooms (51)
    51
    """
    superclasses = label_column(superclasses, "superclasses")
    if flip not in ("next", "pair"):
        raise ValueError(f'flip must be "next" or "pair", got {flip!r}.')
    rng = check_random_state(random_state)
    flips = {}
    for superclass in np.unique(superclasses).tolist():
        members = np.flatnonzero(superclasses == superclass)
        if len(members) < 2:
            raise ValueError(
                f"superclasses must have two classes each to be flipped, got one of superclass {superclass!r}."
            )
        if flip == "pair":
            members = rng.choice(members, size=2, replace=False)
        flips |= dict(zip(members.tolist(), np.roll(members, -1).tolist(), strict=True))
    return asymmetric_transition_matrix(len(superclasses), rate, flips)
