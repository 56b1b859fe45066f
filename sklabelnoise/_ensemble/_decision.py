"""From the predictions of families to probabilities of the clean label."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import softmax

from sklabelnoise._ensemble._combination import centered_log_proba, combination_weights, combine, deconvolve
from sklabelnoise._ensemble._transition import Transition, estimate_transition, simple_transition

# Below this a probability counts as not possible in the sum of logarithms.
_FLOOR = 1e-4
# What is possible at most as an artifact of that floor must not win by its weight.
_LEAST_SHARE = 10 * _FLOOR
# Two classes of wrong labels say little of which family is right, and weights that follow them follow the noise.
PRIOR_ROWS_OF_TWO = 50.0
# From this structure on, what is left of S without the transition matrix is an opinion of its own.
FULL_STRUCTURE = 0.05
# From this share of wrong labels on, weights learned from them are so uncertain that the mean of the families counts.
FULL_NOISE = 0.2


@dataclass(frozen=True)
class Decision:
    """A combination of families and what it knows of the noise.

    Attributes
    ----------
    given_weights : ndarray of shape (n_members,)
        S: weights of the combination that tells which label is given.
    clean_weights : ndarray of shape (n_members,)
        F: weights of the one that tells the clean label through a simple transition matrix; with two classes those of
        S.
    transition : Transition
        The transition matrix, and how far its structure is trusted.
    class_weight : ndarray of shape (n_classes,)
        What a decision for each class is worth.
    mean : bool
        Whether the mean of the families decides.
    noise_rate : float
        Estimated share of wrong labels among the given ones.
    """

    given_weights: np.ndarray
    clean_weights: np.ndarray
    transition: Transition
    class_weight: np.ndarray
    mean: bool
    noise_rate: float = 1.0  # of decisions that were saved without: all opinions count

    def of_equal_worth(self):
        """The same with all classes worth the same: what is estimated does not depend on what is decided."""
        return replace(self, class_weight=np.ones_like(self.class_weight))

    def proba(self, probas):
        """Probabilities of the clean label.

        Parameters
        ----------
        probas : ndarray of shape (n_members, n_samples, n_classes)
            Predictions of the families.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            With two classes, S with the transition matrix taken out of it. With more, a weighted geometric mean of
            opinions: that, as far as the noise has any structure (without, it only repeats S), and F and, as far as
            there is noise, the mean of the families, as far as it has none that is clear. Times the weights of the
            classes.
        """
        if self.mean:
            return softmax(_log(probas.mean(axis=0)) + np.log(self.class_weight), axis=1)
        logits = centered_log_proba(probas)
        given = combine(logits, self.given_weights)
        opinions = [(1.0, deconvolve(given, self.transition.matrix))]
        if probas.shape[2] > 2:
            gate, structure = self.transition.gate, self.transition.structure[-1]
            seen = gate + (1 - gate) * min(1.0, structure / FULL_STRUCTURE)
            opinions = [
                (seen, opinions[0][1]),
                (1 - gate, combine(logits, self.clean_weights)),
                (min(1.0, self.noise_rate / FULL_NOISE) * (1 - gate) / 2, probas.mean(axis=0)),
            ]
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
        prior_rows = PRIOR_ROWS_OF_TWO if n_classes == 2 else 1.0
        given_weights = clean_weights = combination_weights(logits, codes, None, sample_weight, prior_rows)
        given = combine(logits, given_weights)
        if n_classes > 2:
            T = simple_transition(given, codes, sample_weight)
            clean_weights = combination_weights(logits, codes, T, sample_weight)
    transition = estimate_transition(probas.argmax(axis=2), given, codes, sample_weight)
    prior = np.average(deconvolve(given, transition.matrix), axis=0, weights=sample_weight)
    noise_rate = float(1 - prior @ np.diag(transition.matrix))
    decision = Decision(given_weights, clean_weights, transition, np.ones(n_classes), mean, noise_rate)
    if class_weight is None:
        return decision
    if isinstance(class_weight, str):
        # Of a class of a single row next to nothing may be left of the prior; there is a row of it all the same.
        class_weight = 1 / np.maximum(prior, max(_LEAST_SHARE, 1 / np.count_nonzero(sample_weight)))
    return replace(decision, class_weight=class_weight / class_weight.mean())


def _log(proba):
    return np.log(proba + _FLOOR)
