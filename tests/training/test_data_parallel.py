"""Several processes train the network of one: to the digit in float64, and never waiting for one that failed.

They are connected as ``torchrun`` connects them, by gloo on the CPU.
"""

import os
import pickle
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed

from sklabelnoise import DMClassifier

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch is built without torch.distributed")

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "data_parallel"
# What is tested here may wait for ever, and on a busy machine importing torch in each process takes a minute.
SECONDS = 560


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def start(command, **environment):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **environment}
    process = subprocess.Popen(list(map(str, command)), env=environment, cwd=ROOT, start_new_session=True)
    try:
        assert process.wait(timeout=SECONDS) == 0
    finally:
        # with the processes that it started
        if process.poll() is None:
            os.killpg(process.pid, 9)


def told(folder, n_processes):
    """What each process wrote, in their order."""
    return [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in range(n_processes)]


@pytest.mark.slow
def test_one_two_and_four_processes_train_the_same_network(tmp_path):
    start([sys.executable, SCRIPTS / "forked.py", SCRIPTS / "equal.py", tmp_path, free_port(), 1, 2, 4])
    (one,) = told(tmp_path / "1", 1)
    for n_processes in (2, 4):
        for of_process in told(tmp_path / str(n_processes), n_processes):
            assert len(of_process) == len(one) if n_processes == 2 else len(of_process) > 5
            for case, got in of_process.items():
                expected = one[case]
                assert got["processes"] == n_processes
                assert got["columns"] == expected["columns"], case
                # float32 where X is a Dataset
                rtol, atol = (1e-3, 1e-4) if expected["single"] else (1e-5, 1e-6)
                for name, values in expected["values"].items():
                    what = f"{case}: {name} of {n_processes} processes"
                    np.testing.assert_allclose(got["values"][name], values, rtol=rtol, atol=atol, err_msg=what)


@pytest.mark.slow
def test_no_process_waits_for_one_that_failed(tmp_path):
    start([sys.executable, SCRIPTS / "forked.py", SCRIPTS / "failing.py", tmp_path, free_port(), 2])
    first, second = told(tmp_path / "2", 2)
    unequal = {
        "classes": r"classes must be the same, got \['a', 'b', 'c'\] in process 0, \['a', 'b', 'd'\] in process 1\.",
        "rows": r"number of rows must be the same, got 96 in process 0, 90 in process 1\.",
        "order": "labels must be the same, got",
        "batches": r"batches of an epoch must be the same, got 4 in process 0, 6 in process 1\.",
        "network": r"module__hidden must be the same, got \(8,\) in process 0, \(6,\) in process 1\.",
        "own network": r"shapes of the network's parameters must be the same, got \[\(8, 5\), ",
        "loss": r"beta must be the same, got 8\.0 in process 0, 2\.0 in process 1\.",
        "held out": r"number of held-out rows must be the same, got 0 in process 0, 20 in process 1\.",
    }
    for case, message in unequal.items():
        for said in (first[case], second[case]):
            assert re.match(f"ValueError: All processes must call fit with the same rows.*: {message}", said), said
    assert first["compile"] == second["compile"]
    assert first["compile"].startswith("ValueError: compile must be False where processes train together")
    unreadable = "ValueError: X is a Dataset whose item 7 cannot be read, got OSError('the disk is gone')"
    alone = {
        "unreadable rows": "ValueError: Input X contains NaN",
        "dataset": unreadable,
        "dataset in a worker": unreadable,
        "callback": "ZeroDivisionError: division by zero",
        "interrupt": "KeyboardInterrupt",
    }
    for case, message in alone.items():
        assert message in second[case], second[case]
        ended = f"EndedByOther: Training on 2 processes ended, as process 1 of 2 failed: {message}"
        assert first[case].startswith(ended.partition("\n")[0]), first[case]
    # what one ends as planned ends for both, and after failures they train again
    assert first["stop"] == second["stop"] == "3 epochs"
    assert first["kept"] == second["kept"] == "the old network"
    assert first["after"] == second["after"]


@pytest.mark.slow
@pytest.mark.parametrize("connected_by", ["torchrun", "accelerate"])
def test_processes_of_a_launcher_train_together_whoever_connects_them(tmp_path, connected_by):
    """``accelerate launch`` starts processes on GPUs by torchrun's own code; on a CPU it would need MPI."""
    if connected_by == "accelerate":
        pytest.importorskip("accelerate", reason="accelerate is not installed")
    launcher = ["-m", "torch.distributed.run", "--nproc-per-node", 2, "--master-port", free_port()]
    start([sys.executable, *launcher, SCRIPTS / "launched.py", tmp_path, connected_by])
    first, second = told(tmp_path, 2)
    assert first["processes"] == second["processes"] == 2
    np.testing.assert_array_equal(first["weights"], second["weights"])


def test_one_process_needs_no_others(blobs):
    X, y = blobs
    alone, wanted = (
        DMClassifier(max_epochs=2, random_state=0, **more).fit(X, y) for more in ({}, {"accelerator": "auto"})
    )
    np.testing.assert_array_equal(alone.predict_proba(X), wanted.predict_proba(X))
    with pytest.raises(ValueError, match="The 'accelerator' parameter of DMClassifier must be"):
        DMClassifier(accelerator="gpu").fit(X, y)


@pytest.mark.slow  # two workers that import torch
def test_a_worker_of_joblib_under_a_launcher_trains_alone(blobs, monkeypatch):
    """It inherits the variables that tell processes of each other, and would wait for them."""
    X, y = blobs
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    model = DMClassifier(max_epochs=1, accelerator="auto", random_state=0)
    fitted = Parallel(n_jobs=2)(delayed(type(model).fit)(model, X, y) for _ in range(2))
    assert [one.n_iter_ for one in fitted] == [1, 1]
