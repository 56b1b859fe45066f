"""A training that goes on from a snapshot ends as the one that was not ended."""

import copy

import numpy as np
import pytest
import torch

from sklabelnoise._stacked._loop import StackedFold, train_replicas
from sklabelnoise._stacked._network import StackedNetwork
from sklabelnoise._stacked._optimizer import StackedOptimizer
from sklabelnoise.losses import PerExampleLoss
from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import seeded
from sklabelnoise.training._batches import TensorData
from sklabelnoise.training._schedules import constant

N_EPOCHS = 4
RATES = {
    torch.optim.SGD: {"weight_decay": 0.0, "momentum": 0.9, "dampening": 0.0},
    torch.optim.Adam: {"weight_decay": 0.0, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
}


class Kept:
    def __init__(self, state=None):
        self.state, self.states = state, []

    def load(self):
        return self.state

    def offer(self, take, is_last):
        self.states.append(copy.deepcopy(take()))


def trained(optimizer, kept):
    """Tensors and the log of two replicas that learn and one that diverges in the first epoch."""
    rng = np.random.default_rng(0)
    data = TensorData(torch.from_numpy(rng.normal(size=(40, 4))), np.arange(40) % 3, dtype=torch.float64)
    torch.manual_seed(0)
    module = MLP(4, 3, hidden=(6,), dropout=0.3, batch_norm=True).double()
    folds = [StackedFold(data, torch.arange(n), seed, module.state_dict()) for seed, n in enumerate((40, 36))]
    network = StackedNetwork(module, [fold.state for fold in folds], 3, dtype=torch.float64)
    rates = {"lr": np.array([0.01, 0.02, 1e300]), **RATES[optimizer]}
    with seeded(0):
        log = train_replicas(
            network,
            StackedOptimizer(optimizer, network.parameters, rates),
            PerExampleLoss(),
            folds,
            batch_size=16,
            max_epochs=N_EPOCHS,
            schedules=[constant] * 3,
            record_accuracy=True,
            kept=kept,
        )
    return {**network.parameters, **network.buffers}, log


@pytest.mark.parametrize("optimizer", RATES)
def test_tensors_log_and_failures_are_the_same_whichever_epoch_it_goes_on_from(optimizer):
    whole = Kept()
    tensors, log = trained(optimizer, whole)
    assert sorted(log.failures) == [(0, 2), (1, 2)]
    for state in whole.states:
        again, theirs = trained(optimizer, Kept(state))
        for name, tensor in tensors.items():
            torch.testing.assert_close(again[name], tensor, rtol=0, atol=0, equal_nan=True)
        for name in ("loss", "accuracy", "lr"):
            np.testing.assert_array_equal(getattr(theirs, name), getattr(log, name))
        assert theirs.failures == log.failures
