"""The fused and the ordinary search of the same candidates, and in what they must agree."""

import numpy as np
from sklearn.model_selection import GridSearchCV

from sklabelnoise.model_selection import FusedGridSearchCV

SMALL = {"module__hidden": (8,), "max_epochs": 3, "batch_size": 128, "device": "cpu", "random_state": 0}


def searches(estimator, grid, X, y, *, fit_params=None, **params):
    """The fused and the ordinary search, fitted."""
    both = FusedGridSearchCV(estimator, grid, **params), GridSearchCV(estimator, grid, **params)
    return [search.fit(X, y, **(fit_params or {})) for search in both]


def assert_same_results(fused, plain, tolerance=1e-9):
    """Same keys in the same order, equal accuracies, and everything else within a tolerance."""
    assert list(fused.cv_results_) == list(plain.cv_results_)
    assert fused.cv_results_["params"] == plain.cv_results_["params"]
    for key, expected in plain.cv_results_.items():
        values = fused.cv_results_[key]
        if key == "params" or key.startswith("param_"):
            continue
        assert values.shape == expected.shape
        if "time" in key:
            assert (values >= 0).all()
        elif "accuracy" in key or (key.endswith("_score") and plain.scoring in (None, "accuracy")):
            np.testing.assert_array_equal(values, expected, err_msg=key)
        elif not key.startswith("rank"):  # rounding decides between equals
            np.testing.assert_allclose(values, expected, rtol=0, atol=tolerance, err_msg=key)
