"""A run of the tests ends, whatever the tests have left."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

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
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_unconfigure\n")
    path = tmp_path / "test_left.py"
    path.write_text(textwrap.dedent(WITH_A_STUCK_WORKER))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path]
    run = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=90)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "1 passed" in run.stdout


@pytest.mark.parametrize("named", [True, False])
def test_the_whole_suite_takes_every_core_and_files_that_are_named_one_process(named, tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
    (tmp_path / "conftest.py").write_text("from tests.conftest import pytest_cmdline_main\n")
    (tmp_path / "test_it.py").write_text("def test_where(worker_id):\n    assert worker_id == 'master'\n")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *["test_it.py"] * named],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LOKY_MAX_CPU_COUNT": "2"},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert ("1 passed" if named else "1 failed") in run.stdout, run.stdout + run.stderr
