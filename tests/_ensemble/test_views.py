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
