"""The bi-tempered loss against its definition, its derivative and its limits."""

import math

import mpmath
import pytest
import torch
import torch.nn.functional as F

from sklabelnoise.losses import bi_tempered, cross_entropy
from sklabelnoise.losses._tempered import _bound, _root, _tempered_log_odds, _TemperedLogOdds

N_CLASSES = 4


def batch(n=16, seed=0, scale=3.0):
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    return logits, torch.randint(0, N_CLASSES, (n,), generator=generator)


def tempered_softmax(logits, t):
    """By bisection on the normalization."""
    distance = logits.amax(-1, keepdim=True) - logits
    low = torch.ones(len(logits), 1, dtype=torch.double)
    high = torch.full_like(low, logits.shape[-1] ** (t - 1))
    for _ in range(100):
        middle = (low + high) / 2
        above = ((middle + (t - 1) * distance) ** (1 / (1 - t))).sum(-1, keepdim=True) > 1
        low, high = torch.where(above, middle, low), torch.where(above, high, middle)
    return (low + (t - 1) * distance) ** (1 / (1 - t))


@pytest.mark.parametrize(("t1", "t2"), [(0.8, 1.2), (0.2, 4.0), (0.0, 1.05), (0.5, 2.0)])
class TestBiTempered:
    def test_value_is_that_of_its_definition(self, t1, t2):
        logits, labels = batch()
        p = tempered_softmax(logits, t2)
        label = p.gather(-1, labels[:, None]).squeeze(-1)
        expected = (1 - label ** (1 - t1)) / (1 - t1) - (1 - (p ** (2 - t1)).sum(-1)) / (2 - t1)
        torch.testing.assert_close(bi_tempered(logits, labels, t1=t1, t2=t2), expected, rtol=1e-9, atol=1e-12)

    def test_derivative_is_that_of_its_docstring(self, t1, t2):
        logits, labels = batch()
        p, e = tempered_softmax(logits, t2), F.one_hot(labels, N_CLASSES).double()
        delta = p ** (t2 - t1) * (p - e)
        expected = delta - p**t2 / (p**t2).sum(-1, keepdim=True) * delta.sum(-1, keepdim=True)
        logits.requires_grad_()
        (derivative,) = torch.autograd.grad(bi_tempered(logits, labels, t1=t1, t2=t2).sum(), logits)
        torch.testing.assert_close(derivative, expected, rtol=1e-9, atol=1e-12)

    def test_it_is_bounded_where_cross_entropy_is_not(self, t1, t2):
        logits, labels = torch.tensor([[0.0, 1e8]], dtype=torch.double), torch.tensor([0])
        assert bi_tempered(logits, labels, t1=t1, t2=t2).item() <= 1 / (1 - t1) + 1e-12
        assert cross_entropy(logits, labels).item() > 1e7


def test_temperatures_of_one_are_cross_entropy():
    logits, labels = batch()
    soft = logits.flip(0).softmax(-1)
    for targets in (labels, soft):
        near = bi_tempered(logits, targets, t1=1 - 1e-7, t2=1 + 1e-7)
        torch.testing.assert_close(near, cross_entropy(logits, targets), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("t2", [1.001, 1.2, 2.0, 5.0])
@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0, 1e6])
@pytest.mark.parametrize("n_classes", [2, 1000])
def test_tempered_probabilities_sum_to_one(t2, scale, n_classes):
    logits = scale * torch.randn(20, n_classes, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    s = torch.tensor(t2 - 1, dtype=torch.double)
    log_odds, a = _TemperedLogOdds.apply(logits.mT, s, 4 if t2 < 1.25 else 8)
    total = log_odds.exp().sum(-2, keepdim=True)
    # the normalization is the sum of the odds to the power of s
    torch.testing.assert_close(a, total**s, rtol=1e-10, atol=0)


@pytest.mark.parametrize("t2", [1.001, 1.25, 1.26, 2.0, 5.0])
@pytest.mark.parametrize("scale", [0.1, 3.0, 100.0, 1e6])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_as_many_steps_are_taken_as_the_tails_need(t2, scale, as_tensor):
    logits = scale * torch.randn(20, 1000, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    s = t2 - 1
    for dtype, tolerance in ((torch.double, 1e-10), (torch.float32, 1e-4)):
        given = torch.tensor([[s]], dtype=dtype) if as_tensor else s
        odds = _tempered_log_odds(logits.to(dtype), given).double().exp()
        distance = logits.amax(-1, keepdim=True) - logits
        # odds that add up to the root of their normalization are those of probabilities that add up to one
        a = odds.sum(-1, keepdim=True) ** s
        torch.testing.assert_close(odds, (1 + s * distance / a) ** (-1 / s), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("power", [0.01, 0.2, 0.9, 1.0])
def test_series_and_closed_form_are_one_integral(power):
    # the series ends at a miss of 1/16
    away = [1e-9, 1e-3, 0.03, 0.0624, 0.0626, 0.2, 0.3, 0.99]
    margin = torch.tensor([math.log1p(-a) - math.log(a) for a in away], dtype=torch.double)
    with mpmath.workdps(40):
        exact = [mpmath.quad(lambda s: s * (1 - s) ** (mpmath.mpf(power) - 1), [0, a]) for a in map(mpmath.mpf, away)]
    expected = torch.tensor([float(value) for value in exact], dtype=torch.double)
    # the closed form is the difference of two terms a few dozen times as large
    torch.testing.assert_close(_bound(margin, power), expected, rtol=3e-13, atol=0)


@pytest.mark.parametrize(("name", "bad"), [("t1", 1.0), ("t1", -0.1), ("t2", 1.0), ("t2", 0.8)])
def test_temperatures_outside_their_domain_are_refused(name, bad):
    with pytest.raises(ValueError, match=f"'{name}' of bi_tempered must be"):
        bi_tempered(*batch(), **{name: bad})


@pytest.mark.parametrize("t2", [1.2, 1 + 1 / 3, 1.5, 1.125, 1.2 + 1e-9, 1.3, 1.05])
def test_a_root_by_products_is_the_root(t2):
    x = torch.logspace(-3, 0, 200, dtype=torch.float64)
    torch.testing.assert_close(_root(x, t2 - 1), x ** (1 / (t2 - 1)), rtol=1e-13, atol=0)
