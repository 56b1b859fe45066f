"""Turning the parameters of a classifier into a net that is ready to train."""

from functools import partial

import numpy as np
import torch
from skorch.callbacks import Callback, EarlyStopping
from torch.utils.data import Dataset

from sklabelnoise.modules import MLP
from sklabelnoise.training._augmentation import resolve_augmentation
from sklabelnoise.training._batches import DatasetData, TensorData
from sklabelnoise.training._callbacks import EpochProgressBar, SklearnTasks
from sklabelnoise.training._module import build_module, check_output
from sklabelnoise.training._net import NoisyLabelNet
from sklabelnoise.training._optimizer import optimizer_params, resolve_optimizer, takes_weight_decay
from sklabelnoise.training._preprocessing import ImageScaler
from sklabelnoise.training._schedules import make_schedule

# Parameters whose None means the module's own choice, see `training_defaults` of the modules.
_TRAINING_PARAMETERS = ("optimizer", "lr", "weight_decay", "max_epochs", "batch_size", "lr_schedule", "augment")


class NetBuildingMixin:
    """Builds the net of a classifier from its parameters and its data."""

    def _as_tensors(self, data, device):
        cls = DatasetData if isinstance(data.X, Dataset) else TensorData
        dtype = torch.float64 if data.dtype == np.float64 else torch.float32
        return cls(
            data.X,
            data.labels,
            soft_targets=data.soft_targets,
            sample_weight=data.sample_weight,
            device=device,
            dtype=dtype,
        )

    def _build_net(self, tensors, data, device, seed):
        """A fresh, initialised net for this data, and the training parameters it uses."""
        module = build_module(
            MLP if self.module is None else self.module,
            self._params_for("module"),
            input_shape=data.input_shape,
            n_classes=len(data.classes),
        )
        dtype = torch.float64 if data.dtype == np.float64 else torch.float32
        module = module.to(device, dtype, memory_format=torch.channels_last if self._switch("channels_last") else None)
        preprocess = self._image_scaler(tensors, module, dtype)
        self._check_module(module, preprocess, tensors, len(data.classes))
        used = self._training_parameters(module)
        described = {
            "module": f"{type(module).__module__}.{type(module).__qualname__}",
            "device": str(device),
            "dtype": str(dtype).removeprefix("torch."),
            "seed": seed,
        }
        net = self._make_net(module, preprocess, used, device, seed)
        optimizer = type(net.optimizer_)
        return net, {**used, "optimizer": f"{optimizer.__module__}.{optimizer.__qualname__}", **described}

    def _make_net(self, module, preprocess, used, device, seed):
        """An initialised net around a module that is ready on its device."""
        optimizer = resolve_optimizer(used["optimizer"])
        net = NoisyLabelNet(
            module,
            self._make_criterion(),
            seed=seed,
            optimizer=optimizer,
            lr=used["lr"],
            max_epochs=used["max_epochs"],
            batch_size=used["batch_size"],
            lr_schedule=make_schedule(used["lr_schedule"]),
            augment=self._augmentation(used, module),
            preprocess=preprocess,
            amp=self._switch("amp"),
            compile=self._switch("compile"),
            callbacks=self._callbacks(),
            device=device,
            **optimizer_params(optimizer, used),
            **{k: v for k, v in self._net_params.items() if k.startswith(("iterator_", "callbacks__"))},
        )
        return net.initialize()

    @staticmethod
    def _augmentation(used, module):
        return resolve_augmentation(used["augment"] or None, channels_last=takes_channels_last(module))

    def _continue_net(self, net):
        """Give a copy of the fitted net the parameters as they are now; weights and optimiser state stay."""
        used = {**self.history_.attrs, **self._training_parameters(net.module_)}
        optimizer = resolve_optimizer(used["optimizer"])
        used["optimizer"] = f"{optimizer.__module__}.{optimizer.__qualname__}"
        if optimizer is not type(net.optimizer_):
            raise ValueError(
                f"Training can't go on with another optimizer: it was {self.history_.attrs['optimizer']}, now it is "
                f"{used['optimizer']}."
            )
        net.max_epochs, net.batch_size = used["max_epochs"], used["batch_size"]
        net.lr_schedule = make_schedule(used["lr_schedule"])
        net.augment = self._augmentation(used, net.module_)
        net.base_lrs_ = [used["lr"]] * len(net.base_lrs_)
        options = {"optimizer__lr": used["lr"], **optimizer_params(optimizer, used)}
        for group in net.optimizer_.param_groups:
            group.update({name.removeprefix("optimizer__"): value for name, value in options.items()})
        net.criterion_ = self._make_criterion()
        net.callbacks = self._callbacks()
        net.initialize_callbacks()
        return net, used

    def _training_parameters(self, module):
        """What to train with: the user's choice, else the module's own, else the MLP's."""
        used = {**MLP.training_defaults, **getattr(module, "training_defaults", {})}
        if self.optimizer is not None:
            # Arguments meant for the module's own optimiser mean nothing to another.
            used = {k: v for k, v in used.items() if not k.startswith("optimizer__")}
        used.update({k: v for k in _TRAINING_PARAMETERS if (v := getattr(self, k)) is not None})
        used.update({k: v for k, v in self._net_params.items() if k.startswith("optimizer__")})
        if self.weight_decay is None and not takes_weight_decay(resolve_optimizer(used["optimizer"])):
            used["weight_decay"] = 0.0
        return used

    @staticmethod
    def _image_scaler(tensors, module, dtype):
        """Normalisation by the training statistics, for images only."""
        if not isinstance(tensors, TensorData) or tensors.X.ndim != 4:
            return None
        scaler = ImageScaler.from_images(tensors.X, channels_last=takes_channels_last(module), dtype=dtype)
        return scaler.to(tensors.device)

    def _callbacks(self):
        callbacks = list(self.callbacks or [])
        for callback in callbacks:
            named = callback[1] if isinstance(callback, tuple) and len(callback) == 2 else callback
            if not (issubclass(named, Callback) if isinstance(named, type) else isinstance(named, Callback)):
                raise TypeError(
                    f"callbacks must hold skorch callbacks, or pairs of a name and a callback, got {callback!r}."
                )
        if self.early_stopping:
            stop = EarlyStopping(
                monitor="valid_accuracy",
                patience=self.n_iter_no_change,
                lower_is_better=False,
                threshold=0,
                load_best=True,
                sink=_ignore,
            )
            callbacks.append(("early_stopping", stop))
        return callbacks

    def _observers(self, X, y, data, epochs):
        observers = []
        if self.verbose:
            observers.append(EpochProgressBar(epochs, type(self).__name__))
        if getattr(self, "_skl_callbacks", None) or hasattr(self, "_parent_callback_ctx"):
            context = self._init_callback_context(max_subtasks=epochs)
            observers.append(SklearnTasks(self, context, X, y, partial(self._prediction_attributes, data)))
        return observers

    @staticmethod
    def _prediction_attributes(data, net):
        """Fitted attributes that prediction needs."""
        return {"classes_": data.classes, "input_shape_": data.input_shape, "net_": net}

    @staticmethod
    def _check_module(module, preprocess, tensors, n_classes):
        """Run the module once, on two rows: it must give logits for every class. Lazy layers take their sizes here."""
        x = tensors.rows(np.arange(min(2, len(tensors))))
        x = x if preprocess is None else preprocess(x)
        module.eval()
        try:
            with torch.no_grad():
                logits = module(x)
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"module {type(module).__name__} can't take inputs of shape {tuple(x.shape[1:])}: {error}"
            ) from error
        check_output(logits, len(x), n_classes, type(module).__name__)


def takes_channels_last(module):
    return bool(getattr(module, "channels_last", False))


def _ignore(text):
    """A sink for skorch's messages."""
