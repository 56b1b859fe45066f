"""libsvm and liblinear draw from one generator of the process: fits of theirs at once would mix their draws."""

import threading
import time
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, LinearSVR, NuSVC

from sklabelnoise import NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise._foundation._taking_turns import in_turn
from sklabelnoise.audit import audit_labels

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


class Counted(LogisticRegression):
    """Notes how many of its kind are fitted at the same time."""

    lock, inside, most = threading.Lock(), 0, 0

    def fit(self, X, y, sample_weight=None):
        with Counted.lock:
            Counted.inside += 1
            Counted.most = max(Counted.most, Counted.inside)
        time.sleep(0.02)
        with Counted.lock:
            Counted.inside -= 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the solver's name, where scikit-learn has another in mind
            return super().fit(X, y, sample_weight)


def ensemble(estimator):
    NoisyLabelClassifier([("a", estimator), ("b", estimator)], cv=2, n_jobs=4, random_state=0).fit(X, Y)


def refinery(estimator):
    with parallel_config(backend="threading"):
        StochasticLabelRefinery(estimator, n_rounds=1, n_jobs=4, random_state=0).fit(X, Y)


def refinery_in_ensemble(estimator):
    with parallel_config(backend="threading"):
        ensemble(StochasticLabelRefinery(estimator, n_rounds=1, cv=2, n_jobs=2))


def audit(estimator):
    with parallel_config(backend="threading"):
        audit_labels(estimator, X, Y, n_jobs=4, random_state=0)


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: make_pipeline(StandardScaler(), one)])
@pytest.mark.parametrize("fit", [ensemble, refinery, refinery_in_ensemble, audit])
def test_fits_that_draw_from_one_generator_take_turns_and_no_others_do(fit, wrap):
    for solver, expected in (("liblinear", {1}), ("lbfgs", {2, 3, 4})):
        Counted.most = 0
        fit(wrap(Counted(solver=solver)))
        assert Counted.most in expected


def test_what_draws_is_found_wherever_it_is():
    def takes_turns(estimator):
        block = in_turn(estimator)
        return hasattr(block, "acquire")

    for drawing in (LinearSVC(), LinearSVR(), SVC(probability=True), NuSVC(probability=True)):
        assert takes_turns(drawing)
    assert takes_turns(GridSearchCV(make_pipeline(CalibratedClassifierCV(LinearSVC())), {}))
    for other in (SVC(), LogisticRegression(), CalibratedClassifierCV(SVC()), StandardScaler()):
        assert not takes_turns(other)
    # What fits others itself waits for them there: a block around all of it would wait for itself.
    assert not takes_turns(GridSearchCV(StochasticLabelRefinery(LinearSVC()), {}))
