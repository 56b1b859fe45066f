"""DM Table 4's retrieval, on simulated tracks in place of the videos of MARS.

    python -m benchmarks.papers.dm_table4
    python -m benchmarks.papers.dm_table4 --scale cpu --seeds 0

Wang et al., "Derivative manipulation for general example weighting", Section 4.3: a network learns to tell the persons
of tracks of frames, in which some frames show another person or nothing but background; other persons' tracks are then
found by the cosine of their frames' mean features. The videos are not shared (`recipe_mars` runs on them). Here an
image of CIFAR-10 is a person; each of four cameras films it, a track of windows of it in the camera's colors; some
frames of the training tracks show images of nobody. Test tracks are whole, so that the scores are of what was learned.
"pixels" is what needs no learning: the frames themselves, each color standardized.

The paper's schedule is kept (rate halved four times, momentum 0.9, weight decay 5e-4, batch 180); its rate of 0.01 is
0.1 here, because the networks start from nothing. lam and beta are not stated: (0.5, 8) is CIFAR's, (1, 2) is that of
Clothing1M. The figures of MARS are of other data: only the order of the losses can be compared.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.cells import markdown, mean_sd
from benchmarks.papers import _images
from benchmarks.papers._images import COMMON_LOSSES, averaged_down, dm
from benchmarks.papers._runner import command_line, frame_of, product_of, rows_path, run_jobs, use_shared_data
from benchmarks.papers._small_network import SmallConvNet
from benchmarks.papers._tracks import simulate_tracks
from sklabelnoise.modules import ResNet20

NAME = "dm_table4"


@dataclass(frozen=True)
class Scale:
    """Identities to learn from and to find, frames of a track, side of an image, network and training."""

    n_train: int
    n_test: int
    n_frames: int
    side: int
    network: type
    training: dict = field(default_factory=dict)


SCALES = {
    "full": Scale(500, 500, 8, 32, ResNet20, {"max_epochs": 100}),
    "cpu": Scale(100, 100, 5, 16, SmallConvNet, {"max_epochs": 30, "batch_size": 64, "channels_last": True}),
    "tiny": Scale(8, 6, 2, 8, SmallConvNet, {"max_epochs": 1}),
}
TRAINING = {
    "optimizer": "SGD",
    "optimizer__momentum": 0.9,
    "lr": 0.1,
    "weight_decay": 5e-4,
    "batch_size": 180,
    "lr_schedule": {"name": "milestones", "milestones": [0.2, 0.4, 0.6, 0.8], "gamma": 0.5},
    "augment": False,  # every frame is another view already
}
PIXELS = "pixels"
METHODS = {PIXELS: None, **COMMON_LOSSES, "DM, lam=0.5": dm(0.5, 8), "DM, lam=1": dm(1, 2)}
SHARES = (0.0, 0.4)
MEASURES = {"map": "mAP", "cmc_1": "CMC-1"}
# mAP and CMC-1 of MARS.
PAPER = {
    "CCE": ("58.1", "73.8"),
    "GCE": ("31.6", "51.5"),
    "MAE": ("12.0", "26.0"),
    "MSE": ("19.6", "39.3"),
    "DM, lam=0.5": ("72.8", "84.3"),
    "DM, lam=1": ("72.8", "84.3"),
}


def draw(scale, share, seed):
    """Training tracks, some of whose frames show something else, which ones, and whole test tracks of other images."""
    size = SCALES[scale]
    images = _images._fetch("cifar10").X_train
    rows = np.random.default_rng([seed, 0]).permutation(len(images))
    learned, found, others = np.split(rows, [size.n_train, size.n_train + size.n_test])
    train, replaced = simulate_tracks(
        averaged_down(images[learned], size.side),
        size.n_frames,
        share=share,
        others=averaged_down(images[others[: 10 * size.n_train]], size.side),
        seed=[seed, 1],
    )
    test, _ = simulate_tracks(averaged_down(images[found], size.side), size.n_frames, seed=[seed, 2])
    return train, replaced, test


def execute(scale, share, method, seed):
    """Train on the frames of some identities, find the tracks of others."""
    size = SCALES[scale]
    train, replaced, test = draw(scale, share, seed)
    queries = np.flatnonzero(test.cameras == seed % (test.cameras.max() + 1))
    row = {
        "n_identities": len(np.unique(train.identities)),
        "n_frames": len(train.frames),
        "n_queries": len(queries),
        "n_gallery": len(test.identities),
        "realised_rate": round(float(replaced.mean()), 5),
    }
    if method == PIXELS:
        colors = test.frames.reshape(len(test.frames), 3, -1)
        features = ((colors - colors.mean(axis=2, keepdims=True)) / colors.std(axis=2, keepdims=True)).reshape(
            len(colors), -1
        )
    else:
        training = {"module": size.network, **TRAINING, **size.training, "random_state": seed}
        model = METHODS[method](training).fit(train.frames, train.identity_of_frame)
        features = model.embed(test.frames)
        right = train.identity_of_frame[~replaced] == model.predict(train.frames[~replaced])
        row |= {
            "network": size.network.__name__,
            "epochs": len(model.history_),
            "fits true": round(float(right.mean()), 5),
        }
    return row | {name: round(value, 5) for name, value in test.scores(features, queries).items()}


def tables(path=None, scale="full"):
    """mAP and CMC-1 by the share of replaced frames, and the paper's of MARS in columns of their own."""
    frame = frame_of(path or rows_path(NAME))
    if frame.empty or not (frame["scale"] == scale).any():
        return f"No rows of scale {scale} yet.\n"
    frame = frame[frame["scale"] == scale]
    lines = {}
    for method, part in frame.groupby("method", sort=False):
        ours = {
            f"{label}, {100 * share:g} % replaced": mean_sd(part.loc[part["share"] == share, name], 100)
            for name, label in MEASURES.items()
            for share in sorted(frame["share"].unique())
        }
        paper = dict(zip((f"{label} of MARS" for label in MEASURES.values()), PAPER.get(method, "––"), strict=True))
        lines[method] = {**ours, **paper}
    table = markdown(pd.DataFrame.from_dict(lines, orient="index").rename_axis("method"))
    first = frame.iloc[0]
    return (
        f"{NAME}, scale {scale}; {first['n_queries']} queries in a gallery of {first['n_gallery']} tracks, "
        f"trained on {first['n_frames']:,} frames of {first['n_identities']} others; seeds "
        f"{sorted(frame['seed'].unique().tolist())}:\n\n{table}"
    )


def main():
    parser = command_line(__doc__, scales=SCALES, default_scale="full")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=tuple(METHODS))
    parser.add_argument("--shares", nargs="+", type=float, choices=SHARES, default=SHARES)
    options = parser.parse_args()
    use_shared_data()
    if not options.report:
        jobs = product_of(scale=[options.scale], seed=options.seeds, share=options.shares, method=options.methods)
        run_jobs(rows_path(NAME), jobs, execute)
    print(tables(scale=options.scale))


if __name__ == "__main__":
    main()
