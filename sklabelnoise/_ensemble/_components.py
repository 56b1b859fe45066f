"""Very many columns as few: the leading directions of the rows, for families that can't do with the columns."""

import numpy as np
import scipy.sparse
from sklearn.decomposition import TruncatedSVD

N_COMPONENTS = 100
# A direction of less than this share of the largest spread is none: there are fewer than were asked for.
_LEAST_SPREAD = 1e-3


class Components:
    """Projections of rows on their leading directions, which labels play no part in.

    With sparse rows this is latent semantic analysis: rows are scaled as a whole, never centered, so that zeros stay
    zeros and the weights that a TF-IDF gave its words keep their proportions.

    Attributes
    ----------
    n_components : int
        How many directions there are.
    """

    def fit(self, X):
        """Learn the scale and the directions.

        Parameters
        ----------
        X : ndarray or CSR matrix of shape (n_samples, n_features)
            Rows without missing values.

        Returns
        -------
        self : Components
        """
        n_components = min(N_COMPONENTS, *X.shape)
        # Penalties and kernels are made for standardized columns, whose squares sum to their number.
        self._scale = _scale_to(n_components, X)
        self._directions = TruncatedSVD(n_components, n_iter=7, random_state=0).fit(X * self._scale)
        spread = self._directions.singular_values_
        self.n_components = max(1, int(np.sum(spread > _LEAST_SPREAD * spread[0])))
        self._spread = 1.0
        self._spread = _scale_to(self.n_components, self.transform(X))
        return self

    def scaled(self, X):
        """All columns, multiplied by one number."""
        return X * self._scale

    def transform(self, X):
        """Projections, shape (n_samples, n_components), with a mean square of one."""
        return self._directions.transform(X * self._scale)[:, : self.n_components] * self._spread


def _scale_to(square, X):
    """What rows have to be multiplied by to have a mean squared norm of `square`; 1 where all are zero."""
    squares = X.multiply(X).sum() if scipy.sparse.issparse(X) else np.square(X).sum()
    return float(np.sqrt(square * X.shape[0] / squares)) if squares > 0 else 1.0
