"""Many cells of the image tables at once: several processes share one GPU, the most telling cells first.

    python -m benchmarks.papers.many --minutes 6                       # on a GPU; rows into benchmarks/results/papers
    python -m benchmarks.papers.many --out "$OUT" --processes 14       # rows into a folder of their own
    python -m benchmarks.papers.many --scale tiny --device cpu --processes 2 --first 3 --out /tmp/rows
    python -m benchmarks.papers.many --list

A network of the scale ``core`` is so small that a GPU mostly waits for the next of its kernels, so that one process
leaves it idle. What a cell is, is stated in its table's script, and its row is the one that the script itself writes:
running that afterwards goes on with what is missing here.
"""

import argparse
import importlib
import json
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch

from benchmarks.papers import _runner
from benchmarks.papers._images import SCALES
from benchmarks.papers._runner import of_protocol, product_of, use_shared_data
from benchmarks.rows import append_row, environment, read_rows

# Table, columns (None for all) and seeds.
ORDER = (
    ("cifar10_rivals", None, (0, 1, 2)),
    ("dm_table1", ("symmetric 0.4",), (0, 1, 2)),
    ("proselflc_table4", ("symmetric 0.4",), (0, 1, 2)),
    ("proselflc_figure2", None, (0, 1, 2)),
    ("dm_table9", ("r=0.4",), (0, 1, 2)),
    ("cifar10_human", None, (0,)),
    ("dm_table9", None, (0,)),
    ("dm_table8", None, (0,)),
    ("dm_table6", None, (0,)),
    ("dm_table7", None, (0,)),
    ("dm_figures5_11", ("r=0.4",), (0,)),
    ("proselflc_table4", None, (0,)),
    ("dm_table1", None, (0,)),
    ("dm_figures5_11", None, (0,)),
    ("cifar10_human", None, (1,)),
    ("dm_table8", None, (1, 2)),
)


def table_of(name):
    """The table that a script states."""
    return importlib.import_module(f"benchmarks.papers.{name}").TABLE


def jobs_of(scale, folders):
    """(table, job) of every cell of `ORDER` without a row in any of the folders."""
    jobs = {}
    for name, conditions, seeds in ORDER:
        table = table_of(name)
        for job in product_of(
            scale=[scale], seed=seeds, condition=conditions or list(table.conditions), method=list(table.methods)
        ):
            jobs.setdefault((name, json.dumps(job, sort_keys=True)), (name, job))
    protocol = SCALES[scale].protocol
    for name in {name for name, _ in jobs.values()}:
        for folder in folders:
            for row in read_rows(Path(folder) / f"{name}.jsonl"):
                if of_protocol(row, protocol):
                    jobs.pop((name, json.dumps(row["job"], sort_keys=True)), None)
    return list(jobs.values())


_slowest = 0.0


def execute(name, job, folders, device, deadline):
    """The row of a cell; None where it would be ready too late, by what the slowest cell of this process took."""
    global _slowest
    start = time.perf_counter()
    if time.time() + _slowest > deadline:
        return None
    torch.set_num_threads(1)
    _runner.FOLDERS_BESIDE[:] = folders
    measures = table_of(name).execute(**job, device=device)
    seconds = round(time.perf_counter() - start, 2)
    _slowest = max(_slowest, seconds)
    return {"job": job, "seconds": seconds, **environment(), **measures}


def main(arguments=None):
    """Command line; the number of cells that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=SCALES, default="core")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--processes", type=int, default=14)
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
    n_failed = n_left = 0
    # A process that was forked has no CUDA of its own.
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {
            pool.submit(execute, name, job, folders, options.device, deadline): (name, job) for name, job in jobs
        }
        for count, future in enumerate(as_completed(futures), start=1):
            name, job = futures[future]
            try:
                row = future.result()
            except Exception as error:  # the others are worth their time all the same
                n_failed += 1
                print(f"{name} {json.dumps(job)} FAILED: {type(error).__name__}: {error}", flush=True)
                continue
            if row is None:
                n_left += 1
                continue
            append_row(options.out / f"{name}.jsonl", row)
            passed = time.perf_counter() - start
            print(f"{count} of {len(jobs)} at {passed:.0f} s  {name} {json.dumps(job)}  {row['seconds']} s", flush=True)
    print(f"{n_left} cells left for the next time, {n_failed} failed")
    return n_failed


if __name__ == "__main__":
    sys.exit(main())
