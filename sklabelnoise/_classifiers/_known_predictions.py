"""A fitted classifier whose predictions are known beforehand."""

import numpy as np
import torch

from sklabelnoise._classifiers._logits_classifier import LogitsClassifier
from sklabelnoise._compat import BaseScorer, MultimetricScorer, PassthroughScorer
from sklabelnoise.training._forward import check_logits


class KnownPredictions(LogitsClassifier):
    """What scorers ask of a fitted classifier, answered from the logits of the rows they ask about.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Class labels.
    logits : ndarray of shape (n_samples, n_classes)
        Logits of the only rows that may be asked about.
    """

    def __init__(self, classes, logits):
        self.classes = classes
        self.logits = logits

    @property
    def classes_(self):
        """Class labels."""
        return self.classes

    def _map_logits(self, X, function):
        check_logits(self.logits)
        return function(torch.from_numpy(self.logits)).numpy()

    def score(self, X, y=None, sample_weight=None):
        if sample_weight is None and self._are_plain_labels(y):
            # As scikit-learn counts, which looks through the labels first: for a small network as long as it trains.
            return float(np.mean(self.predict(X) == y))
        return super().score(X, y, sample_weight)

    def _are_plain_labels(self, y):
        """Whether there is nothing to find out about labels: of the classes' type, and not nearly all different."""
        return (
            type(y) is np.ndarray
            and y.ndim == 1
            and y.dtype == self.classes.dtype
            and y.dtype.kind in "biuU"
            and len(y) == len(self.logits)
            and len(y) >= 2 * len(self.classes)
        )

    def __sklearn_is_fitted__(self):
        return True


def predictions_suffice(scorer, classifier):
    """Whether a scorer asks for predictions alone, so that no fitted estimator has to be made for it.

    Parameters
    ----------
    scorer : callable
        What scikit-learn made of `scoring`.
    classifier : class
        That of the estimator searched over, or of the last step of that Pipeline.
    """
    if isinstance(scorer, MultimetricScorer):
        return all(predictions_suffice(one, classifier) for one in scorer._scorers.values())
    if isinstance(scorer, PassthroughScorer):
        return getattr(classifier, "score", None) is LogitsClassifier.score
    return isinstance(scorer, BaseScorer)
