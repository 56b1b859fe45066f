"""What fails, is interrupted or can't be kept leaves everything as it was, and says why."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch import nn

from sklabelnoise import DMClassifier, DMClassifierCV, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise._classifiers._base import BaseNoisyLabelClassifier
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

FAST = {"max_epochs": 3, "random_state": 0}


def failing_calls(X, y):
    wrong = X.copy()
    wrong[0, 0] = np.nan
    yield "NaN in X", lambda model: model.fit(wrong, y)
    yield "NaN in a chunk", lambda model: model.partial_fit(wrong, y)
    yield "other features", lambda model: model.fit(X[:, :2], y[:-1])
    yield "one class", lambda model: model.fit(X[:, :2], np.zeros(len(y)))
    yield "exploding loss", lambda model: model.set_params(lr=1e300).fit(1e200 * X, y)
    yield "exploding chunk", lambda model: model.set_params(lr=1e300).partial_fit(1e200 * X, y)
    yield "exploding warm start", lambda model: model.set_params(lr=1e300, warm_start=True).fit(1e200 * X, y)
    yield "wrong parameter", lambda model: model.set_params(lr=-1).fit(X, y)
    yield "wrong module", lambda model: model.set_params(module=nn.Linear(3, 3)).fit(X, y)
    yield "failing callback", lambda model: model.set_params(callbacks=[Fails]).partial_fit(X, y)
    yield "wrong held-out rows", lambda model: model.fit(X[:, :2], y, X_val=wrong, y_val=y)


class Fails(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise RuntimeError("mine")


@pytest.mark.parametrize("call", [c for _, c in failing_calls(np.zeros((4, 5)), np.arange(4) % 2)], ids=[
    name for name, _ in failing_calls(np.zeros((4, 5)), np.arange(4) % 2)
])  # fmt: skip
def test_a_failed_call_leaves_the_fitted_classifier_as_it_was(call, request, blobs):
    X, y = blobs
    call = dict(failing_calls(X, y))[request.node.callspec.id]
    model = DMClassifier(**FAST).fit(pd.DataFrame(X, columns=list("abcde")), y)
    before = {k: v for k, v in vars(model).items() if k.endswith("_")}
    kept = copy.deepcopy(model)
    with warnings.catch_warnings(), pytest.raises((ValueError, RuntimeError)):
        warnings.simplefilter("ignore", UserWarning)  # arrays after a frame
        call(model)
    assert {k: v for k, v in vars(model).items() if k.endswith("_")}.keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    frame = pd.DataFrame(X, columns=list("abcde"))
    assert np.array_equal(model.predict_proba(frame), kept.predict_proba(frame))
    weights = zip(model.module_.state_dict().values(), kept.module_.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)
    assert len(model.net_.history) == 3


def test_a_loss_that_explodes_names_epoch_batch_and_rate(blobs):
    X, y = blobs
    model = RobustLossClassifier(loss="cross_entropy", optimizer="SGD", lr=1e200, batch_size=50, random_state=0)
    with pytest.raises(ValueError, match=r"train loss became (nan|inf) in epoch 1, batch \d of 3, at lr=1e\+200\."):
        model.fit(1e100 * X, y)
    assert not hasattr(model, "net_") and not hasattr(model, "n_features_in_")


def test_an_interruption_leaves_fit_or_keeps_what_was_trained(blobs):
    class Interrupts(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    X, y = blobs
    with pytest.raises(KeyboardInterrupt):
        DMClassifier(max_epochs=50, callbacks=[Interrupts], random_state=0).fit(X, y)
    with pytest.warns(UserWarning, match="Training was interrupted in epoch 3"):
        model = DMClassifier(max_epochs=50, callbacks=[Interrupts], on_interrupt="keep", random_state=0).fit(X, y)
    assert model.n_iter_ == 2
    expected = DMClassifier(max_epochs=2, random_state=0).fit(X, y)
    assert np.array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_label_quality_is_computed_when_it_is_read_and_no_rows_are_pickled(blobs, monkeypatch):
    X, y = blobs
    forward, calls = DMClassifier._forward, []
    monkeypatch.setattr(BaseNoisyLabelClassifier, "_forward", lambda *args: calls.append(1) or forward(*args))
    model = DMClassifier(**FAST).fit(X, y)
    model.partial_fit(X, y)
    assert not calls
    quality = model.label_quality_
    assert len(calls) == 1 and model.label_quality_ is quality
    assert np.array_equal(quality, model.predict_proba(X)[np.arange(len(y)), np.searchsorted(model.classes_, y)])

    model.fit(X[:80], y[:80])
    small = len(pickle.dumps(model))
    large = DMClassifier(**FAST).fit(np.tile(X, (50, 1)), np.tile(y, 50))
    pickled = pickle.dumps(large)
    assert len(pickled) < small + 50 * len(y) * 8 + 2000
    assert np.array_equal(pickle.loads(pickled).label_quality_, large.label_quality_)
    assert pickle.loads(pickle.dumps(model)).label_quality_.shape == (80,)


def test_a_network_is_not_lost_where_its_label_quality_can_not_be_computed(blobs, monkeypatch):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X, y)

    def full(*args):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(BaseNoisyLabelClassifier, "_forward", full)
        with pytest.raises(MemoryError):
            model.label_quality_  # noqa: B018
        copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.predict(X), model.predict(X))
    with pytest.raises(AttributeError, match="label_quality_ could not be computed when the classifier was pickled"):
        copied.label_quality_  # noqa: B018
    assert model.label_quality_.shape == y.shape


class KeepsItsFeatures(nn.Module):
    def __init__(self, n_features, n_classes):
        super().__init__()
        self.first, self.last = nn.Linear(n_features, 4), nn.Linear(4, n_classes)

    def forward(self, x):
        self.features = self.first(x).relu()
        return self.last(self.features)


def test_a_module_that_keeps_what_it_computed_trains_on_embeds_and_pickles(blobs):
    X, y = blobs
    model = DMClassifier(KeepsItsFeatures, **FAST).fit(X, y)
    assert not model.module_.training and not model.module_.features.requires_grad
    assert model.embed(X).shape == (len(X), 4)
    model.partial_fit(X, y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))


class NotInEvaluation(nn.Linear):
    def __init__(self, n_features, n_classes):
        super().__init__(n_features, n_classes)
        self.broken = False

    def forward(self, x):
        return super().forward(x) * (float("nan") if self.broken and not self.training else 1)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba", "decision_function"])
def test_a_network_that_is_not_finite_in_evaluation_mode_says_so(blobs, method):
    X, y = blobs
    model = DMClassifier(NotInEvaluation, **FAST).fit(X, y)
    model.module_.broken = True
    with pytest.raises(ValueError, match="NotInEvaluation gives logits that are not finite for some rows of X"):
        getattr(model, method)(X)


class NumbersInTrainingOnly(nn.Linear):
    """What it says in evaluation mode is no number for every third row, or for all."""

    def __init__(self, n_features, n_classes, every=3, value=float("nan")):
        super().__init__(n_features, n_classes)
        self.every, self.value = every, value

    def forward(self, x):
        logits = super().forward(x)
        spoiled = (torch.arange(len(x)) % self.every == 0)[:, None]
        return logits if self.training else torch.where(spoiled, self.value, logits)


@pytest.mark.parametrize("settings", [{}, {"module__every": 1}, {"module__value": float("inf")}], ids=str)
def test_what_folds_say_of_left_out_rows_is_refused_where_it_is_no_number(blobs, settings):
    # trained together, such networks had scores: NaN was read as a choice of the first class
    X, y = blobs
    model = DMClassifier(NumbersInTrainingOnly, **FAST, **settings)
    said = "logits that are not finite for some rows of X in evaluation mode"
    for search in (FusedGridSearchCV, GridSearchCV):
        found = search(model, {"lam": [0, 1]}, cv=2, refit=False)
        with pytest.warns(UserWarning, match="Scoring failed|test scores are non-finite"):
            found.fit(X, y)
        assert np.isnan(found.cv_results_["mean_test_score"]).all()
        with pytest.raises(ValueError, match=said):
            found.set_params(error_score="raise").fit(X, y)
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(ValueError, match=said):
            fused_cross_val_predict(model, X, y, cv=2, method=method)
    choice = DMClassifierCV(NumbersInTrainingOnly, candidates=[(0, 0), (1, 8)], cv=2, **FAST, **settings)
    with pytest.raises(ValueError, match=f"No candidate could be trained and scored, got: .*{said}"):
        choice.fit(X, y)
    with pytest.raises(ValueError, match=said):
        StochasticLabelRefinery(model, n_rounds=1, cv=2).fit(X, y)


def test_what_can_not_be_pickled_can_still_be_trained_on(blobs):
    X, y = blobs
    model = DMClassifier(emphasis=lambda p: 1 - p, lr_schedule=lambda progress: 1.0, **FAST)
    model.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    assert model.n_iter_ == 2


def triangle(p):
    return 1 - p


def halves(progress):
    return 0.5


def test_a_fitted_classifier_pickles_whenever_its_parameters_do(blobs):
    X, y = blobs
    model = DMClassifier(emphasis=triangle, lr_schedule=halves, callbacks=[Progressless()], **FAST).fit(X, y)
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


class Progressless(Callback):
    def on_epoch_end(self, net, **kwargs):
        pass


def test_the_label_quality_of_an_earlier_fit_is_not_that_of_this_one(blobs, monkeypatch):
    X, y = blobs
    model = DMClassifier(**FAST).fit(X, y)
    model.label_quality_  # noqa: B018
    model.fit(X[:90], y[:90])

    def full(*args):
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(BaseNoisyLabelClassifier, "_forward", full)
        copied = pickle.loads(pickle.dumps(model))
    with pytest.raises(AttributeError, match="label_quality_ could not be computed"):
        copied.label_quality_  # noqa: B018
    assert model.label_quality_.shape == (90,)
