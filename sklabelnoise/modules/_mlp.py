"""The default network for tables."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any

from torch import nn

from sklabelnoise.modules._draws import Dropout


class MLP(nn.Module):
    """Multi-layer perceptron: linear layers with an activation between them.

    Inputs of more than two dimensions are flattened, so that images work too.

    Parameters
    ----------
    n_features : int
        Number of inputs of one example, all dimensions multiplied.

    n_classes : int
        Number of outputs (logits).

    hidden : int or tuple of int, default=(256,)
        Width of each hidden layer; an empty tuple gives a linear model.

    activation : callable, default=torch.nn.ReLU
        Called without arguments, returns the activation module.

    dropout : float, default=0.0
        Probability of dropping a hidden unit; 0 adds no layer.

    batch_norm : bool, default=False
        Put a ``BatchNorm1d`` between each hidden linear layer and its activation.

    Attributes
    ----------
    layers : torch.nn.Sequential
        Everything before the last linear layer.

    output : torch.nn.Linear
        The last linear layer.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.modules import MLP
    >>> MLP(4, 3, hidden=(8,))(torch.zeros(2, 4)).shape
    torch.Size([2, 3])
    """

    # Chosen by `python -m benchmarks.mlp_defaults`: out-of-fold accuracy of plain cross entropy on the given, noisy
    # labels of the shared tables (benchmarks/results/mlp_defaults.jsonl). No clean label and no robust loss was
    # involved.
    training_defaults = {
        "optimizer": "AdamW",
        "lr": 1e-3,
        "weight_decay": 1e-3,
        "max_epochs": 40,
        "batch_size": 256,
        "lr_schedule": "constant",
        "augment": None,
    }

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        hidden: int | tuple[int, ...] = (256,),
        activation: Callable[..., Any] = nn.ReLU,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ):
        super().__init__()
        widths = (hidden,) if isinstance(hidden, Integral) else tuple(hidden)
        layers = []
        for n_in, n_out in zip((n_features, *widths), widths, strict=False):
            # Batch normalization subtracts a bias again: its gradient would be rounding noise.
            layers.append(nn.Linear(n_in, n_out, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm1d(n_out))
            layers.append(activation())
            if dropout:
                layers.append(Dropout(dropout))
        self.layers = nn.Sequential(*layers)
        self.output = nn.Linear((n_features, *widths)[-1], n_classes)

    def forward_features(self, x):
        """Activations before the last linear layer, shape (n_samples, hidden[-1])."""
        return self.layers(x.flatten(1))

    def forward(self, x):
        """Logits, shape (n_samples, n_classes)."""
        return self.output(self.forward_features(x))
