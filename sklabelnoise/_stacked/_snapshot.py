"""All that a stacked training changes, taken at the end of an epoch and put back."""

import numpy as np
import torch

from sklabelnoise.modules._draws import current_draws


def snapshot(epoch, network, optimizer, generators, log):
    """The state of a training of which `epoch` epochs are done, as tensors, numbers and text in dicts and lists."""
    draws = current_draws()
    return {
        "epoch": epoch,
        "tensors": {**network.parameters, **network.buffers},
        "moments": optimizer.moments,
        "orders": [generator.get_state() for generator in generators],
        "draws": {} if draws is None else {str(on): of.get_state() for on, of in draws.generators.items() if of},
        "log": {name: torch.from_numpy(getattr(log, name)) for name in ("loss", "accuracy", "lr")},
        "failures": [[fold, replica, reason] for (fold, replica), reason in log.failures.items()],
    }


def restore(state, network, optimizer, generators, log):
    """Put a snapshot back into a training that was set up as then; the number of its epochs that are done."""
    with torch.no_grad():
        for name, tensor in {**network.parameters, **network.buffers}.items():
            tensor.copy_(state["tensors"][name])
        for name, moments in optimizer.moments.items():
            for moment, then in zip(moments, state["moments"][name], strict=True):
                moment.copy_(then)
    for generator, then in zip(generators, state["orders"], strict=True):
        generator.set_state(then)
    draws = current_draws()
    for device, then in state["draws"].items():
        draws.on(device).set_state(then)
    for name, values in state["log"].items():
        np.copyto(getattr(log, name), values.numpy())
    log.failures.update({(fold, replica): reason for fold, replica, reason in state["failures"]})
    return state["epoch"]
