"""What every test shares: one torch thread, the real data, small data sets."""

import faulthandler
import gc
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

# Two threads make networks this small several times slower than one; set before torch starts its pools.
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
# Nor does torch's compiler need processes of its own, which outlive the compilation.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

ROOT = Path(__file__).parents[1]

_MOST_PROCESSES = 8  # each loads torch


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks at what it was asked for
def pytest_cmdline_main(config):
    """Let the whole suite take every core; files that are named run in this process, where a debugger can follow."""
    option, named = config.option, config.args_source is config.ArgsSource.ARGS
    alone = named or option.usepdb or option.trace or hasattr(config, "workerinput")
    if not alone and getattr(option, "numprocesses", 0) is None:
        from joblib import cpu_count  # of those that this process may use

        # Neighbors share what their module prepares, so each process begins with a part of its own.
        option.numprocesses, option.dist = min(cpu_count(), _MOST_PROCESSES), "worksteal"


def pytest_configure(config):
    import matplotlib
    import torch

    matplotlib.use("Agg")
    torch.set_num_threads(1)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell's background jobs inherit that an interrupt is ignored; tests send themselves interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    gc.disable()  # what is collected stays, and to look through it again and again takes a tenth of the run


def pytest_collection_finish(session):
    gc.freeze()
    gc.enable()


def pytest_sessionfinish(session):
    gc.unfreeze()  # hypothesis, which may be imported only now, looks for who refers to what


def pytest_unconfigure(config):
    """Leave nothing behind that keeps the process from ending.

    Python waits for joblib's idle workers when it ends, and one that does not answer keeps it waiting for ever
    (joblib/loky issues 363 and 437). Where something else does, the run fails and says where it stood.
    """
    if "joblib.externals.loky.reusable_executor" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor(max_workers=1, reuse=False, kill_workers=True)  # one that has started no worker yet
    faulthandler.dump_traceback_later(120, exit=True, file=sys.__stderr__)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of the real data sets; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("SKLABELNOISE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "SOURCES.md").exists():
        pytest.skip(f"the shared data sets are not in {folder}; set SKLABELNOISE_DATA")
    os.environ["SKLABELNOISE_DATA"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def blobs():
    """Three well separated classes in five dimensions: 150 rows of float64, labels 0, 1, 2."""
    rng = np.random.default_rng(0)
    y = np.arange(150) % 3
    centers = 4 * np.eye(3, 5)
    return centers[y] + rng.normal(size=(150, 5)), y


@pytest.fixture
def noisy(blobs):
    """Rows of the blobs, given labels of which three in ten are wrong, and the true ones."""
    from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

    X, y = blobs
    return X, corrupt_labels(y, symmetric_transition_matrix(3, 0.3), exact_counts=True, random_state=0), y


@pytest.fixture
def noisy_blobs():
    """Rows of three classes far apart, given labels of which a fifth is wrong, and the true ones."""
    from sklearn.datasets import make_blobs

    from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

    X, y_clean = make_blobs(600, centers=6 * np.eye(3), random_state=0)
    y = corrupt_labels(y_clean, symmetric_transition_matrix(3, 0.2), random_state=0)
    return X, y, y_clean


# Families for tables that cost less, for what an ensemble claims however large they are.


@pytest.fixture(scope="module")
def short_networks():
    from sklabelnoise._ensemble._networks import TableNetworks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TableNetworks, "SHORT_EPOCHS", 6)
        patch.setattr(TableNetworks, "LONG_EPOCHS", 10)
        yield


@pytest.fixture(scope="module")
def few_trees():
    from sklabelnoise._ensemble._forests import Forest

    with pytest.MonkeyPatch.context() as patch:
        for name, number in {"N_FIRST": 6, "N_FIRST_OF_FEW": 6, "N_TREES": 30, "N_TREES_OF_FEW": 15}.items():
            patch.setattr(Forest, name, number)
        yield


@pytest.fixture(scope="module")
def few_rounds():
    from sklabelnoise._ensemble._boosting import Boosting

    with pytest.MonkeyPatch.context() as patch:
        for name, numbers in {"DAMPED_ROUNDS": (5, 10, 20), "MANY_ROUNDS": (40,), "BOLD_ROUNDS": (5, 10, 20)}.items():
            patch.setattr(Boosting, name, numbers)
        yield
