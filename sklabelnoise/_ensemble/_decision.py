"""From the predictions of families to probabilities of the clean label."""

from dataclasses import dataclass, replace

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
    mean : bool
        Whether the mean of the families decides.
    """

    given_weights: np.ndarray
    clean_weights: np.ndarray
    transition: Transition
    class_weight: np.ndarray
    mean: bool

    def proba(self, probas):
        """Probabilities of the clean label.

        Parameters
        ----------
        probas : ndarray of shape (n_members, n_samples, n_classes)
            Predictions of the families.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            A weighted geometric mean of opinions, times the weights of the classes: S with the transition matrix taken
            out of it, F and the mean of the families; the last two as far as the noise has no structure.
        """
        if self.mean:
            return softmax(_log(probas.mean(axis=0)) + np.log(self.class_weight), axis=1)
        logits = centered_log_proba(probas)
        given = combine(logits, self.given_weights)
        opinions = [(1.0, deconvolve(given, self.transition.matrix))]
        open_share = 1 - self.transition.gate
        if probas.shape[2] == 2:
            # Of two classes one matrix can say no more than how often labels are wrong, and that S has seen.
            opinions += [(1.0, probas.mean(axis=0))]
        elif open_share:
            opinions += [(open_share, combine(logits, self.clean_weights)), (open_share / 2, probas.mean(axis=0))]
        log_proba = sum(weight * _log(proba) for weight, proba in opinions) / sum(weight for weight, _ in opinions)
        return softmax(log_proba + np.log(self.class_weight), axis=1)


def learn_decision(probas, codes, sample_weight, combination="auto", class_weight=None):
    """Learn to decide from left-out predictions of families and given labels.

    Parameters
    ----------
    probas : ndarray of shape (n_members, n_samples, n_classes)
        Predictions of models that have not seen the row.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of columns.
    sample_weight : ndarray of shape (n_samples,)
        How many rows each row stands for.
    combination : {"auto", "mean"}, default="auto"
        Whether families are weighted or averaged.
    class_weight : ndarray of shape (n_classes,), "balanced" or None, default=None
        What a decision for each class is worth; "balanced" is one over its share among clean labels.

    Returns
    -------
    decision : Decision
    """
    n_members, _, n_classes = probas.shape
    logits = centered_log_proba(probas)
    mean = combination == "mean"
    if mean:
        given_weights = clean_weights = np.full(n_members, 1 / n_members)
        given = probas.mean(axis=0)
    else:
        given_weights = combination_weights(logits, codes, None, sample_weight)
        given = combine(logits, given_weights)
        T = simple_transition(given, codes, sample_weight)
        clean_weights = combination_weights(logits, codes, T, sample_weight)
    transition = estimate_transition(probas.argmax(axis=2), given, codes, sample_weight)
    decision = Decision(given_weights, clean_weights, transition, np.ones(n_classes), mean)
    if class_weight is None:
        return decision
    if isinstance(class_weight, str):
        prior = np.average(deconvolve(given, transition.matrix), axis=0, weights=sample_weight)
        class_weight = 1 / np.maximum(prior, _FLOOR)
    return replace(decision, class_weight=class_weight / class_weight.mean())


def _log(proba):
    return np.log(proba + _FLOOR)
