"""Laws of co-teaching: each network learns what the other finds easy, and all of it where nothing is forgotten."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from benchmarks.papers._co_teaching import CoTeachingClassifier, CoTeachingLoss
from benchmarks.papers._small_network import SmallConvNet
from sklabelnoise import RobustLossClassifier
from sklabelnoise.losses import cross_entropy
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
from sklabelnoise.training import CropFlip, Cutout, LearningDynamics


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


def classifier(**more):
    settings = {
        "loss": "cross_entropy", "optimizer": "Adam", "lr": 1e-3, "weight_decay": 0.0, "max_epochs": 5,
        "batch_size": 32, "random_state": 3, "device": "cpu",
    }  # fmt: skip
    return RobustLossClassifier(**{**settings, **more})


def of_tables(**more):
    return classifier(**{"module__hidden": (8,), **more})


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = np.arange(75) % 3
    return rng.normal(size=(75, 3, 8, 8)) + y[:, None, None, None], y


IMAGES = {
    "module": SmallConvNet, "optimizer": "SGD", "optimizer__momentum": 0.9, "lr": 0.05, "weight_decay": 1e-3,
    "lr_schedule": "one-cycle", "max_epochs": 3, "batch_size": 16, "augment": [CropFlip(2), Cutout(2)],
}  # fmt: skip


def test_without_forgetting_it_is_two_networks_of_cross_entropy(noisy):
    """Each trains as our classifier does alone, from its own weights and on the same batches."""
    X, y, _ = noisy
    model = CoTeachingClassifier(of_tables(), forget_rate=0.0).fit(X, y)
    single = of_tables().fit(X, y)
    np.testing.assert_allclose(model.decision_function(X), single.decision_function(X), atol=1e-9)
    assert np.abs(model.decision_function(X) - model.decision_function(X, network=1)).max() > 1e-3
    for name in ("train_loss", "train_accuracy"):
        np.testing.assert_allclose(model.history_[name], single.history_[name], rtol=1e-9)


@pytest.mark.slow
def test_without_forgetting_augmented_images_train_as_alone(images):
    X, y = images
    for seed in (0, 1):
        single = classifier(**IMAGES).set_params(random_state=seed)
        model = CoTeachingClassifier(single, forget_rate=0.0).fit(X, y)
        np.testing.assert_allclose(model.decision_function(X), single.fit(X, y).decision_function(X), atol=1e-8)
    without = CoTeachingClassifier(classifier(**{**IMAGES, "augment": False}), forget_rate=0.0).fit(X, y)
    assert np.abs(without.decision_function(X) - model.decision_function(X)).max() > 1e-3


def test_both_networks_see_the_same_views_which_are_made_once(images, monkeypatch):
    sizes = []

    class Counting(CropFlip):
        def __call__(self, batch, generator):
            sizes.append(len(batch))
            return super().__call__(batch, generator)

    monkeypatch.setattr("sklabelnoise._stacked._augmentation._OURS", (Counting,))
    CoTeachingClassifier(classifier(**{**IMAGES, "augment": Counting(2)}), forget_rate=0.4).fit(*images)
    assert sizes == [16, 16, 16, 16, 11] * 3


def test_what_is_watched_of_the_first_network_is_what_is_watched_of_one_alone(images):
    X, y = images
    given = corrupt_labels(y, symmetric_transition_matrix(3, 0.4), random_state=0)
    found = []
    for kind in (lambda one: CoTeachingClassifier(one, forget_rate=0.0), lambda one: one):
        dynamics = LearningDynamics(y, X_test=X[:20], y_test=y[:20], classes=[0, 1, 2])
        found.append(kind(classifier(**IMAGES, callbacks=[dynamics])).fit(X, given).history_)
    together, alone = found
    names = ["emphasis_wrong", "emphasis_variance", "test_accuracy", "memorization_rate", "label_proba_wrong"]
    np.testing.assert_allclose(together[names], alone[names], rtol=1e-5)


@pytest.mark.slow
def test_what_is_forgotten_is_not_taught(images):
    X, y = images
    given = corrupt_labels(y, symmetric_transition_matrix(3, 0.4), random_state=0)
    histories = []
    for forget_rate in (0.0, 0.6):
        dynamics = LearningDynamics(y, classes=[0, 1, 2])
        pair = CoTeachingClassifier(
            classifier(**{**IMAGES, "max_epochs": 8}, callbacks=[dynamics]), forget_rate=forget_rate, ramp=0.0
        )
        histories.append(pair.fit(X, given).history_)
    # of those that are left all weigh more than the others, so the weights spread
    assert histories[1]["emphasis_variance"].min() > 1 > histories[0]["emphasis_variance"].max()


def test_the_exchange_matters_and_a_seed_repeats_it(noisy):
    X, y, _ = noisy
    model = CoTeachingClassifier(of_tables(), forget_rate=0.4)
    first, again = model.fit(X, y).decision_function(X), clone(model).fit(X, y).decision_function(X)
    np.testing.assert_array_equal(first, again)
    without = clone(model).set_params(forget_rate=0.0).fit(X, y).decision_function(X)
    assert np.abs(first - without).max() > 1e-3


@pytest.mark.slow
def test_wrong_labels_are_forgotten(noisy):
    X, y, y_clean = noisy
    long = of_tables(module__hidden=(64,), lr=5e-3, max_epochs=150, random_state=0)
    forgetful = CoTeachingClassifier(long, forget_rate=0.4).fit(X, y)
    plain = CoTeachingClassifier(long, forget_rate=0.0).fit(X, y)
    assert forgetful.score(X, y_clean) > plain.score(X, y_clean) + 0.05


def test_a_training_that_diverges_is_an_error(noisy):
    X, y, _ = noisy
    with pytest.raises(ValueError, match="Training stopped"):
        CoTeachingClassifier(of_tables(optimizer="SGD", lr=1e300)).fit(X, y)


@pytest.mark.parametrize(("parameter", "value"), [("forget_rate", 1.0), ("forget_rate", -0.1), ("ramp", 1.5)])
def test_a_parameter_outside_its_domain_is_named(parameter, value, noisy):
    X, y, _ = noisy
    with pytest.raises(ValueError, match=f"'{parameter}' parameter"):
        CoTeachingClassifier(of_tables(), **{parameter: value}).fit(X, y)
