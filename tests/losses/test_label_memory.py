"""Losses that learn the labels of rows, against their equations over several visits."""

import math

import pytest
import torch
import torch.nn.functional as F

from sklabelnoise.losses import JointOptimizationLoss, PENCILLoss, SOPLoss, cross_entropy

N_SAMPLES, N_CLASSES = 6, 3


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(N_SAMPLES, N_CLASSES, dtype=torch.double, generator=generator).requires_grad_()
    labels = torch.arange(N_SAMPLES) % N_CLASSES
    return logits, labels, torch.randperm(N_SAMPLES, generator=generator)


def prepared(criterion):
    criterion.prepare(N_SAMPLES, N_CLASSES, dtype=torch.double)
    return criterion


def targets(soft):
    """Targets as they are given, and as distributions."""
    labels = batch()[1]
    one_hot = F.one_hot(labels, N_CLASSES).double()
    mixed = 0.6 * one_hot + 0.4 * batch(9)[0].detach().softmax(-1)
    return (mixed, mixed) if soft else (labels, one_hot)


def visit(criterion, logits, labels, indices, progress=0.5, weight=None):
    """Loss and its derivative."""
    criterion.progress = progress
    loss = criterion(logits, labels, weight, indices=indices)
    return loss.detach(), torch.autograd.grad(loss, logits)[0]


def entropy(p):
    return -(p * p.log()).sum(-1)


def derivative(value, logits):
    return torch.autograd.grad(value, logits)[0]


class TestJointOptimizationLoss:
    @pytest.mark.parametrize("soft", [False, True])
    def test_labels_are_the_mean_of_the_last_predictions(self, soft):
        criterion = prepared(JointOptimizationLoss(start=0.5, window=2))
        seen, (labels, given) = [], targets(soft)
        for step, progress in enumerate((0.1, 0.2, 0.3, 0.5, 0.6)):
            logits = batch(step)[0]
            loss, gradient = visit(criterion, logits, labels, torch.arange(N_SAMPLES), progress)
            target = given if progress < 0.5 else sum(seen[-2:]) / 2
            p = logits.softmax(-1)
            mean = p.mean(0)
            expected = -(target * p.log()).sum(-1).mean() - 1.2 * mean.log().mean() + 0.8 * entropy(p).mean()
            torch.testing.assert_close(loss, expected.detach())
            torch.testing.assert_close(gradient, derivative(expected, logits))
            seen.append(p.detach())
        torch.testing.assert_close(criterion.labels(), (seen[-1] + seen[-2]) / 2)

    def test_derivative_is_that_of_its_docstring(self):
        logits, labels, indices = batch()
        _, gradient = visit(prepared(JointOptimizationLoss()), logits, labels, indices, 0.0)
        p = logits.detach().softmax(-1)
        r = 1 / (N_CLASSES * p.mean(0))
        prior = p * (r - (r * p).sum(-1, keepdim=True))
        certain = p * (p.log() + entropy(p).unsqueeze(-1))
        expected = p - F.one_hot(labels, N_CLASSES) - 1.2 * prior - 0.8 * certain
        torch.testing.assert_close(gradient, expected / N_SAMPLES)

    def test_labels_of_rows_never_seen_are_zeros(self):
        logits, labels, _ = batch()
        criterion = prepared(JointOptimizationLoss())
        visit(criterion, logits[:2], labels[:2], torch.tensor([4, 1]), 0.0)
        expected = torch.zeros(N_SAMPLES, N_CLASSES, dtype=torch.double)
        expected[[4, 1]] = logits[:2].detach().softmax(-1)
        torch.testing.assert_close(criterion.labels(), expected)
        torch.testing.assert_close(criterion.labels(torch.tensor([1, 0])), expected[:2].flip(0))

    def test_a_row_never_seen_keeps_its_label(self):
        logits, labels, indices = batch()
        criterion = prepared(JointOptimizationLoss(alpha=0.0, beta=0.0))
        loss, _ = visit(criterion, logits, labels, indices, progress=1.0)
        torch.testing.assert_close(loss, cross_entropy(logits, labels).mean().detach())

    def test_integer_weights_equal_repetition(self):
        logits, labels, indices = batch()
        weight = torch.tensor([0, 1, 2, 1, 0, 3])
        loss, _ = visit(prepared(JointOptimizationLoss()), logits, labels, indices, weight=weight)
        repeated = (t.repeat_interleave(weight, 0) for t in (logits, labels, indices))
        torch.testing.assert_close(visit(prepared(JointOptimizationLoss()), *repeated)[0], loss)


class TestPENCILLoss:
    @pytest.mark.parametrize("soft", [False, True])
    def test_three_stages_follow_the_equations(self, soft):
        criterion = prepared(PENCILLoss(start=0.3, stop=0.7))
        labels, q = targets(soft)
        memory = 10 * q
        for step, progress in enumerate((0.1, 0.3, 0.5, 0.7, 0.9)):  # the ends of a stage belong to what follows
            logits, _, indices = batch(step)
            p = logits.softmax(-1)
            learned = memory[indices].clone().requires_grad_()
            d = learned.softmax(-1)
            divergence = (p * (p / d).log()).sum(-1)
            compatibility = -(q[indices] * d.log()).sum(-1)
            if progress < 0.3:
                rows = -(q[indices] * p.log()).sum(-1)
            elif progress < 0.7:
                rows = divergence + 0.4 * compatibility + 0.1 * entropy(p)
            else:
                rows = divergence
            loss, gradient = visit(criterion, logits, labels[indices], indices, progress)
            torch.testing.assert_close(loss, rows.mean().detach())
            torch.testing.assert_close(gradient, derivative(rows.mean(), logits), rtol=1e-6, atol=1e-12)
            if 0.3 <= progress < 0.7:
                rows = divergence + 0.4 * compatibility
                p = logits.softmax(-1).detach()
                again = (p * (p / learned.softmax(-1)).log()).sum() - 0.4 * (q[indices] * learned.log_softmax(-1)).sum()
                memory[indices] = (learned - 600 / 128 * derivative(again, learned)).detach()
            torch.testing.assert_close(criterion.label_logits, memory)

    def test_derivative_is_that_of_its_docstring(self):
        logits, labels, indices = batch()
        _, gradient = visit(prepared(PENCILLoss()), logits, labels, indices)
        p = logits.detach().softmax(-1)
        ratio = (p / (10.0 * F.one_hot(labels, N_CLASSES)).double().softmax(-1)).log()
        expected = p * (ratio - (p * ratio).sum(-1, keepdim=True)) - 0.1 * p * (p.log() + entropy(p).unsqueeze(-1))
        torch.testing.assert_close(gradient, expected / N_SAMPLES)

    def test_a_label_the_model_disbelieves_gives_way(self):
        criterion = prepared(PENCILLoss())
        logits = torch.tensor([[0.0, 6.0, 0.0]] * 2, dtype=torch.double, requires_grad=True)
        labels, indices = torch.tensor([0, 1]), torch.arange(2)
        for _ in range(20):
            visit(criterion, logits, labels, indices)
        learned = criterion.label_logits[:2].softmax(-1)
        assert learned[0, 1] > 0.6
        assert learned[1, 1] > 0.95


class TestSOPLoss:
    @pytest.mark.parametrize("soft", [False, True])
    def test_steps_and_values_follow_the_equations(self, soft):
        criterion = prepared(SOPLoss(lr_u=0.5, lr_v=0.25))
        u = torch.full((N_SAMPLES, 1), 1e-8, dtype=torch.double)
        v = torch.full((N_SAMPLES, N_CLASSES), 1e-8, dtype=torch.double)
        # from sizes that show; 1e-8 would hide every mistake
        for memory, start in ((criterion.u, u), (criterion.v, v)):
            start.copy_(
                0.05 + 0.3 * torch.rand(start.shape, dtype=torch.double, generator=torch.Generator().manual_seed(3))
            )
            memory.copy_(start)
        labels, q = targets(soft)
        for step in range(3):
            logits, _, indices = batch(step)
            y = q[indices]
            row_u, row_v = u[indices].requires_grad_(), v[indices].requires_grad_()
            p = logits.softmax(-1)
            added, taken = row_u**2 * y, row_v**2 * (1 - y)
            guess = (p - taken.detach()).clamp_min(1e-4) + added
            fit = -(y * (guess / guess.sum(-1, keepdim=True)).log()).sum(-1)
            chosen = F.one_hot(logits.argmax(-1), N_CLASSES)
            distance = (chosen + added.detach() - taken - y).square().sum(-1)
            (u_step,) = torch.autograd.grad(fit.sum(), row_u, retain_graph=True)
            (v_step,) = torch.autograd.grad(distance.sum(), row_v, retain_graph=True)
            loss, gradient = visit(criterion, logits, labels[indices], indices)
            torch.testing.assert_close(loss, (fit + distance).mean().detach())
            torch.testing.assert_close(gradient, derivative(fit.mean(), logits))
            u[indices] = (row_u - 0.5 * u_step).detach()
            v[indices] = (row_v - 0.25 * v_step).detach()
            torch.testing.assert_close(criterion.u, u.abs().clamp_max(1 - 5e-5))
            torch.testing.assert_close(criterion.v, v.abs().clamp_max(1 - 5e-5))
            u, v = criterion.u.clone(), criterion.v.clone()

    def test_derivative_is_that_of_its_docstring(self):
        logits, labels, indices = batch()
        criterion = prepared(SOPLoss())
        criterion.u.fill_(0.4)
        _, gradient = visit(criterion, logits, labels, indices)
        p, e = logits.detach().softmax(-1), F.one_hot(labels, N_CLASSES).double()
        p_y = (p * e).sum(-1, keepdim=True)
        torch.testing.assert_close(gradient, p_y / (p_y + 0.16) * (p - e) / N_SAMPLES)

    def test_terms_stay_below_one(self):
        criterion = prepared(SOPLoss(lr_u=1e6, lr_v=1e6))
        criterion.u.fill_(0.5)
        criterion.v.fill_(0.5)
        logits = torch.tensor([[0.0, 6.0, 0.0]] * 2, dtype=torch.double, requires_grad=True)
        visit(criterion, logits, torch.tensor([0, 1]), torch.arange(2))
        assert criterion.u[0].item() == criterion.v[0, 1].item() == 1 - 5e-5
        assert max(criterion.u.max(), criterion.v.max()) <= 1 - 5e-5

    def test_terms_grow_where_the_label_stays_unlikely_and_nowhere_else(self):
        criterion = prepared(SOPLoss())
        logits = torch.tensor([[0.0, 7.0, 0.0]] * 2, dtype=torch.double, requires_grad=True)
        labels, indices = torch.tensor([0, 1]), torch.arange(2)
        for _ in range(200):
            visit(criterion, logits, labels, indices)
        assert criterion.u[0] > 0.5
        assert criterion.v[0, 1] > 0.5
        assert criterion.u[1] < 1e-7
        assert criterion.v[1].max() < 1e-7


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (JointOptimizationLoss, "alpha"),
        (JointOptimizationLoss, "window"),
        (PENCILLoss, "lam"),
        (PENCILLoss, "stop"),
        (SOPLoss, "lr_u"),
        (SOPLoss, "lr_v"),
    ],
)
def test_bad_values_are_refused(kind, name):
    for bad in (-1, math.nan, "a"):
        with pytest.raises(ValueError, match=f"'{name}' of {kind.__name__} must be"):
            kind(**{name: bad})
