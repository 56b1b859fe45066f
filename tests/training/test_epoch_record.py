"""What an epoch leaves in the history."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
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


@pytest.mark.parametrize("weighted", [False, True])
def test_accuracy_and_loss_are_those_of_all_batches_however_many(weighted):
    """Predictions are compared with the labels some batches at a time."""
    rng, history = np.random.default_rng(0), History()
    labels, logits = rng.integers(0, 3, 3 * 32 + 8), rng.normal(size=(3 * 32 + 8, 3))
    weight = rng.uniform(0.1, 2, len(labels)) if weighted else None
    losses = rng.uniform(size=len(labels))
    history.new_epoch()
    record = EpochRecord(history, "train", "cpu")
    for i in range(len(labels)):
        row = slice(i, i + 1)
        batch = SimpleNamespace(
            labels=torch.from_numpy(labels[row]),
            sample_weight=torch.from_numpy(weight[row]) if weighted else None,
        )
        record.note(batch, {"loss": torch.tensor(losses[i]), "y_pred": torch.from_numpy(logits[row])})
    record.write(lr=0.1)
    row = history[-1]
    assert row["train_accuracy"] == pytest.approx(np.average(logits.argmax(1) == labels, weights=weight))
    assert row["train_loss"] == pytest.approx(np.average(losses, weights=weight))
    assert row["train_batch_count"] == len(labels) and row["lr"] == 0.1 and row["seconds"] > 0
