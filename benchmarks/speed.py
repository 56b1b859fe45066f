"""Measure the promised speeds, as ratios to what a user would have written.

    python -m benchmarks.speed                       # everything; rows go to results/speed.jsonl
    python -m benchmarks.speed --only kernel --quick # few repeats; prints, writes nothing

A ratio is the median over repeats of ours / reference, run in turn in one process, in seconds of processor time: on one
thread that is what a quiet machine takes, and what a busy one makes us wait does not count. float32.
"""

import argparse
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks import fused, image_search, image_speed, large
from benchmarks.rows import RESULTS, append_row
from benchmarks.timing import compare, ratio_row
from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise.losses import NAMES, DMLoss, ProSelfLCLoss, make_criterion

PATH = RESULTS / "speed.jsonl"


_FUSED_ADAMW = partial(torch.optim.AdamW, weight_decay=1e-3, fused=True)


def hand_written_loop(X, y, *, hidden, batch_size, epochs, lr, seed=0, optimizer=torch.optim.Adam):
    """Train an MLP the way a careful user would, keeping loss and accuracy of every epoch; returns them."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Linear(X.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, int(y.max()) + 1))
    optimizer = optimizer(module.parameters(), lr=lr)
    shuffle = torch.Generator().manual_seed(seed)
    history = []
    for _ in range(epochs):
        losses, hits = [], []
        for rows in torch.randperm(len(X), generator=shuffle).split(batch_size):
            batch, labels = X[rows], y[rows]
            optimizer.zero_grad()
            logits = module(batch)
            loss = F.cross_entropy(logits, labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach() * len(rows))
            hits.append((logits.detach().argmax(dim=1) == labels).sum())
        history.append((torch.stack(losses).sum().item() / len(X), torch.stack(hits).sum().item() / len(X)))
    return history


def loop(quick):
    """The whole `fit` of an estimator against the hand-written loop on 25,000 x 100."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(25_000, 100)).astype(np.float32)
    y = (X @ rng.normal(size=(100, 10))).argmax(axis=1)
    settings = {"batch_size": 250, "lr": 1e-3}
    estimator = RobustLossClassifier(
        loss="cross_entropy", module__hidden=(8,), max_epochs=20, optimizer="Adam", lr_schedule="constant",
        weight_decay=0.0, device="cpu", random_state=0, **settings,
    )  # fmt: skip
    yield compare(
        "training loop, 25,000 x 100, hidden 8, batch 250, 20 epochs",
        1.2,
        lambda: estimator.fit(X, y),
        lambda: hand_written_loop(X, y, hidden=8, epochs=20, **settings),
        repeats=3 if quick else 11,
    )


def small_fits(quick):
    """Fits of small tables with all defaults against a loop with the same optimizer in one operation."""
    for rows, features, epochs in ((2_000, 20, 40), (2_000, 20, 1), (200, 5, 40)):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(rows, features)).astype(np.float32)
        y = (X @ rng.normal(size=(features, 5))).argmax(axis=1)
        shared = {"max_epochs": epochs, "device": "cpu", "random_state": 0}
        by_hand = partial(
            hand_written_loop, X, y, hidden=256, batch_size=256, epochs=epochs, lr=1e-3, optimizer=_FUSED_ADAMW
        )
        for name, estimator in {
            "DMClassifier": DMClassifier(**shared),
            "cross entropy": RobustLossClassifier(loss="cross_entropy", **shared),
        }.items():
            yield compare(
                f"{name} with defaults, {rows:,} x {features}, epochs: {epochs}, against a loop with F.cross_entropy",
                1.1,
                partial(estimator.fit, X, y),
                by_hand,
                repeats=3 if quick else 11,
                calls=1 if epochs > 1 else 5,
            )


def losses(quick):
    """Forward and backward pass of every loss that goes by a name, and of ProSelfLC with its trust."""
    matrix = torch.full((10, 10), 0.2 / 9).fill_diagonal_(0.8)
    generator = torch.Generator().manual_seed(0)
    logits = (3 * torch.randn(4096, 10, generator=generator)).requires_grad_()
    labels = torch.randint(10, (4096,), generator=generator)
    proselflc = ProSelfLCLoss()
    proselflc.progress = 0.5
    criteria = {"proselflc": proselflc}
    for name in NAMES:
        hyper = {"transition_matrix": matrix} if name in ("forward", "backward") else {}
        criteria[name] = make_criterion(name, **hyper)

    def step(loss):
        logits.grad = None
        loss(logits, labels).backward()

    for name, criterion in criteria.items():
        yield compare(
            f"{name} against cross entropy, logits 4096 x 10",
            3.0,
            lambda criterion=criterion: step(criterion),
            lambda: step(F.cross_entropy),
            repeats=5 if quick else 21,
            calls=5,
        )


def kernel(quick):
    """Forward and backward pass of the DM loss against cross entropy."""
    for (n, n_classes), promise in {(4096, 10): 1.2, (4096, 100): 1.0, (1024, 1000): 0.8, (256, 10): 2.0}.items():
        generator = torch.Generator().manual_seed(0)
        logits = (3 * torch.randn(n, n_classes, generator=generator)).requires_grad_()
        labels = torch.randint(n_classes, (n,), generator=generator)
        criterion = DMLoss()

        def step(loss, logits=logits, labels=labels):
            logits.grad = None
            loss(logits, labels).backward()

        yield compare(
            f"DM loss against cross entropy, logits {n} x {n_classes}",
            promise,
            lambda step=step, criterion=criterion: step(criterion),
            lambda step=step: step(F.cross_entropy),
            repeats=21 if quick else 101,
            calls=max(3, 1_000_000 // (n * n_classes)),  # some milliseconds: long for the clock, short for neighbors
        )


def images(quick):
    """An epoch of a residual network on images, against the same written out."""
    for case, ours, reference in image_speed.epochs(3 if quick else 7):
        yield ratio_row(case, 1.05, ours, reference)


PARTS = {
    "loop": loop,
    "small": small_fits,
    "kernel": kernel,
    "losses": losses,
    "images": images,
    "search": fused.search,
    "image_search": image_search.search,
    "refinery": fused.refinery,
    "growth": fused.growth,
    "choice": fused.choice,
    "large": large.large,
    "boosting": large.boosting,
    "exponents": large.exponents,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="few repeats; print the ratios, write no rows")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only:
        for row in PARTS[name](options.quick):
            print(
                f"{row['case']:60} {row['ratio']:.2f} ({row['ratio_low']:.2f} to {row['ratio_high']:.2f}), "
                f"promised at most {row['promise']:g}: {'kept' if row['ratio'] <= row['promise'] else 'NOT KEPT'}"
            )
            if not options.quick:
                append_row(PATH, row)


if __name__ == "__main__":
    main()
