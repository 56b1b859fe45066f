"""The values of a row of a table that speak for one class and against another."""

import numpy as np
import pandas as pd

_N_BINS = 8  # of a column of numbers
_MAX_CATEGORIES = 50  # of other columns; rarer values are one category
_MAX_LENGTH = 200  # characters of a value


class SpeakingValues:
    """How much more often one class has a value than another, for every value of a table.

    Numbers are sorted into eight bins of equally many rows, other values count as they are, rare and missing ones as a
    category of their own. So columns of both kinds are measured alike: by the ratio of the shares that two classes have
    in the bin of the value, with one half of a row added to each bin (Krichevsky and Trofimov).

    Parameters
    ----------
    frame : DataFrame of shape (n_samples, n_columns)
    codes : ndarray of int of shape (n_samples,)
        Codes of the given labels.
    n_classes : int
    """

    def __init__(self, frame, codes, n_classes):
        self._frame = frame
        self._codes = codes
        self._n_classes = n_classes
        self._names = [str(name) for name in frame.columns]

    def of(self, rows, given, suggested, n_values):
        """The values that speak most for the suggested and against the given class.

        Parameters
        ----------
        rows, given, suggested : ndarray of int of shape (n_rows,)
        n_values : int
            How many to name of each row.

        Returns
        -------
        values : list of list
            Of each row its values as ``[column, value, ratio]``, the most telling first; the ratio is how many times as
            frequent the value (or one near it) is in the suggested class.
        """
        ratio = np.empty((len(rows), len(self._names)), dtype=np.float32)
        for j in range(len(self._names)):
            ratio[:, j] = self._log_ratio(self._frame.iloc[:, j], rows, given, suggested)
        n_values = min(n_values, ratio.shape[1])
        best = np.argsort(-ratio, axis=1, kind="stable")[:, :n_values]
        columns = {j: self._frame.iloc[:, j].to_numpy(dtype=object) for j in np.unique(best)}
        return [
            [[self._names[j], as_text(columns[j][row]), round(float(np.exp(ratio[i, j])), 2)] for j in best[i].tolist()]
            for i, row in enumerate(rows)
        ]

    def _log_ratio(self, column, rows, given, suggested):
        bins, n_bins = _bins_of(column)
        counts = np.bincount(self._codes * n_bins + bins, minlength=self._n_classes * n_bins)
        counts = counts.reshape(self._n_classes, n_bins) + 0.5
        shares = np.log(counts / counts.sum(axis=1, keepdims=True))
        return shares[suggested, bins[rows]] - shares[given, bins[rows]]


def _bins_of(column):
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        known = values[np.isfinite(values)]
        edges = np.unique(np.quantile(known, np.arange(1, _N_BINS) / _N_BINS)) if len(known) else np.empty(0)
        bins = np.searchsorted(edges, values, side="right")
        bins[~np.isfinite(values)] = len(edges) + 1
        return bins, len(edges) + 2
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # values that cannot be hashed
        codes, values = pd.factorize(column.map(str))
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    frequent = np.argsort(-counts, kind="stable")[:_MAX_CATEGORIES]
    # A value that one row has says nothing of other rows.
    frequent = frequent[counts[frequent] > 1]
    category = np.full(len(values) + 1, len(frequent))
    category[frequent] = np.arange(len(frequent))
    category[-1] = len(frequent) + 1  # missing: -1 is the last
    return category[codes], len(frequent) + 2


def as_text(value):
    """A value of a table in few characters."""
    if value is None or value is pd.NA or value is pd.NaT:
        return "missing"
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return "missing"
        # Four digits, but amounts of money and the like as people write them, not as 3.953e+04.
        return f"{value:.0f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"
    return shortened(str(value), _MAX_LENGTH)


def shortened(text, length):
    """So many characters of a text at most."""
    return text if len(text) <= length else text[: length - 1] + "…"
