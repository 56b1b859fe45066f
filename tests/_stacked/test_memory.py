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


def test_rows_and_replicas_are_what_the_memory_holds(monkeypatch):
    module, X = MLP(20, 3, hidden=(8,)), torch.randn(2, 20)
    n_parameters, per_row = sum(p.numel() for p in module.parameters()), numbers_per_row(module, X)
    monkeypatch.setattr(_memory, "_CPU_BYTES", 2**26)
    for n_replicas in (1, 10):
        # each number of four bytes, and what a layer makes of it beside it
        assert rows_within_memory(module, X, n_replicas=n_replicas) == 2**26 // (8 * per_row * n_replicas)
    for batch_size in (10, 1000):
        each = 4 * (6 * n_parameters + 3 * batch_size * per_row)
        assert replicas_within_memory(module, X, batch_size=batch_size) == 2**26 // each


def test_half_of_what_a_device_has_free_is_taken(monkeypatch):
    monkeypatch.setattr(_memory, "free_memory", lambda device: None if device == "cpu" else 2**22)
    module, X = MLP(20, 3), torch.randn(2, 20)

    def fitting(device):
        replicas = replicas_within_memory(module, X, batch_size=10, device=device)
        return replicas, rows_within_memory(module, X, n_replicas=1, device=device)

    on_device, on_cpu = fitting("gpu"), fitting("cpu")
    monkeypatch.setattr(_memory, "_CPU_BYTES", 2**21)
    assert on_device == fitting("cpu") < on_cpu


def test_counting_leaves_a_module_in_its_mode():
    module = MLP(5, 3, dropout=0.5).eval()
    numbers_per_row(module, torch.randn(4, 5))
    assert not any(layer.training for layer in module.modules())
