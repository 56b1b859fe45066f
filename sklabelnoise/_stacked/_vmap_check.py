"""Whether a module can run in a stack under vmap, and which of its layers stands in the way."""

import copy

import torch

from sklabelnoise._stacked._equality import close
from sklabelnoise._stacked._network import chain_of, nested_vmap
from sklabelnoise._stacked._traced_chain import traced_chain
from sklabelnoise.modules._draws import captured, seeded


def why_not_stackable(module, X):
    """Say what keeps a module from running in a stack.

    A chain of known layers needs no look, and one of a user's only at what it keeps. Any other module is run as 2 x 2
    replicas, in training and in evaluation mode, and compared with one replica alone.

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
    if chain_of(module) is not None:
        return None
    module = copy.deepcopy(module)
    with seeded(0), captured():
        reason = _changes_python_state(module, X)
        if reason is not None or traced_chain(module, X) is not None:
            return reason
        return _fails_under_vmap(module, X) or _differs_under_vmap(module, X)


def _changes_python_state(module, X):
    """A plain attribute that a forward pass sets would be shared by all replicas."""
    module = copy.deepcopy(module).train()
    before = {name: _plain_attributes(layer) for name, layer in module.named_modules()}
    with torch.no_grad():
        module(X)
    for name, layer in module.named_modules():
        after = _plain_attributes(layer)
        changed = [key for key in after if after[key] is not before[name].get(key, after)]
        if changed:
            return f"{_describe(name, layer)} sets its attribute {changed[0]!r} in forward"
    return None


def _plain_attributes(layer):
    inner = ("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training")
    return {key: value for key, value in vars(layer).items() if key not in inner}


def _fails_under_vmap(module, X):
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
        for training in (True, False):
            running.clear()
            try:
                _run_stacked(module, X, training)
            except Exception as error:  # whatever stops it, there is the way of ordinary fits
                layer = running[-1] if running else module
                reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
                return f"{_describe(names[id(layer)], layer)} can't run under vmap: {reason}"
    finally:
        for handle in handles:
            handle.remove()
    return None


def _differs_under_vmap(module, X):
    """Compare outputs and buffers with those of a replica alone; in training mode only where nothing is random."""
    for training in (True, False):
        alone, buffers = _run_alone(module, X, training)
        again, _ = _run_alone(module, X, training)
        if training and not torch.equal(alone, again):
            continue
        together, stacked = _run_stacked(module, X, training)
        if together.shape[2:] != alone.shape or not close(together[1, 1], alone):
            return f"{_describe('', module)} gives other values under vmap"
        for name, value in buffers.items():
            if not close(stacked[name][1, 1], value):
                owner = name.rpartition(".")[0]
                return (
                    f"{_describe(owner, module.get_submodule(owner))} updates its buffer {name!r} otherwise under vmap"
                )
    return None


def _run_alone(module, X, training):
    # A copy and no functional call, which would let go of buffers that forward assigns anew.
    module = copy.deepcopy(module).train(training)
    with torch.no_grad():
        return module(X), dict(module.named_buffers())


def _run_stacked(module, X, training):
    state = {name: t.detach().expand(2, 2, *t.shape).clone() for name, t in _state(module).items()}
    module.train(training)
    with torch.no_grad():
        return nested_vmap(module)(state, X.expand(2, *X.shape)), state


def _state(module):
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _describe(name, layer):
    kind = type(layer).__name__
    return f"layer {name!r} ({kind})" if name else f"module {kind}"
