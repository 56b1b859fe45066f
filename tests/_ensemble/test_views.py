"""Rows as families for tables see them."""

import numpy as np
import pytest

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise._ensemble._members import TABLE_FAMILIES


@pytest.mark.parametrize("family", TABLE_FAMILIES)
def test_values_may_be_missing_in_new_rows_alone(family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    model = NoisyLabelClassifier([family], cv=2, random_state=0).fit(X, y)
    missing = X.copy()
    missing[:5, 1] = np.nan
    proba = model.predict_proba(missing)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba[5:], model.predict_proba(X)[5:], rtol=1e-6)


@pytest.mark.parametrize("n_values", [0, 1])
def test_a_column_without_a_value_in_some_fold_keeps_no_family_out(n_values):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = (X[:, 0] > 0).astype(int)
    rare = np.full(100, np.nan)
    rare[:n_values] = 5.0
    model = NoisyLabelClassifier(["boosting", "random_forest"], random_state=0).fit(np.c_[X, rare], y)
    assert (model.members_["status"] == "used").all()
    assert model.score(np.c_[X, rare], y) > 0.9
    # A value where none ever was says nothing.
    if n_values == 0:
        full = np.c_[X, np.full(100, 7.0)]
        boosting = model.estimators_["boosting"][0]
        np.testing.assert_array_equal(boosting.predict_proba(full), boosting.predict_proba(np.c_[X, rare]))
