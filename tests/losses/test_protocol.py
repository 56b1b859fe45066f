"""Every criterion is one of the protocol: training asks no object whether it has an attribute."""

from functools import partial

import numpy as np
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


KINDS = ["gce", "cross_entropy", *ROW_CRITERIA, *BATCH_CRITERIA, "DMLoss", "ProSelfLCLoss"]


def of_kind(name):
    return {"DMLoss": DMLoss, "ProSelfLCLoss": ProSelfLCLoss}.get(name, partial(make_criterion, name))()


@pytest.mark.parametrize("name", KINDS)
def test_evaluation_is_cross_entropy_in_which_a_row_counts_by_its_weight(name):
    generator = torch.Generator().manual_seed(0)
    logits, weight = torch.randn(6, 3, generator=generator), torch.tensor([0.0, 1.0, 2.0, 0.5, 0.0, 1.0])
    labels = torch.arange(6) % 3
    for targets in (labels, torch.rand(6, 3, generator=generator).softmax(-1)):
        values = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
        expected = (values * weight).sum() / weight.sum()
        torch.testing.assert_close(of_kind(name).eval()(logits, targets, weight), expected)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_evaluation_reduces_as_training_does(reduction):
    logits, labels, weight = torch.randn(6, 3), torch.arange(6) % 3, torch.arange(6.0)
    values = torch.nn.functional.cross_entropy(logits, labels, reduction="none") * weight
    expected = values.sum() if reduction == "sum" else values
    torch.testing.assert_close(PerExampleLoss("gce", reduction).eval()(logits, labels, weight), expected)


def value_and_gradient(name, logits, targets, weight=None, indices=None, progress=0.5):
    """Of the second visit of the rows, where there is one."""
    criterion, rows = of_kind(name), {}
    if name in ROW_CRITERIA:
        criterion.prepare(len(logits), logits.shape[-1])
        rows = {"indices": torch.arange(len(logits)) if indices is None else indices}
        criterion(logits.flip(-1), targets, weight, **rows)
    if criterion.progress is not None:
        criterion.progress = progress
    logits = logits.detach().requires_grad_()
    value = criterion(logits, targets, weight, **rows)
    return value, torch.autograd.grad(value, logits)[0]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("kind", [torch.double, torch.long, torch.half])
def test_a_reduction_keeps_the_type_of_the_values(reduction, kind):
    logits, labels, weight = torch.randn(6, 3), torch.arange(6) % 3, torch.arange(6.0)
    criterion = PerExampleLoss("gce", reduction)
    torch.testing.assert_close(criterion(logits, labels, weight.to(kind)), criterion(logits, labels, weight))


@pytest.mark.parametrize("name", KINDS)
class TestWhateverTheType:
    """Values and derivatives do not depend on how numbers that are the same are stored."""

    def test_weights_and_soft_targets_take_the_type_of_the_logits(self, name):
        logits, weight = torch.randn(6, 3), torch.arange(6.0)
        soft = torch.rand(6, 3).softmax(-1)
        for targets in (torch.arange(6) % 3, soft):
            expected = value_and_gradient(name, logits, targets, weight)
            assert [found.dtype for found in expected] == [torch.float32] * 2
            wide = targets.double() if targets is soft else targets
            for kind in (torch.double, torch.long, torch.half):
                found = value_and_gradient(name, logits, wide, weight.to(kind))
                torch.testing.assert_close(found, expected)

    def test_labels_are_whole_numbers_of_any_size(self, name):
        logits, labels = torch.randn(6, 3), torch.arange(6) % 3
        expected = value_and_gradient(name, logits, labels)
        for kind in (torch.int32, torch.int16, torch.int8, torch.uint8):
            torch.testing.assert_close(value_and_gradient(name, logits, labels.to(kind)), expected, rtol=0, atol=0)

    def test_logits_of_half_precision_are_those_of_float32(self, name):
        labels = torch.arange(6) % 3
        for kind in (torch.half, torch.bfloat16):
            logits = torch.randn(6, 3).to(kind)
            value, gradient = value_and_gradient(name, logits, labels)
            expected, exact = value_and_gradient(name, logits.float(), labels)
            assert torch.equal(value, expected) and torch.equal(gradient, exact.to(kind))

    def test_nothing_that_is_given_is_changed(self, name):
        for n_classes in (3, 40):  # from 32 on a softmax is computed in another way
            labels, soft = torch.arange(6) % 3, torch.rand(6, n_classes).softmax(-1)
            for targets in (labels, soft):
                given = torch.randn(6, n_classes), targets, torch.arange(6.0)
                before = [tensor.clone() for tensor in given]
                value_and_gradient(name, *given)
                of_kind(name).value_and_derivative(*given)
                of_kind(name).eval()(*given)
                assert all(map(torch.equal, given, before))


@pytest.mark.parametrize("weight", WRONG_WEIGHTS.values(), ids=list(WRONG_WEIGHTS))
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_weights_that_are_not_one_a_sample_are_refused(name, weight, mode):
    criterion = of_kind(name)
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


@pytest.mark.parametrize("name", ROW_CRITERIA)
def test_row_numbers_may_be_a_list_an_array_or_short(name):
    logits, labels = torch.randn(6, 3), torch.arange(6) % 3
    order = [4, 2, 0, 5, 1, 3]
    expected = value_and_gradient(name, logits, labels, indices=torch.tensor(order))
    for indices in (order, np.array(order), torch.tensor(order, dtype=torch.int32)):
        torch.testing.assert_close(value_and_gradient(name, logits, labels, indices=indices), expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", [*ROW_CRITERIA, *BATCH_CRITERIA])
def test_criteria_refuse_an_unknown_hyper_parameter_by_name(name):
    with pytest.raises(TypeError, match=f"{name} has no such hyper-parameter, got 'gama'; the nearest are"):
        make_criterion(name, gama=1.0)


def test_a_row_of_weight_zero_may_have_an_infinite_value():
    values = torch.tensor([torch.inf, 1.0, 3.0])
    criterion = PerExampleLoss(lambda logits, targets: values)
    logits, labels = torch.zeros(3, 2), torch.zeros(3, dtype=torch.long)
    assert criterion(logits, labels, torch.tensor([0.0, 1.0, 3.0])).item() == 2.5


@pytest.mark.parametrize(
    ("values", "got"),
    [
        (lambda logits: logits.argmax(-1), r"torch\.int64"),
        (lambda logits: logits.argmax(-1) > 0, r"torch\.bool"),
        (lambda logits: logits.sum(-1) + 0j, r"torch\.complex64"),
        (lambda logits: logits.detach().numpy().sum(-1), "ndarray"),
        (lambda logits: logits.detach().sum(-1), "values that no logits lead to"),
    ],
)
def test_values_without_a_derivative_are_refused(values, got):
    criterion = PerExampleLoss(lambda logits, targets: values(logits))
    logits = torch.zeros(3, 2, requires_grad=True)
    with pytest.raises(ValueError, match=rf"loss must return .*, got {got}"):
        criterion(logits, torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize("name", ROW_CRITERIA)
def test_the_mean_of_no_rows_is_no_number(name):
    """As that of torch's losses."""
    criterion = make_criterion(name)
    criterion.prepare(5, 3)
    nobody = torch.zeros(0, dtype=torch.long)
    assert criterion(torch.zeros(0, 3, requires_grad=True), nobody, indices=nobody).isnan()


def test_values_need_no_derivative_where_torch_keeps_none():
    logits, labels = torch.zeros(3, 2, requires_grad=True), torch.zeros(3, dtype=torch.long)
    with torch.no_grad():
        torch.testing.assert_close(PerExampleLoss("mae")(logits, labels), torch.tensor(0.5))


def test_capitals_do_not_hide_the_nearest_name():
    with pytest.raises(ValueError, match="got 'GCE'; the nearest are 'gce'"):
        PerExampleLoss("GCE")


@pytest.mark.parametrize("result", [torch.tensor(1.0), torch.ones(3, 1), torch.ones(2), 1.0], ids=str)
def test_a_function_that_gives_no_value_for_each_row_is_refused(result):
    criterion = PerExampleLoss(lambda logits, targets: result)
    with pytest.raises(ValueError, match=r"loss must return one value per example, a tensor of shape \(3,\)"):
        criterion(torch.zeros(3, 2), torch.zeros(3, dtype=torch.long))
