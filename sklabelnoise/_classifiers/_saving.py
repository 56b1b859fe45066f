"""Saving and loading of the classifiers."""

from functools import partial

import numpy as np
import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from skorch.history import History

from sklabelnoise import modules
from sklabelnoise._classifiers import _file_format
from sklabelnoise.modules import MLP
from sklabelnoise.training._device import resolve_device, seeded
from sklabelnoise.training._module import build_module, check_output
from sklabelnoise.training._preprocessing import ImageScaler

# Fitted attributes that are written as they are, where a classifier has them.
_SAVED_ATTRIBUTES = ("classes_", "n_features_in_", "feature_names_in_", "input_shape_", "transition_matrix_")
# The same of a classifier that chose its parameters and averages members.
_SAVED_OF_A_CHOICE = ("classes_", "n_features_in_", "feature_names_in_", "n_iter_", "lam_", "beta_")


class SavingMixin:
    """`save` and `load` of a classifier around a net."""

    def save(self, path):
        """Save the fitted classifier as one safetensors file, which can be loaded without executing anything.

        Parameters
        ----------
        path : str or path-like
            The file to write; its folder must exist. It is replaced at once, or left as it was.

        Raises
        ------
        TypeError
            If a parameter is a callable, a callback or another object without a name to store it by. A module that
            is not a class of this package is left out: pass it to `load`.
        FileNotFoundError
            If the folder does not exist.
        """
        check_is_fitted(self)
        header, tensors = self._to_saved()
        _file_format.write(path, self, header=header, tensors=tensors)

    def _saved_params(self):
        """Parameters, and whether the module is one that can be found by name."""
        params = self.get_params(deep=False)
        own_module = self.module is None or getattr(modules, getattr(self.module, "__name__", ""), None) is self.module
        if not own_module:
            params["module"] = None
        return {"params": params, "own_module": own_module}

    def _to_saved(self):
        header = {
            **self._saved_params(),
            "module_name": self.history_.attrs["module"],
            "fitted": {name: getattr(self, name) for name in _SAVED_ATTRIBUTES if hasattr(self, name)},
            "used": self.history_.attrs,
            "history": self.history_.to_dict("list"),
            "iteration": self.net_.iteration_,
            "has_scaler": self.net_.preprocess is not None,
        }
        # torch.compile wraps the module and renames its tensors.
        module = getattr(self.module_, "_orig_mod", self.module_)
        tensors = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
        tensors["label_quality"] = torch.from_numpy(self.label_quality_)
        if self.net_.preprocess is not None:
            tensors |= {f"scaler.{name}": tensor for name, tensor in self.net_.preprocess.state_dict().items()}
        return header, tensors

    @classmethod
    def load(cls, path, module=None):
        """Load a classifier that was saved by `save`.

        It predicts as the saved one did, on the device its parameter `device` names, or on the CPU where this machine
        has no such device. The state of the optimiser is not part of the file: training that goes on starts it anew.

        Parameters
        ----------
        path : str or path-like
            The file.

        module : torch.nn.Module, class or factory, default=None
            What the saved classifier had as `module`, where that was not a class of this package.

        Returns
        -------
        classifier : estimator
            A fitted classifier.

        Raises
        ------
        ValueError
            If the file is damaged, foreign or of another class, or its tensors do not fit the module.
        """
        header, tensors = _file_format.read(path, cls)
        try:
            return cls._from_saved(header, tensors, module)
        except (ValueError, *_file_format.WRONG_CONTENT) as error:
            raise ValueError(f"{str(path)!r} can't be loaded as a fitted {cls.__name__}: {error}") from error

    @classmethod
    def _with_saved_params(cls, header, module):
        if not header["own_module"] and module is None:
            raise ValueError(f"its module is {header['module_name']}, pass that class or factory as module=")
        params = {**header["params"], **({} if header["own_module"] else {"module": module})}
        self = cls(**params)
        self._validate_params()
        return self

    @classmethod
    def _from_saved(cls, header, tensors, module):
        self = cls._with_saved_params(header, module)
        vars(self).update({name: header["fitted"][name] for name in _SAVED_ATTRIBUTES if name in header["fitted"]})
        used, shape = header["used"], _checked_shape(self.input_shape_)
        if not isinstance(self.classes_, np.ndarray) or len(self.classes_) < 2:
            raise ValueError(f"its classes are {self.classes_!r}")
        on_cpu = str(self.device).startswith("cuda") and not torch.cuda.is_available()
        device = resolve_device("cpu" if on_cpu else self.device)
        dtype = torch.float64 if used["dtype"] == "float64" else torch.float32
        with seeded(used["seed"], device):
            state = _with_prefix(tensors, "module.")
            build = partial(
                build_module,
                MLP if self.module is None else self.module,
                self._params_for("module"),
                input_shape=shape,
                n_classes=len(self.classes_),
            )
            if header["own_module"]:
                # Without memory first: a file may claim any size.
                with torch.device("meta"):
                    sketch = build()
                    sketch.load_state_dict({name: tensor.to("meta") for name, tensor in state.items()}, assign=True)
                    check_output(sketch.eval()(torch.zeros(1, *shape, dtype=dtype)), 1, len(self.classes_), "saved")
            built = build().to(device, dtype)
            built.load_state_dict(state)
            scaler = None
            if header["has_scaler"]:
                scaler = ImageScaler.from_state(_with_prefix(tensors, "scaler.")).to(device)
            net = self._make_net(built, scaler, {**used, **self._training_parameters(built)}, device, used["seed"])
        net.iteration_ = int(header["iteration"])
        self.net_, self.input_shape_ = net, shape
        self.history_ = pd.DataFrame(header["history"])
        self.history_.attrs = used
        net.history_ = History(self.history_.to_dict("records"))
        self.n_iter_, self.loss_curve_ = len(self.history_), list(self.history_.get("train_loss", []))
        self.label_quality_ = tensors["label_quality"].numpy()
        return self


class MembersSavingMixin(SavingMixin):
    """`save` and `load` of a classifier that averages those in `estimators_`, which are of its `_member_class`."""

    def _to_saved(self):
        members = [member._to_saved() for member in self.estimators_]
        header = {
            **self._saved_params(),
            "module_name": members[0][0]["module_name"],
            "fitted": {name: getattr(self, name) for name in _SAVED_OF_A_CHOICE if hasattr(self, name)},
            "scores": self.scores_.to_dict("list"),
            "members": [of_member for of_member, _ in members],
        }
        tensors = {
            f"{number}.{name}": tensor for number, (_, own) in enumerate(members) for name, tensor in own.items()
        }
        tensors["label_quality"] = torch.from_numpy(self.label_quality_)
        return header, tensors

    @classmethod
    def _from_saved(cls, header, tensors, module):
        self = cls._with_saved_params(header, module)
        members = [
            cls._member_class._from_saved(of_member, _with_prefix(tensors, f"{number}."), module)
            for number, of_member in enumerate(header["members"])
        ]
        classes, shapes = header["fitted"]["classes_"], {member.input_shape_ for member in members}
        if len(shapes) != 1 or not all(np.isin(member.classes_, classes).all() for member in members):
            raise ValueError(f"its members do not fit each other: examples of the shapes {sorted(shapes)}")
        vars(self).update({name: header["fitted"][name] for name in _SAVED_OF_A_CHOICE if name in header["fitted"]})
        self.estimators_ = members
        self.scores_ = pd.DataFrame(header["scores"])
        self.label_quality_ = tensors["label_quality"].numpy()
        return self


def _checked_shape(shape):
    if not isinstance(shape, tuple) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f"its examples have the shape {shape!r}")
    return shape


def _with_prefix(tensors, prefix):
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
