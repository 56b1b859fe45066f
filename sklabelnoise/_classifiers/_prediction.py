"""Predictions that follow from logits."""

import torch


class LogitsPredictionMixin:
    """Labels, log-probabilities and decision values of a classifier that has `classes_` and `_logits(X)`."""

    def predict(self, X):
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
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def predict_log_proba(self, X):
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
        return torch.from_numpy(self._logits(X)).log_softmax(dim=1).numpy()

    def decision_function(self, X):
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
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    @staticmethod
    def _softmax(logits):
        return torch.from_numpy(logits).softmax(dim=1).numpy()
