"""Members that cost less, for what an ensemble claims however long they are trained."""

import pytest

from sklabelnoise._ensemble._forests import Forest
from sklabelnoise._ensemble._networks import TableNetworks


@pytest.fixture(scope="module")
def short_networks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableNetworks, "SHORT_EPOCHS", 10)
        patch.setattr(TableNetworks, "LONG_EPOCHS", 15)
        yield


@pytest.fixture(scope="module")
def few_trees():
    with pytest.MonkeyPatch.context() as patch:
        for name, number in {"N_FIRST": 12, "N_TREES": 60, "N_TREES_OF_FEW": 20}.items():
            patch.setattr(Forest, name, number)
        yield
