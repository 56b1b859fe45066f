"""A module of a user that is a chain of known layers is found to be one, and nothing else is."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklabelnoise._stacked._network import StackedNetwork, chain_of
from sklabelnoise._stacked._traced_chain import _LAYERS, traced_chain
from sklabelnoise._stacked._vmap_check import why_not_stackable
from sklabelnoise.modules import MLP


class Own(nn.Module):
    """Two layers, to be put together in `forward`."""

    def __init__(self):
        super().__init__()
        self.first, self.last, self.drop = nn.Linear(4, 8), nn.Linear(8, 3), nn.Dropout(0.2)

    def forward(self, x):
        return self.last(self.drop(F.leaky_relu(self.first(x.flatten(1)), 0.1, False).tanh()))


class OfFunctions(Own):
    def forward(self, x):
        return self.last(F.dropout(torch.relu(self.first(x)), 0.3, self.training))


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.last = Own(), nn.Linear(3, 2)

    def forward(self, x):
        return self.last(F.elu(self.inner(x), alpha=0.5))


class Residual(Own):
    def forward(self, x):
        hidden = self.first(x)
        return self.last(hidden + torch.relu(hidden))


class Scaled(Own):
    def forward(self, x):
        return self.last(self.first(x)) * 2


class ByShape(Own):
    def forward(self, x):
        return self.last(self.first(x)) if x.shape[0] > 3 else self.last(torch.relu(self.first(x)))


class ByValue(Own):
    def forward(self, x):
        return self.last(self.first(x)) if x.sum() > 0 else self.last(torch.relu(self.first(x)))


class ByMode(Own):
    def forward(self, x):
        hidden = self.first(x)
        return self.last(torch.relu(hidden) if self.training else torch.tanh(hidden))


class ByModeInAKeyword(Own):
    def forward(self, x):
        return self.last(F.elu(self.first(x), alpha=0.5 if self.training else 1.0))


class EarlierOne(Own):
    def forward(self, x):
        hidden = self.first(x)
        self.last(hidden)
        return hidden


class WithoutGradient(Own):
    def forward(self, x):
        with torch.no_grad():
            hidden = self.first(x)
        return self.last(hidden)


class AlwaysDropping(Own):
    def forward(self, x):
        return self.last(F.dropout(self.first(x), 0.3))


class WithoutBias(Own):
    def forward(self, x):
        return self.last(F.linear(x, self.first.weight))


class OfOtherBias(Own):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.ones(8))

    def forward(self, x):
        return self.last(F.linear(x, self.first.weight, self.bias))


class Noisy(Own):
    def forward(self, x):
        return self.last(self.first(x + torch.randn_like(x) if self.training else x))


class OtherType(Own):
    def forward(self, x):
        return self.last(self.first(x).double().float())


class Unused(Own):
    def forward(self, x):
        self.first(x).sum()
        return self.last(self.first(x))


class Counting(Own):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return self.last(self.first(x))


@pytest.mark.parametrize(
    ("module", "layers"),
    [
        (Own(), ["Linear", "LeakyReLU", "Tanh", "Dropout", "Linear"]),
        (OfFunctions(), ["Linear", "ReLU", "Dropout", "Linear"]),
        (Inner(), ["Linear", "LeakyReLU", "Tanh", "Dropout", "Linear", "ELU", "Linear"]),
        (MLP(4, 3, hidden=(5,)), ["Linear", "ReLU", "Linear"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_are_found_in_the_order_they_are_applied(module, layers):
    module.train()
    chain = traced_chain(module, torch.randn(2, 4))
    assert chain is not None
    assert [type(layer).__name__ for _, layer in chain] == layers
    assert module.training
    parameters = {f"{name}.weight" for name, layer in chain if isinstance(layer, nn.Linear)}
    assert parameters == {name for name, p in module.named_parameters() if p.ndim == 2}


@pytest.mark.parametrize(
    "kind",
    [
        Residual,
        Scaled,
        ByShape,
        ByValue,
        ByMode,
        ByModeInAKeyword,
        EarlierOne,
        WithoutGradient,
        AlwaysDropping,
        WithoutBias,
        OfOtherBias,
        Noisy,
        OtherType,
        Unused,
    ],
)
def test_whatever_does_anything_else_is_no_chain(kind):
    assert traced_chain(kind(), torch.randn(2, 4)) is None


@pytest.mark.parametrize("function", _LAYERS, ids=lambda function: function.__name__)
def test_a_function_and_its_layer_are_the_same(function):
    x = torch.linspace(-5, 5, 101)
    torch.testing.assert_close(_LAYERS[function]()(x), function(x), rtol=0, atol=0)


def test_units_are_dropped_at_the_rate_of_the_function():
    chain = traced_chain(OfFunctions(), torch.randn(2, 4))
    assert chain is not None
    assert [layer.p for _, layer in chain if isinstance(layer, nn.Dropout)] == [0.3]


def test_looking_leaves_statistics_and_mode_as_they_were():
    class Normalized(Own):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(8)

        def forward(self, x):
            return self.last(self.norm(self.first(x)))

    for training in (True, False):
        module = Normalized().train(training)
        before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        assert traced_chain(module, torch.randn(5, 4)) is None
        assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
        assert module.training is training


class Numbered(nn.Linear):
    """Holds more than a linear layer does."""

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.register_buffer("number", torch.zeros(()))


def test_hooks_parametrizations_subclasses_and_images_that_are_not_flattened_are_no_chain():
    hooked = OfFunctions()
    hooked.first.register_forward_hook(lambda layer, inputs, output: None)
    assert traced_chain(hooked, torch.randn(2, 4)) is None
    parametrized = OfFunctions()
    nn.utils.parametrizations.weight_norm(parametrized.first)
    assert traced_chain(parametrized, torch.randn(2, 4)) is None
    numbered = OfFunctions()
    numbered.first = Numbered(4, 8)
    assert traced_chain(numbered, torch.randn(2, 4)) is None
    assert traced_chain(OfFunctions(), torch.randn(2, 3, 4)) is None
    assert traced_chain(Own(), torch.randn(2, 2, 2)) is not None


def test_a_module_that_keeps_something_is_trained_alone():
    reason = why_not_stackable(Counting(), torch.randn(4, 4))
    assert reason == "module Counting changes its attribute 'calls' in forward"
    assert why_not_stackable(Own(), torch.randn(4, 4)) is None


@pytest.mark.parametrize(
    ("kind", "training"), [(Own, True), (Own, False), (Inner, True), (Inner, False), (OfFunctions, False)]
)
def test_logits_and_gradients_are_those_of_the_modules_themselves(kind, training):
    torch.manual_seed(0)
    modules = [kind().double().train(training) for _ in range(2)]
    for module in modules:  # masks differ between replicas anyway
        for layer in module.modules():
            if isinstance(layer, nn.Dropout):
                layer.p = 0.0
    X = torch.randn(2, 7, 4, dtype=torch.float64)
    stacked = StackedNetwork(
        modules[0], [module.state_dict() for module in modules], 3, dtype=torch.float64, example=X[0]
    )
    assert chain_of(modules[0]) is None
    assert stacked.chain is not None
    parameters = stacked.leaves()
    logits = stacked(parameters, X, training=training)
    logits.square().sum().backward()
    for g, module in enumerate(modules):
        expected = module(X[g])
        expected.square().sum().backward()
        for k in range(3):
            torch.testing.assert_close(logits[g, k], expected, rtol=1e-12, atol=1e-12)
            for name, p in module.named_parameters():
                torch.testing.assert_close(parameters[name].grad[g, k], p.grad, rtol=1e-12, atol=1e-12)
