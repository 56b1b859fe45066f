import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.utils import check_random_state
from torch import nn

from benchmarks import mlp_defaults
from benchmarks.mlp_defaults import OPTIMIZERS, SETTINGS, cell, neighbors, rate_factor, search, train
from benchmarks.rows import read_rows
from benchmarks.tasks import Task
from sklabelnoise import RobustLossClassifier
from sklabelnoise.modules import MLP


@pytest.fixture
def committed_rows_only(monkeypatch):
    def refuse(*args):
        raise AssertionError("the committed rows do not hold the whole search")

    monkeypatch.setattr(mlp_defaults, "measure", refuse)


def test_the_defaults_of_the_mlp_are_the_winner_of_the_committed_search(committed_rows_only):
    winner = search()[0][1]
    name, lr = winner["optimizer"]
    assert MLP.training_defaults == {
        "optimizer": name,
        "lr": lr,
        "weight_decay": winner["weight_decay"],
        "max_epochs": winner["epochs"],
        "batch_size": winner["batch_size"],
        "lr_schedule": winner["schedule"].replace("_", "-"),
        "augment": None,
    }
    assert inspect.signature(MLP).parameters["hidden"].default == winner["hidden"]


def test_no_row_of_the_search_knows_a_clean_label():
    names = {name for row in read_rows(mlp_defaults.PATH) for name in row}
    assert "hidden" in names
    assert not [name for name in names if "clean" in name or "test" in name]


def test_a_cell_is_the_training_part_of_a_task(shared_data):
    draw = Task("cmc", "symmetric", 0.4, max_train=2000).draw(0)
    X, given = cell("cmc", 0.4, 0)
    np.testing.assert_array_equal(X, draw.X_train)
    np.testing.assert_array_equal(given, draw.y_given)


def test_neighbors_differ_in_one_setting():
    candidate = {name: values[len(values) // 2] for name, values in SETTINGS.items()}
    near_ones = list(neighbors(candidate))
    assert {name for near in near_ones for name in SETTINGS if near[name] != candidate[name]} == set(SETTINGS)
    for near in near_ones:
        assert sum(near[name] != candidate[name] for name in SETTINGS) == 1


def test_one_cycle_is_that_of_pytorch():
    n = 100
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=n, cycle_momentum=False)
    rates = []
    for _ in range(n):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    ours = [rate_factor("one_cycle", step / n) for step in range(n)]
    np.testing.assert_allclose(ours, rates, atol=0.06)  # PyTorch counts n - 1 intervals: one step's difference


@pytest.mark.parametrize("schedule", SETTINGS["schedule"])
def test_rates_stay_between_nothing_and_their_maximum(schedule):
    factors = [rate_factor(schedule, step / 1000) for step in range(1000)]
    assert -1e-9 < min(factors) < 1 + 1e-9 and max(factors) == pytest.approx(1, abs=1e-3)


def test_the_search_trains_as_the_estimators_do(blobs):
    X, y = blobs
    X = X.astype(np.float32)
    candidate = {
        "optimizer": ("AdamW", 1e-2), "hidden": (16,), "epochs": 3, "batch_size": 64, "schedule": "constant",
        "weight_decay": 0.1,
    }  # fmt: skip
    seed = int(check_random_state(0).randint(2**31 - 1))
    module = train(torch.from_numpy(X), torch.from_numpy(y), 3, candidate, seed)
    model = RobustLossClassifier(
        loss="cross_entropy", module__hidden=(16,), optimizer="AdamW", lr=1e-2, weight_decay=0.1, max_epochs=3,
        batch_size=64, lr_schedule="constant", device="cpu", random_state=0,
    ).fit(X, y)  # fmt: skip
    with torch.inference_mode():
        proba = module(torch.from_numpy(X)).softmax(dim=1).numpy()
    # fused and looped optimizer steps round differently: nine steps in float32
    np.testing.assert_allclose(model.predict_proba(X), proba, atol=1e-5)


def test_every_optimizer_takes_a_rate_and_a_decay():
    for make in OPTIMIZERS.values():
        group = make(nn.Linear(2, 2).parameters(), lr=0.5, weight_decay=0.25).param_groups[0]
        assert (group["lr"], group["weight_decay"]) == (0.5, 0.25)


def test_rows_are_where_the_script_says():
    assert Path(mlp_defaults.PATH).name == "mlp_defaults.jsonl" and read_rows(mlp_defaults.PATH)
