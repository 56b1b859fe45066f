"""Many cells of the image tables at once: several processes share one GPU, the most telling cells first.

    python -m benchmarks.papers.many --minutes 6                       # on a GPU; rows into benchmarks/results/papers
    python -m benchmarks.papers.many --out "$OUT" --processes 14       # rows into a folder of their own
    python -m benchmarks.papers.many --scale tiny --device cpu --processes 2 --first 3 --out rows
    python -m benchmarks.papers.many --list

A network of the scale ``core`` is so small that a GPU mostly waits for the next of its kernels, so that one process
leaves it idle. Start ``nvidia-cuda-mps-control -d`` before, so that the kernels of all processes run at once and not in
turns, and end it by ``echo quit | nvidia-cuda-mps-control``: on an H100 that 16 processes share so a cell takes 22 to
37 seconds of its process, without it, on an H200 and 15 of them, 44 to 56. What a cell is, is stated in its table's
script, and its row is the one that the script itself writes: running that afterwards goes on with what is missing here.
"""

import argparse
import importlib
import json
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed, wait
from pathlib import Path

import torch

from benchmarks.papers import _images, _runner
from benchmarks.papers._images import SCALES
from benchmarks.papers._runner import of_protocol, product_of, use_shared_data
from benchmarks.rows import append_row, environment, read_rows

# Table, columns (None for all), seeds, and rows (None for all): why a method does not help, every column with one seed,
# and three seeds of the columns at 40 % noise.
ORDER = (
    ("cifar10_explained", None, (0,), None),
    ("proselflc_figure2", None, (0, 1, 2), ("CCE", "ProSelfLC", "ProSelfLC, slope=8")),
    ("cifar10_human", None, (0,), None),
    ("dm_figures5_11", None, (0,), None),
    ("dm_table1", None, (0,), None),
    *((name, None, (0,), None) for name in ("dm_table2", "dm_table6", "dm_table6_cifar100", "dm_table7", "dm_table8")),
    ("dm_table9", None, (0,), None),
    *((name, None, (0,), None) for name in ("proselflc_figure2", "proselflc_table4", "cifar10_rivals")),
    ("dm_table9", ("r=0.4",), (1, 2), None),
    ("proselflc_table4", ("symmetric 0.4",), (1, 2), None),
    ("dm_table2", ("r=0.4",), (1, 2), None),
    ("dm_table1", ("symmetric 0.4", "asymmetric 0.4"), (1, 2), None),
    ("cifar10_human", ("worse",), (1, 2), None),
    ("dm_table8", ("r=0.4",), (1, 2), None),
    ("dm_table6", None, (1, 2), None),
    ("dm_table6_cifar100", None, (1, 2), None),
    ("dm_table7", None, (1, 2), None),
    ("dm_figures5_11", ("r=0.4",), (1, 2), None),
    ("cifar10_rivals", None, (1, 2), None),
    ("cifar10_explained", None, (1, 2), None),
    ("proselflc_figure2", None, (1, 2), None),
)


def table_of(name):
    """The table that a script states."""
    return importlib.import_module(f"benchmarks.papers.{name}").TABLE


def jobs_of(scale, folders):
    """(table, job) of every cell of `ORDER` without a row in any of the folders."""
    jobs = {}
    for name, conditions, seeds, methods in ORDER:
        table = table_of(name)
        for job in product_of(
            scale=[scale],
            seed=seeds,
            condition=conditions or list(table.conditions),
            method=methods or list(table.methods),
        ):
            jobs.setdefault((name, json.dumps(job, sort_keys=True)), (name, job))
    protocol = SCALES[scale].protocol
    for name in {name for name, _ in jobs.values()}:
        for folder in folders:
            for row in read_rows(Path(folder) / f"{name}.jsonl"):
                if of_protocol(row, protocol):
                    jobs.pop((name, json.dumps(row["job"], sort_keys=True)), None)
    return list(jobs.values())


def start_process(shared, folders, device):
    """What a process does once: images and claims are those of all, and the device's context is made."""
    torch.set_num_threads(1)
    _images.DECODED = _runner.CLAIMS = shared
    _runner.FOLDERS_BESIDE[:] = folders
    torch.zeros(1, device=device)


# Seconds, epochs and images of the last cell of this process.
_last = (0.0, 1, 1)


def expected(scale):
    """Seconds that a cell will take, by the pace of the last one."""
    seconds, epochs, n_train = _last
    return seconds * (SCALES[scale].max_epochs or epochs) / epochs * (SCALES[scale].n_train or n_train) / n_train


def execute(name, job, device, deadline):
    """The row of a cell; None where it would be ready too late."""
    global _last
    start = time.perf_counter()
    if time.time() + 1.05 * expected(job["scale"]) > deadline:
        return None
    measures = table_of(name).execute(**job, device=device)
    seconds = round(time.perf_counter() - start, 2)
    if "epochs" in measures and "taken_from" not in measures:
        _last = (seconds, measures["epochs"], measures["n_train"])
    return {"job": job, "seconds": seconds, **environment(), **measures}


def main(arguments=None):
    """Command line; the number of cells that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="core")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--processes", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=9, help="no cell is begun that is expected to end later")
    parser.add_argument("--first", type=int, help="of the cells without a row only so many")
    parser.add_argument("--out", type=Path, default=_runner.FOLDER, help="folder of the rows")
    parser.add_argument("--list", action="store_true", help="show the cells without a row and leave")
    options = parser.parse_args(arguments)
    use_shared_data()
    deadline, start = time.time() + 60 * options.minutes, time.perf_counter()
    folders = list(dict.fromkeys([_runner.FOLDER, options.out]))
    jobs = jobs_of(options.scale, folders)[: options.first]
    if options.list:
        for name, job in jobs:
            print(name, json.dumps(job))
        return 0
    n_failed = n_done = 0
    again = []
    with (
        tempfile.TemporaryDirectory() as shared,
        # A process that was forked has no CUDA of its own.
        ProcessPoolExecutor(
            options.processes,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=start_process,
            initargs=(shared, folders, options.device),
        ) as pool,
    ):
        datasets = dict.fromkeys(table_of(name).dataset for name, _ in jobs)
        wait([pool.submit(_images.decode, dataset, shared) for dataset in datasets])
        # The second time, rows are taken over of runs that another cell had begun.
        for todo, until in ((jobs, deadline), (again, float("inf"))):
            futures = {pool.submit(execute, name, job, options.device, until): (name, job) for name, job in todo}
            for future in as_completed(futures):
                name, job = futures[future]
                try:
                    row = future.result()
                except _runner.RunElsewhere:
                    again.append((name, job))
                    continue
                except Exception as error:  # the others are worth their time all the same
                    n_failed += 1
                    print(f"{name} {json.dumps(job)} FAILED: {type(error).__name__}: {error}", flush=True)
                    continue
                if row is None:
                    continue
                n_done += 1
                append_row(options.out / f"{name}.jsonl", row)
                at = f"{n_done} of {len(jobs)} at {time.perf_counter() - start:.0f} s"
                print(f"{at}  {name} {json.dumps(job)}  {row['seconds']} s", flush=True)
    print(f"{len(jobs) - n_done - n_failed} cells left for the next time, {n_failed} failed")
    return n_failed


if __name__ == "__main__":
    sys.exit(main())
