"""From the predictions of families to probabilities of the clean label."""

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from sklabelnoise._ensemble._combination import centered_log_proba, combination_weights, combine, deconvolve
from sklabelnoise._ensemble._transition import Transition, estimate_transition, simple_transition

# Below this a probability counts as not possible in the sum of logarithms.
_FLOOR = 1e-4


@dataclass(frozen=True)
class Decision:
    """A combination of families and what it knows of the noise.

    Attributes
    ----------
    given_weights : ndarray of shape (n_members,)
        S: weights of the combination that tells which label is given.
    clean_weights : ndarray of shape (n_members,)
        F: weights of the one that tells the clean label through a simple transition matrix.
    transition : Transition
        The transition matrix, and how far its structure is trusted.
    class_weight : ndarray of shape (n_classes,)
        What a decision for each class is worth.
    """

    given_weights: np.ndarray
    clean_weights: np.ndarray
    transition: Transition
    class_weight: np.ndarray

    def proba(self, probas):
        """Probabilities of the clean label.

        Parameters
        ----------
        probas : ndarray of shape (n_members, n_samples, n_classes)
            Predictions of the families.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            The geometric mean of three opinions, times the weights of the classes: S with the transition matrix taken
            out of it, and, as far as the noise has no structure, F and the mean of the families.
        """
        logits = centered_log_proba(probas)
        given, clean = combine(logits, self.given_weights), combine(logits, self.clean_weights)
        open_share = 1 - self.transition.gate
        log_proba = (
            _log(deconvolve(given, self.transition.matrix))
            + open_share * _log(clean)
            + open_share / 2 * _log(probas.mean(axis=0))
        ) / (1 + 1.5 * open_share)
        return softmax(log_proba + np.log(self.class_weight), axis=1)


def learn_decision(probas, codes, sample_weight):
    """Learn to decide from left-out predictions of families and given labels.

    Parameters
    ----------
    probas : ndarray of shape (n_members, n_samples, n_classes)
        Predictions of models that have not seen the row.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of columns.
    sample_weight : ndarray of shape (n_samples,)
        How many rows each row stands for.

    Returns
    -------
    decision : Decision
    """
    logits = centered_log_proba(probas)
    given_weights = combination_weights(logits, codes, None, sample_weight)
    given = combine(logits, given_weights)
    T = simple_transition(given, codes, sample_weight)
    clean_weights = combination_weights(logits, codes, T, sample_weight)
    transition = estimate_transition(probas.argmax(axis=2), given, codes, sample_weight)
    return Decision(given_weights, clean_weights, transition, np.ones(probas.shape[2]))


def _log(proba):
    return np.log(proba + _FLOOR)
