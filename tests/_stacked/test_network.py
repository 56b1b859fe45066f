"""A stacked network computes what its networks compute one by one."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook

from sklabelnoise._stacked._network import StackedNetwork, chain_of
from sklabelnoise.modules import MLP

# Rounding of float64 in sums over a few hundred products.
TOLERANCE = 1e-12


class Residual(nn.Module):
    """Needs vmap: not a chain of layers."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(5, 5)
        self.norm = nn.BatchNorm1d(5)
        self.output = nn.Linear(5, 3)

    def forward(self, x):
        return self.output(torch.tanh(x + self.norm(self.inner(x))))


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3))

    def forward(self, x):
        return self.layers(x[:, None])


def with_a_layer_twice(layer):
    return nn.Sequential(nn.Linear(5, 4), layer, nn.ReLU(), layer, nn.Linear(4, 3))


def with_one_weight_in_two_layers():
    first, second = nn.Linear(5, 5), nn.Linear(5, 5)
    second.weight = first.weight
    return nn.Sequential(first, nn.Tanh(), second, nn.Linear(5, 3))


MODULES = {
    "a layer twice": lambda: with_a_layer_twice(nn.Linear(4, 4)),
    "normalization twice": lambda: with_a_layer_twice(nn.BatchNorm1d(4)),
    "one weight in two layers": with_one_weight_in_two_layers,
    "linear": lambda: MLP(5, 3, hidden=()),
    "mlp": lambda: MLP(5, 3, hidden=(8, 6)),
    "mlp with batch normalization": lambda: MLP(5, 3, hidden=(8, 6), batch_norm=True),
    "normalization of other numbers": lambda: nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3, eps=0.1, momentum=0.3)),
    "sequential": lambda: nn.Sequential(nn.Linear(5, 4, bias=False), nn.GELU(), nn.Sequential(nn.Linear(4, 3))),
    "normalized input": lambda: nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3)),
    "statistics of the batch": lambda: nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3, track_running_stats=False)),
    "in place": lambda: nn.Sequential(nn.Linear(5, 4), nn.ReLU(inplace=True), nn.Linear(4, 3)),
    "residual": Residual,
    "convolutional": Convolutional,
}


@pytest.fixture(params=MODULES, ids=lambda name: name.replace(" ", "-"))
def stack(request):
    """A stack of 2 x 3 networks of different weights, and the networks."""
    torch.manual_seed(0)
    networks = [[MODULES[request.param]().double() for _ in range(3)] for _ in range(2)]
    stacked = StackedNetwork(networks[0][0], [row[0].state_dict() for row in networks], 3, dtype=torch.float64)
    for g, row in enumerate(networks):
        for k, network in enumerate(row):
            for name, p in network.named_parameters():
                stacked.parameters[name][g, k] = p.detach()
    return stacked, networks


@pytest.mark.parametrize("training", [True, False])
def test_logits_gradients_and_statistics_are_those_of_single_networks(stack, training):
    stacked, networks = stack
    X = torch.randn(2, 11, 5, dtype=torch.float64)
    parameters = stacked.leaves()
    logits = stacked(parameters, X, training=training)
    logits.square().sum().backward()
    for g, row in enumerate(networks):
        for k, network in enumerate(row):
            network.train(training)
            expected = network(X[g])
            expected.square().sum().backward()
            torch.testing.assert_close(logits[g, k], expected, rtol=TOLERANCE, atol=TOLERANCE)
            for name, p in network.named_parameters():
                torch.testing.assert_close(parameters[name].grad[g, k], p.grad, rtol=TOLERANCE, atol=TOLERANCE)
            for name, b in network.named_buffers():
                torch.testing.assert_close(stacked.buffers[name][g, k], b, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize(("n_folds", "n_replicas"), [(1, 1), (2, 3)])
def test_logits_of_a_module_in_half_precision_are_single(n_folds, n_replicas):
    class Half(nn.Linear):
        def forward(self, x):
            return super().forward(x).bfloat16()

    module = Half(5, 3)
    stacked = StackedNetwork(module, [module.state_dict()] * n_folds, n_replicas)
    X = torch.randn(n_folds, 4, 5)
    logits = stacked(stacked.parameters, X)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits[0, 0], module(X[0]).float())


def test_a_step_of_some_folds_leaves_the_others_statistics_alone(stack):
    stacked, _ = stack
    before = copy.deepcopy(stacked.buffers)
    part = slice(1, 2)
    stacked(stacked.leaves(part), torch.randn(1, 7, 5, dtype=torch.float64), folds=part, training=True)
    for name, buffer in stacked.buffers.items():
        assert torch.equal(buffer[0], before[name][0])
        assert not torch.equal(buffer[1], before[name][1])


def test_state_of_a_replica_loads_into_the_module(stack):
    stacked, networks = stack
    networks[0][0].load_state_dict(stacked.state_dict(1, 2))
    for name, p in networks[0][0].named_parameters():
        assert torch.equal(p, networks[1][2].get_parameter(name))


def test_a_state_is_a_copy_and_so_is_the_module(stack):
    stacked, _ = stack
    before = {name: tensor.clone() for name, tensor in {**stacked.parameters, **stacked.buffers}.items()}
    for tensor in stacked.state_dict(0, 1).values():
        tensor.add_(1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in {**stacked.parameters, **stacked.buffers}.items())

    module = MLP(5, 3, hidden=(4,), batch_norm=True).eval()
    given = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    other = StackedNetwork(module, [module.state_dict()], 2, dtype=torch.float64)
    with torch.no_grad():
        for p in other.parameters.values():
            p.add_(1)
    other(other.leaves(), torch.randn(1, 7, 5, dtype=torch.float64), training=True)
    assert all(torch.equal(module.state_dict()[name], tensor) for name, tensor in given.items())
    assert {tensor.dtype for name, tensor in module.named_parameters()} == {torch.float32}
    assert not module.training


def test_looking_for_a_chain_draws_nothing():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(5, 4), nn.Linear(4, 3)

        def forward(self, x):
            return self.last(nn.functional.dropout(self.first(x), 0.3, self.training))

    module, state = Own(), torch.get_rng_state()
    assert StackedNetwork(module, [module.state_dict()], 2, example=torch.ones(2, 5)).chain is not None
    assert torch.equal(torch.get_rng_state(), state)


def test_a_mean_over_all_batches_is_no_known_normalization():
    assert chain_of(nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3, momentum=None))) is None


def test_dropout_of_any_module_differs_between_replicas_and_between_folds():
    module = nn.Sequential(nn.LayerNorm(4), nn.Dropout(0.5), nn.Linear(4, 2))
    assert chain_of(module) is None
    stacked = StackedNetwork(module, [module.state_dict()] * 2, 2)
    logits = stacked(stacked.leaves(), torch.randn(1, 50, 4).expand(2, -1, -1), training=True)
    views = logits.flatten(0, 1)
    assert not any(torch.allclose(views[i], views[j]) for i in range(4) for j in range(i))


def test_dropout_differs_between_replicas_and_keeps_its_rate():
    for module in (MLP(4, 2, hidden=(500,), dropout=0.3), nn.Sequential(nn.Dropout(0.3), nn.Linear(4, 2))):
        stacked = StackedNetwork(module, [module.state_dict()], 2)
        torch.manual_seed(0)
        logits = stacked(stacked.leaves(), torch.ones(1, 50, 4), training=True)
        assert not torch.allclose(logits[0, 0], logits[0, 1])
        still = stacked(stacked.leaves(), torch.ones(1, 50, 4))
        assert torch.equal(still[0, 0], still[0, 1])
    ones = {"0.weight": torch.ones(1, 1), "0.bias": torch.ones(1)}
    dropping = StackedNetwork(nn.Sequential(nn.Linear(1, 1), nn.Dropout(0.3)), [ones], 4)
    share = (dropping(dropping.leaves(), torch.ones(1, 5000, 1), training=True) == 0).float().mean()
    assert abs(share - 0.3) < 5 * (0.3 * 0.7 / 20_000) ** 0.5  # five standard errors


def test_hooks_and_subclasses_are_not_taken_for_known_layers():
    class Doubling(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    assert chain_of(nn.Sequential(nn.Linear(2, 2))) is not None
    assert chain_of(nn.Sequential(Doubling(2, 2))) is None
    hooked = nn.Sequential(nn.Linear(2, 2))
    hooked[0].register_forward_hook(lambda layer, inputs, output: -output)
    assert chain_of(hooked) is None
    plain = nn.Sequential(nn.Linear(2, 2))
    of_every_module = register_module_forward_hook(lambda layer, inputs, output: -output)
    try:
        assert chain_of(plain) is None
    finally:
        of_every_module.remove()
    assert chain_of(plain) is not None
    parametrized = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))
    assert chain_of(parametrized) is None


def test_frozen_parameters_are_no_parameters_to_train():
    module = MLP(3, 2, hidden=(4,))
    module.layers[0].weight.requires_grad_(False)
    stacked = StackedNetwork(module, [module.state_dict()], 2)
    assert "layers.0.weight" not in stacked.parameters
    assert "layers.0.weight" in stacked.buffers
    assert stacked(stacked.leaves(), torch.ones(1, 5, 3)).shape == (1, 2, 5, 2)
