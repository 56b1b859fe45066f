"""Weights of families of classifiers, learned from their left-out predictions and from labels that may be wrong.

Families are combined by a weighted sum of centered log-probabilities. The weights minimize the log-loss of the labels
that were *given*: those of S say what label is given, those of F pass the combination through a transition matrix
first, so that it is the clean label it speaks of.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

# A left-out frequency of zero means "not seen among so many", not "impossible".
_FLOOR = 1e-3
_TINY = 1e-300


def centered_log_proba(proba):
    """Logarithms of probabilities that are raised to a thousandth at least, with a mean of zero over the classes.

    Parameters
    ----------
    proba : ndarray of shape (..., n_classes)
        Probabilities.

    Returns
    -------
    logits : ndarray of shape (..., n_classes)
    """
    proba = np.maximum(proba, _FLOOR)
    logits = np.log(proba / proba.sum(axis=-1, keepdims=True))
    return logits - logits.mean(axis=-1, keepdims=True)


def combine(logits, weights):
    """Probabilities of a weighted sum of logits.

    Parameters
    ----------
    logits : ndarray of shape (n_members, n_samples, n_classes)
        Of :func:`centered_log_proba`.
    weights : ndarray of shape (n_members,)
        Weights of the members.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
    """
    return softmax(np.tensordot(weights, logits, axes=1), axis=-1)


def combination_loss(weights, logits, codes, transition_matrix=None, sample_weight=None, prior_rows=1.0):
    r"""Mean log-loss of given labels under a combination, and its gradient with respect to the weights.

    With :math:`p_i = \mathrm{softmax}(\sum_r w_r L_{ri})` the loss is

    .. math:: -\frac{1}{n} \sum_i \log (p_i T)_{y_i} + \frac{m}{2n} \sum_r (w_r - 1/R)^2,

    the forward correction of Patrini et al. [1]_ applied to a stack, with a normal prior around equal weights that
    counts as much as m rows.

    Parameters
    ----------
    weights : ndarray of shape (n_members,)
        Where to evaluate.
    logits : ndarray of shape (n_members, n_samples, n_classes)
        Of :func:`centered_log_proba`.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of columns.
    transition_matrix : ndarray of shape (n_classes, n_classes), default=None
        ``T[i, j] = P(given = j | true = i)``; rows sum to one. None is the identity.
    sample_weight : ndarray of shape (n_samples,), default=None
        How many rows each row stands for.
    prior_rows : float, default=1.0
        How many rows the prior around equal weights counts as much as.

    Returns
    -------
    loss : float
    gradient : ndarray of shape (n_members,)

    References
    ----------
    .. [1] Patrini et al.: "Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach", CVPR 2017,
       theorem 2.
    """
    n_members, n_samples, _ = logits.shape
    rows = np.arange(n_samples)
    mass = np.ones(n_samples) if sample_weight is None else sample_weight
    total = mass.sum()
    z = np.tensordot(weights, logits, axes=1)
    log_p = z - logsumexp(z, axis=1, keepdims=True)
    if transition_matrix is None:
        log_given = log_p[rows, codes]
        derivative = np.exp(log_p)
        derivative[rows, codes] -= 1
    else:
        p = np.exp(log_p)
        # Posterior of the clean label given the given one; the derivative is p minus that.
        joint = p * transition_matrix.T[codes]
        given = np.maximum(joint.sum(axis=1), _TINY)
        log_given = np.log(given)
        derivative = p - joint / given[:, None]
    shift = weights - 1 / n_members
    loss = -(mass @ log_given) / total + prior_rows * (shift @ shift) / (2 * total)
    gradient = np.einsum("rnk,nk->r", logits, derivative * mass[:, None]) / total + prior_rows * shift / total
    return loss, gradient


def combination_weights(logits, codes, transition_matrix=None, sample_weight=None, prior_rows=1.0):
    """Nonnegative weights of the members that minimize :func:`combination_loss`.

    Parameters
    ----------
    logits : ndarray of shape (n_members, n_samples, n_classes)
        Of :func:`centered_log_proba`, of predictions for left-out rows.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of columns.
    transition_matrix : ndarray of shape (n_classes, n_classes), default=None
        ``T[i, j] = P(given = j | true = i)``; rows sum to one. None is the identity.
    sample_weight : ndarray of shape (n_samples,), default=None
        How many rows each row stands for.
    prior_rows : float, default=1.0
        How many rows the prior around equal weights counts as much as.

    Returns
    -------
    weights : ndarray of shape (n_members,)
    """
    n_members = len(logits)
    found = minimize(
        combination_loss,
        np.full(n_members, 1 / n_members),
        args=(logits, codes, transition_matrix, sample_weight, prior_rows),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0, None)] * n_members,
        options={"ftol": 1e-12, "gtol": 1e-7, "maxiter": 500},
    )
    return found.x


def deconvolve(given_proba, transition_matrix, n_steps=50):
    r"""Probabilities of the clean label from those of the given one, by multiplicative steps.

    :math:`p \leftarrow p \cdot ((S / (p T)) T^\top)` never leaves the simplex and lowers the Kullback-Leibler
    divergence of :math:`p T` from S in every step (Richardson 1972, Lucy 1974). Fifty steps stop short of the
    inverse where that would enlarge the noise of S.

    Parameters
    ----------
    given_proba : ndarray of shape (n_samples, n_classes)
        S, probabilities of the label that is given.
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.
    n_steps : int, default=50
        Number of steps.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
    """
    proba = given_proba.copy()
    for _ in range(n_steps):
        ratio = given_proba / np.maximum(proba @ transition_matrix, _TINY)
        proba *= ratio @ transition_matrix.T
    return proba / proba.sum(axis=1, keepdims=True)


def clean_posterior(proba, codes, transition_matrix):
    """Probabilities of the clean label of rows whose given label is known.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of the clean label from the features alone.
    codes : ndarray of int of shape (n_samples,)
        Given labels as numbers of columns.
    transition_matrix : ndarray of shape (n_classes, n_classes)
        ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    Returns
    -------
    posterior : ndarray of shape (n_samples, n_classes)
        Proportional to ``proba * T[:, given]``. Where that is zero everywhere, `proba` itself.
    """
    joint = proba * transition_matrix.T[codes]
    total = joint.sum(axis=1, keepdims=True)
    return np.divide(joint, total, out=np.array(proba, dtype=np.float64), where=total > 0)
