"""Tables of the papers that train a network on CIFAR images under several kinds of noise with several methods.

A script states data, noise, methods and the published figures as an `ImageTable`; everything else is here. The size is
chosen with ``--scale``:

* ``paper``: all images, the network and the number of epochs of the paper. For a GPU.
* ``cpu``: 2,000 training and 1,000 test images, averaged down to 16 x 16 pixels, a network of three convolutions, 30
  epochs of batches of 64 without augmentation. Not the paper's table, but its regime: in so many steps cross entropy
  fits most of the wrong labels. That alone, cross entropy's fit, decided about augmentation, batch and epochs.
* ``tiny``: 200 images and 2 epochs, to see that a script runs.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from benchmarks.papers._runner import (
    beside_the_paper,
    command_line,
    frame_of,
    product_of,
    rows_path,
    run_jobs,
    use_shared_data,
)
from benchmarks.papers._small_network import SmallConvNet
from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise.datasets import fetch_cifar10, fetch_cifar100, fetch_cifar_n
from sklabelnoise.losses import BetaEmphasis
from sklabelnoise.modules import ResNet20
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
from sklabelnoise.training import LearningDynamics


@dataclass(frozen=True)
class Scale:
    """Images, their side in pixels, epochs, network, and further training parameters; None is what the paper has."""

    n_train: int | None = None
    n_test: int | None = None
    side: int | None = None
    max_epochs: int | None = None
    network: type | None = None
    training: dict = field(default_factory=dict)


SCALES = {
    "paper": Scale(),
    "cpu": Scale(2000, 1000, 16, 30, SmallConvNet, {"batch_size": 64, "augment": False, "channels_last": True}),
    "tiny": Scale(200, 100, None, 2, ResNet20),
}


@dataclass(frozen=True)
class Condition:
    """One column of a table.

    Parameters
    ----------
    noise : callable, default=None
        ``noise(data)`` returns the transition matrix; None leaves the labels as they are.
    training : dict, default={}
        Training parameters that this column changes.
    label_set : str, default=None
        In place of `noise`: the column of ``data.label_sets`` with the labels that people gave.
    """

    noise: Callable | None = None
    training: dict = field(default_factory=dict)
    label_set: str | None = None

    def given_labels(self, data, seed):
        """Training labels of this column."""
        if self.label_set is not None:
            return data.label_sets[self.label_set].to_numpy()
        if self.noise is None:
            return data.y_train
        noise = np.random.default_rng([seed, 1])
        return corrupt_labels(data.y_train, self.noise(data), random_state=int(noise.integers(2**31)))


def symmetric(rate, **training):
    """Column with symmetric noise, the true class excluded."""
    return Condition(lambda data: symmetric_transition_matrix(len(data.target_names), rate), training)


def loss(name, **parameters):
    """Row of a table: a loss by name."""
    return lambda training: RobustLossClassifier(**{"loss": name, **training, **parameters})


def dm(lam, beta, **parameters):
    """Row of a table: derivative manipulation."""
    return lambda training: DMClassifier(**{"lam": lam, "beta": beta, **training, **parameters})


def normalized(alpha, eta):
    """Row of a table: a loss by its emphasis, divided by the sum of the weights of a batch (-DN)."""
    return lambda training: DMClassifier(**{"emphasis": BetaEmphasis(float(alpha), float(eta)), **training})


def proselflc(**parameters):
    """Row of a table: ProSelfLC."""
    return lambda training: ProSelfLCClassifier(**training, **parameters)


def refined(make, **parameters):
    """Row of a table: another row inside the stochastic label refinery."""

    def make_refined(training):
        free = {name: value for name, value in training.items() if name != "callbacks"}
        return StochasticLabelRefinery(make(free), **parameters, random_state=training["random_state"])

    return make_refined


# The four losses of the DM paper, and the same with derivative normalisation.
COMMON_LOSSES = {"CCE": loss("cross_entropy"), "GCE": loss("gce"), "MAE": loss("mae"), "MSE": loss("mse")}
NORMALIZED_LOSSES = {
    "CCE-DN": normalized(1, 2), "GCE-DN": normalized(1.7, 2), "MAE-DN": normalized(2, 2), "MSE-DN": normalized(2, 3),
}  # fmt: skip


def in_table_order(rows, columns, text):
    """Published figures from lines of numbers, one line a row; a dash where the paper has none."""
    lines = [line.split() for line in text.strip().splitlines()]
    return {
        (row, column): value
        for row, values in zip(rows, lines, strict=True)
        for column, value in zip(columns, values, strict=True)
        if value != "-"
    }


@dataclass(frozen=True)
class ImageTable:
    """A table of a paper.

    Parameters
    ----------
    name : str
        Of the file of rows.
    document : str
        The script's docstring.
    dataset : {"cifar10", "cifar10n", "cifar100"}
        Where the images come from; "cifar10n" is CIFAR-10 with what people answered beside its labels.
    network : type
        The paper's, or what stands for it.
    training : dict
        Training parameters of the paper; those left out are the network's defaults.
    conditions : dict of str to Condition
        Columns.
    methods : dict of str to callable or dict
        Rows: a factory of the estimator from training parameters, or one for each condition.
    published : dict of (str, str) to str
        What the paper states for (row, column).
    measures : tuple of str, default=("final",)
        What the cells show, of those in `execute`.
    classes : tuple of str, default=()
        Names of the classes to keep; none for all.
    """

    name: str
    document: str
    dataset: str
    network: type
    training: dict
    conditions: dict
    methods: dict
    published: dict
    measures: tuple = ("final",)
    classes: tuple = ()

    def execute(self, scale, condition, method, seed):
        """Train one network; accuracies on clean test labels and on the training labels."""
        size = SCALES[scale]
        data = self.load(size, seed)
        column = self.conditions[condition]
        given = column.given_labels(data, seed)
        dynamics = LearningDynamics(
            data.y_train, X_test=data.X_test, y_test=data.y_test, classes=np.arange(len(data.target_names))
        )
        make = self.methods[method]
        make = make[condition] if isinstance(make, dict) else make
        training = {
            "module": size.network or self.network,
            **self.training,
            **column.training,
            **size.training,
            "callbacks": [dynamics],
            "random_state": seed,
        }
        if size.max_epochs is not None:
            training["max_epochs"] = size.max_epochs
        estimator = make(training).fit(data.X_train, given)
        measures = {
            "network": training["module"].__name__,
            "side": data.X_train.shape[-1],
            "n_train": len(given),
            "n_test": len(data.y_test),
            "n_classes": len(data.target_names),
            "realised_rate": round(float(np.mean(given != data.y_train)), 5),
        }
        history = getattr(estimator, "history_", None)
        if history is None or "test_accuracy" not in history:
            return {**measures, "final": round(float(estimator.score(data.X_test, data.y_test)), 5)}
        last = history.iloc[-1]
        return {
            **measures,
            "epochs": len(history),
            "best": round(float(history["test_accuracy"].max()), 5),
            "final": round(float(last["test_accuracy"]), 5),
            "fits given": round(float(last["corrupted_accuracy"]), 5),
            "fits true": round(float(last["intact_accuracy"]), 5),
            "curve": [round(float(value), 4) for value in history["test_accuracy"]],
        }

    def load(self, scale, seed):
        """Images and labels; those of a smaller scale drawn at random."""
        data = Bunch(**_fetch(self.dataset))
        keep = np.arange(len(data.target_names))
        if self.classes:
            keep = np.array([data.target_names.index(name) for name in self.classes])
        rng = np.random.default_rng([seed, 0])
        for part, limit in (("train", scale.n_train), ("test", scale.n_test)):
            y = data[f"y_{part}"]
            rows = np.flatnonzero(np.isin(y, keep))
            if limit is not None:
                rows = np.sort(rng.permutation(rows)[:limit])
            data[f"X_{part}"] = averaged_down(data[f"X_{part}"][rows], scale.side)
            data[f"y_{part}"] = pd.Index(keep).get_indexer(y[rows])
            if part == "train" and "label_sets" in data:
                data.label_sets = data.label_sets.iloc[rows]
        data.target_names = [data.target_names[number] for number in keep]
        return data

    def tables(self, path=None, scale="paper"):
        """Tables of one scale, one for each measure."""
        frame = frame_of(path or rows_path(self.name))
        if frame.empty or not (frame["scale"] == scale).any():
            return f"No rows of scale {scale} yet.\n"
        frame = frame[frame["scale"] == scale]
        parts = []
        for measure in self.measures:
            published = self.published if measure == self.measures[0] else {}
            table = beside_the_paper(frame, published, rows="method", columns="condition", value=measure)
            parts.append(
                f"{self.name}, scale {scale}, {measure}; seeds {sorted(frame['seed'].unique().tolist())}:\n\n{table}"
            )
        return "\n".join(parts)

    def main(self):
        """Command line."""
        parser = command_line(self.document, scales=SCALES, default_scale="paper")
        parser.add_argument("--methods", nargs="+", choices=self.methods, default=tuple(self.methods))
        parser.add_argument("--conditions", nargs="+", choices=self.conditions, default=tuple(self.conditions))
        options = parser.parse_args()
        use_shared_data()
        if not options.report:
            jobs = product_of(
                scale=[options.scale], seed=options.seeds, condition=options.conditions, method=options.methods
            )
            run_jobs(rows_path(self.name), jobs, self.execute)
        print(self.tables(scale=options.scale))


def averaged_down(images, side=None):
    """Images of shape (n, channels, side, side), each pixel the mean of a square block; small ones as they are."""
    block = 1 if side is None else images.shape[-1] // side
    if block <= 1:
        return images
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // block, block, width // block, block)
    return blocks.mean(axis=(3, 5)).round().astype(images.dtype)


@functools.cache
def _fetch(dataset):
    """The images, decoded once; not to be changed."""
    if dataset == "cifar10":
        return fetch_cifar10()
    if dataset == "cifar10n":
        cifar = fetch_cifar_n()
        cifar.y_train = cifar.pop("y_train_clean")
        return cifar
    try:
        return fetch_cifar100(download_if_missing=False)
    except OSError as error:
        raise SystemExit(
            "This table needs CIFAR-100: put its files into the folder that SKLABELNOISE_DATA names, or call "
            f"sklabelnoise.datasets.fetch_cifar100() once where there is a network. ({error})"
        ) from None
