"""Everything that needs a GPU, in pieces of minutes, the most telling first.

    python -m benchmarks.gpu                                 # what has no row yet, until 13 minutes are over
    python -m benchmarks.gpu --pieces tests images --minutes 5
    python -m benchmarks.gpu --out "$OUT"                    # rows into that folder; those committed count as done
    python -m benchmarks.gpu --device cpu --tiny --out /tmp  # the same code in a minute, to see that it runs
    python -m benchmarks.gpu --list

A row is begun while there is time for the seconds it is expected to take, and is written when it is there, so that a
run that is killed loses one row and the next one goes on behind it. A row names the card, the commit and the versions.
Times are wall clock between two waits for the device, ours and the reference in turn; a ratio is ours / reference.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.fused import EPOCHS, FEATURES, FOLDS, make_classifier, make_grid, make_table
from benchmarks.image_speed import SOLVER
from benchmarks.papers import dm_table7
from benchmarks.papers._runner import use_shared_data
from benchmarks.rows import RESULTS, append_row, environment, read_rows
from sklabelnoise import RobustLossClassifier
from sklabelnoise.losses import DMLoss
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.modules import ResNet20, ResNet44
from sklabelnoise.training import CropFlip

NAME = "gpu.jsonl"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Setting:
    """Where to run, and whether at the size at which numbers mean something."""

    device: str
    tiny: bool

    def wait(self):
        """Until the device has done all it was told."""
        if self.device == "cuda":
            torch.cuda.synchronize()

    def seconds(self, function):
        """Wall clock of a call, with all that it asks of the device."""
        self.wait()
        start = time.perf_counter()
        function()
        self.wait()
        return time.perf_counter() - start

    def interleaved(self, ours, reference, repeats):
        """Seconds of both in turn after a warm-up, as a part of a row."""
        ours(), reference()
        pairs = [(self.seconds(ours), self.seconds(reference)) for _ in range(1 if self.tiny else repeats)]
        mine, theirs = np.array(pairs).T
        low, ratio, high = np.quantile(mine / theirs, (0.25, 0.5, 0.75))
        return {
            "ratio": round(float(ratio), 4),
            "ratio_low": round(float(low), 4),
            "ratio_high": round(float(high), 4),
            "ours_ms": round(1e3 * float(np.median(mine)), 3),
            "reference_ms": round(1e3 * float(np.median(theirs)), 3),
            "repeats": len(pairs),
        }


def tests(setting):
    """The tests that need a GPU; on the CPU the same tests, to see that they run."""

    def run():
        command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "tests/test_gpu.py"]
        environment = {**os.environ, "SKLABELNOISE_GPU": setting.device}
        finished = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        print(finished.stdout[-8000:])
        return {"passed": finished.returncode == 0, "said": finished.stdout.strip().splitlines()[-1]}

    yield "tests marked gpu", run


def plain_images(setting, X, y, network, batch, *, amp, epochs=1):
    """The loop that a careful user writes for images: on the device, normalized, augmented, cross entropy, SGD."""
    device = torch.device(setting.device)
    X = X.to(device)
    # On the device: on one thread of the host they take half a second, a quarter of all.
    mean, std = (value.view(1, 3, 1, 1) for value in (X.mean((0, 2, 3)), X.std((0, 2, 3))))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = network(in_channels=3, n_classes=10).to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.SGD(module.parameters(), momentum=0.9, **SOLVER)
    augment, generator = CropFlip(), torch.Generator(device).manual_seed(0)
    for _ in range(epochs):
        losses, hits = [], []
        for rows in torch.randperm(len(X)).to(device).split(batch):
            images, labels = augment((X[rows] - mean) / std, generator), y[rows]
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=amp):
                logits = module(images)
            loss = F.cross_entropy(logits.float(), labels)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            hits.append((logits.detach().argmax(1) == labels).sum())
        torch.stack(losses).sum().item(), torch.stack(hits).sum().item()


def images(setting):
    """Images a second of a residual network, against the plain loop; promised is 90 %."""
    n, batch, network = (16, 8, ResNet20) if setting.tiny else (25_600, 256, ResNet44)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 3, 32, 32)).astype(np.float32), rng.integers(0, 10, n)
    on_device = torch.from_numpy(y).to(setting.device)

    def run(amp, seed):
        model = RobustLossClassifier(
            network, loss="cross_entropy", max_epochs=1, batch_size=batch, amp=amp, channels_last=True,
            optimizer="SGD", optimizer__momentum=0.9, lr_schedule="constant", augment="crop-flip",
            device=setting.device, random_state=seed, **SOLVER,
        )  # fmt: skip
        measured = setting.interleaved(
            lambda: model.fit(X, y),
            lambda: plain_images(setting, torch.from_numpy(X), on_device, network, batch, amp=amp),
            repeats=5,
        )
        rate = round(n / (1e-3 * measured["ours_ms"]))
        return {**measured, "promise": round(1 / 0.9, 3), "images_per_second": rate}

    # Without a seed cuDNN takes the fastest kernels, with one those that repeat to the bit.
    for amp, seed in ((False, None), (True, None), (False, 0), (True, 0)):
        kind = f"{'bfloat16' if amp else 'float32'}, {'fastest' if seed is None else 'repeatable'} kernels"
        yield (
            f"{network.__name__} epoch, {n:,} images, batch {batch}, {kind}, statistics on the device",
            partial(run, amp, seed),
        )


def search(setting):
    """A search of 150 fits as one stack against the same fits one by one; promised is a fiftieth."""
    rows, candidates, alone = (400, 5, 1) if setting.tiny else (20_000, 30, 6)
    X, y = make_table(rows)
    base = make_classifier().set_params(device=setting.device)
    grid = make_grid(candidates)

    def one_by_one():
        for number in range(alone):
            model = base.set_params(lam=grid["lam"][number % 5], beta=grid["beta"][0])
            model.fit(X[: rows - rows // FOLDS], y[: rows - rows // FOLDS]).predict(X[rows - rows // FOLDS :])

    def run():
        measured = setting.interleaved(
            lambda: FusedGridSearchCV(base, grid, cv=FOLDS, refit=False).fit(X, y), one_by_one, repeats=3
        )
        for name in ("ratio", "ratio_low", "ratio_high"):
            measured[name] = round(measured[name] * alone / n_fits, 5)
        return {**measured, "promise": 1 / 50, "fits_alone": alone}

    n_fits = candidates * FOLDS
    yield f"search of {n_fits} fits, {rows:,} x {FEATURES}, {EPOCHS} epochs, against fits one by one", run


def plain_table(setting, X, y, hidden, batch, epochs):
    """The loop that a careful user writes for a table, the fused optimizer included."""
    device = torch.device(setting.device)
    X, y = torch.from_numpy(X).to(device), torch.from_numpy(y).to(device)
    module = nn.Sequential(nn.Linear(X.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, int(y.max()) + 1)).to(device)
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, fused=True)
    for _ in range(epochs):
        losses, hits = [], []
        for rows in torch.randperm(len(X)).to(device).split(batch):
            optimizer.zero_grad()
            logits = module(X[rows])
            loss = F.cross_entropy(logits, y[rows])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            hits.append((logits.detach().argmax(1) == y[rows]).sum())
        torch.stack(losses).sum().item(), torch.stack(hits).sum().item()


def launches(setting, function):
    """How many kernels a call launches, copies included; a recorded graph of them is launched as one."""
    activity = torch.profiler.ProfilerActivity
    kinds = [activity.CPU, activity.CUDA] if setting.device == "cuda" else [activity.CPU]
    with torch.profiler.profile(activities=kinds) as profile:
        function()
        setting.wait()
    kernels = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cudaGraphLaunch")
    names = (*kernels, "cudaMemcpyAsync", "cudaMemsetAsync")
    return sum(event.count for event in profile.key_averages() if event.key in names)


def steps(setting):
    """A small network, whose step is made of launches: seconds and launches against the plain loop."""
    rows, batch, epochs = (500, 250, 1) if setting.tiny else (25_000, 250, 5)
    X, y = make_table(rows, 100, 10)
    settings = {"max_epochs": epochs, "batch_size": batch, "module__hidden": (64,), "device": setting.device}
    model = RobustLossClassifier(
        loss="cross_entropy", optimizer="AdamW", lr=1e-3, lr_schedule="constant", random_state=0, **settings
    )

    def plain():
        plain_table(setting, X, y, 64, batch, epochs)

    def run():
        measured = setting.interleaved(lambda: model.fit(X, y), plain, repeats=7)
        counted = {"ours": launches(setting, lambda: model.fit(X, y)), "reference": launches(setting, plain)}
        more = {f"launches_a_step_{name}": round(count / n_steps, 1) for name, count in counted.items()}
        return {**measured, **more, "promise": 1.2}

    n_steps = epochs * -(-rows // batch)
    yield f"table {rows:,} x 100, hidden 64, batch {batch}, {epochs} epochs", run


def streams(setting):
    """Rows a second of a table that stays on the host, against the same table on the device; and the peak memory."""
    rows, width, batch = (2_000, 32, 256) if setting.tiny else (2_000_000, 256, 4096)
    X, y = make_table(rows, width, 10)
    model = RobustLossClassifier(
        loss="cross_entropy", max_epochs=1, batch_size=batch, module__hidden=(256,), device=setting.device,
        random_state=0,
    )  # fmt: skip
    peaks = []

    def fit(free):
        if setting.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        with mock.patch("sklabelnoise.training._streams.free_memory", return_value=free):
            model.fit(X, y)
        peaks.append(torch.cuda.max_memory_allocated() if setting.device == "cuda" else 0)

    def train():
        measured = setting.interleaved(lambda: fit(0), lambda: fit(2**60), repeats=3)
        measured |= {"peak_bytes_ours": peaks[-2], "peak_bytes_reference": peaks[-1], "X_bytes": X.nbytes}
        return {**measured, "rows_per_second": round(rows / (1e-3 * measured["ours_ms"]))}

    def predict():
        fit(0)
        with mock.patch("sklabelnoise.training._streams.free_memory", return_value=0):
            return {"rows_per_second": round(rows / setting.seconds(lambda: model.predict(X)))}

    yield f"epoch over {rows:,} x {width} float32 from the host, batch {batch}", train
    yield f"predict {rows:,} x {width} float32 from the host, batch {batch}", predict


def kernels(setting):
    """Forward and backward pass of the DM loss against cross entropy."""
    sizes = ((64, 10),) if setting.tiny else ((4096, 10), (4096, 100), (1024, 1000), (256, 10))

    def run(n, n_classes):
        generator = torch.Generator().manual_seed(0)
        logits = (3 * torch.randn(n, n_classes, generator=generator)).to(setting.device).requires_grad_()
        labels = torch.randint(n_classes, (n,), generator=generator).to(setting.device)

        def repeated(loss):
            for _ in range(2 if setting.tiny else 200):
                logits.grad = None
                loss(logits, labels).backward()

        criterion = DMLoss()
        return setting.interleaved(lambda: repeated(criterion), lambda: repeated(F.cross_entropy), repeats=11)

    for n, n_classes in sizes:
        yield f"DM loss against cross entropy, logits {n} x {n_classes}", partial(run, n, n_classes)


def table(setting):
    """Cells of DM Table 7 (CIFAR-10, 40 % symmetric noise, SGD with momentum) on all images, with fewer epochs."""
    use_shared_data()
    scale = "tiny" if setting.tiny else "gpu"
    for method in ("CCE", "DM", "GCE", "MAE", "MSE"):
        run = partial(dm_table7.TABLE.execute, scale, "momentum", method, 0, device=setting.device)
        yield f"dm_table7, scale {scale}, momentum, {method}, seed 0", run


@dataclass(frozen=True)
class Piece:
    """A part of the run, and about the seconds that one of its rows takes; of `table` nobody has measured them yet."""

    rows: Callable
    seconds: int


# In the order of what they are worth: what fits into 13 minutes comes first.
PIECES = {
    "tests": Piece(tests, 150),
    "images": Piece(images, 40),
    "search": Piece(search, 60),
    "steps": Piece(steps, 30),
    "streams": Piece(streams, 40),
    "kernels": Piece(kernels, 10),
    "table": Piece(table, 240),
}


def main(arguments=None):
    """Command line; the number of rows that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pieces", nargs="+", choices=PIECES, default=list(PIECES))
    parser.add_argument("--minutes", type=float, default=13, help="no row is begun that would end later")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing, to see that all of it runs")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the rows")
    parser.add_argument("--list", action="store_true", help="show the pieces and leave")
    options = parser.parse_args(arguments)
    if options.list:
        for name, piece in PIECES.items():
            print(f"{name:8} about {piece.seconds:4} s a row  {piece.rows.__doc__.splitlines()[0]}")
        return 0
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("there is no CUDA device here; --device cpu --tiny shows that the code runs")
    if not options.tiny and options.device == "cpu":
        parser.error("--device cpu is for --tiny: its rows are no measurements")
    return run_pieces(options.pieces, Setting(options.device, options.tiny), options.out, 60 * options.minutes)


def run_pieces(names, setting, out, seconds):
    """Run pieces while there is time, and write their rows.

    Parameters
    ----------
    names : list of str
        Keys of `PIECES`.
    setting : Setting
    out : path-like
        Folder of the rows.
    seconds : float
        No row is begun that is expected to end later.

    Returns
    -------
    n_failed : int
    """
    torch.set_num_threads(1)
    path, n_failed, start = Path(out) / NAME, 0, time.perf_counter()
    about = {"device": setting.device, "tiny": setting.tiny, **environment()}
    done = {_key(row) for file in {path, RESULTS / NAME} for row in read_rows(file)}
    for name in names:
        for case, measure in PIECES[name].rows(setting):
            job = {"piece": name, "case": case, **about}
            if _key(job) in done:
                continue
            began = time.perf_counter()
            left = seconds - (began - start)
            if left < PIECES[name].seconds and not setting.tiny:
                print(f"{case}: left for the next time, {left:.0f} s are not enough", flush=True)
                continue
            try:
                measured = measure()
            except Exception as error:  # the others are worth their time all the same
                n_failed += 1
                print(f"{case} FAILED: {type(error).__name__}: {error}", flush=True)
                continue
            row = {**job, **measured, "seconds": round(time.perf_counter() - began, 1)}
            append_row(path, row)
            print(f"{case}: {measured}, {row['seconds']} s", flush=True)
    return n_failed


def _key(row):
    return tuple(row.get(name) for name in ("piece", "commit", "case", "device", "tiny", "card"))


if __name__ == "__main__":
    sys.exit(main())
