"""The parameters that all classifiers share: what each may be, and what it means, side by side."""

import inspect
from numbers import Integral, Real
from typing import Any, NamedTuple, TypeVar

import torch
from torch import nn

from sklabelnoise._compat import Interval, StrOptions

Cls = TypeVar("Cls", bound=type[Any])


class Common(NamedTuple):
    """A shared parameter: its entry in ``_parameter_constraints``, and its entry in the section Parameters."""

    constraint: list
    wording: str


# In the order of the signatures, which are written out in each class; tests/_classifiers/test_parameters.py holds
# names, order, defaults, constraints and docstrings of all classes against this.
COMMON = {
    "module": Common(
        [nn.Module, callable, None],
        """torch.nn.Module, class or factory, default=None
        The network. None is an :class:`~sklabelnoise.modules.MLP` sized from X and y. A class or factory is called with
        the parameters given as ``module__...``; arguments it declares for the number of features (`n_features`,
        `in_features`), channels (`in_channels`) or classes (`n_classes`, `num_classes`, `out_features`) are filled in,
        `num_classes` also where factories of torchvision and timm hide it; with pretrained weights of torchvision the
        last layer is made anew. An instance is copied, and used as it is.""",
    ),
    "lr": Common(
        [Interval(Real, 0, None, closed="neither"), None],
        """float, default=None
        Learning rate. Here and below None means the module's own ``training_defaults``, and those of
        :class:`~sklabelnoise.modules.MLP` where it has none; what was used stands in ``history_.attrs``.""",
    ),
    "weight_decay": Common(
        [Interval(Real, 0, None, closed="left"), None],
        """float, default=None
        Weight decay of the optimizer.""",
    ),
    "max_epochs": Common(
        [Interval(Integral, 1, None, closed="left"), None],
        """int, default=None
        Number of passes over the training data.""",
    ),
    "batch_size": Common(
        [Interval(Integral, 1, None, closed="left"), None],
        """int, default=None
        Rows in a batch.""",
    ),
    "optimizer": Common(
        [str, callable, None],
        """str or class, default=None
        A ``torch.optim.Optimizer`` class or the name of one in ``torch.optim``; its arguments are set as
        ``optimizer__momentum=0.9``.""",
    ),
    "lr_schedule": Common(
        [str, dict, callable, None],
        """str, dict or callable, default=None
        Factor of the learning rate, set in every iteration: "constant", "cosine", "one-cycle", "inv", a dict with
        "name" and options such as ``{"name": "milestones", "milestones": [0.5, 0.75], "gamma": 0.1}`` (below 1 a
        milestone is a fraction of the iterations) or ``{"name": "cosine", "warmup": 0.05}``, or a callable of the
        training progress in [0, 1).""",
    ),
    "augment": Common(
        [str, list, callable, "boolean", None],
        """str, callable, list or False, default=None
        Augmentation of training batches on the device: "crop-flip", "cutout", their classes in
        :mod:`sklabelnoise.training` with parameters of your own (``CropFlip(padding=2, flip=False)``), a callable on
        (batch, generator), or a list of these; False for none.""",
    ),
    "class_weight": Common(
        [dict, StrOptions({"balanced"}), None],
        """dict or "balanced", default=None
        Weight of each class, multiplied into `sample_weight`; with `soft_labels`, each class's share of a row is
        multiplied by it. "balanced" weights classes inversely to their total weight.""",
    ),
    "early_stopping": Common(
        ["boolean"],
        """bool, default=False
        Stop when the accuracy on held-out rows, by their given labels, has not risen for `n_iter_no_change` epochs,
        and return to the best epoch. The rows are ``X_val, y_val`` of `fit`, else a stratified
        `validation_fraction`.""",
    ),
    "validation_fraction": Common(
        [Interval(Real, 0, 1, closed="neither")],
        """float, default=0.1
        Share of the training rows held out by early stopping.""",
    ),
    "n_iter_no_change": Common(
        [Interval(Integral, 1, None, closed="left")],
        """int, default=10
        Epochs without a better accuracy before training stops.""",
    ),
    "callbacks": Common(
        [list, None],
        """list of skorch.callbacks.Callback, default=None
        Called during training, as in skorch; a callback ends it by raising
        :class:`~sklabelnoise.training.StopTraining`. skorch's ``LRScheduler`` needs ``lr_schedule="constant"``, which
        leaves the learning rate to it.""",
    ),
    "on_interrupt": Common(
        [StrOptions({"raise", "keep"})],
        """{"raise", "keep"}, default="raise"
        What Ctrl-C does to a training. "raise" leaves `fit` with the ``KeyboardInterrupt``, and what was fitted before
        stays. "keep" ends the training with a warning and the network as it is then, which is for sessions by hand:
        what calls `fit` for you, such as ``cross_val_score``, would take a half-trained network for a whole one.""",
    ),
    "device": Common(
        [str, torch.device],
        """str or torch.device, default="auto"
        "auto" is CUDA where there is one, else the CPU.""",
    ),
    "dtype": Common(
        [StrOptions({"auto", "float32"})],
        """{"auto", "float32"}, default="auto"
        "auto" trains on float64 X in float64 on a CPU, as scikit-learn's MLPClassifier does, and on anything else in
        float32.""",
    ),
    "warm_start": Common(
        ["boolean"],
        """bool, default=False
        Let `fit` continue with the weights and the optimizer of the last call, and the parameters as they are now.""",
    ),
    "random_state": Common(
        ["random_state"],
        """int, RandomState instance or None, default=None
        Determines weights, dropout, the order of rows, augmentation and the held-out rows. An integer gives
        bit-identical results on one machine, thread count and set of versions. torch's and numpy's global generators
        are left as they were (None draws one seed from numpy's).""",
    ),
    "verbose": Common(
        ["verbose"],
        """int, default=0
        1 shows a progress bar with the time that remains: over the epochs, or over the fits where there are
        several.""",
    ),
}

# Switches of the net, which are given as keywords beside the parameters of its parts.
SWITCHES = {
    "accelerator": [StrOptions({"auto"}), None],
    "amp": ["boolean", StrOptions({"bfloat16", "float16"})],
    "channels_last": ["boolean"],
    "compile": ["boolean"],
}

_NET_PARAMS = """**net_params : dict
        skorch's parameters with the prefixes ``module__``, ``optimizer__``, ``iterator_train__``,
        ``iterator_valid__`` and ``callbacks__``, and the switches ``amp`` (autocast: True is "bfloat16", "float16"
        with a scaled loss on cards without it, and none on processors without it, which take many times as long),
        ``compile`` (torch.compile) and ``channels_last`` (memory format of images), which change results by
        rounding: after a few steps of a ResNet-20 probabilities differ by less than 0.05 under ``amp`` and 0.001
        under the others, and training amplifies that. ``accelerator="auto"`` lets the processes that ``torchrun`` or
        ``accelerate launch`` started train one network, each on its part of every batch. ``iterator_train__`` takes
        `drop_last`, `shuffle` and `batch_size`, and the options of a ``DataLoader``, such as `num_workers`, where X
        is a ``Dataset``; a `collate_fn`, here and in ``iterator_valid__``, joins pairs (x, number of the row) whose
        x have several lengths. All are parameters like any other in ``get_params``, ``set_params``, ``clone`` and
        searches."""

_ATTRIBUTES = """classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    n_features_in_ : int
        Number of features, or of channels of images.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had string column names.

    n_iter_ : int
        Number of epochs trained.

    loss_curve_ : list of float
        Training loss of each epoch.

    history_ : DataFrame
        One row an epoch: training loss, accuracy on the given labels, learning rate, seconds, the same for held-out
        rows where there are some, and what callbacks recorded. ``history_.attrs`` holds the training parameters used.

    net_ : skorch.NeuralNet
        The fitted net.

    module_ : torch.nn.Module
        The fitted module.

    label_quality_ : ndarray of shape (n_samples,)
        Probability that the fitted model gives to each given label of the training data; low values are suspect."""


def common_constraints(*, without=()):
    """Constraints of the shared parameters and of the switches."""
    constraints = {name: common.constraint for name, common in COMMON.items() if name not in without}
    return {**constraints, **SWITCHES}


def document_common(cls: Cls) -> Cls:
    """Fill the shared parameters and attributes into a class docstring, so that their wording stands once.

    Parameters that the class does not have are left out.
    """
    if cls.__doc__ is None:  # python -OO
        return cls
    entries = {name: f"{name} : {common.wording}" for name, common in COMMON.items()}
    module = entries.pop("module")
    own = inspect.signature(cls).parameters
    shared = "\n\n    ".join([*(entry for name, entry in entries.items() if name in own), _NET_PARAMS])
    indented = "\n    %(module)s" in cls.__doc__  # Python 3.13 takes the indentation off
    for mark, text in (("module", module), ("common_parameters", shared), ("common_attributes", _ATTRIBUTES)):
        cls.__doc__ = cls.__doc__.replace(f"%({mark})s", text if indented else text.replace("\n    ", "\n"))
    return cls
