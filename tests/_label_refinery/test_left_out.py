"""Rounds that are interrupted, spread over processes, or carried to a cluster."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB

from sklabelnoise import StochasticLabelRefinery, StochasticLabelRefineryRegressor
from sklabelnoise._foundation._checkpoint import Checkpoint

ARRAYS = ("soft_labels_", "oof_proba_", "label_quality_", "transduction_")


# Of this process; no attribute of the class, which would be a part of its code.
COUNTED = SimpleNamespace(fits=0)


class CountingNB(GaussianNB):
    """Counts its fits, and ends the process at one of them if told to."""

    def __init__(self, die_at=None, *, priors=None, var_smoothing=1e-9):
        super().__init__(priors=priors, var_smoothing=var_smoothing)
        self.die_at = die_at

    def fit(self, X, y, sample_weight=None):
        COUNTED.fits += 1
        if self.die_at is not None and Path(self.die_at).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y, sample_weight)


class Losing(GaussianNB):
    """Has losses of its epochs."""

    loss_curve_ = (0.5, 0.25)


def mirrored(X, rng):
    return -X


@pytest.fixture
def noisy(blobs):
    X, y_clean = blobs
    rng = np.random.default_rng(0)
    return X, np.where(rng.random(150) < 0.3, rng.integers(0, 3, size=150), y_clean)


def refinery(estimator, **kwargs):
    return StochasticLabelRefinery(estimator, **{"random_state": 0, "n_rounds": 3, **kwargs})


def assert_same(model, other, X):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(model, name), getattr(other, name))
    assert model.history_.equals(other.history_)
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))


def fits_of(model, X, y):
    before = COUNTED.fits
    model.fit(X, y)
    return COUNTED.fits - before


def files(folder):
    return sorted(path for path in Path(folder).rglob("*") if path.is_file())


class TestRecovery:
    def test_a_run_killed_in_round_2_ends_like_an_undisturbed_one(self, noisy, tmp_path):
        X, y = noisy
        np.save(tmp_path / "X.npy", X)
        np.save(tmp_path / "y.npy", y)
        code = f"""
import time, sys
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklabelnoise import StochasticLabelRefinery
plain_fit = LogisticRegression.fit
def slow_fit(self, X, y, sample_weight=None):
    time.sleep(0.0 if sample_weight is None else 0.2)  # labels are soft from round 2 on
    return plain_fit(self, X, y, sample_weight)
LogisticRegression.fit = slow_fit
X, y = (np.load({str(tmp_path)!r} + f"/{{name}}.npy") for name in "Xy")
StochasticLabelRefinery(
    LogisticRegression(), random_state=0, n_rounds=3, checkpoint={str(tmp_path / "checkpoint")!r}
).fit(X, y)
"""
        process = subprocess.Popen([sys.executable, "-c", code])
        deadline = time.monotonic() + 120
        while not any("round-2-fold-1" in path.name for path in files(tmp_path)):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=300) == -signal.SIGKILL
        names = [path.name for path in files(tmp_path / "checkpoint")]
        assert "round-1" in names
        assert "round-2" not in names

        resumed = refinery(LogisticRegression(), checkpoint=tmp_path / "checkpoint").fit(X, y)
        assert_same(resumed, refinery(LogisticRegression()).fit(X, y), X)

    def test_a_finished_run_is_not_repeated(self, noisy, tmp_path):
        X, y = noisy
        model = refinery(CountingNB(), checkpoint=tmp_path)
        assert fits_of(model, X, y) == 16
        assert fits_of(clone(model), X, y) == 1
        assert_same(clone(model).fit(X, y), refinery(CountingNB()).fit(X, y), X)

    def test_runs_that_differ_in_rounds_alone_share_them(self, noisy, tmp_path):
        X, y = noisy
        refinery(CountingNB(), n_rounds=2, checkpoint=tmp_path).fit(X, y)
        assert fits_of(refinery(CountingNB(), n_rounds=4, checkpoint=tmp_path), X, y) == 11

    @pytest.mark.parametrize("length", [0, 20, -8])
    def test_a_truncated_round_is_done_again(self, noisy, tmp_path, length):
        X, y = noisy
        model = refinery(CountingNB(), checkpoint=tmp_path).fit(X, y)
        (damaged,) = (path for path in files(tmp_path) if path.name == "round-2")
        damaged.write_bytes(damaged.read_bytes()[:length])
        again = clone(model)
        assert fits_of(again, X, y) == 6
        assert_same(again, model, X)

    def test_a_truncated_fold_is_done_again_and_the_others_are_not(self, noisy, tmp_path, monkeypatch):
        X, y = noisy
        model = refinery(CountingNB(), n_rounds=1, checkpoint=tmp_path)
        # Stop right before the round is complete, so that its folds are what is left.
        monkeypatch.setattr("sklabelnoise._foundation._checkpoint.Checkpoint.remove", lambda self, pattern: None)
        model.fit(X, y)
        for path in files(tmp_path):
            if path.name == "round-1":
                path.unlink()
            elif path.name == "round-1-fold-3-member-0":
                path.write_bytes(path.read_bytes()[:50])
        again = clone(model)
        assert fits_of(again, X, y) == 2  # the fold and the final model
        assert_same(again, model, X)

    @pytest.mark.parametrize("parameters", [{"final": "folds"}, {"final": "folds", "tol": 0.08, "n_rounds": 9}])
    def test_models_of_folds_are_fitted_again_when_rounds_are_restored(self, noisy, tmp_path, parameters):
        X, y = noisy
        model = refinery(GaussianNB(), checkpoint=tmp_path, **parameters).fit(X, y)
        again = clone(model).fit(X, y)
        assert len(again.estimators_) == 5
        assert_same(again, model, X)

    def test_one_partition_for_all_rounds_survives_a_restart(self, noisy, tmp_path):
        X, y = noisy
        model = refinery(GaussianNB(), resplit=False, checkpoint=tmp_path).fit(X, y)
        for path in files(tmp_path):
            if path.name in {"round-2", "round-3"}:
                path.unlink()
        assert_same(clone(model).fit(X, y), model, X)

    def test_an_iterator_of_splits_is_part_of_what_a_run_is_known_by(self, noisy, tmp_path):
        X, y = noisy
        model = refinery(CountingNB(), checkpoint=tmp_path, cv=KFold(3).split(X)).fit(X, y)
        assert fits_of(refinery(CountingNB(), checkpoint=tmp_path, cv=list(KFold(3).split(X))), X, y) == 1
        assert fits_of(refinery(CountingNB(), checkpoint=tmp_path, cv=KFold(4).split(X)), X, y) == 13
        assert model.n_iter_ == 3

    def test_an_open_seed_is_kept_with_the_run(self, noisy, tmp_path):
        X, y = noisy
        model = refinery(GaussianNB(), random_state=None, checkpoint=tmp_path).fit(X, y)
        assert_same(clone(model).fit(X, y), model, X)

    @pytest.mark.parametrize(
        "change",
        [
            lambda model, X, y: (model.set_params(label_weight=2), X, y),
            lambda model, X, y: (model.set_params(random_state=1), X, y),
            lambda model, X, y: (model.set_params(estimator__var_smoothing=1e-3), X, y),
            lambda model, X, y: (model, X + 1e-9, y),
            lambda model, X, y: (model, X, np.where(np.arange(150) == 7, (y + 1) % 3, y)),
        ],
    )
    def test_other_parameters_or_data_have_a_folder_of_their_own(self, noisy, tmp_path, change):
        X, y = noisy
        model = refinery(CountingNB(), checkpoint=tmp_path).fit(X, y)
        model, X, y = change(clone(model), X, y)
        assert fits_of(model, X, y) == 16
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize(
        ("changed", "given"),
        [
            ({"augment": mirrored, "n_augment": 1}, {}),
            ({"resplit": False}, {}),
            ({"soft_label_method": "argmax"}, {}),
            ({"label_weight": "average"}, {}),
            ({}, {"sample_weight": np.arange(150) % 2 + 1.0}),
            ({}, {"groups": np.arange(150) // 6}),
        ],
        ids=["augment", "resplit", "method", "average", "weights", "groups"],
    )
    @pytest.mark.filterwarnings("ignore:soft_label_method='argmax'")
    def test_what_changes_the_rounds_takes_none_of_others(self, noisy, tmp_path, changed, given):
        X, y = noisy
        refinery(GaussianNB(), n_rounds=2, checkpoint=tmp_path).fit(X, y)
        model = refinery(GaussianNB(), n_rounds=2, checkpoint=tmp_path, **changed).fit(X, y, **given)
        assert_same(model, refinery(GaussianNB(), n_rounds=2, **changed).fit(X, y, **given), X)
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize(
        "changed", [{"verbose": 1}, {"tol": 0.0}, {"final": "folds"}, {"n_jobs": 1}, {"callback": print}], ids=str
    )
    def test_what_changes_no_round_shares_them(self, noisy, tmp_path, changed):
        X, y = noisy
        refinery(GaussianNB(), n_rounds=1, checkpoint=tmp_path).fit(X, y)
        refinery(GaussianNB(), n_rounds=1, checkpoint=tmp_path, **changed).fit(X, y)
        assert len(list(tmp_path.iterdir())) == 1

    def test_classes_and_values_have_rounds_of_their_own(self, noisy, tmp_path):
        X, y = noisy
        for kind in (StochasticLabelRefinery, StochasticLabelRefineryRegressor):
            kept, plain = (
                kind(Ridge(), n_rounds=1, random_state=0, checkpoint=to).fit(X, y) for to in (tmp_path, None)
            )
            np.testing.assert_array_equal(kept.soft_labels_, plain.soft_labels_)
        assert len(list(tmp_path.iterdir())) == 2

    @pytest.mark.parametrize("n_removed", [0, 1])
    def test_a_run_that_ended_right_after_a_round_leaves_no_fold_of_it(self, noisy, tmp_path, monkeypatch, n_removed):
        X, y = noisy
        removed = []

        def end(self, pattern):
            removed.append(pattern)
            if len(removed) > n_removed + 1:  # the first one probes the folder
                raise KeyboardInterrupt
            remove(self, pattern)

        remove = Checkpoint.remove
        model = refinery(CountingNB(), checkpoint=tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "remove", end)
            with pytest.raises(KeyboardInterrupt):
                clone(model).fit(X, y)
        assert any("fold" in path.name for path in files(tmp_path))
        assert fits_of(model, X, y) == 16 - 5 * (n_removed + 1)
        assert not any("fold" in path.name for path in files(tmp_path))

    def test_losses_come_back_with_the_rounds_and_are_there_where_a_round_is(self, noisy, tmp_path, monkeypatch):
        X, y = noisy
        saved = []
        save = Checkpoint.save
        monkeypatch.setattr(Checkpoint, "save", lambda c, name, *a, **k: saved.append(name) or save(c, name, *a, **k))
        model = refinery(Losing(), n_rounds=2, checkpoint=tmp_path).fit(X, y)
        assert saved.index("round-1-losses") < saved.index("round-1")
        assert saved.index("round-1-fold-0-member-0-losses") < saved.index("round-1-fold-0-member-0")
        again = refinery(Losing(), n_rounds=2, checkpoint=tmp_path).fit(X, y)
        assert again.history_["losses"].tolist() == model.history_["losses"].tolist() == [[0.5, 0.25]] * 2

    def test_a_grid_search_shares_the_folder_and_changes_nothing(self, noisy, tmp_path):
        X, y = noisy
        grid = {"label_weight": [2, 3], "n_rounds": [1, 2]}
        plain = GridSearchCV(refinery(GaussianNB()), grid, cv=2).fit(X, y)
        kept = GridSearchCV(refinery(GaussianNB(), checkpoint=tmp_path), grid, cv=2).fit(X, y)
        np.testing.assert_array_equal(plain.cv_results_["mean_test_score"], kept.cv_results_["mean_test_score"])
        assert len(list(tmp_path.iterdir())) == 2 * 2 + 1  # label_weight x folds, and the final fit

    def test_regressors_are_restored_too(self, noisy, tmp_path):
        X, y = noisy
        model = StochasticLabelRefineryRegressor(Ridge(), checkpoint=tmp_path, random_state=0, n_rounds=2).fit(X, y)
        again = clone(model).set_params(thresholds="qwk").fit(X, y)
        np.testing.assert_array_equal(model.soft_labels_, again.soft_labels_)
        assert len(list(tmp_path.iterdir())) == 1


class TestProcesses:
    def test_a_worker_that_dies_is_reported_and_its_run_can_go_on(self, noisy, tmp_path):
        X, y = noisy
        deadly = tmp_path / "deadly"
        model = refinery(CountingNB(die_at=str(deadly)), n_jobs=2, n_rounds=2, checkpoint=tmp_path / "checkpoint")

        def make_deadly(info):
            deadly.touch()

        model.set_params(callback=make_deadly)
        with pytest.raises(RuntimeError, match=r"A worker process died in round 2.*What was finished is kept in "):
            model.fit(X, y)
        deadly.unlink()
        resumed = clone(model).set_params(callback=None, n_jobs=1)
        assert fits_of(resumed, X, y) == 6  # round 2 and the final model
        assert_same(resumed, refinery(CountingNB(), n_rounds=2).fit(X, y), X)

    @pytest.mark.parametrize("backend", ["threading", "multiprocessing"])
    def test_any_backend_of_joblib_gives_the_same(self, noisy, backend):
        X, y = noisy
        with joblib.parallel_config(backend=backend, n_jobs=2):
            model = refinery(GaussianNB(), n_rounds=1).fit(X, y)
        assert_same(model, refinery(GaussianNB(), n_rounds=1).fit(X, y), X)

    @pytest.mark.slow
    @pytest.mark.filterwarnings("ignore")  # of the cluster: ports in use, sizes of task graphs, sockets at shutdown
    def test_a_dask_cluster_gives_the_same(self, noisy, tmp_path):
        distributed = pytest.importorskip("distributed")
        X, y = noisy
        with (
            distributed.LocalCluster(
                n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path)
            ) as cluster,
            distributed.Client(cluster),
            joblib.parallel_config(backend="dask"),
        ):
            model = refinery(LogisticRegression(), checkpoint=tmp_path / "checkpoint").fit(X, y)
        assert_same(model, refinery(LogisticRegression()).fit(X, y), X)

    def test_a_worker_that_dies_in_the_final_fit_is_reported_too(self, noisy, monkeypatch):
        def break_pool(*args, **kwargs):
            raise BrokenProcessPool("a process was terminated abruptly")

        monkeypatch.setattr("sklabelnoise._label_refinery._refinement.fit_member", break_pool)
        with pytest.raises(RuntimeError, match=r"died in the final fit.*Nothing is kept without 'checkpoint'"):
            refinery(GaussianNB()).fit(*noisy)
