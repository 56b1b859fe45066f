"""Laws of the progress bar and of scikit-learn's callback protocol."""

import re

import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklabelnoise import DMClassifier, RobustLossClassifier

FAST = {"max_epochs": 3, "random_state": 0}


def test_silent_by_default(blobs, capfd):
    DMClassifier(**FAST).fit(*blobs)
    assert capfd.readouterr() == ("", "")


def test_verbose_shows_a_bar_over_the_epochs_with_loss_and_accuracy(blobs, capfd):
    DMClassifier(verbose=1, **FAST).fit(*blobs, X_val=blobs[0], y_val=blobs[1])
    bar = capfd.readouterr().err
    assert "DMClassifier: 100%" in bar
    assert re.search(r"3/3 .*train_loss=\d\.\d{3}, train_accuracy=.*valid_loss=.*valid_accuracy=", bar)


callback = pytest.importorskip("sklearn.callback")


def test_scikit_learns_progress_bar_follows_the_epochs(blobs, capfd):
    model = DMClassifier(**FAST).set_callbacks(callback.ProgressBar()).fit(*blobs)
    assert "DMClassifier" in capfd.readouterr().out
    assert model.n_iter_ == 3


def test_scikit_learns_monitor_scores_every_epoch_with_the_network_as_it_is_then(blobs):
    X, y = blobs
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = RobustLossClassifier(loss="cross_entropy", max_epochs=4, random_state=0).set_callbacks(monitor).fit(X, y)
    log = monitor.get_logs().data_as_pandas
    scores = log[log["task_name"] == "epoch"]["accuracy"].tolist()
    shorter = [clone(model).set_params(max_epochs=k).fit(X, y).score(X, y) for k in (1, 2, 3, 4)]
    assert scores == shorter
    assert log[log["task_name"] == "fit"]["accuracy"].item() == model.score(X, y)


class StopsAfter:
    """A callback in scikit-learn's protocol."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def setup(self, estimator, context):
        self.ended = []

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context, **kwargs):
        pass

    def on_fit_task_end(self, estimator, context, **kwargs):
        self.ended.append(context.task_name)
        return self.ended.count("epoch") == self.n_epochs


def test_a_callback_of_scikit_learn_can_stop_the_training(blobs):
    stops = StopsAfter(2)
    model = DMClassifier(max_epochs=10, random_state=0).set_callbacks(stops).fit(*blobs)
    assert model.n_iter_ == 2
    assert stops.ended == ["epoch", "epoch", "fit"]


def test_a_callback_of_a_search_hears_of_the_epochs_of_its_fits(blobs):
    heard = StopsAfter(None)
    heard.max_propagation_depth = None  # as deep as there are estimators
    GridSearchCV(DMClassifier(**FAST), {"lam": [0, 1]}, cv=2).set_callbacks(heard).fit(*blobs)
    assert heard.ended.count("epoch") == 3 * (2 * 2 + 1)


def test_scikit_learns_callbacks_work_in_a_grid_search(blobs, capfd):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    search = GridSearchCV(DMClassifier(**FAST).set_callbacks(monitor), {"lam": [0, 1]}, cv=2)
    search.set_callbacks(callback.ProgressBar()).fit(*blobs)
    assert "GridSearchCV" in capfd.readouterr().out
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() == 3 * (2 * 2 + 1)
    assert search.best_estimator_.n_iter_ == 3
