"""Candidates share a stack where nothing but numbers and seeds sets them apart, and what does is said."""

import inspect
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import KFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from torch import nn

from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise._fused import _plan
from sklabelnoise._fused._folds import make_folds
from sklabelnoise._fused._plan import _with_equal_rows, plan_fits
from sklabelnoise._fused._training import _weights
from sklabelnoise._stacked._equality import same
from sklabelnoise.losses import DMLoss, cross_entropy
from sklabelnoise.modules import MLP
from sklabelnoise.training._building import NetBuilder

N, D, C = 60, 4, 3
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(N, D)), np.arange(N) % C
SOFT = pd.DataFrame(RNG.dirichlet(np.ones(C), N))
SPLITS = list(KFold(2, shuffle=True, random_state=0).split(X))


class Scaled(nn.Module):
    """A network whose representation does not tell one from another."""

    def __init__(self, n_features, n_classes, scale=1.0):
        super().__init__()
        self.layer, self.scale = nn.Linear(n_features, n_classes), scale

    def forward(self, x):
        return self.scale * self.layer(x)


def of_weights(seed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MLP(D, C, hidden=(4,))


def scaled_instance(scale):
    module = Scaled(D, C, scale)
    nn.init.zeros_(module.layer.weight)
    nn.init.zeros_(module.layer.bias)
    return module


def make(kind=DMClassifier, **more):
    given = {"module__hidden": (4,), "max_epochs": 2, "batch_size": 20, "device": "cpu", "random_state": 0, **more}
    return kind(**{name: value for name, value in given.items() if value is not None})


def plans(candidates, **fit_params):
    return list(plan_fits(candidates, partial(make_folds, X=X, y=Y, splits=SPLITS, fit_params=fit_params)))


def stacks(candidates, **fit_params):
    """Numbers of the candidates of each stack, and what sets it apart from the first."""
    found = [(stack.numbers, stack.apart_by) for plan in plans(candidates, **fit_params) for stack in plan.stacks]
    assert sorted(number for numbers, _ in found for number in numbers) == list(range(len(candidates)))
    return found


SGD = {"optimizer": "SGD", "optimizer__momentum": 0.9}
NO_HIDDEN = {"module__hidden": None}
NUMBERS = {
    "emphasis": [{"lam": 0}, {"lam": 1, "beta": 8}],
    "rates": [{"lr": 0.1}, {"lr": 0.2, "weight_decay": 0.1}],
    "momentum": [{**SGD}, {**SGD, "optimizer__momentum": 0.5}],
    "schedule": [{}, {"lr_schedule": "cosine"}],
    "weights of classes": [{}, {"class_weight": "balanced"}, {"class_weight": {0: 2}}],
    "numbers beside a module of a user": [
        {"module": partial(Scaled, scale=2.0), **NO_HIDDEN, "lam": lam} for lam in (0, 1)
    ],
    "numbers beside an instance": [{"module": scaled_instance(2.0), **NO_HIDDEN, "lam": lam} for lam in (0, 1)],
    "seeds": [{"random_state": 0}, {"random_state": 1}, {"random_state": 2}],
}


@pytest.mark.parametrize("differing", NUMBERS.values(), ids=NUMBERS)
def test_candidates_that_differ_in_numbers_or_seeds_share_a_stack(differing):
    assert stacks([make(**parameters) for parameters in differing]) == [(list(range(len(differing))), "")]


APART = {
    "another architecture": ({}, {"module__hidden": (5,)}),
    "another architecture, which is not seen": (
        {"module": Scaled, **NO_HIDDEN},
        {"module": Scaled, "module__scale": 2.0, **NO_HIDDEN},
    ),
    "other initial weights": (
        {"module": of_weights(0), **NO_HIDDEN},
        {"module": of_weights(1), **NO_HIDDEN},
    ),
    "another module": (
        {"module": partial(Scaled, scale=1.0), **NO_HIDDEN},
        {"module": partial(Scaled, scale=2.0), **NO_HIDDEN},
    ),
    "another module, of the same weights": (
        {"module": scaled_instance(1.0), **NO_HIDDEN},
        {"module": scaled_instance(2.0), **NO_HIDDEN},
    ),
    "another module, with frozen parameters": (
        {"module": of_weights(0), **NO_HIDDEN},
        {"module": of_weights(0).requires_grad_(False), **NO_HIDDEN},
    ),
    "another optimizer": ({"optimizer": "Adam"}, {"optimizer": "AdamW"}),
    "another max_epochs": ({}, {"max_epochs": 3}),
    "another batch_size": ({}, {"batch_size": 21}),
    "another option of the optimizer": (SGD, {**SGD, "optimizer__nesterov": True}),
    "loss.normalization differs in more than numbers": ({}, {"normalization": "none"}),
}
if "decoupled_weight_decay" in inspect.signature(torch.optim.Adam).parameters:  # newer versions of torch
    decoupled = {"optimizer": "Adam", "optimizer__decoupled_weight_decay": True}
    APART["another option of the optimizer, which says where weights decay"] = ({"optimizer": "Adam"}, decoupled)


@pytest.mark.parametrize("trait", APART)
def test_candidates_that_differ_in_a_trait_are_apart_and_it_is_named(trait):
    first, second = APART[trait]
    assert stacks([make(**first), make(**second)]) == [([0], ""), ([1], trait.partition(",")[0])]


def test_weights_of_classes_change_the_targets_where_labels_are_soft():
    candidates = [make(), make(class_weight={0: 2})]
    assert stacks(candidates, soft_labels=SOFT) == [([0], ""), ([1], "another class_weight")]


def test_the_same_candidates_under_other_seeds_join_their_stack():
    candidates = [make(lam=lam, random_state=seed) for seed in (0, 1) for lam in (0, 1)]
    (plan,) = plans(candidates)
    (stack,) = plan.stacks
    assert [[one.number for one in ones] for ones in stack.by_seed] == [[0, 1], [2, 3]]
    assert [len({one.seed for one in ones}) for ones in stack.by_seed] == [1, 1]


OTHER_REPLICAS = {
    "loss": {"lam": 3},
    "rates": {"lr": 0.3},
    "schedule": {"lr_schedule": "cosine"},
    "weights of rows": {"class_weight": {0: 2}},
}


@pytest.mark.parametrize("differing", OTHER_REPLICAS.values(), ids=OTHER_REPLICAS)
def test_candidates_of_another_seed_that_are_no_replicas_of_these_stay_apart(differing):
    candidates = [make(lam=1, random_state=0), make(random_state=1, **{"lam": 1, **differing})]
    assert stacks(candidates) == [([0], ""), ([1], "another random_state")]


def test_other_transformers_make_other_plans():
    candidates = [make_pipeline(scaler, make()) for scaler in (StandardScaler(), MinMaxScaler(), StandardScaler())]
    assert [numbers for numbers, _ in stacks(candidates)] == [[0, 2], [1]]


class Logarithm(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.log1p(abs(X))


class Root(Logarithm):
    def transform(self, X):
        return np.sqrt(abs(X))


@pytest.mark.parametrize(
    "around",
    [
        lambda one: FeatureUnion([("a", one), ("b", StandardScaler())]),
        lambda one: ColumnTransformer([("a", one, [0, 1])], remainder=StandardScaler()),
        lambda one: make_pipeline(one, StandardScaler()),
    ],
    ids=["union", "columns", "pipeline"],
)
def test_transformers_within_transformers_make_other_plans_only_where_they_differ(around):
    candidates = [make_pipeline(around(kind()), make(lam=lam)) for kind in (Logarithm, Root) for lam in (0, 1)]
    assert [numbers for numbers, _ in stacks(candidates)] == [[0, 1], [2, 3]]


def test_another_type_or_device_to_compute_in_makes_other_plans():
    candidates = [make(), make(device="cuda"), make(dtype="float32"), make()]
    assert _with_equal_rows(candidates) == [[0, 3], [1], [2]]


def test_who_is_fitted_alone_does_not_keep_others_from_a_stack():
    candidates = [make(), make(early_stopping=True), make(RobustLossClassifier, loss="elr"), make(lam=1)]
    (plan,) = plans(candidates)
    assert [stack.numbers for stack in plan.stacks] == [[0, 3]]
    assert plan.reasons == {1: "early_stopping ends each training by itself", 2: "ELRLoss remembers every row"}


def test_without_a_seed_candidates_share_one_where_they_are_compared():
    candidates = [make(random_state=None, lam=lam) for lam in (0, 1)]
    assert stacks(candidates) == [([0, 1], "")]


@pytest.mark.parametrize("option", ["amsgrad", "maximize"])
def test_an_optimizer_that_does_something_else_is_not_stacked(option):
    (plan,) = plans([make(optimizer="Adam", **{f"optimizer__{option}": True})])
    assert plan.reasons == {0: f"optimizer__{option} is set"} and not plan.stacks


def test_a_candidate_without_weights_weighs_its_rows_by_one_beside_one_with_weights():
    weights = np.array([0.5, 2.0])
    stacked = _weights([None, weights], torch.device("cpu"), torch.float64)
    assert stacked.tolist() == [[1, 1], [0.5, 2]]
    assert _weights([weights, weights], torch.device("cpu"), torch.float64).tolist() == [[0.5, 2]]
    assert _weights([None, None], torch.device("cpu"), torch.float64) is None


GRID = [{"lam": lam, "beta": beta} for lam in (0.0, 0.5, 1.0) for beta in (0.0, 4.0, 8.0)]


def test_candidates_that_differ_in_their_loss_alone_share_a_net_and_each_has_its_own_loss(monkeypatch):
    built, build = [], NetBuilder.build
    monkeypatch.setattr(NetBuilder, "build", lambda *given: built.append(given) or build(*given))
    ((stack,),) = [plan.stacks for plan in plans([make(**numbers) for numbers in GRID])]
    (candidates,) = stack.by_seed
    assert len(built) == 1
    assert [{"lam": e.lam, "beta": e.beta} for e in (one.net.criterion_.emphasis for one in candidates)] == GRID
    assert len({id(one.used) for one in candidates}) == len(GRID)
    assert len({id(one.net.module_) for one in candidates}) == 1
    alone = [plans([one.estimator])[0].stacks[0].by_seed[0][0] for one in candidates]
    for mine, its in zip(candidates, alone, strict=True):
        assert same(
            [mine.rates, mine.options, mine.used, mine.net.criterion_],
            [its.rates, its.options, its.used, its.net.criterion_],
        )
        assert same(dict(mine.net.module_.state_dict()), dict(its.net.module_.state_dict()))


class DrawingLoss(DMLoss):
    """A loss from elsewhere that draws a number as it is made."""

    def __init__(self):
        super().__init__()
        self.drawn = torch.rand(())


class OfAnotherPackage(DMClassifier):
    """A classifier with a loss that is none of ours."""

    def _make_criterion(self):
        return DrawingLoss()


@pytest.mark.parametrize(
    "differing",
    [
        [{"random_state": 0}, {"random_state": 1}],
        [{"lr": 0.1}, {"lr": 0.2}],
        [{"module__hidden": (4,)}, {"module__hidden": (5,)}],
        [{"kind": OfAnotherPackage}] * 2,
        [{}, {"kind": RobustLossClassifier, "loss": "gce"}],
    ],
)
def test_whatever_else_differs_or_may_draw_has_a_net_of_its_own(monkeypatch, differing):
    built, build = [], NetBuilder.build
    monkeypatch.setattr(NetBuilder, "build", lambda *given: built.append(given) or build(*given))
    plans([make(**numbers) for numbers in differing])
    assert len(built) == len(differing)


def test_all_losses_of_a_stack_are_tried_in_one_go(monkeypatch):
    tried, check = [], _plan.check_stacked_criterion
    monkeypatch.setattr(
        _plan,
        "check_stacked_criterion",
        lambda stacked, criteria, **more: tried.append(len(criteria)) or check(stacked, criteria, **more),
    )
    plans([make(**numbers) for numbers in GRID])
    assert tried == [len(GRID)]


def twice_what_is_much(logits, target, *, scale=1.0):
    """A user's loss that computes otherwise where the numbers of all replicas are together too large."""
    return cross_entropy(logits, target) * (1 if torch.as_tensor(scale).sum() < 6.5 else 2)


def test_losses_that_are_not_one_all_together_are_parted_pair_by_pair():
    candidates = [
        make(RobustLossClassifier, loss=twice_what_is_much, loss__scale=scale) for scale in (1.0, 6.0, 2.0, 3.0)
    ]
    assert [numbers for numbers, _ in stacks(candidates)] == [[0, 2, 3], [1]]


def over_all_rows(logits, target):
    """A user's loss that divides by a sum over all dimensions: over folds as well where they are trained together."""
    loss = cross_entropy(logits, target)
    return loss * loss.detach() / loss.detach().sum()


def test_a_loss_that_mixes_folds_is_fitted_alone_and_so_is_one_candidate_of_it():
    candidates = [make(), make(RobustLossClassifier, loss=over_all_rows)]
    (plan,) = plans(candidates)
    assert [stack.numbers for stack in plan.stacks] == [[0]]
    assert plan.reasons == {1: "the loss does not give each replica the value it has alone"}
    assert not plan.unusable_modules


def test_what_can_only_be_computed_on_the_device_is_computed_there(monkeypatch):
    asked = []

    def check(stacked, criteria, *, device, **more):
        asked.append(device.type)
        if device.type == "cpu":
            raise RuntimeError("Expected all tensors to be on the same device")

    ((stack,),) = [plan.stacks for plan in plans([make()])]
    (candidate,) = stack.by_seed[0]
    monkeypatch.setattr(_plan, "check_stacked_criterion", check)
    candidate.net.device = "meta"
    _plan.check_criteria([candidate])
    assert asked == ["cpu", "meta"]
