"""Laws that hold under strain: threads and processes, interrupts and kills at random moments, odd calls, large data."""

import json
import os
import random
import re
import subprocess
import sys
import textwrap
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from joblib import Parallel, delayed
from sklearn.datasets import make_blobs
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_predict

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise.audit import audit_labels
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

pytestmark = pytest.mark.slow

X, y = make_blobs(150, centers=3, n_features=4, cluster_std=3.0, random_state=0)
NET = {"max_epochs": 4, "module__dropout": 0.3, "batch_size": 32}
CANDIDATES = [(0, 0), (1, 8)]

# What an integer seed makes of the data, as arrays.
RESULTS = {
    "DMClassifier": lambda seed: DMClassifier(random_state=seed, **NET).fit(X, y).predict_proba(X),
    "early stopping": lambda seed: (
        DMClassifier(early_stopping=True, random_state=seed, **NET).fit(X, y).predict_proba(X)
    ),
    "ProSelfLCClassifier": lambda seed: ProSelfLCClassifier(random_state=seed, **NET).fit(X, y).label_quality_,
    "RobustLossClassifier": lambda seed: RobustLossClassifier(loss="elr", random_state=seed, **NET).fit(X, y).embed(X),
    "partial_fit": lambda seed: (
        DMClassifier(random_state=seed, **NET).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y).predict_proba(X)
    ),
    "DMClassifierCV": lambda seed: (
        DMClassifierCV(candidates=CANDIDATES, cv=2, n_members=2, random_state=seed, **NET).fit(X, y).predict_proba(X)
    ),
    "FusedGridSearchCV": lambda seed: (
        FusedGridSearchCV(DMClassifier(random_state=seed, **NET), {"lam": [0, 1]}, cv=2).fit(X, y).predict_proba(X)
    ),
    "fused_cross_val_predict": lambda seed: fused_cross_val_predict(
        DMClassifier(random_state=seed, **NET), X, y, cv=2, method="predict_proba"
    ),
    "refinery of networks": lambda seed: (
        StochasticLabelRefinery(DMClassifier(**NET), n_rounds=2, cv=2, random_state=seed).fit(X, y).soft_labels_
    ),
    "refinery": lambda seed: (
        StochasticLabelRefinery(LogisticRegression(), n_rounds=2, cv=2, random_state=seed).fit(X, y).soft_labels_
    ),
    "refinery of grades": lambda seed: (
        StochasticLabelRefineryRegressor(Ridge(), n_rounds=2, cv=2, random_state=seed).fit(X, y).predict(X)
    ),
    "NoisyLabelClassifier": lambda seed: (
        NoisyLabelClassifier(["networks", "boosting"], cv=2, random_state=seed).fit(X, y).predict_proba(X)
    ),
    "audit_labels": lambda seed: (
        audit_labels(
            DMClassifier(random_state=seed, **{**NET, "max_epochs": 30}), X, y, cv=2, random_state=seed
        ).transition_matrix
    ),
    "scikit-learn's voting": lambda seed: (
        VotingClassifier([("a", DMClassifier(random_state=seed, **NET))], voting="soft").fit(X, y).predict_proba(X)
    ),
    "scikit-learn's bagging": lambda seed: (
        BaggingClassifier(DMClassifier(**NET), n_estimators=2, random_state=seed).fit(X, y).predict_proba(X)
    ),
    "scikit-learn's predictions": lambda seed: cross_val_predict(DMClassifier(random_state=seed, **NET), X, y, cv=2),
}


def result(name, seed):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(RESULTS[name](seed))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", RESULTS)
def test_eight_threads_and_two_processes_give_the_bits_of_one(name):
    serial = [np.asarray(RESULTS[name](seed)) for seed in range(8)]
    with ThreadPoolExecutor(8) as pool:
        threads = list(pool.map(lambda seed: np.asarray(RESULTS[name](seed)), range(8)))
    by_joblib = Parallel(n_jobs=8, backend="threading")(delayed(RESULTS[name])(seed) for seed in range(8))
    processes = Parallel(n_jobs=2)(delayed(result)(name, seed) for seed in range(8))
    for others in (threads, by_joblib, processes):
        assert all(np.array_equal(a, b) for a, b in zip(serial, others, strict=True))
    assert not all(np.array_equal(serial[0], other) for other in serial[1:])


# Interrupts and kills

# One process meets many: it prints what it found as JSON. `moments` are shares of the time of an undisturbed fit.
INTERRUPTED = """
    import json, os, signal, sys, threading, time, warnings
    import numpy as np
    from sklearn.datasets import make_blobs
    from sklearn.linear_model import LogisticRegression
    from sklearn.ensemble import VotingClassifier
    from sklearn.model_selection import cross_val_score
    from sklabelnoise import DMClassifier, DMClassifierCV, StochasticLabelRefinery
    from sklabelnoise.audit import audit_labels
    from sklabelnoise.model_selection import FusedGridSearchCV

    warnings.simplefilter("ignore")
    X, y = make_blobs(300, centers=3, n_features=4, cluster_std=3.0, random_state=0)
    NET = {"max_epochs": 15, "module__dropout": 0.3, "batch_size": 16, "random_state": 0}
    folder = sys.argv[1]

    class Scores:
        def fit(self, X, y):
            self.proba_ = cross_val_score(DMClassifier(**NET), X, y, cv=3)
            return self

        def predict_proba(self, X):
            return self.proba_

    class Audit(Scores):
        def fit(self, X, y):
            self.proba_ = audit_labels(DMClassifier(**NET), X, y, cv=3, random_state=0).transition_matrix
            return self

    models = {
        "DMClassifier": DMClassifier(**NET),
        "DMClassifierCV": DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **NET),
        "one by one": DMClassifierCV(
            candidates=[(0, 0), (1, 8)], cv=2, n_members=2, early_stopping=True, **{**NET, "max_epochs": 5}
        ),
        "search": FusedGridSearchCV(DMClassifier(**NET), {"lam": [0, 1]}, cv=2),
        "refinery": StochasticLabelRefinery(DMClassifier(**NET), n_rounds=2, cv=2, random_state=0, checkpoint=folder),
        "refinery alone": StochasticLabelRefinery(
            DMClassifier(early_stopping=True, **NET), n_rounds=1, cv=2, random_state=0, checkpoint=folder
        ),
        "voting": VotingClassifier([("a", DMClassifier(**NET)), ("b", LogisticRegression())], voting="soft"),
        "cross_val_score": Scores(),
        "audit_labels": Audit(),
    }
    rng = np.random.default_rng(int(sys.argv[2]))
    found = []
    for name, model in models.items():
        model.fit(X, y)  # what is loaded and made ready at first is not timed
        start = time.perf_counter()
        expected = model.fit(X, y).predict_proba(X)
        seconds = time.perf_counter() - start
        for _ in range(int(sys.argv[3])):
            before = dict(vars(model))
            if name == "voting":  # scikit-learn's own fit names the classes before it fits the first estimator
                before = {"estimators_": model.estimators_}
            if name.startswith("refinery"):
                # A folder of its own for each interrupt; the second fit resumes from it.
                model.checkpoint = os.path.join(folder, f"{len(found)}")
                before["checkpoint"] = model.checkpoint
            timer = threading.Timer(rng.random() * 0.9 * seconds, os.kill, (os.getpid(), signal.SIGINT))
            outcome = "left"
            try:
                timer.start()
                model.fit(X, y)
                outcome = "finished"  # faster than the one that was timed
                timer.join()
                time.sleep(0.01)
            except KeyboardInterrupt:
                pass
            timer.join()
            kept = outcome == "finished" or all(vars(model).get(k) is v for k, v in before.items())
            answers = np.array_equal(model.predict_proba(X), expected)
            again = np.array_equal(model.fit(X, y).predict_proba(X), expected)
            found.append([name, outcome, bool(kept), bool(answers), bool(again)])
    print(json.dumps(found))
"""

KILLED = """
    import json, os, sys, time, traceback, warnings
    import numpy as np
    from sklearn.datasets import make_blobs
    from sklabelnoise import DMClassifier, StochasticLabelRefinery

    warnings.simplefilter("ignore")
    X, y = make_blobs(300, centers=3, n_features=4, cluster_std=3.0, random_state=0)
    net = DMClassifier(max_epochs=15, module__dropout=0.3, batch_size=16)
    folder = sys.argv[1]

    def refine(checkpoint):
        model = StochasticLabelRefinery(net, n_rounds=3, cv=2, random_state=0, checkpoint=checkpoint)
        return model.fit(X, y).soft_labels_

    start = time.perf_counter()
    expected = refine(None)
    seconds = time.perf_counter() - start
    saved = DMClassifier(max_epochs=1, random_state=0).fit(X, y)
    path = os.path.join(folder, "model")
    saved.save(path)
    rng = np.random.default_rng(int(sys.argv[2]))
    found = []
    for kill in range(int(sys.argv[3])):
        checkpoint = os.path.join(folder, str(kill // 4))
        parent, child = os.getpid(), os.fork()
        if child == 0:
            try:
                refine(checkpoint)
                while os.getppid() == parent:  # no orphan writes on when the parent is killed
                    saved.save(path)
            except Exception:
                traceback.print_exc()
            finally:
                os._exit(1)  # an error ends the child here, not in the parent's loop
        time.sleep(rng.random() * seconds * 1.5)
        os.kill(child, 9)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the child had failed before it was killed"
        whole = np.array_equal(DMClassifier.load(path).predict_proba(X), saved.predict_proba(X))
        resumed = kill % 4 != 3 or np.array_equal(refine(checkpoint), expected)
        found.append([bool(whole), bool(resumed)])
    print(json.dumps(found))
"""


def run(script, tmp_path, *arguments, timeout=300):
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(script))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.run(
        [sys.executable, path, tmp_path, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


def test_an_interrupt_at_a_random_moment_leaves_every_fit_and_loses_nothing(tmp_path):
    found = run(INTERRUPTED, tmp_path, 0, 3)
    wrong = [row for row in found if not all(row[2:])]
    assert not wrong
    assert len(found) >= 20 and sum(row[1] == "left" for row in found) > len(found) // 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the killed processes are forks")
def test_a_kill_at_a_random_moment_leaves_whole_files_and_runs_that_resume(tmp_path):
    found = run(KILLED, tmp_path, 0, 20)
    assert len(found) == 20 and all(all(row) for row in found)


# Odd calls

ODD = {
    "lam": [0, 1.5, -1, np.nan, np.inf, "a", None, 1e300, np.float32(1), True, [1]],
    "beta": [0, 8, -1, np.nan, np.inf, "b", None, 1e300, np.int8(3)],
    "normalization": ["batch", "integral", "none", "sum", None, 1],
    "damping": [0, 1e-8, -1, np.nan, "x", None],
    "lr": [1e-3, 0, -1, np.nan, np.inf, "fast", 1e-300],
    "weight_decay": [0, 0.1, -1, np.nan, "x"],
    "max_epochs": [1, 2, 0, -1, 1.5, "x", np.uint8(1), True],
    "batch_size": [1, 7, 1000, 0, -1, 2.5, "all", np.int64(8)],
    "optimizer": ["SGD", "Adam", "LBFGS", "Nope", 3, dict, "Optimizer"],
    "optimizer__momentum": [0.9, -1, "x"],
    "lr_schedule": ["cosine", "one-cycle", "no", {"name": "milestones"}, {"name": "cosine", "warmup": 2}, 3, {}],
    "augment": [False, "crop-flip", "no", 3, [], ["cutout"]],
    "class_weight": ["balanced", {0: 1, 1: 2}, {5: 1}, {0: -1}, {0: np.nan}, "x", {}, {0: "a"}],
    "early_stopping": [True, 1, "yes", None],
    "validation_fraction": [0.2, 0, 1, -1, np.nan, "x"],
    "n_iter_no_change": [1, 0, 1.5, "x"],
    "callbacks": [[], [3], "x", [None], {}, [("a", 1)]],
    "on_interrupt": ["keep", "x", None],
    "device": ["cpu", "nope", "cuda", 3, None],
    "dtype": ["auto", "float32", "float64", 3],
    "warm_start": [True, "x"],
    "random_state": [0, -1, "x", 1.5, 2**40, np.random.RandomState(0)],
    "verbose": [0, "x", -1],
    "module": [3, "MLP", object, dict, len],
    "module__hidden": [(3,), (), 4, 0, -1, (0,), "x", (2.5,), None, (3, "a")],
    "module__dropout": [0.5, 1, -1, 2, "x", np.nan],
    "module__activation": ["x", 3, object],
    "module__nope": [1],
    "iterator_train__batch_size": [4, 0, -1, "x"],
    "iterator_train__drop_last": [True, "x"],
    "iterator_train__nope": [1],
    "iterator_valid__shuffle": [True],
    "iterator_valid__drop_last": [True],
}
ODD_DATA = {
    "X": [
        lambda X: X.tolist(),
        lambda X: X.astype(str),
        lambda X: X[:0],
        lambda X: X[:1],
        lambda X: X[:, :0],
        lambda X: X[0],
        lambda X: X * np.nan,
        lambda X: np.where(np.eye(*X.shape) > 0, np.inf, X),
        lambda X: X + 1j,
        lambda X: X.astype(object),
        lambda X: None,
        lambda X: "rows",
        lambda X: X[:-1],
        lambda X: X * 1e300,
        lambda X: X[:, :, None],
        lambda X: X.astype("datetime64[s]"),
    ],
    "y": [
        lambda y: y.astype(str),
        lambda y: y + 0.5,
        lambda y: y[:-1],
        lambda y: np.zeros_like(y),
        lambda y: y[:, None],
        lambda y: np.eye(2)[y],
        lambda y: None,
        lambda y: y * np.nan,
        lambda y: [None, *y[1:]],
        lambda y: "labels",
        lambda y: y.astype(bool),
    ],
    "sample_weight": [
        lambda w: w,
        lambda w: -w,
        lambda w: 0 * w,
        lambda w: w[:-1],
        lambda w: w * np.nan,
        lambda w: w[:, None],
        lambda w: "weights",
        lambda w: 3,
        lambda w: np.r_[1, 0 * w[1:]],
        lambda w: w * 1e308,
    ],
    "soft_labels": [
        lambda s: s,
        lambda s: -s,
        lambda s: 2 * s,
        lambda s: s[:-1],
        lambda s: s * np.nan,
        lambda s: s[:, :1],
        lambda s: s[:, 0],
        lambda s: "soft",
        lambda s: np.hstack([s, 0 * s]),
    ],
}
METHODS = ["predict", "predict_proba", "predict_log_proba", "decision_function", "embed", "label_quality_", "score"]
# What an unclear error is: of another kind, without a word on what was given, or from deep inside.
CLEAR = (ValueError, TypeError)


def odd_call(generator):
    """One call with one or two odd values; what went unclearly wrong, or None."""
    n = 24
    rows = np.random.default_rng(0).normal(size=(n, 3))
    data = {"X": rows, "y": np.arange(n) % 2, "sample_weight": np.ones(n), "soft_labels": np.eye(2)[np.arange(n) % 2]}
    chosen = generator.sample([*ODD, *ODD_DATA], generator.choice([1, 1, 2]))
    params = {name: generator.choice(ODD[name]) for name in chosen if name in ODD}
    odd = {name: generator.choice(ODD_DATA[name])(data[name]) for name in chosen if name in ODD_DATA}
    fit = {name: odd.get(name, data[name] if name in "Xy" else None) for name in data}
    cls = generator.choice([DMClassifier, ProSelfLCClassifier, RobustLossClassifier])
    own = {} if cls is DMClassifier else {"lam", "beta", "normalization", "damping"}
    params = {name: value for name, value in params.items() if name not in own}
    described = f"{cls.__name__}({params}).fit with odd {sorted(odd)}"
    try:
        model = cls(**{"max_epochs": 1, "random_state": 0, **params}).fit(**fit)
    except CLEAR as error:
        words = {word for name in [*params, *odd] for word in (name, name.partition("__")[2]) if word}
        # Names of columns, classes, shapes and weights stand for the data they are of.
        words |= {"class", "label", "rows", "sample", "shape", "feature", "input", "dtype", "loss became", "lr="}
        text = str(error)
        if not any(re.search(rf"(?i){re.escape(word)}", text) for word in words):
            return f"{described}: {type(error).__name__}: {text}"
        return None
    except Exception as error:
        return f"{described}: {type(error).__name__}: {error}"
    method, rows = generator.choice(METHODS), odd.get("X", rows)
    try:
        if method == "label_quality_":
            values = model.label_quality_
        elif method == "score":
            values = model.score(rows, np.asarray(model.classes_)[np.arange(n) % len(model.classes_)])
        else:
            values = getattr(model, method)(rows)
    except Exception as error:
        return f"{described}.{method}: {type(error).__name__}: {error}"
    if np.asarray(values).dtype.kind == "f" and not np.isfinite(values).all():
        return f"{described}.{method} is not finite"
    return None


@pytest.mark.filterwarnings("ignore")
def test_three_thousand_odd_calls_end_well_or_with_an_error_that_says_what_is_wrong():
    generator = random.Random(0)
    unclear = sorted({found for found in (odd_call(generator) for _ in range(3000)) if found})
    assert not unclear, "\n".join([f"{len(unclear)} unclear:", *unclear[:40]])


# Memory

MEASURED = """
    import json, resource, sys
    import numpy as np
    from sklabelnoise import DMClassifier

    def now():
        return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

    def peak_of(call):
        before = now()
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # the highest use so far is forgotten
        result = call()
        line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 - before, result

    what, n = sys.argv[2], int(sys.argv[3])
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 20))
    y = (X[:, 0] > 0).astype(int)
    few = DMClassifier(max_epochs=1, random_state=0).fit(X[:2000], y[:2000])
    few.predict_proba(X[:9000])
    if what == "fit":
        peak, model = peak_of(lambda: DMClassifier(max_epochs=1, batch_size=1024, random_state=0).fit(X, y))
        print(json.dumps({"peak": peak, "of": X.nbytes}))
    else:
        peak, result = peak_of(lambda: getattr(few, what)(X))
        print(json.dumps({"peak": peak, "of": result.nbytes}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's accounts of memory")
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function", "embed"])
def test_a_prediction_takes_at_most_twice_its_output_and_200_megabytes(tmp_path, method):
    measured = run(MEASURED, tmp_path, method, 1_000_000)
    assert measured["peak"] <= 2 * measured["of"] + 200e6


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's accounts of memory")
def test_a_fit_takes_at_most_three_times_its_rows_and_200_megabytes(tmp_path):
    measured = run(MEASURED, tmp_path, "fit", 2_000_000)
    assert measured["peak"] <= 3 * measured["of"] + 200e6
