"""What a classifier predicts from logits: labels, probabilities, their logarithms, decision values."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch.utils.data import Dataset

from sklabelnoise._foundation._types import ArrayLike, Labels, Rows
from sklabelnoise.training._training_set import read_labels


class LogitsClassifier(ClassifierMixin, BaseEstimator, ABC):
    """A classifier whose predictions follow from the logits of its rows; a subclass has `classes_`, `_map_logits`."""

    @abstractmethod
    def _map_logits(self, X, function):
        """A function of logits, a tensor of shape (n, n_classes), applied to those of some rows, part by part.

        Returns
        -------
        results : ndarray of shape (n_samples, ...)
            What it returned, for all rows.
        """

    def _logits(self, X):
        """Logits of some rows, an ndarray of shape (n_samples, n_classes)."""
        return self._map_logits(X, _unchanged)

    def predict(self, X: Rows) -> NDArray[Any]:
        """Predict the most probable class.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Class labels.
        """
        indices = self._map_logits(X, _most_probable)
        return self.classes_[indices]

    def predict_proba(self, X: Rows) -> NDArray[Any]:
        """Predict class probabilities: the softmax of the logits.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._map_logits(X, probabilities)

    def predict_log_proba(self, X: Rows) -> NDArray[Any]:
        """Predict the logarithm of class probabilities, finite however small they are.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._map_logits(X, _log_probabilities)

    def decision_function(self, X: Rows) -> NDArray[Any]:
        """Logits of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        logits : ndarray of shape (n_samples, n_classes) or (n_samples,)
            For two classes the difference of the second and the first.
        """
        return self._map_logits(X, _decision_values)

    def score(self, X: Rows, y: Labels | None = None, sample_weight: ArrayLike | None = None) -> float:
        """Accuracy of the predictions.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        y : array-like of shape (n_samples,), default=None
            Labels to compare with. None when X is a ``Dataset`` of pairs.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row.

        Returns
        -------
        score : float
            Share of the weight of the rows whose label is predicted.
        """
        if y is None and isinstance(X, Dataset):
            y = read_labels(X)
        return super().score(X, y, sample_weight)


def _unchanged(logits):
    return logits


def probabilities(logits):
    """Softmax over the classes."""
    return logits.softmax(dim=1)


def _log_probabilities(logits):
    return logits.log_softmax(dim=1)


def _most_probable(logits):
    return logits.argmax(dim=1)


def _decision_values(logits):
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits
