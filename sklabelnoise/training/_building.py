"""Turning the parameters of a classifier into a net that is ready to train."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from skorch.callbacks import Callback, InputShapeSetter, LRScheduler

from sklabelnoise.modules._draws import captured, may_draw
from sklabelnoise.training._augmentation import resolve_augmentation
from sklabelnoise.training._batches import DatasetData, TensorData
from sklabelnoise.training._early_stopping import early_stopping
from sklabelnoise.training._failures import is_out_of_memory
from sklabelnoise.training._module import build_module, check_output, uncompiled, warn_of_probabilities
from sklabelnoise.training._net import NoisyLabelNet
from sklabelnoise.training._optimizer import (
    check_learning_rate,
    check_param_groups,
    optimizer_params,
    resolve_optimizer,
    take_options,
    takes_fused_step,
)
from sklabelnoise.training._preprocessing import ImageScaler
from sklabelnoise.training._schedules import make_schedule
from sklabelnoise.training._training_defaults import training_parameters

# Parameters of skorch's net that pass through it as they are.
_OF_SKORCH = ("iterator_train__", "iterator_valid__", "callbacks__")


@dataclass(frozen=True, eq=False)
class NetBuilder:
    """Makes the nets of one classifier.

    Attributes
    ----------
    module : torch.nn.Module, class or factory
        As the parameter of the classifiers.
    module_params : dict
        Arguments of the module.
    training : dict
        The user's choice for `TRAINING_PARAMETERS` (None for none), and arguments of the optimizer.
    skorch_params : dict
        skorch's parameters of iterators and callbacks.
    switches : dict of str
        Those of "amp", "compile", "channels_last" and "accelerator" that are on, with their values.
    make_criterion : callable
        Gives a fresh criterion.
    callbacks : list
        skorch's callbacks, or pairs of a name and one.
    patience : int or None
        Epochs that early stopping waits for a better accuracy, None for no early stopping.
    """

    module: object
    module_params: dict
    training: dict
    skorch_params: dict
    switches: dict
    make_criterion: Callable
    callbacks: list
    patience: int | None

    def build(self, tensors, data, device, seed):
        """A fresh, initialized net for some data.

        Parameters
        ----------
        tensors : TensorData or DatasetData
            Rows to train on, on the device.
        data : TrainingSet
            Says what they are.
        device : torch.device
            Where to.
        seed : int
            Of the net's orders; weights are drawn from torch's generator as it stands.

        Returns
        -------
        net : NoisyLabelNet
        used : dict
            The training parameters, and what else is worth noting of the training.
        """
        module = self.build_module(data.input_shape, len(data.classes))
        channels_last = torch.channels_last if "channels_last" in self.switches else None
        module = module.to(device, data.torch_dtype, memory_format=channels_last)
        preprocess = _image_scaler(tensors, module, data.torch_dtype)
        if isinstance(tensors, DatasetData):
            tensors.collate = self.skorch_params.get("iterator_train__collate_fn") or tensors.collate
        _check_module(module, preprocess, tensors, len(data.classes))
        used = training_parameters(module, self.training)
        net = self.wrap(module, preprocess, used, device, seed)
        net.classes_ = np.arange(len(data.classes))  # scorers in skorch's callbacks ask for them
        net.label_names_, net.feature_names_ = data.classes, data.feature_names
        described = {
            "optimizer": _qualified_name(type(net.optimizer_)),
            "module": _qualified_name(type(uncompiled(module))),
            "device": str(device),
            "dtype": str(data.torch_dtype).removeprefix("torch."),
            "seed": seed,
        }
        return net, {**used, **described}

    def build_module(self, input_shape, n_classes):
        """The module for examples of a shape and a number of classes, with weights from torch's generator."""
        return build_module(self.module, self.module_params, input_shape=input_shape, n_classes=n_classes)

    def wrap(self, module, preprocess, used, device, seed):
        """An initialized net around a module that is ready on its device."""
        check_learning_rate(used["lr"], next(module.parameters()).dtype)
        optimizer = resolve_optimizer(used["optimizer"])
        of_optimizer = optimizer_params(optimizer, used)
        check_param_groups(of_optimizer.get("optimizer__param_groups", ()), optimizer, _names(module))
        if takes_fused_step(optimizer, of_optimizer, module, device):
            of_optimizer["optimizer__fused"] = True
        net = NoisyLabelNet(
            module,
            self.make_criterion(),
            seed=seed,
            optimizer=optimizer,
            lr=used["lr"],
            max_epochs=used["max_epochs"],
            batch_size=used["batch_size"],
            lr_schedule=make_schedule(used["lr_schedule"]),
            augment=_augmentation(used, module),
            preprocess=preprocess,
            amp=self.switches.get("amp", False),
            compile="compile" in self.switches,
            callbacks=self._all_callbacks(used),
            device=device,
            **of_optimizer,
            **self.skorch_params,
        )
        net.initialize()
        self._check_callback_params(net)
        return net

    def _check_callback_params(self, net):
        """Refuse parameters of callbacks that are not there, which skorch passes over in silence."""
        known = sorted(name for name, _ in net.callbacks_)
        for param, value in self.skorch_params.items():
            prefix, _, rest = param.partition("__")
            # None takes a callback away.
            if prefix == "callbacks" and rest.partition("__")[0] not in known and value is not None:
                raise ValueError(f"{param} must name a callback among {known}, got {value!r} for none of them.")

    def continue_with(self, net, before, device):
        """Give a fitted net the parameters as they are now; weights and the optimizer's state stay.

        Parameters
        ----------
        net : NoisyLabelNet
            Changed in place.
        before : dict
            What it was trained with.
        device : torch.device
            Where to go on.

        Returns
        -------
        net : NoisyLabelNet
        used : dict
        """
        used = {**before, **training_parameters(net.module_, self.training)}
        check_learning_rate(used["lr"], net.dtype)
        optimizer = resolve_optimizer(used["optimizer"])
        used["optimizer"] = _qualified_name(optimizer)
        if optimizer is not type(net.optimizer_):
            raise ValueError(
                f"Training can't go on with another optimizer: it was {before['optimizer']}, got {used['optimizer']}."
            )
        net.max_epochs, net.batch_size = used["max_epochs"], used["batch_size"]
        net.lr_schedule = make_schedule(used["lr_schedule"])
        net.augment = _augmentation(used, net.module_)
        of_optimizer = optimizer_params(optimizer, used)
        check_param_groups(of_optimizer.get("optimizer__param_groups", ()), optimizer, _names(net.module_))
        take_options(net, of_optimizer, used["lr"])
        net.base_lrs_ = [group["lr"] for group in net.optimizer_.param_groups]
        net.criterion_ = self.make_criterion()
        net.amp = self.switches.get("amp", False)
        net.use_device(device)
        used["device"] = str(device)
        for name in [name for name in vars(net) if name.startswith(_OF_SKORCH)]:
            delattr(net, name)
        vars(net).update(self.skorch_params)
        net.callbacks = self._all_callbacks(used)
        net.initialize_callbacks()
        self._check_callback_params(net)
        return net, used

    def _all_callbacks(self, used):
        for callback in self.callbacks:
            named = callback[1] if isinstance(callback, tuple) and len(callback) == 2 else callback
            if not (issubclass(named, Callback) if isinstance(named, type) else isinstance(named, Callback)):
                raise TypeError(
                    f"callbacks must hold skorch callbacks, or pairs of a name and a callback, got {callback!r}."
                )
            kind = named if isinstance(named, type) else type(named)
            if issubclass(kind, LRScheduler) and used["lr_schedule"] != "constant":
                raise ValueError(
                    "callbacks must not set the learning rate beside lr_schedule, which sets it in every iteration: "
                    f"pass lr_schedule='constant' with skorch's LRScheduler, got {used['lr_schedule']!r}."
                )
            if issubclass(kind, InputShapeSetter):
                raise ValueError(
                    "callbacks must not size the network, which is built for X: what its class or factory names "
                    f"n_features or in_features is filled in, any other argument is set as module__, got {callback!r}."
                )
        return self.callbacks if self.patience is None else [*self.callbacks, early_stopping(self.patience)]


def plain(value):
    """A parameter with the numbers of numpy, of which torch does not take all, as those of Python."""
    if isinstance(value, np.generic):
        return value.item()
    if type(value) is dict:
        return {key: plain(item) for key, item in value.items()}
    return type(value)(map(plain, value)) if type(value) in (list, tuple) else value


def takes_channels_last(module):
    """Whether a module says that its images are (height, width, channels)."""
    return bool(getattr(module, "channels_last", False))


def _qualified_name(kind):
    return f"{kind.__module__}.{kind.__qualname__}"


def _names(module):
    return [name for name, _ in module.named_parameters()]


def _augmentation(used, module):
    return resolve_augmentation(used["augment"] or None, channels_last=takes_channels_last(module))


def _image_scaler(tensors, module, dtype):
    """Normalization by the training statistics, for images only."""
    if not isinstance(tensors, TensorData) or tensors.X.ndim != 4:
        return None
    scaler = ImageScaler.from_images(tensors.X, channels_last=takes_channels_last(module), dtype=dtype)
    return scaler.to(tensors.device)


def _check_module(module, preprocess, tensors, n_classes):
    """Run the module once, on two rows: it must give logits for every class. Lazy layers take their sizes here."""
    x = tensors.rows(np.arange(min(2, len(tensors))))
    x = x if preprocess is None else preprocess(x)
    module.eval()
    try:
        with torch.no_grad(), captured(may_draw(module)):
            logits = module(x)
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        of_items = (
            f" Items of a Dataset reach the module in their own type, here {x.dtype}: make floats of them there, if "
            "they are no numbers of tokens."
        )
        raise ValueError(
            f"module must take inputs of shape {tuple(x.shape[1:])}, got {type(module).__name__}, which can't: {error}"
            f"{'' if x.is_floating_point() else of_items}"
        ) from error
    if next(module.parameters(), None) is None:
        raise ValueError(f"module must have parameters to train, got {type(module).__name__} without any.")
    check_output(logits, len(x), n_classes, type(module).__name__)
    warn_of_probabilities(logits, type(module).__name__)
