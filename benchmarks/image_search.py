"""Speed of a search over augmented images: its fits trained together, against the same fits one after the other.

python -m benchmarks.speed --only image_search
"""

from functools import partial

import numpy as np
from sklearn.model_selection import GridSearchCV
from torch import nn

from benchmarks.timing import compare
from sklabelnoise import DMClassifier
from sklabelnoise.model_selection import FusedGridSearchCV

N_IMAGES, SIDE, N_CLASSES, EPOCHS, FOLDS = 512, 16, 10, 2, 2
GRID = {"lam": [0.0, 0.5, 1.0], "beta": [2.0, 8.0]}


class TwoConvolutions(nn.Sequential):
    """As a user writes a first network for small images."""

    def __init__(self, n_classes):
        layers = []
        for n_in, n_out in ((3, 8), (8, 16)):
            layers += [nn.Conv2d(n_in, n_out, 3, 2, 1), nn.BatchNorm2d(n_out), nn.ReLU()]
        super().__init__(*layers, nn.Flatten(), nn.LazyLinear(n_classes))


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out),
        )  # fmt: skip
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x):
        return (self.convolutions(x) + self.shortcut(x)).relu()


class ResNet8(nn.Module):
    """A residual network of three blocks, 8 to 32 feature maps wide."""

    def __init__(self, n_classes):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.blocks = nn.Sequential(Residual(8, 8, 1), Residual(8, 16, 2), Residual(16, 32, 2))
        self.output = nn.Linear(32, n_classes)

    def forward(self, x):
        return self.output(self.blocks(self.first(x)).mean((2, 3)))


def make_images(n=N_IMAGES, side=SIDE):
    """Bytes, a little lighter for each class."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % N_CLASSES
    return (rng.integers(0, 128, (n, 3, side, side)) + 10 * y[:, None, None, None]).astype(np.uint8), y


def run(search, network, batch_size, X, y, *, epochs=EPOCHS):
    """A search over all of `GRID`, without a refit."""
    model = DMClassifier(
        network, augment="crop-flip", optimizer="SGD", lr=0.01, max_epochs=epochs, batch_size=batch_size,
        device="cpu", random_state=0,
    )  # fmt: skip
    return search(model, GRID, cv=FOLDS, refit=False).fit(X, y)


def search(quick):
    """Twelve fits of two networks, in small batches and in large ones."""
    X, y = make_images()
    for name, network in {"two convolutions": TwoConvolutions, "ResNet-8": ResNet8}.items():
        for batch_size in (32, 128):
            ours, reference = (
                partial(run, kind, network, batch_size, X, y) for kind in (FusedGridSearchCV, GridSearchCV)
            )
            yield compare(
                f"12-fit search over {N_IMAGES} augmented images, {name}, batch {batch_size}, against one by one",
                1.05, ours, reference, repeats=3 if quick else 7,
            )  # fmt: skip
