"""Speed of training on images: an epoch of our net against the loop a careful user would write.

python -m benchmarks.speed --only images
"""

import time

import numpy as np
import torch
from skorch.callbacks import Callback
from torch.nn import functional as F

from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise.modules import ResNet20
from sklabelnoise.training import CropFlip

N_IMAGES, BATCH = 1024, 256
SOLVER = {"lr": 0.1, "weight_decay": 1e-4}


class EpochSeconds(Callback):
    """Processor seconds of each epoch."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.seconds_ = []

    def on_epoch_begin(self, net, **kwargs):
        self.start_ = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        self.seconds_.append(time.process_time() - self.start_)


def make_images():
    """Uint8 noise in the shape of CIFAR-10, ten classes."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (N_IMAGES, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, N_IMAGES)


def our_epoch(estimator, X, y):
    """Processor seconds of the last epoch of a fit: the first one also warms up torch's caches."""
    watch = EpochSeconds()
    estimator(module=ResNet20, max_epochs=2, batch_size=BATCH, callbacks=[watch], random_state=0, **SOLVER).fit(X, y)
    return watch.seconds_[-1]


def our_fit(estimator, X, y):
    """Processor seconds of a whole fit of one epoch."""
    start = time.process_time()
    estimator(module=ResNet20, max_epochs=1, batch_size=BATCH, random_state=0, **SOLVER).fit(X, y)
    return time.process_time() - start


def hand_written_fit(X, y):
    """The same fit written out, from the images to the trained network."""
    start = time.process_time()
    hand_written_epoch(X, y, epochs=1)
    return time.process_time() - start


def hand_written_epoch(X, y, epochs=2):
    """The last epoch written out: normalized, augmented, cross entropy, loss and accuracy kept."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    std, mean = torch.std_mean(X.float(), (0, 2, 3))  # in one pass, for a whole fit counts it
    mean, scale = (value.view(1, 3, 1, 1) for value in (mean, 1 / std))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = ResNet20(in_channels=3, n_classes=10).train()
    optimizer = torch.optim.SGD(module.parameters(), momentum=0.9, **SOLVER)
    augment, generator = CropFlip(), torch.Generator().manual_seed(0)
    for _ in range(epochs):
        start = time.process_time()
        losses, hits = [], []
        for rows in torch.randperm(len(X), generator=generator).split(BATCH):
            batch, labels = augment((X[rows].float() - mean) * scale, generator), y[rows]
            optimizer.zero_grad()
            logits = module(batch)
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach() * len(rows))
            hits.append((logits.detach().argmax(dim=1) == labels).sum())
        torch.stack(losses).sum().item(), torch.stack(hits).sum().item()
        seconds = time.process_time() - start
    return seconds


def epochs(repeats):
    """For each of our losses its name and the seconds of interleaved epochs, and fits of one, ours and written out.

    Parameters
    ----------
    repeats : int
        Number of pairs.

    Yields
    ------
    case : str
    ours, reference : ndarray of shape (repeats,)
    """
    X, y = make_images()

    def cross_entropy(**settings):
        return RobustLossClassifier(loss="cross_entropy", **settings)

    images = f"{N_IMAGES:,} images, batch {BATCH}, crop-flip"
    for name, estimator in {"cross entropy": cross_entropy, "DM": DMClassifier}.items():
        for case, ours, written_out in (
            (f"ResNet-20 epoch with {name}", our_epoch, hand_written_epoch),
            (f"ResNet-20, whole fit of one epoch with {name}", our_fit, hand_written_fit),
        ):
            pairs = []
            for repeat in range(repeats):
                first_ours = repeat % 2 == 0
                seconds = {}
                for is_ours in (first_ours, not first_ours):
                    seconds[is_ours] = ours(estimator, X, y) if is_ours else written_out(X, y)
                pairs.append((seconds[True], seconds[False]))
            mine, theirs = np.array(pairs).T
            yield f"{case}, {images}", mine, theirs
