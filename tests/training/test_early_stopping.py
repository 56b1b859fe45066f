"""Held-out rows are drawn by the seed, and any rise of the accuracy counts."""

from types import SimpleNamespace

import numpy as np
import pytest
from skorch.history import History
from torch import nn

from sklabelnoise import DMClassifier
from sklabelnoise.training._early_stopping import (
    StopTraining,
    early_stopping,
    hold_out,
    naming_held_out_rows,
    stopped_early,
)


def test_another_seed_holds_out_other_rows(blobs):
    data = DMClassifier()._check_training_set(*blobs)
    splits = [hold_out(data, 0.2, seed) for seed in (0, 0, 1)]
    for train, held_out in splits:
        rows = np.concatenate([train.X, held_out.X])
        np.testing.assert_array_equal(rows[np.lexsort(rows.T)], data.X[np.lexsort(data.X.T)])
        assert np.bincount(held_out.labels).tolist() == [10] * 3
    np.testing.assert_array_equal(splits[0][1].X, splits[1][1].X)
    assert not np.array_equal(splits[0][1].X, splits[2][1].X)


def test_rows_on_both_sides_keep_their_order():
    X, y = np.arange(60.0)[:, None], np.arange(60) % 3
    for part in hold_out(DMClassifier()._check_training_set(X, y), 0.2, 0):
        assert (np.diff(part.X[:, 0]) > 0).all()
        np.testing.assert_array_equal(part.labels, part.X[:, 0] % 3)


@pytest.mark.parametrize("history, n_notes", [([], 1), ([{"train_loss": 1}], 1), ([{"valid_loss": 1}, {}], 0)])
def test_what_misses_held_out_rows_is_told_of_them_only_where_there_are_none(history, n_notes):
    """The epoch that runs has no loss yet."""
    naming_held_out_rows(error := KeyError("valid_accuracy"), history)
    assert len(getattr(error, "__notes__", ())) == n_notes


def epochs_until_the_end(accuracies, patience):
    """After how many epochs with such accuracies early stopping ends the training."""
    _, stop = early_stopping(patience)
    net = SimpleNamespace(history=History(), module_=nn.Linear(1, 1), callbacks_=[("early_stopping", stop)], verbose=0)
    stop.initialize().on_train_begin(net)
    for accuracy in accuracies:
        net.history.new_epoch()
        net.history.record("epoch", len(net.history))
        net.history.record("valid_accuracy", accuracy)
        try:
            stop.on_epoch_end(net)
        except KeyboardInterrupt:
            assert stopped_early(net)
            return len(net.history)
    assert not stopped_early(net)
    return None


@pytest.mark.parametrize("patience", [1, 3])
def test_it_waits_for_as_many_epochs_as_are_asked_for_and_any_rise_counts(patience):
    rising = 0.9 + 1e-6 * np.arange(10)  # one row more of a million
    assert epochs_until_the_end(rising, patience) is None
    assert epochs_until_the_end([*rising, *[rising[-1]] * 9], patience) == 10 + patience
    assert epochs_until_the_end([0.5, 0.4, 0.5, 0.3], 3) == 4


def test_what_ends_a_training_as_planned_is_an_interrupt():
    assert issubclass(StopTraining, KeyboardInterrupt)
