"""The forward pass over many rows: nothing depends on where a row stands, and nothing of one batch is forgotten."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from sklabelnoise import DMClassifier
from sklabelnoise.modules import ResNet20
from sklabelnoise.training._forward import check_logits, rows_at_once

FAST = {"max_epochs": 1, "random_state": 0}


class Sums(nn.Module):
    """Logits of rows that begin with a number above 100 are what was asked for."""

    def __init__(self, n_features, n_classes, logits=(0.0, 0.0)):
        super().__init__()
        self.output, self.logits = nn.Linear(n_features, n_classes), logits

    def forward(self, x):
        return torch.where(x[:, :1] > 100, torch.tensor(self.logits, dtype=x.dtype), self.output(x))


of_logits = pytest.mark.parametrize(("logits", "is_fine"), [
    ((np.nan, 0.0), False), ((np.inf, 0.0), False), ((-np.inf, -np.inf), False), ((-np.inf, 0.0), True),
])  # fmt: skip


@pytest.mark.parametrize("place", [0, 5000, -1])
@of_logits
def test_logits_that_are_no_numbers_are_found_in_every_batch(place, logits, is_fine, blobs):
    """A class may be impossible, but not all of them."""
    X, y = blobs[0], blobs[1] % 2
    model = DMClassifier(Sums, module__logits=logits, **FAST).fit(X, y)
    rows = np.resize(X, (9000, 5))
    rows[place, 0] = 101
    if is_fine:
        assert model.predict_proba(rows)[place].tolist() == [0, 1]
    else:
        with pytest.raises(ValueError, match="Sums gives logits that are not finite for some rows of X"):
            model.predict_proba(rows)


def test_a_module_that_was_left_training_predicts_as_at_rest(blobs):
    model = DMClassifier(module__dropout=0.5, **FAST).fit(*blobs)
    expected = model.predict_proba(blobs[0])
    model.module_.train()
    np.testing.assert_array_equal(model.predict_proba(blobs[0]), expected)


@of_logits
def test_the_same_is_asked_of_logits_that_are_known(logits, is_fine):
    with nullcontext() if is_fine else pytest.raises(ValueError, match="network gives logits that are not finite"):
        check_logits(np.array([(0.0, 1.0), logits]))


class InABlockOfItsOwn(nn.Linear):
    """Computes in half precision, as networks do that several devices share."""

    def forward(self, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return super().forward(x)


class OwnDerivatives(nn.Module):
    """The rows, and the derivatives of an energy of theirs."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.energy, self.output = nn.Linear(n_features, 4), nn.Linear(2 * n_features, n_classes)

    def forward(self, x):
        with torch.enable_grad():
            rows = x.detach().requires_grad_()
            energy = self.energy(rows).tanh().sum()
            (force,) = torch.autograd.grad(energy, rows, create_graph=torch.is_grad_enabled())
        return self.output(torch.cat([x, force], dim=1))


@pytest.mark.parametrize("module", [InABlockOfItsOwn, OwnDerivatives])
def test_modules_that_do_as_they_like_predict_and_train_on(module, blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    model = DMClassifier(module, batch_size=32, **FAST).fit(X, y)
    for method in (model.predict_proba, model.decision_function, model.embed):
        assert method(X).dtype == np.float32
        assert np.isfinite(method(X)).all()
    assert model.label_quality_.shape == y.shape
    before = model.predict_proba(X)
    assert np.abs(model.partial_fit(X, y).predict_proba(X) - before).max() > 0


@pytest.mark.parametrize("shape", [(4,), (4, 2, 3)])
def test_features_of_a_module_without_a_linear_layer_are_one_row_an_example(shape, blobs):
    class Features(nn.Module):
        def __init__(self, n_classes):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(n_classes))

        def forward_features(self, x):
            return x[:, :1].repeat(1, int(np.prod(shape))).reshape(-1, *shape)

        def forward(self, x):
            return x[:, :3] * self.scale

    X, y = blobs
    embedded = DMClassifier(Features, **FAST).fit(X, y).embed(X)
    np.testing.assert_array_equal(embedded, np.repeat(X[:, :1], np.prod(shape), axis=1))


def test_views_are_those_of_the_seed_of_the_fit():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (12, 1, 8, 8), dtype=np.uint8), np.arange(12) % 2
    drawn = []

    def look(batch, generator):
        drawn.append(torch.randn(2, generator=generator).tolist())
        return batch

    views = []
    for seed in (0, 1):
        model = DMClassifier(ResNet20, augment=look, max_epochs=1, random_state=seed).fit(X, y)
        for _ in range(2):
            drawn.clear()
            model.predict_proba(X, n_augment=2)
            views.append(list(drawn))
    assert views[0] == views[1] != views[2] == views[3]
    assert views[0][0] != views[0][1]


@pytest.mark.parametrize(
    ("batch_size", "limit", "expected"), [(256, 20_000, 16_384), (5000, 20_000, 20_000), (256, 9, 4096)]
)
def test_rows_that_are_predicted_at_once_are_whole_batches(batch_size, limit, expected, blobs):
    model = DMClassifier(batch_size=batch_size, **FAST).fit(*blobs)
    assert rows_at_once(model.net_, blobs[0], limit) == expected


def test_a_device_that_is_full_while_predicting_names_the_size_of_its_batches(blobs, monkeypatch):
    model = DMClassifier(iterator_valid__batch_size=77, device="cpu", **FAST).fit(*blobs)
    monkeypatch.setattr(type(model.module_), "forward", lambda self, x: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError, match=r"use a smaller iterator_valid__batch_size, got 77\."):
        model.predict(blobs[0])


def test_a_device_that_is_full_of_rows_says_so(blobs, monkeypatch):
    model = DMClassifier(device="cpu", **FAST).fit(*blobs)
    monkeypatch.setattr(type(model.net_), "get_dataset", lambda net, X, y=None: (_ for _ in ()).throw(MemoryError()))
    with pytest.raises(MemoryError, match=r"^The network and its rows need more memory than cpu has"):
        model.predict(blobs[0])
