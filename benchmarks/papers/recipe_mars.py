"""MARS, videos of persons from six cameras: DM Table 4's retrieval.

    python -m benchmarks.papers.recipe_mars FOLDER
    python -m benchmarks.papers.recipe_mars FOLDER --side 224 --network my_networks:googlenet_v2

FOLDER holds the images as Zheng et al., ECCV 2016, publish them, ``bbox_train/`` and ``bbox_test/`` with a folder for
each person, and beside them ``info/`` of https://github.com/liangzheng06/MARS-evaluation: ``train_name.txt`` and
``test_name.txt``, a frame's name a line, ``tracks_train_info.mat`` and ``tracks_test_info.mat``, one row for each track
(first frame, last frame, person, camera, counted from 1), ``query_IDX.mat``, the tracks to search for. Tracks of person
-1 are junk and left out; those of person 0 are distractors and stay in the gallery.

Wang et al., arXiv:1905.11233, Section 4.3: GoogLeNet V2, SGD with momentum 0.9, weight decay 5e-4, rate 0.01 halved
every 10,000 of 50,000 iterations, batch 180; a video is the mean of its frames' features at unit length, compared by
the cosine. lam and beta are not stated: (1, 2) is Clothing1M's. The default network and size are what runs without
GoogLeNet V2, and not the paper's. ``--n-train`` counts tracks.
"""

import functools

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from benchmarks.papers._image_folders import ImageFiles, check_layout, read_lines
from benchmarks.papers._images import COMMON_LOSSES, dm, in_table_order
from benchmarks.papers._recipes import Recipe, Size
from benchmarks.papers._tracks import Tracks
from sklabelnoise.training import CropFlip

METHODS = {**COMMON_LOSSES, "DM": dm(1, 2)}
JUNK = -1


@functools.lru_cache(maxsize=1)
def read(folder, side):
    """Training tracks, test tracks, and the numbers of the test tracks to search for."""
    needed = [f"info/{part}_name.txt" for part in ("train", "test")]
    needed += [f"info/tracks_{part}_info.mat" for part in ("train", "test")]
    needed = ["bbox_train", "bbox_test", *needed, "info/query_IDX.mat"]
    folder = check_layout(
        folder,
        needed,
        name="MARS",
        layout="bbox_train/ and bbox_test/ of MARS, and info/ of github.com/liangzheng06/MARS-evaluation",
    )
    parts, numbers = [], {}
    for part in ("train", "test"):
        names = read_lines(folder / "info" / f"{part}_name.txt")
        rows = _matrix(folder / "info" / f"tracks_{part}_info.mat", f"track_{part}_info", n_columns=4)
        first, last, persons, cameras = rows.T
        if ((first < 1) | (last < first) | (last > len(names))).any():
            raise ValueError(
                f"tracks_{part}_info.mat should count frames from 1 to the {len(names)} of {part}_name.txt, first "
                f"before last; it has tracks from {first.min()} to {last.max()}."
            )
        kept = np.flatnonzero(persons != JUNK)
        frames = [np.arange(first[i] - 1, last[i]) for i in kept]
        shown = [names[frame] for frame in np.concatenate(frames)]
        track_of_frame = np.repeat(np.arange(len(kept)), [len(track) for track in frames])
        files = ImageFiles(
            [folder / f"bbox_{part}" / name[:4] / name for name in shown],
            persons[kept][track_of_frame],
            side,
            listed_in=f"{part}_name.txt",
        )
        parts.append(Tracks(files, track_of_frame, persons[kept], cameras[kept]))
        numbers = {int(old): new for new, old in enumerate(kept)}
    asked = _matrix(folder / "info" / "query_IDX.mat", "query_IDX").ravel() - 1
    unknown = [int(old) + 1 for old in asked if old not in numbers]
    if unknown:
        raise ValueError(f"query_IDX.mat asks for track {unknown[0]}, which tracks_test_info.mat has not, or as junk.")
    return *parts, np.array([numbers[int(old)] for old in asked])


def _matrix(path, variable, n_columns=None):
    try:
        content = loadmat(path)
    except (MatReadError, ValueError) as error:
        raise ValueError(f"{path} should be a MATLAB file, but scipy cannot read it: {error}") from None
    if variable not in content:
        there = ", ".join(name for name in content if not name.startswith("__"))
        raise ValueError(f"{path} should hold {variable}, got {there or 'nothing'}.")
    matrix = content[variable].astype(np.int64)
    if n_columns is not None and (matrix.ndim != 2 or matrix.shape[1] != n_columns):
        raise ValueError(f"{variable} in {path} should have {n_columns} columns, got shape {matrix.shape}.")
    return matrix


def execute(folder, size, method, seed):
    """Train on the frames of some persons, find the tracks of others."""
    train, test, queries = read(folder, size.side)
    rows = np.arange(len(train.frames))
    if size.n_train is not None:
        drawn = np.random.default_rng([seed, 0]).permutation(len(train.identities))[: size.n_train]
        rows = np.flatnonzero(np.isin(train.track_of_frame, drawn))
    training = {
        "module": size.module(),
        "optimizer": "SGD",
        "optimizer__momentum": 0.9,
        "lr": 0.01,
        "weight_decay": 5e-4,
        "batch_size": 180,
        "max_epochs": size.max_epochs,
        "lr_schedule": {"name": "milestones", "milestones": [0.2, 0.4, 0.6, 0.8], "gamma": 0.5},
        "augment": CropFlip(size.side // 14),
        "random_state": seed,
    }
    model = METHODS[method](training).fit(train.frames.take(rows))
    scores = test.scores(model.embed(test.frames), queries)
    return {
        "n_frames": len(rows),
        "n_persons": len(model.classes_),
        "n_queries": len(queries),
        "n_gallery": len(test.identities),
        **{name: round(value, 5) for name, value in scores.items()},
    }


RECIPE = Recipe(
    name="recipe_mars",
    document=__doc__,
    size=Size(side=64, max_epochs=18, network="sklabelnoise.modules:PreActResNet18"),
    methods=tuple(METHODS),
    measures={"map": "mAP", "cmc_1": "CMC-1"},
    published=in_table_order(
        METHODS, ["map", "cmc_1"], "58.1 73.8 \n 31.6 51.5 \n 12.0 26.0 \n 19.6 39.3 \n 72.8 84.3"
    ),
    execute=execute,
)

if __name__ == "__main__":
    RECIPE.main()
