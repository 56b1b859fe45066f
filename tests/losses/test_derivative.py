"""Derivative manipulation: the designed derivative, its criterion and its potential, against closed forms."""

import copy
import math
import pickle
import warnings

import pytest
import torch
from scipy import integrate, special

from sklabelnoise import losses
from sklabelnoise.losses import (
    BetaEmphasis,
    DMEmphasis,
    DMLoss,
    ExponentialEmphasis,
    IMAEEmphasis,
    NormalEmphasis,
    derivative_manipulation,
    potential,
)
from sklabelnoise.losses._weighting import integrate_emphasis

N_CLASSES = 5
EMPHASES = {
    "default": DMEmphasis(0.5, 8.0),
    "harder": DMEmphasis(0.1, 5.0),
    "easier": DMEmphasis(2.0, 24.0),
    "exponential": ExponentialEmphasis(-1.0),
    "normal": NormalEmphasis(0.4, 8.0),
    "beta": BetaEmphasis(1.7, 2.0),
    "imae": IMAEEmphasis(8.0),
    "callable": lambda p: 1 - p,
}
every_emphasis = pytest.mark.parametrize("emphasis", EMPHASES.values(), ids=EMPHASES)
every_normalization = pytest.mark.parametrize("normalization", ["batch", "integral", "none"])
every_damping = pytest.mark.parametrize("damping", [0, 1e-8, 1e-2])


def batch(n=20, n_classes=N_CLASSES, dtype=torch.double, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, n_classes, dtype=torch.double, generator=generator)
    return logits.to(dtype), torch.randint(0, n_classes, (n,), generator=generator)


def soft_batch(n=20, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.rand(n, N_CLASSES, dtype=torch.double, generator=generator)
    return rows / rows.sum(-1, keepdim=True)


def by_definition(logits, labels, emphasis, normalization, damping, sample_weight=None):
    """The contract's equations, in float64 and example by example."""
    s = torch.ones(len(labels), dtype=torch.double) if sample_weight is None else sample_weight.double()
    rows, weights = [], []
    for z, y in zip(logits.double(), labels.tolist(), strict=True):
        p = z.softmax(-1)
        miss = sum(p[j] for j in range(len(p)) if j != y)
        row = p.clone()
        row[y] = -miss
        rows.append(row / (2 * miss + damping))
        weights.append(emphasis(p[y : y + 1])[0])
    rows, weights = torch.stack(rows), torch.stack(weights)
    if normalization == "integral":
        weights = weights / integrate.quad(lambda p: emphasis(torch.tensor([p], dtype=torch.double)).item(), 0, 1)[0]
    total = (s * weights).sum() if normalization == "batch" else s.sum()
    return (s * weights / total)[:, None] * rows


@every_emphasis
@every_normalization
@every_damping
class TestDerivative:
    @pytest.mark.parametrize("n_classes", [2, 5, 40])
    def test_equals_its_definition(self, emphasis, normalization, damping, n_classes):
        logits, labels = batch(n_classes=n_classes)
        weight = torch.rand(20, generator=torch.Generator().manual_seed(1))
        for s in (None, weight):
            got = derivative_manipulation(
                logits, labels, emphasis, normalization=normalization, damping=damping, sample_weight=s
            )
            expected = by_definition(logits, labels, emphasis, normalization, damping, s)
            torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-12)

    def test_float32_agrees_with_float64(self, emphasis, normalization, damping):
        logits, labels = batch(dtype=torch.float32)
        options = {"normalization": normalization, "damping": damping}
        exact = derivative_manipulation(logits.double(), labels, emphasis, **options)
        got = derivative_manipulation(logits, labels, emphasis, **options).double()
        # an exponent of up to 24 carries 24 roundings of float32
        torch.testing.assert_close(got, exact, rtol=1e-5, atol=3e-6 * exact.abs().max().item())

    def test_rows_sum_to_zero_with_the_designed_norm(self, emphasis, normalization, damping):
        logits, labels = batch()
        got = derivative_manipulation(logits, labels, emphasis, normalization=normalization, damping=damping)
        torch.testing.assert_close(got.sum(-1), torch.zeros(20, dtype=torch.double), atol=1e-15, rtol=0)
        p = logits.softmax(-1).gather(-1, labels[:, None]).squeeze(-1)
        fade = 2 * (1 - p) / (2 * (1 - p) + damping)
        share = {
            "none": emphasis(p) / 20,
            "batch": emphasis(p) / emphasis(p).sum(),
            "integral": emphasis(p) / 20 / integrate_emphasis(emphasis),
        }
        torch.testing.assert_close(got.abs().sum(-1), share[normalization] * fade, rtol=1e-9, atol=1e-12)

    def test_one_hot_targets_equal_labels(self, emphasis, normalization, damping):
        logits, labels = batch()
        options = {"normalization": normalization, "damping": damping}
        one_hot = torch.nn.functional.one_hot(labels, N_CLASSES).double()
        expected = derivative_manipulation(logits, labels, emphasis, **options)
        torch.testing.assert_close(derivative_manipulation(logits, one_hot, emphasis, **options), expected)

    def test_soft_targets_equal_rows_repeated_once_per_class(self, emphasis, normalization, damping):
        logits, _ = batch()
        soft, weight = soft_batch(), torch.rand(20, dtype=torch.double, generator=torch.Generator().manual_seed(2))
        got = derivative_manipulation(
            logits, soft, emphasis, normalization=normalization, damping=damping, sample_weight=weight
        )
        repeated = derivative_manipulation(
            logits.repeat_interleave(N_CLASSES, 0),
            torch.arange(N_CLASSES).repeat(20),
            emphasis,
            normalization=normalization,
            damping=damping,
            sample_weight=(weight[:, None] * soft).flatten(),
        )
        torch.testing.assert_close(got, repeated.view(20, N_CLASSES, N_CLASSES).sum(1), rtol=1e-9, atol=1e-12)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_is_finite_and_bounded_at_any_logit_gap(self, emphasis, normalization, damping, dtype):
        grid = torch.tensor([-1e4, -100.0, 0.0, 17.0, 1e4], dtype=dtype)
        logits = torch.cartesian_prod(grid, grid, grid)
        for targets in (torch.zeros(len(logits), dtype=torch.long), torch.tensor([0.7, 0.2, 0.1]).expand_as(logits)):
            got = derivative_manipulation(logits, targets, emphasis, normalization=normalization, damping=damping)
            assert got.isfinite().all()
            # a few roundings of the largest row: the labels of soft targets pull against each other
            largest = got.abs().sum(-1).max()
            assert (got.sum(-1).abs() <= 4 * torch.finfo(dtype).eps * largest).all()

    def test_replicas_equal_a_loop(self, emphasis, normalization, damping):
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=3), batch(seed=4), strict=True))
        options = {"normalization": normalization, "damping": damping}
        weight = torch.rand(2, 20, generator=torch.Generator().manual_seed(5))
        for targets in (labels, torch.stack([soft_batch(seed=6), soft_batch(seed=7)])):
            got = derivative_manipulation(logits, targets, emphasis, sample_weight=weight, **options)
            for r in range(2):
                one = derivative_manipulation(logits[r], targets[r], emphasis, sample_weight=weight[r], **options)
                torch.testing.assert_close(got[r], one)

    def test_integer_weights_equal_repetition(self, emphasis, normalization, damping):
        logits, labels = batch()
        weight = torch.arange(20) % 3
        options = {"normalization": normalization, "damping": damping}
        got = derivative_manipulation(logits, labels, emphasis, sample_weight=weight, **options)
        repeated = derivative_manipulation(
            logits.repeat_interleave(weight, 0), labels.repeat_interleave(weight, 0), emphasis, **options
        )
        summed = torch.zeros_like(got).index_add(0, torch.arange(20).repeat_interleave(weight), repeated)
        torch.testing.assert_close(got, summed)

    def test_weights_of_one_change_nothing_and_of_zero_give_zero(self, emphasis, normalization, damping):
        logits, labels = batch()
        options = {"normalization": normalization, "damping": damping}
        plain = derivative_manipulation(logits, labels, emphasis, **options)
        ones = derivative_manipulation(logits, labels, emphasis, sample_weight=torch.ones(20), **options)
        torch.testing.assert_close(ones, plain)
        for targets in (labels, soft_batch()):
            none = derivative_manipulation(logits, targets, emphasis, sample_weight=torch.zeros(20), **options)
            assert (none == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gap", [0.0, 10.0, 15.0, 17.0, 20.0, 30.0, 100.0, 1e4])
def test_fitted_labels_get_a_bounded_row_where_the_textbook_form_explodes(gap, dtype):
    logits = torch.tensor([[gap, 0.0, 0.0]], dtype=dtype)
    label, emphasis = torch.tensor([0]), DMEmphasis(0.5, 8.0)
    exact = derivative_manipulation(logits, label, emphasis, normalization="none", damping=0)
    miss = torch.sigmoid(torch.tensor(math.log(2) - gap, dtype=torch.double))
    miss = miss.item()
    w = math.exp(8 * math.sqrt(1 - miss) * miss)
    torch.testing.assert_close(exact.double(), w / 2 * torch.tensor([[-1.0, 0.5, 0.5]]).double(), rtol=1e-6, atol=0)
    damped = derivative_manipulation(logits, label, emphasis, normalization="none", damping=1e-8)
    assert damped.abs().sum().item() == pytest.approx(w * 2 * miss / (2 * miss + 1e-8), rel=1e-5)


def test_textbook_form_in_float32_is_what_we_avoid():
    p = torch.tensor([[17.0, 0.0, 0.0]]).softmax(-1)
    textbook = (p - torch.tensor([[1.0, 0.0, 0.0]])) / (2 * (1 - p[0, 0]) + 1e-8)
    assert textbook.abs().sum() > 5  # the norm should be one
    assert textbook.sum() > 5  # and the sum zero


def test_undamped_direction_is_that_of_the_other_classes():
    logits, labels = batch()
    got = derivative_manipulation(logits, labels, DMEmphasis(0.5, 8.0), normalization="none", damping=0) * 20
    w = DMEmphasis(0.5, 8.0)(logits.softmax(-1).gather(-1, labels[:, None]))
    others = logits.scatter(-1, labels[:, None], -torch.inf).softmax(-1)
    torch.testing.assert_close(got, w / 2 * others.scatter(-1, labels[:, None], -1.0), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("damping", [0, 1e-8])
def test_a_designed_derivative_is_no_part_of_a_graph(damping):
    logits, labels = batch()
    for targets in (labels, soft_batch()):
        leaf = logits.clone().requires_grad_()
        got = derivative_manipulation(leaf, targets, DMEmphasis(), damping=damping)
        assert not got.requires_grad
        with torch.no_grad():
            got.mul_(2)  # it is the caller's own
        assert torch.equal(leaf, logits)


@every_normalization
def test_dm_with_lam_one_is_imae_and_the_centered_normal(normalization):
    logits, labels = batch()
    dm = derivative_manipulation(logits, labels, DMEmphasis(1.0, 8.0), normalization=normalization)
    for same in (IMAEEmphasis(8.0), NormalEmphasis(0.5, 8.0)):
        torch.testing.assert_close(derivative_manipulation(logits, labels, same, normalization=normalization), dm)


@pytest.mark.parametrize(
    ("loss", "emphasis", "factor"),
    [
        (losses.cross_entropy, BetaEmphasis(1.0, 2.0), 2.0),
        (losses.mae, BetaEmphasis(2.0, 2.0), 2.0),
        (losses.mse, BetaEmphasis(2.0, 3.0), 4.0),
        (losses.gce, BetaEmphasis(1.7, 2.0), 2.0),
    ],
)
def test_beta_emphasis_gives_the_derivatives_of_the_common_losses(loss, emphasis, factor):
    logits, labels = batch()
    logits.requires_grad_()
    (expected,) = torch.autograd.grad(loss(logits, labels).mean(), logits)
    got = factor * derivative_manipulation(logits, labels, emphasis, normalization="none", damping=0)
    torch.testing.assert_close(got, expected)


def test_equal_weights_follow_the_linear_loss_of_the_log_odds():
    logits, labels = batch()
    logits.requires_grad_()
    others = logits.scatter(-1, labels[:, None], -torch.inf).logsumexp(-1)
    margin = logits.gather(-1, labels[:, None]).squeeze(-1) - others
    (expected,) = torch.autograd.grad(-margin.mean() / 2, logits)
    for lam in (0.0, 0.5, 2.0):
        for normalization in ("none", "batch", "integral"):
            got = derivative_manipulation(logits, labels, DMEmphasis(lam, 0.0), normalization=normalization, damping=0)
            torch.testing.assert_close(got, expected)


def test_batch_normalization_has_total_mass_one_and_cannot_overflow():
    logits, labels = batch(dtype=torch.float32)
    got = derivative_manipulation(logits, labels, DMEmphasis(0.0, 500.0), damping=0)
    assert got.isfinite().all()
    assert got.abs().sum().item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("damping", [0, 1e-8])
def test_tensor_hyper_parameters_equal_a_loop(damping):
    logits, labels = (torch.stack(pair) for pair in zip(*(batch(seed=s) for s in range(4)), strict=True))
    lam = torch.tensor([0.0, 0.1, 0.5, 2.0], dtype=torch.double)
    beta = torch.tensor([2.0, 4.0, 8.0, 24.0], dtype=torch.double)
    for normalization in ("batch", "integral", "none"):
        options = {"normalization": normalization, "damping": damping}
        together = derivative_manipulation(logits, labels, DMEmphasis(lam, beta), **options)
        for r in range(4):
            one = DMEmphasis(lam[r].item(), beta[r].item())
            torch.testing.assert_close(together[r], derivative_manipulation(logits[r], labels[r], one, **options))


class TestDMLoss:
    def test_backward_is_the_designed_derivative(self):
        logits, labels = batch()
        logits.requires_grad_()
        weight = torch.rand(20, generator=torch.Generator().manual_seed(1))
        for emphasis in EMPHASES.values():
            for targets in (labels, soft_batch()):
                for s in (None, weight):
                    (got,) = torch.autograd.grad(3 * DMLoss(emphasis)(logits, targets, s), logits)
                    expected = 3 * derivative_manipulation(logits, targets, emphasis, sample_weight=s)
                    torch.testing.assert_close(got, expected)

    def test_value_is_the_distance_between_prediction_and_label(self):
        logits, labels = batch()
        one_hot = torch.nn.functional.one_hot(labels, N_CLASSES).double()
        distance = (logits.softmax(-1) - one_hot).abs().sum(-1)
        weight = torch.arange(20.0)
        torch.testing.assert_close(DMLoss()(logits, labels), distance.mean())
        torch.testing.assert_close(DMLoss()(logits, one_hot), distance.mean())
        torch.testing.assert_close(DMLoss()(logits, labels, weight), (distance * weight).sum() / weight.sum())

    def test_default_is_the_default_emphasis(self):
        assert DMLoss().emphasis == DMEmphasis(0.5, 8.0)

    def test_second_backward_gives_the_same_and_no_input_changes(self):
        logits, labels = batch()
        before = logits.clone()
        logits.requires_grad_()
        loss = DMLoss()(logits, labels)
        first, second, third = (torch.autograd.grad(loss, logits, retain_graph=k < 2)[0] for k in range(3))
        assert torch.equal(first, second)
        assert torch.equal(first, third)
        assert torch.equal(logits, before)
        with pytest.raises(RuntimeError, match="backward through the graph a second time"):
            torch.autograd.grad(loss, logits)

    def test_gradients_handed_out_are_not_overwritten(self):
        logits, labels = batch()
        logits.requires_grad_()
        loss = DMLoss()(logits, labels)
        (first,) = torch.autograd.grad(loss, logits, retain_graph=True)
        kept = first.clone()
        torch.autograd.grad(5 * loss, logits)
        assert torch.equal(first, kept)

    def test_reaches_the_parameters_behind_the_logits(self):
        x, labels = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), batch()[1]
        layer = torch.nn.Linear(3, N_CLASSES)
        DMLoss()(layer(x), labels).backward()
        designed = derivative_manipulation(layer(x), labels, DMEmphasis())
        torch.testing.assert_close(layer.weight.grad, designed.T @ x)

    def test_evaluation_is_plain_cross_entropy(self):
        logits, labels = batch()
        weight = torch.arange(20.0, dtype=torch.double)
        criterion = DMLoss().eval()
        torch.testing.assert_close(criterion(logits, labels), torch.nn.functional.cross_entropy(logits, labels))
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        torch.testing.assert_close(criterion(logits, labels, weight), (each * weight).sum() / weight.sum())

    def test_weights_of_zero_give_zero_not_nan(self):
        logits, labels = batch()
        logits.requires_grad_()
        loss = DMLoss()(logits, labels, torch.zeros(20))
        loss.backward()
        assert loss == 0
        assert (logits.grad == 0).all()

    def test_replicas_keep_a_value_each(self):
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=3), batch(seed=4), strict=True))
        logits.requires_grad_()
        values = DMLoss()(logits, labels)
        assert values.shape == (2,)
        values.sum().backward()
        for r in range(2):
            torch.testing.assert_close(values[r], DMLoss()(logits[r], labels[r]))
            torch.testing.assert_close(logits.grad[r], derivative_manipulation(logits[r], labels[r], DMEmphasis()))

    @pytest.mark.parametrize("damping", [0, 1e-8])
    @every_normalization
    def test_vmap_equals_a_loop(self, damping, normalization):
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=3), batch(seed=4), strict=True))
        lam, beta = torch.tensor([0.0, 2.0]).double(), torch.tensor([2.0, 24.0]).double()
        weight = torch.rand(20, generator=torch.Generator().manual_seed(5))

        def objective(z, y, lam, beta):
            return DMLoss(DMEmphasis(lam, beta), normalization=normalization, damping=damping)(z, y, weight)

        for targets in (labels, torch.stack([soft_batch(seed=6), soft_batch(seed=7)])):
            got, values = torch.vmap(torch.func.grad_and_value(objective))(logits, targets, lam, beta)
            for r in range(2):
                one = DMEmphasis(lam[r].item(), beta[r].item())
                expected = derivative_manipulation(
                    logits[r], targets[r], one, normalization=normalization, damping=damping, sample_weight=weight
                )
                torch.testing.assert_close(got[r], expected)
                torch.testing.assert_close(values[r], DMLoss(one)(logits[r], targets[r], weight))

    def test_vmap_over_what_the_logits_do_not_share(self):
        logits, labels = batch()
        many = torch.stack([labels, labels.flip(0)])
        got = torch.vmap(lambda y: derivative_manipulation(logits, y, DMEmphasis()))(many)
        torch.testing.assert_close(got[1], derivative_manipulation(logits, labels.flip(0), DMEmphasis()))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_arithmetic_is_float32_at_least(self, dtype):
        logits, labels = batch(dtype=dtype)
        logits.requires_grad_()
        value = DMLoss()(logits, labels)
        value.backward()
        assert value.dtype == torch.float32
        assert logits.grad.dtype == dtype
        exact = derivative_manipulation(logits.float(), labels, DMEmphasis())
        assert torch.equal(logits.grad, exact.to(dtype))

    def test_autocast_trains(self):
        x, labels = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)), batch()[1]
        layer = torch.nn.Linear(3, N_CLASSES)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = DMLoss()(layer(x), labels)
        value.backward()
        assert value.dtype == torch.float32
        assert layer.weight.grad.isfinite().all()

    def test_survives_copying_and_pickling(self):
        logits, labels = batch()
        criterion = DMLoss(DMEmphasis(2.0, 12.0), normalization="integral", damping=1e-3)
        for again in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
            torch.testing.assert_close(again(logits, labels), criterion(logits, labels))
        assert "lam=2.0, beta=12.0" in repr(criterion)

    def test_training_without_damping_diverges_and_with_it_settles(self):
        # separable data: three points that three logits fit
        labels = torch.arange(3)
        norms = {}
        for damping in (0, 1e-2):
            logits = torch.zeros(3, 3, requires_grad=True)
            optimizer = torch.optim.SGD([logits], lr=5.0)
            for _ in range(300):
                optimizer.zero_grad()
                DMLoss(damping=damping)(logits, labels).backward()
                optimizer.step()
            norms[damping] = logits.abs().max().item()
        # without damping the label's logit climbs by lr/6 a step; with it only logarithmically
        assert norms[0] > 200
        assert norms[1e-2] < 15

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"normalization": "sum"}, ValueError, r"normalization must be one of \('batch', 'integral', 'none'\)"),
            ({"damping": -1e-8}, ValueError, "damping must be a number of at least 0, got -1e-08"),
            ({"damping": math.nan}, ValueError, "damping must be a number of at least 0, got nan"),
            ({"damping": "a"}, ValueError, "damping must be a number of at least 0, got 'a'"),
            ({"emphasis": 8.0}, TypeError, "emphasis must be callable as w"),
        ],
    )
    def test_bad_options_are_refused(self, options, error, message):
        with pytest.raises(error, match=message):
            DMLoss(**options)

    def test_no_warning_is_raised(self):
        logits, labels = batch()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            torch.vmap(torch.func.grad(lambda z: DMLoss()(z, labels)))(torch.stack([logits, logits]))


class TestPotential:
    @every_emphasis
    def test_gradient_is_the_undamped_derivative(self, emphasis):
        logits, labels = batch()
        logits.requires_grad_()
        for targets in (labels, soft_batch()):
            (got,) = torch.autograd.grad(potential(logits, targets, emphasis).mean(), logits)
            expected = derivative_manipulation(logits, targets, emphasis, normalization="none", damping=0)
            torch.testing.assert_close(got, expected)

    @every_emphasis
    def test_first_and_second_derivative_match_finite_differences(self, emphasis):
        logits, labels = batch(n=6)
        logits.requires_grad_()
        assert torch.autograd.gradcheck(lambda z: potential(z, labels, emphasis), logits)
        assert torch.autograd.gradgradcheck(lambda z: potential(z, labels, emphasis), logits)

    @every_emphasis
    @pytest.mark.parametrize("margin", [-30.0, -5.0, -0.3, 1.0, 20.0])
    def test_equals_quadrature_by_scipy(self, emphasis, margin):
        def w(u):
            return emphasis(torch.tensor([u], dtype=torch.double).sigmoid()).item()

        expected = -0.5 * integrate.quad(w, 0, margin, limit=500, epsabs=1e-13, epsrel=1e-13)[0]
        got = potential(torch.tensor([[margin, 0.0]], dtype=torch.double), torch.tensor([0]), emphasis).item()
        # for w = 1 - p and margins of 20 the callable itself loses digits of 1 - p
        assert got == pytest.approx(expected, rel=1e-10, abs=1e-10)

    @pytest.mark.parametrize("p", [1e-6, 0.1, 0.3, 0.9, 1 - 1e-6])
    def test_equals_its_closed_forms(self, p):
        logits = torch.tensor([[math.log(p / (1 - p)), 0.0]], dtype=torch.double)

        def value(emphasis):
            return potential(logits, torch.tensor([0]), emphasis).item()

        beta, ei = 2.0, special.expi
        exponential = math.exp(beta) * (ei(-beta / 2) - ei(-beta * p)) - ei(beta / 2) + ei(beta * (1 - p))
        assert value(DMEmphasis(0.0, beta)) == pytest.approx(exponential / 2, rel=1e-9, abs=1e-10)
        q = 0.7
        assert 2 * value(BetaEmphasis(q + 1, 2.0)) == pytest.approx((0.5**q - p**q) / q, rel=1e-9, abs=1e-10)
        incomplete = special.beta(1.0, 2.0) * (special.betainc(1.0, 2.0, 0.5) - special.betainc(1.0, 2.0, p))
        assert value(BetaEmphasis(2.0, 3.0)) == pytest.approx(incomplete / 2, rel=1e-9, abs=1e-10)
        assert value(DMEmphasis(1.0, 0.0)) == pytest.approx(-logits[0, 0].item() / 2, rel=1e-12)

    @pytest.mark.parametrize("emphasis", [DMEmphasis(0.5, 8.0), DMEmphasis(0.0, 2.0), IMAEEmphasis(8.0)])
    def test_is_unbounded_below_with_a_slope_of_half_the_weight_at_the_ends(self, emphasis):
        logits = torch.tensor([[2000.0, 0.0], [1000.0, 0.0], [-1000.0, 0.0], [-2000.0, 0.0]], dtype=torch.double)
        values = potential(logits, torch.zeros(4, dtype=torch.long), emphasis)
        slopes = values[[0, 2]].sub(values[[1, 3]]) / 1000
        ends = emphasis(torch.tensor([1.0, 0.0], dtype=torch.double))
        torch.testing.assert_close(slopes, -ends / 2, rtol=1e-8, atol=0)

    def test_is_finite_at_any_logit_gap_in_float32(self):
        logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]], requires_grad=True)
        values = potential(logits, torch.tensor([0, 0]), DMEmphasis())
        values.sum().backward()
        assert values.isfinite().all()
        assert logits.grad.isfinite().all()

    def test_vmap_equals_a_loop(self):
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=3), batch(seed=4), strict=True))
        got = torch.vmap(torch.func.grad(lambda z, y: potential(z, y, DMEmphasis()).sum()))(logits, labels)
        for r in range(2):
            expected = 20 * derivative_manipulation(logits[r], labels[r], DMEmphasis(), normalization="none", damping=0)
            torch.testing.assert_close(got[r], expected)


@every_normalization
@every_damping
@pytest.mark.parametrize("convert", [torch.Tensor.bool, torch.Tensor.long])
def test_weights_of_truth_values_or_whole_numbers_are_numbers(convert, normalization, damping):
    logits = torch.linspace(-3, 3, 20).reshape(5, 4)
    labels, weight = torch.tensor([0, 3, 1, 2, 0]), torch.tensor([0.5, 1.5, 1.0, 0.2, 0.8])

    def surer(p):
        return (p > 0.2).to(p.dtype)

    def whole(p):
        return convert(surer(p))

    for targets in (labels, torch.full((5, 4), 0.25)):
        for sample_weight in (None, weight):
            options = {"normalization": normalization, "damping": damping, "sample_weight": sample_weight}
            torch.testing.assert_close(
                derivative_manipulation(logits, targets, whole, **options),
                derivative_manipulation(logits, targets, surer, **options),
                rtol=0,
                atol=0,
            )
    torch.testing.assert_close(potential(logits, labels, whole), potential(logits, labels, surer), rtol=0, atol=0)
    p = torch.linspace(0, 1, 11)
    assert losses.emphasis_variance(whole, p) == losses.emphasis_variance(surer, p)


@pytest.mark.parametrize("emphasis", [DMEmphasis(0.5, 8.0), DMEmphasis(0.0, 2.0), IMAEEmphasis(8.0)])
def test_the_integral_the_paper_calls_the_loss_diverges(emphasis):
    def up_to(epsilon):
        def integrand(m):  # of w / (2 s (1 - s)) ds in the log-odds of s
            return emphasis(torch.tensor([m], dtype=torch.double).sigmoid()).item() / 2

        return integrate.quad(integrand, 0, math.log(1 / epsilon), limit=500)[0]

    # each factor of 1000 nearer to one adds another half of its logarithm
    steps = [up_to(1e-6) - up_to(1e-3), up_to(1e-9) - up_to(1e-6)]
    assert steps[1] == pytest.approx(math.log(1000) / 2, rel=1e-3)
