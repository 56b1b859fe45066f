"""Laws of the caller's warning filters: nothing that threads do in turn or at once is left in them."""

import importlib
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise.audit import audit_labels
from sklabelnoise.model_selection import FusedGridSearchCV

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 4))
y = (X[:, 0] > 0).astype(int)
QUICK = {"max_epochs": 2, "random_state": 0}


@pytest.fixture(scope="module", autouse=True)
def libraries_set_up():
    """torch brings filters of its own when a first optimizer is made."""
    DMClassifier(max_epochs=1).fit(X, y)


@pytest.fixture(autouse=True)
def switching_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(autouse=True)
def own_filters():
    """Filters of a user: some, and in a list of this test's own."""
    with warnings.catch_warnings():
        warnings.resetwarnings()
        warnings.filterwarnings("default", "something of the user's", UserWarning)
        yield


def warned(category=UserWarning, message="quiet please"):
    """Whether a warning reaches the user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.warn(message, category, stacklevel=1)
    return len(caught) == 1


def test_warnings_are_silent_inside_and_heard_after_it():
    before = warnings.filters, list(warnings.filters)
    warnings.simplefilter("error")
    with callers_filters((UserWarning, "quiet")):
        warnings.warn("quiet please", UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="loud"):
            warnings.warn("loud", UserWarning, stacklevel=1)
        with pytest.raises(RuntimeWarning):
            warnings.warn("quiet please", RuntimeWarning, stacklevel=1)
    with pytest.raises(UserWarning, match="quiet please"):
        warnings.warn("quiet please", UserWarning, stacklevel=1)
    assert warnings.filters is before[0] and warnings.filters[1:] == before[1]


def test_an_inner_block_leaves_the_outer_one_silent():
    with callers_filters((UserWarning, "quiet")):
        with callers_filters((UserWarning, "quiet")):
            pass
        with pytest.warns(UserWarning, match="loud"):
            warnings.warn("quiet please", UserWarning, stacklevel=1)
            warnings.warn("loud", UserWarning, stacklevel=1)


def test_a_failure_inside_leaves_nothing():
    before = list(warnings.filters)
    with pytest.raises(ZeroDivisionError), callers_filters((UserWarning, "")):
        1 / 0  # noqa: B018
    assert list(warnings.filters) == before


def test_a_call_that_never_signed_off_is_not_waited_for():
    """As one that an interrupt ended before it could."""
    before = list(warnings.filters)
    module = importlib.import_module("sklabelnoise._foundation._warning_filters")
    lost = module._Call()
    module._inside.add(lost)
    with callers_filters((UserWarning, "quiet")):
        pass
    assert list(warnings.filters) != before
    del lost
    with callers_filters((UserWarning, "quiet")):
        pass
    assert list(warnings.filters) == before


@pytest.mark.parametrize("inner", ["own", "scikit-learn's task", "scikit-learn's check"])
def test_blocks_that_overlap_leave_nothing(inner):
    """In an order that `catch_warnings` does not survive: who comes first goes first."""
    before, content = warnings.filters, list(warnings.filters)
    entered, gone = threading.Event(), threading.Event()

    def first():
        with callers_filters((UserWarning, "first")), warnings.catch_warnings():
            if inner == "scikit-learn's check":
                warnings.simplefilter("error", np.exceptions.ComplexWarning)
            if inner == "scikit-learn's task":
                rewrite_filters()
            entered.set()
            second_in.wait(10)
        gone.set()

    def second():
        entered.wait(10)
        with callers_filters((UserWarning, "second")), warnings.catch_warnings():
            second_in.set()
            gone.wait(10)

    def rewrite_filters():
        for action, message, category, module, line in list(warnings.filters):
            pattern, place = (getattr(text, "pattern", text) or "" for text in (message, module))
            warnings.filterwarnings(action, pattern, category, place, line, append=True)

    second_in = threading.Event()
    threads = [threading.Thread(target=target) for target in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters is before
    assert list(before) == content


@pytest.mark.parametrize("action, category", [
    ("error", np.exceptions.ComplexWarning), ("error", np.exceptions.VisibleDeprecationWarning),
    ("ignore", FutureWarning), ("always", DeprecationWarning),
])  # fmt: skip
def test_what_libraries_turn_on_for_a_moment_does_not_stay_and_what_the_user_says_does(action, category):
    content = list(warnings.filters)
    with callers_filters():
        warnings.simplefilter(action, category)
    assert list(warnings.filters) == content
    with callers_filters():
        warnings.filterwarnings(action, "of the user", category)
    assert len(warnings.filters) == len(content) + 1 and warnings.filters[0][:3:2] == (action, category)


def test_what_the_user_filters_meanwhile_stays():
    with callers_filters((UserWarning, "quiet")):
        warnings.filterwarnings("ignore", "new rule of the user", UserWarning)
    assert not warned(message="new rule of the user")
    assert warned()


def test_a_block_of_the_user_that_ends_later_is_the_users():
    before = list(warnings.filters)
    block = warnings.catch_warnings()
    with callers_filters((UserWarning, "quiet")):
        block.__enter__()
        warnings.filterwarnings("error", "of the block", UserWarning)
    with pytest.raises(UserWarning, match="of the block"):
        warnings.warn("of the block", UserWarning, stacklevel=1)
    assert not any("sklabelnoise" in str(one[1]) for one in warnings.filters)
    block.__exit__()
    assert list(warnings.filters) == before


class OverlappedRidge(Ridge):
    """Within the block of its prediction, as scikit-learn's checks open one, another thread's call begins."""

    meanwhile = []

    def predict(self, X):
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            for call in self.meanwhile:
                call.__enter__()
            return super().predict(X)


@pytest.mark.parametrize("refinery", [StochasticLabelRefinery, StochasticLabelRefineryRegressor])
def test_predictions_of_a_refinery_that_overlap_a_fit_leave_the_callers_filters(refinery, monkeypatch):
    model = refinery(OverlappedRidge(), n_rounds=1, random_state=0).fit(X, y)
    before, content = warnings.filters, list(warnings.filters)
    fit = callers_filters((UserWarning, "quiet"))
    monkeypatch.setattr(OverlappedRidge, "meanwhile", [fit])
    model.predict(X)
    fit.__exit__(None, None, None)
    assert warnings.filters is before
    assert list(before) == content


FITS = {
    "DMClassifier": lambda: DMClassifier(**QUICK).fit(X, y).predict(X),
    "RobustLossClassifier.partial_fit": lambda: RobustLossClassifier(**QUICK).partial_fit(X, y, classes=[0, 1]),
    "DMClassifierCV": lambda: DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **QUICK).fit(X, y),
    "NoisyLabelClassifier": lambda: (
        NoisyLabelClassifier([("linear", LogisticRegression()), ("forest", RandomForestClassifier(5))], cv=2)
        .fit(X, y)
        .predict_proba(X)
    ),
    "StochasticLabelRefinery": lambda: StochasticLabelRefinery(n_rounds=2, cv=2, random_state=0).fit(X, y).predict(X),
    "FusedGridSearchCV": lambda: FusedGridSearchCV(DMClassifier(**QUICK), {"lam": [0, 1]}, cv=2).fit(X, y).predict(X),
    "audit_labels": lambda: audit_labels(RandomForestClassifier(5), X, y, cv=2, random_state=0),
}


@pytest.mark.parametrize("name", FITS)
def test_fits_in_threads_that_overlap_leave_the_callers_filters(name):
    before, content = warnings.filters, list(warnings.filters)
    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: FITS[name](), range(4)))
        assert warnings.filters is before
        assert list(before) == content
