"""What came of a fit, as tables: each row speaks of its own member or setting."""

import numpy as np
import pytest

from sklabelnoise._ensemble._families import Candidate, FittedFamily
from sklabelnoise._ensemble._forests import Forest
from sklabelnoise._ensemble._neighbors import Neighbors
from sklabelnoise._ensemble._tables import table_of_candidates, table_of_members


@pytest.fixture
def fitted():
    told = [("random_forest", [(1, 0.4, 0.6), (3, 0.3, 0.7)], 1), ("neighbors", [(10, 0.2, 0.8)], 0)]
    return {
        name: FittedFamily(
            name,
            "given",
            [Candidate({"k": k}, brier, score) for k, brier, score in settings],
            chosen,
            None,
            [],
            2.0 * k,
        )
        for name, settings, chosen in told
        for k in [len(settings)]
    }


def test_a_row_for_each_member_used_or_not(fitted):
    families = [Forest("random_forest"), Forest("extra_trees"), Neighbors()]
    weights = {"random_forest": 0.75, "neighbors": 0.5}
    found = table_of_members(families, fitted, {"extra_trees": "failed"}, weights, lambda view: f"sees {view}")
    expected = {
        "family": ["random_forest", "extra_trees", "neighbors"],
        "sees": ["sees given", "sees given", "sees normal"],
        "parameters": [{"k": 3}, None, {"k": 10}],
        "score": [0.7, np.nan, 0.8],
        "weight": [0.75, 0.0, 0.5],
        "seconds": [4.0, np.nan, 2.0],
        "status": ["used", "failed", "used"],
    }
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(
            found[name].to_numpy(), np.array(values, dtype=found[name].to_numpy().dtype), name
        )


def test_a_row_for_each_setting(fitted):
    found = table_of_candidates(fitted.values())
    assert found.to_dict("list") == {
        "family": ["random_forest", "random_forest", "neighbors"],
        "parameters": [{"k": 1}, {"k": 3}, {"k": 10}],
        "brier": [0.4, 0.3, 0.2],
        "score": [0.6, 0.7, 0.8],
        "chosen": [False, True, True],
    }
