"""The switches amp, channels_last and compile change results by rounding alone, within what their docs state."""

import numpy as np
import pytest

from sklabelnoise import DMClassifier
from sklabelnoise.modules import ResNet20

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
    half = probabilities(amp=True)
    assert 0 < np.abs(half - plain).max() < 0.05
    assert half.dtype == np.float32


@pytest.mark.slow  # compiling takes longer than training
@pytest.mark.filterwarnings("ignore")  # of torch's compiler
def test_compile_changes_probabilities_by_less_than_a_thousandth(plain):
    assert np.abs(probabilities(compile=True) - plain).max() < 1e-3
