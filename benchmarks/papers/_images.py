"""Tables of the papers that train a network on CIFAR images under several kinds of noise with several methods.

A script states data, noise, methods and the published figures as an `ImageTable`; everything else is here. The size is
chosen with ``--scale``:

* ``paper``: all images, the network and the number of epochs of the paper. For a GPU.
* ``core``: 10,000 training images and all test images at 32 x 32 pixels, crops and flips, `FastConvNet`, about a minute
  or two of one core a run. Not the paper's table, but large enough to tell methods apart. Network and training were
  chosen by cross entropy alone, so that it learns more than half of the wrong labels at 40 % noise, and committed
  before any other method was run.
* ``gpu``: all images and the network of the paper in 20 epochs, which is minutes a cell on a GPU.
* ``tiny``: 1,000 images, so that each of 100 classes has some, and 2 epochs, to see that a script runs.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch
from sklearn.utils import Bunch

from benchmarks.cells import markdown
from benchmarks.definitions import definition, described
from benchmarks.papers._fast_network import FastConvNet, whitened_patches
from benchmarks.papers._runner import (
    beside_the_paper,
    claim,
    command_line,
    digest,
    of_protocol,
    product_of,
    row_of_run,
    rows_path,
    run_jobs,
    use_shared_data,
)
from benchmarks.rows import read_rows
from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise.datasets import fetch_cifar10, fetch_cifar100, fetch_cifar_n
from sklabelnoise.losses import BetaEmphasis
from sklabelnoise.modules import ResNet20
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
from sklabelnoise.training import CropFlip, LearningDynamics
from sklabelnoise.training._precision import autocast_dtype


@dataclass(frozen=True)
class Scale:
    """Images, their side in pixels, epochs, network, and further training parameters; None is what the paper has.

    The test images are predicted after every `test_every`-th epoch and after the last.
    """

    n_train: int | None = None
    n_test: int | None = None
    side: int | None = None
    max_epochs: int | None = None
    network: type | None = None
    training: dict = field(default_factory=dict)
    test_every: int = 1

    def module(self, images):
        """The network for such images, None where the paper's is taken."""
        if self.network is FastConvNet:
            return functools.partial(FastConvNet, whitening=whitened_patches(images))
        return self.network

    @property
    def protocol(self):
        """Hash of size, training and layers: rows of another protocol are measured again, and not shown beside."""
        layers = self.network and self.network.__name__
        if self.network is FastConvNet:
            layers = _layers(FastConvNet(3, 10, whitening=torch.zeros(16, 3, 4, 4)), torch.zeros(1, 3, 32, 32))
        return digest({**vars(self), "network": layers, "training": described(self.training)})


SCALES = {
    "paper": Scale(),
    "core": Scale(
        10_000,
        None,
        None,
        30,
        FastConvNet,
        {
            "optimizer": "SGD",
            "optimizer__momentum": 0.9,
            "optimizer__nesterov": True,
            "lr": 0.1,
            "weight_decay": 1e-4,
            "lr_schedule": "one-cycle",
            "batch_size": 64,
            "augment": CropFlip(1),
            "amp": True,
            "channels_last": True,
        },
        test_every=5,
    ),
    "gpu": Scale(max_epochs=20),
    "tiny": Scale(1000, 100, None, 2, ResNet20),
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


def normalized(alpha, eta, **parameters):
    """Row of a table: a loss by its emphasis, divided by the sum of the weights of a batch (-DN)."""
    emphasis = BetaEmphasis(float(alpha), float(eta))
    return lambda training: DMClassifier(**{"emphasis": emphasis, **training, **parameters})


def proselflc(**parameters):
    """Row of a table: ProSelfLC."""
    return lambda training: ProSelfLCClassifier(**training, **parameters)


def refined(*makers, **parameters):
    """Row of a table: another row, or the mean of several, inside the stochastic label refinery."""

    def make_refined(training):
        free = {name: value for name, value in training.items() if name != "callbacks"}
        estimators = [make(free) for make in makers]
        estimator = estimators[0] if len(estimators) == 1 else estimators
        return StochasticLabelRefinery(estimator, **parameters, random_state=training["random_state"])

    return make_refined


# The four losses of the DM paper, and the same with derivative normalization.
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

    def execute(self, scale, condition, method, seed, **more):
        """Train one network; accuracies on clean test labels and on the training labels.

        `more` are training parameters that change no accuracy but by rounding, such as the device.
        """
        size = SCALES[scale]
        data = self.load(size, seed)
        column = self.conditions[condition]
        given = column.given_labels(data, seed)
        dynamics = _Dynamics(
            size.test_every,
            data.y_train,
            X_test=data.X_test,
            y_test=data.y_test,
            classes=np.arange(len(data.target_names)),
        )
        make = self.methods[method]
        make = make[condition] if isinstance(make, dict) else make
        training = {
            "module": size.module(data.X_train) or self.network,
            **self.training,
            **_without(size.training, "optimizer__" if "optimizer" in column.training else None),
            **column.training,
            "callbacks": [dynamics],
            "random_state": seed,
            **more,
        }
        if size.max_epochs is not None:
            training["max_epochs"] = size.max_epochs
        estimator = make(training)
        run = digest([size.protocol, definition(estimator), data.X_train, given, data.y_test, seed])
        known = row_of_run(run)
        if known is not None:
            return known
        claim(run)
        estimator.fit(data.X_train, given)
        measures = {
            "protocol": size.protocol,
            "run": run,
            "network": getattr(training["module"], "func", training["module"]).__name__,
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
        curve = history["test_accuracy"].dropna()
        return {
            **measures,
            "epochs": len(history),
            "best": round(float(curve.max()), 5),
            "final": round(float(last["test_accuracy"]), 5),
            "fits given": round(float(last["corrupted_accuracy"]), 5),
            "fits true": round(float(last["intact_accuracy"]), 5),
            **_of_wrong_labels(estimator.predict(data.X_train), given, data.y_train),
            "autocast": _autocast(getattr(estimator, "net_", None)),
            "curve": [round(float(value), 4) for value in curve],
            **{name: [_rounded(value) for value in history[name]] for name in _CURVES},
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
        """Tables of one scale, one for each measure, and what the methods gain over the first."""
        frame = self.frame(path, scale)
        if frame.empty:
            return f"No rows of scale {scale} yet.\n"
        parts = []
        for measure in self.measures:
            published = self.published if measure == self.measures[0] else {}
            table = beside_the_paper(frame, published, rows="method", columns="condition", value=measure)
            parts.append(
                f"{self.name}, scale {scale}, {measure}; seeds {sorted(frame['seed'].unique().tolist())}:\n\n{table}"
            )
        gained = gains(frame, next(iter(self.methods)))
        if gained:
            parts.append(f"{self.name}, scale {scale}, gain in final accuracy, seed by seed:\n\n{gained}")
        return "\n".join(parts)

    def frame(self, path=None, scale="paper"):
        """Rows of one scale and its protocol, in the order of the table's rows and columns."""
        protocol = SCALES[scale].protocol  # takes longer than a row
        rows = [
            {**row, **row["job"]}
            for row in read_rows(path or rows_path(self.name))
            if row["job"]["scale"] == scale and of_protocol(row, protocol)
        ]
        frame = pd.DataFrame(rows)
        if not rows:
            return frame
        for name, order in (("method", self.methods), ("condition", self.conditions)):
            frame = frame[frame[name].isin(list(order))].sort_values(
                name, key=lambda values, order=order: values.map(list(order).index), kind="stable"
            )
        return frame

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
            run_jobs(rows_path(self.name), jobs, self.execute, protocol=SCALES[options.scale].protocol)
        print(self.tables(scale=options.scale))


def gains(frame, reference):
    """Table in Markdown of what each method gains over a reference, in points of final accuracy; empty without seeds.

    Parameters
    ----------
    frame : DataFrame
        One row a run, with `method`, `condition`, `seed` and `final`.
    reference : str
        The method that the others are compared with, on the same images, labels and seed.

    Returns
    -------
    table : str
        Mean over the seeds of the difference, plus or minus its standard error; bold where it is more than two standard
        errors from zero. Cells of one seed have no standard error and are left out.
    """
    final = 100 * frame.pivot_table(index=["condition", "seed"], columns="method", values="final", sort=False)
    if reference not in final:
        return ""
    differences = final.drop(columns=reference).sub(final[reference], axis=0)
    cells = {}
    for condition, of_seeds in differences.groupby("condition", sort=False):
        for method, values in of_seeds.items():
            values = values.dropna()
            if len(values) > 1:
                gain, error = values.mean(), values.sem()
                text = f"{gain:+.1f} ± {error:.1f}"
                text = f"**{text}**" if abs(gain) > 2 * error else text
                cells.setdefault(method, {})[condition] = f"{text} ({len(values)})"
    table = pd.DataFrame.from_dict(cells, orient="index").fillna("–").rename_axis("method")
    return "" if table.empty else markdown(table)


def _layers(network, images):
    """Each layer by name: its class, and the shapes of its numbers and of what it makes of images.

    Not what torch prints of a network: its words for the same layer change with its version.
    """
    made = {}
    for name, layer in network.named_modules():
        shapes = [list(numbers.shape) for numbers in (*layer.parameters(recurse=False), *layer.buffers(recurse=False))]
        made[name] = [type(layer).__name__, shapes]
        layer.register_forward_hook(lambda _, inputs, output, name=name: made[name].append(list(output.shape)))
    with torch.no_grad():
        network.eval()(images)
    return made


# Of every epoch, as the training sees its augmented images.
_CURVES = ("memorization_rate", "emphasis_wrong", "emphasis_variance")


def _of_wrong_labels(predicted, given, true):
    """Shares of the wrong labels that the fitted network predicts as given, and as they should be; None without any."""
    wrong = given != true
    if not wrong.any():
        return {"memorized": None, "corrected": None}
    return {
        "memorized": _rounded(np.mean(predicted[wrong] == given[wrong])),
        "corrected": _rounded(np.mean(predicted[wrong] == true[wrong])),
    }


def _autocast(net):
    """In what a net computed; None is single precision: that of a stack, and of processors without bfloat16."""
    dtype = None if net is None else autocast_dtype(net.amp, net.device)
    return None if dtype is None else str(dtype).removeprefix("torch.")


class _Dynamics(LearningDynamics):
    """Learning dynamics that predict the test images after some of the epochs only."""

    def __init__(self, test_every, y_clean, **params):
        super().__init__(y_clean, **params)
        self.test_every = test_every

    def on_epoch_end(self, net, **kwargs):
        test, epoch = self.test_, len(net.history)
        if epoch % self.test_every and epoch != net.max_epochs:
            self.test_ = None
        super().on_epoch_end(net, **kwargs)
        self.test_ = test


def _without(training, prefix):
    """Training parameters but for those of an optimizer that a column replaces."""
    return {name: value for name, value in training.items() if prefix is None or not name.startswith(prefix)}


def _rounded(value):
    """A share with five digits; None where there is nothing it is a share of, as wrong labels among clean ones."""
    return None if value != value else round(float(value), 5)


def averaged_down(images, side=None):
    """Images of shape (n, channels, side, side), each pixel the mean of a square block; small ones as they are."""
    block = 1 if side is None else images.shape[-1] // side
    if block <= 1:
        return images
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // block, block, width // block, block)
    return blocks.mean(axis=(3, 5)).round().astype(images.dtype)


# Folder of `decode`, in which processes that work at the same time find the images; none where one works alone.
DECODED = None


def decode(dataset, folder):
    """Decode the images once for several processes, whose `DECODED` is that folder."""
    joblib.dump(_fetch(dataset), Path(folder) / dataset)


@functools.cache
def _fetch(dataset):
    """The images, decoded once; not to be changed."""
    if DECODED is not None and (Path(DECODED) / dataset).exists():
        return joblib.load(Path(DECODED) / dataset, mmap_mode="r")
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
