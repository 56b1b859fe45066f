"""The measurement of training together measures what it says."""

import numpy as np
import pytest

from benchmarks import fused


@pytest.fixture
def small(monkeypatch):
    """The table and the training of the promise, shrunk."""
    for name, value in {"ROWS": 200, "FEATURES": 4, "EPOCHS": 1, "BATCH": 50, "CANDIDATES": 10}.items():
        monkeypatch.setattr(fused, name, value)
    return fused.make_table(rows=200, features=4)


def test_the_grid_has_as_many_candidates_as_it_says():
    assert all(len(values["lam"]) * len(values["beta"]) == n for n in (15, 30, 60) for values in [fused.make_grid(n)])


def test_every_search_of_the_comparison_runs_on_the_same_table(small):
    X, y = small
    search = fused.fused_search(X, y, candidates=10)
    assert search.fused_["fused"].all()
    assert len(search.cv_results_["params"]) == 10
    fused.plain_torch(X, y)
    for estimator in (fused.make_classifier(), fused.sklearn_mlp(), fused.skorch_net()):
        scores = fused.ordinary_search(estimator, X, y).cv_results_["mean_test_score"]
        assert np.isfinite(scores).all()
