"""What only a real GPU can show; skipped where there is none, and run by ``python -m benchmarks.gpu``.

With SKLABELNOISE_GPU=cpu the same tests run on the CPU, so that a session with a GPU meets no mistake in them.
"""

import copy
import os
import pickle
import subprocess
import sys
import warnings
from contextlib import contextmanager, nullcontext
from functools import partial
from unittest import mock

import numpy as np
import pytest
import scipy.sparse
import torch
from skorch.callbacks import Callback, EarlyStopping
from torch import nn
from torch.utils.data import Dataset

from sklabelnoise import DMClassifier, DMClassifierCV, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.losses import BATCH_CRITERIA, NAMES, ROW_CRITERIA, make_criterion
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from sklabelnoise.modules import ResNet20
from sklabelnoise.training import _recorded_step, _recorder

DEVICE = os.environ.get("SKLABELNOISE_GPU", "cuda")
ON_GPU = DEVICE == "cuda"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(ON_GPU and not torch.cuda.is_available(), reason="there is no CUDA device"),
]
N, N_CLASSES = 192, 3


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = np.arange(N) % N_CLASSES
    return (3 * np.eye(N_CLASSES, 20)[y] + rng.normal(size=(N, 20))).astype(np.float32), y


@pytest.fixture(scope="module")
def images(table):
    _, y = table
    rng = np.random.default_rng(1)
    return (rng.integers(0, 128, size=(N, 3, 8, 8)) + 40 * y[:, None, None, None]).astype(np.uint8), y


class Items(Dataset):
    """Pairs of a row and its label, on the host."""

    def __init__(self, X, y):
        self.X, self.y = torch.from_numpy(X), y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


def settings(**more):
    return {"device": DEVICE, "max_epochs": 2, "batch_size": 32, "random_state": 0, **more}


def fading(p):
    """An emphasis of a user's."""
    return 1 - p**2


CLASSIFIERS = {
    "derivative": DMClassifier,
    "integral": lambda **more: DMClassifier(normalization="integral", damping=0, **more),
    "callable": lambda **more: DMClassifier(emphasis=fading, normalization="integral", **more),
    "proselflc": ProSelfLCClassifier,
    "gce": RobustLossClassifier,
    "elr": lambda **more: RobustLossClassifier(loss="elr", **more),
    "truncated gce": lambda **more: RobustLossClassifier(loss="truncated_gce", loss__start=0.3, **more),
    "peer": lambda **more: RobustLossClassifier(loss="peer", **more),
    "SGD": lambda **more: DMClassifier(optimizer="SGD", optimizer__momentum=0.9, lr_schedule="cosine", **more),
    "choice": lambda **more: DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **more),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_learns_on_the_device_what_it_learns_on_the_cpu(table, name):
    X, y = table
    make = CLASSIFIERS[name]
    on_device = make(**settings()).fit(X, y, sample_weight=np.linspace(0.5, 2, N))
    on_cpu = make(**settings(device="cpu")).fit(X, y, sample_weight=np.linspace(0.5, 2, N))
    # float32 in another order, twelve steps
    np.testing.assert_allclose(on_device.predict_proba(X), on_cpu.predict_proba(X), atol=2e-3)
    again = pickle.loads(pickle.dumps(on_device))
    np.testing.assert_array_equal(again.predict_proba(X), on_device.predict_proba(X))


FIRST_FIT = """
import warnings
import numpy as np
from sklabelnoise import {name}
X = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32)
warnings.simplefilter("error")
{name}(max_epochs=1, device="{device}", random_state=0).fit(X, np.arange(64) % 3)
"""


@pytest.mark.parametrize("name", ["DMClassifier", "ProSelfLCClassifier"])
def test_the_first_fit_of_a_process_warns_of_nothing(name):
    # such as of the first thread that computes on the device
    command = [sys.executable, "-c", FIRST_FIT.format(name=name, device=DEVICE)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("name", [*NAMES, *ROW_CRITERIA, *BATCH_CRITERIA])
def test_a_loss_and_its_derivative_are_those_of_the_cpu(name):
    hyper = {"forward": {"transition_matrix": [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]}}
    hyper["backward"], hyper["forward_symmetric"] = hyper["forward"], {"noise_rate": 0.2}
    logits = torch.randn(N, N_CLASSES, generator=torch.Generator().manual_seed(0))
    found = []
    for device in (DEVICE, "cpu"):
        criterion = make_criterion(name, **hyper.get(name, {})).to(device)
        criterion.prepare(N, N_CLASSES, device=torch.device(device), dtype=torch.float32)
        rows = {"indices": torch.arange(N, device=device)} if criterion.needs_indices else {}
        if criterion.progress is not None:
            criterion.progress = 0.5
        z = logits.to(device).requires_grad_()
        value = criterion(z, torch.arange(N, device=device) % N_CLASSES, None, **rows)
        value.backward()
        found.append((value.item(), z.grad.cpu().numpy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-4, abs=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-6)


class Waits(Callback):
    """Counts how often the host waits for the device within batches."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.caught_ = warnings.catch_warnings(record=True)
        self.seen_ = self.caught_.__enter__()
        warnings.simplefilter("always")
        if ON_GPU:
            torch.cuda.set_sync_debug_mode("warn")

    def on_train_end(self, net, X=None, y=None, **kwargs):
        if ON_GPU:
            torch.cuda.set_sync_debug_mode("default")
        self.caught_.__exit__(None, None, None)
        self.n_ = sum("synchroniz" in str(warning.message) for warning in self.seen_)


class WaitsOfRecordedSteps(Waits):
    __module__ = "skorch.callbacks"  # with a callback of a user's nothing is recorded


KINDS = ["table", "recorded", "weights", "images", "stream", "sparse", "dataset", "elr", "scaled"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_host_waits_for_no_batch(table, images, kind):
    X, y = table
    n_waits = []
    # What is used for the first time is set up with a wait of its own, which belongs to no batch: one fit goes ahead.
    for batch_size in (16, 64, 16):
        waits = WaitsOfRecordedSteps() if kind == "recorded" else Waits()
        more = settings(batch_size=batch_size, callbacks=[waits])
        weight = np.linspace(0.5, 2, N) if kind == "weights" else None
        if kind == "images":
            model, rows = DMClassifier(ResNet20, augment="crop-flip", **more), images[0]
        elif kind == "elr":
            model, rows = RobustLossClassifier(loss="elr", **more), X
        else:
            model, rows = DMClassifier(amp="float16" if kind == "scaled" else False, **more), X
        rows = scipy.sparse.csr_matrix(X) if kind == "sparse" else rows
        given = (Items(X, y),) if kind == "dataset" else (rows, y)
        with {"stream": no_room, "recorded": recording}.get(kind, nullcontext)():
            model.fit(*given, sample_weight=weight)
        n_waits.append(waits.n_)
    assert n_waits[1] == n_waits[2]


@contextmanager
def no_room():
    """A device on which no array of rows has room."""
    with mock.patch("sklabelnoise.training._streams.free_memory", return_value=0):
        yield


def test_rows_that_stay_on_the_host_train_the_same_network(table):
    X, y = table
    whole = DMClassifier(**settings()).fit(X, y)
    with no_room():
        streamed = DMClassifier(**settings()).fit(X, y)
        np.testing.assert_array_equal(streamed.predict_proba(X[:32]), whole.predict_proba(X[:32]))


@pytest.mark.skipif(not ON_GPU, reason="the CPU has no count of its memory")
def test_a_stream_needs_room_for_two_batches():
    X = np.random.default_rng(0).normal(size=(20_000, 1024)).astype(np.float32)
    y = np.arange(len(X)) % 3
    with no_room():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        DMClassifier(**settings(module__hidden=(4,), batch_size=256, max_epochs=1)).fit(X, y)
    # two batches, what is computed of them, labels and order
    assert torch.cuda.max_memory_allocated() - before < X.nbytes / 4


def test_an_integer_seed_gives_the_same_bits_again(images):
    X, y = images
    first, second = (
        DMClassifier(ResNet20, augment="crop-flip", **settings()).fit(X, y).predict_proba(X) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert not torch.backends.cudnn.benchmark and not torch.backends.cudnn.deterministic


@pytest.mark.parametrize("amp", [True, "bfloat16", "float16"])
def test_half_precision_learns(images, amp):
    X, y = images
    model = DMClassifier(ResNet20, amp=amp, augment="crop-flip", **settings(max_epochs=6)).fit(X, y)
    assert model.score(X, y) > 0.6
    assert np.isfinite(model.history_["train_loss"]).all()
    assert model.embed(X[:4]).dtype == np.float32
    np.testing.assert_allclose(model.predict_proba(X[:4], n_augment=2).sum(axis=1), 1, rtol=1e-5)


def test_a_search_and_left_out_predictions_are_those_of_the_cpu(table):
    X, y = table
    grid = {"beta": [2, 8], "lr": [1e-3, 1e-2]}
    found = []
    for device in (DEVICE, "cpu"):
        model = DMClassifier(**settings(device=device))
        search = FusedGridSearchCV(model, grid, cv=2).fit(X, y)
        assert search.fused_["fused"].all()
        left_out = fused_cross_val_predict(model, X, y, cv=2, method="predict_proba")
        found.append((search.cv_results_["mean_test_score"], left_out))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=0.02)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=2e-3)


@pytest.mark.skipif(not ON_GPU, reason="a CPU takes from its disk what it lacks")
def test_a_full_gpu_names_the_batch_and_what_was_free(table):
    X, y = table
    model = DMClassifier(**settings()).fit(X, y)
    before = model.predict_proba(X)
    free, _ = torch.cuda.mem_get_info()
    taken = torch.empty(int(0.97 * free), dtype=torch.uint8, device=DEVICE)
    wide = np.repeat(X, 100, axis=0), np.repeat(y, 100)
    with pytest.raises(MemoryError, match=r"more memory than cuda:0 has, with [\d,]+ MiB free"):
        model.set_params(batch_size=len(wide[1]), module__hidden=(200_000,)).fit(*wide)
    del taken
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_tensor_on_the_device_is_trained_on_where_it_is(table):
    X, y = table
    there = DMClassifier(**settings()).fit(torch.from_numpy(X).to(DEVICE), y)
    sent = DMClassifier(**settings()).fit(X, y)
    np.testing.assert_array_equal(there.predict_proba(X), sent.predict_proba(X))


@contextmanager
def recording(worth=1):
    """A block in which few steps are enough to record one; yields the recordings that are made."""
    made, record = [], _recorder.Recorder.record

    def noted(self, function, generators):
        made.append(record(self, function, generators))
        return made[-1]

    with (
        mock.patch.object(_recorder, "_WORTH", worth),
        mock.patch.object(_recorder.Recorder, "record", noted),
    ):
        yield made


def fit_both(build, X, y, **fit_params):
    """The same fit with its step recorded and without."""
    with recording(np.inf) as made:
        as_always = build().fit(X, y, **fit_params)
    assert not made
    with recording() as made:
        recorded = build().fit(X, y, **fit_params)
    assert len(made) == ON_GPU
    return recorded, as_always


def assert_same_bits(one, other, X):
    known = other.net_.module_.state_dict()
    for name, value in one.net_.module_.state_dict().items():
        np.testing.assert_array_equal(value.cpu(), known[name].cpu(), err_msg=name)
    for p, q in zip(one.net_.module_.parameters(), other.net_.module_.parameters(), strict=True):
        np.testing.assert_array_equal(p.grad.cpu(), q.grad.cpu())
    states = [net.optimizer_.state_dict() for net in (one.net_, other.net_)]
    assert states[0]["param_groups"] == states[1]["param_groups"]
    for number, known in states[0]["state"].items():
        for name, value in known.items():
            np.testing.assert_array_equal(value.cpu(), states[1]["state"][number][name].cpu(), err_msg=name)
    histories = [model.history_.drop(columns="seconds") for model in (one, other)]
    np.testing.assert_array_equal(*histories)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def of_cross_entropy(**more):
    return RobustLossClassifier(loss="cross_entropy", **more)


RECORDED = {
    "derivative": (DMClassifier, {}),
    "cross entropy": (of_cross_entropy, {}),
    "gce": (RobustLossClassifier, {}),
    "cosine": (DMClassifier, {"lr_schedule": "cosine"}),
    "SGD": (of_cross_entropy, {"optimizer": "SGD", "optimizer__momentum": 0.9}),
    "Adam": (of_cross_entropy, {"optimizer": "Adam", "optimizer__amsgrad": True}),
    "not fused": (of_cross_entropy, {"optimizer__fused": False}),
    "RMSprop": (of_cross_entropy, {"optimizer": "RMSprop"}),
    "dropout": (of_cross_entropy, {"module__dropout": 0.5}),
    "batch norm": (of_cross_entropy, {"module__batch_norm": True, "module__hidden": (64, 64)}),
    "wide": (of_cross_entropy, {"module__hidden": (512, 256), "module__dropout": 0.2, "module__activation": nn.GELU}),
    "callback": (DMClassifier, {"callbacks": [EarlyStopping(monitor="train_loss")]}),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_step_is_the_step_to_the_bit(table, name, weighted, dtype):
    # the last batch of an epoch is smaller, and batches begin anywhere in memory
    X, y = table[0][:180].astype(dtype), table[1][:180]
    kind, more = RECORDED[name]
    fit_params = {"sample_weight": np.linspace(0.5, 2, 180)} if weighted else {}
    build = partial(kind, **settings(max_epochs=3, **more))
    assert_same_bits(*fit_both(build, X, y, **fit_params), X)


def test_a_recorded_step_takes_soft_labels(table):
    X, y = table
    soft = 0.8 * np.eye(N_CLASSES)[y] + 0.2 / N_CLASSES
    assert_same_bits(*fit_both(partial(of_cross_entropy, **settings()), X, y, soft_labels=soft), X)


def test_training_goes_on_from_a_recorded_step(table):
    X, y = table

    def part():
        model = DMClassifier(**settings()).partial_fit(X, y, classes=np.arange(N_CLASSES))
        return model.partial_fit(X[:100], y[:100]).partial_fit(X, y)

    def warm():
        model = DMClassifier(warm_start=True, lr_schedule="cosine", **settings()).fit(X, y)
        return pickle.loads(pickle.dumps(model)).set_params(max_epochs=3).fit(X, y)

    for train in (part, warm):
        with recording(np.inf):
            as_always = train()
        with recording() as made:
            recorded = train()
        assert bool(made) == ON_GPU
        assert_same_bits(recorded, as_always, X)


class Branching(nn.Module):
    """Looks at its rows, counts them, and waits for the device."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.layer, self.n_seen = nn.Linear(n_features, n_classes), 0

    def forward(self, x):
        self.n_seen += len(x)
        return self.layer(x) if x.sum().item() > 0 else self.layer(2 * x)


def test_a_module_of_a_user_is_not_recorded(table):
    X, y = table
    with recording() as made:
        model = DMClassifier(Branching, **settings()).fit(X, y)
    assert not made
    assert model.net_.module_.n_seen >= 2 * N


def test_nothing_is_left_of_a_recording(table):
    X, y = table
    taken = []
    for _ in range(3):
        with recording() as made:
            model = DMClassifier(**settings(module__dropout=0.2)).fit(X, y)
        assert len(made) == ON_GPU
        made.clear()
        for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
            np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
        del again
        taken.append(torch.cuda.memory_allocated() if ON_GPU else 0)
    assert taken[1] == taken[2]


def test_ctrl_c_between_replayed_steps_keeps_what_was_learned(table):
    X, y = table
    n_replays, replay = [], _recorder.Recording.replay

    def interrupted(self):
        n_replays.append(1)
        if len(n_replays) == 20:
            raise KeyboardInterrupt
        replay(self)

    with recording(), mock.patch.object(_recorder.Recording, "replay", interrupted):
        with pytest.warns(UserWarning, match="interrupted") if ON_GPU else nullcontext():
            model = DMClassifier(on_interrupt="keep", **settings(max_epochs=6)).fit(X, y)
    assert len(model.history_) == (3 if ON_GPU else 6)
    assert np.isfinite(model.predict_proba(X)).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_recording_that_fails_leaves_everything_as_it_was(table, error):
    X, y = table
    build = partial(of_cross_entropy, **settings(module__dropout=0.3, module__batch_norm=True))
    part = _recorded_step.RecordedStep._recorded_part

    def failing(self):
        part(self)
        raise error("while it is recorded")

    with recording(np.inf):
        as_always = build().fit(X, y)
    with recording() as made, mock.patch.object(_recorded_step.RecordedStep, "_recorded_part", failing):
        if error is KeyboardInterrupt and ON_GPU:
            with pytest.raises(KeyboardInterrupt):
                build().fit(X, y)
        else:
            assert_same_bits(build().fit(X, y), as_always, X)
    assert not made
    assert_same_bits(*fit_both(build, X, y), X)


WAITING = """
import numpy as np
import torch
from sklabelnoise import DMClassifier
from sklabelnoise.training import _recorded_step, _recorder
X, y = np.random.default_rng(0).normal(size=(192, 5)).astype(np.float32), np.arange(192) % 3
part, tried, _recorder._WORTH = _recorded_step.RecordedStep._recorded_part, [], np.inf
settings = dict(max_epochs=3, batch_size=32, module__dropout=0.3, device="{device}", random_state=0)
fit = lambda: DMClassifier(**settings).fit(X, y)
as_always = fit().predict_proba(X)

def waiting(self):
    part(self)
    tried.append(1)
    self._losses.sum().item()

_recorder._WORTH, _recorded_step.RecordedStep._recorded_part = 1, waiting
for _ in range(3):
    np.testing.assert_array_equal(fit().predict_proba(X), as_always)
    torch.rand(8, device="{device}")
_recorded_step.RecordedStep._recorded_part = part
np.testing.assert_array_equal(fit().predict_proba(X), as_always)
if "{device}" == "cuda":
    assert len(tried) == 3
    # torch's allocator goes on as well: it gives back what it kept where more is asked for
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    for share in (0.6, 0.7):
        torch.empty(int(share * free), dtype=torch.uint8, device="cuda")
"""


def test_a_recording_that_waits_for_the_device_leaves_torch_as_it_was():
    # in a process of its own: torch is not made for going on after one
    command = [sys.executable, "-c", WAITING.format(device=DEVICE)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr


@pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")
@pytest.mark.parametrize("name", ["anomaly", "deterministic"])
def test_where_torch_is_told_to_do_more_nothing_is_recorded(table, name):
    X, y = table
    if name == "deterministic" and ON_GPU and "CUBLAS_WORKSPACE_CONFIG" not in os.environ:
        pytest.skip("cuBLAS needs CUBLAS_WORKSPACE_CONFIG=:4096:8 from the start")
    blocks = {
        "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
        "deterministic": deterministic,
    }
    with recording() as made, blocks[name]():
        DMClassifier(**settings()).fit(X, y)
    assert not made
    assert torch.rand(4, device=DEVICE).isfinite().all()


def test_a_block_of_autocast_is_put_aside_and_the_steps_are_recorded_as_without(table):
    X, y = table
    alone = DMClassifier(**settings()).fit(X, y)
    with recording() as made, torch.autocast(torch.device(DEVICE).type, dtype=torch.bfloat16):
        within = DMClassifier(**settings()).fit(X, y)
    assert bool(made) == ON_GPU
    np.testing.assert_array_equal(within.predict_proba(X), alone.predict_proba(X))


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


STACKED = {
    "derivative": (DMClassifier, {}, {"beta": [2, 8], "lr": [1e-3, 1e-2]}),
    "one rate": (DMClassifier, {}, {"beta": [2, 8]}),
    "SGD": (of_cross_entropy, {"optimizer": "SGD", "optimizer__momentum": 0.9}, {"lr": [1e-2, 1e-1]}),
    "gce": (RobustLossClassifier, {}, {"loss__q": [0.3, 0.7]}),
    "dropout": (DMClassifier, {"module__dropout": 0.3, "module__batch_norm": True}, {"lam": [0, 1]}),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", STACKED)
def test_a_stack_whose_steps_are_recorded_finds_the_same_to_the_bit(table, name, weighted):
    X, y = table
    kind, more, grid = STACKED[name]
    fit_params = {"sample_weight": np.linspace(0.5, 2, N)} if weighted else {}
    found = []
    for worth in (np.inf, 1):
        with recording(worth) as made:
            search = FusedGridSearchCV(kind(**settings(max_epochs=4, **more)), grid, cv=3, scoring="neg_log_loss")
            search.fit(X, y, **fit_params)
        assert search.fused_["fused"].all()
        assert bool(made) == (ON_GPU and worth == 1)
        scores = np.stack([search.cv_results_[f"split{i}_test_score"] for i in range(3)])
        found.append((scores, search.predict_proba(X)))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_the_histories_of_members_trained_together_are_those_of_steps_that_are_not_recorded(table):
    X, y = table
    histories = []
    for worth in (np.inf, 1):
        with recording(worth) as made:
            choice = DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **settings(max_epochs=4)).fit(X, y)
        assert bool(made) == (ON_GPU and worth == 1)
        histories.append(choice.history_.drop(columns="seconds"))
    np.testing.assert_array_equal(*histories)
    assert histories[0]["train_accuracy"].between(0, 1).all()
