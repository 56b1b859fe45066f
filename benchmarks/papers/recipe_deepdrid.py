"""DeepDRiD, photographs of retinas graded by diabetic retinopathy: SLR Table III.

    python -m benchmarks.papers.recipe_deepdrid FOLDER
    python -m benchmarks.papers.recipe_deepdrid FOLDER --side 456 --network my_networks:efficientnet_b5

FOLDER as https://github.com/deepdrdoc/DeepDRiD publishes it: in ``regular_fundus_images/`` the folders
``regular-fundus-training`` and ``regular-fundus-validation``, each with a table of its own name (columns patient_id,
image_id, left_eye_DR_Level, right_eye_DR_Level) and ``Images/PATIENT/IMAGE.jpg``. The grade, 0 to 4, stands in the
column of the eye; the other one is empty.

Fang et al., "Stochastic label refinery", ICPR 2020: one output, smooth L1 loss (the released code), EfficientNet-B5,
AdamW with rate 1e-3 and weight decay 2e-4, 20 epochs, cosine rate with warm-up, weight 3, five folds, best after three
rounds; thresholds halfway between grades, quadratic weighted kappa (QWK) on the official validation images. A patient's
images stay in one fold here. SWA, one of the paper's rivals, is the mean of the weights at the ends of the last
quarter of the epochs (Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018);
from which epoch on, and at which rate, the paper does not say. The published deviations are those of the five fold
models, ours of seeds. The default network and size are what runs without a pretrained network, and not the paper's.
"""

import functools

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback, LRScheduler
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.utils.data import DataLoader

from benchmarks.papers._image_folders import ImageFiles, check_layout, read_columns
from benchmarks.papers._recipes import Recipe, Size
from sklabelnoise import StochasticLabelRefineryRegressor
from sklabelnoise.metrics import quadratic_weighted_kappa
from sklabelnoise.training._module import build_module
from sklabelnoise.training._schedules import cosine

GRADES = np.arange(5)
# Rounds of refining, and the share of the training after which weights are averaged.
METHODS = {"baseline": (0, 1.0), "SWA": (0, 0.75), "SLR": (3, 1.0)}
PARTS = ("regular-fundus-training", "regular-fundus-validation")
EYES = ("left_eye_DR_Level", "right_eye_DR_Level")


class _OneNumber(torch.nn.Module):
    """A network with one output for uint8 images."""

    def __init__(self, factory, input_shape):
        super().__init__()
        self.network = build_module(factory, {}, input_shape=input_shape, n_classes=1)

    def forward(self, X):
        return self.network(X.float() / 127.5 - 1).squeeze(1)


class AveragedWeights(Callback):
    """Leave the network with the mean of its weights at the ends of the last epochs.

    Parameters
    ----------
    start : float
        Share of the epochs, in [0, 1), that do not count.
    batch_size : int, default=32
        Of the pass over the training images that gives the averaged network statistics of its own.
    """

    def __init__(self, start, batch_size=32):
        self.start = start
        self.batch_size = batch_size

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.averaged_ = AveragedModel(net.module_)

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) > self.start * net.max_epochs:
            self.averaged_.update_parameters(net.module_)

    def on_train_end(self, net, X=None, y=None, **kwargs):
        net.module_.load_state_dict(self.averaged_.module.state_dict())
        update_bn(DataLoader(torch.from_numpy(X), batch_size=self.batch_size), net.module_, device=net.device)


class SmoothL1Regressor(RegressorMixin, BaseEstimator):
    """A network that learns one number for each image by the smooth L1 loss.

    Parameters
    ----------
    factory : callable
        Makes a network with a number of outputs.
    max_epochs : int, default=20
        Passes over the images.
    average_from : float, default=1.0
        Share of the epochs after which weights are averaged; 1 for the network as it ends.
    random_state : int, default=0
        Of weights and order.
    """

    def __init__(self, factory, max_epochs=20, average_from=1.0, random_state=0):
        self.factory = factory
        self.max_epochs = max_epochs
        self.average_from = average_from
        self.random_state = random_state

    def fit(self, X, y):
        """Train on images (n, 3, side, side) of uint8 and numbers (n,)."""
        batch_size = 32
        n_iterations = self.max_epochs * -(-len(X) // batch_size)
        self.net_ = NeuralNetRegressor(
            _OneNumber,
            module__factory=self.factory,
            module__input_shape=X.shape[1:],
            criterion=torch.nn.SmoothL1Loss,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=2e-4,
            lr=1e-3,
            max_epochs=self.max_epochs,
            batch_size=batch_size,
            iterator_train__shuffle=True,
            train_split=None,
            callbacks=[
                LRScheduler(
                    torch.optim.lr_scheduler.LambdaLR,
                    lr_lambda=functools.partial(cosine, n_iterations=n_iterations, warmup=0.1),
                    step_every="batch",
                ),
                *([AveragedWeights(self.average_from, batch_size)] if self.average_from < 1 else []),
            ],
            device="cuda" if torch.cuda.is_available() else "cpu",
            verbose=0,
        )
        with torch.random.fork_rng():
            torch.manual_seed(self.random_state)
            self.net_.fit(X, np.asarray(y, dtype=np.float32))
        return self

    def predict(self, X):
        """Numbers (n,)."""
        return self.net_.predict(X).astype(np.float64)


@functools.lru_cache(maxsize=1)
def read(folder, side):
    """Images, grades and patients of the training and of the validation part."""
    top = "regular_fundus_images"
    needed = [f"{top}/{part}/{entry}" for part in PARTS for entry in (f"{part}.csv", "Images")]
    folder = check_layout(
        folder, needed, name="DeepDRiD", layout=f"{', '.join(needed)}, see github.com/deepdrdoc/DeepDRiD"
    )
    parts = []
    for part in PARTS:
        path = folder / top / part / f"{part}.csv"
        table = read_columns(path, ["patient_id", "image_id", *EYES])
        # The file's name tells the eye too, but not always rightly: 56_r3 is graded as a left eye.
        levels = table[list(EYES)].to_numpy(dtype=float)
        wrong = np.flatnonzero((~np.isnan(levels)).sum(axis=1) != 1)
        if len(wrong):
            raise ValueError(
                f"{path}: one of {' and '.join(EYES)} should be a grade and the other empty, got "
                f"{levels[wrong[0]].tolist()} for {table['image_id'].iloc[wrong[0]]}."
            )
        y = np.nanmax(levels, axis=1)
        if not np.isin(y, GRADES).all():
            raise ValueError(f"{path}: grades should be 0 to {GRADES[-1]}, got {y[~np.isin(y, GRADES)][0]:g}.")
        paths = [
            path.parent / "Images" / str(patient) / f"{image}.jpg"
            for patient, image in zip(table["patient_id"], table["image_id"], strict=True)
        ]
        files = ImageFiles(paths, y, side, listed_in=path.name)
        parts.append((files.array(), files.labels, table["patient_id"].to_numpy()))
    return parts


def execute(folder, size, method, seed):
    """QWK on the validation images."""
    (X, y, patients), (X_test, y_test, _) = read(folder, size.side)
    rows = np.random.default_rng([seed, 0]).permutation(len(y))[: size.n_train]
    n_rounds, average_from = METHODS[method]
    refinery = StochasticLabelRefineryRegressor(
        SmoothL1Regressor(size.module(), size.max_epochs, average_from),
        n_rounds=n_rounds,
        label_weight=3,
        cv=5,
        thresholds="half",
        random_state=seed,
    ).fit(X[rows], y[rows], groups=patients[rows])
    return {
        "n_images": len(rows),
        "n_test": len(y_test),
        "qwk": round(float(quadratic_weighted_kappa(y_test, refinery.predict(X_test))), 5),
    }


RECIPE = Recipe(
    name="recipe_deepdrid",
    document=__doc__,
    size=Size(side=64, max_epochs=20, network="sklabelnoise.modules:PreActResNet18"),
    methods=tuple(METHODS),
    measures={"qwk": "QWK"},
    published={
        ("baseline", "qwk"): "0.8247 ± 0.0125",
        ("SWA", "qwk"): "0.8119",
        ("SLR", "qwk"): "0.8348 ± 0.0053",
    },
    execute=execute,
    scale=1,
    digits=4,
)

if __name__ == "__main__":
    RECIPE.main()
