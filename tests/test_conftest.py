"""A run of the tests ends, whatever the tests have left."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Two idle workers of joblib, one of which never answers again.
WITH_A_STUCK_WORKER = """
    import os, signal
    from joblib import Parallel, delayed

    def test_workers():
        pids = Parallel(n_jobs=2)(delayed(os.getpid)() for _ in range(20))
        os.kill(pids[0], signal.SIGSTOP)
"""


def test_a_worker_that_does_not_answer_keeps_no_run_from_ending(tmp_path):
    path = tmp_path / "test_left.py"
    path.write_text(textwrap.dedent(WITH_A_STUCK_WORKER))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", path]
    run = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout
