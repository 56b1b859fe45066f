"""Emphasis: how much an example weighs, as a function w(p) of the probability the model gives its label."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch

from sklabelnoise.losses._declare import AT_LEAST_ZERO, POSITIVE, Interval, check_hyper_parameter
from sklabelnoise.losses._margin import over_samples
from sklabelnoise.losses._weighting import integrate_emphasis


def _as_given(value, *parameters):
    """A float where all parameters are numbers, a tensor where one of them is."""
    return value if any(isinstance(p, torch.Tensor) for p in parameters) else float(value)


def _where(condition, yes, no):
    """torch.where for numbers and tensors alike."""
    tensors = [v for v in (condition, yes, no) if isinstance(v, torch.Tensor)]
    if not tensors:
        return yes if condition else no
    like = {"device": tensors[0].device}
    return torch.where(torch.as_tensor(condition, **like), torch.as_tensor(yes, **like), torch.as_tensor(no, **like))


def _double(value):
    return torch.as_tensor(value, dtype=torch.double)


def _device(*parameters):
    return next((p.device for p in parameters if isinstance(p, torch.Tensor)), None)


def _integrate(emphasis, *parameters):
    """Integral of an emphasis of this module in float64, whatever the type of its parameters."""
    return _as_given(integrate_emphasis(emphasis, device=_device(*parameters)), *parameters)


def _keep_checked(emphasis, **domains):
    """Check the parameters of a frozen emphasis, and keep their numbers as Python's own."""
    for name, domain in domains.items():
        value = check_hyper_parameter(type(emphasis).__name__, name, getattr(emphasis, name), domain)
        object.__setattr__(emphasis, name, value)


@dataclass(frozen=True)
class DMEmphasis:
    r"""Emphasis of derivative manipulation, :math:`w(p) = \exp(\beta p^\lambda (1 - p))`.

    It peaks where the model half believes a label: labels it firmly disbelieves, which are likely wrong, and labels
    it has fitted weigh little. The mode is set by ``lam``, the contrast by ``beta``. For ``lam`` > 0 an example at
    either end weighs 1 and one at the mode :math:`\exp(\beta \lambda^\lambda / (\lambda + 1)^{\lambda + 1})`, so none
    is ever removed.

    Parameters
    ----------
    lam : float or tensor, default=0.5
        Sets the mode lam / (lam + 1); at least 0. More noise wants a larger value. A tensor broadcasts over the
        leading (replica) dimensions of p.
    beta : float or tensor, default=8.0
        Sets the contrast; 0 weighs all examples alike. It should grow with ``lam``. Negative values invert the
        emphasis.

    Attributes
    ----------
    mode : float or tensor
        Probability that weighs most: lam / (lam + 1) for a positive beta. For a negative beta that point weighs
        least and the mode is an end point, 1 (where ``lam`` > 0, 0 weighs as much). NaN for beta = 0.
    integral : float or tensor
        Integral of w over [0, 1], which makes w a density.

    See Also
    --------
    ExponentialEmphasis : The case lam = 0.
    IMAEEmphasis : The case lam = 1.

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Eq. 12.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import DMEmphasis
    >>> emphasis = DMEmphasis(lam=0.5, beta=8)
    >>> emphasis(torch.tensor([0.0, 0.01, 1 / 3, 0.9, 1.0]))
    tensor([ 1.0000,  2.2078, 21.7410,  2.1360,  1.0000])
    >>> round(emphasis.mode, 3), round(emphasis.integral, 3)
    (0.333, 11.408)
    """

    lam: float | torch.Tensor = 0.5
    beta: float | torch.Tensor = 8.0

    def __post_init__(self):
        _keep_checked(self, lam=AT_LEAST_ZERO, beta=Interval())

    def __call__(self, p):
        return torch.exp(over_samples(self.beta) * p ** over_samples(self.lam) * (1 - p))

    @property
    def _sees_log_odds(self):
        # Where float32 underflows, below exp(-87), a larger power is below 1e-9 and adds nothing to the other terms.
        return isinstance(self.lam, torch.Tensor) or 0 < self.lam < 0.25

    def _log_weight(self, odds):
        lam, beta = over_samples(self.lam), over_samples(self.beta)
        power = (lam * odds.log_p).exp() if self._sees_log_odds else odds.p.pow(lam)
        return power * odds.miss * beta

    @cached_property
    def mode(self) -> float | torch.Tensor:
        inner = self.lam / (self.lam + 1)
        return _as_given(
            _where(self.beta > 0, inner, _where(self.beta < 0, 1.0, math.nan)),
            self.lam,
            self.beta,
        )

    @cached_property
    def integral(self):
        return _integrate(self, self.lam, self.beta)


@dataclass(frozen=True)
class ExponentialEmphasis:
    r"""Emphasis :math:`w(p) = \exp(\beta (1 - p))`.

    Parameters
    ----------
    beta : float or tensor
        Positive values emphasize labels the model disbelieves, negative values those it believes. A tensor broadcasts
        over the leading (replica) dimensions of p.

    Attributes
    ----------
    mode : float or tensor
        0 for a positive beta, 1 for a negative one, NaN for 0.
    integral : float or tensor
        :math:`(e^\beta - 1) / \beta`, the integral of w over [0, 1].

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Eq. 10.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import ExponentialEmphasis
    >>> ExponentialEmphasis(2.0)(torch.tensor([0.0, 0.5, 1.0]))
    tensor([7.3891, 2.7183, 1.0000])
    """

    beta: float | torch.Tensor

    def __post_init__(self):
        _keep_checked(self, beta=Interval())

    def __call__(self, p):
        return torch.exp(over_samples(self.beta) * (1 - p))

    def _log_weight(self, odds):
        return odds.miss * over_samples(self.beta)

    @cached_property
    def mode(self) -> float | torch.Tensor:
        return _as_given(_where(self.beta > 0, 0.0, _where(self.beta < 0, 1.0, math.nan)), self.beta)

    @cached_property
    def integral(self):
        beta = _double(self.beta)
        safe = torch.where(beta == 0, 1.0, beta)
        return _as_given(torch.where(beta == 0, 1.0, torch.expm1(safe) / safe), self.beta)


@dataclass(frozen=True)
class NormalEmphasis:
    r"""Emphasis shaped like a normal density, :math:`w(p) = \exp(-\beta p (p - 2 \psi))`.

    Parameters
    ----------
    psi : float or tensor
        The mode, at least 0 (above 1 the weight grows over the whole of [0, 1]).
    beta : float or tensor
        Half the inverse variance, positive. Tensors broadcast over the leading (replica) dimensions of p.

    Attributes
    ----------
    mode : float or tensor
        psi, at most 1.
    integral : float or tensor
        Integral of w over [0, 1].

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Eq. 9. With psi = 1/2 it equals
    :class:`DMEmphasis` with lam = 1.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import NormalEmphasis
    >>> NormalEmphasis(psi=0.5, beta=8.0)(torch.tensor([0.0, 0.5, 1.0]))
    tensor([1.0000, 7.3891, 1.0000])
    """

    psi: float | torch.Tensor
    beta: float | torch.Tensor

    def __post_init__(self):
        _keep_checked(self, psi=AT_LEAST_ZERO, beta=POSITIVE)

    def __call__(self, p):
        return torch.exp(-over_samples(self.beta) * p * (p - 2 * over_samples(self.psi)))

    def _log_weight(self, odds):
        p = odds.p
        return -over_samples(self.beta) * p * (p - 2 * over_samples(self.psi))

    @cached_property
    def mode(self) -> float | torch.Tensor:
        return _as_given(_where(self.psi < 1, self.psi, 1.0), self.psi)

    @cached_property
    def integral(self):
        return _integrate(self, self.psi, self.beta)


@dataclass(frozen=True)
class BetaEmphasis:
    r"""Emphasis shaped like a beta density, :math:`w(p) = p^{\alpha - 1} (1 - p)^{\eta - 1}`.

    Up to a factor it is what the common losses do: cross entropy is (1, 2), the mean absolute error (2, 2), the mean
    squared error (2, 3) and generalized cross entropy (q + 1, 2).

    Parameters
    ----------
    alpha, eta : float or tensor
        Positive. Below 1 the weight is unbounded at p = 0 (alpha) or p = 1 (eta). Tensors broadcast over the leading
        (replica) dimensions of p.

    Attributes
    ----------
    mode : float or tensor
        :math:`(\alpha - 1) / (\alpha + \eta - 2)` where both are above 1, else the end point that weighs most (NaN
        where there is none: both 1, or both unbounded).
    integral : float or tensor
        The beta function of alpha and eta, the integral of w over [0, 1].

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Eq. 11.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import BetaEmphasis
    >>> BetaEmphasis(2.0, 2.0)(torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.0000, 0.2500, 0.0000])
    >>> BetaEmphasis(1.7, 2.0).mode  # generalized cross entropy with q = 0.7
    0.41...
    """

    alpha: float | torch.Tensor
    eta: float | torch.Tensor
    _sees_log_odds = True

    def __post_init__(self):
        _keep_checked(self, alpha=POSITIVE, eta=POSITIVE)

    def __call__(self, p):
        return p ** (over_samples(self.alpha) - 1) * (1 - p) ** (over_samples(self.eta) - 1)

    def _log_weight(self, odds):
        return (over_samples(self.alpha) - 1) * odds.log_p + (over_samples(self.eta) - 1) * odds.log_miss

    @cached_property
    def mode(self) -> float | torch.Tensor:
        alpha, eta = _double(self.alpha), _double(self.eta)
        a, b = alpha - 1, eta - 1
        # With a, b of one sign the density is a hill (both positive) or a bowl (both negative); else it is monotone.
        end = torch.where(a > b, 1.0, torch.where(a < b, 0.0, math.nan))
        end = torch.where((a < 0) & (b < 0), math.nan, end)
        hill = (a > 0) & (b > 0)
        return _as_given(torch.where(hill, a / torch.where(hill, a + b, 1.0), end), self.alpha, self.eta)

    @cached_property
    def integral(self):
        alpha, eta = _double(self.alpha), _double(self.eta)
        return _as_given(torch.exp(alpha.lgamma() + eta.lgamma() - (alpha + eta).lgamma()), self.alpha, self.eta)


@dataclass(frozen=True)
class IMAEEmphasis:
    r"""Emphasis of the improved mean absolute error, :math:`w(p) = \exp(T p (1 - p))`.

    It transforms the weight p (1 - p) that the mean absolute error gives, so that examples differ more. It is
    :class:`DMEmphasis` with lam = 1 and beta = T.

    Parameters
    ----------
    T : float or tensor, default=8.0
        Contrast. A tensor broadcasts over the leading (replica) dimensions of p.

    Attributes
    ----------
    mode : float or tensor
        1/2 for a positive T, an end point (1, which weighs as much as 0) for a negative one, NaN for 0.
    integral : float or tensor
        Integral of w over [0, 1].

    References
    ----------
    Wang et al., IMAE for Noise-Robust Learning: Mean Absolute Error Does Not Treat Examples Equally and Gradient
    Magnitude's Variance Matters, arXiv:1903.12141, 2019.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import IMAEEmphasis
    >>> IMAEEmphasis()(torch.tensor([0.0, 0.5, 1.0]))
    tensor([1.0000, 7.3891, 1.0000])
    """

    T: float | torch.Tensor = 8.0

    def __post_init__(self):
        _keep_checked(self, T=Interval())

    def __call__(self, p):
        return torch.exp(over_samples(self.T) * p * (1 - p))

    def _log_weight(self, odds):
        return odds.p * odds.miss * over_samples(self.T)

    @property
    def mode(self) -> float | torch.Tensor:
        return DMEmphasis(1.0, self.T).mode

    @cached_property
    def integral(self):
        return DMEmphasis(1.0, self.T).integral
