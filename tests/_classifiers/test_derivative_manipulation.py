"""DMClassifier trains on the derivative it promises, and says where its default emphasis does not suit."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, DMClassifierCV, RobustLossClassifier, StochasticLabelRefinery
from sklabelnoise.losses import DMEmphasis, ExponentialEmphasis, derivative_manipulation
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.modules import MLP
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

FAST = {"max_epochs": 3, "random_state": 0}


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.module_.parameters()])


def one_step(X, y, **params):
    """Weights of a linear model after one step of plain descent, and before it."""
    options = {"module__hidden": (), "optimizer": "SGD", "weight_decay": 0.0, "max_epochs": 1, "random_state": 0}
    after, before = (DMClassifier(**options, **params, lr=lr, batch_size=1000).fit(X, y) for lr in (0.5, 1e-300))
    return after.module_.output.weight.detach(), before.module_.output.weight.detach(), before


@pytest.mark.parametrize("normalization", ["batch", "integral", "none"])
@pytest.mark.parametrize("lam, beta", [(0, 0), (0.5, 8), (2, 12), (0, -1)])
def test_a_step_follows_the_designed_derivative(lam, beta, normalization, blobs):
    X, y = blobs
    after, before, model = one_step(X, y, lam=lam, beta=beta, normalization=normalization)
    logits = torch.from_numpy(model.decision_function(X))
    designed = derivative_manipulation(
        logits, torch.from_numpy(y), DMEmphasis(lam, beta), normalization=normalization, damping=1e-8
    )
    assert torch.allclose(before - after, 0.5 * designed.T @ torch.from_numpy(X), rtol=1e-9, atol=1e-12)


def test_an_emphasis_object_replaces_lam_and_beta(blobs):
    by_name = DMClassifier(lam=0, beta=3, **FAST).fit(*blobs)
    by_object = DMClassifier(emphasis=ExponentialEmphasis(3.0), lam=7, **FAST).fit(*blobs)
    by_callable = DMClassifier(emphasis=lambda p: torch.exp(3 * (1 - p)), **FAST).fit(*blobs)
    assert torch.allclose(weights(by_object), weights(by_name), rtol=1e-9, atol=1e-12)
    assert torch.allclose(weights(by_callable), weights(by_name), rtol=1e-9, atol=1e-12)


def test_the_scale_of_an_emphasis_does_not_matter_where_it_is_normalized(blobs):
    base = DMEmphasis(0.5, 4)
    plain, scaled = (DMClassifier(emphasis=emphasis, **FAST).fit(*blobs) for emphasis in (base, lambda p: 10 * base(p)))
    assert torch.allclose(weights(plain), weights(scaled), rtol=1e-9, atol=1e-12)


def test_the_emphasis_of_cross_entropy_trains_as_cross_entropy(blobs):
    # w(p) = 2 (1 - p) is the L1 norm of its derivative; "none" divides by the rows as the mean does.
    ours = DMClassifier(emphasis=lambda p: 2 * (1 - p), normalization="none", damping=0, **FAST).fit(*blobs)
    theirs = RobustLossClassifier(loss="cross_entropy", **FAST).fit(*blobs)
    assert torch.allclose(weights(ours), weights(theirs), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("emphasis, error, message", [
    (lambda p: torch.full_like(p, torch.nan), ValueError, "emphasis must return weights that are not NaN, got nan"),
    (lambda p: 1 - 2 * p, ValueError, r"emphasis must return weights of at least 0, got -1\.0 at p = 1"),
    (lambda p: 1 / p, ValueError, r"emphasis must return finite weights, got inf at p = 0"),
    (lambda p: p * 0, ValueError, "emphasis must return a positive weight for some p, got 0 everywhere"),
    (lambda p: p.sum(), ValueError, r"one weight per probability, of shape \(2, 1001\), got shape \(\)"),
    (lambda p: p[..., None], ValueError, r"one weight per probability, .*got shape \(2, 1001, 1\)"),
    (lambda p: 1.0, ValueError, "emphasis must return a tensor of weights, got float"),
    ("dm", ValueError, "The 'emphasis' parameter of DMClassifier must be a callable or None"),
])  # fmt: skip
def test_an_emphasis_that_gives_no_weights_is_refused_before_training(emphasis, error, message, blobs):
    with pytest.raises(error, match=message):
        DMClassifier(emphasis=emphasis, **FAST).fit(*blobs)


@pytest.mark.parametrize("params, message", [
    ({"lam": -0.5}, r"The 'lam' parameter of DMClassifier must be a float in the range \[0\.0, inf\)\. Got -0\.5"),
    ({"beta": np.inf}, "The 'beta' parameter of DMClassifier"), ({"damping": -1.0}, "The 'damping' parameter"),
    ({"normalization": "mean"}, "The 'normalization' parameter of DMClassifier must be a str among"),
])  # fmt: skip
def test_wrong_parameters_are_named(params, message, blobs):
    with pytest.raises(ValueError, match=message):
        DMClassifier(**{**FAST, **params}).fit(*blobs)


def test_wrong_labels_are_learnt_less_than_by_cross_entropy(blobs):
    X, y = blobs
    given = corrupt_labels(y, symmetric_transition_matrix(3, 0.3), random_state=0)
    params = {"max_epochs": 150, "lr": 0.01, "random_state": 0}
    ours = DMClassifier(lam=2, beta=12, **params).fit(X, given)
    theirs = RobustLossClassifier(loss="cross_entropy", **params).fit(X, given)
    wrong = given != y
    assert (ours.predict(X) == given)[wrong].mean() < (theirs.predict(X) == given)[wrong].mean()
    assert ours.label_quality_[wrong].mean() < 0.5 * ours.label_quality_[~wrong].mean()


class TestDefaultOnTablesOfTwoClasses:
    """Rows of benchmarks/results: (0.5, 8) learns wrong labels of two classes as cross entropy does."""

    N = 1000
    X = np.random.default_rng(0).normal(size=(N, 3))
    Y = np.arange(N) % 2
    ONE = {"max_epochs": 1, "random_state": 0}
    MESSAGE = r"lam=0\.5 and beta=8\.0, the defaults.*DMClassifierCV\(\).*NoisyLabelClassifier\(\)"

    @pytest.mark.parametrize("kind", [np.asarray, np.float32, pd.DataFrame], ids=["array", "float32", "frame"])
    @pytest.mark.parametrize("module", [None, MLP])
    def test_fit_warns_once_and_names_what_to_call(self, kind, module):
        with pytest.warns(UserWarning, match=self.MESSAGE) as caught:
            DMClassifier(module, **self.ONE).fit(kind(self.X), np.array(["no", "yes"])[self.Y])
        assert len(caught) == 1

    def test_partial_fit_warns_at_the_first_chunk_and_warm_start_at_the_first_fit(self):
        for fit in (lambda model: model.partial_fit(self.X, self.Y, classes=[0, 1]),
                    lambda model: model.fit(self.X, self.Y)):  # fmt: skip
            model = DMClassifier(warm_start=True, **self.ONE)
            with pytest.warns(UserWarning, match=self.MESSAGE):
                fit(model)
            _fits_in_silence(fit, model)

    @pytest.mark.parametrize("params", [
        {"lam": 0.5}, {"beta": 8.0}, {"lam": 0.5, "beta": 8.0}, {"lam": 1, "beta": 16},
        {"emphasis": DMEmphasis(0.5, 8)}, {"module": lambda: torch.nn.Linear(3, 2)},
    ], ids=["lam", "beta", "both", "others", "emphasis", "module"])  # fmt: skip
    def test_what_was_chosen_is_taken_without_a_word(self, params):
        _fits_in_silence(clone(DMClassifier(**params, **self.ONE)).fit, self.X, self.Y)

    def test_clones_and_copied_parameters_know_that_nobody_chose(self):
        default = DMClassifier(**self.ONE)
        for model in (clone(default), DMClassifier(**default.get_params()), DMClassifier().set_params(**self.ONE)):
            with pytest.warns(UserWarning, match=self.MESSAGE):
                model.fit(self.X, self.Y)

    def test_other_data_do_not_warn(self):
        model = DMClassifier(**self.ONE)
        tensors = TensorDataset(torch.from_numpy(self.X).float(), torch.from_numpy(self.Y))
        _fits_in_silence(model.fit, self.X, np.arange(self.N) % 3)
        _fits_in_silence(model.fit, self.X[1:], self.Y[1:])
        _fits_in_silence(model.fit, self.X, self.Y, np.arange(self.N))  # the row of weight zero is not there
        _fits_in_silence(model.fit, self.X, self.Y, soft_labels=np.eye(2)[self.Y])
        _fits_in_silence(model.fit, sparse.csr_matrix(self.X), self.Y)
        _fits_in_silence(model.fit, tensors)
        pictures = np.random.default_rng(0).integers(0, 256, size=(self.N, 1, 4, 4), dtype=np.uint8)
        _fits_in_silence(model.fit, pictures, self.Y)

    @pytest.mark.parametrize("wrapped", [
        lambda model: GridSearchCV(model, {"lam": [0, 0.5]}, cv=2),
        lambda model: FusedGridSearchCV(model, {"lam": [0.5], "beta": [8.0]}, cv=2),
        lambda model: FusedGridSearchCV(model, {"lam": [0.5], "early_stopping": [True]}, cv=2),
        lambda model: StochasticLabelRefinery(model, n_rounds=1, cv=2),
        lambda model: DMClassifierCV(cv=2, n_members=2, early_stopping=True, max_epochs=1),
        lambda model: DMClassifierCV(candidates=[(0.5, 8)], cv=2, n_members=1, max_epochs=1),
    ], ids=["search", "fused search", "fused search, one by one", "refinery", "choice, one by one",
            "choice"])  # fmt: skip
    def test_searches_the_choice_and_the_refinery_do_not_warn(self, wrapped):
        X, y = np.tile(self.X, (3, 1)), np.tile(self.Y, 3)
        _fits_in_silence(wrapped(DMClassifier(**self.ONE)).fit, X, y)


def _fits_in_silence(fit, *arguments, **named):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(*arguments, **named)
