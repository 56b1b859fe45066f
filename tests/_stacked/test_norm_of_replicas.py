"""Batch normalization of a stack is that of each network alone, in one call for all of them."""

from collections import Counter

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from sklabelnoise._stacked._network import StackedNetwork, nested_vmap
from sklabelnoise._stacked._vmap_check import why_not_stackable

N, C = 5, 2


class Norms(nn.Module):
    """Statistics over rows alone and over pixels, of the inputs that replicas share and of what they made of them."""

    def __init__(self, **options):
        super().__init__()
        self.of_inputs, self.of_maps, self.of_means = nn.BatchNorm2d(3), nn.BatchNorm2d(4), nn.BatchNorm1d(4)
        for name in ("of_maps", "of_means"):
            layer = getattr(self, name)
            setattr(self, name, type(layer)(4, **options))
        self.convolution, self.output = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, C)

    def forward(self, x):
        maps = self.of_maps(self.convolution(self.of_inputs(x))).relu()
        return self.output(self.of_means(maps.mean((2, 3))))


class ByHand(nn.Module):
    """Calls the function itself, with numbers that are not of the stack and with some that are."""

    def __init__(self):
        super().__init__()
        self.scale, self.output = nn.Parameter(torch.rand(3)), nn.Linear(3, C)

    def forward(self, x):
        x = nn.functional.batch_norm(x, None, None, self.scale, None, True)
        x = nn.functional.batch_norm(x, torch.zeros(3, dtype=x.dtype), torch.ones(3, dtype=x.dtype), eps=0.5)
        return self.output(x.mean((2, 3)))


NETWORKS = {
    "defaults": Norms,
    "other numbers": lambda: Norms(momentum=0.3, eps=0.1),
    "no scale": lambda: Norms(affine=False),
    "no statistics": lambda: Norms(track_running_stats=False),
    "neither": lambda: Norms(affine=False, track_running_stats=False),
    "by hand": ByHand,
}


def stack(make, g, k):
    torch.manual_seed(0)
    network = StackedNetwork(make().double(), [make().double().state_dict() for _ in range(g)], k, dtype=torch.float64)
    with torch.no_grad():
        for p in network.parameters.values():
            p += 0.1 * torch.randn_like(p)
    return network, torch.randn(g, N, 3, 6, 6, dtype=torch.float64)


def one_of(network, make, g, k):
    alone = make().double()
    alone.load_state_dict(network.state_dict(g, k))
    return alone


@pytest.mark.parametrize("name", NETWORKS)
def test_each_can_be_stacked(name):
    assert why_not_stackable(NETWORKS[name]().double(), torch.randn(N, 3, 6, 6, dtype=torch.float64)) is None


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("n_folds", "n_replicas"), [(2, 3), (1, 2), (2, 1), (1, 1)])
@pytest.mark.parametrize("name", NETWORKS)
def test_values_derivatives_and_statistics_are_those_of_each_network(name, n_folds, n_replicas, training):
    make = NETWORKS[name]
    network, X = stack(make, n_folds, n_replicas)
    places = [(g, k) for g in range(n_folds) for k in range(n_replicas)]
    alone = {place: one_of(network, make, *place).train(training) for place in places}
    parameters = network.leaves()
    logits = network(parameters, X, training=training)
    derivatives = torch.autograd.grad(logits.square().sum(), list(parameters.values()))
    for (g, k), module in alone.items():
        expected = module(X[g])
        torch.testing.assert_close(logits[g, k], expected, rtol=1e-12, atol=1e-12)
        expected.square().sum().backward()
        for p, derivative in zip(module.parameters(), derivatives, strict=True):
            torch.testing.assert_close(derivative[g, k], p.grad, rtol=1e-10, atol=1e-12)
        for buffer, values in module.state_dict().items():
            torch.testing.assert_close(network.state_dict(g, k)[buffer], values, rtol=1e-12, atol=1e-12)


def test_a_single_network_has_the_very_bits():
    network, X = stack(Norms, 1, 1)
    alone = one_of(network, Norms, 0, 0).train()
    assert torch.equal(network(network.parameters, X, training=True)[0, 0], alone(X[0]))
    assert torch.equal(network.buffers["of_maps.running_var"][0, 0], alone.of_maps.running_var)
    single = network(network.parameters, X)
    state = {**network.parameters, **network.buffers}
    torch.testing.assert_close(nested_vmap(network.module)(state, X), single, rtol=1e-12, atol=1e-12)


def test_some_replicas_predict_as_among_all():
    network, X = stack(Norms, 2, 3)
    everything = network(network.parameters, X)
    part = {name: p[1:2, 1:3] for name, p in network.parameters.items()}
    some = network(part, X[1:2], folds=slice(1, 2), replicas=slice(1, 3))
    torch.testing.assert_close(some[0], everything[1, 1:3], rtol=1e-12, atol=1e-12)


class Calls(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.of = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.of[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_each_layer_is_one_call_whatever_the_number_of_networks():
    """What took the time: scaling and shifting in operations of their own, as large as what a layer puts out."""
    found = []
    for n_folds, n_replicas in ((1, 2), (3, 4)):
        network, X = stack(Norms, n_folds, n_replicas)
        with Calls() as calls:
            network(network.parameters, X, training=True)
        found.append((sum(n for name, n in calls.of.items() if "batch_norm" in name), calls.of["mul"]))
    assert found == [(3, 0)] * 2


def test_one_row_of_one_pixel_is_the_error_it_is_alone():
    network, X = stack(Norms, 2, 2)
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        network(network.parameters, X[:, :1], training=True)
