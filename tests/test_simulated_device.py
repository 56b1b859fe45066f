"""On an accelerator nothing waits and nothing is copied from the host for each batch, and no devices mix.

The device is simulated (`tests.simulated_device`). A cost per batch is what a training on smaller batches pays more of,
as everything else stays the same.
"""

import pickle
from contextlib import contextmanager
from functools import partial
from unittest import mock

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.base import clone
from skorch.callbacks import Checkpoint, EarlyStopping
from torch import nn
from torch.utils.data import Dataset

import sklabelnoise
from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
)
from sklabelnoise._stacked import _recorded_steps
from sklabelnoise.losses import (
    NAMES,
    ROW_CRITERIA,
    BetaEmphasis,
    DMEmphasis,
    DMLoss,
    ExponentialEmphasis,
    IMAEEmphasis,
    NormalEmphasis,
    make_criterion,
)
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from sklabelnoise.modules import ResNet20
from sklabelnoise.training import CropFlip, Cutout, LearningDynamics, MeanPrediction, _recorded_step, _recorder
from tests.simulated_device import DEVICE, DeviceError, DeviceTensor, per_batch, simulated_device

N, N_CLASSES = 128, 3


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = np.arange(N) % N_CLASSES
    return (3 * np.eye(N_CLASSES, 5)[y] + rng.normal(size=(N, 5))).astype(np.float32), y


@pytest.fixture(scope="module")
def images(table):
    _, y = table
    rng = np.random.default_rng(1)
    return (rng.integers(0, 128, size=(N, 3, 8, 8)) + 40 * y[:, None, None, None]).astype(np.uint8), y


@pytest.fixture(scope="module")
def soft(table):
    _, y = table
    return 0.8 * np.eye(N_CLASSES)[y] + 0.2 / N_CLASSES


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(2).uniform(0.5, 2, size=N)


class Items(Dataset):
    """Pairs of a row and its label, on the host."""

    def __init__(self, X, y):
        self.X, self.y = torch.from_numpy(X), y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.X[i], self.y[i]


class OwnNetwork(nn.Module):
    """A network of a user's."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.hidden, self.output = nn.Linear(n_features, 7), nn.Linear(7, n_classes)

    def forward(self, x):
        return self.output(torch.relu(self.hidden(x)))


class OwnImageNetwork(nn.Module):
    """A small network of a user's for images."""

    def __init__(self, n_classes):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.output = nn.Linear(4, n_classes)

    def forward(self, x):
        return self.output(self.norm(self.convolution(x)).relu().mean((2, 3)))


def parameters(batch_size, **more):
    return {"device": DEVICE.type, "batch_size": batch_size, "max_epochs": 2, "random_state": 0, **more}


NOTHING = {"waits": {}, "copies": {}}

CLASSIFIERS = {
    "derivative": partial(DMClassifier),
    "integral": partial(DMClassifier, normalization="integral", damping=0),
    "none": partial(DMClassifier, normalization="none"),
    "exponential": partial(DMClassifier, emphasis=ExponentialEmphasis(2.0)),
    "normal": partial(DMClassifier, emphasis=NormalEmphasis(0.5, 4.0)),
    "beta": partial(DMClassifier, emphasis=BetaEmphasis(2.0, 3.0)),
    "imae": partial(DMClassifier, emphasis=IMAEEmphasis(8.0)),
    "callable": partial(DMClassifier, emphasis=lambda p: 1 - p**2),
    "proselflc": partial(ProSelfLCClassifier),
    "proselflc at temperature": partial(ProSelfLCClassifier, local_trust="max", temperature=0.5),
    "gce": partial(RobustLossClassifier),
    "elr": partial(RobustLossClassifier, loss="elr"),
    "truncated gce": partial(RobustLossClassifier, loss="truncated_gce", loss__start=0.3),
    "forward": partial(RobustLossClassifier, loss="forward", loss__transition_matrix=[[0.8, 0.1, 0.1]] * 3),
    "SGD with momentum": partial(DMClassifier, optimizer="SGD", optimizer__momentum=0.9, lr_schedule="cosine"),
    "Adam": partial(DMClassifier, optimizer="Adam", lr_schedule="one-cycle"),
    "RMSprop": partial(DMClassifier, optimizer="RMSprop"),
    "dropout and batch norm": partial(DMClassifier, module__dropout=0.3, module__batch_norm=True),
    "own network": partial(DMClassifier, OwnNetwork),
    "balanced": partial(DMClassifier, class_weight={0: 1.0, 1: 2.0, 2: 3.0}),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_no_training_waits_or_copies_for_a_batch(table, name):
    X, y = table
    assert per_batch(lambda size: CLASSIFIERS[name](**parameters(size)).fit(X, y)) == NOTHING


def launches_of_a_step(make, X, y):
    """Launches that a training on more batches has more of, by their number."""
    launches = []
    for size in (64, 32):
        with simulated_device() as device:
            make(**parameters(size, optimizer="SGD", weight_decay=0.0, module__hidden=(8,))).fit(X, y)
        launches.append(device.n_launches)
    return (launches[1] - launches[0]) / (2 * (N // 32 - N // 64))


# Forward 3, backward 6 and SGD 4 are the network's, predictions of the accuracy 1; the others are those of the loss.
@pytest.mark.parametrize(("name", "most"), [("cross entropy", 14 + 12), ("derivative", 14 + 15)])
def test_a_step_of_a_small_network_takes_few_launches(table, name, most):
    make = {**CLASSIFIERS, "cross entropy": partial(RobustLossClassifier, loss="cross_entropy")}[name]
    assert launches_of_a_step(make, *table) <= most


@pytest.mark.parametrize("name", ["derivative", "integral", "proselflc", "gce", "elr", "dropout and batch norm"])
@pytest.mark.parametrize("given", ["sample_weight", "soft_labels", "both"])
def test_weights_and_soft_labels_cost_nothing_for_a_batch(table, soft, weights, name, given):
    X, y = table
    more = {"sample_weight": weights, "soft_labels": soft}
    more = more if given == "both" else {given: more[given]}
    assert per_batch(lambda size: CLASSIFIERS[name](**parameters(size)).fit(X, y, **more)) == NOTHING


@contextmanager
def counting_what_is_recorded():
    """A block in which what would be recorded is asked for once; yields waits and copies of each, which none may have.

    A CUDA graph holds operations of the device alone, and whatever else is tried while it is recorded spoils it.
    """
    counted = []
    with simulated_device() as device:

        class Recorder:
            def __init__(self, device):
                pass

            def warm_up(self, function):
                return function()

            def record(self, function, generators):
                before = device.waits.copy(), device.copies.copy()
                function()
                counted.append((dict(device.waits - before[0]), dict(device.copies - before[1])))
                raise RuntimeError("nothing is recorded here")

        changes = {"DEVICES": (DEVICE.type,), "Recorder": Recorder, "is_undisturbed": lambda device: True}
        with (
            # whose parameters are of a class of their own here
            mock.patch.multiple(_recorded_step, _is_plain=lambda parameter, data: True, **changes),
            mock.patch.multiple(_recorded_steps, **changes),
            mock.patch.object(_recorder, "_WORTH", 1),
        ):
            yield counted
    assert device.refused == []


NOT_RECORDED = ["callable", "proselflc", "proselflc at temperature", "elr", "truncated gce", "forward", "own network"]


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in NOT_RECORDED])
@pytest.mark.parametrize("more", [False, True])
def test_what_is_recorded_of_a_training_neither_waits_nor_copies(table, soft, weights, name, more):
    given = {"sample_weight": weights, "soft_labels": soft} if more else {}
    with counting_what_is_recorded() as counted:
        CLASSIFIERS[name](**parameters(32)).fit(*table, **given)
    assert counted == [({}, {})]


LOSSES = {
    **{name: partial(make_criterion, name) for name in (*NAMES, *ROW_CRITERIA)},
    **{f"derivative, {how}": partial(DMLoss, normalization=how) for how in ("batch", "integral", "none")},
    "derivative, undamped": partial(DMLoss, DMEmphasis(1.0, 12.0), damping=0),
}
HYPER = {
    "forward": {"transition_matrix": torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])},
    "backward": {"transition_matrix": torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])},
    "forward_symmetric": {"noise_rate": 0.2},
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_leaves_the_device_alone(name, soft, weights):
    logits = torch.randn(N, N_CLASSES, generator=torch.Generator().manual_seed(0))
    with simulated_device(has_float64=False) as device:
        criterion = LOSSES[name](**HYPER.get(name, {})).to(DEVICE)
        criterion.prepare(N, N_CLASSES, device=DEVICE, dtype=torch.float32)
        rows = {"indices": torch.arange(N, device=DEVICE)} if criterion.needs_indices else {}
        labels = torch.arange(N).remainder(N_CLASSES).to(DEVICE)
        targets = torch.tensor(soft, dtype=torch.float32, device=DEVICE)
        weight = torch.tensor(weights, dtype=torch.float32, device=DEVICE)
        on_device = logits.to(DEVICE).requires_grad_()

        def steps():
            for target in (labels, targets):
                for weighted in (None, weight):
                    if criterion.progress is not None:
                        criterion.progress = 0.5
                    on_device.grad = None
                    criterion(on_device, target, weighted, **rows).backward()

        steps()  # what is done once may copy
        device.waits.clear()
        device.copies.clear()
        steps()
        assert isinstance(on_device.grad, DeviceTensor)
        assert device.refused == []
        assert (dict(device.waits), dict(device.copies)) == ({}, {})


AUGMENTATIONS = {
    "none": False,
    "crop-flip": "crop-flip",
    "crop and cutout": [CropFlip(2), Cutout(2)],
    "own": lambda batch, generator: batch + torch.randn(batch.shape, generator=generator, device=generator.device),
}


@pytest.mark.parametrize(
    ("module", "augment"), [(ResNet20, "crop-flip"), *((OwnImageNetwork, name) for name in AUGMENTATIONS)]
)
def test_images_and_their_augmentation_stay_on_the_device(images, module, augment):
    X, y = images
    more = {"module": module, "augment": AUGMENTATIONS[augment], "max_epochs": 1}
    assert per_batch(lambda size: DMClassifier(**parameters(size, **more)).fit(X, y)) == NOTHING


def test_images_are_the_same_for_one_seed_on_one_device(images):
    X, y = images
    with simulated_device():
        first, second = (
            DMClassifier(OwnImageNetwork, **parameters(64, augment="crop-flip")).fit(X, y).predict_proba(X)
            for _ in range(2)
        )
    np.testing.assert_array_equal(first, second)


def test_augmented_views_are_drawn_on_the_device(images):
    X, y = images

    def run(size):
        model = DMClassifier(OwnImageNetwork, **parameters(size, augment="crop-flip")).fit(X, y)
        assert model.predict_proba(X, n_augment=2).shape == (N, N_CLASSES)

    spent = per_batch(run)
    assert spent["copies"] == {}
    assert list(spent["waits"].values()) == [2]  # predictions leave by batches


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_sends_its_rows_and_nothing_else(table, workers):
    X, y = table
    more = {"iterator_train__num_workers": workers, "iterator_valid__num_workers": 0}
    spent = per_batch(lambda size: DMClassifier(**parameters(size, **more)).fit(Items(X, y)))
    assert spent["waits"] == {}
    assert list(spent["copies"].values()) == [2 * 2]  # two epochs of two batches more


def test_sparse_rows_are_sent_and_nothing_is_asked_back(table):
    X, y = table
    spent = per_batch(lambda size: DMClassifier(**parameters(size)).fit(scipy.sparse.csr_matrix(X), y))
    assert spent["waits"] == {}
    assert list(spent["copies"].values()) == [2 * 2]


@pytest.mark.parametrize("observe", ["dynamics", "mean", "early stopping", "checkpoint", "validation"])
def test_what_observes_epochs_costs_nothing_for_a_batch(table, tmp_path, observe):
    X, y = table
    more = {
        "dynamics": lambda: {"callbacks": [LearningDynamics(y, X_test=X, y_test=y)]},
        "mean": lambda: {"callbacks": [MeanPrediction()]},
        "early stopping": lambda: {"callbacks": [EarlyStopping(monitor="train_loss", patience=5)]},
        "checkpoint": lambda: {"callbacks": [Checkpoint(monitor="train_loss_best", dirname=tmp_path)]},
        "validation": dict,
    }[observe]
    held_out = {"X_val": X, "y_val": y} if observe == "validation" else {}
    spent = per_batch(lambda size: ProSelfLCClassifier(**parameters(size, **more())).fit(X, y, **held_out))
    assert spent == NOTHING


def test_parts_of_a_training_cost_nothing_for_a_batch(table, weights):
    X, y = table

    def run(size):
        model = DMClassifier(**parameters(size, warm_start=True))
        model.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y, sample_weight=weights)
        model.fit(X, y)

    assert per_batch(run) == NOTHING


def test_a_prediction_waits_for_its_results_only(table):
    X, y = table

    def run(size):
        model = DMClassifier(**parameters(size, iterator_valid__batch_size=size)).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-5)
        model.embed(X)

    spent = per_batch(run)
    assert spent["copies"] == {}
    assert list(spent["waits"].values()) == [2 * 2]


GRIDS = {
    "emphasis": (DMClassifier(), {"lam": [0, 1], "beta": [2, 8]}),
    "rates": (DMClassifier(), {"lr": [1e-3, 1e-2], "weight_decay": [0.0, 0.1]}),
    "betas": (DMClassifier(optimizer="Adam", lr_schedule="cosine"), {"optimizer__betas": [(0.9, 0.99), (0.8, 0.9)]}),
    "momenta": (DMClassifier(optimizer="SGD", optimizer__nesterov=True), {"optimizer__momentum": [0.5, 0.9]}),
    "schedules": (DMClassifier(), {"lr_schedule": ["constant", "one-cycle"]}),
    "proselflc": (ProSelfLCClassifier(), {"slope": [4.0, 8.0]}),
    "gce": (RobustLossClassifier(), {"loss__q": [0.5, 0.9]}),
    "own network": (DMClassifier(OwnNetwork), {"beta": [2, 8]}),
}


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_fused_search_costs_nothing_for_a_batch(table, weights, name, weighted):
    X, y = table
    estimator, grid = GRIDS[name]
    more = {"sample_weight": weights} if weighted else {}

    def run(size):
        search = FusedGridSearchCV(estimator.set_params(**parameters(size)), grid, cv=2, refit=False).fit(X, y, **more)
        assert search.fused_["fused"].all()

    assert per_batch(run) == NOTHING


@pytest.mark.parametrize("name", ["emphasis", "rates", "betas", "momenta", "gce"])
@pytest.mark.parametrize("weighted", [False, True])
def test_what_is_recorded_of_a_fused_search_neither_waits_nor_copies(table, weights, name, weighted):
    estimator, grid = GRIDS[name]
    estimator = clone(estimator).set_params(**parameters(16, lr_schedule="constant"))
    with counting_what_is_recorded() as counted:
        search = FusedGridSearchCV(estimator, grid, cv=2, refit=False)
        search.fit(*table, **({"sample_weight": weights} if weighted else {}))
    assert search.fused_["fused"].all()
    assert counted == [({}, {})]


@pytest.mark.parametrize("kind", ["images", "sparse", "soft"])
def test_a_fused_search_of_other_rows_costs_what_they_are(table, images, soft, kind):
    X, y = images if kind == "images" else table
    X = scipy.sparse.csr_matrix(X) if kind == "sparse" else X
    estimator = DMClassifier(OwnImageNetwork if kind == "images" else None)
    more = {"soft_labels": soft} if kind == "soft" else {}

    def run(size):
        search = FusedGridSearchCV(estimator.set_params(**parameters(size)), {"beta": [2, 8]}, cv=2, refit=False)
        assert search.fit(X, y, **more).fused_["fused"].all()

    spent = per_batch(run)
    assert spent["waits"] == {}
    assert list(spent["copies"].values()) == ([2 * 2 * 1] if kind == "sparse" else [])  # epochs, folds, batches more


@pytest.mark.parametrize("augment", [name for name in AUGMENTATIONS if name != "none"])
def test_augmented_images_of_a_fused_search_stay_on_the_device(images, augment):
    grid = {"beta": [2, 8], "random_state": [0, 1]}

    def run(size):
        model = DMClassifier(OwnImageNetwork, **parameters(size, augment=AUGMENTATIONS[augment]))
        assert FusedGridSearchCV(model, grid, cv=2, refit=False).fit(*images).fused_["fused"].all()

    assert per_batch(run) == NOTHING


def test_views_of_a_search_are_drawn_by_the_device_as_in_a_fit_alone(images):
    X, y = images
    with simulated_device() as device:
        model = DMClassifier(OwnImageNetwork, **parameters(64, augment="crop-flip", optimizer="SGD", lr=0.01))
        found = fused_cross_val_predict(model, X, y, cv=[(np.arange(N), np.arange(N))], method="predict_proba")
        alone = clone(model).fit(X, y).predict_proba(X)
        assert device.refused == []
    np.testing.assert_allclose(found, alone, rtol=1e-3, atol=1e-5)


def test_a_choice_of_the_emphasis_costs_nothing_for_a_batch(table):
    X, y = table

    def run(size):
        model = DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **parameters(size)).fit(X, y)
        assert model.score(X, y) > 0.5

    assert per_batch(run) == NOTHING


def test_left_out_predictions_cost_nothing_for_a_batch(table):
    X, y = table

    def run(size):
        model = DMClassifier(**parameters(size))
        fused_cross_val_predict(model, X, y, cv=2, method="predict_proba")
        StochasticLabelRefinery(model, cv=2, n_rounds=2, random_state=0).fit(X, y)

    assert per_batch(run) == NOTHING


@pytest.mark.parametrize("copy", ["pickle", "save"])
def test_what_was_trained_on_the_device_is_written_and_read(table, tmp_path, copy):
    X, y = table
    with simulated_device() as device:
        model = DMClassifier(**parameters(64)).fit(X, y)
        before = model.predict_proba(X)
        if copy == "pickle":
            again = pickle.loads(pickle.dumps(model))
        else:
            model.save(tmp_path / "model")
            again = DMClassifier.load(tmp_path / "model")
        np.testing.assert_array_equal(again.predict_proba(X), before)
        again.partial_fit(X, y)
        if copy == "pickle":  # with the optimizer's moments
            np.testing.assert_array_equal(again.predict_proba(X), model.partial_fit(X, y).predict_proba(X))
        trained = [parameter for group in again.net_.optimizer_.param_groups for parameter in group["params"]]
        assert list(map(id, trained)) == list(map(id, again.net_.module_.parameters()))
        assert device.refused == []


DOUBLE = ("table", "images", "dataset", "search", "choice", "weights", "own emphasis", "features", "parts", "refinery")


@pytest.mark.parametrize("kind", DOUBLE)
def test_double_precision_never_reaches_a_device_without_it(table, images, soft, weights, kind):
    X, y = table
    X = X.astype(np.float64)
    model = DMClassifier(**parameters(64))
    run = {
        "table": lambda: model.fit(X, y).predict(X),
        "images": lambda: model.set_params(module=OwnImageNetwork, augment="crop-flip").fit(*images).predict(images[0]),
        "dataset": lambda: model.fit(Items(X, y)).predict(Items(X, y)),
        "search": lambda: FusedGridSearchCV(model, {"lr": [1e-3, 1e-2]}, cv=2).fit(X, y).predict(X),
        "choice": lambda: DMClassifierCV(cv=2, candidates=[(0, 0), (1, 8)], **parameters(64)).fit(X, y).predict(X),
        "weights": lambda: model.fit(X, y, sample_weight=weights, soft_labels=soft).predict(X),
        "own emphasis": lambda: model.set_params(emphasis=lambda p: 1 - p, normalization="integral").fit(X, y),
        "features": lambda: model.set_params(early_stopping=True).fit(X, y).embed(X),
        "parts": lambda: model.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y, sample_weight=weights),
        "refinery": lambda: StochasticLabelRefinery(model, cv=2, n_rounds=2, random_state=0).fit(X, y),
    }[kind]
    with simulated_device(has_float64=False) as device:
        run()
        # one place may ask for it: that which finds out whether it is there
        assert [what for what in device.refused if "training/_device.py" not in what] == []


def test_a_tensor_on_the_device_is_trained_on_where_it_is(table):
    X, y = table
    with simulated_device() as device:
        on_device = torch.from_numpy(X).to(DEVICE)
        device.copies.clear()
        model = DMClassifier(**parameters(64)).fit(on_device, y)
        sent = {line: n for line, n in device.copies.items() if "_batches.py" in line}
        from_array = DMClassifier(**parameters(64)).fit(X, y)
        sent_of_array = {line: n - sent.get(line, 0) for line, n in device.copies.items() if "_batches.py" in line}
        assert sum(sent.values()) == sum(sent_of_array.values()) - 1
        np.testing.assert_array_equal(model.predict_proba(on_device), from_array.predict_proba(X))


def test_the_device_refuses_what_a_real_one_would():
    with simulated_device(has_float64=False) as device:
        a, host = torch.ones(3, device=DEVICE), torch.ones(3)
        assert (2 * a + torch.tensor(1.0)).tolist() == [3.0] * 3
        with pytest.raises(DeviceError, match="mixes"):
            a + host
        with pytest.raises(DeviceError, match="float64"):
            a.double()
        with pytest.raises(DeviceError, match="from a generator of cpu"):
            torch.rand(3, device=DEVICE, generator=torch.Generator())
        with pytest.raises(DeviceError, match="global generator"):
            torch.rand(3, device=DEVICE)
        with pytest.raises(TypeError, match="copy it to the host"):
            a.numpy()
        assert len(device.refused) == 4


def test_the_device_counts_waits_and_copies():
    with simulated_device() as device:
        a = torch.tensor([1.0, 0.0, 2.0], device=DEVICE)
        assert sum(device.copies.values()) == 1
        assert bool(a.sum() > 0) and a.nonzero().shape == (2, 1) and a[a > 0].shape == (2,) and a.tolist()[0] == 1.0
        assert sum(device.waits.values()) == 4
        torch.zeros(3)[:] = a
        a[torch.tensor([0])]
        a.copy_(torch.zeros(3))
        assert (sum(device.waits.values()), sum(device.copies.values())) == (5, 3)


def test_every_public_classifier_is_run_on_the_device():
    """So that a new one is not forgotten here; those that train no network of their own are named."""
    networks = {DMClassifier, DMClassifierCV, ProSelfLCClassifier, RobustLossClassifier}
    without = {"StochasticLabelRefineryRegressor", "NoisyLabelClassifier"}
    found = {
        value
        for name in sklabelnoise.__all__
        if isinstance(value := getattr(sklabelnoise, name), type) and hasattr(value, "fit") and name not in without
    }
    assert networks | {StochasticLabelRefinery} <= found
    assert {kind.__name__ for kind in found - networks} <= {"StochasticLabelRefinery", "FusedGridSearchCV"}
