"""Laws of co-teaching: each network learns what the other finds easy, and all of it where nothing is forgotten."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from benchmarks.papers._co_teaching import CoTeachingClassifier, CoTeachingLoss
from sklabelnoise import RobustLossClassifier
from sklabelnoise.losses import cross_entropy
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix


def pair(seed=0, n=12, n_classes=3):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 1, n, n_classes, generator=generator, dtype=torch.double, requires_grad=True)
    labels = torch.randint(n_classes, (n,), generator=generator)
    return logits, labels.expand(2, 1, -1)


@pytest.mark.parametrize(("progress", "forget_rate", "ramp", "n_kept"), [
    (1.0, 0.0, 0.05, 12),
    (1.0, 0.25, 0.05, 9),
    (0.05, 0.5, 0.1, 9),  # half of the ramp: a quarter is forgotten
    (0.2, 0.5, 0.0, 6),
    (1.0, 0.99, 0.05, 1),
])  # fmt: skip
def test_each_network_learns_the_rows_that_the_other_finds_easy(progress, forget_rate, ramp, n_kept):
    logits, labels = pair()
    criterion = CoTeachingLoss(forget_rate, ramp)
    criterion.progress = progress
    value = criterion(logits, labels)
    (derivative,) = torch.autograd.grad(value.sum(), logits)
    losses = cross_entropy(logits, labels).detach()
    for own, other in ((0, 1), (1, 0)):
        easy = losses[other, 0].argsort()[:n_kept]
        learned = derivative[own, 0].abs().sum(-1) > 0
        assert set(learned.nonzero()[:, 0].tolist()) == set(easy.tolist())
        torch.testing.assert_close(value[own, 0], losses[own, 0, easy].mean())


def test_two_networks_alike_keep_what_they_find_easy_themselves():
    logits, labels = pair()
    alike = logits[:1].expand(2, -1, -1, -1)
    criterion = CoTeachingLoss(0.5, 0.0)
    losses = cross_entropy(alike, labels)
    torch.testing.assert_close(criterion(alike, labels), losses.sort(-1).values[..., :6].mean(-1))


@pytest.mark.parametrize(("logits", "weight", "message"), [
    (torch.zeros(3, 4, 2), None, r"those of two networks, .* got \(3, 4, 2\)"),
    (torch.zeros(2, 4, 2), torch.ones(2, 4), "sample_weight must be None"),
])  # fmt: skip
def test_what_it_cannot_take_is_named(logits, weight, message):
    with pytest.raises(ValueError, match=message):
        CoTeachingLoss(0.2)(logits, torch.zeros(len(logits), 4, dtype=torch.long), weight)


@pytest.fixture
def noisy(blobs):
    X, y_clean = blobs
    return X, corrupt_labels(y_clean, symmetric_transition_matrix(3, 0.4), random_state=0), y_clean


def test_without_forgetting_it_is_two_networks_of_cross_entropy(noisy):
    """Each trains as our classifier does alone, from its own weights and on the same batches."""
    X, y, _ = noisy
    X = np.asarray(X, dtype=np.float32)
    model = CoTeachingClassifier(forget_rate=0.0, hidden=(8,), max_epochs=5, batch_size=32, random_state=3).fit(X, y)
    single = RobustLossClassifier(
        loss="cross_entropy", module__hidden=(8,), optimizer="Adam", lr=1e-3, weight_decay=0.0, lr_schedule="constant",
        max_epochs=5, batch_size=32, random_state=3, dtype="float32", device="cpu",
    ).fit(X, y)  # fmt: skip
    np.testing.assert_allclose(model.decision_function(X), single.module_(torch.from_numpy(X)).detach(), atol=1e-5)
    assert np.abs(model.decision_function(X) - model.decision_function(X, network=1)).max() > 1e-3


def test_the_exchange_matters_and_a_seed_repeats_it(noisy):
    X, y, _ = noisy
    model = CoTeachingClassifier(forget_rate=0.4, hidden=(8,), max_epochs=5, batch_size=32)
    first, again = model.fit(X, y).decision_function(X), clone(model).fit(X, y).decision_function(X)
    np.testing.assert_array_equal(first, again)
    without = clone(model).set_params(forget_rate=0.0).fit(X, y).decision_function(X)
    assert np.abs(first - without).max() > 1e-3


def test_wrong_labels_are_forgotten(noisy):
    X, y, y_clean = noisy
    long = {"hidden": (64,), "lr": 5e-3, "max_epochs": 150, "batch_size": 32}
    forgetful = CoTeachingClassifier(forget_rate=0.4, **long).fit(X, y)
    plain = CoTeachingClassifier(forget_rate=0.0, **long).fit(X, y)
    assert forgetful.score(X, y_clean) > plain.score(X, y_clean) + 0.05


@pytest.mark.parametrize(("parameter", "value"), [("forget_rate", 1.0), ("forget_rate", -0.1), ("ramp", 1.5)])
def test_a_parameter_outside_its_domain_is_named(parameter, value, noisy):
    X, y, _ = noisy
    with pytest.raises(ValueError, match=f"'{parameter}' parameter"):
        CoTeachingClassifier(**{parameter: value}).fit(X, y)
