"""Active-passive losses: a normalized active loss, which raises the label, and a passive one, which lowers the rest."""

from sklabelnoise.losses._asymmetric import ael, agce, aue
from sklabelnoise.losses._declare import ABOVE_ONE, AT_LEAST_ZERO, POSITIVE, Interval, per_example_loss
from sklabelnoise.losses._margin import over_samples
from sklabelnoise.losses._normalized import nce, nfl
from sklabelnoise.losses._robust import mae, rce


def _sum(active, alpha, passive, beta):
    return over_samples(alpha) * active + over_samples(beta) * passive


@per_example_loss(uniform_remainder=True, alpha=AT_LEAST_ZERO, beta=AT_LEAST_ZERO)
def nce_mae(logits, targets, *, alpha=1.0, beta=1.0):
    r"""Active-passive loss of normalized cross entropy and mean absolute error.

    .. math::
        \ell = \alpha \, \ell_{nce} + \beta \, \ell_{mae},

    and so its derivative, see :func:`nce` and :func:`mae`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha, beta : float or tensor, default=1.0
        Weights of the two, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 10 and 1.
        Tensors broadcast over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020, active-passive losses, and
    released configurations.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nce_mae
    >>> nce_mae(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.8245])
    """
    return _sum(nce(logits, targets), alpha, mae(logits, targets), beta)


@per_example_loss(uniform_remainder=True, alpha=AT_LEAST_ZERO, beta=AT_LEAST_ZERO)
def nce_rce(logits, targets, *, alpha=1.0, beta=1.0):
    r"""Active-passive loss of normalized cross entropy and reverse cross entropy.

    .. math::
        \ell = \alpha \, \ell_{nce} + \beta \, \ell_{rce},

    and so its derivative, see :func:`nce` and :func:`rce`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha, beta : float or tensor, default=1.0
        Weights of the two, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 10 and 0.1.
        Tensors broadcast over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020, active-passive losses, and
    released configurations.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nce_rce
    >>> nce_rce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([9.0561])
    """
    return _sum(nce(logits, targets), alpha, rce(logits, targets), beta)


@per_example_loss(uniform_remainder=True, alpha=AT_LEAST_ZERO, beta=AT_LEAST_ZERO)
def nfl_mae(logits, targets, *, alpha=1.0, beta=1.0):
    r"""Active-passive loss of normalized focal loss and mean absolute error.

    .. math::
        \ell = \alpha \, \ell_{nfl} + \beta \, \ell_{mae},

    and so its derivative, see :func:`nfl` and :func:`mae`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha, beta : float or tensor, default=1.0
        Weights of the two, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 10 and 1.
        Tensors broadcast over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020, active-passive losses, and
    released configurations.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nfl_mae
    >>> nfl_mae(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([1.8593])
    """
    return _sum(nfl(logits, targets), alpha, mae(logits, targets), beta)


@per_example_loss(uniform_remainder=True, alpha=AT_LEAST_ZERO, beta=AT_LEAST_ZERO)
def nfl_rce(logits, targets, *, alpha=1.0, beta=1.0):
    r"""Active-passive loss of normalized focal loss and reverse cross entropy.

    .. math::
        \ell = \alpha \, \ell_{nfl} + \beta \, \ell_{rce},

    and so its derivative, see :func:`nfl` and :func:`rce`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha, beta : float or tensor, default=1.0
        Weights of the two, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 10 and 0.1.
        Tensors broadcast over the leading dimensions.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020, active-passive losses, and
    released configurations.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nfl_rce
    >>> nfl_rce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([9.0910])
    """
    return _sum(nfl(logits, targets), alpha, rce(logits, targets), beta)


@per_example_loss(
    uniform_remainder=True,
    alpha=Interval(0),
    beta=Interval(0),
    a=POSITIVE,
    q=POSITIVE,
)
def nce_agce(logits, targets, *, alpha=1.0, beta=4.0, a=6.0, q=1.5):
    r"""Active-passive loss of normalized cross entropy and asymmetric generalized cross entropy.

    .. math::
        \ell = \alpha \, \ell_{nce} + \beta \, \ell_{agce},

    and so its derivative, see :func:`nce` and :func:`agce`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha : float or tensor, default=1.0
        Weight of the active loss, at least 0. A tensor broadcasts over the leading dimensions.
    beta : float or tensor, default=4.0
        Weight of the passive loss, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 10
        and 0.1. A tensor broadcasts over the leading dimensions.
    a : float or tensor, default=6.0
        Of :func:`agce`; 1.8 for CIFAR-100.
    q : float or tensor, default=1.5
        Of :func:`agce`; 3 for CIFAR-100.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, released configurations.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nce_agce
    >>> nce_agce(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([9.9655])
    """
    return _sum(nce(logits, targets), alpha, agce(logits, targets, a=a, q=q), beta)


@per_example_loss(
    uniform_remainder=True,
    alpha=Interval(0),
    beta=Interval(0),
    a=ABOVE_ONE,
    q=POSITIVE,
)
def nce_aue(logits, targets, *, alpha=1.0, beta=4.0, a=6.3, q=1.5):
    r"""Active-passive loss of normalized cross entropy and asymmetric unhinged loss.

    .. math::
        \ell = \alpha \, \ell_{nce} + \beta \, \ell_{aue},

    and so its derivative, see :func:`nce` and :func:`aue`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha : float or tensor, default=1.0
        Weight of the active loss, at least 0. A tensor broadcasts over the leading dimensions.
    beta : float or tensor, default=4.0
        Weight of the passive loss, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 10
        and 0.015. A tensor broadcasts over the leading dimensions.
    a : float or tensor, default=6.3
        Of :func:`aue`; 6 for CIFAR-100.
    q : float or tensor, default=1.5
        Of :func:`aue`; 3 for CIFAR-100.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, released configurations.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nce_aue
    >>> nce_aue(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([9.3829])
    """
    return _sum(nce(logits, targets), alpha, aue(logits, targets, a=a, q=q), beta)


@per_example_loss(uniform_remainder=True, alpha=AT_LEAST_ZERO, beta=AT_LEAST_ZERO, a=POSITIVE)
def nce_ael(logits, targets, *, alpha=1.0, beta=4.0, a=5.0):
    r"""Active-passive loss of normalized cross entropy and asymmetric exponential loss.

    .. math::
        \ell = \alpha \, \ell_{nce} + \beta \, \ell_{ael},

    and so its derivative, see :func:`nce` and :func:`ael`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha : float or tensor, default=1.0
        Weight of the active loss, at least 0. A tensor broadcasts over the leading dimensions.
    beta : float or tensor, default=4.0
        Weight of the passive loss, at least 0. The defaults are the authors' for CIFAR-10; for CIFAR-100 they take 10
        and 0.1. A tensor broadcasts over the leading dimensions.
    a : float or tensor, default=5.0
        Of :func:`ael`; 1.5 for CIFAR-100.

    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, released configurations.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import nce_ael
    >>> nce_ael(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([4.8494])
    """
    return _sum(nce(logits, targets), alpha, ael(logits, targets, a=a), beta)
