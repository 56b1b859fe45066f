"""Laws of fits in threads: the same bits as one after the other, and torch's own generator is nobody's business."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skorch.callbacks import Callback
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.data import Dataset

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.losses import cross_entropy
from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import may_draw
from sklabelnoise.training._drawing_parts import _draws_by_torchs_generator

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 5)).astype(np.float32)
y = (X[:, 0] + 0.3 * rng.normal(size=120) > 0).astype(int)


class WithDropout(nn.Module):
    """Draws by a function, as users' modules do."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.first, self.last = nn.Linear(n_features, 8), nn.Linear(8, n_classes)

    def forward(self, x):
        return self.last(F.dropout(self.first(x).relu(), 0.4, self.training))


class WithNoise(WithDropout):
    def forward(self, x):
        return self.last(self.first(x + torch.randn_like(x) if self.training else x).relu())


class Recurrent(nn.Module):
    def __init__(self, n_features, n_classes):
        super().__init__()
        self.body = nn.LSTM(1, 4, num_layers=2, dropout=0.5, batch_first=True)
        self.last = nn.Linear(4, n_classes)

    def forward(self, x):
        return self.last(self.body(x[:, :, None])[0][:, -1])


class Repeating(WithDropout):
    """Computes what follows its first layer again in the backward pass."""

    def __init__(self, n_features, n_classes, use_reentrant=False):
        super().__init__(n_features, n_classes)
        self.use_reentrant = use_reentrant

    def forward(self, x):
        if not self.training:
            return super().forward(x)
        hidden = self.first(x)
        return self.last(checkpoint(lambda h: F.dropout(h.relu(), 0.4), hidden, use_reentrant=self.use_reentrant))


class Drawing(Callback):
    """Changes every batch at random."""

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        batch[0].add_(0.1 * torch.randn(batch[0].shape))


class AtRandom(Dataset):
    """Gives its rows with noise, as data sets with random transformations do."""

    def __init__(self):
        self.labels = y

    def __len__(self):
        return len(y)

    def __getitem__(self, i):
        return X[i] + 0.1 * torch.randn(5).numpy(), y[i]


def noisy_loss(logits, targets):
    return cross_entropy(logits + 0.1 * torch.randn(logits.shape), targets)


def noisy_augmentation(batch, generator):
    return batch + 0.1 * torch.randn(batch.shape)


class Jittering(torch.optim.SGD):
    """Adds noise to its steps, as Langevin dynamics do."""

    def step(self, closure=None):
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.add_(0.01 * torch.randn(parameter.shape))
        return super().step(closure)


ESTIMATORS = {
    "our dropout": DMClassifier(module__dropout=0.4),
    "batch normalization": ProSelfLCClassifier(module__dropout=0.2, module__batch_norm=True),
    "torch's dropout": DMClassifier(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.4), nn.Linear(8, 2))),
    "a function": RobustLossClassifier(WithDropout),
    "noise": DMClassifier(WithNoise),
    "inside a recurrent layer": DMClassifier(Recurrent, max_epochs=2),
    "to repeat it": DMClassifier(Repeating),
    "to repeat it by reentrance": DMClassifier(Repeating, module__use_reentrant=True),
    "a loss": RobustLossClassifier(loss=noisy_loss),
    "a callback": DMClassifier(callbacks=[Drawing]),
    "an augmentation": DMClassifier(augment=noisy_augmentation),
    "an optimizer": DMClassifier(optimizer=Jittering, lr=0.01),
    "early stopping": DMClassifier(module__dropout=0.4, early_stopping=True),
}


def fitted(estimator, seed):
    epochs = estimator.max_epochs or 3
    model = type(estimator)(**{**estimator.get_params(), "max_epochs": epochs, "random_state": seed, "batch_size": 32})
    return model.fit(X, y).predict_proba(X)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_fits_in_threads_have_the_bits_of_fits_one_after_the_other(name):
    before = torch.get_rng_state()
    serial = [fitted(ESTIMATORS[name], seed) for seed in range(4)]
    assert torch.equal(torch.get_rng_state(), before)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: fitted(ESTIMATORS[name], seed), range(4)))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(np.array_equal(a, b) for a, b in zip(serial, together, strict=True))
    assert not np.array_equal(serial[0], serial[1])


def test_a_random_dataset_is_read_alike_in_threads():
    def read(seed):
        return DMClassifier(max_epochs=2, random_state=seed).fit(AtRandom()).predict_proba(X)

    before = torch.get_rng_state()
    serial = [read(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read, range(4)))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(np.array_equal(a, b) for a, b in zip(serial, together, strict=True))


@pytest.mark.parametrize("name", [name for name in ESTIMATORS if not name.startswith("to repeat")])
def test_neither_another_thread_that_draws_nor_a_look_at_torchs_generator_sees_a_fit(name):
    expected = fitted(ESTIMATORS[name], 0)
    own = torch.Generator()
    own.set_state(torch.get_rng_state())
    stop, differing = threading.Event(), []

    def draw():
        # What a program draws meanwhile is what it would have drawn without any fit, and the fit is not changed by it.
        while not stop.is_set():
            differing.append(not torch.equal(torch.rand(3), torch.rand(3, generator=own)))

    thread = threading.Thread(target=draw)
    thread.start()
    try:
        got = fitted(ESTIMATORS[name], 0)
    finally:
        stop.set()
        thread.join()
    assert np.array_equal(got, expected)
    assert differing and not any(differing)


def test_the_gradient_of_a_module_that_computes_again_is_that_of_what_it_computed():
    reference = DMClassifier(WithDropout, max_epochs=3, random_state=0).fit(X, y)
    for reentrant in (False, True):
        repeating = DMClassifier(Repeating, module__use_reentrant=reentrant, max_epochs=3, random_state=0).fit(X, y)
        for name, value in reference.module_.state_dict().items():
            torch.testing.assert_close(repeating.module_.state_dict()[name], value, rtol=1e-5, atol=1e-6)


class KeepingItsInput(nn.Module):
    """Computes through attributes, as modules of users do that show their attention or features."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.first, self.last = nn.Linear(n_features, 8), nn.Linear(8, n_classes)

    def forward(self, x):
        self.hidden = self.first(x).relu()
        return self.last(self.hidden)


class DrawingAlways(WithDropout):
    def forward(self, x):
        return self.last(F.dropout(self.first(x).relu(), 0.4))


@pytest.mark.parametrize("module", [None, KeepingItsInput, DrawingAlways])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function", "embed"])
def test_predictions_in_threads_on_one_model_are_those_of_one_after_the_other(module, method):
    model = DMClassifier(module, max_epochs=2, random_state=0).fit(X, y)
    before = torch.get_rng_state()
    parts = [np.tile(rng.normal(size=(40 + i, 5)).astype(np.float32), (20, 1)) for i in range(16)]
    serial = [getattr(model, method)(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            together = list(pool.map(getattr(model, method), parts))
            assert all(np.array_equal(a, b) for a, b in zip(serial, together, strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_augmented_views_in_threads_are_those_of_one_after_the_other():
    model = DMClassifier(augment=noisy_augmentation, max_epochs=2, random_state=0).fit(X, y)
    parts = [rng.normal(size=(40, 5)).astype(np.float32) for _ in range(16)]
    serial = [model.predict_proba(part, n_augment=3) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda part: model.predict_proba(part, n_augment=3), parts))
    assert all(np.array_equal(a, b) for a, b in zip(serial, together, strict=True))


def test_the_module_itself_is_what_predicts_where_one_thread_does():
    model = DMClassifier(KeepingItsInput, max_epochs=2, random_state=0).fit(X, y)
    model.predict(X[:7])
    assert model.module_.hidden.shape == (7, 8)
    model.embed(X[:3])
    assert model.module_.hidden.shape == (7, 8)
    assert not any(layer._forward_pre_hooks for layer in model.module_.modules())


def test_a_fit_inside_a_fit_changes_neither():
    class Inner(Callback):
        proba = None

        def on_epoch_end(self, net, **kwargs):
            type(self).proba = fitted(ESTIMATORS["our dropout"], 5)

    plain = DMClassifier(WithDropout, max_epochs=3, random_state=0).fit(X, y).predict_proba(X)
    nested = DMClassifier(WithDropout, max_epochs=3, random_state=0, callbacks=[Inner]).fit(X, y).predict_proba(X)
    assert np.array_equal(nested, plain)
    assert np.array_equal(Inner.proba, fitted(ESTIMATORS["our dropout"], 5))


class RepeatingOfImages(Repeating):
    def forward(self, x):
        return super().forward(x.flatten(1)[:, :5])


def test_whether_a_network_draws_again_is_asked_of_scaled_images():
    """Bytes it can't take, and would seem to draw nothing."""
    images = np.random.default_rng(0).integers(0, 256, (12, 1, 2, 4), dtype=np.uint8)
    model = DMClassifier(RepeatingOfImages, module__n_features=5, max_epochs=1, augment=False, random_state=0)
    assert model.fit(images, np.arange(12) % 2).net_.repeats_draws_


@pytest.mark.parametrize(("module", "draws"), [
    (MLP(5, 2), False), (MLP(5, 2, dropout=0.5), True), (nn.Sequential(nn.Linear(5, 2), nn.Dropout()), True),
])  # fmt: skip
def test_a_compiled_network_that_drops_draws_from_torchs_generator(module, draws):
    """It can be handed no other."""
    compiled = SimpleNamespace(compile=True)
    assert _draws_by_torchs_generator(compiled, module, None, may_draw(module)) == draws
