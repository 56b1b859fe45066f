"""Rows: what a measurement writes down, and how it gets into a file unharmed.

A row is one flat JSON object on one line. Beside its result it carries what is needed to believe it: the versions,
the machine and the commit that made it.
"""

import functools
import importlib.metadata
import json
import os
import platform
import subprocess
from pathlib import Path

from sklabelnoise._foundation._whole_files import write_whole

RESULTS = Path(__file__).parent / "results"
# File of rows that gave their place to others, without ending.
EARLIER = "earlier"
PACKAGES = ("numpy", "scikit-learn", "torch", "skorch", "sklabelnoise")


@functools.cache
def git_commit():
    """Commit of the working tree, with ``+changes`` where the code of package and benchmarks differs from it."""
    here = Path(__file__).parents[1]

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # What git does not know of counts as well: it would be imported all the same.
        changed = git("status", "--porcelain", "--untracked-files=all", "--", "sklabelnoise", "benchmarks/*.py")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


@functools.cache
def processor():
    """Model name of the processor; `platform.processor` is empty on most Linux systems."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def environment(packages=PACKAGES):
    """What was running: Python, packages, machine, threads and commit, as one dictionary of plain values.

    Parameters
    ----------
    packages : sequence of str
        Distributions whose versions are recorded; one that is not installed is left out.
    """
    import torch

    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        **({"card": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}),
        "versions": versions,
        "commit": git_commit(),
    }


def read_rows(path):
    """Rows of a file, in their order; none where the file does not exist.

    A last line without its line feed is what a killed writer leaves behind: it is no row.
    """
    path = Path(path)
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def write_rows(path, rows):
    """Replace the rows of a file; a killed writer leaves the old file as it was."""
    write_whole(path, "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows).encode())


def append_row(path, row):
    """Append one row in a single write, after cutting off the torn line a killed writer may have left."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    line = (json.dumps(row, allow_nan=False) + "\n").encode()
    with open(path, "ab+") as file:
        _cut_torn_line(file)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def _cut_torn_line(file):
    end = file.seek(0, os.SEEK_END)
    position = end
    while position:
        file.seek(position - 1)
        if file.read(1) == b"\n":
            break
        position -= 1
    if position != end:
        file.truncate(position)
    file.seek(0, os.SEEK_END)
