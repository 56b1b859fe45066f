"""The parameter `optimizer` and its arguments."""

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
        if argument.partition("__")[0] != "param_groups" and argument not in declared:
            raise ValueError(
                f"{name} must be an argument of {optimizer.__name__}, which takes {sorted(declared)}, got {argument!r}."
            )
    return params
