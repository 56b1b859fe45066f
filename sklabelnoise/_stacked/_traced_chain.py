"""The chain of layers that a module of a user amounts to, found by what it asks torch for.

Most networks that users write for tables are linear layers, activations and dropout, one after the other, in a
``forward`` of their own. Written out in products of stacked matrices they train as fast as ours; under ``torch.vmap``
each step costs more in calls than in numbers.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode

from sklabelnoise._compat import ended, has_hooks

# Functions that treat every number by itself, and the layers that do the same with equal arguments.
_LAYERS = {
    **dict.fromkeys((F.relu, torch.relu, torch.Tensor.relu), nn.ReLU),
    **dict.fromkeys((F.tanh, torch.tanh, torch.Tensor.tanh), nn.Tanh),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, torch.Tensor.sigmoid), nn.Sigmoid),
    F.elu: nn.ELU,
    F.gelu: nn.GELU,
    F.leaky_relu: nn.LeakyReLU,
    F.mish: nn.Mish,
    F.selu: nn.SELU,
    F.silu: nn.SiLU,
    F.softplus: nn.Softplus,
}
_FLATTEN = (torch.flatten, torch.Tensor.flatten)


def traced_chain(module, X):
    """Layers in the order a module applies them, as pairs (name, layer); None where it does anything else.

    Parameters
    ----------
    module : torch.nn.Module
        The module; it is not changed. What it keeps in attributes is not looked at.
    X : Tensor of shape (n_rows, ...)
        A few inputs, preprocessed.
    """
    if any(map(has_hooks, module.modules())):
        return None
    module = copy.deepcopy(module)  # a forward pass may change its buffers
    try:
        training, evaluating = (_calls(module.train(mode), X) for mode in (True, False))
    except Exception:  # whatever a module can't do with these rows, it says where it is trained
        return None
    if training is None or evaluating is None or len(training) != len(evaluating):
        return None
    linear = {id(layer.weight): (name, layer) for name, layer in module.named_modules() if type(layer) is nn.Linear}
    flat, chain = X.ndim == 2, []
    for in_training, in_evaluation in zip(training, evaluating, strict=True):
        if not _equal(in_training, in_evaluation):
            entry = _dropout(in_training, in_evaluation)
        elif not chain and _flattens(*in_training):
            flat = True
            continue
        elif in_training[0] is F.linear:
            entry = _linear_layer(linear, *in_training)
        else:
            entry = _activation(*in_training)
        if entry is None:
            return None
        chain.append(entry)
    return chain if flat else None


class _Calls(TorchFunctionMode):
    """Notes what torch is asked for in this thread, but for what that asks torch for itself."""

    def __init__(self):
        super().__init__()
        self.noted = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        self.noted.append((func, args, kwargs, result))
        return result


@torch.enable_grad()
def _calls(module, X):
    """Functions and their other arguments, where each is given what the one before returned; else None."""
    with ended(_Calls()) as calls:
        output = module(X)
    value, chain = X, []
    for func, args, kwargs, result in calls.noted:
        if not args or args[0] is not value or not isinstance(result, torch.Tensor):
            return None
        tensors = [argument for argument in (*args, *kwargs.values()) if isinstance(argument, torch.Tensor)]
        # Neither in another type, nor where derivatives are switched off.
        if result.dtype != X.dtype or result.requires_grad != any(tensor.requires_grad for tensor in tensors):
            return None
        chain.append((func, args[1:], kwargs))
        value = result
    return chain if output is value else None


def _flattens(func, args, kwargs):
    return func in _FLATTEN and (args, kwargs) in (((1,), {}), ((1, -1), {}), ((), {"start_dim": 1}))


def _linear_layer(linear, func, args, kwargs):
    """The linear layer that a call is of; None where its parameters are not those of one."""
    if kwargs or len(args) != 2 or id(args[0]) not in linear:
        return None
    name, layer = linear[id(args[0])]
    return (name, layer) if args[1] is layer.bias else None


def _activation(func, args, kwargs):
    return ("", _LAYERS[func](**kwargs)) if func in _LAYERS and not args else None


def _dropout(in_training, in_evaluation):
    """What drops units in training and nothing else; it is the one kind of call that knows of the mode."""
    if not in_training[0] is in_evaluation[0] is F.dropout:
        return None
    given, at_rest = (
        {"p": 0.5, "training": True, **dict(zip(("p", "training"), args, strict=False)), **kwargs}
        for _, args, kwargs in (in_training, in_evaluation)
    )
    follows = given["training"] is True and at_rest["training"] is False and given["p"] == at_rest["p"]
    return ("", nn.Dropout(given["p"])) if follows else None


def _equal(first, second):
    """Whether two calls are of one function with the same other arguments."""
    (func, args, kwargs), (other, others, options) = first, second
    return func is other and len(args) == len(others) and all(map(_same, args, others)) and kwargs == options


def _same(first, second):
    return first is second or (not isinstance(first, torch.Tensor) and first == second)
