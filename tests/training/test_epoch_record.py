"""What an epoch leaves in the history."""

import numpy as np
import pandas as pd
import pytest
from skorch.history import History

from sklabelnoise.training._epoch_record import EpochRecord, history_frame


@pytest.mark.parametrize(("name", "best"), [("loss", np.minimum), ("accuracy", np.maximum)])
def test_an_epoch_is_the_best_where_it_is_better_than_all_before(name, best):
    values = np.random.default_rng(0).integers(0, 6, 60).astype(float)
    history = History()
    for value in values:
        history.new_epoch()
        record = EpochRecord(history, "train", "cpu")
        record._write_best(history[-1], f"train_{name}", value, min if name == "loss" else max)
    before = best.accumulate(values)
    expected = [True, *(before[1:] != before[:-1])]
    assert history[:, f"train_{name}_best"] == expected


def test_a_column_that_some_epochs_lack_is_missing_there():
    history = History()
    for row in ({"epoch": 1, "lr": 0.1}, {"epoch": 2, "valid_loss": 0.5, "lr": 0.2, "lr_best": True}):
        history.new_epoch()
        for name, value in row.items():
            history.record(name, value)
    expected = pd.DataFrame({"epoch": [1, 2], "lr": [0.1, 0.2], "valid_loss": [np.nan, 0.5]})
    pd.testing.assert_frame_equal(history_frame(history), expected)
