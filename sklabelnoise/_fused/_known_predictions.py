"""A fitted classifier whose predictions are known beforehand."""

import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer
from sklearn.pipeline import Pipeline


class KnownPredictions(ClassifierMixin, BaseEstimator):
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

    def predict(self, X):
        """Most probable class of each row."""
        return self.classes[self.logits.argmax(axis=1)]

    def predict_proba(self, X):
        """Softmax of the logits."""
        return torch.from_numpy(self.logits).softmax(dim=1).numpy()

    def predict_log_proba(self, X):
        """Logarithm of the softmax."""
        return torch.from_numpy(self.logits).log_softmax(dim=1).numpy()

    def decision_function(self, X):
        """Logits, for two classes their difference."""
        return self.logits[:, 1] - self.logits[:, 0] if len(self.classes) == 2 else self.logits

    def __sklearn_is_fitted__(self):
        return True


def predictions_suffice(scorer, estimator, classifier):
    """Whether a scorer asks for predictions alone, so that no fitted estimator has to be made for it.

    Parameters
    ----------
    scorer : callable
        What scikit-learn made of `scoring`.
    estimator : estimator
        What is searched over.
    classifier : estimator
        `estimator`, or the last step of that Pipeline.
    """
    if isinstance(scorer, _MultimetricScorer):
        return all(predictions_suffice(one, estimator, classifier) for one in scorer._scorers.values())
    if isinstance(scorer, _PassthroughScorer):
        is_plain = type(estimator) is Pipeline or estimator is classifier
        return is_plain and type(classifier).score is ClassifierMixin.score
    return isinstance(scorer, _BaseScorer)
