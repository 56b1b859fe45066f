"""Many networks of one architecture held as one, and their forward pass."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from sklabelnoise._compat import ended, has_hooks
from sklabelnoise._stacked._shared_rows import SharedRows, product
from sklabelnoise._stacked._traced_chain import traced_chain
from sklabelnoise.losses._margin import at_least_float32
from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import Dropout, captured, dropout, may_draw, seeded

# Modules that treat every number by itself, so that they can be called on any layout.
_ELEMENTWISE = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.Hardsigmoid,
    nn.Hardswish,
    nn.Hardtanh,
    nn.Identity,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.Mish,
    nn.ReLU,
    nn.ReLU6,
    nn.SELU,
    nn.Sigmoid,
    nn.SiLU,
    nn.Softplus,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
)


class StackedNetwork:
    """G x K networks of one architecture: G folds, and in each fold K replicas that see the same batches.

    Parameters and buffers are stacked to shape (G, K, ...). A chain of linear layers, batch normalizations, dropouts
    and elementwise activations is written out in batched matrix products, in which the first linear layers of the
    replicas of a fold are one product, and so is a module of a user that amounts to one; any other module runs under
    two nested :func:`torch.vmap`, or by itself where G and K are one.

    Parameters
    ----------
    module : torch.nn.Module
        The architecture. It is copied.
    states : sequence of dict
        The initial ``state_dict`` of each fold.
    n_replicas : int
        K, the number of replicas in a fold; all start from the fold's state.
    device : torch.device, default="cpu"
        Where the stacked tensors live.
    dtype : torch.dtype, default=torch.float32
        Type of the parameters and of the floating buffers.
    example : Tensor of shape (n_rows, ...), default=None
        A few inputs, by which a module of a user shows what it does.

    Attributes
    ----------
    parameters : dict of str to Tensor
        Trainable parameters of shape (G, K, ...), contiguous.
    buffers : dict of str to Tensor
        The rest of the state, frozen parameters included, of shape (G, K, ...).
    """

    def __init__(self, module, states, n_replicas, *, device="cpu", dtype=torch.float32, example=None):
        self.module = copy.deepcopy(module).to(device, dtype)
        self.n_folds, self.n_replicas = len(states), n_replicas
        trainable = {name for name, p in module.named_parameters() if p.requires_grad}
        self.parameters, self.buffers = {}, {}
        for name, tensor in {**dict(self.module.named_parameters()), **dict(self.module.named_buffers())}.items():
            stacked = torch.stack([state[name].detach().to(tensor) for state in states])
            stacked = stacked.unsqueeze(1).expand(-1, n_replicas, *tensor.shape).clone()
            (self.parameters if name in trainable else self.buffers)[name] = stacked
        chain = chain_of(self.module)
        if chain is None and example is not None:
            with seeded(0), captured():
                chain = traced_chain(self.module, example)
        self.chain = None if chain is None else [(self._tensors_of(name, layer), layer) for name, layer in chain]
        self.may_draw = self.chain is None and may_draw(self.module)

    def _tensors_of(self, name, layer):
        """Names in the state of what a layer of the chain holds, by the layer's own names for it."""
        if not _own_tensors(layer):  # as activations, which have no name where the chain was traced
            return {}
        first = self._first_names()
        own = _own_tensors(self.module.get_submodule(name))  # the chain may be one of a copy
        return {attribute: first[id(tensor)] for attribute, tensor in own.items()}

    def leaves(self, folds=slice(None)):
        """Parameters of some folds as leaves of a new graph; they share memory with the stacked ones."""
        return {name: p[folds].detach().requires_grad_() for name, p in self.parameters.items()}

    def __call__(self, parameters, X, *, folds=slice(None), replicas=slice(None), training=False):
        """Logits of the replicas of some folds.

        Parameters
        ----------
        parameters : dict of str to Tensor
            Parameters of these folds and replicas, shape (g, k, ...), contiguous.
        X : Tensor of shape (g, n, ...)
            One batch for each of these folds.
        folds : slice, default=slice(None)
            Which folds.
        replicas : slice, default=slice(None)
            Which replicas; all of them unless there is a single fold.
        training : bool, default=False
            Whether batch statistics are used and updated, and units dropped.

        Returns
        -------
        logits : Tensor of shape (g, k, n, n_classes)
        """
        state = {**parameters, **{name: b[folds, replicas] for name, b in self.buffers.items()}}
        n_replicas = len(range(*replicas.indices(self.n_replicas)))
        if self.chain is None:
            self.module.train(training)
            with captured(self.may_draw):
                if len(X) == n_replicas == 1:
                    return _alone(self.module, state, X)
                return nested_vmap(self.module)(state, X)
        # Rows come last in the hidden layers: then no layer rearranges memory, and statistics run along it.
        hidden, shared = X.flatten(2).mT, True
        for names, layer in self.chain:
            own = {attribute: state[name] for attribute, name in names.items()}
            if isinstance(layer, nn.Linear):
                hidden = _linear_of_shared(hidden, **own) if shared else _linear(hidden, **own)
                shared = False
                continue
            if shared:
                hidden, shared = hidden.unsqueeze(1).expand(-1, n_replicas, -1, -1), False
            if isinstance(layer, nn.BatchNorm1d):
                hidden = _batch_norm(layer, hidden, training=training, **own)
            elif isinstance(layer, nn.Dropout):
                hidden = dropout(hidden, layer.p, training)
            else:
                hidden = layer(hidden)
        if shared:
            hidden = hidden.unsqueeze(1).expand(-1, n_replicas, -1, -1)
        return hidden.mT

    def state_dict(self, fold, replica):
        """The ``state_dict`` of one replica, as copies."""
        stacked = {**self.parameters, **self.buffers}
        first = self._first_names()
        every = (self.module.named_parameters, self.module.named_buffers)
        names = {name: first[id(t)] for named in every for name, t in named(remove_duplicate=False)}
        return {name: stacked[own][fold, replica].clone() for name, own in names.items()}

    def _first_names(self):
        """The name in the state of each tensor of the module, by its id: what is shared has its first one."""
        return {id(t): name for name, t in (*self.module.named_parameters(), *self.module.named_buffers())}


def _own_tensors(layer):
    """Parameters and buffers that a layer holds itself, by its names for them."""
    named = (layer.named_parameters, layer.named_buffers)
    return {name: tensor for own in named for name, tensor in own(recurse=False, remove_duplicate=False)}


def chain_of(module):
    """Layers of a module in the order they are applied, as pairs (name, layer); None where that is not known.

    Only exact classes without hooks are known: a subclass, a hook or a parametrization may compute something else.
    """
    if has_hooks(module):
        return None
    if type(module) is MLP:
        children = [("layers", module.layers), ("output", module.output)]
    elif type(module) is nn.Sequential:
        children = module._modules.items()  # named_children() would leave out repeated ones
    else:
        return [("", module)] if _is_known(module) else None
    chain = []
    for name, child in children:
        inner = chain_of(child)
        if inner is None:
            return None
        chain += [(f"{name}.{rest}" if rest else name, layer) for rest, layer in inner]
    return chain


def _is_known(layer):
    if type(layer) is nn.BatchNorm1d:
        return layer.momentum is not None  # else the step depends on the number of updates
    return type(layer) in (nn.Linear, nn.Dropout, Dropout, *_ELEMENTWISE)


def nested_vmap(module):
    """``f(state, X)``: logits (G, K, n, n_classes) of a state (G, K, ...) and one batch per fold, X (G, n, ...)."""

    def logits(state, X):
        with ended(SharedRows(state.values())):
            return at_least_float32(functional_call(module, state, (X,)))

    replicas = torch.vmap(logits, in_dims=(0, None), randomness="different")
    return torch.vmap(replicas, in_dims=(0, 0), randomness="different")


def _alone(module, state, X):
    """The same for G = K = 1, where there is nothing to go over: under ``vmap`` it would take longer."""
    state = {name: tensor[0, 0] for name, tensor in state.items()}
    return at_least_float32(functional_call(module, state, (X[0],))).unsqueeze(0).unsqueeze(0)


def _linear_of_shared(X, weight, bias=None):
    """One product for the K replicas of each fold: X (g, d, n), weight (g, K, units, d)."""
    g, k, units, d = weight.shape
    return product(weight.view(g, k * units, d), X, bias).view(g, k, units, -1)


def _linear(hidden, weight, bias=None):
    g, k, units, d = weight.shape
    return product(weight.view(g * k, units, d), hidden.reshape(g * k, d, -1), bias).view(g, k, units, -1)


def _batch_norm(
    layer, hidden, *, training, weight=None, bias=None, running_mean=None, running_var=None, num_batches_tracked=None
):
    """Every unit of every replica is a channel of its own, so one call keeps all statistics apart."""
    if training and num_batches_tracked is not None:
        num_batches_tracked += 1
    flat = [None if tensor is None else tensor.view(-1) for tensor in (running_mean, running_var, weight, bias)]
    channels = hidden.reshape(1, -1, hidden.shape[-1])
    out = F.batch_norm(channels, *flat, training or running_mean is None, layer.momentum, layer.eps)
    return out.view(hidden.shape)
