"""Networks of a user's that see the same rows share the product of the layer that meets the rows first."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from sklabelnoise._stacked._network import StackedNetwork, chain_of
from sklabelnoise.modules import MLP

G, K, N, D, UNITS, C = 2, 3, 11, 5, 7, 4


class Own(nn.Module):
    """The MLP of one hidden layer as a user writes it."""

    def __init__(self, bias=True, inplace=False):
        super().__init__()
        self.first, self.second = nn.Linear(D, UNITS, bias=bias), nn.Linear(UNITS, C, bias=bias)
        self.relu = nn.ReLU(inplace=inplace)

    def forward(self, x):
        return self.second(self.relu(self.first(x)))


class Twice(nn.Module):
    """Rows meet two layers, one of them after a statistic of their own, and one weight is used twice."""

    def __init__(self):
        super().__init__()
        self.first, self.again = nn.Linear(D, D), nn.Linear(D, D)
        self.output = nn.Linear(D, C)

    def forward(self, x):
        x = (x - x.mean(1, keepdim=True)).flatten(1)
        return self.output(self.again(self.first(x)) + self.again(x).tanh())


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution, self.output = nn.Conv2d(1, UNITS, 2), nn.Linear(UNITS * (D - 1), C)

    def forward(self, x):
        return self.output(self.convolution(x.view(-1, 1, D, 2)).relu().flatten(1))


class ByHand(nn.Module):
    """Calls the function itself: with a bias by its name, with one that is no parameter, and on rows of several."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.output = nn.Linear(D, UNITS), nn.Linear(UNITS, C), nn.Linear(C, C)

    def forward(self, x):
        x = nn.functional.linear(x, self.first.weight, bias=self.first.bias).tanh()
        x = nn.functional.linear(x, self.second.weight, torch.arange(C, dtype=x.dtype)) * self.second.bias
        return self.output(torch.stack([x, x.square()], 1)).sum(1)


class OfOtherBias(nn.Module):
    """Rows that replicas share meet a weight of the stack and a bias that is not."""

    def __init__(self):
        super().__init__()
        self.weight, self.output = nn.Parameter(torch.randn(UNITS, D)), nn.Linear(UNITS, C)

    def forward(self, x):
        return self.output(nn.functional.linear(x, self.weight, torch.arange(UNITS, dtype=x.dtype)))


def tokens_of(x):
    return (2 * x).abs().long().clamp(max=3)  # all four are among them


class OfTokens(nn.Module):
    """The first number is padding, or the last."""

    def __init__(self, **padding):
        super().__init__()
        self.tokens, self.output = nn.Embedding(4, UNITS, **padding), nn.Linear(UNITS, C)

    def forward(self, x):
        return self.output(self.tokens(tokens_of(x)).sum(1))


class OfTokensByHand(OfTokens):
    """The last one is padding, counted from the end, as no layer calls the function."""

    def forward(self, x):
        return self.output(nn.functional.embedding(tokens_of(x), self.tokens.weight, padding_idx=-1).sum(1))


class Products(TorchDispatchMode):
    """Notes the shapes that matrix products and convolutions are given."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.overloadpacket in (torch.ops.aten.bmm, torch.ops.aten.baddbmm, torch.ops.aten.convolution):
            self.shapes.append([tuple(arg.shape) for arg in args if isinstance(arg, torch.Tensor)])
        return func(*args, **(kwargs or {}))


def stacked(module, n_features=D, dtype=torch.float64):
    torch.manual_seed(0)
    network = StackedNetwork(module, [module.state_dict()] * G, K, dtype=dtype)
    for parameter in network.parameters.values():
        parameter.normal_()
    return network, torch.randn(G, N, n_features, dtype=dtype)


@pytest.mark.parametrize(
    "make",
    [
        *(Own, lambda: Own(bias=False), lambda: Own(inplace=True), Twice, Convolutional, ByHand, OfOtherBias),
        *(
            OfTokens,
            OfTokensByHand,
            lambda: OfTokens(padding_idx=0),
            lambda: OfTokens(padding_idx=-1, scale_grad_by_freq=True),
        ),
    ],
)
def test_logits_and_gradients_are_those_of_each_network_alone(make):
    module = make().double()
    network, X = stacked(module, 2 * D if isinstance(module, Convolutional) else D)
    assert chain_of(module) is None
    parameters = network.leaves()
    logits = network(parameters, X, training=True)
    weight = torch.randn(logits.shape, dtype=logits.dtype)
    gradients = dict(
        zip(parameters, torch.autograd.grad((logits * weight).sum(), list(parameters.values())), strict=True)
    )
    for g in range(G):
        for k in range(K):
            module.load_state_dict(network.state_dict(g, k))
            module.zero_grad()
            alone = module(X[g])
            (alone * weight[g, k]).sum().backward()
            torch.testing.assert_close(logits[g, k], alone, rtol=1e-12, atol=1e-12)
            for name, parameter in module.named_parameters():
                torch.testing.assert_close(gradients[name][g, k], parameter.grad, rtol=1e-12, atol=1e-11)


def test_the_same_network_as_ours_gives_the_same_bits_in_the_same_layout():
    module, ours = Own(), MLP(D, C, hidden=(UNITS,))
    network, X = stacked(module, dtype=torch.float32)
    as_chain, _ = stacked(ours, dtype=torch.float32)
    for theirs, mine in zip(as_chain.parameters.values(), network.parameters.values(), strict=True):
        theirs.copy_(mine)
    first, second = network(network.parameters, X), as_chain(as_chain.parameters, X)
    assert torch.equal(first, second)
    assert first.stride() == second.stride()


@pytest.mark.parametrize("module", [Own(), Convolutional()])
def test_the_first_layer_is_one_product_for_all_replicas(module):
    network, X = stacked(module, 2 * D if isinstance(module, Convolutional) else D, torch.float32)
    with Products() as products:
        network(network.parameters, X)
    first = products.shapes[0]
    if isinstance(module, Convolutional):
        assert (G * K * UNITS, 1, 2, 2) in first  # folds are the channels, replicas the units of each
        assert first[0] == (N, G, D, 2)
    else:
        assert (G, K * UNITS, D) in first
        assert (G, D, N) in first
