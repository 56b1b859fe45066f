"""Nothing global is changed by any public call, whether it succeeds or fails."""

import os
import pickle
import random
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression, Ridge

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
    StochasticLabelRefineryRegressor,
)
from sklabelnoise.audit import audit_labels, estimate_transition_matrix, find_label_issues
from sklabelnoise.losses import NAMES, DMLoss, make_criterion
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from sklabelnoise.modules import MLP, ResNet20
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

X, y = make_blobs(60, centers=3, n_features=4, random_state=0)
images = np.random.default_rng(0).integers(0, 256, (24, 3, 8, 8), dtype=np.uint8)
QUICK = {"max_epochs": 2, "random_state": 0}
dropping = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Dropout(0.5), torch.nn.PReLU(), torch.nn.Linear(5, 3))


@pytest.fixture(scope="module", autouse=True)
def libraries_set_up():
    """torch sets up its compiler, with variables and filters of its own, when a first optimizer is made."""
    DMClassifier(max_epochs=1).fit(X, y)


def state():
    """What a program may share with us, as a comparable value."""
    return {
        "torch's generator": torch.get_rng_state().numpy().tobytes(),
        "numpy's generator": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "Python's generator": random.getstate(),
        "default dtype": torch.get_default_dtype(),
        "default device": str(torch.get_default_device()),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "grad mode": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "autocast": torch.is_autocast_enabled("cpu"),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "anomaly": torch.is_anomaly_enabled(),
        "warning filters": list(warnings.filters),
        "numpy's errors": np.geterr(),
        "numpy's printing": np.get_printoptions(),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "folder": os.getcwd(),
        "environment": dict(os.environ),
    }


def everything_of(model, rows, labels):
    model.fit(rows, labels)
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function", "embed"):
        if hasattr(model, method):
            getattr(model, method)(rows)
    model.label_quality_  # noqa: B018
    return pickle.loads(pickle.dumps(model))


def save_and_load(path):
    DMClassifier(module__dropout=0.3, **QUICK).fit(X, y).save(path)
    return DMClassifier.load(path)


CALLS = {
    "DMClassifier": lambda path: everything_of(DMClassifier(module__dropout=0.5, early_stopping=True, **QUICK), X, y),
    "ProSelfLCClassifier": lambda path: everything_of(ProSelfLCClassifier(amp=True, **QUICK), X, y),
    "RobustLossClassifier": lambda path: everything_of(
        RobustLossClassifier(loss="forward", loss__transition_matrix="estimate", **QUICK), X, y
    ),
    "images": lambda path: everything_of(DMClassifier(ResNet20, max_epochs=1, random_state=0), images, y[:24]),
    "user's module": lambda path: everything_of(
        DMClassifier(dropping, **QUICK),
        X,
        y,
    ),
    "partial_fit": lambda path: DMClassifier(random_state=0).partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y),
    "DMClassifierCV": lambda path: everything_of(
        DMClassifierCV(candidates=[(0, 0), (1, 8)], cv=2, n_members=2, **QUICK), X, y
    ),
    "save and load": lambda path: save_and_load(path / "model"),
    "refinery of networks": lambda path: StochasticLabelRefinery(
        DMClassifier(module__dropout=0.5, max_epochs=2), n_rounds=2, cv=2, checkpoint=path / "rounds", random_state=0
    ).fit(X, y),
    "refinery": lambda path: StochasticLabelRefinery(LogisticRegression(), n_rounds=2, cv=2, random_state=0).fit(X, y),
    "refinery of targets": lambda path: StochasticLabelRefineryRegressor(Ridge(), n_rounds=2, cv=2, random_state=0).fit(
        X, y
    ),
    "FusedGridSearchCV": lambda path: FusedGridSearchCV(DMClassifier(**QUICK), {"lam": [0, 1]}, cv=2).fit(X, y),
    "search of a user's module": lambda path: FusedGridSearchCV(
        DMClassifier(dropping, **QUICK),
        {"lam": [0, 1]},
        cv=2,
    ).fit(X, y),
    "fused_cross_val_predict": lambda path: fused_cross_val_predict(DMClassifier(**QUICK), X, y, cv=2),
    "audit_labels": lambda path: audit_labels(LogisticRegression(), X, y, cv=2, random_state=0).to_html(
        path / "page.html"
    ),
    "find_label_issues": lambda path: find_label_issues(y, np.eye(3)[y] * 0.7 + 0.1),
    "estimate_transition_matrix": lambda path: estimate_transition_matrix(y, np.eye(3)[y] * 0.7 + 0.1),
    "noise": lambda path: corrupt_labels(y, symmetric_transition_matrix(3, 0.4), random_state=0),
    "losses": lambda path: [
        make_criterion(name)(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0]))
        for name in NAMES
        if name not in ("forward", "backward", "forward_symmetric", "backward_symmetric")
    ],
    "modules": lambda path: DMLoss()(MLP(4, 3, dropout=0.5).eval()(torch.zeros(2, 4)), torch.tensor([0, 1])),
}
# A module that is made outside of a training is made as any other, from torch's generator.
OUTSIDE = {"modules": {"torch's generator"}}

FAILING = {
    "not finite": lambda: DMClassifier(module__dropout=0.5, lr=1e300, optimizer="SGD", **QUICK).fit(1e200 * X, y),
    "a module that fails": lambda: DMClassifier(torch.nn.Bilinear, **QUICK).fit(X, y),
    "a loss that fails": lambda: RobustLossClassifier(loss=lambda logits, target: 1 / 0, **QUICK).fit(X, y),
    "one class": lambda: DMClassifierCV(**QUICK).fit(X, np.zeros(60)),
    "wrong columns": lambda: DMClassifier(**QUICK).fit(X, y).predict(X[:, :2]),
    "an augmentation that fails": lambda: DMClassifier(augment=lambda batch, generator: None, **QUICK).fit(X, y),
    "a search": lambda: FusedGridSearchCV(DMClassifier(**QUICK), {"lam": [-1]}, cv=2, error_score="raise").fit(X, y),
}


def changes(before):
    return {name for name, value in state().items() if value != before[name]}


@pytest.mark.parametrize("name", CALLS)
def test_no_call_changes_what_a_program_shares_with_us(name, tmp_path):
    before = state()
    CALLS[name](tmp_path)
    assert changes(before) == OUTSIDE.get(name, set())


@pytest.mark.parametrize("name", FAILING)
def test_no_failing_call_does(name):
    before = state()
    with pytest.raises((ValueError, TypeError, ZeroDivisionError)):
        FAILING[name]()
    assert not changes(before)


def test_calls_keep_to_another_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        model = DMClassifier(**QUICK).fit(X.astype(np.float32), y)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert model.predict_proba(X).dtype == np.float32


# And nothing that a program sets for its own use changes what calls compute.

RATINGS = ["good and cheap", "bad and late", "good and fast", "bad and dear"] * 15
COLORS = pd.DataFrame({"size": X[:, 0], "color": np.array(["red", "blue", "green"])[y]})
LABELS = np.where(np.arange(60) % 2, "bad", "good")


@pytest.mark.parametrize(
    "rows",
    [X, np.where(X > 5, np.nan, X), csr_array(X), pytest.param(np.repeat(X, 300, axis=1), marks=pytest.mark.slow)],
)
def test_the_output_that_transformers_are_set_to_is_none_of_the_ensembles(rows):
    plain = NoisyLabelClassifier(["kernel_ridge", "neighbors", "boosting"], cv=2, random_state=0).fit(rows, y)
    for output in ("pandas", "polars"):
        with config_context(transform_output=output):
            model = clone(plain).fit(rows, y)
            assert np.array_equal(model.predict_proba(rows), plain.predict_proba(rows))
        assert (model.members_["status"] == "used").all()


@pytest.mark.parametrize(
    "rows, labels", [(X, y), (RATINGS, LABELS), (COLORS, y), (csr_array(X), y), (images, np.arange(24) % 2)]
)
@pytest.mark.filterwarnings("ignore:The predictions disagree")
def test_nor_of_the_audits(rows, labels, monkeypatch):
    judge = "sklabelnoise.audit._default_classifier._classifier"
    monkeypatch.setattr(
        judge, lambda random_state, cv: NoisyLabelClassifier(["neighbors"], cv=cv, random_state=random_state)
    )
    plain = audit_labels(None, rows, labels, random_state=0).proba
    with config_context(transform_output="pandas"):
        assert np.array_equal(audit_labels(None, rows, labels, random_state=0).proba, plain)


def test_nor_of_the_displays():
    pytest.importorskip("matplotlib", reason="the display of a refinery is a picture")
    from sklabelnoise.inspection import RefineryDisplay

    with config_context(transform_output="pandas"):
        display = RefineryDisplay.from_estimator(StochasticLabelRefinery(LogisticRegression(), random_state=0), X, y)
        display.plot()
