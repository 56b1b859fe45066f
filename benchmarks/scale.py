"""How fast rows and images go through, and how much memory that takes: rates of one thread of a processor.

    python -m benchmarks.scale          # rows go to results/scale.jsonl
    python -m benchmarks.scale --tiny   # sizes that say nothing; prints, writes nothing

Seconds are processor time, so that what a busy machine makes us wait does not count. Memory is what the process takes
beyond what it had before, the pages of a file that the system keeps and may drop included.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from benchmarks.memory import PeakMemory
from benchmarks.rows import RESULTS, append_row, environment
from sklabelnoise import DMClassifier
from sklabelnoise.modules import ResNet20

PATH = RESULTS / "scale.jsonl"
WIDTH, CHUNK = 50, 100_000


class Images(Dataset):
    """Pictures made up when they are asked for, as those of a folder are read."""

    def __init__(self, n):
        self.targets = np.arange(n) % 10

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        rng = np.random.default_rng(i)
        return torch.from_numpy(rng.normal(size=(3, 32, 32)).astype(np.float32)), self.targets[i]


def file_of_rows(folder, n):
    """A file of n rows of normal numbers in float32, written piece by piece, and their classes."""
    rng = np.random.default_rng(0)
    path, weights = Path(folder) / "rows.npy", rng.normal(size=(WIDTH, 10)).astype(np.float32)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, WIDTH))
    y = np.empty(n, dtype=np.int64)
    for start in range(0, n, CHUNK):
        piece = rng.normal(size=(min(CHUNK, n - start), WIDTH)).astype(np.float32)
        rows[start : start + CHUNK], y[start : start + CHUNK] = piece, (piece @ weights).argmax(axis=1)
    rows.flush()
    return path, y


def measured(case, n, function):
    """One row: the rate, and the memory it took."""
    with PeakMemory() as memory:
        start = time.process_time()
        function()
        seconds = time.process_time() - start
        megabytes = memory.megabytes()
    return {
        "case": case,
        "n": n,
        "seconds": round(seconds, 2),
        "a_second": round(n / seconds),
        "megabytes": megabytes,
        **environment(),
    }


def rates(tiny):
    """The rows, one after the other."""
    n, n_images = (5_000, 40) if tiny else (1_000_000, 1_000)
    settings = {"max_epochs": 1, "device": "cpu", "random_state": 0}
    with tempfile.TemporaryDirectory() as folder:
        path, y = file_of_rows(folder, n)
        file = np.load(path, mmap_mode="r")
        model = DMClassifier(batch_size=1024, module__hidden=(64,), **settings)
        what = f"{n:,} x {WIDTH}, float32, hidden 64, batch 1,024"
        yield measured(f"fit, an epoch of a file: {what}", n, lambda: model.fit(file, y))
        yield measured(f"predict a file: {what}", n, lambda: model.predict(file))
        rows = np.array(file)
        yield measured(f"fit, an epoch of an array: {what}", n, lambda: model.fit(rows, y))
        yield measured(f"predict an array: {what}", n, lambda: model.predict(rows))
    images = Images(n_images)
    model = DMClassifier(ResNet20, batch_size=100, augment="crop-flip", **settings)
    what = f"{n_images:,} images of 32 x 32, ResNet-20, batch 100"
    yield measured(f"fit, an epoch of a Dataset: {what}", n_images, lambda: model.fit(images))
    yield measured(f"predict a Dataset: {what}", n_images, lambda: model.predict(images))


def page_lines(rows):
    """The rates of the last row of each case, as the guide shows them."""
    last, lines = {row["case"]: row for row in rows}, []
    for case, row in last.items():
        rate = float(f"{row['a_second']:.2g}")
        lines.append(f"* {case}: {rate:,.0f} a second, {row['megabytes']:,.0f} MB")
    return lines


def main(arguments=None):
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing; print, write no rows")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for row in rates(options.tiny):
        print(f"{row['case']:80} {row['a_second']:10,} a second, {row['megabytes']} MB", flush=True)
        if not options.tiny:
            append_row(PATH, row)


if __name__ == "__main__":
    main()
