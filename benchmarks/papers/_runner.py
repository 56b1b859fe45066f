"""What the scripts of this folder share: jobs that leave rows, resumed where a run was killed, and tables of them."""

import argparse
import hashlib
import itertools
import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.cells import markdown, mean_sd
from benchmarks.rows import RESULTS, append_row, environment, read_rows

FOLDER = RESULTS / "papers"
# Further folders in which a run may have its row.
FOLDERS_BESIDE = []
# Where processes that work at the same time say which runs they have begun; none where one works alone.
CLAIMS = None
CACHE = Path(__file__).parents[1] / ".cache"


def rows_path(name):
    """File of the rows of one script."""
    return FOLDER / f"{name}.jsonl"


def use_shared_data():
    """Let the package find the real data beside the checkout, unless SKLABELNOISE_DATA names another folder."""
    os.environ.setdefault("SKLABELNOISE_DATA", str(Path(__file__).parents[3] / "shared" / "data"))


def digest(value):
    """Twelve hexadecimal digits that stand for a value: numbers, text, arrays, and lists and dictionaries of them."""
    text = json.dumps(value, sort_keys=True, default=_array_digest)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _array_digest(array):
    array = np.ascontiguousarray(array)
    return [str(array.dtype), array.shape, hashlib.sha256(array).hexdigest()]


def row_of_run(run, folder=None):
    """The measures of a run that some table has made already, None where none has.

    Tables share runs: the same network on the same images, labels and seed. What says where and when it was measured
    comes with it.
    """
    for path in (path for place in (folder or FOLDER, *FOLDERS_BESIDE) for path in sorted(Path(place).glob("*.jsonl"))):
        for row in read_rows(path):
            if row.get("run") == run:
                return {**{name: value for name, value in row.items() if name != "job"}, "taken_from": path.stem}
    return None


class RunElsewhere(Exception):
    """Another process has begun the same run: its row can be taken over when it is done."""


def claim(run):
    """Begin a run; raises `RunElsewhere` where another process has."""
    if CLAIMS is None:
        return
    try:
        (Path(CLAIMS) / run).touch(exist_ok=False)
    except FileExistsError:
        raise RunElsewhere(run) from None


def run_jobs(path, jobs, execute, *, protocol=None, report=print):
    """Execute the jobs that have no row yet.

    Parameters
    ----------
    path : path-like
        File of the rows.
    jobs : sequence of dict
        Plain values; a job is recognized by them.
    execute : callable
        ``execute(**job)`` returns the measures of the job as a dict; where they were taken over from a row of another
        table, with what that row says of its making.
    protocol : str, default=None
        That of the jobs: rows that name another one are replaced.
    report : callable, default=print
        Called with one line a job.
    """
    torch.set_num_threads(1)
    done = {_key(row["job"]) for row in read_rows(path) if of_protocol(row, protocol)}
    jobs = [job for job in jobs if _key(job) not in done]
    for count, job in enumerate(jobs, start=1):
        start = time.perf_counter()
        measures = execute(**job)
        seconds = round(time.perf_counter() - start, 2)
        append_row(path, {"job": job, "seconds": seconds, **environment(), **measures})
        report(f"{count} of {len(jobs)}  {json.dumps(job)}  {seconds} s")


def of_protocol(row, protocol):
    """Whether a row is of this protocol; rows of before there was a name for it are of the only one there was."""
    return protocol is None or row.get("protocol", protocol) == protocol


def _key(job):
    return json.dumps(job, sort_keys=True)


def product_of(**lists):
    """Jobs of all combinations, the first name outermost."""
    return [dict(zip(lists, values, strict=True)) for values in itertools.product(*lists.values())]


def frame_of(path):
    """Rows as a frame, one column for each value of a job and for each measure."""
    return pd.DataFrame([{**row, **row["job"]} for row in read_rows(path)])


def frame_of_scale(path, scale, measured):
    """Rows of one scale as a frame with a line for each entry of their list `measured`; empty where there are none."""
    frame = frame_of(path)
    if frame.empty or not (frame["scale"] == scale).any():
        return pd.DataFrame()
    frame = frame[frame["scale"] == scale].explode(measured).reset_index(drop=True)
    return pd.concat([frame.drop(columns=measured), pd.json_normalize(list(frame[measured]))], axis=1)


def beside_the_paper(frame, published, *, rows, columns, value, scale=100, digits=1):
    """Table in Markdown: ours as mean ± sd over seeds, and what the paper states in brackets.

    Parameters
    ----------
    frame : DataFrame
        One row a run.
    published : dict of (row, column) to str or float
        What the paper states.
    rows, columns, value : str
        Columns of `frame`: what becomes a row, what a column, what is averaged.
    scale, digits
        Of our figures.
    """
    order = {name: list(dict.fromkeys(frame[name])) for name in (rows, columns)}
    cells = {
        row: {
            column: mean_sd(frame.loc[(frame[rows] == row) & (frame[columns] == column), value], scale, digits)
            + (f" ({published[row, column]})" if (row, column) in published else "")
            for column in order[columns]
        }
        for row in order[rows]
    }
    return markdown(pd.DataFrame.from_dict(cells, orient="index").rename_axis(rows))


def command_line(document, *, scales=(), default_scale=None, seeds=(0, 1, 2)):
    """Options of a script: its docstring is its help."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    if scales:
        parser.add_argument("--scale", choices=scales, default=default_scale, help="size of the experiment")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(seeds))
    parser.add_argument("--report", action="store_true", help="print the tables of the rows there are, run nothing")
    return parser
