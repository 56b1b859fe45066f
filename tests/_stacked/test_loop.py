"""Replicas trained together end where they would have ended alone."""

import copy
import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sklabelnoise._stacked._criterion import stack_criteria
from sklabelnoise._stacked._loop import StackedFold, replica_logits, train_replicas
from sklabelnoise._stacked._network import StackedNetwork
from sklabelnoise._stacked._optimizer import StackedOptimizer, optimizer_options
from sklabelnoise.losses import DMEmphasis, DMLoss, PerExampleLoss, ProSelfLCLoss
from sklabelnoise.modules import MLP
from sklabelnoise.training._batches import TensorData
from sklabelnoise.training._net import NoisyLabelNet
from sklabelnoise.training._schedules import constant, make_schedule

N, FEATURES, CLASSES = 90, 4, 3


class Wide(nn.Module):
    """Runs under vmap, not as a chain."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.a, self.b = nn.Linear(FEATURES, 6), nn.Linear(FEATURES, 6)
        self.out = nn.Linear(6, CLASSES)

    def forward(self, x):
        return self.out(torch.relu(self.a(x)) * torch.sigmoid(self.b(x)))


class PartlyUsed(Wide):
    """Has a layer that never enters the logits."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(2, 2)


def make_data(dtype=torch.float64, soft=False):
    rng = np.random.default_rng(0)
    labels = rng.integers(CLASSES, size=N)
    X = torch.from_numpy(rng.normal(size=(N, FEATURES)) + np.eye(CLASSES, FEATURES)[labels]).to(dtype)
    return TensorData(X, labels, soft_targets=rng.dirichlet(np.ones(CLASSES), N) if soft else None, dtype=dtype)


def train_alone(module, fold, weight, criterion, *, optimizer, options, schedule, batch_size, epochs):
    """The training that an estimator does."""
    data = TensorData(
        fold.data.X[fold.rows],
        fold.data.labels[fold.rows],
        soft_targets=None if fold.data.soft_targets is None else fold.data.soft_targets[fold.rows],
        sample_weight=weight,
        dtype=fold.data.dtype,
    )
    net = NoisyLabelNet(
        module,
        criterion,
        seed=fold.seed,
        optimizer=optimizer,
        max_epochs=epochs,
        batch_size=batch_size,
        lr_schedule=schedule,
        **{name if name == "lr" else f"optimizer__{name}": value for name, value in options.items()},
    ).initialize()
    net.module_.load_state_dict(fold.state)
    net.fit_epochs(data, epochs=epochs)
    return net


def train_both(
    make_module,
    criteria,
    options,
    *,
    optimizer=torch.optim.SGD,
    sizes=(70, 70),
    schedules=(constant,),
    weights=None,
    seeds=(5, 5),
    batch_size=16,
    epochs=3,
    dtype=torch.float64,
    soft=False,
):
    """Train G x K replicas together and alone; pairs of the stack's state and the net, and the log."""
    data = make_data(dtype, soft)
    rng = np.random.default_rng(1)
    folds, alone = [], {}
    for _g, (size, seed) in enumerate(zip(sizes, seeds, strict=True)):
        torch.manual_seed(seed)
        module = make_module().to(dtype)
        rows = torch.from_numpy(np.sort(rng.choice(N, size, replace=False)))
        weight = None if weights is None else weights[:, rows].to(dtype)
        state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
        folds.append(StackedFold(data, rows, seed, state, sample_weight=weight))
    schedules = list(schedules) * (len(criteria) // len(schedules))
    for (g, fold), (k, criterion) in itertools.product(enumerate(folds), enumerate(criteria)):
        weight = None if weights is None else fold.sample_weight[k if len(fold.sample_weight) > 1 else 0]
        alone[g, k] = train_alone(
            make_module().to(dtype), fold, weight, criterion,
            optimizer=optimizer, options=options[k], schedule=schedules[k], batch_size=batch_size, epochs=epochs,
        )  # fmt: skip
    network = StackedNetwork(module, [fold.state for fold in folds], len(criteria), dtype=dtype)
    split = [optimizer_options(optimizer([torch.zeros(1)], **o)) for o in options]
    rates = {name: np.array([rates[name] for rates, _ in split]) for name in split[0][0]}
    log = train_replicas(
        network,
        StackedOptimizer(optimizer, network.parameters, rates, nesterov=split[0][1].get("nesterov", False)),
        stack_criteria(criteria, dtype=dtype),
        folds,
        batch_size=batch_size,
        max_epochs=epochs,
        schedules=schedules,
        record_accuracy=True,
    )
    return network, folds, alone, log


DM = [DMLoss(DMEmphasis(0.5, 8)), DMLoss(DMEmphasis(1, 16)), DMLoss(DMEmphasis(0, 0))]
RATES = [{"lr": 0.1}, {"lr": 0.2}, {"lr": 0.05}]
BATCH_NORM = lambda: nn.Sequential(  # noqa: E731
    nn.Linear(FEATURES, 6, bias=False), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, CLASSES)
)
SETTINGS = {
    "dm": (lambda: MLP(FEATURES, CLASSES, hidden=(6,)), DM, RATES, {}),
    "batch normalization, unequal folds": (BATCH_NORM, DM, RATES, {"sizes": (72, 70)}),
    "no full batch": (BATCH_NORM, DM, RATES, {"sizes": (72, 70), "batch_size": 100}),
    "schedules of their own": (
        lambda: MLP(FEATURES, CLASSES, hidden=(6,)),
        DM,
        RATES,
        {"schedules": [constant, make_schedule("one-cycle"), make_schedule("cosine")]},
    ),
    "adamw with weight decay and one-cycle": (
        BATCH_NORM,
        DM,
        [{"lr": 0.01, "weight_decay": wd} for wd in (0.0, 0.1, 0.5)],
        {"optimizer": torch.optim.AdamW, "sizes": (72, 70), "schedules": [make_schedule("one-cycle")]},
    ),
    "nesterov": (
        lambda: MLP(FEATURES, CLASSES, hidden=(6,)),
        DM,
        [{"lr": 0.1, "momentum": m, "nesterov": True} for m in (0.5, 0.8, 0.9)],
        {},
    ),
    "progress": (
        lambda: MLP(FEATURES, CLASSES, hidden=(6,)),
        [ProSelfLCLoss(slope=s) for s in (8.0, 12.0, 16.0)],
        RATES,
        {"sizes": (72, 70)},
    ),
    "weights of their own": (
        lambda: MLP(FEATURES, CLASSES, hidden=(6,)),
        DM,
        RATES,
        {"weights": torch.rand(3, N, generator=torch.Generator().manual_seed(0)) + 0.1},
    ),
    "one weight for all": (
        lambda: MLP(FEATURES, CLASSES, hidden=(6,)),
        DM,
        RATES,
        {"weights": torch.rand(1, N, generator=torch.Generator().manual_seed(0)) + 0.1},
    ),
    "soft targets": (lambda: MLP(FEATURES, CLASSES, hidden=(6,)), DM, RATES, {"soft": True}),
    "seeds of their own": (lambda: MLP(FEATURES, CLASSES, hidden=(6,)), DM, RATES, {"seeds": (3, 4)}),
    "a layer that is not used": (
        PartlyUsed,
        DM,
        [{"lr": 0.01, "weight_decay": wd} for wd in (0.0, 0.1, 0.5)],
        {"optimizer": torch.optim.AdamW},
    ),
    "vmap": (Wide, [PerExampleLoss("gce", q=q) for q in (0.3, 0.7, 1.0)], RATES, {"sizes": (72, 70)}),
}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda name: name.replace(" ", "-").replace(",", ""))
def test_in_float64_replicas_are_trained_as_alone(setting):
    make_module, criteria, options, more = SETTINGS[setting]
    network, folds, alone, log = train_both(make_module, criteria, options, **more)
    assert not log.failures
    for (g, k), net in alone.items():
        for name, tensor in network.state_dict(g, k).items():
            # Rounding of 1e-16 a step, carried through some fifteen steps.
            torch.testing.assert_close(tensor, net.module_.state_dict()[name], rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(log.loss[:, g, k], net.history[:, "train_loss"], rtol=1e-10)
        np.testing.assert_allclose(log.accuracy[:, g, k], net.history[:, "train_accuracy"])
        np.testing.assert_allclose(log.lr[:, k], net.history[:, "lr"], rtol=1e-12)
        logits = replica_logits(network, g, folds[g], torch.arange(N))[k]
        expected = torch.cat(list(net.forward_iter(folds[g].data, training=False)))
        torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW])
def test_in_float32_one_step_from_the_same_state_agrees(optimizer):
    network, _, alone, _ = train_both(
        BATCH_NORM,
        DM,
        [{"lr": 0.01, "weight_decay": 0.1}] * 3,
        optimizer=optimizer,
        batch_size=100,
        epochs=1,
        dtype=torch.float32,
    )
    for (g, k), net in alone.items():
        for name, tensor in network.state_dict(g, k).items():
            torch.testing.assert_close(tensor, net.module_.state_dict()[name], rtol=1e-5, atol=1e-5)


def test_a_replica_that_diverges_is_noted_and_touches_no_other():
    def train(lr):
        options = [{"lr": 0.1}, {"lr": lr}, {"lr": 0.05}]
        return train_both_together(options)

    def train_both_together(options):
        data = make_data()
        torch.manual_seed(0)
        module = BATCH_NORM().double()
        folds = [StackedFold(data, torch.arange(n), 0, module.state_dict()) for n in (72, 70)]
        network = StackedNetwork(module, [fold.state for fold in folds], 3, dtype=torch.float64)
        rates = {"lr": np.array([o["lr"] for o in options]), "weight_decay": 0.0, "momentum": 0.0, "dampening": 0.0}
        log = train_replicas(
            network,
            StackedOptimizer(torch.optim.SGD, network.parameters, rates),
            stack_criteria(DM, dtype=torch.float64),
            folds,
            batch_size=16,
            max_epochs=3,
            schedules=[constant] * 3,
        )
        return network, log, folds

    sane, log, _ = train(0.2)
    assert not log.failures
    wild, log, folds = train(1e308)
    assert sorted(log.failures) == [(0, 1), (1, 1)]
    with pytest.raises(ValueError) as alone:
        train_alone(
            BATCH_NORM().double(), folds[0], None, DM[1],
            optimizer=torch.optim.SGD, options={"lr": 1e308}, schedule=constant, batch_size=16, epochs=3,
        )  # fmt: skip
    assert log.failures[0, 1] == str(alone.value)
    assert log.failures[0, 1].startswith("Training stopped: the train loss became nan in epoch 1, batch ")
    assert "lr=1e+308" in log.failures[0, 1]
    for name, p in wild.parameters.items():
        assert torch.equal(p[:, [0, 2]], sane.parameters[name][:, [0, 2]])


def test_a_last_step_out_of_bounds_is_noted():
    module = MLP(FEATURES, CLASSES, hidden=())
    network = StackedNetwork(module, [module.state_dict()], 2)
    rates = {"lr": np.array([1e-3, 1e38]), "weight_decay": 0.0, "momentum": 0.0, "dampening": 0.0}
    optimizer = StackedOptimizer(torch.optim.SGD, network.parameters, rates)
    data = make_data(torch.float32)
    data.X = data.X * 1e3
    folds = [StackedFold(data, torch.arange(N), 0, module.state_dict())]
    log = train_replicas(
        network, optimizer, PerExampleLoss(), folds, batch_size=N, max_epochs=1, schedules=[constant] * 2
    )
    assert list(log.failures) == [(0, 1)]
    expected = "Training stopped: a parameter of the network is not finite after epoch 1, at lr=1e+38."
    assert log.failures[0, 1].startswith(expected)


def trained(folds, n_replicas=2, criterion=None, **more):
    """Parameters that small networks end with on some folds."""
    module = MLP(FEATURES, CLASSES, hidden=(6,)).double()
    network = StackedNetwork(module, [fold.state for fold in folds], n_replicas, dtype=torch.float64)
    rates = {"lr": np.linspace(0.1, 0.3, n_replicas), "weight_decay": 0.0, "momentum": 0.0, "dampening": 0.0}
    train_replicas(
        network,
        StackedOptimizer(torch.optim.SGD, network.parameters, rates),
        PerExampleLoss("mae") if criterion is None else criterion,
        folds,
        batch_size=16,
        max_epochs=3,
        schedules=[constant] * n_replicas,
        **more,
    )
    return network.parameters


def fold_of(seed=0, n=70, **more):
    torch.manual_seed(seed)
    state = MLP(FEATURES, CLASSES, hidden=(6,)).double().state_dict()
    return StackedFold(make_data(), torch.arange(n), seed, state, **more)


def assert_trained_as_alone(folds):
    for g, fold in enumerate(folds):
        for (name, p), together in zip(trained([fold]).items(), trained(folds).values(), strict=True):
            torch.testing.assert_close(together[g], p[0], rtol=1e-10, atol=1e-10, msg=name)


def test_a_fold_without_weights_beside_one_with_weights_is_trained_as_alone():
    weight = torch.rand(2, 70, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    assert_trained_as_alone([fold_of(0), fold_of(1, sample_weight=weight), fold_of(2, sample_weight=weight[:1])])


def test_folds_share_batches_where_all_that_these_are_made_of_is_the_same():
    weight = torch.rand(2, 70, dtype=torch.double, generator=torch.Generator().manual_seed(0))
    fold, moved = fold_of(sample_weight=weight), make_data()
    moved.X = moved.X + 1
    assert fold.has_batches_of(replace(fold, state=fold_of(1).state))
    others = {
        "seed": 1,
        "rows": fold.rows.flip(0),
        "data": moved,
        "sample_weight": weight.flip(0),
        "preprocess": lambda X: 2 * X,
        "augment": lambda X, generator: 2 * X,
    }
    for name, value in others.items():
        other = replace(fold, **{name: value})
        assert not fold.has_batches_of(other) and not other.has_batches_of(fold)
        assert_trained_as_alone([fold, other])


def test_some_replicas_of_a_fold_keep_their_weights():
    weight = torch.rand(4, 70)
    fold = fold_of(sample_weight=weight)
    assert torch.equal(fold.of_replicas(slice(1, 3)).sample_weight, weight[1:3])
    for shared in (fold_of(sample_weight=weight[:1]), fold_of()):
        assert shared.of_replicas(slice(1, 3)) is shared


def test_a_criterion_that_was_left_in_evaluation_is_trained_with():
    found = trained([fold_of()], criterion=PerExampleLoss("mae").eval())
    for name, expected in trained([fold_of()]).items():
        assert torch.equal(found[name], expected)


class Kept:
    """Holds every snapshot, and begins with one of them."""

    def __init__(self, state=None):
        self.state, self.offered = state, []

    def load(self):
        return self.state

    def offer(self, take, is_last):
        self.offered.append((copy.deepcopy(take()), is_last))


def test_a_training_that_goes_on_offers_and_tells_of_the_epochs_that_are_left():
    whole, shares = Kept(), []
    trained([fold_of()], kept=whole, advance=shares.append)
    assert [state["epoch"] for state, _ in whole.offered] == [1, 2, 3]
    assert [is_last for _, is_last in whole.offered] == [False, False, True]
    assert shares == pytest.approx([1 / 3] * 3)
    for n_done in (1, 2, 3):
        kept, shares = Kept(whole.offered[n_done - 1][0]), []
        trained([fold_of()], kept=kept, advance=shares.append)
        assert [state["epoch"] for state, _ in kept.offered] == [1, 2, 3][n_done:]
        assert shares == pytest.approx([n_done / 3] + [1 / 3] * (3 - n_done))


def test_prediction_in_chunks_of_rows_is_prediction_at_once(monkeypatch):
    module = MLP(FEATURES, CLASSES, batch_norm=True)
    network = StackedNetwork(module, [module.state_dict()], 2)
    fold = StackedFold(make_data(torch.float32), torch.arange(N), 0, module.state_dict())
    with torch.no_grad():
        for tensor in (*network.parameters.values(), *network.buffers.values()):
            tensor[0, 1] *= 2
    whole = replica_logits(network, 0, fold, torch.arange(N))
    torch.testing.assert_close(replica_logits(network, 0, fold, torch.arange(N), slice(1, 2)), whole[1:])
    monkeypatch.setattr("sklabelnoise._stacked._loop.PREDICTION_ROWS", 7)
    torch.testing.assert_close(replica_logits(network, 0, fold, torch.arange(N)), whole)
