"""Training that goes on: chunks and warm starts are parts of one training, of the same network and kind of data."""

import copy
import pickle
from functools import cache
from time import process_time

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.modules import ResNet20

FAST = {"max_epochs": 3, "random_state": 0}


class Progress(Callback):
    """Records the progress of each epoch's last batch."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("progress", net.criterion_.progress)


def test_chunks_are_epochs_of_one_training(blobs):
    X, y = blobs
    whole = ProSelfLCClassifier(batch_size=32, callbacks=[Progress], lr_schedule="cosine", **FAST).fit(X, y)
    chunks = clone(whole)
    for _ in range(3):
        chunks.partial_fit(X, y, classes=[0, 1, 2])
    assert np.array_equal(chunks.predict_proba(X), whole.predict_proba(X))
    assert chunks.history_["progress"].tolist() == whole.history_["progress"].tolist()
    chunks.partial_fit(X, y)
    assert chunks.history_["progress"].iloc[-1] == 1
    assert chunks.n_iter_ == 4


def test_no_part_of_a_chunk_is_held_out_for_a_stop_that_cannot_come(blobs):
    model = DMClassifier(early_stopping=True, **FAST)
    with pytest.raises(ValueError, match=r"early_stopping must be False for partial_fit, .* got True"):
        model.partial_fit(*blobs, classes=[0, 1, 2])
    with pytest.raises(AttributeError):
        model.predict(blobs[0])


def test_a_chunk_costs_the_same_however_many_came_before(blobs):
    X, y = blobs
    model = DMClassifier(**FAST).partial_fit(X, y, classes=[0, 1, 2])

    def seconds():
        taken = []
        for _ in range(7):
            start = process_time()
            model.partial_fit(X, y)
            taken.append(process_time() - start)
        return np.median(taken)

    seconds()
    first, history = seconds(), model.net_.history
    history += [{**copy.deepcopy(history[-1]), "epoch": len(history) + i} for i in range(1, 3001)]
    # With a copy and a table of all epochs for each chunk it was 40 times as long.
    assert seconds() < 3 * first
    assert len(model.history_) == model.n_iter_ == len(model.net_.history) == 3022


def test_the_history_is_that_of_the_last_call_whenever_it_is_read(blobs):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X, y)
    unread, read = copy.deepcopy(model), model.history_
    assert read is model.history_
    for again in (unread, pickle.loads(pickle.dumps(unread)), pickle.loads(pickle.dumps(model))):
        pd.testing.assert_frame_equal(again.history_, read)
        assert again.history_.attrs == read.attrs
    unread = copy.deepcopy(model).fit(X, y)
    unread.net_.partial_fit(X, y)  # a user trains the net alone
    assert len(unread.history_) == unread.n_iter_ == 3
    for again in (model, pickle.loads(pickle.dumps(model))):
        again.partial_fit(X, y)
        assert len(again.history_) == 4 and again.history_.attrs["max_epochs"] == 3
    assert len(read) == 3
    with pytest.raises(AttributeError):
        DMClassifier().history_  # noqa: B018


def test_a_copy_of_a_net_has_a_history_of_its_own(blobs):
    model = DMClassifier(**FAST).fit(*blobs)
    copied = copy.deepcopy(model.net_)
    copied.history.record("note", 1)
    copied.history.new_epoch()
    assert len(model.net_.history) == 3 and "note" not in model.net_.history[-1]


def test_chunks_may_show_one_class_each_and_have_any_size(blobs):
    X, y = blobs
    model = DMClassifier(max_epochs=60, lr=0.01, random_state=0)
    for _ in range(20):
        for k, n in ((0, 50), (1, 3), (2, 40)):
            model.partial_fit(X[y == k][:n], y[y == k][:n], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.n_iter_ == 60
    assert len(model.label_quality_) == 40


def test_partial_fit_says_what_it_needs(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="classes must be passed on the first call to partial_fit"):
        DMClassifier(**FAST).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"Need at least 2 classes .*got one class: \[0\]"):
        DMClassifier(**FAST).partial_fit(X, np.zeros(150, dtype=int), classes=[0])
    model = DMClassifier(**FAST).partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"classes must be the same in every call: expected \[0 1 2\], got \[0 1\]"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y must hold labels of the classes \[0, 1, 2\] only, got \[5\]"):
        model.partial_fit(X[:1], [5])


def test_a_warm_start_continues_and_a_cold_one_does_not(blobs):
    X, y = blobs
    model = ProSelfLCClassifier(warm_start=True, callbacks=[Progress], batch_size=32, **FAST).fit(X, y)
    curve = model.loss_curve_
    model.fit(X, y)
    assert model.n_iter_ == 6
    assert model.loss_curve_[:3] == curve
    assert model.history_["progress"].tolist() == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 1])
    model.set_params(warm_start=False).fit(X, y)
    assert model.loss_curve_ == curve


OPTIMIZERS = ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "NAdam", "RAdam"]


@pytest.fixture(scope="module")
def of_one_training(blobs):
    """What a whole training predicts, by optimizer."""
    return cache(lambda optimizer: by(optimizer, max_epochs=6).fit(*blobs).predict_proba(blobs[0]))


def by(optimizer, **more):
    # the closure of LBFGS is all that costs
    more |= {"optimizer__max_iter": 4} if optimizer == "LBFGS" else {}
    return RobustLossClassifier(loss="cross_entropy", optimizer=optimizer, batch_size=32, random_state=0, **more)


@pytest.mark.parametrize("optimizer", [None, *OPTIMIZERS, "RMSprop", "Rprop", "SGD"])
@pytest.mark.parametrize("between", [None, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_two_warm_halves_are_one_training(between, optimizer, blobs, of_one_training):
    """LBFGS, which keeps its parameters in an attribute that no copy of it has, could not go on."""
    if not hasattr(torch.optim, str(optimizer or "AdamW")):
        pytest.skip(f"this version of torch has no {optimizer}")
    X, y = blobs
    halves = by(optimizer, warm_start=True, max_epochs=3).fit(X, y)
    halves = (halves if between is None else between(halves)).fit(X, y)
    assert np.array_equal(halves.predict_proba(X), of_one_training(optimizer))


def test_a_warm_start_takes_the_parameters_as_they_are_now(blobs):
    X, y = blobs
    model = DMClassifier(warm_start=True, beta=0, **FAST).fit(X, y)
    model.set_params(beta=4, lam=2, lr=0.5, weight_decay=0.25, optimizer__betas=(0.5, 0.6), batch_size=75).fit(X, y)
    group = model.net_.optimizer_.param_groups[0]
    assert (group["lr"], group["weight_decay"], group["betas"]) == (0.5, 0.25, (0.5, 0.6))
    assert (model.net_.criterion_.emphasis.lam, model.net_.criterion_.emphasis.beta) == (2, 4)
    assert model.history_.attrs["batch_size"] == 75 and model.history_["lr"].tolist() == [0.001] * 3 + [0.5] * 3
    with pytest.raises(ValueError, match=r"Training can't go on with another optimizer: it was torch.optim.adamw"):
        model.set_params(optimizer="SGD", optimizer__betas=(0.5, 0.6)).fit(X, y)


def test_a_warm_start_takes_augmentation_batches_epochs_and_schedule_as_they_are_now(blobs):
    X, y = blobs
    augmented = []

    def notice(batch, generator):
        augmented.append(len(batch))
        return batch

    model = ProSelfLCClassifier(warm_start=True, callbacks=[Progress], **FAST).fit(X, y)
    changed = {"augment": notice, "batch_size": 64, "iterator_train__drop_last": True, "lr_schedule": lambda p: 0.5}
    model.set_params(max_epochs=2, **changed).fit(X, y)
    assert augmented == [64, 64] * 2
    assert model.history_["lr"].tolist() == [0.001] * 3 + [0.0005] * 2
    model.set_params(max_epochs=20).partial_fit(X, y)
    assert augmented == [64] * 6 and model.history_["progress"].iloc[-1] == 6 / 20
    with pytest.raises(ValueError, match=r"lr must be at most .* for a network in float64, got inf\."):
        model.set_params(lr=float("inf")).partial_fit(X, y)
    single = DMClassifier(warm_start=True, dtype="float32", **FAST).fit(X, y)
    with pytest.raises(ValueError, match=r"lr must be at most 3.4e\+38 for a network in float32, got 1e\+300\."):
        single.set_params(lr=1e300).fit(X, y)
    single.set_params(lr=0.001, amp="bfloat16", device="cpu:0").fit(X, y)
    assert single.net_.amp == "bfloat16" and single.history_.attrs["device"] == "cpu:0"


def test_the_schedule_of_a_warm_start_multiplies_the_rate_as_it_is_now(blobs):
    never = {"name": "milestones", "milestones": [10**6]}
    model = DMClassifier(warm_start=True, lr=0.1, lr_schedule=never, **FAST).fit(*blobs)
    model.set_params(lr=0.5).fit(*blobs)
    assert model.history_["lr"].tolist() == [0.1] * 3 + [0.5] * 3


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_parameters_with_options_of_their_own_keep_them(blobs, schedule):
    X, y = blobs
    own = {
        "optimizer": "SGD",
        "lr": 0.1,
        "optimizer__param_groups": [("output.*", {"lr": 0.0}), ("*bias", {"lr": 1.0})],
    }
    whole = DMClassifier(lr_schedule=schedule, batch_size=32, **own, **FAST).fit(X, y)
    chunks = clone(whole).partial_fit(X, y, classes=[0, 1, 2])
    first = chunks.net_.module_.output.weight.detach().clone()
    for _ in range(2):
        chunks.partial_fit(X, y)
    assert torch.equal(chunks.net_.module_.output.weight, first)
    assert np.array_equal(chunks.predict_proba(X), whole.predict_proba(X))
    # what all have is the rate as it is now
    chunks.set_params(lr=0.5, lr_schedule="constant").partial_fit(X, y)
    assert [group["lr"] for group in chunks.net_.optimizer_.param_groups] == [0.0, 1.0, 0.5]
    with pytest.raises(ValueError, match=r"Training can't go on with other groups of parameters: optimizer__param_gr"):
        chunks.set_params(optimizer__param_groups=[("output.*", {"lr": 0.0})]).partial_fit(X, y)


def test_a_rate_by_its_long_name_is_the_one_that_a_schedule_multiplies(blobs):
    X, y = blobs
    model = DMClassifier(optimizer__lr=0.25, lr_schedule="cosine", max_epochs=2, random_state=0)
    for _ in range(2):
        model.partial_fit(X, y, classes=[0, 1, 2])
    assert model.history_["lr"].tolist() == [0.25, 0.125]


@pytest.mark.parametrize("types", [(np.float32, np.float64), (np.float64, np.float32)])
def test_held_out_rows_may_be_of_another_floating_type(blobs, types):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X.astype(types[0]), y, X_val=X.astype(types[1]), y_val=y)
    assert model.net_.numpy_dtype == types[0]
    assert model.history_["valid_accuracy"].notna().all()


@pytest.mark.parametrize(
    "changed", [{"module__hidden": (3,)}, {"module": ResNet20}, {"module__dropout": 0.1}, {"channels_last": True}]
)
@pytest.mark.parametrize("again", ["fit", "partial_fit"])
def test_training_does_not_go_on_with_a_network_that_the_parameters_no_longer_describe(blobs, changed, again):
    X, y = blobs
    model = DMClassifier(warm_start=True, **FAST).fit(X, y)
    before = model.predict_proba(X)
    (name, _), *_ = changed.items()
    for same_one in (model, pickle.loads(pickle.dumps(model))):
        with pytest.raises(ValueError, match=f"Training goes on with the fitted network, .*got {name}="):
            getattr(same_one.set_params(**changed), again)(X, y)
        assert np.array_equal(same_one.predict_proba(X), before)
    model.set_params(warm_start=False)
    if again == "fit" and "module" not in changed:
        assert model.fit(X, y).n_iter_ == FAST["max_epochs"]


def test_parameters_that_are_equal_describe_the_same_network(blobs):
    X, y = blobs
    model = DMClassifier(warm_start=True, module__hidden=[3], **FAST).fit(X, y)
    model.set_params(module__hidden=[np.int64(3)][:1], amp=True, iterator_train__drop_last=True).fit(X, y)
    assert model.n_iter_ == 2 * FAST["max_epochs"] and model.net_.amp


@pytest.mark.parametrize("first, second", [("float64", "float32"), ("float32", "float64"), ("float64", "int64")])
def test_training_goes_on_with_rows_of_another_type(blobs, first, second):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X.astype(first), y)
    model.partial_fit(X.astype(second), y)
    model.set_params(warm_start=True, dtype="float32").fit(X.astype(second), y)
    assert model.predict_proba(X).dtype == first
    assert model.n_iter_ == 2 * FAST["max_epochs"] + 1


def test_a_warm_start_needs_the_same_kind_of_data(blobs):
    X, y = blobs
    model = DMClassifier(warm_start=True, **FAST).fit(X, y)
    with pytest.raises(ValueError, match="X has 4 features, but DMClassifier is expecting 5"):
        model.fit(X[:, :4], y)
    with pytest.raises(ValueError, match="y must hold labels of the classes"):
        model.fit(X, y + 1)


def halves(progress):
    return 0.5


def test_the_classes_of_a_chunk_may_stand_in_any_order(blobs):
    X, y = blobs
    plain, other = DMClassifier(**FAST), DMClassifier(**FAST)
    plain.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y, classes=[0, 1, 2])
    other.partial_fit(X, y, classes=[2, 0, 1]).partial_fit(X, y, classes=[1, 0, 2, 0])
    assert np.array_equal(other.predict_proba(X), plain.predict_proba(X))
    with pytest.raises(ValueError, match="classes must not hold missing labels, got one in row 1"):
        DMClassifier(**FAST).partial_fit(X, y, classes=[0.0, np.nan, 2.0])


def test_weights_of_a_chunk_are_repeated_rows(blobs):
    X, y = blobs
    weight = np.random.default_rng(0).integers(0, 4, size=len(y))
    weighted, repeated = (DMClassifier(batch_size=10_000, lr=0.1, **FAST) for _ in range(2))
    for _ in range(2):
        weighted.partial_fit(X, y, weight, classes=[0, 1, 2])
        repeated.partial_fit(np.repeat(X, weight, axis=0), np.repeat(y, weight), classes=[0, 1, 2])
    # sums over a full batch in another order
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-9)


def test_training_that_goes_on_draws_other_dropout_masks(blobs):
    X, y = blobs
    kept = {"lr": 1e-300, "batch_size": 10_000, "iterator_train__shuffle": False}
    model = DMClassifier(module__dropout=0.5, **kept, **FAST)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    # Weights and order stay, so only the masks tell one epoch from another.
    assert len(set(model.loss_curve_)) == 3


def test_a_class_that_is_defined_again_is_another_of_its_name(blobs):
    """A cell of a notebook that runs twice makes two classes, which look alike in a message."""
    X, y = blobs

    def cell():
        class Net(torch.nn.Linear):
            def __init__(self, n_features, num_classes):
                super().__init__(n_features, num_classes)

        return Net

    model = DMClassifier(cell(), **FAST).fit(X, y)
    with pytest.raises(ValueError, match=r"got module=.*Net'>, another of this name\.$"):
        model.set_params(module=cell()).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"got module=.*Linear'>\.$"):
        model.set_params(module=torch.nn.Linear).partial_fit(X, y)
