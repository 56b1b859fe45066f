"""A choice among candidates that was killed goes on where it was, to the same bits, and takes nothing of another."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from joblib import parallel_config
from skorch.callbacks import Callback
from torch import nn

from sklabelnoise import DMClassifierCV
from sklabelnoise._classifiers._derivative_manipulation_cv import _NOT_IN_THE_FITS
from sklabelnoise._foundation._checkpoint import Checkpoint, open_checkpoint
from sklabelnoise._fused import _kept_training
from sklabelnoise._stacked import _loop
from sklabelnoise.training import StopTraining

SMALL = {"candidates": ((0, 0), (0.5, 8), (1, 16)), "cv": 3, "n_members": 2, "max_epochs": 6, "module__dropout": 0.2}
BRIEF = {**SMALL, "max_epochs": 2, "random_state": 0}
ALONE = {"candidates": ((0, 0), (0.5, 8)), "cv": 2, "n_members": 2, "max_epochs": 4, "early_stopping": True}


@pytest.fixture
def at_each_epoch(monkeypatch):
    monkeypatch.setattr(_kept_training, "_SECONDS", 0.0)


class Ended(BaseException):
    """The process is gone."""


def end_after(monkeypatch, n_epochs):
    """End the run when so many epochs of stacked trainings are done; the number of those that are run is returned."""
    done = []
    write = _loop._EpochSums.write

    def counted(self, log, epoch):
        if n_epochs is not None and len(done) == n_epochs:
            raise Ended
        done.append(epoch)
        write(self, log, epoch)

    monkeypatch.setattr(_loop._EpochSums, "write", counted)
    return done


def same_models(one, other, X):
    assert one.scores_.equals(other.scores_)
    assert (one.lam_, one.beta_) == (other.lam_, other.beta_)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    losses = [[member.loss_curve_ for member in model.estimators_] for model in (one, other)]
    np.testing.assert_array_equal(*losses)


@pytest.fixture(scope="module")
def whole(blobs):
    return DMClassifierCV(**SMALL, random_state=0).fit(*blobs)


# Three folds of one size train together: 6 epochs, then 6 of the members.
@pytest.mark.parametrize("n_epochs", [0, 1, 3, 5, 6, 8, 11])
def test_a_run_that_ended_in_a_stacked_training_goes_on_to_the_same_bits(
    n_epochs, whole, blobs, tmp_path, monkeypatch, at_each_epoch
):
    model = DMClassifierCV(**SMALL, random_state=0, checkpoint=tmp_path)
    with monkeypatch.context() as patch:
        end_after(patch, n_epochs)
        with pytest.raises(Ended):
            model.fit(*blobs)
    assert not hasattr(model, "estimators_")
    done = end_after(monkeypatch, None)
    same_models(model.fit(*blobs), whole, blobs[0])
    assert len(done) == 12 - n_epochs


@pytest.mark.parametrize("params", [{}, {"n_jobs": 2}, {"refit": False}, {"optimizer": "SGD", "early_stopping": False}])
def test_finished_fits_are_taken_from_the_folder(params, blobs, tmp_path, monkeypatch):
    params = {**ALONE, "random_state": 0, **params}
    whole = DMClassifierCV(**{**params, "n_jobs": None}).fit(*blobs)
    with parallel_config("threading"):
        same_models(DMClassifierCV(**params, checkpoint=str(tmp_path)).fit(*blobs), whole, blobs[0])

    def never(*args, **kwargs):
        raise AssertionError("nothing is left to train")

    monkeypatch.setattr("sklabelnoise.training._net.NoisyLabelNet.fit_epochs", never)
    monkeypatch.setattr(_loop._EpochSums, "write", never)
    other = {**params, "n_jobs": None, "verbose": 0, "scoring": "balanced_accuracy"}
    again = DMClassifierCV(**other, checkpoint=tmp_path).fit(*blobs)
    np.testing.assert_array_equal(again.predict_proba(blobs[0]), whole.predict_proba(blobs[0]))


class EndsThird(Callback):
    """Ends the run in the third fit."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        folder = os.environ["SKLABELNOISE_TEST_FOLDER"]
        with open(os.path.join(folder, "begun"), "a") as file:
            file.write("x")
        if os.path.getsize(os.path.join(folder, "begun")) == 3 and not os.path.exists(os.path.join(folder, "again")):
            raise KeyboardInterrupt


def test_fits_that_were_finished_before_an_interrupt_are_not_run_again(blobs, tmp_path, monkeypatch):
    monkeypatch.setenv("SKLABELNOISE_TEST_FOLDER", str(tmp_path))
    model = DMClassifierCV(**ALONE, callbacks=[EndsThird], random_state=0, checkpoint=tmp_path / "kept")
    with pytest.raises(KeyboardInterrupt):
        model.fit(*blobs)
    (tmp_path / "again").touch()
    model.fit(*blobs)
    assert (tmp_path / "begun").stat().st_size == 3 + 2 + 2  # two of four were done; then the members
    whole = DMClassifierCV(**ALONE, callbacks=[EndsThird], random_state=0).fit(*blobs)
    same_models(model, whole, blobs[0])


def test_held_out_rows_are_part_of_the_run(blobs, tmp_path):
    X, y = blobs
    model = DMClassifierCV(**ALONE, random_state=0, checkpoint=tmp_path)
    first = model.fit(X, y, X_val=X[:30], y_val=y[:30]).scores_
    assert model.fit(X, y, X_val=X[:30], y_val=y[:30]).scores_.equals(first)
    assert len(list(tmp_path.iterdir())) == 1
    model.fit(X, y, X_val=X[:30], y_val=y[:30][::-1])
    assert len(list(tmp_path.iterdir())) == 2
    model.fit(X, y, X_val=X[:30], y_val=y[:30], sample_weight_val=1.0 + np.arange(30))
    assert len(list(tmp_path.iterdir())) == 3


def test_a_run_without_a_seed_goes_on_with_the_one_it_drew(blobs, tmp_path):
    model = DMClassifierCV(**SMALL, checkpoint=tmp_path).fit(*blobs)
    same_models(DMClassifierCV(**SMALL, checkpoint=tmp_path).fit(*blobs), model, blobs[0])


CHANGES = {
    "rows": lambda X, y, params: ((X + 1, y), params, {}),
    "a row less": lambda X, y, params: ((X[1:], y[1:]), params, {}),
    "labels": lambda X, y, params: ((X, y[::-1].copy()), params, {}),
    "names of labels": lambda X, y, params: ((X, np.array(["a", "b", "c"])[y]), params, {}),
    "weights": lambda X, y, params: ((X, y), params, {"sample_weight": 1.0 + (y == 0)}),
    "groups": lambda X, y, params: ((X, y), params, {"groups": np.arange(len(y)) // 2}),
    "soft labels": lambda X, y, params: ((X, y), params, {"soft_labels": 0.9 * np.eye(3)[y] + 0.1 / 3}),
    "candidates": lambda X, y, params: ((X, y), {**params, "candidates": ((0, 0), (0.5, 4))}, {}),
    "a parameter of the module": lambda X, y, params: ((X, y), {**params, "module__hidden": (5,)}, {}),
    "folds": lambda X, y, params: ((X, y), {**params, "cv": 2}, {}),
    "seed": lambda X, y, params: ((X, y), {**params, "random_state": 1}, {}),
    "members": lambda X, y, params: ((X, y), {**params, "n_members": 1}, {}),
}


@pytest.fixture(scope="module")
def folder_of_a_run(blobs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    DMClassifierCV(**BRIEF, checkpoint=folder).fit(*blobs)
    return folder


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_run_takes_nothing_from_the_folder(change, blobs, folder_of_a_run, tmp_path):
    params = BRIEF
    shutil.copytree(folder_of_a_run, tmp_path, dirs_exist_ok=True)
    data, changed, given = change(*blobs, params)
    model = DMClassifierCV(**changed, checkpoint=tmp_path).fit(*data, **given)
    same_models(model, DMClassifierCV(**changed).fit(*data, **given), data[0])
    assert len(list(tmp_path.iterdir())) == 2


def test_all_parameters_but_those_that_decide_no_fit_are_part_of_the_run(tmp_path):
    def folder(**changed):
        model = DMClassifierCV(**{"checkpoint": tmp_path, **changed})
        return open_checkpoint(model, (), apart=_NOT_IN_THE_FITS).path

    names = set(DMClassifierCV().get_params()) - {"checkpoint"}
    shared = {name for name in names if folder(**{name: "another"}) == folder()}
    assert shared == {"scoring", "n_jobs", "verbose"}


@pytest.mark.parametrize("change", [{"verbose": 1}, {"n_jobs": 1}, {"scoring": "balanced_accuracy"}], ids=str)
def test_what_does_not_decide_a_fit_begins_no_other_run(change, blobs, tmp_path):
    params = {**BRIEF, "checkpoint": tmp_path}
    DMClassifierCV(**params).fit(*blobs)
    DMClassifierCV(**params, **change).fit(*blobs)
    assert len(list(tmp_path.iterdir())) == 1


def test_splits_given_once_are_part_of_the_run(blobs, tmp_path):
    X, y = blobs
    halves = [np.arange(150) % 4 < 2, np.arange(150) % 4 >= 2]
    splits = [(np.flatnonzero(~half), np.flatnonzero(half)) for half in halves]
    params = {**BRIEF, "checkpoint": tmp_path}
    first = DMClassifierCV(**{**params, "cv": iter(splits)}).fit(X, y)
    same_models(DMClassifierCV(**{**params, "cv": (split for split in splits)}).fit(X, y), first, X)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_snapshot_is_made_again(blobs, tmp_path):
    params = BRIEF
    whole = DMClassifierCV(**params, checkpoint=tmp_path).fit(*blobs)
    for path in tmp_path.glob("*/stack-*"):
        path.write_bytes(path.read_bytes()[:50])
    same_models(DMClassifierCV(**params, checkpoint=tmp_path).fit(*blobs), whole, blobs[0])


def test_what_can_not_be_pickled_is_refused_with_a_checkpoint(blobs, tmp_path):
    with pytest.raises(TypeError, match="With 'checkpoint' all parameters must be picklable"):
        DMClassifierCV(lambda: nn.Linear(5, 3), **{**SMALL, "module__dropout": 0}, checkpoint=tmp_path).fit(*blobs)


def test_a_folder_that_can_not_be_written_is_refused(blobs, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"The 'checkpoint' parameter must be a folder .* Got '.*file'"):
        DMClassifierCV(**SMALL, checkpoint=tmp_path / "file").fit(*blobs)


def test_runs_without_a_checkpoint_take_no_snapshots(blobs, monkeypatch):
    monkeypatch.setattr(Checkpoint, "save", None)
    DMClassifierCV(**{**SMALL, "max_epochs": 1}, random_state=0).fit(*blobs)


KILLED = """
import sys
import numpy as np
from sklabelnoise import DMClassifierCV
from sklabelnoise._fused import _kept_training
_kept_training._SECONDS = 0.0
rng = np.random.default_rng(0)
y = np.arange(300) % 3
X = 2 * np.eye(3, 5)[y] + rng.normal(size=(300, 5))
sizes = {"candidates": ((0, 0), (1, 16)), "cv": 3, "n_members": 2, "max_epochs": 40}
model = DMClassifierCV(**sizes, random_state=0, checkpoint=sys.argv[1] or None)
np.save(sys.argv[2], model.fit(X, y).predict_proba(X))
"""


@pytest.mark.slow  # three processes that import torch
def test_a_kill_in_the_middle_of_a_stacked_training_is_survived(tmp_path):
    def run(folder, result):
        return subprocess.Popen([sys.executable, "-c", KILLED, str(folder), str(result)])

    assert run("", tmp_path / "whole.npy").wait(300) == 0
    process = run(tmp_path / "kept", tmp_path / "killed.npy")
    deadline = time.monotonic() + 200
    while not list(tmp_path.glob("kept/*/stack-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert not (tmp_path / "killed.npy").exists()
    assert run(tmp_path / "kept", tmp_path / "again.npy").wait(300) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "again.npy"), np.load(tmp_path / "whole.npy"))


def test_a_callback_that_stops_is_no_end_of_the_run(blobs, tmp_path):
    params = {**ALONE, "early_stopping": False, "callbacks": [StopsSecond], "random_state": 0}
    model = DMClassifierCV(**params, checkpoint=tmp_path).fit(*blobs)
    assert model.n_iter_ == 2
    same_models(DMClassifierCV(**params, checkpoint=tmp_path).fit(*blobs), model, blobs[0])


class StopsSecond(Callback):
    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 2:
            raise StopTraining
