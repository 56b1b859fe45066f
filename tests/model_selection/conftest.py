"""Rows that every search and cross-validation is tried on."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def noisy():
    """Three overlapping classes in float64; no number of folds from 3 to 7 divides the rows."""
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=211)
    return rng.normal(size=(211, 5)) + 1.5 * np.eye(3, 5)[y], np.array(["a", "b", "c"])[y]
