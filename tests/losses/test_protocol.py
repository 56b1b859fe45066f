"""Every criterion is one of the protocol: training asks no object whether it has an attribute."""

import pytest
import torch

from sklabelnoise.losses import NAMES, ROW_CRITERIA, DMLoss, ProSelfLCLoss, make_criterion
from sklabelnoise.losses._protocol import Criterion

HYPER = {"transition_matrix": torch.eye(3)}


def criterion_of(name):
    return make_criterion(name, **(HYPER if name in ("forward", "backward") else {}))


@pytest.mark.parametrize("name", [*NAMES, *ROW_CRITERIA])
def test_criteria_by_name_follow_the_protocol(name):
    criterion = criterion_of(name)
    assert isinstance(criterion, Criterion)
    assert criterion.needs_indices == (name in ROW_CRITERIA)


@pytest.mark.parametrize("criterion", [DMLoss(), ProSelfLCLoss()], ids=lambda criterion: type(criterion).__name__)
def test_criteria_of_the_classifiers_follow_the_protocol(criterion):
    assert isinstance(criterion, Criterion) and not criterion.needs_indices


def test_only_what_follows_the_progress_has_one():
    assert DMLoss().progress is None and make_criterion("gce").progress is None
    assert ProSelfLCLoss().progress == 0.0 and make_criterion("truncated_gce").progress == 0.0


def test_preparing_a_criterion_without_memory_changes_nothing():
    criterion = make_criterion("gce")
    before = dict(vars(criterion))
    criterion.prepare(10, 3, device="cpu", dtype=torch.float64)
    assert vars(criterion) == before
