"""Laws of the MLP: its layers, its sizes, its features."""

import numpy as np
import pytest
import torch
from torch import nn

from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import Dropout


def n_parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("hidden, expected", [
    ((), 5 * 3 + 3),
    (8, 5 * 8 + 8 + 8 * 3 + 3),
    (np.int64(8), 5 * 8 + 8 + 8 * 3 + 3),
    ((8, 4), 5 * 8 + 8 + 8 * 4 + 4 + 4 * 3 + 3),
    ([8, 4], 5 * 8 + 8 + 8 * 4 + 4 + 4 * 3 + 3),
])  # fmt: skip
def test_parameters_are_counted_by_hand(hidden, expected):
    assert n_parameters(MLP(5, 3, hidden=hidden)) == expected


def test_without_hidden_layers_it_is_linear():
    module, x = MLP(5, 3, hidden=()), torch.randn(4, 5)
    assert torch.equal(module(x), module.output(x))
    assert torch.equal(module.forward_features(x), x)


def test_by_default_it_has_neither_dropout_nor_batch_norm():
    kinds = {type(m) for m in MLP(5, 3).modules()}
    assert kinds == {MLP, nn.Sequential, nn.Linear, nn.ReLU}


def test_options_put_batch_norm_before_and_dropout_after_the_activation():
    module = MLP(5, 3, hidden=(4,), activation=nn.Tanh, dropout=0.1, batch_norm=True)
    assert [type(m) for m in module.layers] == [nn.Linear, nn.BatchNorm1d, nn.Tanh, Dropout]


def test_there_is_no_bias_where_batch_norm_subtracts_it_again():
    module = MLP(5, 3, hidden=(4,), batch_norm=True)
    assert n_parameters(module) == 5 * 4 + 2 * 4 + 4 * 3 + 3


def test_logits_are_the_output_layer_of_the_features():
    module, x = MLP(5, 3, hidden=(7,)), torch.randn(4, 5)
    assert module.forward_features(x).shape == (4, 7)
    assert torch.equal(module(x), module.output(module.forward_features(x)))


def test_images_are_flattened():
    module, x = MLP(2 * 3 * 3, 4), torch.randn(5, 2, 3, 3)
    assert torch.equal(module(x), module(x.flatten(1)))


def test_training_defaults_name_every_parameter_of_training():
    names = {"optimizer", "lr", "weight_decay", "max_epochs", "batch_size", "lr_schedule", "augment"}
    assert set(MLP.training_defaults) == names
    # scikit-learn's checks compare weights with repeated rows, which only agree in one full batch
    assert MLP.training_defaults["batch_size"] >= 128


def test_every_layer_has_an_activation_of_its_own():
    """One with parameters would share them."""
    layers = MLP(5, 3, hidden=(4, 4, 4), activation=nn.PReLU).layers
    activations = [layer for layer in layers if type(layer) is nn.PReLU]
    assert len({id(activation.weight) for activation in activations}) == len(activations) == 3
