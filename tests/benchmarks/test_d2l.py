"""Laws of D2L: what a dimension is, when the turn comes, and what it is without one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmarks.papers._d2l import D2L, d2l, lid_paced, local_dimensions
from benchmarks.papers._small_network import SmallConvNet
from sklabelnoise import RobustLossClassifier
from sklabelnoise.losses import cross_entropy, hard_bootstrapping


@pytest.mark.parametrize("d", [1, 2, 5])
def test_a_point_among_points_of_a_plane_has_as_many_dimensions_as_the_plane(d):
    rng = np.random.default_rng(0)
    plane = rng.normal(size=(d, 12))
    found = local_dimensions(rng.uniform(size=(4000, d)) @ plane, k=20)
    # Each is a mean of 19 draws; points at the edge see fewer neighbors on one side than a plane has.
    assert np.median(found) == pytest.approx(d, rel=0.2)


def test_a_dimension_by_hand_and_of_no_scale_place_or_order():
    points = np.array([[0.0], [1.0], [3.0], [7.0]])
    # The neighbors of 0 are 1, 3 and 7 away: the mean of log(1/7), log(3/7) and 0.
    assert local_dimensions(points, k=3)[0] == pytest.approx(-3 / (np.log(1 / 7) + np.log(3 / 7)))
    rng = np.random.default_rng(0)
    points, order = rng.normal(size=(50, 6)), rng.permutation(50)
    turned = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    np.testing.assert_allclose(local_dimensions(7 * points[order] @ turned + 3), local_dimensions(points)[order])


def test_points_on_each_other_and_equally_far_ones_have_no_dimension():
    assert np.isnan(local_dimensions(np.zeros((30, 2)))).all()
    assert not np.isfinite(local_dimensions(np.eye(30))).any()


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_loss_is_hard_bootstrapping_and_cross_entropy_at_full_trust(alpha):
    logits, labels = torch.randn(9, 4, dtype=torch.double), torch.randint(4, (9,))
    torch.testing.assert_close(lid_paced(logits, labels, alpha=alpha), hard_bootstrapping(logits, labels, beta=alpha))
    mixed = alpha * cross_entropy(logits, labels) + (1 - alpha) * cross_entropy(logits, logits.argmax(-1))
    torch.testing.assert_close(lid_paced(logits, labels, alpha=alpha), mixed)


class Told(D2L):
    """D2L that is told the dimensions."""

    def __init__(self, dimensions, **settings):
        super().__init__(**settings)
        self.told = dimensions

    def _dimension(self, net):
        return self.told[len(net.history) - 1]


def played(dimensions, **settings):
    """Alphas, and the epochs whose weights are trained on from, of a training with these dimensions."""
    module, alphas, weights = torch.nn.Linear(1, 1), [], []
    net = SimpleNamespace(seed=0, history=[], max_epochs=len(dimensions), module_=module)
    net.criterion_ = SimpleNamespace(hyper={"alpha": 1.0})
    callback = Told(dimensions, **settings)
    callback.on_train_begin(net)
    for epoch in range(len(dimensions)):
        module.load_state_dict({"weight": torch.full((1, 1), float(epoch)), "bias": torch.zeros(1)})
        net.history.append(None)
        callback.on_epoch_begin(net)
        alphas.append(net.criterion_.hyper["alpha"])
        weights.append(module.weight.item())
    return callback, alphas, weights


FALLING_THEN_RISING = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 4.1, 3.9, 6.0, 7.0]


def test_the_turn_brings_back_the_epoch_before_and_alpha_follows_time_and_dimension():
    callback, alphas, weights = played(FALLING_THEN_RISING, begin=0.3, window=3)
    assert callback.turn_ == 8
    assert weights == [0, 1, 2, 3, 4, 5, 6, 7, 7, 9]
    expected = [1.0] * 8 + [np.exp(-8 / 10 * 6 / 3.9), np.exp(-9 / 10 * 7 / 3.9)]
    np.testing.assert_allclose(alphas, expected)


@pytest.mark.parametrize(
    ("dimensions", "begin"),
    [
        (FALLING_THEN_RISING, 0.6),  # the rise comes before a turn is looked for, and no window has it as its last
        (np.linspace(9, 1, 10).tolist(), 0.0),
        ([5.0, 4.0] * 5, 0.0),  # no more than two standard deviations
    ],
)
def test_without_a_turn_all_labels_are_trusted(dimensions, begin):
    callback, alphas, weights = played(dimensions, begin=begin, window=4)
    assert callback.turn_ is None
    assert alphas == [1.0] * 10
    assert weights == list(range(10))


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    return (rng.integers(0, 128, size=(120, 3, 8, 8)) + 40 * y[:, None, None, None]).astype(np.uint8), y


TRAINING = {"module": SmallConvNet, "max_epochs": 4, "batch_size": 40, "augment": "crop-flip", "random_state": 0}


def test_a_training_without_a_turn_is_one_of_cross_entropy(images):
    X, y = images
    model = d2l(begin=1.0, n_batches=2, batch_size=50)({**TRAINING, "callbacks": []}).fit(X, y)
    plain = RobustLossClassifier(loss="cross_entropy", **TRAINING).fit(X, y)
    # Hard bootstrapping at full trust computes the same in single precision by other operations.
    np.testing.assert_allclose(model.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    (callback,) = [callback for _, callback in model.net_.callbacks_ if isinstance(callback, D2L)]
    assert len(callback.dimensions_) == 4
    assert all(0 < dimension < 100 for dimension in callback.dimensions_)


def test_a_turn_changes_the_training_and_the_same_seed_repeats_it(images, monkeypatch):
    X, y = images
    monkeypatch.setattr(D2L, "_turns", lambda self, epoch, max_epochs: epoch == 2)
    first, again = (d2l(n_batches=2, batch_size=50)(TRAINING).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (
        np.abs(first - RobustLossClassifier(loss="cross_entropy", **TRAINING).fit(X, y).predict_proba(X)).max() > 1e-3
    )
