"""How far to trust an estimate of noise: an interval, and a word on the model behind it.

An out-of-fold model errs, and its errors look like wrong labels. What tells them apart: label noise that does not
depend on the features is as frequent where the model is sure as where it is not, errors of the model are not. So all
of this compares how often the given label is not the predicted one among the surest tenth, quarter, half and all of the
rows predicted as each class. The constants were fitted to 16 tables and three kinds of model, at 0 to 40 % noise and
with the labels of people; ``benchmarks/reliability.py`` measures them on other draws.
"""

import numpy as np

from sklabelnoise.noise._anchors import rows_of_each_prediction

GOOD, ROUGH, NONE = "good", "rough", "none"

# A rise by so much of the model's error, from the surest quarter to the surest half, is more than chance; and by so
# many of its standard errors, of which more are asked of fewer rows: chance alone must not warn of small data.
_MAX_RISE, _MAX_RISE_IN_ERRORS, _ROWS_OF_THESE = 0.025, 1.25, 2000
# An estimate above this would mean that labels are hardly better than guesses: the model's are then, as a rule.
_MAX_RATE = 0.46
# A model with an error as large as this, which sees as much noise as this, might be seeing its own error only.
_MAX_ERROR_OF_MODEL, _MAX_RATE_OF_SUCH = 0.1, 0.3
# How much of the error that a model makes on its less sure half it may make on the surer half as well.
_SHARE_OF_ERROR_AMONG_SUREST = 0.4

_SHARES = (0.1, 0.25, 0.5, 1.0)
_SUREST_TENTH, _SUREST_QUARTER, _SUREST_HALF, _ALL_ROWS = range(4)
_MAX_DRAWS, _MIN_DRAWS, _WORK = 200, 40, 20_000_000
_FEW_CLASSES = 100  # are counted all of them: each of thousands would be counted for each of thousands, mostly as none
_QUANTILE = 1.96  # of the normal distribution, for 95 %


def reliability_of(codes, proba, noise_rate):
    """What an estimate of the noise rate is worth.

    Parameters
    ----------
    codes : ndarray of int of shape (n_samples,)
        Column of `proba` of each given label.
    proba : ndarray of shape (n_samples, n_classes)
        Out-of-fold probabilities.
    noise_rate : float
        The estimate.

    Returns
    -------
    reliability : {"good", "rough", "none"}
    reason : str
        A sentence for people; empty where there is nothing to say.
    """
    rates = _disagreement_by_share(codes, proba)
    n_samples, n_classes = proba.shape
    chance = n_classes / (n_classes - 1)
    error = _error_of_model(rates[_SUREST_HALF], rates[_ALL_ROWS], chance)
    rise = _error_of_model(rates[_SUREST_QUARTER], rates[_SUREST_HALF], chance)
    # The surest half is the surest quarter and the one after it, so half of the difference of two shares.
    smoothed = (rates[_SUREST_HALF] * n_samples / 2 + 1) / (n_samples / 2 + 2)
    error_of_rise = np.sqrt(2 * smoothed * (1 - smoothed) / (n_samples / 4)) / 2 / _room(rates[_SUREST_QUARTER], chance)
    n_errors = _MAX_RISE_IN_ERRORS * np.sqrt(max(1, _ROWS_OF_THESE / n_samples))
    suspicious = rise > max(_MAX_RISE, n_errors * error_of_rise)
    if noise_rate > _MAX_RATE or (suspicious and noise_rate > _MAX_RATE_OF_SUCH and error > _MAX_ERROR_OF_MODEL):
        return NONE, (
            f"The predictions disagree with {rates[_ALL_ROWS]:.0%} of the given labels, and with "
            f"{rates[_SUREST_TENTH]:.0%} of those where they are surest: the model is too often wrong for its "
            "estimates of label noise to mean anything."
        )
    if suspicious:
        return ROUGH, (
            f"The predictions disagree with {rates[_ALL_ROWS]:.0%} of the given labels, but with only "
            f"{rates[_SUREST_TENTH]:.0%} of those where they are surest: the model is too often wrong for more than a "
            "rough estimate of label noise, which is probably less than it says."
        )
    return GOOD, ""


def noise_intervals(codes, proba, noise_rate, *, random_state=0):
    """95 % intervals of the noise rate and of the entries of the transition matrix.

    Rows get random weights (the Bayesian bootstrap: Rubin, Annals of Statistics 1981), and the surest of them are
    counted again. The interval of the rate reaches further down: to what the surest tenth or quarter allows, less a
    share of the error that the model makes on its less sure half, as it may be wrong where it is sure, too. That of
    the matrix is of the drawing of rows alone.

    Parameters
    ----------
    codes, proba
        As in `reliability_of`.
    noise_rate : float
        The estimate.
    random_state : int, default=0
        Of the drawing: the same report has the same interval.

    Returns
    -------
    rate : tuple of float
        Lower and upper end.
    matrix : ndarray of shape (2, n_classes, n_classes)
        Lower and upper ends.
    """
    n_samples, n_classes = proba.shape
    n_draws = int(np.clip(_WORK // n_samples, _MIN_DRAWS, _MAX_DRAWS))
    rng = np.random.default_rng(random_state)
    wrong = np.zeros((n_draws, len(_SHARES)))
    mean, square = np.zeros((n_classes, n_classes)), np.zeros((n_classes, n_classes))
    total = np.zeros(n_draws)
    for j, rows in enumerate(rows_of_each_prediction(proba)):
        mean[j, j] = square[j, j] = 1.0  # the row of the identity, where nothing is predicted as the class
        if len(rows):
            weights = rng.standard_exponential((n_draws, len(rows)), dtype=np.float32)
            classes, given = _classes_given(codes[rows], j, n_classes)
            shares = _given_among_surest(weights, given, len(classes))
            of_class = weights.sum(axis=1)
            total += of_class
            wrong += of_class[:, None] * (1 - shares[:, :, np.searchsorted(classes, j)])
            anchors = shares[:, _SUREST_HALF]
            mean[j, classes], square[j, classes] = anchors.mean(axis=0), (anchors**2).mean(axis=0)
    rates = wrong / total[:, None]
    # Where no label is seen to be wrong the bootstrap sees no chance of one either: the rule of three.
    least = 3 / max(n_samples / 2, 3)
    upper = max(np.quantile(rates[:, _SUREST_HALF], 0.975), least if noise_rate < least else 0, noise_rate)
    error = _error_of_model(
        *_disagreement_by_share(codes, proba)[[_SUREST_HALF, _ALL_ROWS]], n_classes / (n_classes - 1)
    )
    lower = np.quantile(rates[:, :_ALL_ROWS], 0.025, axis=0).min() - _SHARE_OF_ERROR_AMONG_SUREST * max(error, 0)
    spread = _QUANTILE * np.sqrt(np.maximum(square - mean**2, 0))
    matrix = np.stack([mean - spread, mean + spread]).clip(0, 1)
    return (float(np.clip(lower, 0, noise_rate)), float(min(upper, 1))), matrix


def _disagreement_by_share(codes, proba):
    """How often the given label is not the predicted one, among the surest rows of each prediction, by share."""
    n_classes = proba.shape[1]
    wrong = np.zeros(len(_SHARES))
    for j, rows in enumerate(rows_of_each_prediction(proba)):
        if len(rows):
            classes, given = _classes_given(codes[rows], j, n_classes)
            shares = _given_among_surest(np.ones((1, len(rows)), dtype=np.float32), given, len(classes))
            wrong += len(rows) * (1 - shares[0, :, np.searchsorted(classes, j)])
    return wrong / len(codes)


def _classes_given(codes, predicted, n_classes):
    """Classes to count, and given labels as places among them: where there are many, those that these rows have."""
    if n_classes <= _FEW_CLASSES:
        return np.arange(n_classes), codes
    classes = np.union1d(codes, predicted)
    return classes, np.searchsorted(classes, codes)


def _given_among_surest(weights, given, n_classes):
    """Shares of the given labels among the surest rows, which come first: (n_draws, n_shares, n_classes)."""
    heaped = weights.cumsum(axis=1)
    total = heaped[:, -1:]
    one_hot = np.zeros((len(given), n_classes), dtype=np.float32)
    one_hot[np.arange(len(given)), given] = 1
    shares = np.empty((len(weights), len(_SHARES), n_classes))
    for k, share in enumerate(_SHARES):
        # Ten rows at least, as `anchor_sets` takes.
        limit = np.minimum(np.maximum(np.ceil(share * total), 10), total)
        surest = heaped <= limit
        surest[:, 0] = True  # a single row may be heavier than all that is wanted
        counts = (weights * surest) @ one_hot
        shares[:, k] = counts / counts.sum(axis=1, keepdims=True)
    return shares


def _error_of_model(surest, more, chance):
    """Error of a model among rows of which `more` disagree, if `surest` is the noise and errors disagree by chance."""
    return (more - surest) / _room(surest, chance)


def _room(rate, chance):
    return max(1 - rate * chance, 0.05)
