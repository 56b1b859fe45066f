"""Laws that every loss of the registry obeys."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import sklabelnoise
from sklabelnoise import RobustLossClassifier, losses
from sklabelnoise.losses import BATCH_CRITERIA, NAMES, ROW_CRITERIA, PerExampleLoss, emphasis_of, hyper_parameters
from sklabelnoise.losses._declare import Integers, Interval

N_CLASSES = 4
MATRIX = torch.tensor(
    [[0.7, 0.1, 0.1, 0.1], [0.0, 0.8, 0.2, 0.0], [0.3, 0.0, 0.6, 0.1], [0.05, 0.05, 0.1, 0.8]], dtype=torch.double
)
# What has no default is given here.
NEEDED = {"forward": {"transition_matrix": MATRIX}, "backward": {"transition_matrix": MATRIX}}
# Losses whose hyper-parameters say which class is which.
NOT_SYMMETRIC = set(NEEDED)
SEES_LABEL_ALONE = {
    *("cross_entropy", "mae", "mse", "gce", "rce", "sce", "focal", "taylor_ce", "js"),
    *("agce", "aue", "ael", "forward_symmetric", "nmae", "nrce"),
}

every_loss = pytest.mark.parametrize("name", sorted(NAMES))


def call(name, logits, targets, **hyper):
    return NAMES[name](logits, targets, **{**NEEDED.get(name, {}), **hyper})


def batch(dtype=torch.double, n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    return logits.to(dtype), torch.randint(0, N_CLASSES, (n,), generator=generator)


def derivative(name, logits, targets, **hyper):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(call(name, logits, targets, **hyper).sum(), logits)[0]


def other_values(name):
    """Two admissible values for every hyper-parameter that may be a tensor."""
    pairs = {}
    for key, (default, domain) in hyper_parameters(name).items():
        if isinstance(default, float):
            second = default * 0.8 if default else 0.5
            pairs[key] = [default, second if second in domain else default * 1.2]
    return pairs


def step(criterion, logits, targets, weight, **row_numbers):
    criterion(logits.detach().requires_grad_(), targets, weight, **row_numbers).backward()


class HostTraffic(TorchDispatchMode):
    """Fails at what would copy from the host to an accelerator, or wait for it."""

    # a tensor made from host data, a value read, shapes that depend on values
    FORBIDDEN = ("aten.lift_fresh", "aten._local_scalar_dense", "aten.nonzero", "aten.masked_select", "aten.item")

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert not str(function).startswith(self.FORBIDDEN), f"{function} on a batch"
        if str(function).startswith("aten.index"):
            assert all(i is None or i.dtype != torch.bool for i in args[1]), "rows chosen by a mask"
        return function(*args, **(kwargs or {}))


def test_host_traffic_is_noticed():
    for forbidden in (
        lambda: torch.tensor(0.5),
        lambda: torch.ones(3)[0].item(),
        lambda: torch.ones(2)[torch.ones(2) > 0],
    ):
        with pytest.raises(AssertionError, match=r"on a batch|by a mask"), HostTraffic():
            forbidden()


@every_loss
class TestEveryLoss:
    def test_gives_one_value_per_example(self, name):
        logits, labels = batch()
        values = call(name, logits, labels)
        assert values.shape == labels.shape
        assert values.dtype == logits.dtype

    def test_derivative_matches_finite_differences(self, name):
        logits, labels = batch()
        assert torch.autograd.gradcheck(lambda z: call(name, z, labels), logits.requires_grad_())

    def test_derivative_of_soft_targets_matches_finite_differences(self, name):
        logits, _ = batch(n=5)
        soft = torch.rand(5, N_CLASSES, dtype=torch.double, generator=torch.Generator().manual_seed(1)).softmax(-1)
        assert torch.autograd.gradcheck(lambda z: call(name, z, soft), logits.requires_grad_())

    def test_second_derivative_matches_finite_differences(self, name):
        logits, labels = batch(n=2)
        logits.requires_grad_()
        soft = torch.rand(2, N_CLASSES, dtype=torch.double, generator=torch.Generator().manual_seed(1)).softmax(-1)
        for targets in (labels, soft):
            assert torch.autograd.gradgradcheck(lambda z, targets=targets: call(name, z, targets), logits)

    def test_a_second_backward_pass_gives_the_same(self, name):
        logits, labels = batch()
        logits.requires_grad_()
        for targets in (labels, logits.detach().softmax(-1)):
            loss = call(name, logits, targets).sum()
            first, again, differentiable = (
                torch.autograd.grad(loss, logits, retain_graph=True, create_graph=create_graph)[0]
                for create_graph in (False, False, True)
            )
            assert torch.equal(again, first)
            torch.testing.assert_close(differentiable, first)

    def test_a_batch_copies_nothing_from_the_host_and_waits_for_nothing(self, name):
        logits, labels = batch(torch.float32)
        criterion = PerExampleLoss(name, **NEEDED.get(name, {}))
        weight = torch.rand(len(labels))
        for targets in (labels, logits.softmax(-1)):
            step(criterion, logits, targets, weight)  # a matrix is moved and inverted once
            with HostTraffic():
                step(criterion, logits, targets, weight)
                step(criterion, logits, targets, None)

    def test_derivative_sums_to_zero_over_classes(self, name):
        total = derivative(name, *batch()).sum(-1)
        # softmax does not see a shift; twenty terms of order one in float64
        torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-12, rtol=0)

    def test_permuting_examples_permutes_values(self, name):
        logits, labels = batch()
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(2))
        torch.testing.assert_close(call(name, logits[order], labels[order]), call(name, logits, labels)[order])

    def test_permuting_classes_changes_nothing(self, name):
        if name in NOT_SYMMETRIC:
            pytest.skip("its matrix says which class is which")
        logits, labels = batch()
        order = torch.tensor([2, 0, 3, 1])
        permuted = call(name, logits[:, order], order.argsort()[labels])
        torch.testing.assert_close(permuted, call(name, logits, labels))

    def test_one_hot_targets_equal_labels(self, name):
        logits, labels = batch()
        one_hot = torch.nn.functional.one_hot(labels, N_CLASSES).double()
        torch.testing.assert_close(call(name, logits, one_hot), call(name, logits, labels))
        torch.testing.assert_close(derivative(name, logits, one_hot), derivative(name, logits, labels))

    def test_is_linear_in_soft_targets(self, name):
        logits, labels = batch()
        eye = torch.eye(N_CLASSES, dtype=torch.double)
        soft = torch.rand(len(labels), N_CLASSES, dtype=torch.double, generator=torch.Generator().manual_seed(3))
        soft /= soft.sum(-1, keepdim=True)
        by_label = torch.stack([call(name, logits, eye[k].expand_as(logits)) for k in range(N_CLASSES)], -1)
        torch.testing.assert_close(call(name, logits, soft), (soft * by_label).sum(-1))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_extreme_logits_stay_finite(self, name, dtype):
        grid = torch.tensor([-1e4, 0.0, 17.0, 1e4], dtype=dtype)
        logits = torch.cartesian_prod(grid, grid, grid, grid).requires_grad_()
        for label in range(N_CLASSES):
            labels = torch.full((len(logits),), label)
            soft = torch.full_like(logits, 0.1).scatter(1, labels[:, None], 0.7).detach()
            for targets in (labels, soft):
                values = call(name, logits, targets)
                (gradient,) = torch.autograd.grad(values.sum(), logits)
                assert values.isfinite().all()
                assert gradient.isfinite().all()

    def test_float32_agrees_with_float64(self, name):
        logits, labels = batch()
        exact = derivative(name, logits.float().double(), labels)
        # a handful of float32 roundings of quantities of the derivative's size
        scale = exact.abs().max().item()
        rounded = derivative(name, logits.float(), labels).double()
        torch.testing.assert_close(rounded, exact, atol=2e-6 * scale, rtol=0)

    def test_half_precision_is_computed_in_float32(self, name):
        logits, labels = batch(torch.bfloat16)
        values = call(name, logits, labels)
        assert values.dtype == torch.float32
        torch.testing.assert_close(values, call(name, logits.float(), labels))

    def test_autocast_changes_nothing(self, name):
        logits, labels = batch(torch.float32)
        soft = logits.softmax(-1)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            under = call(name, logits, labels), call(name, logits, soft)
        torch.testing.assert_close(under, (call(name, logits, labels), call(name, logits, soft)))

    def test_replicas_equal_a_loop(self, name):
        pairs = other_values(name)
        first, second = batch(seed=4), batch(seed=5)
        logits, labels = (torch.stack(pair) for pair in zip(first, second, strict=True))
        hyper = {key: torch.tensor(values, dtype=torch.double) for key, values in pairs.items()}
        together = call(name, logits, labels, **hyper)
        soft_together = call(name, logits, logits.softmax(-1), **hyper)
        for r, (z, y) in enumerate((first, second)):
            one = {key: values[r] for key, values in pairs.items()}
            torch.testing.assert_close(together[r], call(name, z, y, **one))
            torch.testing.assert_close(soft_together[r], call(name, z, z.softmax(-1), **one))

    def test_two_replica_dimensions_equal_a_loop(self, name):
        pairs = other_values(name)
        logits, labels = batch(n=18)
        logits, labels = logits.view(2, 3, 3, N_CLASSES), labels.view(2, 3, 3)
        # folds share their hyper-parameters: shape (3,) broadcasts over (2, 3)
        hyper = {key: torch.tensor([a, b, a], dtype=torch.double) for key, (a, b) in pairs.items()}
        together = call(name, logits, labels, **hyper)
        for i in range(2):
            for j in range(3):
                one = {key: value[j].item() for key, value in hyper.items()}
                torch.testing.assert_close(together[i, j], call(name, logits[i, j], labels[i, j], **one))

    def test_labels_broadcast_over_replicas(self, name):
        logits, labels = batch()
        stacked = torch.stack([logits, logits.flip(0)])
        torch.testing.assert_close(call(name, stacked, labels)[1], call(name, logits.flip(0), labels))

    def test_vmap_equals_a_loop(self, name):
        pairs = other_values(name)
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=6), batch(seed=7), strict=True))
        hyper = {key: torch.tensor(values, dtype=torch.double) for key, values in pairs.items()}

        def objective(z, y, hyper):
            return call(name, z, y, **hyper).sum()

        gradients = torch.vmap(torch.func.grad(objective))(logits, labels, hyper)
        for r in range(2):
            one = {key: values[r] for key, values in pairs.items()}
            torch.testing.assert_close(gradients[r], derivative(name, logits[r], labels[r], **one))

    def test_module_equals_function(self, name):
        logits, labels = batch()
        values = call(name, logits, labels)
        weight = torch.arange(12, dtype=torch.double)
        for reduction, expected in (
            ("none", values * weight),
            ("sum", (values * weight).sum()),
            ("mean", (values * weight).sum() / weight.sum()),
        ):
            criterion = PerExampleLoss(name, reduction, **NEEDED.get(name, {}))
            torch.testing.assert_close(criterion(logits, labels, weight), expected)

    def test_integer_weights_equal_repetition(self, name):
        logits, labels = batch()
        weight = torch.arange(12) % 3
        criterion = PerExampleLoss(name, **NEEDED.get(name, {}))
        repeated = criterion(logits.repeat_interleave(weight, 0), labels.repeat_interleave(weight, 0))
        torch.testing.assert_close(criterion(logits, labels, weight), repeated)

    def test_module_is_plain_cross_entropy_in_evaluation(self, name):
        logits, labels = batch()
        criterion = PerExampleLoss(name, **NEEDED.get(name, {})).eval()
        torch.testing.assert_close(criterion(logits, labels), torch.nn.functional.cross_entropy(logits, labels))

    def test_module_survives_copying_and_pickling(self, name):
        logits, labels = batch()
        criterion = PerExampleLoss(name, **NEEDED.get(name, {}))
        for again in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
            torch.testing.assert_close(again(logits, labels), criterion(logits, labels))

    def test_emphasis_is_the_norm_of_the_derivative(self, name):
        p = torch.tensor([1e-6, 0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999, 1 - 1e-6], dtype=torch.double)
        rest = torch.rand(len(p), N_CLASSES - 1, dtype=torch.double, generator=torch.Generator().manual_seed(8))
        if name not in SEES_LABEL_ALONE:
            rest = torch.ones_like(rest)
        rest = rest / rest.sum(-1, keepdim=True) * (1 - p[:, None])
        logits = torch.cat([p[:, None], rest], -1).log()
        labels = torch.zeros(len(p), dtype=torch.long)
        if name in NOT_SYMMETRIC:
            with pytest.raises(ValueError, match="must have a weight that depends on the label's probability alone"):
                emphasis_of(name, p, n_classes=N_CLASSES, **NEEDED[name])
            return
        for hyper in ({}, {key: values[1] for key, values in other_values(name).items()}):
            expected = derivative(name, logits, labels, **hyper).abs().sum(-1)
            weight = emphasis_of(name, p, n_classes=N_CLASSES, **hyper)
            # closed forms, but for a few subtractions
            torch.testing.assert_close(weight, expected, rtol=1e-9, atol=1e-12)

    def test_emphasis_of_replicas_equals_a_loop(self, name):
        if name in NOT_SYMMETRIC:
            pytest.skip("it has no emphasis")
        p = torch.rand(2, 5, dtype=torch.double, generator=torch.Generator().manual_seed(9))
        pairs = other_values(name)
        hyper = {key: torch.tensor(values, dtype=torch.double) for key, values in pairs.items()}
        together = emphasis_of(name, p, n_classes=N_CLASSES, **hyper)
        for r in range(2):
            one = {key: values[r] for key, values in pairs.items()}
            torch.testing.assert_close(together[r], emphasis_of(name, p[r], n_classes=N_CLASSES, **one))

    def test_nothing_that_is_given_is_changed(self, name):
        logits, labels = batch()
        for targets in (labels, logits.softmax(-1)):
            given = logits.clone(), targets.clone()
            call(name, *given)
            assert torch.equal(given[0], logits) and torch.equal(given[1], targets)

    def test_emphasis_is_finite_at_the_ends(self, name):
        if name in NOT_SYMMETRIC:
            pytest.skip("it has no emphasis")
        for dtype in (torch.float32, torch.float64):
            weight = emphasis_of(name, torch.tensor([0.0, 0.5, 1.0], dtype=dtype), n_classes=10)
            assert weight.dtype == dtype
            assert weight.isfinite().all()
            assert (weight >= 0).all()

    def test_unknown_hyper_parameters_are_refused(self, name):
        with pytest.raises(TypeError, match=f"{name} has no such hyper-parameter, got 'gama'"):
            PerExampleLoss(name, gama=1.0)

    def test_an_unknown_keyword_is_refused_by_the_function_too(self, name):
        with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'gama'"):
            call(name, *batch(), gama=1.0)

    def test_the_ends_that_belong_to_a_domain_can_be_computed_with(self, name):
        logits, labels = batch()
        logits.requires_grad_()
        for key, (_, domain) in hyper_parameters(name).items():
            for end in (getattr(domain, "low", math.nan), getattr(domain, "high", math.nan)):
                if end not in domain:
                    continue
                for targets in (labels, logits.detach().softmax(-1)):
                    values = call(name, logits, targets, **{key: end})
                    (gradient,) = torch.autograd.grad(values.sum(), logits)
                    assert values.isfinite().all() and gradient.isfinite().all(), key

    def test_numbers_of_numpy_are_numbers_and_truth_is_none(self, name):
        logits, labels = batch()
        for key, (default, domain) in hyper_parameters(name).items():
            if isinstance(domain, Interval | Integers):
                whole = isinstance(domain, Integers)
                for kind in (np.int64, np.int32) if whole else (np.float64, np.float32):
                    expected = call(name, logits, labels, **{key: default})
                    # np.float32 rounds the value itself
                    torch.testing.assert_close(
                        call(name, logits, labels, **{key: kind(default)}), expected, rtol=1e-5, atol=1e-7
                    )
                with pytest.raises(ValueError, match=f"'{key}' of {name} must be .*, got True"):
                    call(name, logits, labels, **{key: True})

    def test_values_outside_their_domain_are_refused(self, name):
        logits, labels = batch()
        for key, (_, domain) in hyper_parameters(name).items():
            assert domain is not None
            for bad in (math.nan, "a", None, math.inf):
                with pytest.raises(ValueError, match=f"'{key}' of {name} must be"):
                    call(name, logits, labels, **{key: bad})
                with pytest.raises(ValueError, match=f"'{key}' of {name} must be"):
                    PerExampleLoss(name, **{**NEEDED.get(name, {}), key: bad})

    def test_docstring_names_every_hyper_parameter(self, name):
        text = text_of(name).split("Parameters\n----------\n")[1].split("Returns\n-------")[0]
        heads = [line.split(" : ")[0].split(", ") for line in text.splitlines() if " : " in line and line[0] != " "]
        assert [one for head in heads for one in head] == ["logits", "targets", *hyper_parameters(name)]
        assert r"\frac{\partial \ell}{\partial z}" in NAMES[name].__doc__


def text_of(name):
    return inspect.getdoc(NAMES[name])


def test_every_name_is_a_public_function_of_that_name():
    for name, function in NAMES.items():
        assert getattr(losses, name) is function
        assert name in losses.__all__


def test_unknown_name_lists_the_nearest():
    with pytest.raises(ValueError, match=r"got 'gec'; the nearest are .*'gce'"):
        losses.get_loss("gec")
    with pytest.raises(ValueError, match=r"got 'truncated_gc'; the nearest are 'truncated_gce'"):
        losses.make_criterion("truncated_gc")
    with pytest.raises(ValueError, match="got None"):
        losses.get_loss(None)


def test_a_name_like_no_other_lists_them_all():
    with pytest.raises(ValueError) as error:
        losses.get_loss("???")
    assert all(repr(name) in str(error.value) for name in (*NAMES, *ROW_CRITERIA, *BATCH_CRITERIA))


@pytest.mark.parametrize("loss", [losses.DMLoss, losses.ELRLoss, losses.ELRLoss(), PerExampleLoss])
def test_a_class_or_a_criterion_of_rows_is_no_function_of_logits_and_targets(loss):
    for use in (losses.get_loss, PerExampleLoss, hyper_parameters):
        with pytest.raises(TypeError, match="loss must be a name or a function of logits and targets"):
            use(loss)


def test_hyper_parameters_are_told_not_handed_over():
    for name in (*NAMES, *ROW_CRITERIA):
        told = hyper_parameters(name)
        told.clear()
        told["other"] = None
        assert "other" not in hyper_parameters(name)


@pytest.mark.parametrize(
    ("name", "criterion", "classifier"),
    [
        ("dm", "DMLoss", "DMClassifier"),
        ("derivative_manipulation", "DMLoss", "DMClassifier"),
        ("proselflc", "ProSelfLCLoss", "ProSelfLCClassifier"),
    ],
)
def test_the_core_methods_are_led_to_their_classes(name, criterion, classifier):
    message = f"got '{name}'; that is losses.{criterion}, which {classifier} trains with"
    with pytest.raises(ValueError, match=message):
        losses.make_criterion(name)
    with pytest.raises(ValueError, match=message):
        RobustLossClassifier(loss=name).fit([[0.0], [1.0]], [0, 1])
    assert hasattr(losses, criterion) and hasattr(sklabelnoise, classifier)


def test_row_criteria_are_no_functions_of_a_batch():
    with pytest.raises(ValueError, match=r"got 'elr', which remembers every training row.*use ELRLoss or make_"):
        PerExampleLoss("elr")


def test_missing_matrix_is_named():
    with pytest.raises(TypeError, match="forward needs the hyper-parameter 'transition_matrix'"):
        PerExampleLoss("forward")


@every_loss
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint64, np.float32])
def test_numbers_of_numpy_mean_what_those_of_python_mean(name, kind):
    # minus an unsigned one is another number: `-beta` of sce with np.uint8(2) was 254
    logits, labels = batch()
    for key, (_, domain) in hyper_parameters(name).items():
        if not isinstance(domain, Interval | Integers):
            continue
        for number in (1, 2, 100, -4):
            if number not in domain or (number < 0 and kind in (np.uint8, np.uint64)):
                continue
            if isinstance(domain, Integers) and kind is np.float32:
                continue
            given, plain = {key: kind(number)}, {key: number}
            assert torch.equal(call(name, logits, labels, **given), call(name, logits, labels, **plain))
            criterion = losses.make_criterion(name, **NEEDED.get(name, {}), **given)
            expected = losses.make_criterion(name, **NEEDED.get(name, {}), **plain)
            assert torch.equal(criterion(logits, labels), expected(logits, labels))
            if getattr(NAMES[name], "emphasis", None) is not None:
                p = torch.linspace(0.1, 0.9, 5)
                kwargs = {**NEEDED.get(name, {}), "n_classes": np.uint8(N_CLASSES)}
                weight = emphasis_of(name, p, **kwargs, **given)
                assert torch.equal(weight, emphasis_of(name, p, **{**kwargs, "n_classes": N_CLASSES}, **plain))


def test_nearest_hyper_parameter_is_named():
    with pytest.raises(TypeError, match="focal has no such hyper-parameter, got 'gamm'; the nearest are 'gamma'"):
        PerExampleLoss("focal", gamm=1.0)


def test_tensors_are_looked_into_when_a_module_is_built():
    with pytest.raises(ValueError, match=r"'q' of gce must be a number in \(0, 1\], got -1.0"):
        PerExampleLoss("gce", q=torch.tensor([0.5, -1.0]))


def test_callable_serves_as_a_loss():
    logits, labels = batch()

    def doubled(logits, targets, *, factor=2.0):
        return factor * losses.mae(logits, targets)

    criterion = PerExampleLoss(doubled, factor=3.0)
    torch.testing.assert_close(criterion(logits, labels), 3 * losses.mae(logits, labels).mean())
    assert hyper_parameters(doubled) == {"factor": (2.0, None)}


def test_unknown_reduction_is_refused():
    with pytest.raises(ValueError, match=r"reduction must be one of \('mean', 'sum', 'none'\), got 'avg'"):
        PerExampleLoss("mae", "avg")


def test_emphasis_needs_the_number_of_classes_where_it_enters():
    with pytest.raises(ValueError, match="n_classes must be given, as the weight of 'nce' depends on it"):
        emphasis_of("nce", torch.tensor([0.5]))
    with pytest.raises(ValueError, match="n_classes must be an integer of at least 2, got 1"):
        emphasis_of("nce", torch.tensor([0.5]), n_classes=1)


def test_weights_of_zero_give_zero_not_nan():
    logits, labels = batch()
    logits.requires_grad_()
    value = PerExampleLoss("gce")(logits, labels, torch.zeros(12))
    value.backward()
    assert value == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.zeros(5, dtype=torch.long), r"labels \(integers\) must have shape \(12,\).*got shape \(5,\)"),
        (torch.rand(12, 3), r"soft targets \(floating point\) must have shape \(12, 4\).*got shape \(12, 3\)"),
    ],
)
def test_targets_of_another_shape_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        losses.gce(batch()[0], targets)


def test_row_criteria_have_the_protocol():
    for criterion in ROW_CRITERIA.values():
        assert criterion.needs_indices
        assert callable(criterion.prepare)


@pytest.mark.parametrize("name", BATCH_CRITERIA)
def test_losses_of_a_batch_copy_nothing_from_the_host_and_wait_for_nothing(name):
    logits, labels = batch(torch.float32)
    criterion = losses.make_criterion(name)
    for targets in (labels, logits.softmax(-1)):
        with HostTraffic():
            step(criterion, logits, targets, None)
            step(criterion, logits, targets, torch.rand(len(labels)))


@pytest.mark.parametrize("name", [*ROW_CRITERIA, *BATCH_CRITERIA])
def test_criteria_name_every_hyper_parameter(name):
    text = inspect.getdoc(type(losses.make_criterion(name))).split("Parameters\n----------\n")[1].split("\n\n")[0]
    heads = [line.split(" : ")[0].split(", ") for line in text.splitlines() if " : " in line and line[0] != " "]
    assert [one for head in heads for one in head] == list(hyper_parameters(name))


@pytest.mark.parametrize("name", [*ROW_CRITERIA, *BATCH_CRITERIA])
def test_criteria_declare_the_defaults_that_they_have(name):
    parameters = inspect.signature(type(losses.make_criterion(name))).parameters
    declared = {key: default for key, (default, _) in hyper_parameters(name).items()}
    assert {key: p.default for key, p in parameters.items()} == declared
    assert {key: getattr(losses.make_criterion(name), key) for key in declared} == declared


@pytest.mark.parametrize("name", [*ROW_CRITERIA, *BATCH_CRITERIA])
def test_criteria_keep_numbers_of_numpy_as_those_of_python(name):
    given = {key: np.asarray(default)[()] for key, (default, _) in hyper_parameters(name).items()}
    criterion = losses.make_criterion(name, **given)
    assert {key: type(getattr(criterion, key)) for key in given} == {key: type(n.item()) for key, n in given.items()}


@pytest.mark.parametrize("name", ROW_CRITERIA)
def test_row_criteria_copy_nothing_from_the_host_and_wait_for_nothing(name):
    logits, labels = batch(torch.float32)
    criterion = losses.make_criterion(name)
    criterion.prepare(len(labels), N_CLASSES)
    indices = torch.arange(len(labels))
    for targets in (labels, logits.softmax(-1)):
        with HostTraffic():
            criterion.progress = 0.4
            step(criterion, logits, targets, None, indices=indices)
            step(criterion, logits, targets, torch.rand(len(labels)), indices=indices)


def test_a_pickle_of_version_0_1_finds_its_loss():
    for module, name in (("_brier", "brier"), ("_negative", "negative_learning"), ("_active_passive", "nce_mae")):
        assert pickle.loads(f"csklabelnoise.losses.{module}\n{name}\n.".encode()) is getattr(losses, name)


@every_loss
def test_what_is_no_tensor_of_numbers_is_refused_by_name(name):
    logits, labels = batch()
    with pytest.raises(TypeError, match="targets must be a tensor, got ndarray"):
        call(name, logits, labels.numpy())
    with pytest.raises(TypeError, match="logits must be a tensor, got ndarray"):
        call(name, logits.numpy(), labels)
    with pytest.raises(TypeError, match=r"logits must be a tensor of floating point numbers, got torch\.int64"):
        call(name, logits.long(), labels)
