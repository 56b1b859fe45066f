"""Fitted classifiers as a header and tensors, and back: what a file of `save` holds."""

import numpy as np
import pandas as pd
import torch
from skorch.history import History

from sklabelnoise.modules._draws import seeded
from sklabelnoise.training._building import takes_channels_last
from sklabelnoise.training._device import resolve_device
from sklabelnoise.training._module import check_output, uncompiled
from sklabelnoise.training._preprocessing import ImageScaler
from sklabelnoise.training._training_defaults import training_parameters


def net_to_saved(classifier):
    """Header and tensors of a fitted classifier around one net."""
    net = classifier.net_
    header = {
        **classifier._saved_params(),
        "module_name": classifier.history_.attrs["module"],
        "used": classifier.history_.attrs,
        "history": classifier.history_.to_dict("list"),
        "iteration": net.iteration_,
        "has_scaler": net.preprocess is not None,
        "white": None if net.preprocess is None else net.preprocess.white,
    }
    # torch.compile wraps the module and renames its tensors.
    module = uncompiled(net.module_)
    tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    tensors["label_quality"] = torch.from_numpy(classifier.label_quality_)
    if net.preprocess is not None:
        tensors |= {f"scaler.{name}": tensor for name, tensor in net.preprocess.state_dict().items()}
    return header, tensors


def net_from_saved(classifier, header, tensors):
    """Make `classifier`, which has its parameters and plain attributes, what :func:`net_to_saved` took apart."""
    used, shape = header["used"], _checked_shape(classifier.input_shape_)
    classes = classifier.classes_
    if not isinstance(classes, np.ndarray) or len(classes) < 2:
        raise ValueError(f"it must have at least 2 classes, got {classes!r}")
    device = _device_to_load_on(classifier)
    dtype = torch.float64 if used["dtype"] == "float64" else torch.float32
    builder = classifier._net_builder()
    with seeded(used["seed"]):
        state = _with_prefix(tensors, "module.")
        if header["own_module"]:
            # Without memory first: a file may claim any size.
            with torch.device("meta"):
                sketch = builder.build_module(shape, len(classes))
                uncompiled(sketch).load_state_dict(
                    {name: tensor.to("meta") for name, tensor in state.items()}, assign=True
                )
                check_output(sketch.eval()(torch.zeros(1, *shape, dtype=dtype)), 1, len(classes), "saved")
        built = builder.build_module(shape, len(classes)).to(device, dtype)
        uncompiled(built).load_state_dict(state)
        built.eval()
        scaler = None
        if header["has_scaler"]:
            # Files of earlier versions have no white.
            scaler = ImageScaler.from_state(_with_prefix(tensors, "scaler."), header.get("white")).to(device)
        now = {**used, **training_parameters(built, builder.training)}
        net = builder.wrap(built, scaler, now, device, used["seed"])
    net.iteration_ = int(header["iteration"])
    classifier.net_ = net
    classifier._built_with = classifier._network_params()
    classifier.history_ = pd.DataFrame(header["history"])
    classifier.history_.attrs = classifier._training_used = used
    net.history_ = History(classifier.history_.to_dict("records"))
    classifier.n_iter_ = len(classifier.history_)
    classifier.loss_curve_ = list(classifier.history_.get("train_loss", []))
    classifier._label_quality = tensors["label_quality"].numpy()
    return classifier


def check_net(classifier, net, used):
    """Make the net that :func:`net_from_saved` would, of parameters without numbers: what it refuses is refused here.

    The module itself is neither built anew, which may take what is no longer there, nor copied, which some refuse.

    Parameters
    ----------
    classifier : estimator
        With the parameters that are to be saved, which may have been set since the fit.
    net : NoisyLabelNet
        Fitted.
    used : dict
        What it was trained with.
    """
    _device_to_load_on(classifier)
    builder, module = classifier._net_builder(), uncompiled(net.module_)
    now = {**used, **training_parameters(module, builder.training)}
    outline = _outline(module)
    outline.channels_last = takes_channels_last(module)
    with seeded(used["seed"]):
        builder.wrap(outline, None, now, torch.device("cpu"), used["seed"])


def _outline(module):
    """Parameters of a module by their names, without numbers."""
    outline = torch.nn.Module()
    for name, parameter in module.named_parameters(recurse=False):
        without = torch.empty(0, dtype=parameter.dtype)
        outline.register_parameter(name, torch.nn.Parameter(without, requires_grad=parameter.requires_grad))
    for name, child in module.named_children():
        outline.add_module(name, _outline(child))
    return outline


def _device_to_load_on(classifier):
    on_cpu = str(classifier.device).startswith("cuda") and not torch.cuda.is_available()
    return resolve_device("cpu" if on_cpu else classifier.device)


def members_to_saved(classifier):
    """Header and tensors of a fitted classifier that averages those in `estimators_`."""
    members = [member._to_saved() for member in classifier.estimators_]
    header = {
        **classifier._saved_params(),
        "module_name": members[0][0]["module_name"],
        "scores": classifier.scores_.to_dict("list"),
        "members": [of_member for of_member, _ in members],
    }
    tensors = {f"{number}.{name}": tensor for number, (_, own) in enumerate(members) for name, tensor in own.items()}
    tensors["label_quality"] = torch.from_numpy(classifier.label_quality_)
    return header, tensors


def members_from_saved(classifier, header, tensors, member_class, module):
    """Make `classifier` the one that :func:`members_to_saved` took apart; its members are of `member_class`."""
    members = [
        member_class._from_saved(of_member, _with_prefix(tensors, f"{number}."), module)
        for number, of_member in enumerate(header["members"])
    ]
    shapes = {member.input_shape_ for member in members}
    if len(shapes) != 1 or not all(np.isin(member.classes_, classifier.classes_).all() for member in members):
        raise ValueError(f"its members must take examples of one shape and know its classes, got {sorted(shapes)}")
    classifier.estimators_ = members
    classifier.scores_ = pd.DataFrame(header["scores"])
    classifier._label_quality = tensors["label_quality"].numpy()
    return classifier


def _checked_shape(shape):
    if not isinstance(shape, tuple) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f"its examples must have a shape of positive integers, got {shape!r}")
    return shape


def _with_prefix(tensors, prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
