"""Whether a module can run in a stack under vmap, and which of its layers stands in the way."""

import copy

import torch

from sklabelnoise._compat import has_tensor_hooks
from sklabelnoise._stacked._equality import close, same
from sklabelnoise._stacked._network import chain_of, nested_vmap
from sklabelnoise._stacked._traced_chain import traced_chain
from sklabelnoise.losses._margin import at_least_float32
from sklabelnoise.modules._draws import captured, seeded

# Folds and replicas of the probe: as many of both could pass for one another.
_N_FOLDS, _N_REPLICAS = 2, 3


def why_not_stackable(module, X):
    """Say what keeps a module from running in a stack.

    A chain of known layers needs no look, and one of a user's only at what it keeps. Any other module is run as 2 x 3
    replicas, in training and in evaluation mode, and compared with replicas alone.

    Parameters
    ----------
    module : torch.nn.Module
        The module; it is not changed.
    X : Tensor of shape (n_samples, ...)
        A few inputs, preprocessed.

    Returns
    -------
    reason : str or None
        None if it can. The reason names the layer.
    """
    for name, parameter in module.named_parameters():
        if has_tensor_hooks(parameter):  # which no copy has
            return f"{_owner(module, name)} has a hook on its parameter {name!r}"
    if chain_of(module) is not None:
        return None
    module = copy.deepcopy(module)
    with seeded(0), captured(), torch.enable_grad():
        reason = _changes_python_state(module, X)
        if reason is not None or traced_chain(module, X.clone()) is not None:
            return reason
        return _fails_under_vmap(module, X, True) or _fails_under_vmap(module, X, False)


def _changes_python_state(module, X):
    """A plain attribute that a forward pass sets, or changes where it is, would be shared by all replicas."""
    ran = copy.deepcopy(module).train()
    before = [_plain_attributes(layer) for layer in module.modules()]
    within = [_plain_attributes(layer) for layer in ran.modules()]
    # What never equals its copy, as a lock does not, tells nothing by being another than it was.
    told = [{key for key in of if same(of[key], own.get(key))} for of, own in zip(before, within, strict=True)]
    with torch.no_grad():
        ran(X.clone())
    for (name, layer), of, own, equal in zip(ran.named_modules(), before, within, told, strict=True):
        for key, value in _plain_attributes(layer).items():
            if value is not own.get(key, own) or (key in equal and not same(of[key], value)):
                return f"{_describe(name, layer)} changes its attribute {key!r} in forward"
    return None


def _plain_attributes(layer):
    inner = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training")
    return {key: value for key, value in vars(layer).items() if key not in inner}


def _fails_under_vmap(module, X, training, as_of=None):
    running = []

    def enter(layer, inputs):
        running.append(layer)

    def leave(layer, inputs, output):
        running.pop()

    # Hooks of the user's are part of what is compared afterwards: only these are taken away.
    handles = [layer.register_forward_pre_hook(enter) for layer in module.modules()]
    handles += [layer.register_forward_hook(leave) for layer in module.modules()]
    names = {id(layer): name for name, layer in module.named_modules()}
    try:
        together = _run_stacked(module, X, training)
    except Exception as error:  # whatever stops it, there is the way of ordinary fits
        layer = running[-1] if running else module
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return f"{_describe(names[id(layer)], layer)} can't run under vmap: {reason}"
    finally:
        for handle in handles:
            handle.remove()
    return _difference(module, X, training, as_of, *together)


def _difference(module, X, training, as_of, logits, derivatives, state):
    """Compare all replicas with two that run alone; in training mode only where nothing is random."""
    for place in ((0, 1), (1, 2)):
        alone, own_derivatives, own_state = _run_alone(module, X, training, *place)
        if training and place == (0, 1) and not torch.equal(alone, _run_alone(module, X, training, *place)[0]):
            return None
        if logits.shape[2:] != alone.shape or not close(logits[place], alone, as_of):
            return f"{_describe('', module)} gives other values under vmap"
        for name, own in own_derivatives.items():
            if close(derivatives[name][place], own, as_of):
                continue
            if not _is_rounding(module, X, training, as_of, own.dtype):
                return f"{_owner(module, name)} gives its parameter {name!r} another derivative under vmap"
            break  # all were looked at
        for name, own in own_state.items():
            if not close(state[name][place], own, as_of):
                return f"{_owner(module, name)} updates its buffer {name!r} otherwise under vmap"
    return None


def _is_rounding(module, X, training, as_of, dtype):
    """Whether derivatives agree in double precision, where what grows on the way back does not reach single's bound."""
    if as_of is not None or dtype != torch.float32:
        return False
    X = X.double() if X.is_floating_point() else X
    return _fails_under_vmap(copy.deepcopy(module).double(), X, training, torch.float32) is None


def _run_alone(module, X, training, fold, replica):
    """Logits of one of the replicas by itself, its derivatives, and its state afterwards."""
    # A copy and no functional call, which would let go of buffers that forward assigns anew.
    module = copy.deepcopy(module).train(training)
    start = _start(module)
    with torch.no_grad():
        for name, tensor in _state(module).items():
            tensor.copy_(start[name][fold, replica])
    logits = at_least_float32(module(_batches(X)[fold]))
    return logits.detach(), _derivatives(logits, _trainable(module, _state(module))), _state(module)


def _run_stacked(module, X, training):
    """The same of all replicas."""
    module.train(training)
    state = _start(module)
    trained = {name: tensor.requires_grad_() for name, tensor in _trainable(module, state).items()}
    logits = nested_vmap(module)(state, _batches(X))
    return logits.detach(), _derivatives(logits, trained), state


def _start(module):
    """The state of a module for each replica: parameters differ a little, or those of one could be those of another."""
    generator, of_replicas = torch.Generator().manual_seed(0), (_N_FOLDS, _N_REPLICAS)
    state = {
        name: tensor.detach().expand(*of_replicas, *tensor.shape).clone() for name, tensor in _state(module).items()
    }
    for tensor in _trainable(module, state).values():
        noise = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype)
        tensor.add_(noise.to(tensor.device), alpha=0.03)
    return state


def _batches(X):
    """One batch for each fold."""
    return torch.stack([X, X.flip(0)])


def _derivatives(logits, parameters):
    """Those of some number of the logits, of all replicas that these are of."""
    if not logits.requires_grad:
        return {}
    probe = torch.linspace(-1, 1, logits.shape[-2:].numel(), dtype=logits.dtype, device=logits.device)
    value = (logits * probe.cos().view(logits.shape[-2:])).sum()
    gradients = torch.autograd.grad(value, list(parameters.values()), allow_unused=True)
    return {name: g for name, g in zip(parameters, gradients, strict=True) if g is not None}


def _trainable(module, state):
    return {name: state[name] for name, parameter in module.named_parameters() if parameter.requires_grad}


def _state(module):
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _owner(module, name):
    """The layer of a parameter or buffer."""
    owner = name.rpartition(".")[0]
    return _describe(owner, module.get_submodule(owner))


def _describe(name, layer):
    kind = type(layer).__name__
    return f"layer {name!r} ({kind})" if name else f"module {kind}"
