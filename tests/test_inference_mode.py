"""Whatever trains, trains in ``torch.inference_mode()`` and ``torch.no_grad()`` as outside, to the same bits.

A notebook that switches derivatives off for all its cells is the common case. Blocks hold for a thread, and what is
made in the first has no derivatives ever after, so that each training has to leave the block before it makes anything.
"""

import copy
import pickle
from functools import cache, partial

import numpy as np
import pytest
import torch
from joblib import parallel_config
from scipy.sparse import csr_matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import TensorDataset

from sklabelnoise import (
    DMClassifier,
    DMClassifierCV,
    NoisyLabelClassifier,
    ProSelfLCClassifier,
    RobustLossClassifier,
    StochasticLabelRefinery,
    losses,
)
from sklabelnoise.audit import audit_labels
from sklabelnoise.losses import DMEmphasis, DMLoss, make_criterion
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict
from sklabelnoise.modules import ResNet20

X, y = make_blobs(90, centers=3, n_features=4, cluster_std=4, random_state=0)
X = X.astype(np.float32)
X_FRESH = X + np.float32(0.5)
IMAGES = np.random.default_rng(0).integers(0, 256, (24, 3, 8, 8), dtype=np.uint8)
IMAGE_LABELS = np.arange(24) % 3
SOFT = np.full((90, 3), 0.1) + 0.7 * np.eye(3)[y]
MATRIX = np.full((3, 3), 0.1) + 0.7 * np.eye(3)
QUICK = {"max_epochs": 2, "batch_size": 32, "module__hidden": (5,), "device": "cpu", "random_state": 0}
WITHOUT_HIDDEN = {name: value for name, value in QUICK.items() if name != "module__hidden"}
BLOCKS = {"inference_mode": torch.inference_mode, "no_grad": torch.no_grad}


class Dropping(nn.Module):
    """A user's network with what draws, what normalizes and what is shared."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.first, self.norm = nn.Linear(n_features, 6), nn.BatchNorm1d(6)
        self.last = nn.Linear(6, n_classes)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return self.last(nn.functional.dropout(self.norm(self.first(x)).relu(), 0.2, self.training)) * self.scale


def own_network():
    return Dropping(4, 3)


def built():
    """A network that was built, in the block that it is trained in."""
    torch.manual_seed(0)
    return own_network()


def scaled(scale, p):
    return scale * p * (1 - p)


def fitted(make, *args, rows=X, **kwargs):
    return make().fit(*(args or (X, y)), **kwargs).predict_proba(rows)


def in_chunks():
    model = DMClassifier(**QUICK)
    for rows in (slice(0, 40), slice(40, 90)):
        model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    return model.predict_proba(X)


def warm():
    model = DMClassifier(warm_start=True, **QUICK)
    return model.fit(X, y).fit(X_FRESH, y).predict_proba(X)


def unpickled():
    model = pickle.loads(pickle.dumps(DMClassifier(**QUICK).fit(X, y)))
    return model.partial_fit(X_FRESH, y).predict_proba(X)


def copied():
    return copy.deepcopy(DMClassifier(**QUICK).fit(X, y)).partial_fit(X_FRESH, y).predict_proba(X)


def search(estimator, grid, **params):
    found = FusedGridSearchCV(estimator, grid, cv=3, **params).fit(X, y)
    scores = [found.cv_results_[f"split{i}_test_score"] for i in range(3)]
    return np.append(np.ravel(scores), found.predict_proba(X))


def refined(estimator):
    model = StochasticLabelRefinery(estimator, n_rounds=2, cv=3, random_state=0).fit(X, y)
    return np.append(model.soft_labels_, model.predict_proba(X))


def left_out(predict):
    return predict(DMClassifier(**QUICK), X, y, cv=3, method="predict_proba")


def in_threads():
    with parallel_config("threading"):
        return cross_val_predict(DMClassifier(**QUICK), X, y, cv=3, method="predict_proba", n_jobs=2)


def audited():
    return audit_labels(DMClassifier(**QUICK), X, y, random_state=0).issues["quality"].to_numpy()


def of_ensemble():
    members = [("lines", LogisticRegression()), ("network", RobustLossClassifier(loss="gce", **QUICK))]
    return NoisyLabelClassifier(members=members, cv=3, random_state=0).fit(X, y).predict_proba(X)


CASES = {
    "DMClassifier": partial(fitted, partial(DMClassifier, **QUICK)),
    "ProSelfLCClassifier": partial(fitted, partial(ProSelfLCClassifier, **QUICK)),
    "an emphasis": partial(fitted, partial(DMClassifier, emphasis=DMEmphasis(1, 4), **QUICK)),
    "a weighting of one's own": lambda: fitted(
        partial(DMClassifier, emphasis=partial(scaled, torch.ones(())), **QUICK)
    ),
    "a matrix as tensor": lambda: fitted(
        partial(RobustLossClassifier, loss="forward", loss__transition_matrix=torch.from_numpy(MATRIX), **QUICK)
    ),
    "soft labels": partial(fitted, partial(DMClassifier, **QUICK), X, y, soft_labels=SOFT),
    "weights": partial(fitted, partial(DMClassifier, **QUICK), X, y, np.arange(90) % 3 + 0.5),
    "early stopping": partial(fitted, partial(DMClassifier, early_stopping=True, **QUICK)),
    "rows held out": partial(fitted, partial(DMClassifier, **QUICK), X, y, X_val=X_FRESH, y_val=y),
    "float64": partial(fitted, partial(DMClassifier, **QUICK), X.astype(np.float64), y, rows=X.astype(np.float64)),
    "sparse": partial(fitted, partial(DMClassifier, **QUICK), csr_matrix(X), y),
    "a tensor": lambda: fitted(partial(DMClassifier, **QUICK), torch.from_numpy(X) + 0, y),
    "a Dataset": lambda: fitted(
        partial(DMClassifier, **QUICK), TensorDataset(torch.from_numpy(X) + 0, torch.from_numpy(y) + 0)
    ),
    "one step over all rows": partial(
        fitted, partial(DMClassifier, optimizer="LBFGS", **{**QUICK, "batch_size": 90, "lr": 0.1})
    ),
    "a network's class": partial(fitted, partial(DMClassifier, Dropping, **WITHOUT_HIDDEN)),
    "a network's function": lambda: fitted(partial(DMClassifier, own_network, **WITHOUT_HIDDEN)),
    "a network built": lambda: fitted(partial(DMClassifier, built(), **WITHOUT_HIDDEN)),
    "images": lambda: fitted(
        partial(DMClassifier, ResNet20, **{**WITHOUT_HIDDEN, "max_epochs": 1}), IMAGES, IMAGE_LABELS, rows=IMAGES
    ),
    "partial_fit": in_chunks,
    "warm_start": warm,
    "unpickled": unpickled,
    "copied": copied,
    "DMClassifierCV": partial(
        fitted, partial(DMClassifierCV, candidates=[(0, 0), (0.5, 8)], cv=3, n_members=2, **QUICK)
    ),
    "FusedGridSearchCV": partial(search, DMClassifier(**QUICK), {"beta": [0, 8]}),
    "of a network of one's own": lambda: search(DMClassifier(Dropping, **WITHOUT_HIDDEN), {"beta": [0, 8]}),
    "of a Pipeline": partial(
        search, make_pipeline(StandardScaler(), DMClassifier(**QUICK)), {"dmclassifier__beta": [0, 8]}
    ),
    "one by one": partial(search, DMClassifier(early_stopping=True, **QUICK), {"beta": [0, 8]}),
    "GridSearchCV": lambda: GridSearchCV(DMClassifier(**QUICK), {"beta": [0, 8]}, cv=3).fit(X, y).predict_proba(X),
    "in threads": in_threads,
    "fused_cross_val_predict": partial(left_out, fused_cross_val_predict),
    "cross_val_predict": partial(left_out, cross_val_predict),
    "refinery": partial(refined, DMClassifier(**QUICK)),
    "refinery of others": partial(refined, DMClassifier(early_stopping=True, **QUICK)),
    "calibration": lambda: (
        CalibratedClassifierCV(DMClassifier(**QUICK), method="sigmoid", cv=3).fit(X, y).predict_proba(X)
    ),
    "audit": audited,
    "ensemble": of_ensemble,
    **{
        f"loss {name}": partial(
            fitted,
            partial(
                RobustLossClassifier,
                loss=name,
                **QUICK,
                **({"loss__transition_matrix": MATRIX} if name in ("forward", "backward") else {}),
            ),
        )
        for name in losses.NAMES
    },
}


@cache
def outside(case):
    return CASES[case]()


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("case", CASES)
def test_the_same_bits_come_out(case, block):
    expected = outside(case)
    with BLOCKS[block]():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        found = CASES[case]()
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    np.testing.assert_array_equal(found, expected)


class TestAfterwards:
    """What was made in the block is as good outside as what was made there."""

    def test_a_model_of_the_block_is_trained_further_outside(self):
        models = []
        for block in (torch.inference_mode, torch.enable_grad):
            with block():
                models.append(DMClassifier(**QUICK).fit(X, y))
        proba = [model.partial_fit(X_FRESH, y).predict_proba(X) for model in models]
        np.testing.assert_array_equal(*proba)

    def test_so_is_a_best_model_that_was_trained_together_with_others(self):
        with torch.inference_mode():
            best = FusedGridSearchCV(DMClassifier(**QUICK), {"beta": [0, 8]}, cv=3).fit(X, y).best_estimator_
            members = DMClassifierCV(candidates=[(0, 0)], cv=3, n_members=2, **QUICK).fit(X, y).estimators_
        for model in (best, *members):
            assert not any(tensor.is_inference() for tensor in model.module_.state_dict().values())
            model.partial_fit(X_FRESH, y)

    def test_so_is_one_loaded_there(self, tmp_path):
        DMClassifier(**QUICK).fit(X, y).save(tmp_path / "model")
        expected = DMClassifier.load(tmp_path / "model").partial_fit(X_FRESH, y).predict_proba(X)
        with torch.inference_mode():
            model = DMClassifier.load(tmp_path / "model")
        np.testing.assert_array_equal(model.partial_fit(X_FRESH, y).predict_proba(X), expected)

    def test_so_is_one_unpickled_there(self):
        content = pickle.dumps(DMClassifier(**QUICK).fit(X, y))
        expected = pickle.loads(content).partial_fit(X_FRESH, y).predict_proba(X)
        with torch.inference_mode():
            model = pickle.loads(content)
        np.testing.assert_array_equal(model.partial_fit(X_FRESH, y).predict_proba(X), expected)

    def test_a_network_and_rows_of_the_block_are_trained_outside(self):
        expected = fitted(partial(DMClassifier, built(), **WITHOUT_HIDDEN))
        with torch.inference_mode():
            network, rows = built(), torch.from_numpy(X) + 0
        found = fitted(partial(DMClassifier, network, **WITHOUT_HIDDEN), rows, y)
        np.testing.assert_array_equal(found, expected)

    def test_a_fit_that_fails_leaves_the_block_as_it_was(self):
        with torch.inference_mode():
            with pytest.raises(ValueError, match="got"):
                DMClassifier(**QUICK).fit(X, np.zeros(90))
            assert torch.is_inference_mode_enabled()


class TestLosses:
    """Values and weights are those of anywhere, also of logits and matrices of the block."""

    @pytest.mark.parametrize("name", losses.NAMES)
    def test_values(self, name):
        def values():
            logits, labels = torch.from_numpy(X[:, :3]) * 2, torch.from_numpy(y) + 0
            hyper = {"transition_matrix": torch.from_numpy(MATRIX) + 0} if name in ("forward", "backward") else {}
            return losses.get_loss(name)(logits, labels, **hyper), make_criterion(name, **hyper)(logits, labels)

        expected = values()
        with torch.inference_mode():
            found = values()
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))

    @pytest.mark.parametrize("loss", [DMLoss(), DMLoss(emphasis=lambda p: p * (1 - p))], ids=["dm", "own"])
    def test_the_objective_of_derivative_manipulation(self, loss):
        logits, labels = torch.from_numpy(X[:, :3]), torch.from_numpy(y)
        expected = loss(logits, labels)
        with torch.inference_mode():
            assert torch.equal(loss(logits * 1, labels), expected)

    # The others have none that depends on the probability alone.
    @pytest.mark.parametrize("name", [name for name in losses.NAMES if name not in ("forward", "backward")])
    def test_emphases(self, name):
        p = torch.linspace(0.05, 0.95, 7)
        expected = losses.emphasis_of(name, p, n_classes=3)
        with torch.inference_mode():
            assert torch.equal(losses.emphasis_of(name, p * 1, n_classes=3), expected)

    def test_a_matrix_of_the_block_serves_outside(self):
        with torch.inference_mode():
            matrix = torch.from_numpy(MATRIX) + 0
        logits, labels = torch.from_numpy(X[:, :3]).requires_grad_(), torch.from_numpy(y)
        derivatives = [
            torch.autograd.grad(losses.forward(logits, labels, transition_matrix=T).sum(), logits)[0]
            for T in (matrix, torch.from_numpy(MATRIX))
        ]
        assert torch.equal(*derivatives)
