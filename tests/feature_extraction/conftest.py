"""Small files of images of two classes that a network tells apart by their color."""

import numpy as np
import pytest

Image = pytest.importorskip("PIL.Image", reason="pillow (the extra images) is not installed")


@pytest.fixture
def picture_files(tmp_path):
    """Paths of 24 pictures of 12 x 10 pixels, and their labels: "red" and "green" ones, in a folder each."""
    rng = np.random.default_rng(0)
    paths, labels = [], []
    for number in range(24):
        label = ("green", "red")[number % 2]
        pixels = rng.integers(0, 80, (12, 10, 3), dtype=np.uint8)
        pixels[..., ("red", "green").index(label)] += 150
        path = tmp_path / label / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path)
        paths.append(str(path))
        labels.append(label)
    return paths, np.array(labels)
