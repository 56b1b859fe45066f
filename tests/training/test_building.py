"""The switches amp, channels_last and compile change results by rounding alone, within what their docs state."""

import numpy as np
import pytest
import torch
from skorch.callbacks import LRScheduler
from torch import nn

from sklabelnoise import DMClassifier
from sklabelnoise.modules import ResNet20
from sklabelnoise.training import _building

rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 256, (32, 3, 16, 16), dtype=np.uint8)
LABELS = np.arange(32) % 4


def probabilities(**switches):
    """After three steps: training amplifies any rounding, however small, with every step."""
    model = DMClassifier(module=ResNet20, max_epochs=3, lr=0.01, augment=False, random_state=0, **switches)
    return model.fit(IMAGES, LABELS).predict_proba(IMAGES)


@pytest.fixture(scope="module")
def plain():
    return probabilities()


def test_channels_last_changes_probabilities_by_less_than_a_thousandth(plain):
    assert np.abs(probabilities(channels_last=True) - plain).max() < 1e-3


def test_amp_changes_probabilities_by_less_than_a_twentieth(plain):
    half = probabilities(amp="bfloat16")
    assert 0 < np.abs(half - plain).max() < 0.05
    assert half.dtype == np.float32


@pytest.mark.slow  # compiling takes longer than training
@pytest.mark.filterwarnings("ignore")  # of torch's compiler
def test_compile_changes_probabilities_by_less_than_a_thousandth(plain):
    assert np.abs(probabilities(compile=True) - plain).max() < 1e-3


def test_channels_last_reaches_the_weights():
    model = DMClassifier(ResNet20, channels_last=True, max_epochs=1, augment=False).fit(IMAGES[:8], LABELS[:8])
    assert model.module_.body.stem[0].weight.is_contiguous(memory_format=torch.channels_last)


class Compiled(nn.Module):
    """Stands for what torch makes of a network."""

    def __init__(self, module):
        super().__init__()
        self._orig_mod = module

    def forward(self, x):
        return self._orig_mod(x)


def test_compile_reaches_the_network_which_goes_by_its_own_name(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda part: Compiled(part) if isinstance(part, nn.Linear) else part)
    X, y = np.eye(4), [0, 1, 0, 1]
    of_ours = DMClassifier(nn.Linear(4, 2), compile=True, max_epochs=1).fit(X, y)
    of_the_users = DMClassifier(Compiled(nn.Linear(4, 2)), max_epochs=1).fit(X, y)
    for model in (of_ours, of_the_users):
        assert isinstance(model.net_.module_, Compiled)
        assert model.history_.attrs["module"] == "torch.nn.modules.linear.Linear"


def test_parameters_have_numbers_of_python_however_deep():
    given = {"a": [np.float32(0.5), (np.int64(2), "x")], "b": {"c": np.True_}, "d": (np.float64(1),)}
    assert repr(_building.plain(given)) == repr({"a": [0.5, (2, "x")], "b": {"c": True}, "d": (1.0,)})
    array = np.arange(3)
    assert _building.plain(array) is array


@pytest.mark.parametrize("scheduler", [LRScheduler, LRScheduler(), ("mine", LRScheduler), ("mine", LRScheduler())])
def test_a_scheduler_beside_a_schedule_is_refused_however_it_is_passed(scheduler):
    X, y = np.eye(4), [0, 1, 0, 1]
    message = r"callbacks must not set the learning rate beside lr_schedule.*, got 'cosine'\."
    with pytest.raises(ValueError, match=message):
        DMClassifier(callbacks=[scheduler], lr_schedule="cosine", max_epochs=1).fit(X, y)


@pytest.mark.parametrize("augment", [None, "cutout", ["crop-flip", "cutout"]])
def test_augmentation_knows_where_the_module_has_its_channels(augment):
    first, last = (
        DMClassifier(ResNet20, module__channels_last=layout, augment=augment, max_epochs=1, random_state=0)
        for layout in (False, True)
    )
    turned = IMAGES.transpose(0, 2, 3, 1)
    one, other = first.fit(IMAGES, LABELS).predict_proba(IMAGES), last.fit(turned, LABELS).predict_proba(turned)
    np.testing.assert_allclose(one, other, atol=1e-3)
