"""Tables as different kinds of learners want them."""

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import QuantileTransformer, StandardScaler

# Columns with no more values than this are codes or flags: their ranks mean nothing.
_MOST_CODES = 10
_LARGEST_SCORE = 3.0


class Views:
    """The same rows as trees, networks and distances want them.

    * ``given``: float32, as they are; trees take missing values themselves.
    * ``standard``: missing values replaced by the median and marked by a column of their own, columns scaled to mean 0
      and variance 1.
    * ``normal``: the same, after columns with more than ten values went through their ranks to a normal distribution,
      cut off at three standard deviations.

    Labels play no part, so that rows which are left out later may take part here.
    """

    NAMES = ("given", "standard", "normal")

    def fit(self, X):
        """Learn medians, scales and ranks.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing.

        Returns
        -------
        self : Views
        """
        self._imputer = self._indicator = None
        if np.isnan(X).any():
            self._imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(X)
            self._indicator = MissingIndicator(features="missing-only", error_on_new=False).fit(X)
        filled = self._filled(X)
        self._standard = StandardScaler().fit(filled)
        self._many_valued = np.array([len(np.unique(column)) > _MOST_CODES for column in filled.T], dtype=bool)
        self._ranks = None
        if self._many_valued.any():
            self._ranks = QuantileTransformer(
                n_quantiles=min(1000, len(X)), subsample=None, output_distribution="normal"
            ).fit(filled[:, self._many_valued])
        self._normal = StandardScaler().fit(self._ranked(filled))
        return self

    def transform(self, X, names=NAMES):
        """Rows in each of the named views.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows, NaN where a value is missing.
        names : sequence of str, default=("given", "standard", "normal")
            Which views are wanted.

        Returns
        -------
        views : dict of str to ndarray
        """
        views = {}
        if "given" in names:
            views["given"] = np.ascontiguousarray(X, dtype=np.float32)
        if "standard" in names or "normal" in names:
            filled = self._filled(X)
            if "standard" in names:
                views["standard"] = self._standard.transform(filled).astype(np.float32)
            if "normal" in names:
                views["normal"] = self._normal.transform(self._ranked(filled))
        return views

    def _filled(self, X):
        if self._imputer is None:
            return X
        # What was never missing in training has no mark; the median serves.
        missing = self._indicator.transform(X)
        return np.hstack([self._imputer.transform(X), missing.astype(X.dtype)])

    def _ranked(self, filled):
        if self._ranks is None:
            return filled
        ranked = filled.astype(np.float64)
        scores = self._ranks.transform(filled[:, self._many_valued])
        ranked[:, self._many_valued] = np.clip(scores, -_LARGEST_SCORE, _LARGEST_SCORE)
        return ranked
