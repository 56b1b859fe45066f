"""ProSelfLC: trust, corrected targets, gradients with and without the graph through the target."""

import copy
import math
import pickle

import pytest
import torch

from sklabelnoise.losses import (
    ProSelfLCLoss,
    corrected_targets,
    cross_entropy,
    global_trust,
    local_trust,
    proselflc,
    soft_bootstrapping,
)

N_CLASSES = 6
every_kind = pytest.mark.parametrize("kind", ["entropy", "max", "none"])


def batch(n=12, dtype=torch.double, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    return logits.to(dtype), torch.randint(0, N_CLASSES, (n,), generator=generator)


def gradient(logits, targets, **options):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(proselflc(logits, targets, **options).sum(), logits)[0]


def parts(logits, labels, temperature=1.0):
    """Probabilities, their logarithm and entropy, the one-hot labels and the tempered probabilities."""
    log_p = logits.log_softmax(-1)
    p = log_p.exp()
    entropy = -(p * log_p).sum(-1, keepdim=True)
    q = torch.nn.functional.one_hot(labels, N_CLASSES).double()
    return p, log_p, entropy, q, (logits / temperature).softmax(-1)


class TestGlobalTrust:
    def test_is_one_half_at_the_midpoint(self):
        for midpoint in (0.3, 0.5, 0.7):
            assert global_trust(midpoint, midpoint=midpoint, slope=16.0) == 0.5

    def test_has_the_values_of_the_logistic_function(self):
        # 1 / (1 + exp(5)) and 1 / (1 + exp(-5)), for the slope of 10
        assert global_trust(0.0) == pytest.approx(0.0066928509, rel=1e-8)
        assert global_trust(1.0) == pytest.approx(0.9933071491, rel=1e-8)
        assert global_trust(0.0, slope=16.0) == pytest.approx(3.353501e-4, rel=1e-6)

    def test_grows_with_progress(self):
        values = [global_trust(t / 100) for t in range(101)]
        assert values == sorted(values)
        assert 0 < values[0] < values[-1] < 1

    def test_tensors_equal_numbers(self):
        t = torch.tensor([0.0, 0.2, 0.9], dtype=torch.double)
        expected = torch.tensor([global_trust(v, slope=12.0, midpoint=0.4) for v in t.tolist()], dtype=torch.double)
        torch.testing.assert_close(global_trust(t, slope=12.0, midpoint=0.4), expected)

    def test_does_not_overflow(self):
        assert global_trust(0.0, slope=1e6) == 0
        assert global_trust(1.0, slope=1e6) == 1


@every_kind
class TestLocalTrust:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_lies_between_zero_and_one(self, kind, dtype):
        grid = torch.tensor([-1e4, 0.0, 1e-7, 1e4], dtype=dtype)
        trust = local_trust(torch.cartesian_prod(grid, grid, grid), kind=kind)
        assert ((trust >= 0) & (trust <= 1)).all()

    def test_is_whole_for_a_certain_prediction_and_least_for_the_uniform_one(self, kind):
        logits = torch.tensor([[100.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
        least = {"entropy": 0.0, "max": 1 / 3, "none": 1.0}[kind]
        torch.testing.assert_close(local_trust(logits, kind=kind), torch.tensor([1.0, least]))

    def test_low_temperature_raises_it(self, kind):
        logits, _ = batch()
        assert (local_trust(logits, kind=kind, temperature=0.5) >= local_trust(logits, kind=kind)).all()


def test_none_means_global_trust_only():
    logits, labels = batch()
    torch.testing.assert_close(local_trust(logits, kind=None), torch.ones(12, dtype=torch.double))
    by_name, by_none = (proselflc(logits, labels, progress=0.7, local_trust=kind) for kind in ("none", None))
    torch.testing.assert_close(by_name, by_none)


@every_kind
@pytest.mark.parametrize("temperature", [1.0, 0.4])
class TestProSelfLC:
    def test_is_cross_entropy_with_corrected_targets(self, kind, temperature):
        logits, labels = batch()
        trust = global_trust(0.6) * local_trust(logits, kind=kind, temperature=temperature)
        corrected = corrected_targets(logits, labels, trust, temperature=temperature)
        torch.testing.assert_close(corrected.sum(-1), torch.ones(12, dtype=torch.double))
        expected = -(corrected * logits.log_softmax(-1)).sum(-1)
        got = proselflc(logits, labels, progress=0.6, local_trust=kind, temperature=temperature)
        torch.testing.assert_close(got, expected)

    def test_is_linear_in_the_given_targets(self, kind, temperature):
        logits, labels = batch()
        options = {"progress": 0.6, "local_trust": kind, "temperature": temperature}
        one_hot = torch.nn.functional.one_hot(labels, N_CLASSES).double()
        torch.testing.assert_close(proselflc(logits, one_hot, **options), proselflc(logits, labels, **options))
        mixed = 0.3 * one_hot + 0.7 * one_hot.flip(0)
        expected = 0.3 * proselflc(logits, one_hot, **options) + 0.7 * proselflc(logits, one_hot.flip(0), **options)
        torch.testing.assert_close(proselflc(logits, mixed, **options), expected)

    def test_derivative_sums_to_zero(self, kind, temperature):
        got = gradient(*batch(), progress=0.6, local_trust=kind, temperature=temperature)
        # a dozen roundings of entries of order one
        torch.testing.assert_close(got.sum(-1), torch.zeros(12, dtype=torch.double), atol=1e-13, rtol=0)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_extreme_logits_stay_finite(self, kind, temperature, dtype):
        grid = torch.tensor([-1e4, 0.0, 1e4], dtype=dtype)
        logits = torch.cartesian_prod(grid, grid, grid).requires_grad_()
        for targets in (torch.zeros(27, dtype=torch.long), torch.full((27, 3), 1 / 3, dtype=dtype)):
            values = proselflc(logits, targets, progress=0.6, local_trust=kind, temperature=temperature)
            (got,) = torch.autograd.grad(values.sum(), logits)
            assert values.isfinite().all()
            assert got.isfinite().all()

    def test_replicas_equal_a_loop(self, kind, temperature):
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=1), batch(seed=2), strict=True))
        hyper = {
            "progress": torch.tensor([0.2, 0.8]),
            "slope": torch.tensor([8.0, 16.0]),
            "midpoint": torch.tensor([0.5, 0.3]),
            "temperature": torch.tensor([temperature, 0.7]),
        }
        together = proselflc(logits, labels, local_trust=kind, **{k: v.double() for k, v in hyper.items()})
        for r in range(2):
            one = {key: value.double()[r].item() for key, value in hyper.items()}
            torch.testing.assert_close(together[r], proselflc(logits[r], labels[r], local_trust=kind, **one))


@every_kind
@pytest.mark.parametrize("progress", [0.1, 0.6, 1.0])
def test_gradient_keeps_the_graph_through_the_target(kind, progress):
    logits, labels = batch()
    p, log_p, entropy, q, _ = parts(logits, labels)
    trust = (global_trust(progress) * local_trust(logits, kind=kind))[:, None]
    expected = (1 - trust) * (p - q) - trust * p * (log_p + entropy)
    torch.testing.assert_close(gradient(logits, labels, progress=progress, local_trust=kind), expected)


@every_kind
def test_gradient_with_a_constant_target_at_low_temperature(kind):
    logits, labels = batch()
    p, _, _, q, p_t = parts(logits, labels, temperature=0.5)
    trust = (global_trust(0.6) * local_trust(logits, kind=kind, temperature=0.5))[:, None]
    expected = (1 - trust) * (p - q) + trust * (p - p_t)
    got = gradient(logits, labels, progress=0.6, local_trust=kind, temperature=0.5, detach_target=True)
    torch.testing.assert_close(got, expected)


def test_constant_target_at_temperature_one_is_weighted_cross_entropy():
    logits, labels = batch()
    p, _, _, q, _ = parts(logits, labels)
    trust = global_trust(0.6) * local_trust(logits)
    z = logits.clone().requires_grad_()
    corrected = corrected_targets(z, labels, trust, detach=True)
    (got,) = torch.autograd.grad(cross_entropy(z, corrected).sum(), z)
    torch.testing.assert_close(got, (1 - trust)[:, None] * (p - q))


@pytest.mark.parametrize("temperature", [1.0, 1, 2.5])
def test_constant_target_at_temperature_one_is_refused(temperature):
    logits, labels = batch()
    message = "needs a temperature below 1, got .* degenerates into weighted cross entropy and corrects no label"
    with pytest.raises(ValueError, match=message):
        proselflc(logits, labels, progress=0.5, temperature=temperature, detach_target=True)
    with pytest.raises(ValueError, match=message):
        ProSelfLCLoss(temperature=temperature, detach_target=True)


def test_no_progress_is_nearly_cross_entropy_and_constant_trust_is_bootstrapping():
    logits, labels = batch()
    start = proselflc(logits, labels, progress=0.0, slope=1e4)
    torch.testing.assert_close(start, cross_entropy(logits, labels))
    middle = proselflc(logits, labels, progress=0.5, local_trust="none")
    torch.testing.assert_close(middle, soft_bootstrapping(logits, labels, beta=0.5))


@every_kind
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_trust_carries_no_gradient(kind, temperature):
    logits, labels = batch()
    z = logits.clone().requires_grad_()
    loss = proselflc(z, labels, progress=0.6, local_trust=kind, temperature=temperature)
    trust = global_trust(0.6) * local_trust(logits, kind=kind, temperature=temperature)
    with_constant_trust = cross_entropy(z, corrected_targets(z, labels, trust, temperature=temperature))
    first, second = (torch.autograd.grad(value.sum(), z)[0] for value in (loss, with_constant_trust))
    torch.testing.assert_close(first, second)


@every_kind
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_trust_in_half_precision_is_computed_in_float32(kind, dtype):
    logits, _ = batch(dtype=dtype)
    trust = local_trust(logits, kind=kind, temperature=0.7)
    torch.testing.assert_close(trust, local_trust(logits.float(), kind=kind, temperature=0.7), rtol=0, atol=0)


def test_vmap_equals_a_loop():
    logits, labels = (torch.stack(pair) for pair in zip(batch(seed=1), batch(seed=2), strict=True))
    slope = torch.tensor([8.0, 16.0], dtype=torch.double)

    def objective(z, y, slope):
        return proselflc(z, y, progress=0.6, slope=slope).sum()

    got = torch.vmap(torch.func.grad(objective))(logits, labels, slope)
    for r in range(2):
        torch.testing.assert_close(got[r], gradient(logits[r], labels[r], progress=0.6, slope=slope[r].item()))


class TestProSelfLCLoss:
    def test_module_equals_function(self):
        logits, labels = batch()
        weight = torch.arange(12, dtype=torch.double)
        options = {"slope": 12.0, "midpoint": 0.4, "temperature": 0.5, "local_trust": "max", "detach_target": True}
        criterion = ProSelfLCLoss(**options)
        criterion.progress = 0.7
        values = proselflc(logits, labels, progress=0.7, **options)
        torch.testing.assert_close(criterion(logits, labels), values.mean())
        torch.testing.assert_close(criterion(logits, labels, weight), (values * weight).sum() / weight.sum())

    def test_evaluation_is_plain_cross_entropy_whatever_the_progress(self):
        logits, labels = batch()
        criterion = ProSelfLCLoss().eval()
        for criterion.progress in (0.0, 1.0):
            torch.testing.assert_close(criterion(logits, labels), torch.nn.functional.cross_entropy(logits, labels))

    def test_integer_weights_equal_repetition(self):
        logits, labels = batch()
        weight = torch.arange(12) % 3
        criterion = ProSelfLCLoss()
        criterion.progress = 0.7
        repeated = criterion(logits.repeat_interleave(weight, 0), labels.repeat_interleave(weight, 0))
        torch.testing.assert_close(criterion(logits, labels, weight), repeated)

    @every_kind
    def test_the_trust_it_tells_is_the_one_it_has(self, kind):
        """Cross entropy is linear in the target, so the loss says how far the prediction is taken for it."""
        logits, labels = batch()
        criterion = ProSelfLCLoss(slope=6.0, midpoint=0.3, temperature=0.4, local_trust=kind)
        progress = torch.full((12,), 0.7, dtype=torch.double)
        criterion.progress = 0.7
        told = criterion.trust(logits, progress)
        each = torch.stack([criterion(logits[i : i + 1], labels[i : i + 1]) for i in range(12)])
        given = cross_entropy(logits, labels)
        corrected = -((logits / 0.4).softmax(-1) * logits.log_softmax(-1)).sum(-1)
        torch.testing.assert_close(told, (each - given) / (corrected - given))

    def test_starts_without_trust(self):
        assert ProSelfLCLoss().progress == 0

    def test_survives_copying_and_pickling(self):
        logits, labels = batch()
        criterion = ProSelfLCLoss(slope=12.0)
        criterion.progress = 0.7
        for again in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
            torch.testing.assert_close(again(logits, labels), criterion(logits, labels))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"slope": 0.0}, r"'slope' of ProSelfLCLoss must be a number in \(0, inf\), got 0.0"),
            ({"midpoint": math.nan}, "'midpoint' of ProSelfLCLoss must be a number in"),
            ({"temperature": -1.0}, "'temperature' of ProSelfLCLoss must be a number in"),
            ({"local_trust": "maximum"}, r"local_trust must be one of \('entropy', 'max', 'none'\) or None"),
        ],
    )
    def test_bad_options_are_refused(self, options, message):
        with pytest.raises(ValueError, match=message):
            ProSelfLCLoss(**options)

    def test_half_precision_is_computed_in_float32(self):
        logits, labels = batch(dtype=torch.bfloat16)
        criterion = ProSelfLCLoss()
        criterion.progress = 0.7
        torch.testing.assert_close(criterion(logits, labels), criterion(logits.float(), labels))


def test_progress_outside_its_domain_is_refused():
    logits, labels = batch()
    with pytest.raises(ValueError, match=r"'progress' of proselflc must be a number in \[0, 1\], got 1.5"):
        proselflc(logits, labels, progress=1.5)
