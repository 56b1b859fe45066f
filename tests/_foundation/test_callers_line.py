"""A warning names the line of the user's program that called the library, whatever lies between."""

import re
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_moons
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from torch import nn

import sklabelnoise
from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise.audit import audit_labels, estimate_transition_matrix
from sklabelnoise.metrics import label_recovery, memorization_rate
from sklabelnoise.model_selection import FusedGridSearchCV

X, Y = make_moons(60, noise=0.2, random_state=0)
QUICK = {"lam": 1, "beta": 2, "max_epochs": 1, "random_state": 0}


class Refusing(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise ValueError("never")

    def predict_proba(self, X):
        raise NotImplementedError("nobody asks what was never fitted")


class EndingInSoftmax(nn.Module):
    def __init__(self, n_features, n_classes):
        super().__init__()
        self.layer = nn.Linear(n_features, n_classes)

    def forward(self, x):
        return self.layer(x).softmax(dim=1)


class Interrupting(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


class Counting(nn.Module):
    """Sets an attribute, which replicas would share."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.layer, self.calls = nn.Linear(n_features, n_classes), 0

    def forward(self, x):
        self.calls += 1
        return self.layer(x)


CALLS = {
    "a default": lambda: DMClassifier(max_epochs=1).fit(np.tile(X, (20, 1)), np.tile(Y, 20)),
    "scales of features": lambda: DMClassifier(**QUICK).fit(X * [1, 1e5], Y),
    "scales in a pipeline": lambda: make_pipeline(FunctionTransformer(), DMClassifier(**QUICK)).fit(X * [1, 1e5], Y),
    "an output": lambda: DMClassifier(EndingInSoftmax, **QUICK).fit(X, Y),
    "an interrupt that is kept": lambda: DMClassifier(**QUICK, callbacks=[Interrupting()], on_interrupt="keep").fit(
        X, Y
    ),
    "a score": lambda: DMClassifierCV(candidates=[(0, 0)], cv=2, n_members=1, scoring="neg_log_loss", max_epochs=1).fit(
        X, Y
    ),
    "a method of the refinery": lambda: StochasticLabelRefinery(RandomForestClassifier(3), n_rounds=1).fit(X, Y),
    "a member that fails": lambda: NoisyLabelClassifier(["neighbors", ("refusing", Refusing())]).fit(X, Y),
    "a limit of time": lambda: NoisyLabelClassifier(["neighbors", "random_forest"], time_limit=0).fit(X, Y),
    "a module that is fitted alone": lambda: FusedGridSearchCV(
        DMClassifier(Counting, **QUICK), {"lr": [0.1, 0.2]}, cv=2
    ).fit(X, Y),
    "an estimate": lambda: estimate_transition_matrix([0, 1, 2] * 10, np.full((30, 3), 1 / 3)),
    "a fold without a class": lambda: audit_labels(
        RandomForestClassifier(3), X[:20], [*Y[:19], 2], cv=2, evidence="out_of_fold"
    ),
    "a metric": lambda: label_recovery(Y, Y, Y),
    "a metric through a helper": lambda: memorization_rate(Y, Y, Y),
    "an old name": lambda: sklabelnoise.metrics.memorisation_rate,
}


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_warning_of_a_call_is_at_the_line_that_called(call):
    with pytest.warns() as caught:
        call()
    ours = [one for one in caught if "least populated" not in str(one.message)]
    assert ours
    assert {one.filename for one in ours} == {__file__}


def test_the_line_is_the_one_of_the_call():
    with pytest.warns(UserWarning, match="mind") as caught:
        warn("mind this")
    line = Path(__file__).read_text().splitlines()[caught[0].lineno - 1]
    assert line.strip() == 'warn("mind this")'


def test_it_is_the_line_in_a_thread_of_the_users_too():
    with pytest.warns(UserWarning, match="label_recovery") as caught:
        thread = threading.Thread(target=CALLS["a metric"])
        thread.start()
        thread.join()
    assert [one.filename for one in caught] == [__file__]


def test_where_a_library_runs_a_thread_it_is_the_line_that_warns():
    with pytest.warns(UserWarning, match="mind") as caught:
        thread = threading.Thread(target=warn, args=("mind this",))
        thread.start()
        thread.join()
    assert [Path(one.filename).name for one in caught] == ["threading.py"]


def test_in_the_threads_of_joblib_it_is_the_line_that_warns():
    with parallel_config("threading", n_jobs=2), pytest.warns(UserWarning, match="differ in scale") as caught:
        cross_val_score(DMClassifier(**QUICK), X * [1, 1e5], Y, cv=2)
    assert {Path(one.filename).name for one in caught} == {"_scales.py"}


def test_the_same_line_is_warned_of_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            warn("mind that")
    assert [str(one.message) for one in caught] == ["mind that"]


def test_nobody_counts_frames_by_hand():
    package = Path(sklabelnoise.__file__).parent
    counting = [
        path.name for path in package.rglob("*.py") if re.search(r"warnings\.warn\(|stacklevel=", path.read_text())
    ]
    assert counting == []
