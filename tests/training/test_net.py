"""Laws of the training loop: it is the loop one would write by hand, and tells what goes wrong."""

import copy
import pickle
import re
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from sklabelnoise.losses import PerExampleLoss, ProSelfLCLoss
from sklabelnoise.losses._protocol import Criterion
from sklabelnoise.modules import MLP
from sklabelnoise.modules._draws import seeded
from sklabelnoise.training._batches import DatasetData, TensorData, prediction_rows
from sklabelnoise.training._failures import check_parameters, naming_batch_size
from sklabelnoise.training._net import NoisyLabelNet
from sklabelnoise.training._schedules import make_schedule

N, D, C = 50, 4, 3


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.arange(N) % C
    return 2 * np.eye(C, D)[y] + rng.normal(size=(N, D)), y


def make_net(criterion=None, *, seed=5, module_options=None, double=True, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = MLP(D, C, **{"hidden": (6,), **(module_options or {})})
    criterion = PerExampleLoss() if criterion is None else criterion
    options = {"optimizer": torch.optim.SGD, "lr": 0.1, "batch_size": 16, "seed": seed, **kwargs}
    return NoisyLabelNet(module.double() if double else module, criterion, **options).initialize()


def as_data(rows, **kwargs):
    return TensorData(*rows, dtype=torch.float64, **kwargs)


def train_by_hand(rows, make_optimizer, module_options, *, seed=5, epochs=3, batch_size=16):
    """The loop of the textbook, with the order of rows that is promised."""
    X, y = (torch.from_numpy(array) for array in rows)
    torch.manual_seed(seed)
    module = MLP(D, C, **{"hidden": (6,), **module_options}).double()
    optimizer = make_optimizer(module.parameters())
    order = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed + 1)
    module.train()
    curve = []
    for _ in range(epochs):
        losses = []
        for index in torch.randperm(len(X), generator=order).split(batch_size):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(X[index]), y[index])
            loss.backward()
            optimizer.step()
            losses.append(loss.item() * len(index))
        curve.append(sum(losses) / len(X))
    return module.eval(), curve


@pytest.mark.parametrize("module_options", [{}, {"batch_norm": True}, {"dropout": 0.3}])
@pytest.mark.parametrize("optimizer, options", [
    (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
])  # fmt: skip
def test_it_trains_as_a_plain_loop_does(rows, optimizer, options, module_options):
    with torch.random.fork_rng(devices=[]):
        by_hand, curve = train_by_hand(rows, lambda p: optimizer(p, **options), module_options)
        net_options = {k if k == "lr" else f"optimizer__{k}": v for k, v in options.items()}
        net = make_net(optimizer=optimizer, module_options=module_options, **net_options)
        torch.manual_seed(6)
        net.fit_epochs(as_data(rows), epochs=3)
    # float64: the same operations, so only their order of summation may differ
    for ours, theirs in zip(net.module_.state_dict().values(), by_hand.state_dict().values(), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    assert np.allclose(net.history[:, "train_loss"], curve, rtol=1e-12)


def test_lbfgs_is_given_its_closure(rows):
    net = make_net(optimizer=torch.optim.LBFGS, lr=1.0, batch_size=N)
    net.fit_epochs(as_data(rows), epochs=3)
    by_hand, curve = train_by_hand_lbfgs(rows)
    assert np.allclose(net.history[:, "train_loss"], curve, rtol=1e-10)
    # sixty steps on rows that it comes to separate, each from the curvature of the last ones, multiply the rounding
    assert torch.allclose(net.module_.output.weight, by_hand.output.weight, rtol=1e-7, atol=1e-12)


def train_by_hand_lbfgs(rows, seed=5):
    X, y = (torch.from_numpy(array) for array in rows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = MLP(D, C, hidden=(6,)).double()
    optimizer = torch.optim.LBFGS(module.parameters(), lr=1.0)
    order = torch.Generator().manual_seed(seed)

    def closure():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(module(X[index]), y[index])
        loss.backward()
        return loss

    curve = []
    for _ in range(3):
        index = torch.randperm(N, generator=order)
        curve.append(optimizer.step(closure).item())
    return module, curve


def test_the_recorded_accuracy_and_loss_weigh_rows_and_not_batches(rows):
    weight = np.random.default_rng(1).uniform(0.1, 2, size=N)
    net = make_net(lr=1e-12)  # so small that the network stays as it is
    logits = net.module_.eval()(torch.from_numpy(rows[0])).detach()
    net.fit_epochs(as_data(rows, sample_weight=weight), epochs=1)
    hit = logits.argmax(1).numpy() == rows[1]
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(rows[1]), reduction="none").numpy()
    assert net.history[0, "train_accuracy"] == pytest.approx(np.average(hit, weights=weight), rel=1e-12)
    assert net.history[0, "train_loss"] == pytest.approx(np.average(loss, weights=weight), rel=1e-9)


# Learning rate and progress


class Watch(Callback):
    """Records what the optimizer and the criterion are set to in every training batch."""

    def on_train_begin(self, net, **kwargs):
        self.lrs, self.progress = [], []

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        if training:
            self.lrs.append(net.optimizer_.param_groups[0]["lr"])
            self.progress.append(getattr(net.criterion_, "progress", None))


def watched(net):
    return dict(net.callbacks_)["Watch"]


@pytest.mark.parametrize("name, scheduler, options", [
    ("one-cycle", torch.optim.lr_scheduler.OneCycleLR, {"max_lr": 0.1, "total_steps": 12, "cycle_momentum": False}),
    ("cosine", torch.optim.lr_scheduler.CosineAnnealingLR, {"T_max": 12}),
    ({"name": "milestones", "milestones": [0.5]}, torch.optim.lr_scheduler.MultiStepLR, {"milestones": [6]}),
])  # fmt: skip
def test_every_iteration_has_the_rate_of_torchs_scheduler(rows, name, scheduler, options):
    net = make_net(lr_schedule=make_schedule(name), callbacks=[Watch])
    net.fit_epochs(as_data(rows), epochs=3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    by_torch, expected = scheduler(optimizer, **options), []
    for _ in range(12):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        by_torch.step()
    assert np.allclose(watched(net).lrs, expected, rtol=1e-9)


def test_progress_counts_training_batches_from_one_and_ends_at_one(rows):
    net = make_net(ProSelfLCLoss(), callbacks=[Watch])
    net.fit_epochs(as_data(rows), epochs=3)
    assert watched(net).progress == [k / 12 for k in range(1, 13)]


def test_progress_does_not_count_validation_batches(rows):
    from skorch.helper import predefined_split

    net = make_net(ProSelfLCLoss(), callbacks=[Watch], train_split=predefined_split(as_data(rows)))
    net.fit_epochs(as_data(rows), epochs=3)
    assert watched(net).progress == [k / 12 for k in range(1, 13)]


def test_progress_stays_at_one_in_a_training_that_goes_on(rows):
    net = make_net(ProSelfLCLoss(), callbacks=[Watch])
    net.fit_epochs(as_data(rows), epochs=2)
    net.fit_epochs(as_data(rows), epochs=2)
    assert watched(net).progress == [1.0] * 8
    assert len(net.history) == 4


def test_a_training_that_goes_on_begins_its_schedule_anew(rows):
    net = make_net(lr_schedule=make_schedule("cosine"), callbacks=[Watch])
    net.fit_epochs(as_data(rows), epochs=2)
    first = watched(net).lrs
    net.fit_epochs(as_data(rows), epochs=2)
    assert watched(net).lrs == first
    assert first[0] > 2 * first[-1]


def test_parts_beyond_the_end_of_a_schedule_keep_its_last_rate(rows):
    net = make_net(max_epochs=2, lr_schedule=make_schedule("cosine"), callbacks=[Watch])
    for _ in range(2):
        net.fit_epochs(as_data(rows), epochs=1, continues=True)
    last = watched(net).lrs[-1]
    for _ in range(3):  # the cosine would rise again
        net.fit_epochs(as_data(rows), epochs=1, continues=True)
        assert watched(net).lrs == [last] * 4


def test_every_group_of_parameters_follows_the_schedule_from_its_own_rate(rows):
    class Rates(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seen = []

        def on_batch_begin(self, net, **kwargs):
            self.seen.append([group["lr"] for group in net.optimizer_.param_groups])

    groups = [("output.*", {"lr": 0.5}), ("*bias", {"lr": 0.0})]
    net = make_net(lr_schedule=make_schedule("cosine"), callbacks=[Rates], optimizer__param_groups=groups)
    net.fit_epochs(as_data(rows), epochs=2)
    factors = [make_schedule("cosine")(t, 8) for t in range(8)]
    np.testing.assert_allclose(dict(net.callbacks_)["Rates"].seen, np.outer(factors, [0.5, 0.0, 0.1]), rtol=1e-12)


def test_parts_of_a_training_share_its_schedule_and_progress(rows):
    whole = make_net(ProSelfLCLoss(), max_epochs=3, lr_schedule=make_schedule("cosine"), callbacks=[Watch])
    parts = copy.deepcopy(whole)
    whole.fit_epochs(as_data(rows), epochs=3)
    seen = []
    for _ in range(3):
        parts.fit_epochs(as_data(rows), epochs=1, continues=True)
        seen += zip(watched(parts).lrs, watched(parts).progress, strict=True)
    assert seen == list(zip(watched(whole).lrs, watched(whole).progress, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(whole.module_.parameters(), parts.module_.parameters(), strict=True))


def test_a_part_of_any_size_counts_as_one_epoch(rows):
    net = make_net(ProSelfLCLoss(), max_epochs=4, callbacks=[Watch])
    X, y = rows
    for n, expected in [(48, [1 / 12, 2 / 12, 3 / 12]), (16, [2 / 4]), (32, [5 / 8, 6 / 8]), (16, [1.0]), (16, [1.0])]:
        net.fit_epochs(as_data((X[:n], y[:n])), epochs=1, continues=True)
        assert watched(net).progress == expected


# Indices


class Memory(Criterion):
    needs_indices = True

    def forward(self, logits, target, sample_weight=None, indices=None):
        self.seen = [*getattr(self, "seen", []), indices]
        return nn.functional.cross_entropy(logits, target)


def test_a_criterion_that_needs_them_gets_the_row_numbers(rows):
    net = make_net(Memory())
    net.fit_epochs(as_data(rows), epochs=1)
    expected = torch.randperm(N, generator=torch.Generator().manual_seed(5))
    assert torch.equal(torch.cat(net.criterion_.seen), expected)


# What goes wrong


def test_a_loss_that_is_not_a_number_stops_with_epoch_batch_and_rate(rows):
    class Breaks(PerExampleLoss):
        calls = 0

        def forward(self, *args):
            self.calls += 1
            return super().forward(*args) * (float("nan") if self.calls == 7 else 1)

    net = make_net(Breaks(), lr=0.25)
    with pytest.raises(ValueError, match=r"train loss became nan in epoch 2, batch 3 of 4, at lr=0\.25\. Scale the"):
        net.fit_epochs(as_data(rows), epochs=5)


def test_a_loss_of_held_out_rows_that_is_not_a_number_is_called_so(rows):
    from skorch.helper import predefined_split

    class Breaks(PerExampleLoss):
        def forward(self, *args):
            return super().forward(*args) * (1 if self.training else float("inf"))

    net = make_net(Breaks(), train_split=predefined_split(as_data(rows)))
    with pytest.raises(ValueError, match=r"the valid loss became inf in epoch 1, batch 1 of 1, at lr=0\.1"):
        net.fit_epochs(as_data(rows), epochs=1)


def test_a_last_step_that_breaks_the_network_is_not_overlooked(rows):
    net = make_net(batch_size=N, lr=1e308)
    with pytest.raises(ValueError, match=r"a parameter of the network is not finite after epoch 1, at lr=1e\+308"):
        net.fit_epochs((as_data((rows[0] * 1e10, rows[1]))), epochs=1)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_single_number_that_is_not_finite_is_found_among_parameters(value, dtype):
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).to(dtype)
    with torch.no_grad():
        module[0].weight[2, 1] = value
        module[1].weight[0, 0] = -value
    with pytest.raises(ValueError, match="not finite after epoch 3"):
        check_parameters(module, epoch=3, lr=0.1)


def test_parameters_whose_sum_is_too_large_are_finite_for_all_that():
    module = nn.Linear(3, 4)
    with torch.no_grad():
        module.weight.fill_(3e38)
    assert not module.weight.sum().isfinite()
    check_parameters(module, epoch=1, lr=0.1)


class Interrupts(Callback):
    def __init__(self, at):
        self.at = at

    def on_batch_end(self, net, training=None, **kwargs):
        if net.iteration_ == self.at:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [2, 4, 6])
def test_an_interruption_leaves_the_training(rows, at):
    with pytest.raises(KeyboardInterrupt):
        make_net(callbacks=[Interrupts(at)]).fit_epochs(as_data(rows), epochs=5)
    with pytest.raises(KeyboardInterrupt):
        make_net(callbacks=[Interrupts(at)]).fit(*rows)
    with pytest.raises(KeyboardInterrupt):
        make_net(callbacks=[Interrupts(at)]).partial_fit(*rows)


@pytest.mark.parametrize("at, in_epoch, finished", [(2, 1, 0), (4, 1, 0), (6, 2, 1)])
def test_an_interruption_keeps_what_was_trained_with_a_warning_where_that_is_asked_for(rows, at, in_epoch, finished):
    net = make_net(callbacks=[Interrupts(at)])
    before = copy.deepcopy(net.module_.output.weight)
    with pytest.warns(UserWarning, match=f"Training was interrupted in epoch {in_epoch}; the network is kept"):
        net.fit_epochs(as_data(rows), epochs=5, keep_interrupted=True)
    assert len(net.history) == finished
    assert not torch.equal(net.module_.output.weight, before)


# Hooks


class Epochs(Callback):
    def on_epoch_end(self, net, **kwargs):
        pass


def predicts(when, X):
    """A callback that asks the network at one time of the training."""
    return type("Predicts", (Callback,), {when: lambda self, net, **kwargs: net.predict_proba(X)})()


@pytest.mark.parametrize(
    "when",
    ["on_train_begin", "on_epoch_begin", "on_epoch_end", "on_batch_begin", "on_grad_computed", "on_batch_end"],
)
def test_what_a_callback_predicts_leaves_the_network_in_training(rows, when):
    """Dropout and batch normalization tell: they would do otherwise until the next epoch."""
    options = {"module_options": {"dropout": 0.4, "batch_norm": True}}
    plain, asked = make_net(**options), make_net(callbacks=[predicts(when, rows[0])], **options)
    for net in (plain, asked):
        with seeded(0):
            net.fit_epochs(as_data(rows), epochs=3)
    for ours, theirs in zip(plain.module_.state_dict().values(), asked.module_.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_training_that_goes_on_without_callbacks_trains(rows):
    modes = []

    class Notes(nn.Linear):
        def forward(self, x):
            modes.append(self.training)
            return super().forward(x)

    net = NoisyLabelNet(Notes(D, C).double(), PerExampleLoss(), batch_size=N, lr=0.1).initialize()
    for _ in range(2):
        modes.clear()
        net.fit_epochs(as_data(rows), epochs=2)
        assert modes[:2] == [True, True]


@pytest.mark.parametrize("block", [torch.no_grad, nullcontext])
def test_a_net_trains_in_a_block_without_derivatives_too(rows, block):
    net = make_net(max_epochs=2)
    with block():
        net.partial_fit(rows[0], rows[1])
    assert net.history[-1, "train_loss"] < net.history[0, "train_loss"]


def test_a_training_that_failed_leaves_no_observer_and_no_rows_in_the_net(rows):
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise ZeroDivisionError

    net = make_net(callbacks=[Epochs])
    before = net.callbacks_
    with pytest.raises(ZeroDivisionError):
        net.fit_epochs(as_data(rows), epochs=1, observers=[Fails()])
    assert net.callbacks_ == before and net.batch_ is None
    net.fit_epochs(as_data(rows), epochs=1)


def test_every_callback_is_handed_all_gradients(rows):
    first, second = BatchHooks(), BatchHooks()
    make_net(callbacks=[("first", first), ("second", second)]).fit_epochs(as_data(rows), epochs=1)
    assert first.gradients == second.gradients == 4


def test_batch_hooks_run_only_where_a_callback_defines_them(rows):
    net = make_net(callbacks=[Epochs])
    notified = []
    notify = net.notify
    net.notify = lambda name, **kwargs: (notified.append(name), notify(name, **kwargs))
    net.fit_epochs(as_data(rows), epochs=1)
    assert notified == ["on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end"]


class BatchHooks(Callback):
    def on_train_begin(self, net, **kwargs):
        self.begun, self.ended, self.gradients = [], [], 0

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        X, y = batch
        self.begun.append((X, y, training))

    def on_batch_end(self, net, batch=None, training=None, loss=None, y_pred=None, **kwargs):
        assert y_pred.shape == (len(batch[0]), C)
        self.ended.append(loss.item())

    def on_grad_computed(self, net, named_parameters, **kwargs):
        named = dict(named_parameters)
        self.gradients += len(named) == 4 and all(p.grad is not None for p in named.values())


def test_batch_hooks_see_inputs_labels_losses_and_gradients(rows):
    net = make_net(callbacks=[("hooks", BatchHooks())])
    data = as_data(rows)
    net.fit_epochs(data, epochs=1)
    hooks = dict(net.callbacks_)["hooks"]
    X, y = torch.cat([x for x, _, _ in hooks.begun]), torch.cat([y for _, y, _ in hooks.begun])
    order = torch.randperm(N, generator=torch.Generator().manual_seed(5))
    assert torch.equal(X, data.X[order])
    assert torch.equal(y, data.labels[order])
    assert all(training for _, _, training in hooks.begun)
    assert hooks.gradients == 4
    assert hooks.ended == net.history[0, "batches", :, "train_loss"]


def test_hooks_change_nothing_in_what_is_learnt(rows):
    plain, hooked = make_net(), make_net(callbacks=[BatchHooks])
    for net in (plain, hooked):
        net.fit_epochs(as_data(rows), epochs=2)
    assert torch.equal(plain.module_.output.weight, hooked.module_.output.weight)
    assert plain.history[:, "train_loss"] == hooked.history[:, "train_loss"]


# Options


def test_a_gpu_that_is_full_names_the_batch_size():
    with pytest.raises(MemoryError, match=r"more memory than cpu has: use a smaller batch_size, got 512\."):
        with naming_batch_size(512):
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")


def test_where_no_batch_is_known_yet_the_network_is_what_is_too_large():
    with pytest.raises(MemoryError, match=r"network and its rows need more memory than cpu has; use a smaller network"):
        with naming_batch_size(None):
            raise MemoryError


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    ],
)
def test_every_device_that_is_full_names_the_batch_size(error):
    with pytest.raises(MemoryError, match="use a smaller iterator_valid__batch_size, got 7"):
        with naming_batch_size(7, name="iterator_valid__batch_size"):
            raise error


def test_other_errors_stay_what_they_are():
    with pytest.raises(RuntimeError, match="shapes"), naming_batch_size(512):
        raise RuntimeError("shapes do not match")


def test_augmentation_sees_training_batches_only_and_its_own_generator(rows):
    seen = []

    def augment(batch, generator):
        seen.append((len(batch), generator.initial_seed()))
        return batch

    net = make_net(augment=augment)
    net.fit_epochs(as_data(rows), epochs=1)
    net.predict_proba(rows[0])
    assert seen == [(16, 5), (16, 5), (16, 5), (2, 5)]


def test_preprocessing_comes_before_augmentation_and_in_prediction(rows):
    net = make_net(preprocess=lambda x: x * 0, augment=lambda batch, generator: batch + 1)
    net.fit_epochs(as_data(rows), epochs=1)
    assert np.allclose(net.predict_proba(rows[0]), net.predict_proba(0 * rows[0]))


def test_autocast_trains_to_nearly_the_same_network(rows):
    X, y = rows
    data = TensorData(X.astype(np.float32), y)
    plain, half = make_net(double=False), make_net(double=False, amp="bfloat16")
    for net in (plain, half):
        net.fit_epochs(data, epochs=5)
    # bfloat16 has eight bits of precision: 2^-8 in each product
    difference = plain.predict_proba(data.X) - half.predict_proba(data.X)
    assert 0 < np.abs(difference).max() < 0.05
    assert half.module_.output.weight.dtype == torch.float32


class Compiled(nn.Module):
    """As ``torch.compile`` wraps a module."""

    def __init__(self, module, **kwargs):
        super().__init__()
        self._orig_mod = module

    def forward(self, x):
        return self._orig_mod(x)


def test_parameters_of_a_compiled_module_have_the_names_of_its_own(monkeypatch):
    monkeypatch.setattr(torch, "compile", Compiled)
    groups = [("output.*", {"lr": 0.5})]
    plain, compiled = (make_net(compile=wrap, optimizer__param_groups=groups) for wrap in (False, True))
    assert isinstance(compiled.module_, Compiled)
    for net in (plain, compiled):
        assert [(group["lr"], len(group["params"])) for group in net.optimizer_.param_groups] == [(0.5, 2), (0.1, 2)]
        assert [name for name, _ in net.get_all_learnable_params()] == [*dict(plain.module_.named_parameters())]


def test_iterator_options_reach_the_batches(rows):
    net = make_net(iterator_train__drop_last=True, iterator_train__shuffle=False, callbacks=[BatchHooks])
    data = as_data(rows)
    net.fit_epochs(data, epochs=1)
    begun = dict(net.callbacks_)["BatchHooks"].begun
    assert [len(X) for X, _, _ in begun] == [16, 16, 16]
    assert torch.equal(begun[0][0], data.X[:16])


# Copies


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_a_copy_goes_on_exactly_as_the_original(rows, optimizer, copied):
    net = make_net(optimizer=optimizer)
    net.fit_epochs(as_data(rows), epochs=2)
    other = copied(net)
    for each in (net, other):
        each.fit_epochs(as_data(rows), epochs=2)
    assert torch.equal(net.module_.output.weight, other.module_.output.weight)
    assert net.module_.output.weight.data_ptr() != other.module_.output.weight.data_ptr()
    assert len(net.history) == len(other.history) == 4


def test_a_copy_needs_nothing_that_can_be_pickled(rows):
    net = make_net(lr_schedule=lambda iteration, n_iterations: 0.5)
    net.fit_epochs(as_data(rows), epochs=1)
    other = copy.deepcopy(net)
    other.fit_epochs(as_data(rows), epochs=1)
    assert len(net.history) == 1
    assert len(other.history) == 2


def test_a_dataset_trains_the_same_network_as_its_arrays(rows):
    data = as_data(rows)
    dataset = torch.utils.data.TensorDataset(data.X, data.labels)
    arrays, loaded = make_net(), make_net()
    arrays.fit_epochs(data, epochs=3)
    loaded.fit_epochs(DatasetData(dataset, rows[1], dtype=torch.float64), epochs=3)
    assert torch.equal(arrays.module_.output.weight, loaded.module_.output.weight)
    # the same products, summed in an order that depends on where a row lies in memory
    np.testing.assert_allclose(arrays.predict_proba(rows[0]), loaded.predict_proba(dataset), rtol=1e-14)
    assert np.array_equal(arrays.predict(rows[0]), arrays.predict_proba(rows[0]).argmax(1))


@pytest.mark.filterwarnings("ignore:You set iterator_valid__shuffle")
@pytest.mark.parametrize("name", ["shuffle", "drop_last", "sampler", "batch_sampler"])
def test_predictions_keep_every_row_in_order(rows, name):
    value = True if name in ("shuffle", "drop_last") else [[1], [0]]
    message = f"iterator_valid__{name} must not change or leave out rows.*got {value!r}"
    with pytest.raises(ValueError, match=re.escape(message).replace(r"\.\*", ".*")):
        make_net(**{f"iterator_valid__{name}": value}).fit_epochs(as_data(rows), epochs=1)
    net = make_net()
    net.fit_epochs(as_data(rows), epochs=1)
    vars(net)[f"iterator_valid__{name}"] = value
    with pytest.raises(ValueError, match=f"iterator_valid__{name} must not change or leave out rows"):
        net.predict_proba(rows[0])


def test_tables_are_predicted_in_large_batches_and_images_in_those_of_training(rows):
    table, pictures = (TensorData(np.zeros((5, *shape), dtype=np.float32), np.zeros(5)) for shape in ((3,), (1, 2, 2)))
    assert [prediction_rows(table, size) for size in (2, 4096, 5000)] == [4096, 4096, 5000]
    assert [prediction_rows(pictures, size) for size in (2, 4096, 5000)] == [2, 4096, 5000]


@pytest.mark.parametrize("value", [0, -1, 2.5, "x"])
def test_a_batch_has_a_whole_number_of_rows(rows, value):
    with pytest.raises(ValueError, match=f"iterator_train__batch_size must be a positive integer, got {value!r}"):
        make_net(iterator_train__batch_size=value).fit_epochs(as_data(rows), epochs=1)
