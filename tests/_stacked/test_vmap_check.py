"""Modules that can't run in a stack are found, and the layer is named."""

import random
import re

import numpy as np
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


class Showing(nn.Module):
    def forward(self, x):
        self.shown = x
        return x


class Keeping(nn.Module):
    """Keeps something in what it was given, which each forward pass of a training changes in its place."""

    def __init__(self, kept, change):
        super().__init__()
        self.kept, self.change = kept, change

    def forward(self, x):
        return x * (1 + self.change(self.kept)) if self.training else x


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
        (Wrapping(Counting()), r"layer 'odd' \(Counting\) changes its attribute 'calls' in forward"),
        (Wrapping(Showing()), r"layer 'odd' \(Showing\) changes its attribute 'shown' in forward"),
        (Wrapping(Remembering()), r"layer 'odd' \(Remembering\) .*'odd.largest'"),
        (Wrapping(nn.BatchNorm1d(3, momentum=None)), r"layer 'odd' \(BatchNorm1d\) can't run under vmap"),
    ],
    ids=["control-flow", "no message", "attribute", "new attribute", "buffer", "cumulative"],
)
def test_the_layer_in_the_way_is_named(module, message):
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    reason = why_not_stackable(module, torch.randn(4, 3))
    assert reason is not None
    assert re.match(message, reason)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


IN_PLACE = {
    "list": ([0], lambda kept: kept.append(1) or len(kept)),
    "dict": ({"calls": 0}, lambda kept: kept.update(calls=kept["calls"] + 1) or kept["calls"]),
    "array": (np.zeros(1), lambda kept: float(kept.__iadd__(1).sum())),
    "tensor": (torch.zeros(()), lambda kept: kept.add_(1).clone()),
    "random numbers of Python": (random.Random(0), lambda kept: kept.random()),
    "random numbers of NumPy": (np.random.default_rng(0), lambda kept: kept.random()),
    "random numbers of torch": (torch.Generator(), lambda kept: torch.rand((), generator=kept)),
}


@pytest.mark.parametrize(("kept", "change"), IN_PLACE.values(), ids=IN_PLACE)
def test_what_a_module_keeps_and_changes_is_found_also_where_it_stays_the_same_object(kept, change):
    reason = why_not_stackable(Wrapping(Keeping(kept, change)), torch.randn(4, 3))
    assert reason == "layer 'odd' (Keeping) changes its attribute 'kept' in forward"
    assert why_not_stackable(Wrapping(Keeping(kept, lambda kept: 0)), torch.randn(4, 3)) is None


def test_what_equals_no_copy_of_it_is_not_taken_for_changed():
    assert why_not_stackable(Wrapping(Keeping(iter(map(str, [1, 2])), lambda kept: 0)), torch.randn(4, 3)) is None


class Turning(nn.Module):
    """Has its derivatives shrunk on their way back."""

    def forward(self, x):
        if x.requires_grad:
            x.register_hook(lambda derivative: 0.1 * derivative)
        return x * 1


class Distances(nn.Module):
    """torch computes them by a matrix product where there are more than 25 rows, and mixes stacked ones there."""

    def __init__(self):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(3, 3))

    def forward(self, x):
        return torch.cdist(x, self.centers)


class FirstOfAll(torch.autograd.Function):
    """A function of a user's whose rule under vmap takes what the first network is given for what all are."""

    @staticmethod
    def forward(x):
        return x.clone()

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Nothing is kept."""

    @staticmethod
    def vmap(info, in_dims, x):
        x = x.movedim(in_dims[0], 0)
        return x[:1].expand_as(x).clone(), 0


class WithARuleOfItsOwn(Wrapping):
    def forward(self, x):
        return super().forward(FirstOfAll.apply(x))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (WithARuleOfItsOwn(nn.LayerNorm(3)), "module WithARuleOfItsOwn gives other values under vmap"),
        (
            Wrapping(Turning()),
            "layer 'first' (Linear) gives its parameter 'first.weight' another derivative under vmap",
        ),
        (Distances(), "module Distances can't run under vmap"),
    ],
)
def test_other_derivatives_and_other_ways_for_many_rows_are_found(module, message):
    assert message in why_not_stackable(module, torch.randn(32, 3))


@pytest.mark.parametrize("register", ["register_hook", "register_post_accumulate_grad_hook"])
def test_a_hook_on_a_parameter_which_no_replica_has_is_named(register):
    module = nn.Sequential(nn.Linear(3, 2))
    getattr(module[0].weight, register)(lambda *_: None)
    assert why_not_stackable(module, torch.randn(5, 3)) == "layer '0' (Linear) has a hook on its parameter '0.weight'"


def test_the_rows_of_a_layer_that_changes_them_in_place_stay():
    X = torch.randn(4, 3)
    before = X.clone()
    assert why_not_stackable(nn.Sequential(nn.ReLU(inplace=True), Wrapping(nn.LayerNorm(3))), X) is None
    assert torch.equal(X, before)


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
