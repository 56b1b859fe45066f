"""Criteria that differ in numbers are one criterion with tensors."""

import math
import random
from functools import partial

import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklabelnoise._stacked._criterion import NotStackableError, check_stacked_criterion, stack_criteria
from sklabelnoise._stacked._equality import close, same
from sklabelnoise.losses import DMEmphasis, DMLoss, PerExampleLoss, ProSelfLCLoss, cross_entropy
from sklabelnoise.losses._protocol import Criterion

FAMILIES = {
    "dm": [DMLoss(DMEmphasis(lam, beta)) for lam, beta in ((0, 0), (0.5, 8), (2, 12.0))],
    "dm, integral": [DMLoss(DMEmphasis(lam), normalization="integral") for lam in (0.25, 0.5, 1.0)],
    "proselflc": [ProSelfLCLoss(slope=slope, midpoint=m) for slope, m in ((8.0, 0.5), (12.0, 0.4), (16.0, 0.6))],
    "gce": [PerExampleLoss("gce", q=q) for q in (0.3, 0.7, 1.0)],
    "all alike": [PerExampleLoss("cross_entropy") for _ in range(3)],
}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda name: name.replace(" ", "-"))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_each_replica_has_the_value_and_derivative_of_its_own_criterion(family, dtype):
    criteria = FAMILIES[family]
    check_stacked_criterion(stack_criteria(criteria, dtype=dtype), criteria, n_classes=4, dtype=dtype)


def test_criteria_are_not_changed():
    criteria = FAMILIES["dm"]
    stack_criteria(criteria)
    assert [criterion.emphasis.beta for criterion in criteria] == [0, 8, 12.0]


@pytest.mark.parametrize(
    ("criteria", "message"),
    [
        ([DMLoss(), DMLoss(normalization="none")], "normalization differs in more than numbers"),
        ([DMLoss(), PerExampleLoss()], "loss is DMLoss or PerExampleLoss"),
        ([DMLoss(lambda p: 1 - p), DMLoss(lambda p: p)], "emphasis differs in more than numbers"),
        ([DMLoss(), DMLoss(damping=1e-6)], r"another loss\.damping"),
        ([ProSelfLCLoss(local_trust="max"), ProSelfLCLoss()], "local_trust differs"),
        ([PerExampleLoss("focal", detached=d) for d in (True, False)], "detached differs in more than numbers"),
        ([DMLoss(damping=damping) for damping in (1e-8, 1e-6, 1e-8)], "another loss.damping"),
    ],
)
def test_what_differs_in_more_than_numbers_is_named(criteria, message):
    with pytest.raises(NotStackableError, match=message):
        stack_criteria(criteria)


class Flattening(Criterion):
    """A user's loss that takes all leading dimensions for one batch."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, logits, target, sample_weight=None):
        return nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten()) * self.scale


def test_numbers_beside_something_else_are_no_numbers():
    with pytest.raises(NotStackableError, match="scale is NoneType or float"):
        stack_criteria([Flattening(1.0), Flattening(None)])


class Mixing(Criterion):
    """A user's loss with the right shape and the wrong values."""

    def forward(self, logits, target, sample_weight=None):
        return logits.square().mean((-1, -2)) * logits.mean()


class Leaking(Criterion):
    """A user's loss with the right values, whose derivative sees the other replicas."""

    def forward(self, logits, target, sample_weight=None):
        rest = logits.square().sum()
        return logits.square().mean((-1, -2)) + rest - rest.detach()


class WarmingUp:
    """A user's loss that is another one from its hundredth call on."""

    def __init__(self):
        self.calls = 0

    def __call__(self, logits, targets):
        self.calls += 1
        return cross_entropy(logits, targets) * (1 if self.calls < 100 else 2)


class MixingLate(Mixing):
    """A user's loss that is right as long as the training has not come half of its way."""

    progress = 0.0

    def forward(self, logits, target, sample_weight=None):
        return super().forward(logits, target) if self.progress > 0.5 else logits.square().mean((-1, -2))


class SmallLosses(Criterion):
    """A user's loss of the rows with less than the mean of all."""

    def forward(self, logits, target, sample_weight=None):
        values = cross_entropy(logits, target)
        return (values * (values <= values.mean())).mean(-1)


class UntilItFits(Criterion):
    """A user's loss that is another one once the mean of all is low."""

    def forward(self, logits, target, sample_weight=None):
        values = cross_entropy(logits, target).mean(-1)
        return values if values.mean() > 1 else 2 * values


@pytest.mark.parametrize("criteria", [[SmallLosses()], [UntilItFits()], [SmallLosses()] * 2, [UntilItFits()] * 30])
def test_losses_that_mix_replicas_at_a_threshold_are_found_out(criteria):
    """Folds of a single candidate are replicas, too, and some are to be on either side of what all have in common."""
    with pytest.raises(NotStackableError, match="the loss does not give each replica the value it has alone"):
        check_stacked_criterion(stack_criteria(criteria), criteria, n_classes=3)


class SmallLossesOfSoftLabels(SmallLosses):
    """A user's loss that takes all rows where they have labels."""

    def forward(self, logits, target, sample_weight=None):
        return (
            super().forward(logits, target) if target.dim() == logits.dim() else cross_entropy(logits, target).mean(-1)
        )


def test_losses_are_tried_on_targets_of_the_kind_they_are_trained_on():
    criteria = [SmallLossesOfSoftLabels()]
    check_stacked_criterion(criteria[0], criteria, n_classes=3)
    with pytest.raises(NotStackableError, match="the loss does not give each replica the value it has alone"):
        check_stacked_criterion(criteria[0], criteria, n_classes=3, soft=True)


@pytest.mark.parametrize(
    "criteria",
    [[Flattening(1.0), Flattening(2.0)], [Flattening(1.0)] * 2, [Mixing()] * 2, [Leaking()] * 2, [MixingLate()] * 2],
)
def test_losses_that_mix_replicas_are_found_out(criteria):
    with pytest.raises(NotStackableError, match="the loss does not"):
        check_stacked_criterion(stack_criteria(criteria), criteria, n_classes=3)


def test_losses_that_count_their_calls_are_found_out():
    """Each would be called once for all folds and replicas, and not once a step of its own training."""
    criteria = [PerExampleLoss(WarmingUp()) for _ in range(2)]
    with pytest.raises(NotStackableError, match="the loss changes what it keeps whenever it is called"):
        check_stacked_criterion(stack_criteria(criteria), criteria, n_classes=3)


class WithoutNumberYet(Criterion):
    """A user's loss that keeps what never equals its copy."""

    def __init__(self):
        super().__init__()
        self.largest = torch.tensor(math.nan)

    def forward(self, logits, target, sample_weight=None):
        return cross_entropy(logits, target).mean(-1)


def test_losses_that_never_equal_their_copies_are_not_said_to_change():
    criteria = [WithoutNumberYet()]
    check_stacked_criterion(criteria[0], criteria, n_classes=3)


def test_same_compares_whatever_comes():
    assert same({"a": [1, (2.0, None)], "b": torch.ones(2)}, {"a": [1, (2.0, None)], "b": torch.ones(2)})
    assert not same(torch.ones(2), torch.ones(3))
    assert not same(1, 1.0)  # a module may treat them differently
    assert not same(DMLoss(), DMLoss(DMEmphasis(beta=1)))
    assert same(DMLoss(), DMLoss())
    assert not same([1], [1, 2]) and not same((1, 2), (1,))
    assert not same(torch.ones(2), torch.ones(1))
    assert not same(torch.ones(2), torch.ones(2, dtype=torch.long))

    assert not same(torch.zeros(1), torch.zeros(1, requires_grad=True))  # one of them is frozen
    assert same(StandardScaler(), StandardScaler()) and not same(StandardScaler(), StandardScaler(with_std=False))
    assert same(partial(DMLoss, None), partial(DMLoss, None)) and not same(partial(DMLoss, None), partial(DMLoss, 1))
    assert same(random.Random(0), random.Random(0)) and not same(random.Random(0), random.Random(1))
    assert not same(math.pow, torch.pow)
    assert not same(lambda x: x, lambda x: x)  # of which nobody knows
    frame = pd.DataFrame({"a": [1, 2]})
    assert same(frame, frame) and not same(frame, frame + 1)  # whose comparison is no truth value


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_numbers_are_close_up_to_rounding_and_counts_exactly(dtype):
    ones = torch.ones(3, dtype=dtype)
    rounding = torch.finfo(dtype).eps
    assert close(ones, ones + 100 * rounding) and not close(ones, ones + 1e6 * rounding)
    assert close(ones * torch.nan, ones * torch.nan) and not close(ones, ones * torch.nan)
    assert not close(ones, torch.ones(1, 3, dtype=dtype))
    many = torch.tensor([2**53])
    assert close(many, many.clone()) and not close(many, many + 1)


def test_numbers_within_tuples_are_stacked_in_their_place():
    class Pair(Criterion):
        def __init__(self, *values):
            super().__init__()
            self.values = values

    values = stack_criteria([Pair(1, 2.0), Pair(1, 3.0)]).values
    first, second = values
    assert type(values) is tuple  # as the loss was given them
    assert first == 1 and second.tolist() == [[2.0, 3.0]]
