"""A fitted classifier whose predictions are known beforehand."""

import torch

from sklabelnoise._classifiers._logits_classifier import LogitsClassifier
from sklabelnoise._compat import BaseScorer, MultimetricScorer, PassthroughScorer


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
        return function(torch.from_numpy(self.logits)).numpy()

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
