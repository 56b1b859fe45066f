"""Tables as different kinds of learners want them."""

from copy import copy

import numpy as np
import scipy.sparse
from scipy.special import ndtri
from sklearn import config_context
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from sklabelnoise._ensemble._components import Components

# Columns with no more values than this are codes or flags: their ranks mean nothing.
_MOST_CODES = 10
_LARGEST_SCORE = 3.0
_AT_THE_ENDS = 1e-7  # scikit-learn takes numbers so near to the smallest or the largest for it
# Sparse rows of so few columns are as well stored whole, and are.
MOST_STORED = 200
# Beyond, thirty networks would have gigabytes of weights, and boosted trees sort columns most of the time.
_MOST_COLUMNS = 1_000
# Numbers beyond are taken for this one: trees and networks see single precision, which ends at 2**128.
_LARGEST = 2.0**120
# Columns of nothing larger are in a unit too large for them: to the trees and ranks of scikit-learn numbers that differ
# by less than 1e-7 are one.
_SMALLEST = 2.0**-13


class Views:
    """The same rows as trees, networks, distances and linear models want them.

    * ``given``: float32, as they are; trees take missing values themselves.
    * ``binned``: for boosted trees, which look at every column of every row; the same.
    * ``standard``: missing values replaced by the median and marked by a column of their own, columns scaled to mean 0
      and variance 1.
    * ``normal``: the same, after columns with more than ten values went through their ranks to a normal distribution,
      cut off at three standard deviations.
    * ``common``: the same as ``standard``, but all columns multiplied by one number. Where columns have one unit, as
      pixels have, how far they spread says what they are worth.
    * ``linear``: the same as ``normal``.

    Beyond 1,000 columns ``binned`` and ``standard`` are the 100 leading components of the standardized columns. Sparse
    rows of more than 200 columns are never made dense: ``linear`` is sparse, scaled by one number, and all others are
    the 100 leading components of that.

    Labels play no part, so that rows which are left out later may take part here.
    """

    NAMES = ("given", "binned", "standard", "common", "normal", "linear")
    _sparse = False
    _components = None
    _exponents = None

    # Arrays, whatever scikit-learn is set to give users of its transformers.
    @config_context(transform_output="default")
    def fit(self, X):
        """Learn medians, scales, ranks and components.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Rows, NaN where a value is missing.

        Returns
        -------
        self : Views

        Raises
        ------
        ValueError
            If values are missing in sparse rows of more than 200 columns.
        """
        self._sparse = scipy.sparse.issparse(X)
        if self._sparse:
            self._check_complete(X)
            self._components = Components().fit(X)
            return self
        self._exponents = _exponents(X)
        X = self._in_range(X)
        self._imputer = SimpleImputer(strategy="median", keep_empty_features=True).fit(X)
        self._indicator = None
        if np.isnan(X).any():
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
        self._components = None
        if filled.shape[1] > _MOST_COLUMNS:
            self._components = Components().fit(self._standard.transform(filled))
        return self

    @config_context(transform_output="default")
    def transform(self, X, names=NAMES):
        """Rows in each of the named views.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Rows, NaN where a value is missing.
        names : sequence of str, default=NAMES
            Which views are wanted.

        Returns
        -------
        views : dict of str to ndarray or CSR matrix
        """
        views = self._of_sparse(X) if self._sparse else self._of_dense(_dense(X), names)
        return {name: view for name, view in views.items() if name in names}

    def seen(self, view):
        """What a family with that view sees, in words for `members_`."""
        if self._components is None or not (self._sparse or view in ("binned", "standard")):
            return "all columns"
        return "all columns" if view == "linear" else f"{self._components.n_components} components"

    def _of_sparse(self, X):
        X = scipy.sparse.csr_matrix(X)
        self._check_complete(X)
        projected = self._components.transform(X)
        single = projected.astype(np.float32)
        return {
            "given": single,
            "binned": single,
            "standard": single,
            "common": projected,
            "normal": projected,
            "linear": self._components.scaled(X),
        }

    def _of_dense(self, X, names):
        X = self._in_range(X)
        views = {"given": np.ascontiguousarray(X, dtype=np.float32)}
        views["binned"] = views["given"]
        if set(names) <= {"given", "binned"} and (self._components is None or "binned" not in names):
            return views
        filled = self._filled(X)
        if "standard" in names or self._components is not None:
            standard = self._standard.transform(filled)
            if self._components is not None:
                standard = self._components.transform(standard)
                views["binned"] = standard.astype(np.float32)
            views["standard"] = standard.astype(np.float32)
        if "common" in names:
            spread = np.sqrt(self._standard.var_.mean())
            views["common"] = (filled - self._standard.mean_) / (spread if spread > 0 else 1.0)
        if "normal" in names or "linear" in names:
            views["normal"] = views["linear"] = self._normal.transform(self._ranked(filled))
        return views

    @staticmethod
    def _check_complete(X):
        if np.isnan(X.data if scipy.sparse.issparse(X) else X).any():
            raise ValueError(
                f"X must have no missing values where it is sparse and has more than {MOST_STORED} columns, got NaN."
            )

    def _in_range(self, X):
        """Rows of numbers that single precision has; the same where they were such all along."""
        if self._exponents is not None:
            X = np.ldexp(X, -self._exponents)
        low, high = _ends(X)
        return X if low.min() >= -_LARGEST and high.max() <= _LARGEST else np.clip(X, -_LARGEST, _LARGEST)

    def _filled(self, X):
        # What was never missing in training has no mark; the median serves.
        filled = self._imputer.transform(X) if np.isnan(X).any() else X
        if self._indicator is None:
            return filled
        return np.hstack([filled, self._indicator.transform(X).astype(X.dtype)])

    def _ranked(self, filled):
        if self._ranks is None:
            return filled
        ranked = filled.astype(np.float64)
        ranked[:, self._many_valued] = _normal_scores(self._ranks, filled[:, self._many_valued])
        return ranked


def _normal_scores(ranks, X):
    """What a QuantileTransformer makes of rows, cut off, to the same bits.

    Its own way to the normal distribution calls scipy.stats three times a column, which takes most of the time.
    """
    uniform = copy(ranks)
    uniform.output_distribution = "uniform"
    shares = uniform.transform(X)
    shares[X + _AT_THE_ENDS > ranks.quantiles_[-1]] = 1.0
    shares[X - _AT_THE_ENDS < ranks.quantiles_[0]] = 0.0
    return np.clip(ndtri(shares), -_LARGEST_SCORE, _LARGEST_SCORE)


def _ends(X):
    """Smallest and largest number of each column, zero among them; what is missing does not count."""
    return np.fmin.reduce(X, axis=0, initial=0), np.fmax.reduce(X, axis=0, initial=0)


def _exponents(X):
    """Powers of two to divide each column by, so that what is usual in it is in range; None where all columns are."""
    low, high = _ends(X)
    largest = np.maximum(-low, high)
    exponents = np.zeros(X.shape[1], dtype=int)
    for j in np.flatnonzero(largest > _LARGEST):
        usual = np.nanmedian(np.abs(X[:, j]))
        exponents[j] = np.frexp(usual)[1] if usual > np.sqrt(_LARGEST) else 0
    tiny = (largest > 0) & (largest < _SMALLEST)
    if tiny.any():
        # All columns by one, as far as the largest of them allows: they keep their proportions.
        room = np.frexp(np.sqrt(_LARGEST))[1] - np.frexp(largest[largest <= _LARGEST].max())[1]
        exponents += max(np.frexp(largest[tiny].min())[1], -max(room, 0))
    return exponents if exponents.any() else None


def _dense(X):
    return X.toarray() if scipy.sparse.issparse(X) else X
