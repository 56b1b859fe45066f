"""float32 is as good as float32 can be: values and derivatives within 1e-5 of the truth, however unlikely the label.

The truth is each loss as its paper writes it, in arithmetic of 150 digits, and its derivative by differences there.
"""

import math
from functools import cache

import mpmath
import pytest
import torch
from mpmath import mpf

from sklabelnoise.losses import NAMES, _log_odds, hyper_parameters

TOLERANCE = 1e-5
TINY = torch.finfo(torch.float32).tiny
SEES_LABEL_ALONE = {
    *("cross_entropy", "mae", "mse", "gce", "rce", "sce", "focal", "taylor_ce", "js"),
    *("agce", "aue", "ael", "forward_symmetric", "nmae", "nrce"),
}
every_loss = pytest.mark.parametrize("name", sorted(NAMES))
# 1 - 10^-k and 10^-k at every k, and gaps that leave p = 1e-30 far behind for 1 - p
EXPONENTS = (0.5, 2, 5.2, 7, 8, 12, 20, 30)


def matrix(n_classes):
    """Noise that leaves the first class alone and never gives the last one: ones and zeros where they may be."""
    T = torch.full((n_classes, n_classes), 0.25 / 2 ** math.ceil(math.log2(n_classes)), dtype=torch.double)
    T[:, -1] = 0.0
    T[0] = 0.0
    T[-1, -1] = 0.5
    T.fill_diagonal_(0.0)
    return T + torch.diag(1 - T.sum(-1))


def log(x):
    return mpmath.log(x)


def exp(x):
    return mpmath.exp(x)


def focal(p, gamma):
    return -((1 - p) ** gamma) * log(p)


def jensen_shannon(p, pi):
    mixture = pi + (1 - pi) * p
    prediction = p * log(p / mixture) - (1 - p) * log(1 - pi)
    return (-pi * log(mixture) + (1 - pi) * prediction) / (-(1 - pi) * log(1 - pi))


def entropy(p):
    return -sum(x * log(x) for x in p)


def nce(p, k):
    return log(p[k]) / sum(map(log, p))


def nfl(p, k, gamma):
    return focal(p[k], gamma) / sum(focal(x, gamma) for x in p)


def agce(p, a, q):
    return ((a + 1) ** q - (a + p) ** q) / q


def aue(p, a, q):
    return ((a - p) ** q - (a - 1) ** q) / q


@cache
def tempered(p, t2):
    """The tempered softmax of log p."""
    logits = [log(x) for x in p]
    top, s = max(logits), t2 - 1
    a, step = mpf(1), mpf(1)
    while abs(step) > mpf(10) ** -140:  # Newton's steps, from the side on which they can't overshoot
        bases = [a + s * (top - z) for z in logits]
        odds = [x ** (-1 / s) for x in bases]
        step = (sum(odds) - 1) * s / sum(x / base for x, base in zip(odds, bases, strict=True)) / s
        a += step * s
    return [(a + s * (top - z)) ** (-1 / s) for z in logits]


def bi_tempered(p, k, t1, t2):
    p = tempered(tuple(p), t2)
    return (1 - p[k] ** (1 - t1)) / (1 - t1) - (1 - sum(x ** (2 - t1) for x in p)) / (2 - t1)


def given(p, k, T):
    return sum(x * mpf(T[j, k].item()) for j, x in enumerate(p))


# The loss of label k at probabilities p; hyper-parameters by name.
FORMULAS = {
    "cross_entropy": lambda p, k: -log(p[k]),
    "label_smoothing": lambda p, k, smoothing: -(1 - smoothing) * log(p[k]) - smoothing * sum(map(log, p)) / len(p),
    "confidence_penalty": lambda p, k, strength, rescale: -log(p[k]) - strength * entropy(p),
    "soft_bootstrapping": lambda p, k, beta: -beta * log(p[k]) + (1 - beta) * entropy(p),
    "hard_bootstrapping": lambda p, k, beta: -beta * log(p[k]) - (1 - beta) * log(max(p)),
    "mae": lambda p, k: 1 - p[k],
    "mse": lambda p, k: (1 - p[k]) ** 2,
    "gce": lambda p, k, q: (1 - p[k] ** q) / q,
    "rce": lambda p, k, log_zero: -log_zero * (1 - p[k]),
    "sce": lambda p, k, alpha, beta, log_zero: -alpha * log(p[k]) - beta * log_zero * (1 - p[k]),
    "focal": lambda p, k, gamma, detached: focal(p[k], gamma),
    "taylor_ce": lambda p, k, order: sum((1 - p[k]) ** i / i for i in range(1, order + 1)),
    "js": lambda p, k, pi: jensen_shannon(p[k], pi),
    "agce": lambda p, k, a, q: agce(p[k], a, q),
    "aue": lambda p, k, a, q: aue(p[k], a, q),
    "ael": lambda p, k, a: exp(-p[k] / a),
    "forward_symmetric": lambda p, k, noise_rate: (
        -log((1 - noise_rate) * p[k] + noise_rate / (len(p) - 1) * (1 - p[k]))
    ),
    "forward": lambda p, k, transition_matrix: -log(given(p, k, transition_matrix)),
    "backward": lambda p, k, transition_matrix: (
        -sum(t * log(x) for t, x in zip(map(mpf, torch.linalg.inv(transition_matrix)[k].tolist()), p, strict=True))
    ),
    "nce": nce,
    "nfl": lambda p, k, gamma, detached: nfl(p, k, gamma),
    "ngce": lambda p, k, q: (1 - p[k] ** q) / sum(1 - x**q for x in p),
    "nmae": lambda p, k: (1 - p[k]) / (len(p) - 1),
    "nrce": lambda p, k: (1 - p[k]) / (len(p) - 1),
    "nce_mae": lambda p, k, alpha, beta: alpha * nce(p, k) + beta * (1 - p[k]),
    "nce_rce": lambda p, k, alpha, beta, log_zero: alpha * nce(p, k) - beta * log_zero * (1 - p[k]),
    "nfl_mae": lambda p, k, alpha, beta, gamma, detached: alpha * nfl(p, k, gamma) + beta * (1 - p[k]),
    "nfl_rce": lambda p, k, alpha, beta, gamma, detached, log_zero: (
        alpha * nfl(p, k, gamma) - beta * log_zero * (1 - p[k])
    ),
    "nce_agce": lambda p, k, alpha, beta, a, q: alpha * nce(p, k) + beta * agce(p[k], a, q),
    "nce_aue": lambda p, k, alpha, beta, a, q: alpha * nce(p, k) + beta * aue(p[k], a, q),
    "nce_ael": lambda p, k, alpha, beta, a: alpha * nce(p, k) + beta * exp(-p[k] / a),
    "nfl_agce": lambda p, k, alpha, beta, a, q, gamma, detached: alpha * nfl(p, k, gamma) + beta * agce(p[k], a, q),
    "nfl_aue": lambda p, k, alpha, beta, a, q, gamma, detached: alpha * nfl(p, k, gamma) + beta * aue(p[k], a, q),
    "nfl_ael": lambda p, k, alpha, beta, a, gamma, detached: alpha * nfl(p, k, gamma) + beta * exp(-p[k] / a),
    "bi_tempered": bi_tempered,
    "brier": lambda p, k: sum((x - (j == k)) ** 2 for j, x in enumerate(p)),
    "negative_learning": lambda p, k: -sum(log(1 - x) for j, x in enumerate(p) if j != k) / (len(p) - 1),
}


def hyper_of(name, n_classes):
    hyper = {key: default for key, (default, _) in hyper_parameters(name).items()}
    return {**hyper, "transition_matrix": matrix(n_classes)} if "transition_matrix" in hyper else hyper


@cache
def rows(n_classes):
    """Float32 logits at which the label 0 has odds of 10^k and 10^-k, its rivals being close, one alone or in steps."""
    rivals = [[-0.25 * j for j in range(n_classes - 1)]]
    if n_classes > 2:
        rivals += [[0.0, *[-80.0] * (n_classes - 2)], [-3.0 * j for j in range(n_classes - 1)]]
    z = [[sign * k * math.log(10), *rest] for rest in rivals for k in EXPONENTS for sign in (1, -1)]
    z = torch.tensor(z, dtype=torch.float32)
    # logits are not centered, so that their differences are rounded as well
    return z + torch.linspace(-3, 5, len(z)).unsqueeze(-1)


@cache
def targets(n_classes, kind):
    z = rows(n_classes)
    if kind == "label":
        return torch.zeros(len(z), dtype=torch.long)
    soft = {
        "one-hot": [1.0] + [0.0] * (n_classes - 1),
        "soft": [0.625] + [0.375 / (n_classes - 1)] * (n_classes - 1),
    }[kind]
    return torch.tensor(soft, dtype=torch.float32).expand(len(z), -1)


@cache
def of_labels(name, n_classes):
    """Value and derivative of each label in each row."""
    hyper = {key: mpf(v) if isinstance(v, float) else v for key, v in hyper_of(name, n_classes).items()}

    def losses(z):
        odds = [exp(x) for x in z]
        total = sum(odds)
        p = [x / total for x in odds]
        return [FORMULAS[name](p, k, **hyper) for k in range(n_classes)]

    found = []
    with mpmath.workdps(150):
        step = mpf(10) ** -60  # far below what matters, far above the last digit
        for z in rows(n_classes).tolist():
            z = [mpf(x) for x in z]
            here = losses(z)
            there = [losses([x + step * (i == j) for j, x in enumerate(z)]) for i in range(n_classes)]
            found.append((here, [[(b - a) / step for a, b in zip(here, end, strict=True)] for end in there]))
    return found


@cache
def truth(name, n_classes, kind):
    """Values and derivatives, each with the size of the terms that soft targets sum up."""
    values, derivatives = [], []
    with mpmath.workdps(150):
        for (of_label, slopes), q in zip(of_labels(name, n_classes), targets(n_classes, kind).tolist(), strict=True):
            weights = [(k, mpf(share)) for k, share in enumerate(q) if share]
            values.append([float(w * of_label[k]) for k, w in weights])
            derivatives.append([[float(w * slope[k]) for k, w in weights] for slope in slopes])
    values, derivatives = (torch.tensor(x, dtype=torch.double) for x in (values, derivatives))
    return values.sum(-1), values.abs().sum(-1), derivatives.sum(-1), derivatives.abs().sum(-1).amax(-1, keepdim=True)


def value_and_derivative(name, n_classes, kind, dtype):
    logits, labels = rows(n_classes).to(dtype).requires_grad_(), targets(n_classes, kind)
    labels = labels.to(dtype) if labels.is_floating_point() else labels
    values = NAMES[name](logits, labels, **hyper_of(name, n_classes))
    (derivative,) = torch.autograd.grad(values.sum(), logits)
    return values.detach().double(), derivative.double()


def errors(name, n_classes, kind, dtype):
    """Errors of the values, and of the derivatives relative to the largest of their row."""
    values, derivative = value_and_derivative(name, n_classes, kind, dtype)
    exact, size, exact_derivative, scale = truth(name, n_classes, "one-hot" if kind == "label" else kind)
    # what float32 has no normal numbers for is allowed to vanish
    floor = TINY / TOLERANCE
    return (
        (values - exact).abs() / size.clamp_min(floor),
        (derivative - exact_derivative).abs() / scale.clamp_min(floor),
    )


@every_loss
@pytest.mark.parametrize("kind", ["label", "one-hot", "soft"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_float32_is_within_1e_5_of_the_truth(name, n_classes, kind):
    for error in errors(name, n_classes, kind, torch.float32):
        assert error.max().item() < TOLERANCE


@every_loss
@pytest.mark.parametrize("kind", ["label", "soft"])
def test_float64_is_within_1e_12_of_the_truth(name, kind):
    for error in errors(name, 4, kind, torch.float64):
        assert error.max().item() < 1e-12


@every_loss
@pytest.mark.parametrize("kind", ["label", "one-hot"])
def test_many_classes_take_nothing_from_it(name, kind):
    n_classes = 300
    # float64 stands for the truth, which it was shown to be
    (exact, derivative), (rounded, rounded_derivative) = (
        value_and_derivative(name, n_classes, kind, dtype) for dtype in (torch.float64, torch.float32)
    )
    scale = derivative.abs().amax(-1, keepdim=True)
    assert ((rounded - exact).abs() <= TOLERANCE * exact.abs() + TINY).all()
    assert ((rounded_derivative - derivative).abs() <= TOLERANCE * scale + TINY).all()


@pytest.mark.parametrize("name", sorted(SEES_LABEL_ALONE))
def test_each_class_of_a_label_alone_has_its_digits(name):
    # the derivative is that of cross entropy times a factor, so no class hides behind a larger one
    for n_classes in (4, 300):
        exact, rounded = (value_and_derivative(name, n_classes, "label", d)[1] for d in (torch.float64, torch.float32))
        assert ((rounded - exact).abs() <= 2 * TOLERANCE * exact.abs() + TINY / TOLERANCE).all()


@pytest.mark.parametrize("name", ["cross_entropy", "mae", "sce", "js"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_few_launches_on_an_accelerator_take_nothing_from_it(name, n_classes, monkeypatch):
    monkeypatch.setattr(_log_odds, "_on_cpu", lambda logits: False)
    for dtype, tolerance in ((torch.float32, TOLERANCE), (torch.float64, 1e-12)):
        for error in errors(name, n_classes, "label", dtype):
            assert error.max().item() < tolerance


@every_loss
def test_transforms_of_torch_func_lose_no_digits(name):
    logits, hyper = rows(4), hyper_of(name, 4)
    _, _, exact, scale = truth(name, 4, "one-hot")

    def value(z, label):
        return NAMES[name](z.unsqueeze(0), label.unsqueeze(0), **hyper).sum()

    derivative = torch.vmap(torch.func.grad(value))(logits, targets(4, "label"))
    assert ((derivative.double() - exact).abs() / scale.clamp_min(TINY / TOLERANCE)).max().item() < TOLERANCE
