"""Modules that can't run in a stack are found, and the layer is named."""

import re

import pytest
import torch
from torch import nn

from sklabelnoise._stacked._vmap_check import why_not_stackable
from sklabelnoise.modules import MLP


class Wrapping(nn.Module):
    """Puts a layer behind a linear one, outside any known chain."""

    def __init__(self, layer):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.odd = layer

    def forward(self, x):
        return self.odd(self.first(x))


class DataDependent(nn.Module):
    def forward(self, x):
        return -x if x.sum() > 0 else x


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x


class Remembering(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("largest", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.largest = torch.maximum(self.largest, x.detach().abs().max())
        return x


class Silent(nn.Module):
    def forward(self, x):
        if "BatchedTensor" in repr(x):
            raise NotImplementedError
        return x


class Gaussian(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) if self.training else x


@pytest.mark.parametrize(
    "module", [MLP(3, 2, batch_norm=True, dropout=0.1), Wrapping(nn.BatchNorm1d(3)), Wrapping(nn.LayerNorm(3)),
               Wrapping(nn.Dropout(0.5)), Wrapping(Gaussian())],
    ids=["mlp", "batch-norm", "layer-norm", "dropout", "noise"],
)  # fmt: skip
def test_usable_modules_pass(module):
    assert why_not_stackable(module, torch.randn(4, 3)) is None


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Wrapping(DataDependent()), r"layer 'odd' \(DataDependent\) can't run under vmap: .*"),
        (Wrapping(Silent()), r"layer 'odd' \(Silent\) can't run under vmap: NotImplementedError$"),
        (Wrapping(Counting()), r"layer 'odd' \(Counting\) sets its attribute 'calls' in forward"),
        (Wrapping(Remembering()), r"layer 'odd' \(Remembering\) .*'odd.largest'"),
        (Wrapping(nn.BatchNorm1d(3, momentum=None)), r"layer 'odd' \(BatchNorm1d\) can't run under vmap"),
    ],
    ids=["control-flow", "no message", "attribute", "buffer", "cumulative"],
)
def test_the_layer_in_the_way_is_named(module, message):
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    reason = why_not_stackable(module, torch.randn(4, 3))
    assert reason is not None
    assert re.match(message, reason)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_the_check_leaves_the_random_generator_alone():
    module = Wrapping(nn.Dropout(0.5))
    state = torch.get_rng_state()
    why_not_stackable(module, torch.ones(4, 3))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_hook_of_the_users_takes_part_in_the_comparison():
    """It counts its calls, which all replicas share: alone it gives other values at each call."""
    calls = []

    def scaled(layer, inputs, output):
        calls.append(layer)
        return output * len(calls)

    module = nn.Sequential(nn.Linear(3, 2))
    module.register_forward_hook(scaled)
    assert why_not_stackable(module, torch.randn(5, 3)) == "module Sequential gives other values under vmap"
    assert list(module._forward_hooks.values()) == [scaled]
