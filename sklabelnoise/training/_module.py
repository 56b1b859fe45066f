"""Building the user's module: sizes filled in from the data, instances copied, the output checked."""

import copy
import functools
import inspect
import itertools

import numpy as np
import torch
from torch import nn

from sklabelnoise._foundation._callers_line import warn
from sklabelnoise.modules._draws import captured

# Names under which modules declare the number of inputs of one example, of channels, and of classes.
_FEATURES = ("n_features", "in_features", "n_features_in", "input_dim")
_CHANNELS = ("in_channels", "in_chans", "n_channels")
_CLASSES = ("n_classes", "num_classes", "out_features", "output_dim")


def uncompiled(module):
    """The module that ``torch.compile`` has wrapped, or the module itself."""
    return getattr(module, "_orig_mod", module)


def build_module(module, params, *, input_shape, n_classes):
    """Make a fresh module for data of this shape.

    Parameters
    ----------
    module : torch.nn.Module, class or factory
        An instance is deep-copied. A class or factory is called with `params`; arguments it declares for the number of
        features, channels or classes are filled in from the data unless `params` gives them.
    params : dict
        Arguments of the user (``module__...``).
    input_shape : tuple of int
        Shape of one example.
    n_classes : int
        Number of classes.

    Returns
    -------
    module : torch.nn.Module

    Raises
    ------
    TypeError
        If the module does not take one of `params`, is not a module, or was compiled by ``torch.jit``.
    ValueError
        If `params` are given for an instance, or images seem to have their channels last.
    """
    if isinstance(module, nn.Module):
        if params:
            raise ValueError(
                f"module must be a class or factory for its arguments {sorted(params)} to be set (as module__...), got "
                f"an instance of {type(module).__name__}, already built."
            )
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                "module must be one that can be copied to be trained, as modules of torch.jit can't: pass what it was "
                f"made from, which compile=True compiles, got an instance of {type(module).__name__}."
            )
        return copy.deepcopy(module)
    sizes = {
        **dict.fromkeys(_FEATURES, int(np.prod(input_shape))),
        **dict.fromkeys(_CHANNELS, input_shape[0] if input_shape else 1),
        **dict.fromkeys(_CLASSES, n_classes),
    }
    declared = inspect.signature(module).parameters
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in declared.values())
    made_by = module.func if isinstance(module, functools.partial) else module
    name = getattr(made_by, "__name__", type(made_by).__name__)
    unknown = sorted(set(params) - set(declared)) if not takes_any else []
    if unknown:
        raise TypeError(f"module {name} takes the arguments {sorted(declared)}, got {unknown[0]!r}.")
    if params.get("channels_last") and len(input_shape) == 3:
        sizes.update(dict.fromkeys(_CHANNELS, input_shape[-1]))
    filled = {key: value for key, value in sizes.items() if key in declared and key not in params}
    if len(input_shape) == 3 and not params.get("channels_last") and not filled.keys().isdisjoint(_CHANNELS):
        _check_channels_first(input_shape, name, takes_option="channels_last" in declared)
    hidden = {}
    if takes_any:
        # Factories of torchvision and timm hand these on: nothing but a call shows whether they are taken.
        given = {*declared, *params}
        if given.isdisjoint(_CLASSES):
            hidden["num_classes"] = n_classes
        if len(input_shape) == 3 and input_shape[0] in (1, 2, 4) and given.isdisjoint(_CHANNELS):
            hidden["in_chans"] = input_shape[0]
    try:
        with captured():
            built = _call(module, {**filled, **params}, hidden, n_classes)
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError) as error:
        # With the arguments, as errors from inside seldom name them; RuntimeError is torch's for sizes.
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(
            f"module {name} must be built from {filled} and the module__ parameters {params}, got the error: {error}"
        ) from error
    if not isinstance(built, nn.Module):
        raise TypeError(f"module must build a torch.nn.Module, got {type(built).__name__} from {name}.")
    return built


def _call(module, arguments, hidden, n_classes):
    """Call a module's class or factory, with those of the arguments `hidden` that what it calls takes."""
    try:
        return module(**arguments, **hidden)
    except TypeError as error:
        refused = [name for name in hidden if f"unexpected keyword argument '{name}'" in str(error)]
        if not refused:
            raise
    except ValueError as error:
        # torchvision's factories, where they load weights of a network for other classes.
        if "num_classes" not in hidden or "'num_classes' expected value" not in str(error):
            raise
        others = {name: value for name, value in hidden.items() if name != "num_classes"}
        return _with_new_head(_call(module, arguments, others, n_classes), n_classes)
    return _call(module, arguments, {key: value for key, value in hidden.items() if key not in refused}, n_classes)


def _with_new_head(module, n_classes):
    """A network with a last linear layer for other classes, its weights drawn anew; as it is where it has none."""
    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
    if layers:
        name, layer = layers[-1]
        place, _, own_name = name.rpartition(".")
        head = nn.Linear(layer.in_features, n_classes, bias=layer.bias is not None)
        setattr(module.get_submodule(place), own_name, head)
    return module


def _check_channels_first(shape, name, *, takes_option):
    """Refuse images that would silently train as many channels of few columns."""
    if shape[-1] > 4 or shape[0] <= 4:
        return
    option = "pass module__channels_last=True, or " if takes_option else ""
    raise ValueError(
        f"X must hold images of shape (channels, height, width) for {name}, got {tuple(shape)}, which looks like "
        f"channels last: {option}transpose them with X.transpose(0, 3, 1, 2). If these are {shape[0]} channels, say so "
        f"with module__in_channels or the module's own name for it."
    )


def check_is_tensor(logits, name):
    """Refuse a module that returns anything but one tensor, as some do in training alone."""
    if not isinstance(logits, torch.Tensor):
        raise ValueError(
            f"module {name} must return a tensor of logits, in training too (parts that answer in training alone have "
            f"a switch, as module__aux_logits=False of torchvision's), got {type(logits).__name__}."
        )


def check_has_derivative(logits, name):
    """Refuse logits from which no parameter can be learned: of a frozen module, or taken out of torch's graph.

    Raises
    ------
    ValueError
        If they have no derivative.
    """
    if not logits.requires_grad:
        raise ValueError(
            f"module {name} must return logits that depend on parameters to train, got some without a derivative: all "
            "parameters are frozen (requires_grad=False), or the logits go through detach or NumPy."
        )


def check_output(logits, n_rows, n_classes, name):
    """Refuse a module whose output is not one row of logits per example, as wide as there are classes."""
    check_is_tensor(logits, name)
    if logits.shape != (n_rows, n_classes):
        raise ValueError(
            f"module {name} must return logits of shape (n_samples, n_classes), here {(n_rows, n_classes)} for "
            f"{n_rows} examples and {n_classes} classes, got {tuple(logits.shape)}. If it takes the number of outputs "
            "under another name, pass it as module__<name>."
        )


def warn_of_probabilities(outputs, name):
    """Warn of outputs that are probabilities already, of which a softmax would be taken once more.

    Trained that way a network cannot become sure: of two classes the larger of softmax(probabilities) is at most .73.
    """
    outputs = outputs.detach().float()
    # One after the other: logits mostly end here with their first negative number.
    if outputs.shape[1] > 1 and bool((outputs >= 0).all()) and bool(((outputs.sum(1) - 1).abs() < 1e-3).all()):
        warn(
            f"module {name} seems to end in a softmax: its outputs for the first rows are probabilities. It must "
            "return logits, of which the loss and predict_proba take the softmax: leave the softmax at its end out.",
        )


def last_linear(module):
    """The last ``Linear`` of a module in order of definition, or None."""
    linear = [m for m in module.modules() if isinstance(m, nn.Linear)]
    return linear[-1] if linear else None


def twin(module):
    """A copy of a module that shares its parameters and buffers, and nothing else."""
    shared = itertools.chain(module.parameters(), module.buffers())
    return copy.deepcopy(module, {id(tensor): tensor for tensor in shared})


def input_of_last_linear(module, x):
    """What the last ``Linear`` receives when `module` is called with x, one row an example."""
    received = []
    handle = last_linear(module).register_forward_pre_hook(lambda _, args: received.append(args[0]))
    try:
        module(x)
    finally:
        handle.remove()
    return received[0].flatten(1)
