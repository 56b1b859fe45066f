"""Weighting functions: modes, integrals, identities, and what a callable must be."""

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from scipy import integrate, special

from sklabelnoise.losses import (
    BetaEmphasis,
    DMEmphasis,
    ExponentialEmphasis,
    IMAEEmphasis,
    NormalEmphasis,
    check_emphasis,
    emphasis_of,
)
from sklabelnoise.losses._weighting import integrate_emphasis, weights_at

P = torch.linspace(0, 1, 1001, dtype=torch.double)
EMPHASES = {
    repr(e): e
    for e in (
        *(DMEmphasis(lam, beta) for lam in (0.0, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0) for beta in (-6.0, 0.0, 2.0, 8.0, 24.0)),
        *(ExponentialEmphasis(beta) for beta in (-3.0, 0.0, 1e-9, 4.0)),
        *(NormalEmphasis(psi, beta) for psi in (0.0, 0.3, 0.5, 1.0, 1.5) for beta in (0.5, 8.0, 40.0)),
        *(BetaEmphasis(a, b) for a, b in ((1.0, 2.0), (2.0, 2.0), (2.0, 3.0), (1.7, 2.0), (1.0, 1.0), (3.0, 1.0))),
        *(IMAEEmphasis(T) for T in (-4.0, 0.0, 8.0, 16.0)),
    )
}
every_emphasis = pytest.mark.parametrize("emphasis", EMPHASES.values(), ids=EMPHASES)


def quad(emphasis):
    def w(p):
        return emphasis(torch.tensor([p], dtype=torch.double)).item()

    return integrate.quad(w, 0, 1, epsabs=1e-13, epsrel=1e-13, limit=500, points=[1e-6, 1e-3, 0.1])[0]


@every_emphasis
class TestEveryEmphasis:
    def test_density_integrates_to_one(self, emphasis):
        assert isinstance(emphasis.integral, float)
        # 1e-10 is the promise; scipy's own error is below it
        assert quad(emphasis) / emphasis.integral == pytest.approx(1, abs=1e-10)

    def test_quadrature_serves_any_callable(self, emphasis):
        assert integrate_emphasis(lambda p: emphasis(p)).item() == pytest.approx(emphasis.integral, rel=1e-10)

    def test_mode_weighs_most(self, emphasis):
        weights = emphasis(P)
        assert isinstance(emphasis.mode, float)
        if math.isnan(emphasis.mode):
            torch.testing.assert_close(weights, torch.ones_like(weights))
        else:
            at_mode = emphasis(torch.tensor([emphasis.mode], dtype=torch.double))
            assert at_mode >= weights.max() - 1e-9
            # nowhere else but, for an inverted emphasis, at the other end
            others = weights[(P - emphasis.mode).abs() > 0.05]
            ties = others >= at_mode
            assert not ties[1:-1].any()

    def test_weight_from_the_margin_equals_weight_from_the_probability(self, emphasis):
        margin = torch.linspace(-30, 30, 201, dtype=torch.double)
        # p carries an error of one unit in the last place, which powers of it and of 1 - p pass on
        torch.testing.assert_close(weights_at(emphasis, margin), emphasis(margin.sigmoid()), rtol=1e-2, atol=1e-12)
        middle = margin[margin.abs() < 8]
        torch.testing.assert_close(weights_at(emphasis, middle), emphasis(middle.sigmoid()), rtol=1e-10, atol=0)

    def test_is_finite_at_any_margin_in_float32(self, emphasis):
        weights = weights_at(emphasis, torch.tensor([-1e4, -100.0, 0.0, 100.0, 1e4]))
        assert weights.isfinite().all()
        assert (weights >= 0).all()

    def test_tensor_parameters_equal_a_loop(self, emphasis):
        fields = {name: getattr(emphasis, name) for name in emphasis.__dataclass_fields__}
        # a second replica, of other parameters
        other = {name: value + 0.5 for name, value in fields.items()}
        pairs = {name: torch.tensor([fields[name], other[name]], dtype=torch.double) for name in fields}
        both = type(emphasis)(**pairs)
        p = P.view(1, -1).expand(2, -1)
        torch.testing.assert_close(both(p), torch.stack([emphasis(P), type(emphasis)(**other)(P)]))
        for attribute in ("mode", "integral"):
            expected = [getattr(e, attribute) for e in (emphasis, type(emphasis)(**other))]
            got = getattr(both, attribute)
            torch.testing.assert_close(got.double(), torch.tensor(expected, dtype=torch.double), equal_nan=True)

    def test_is_frozen_comparable_and_picklable(self, emphasis):
        emphasis.integral  # noqa: B018  the cached integral must not stand in the way
        for again in (copy.deepcopy(emphasis), pickle.loads(pickle.dumps(emphasis))):
            assert again == emphasis
            assert hash(again) == hash(emphasis)
        with pytest.raises(AttributeError):
            emphasis.beta = 1.0

    def test_passes_the_check(self, emphasis):
        check_emphasis(emphasis)


@pytest.mark.parametrize("lam", [0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("beta", [4.0, 24.0])
def test_dm_integral_equals_its_series(lam, beta):
    k = torch.arange(120, dtype=torch.double).numpy()
    series = (beta**k / special.factorial(k) * special.beta(lam * k + 1, k + 1)).sum()
    assert DMEmphasis(lam, beta).integral == pytest.approx(series, rel=1e-12)


@pytest.mark.parametrize("beta", [0.5, 8.0, 24.0])
def test_integrals_equal_their_closed_forms(beta):
    imae = math.exp(beta / 4) * math.sqrt(math.pi / beta) * math.erf(math.sqrt(beta) / 2)
    assert IMAEEmphasis(beta).integral == pytest.approx(imae, rel=1e-12)
    assert ExponentialEmphasis(beta).integral == pytest.approx(math.expm1(beta) / beta, rel=1e-12)
    assert DMEmphasis(0.0, beta).integral == pytest.approx(math.expm1(beta) / beta, rel=1e-12)
    psi, root = 0.3, math.sqrt(beta)
    normal = math.exp(beta * psi**2) * math.sqrt(math.pi) / (2 * root)
    normal *= math.erf(root * (1 - psi)) + math.erf(root * psi)
    assert NormalEmphasis(psi, beta).integral == pytest.approx(normal, rel=1e-12)


@pytest.mark.parametrize("psi", [0.1, 0.2, 0.3])
def test_the_quadrature_resolves_a_peak_of_a_hundredth_in_width(psi):
    beta = 5_000.0  # a standard deviation of 0.01
    assert NormalEmphasis(psi, beta).integral == pytest.approx(math.exp(beta * psi**2) * math.sqrt(math.pi / beta))


@pytest.mark.parametrize("lam", [0.25, 0.5, 1.0, 2.0])
def test_dm_mode_is_lam_over_lam_plus_one_with_its_peak(lam):
    emphasis = DMEmphasis(lam, 8.0)
    assert emphasis.mode == lam / (lam + 1)
    peak = math.exp(8 * lam**lam / (lam + 1) ** (lam + 1))
    assert emphasis(torch.tensor(emphasis.mode, dtype=torch.double)).item() == pytest.approx(peak)


@pytest.mark.parametrize(
    ("alpha", "eta", "mode"),
    [(3.0, 2.0, 2 / 3), (2.0, 0.5, 1.0), (0.5, 2.0, 0.0), (1.0, 0.5, 1.0), (0.5, 0.7, math.nan), (1.0, 1.0, math.nan)],
)
def test_a_beta_emphasis_is_a_hill_or_rises_to_an_end_or_has_no_mode(alpha, eta, mode):
    assert BetaEmphasis(alpha, eta).mode == pytest.approx(mode, nan_ok=True)
    several = BetaEmphasis(torch.tensor([alpha, 2.0]), torch.tensor([eta, 2.0])).mode
    torch.testing.assert_close(several, torch.tensor([mode, 0.5], dtype=several.dtype), equal_nan=True)


def test_inverted_dm_weighs_least_at_its_turning_point():
    emphasis = DMEmphasis(0.5, -8.0)
    assert emphasis.mode == 1
    assert P[emphasis(P).argmin()].item() == pytest.approx(1 / 3, abs=1e-3)  # the grid's step


def test_no_example_is_ever_removed():
    for lam in (0.5, 1.0, 2.0):
        emphasis = DMEmphasis(lam, 24.0)
        torch.testing.assert_close(emphasis(torch.tensor([0.0, 1.0])), torch.ones(2))
        assert (emphasis(P) >= 1).all()


@pytest.mark.parametrize("beta", [2.0, 8.0, 16.0])
def test_dm_with_lam_one_is_imae_and_the_centered_normal(beta):
    dm = DMEmphasis(1.0, beta)(P)
    torch.testing.assert_close(IMAEEmphasis(beta)(P), dm, rtol=1e-13, atol=0)
    torch.testing.assert_close(NormalEmphasis(0.5, beta)(P), dm, rtol=1e-13, atol=0)


def test_dm_with_lam_zero_is_exponential():
    torch.testing.assert_close(DMEmphasis(0.0, 3.0)(P), ExponentialEmphasis(3.0)(P))


@pytest.mark.parametrize(
    ("name", "alpha", "eta", "factor"),
    [("cross_entropy", 1.0, 2.0, 2.0), ("mae", 2.0, 2.0, 2.0), ("mse", 2.0, 3.0, 4.0), ("gce", 1.7, 2.0, 2.0)],
)
def test_beta_emphasis_covers_the_common_losses(name, alpha, eta, factor):
    torch.testing.assert_close(factor * BetaEmphasis(alpha, eta)(P), emphasis_of(name, P))


def test_small_powers_are_exact_where_probabilities_underflow_in_float32():
    margin = torch.tensor([-150.0, -95.0])
    for lam in (0.01, 0.1, 0.24, 0.25, 0.5):
        exact = weights_at(DMEmphasis(lam, 8.0), margin.double())
        # eight roundings of the exponent; from 0.25 on the power itself is below float32's resolution
        torch.testing.assert_close(weights_at(DMEmphasis(lam, 8.0), margin).double(), exact, rtol=3e-6, atol=0)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int64, np.uint64, np.float16])
@pytest.mark.parametrize(
    "build",
    [
        lambda number: DMEmphasis(number(2), number(16)),
        lambda number: ExponentialEmphasis(number(9)),
        lambda number: NormalEmphasis(number(1), number(100)),
        lambda number: BetaEmphasis(number(2), number(8)),
        lambda number: IMAEEmphasis(number(8)),
    ],
)
def test_numbers_of_numpy_mean_what_those_of_python_mean(build, kind):
    # minus an unsigned one is another number
    p = torch.linspace(0, 1, 11)
    emphasis, expected = build(kind), build(float)
    assert emphasis == expected and torch.equal(emphasis(p), expected(p))
    assert emphasis.mode == expected.mode and emphasis.integral == expected.integral


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DMEmphasis(-0.5, 8.0), r"'lam' of DMEmphasis must be a number in \[0, inf\), got -0.5"),
        (lambda: DMEmphasis(0.5, math.nan), "'beta' of DMEmphasis must be a number in .* got nan"),
        (lambda: DMEmphasis("a", 1.0), "'lam' of DMEmphasis must be .* got 'a'"),
        (lambda: NormalEmphasis(-1.0, 1.0), "'psi' of NormalEmphasis"),
        (lambda: NormalEmphasis(1.0, 0.0), r"'beta' of NormalEmphasis must be a number in \(0, inf\), got 0.0"),
        (lambda: BetaEmphasis(0.0, 1.0), "'alpha' of BetaEmphasis"),
        (lambda: BetaEmphasis(1.0, -1.0), "'eta' of BetaEmphasis"),
        (lambda: ExponentialEmphasis(None), "'beta' of ExponentialEmphasis"),
        (lambda: IMAEEmphasis(math.inf), "'T' of IMAEEmphasis"),
        (lambda: DMEmphasis(2**63, 8.0), "'lam' of DMEmphasis must be .* got 9223372036854775808"),
        (lambda: DMEmphasis(0.5, -(10**400)), "'beta' of DMEmphasis must be .* got -1000"),
    ],
)
def test_parameters_outside_their_domain_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("emphasis", "message"),
    [
        (lambda p: p * math.nan, "weights that are not NaN, got nan at p = 0"),
        (lambda p: p - 0.5, "weights of at least 0, got -0.5 at p = 0"),
        (lambda p: p.mean(), r"one weight per probability, of shape \(2, 1001\), got shape \(\)"),
        (lambda p: p.flatten(), r"one weight per probability, of shape \(2, 1001\), got shape \(2002,\)"),
        (lambda p: 1 / p, "finite weights, got inf at p = 0"),
        (lambda p: 1 / (0.5 - p).clamp_min(0), r"finite weights, got inf at p = 0\.5"),
        (lambda p: 0 * p, "a positive weight for some p, got 0 everywhere"),
        (lambda p: 1.0, "a tensor of weights, got float"),
        (lambda p: p + 0j, r"real weights, got torch\.complex64"),
        (BetaEmphasis(0.5, 2.0), "finite weights, got inf at p = 0"),
    ],
)
def test_check_says_what_is_wrong_with_a_callable(emphasis, message):
    with pytest.raises(ValueError, match=message):
        check_emphasis(emphasis)


@pytest.mark.parametrize("emphasis", [lambda p: p > 0.5, lambda p: (3 * p).long(), lambda p: p.mul_(2).neg_().add_(2)])
def test_check_takes_whole_numbers_truth_values_and_work_in_place(emphasis):
    check_emphasis(emphasis)


def test_check_refuses_what_is_not_callable():
    with pytest.raises(TypeError, match="emphasis must be callable as w"):
        check_emphasis(8.0)
