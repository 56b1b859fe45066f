"""Classifiers around networks: parameters, those with a prefix such as ``module__`` included, and files."""

from __future__ import annotations

import difflib
import inspect
import os
from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Self

import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch.utils.data import Dataset

from sklabelnoise import modules
from sklabelnoise._classifiers import _file_format
from sklabelnoise._classifiers._logits_classifier import LogitsClassifier
from sklabelnoise._classifiers._parameters import SWITCHES
from sklabelnoise._foundation._types import Estimator
from sklabelnoise._stacked._equality import same
from sklabelnoise.modules import MLP
from sklabelnoise.training._building import plain
from sklabelnoise.training._callers_torch import callers_torch_aside
from sklabelnoise.training._device import resolve_device
from sklabelnoise.training._optimizer import resolve_optimizer
from sklabelnoise.training._scales import warn_of_other_scale
from sklabelnoise.training._training_set import check_inputs, check_training_set

# What parameters are called in scikit-learn's MLPClassifier and HistGradientBoostingClassifier.
_OF_SCIKIT_LEARN = {
    "alpha": "weight_decay",
    "hidden_layer_sizes": "module__hidden",
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "max_iter": "max_epochs",
    "solver": "optimizer",
}
# skorch's parameters that are not taken, and what takes their place.
_INSTEAD_OF_SKORCHS = {
    "classes": "classes are those of y, and partial_fit takes them as classes",
    "criterion": "the loss belongs to the classifier: RobustLossClassifier takes any as loss, its arguments as loss__",
    "dataset": "X may be a torch Dataset",
    "iterator_train": "options of a DataLoader are set one by one, as iterator_train__num_workers where X is a Dataset",
    "iterator_valid": "options of a DataLoader are set one by one, as iterator_valid__num_workers where X is a Dataset",
    "predict_nonlinearity": "modules return logits, of which predict_proba takes the softmax",
    "train_split": "early_stopping=True holds rows out, or X_val and y_val in fit",
    "use_caching": "a callback that scores has it, set as callbacks__name__use_caching",
}


@lru_cache(maxsize=64)
def _names_in_signature(cls):
    """What scikit-learn reads from the constructor of a class, for which it takes as long as a step of training."""
    return tuple(super(NetClassifier, cls)._get_param_names())


class NetClassifier(LogitsClassifier):
    """A classifier around one or several nets, with the parameters of a net.

    skorch's parameters with a prefix, ``**net_params``, are kept in a private dict and are parameters like any other.
    A final class writes its signature out, calls `_store` with ``locals()`` in its constructor, and defines
    `_to_saved` and `_from_saved` beside `fit` and `_forward`.
    """

    # Prefixes of skorch's dunder parameters.
    _net_prefixes = ("module", "optimizer", "iterator_train", "iterator_valid", "callbacks")
    # Fitted attributes that are saved as they are, where there are some.
    _saved_attributes = ("classes_", "n_features_in_", "feature_names_in_")

    # Parameters

    def _store(self, given):
        """Set the parameters a constructor was called with, its local variables.

        What was given is stored, not what the class names: a subclass has parameters of its own, and sets them itself.
        """
        own = {name: value for name, value in given.items() if name not in ("self", "__class__", "net_params")}
        vars(self).update(own)
        for name in given["net_params"]:
            self._check_net_param(name, TypeError)
        self._net_params = given["net_params"]

    def _check_net_param(self, name, error):
        prefix, delimiter, suffix = name.partition("__")
        # scikit-learn's common checks pass every name of the signature, that of the catch-all too; `fit` refuses it.
        if name in (*SWITCHES, "net_params") or (prefix in self._net_prefixes and delimiter and suffix):
            return
        hint = _INSTEAD_OF_SKORCHS.get(prefix)
        if hint is None and (nearest := self._nearest_param(name)) is not None:
            hint = f"the nearest is {nearest!r}"
        prefixes = ", ".join(f"{prefix}__" for prefix in self._net_prefixes)
        raise error(
            f"{type(self).__name__} has no parameter {name!r}{'' if hint is None else f'; {hint}'}. "
            f"Parameters of the parts of the net carry one of the prefixes {prefixes}."
        )

    def _nearest_param(self, name):
        """The parameter most like a misspelt one, also where only its prefix was left out (hidden, momentum).

        None where there is none that is like it.
        """
        known = self._known_net_params()
        spellings = {param.partition("__")[2]: param for param in reversed(known)} | {param: param for param in known}
        spellings |= _OF_SCIKIT_LEARN | {param: param for param in (*self._get_param_names(), *SWITCHES)}
        near = difflib.get_close_matches(name, spellings, n=1, cutoff=0.5)
        return spellings[near[0]] if near else None

    def _known_net_params(self):
        """Names with a prefix that mean something, as far as they are known before fitting."""
        known = ["iterator_train__drop_last", "iterator_train__num_workers", "iterator_valid__num_workers"]
        # Called from the constructor, which accepts anything: what has no signature adds no names.
        with suppress(TypeError, ValueError):
            module = MLP if self.module is None else self.module
            known += [f"module__{argument}" for argument in inspect.signature(module).parameters]
        with suppress(TypeError, ValueError):
            optimizer = resolve_optimizer(self.optimizer or MLP.training_defaults["optimizer"])
            known += [f"optimizer__{argument}" for argument in inspect.signature(optimizer).parameters]
        known += [f"optimizer__{argument}" for argument in inspect.signature(torch.optim.SGD).parameters]
        return known

    @classmethod
    def _get_param_names(cls):
        return list(_names_in_signature(cls))

    def get_params(self, deep: bool = True) -> dict[Any, Any]:
        """Get the parameters, those in `net_params` included.

        Parameters
        ----------
        deep : bool, default=True
            For scikit-learn's interface; no parameter is an estimator with parameters of its own.

        Returns
        -------
        params : dict
            Parameter names and values.
        """
        own = {name: getattr(self, name) for name in self._get_param_names()}
        return {**own, **self._net_params}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those in `net_params` included.

        Parameters
        ----------
        **params : dict
            Parameter names and values.

        Returns
        -------
        self : estimator
        """
        own = self._get_param_names()
        for name in params:
            if name not in own:
                self._check_net_param(name, ValueError)
        for name, value in params.items():
            if name in own:
                setattr(self, name, value)
            else:
                self._net_params = {**self._net_params, name: value}
        return self

    def _validate_params(self):
        super()._validate_params()
        if "net_params" in self._net_params:
            raise ValueError(
                "net_params is not a parameter itself: pass its items, as in module__hidden=(64,), got "
                f"{self._net_params['net_params']!r}."
            )

    def _params_for(self, prefix):
        """Parameters with this prefix, the prefix taken off."""
        start = f"{prefix}__"
        return {k.removeprefix(start): v for k, v in self._net_params.items() if k.startswith(start)}

    # Logits, and what is asked of the training rows later

    def _map_logits(self, X, function):
        check_is_fitted(self)
        return self._forward(check_inputs(self, X), function)

    @abstractmethod
    def _forward(self, X, function):
        """What `_map_logits` gives for validated rows."""

    def _keep_given(self, given):
        """Keep the training rows, a LabeledRows, until `label_quality_` is read."""
        vars(self).pop("_label_quality", None)
        self._given_rows = given

    @property
    def label_quality_(self) -> NDArray[Any]:
        """Probability that the fitted model gives to each given label of the training data; low values are suspect.

        It is computed when it is first read, or when the classifier is pickled; until then the classifier holds on to
        the rows it was fitted on.
        """
        check_is_fitted(self)
        given = vars(self).get("_given_rows")
        if given is not None:
            self._label_quality = self._probability_of_labels(given)
            # A file is as large as the model, and memory is free again.
            vars(self).pop("_given_rows", None)
        if not hasattr(self, "_label_quality"):
            raise AttributeError("label_quality_ could not be computed when the classifier was pickled; fit it again.")
        return self._label_quality

    def _probability_of_labels(self, given):
        done = 0

        def of_labels(logits):
            nonlocal done
            labels = torch.from_numpy(given.labels[done : done + len(logits)]).to(logits.device)
            done += len(logits)
            return logits.softmax(dim=1).gather(1, labels[:, None])[:, 0]

        return self._forward(given.taken(), of_labels)

    def __getstate__(self):
        if "_given_rows" in vars(self):
            with suppress(Exception):  # the network itself must not be lost for want of memory
                self.label_quality_  # noqa: B018
        state = dict(super().__getstate__())
        state.pop("_given_rows", None)
        return state

    def __setstate__(self, state):
        if "label_quality_" in state:  # pickled by version 0.1
            state["_label_quality"] = state.pop("label_quality_")
        super().__setstate__(state)

    # Data

    def _check_training_set(self, X, y, *args, **kwargs):
        """Rows and labels as `fit` takes them, see :func:`check_training_set`."""
        single = self.dtype == "float32" or resolve_device(self.device).type != "cpu"
        return check_training_set(self, X, y, *args, single=single, **kwargs)

    def _check_held_out(self, X_val, y_val, sample_weight_val, data):
        """Held-out rows as `fit` takes them beside a training set, a TrainingSet; None where there are none."""
        if X_val is None and y_val is None:
            if sample_weight_val is not None:
                raise ValueError("sample_weight_val must be passed with X_val and y_val, got it alone.")
            return None
        names = ("X_val", "y_val", "sample_weight_val")
        if X_val is None or (y_val is None and not isinstance(X_val, Dataset)):
            raise ValueError(f"X_val and y_val must be passed together, got only {names[y_val is not None]}.")
        known = (data.classes, data.input_shape)
        held_out = self._check_training_set(X_val, y_val, sample_weight_val, known=known, reset=False, names=names)
        warn_of_other_scale(data.X, held_out.X)
        return held_out

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # Files

    @abstractmethod
    def _to_saved(self):
        """What makes up the fitted classifier: a dict that JSON can express, and a dict of tensors."""

    @classmethod
    @abstractmethod
    def _from_saved(cls, header, tensors, module):
        """The fitted classifier that `_to_saved` took apart; `module` is what the user passed to `load`."""

    @abstractmethod
    def _made_with(self):
        """Parameters of the fitted network, whatever `set_params` was told since; a dict."""

    def _saved_params(self):
        """Parameters, fitted attributes, and whether the module is one that can be found by name."""
        params, made_with = self.get_params(deep=False), self._made_with()
        # Others describe no network that there is, and the saved one would not fit into theirs.
        params = {k: v for k, v in params.items() if k in made_with or not k.startswith("module__")}
        for name, value in made_with.items():
            if not same(plain(params.get(name, False)), plain(value)):
                params[name] = value
        module = params["module"]
        own_module = module is None or getattr(modules, getattr(module, "__name__", ""), None) is module
        if not own_module:
            params["module"] = None
        fitted = {name: getattr(self, name) for name in self._saved_attributes if hasattr(self, name)}
        return {"params": params, "own_module": own_module, "fitted": fitted}

    @classmethod
    def _with_saved_params(cls, header, module):
        """An object with the parameters and the fitted attributes that `_saved_params` wrote."""
        if not header["own_module"] and module is None:
            raise ValueError(f"its module is {header['module_name']}, pass that class or factory as module=, got None")
        named = header["params"]["module"]
        if header["own_module"] and module is not None and module is not named:
            expected = "None" if named is None else "None or that class"
            raise ValueError(
                f"its module is {header['module_name']}, which it names, module must be {expected}, got {module!r}"
            )
        params = {**header["params"], **({} if header["own_module"] else {"module": module})}
        self = cls(**params)
        self._validate_params()
        vars(self).update({name: header["fitted"][name] for name in cls._saved_attributes if name in header["fitted"]})
        return self

    def _check_saved(self, header):
        """Refuse parameters with which loading could not make the classifier; it gives one that has them."""
        return self._with_saved_params(header, None if header["own_module"] else self._made_with()["module"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the fitted classifier as one safetensors file, which can be loaded without executing anything.

        Parameters that were set since the fit are saved as they are now, but for those of the network (`module`,
        ``module__...``, `amp`, `compile` and `channels_last`): the file holds those that it was fitted with.

        Parameters
        ----------
        path : str or path-like
            The file to write; its folder must exist. It is replaced at once, or left as it was.

        Raises
        ------
        TypeError
            If a parameter is a callable, a callback or another object without a name to store it by. A module that
            is not a class of this package is left out: pass it to `load`.
        ValueError
            If a parameter was set since the fit to something that it must not be: `load` would refuse the file.
        FileNotFoundError
            If the folder does not exist.
        """
        check_is_fitted(self)
        header, tensors = self._to_saved()
        written = _file_format.expressed(header)
        try:
            with callers_torch_aside():
                self._check_saved(_file_format.read_back(written))
        except (ValueError, *_file_format.WRONG_CONTENT) as error:
            raise ValueError(
                f"{type(self).__name__} can't be saved with parameters as they are now, which `load` would not take, "
                f"got the error: {error}"
            ) from error
        _file_format.write(path, self, header=written, tensors=tensors)

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], module: torch.nn.Module | Callable[..., Any] | None = None
    ) -> Estimator:
        """Load a classifier that was saved by `save`.

        It predicts as the saved one did, on the device its parameter `device` names, or on the CPU where this machine
        has no such device. The state of the optimizer is not part of the file: training that goes on starts it anew.

        Parameters
        ----------
        path : str or path-like
            The file.

        module : torch.nn.Module, class or factory, default=None
            What the saved classifier had as `module`, where that was not a class of this package. Those the file
            names itself.

        Returns
        -------
        classifier : estimator
            A fitted classifier.

        Raises
        ------
        ValueError
            If the file is damaged, foreign or of another class, its tensors do not fit the module, or it names another
            one than the module that is given.
        """
        with callers_torch_aside():  # training may go on with it
            header, tensors = _file_format.read(path, cls)
            try:
                return cls._from_saved(header, tensors, module)
            except (ValueError, *_file_format.WRONG_CONTENT) as error:
                raise ValueError(f"{str(path)!r} can't be loaded as a fitted {cls.__name__}: {error}") from error
