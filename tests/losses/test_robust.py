"""Losses of the literature against formulas written out naively, their derivatives, limits and identities."""

import math

import pytest
import torch
import torch.nn.functional as F

from sklabelnoise import losses
from sklabelnoise.losses import NAMES

N_CLASSES = 4
A = math.log(1e-4)


def batch(n=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    return logits, torch.randint(0, N_CLASSES, (n,), generator=generator)


def gradient(name, logits, labels, **hyper):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(NAMES[name](logits, labels, **hyper).sum(), logits)[0]


def kl(a, b):
    return torch.where(a > 0, a * (a.clamp_min(1e-300).log() - b.log()), 0.0).sum(-1)


def jensen_shannon(p, e, pi):
    m = pi * e + (1 - pi) * p
    return (pi * kl(e, m) + (1 - pi) * kl(p, m)) / (-(1 - pi) * math.log(1 - pi))


def share(values, e):
    return (values * e).sum(-1) / values.sum(-1)


def focal(p, gamma):
    return -((1 - p) ** gamma) * p.log()


# From probabilities p of shape (n, C) and one-hot labels e, with the defaults and with other hyper-parameters.
BY_FORMULA = {
    "mae": [({}, lambda p, e: (p - e).abs().sum(-1) / 2)],
    "mse": [({}, lambda p, e: (1 - (p * e).sum(-1)) ** 2)],
    "gce": [
        ({}, lambda p, e: (1 - (p * e).sum(-1) ** 0.7) / 0.7),
        ({"q": 0.2}, lambda p, e: (1 - (p * e).sum(-1) ** 0.2) / 0.2),
    ],
    "rce": [
        ({}, lambda p, e: -(p * e.clamp_min(1e-4).log()).sum(-1)),
        ({"log_zero": -4.0}, lambda p, e: 4 * (1 - (p * e).sum(-1))),
    ],
    "sce": [
        ({}, lambda p, e: -0.1 * (p * e).sum(-1).log() - (p * e.clamp_min(1e-4).log()).sum(-1)),
        ({"alpha": 6.0, "beta": 0.1}, lambda p, e: -6 * (p * e).sum(-1).log() - 0.1 * A * (1 - (p * e).sum(-1))),
    ],
    "focal": [
        ({}, lambda p, e: focal((p * e).sum(-1), 0.5)),
        ({"gamma": 2.0}, lambda p, e: focal((p * e).sum(-1), 2.0)),
    ],
    "taylor_ce": [
        ({"order": t}, lambda p, e, t=t: sum((1 - (p * e).sum(-1)) ** i / i for i in range(1, t + 1)))
        for t in (1, 2, 6)
    ],
    "js": [({"pi": pi}, lambda p, e, pi=pi: jensen_shannon(p, e, pi)) for pi in (0.1, 0.5, 0.9)],
    "agce": [
        ({}, lambda p, e: (1.6**0.6 - (0.6 + (p * e).sum(-1)) ** 0.6) / 0.6),
        ({"a": 4.0, "q": 0.2}, lambda p, e: (5**0.2 - (4 + (p * e).sum(-1)) ** 0.2) / 0.2),
    ],
    "aue": [
        ({}, lambda p, e: ((5.5 - (p * e).sum(-1)) ** 3 - 4.5**3) / 3),
        ({"a": 3.0, "q": 0.1}, lambda p, e: ((3 - (p * e).sum(-1)) ** 0.1 - 2**0.1) / 0.1),
    ],
    "ael": [({}, lambda p, e: torch.exp(-(p * e).sum(-1) / 2.5))],
    "forward_symmetric": [
        ({"noise_rate": 0.4}, lambda p, e: -(0.6 * (p * e).sum(-1) + 0.4 / 3 * (1 - (p * e).sum(-1))).log())
    ],
    "nce": [({}, lambda p, e: share(-p.log(), e))],
    "nfl": [({}, lambda p, e: share(focal(p, 0.5), e)), ({"gamma": 2.0}, lambda p, e: share(focal(p, 2.0), e))],
    "ngce": [({}, lambda p, e: share(1 - p**0.7, e))],
    "nmae": [({}, lambda p, e: share(1 - p, e))],
    "nrce": [({}, lambda p, e: share(-A * (1 - p), e))],
    "nce_mae": [({"alpha": 10.0, "beta": 2.0}, lambda p, e: 10 * share(-p.log(), e) + 2 * (1 - (p * e).sum(-1)))],
    "nce_rce": [({"alpha": 2.0, "beta": 0.1}, lambda p, e: 2 * share(-p.log(), e) - 0.1 * A * (1 - (p * e).sum(-1)))],
    "nfl_mae": [
        ({}, lambda p, e: share(focal(p, 0.5), e) + 1 - (p * e).sum(-1)),
        ({"gamma": 2.0}, lambda p, e: share(focal(p, 2.0), e) + 1 - (p * e).sum(-1)),
    ],
    "nfl_rce": [
        ({}, lambda p, e: share(focal(p, 0.5), e) - A * (1 - (p * e).sum(-1))),
        ({"gamma": 2.0, "log_zero": -4.0}, lambda p, e: share(focal(p, 2.0), e) + 4 * (1 - (p * e).sum(-1))),
    ],
    "nce_agce": [({}, lambda p, e: share(-p.log(), e) + 4 * (7**1.5 - (6 + (p * e).sum(-1)) ** 1.5) / 1.5)],
    "nce_aue": [({}, lambda p, e: share(-p.log(), e) + 4 * ((6.3 - (p * e).sum(-1)) ** 1.5 - 5.3**1.5) / 1.5)],
    "nce_ael": [({}, lambda p, e: share(-p.log(), e) + 4 * torch.exp(-(p * e).sum(-1) / 5))],
    "nfl_agce": [({}, lambda p, e: share(focal(p, 0.5), e) + 4 * (7**1.5 - (6 + (p * e).sum(-1)) ** 1.5) / 1.5)],
    "nfl_aue": [({}, lambda p, e: share(focal(p, 0.5), e) + 4 * ((6.3 - (p * e).sum(-1)) ** 1.5 - 5.3**1.5) / 1.5)],
    "nfl_ael": [({"gamma": 2.0}, lambda p, e: share(focal(p, 2.0), e) + 4 * torch.exp(-(p * e).sum(-1) / 5))],
    "brier": [({}, lambda p, e: ((p - e) ** 2).sum(-1))],
    "negative_learning": [({}, lambda p, e: -((1 - e) * (1 - p).log()).sum(-1) / 3)],
}
CASES = [(name, hyper, formula) for name, cases in BY_FORMULA.items() for hyper, formula in cases]


@pytest.mark.parametrize(("name", "hyper", "formula"), CASES, ids=[f"{name}-{hyper}" for name, hyper, _ in CASES])
def test_value_equals_its_formula(name, hyper, formula):
    logits, labels = batch()
    expected = formula(logits.softmax(-1), F.one_hot(labels, N_CLASSES).double())
    torch.testing.assert_close(NAMES[name](logits, labels, **hyper), expected)


def test_every_loss_has_a_formula_here_or_in_its_own_tests():
    elsewhere = {
        *("cross_entropy", "label_smoothing", "confidence_penalty", "soft_bootstrapping", "hard_bootstrapping"),
        *("forward", "backward", "bi_tempered"),
    }
    assert set(BY_FORMULA) | elsewhere == set(NAMES)


# What each multiplies cross entropy's derivative p - e_y with, as a function of the label's probability.
FACTORS = {
    "mae": ({}, lambda p: p),
    "mse": ({}, lambda p: 2 * p * (1 - p)),
    "gce": ({}, lambda p: p**0.7),
    "rce": ({}, lambda p: -A * p),
    "sce": ({}, lambda p: 0.1 - A * p),
    "focal": ({"gamma": 2.0}, lambda p: (1 - p) ** 2 * (1 - 2 * p * p.log() / (1 - p))),
    "taylor_ce": ({"order": 4}, lambda p: 1 - (1 - p) ** 4),
    "js": ({"pi": 0.3}, lambda p: p / -math.log(0.7) * (1 + 0.3 / (0.7 * p)).log()),
    "agce": ({}, lambda p: p * (0.6 + p) ** -0.4),
    "aue": ({}, lambda p: p * (5.5 - p) ** 2),
    "ael": ({}, lambda p: p * (-p / 2.5).exp() / 2.5),
    "forward_symmetric": ({"noise_rate": 0.3}, lambda p: p / (p + 0.1 / 0.6)),
    "nmae": ({}, lambda p: p / 3),
    "nrce": ({}, lambda p: p / 3),
}


@pytest.mark.parametrize("name", FACTORS)
def test_derivative_is_that_of_cross_entropy_times_a_factor(name):
    logits, labels = batch()
    hyper, factor = FACTORS[name]
    p, e = logits.softmax(-1), F.one_hot(labels, N_CLASSES).double()
    expected = factor((p * e).sum(-1, keepdim=True)) * (p - e)
    torch.testing.assert_close(gradient(name, logits, labels, **hyper), expected)


def test_derivatives_of_the_whole_prediction_follow_their_docstrings():
    logits, labels = batch()
    p, e = logits.softmax(-1), F.one_hot(labels, N_CLASSES).double()
    log_p = p.log()
    total, label = log_p.sum(-1, keepdim=True), (log_p * e).sum(-1, keepdim=True)
    nce = (e - p) / total - label / total**2 * (1 - N_CLASSES * p)
    torch.testing.assert_close(gradient("nce", logits, labels), nce)

    q = 0.7
    powers = p**q
    value = losses.ngce(logits, labels)[:, None]
    jacobian_sum = powers.sum(-1, keepdim=True) * p - powers  # the sum over j of p_j^q (p - e_j)
    label_term = (powers * e).sum(-1, keepdim=True) * (p - e)
    ngce = q / (N_CLASSES - powers.sum(-1, keepdim=True)) * (label_term - value * jacobian_sum)
    torch.testing.assert_close(gradient("ngce", logits, labels), ngce)

    inner = (p * (p - e)).sum(-1, keepdim=True)
    torch.testing.assert_close(gradient("brier", logits, labels), 2 * p * ((p - e) - inner))

    odds = (1 - e) * p / (1 - p)
    negative = (odds - odds.sum(-1, keepdim=True) * p) / (N_CLASSES - 1)
    torch.testing.assert_close(gradient("negative_learning", logits, labels), negative)


@pytest.mark.parametrize(
    ("name", "hyper", "limit", "tolerance"),
    [
        ("gce", {"q": 1e-9}, "cross_entropy", 1e-7),
        ("gce", {"q": 1.0}, "mae", 1e-12),
        ("taylor_ce", {"order": 1}, "mae", 1e-12),
        ("taylor_ce", {"order": 4000}, "cross_entropy", 1e-2),  # the remainder is (1 - p)^t / (t p)
        ("focal", {"gamma": 0.0}, "cross_entropy", 1e-12),
        ("sce", {"alpha": 1.0, "beta": 0.0}, "cross_entropy", 1e-12),
        ("sce", {"alpha": 0.0, "beta": 1.0}, "rce", 1e-12),
        ("js", {"pi": 1e-9}, "cross_entropy", 1e-6),
        ("js", {"pi": 1 - 1e-15}, "mae", 5e-2),  # the approach is logarithmic in 1 - pi
        ("forward_symmetric", {"noise_rate": 0.0}, "cross_entropy", 1e-12),
        ("nfl", {"gamma": 0.0}, "nce", 1e-12),
        ("nrce", {}, "nmae", 1e-12),
        ("nce_mae", {"beta": 0.0}, "nce", 1e-12),
        ("nce_mae", {"alpha": 0.0}, "mae", 1e-12),
        ("nce_agce", {"alpha": 0.0, "beta": 1.0, "a": 0.6, "q": 0.6}, "agce", 1e-12),
    ],
)
def test_limits_and_reductions(name, hyper, limit, tolerance):
    logits, labels = batch()
    torch.testing.assert_close(
        NAMES[name](logits, labels, **hyper), NAMES[limit](logits, labels), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize("name", ["nce", "nfl", "ngce", "nmae", "nrce", "mae", "rce"])
def test_normalized_losses_are_symmetric(name):
    logits, _ = batch()
    total = sum(NAMES[name](logits, torch.full((16,), k)) for k in range(N_CLASSES))
    constant = {"mae": N_CLASSES - 1, "rce": -A * (N_CLASSES - 1)}.get(name, 1)
    torch.testing.assert_close(total, torch.full_like(total, constant))


def test_detached_factor_leaves_the_value_and_drops_its_derivative():
    logits, labels = batch()
    p, e = logits.softmax(-1), F.one_hot(labels, N_CLASSES).double()
    label = (p * e).sum(-1, keepdim=True)
    for name in ("focal", "nfl", "nfl_mae", "nfl_rce", "nfl_ael"):
        values = (NAMES[name](logits, labels, gamma=2.0, detached=d) for d in (False, True))
        torch.testing.assert_close(*values)
    for pair, passive in (("nfl_mae", "mae"), ("nfl_rce", "rce")):
        both = gradient("nfl", logits, labels, gamma=2.0, detached=True) + gradient(passive, logits, labels)
        torch.testing.assert_close(gradient(pair, logits, labels, gamma=2.0, detached=True), both)
    expected = (1 - label) ** 2 * (p - e)
    torch.testing.assert_close(gradient("focal", logits, labels, gamma=2.0, detached=True), expected)
    weight = losses.emphasis_of("focal", label.squeeze(-1), gamma=2.0, detached=True)
    torch.testing.assert_close(weight, expected.abs().sum(-1))
    constant = (1 - p) ** 2
    by_label = -constant[:, :, None] * (torch.eye(N_CLASSES) - p[:, None])  # derivatives of all f_j
    share = (constant * p.log() * e).sum(-1) / (constant * p.log()).sum(-1)
    moved = (by_label * e[:, :, None]).sum(1) - share[:, None] * by_label.sum(1)
    expected = moved / -(constant * p.log()).sum(-1, keepdim=True)
    torch.testing.assert_close(gradient("nfl", logits, labels, gamma=2.0, detached=True), expected)


@pytest.mark.parametrize(
    ("name", "hyper", "mode"),
    [
        ("cross_entropy", {}, 0.0),
        ("mae", {}, 1 / 2),
        ("mse", {}, 1 / 3),
        ("gce", {"q": 0.7}, 0.7 / 1.7),
        ("sce", {"alpha": 1.0, "beta": 0.5}, 0.5 + 1.0 / (2 * 0.5 * A)),
        ("sce", {"alpha": 6.0, "beta": 0.1}, 0.0),
        ("taylor_ce", {"order": 3}, 1 - 4 ** (-1 / 3)),
    ],
)
def test_emphasis_peaks_where_its_formula_says(name, hyper, mode):
    p = torch.linspace(0, 1, 100_001, dtype=torch.double)
    weight = losses.emphasis_of(name, p, **hyper)
    assert p[weight.argmax()].item() == pytest.approx(mode, abs=2e-5)  # two steps of the grid


@pytest.mark.parametrize(
    ("name", "hyper", "area"),
    [
        ("cross_entropy", {}, 1.0),
        ("mae", {}, 1 / 3),
        ("mse", {}, 1 / 3),
        ("gce", {"q": 0.7}, 2 / (1.7 * 2.7)),
        ("sce", {}, 0.1 - A / 3),
        ("taylor_ce", {"order": 3}, 3 / 5),
    ],
)
def test_emphasis_integrates_to_its_closed_form(name, hyper, area):
    p = torch.linspace(0, 1, 200_001, dtype=torch.double)
    # the trapezoidal rule on this grid errs by less than 1e-8
    assert torch.trapezoid(losses.emphasis_of(name, p, **hyper), p).item() == pytest.approx(area, rel=1e-7)


def test_forward_symmetric_is_an_asymmetric_loss_in_disguise():
    logits, labels = batch()
    # with q to 0 and a = b / (a' - b') the derivatives agree
    flip = 0.3 / 3
    a = flip / (1 - 0.3 - flip)
    got = gradient("forward_symmetric", logits, labels, noise_rate=0.3)
    torch.testing.assert_close(got, gradient("agce", logits, labels, a=a, q=1e-9), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("order", [0, -1, 2.0, True, "a", torch.tensor(2)])
def test_order_must_be_a_whole_number(order):
    with pytest.raises(ValueError, match="'order' of taylor_ce must be a whole number of at least 1"):
        losses.taylor_ce(*batch(), order=order)


@pytest.mark.parametrize(
    ("name", "hyper"),
    [
        ("gce", {"q": 0.0}),
        ("gce", {"q": 1.1}),
        ("rce", {"log_zero": 0.0}),
        ("sce", {"alpha": -1.0}),
        ("focal", {"gamma": -0.1}),
        ("js", {"pi": 0.0}),
        ("js", {"pi": 1.0}),
        ("agce", {"a": 0.0}),
        ("aue", {"a": 1.0}),
        ("ael", {"a": -1.0}),
        ("forward_symmetric", {"noise_rate": 1.0}),
        ("nce_mae", {"beta": -1.0}),
    ],
)
def test_values_at_the_edge_of_their_domain_are_refused(name, hyper):
    (key,) = hyper
    with pytest.raises(ValueError, match=f"'{key}' of {name} must be"):
        NAMES[name](*batch(), **hyper)


def test_noise_that_turns_labels_around_is_refused():
    with pytest.raises(
        ValueError, match=r"must be below 0\.75 with 4 classes, got 0\.8: from there on the given label"
    ):
        losses.forward_symmetric(*batch(), noise_rate=0.8)
