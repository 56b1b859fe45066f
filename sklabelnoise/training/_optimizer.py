"""The parameter `optimizer` and its arguments."""

import fnmatch
import functools
import inspect

import torch

from sklabelnoise._compat import fused_adam_stepped, fused_optimizer_devices, unrecorded_step

# Those of torch whose step is one operation where it is told so, and the arguments by which a user says otherwise.
WITH_FUSED_STEP = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
_WAYS_OF_STEPPING = ("optimizer__fused", "optimizer__foreach", "optimizer__capturable", "optimizer__differentiable")


def resolve_optimizer(optimizer):
    """The optimizer class that a name in ``torch.optim`` means; a class is returned as it is.

    Raises
    ------
    ValueError
        If ``torch.optim`` has no optimizer of that name.
    """
    if not isinstance(optimizer, str):
        return optimizer
    known = {n: o for n, o in vars(torch.optim).items() if isinstance(o, type) and issubclass(o, torch.optim.Optimizer)}
    if optimizer not in known:
        raise ValueError(f"optimizer must be a class or one of the names {sorted(known)}, got {optimizer!r}.")
    return known[optimizer]


def check_learning_rate(lr, dtype):
    """Refuse a learning rate that the type of the parameters can't hold, at which a step of torch breaks.

    Raises
    ------
    ValueError
        If it is larger than that.
    """
    largest = torch.finfo(dtype).max
    if lr > largest:
        raise ValueError(
            f"lr must be at most {largest:.3g} for a network in {str(dtype).removeprefix('torch.')}, got {lr:g}."
        )


@functools.lru_cache(maxsize=16)
def _declared(function):
    """The parameters of a function or class; to read them takes as long as a step of a small network."""
    return inspect.signature(function).parameters


def takes_weight_decay(optimizer):
    """Whether an optimizer class has weight decay; LBFGS has none."""
    return "weight_decay" in _declared(optimizer)


def requires_closure(optimizer):
    """Whether ``optimizer.step`` can't be called without a closure, as LBFGS's."""
    # A schedule of torch's wraps the step of one optimizer.
    parameters = (
        inspect.signature(optimizer.step).parameters if "step" in vars(optimizer) else _declared(type(optimizer).step)
    )
    closure = parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def clear_gradients(optimizer):
    """As ``optimizer.zero_grad()``, without its record for a profiler."""
    if type(optimizer).zero_grad is not torch.optim.Optimizer.zero_grad or "zero_grad" in vars(optimizer):
        optimizer.zero_grad()
        return
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def take_step(optimizer):
    """As ``optimizer.step()``, without a record for a profiler that is not there and what else takes time."""
    step = unrecorded_step(optimizer)
    if step is None:
        optimizer.step()
    elif not fused_adam_stepped(optimizer):
        step(optimizer)


def takes_fused_step(optimizer, params, module, device):
    """Whether an optimizer class can step on a module in one operation, and `params` leave the choice open."""
    return (
        optimizer in WITH_FUSED_STEP
        and torch.device(device).type in fused_optimizer_devices()
        and params.keys().isdisjoint(_WAYS_OF_STEPPING)
        and all(p.is_floating_point() for p in module.parameters())
        # gradients of sparse embeddings are sparse
        and not any(getattr(layer, "sparse", False) for layer in module.modules())
    )


def optimizer_params(optimizer, used):
    """Arguments of skorch's net for this optimizer, from the training parameters `used`.

    Raises
    ------
    ValueError
        If the optimizer does not take an argument it was given.
    """
    declared = _declared(optimizer)
    params = {name: value for name, value in used.items() if name.startswith("optimizer__")}
    if used["weight_decay"] or takes_weight_decay(optimizer):
        params.setdefault("optimizer__weight_decay", used["weight_decay"])
    for name in params:
        argument = name.removeprefix("optimizer__")
        if argument != "param_groups" and argument not in declared:
            raise ValueError(
                f"{name} must be an argument of {optimizer.__name__}, which takes {sorted(declared)}, got {argument!r}."
            )
    return params


def check_param_groups(groups, optimizer, names):
    """Refuse groups of parameters that skorch would pass over in silence, or can't read.

    Parameters
    ----------
    groups : list of (str, dict)
        Patterns of names of parameters, and the arguments of the optimizer for those.
    optimizer : type
    names : list of str
        Those of all parameters.

    Raises
    ------
    ValueError
        If a group is no such pair, has an argument that the optimizer does not take, or no parameter.
    """
    declared, names = _declared(optimizer), set(names)
    if not isinstance(groups, list | tuple):
        raise ValueError(f"optimizer__param_groups must be a list of pairs (pattern, arguments), got {groups!r}.")
    for group in groups:
        pair = tuple(group) if isinstance(group, list | tuple) else ()
        if len(pair) != 2 or not isinstance(pair[0], str) or not isinstance(pair[1], dict):
            raise ValueError(
                "optimizer__param_groups must hold pairs of a pattern of names of parameters and a dict, got "
                f"{group!r}."
            )
        unknown = [argument for argument in pair[1] if argument not in declared]
        if unknown:
            raise ValueError(
                f"optimizer__param_groups must have arguments of {optimizer.__name__}, which takes {sorted(declared)}, "
                f"got {unknown[0]!r} for {pair[0]!r}."
            )
        found = {name for name in names if fnmatch.fnmatch(name, pair[0])}
        if not found:
            raise ValueError(
                f"optimizer__param_groups must have patterns that match names of parameters, got {pair[0]!r}, which "
                f"none of {sorted(names)} is left for."
            )
        names -= found  # the first group that a parameter fits has it


def take_options(net, options, lr):
    """Give the optimizer of a net that goes on its arguments as they are now, those of a group apart above them.

    Parameters
    ----------
    net : NoisyLabelNet
    options : dict
        skorch's arguments (``optimizer__...``).
    lr : float

    Raises
    ------
    ValueError
        If parameters were to come into other groups.
    """
    net.lr = lr
    vars(net).update(options)
    (groups,), common = net.get_params_for_optimizer("optimizer", net.get_all_learnable_params())
    before = net.optimizer_.param_groups
    if _members(groups) != _members(before):
        raise ValueError(
            "Training can't go on with other groups of parameters: optimizer__param_groups must have the same "
            f"patterns, got {options.get('optimizer__param_groups')!r}."
        )
    for group, own in zip(before, groups, strict=True):
        group.update({**common, **own})
    # A copy of an optimizer has its groups and its state alone; LBFGS keeps its parameters beside them.
    whole = vars(net.optimizer(groups, **common))
    vars(net.optimizer_).update({name: whole[name] for name in whole.keys() - vars(net.optimizer_).keys()})


def _members(groups):
    return [[id(parameter) for parameter in group["params"]] for group in groups]
