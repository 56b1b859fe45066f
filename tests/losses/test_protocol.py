"""Every criterion is one of the protocol: training asks no object whether it has an attribute."""

from functools import partial

import pytest
import torch

from sklabelnoise._compat import has_hooks
from sklabelnoise.losses import (
    BATCH_CRITERIA,
    NAMES,
    ROW_CRITERIA,
    BetaEmphasis,
    DMEmphasis,
    DMLoss,
    PerExampleLoss,
    ProSelfLCLoss,
    derivative_manipulation,
    get_loss,
    hyper_parameters,
    make_criterion,
)
from sklabelnoise.losses._protocol import Criterion, knows_derivative

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


KNOWING = {
    "cross entropy": make_criterion(),
    "DM": DMLoss(),
    "DM of the paper": DMLoss(damping=0),
    "small lam": DMLoss(DMEmphasis(0.1, 4.0), normalization="integral"),
    "beta": DMLoss(BetaEmphasis(1.7, 2.0), normalization="none"),
    "own emphasis": DMLoss(lambda p: 1 - p**2),
}


@pytest.mark.parametrize("name", KNOWING)
@pytest.mark.parametrize("kind", ["labels", "soft targets"])
@pytest.mark.parametrize("weights", [None, "some", "zeros"])
@pytest.mark.parametrize("replicas", [(), (3,)])
def test_a_derivative_that_is_known_is_the_one_of_the_graph(name, kind, weights, replicas):
    criterion = KNOWING[name]
    generator = torch.Generator().manual_seed(0)
    logits = (4 * torch.randn(*replicas, 12, 5, generator=generator, dtype=torch.double)).requires_grad_()
    targets = torch.randint(5, (*replicas, 12), generator=generator)
    if kind == "soft targets":
        targets = torch.rand(logits.shape, generator=generator, dtype=torch.double).softmax(-1)
    weight = {None: None, "some": torch.rand(12, generator=generator), "zeros": torch.zeros(12)}[weights]
    assert knows_derivative(criterion)
    known = criterion.value_and_derivative(logits, targets, weight)
    if name == "cross entropy" and kind == "soft targets":
        assert known is None
        return
    value, derivative = known
    assert not value.requires_grad and not derivative.requires_grad
    by_graph = criterion(logits, targets, weight)
    torch.testing.assert_close(value, by_graph.detach())
    torch.testing.assert_close(derivative, torch.autograd.grad(by_graph.sum(), logits)[0])


class Halved(DMLoss):
    """A criterion of a user's."""

    def forward(self, logits, target, sample_weight=None):
        return super().forward(logits, target, sample_weight) / 2


def test_a_criterion_with_a_forward_of_its_own_is_called():
    assert not knows_derivative(Halved())
    assert not knows_derivative(torch.nn.CrossEntropyLoss())
    patched = DMLoss()
    patched.forward = Halved().forward
    assert not knows_derivative(patched)


def of_one(name):
    return lambda criterion, hook: getattr(criterion, name)(hook)


def of_every_module(register):
    return lambda criterion, hook: register(hook)


@pytest.mark.parametrize("register", [
    of_one("register_forward_hook"),
    of_one("register_forward_pre_hook"),
    of_one("register_full_backward_hook"),
    of_every_module(torch.nn.modules.module.register_module_forward_hook),
    of_every_module(torch.nn.modules.module.register_module_forward_pre_hook),
])  # fmt: skip
def test_a_criterion_that_somebody_listens_to_is_called(register):
    criterion = DMLoss()
    assert not has_hooks(criterion)
    handle = register(criterion, lambda *args: None)
    try:
        assert has_hooks(criterion)
    finally:
        handle.remove()
    assert not has_hooks(criterion)


@pytest.mark.parametrize("criterion", [make_criterion("gce"), PerExampleLoss(reduction="sum"), ProSelfLCLoss()])
def test_what_is_not_known_is_asked_of_torch(criterion):
    logits, labels = torch.zeros(2, 3), torch.tensor([0, 1])
    assert not knows_derivative(criterion) or criterion.value_and_derivative(logits, labels) is None


WRONG_WEIGHTS = {
    "a column": torch.ones(6, 1),
    "one for all": torch.ones(1),
    "a number": torch.tensor(2.0),
    "too few": torch.ones(5),
    "a table": torch.ones(6, 6),
}


@pytest.mark.parametrize("weight", WRONG_WEIGHTS.values(), ids=list(WRONG_WEIGHTS))
@pytest.mark.parametrize("name", ["gce", "cross_entropy", *ROW_CRITERIA, *BATCH_CRITERIA, "DMLoss", "ProSelfLCLoss"])
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_weights_that_are_not_one_a_sample_are_refused(name, weight, mode):
    criterion = {"DMLoss": DMLoss, "ProSelfLCLoss": ProSelfLCLoss}.get(name, partial(make_criterion, name))()
    rows = {}
    if name in ROW_CRITERIA:
        criterion.prepare(6, 3)
        rows = {"indices": torch.arange(6)}
    getattr(criterion, mode)()
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(6,\) to go with logits of shape \(6, 3\)"):
        criterion(torch.zeros(6, 3, requires_grad=True), torch.zeros(6, dtype=torch.long), weight, **rows)
    with pytest.raises(TypeError, match=r"sample_weight must be a tensor, got list\."):
        criterion(torch.zeros(6, 3, requires_grad=True), torch.zeros(6, dtype=torch.long), [1.0] * 6, **rows)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_weights_are_one_a_sample_whatever_the_reduction(reduction):
    criterion = PerExampleLoss("gce", reduction=reduction)
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        criterion(torch.zeros(6, 3), torch.zeros(6, dtype=torch.long), torch.ones(6, 1))


def test_weights_of_the_derivative_are_one_a_sample():
    logits, labels = torch.zeros(6, 3), torch.zeros(6, dtype=torch.long)
    with pytest.raises(ValueError, match="sample_weight must have shape"):
        derivative_manipulation(logits, labels, DMEmphasis(0.5, 8), sample_weight=torch.ones(6, 1))


def test_weights_broadcast_over_replicas():
    logits, labels, weight = torch.randn(2, 6, 3), torch.zeros(6, dtype=torch.long), torch.rand(6)
    both = PerExampleLoss("gce")(logits, labels, weight)
    assert both.tolist() == [PerExampleLoss("gce")(one, labels, weight).item() for one in logits]


@pytest.mark.parametrize(
    "targets",
    [torch.zeros(1, dtype=torch.long), torch.tensor(0), torch.eye(3)[:1], torch.eye(3)[0]],
    ids=["one label", "a number", "one row", "a distribution"],
)
@pytest.mark.parametrize("name", ["cross_entropy", "gce", "nce", "brier"])
def test_one_target_is_not_repeated_for_all_samples(name, targets):
    with pytest.raises(ValueError, match="to go with logits of shape"):
        get_loss(name)(torch.zeros(6, 3), targets)
    for_replicas = targets.reshape(1, 3) if targets.is_floating_point() else targets.reshape(1)
    assert get_loss(name)(torch.zeros(2, 1, 3), for_replicas).shape == (2, 1)


@pytest.mark.parametrize(
    "indices",
    [
        torch.ones(6, dtype=torch.bool),
        torch.ones(6, dtype=torch.uint8),
        torch.ones(6),
        torch.arange(5),
        torch.zeros(6, 1),
    ],
    ids=["mask", "bytes", "floats", "too few", "a column"],
)
@pytest.mark.parametrize("name", ROW_CRITERIA)
def test_rows_are_one_number_a_sample(name, indices):
    criterion = make_criterion(name)
    criterion.prepare(6, 3)
    with pytest.raises(ValueError, match="indices must be a row number for each of 6 samples, got torch"):
        criterion(torch.zeros(6, 3), torch.zeros(6, dtype=torch.long), indices=indices)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (ProSelfLCLoss, "slope", 3.0),
        (ProSelfLCLoss, "midpoint", 0.25),
        (ProSelfLCLoss, "temperature", 0.5),
        (ProSelfLCLoss, "local_trust", "max"),
        (partial(ProSelfLCLoss, temperature=0.5), "detach_target", True),
        (DMLoss, "emphasis", DMEmphasis(beta=3.0)),
        (DMLoss, "normalization", "none"),
        (DMLoss, "damping", 0.5),
        *(
            (partial(make_criterion, name), key, next(value for value in (0.125, 2) if value in domain))
            for name in (*ROW_CRITERIA, *BATCH_CRITERIA)
            for key, (_, domain) in hyper_parameters(name).items()
        ),
        (partial(PerExampleLoss, "gce"), "q", 0.125),
    ],
)
def test_criteria_that_differ_look_different(kind, name, value):
    assert repr(kind(**{name: value})) != repr(kind())
