"""How many replicas are trained at once follows from what they take."""

import pytest
import torch
from torch import nn

from sklabelnoise._stacked import _memory
from sklabelnoise._stacked._memory import numbers_per_row, replicas_within_memory, rows_within_memory
from sklabelnoise.modules import MLP


def test_every_layer_counts_and_the_module_stays_as_it_was():
    module = MLP(5, 3, hidden=(7,), batch_norm=True)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    # 5 inputs, 7 units through a linear layer, normalization and activation, 3 logits
    assert numbers_per_row(module, torch.randn(4, 5)) == 5 + 3 * 7 + 3
    assert module.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert not any(layer._forward_hooks for layer in module.modules())


def test_images_count_every_pixel():
    module = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.Flatten(), nn.Linear(2 * 16, 2))
    assert numbers_per_row(module, torch.randn(2, 3, 4, 4)) == 3 * 16 + 2 * 16 + 2 * 16 + 2


@pytest.mark.parametrize("batch_size", [10, 1000])
def test_half_the_memory_holds_half_the_replicas(batch_size, monkeypatch):
    module, X = MLP(20, 3), torch.randn(2, 20)
    monkeypatch.setattr(_memory, "_CPU_BYTES", 2**30)
    many = replicas_within_memory(module, X, batch_size=batch_size)
    monkeypatch.setattr(_memory, "_CPU_BYTES", 2**29)
    assert replicas_within_memory(module, X, batch_size=batch_size) == many // 2
    assert replicas_within_memory(module.double(), X.double(), batch_size=batch_size) == many // 4


def test_one_replica_and_one_row_always_fit(monkeypatch):
    monkeypatch.setattr(_memory, "_CPU_BYTES", 1)
    module, X = MLP(20, 3), torch.randn(2, 20)
    assert replicas_within_memory(module, X, batch_size=1000) == 1
    assert rows_within_memory(module, X, n_replicas=100) == 1
