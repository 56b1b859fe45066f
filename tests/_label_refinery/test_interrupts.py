"""Ctrl-C at any moment: the fit ends, nothing half done is kept, and the same fit goes on to the same arrays."""

import os
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, StochasticLabelRefinery, StochasticLabelRefineryRegressor
from sklabelnoise._label_refinery._interrupts import InterruptWatch

# Of this process; no attributes of the class, which would be a part of its code.
COUNTED = SimpleNamespace(fits=0, interrupt_at=None)


class Swallower(GaussianNB):
    """Takes Ctrl-C as the end of its own training and returns half a model, as skorch's nets do."""

    def fit(self, X, y, sample_weight=None):
        COUNTED.fits += 1
        try:
            if COUNTED.fits == COUNTED.interrupt_at:
                signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            return super().fit(X[::7], np.sort(y)[::7])
        return super().fit(X, y, sample_weight)


@pytest.fixture
def noisy(blobs):
    X, y = blobs
    return X, np.where(np.random.default_rng(0).random(150) < 0.3, (y + 1) % 3, y)


@pytest.fixture
def swallower(monkeypatch):
    monkeypatch.setattr(COUNTED, "fits", 0)

    def make(interrupt_at):
        monkeypatch.setattr(COUNTED, "interrupt_at", interrupt_at)
        return Swallower()

    return make


def refinery(estimator, **kwargs):
    return StochasticLabelRefinery(estimator, **{"n_rounds": 2, "random_state": 0, **kwargs})


def assert_same(model, other):
    for name in ("soft_labels_", "oof_proba_", "label_quality_", "transduction_"):
        np.testing.assert_array_equal(getattr(model, name), getattr(other, name))
    assert model.history_.equals(other.history_)


@pytest.mark.parametrize("interrupt_at", [1, 4, 5, 6, 10, 11])  # folds of both rounds, and the final model
def test_ctrl_c_that_an_estimator_swallows_ends_the_fit_and_spoils_nothing(noisy, swallower, tmp_path, interrupt_at):
    X, y = noisy
    with pytest.raises(KeyboardInterrupt) as caught:
        refinery(swallower(interrupt_at), checkpoint=tmp_path).fit(X, y)
    assert COUNTED.fits == interrupt_at
    assert "the same fit goes on from there" in caught.value.__notes__[0]
    resumed = refinery(Swallower(), checkpoint=tmp_path).fit(X, y)
    # No finished fold is fitted again: 5 folds, 5 folds and the final model, the interrupted one twice.
    assert COUNTED.fits == 12
    assert_same(resumed, refinery(Swallower()).fit(X, y))


def test_what_was_fitted_before_is_kept(noisy, swallower):
    X, y = noisy
    model = refinery(swallower(None)).fit(X, y)
    before = dict(vars(model))
    for interrupt_at in (15, 20, 31):
        swallower(interrupt_at)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X[:100], y[:100])
        assert vars(model) == before


def test_the_handler_of_ctrl_c_is_put_back(noisy):
    X, y = noisy
    before = signal.getsignal(signal.SIGINT)
    refinery(GaussianNB()).fit(X, y)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_of_the_users_own_is_left_alone(noisy, swallower):
    X, y = noisy
    heard = []
    before = signal.signal(signal.SIGINT, lambda *args: heard.append(1))
    try:
        model = refinery(swallower(3)).fit(X, y)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [1]
    assert model.n_iter_ == 2


def test_a_thread_other_than_the_main_one_fits_as_well(noisy):
    X, y = noisy
    models = []
    thread = threading.Thread(target=lambda: models.append(refinery(GaussianNB()).fit(X, y)))
    thread.start()
    thread.join()
    assert_same(models[0], refinery(GaussianNB()).fit(X, y))


def test_without_ctrl_c_nothing_is_raised():
    with InterruptWatch() as watch:
        watch.check()


def is_noticed(watch):
    """Whether a Ctrl-C that somebody keeps to himself is noticed by a watch."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    try:
        watch.check()
    except KeyboardInterrupt:
        return True
    return False


def test_a_watch_within_another_notices_as_well():
    before = signal.getsignal(signal.SIGINT)
    with InterruptWatch() as outer:
        with InterruptWatch() as inner:
            assert is_noticed(inner)
        with InterruptWatch() as later:
            later.check()
        assert is_noticed(outer)
    assert signal.getsignal(signal.SIGINT) is before


def test_every_watch_around_a_ctrl_c_notices_it():
    with InterruptWatch() as outer, InterruptWatch() as inner:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        for watch in (inner, outer):
            with pytest.raises(KeyboardInterrupt):
                watch.check()


def test_a_watch_notices_after_one_whose_end_an_interrupt_came_before():
    before = signal.getsignal(signal.SIGINT)
    try:
        InterruptWatch().__enter__()  # as Ctrl-C in the first line of __exit__ leaves it
        with InterruptWatch() as watch:
            assert is_noticed(watch)
    finally:
        signal.signal(signal.SIGINT, before)


def time_of_a_fit(model, X, y):
    """Seconds of processor time that a fit takes at least, of three: another load on the machine does not count."""
    times = []
    for _ in range(3):
        start = time.process_time()
        clone(model).fit(X, y)
        times.append(time.process_time() - start)
    return min(times)


def fit_with_interrupts(model, X, y, rng, longest):
    """Fit, interrupted at random moments of `longest` seconds of processor time until it comes through; how often."""

    fitting = False

    def alarm(number, frame):
        if fitting:
            os.kill(os.getpid(), signal.SIGINT)

    interrupted = 0
    before = signal.signal(signal.SIGPROF, alarm)
    try:
        while True:
            if interrupted < 20:
                signal.setitimer(signal.ITIMER_PROF, rng.uniform(1e-4, longest))
            try:
                fitting = True
                model.fit(X, y)
                fitting = False
                return interrupted
            except KeyboardInterrupt:
                fitting = False
                interrupted += 1
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        # Ctrl-C can come inside of torch.no_grad itself, whose end then never comes: other tests need derivatives.
        torch.set_grad_enabled(True)


def interrupted_at_random(test):
    """Marks of tests that interrupt at any bytecode: also between opening a file and the block that closes it."""
    for warning in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        test = pytest.mark.filterwarnings(f"ignore::{warning}")(test)
    return pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs the timers of POSIX")(test)


ESTIMATORS = {
    "logistic regression": LogisticRegression(),
    "a Pipeline": make_pipeline(StandardScaler(), GaussianNB()),
    "nets trained as one": DMClassifier(max_epochs=2),
    "nets trained one by one": DMClassifier(max_epochs=2, early_stopping=True),
}


@interrupted_at_random
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_interrupted_at_random_moments_it_resumes_to_the_same_arrays(noisy, tmp_path, estimator):
    X, y = noisy
    expected = refinery(estimator).fit(X, y)
    model = refinery(estimator, checkpoint=tmp_path)
    longest = time_of_a_fit(refinery(estimator), X, y)
    interrupted = fit_with_interrupts(model, X, y, np.random.default_rng(0), longest)
    assert interrupted > 0
    assert_same(model, expected)
    assert_same(clone(model).fit(X, y), expected)
    (folder,) = tmp_path.iterdir()
    names = {path.name.removesuffix("-losses") for path in folder.iterdir()}
    assert names == {"round-1", "round-2", "seed"}


@interrupted_at_random
def test_a_regressor_interrupted_at_random_moments_resumes_to_the_same_values(noisy, tmp_path):
    X, y = noisy
    plain = StochasticLabelRefineryRegressor(random_state=0)
    expected = clone(plain).fit(X, y)
    model = clone(plain).set_params(checkpoint=tmp_path)
    longest = time_of_a_fit(plain, X, y)
    assert fit_with_interrupts(model, X, y, np.random.default_rng(1), longest) > 0
    np.testing.assert_array_equal(model.soft_labels_, expected.soft_labels_)
    np.testing.assert_array_equal(model.oof_prediction_, expected.oof_prediction_)
