"""Laws of the recorded step: it is the step that is not recorded, or it is not taken.

Here it is recorded on a tape (`tests.tape`); tests/test_gpu.py says the same of a real GPU.
"""

import copy
import pickle
import threading
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, Freezer, LRScheduler
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.losses import BetaEmphasis
from sklabelnoise.modules import MLP
from sklabelnoise.training import _recorded_step
from tests.tape import Recorder, Recording, Tape, recording_in

N, D, C, SIZE = 150, 12, 3, 16
N_FULL = N // SIZE


@contextmanager
def able_to_record(recorder=Recorder, worth=1):
    """A block in which the CPU can record; yields the recordings made."""
    with recording_in(_recorded_step, recorder, worth) as made:
        yield made


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.arange(N) % C
    return (2 * np.eye(C, D)[y] + rng.normal(size=(N, D))).astype(np.float32), y


def settings(**more):
    return {"max_epochs": 3, "batch_size": SIZE, "module__hidden": (8,), "random_state": 0, "device": "cpu", **more}


def make(kind=DMClassifier, **more):
    return kind(**settings(**more))


def learned(model):
    """All that a fit leaves, but for its seconds."""
    net = model.net_
    optimizer = copy.deepcopy(net.optimizer_.state_dict())
    return {
        "module": net.module_.state_dict(),
        "gradients": [p.grad for p in net.module_.parameters()],
        "state": {(i, k): v for i, known in optimizer["state"].items() for k, v in known.items()},
        "groups": optimizer["param_groups"],
        "history": model.history_.drop(columns="seconds").to_numpy(),
        "batches": [row["batches"] for row in net.history],
    }


def assert_same(one, other, path=""):
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            assert_same(one[key], other[key], f"{path}/{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), path
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{path}/{i}")
    elif isinstance(one, torch.Tensor | np.ndarray):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other), err_msg=path)
    else:
        assert one == other, path


def fit_both(build, rows, **fit_params):
    """The same fit with and without recording, and the recordings."""
    as_always = build().fit(*rows, **fit_params)
    with able_to_record() as made:
        recorded = build().fit(*rows, **fit_params)
    return recorded, as_always, made


SAME = {
    "defaults": {},
    "float64": {"dtype": np.float64},
    "cosine": {"lr_schedule": "cosine"},
    "Adam": {"optimizer": "Adam"},
    "amsgrad": {"optimizer": "Adam", "optimizer__amsgrad": True},
    "SGD": {"optimizer": "SGD", "optimizer__momentum": 0.9},
    "SGD, no momentum": {"optimizer": "SGD", "optimizer__momentum": 0.0},
    "not fused": {"optimizer": "AdamW", "optimizer__fused": False},
    "RMSprop": {"optimizer": "RMSprop"},
    "dropout": {"module__dropout": 0.5},
    "batch norm": {"module__batch_norm": True},
    "both": {"module__batch_norm": True, "module__dropout": 0.3, "module__hidden": (8, 8)},
    "linear": {"module__hidden": ()},
    "emphasis": {"emphasis": BetaEmphasis(2, 3)},
    "integral": {"normalization": "integral"},
    "own order": {"iterator_train__shuffle": False},
    "last batch left out": {"iterator_train__drop_last": True},
    "callback of skorch": {"callbacks": [EarlyStopping(monitor="train_loss")]},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SAME)
def test_a_recorded_step_is_the_step_to_the_bit(rows, name, weighted):
    more = dict(SAME[name])
    X = rows[0].astype(more.pop("dtype", np.float32))
    fit_params = {"sample_weight": np.linspace(0.5, 2, N)} if weighted else {}
    recorded, as_always, made = fit_both(lambda: make(**more), (X, rows[1]), **fit_params)
    assert [recording.n_replays for recording in made] == [3 * N_FULL - 2]
    assert_same(learned(recorded), learned(as_always))
    np.testing.assert_array_equal(recorded.predict_proba(X), as_always.predict_proba(X))


@pytest.mark.parametrize("loss", ["cross_entropy", "gce", "sce", "mae", "focal"])
@pytest.mark.parametrize("soft", [False, True])
def test_losses_are_recorded_with_labels_and_soft_targets(rows, loss, soft):
    _, y = rows
    fit_params = {"soft_labels": 0.8 * np.eye(C)[y] + 0.2 / C} if soft else {}
    recorded, as_always, made = fit_both(lambda: make(RobustLossClassifier, loss=loss), rows, **fit_params)
    assert len(made) == 1
    assert_same(learned(recorded), learned(as_always))


class Foreign(nn.Module):
    """A network of a user's, which counts what it sees."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.layer, self.n_seen = nn.Linear(n_features, n_classes), 0

    def forward(self, x):
        self.n_seen += len(x)
        return self.layer(x)


class OwnReLU(nn.ReLU):
    def forward(self, x):
        return super().forward(x) if bool((x > 0).any()) else x


def with_hook(n_features, n_classes):
    module = MLP(n_features, n_classes, hidden=(4,))
    module.layers[0].register_forward_hook(lambda *args: None)
    return module


def with_hook_on_gradient(n_features, n_classes):
    module = MLP(n_features, n_classes, hidden=(4,))
    module.output.weight.register_hook(lambda gradient: 2 * gradient)
    return module


def counting_on_the_host(n_features, n_classes):
    return nn.Sequential(nn.BatchNorm1d(n_features, momentum=None), nn.Linear(n_features, n_classes))


def drawing(n_features, n_classes):
    return nn.Sequential(nn.Dropout(0.5), nn.Linear(n_features, n_classes))


def compiled(n_features, n_classes):
    layer = nn.Linear(n_features, n_classes)
    layer._compiled_call_impl = layer._call_impl  # as ``layer.compile()`` does
    return nn.Sequential(layer)


class Watching(Callback):
    def on_epoch_end(self, net, **kwargs):
        self.seen_ = net.history[-1]["train_loss"]


class WatchingBatches(Callback):
    def on_batch_end(self, net, **kwargs):
        pass


def half(p):
    return 1 - 0.5 * p


def scaled(x, generator):
    return 2 * x


class Doubled(torch.optim.SGD):
    def step(self, closure=None):
        super().step(closure)
        super().step(closure)


NOT_RECORDED = {
    "module of a user": (DMClassifier, {"module": Foreign, "module__hidden": None}),
    "layer of a user": (DMClassifier, {"module__activation": OwnReLU}),
    "hook": (DMClassifier, {"module": with_hook, "module__hidden": None}),
    "hook on a gradient": (DMClassifier, {"module": with_hook_on_gradient, "module__hidden": None}),
    "batches counted on the host": (DMClassifier, {"module": counting_on_the_host, "module__hidden": None}),
    "compiled in place": (DMClassifier, {"module": compiled, "module__hidden": None}),
    "torch's generator": (DMClassifier, {"module": drawing, "module__hidden": None}),
    "emphasis of a user": (DMClassifier, {"emphasis": half}),
    "progress": (ProSelfLCClassifier, {}),
    "row numbers": (RobustLossClassifier, {"loss": "elr"}),
    "whole batches": (RobustLossClassifier, {"loss": "ohem"}),
    "callback of a user": (DMClassifier, {"callbacks": [Watching()]}),
    "hook of a batch": (DMClassifier, {"callbacks": [WatchingBatches()]}),
    "augmentation": (DMClassifier, {"augment": scaled}),
    "autocast": (DMClassifier, {"amp": "bfloat16"}),
    "optimizer of a user": (DMClassifier, {"optimizer": Doubled, "weight_decay": 0.0}),
    "closure": (DMClassifier, {"optimizer": "LBFGS", "weight_decay": 0.0}),
    "tensors of a criterion": (
        RobustLossClassifier,
        {"loss": "forward", "loss__transition_matrix": torch.full((C, C), 0.1) + 0.7 * torch.eye(C)},
    ),
}


@pytest.mark.parametrize("name", NOT_RECORDED)
def test_what_might_differ_from_step_to_step_is_not_recorded(rows, name):
    kind, more = NOT_RECORDED[name]

    def build():
        given = settings(**more)
        return kind(**{key: value for key, value in given.items() if value is not None or key != "module__hidden"})

    recorded, as_always, made = fit_both(build, rows)
    assert not made
    assert_same(learned(recorded), learned(as_always))


def test_what_is_no_table_on_the_device_is_not_recorded(rows):
    X, y = rows
    series = {"module": lambda n_classes: nn.Sequential(nn.Flatten(), nn.Linear(D, n_classes)), "module__hidden": None}
    params = {key: value for key, value in settings(**series).items() if value is not None}
    recorded, as_always, made = fit_both(lambda: DMClassifier(**params), (X.reshape(N, D // 2, 2), y))
    assert not made
    assert_same(learned(recorded), learned(as_always))
    with mock.patch("sklabelnoise.training._batches.stays_on_host", return_value=True):
        recorded, as_always, made = fit_both(make, rows)
    assert not made
    assert_same(learned(recorded), learned(as_always))


def test_processes_that_train_together_do_not_record(rows):
    with able_to_record() as made, mock.patch.object(_recorded_step, "current_processes", object):
        recorded = make().fit(*rows)
    assert not made
    assert_same(learned(recorded), learned(make().fit(*rows)))


@pytest.mark.parametrize("optimizer", ["AdamW", "RMSprop"])
def test_steps_that_somebody_hears_of_are_not_recorded(rows, optimizer):
    heard = []
    hook = register_optimizer_step_post_hook(lambda *args: heard.append(args))
    try:
        with able_to_record() as made:
            make(optimizer=optimizer).fit(*rows)
    finally:
        hook.remove()
    assert not made
    assert len(heard) == 3 * -(-N // SIZE)


def test_few_steps_are_not_worth_it(rows):
    for worth, n_made in ((3 * N_FULL, 1), (3 * N_FULL + 1, 0)):
        with able_to_record(worth=worth) as made:
            make().fit(*rows)
        assert len(made) == n_made


def test_without_a_device_that_records_nothing_is_asked(rows):
    with mock.patch.object(_recorded_step, "RecordedStep", side_effect=AssertionError):
        make().fit(*rows)


def test_no_trace_of_a_recording_is_left_in_a_fitted_model(rows):
    with able_to_record() as made:
        model = make().fit(*rows)
    assert model.net_.recorded_step_ is None
    (recording,) = made
    assert recording.is_closed
    recorded = [made for *_, made in recording.tape.calls if isinstance(made, torch.Tensor)]
    pointers = {tensor.data_ptr() for tensor in recorded} - {p.data_ptr() for p in model.net_.module_.parameters()}
    assert pointers.isdisjoint(p.grad.data_ptr() for p in model.net_.module_.parameters())
    X = rows[0]
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_copy_made_while_it_trains_has_no_recording(rows):
    copies = []

    class Keeps(Callback):
        __module__ = "skorch.callbacks"  # as if skorch had written it

        def on_epoch_end(self, net, **kwargs):
            assert net.recorded_step_ is not None
            for duplicate in (copy.deepcopy, lambda parts: pickle.loads(pickle.dumps(parts))):
                copies.append(duplicate({"recorded_step_": net.recorded_step_}))

    with able_to_record() as made:
        make(callbacks=[Keeps()], max_epochs=2).fit(*rows)
    assert made
    assert copies == 4 * [{"recorded_step_": None}]


def test_partial_fit_and_warm_start_go_on_as_they_would(rows):
    X, y = rows

    def part():
        return make().partial_fit(X, y, classes=np.arange(C)).partial_fit(X[:100], y[:100]).partial_fit(X, y)

    def warm():
        model = make(warm_start=True, optimizer="SGD", optimizer__momentum=0.9, lr_schedule="cosine").fit(X, y)
        return model.set_params(max_epochs=2).fit(X, y)

    for train in (part, warm):
        as_always = train()
        with able_to_record() as made:
            recorded = train()
        assert len(made) >= 2
        assert_same(learned(recorded), learned(as_always))


def test_what_a_callback_of_skorch_changes_between_epochs_is_not_missed(rows):
    def rates():
        return make(callbacks=[Steps()], max_epochs=6)

    def freezes():
        return make(callbacks=[Freezer("layers.*", at=3)], max_epochs=6)

    def schedules():
        return make(callbacks=[LRScheduler("StepLR", step_size=1, gamma=0.5)], max_epochs=4)

    def drops():
        return make(callbacks=[DropsMore()], max_epochs=6, module__dropout=0.2)

    def weighs():
        return make(callbacks=[Softens()], max_epochs=6)

    def moves():
        return make(callbacks=[MovesParameters()], max_epochs=6)

    def restores():
        return make(callbacks=[RestoresOptimizer()], max_epochs=6)

    for build in (rates, freezes, schedules, drops, weighs, moves, restores):
        recorded, as_always, made = fit_both(build, rows)
        assert_same(learned(recorded), learned(as_always))
        assert len(made) == (0 if build is schedules else 2)
        assert all(recording.is_closed for recording in made)
        if made:  # before each recording two steps are taken as always
            assert sum(recording.n_replays for recording in made) == 6 * N_FULL - 2 * len(made)


class Steps(Callback):
    """Sets the learning rate of each epoch."""

    __module__ = "skorch.callbacks"  # as if skorch had written it

    def on_epoch_begin(self, net, **kwargs):
        for group in net.optimizer_.param_groups:
            group["lr"] = 1e-3 / len(net.history)


class DropsMore(Callback):
    """Drops more units from the fourth epoch on."""

    __module__ = "skorch.callbacks"  # as if skorch had written it

    def on_epoch_begin(self, net, **kwargs):
        for layer in net.module_.modules():
            if isinstance(layer, nn.Dropout) and len(net.history) == 4:
                layer.p = 0.6


class Softens(Callback):
    """Changes a number of the criterion from the fourth epoch on."""

    __module__ = "skorch.callbacks"  # as if skorch had written it

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 4:
            net.criterion_.damping = 1.0


class MovesParameters(Callback):
    """Puts parameters elsewhere before the fourth epoch."""

    __module__ = "skorch.callbacks"  # as if skorch had written it

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 4:
            for p in net.module_.parameters():
                p.data = p.data.clone()


class RestoresOptimizer(Callback):
    """Gives the optimizer its own state back, in other tensors, before the fourth epoch."""

    __module__ = "skorch.callbacks"  # as if skorch had written it

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 4:
            net.optimizer_.load_state_dict(copy.deepcopy(net.optimizer_.state_dict()))


@pytest.mark.parametrize("optimizer", ["Adam", "AdamW"])
def test_while_its_step_is_recorded_an_optimizer_has_leave_for_that(rows, optimizer):
    class Looking(Recorder):
        def record(self, function, generators):
            (group,) = function.__self__._net.optimizer_.param_groups
            asked.append(group["capturable"])
            return super().record(function, generators)

    asked = []
    with able_to_record(Looking):
        model = make(optimizer=optimizer).fit(*rows)
    assert asked == [True]
    assert [group["capturable"] for group in model.net_.optimizer_.param_groups] == [False]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_recording_that_fails_leaves_everything_as_it_was(rows, error):
    class Failing(Recorder):
        def record(self, function, generators):
            super().record(function, generators)
            raise error("operation not permitted when stream is capturing")

    def build():
        return make(module__dropout=0.3, module__batch_norm=True)

    if error is RuntimeError:
        with able_to_record(Failing) as made:
            recorded = build().fit(*rows)
        assert len(made) == 1
        assert_same(learned(recorded), learned(build().fit(*rows)))
        return
    with able_to_record(Failing), pytest.raises(KeyboardInterrupt):
        build().fit(*rows)


def test_ctrl_c_while_steps_are_replayed_keeps_what_was_learned(rows):
    class Interrupted(Recording):
        def replay(self):
            if self.n_replays == N_FULL + 2:
                raise KeyboardInterrupt
            super().replay()

    with able_to_record() as made, mock.patch("tests.tape.Recording", Interrupted):
        with pytest.warns(UserWarning, match="interrupted"):
            model = make(on_interrupt="keep").fit(*rows)
    assert len(model.history_) == 1
    assert made[0].is_closed and model.net_.recorded_step_ is None
    assert np.isfinite(model.predict_proba(rows[0])).all()


def test_on_a_full_device_the_reason_of_a_training_that_ends_is_told(rows):
    def full(gradient, *args, **kwargs):
        if len(made) and any(gradient is p.grad for p in net.module_.parameters()):
            refused.append(gradient)
            raise torch.cuda.OutOfMemoryError("no room for a copy")
        return clone(gradient, *args, **kwargs)

    class Interrupts(Callback):
        __module__ = "skorch.callbacks"  # as if skorch had written it

        def on_epoch_end(self, net_, **kwargs):
            nonlocal net
            net = net_
            raise KeyboardInterrupt

    net, refused, clone = None, [], torch.Tensor.clone
    with able_to_record() as made, mock.patch.object(torch.Tensor, "clone", full), pytest.raises(KeyboardInterrupt):
        make(callbacks=[Interrupts()], iterator_train__drop_last=True).fit(*rows)
    assert len(refused) == 1
    assert made[0].is_closed


def test_a_loss_that_overflows_is_told_of_with_its_batch(rows):
    said = []
    for block in (able_to_record(), mock.MagicMock()):
        with block as made, pytest.raises(ValueError, match="Training stopped") as caught:
            make(optimizer="SGD", weight_decay=0.0, lr_schedule=exploding).fit(*rows)
        said.append(str(caught.value))
        assert made
    assert said[0] == said[1]
    assert "in epoch 2" in said[0]


def exploding(progress):
    return 1e30 if progress > 0.5 else 1


def test_other_threads_and_modes_do_not_record(rows):
    with able_to_record() as made:
        thread = threading.Thread(target=lambda: make().fit(*rows))
        thread.start()
        thread.join()
        assert not made
        with Tape():
            make().fit(*rows)
        assert not made
