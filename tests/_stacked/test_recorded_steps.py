"""Laws of recorded steps of a stack: they are the steps that are not recorded, or none are."""

from contextlib import nullcontext
from unittest import mock

import numpy as np
import pytest
import torch

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise._fused import _training
from sklabelnoise._stacked import _recorded_steps
from sklabelnoise._stacked._loop import train_replicas
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from sklabelnoise.modules import MLP
from tests.tape import Recorder, Recording, recording_in

N, D, C = 150, 12, 3
# of the two folds of 75 rows
N_FULL = 75 // 16


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.arange(N) % C
    return (2 * np.eye(C, D)[y] + rng.normal(size=(N, D))).astype(np.float32), y


def make(kind=DMClassifier, **more):
    settings = {"max_epochs": 3, "batch_size": 16, "module__hidden": (8,), "random_state": 0, "device": "cpu"}
    return kind(**{**settings, **more})


def left_out(model, rows, sample_weight=None):
    """What the stack of two folds predicts."""
    params = None if sample_weight is None else {"sample_weight": sample_weight}
    return fused_cross_val_predict(model, *rows, cv=2, method="predict_proba", params=params)


def searched(model, grid, rows, cv=2):
    search = FusedGridSearchCV(model, grid, cv=cv, scoring="neg_log_loss").fit(*rows)
    assert search.fused_["fused"].all()
    return np.stack([search.cv_results_["split0_test_score"], search.cv_results_["split1_test_score"]])


def three_ways(found):
    """What is found with steps recorded, on a device that might record them, and elsewhere; and the recordings."""
    with recording_in(_recorded_steps) as made:
        recorded = found()
    with recording_in(_recorded_steps, worth=np.inf) as none:
        able = found()
    assert not none
    return recorded, able, found(), made


SAME = {
    "defaults": {},
    "Adam": {"optimizer": "Adam"},
    "SGD": {"optimizer": "SGD", "optimizer__momentum": 0.9, "optimizer__nesterov": True},
    "damped": {"optimizer": "SGD", "optimizer__momentum": 0.9, "optimizer__dampening": 0.5},
    "dropout": {"module__dropout": 0.5},
    "batch norm": {"module__batch_norm": True},
    "linear": {"module__hidden": ()},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SAME)
def test_recorded_steps_are_the_steps_to_the_bit(rows, name, weighted):
    weight = np.linspace(0.5, 2, N) if weighted else None
    recorded, able, elsewhere, made = three_ways(lambda: left_out(make(**SAME[name]), rows, weight))
    assert [recording.n_replays for recording in made] == [3 * N_FULL - 2]
    np.testing.assert_array_equal(recorded, able)
    np.testing.assert_allclose(recorded, elsewhere, atol=1e-5)


GRIDS = {
    "emphasis": (DMClassifier, {"beta": [0, 4, 8], "lam": [0.5]}),
    "rates": (DMClassifier, {"lr": [1e-3, 1e-2], "weight_decay": [0.0, 0.1]}),
    "momentum": (DMClassifier, {"optimizer": ["SGD"], "optimizer__momentum": [0.0, 0.9]}),
    "hyper": (RobustLossClassifier, {"loss": ["gce"], "loss__q": [0.3, 0.7]}),
}


@pytest.mark.parametrize("name", GRIDS)
def test_recorded_searches_find_the_same(rows, name):
    kind, grid = GRIDS[name]
    recorded, able, elsewhere, made = three_ways(lambda: searched(make(kind), grid, rows))
    assert len(made) >= 1
    np.testing.assert_array_equal(recorded, able)
    np.testing.assert_allclose(recorded, elsewhere, rtol=1e-4)


def test_a_search_over_dampenings_whose_first_step_knows_none_is_not_recorded(rows):
    grid = {"optimizer": ["SGD"], "optimizer__momentum": [0.9], "optimizer__dampening": [0.0, 0.5]}
    for batch_size in (16, 75):  # many steps an epoch, and one
        recorded, able, elsewhere, made = three_ways(
            lambda size=batch_size: searched(make(batch_size=size), grid, rows)
        )
        assert bool(made) == (batch_size == 75)
        np.testing.assert_array_equal(recorded, able)
        np.testing.assert_allclose(recorded, elsewhere, rtol=1e-4)


def test_a_batch_that_is_whole_in_one_fold_alone_is_a_step_of_each_fold(rows):
    order = np.arange(N)
    splits = [(order[:80], order[80:]), (order[75:], order[:75])]  # five whole batches, and four with a rest
    recorded, able, elsewhere, made = three_ways(lambda: searched(make(), {"lam": [0.5]}, rows, cv=splits))
    assert [recording.n_replays for recording in made] == [3 * N_FULL - 2]
    np.testing.assert_array_equal(recorded, able)
    np.testing.assert_allclose(recorded, elsewhere, rtol=1e-4)


class Own(MLP):
    """A network of a user's."""


def half(p):
    return 1 - 0.5 * p


def noisy(batch, generator):
    return batch + torch.randn(batch.shape, generator=generator, dtype=batch.dtype)


NOT_RECORDED = {
    "module of a user": (DMClassifier, {"module": Own}),
    "emphasis of a user": (DMClassifier, {"emphasis": half}),
    "integral": (DMClassifier, {"normalization": "integral"}),
    "progress": (ProSelfLCClassifier, {}),
    "schedule": (DMClassifier, {"lr_schedule": "cosine"}),
    "augmented rows": (DMClassifier, {"augment": noisy}),
}


@pytest.mark.parametrize("name", NOT_RECORDED)
def test_what_might_differ_from_step_to_step_is_not_recorded(rows, name):
    kind, more = NOT_RECORDED[name]
    with recording_in(_recorded_steps) as made:
        found = left_out(make(kind, **more), rows)
    assert not made
    np.testing.assert_array_equal(found, left_out(make(kind, **more), rows))


def test_few_steps_are_not_worth_it(rows):
    for worth, n_made in ((3 * N_FULL, 1), (3 * N_FULL + 1, 0)):
        with recording_in(_recorded_steps, worth=worth) as made:
            left_out(make(), rows)
        assert len(made) == n_made


def test_a_recording_that_fails_leaves_everything_as_it_was(rows):
    class Failing(Recorder):
        def record(self, function, generators):
            super().record(function, generators)
            raise RuntimeError("operation not permitted when stream is capturing")

    model = make(module__dropout=0.3, module__batch_norm=True)
    with recording_in(_recorded_steps, Failing) as made:
        found = left_out(model, rows)
    assert len(made) == 1
    with recording_in(_recorded_steps, worth=np.inf):
        np.testing.assert_array_equal(found, left_out(model, rows))


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_no_recording_is_left_of_a_training_however_it_ends(rows, error):
    class Interrupted(Recording):
        def replay(self):
            if error is not None and self.n_replays == N_FULL:
                raise error
            super().replay()

    with recording_in(_recorded_steps) as made, mock.patch("tests.tape.Recording", Interrupted):
        with nullcontext() if error is None else pytest.raises(error):
            left_out(make(), rows)
    assert [recording.is_closed for recording in made] == [True]


@pytest.mark.parametrize("weighted", [False, True])
def test_losses_and_accuracies_of_a_stack_are_those_of_each_epoch(rows, weighted):
    weight = np.linspace(0.5, 2, N) if weighted else None
    logs = []

    def logged(*args, **kwargs):
        logs.append(train_replicas(*args, **{**kwargs, "record_accuracy": True}))
        return logs[-1]

    with mock.patch.object(_training, "train_replicas", logged):
        *_, made = three_ways(lambda: left_out(make(), rows, weight))
    assert made
    recorded, able, elsewhere = logs
    np.testing.assert_array_equal(recorded.loss, able.loss)
    np.testing.assert_array_equal(recorded.accuracy, able.accuracy)
    np.testing.assert_allclose(recorded.loss, elsewhere.loss, rtol=1e-5)
    np.testing.assert_allclose(recorded.accuracy, elsewhere.accuracy, rtol=1e-5)
