"""Which label is given in place of which, estimated from the rows on which all families agree.

The estimate goes through the steps of :func:`estimate_transition`: count the given labels of anchors, shrink by the
evidence there is, see how much structure the off-diagonals have, and sharpen only as far as there is some.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from sklabelnoise._ensemble._combination import deconvolve
from sklabelnoise.noise._anchors import anchor_sets

_LEAST_ANCHORS = 10
# Few unanimous rows are no sample of their class: anchors cover this share of what it wins at least.
_LEAST_SHARE = 0.15
_STRENGTHS = np.geomspace(0.1, 3000, 40)
# Diagonals differ less than off-diagonals do: weaker priors around the pooled rate are not considered.
_DIAGONAL_STRENGTHS = _STRENGTHS[9:]
_N_ROUNDS = 4
# Two classes are believed to lose their labels unequally beyond this many standard errors, and wholly one further on.
_STANDARD_ERRORS = 3.0


@dataclass(frozen=True)
class Transition:
    """An estimated transition matrix.

    Attributes
    ----------
    matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.
    gate : float
        How far its off-diagonals are trusted to have structure: 0 for noise that looks symmetric, 1 for labels that
        are clearly mistaken for few others. Of two classes each has but one other to be mistaken for: 0.
    structure : tuple of float
        The structure that was found first and last, see :func:`shrink_by_evidence`.
    """

    matrix: np.ndarray
    gate: float
    structure: tuple


def estimate_transition(votes, given_proba, codes, sample_weight=None):
    """Estimate the transition matrix from left-out predictions of several families.

    Parameters
    ----------
    votes : ndarray of int of shape (n_members, n_samples)
        First choice of each family for each row, from models that have not seen it.
    given_proba : ndarray of shape (n_samples, n_classes)
        Their combination, probabilities of the label that is given.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of columns.
    sample_weight : ndarray of shape (n_samples,), default=None
        How many rows each row stands for.

    Returns
    -------
    transition : Transition
    """
    n_classes = given_proba.shape[1]
    mass = np.ones(len(codes)) if sample_weight is None else sample_weight
    counts = count_labels(anchors_of_votes(votes, given_proba), codes, mass, n_classes)
    anchored, first = shrink_by_evidence(counts)
    if n_classes == 2:
        share = inequality(counts)
        return Transition((1 - share) * symmetric_of(counts) + share * anchored, 0.0, (0.0, 0.0))
    T, structure = anchored, first
    for _ in range(_N_ROUNDS):
        clean = deconvolve(given_proba, sharpened(T, structure))
        T, structure = shrink_by_evidence(count_labels(anchor_sets(clean), codes, mass, n_classes))
    gate = ramp((first + structure) / 2)
    return Transition((1 - gate) * anchored + gate * sharpened(T, structure), gate, (first, structure))


def simple_transition(given_proba, codes, sample_weight=None):
    """Estimate the transition matrix from the surest half of the rows predicted as each class.

    One row is added to each class, whose label goes wrong as often as those of all classes together, and anywhere.

    Parameters
    ----------
    given_proba : ndarray of shape (n_samples, n_classes)
        Left-out probabilities.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of columns.
    sample_weight : ndarray of shape (n_samples,), default=None
        How many rows each row stands for.

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.
    """
    n_classes = given_proba.shape[1]
    mass = np.ones(len(codes)) if sample_weight is None else sample_weight
    counts = count_labels(anchor_sets(given_proba), codes, mass, n_classes)
    counts = counts + symmetric_of(counts)
    return counts / counts.sum(axis=1, keepdims=True)


def anchors_of_votes(votes, given_proba):
    """Rows that stand for each class: those for which all families vote, more where these are few.

    Only rows that a class wins by votes can stand for it. A class that wins none, as one of a single row mostly does,
    has no anchors: what is not seen of it is no evidence of how its labels go wrong.

    Returns
    -------
    anchors : list of ndarray of int
        Row numbers of each class.
    """
    n_members, n_samples = votes.shape
    n_classes = given_proba.shape[1]
    tally = np.zeros((n_samples, n_classes))
    for choice in votes:
        tally[np.arange(n_samples), choice] += 1
    # Ties between classes go to the more probable one.
    winner = (tally + given_proba / 2).argmax(axis=1)
    anchors = []
    for label in range(n_classes):
        own = np.flatnonzero(winner == label)
        rows = np.flatnonzero(tally[:, label] == n_members)
        least = min(len(own), max(_LEAST_ANCHORS, int(np.ceil(_LEAST_SHARE * len(own)))))
        if len(rows) < least:
            rows = own[np.lexsort((-given_proba[own, label], -tally[own, label]))[:least]]
        anchors.append(rows)
    return anchors


def count_labels(rows, codes, mass, n_classes):
    """Given labels of the rows of each class, by class (rows) and label (columns)."""
    return np.array([np.bincount(codes[own], mass[own], minlength=n_classes) for own in rows])


def shrink_by_evidence(counts):
    r"""Transition matrix from counts, each part as far from its simplest form as the counts give evidence for.

    Diagonals follow a beta-binomial distribution around their pooled rate, off-diagonals a Dirichlet-multinomial one
    around equal shares; the strength of both is that of the largest marginal likelihood. A row whose diagonal is not
    its largest entry becomes the pooled symmetric one: no class may lose its label to another.

    Parameters
    ----------
    counts : ndarray of shape (n_classes, n_classes)
        Given labels (columns) of rows that stand for each class (rows).

    Returns
    -------
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.
    structure : float
        Log evidence for unequal off-diagonals over that for equal ones, by the most there can be: 0 for symmetric
        noise, near 1 where each class is mistaken for one other.
    """
    n_classes = len(counts)
    rows, right = counts.sum(axis=1), np.diag(counts)
    symmetric = symmetric_of(counts)
    pooled = symmetric[0, 0]
    strength = _most_evident(
        _DIAGONAL_STRENGTHS,
        [_log_evidence(np.stack([right, rows - right], axis=1), s, [pooled, 1 - pooled]) for s in _DIAGONAL_STRENGTHS],
    )
    diagonal = (right + strength * pooled) / (rows + strength)

    off = counts[~np.eye(n_classes, dtype=bool)].reshape(n_classes, n_classes - 1)
    wrong = off.sum(axis=1)
    equal = np.full(n_classes - 1, 1 / (n_classes - 1))
    evidence = [_log_evidence(off, s, equal) for s in _STRENGTHS]
    strength = _most_evident(_STRENGTHS, evidence)
    shares = (off + strength * equal) / (wrong + strength)[:, None]
    most = wrong.sum() * np.log(n_classes - 1)
    structure = max(0.0, (max(evidence) + most) / most) if most > 0 else 0.0

    T = np.diag(diagonal)
    T[~np.eye(n_classes, dtype=bool)] = ((1 - diagonal)[:, None] * shares).ravel()
    overruled = diagonal < ((1 - diagonal)[:, None] * shares).max(axis=1)
    T[overruled] = symmetric[overruled]
    return T, structure


def symmetric_of(counts):
    """The matrix of noise that spares no class and prefers none, by the same counts; right labels beyond chance."""
    n_classes = len(counts)
    pooled = (np.trace(counts) + 0.5) / (counts.sum() + 1)
    pooled = max(pooled, 1 / n_classes + 0.1 * (1 - 1 / n_classes))
    symmetric = np.full((n_classes, n_classes), (1 - pooled) / (n_classes - 1))
    np.fill_diagonal(symmetric, pooled)
    return symmetric


def inequality(counts):
    """How far to believe that one of two classes loses its labels more often than the other.

    An offset between two classes moves their border everywhere, so it takes more than chance to believe in one: nothing
    up to three standard errors of the difference of the rates, all from four on.
    """
    rows = counts.sum(axis=1)
    if rows.min() == 0:
        return 0.0
    rates, pooled = np.diag(counts) / rows, (np.trace(counts) + 0.5) / (counts.sum() + 1)
    errors = abs(rates[0] - rates[1]) / np.sqrt(pooled * (1 - pooled) * np.sum(1 / rows))
    return float(np.clip(errors - _STANDARD_ERRORS, 0, 1))


def sharpened(transition_matrix, structure):
    """Off-diagonals raised to the power 1 + ramp(structure), each row with its diagonal and its sum."""
    diagonal = np.diag(transition_matrix)
    off = transition_matrix.copy()
    np.fill_diagonal(off, 0)
    off **= 1 + ramp(structure)
    total = off.sum(axis=1, keepdims=True)
    off = np.divide(off, total, out=np.zeros_like(off), where=total > 0) * (1 - diagonal)[:, None]
    return off + np.diag(diagonal)


def ramp(structure):
    """How much a structure counts: nothing up to .2, all from .5 on."""
    return float(np.clip((structure - 0.2) / 0.3, 0, 1))


def _log_evidence(counts, strength, mean):
    """Log marginal likelihood of rows of counts, as sequences, under a Dirichlet prior of given mean and strength."""
    prior = strength * np.asarray(mean)
    total = counts.sum(axis=1)
    return float(
        np.sum(gammaln(strength) - gammaln(strength + total)) + np.sum(gammaln(prior + counts) - gammaln(prior))
    )


def _most_evident(strengths, evidence):
    return strengths[int(np.argmax(evidence))]
