"""Images are scaled by the statistics of the training set, however many they are and however they are held."""

import numpy as np
import pytest
import torch

from sklabelnoise.training import _preprocessing
from sklabelnoise.training._preprocessing import ImageScaler

SHAPE = (50, 3, 4, 6)


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.mark.parametrize("convert", [
    torch.from_numpy, np.asarray, lambda images: images.astype(float), lambda images: torch.from_numpy(images / 255),
])  # fmt: skip
@pytest.mark.parametrize("chunk", [1, 7, 50])
@pytest.mark.parametrize("channels_last", [False, True])
def test_statistics_are_numpys_however_many_images_are_looked_at_at_once(
    images, convert, chunk, channels_last, monkeypatch
):
    monkeypatch.setattr(_preprocessing, "_CHUNK", chunk)
    images = convert(images.transpose(0, 2, 3, 1) if channels_last else images)
    scaled = ImageScaler.from_images(images, channels_last=channels_last, dtype=torch.float64)(torch.as_tensor(images))
    values = np.asarray(images, dtype=float)
    axes = (0, 1, 2) if channels_last else (0, 2, 3)
    expected = (values - values.mean(axes, keepdims=True)) / values.std(axes, keepdims=True)
    np.testing.assert_allclose(scaled, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("value", [0, 7, 0.1, 0.7, 1 / 3, 1e6 / 3])
@pytest.mark.parametrize("n", [50, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_channel_that_never_changes_keeps_its_scale_whatever_its_value(value, n, dtype, monkeypatch):
    """Sums of a number that is no binary fraction round: its scale was a hundred millionth, or no number."""
    monkeypatch.setattr(_preprocessing, "_CHUNK", 300)
    images = np.random.default_rng(0).random((n, 2, 8, 8)).astype(dtype)
    images[:, 1] = value
    scaler = ImageScaler.from_images(images)
    assert scaler.inverse_std.flatten()[1] == 1
    # of images to come, in which it changes
    images[:, 1] += 1
    np.testing.assert_allclose(scaler(torch.from_numpy(images))[:, 1], 1, rtol=0.1)


def test_a_channel_that_changes_from_one_chunk_to_the_next_is_scaled(monkeypatch):
    monkeypatch.setattr(_preprocessing, "_CHUNK", 2)
    images = np.repeat([0.0, 4.0], 2)[:, None, None, None] * np.ones((1, 3, 2, 2))
    assert ImageScaler.from_images(images).inverse_std.flatten().tolist() == [0.5] * 3
