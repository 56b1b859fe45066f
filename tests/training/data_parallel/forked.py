"""Runs a script in several processes as a launcher would, forked from one that has imported what takes long.

    python forked.py SCRIPT FOLDER PORT N [N ...]

Runs with N = 1 get none of a launcher's variables. Each process is given the folder ``FOLDER/N``.
"""

import os
import runpy
import sys
import traceback
from pathlib import Path

import sklabelnoise.training  # noqa: F401


def child(script, folder, environment):
    os.environ.update(environment)
    sys.argv = [script, folder]
    try:
        runpy.run_path(script, run_name="__main__")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


def main():
    script, folder, port, *sizes = sys.argv[1:]
    for i, size in enumerate(map(int, sizes)):
        out = Path(folder) / str(size)
        out.mkdir()
        common = {"WORLD_SIZE": str(size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(int(port) + i)}
        children = []
        for rank in range(size):
            environment = {} if size == 1 else {**common, "RANK": str(rank), "LOCAL_RANK": str(rank)}
            pid = os.fork()
            if pid == 0:
                child(script, str(out), environment)
            children.append(pid)
        codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        assert codes == [0] * size, codes


if __name__ == "__main__":
    main()
