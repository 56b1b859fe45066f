"""Laws of other processes: a net goes where its parameters go, by whatever pickler was called, and after a fork."""

import io
import os
import pickle
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from sklabelnoise import DMClassifier
from sklabelnoise.losses import DMLoss
from sklabelnoise.modules import MLP
from sklabelnoise.training._net import NoisyLabelNet

FROM_A_SCRIPT = """
    import numpy as np
    from sklearn.datasets import make_blobs
    from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from skorch.callbacks import Callback
    from torch import nn

    from sklabelnoise import DMClassifier, DMClassifierCV, StochasticLabelRefinery

    class Net(nn.Module):
        def __init__(self, n_features, n_classes, width=4):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(n_features, width), nn.ReLU(), nn.Linear(width, n_classes))

        def forward(self, x):
            return self.body(x)

    class Watching(Callback):
        pass

    def triangle(p):
        return 1 - p

    X, y = make_blobs(90, centers=3, random_state=0)
    net = DMClassifier(Net, emphasis=triangle, callbacks=[Watching], max_epochs=2, random_state=0)
    alone = DMClassifierCV(
        Net, candidates=[(0, 0), (1, 8)], cv=2, n_members=2, refit=False, callbacks=[Watching], max_epochs=2,
        random_state=0,
    )

    def models(n_jobs):
        yield StochasticLabelRefinery(net, n_rounds=1, cv=2, n_jobs=n_jobs, random_state=0)
        yield alone.set_params(n_jobs=n_jobs)
        yield VotingClassifier([("a", net), ("b", net)], voting="soft", n_jobs=n_jobs)
        yield BaggingClassifier(net, n_estimators=2, n_jobs=n_jobs, random_state=0)
        yield StackingClassifier([("a", net)], LogisticRegression(), cv=2, n_jobs=n_jobs)
        yield OneVsRestClassifier(net, n_jobs=n_jobs)

    if __name__ == "__main__":
        for one, two in zip(models(1), models(2)):
            proba = one.fit(X, y).predict_proba(X)
            assert np.array_equal(two.fit(X, y).predict_proba(X), proba), type(one).__name__
            print(type(one).__name__)
"""

AFTER_A_FORK = """
    import os
    import warnings
    import numpy as np
    import torch
    from sklabelnoise import DMClassifier

    torch.set_num_threads(2)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 50))
    y = (X[:, 0] > 0).astype(int)
    model = DMClassifier(lam=1, beta=16, module__hidden=(64,), max_epochs=1, random_state=0).fit(X, y)
    proba = model.predict_proba(X)
    # What Python 3.12 and newer warn of, a fork beside threads, is what is asked here.
    warnings.filterwarnings("ignore", message=".*multi-threaded, use of fork", category=DeprecationWarning)
    child = os.fork()
    if child == 0:
        os.write(1, b"predicts" if np.allclose(model.predict_proba(X), proba) else b"predicts otherwise")
        DMClassifier(lam=1, beta=16, module__hidden=(64,), max_epochs=1, random_state=0).fit(X, y)
        os.write(1, b" fits")
        os._exit(0)
    os.waitpid(child, 0)
    assert torch.get_num_threads() == 2
"""


def run(script, tmp_path, timeout):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script))
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    }
    process = subprocess.Popen(
        [sys.executable, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate(timeout=300)
        pytest.fail(f"it hangs, after printing: {output}")
    assert process.returncode == 0, output
    return output


def test_a_net_is_pickled_by_the_pickler_that_was_called():
    class Recording(pickle.Pickler):
        seen = set()

        def reducer_override(self, value):
            if isinstance(value, type):
                self.seen.add(value)
            return NotImplemented

    X, y = np.eye(6, 3), np.arange(6) % 2
    model = DMClassifier(max_epochs=1, random_state=0).fit(X, y)
    file = io.BytesIO()
    Recording(file).dump(model)
    assert {NoisyLabelNet, MLP, DMLoss, torch.optim.AdamW} <= Recording.seen
    file.seek(0)
    copied = pickle.load(file)
    assert np.array_equal(copied.predict_proba(X), model.predict_proba(X))
    # What belongs together still does: a step of the optimizer moves the module's own parameters.
    parameters = {id(p) for p in copied.module_.parameters()}
    assert {id(p) for group in copied.net_.optimizer_.param_groups for p in group["params"]} == parameters


@pytest.mark.slow
def test_a_network_defined_in_a_script_comes_back_from_workers(tmp_path):
    names = run(FROM_A_SCRIPT, tmp_path, timeout=300).split()
    assert names[:2] == ["StochasticLabelRefinery", "DMClassifierCV"] and len(names) == 6


@pytest.mark.slow  # fits in a process of its own and in one that it forks
@pytest.mark.skipif(sys.platform != "linux", reason="other systems start processes anew")
def test_a_process_forked_after_a_fit_predicts_and_fits(tmp_path):
    assert run(AFTER_A_FORK, tmp_path, timeout=120) == "predicts fits"
