"""Labels to refine."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def noisy(blobs):
    """Rows, given labels of which 30 % are wrong, and clean labels."""
    X, y_clean = blobs
    rng = np.random.default_rng(0)
    y = np.where(rng.random(150) < 0.3, (y_clean + rng.integers(1, 3, size=150)) % 3, y_clean)
    return X, y, y_clean
