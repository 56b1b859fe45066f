"""Losses with a memory of every row: the laws of all, early-learning regularization and truncated cross entropy."""

import copy
import pickle

import pytest
import torch

from sklabelnoise.losses import ROW_CRITERIA, ELRLoss, TruncatedGCELoss, cross_entropy, emphasis_of, gce, make_criterion

N_SAMPLES, N_CLASSES = 20, 4
every_kind = pytest.mark.parametrize("kind", ROW_CRITERIA.values())


def batch(n=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    labels = torch.randint(0, N_CLASSES, (n,), generator=generator)
    return logits, labels, torch.randperm(N_SAMPLES, generator=generator)[:n]


def prepared(kind, **hyper):
    criterion = kind(**hyper)
    criterion.prepare(N_SAMPLES, N_CLASSES, dtype=torch.double)
    return criterion


@every_kind
class TestProtocol:
    def test_needs_to_be_prepared(self, kind):
        logits, labels, indices = batch()
        with pytest.raises(RuntimeError, match=f"{kind.__name__} has no memory yet: call prepare"):
            kind()(logits, labels, indices=indices)

    def test_needs_row_numbers(self, kind):
        logits, labels, _ = batch()
        with pytest.raises(ValueError, match=f"{kind.__name__} needs the row numbers .* 'indices', got None"):
            prepared(kind)(logits, labels)

    def test_takes_one_replica(self, kind):
        logits, labels, indices = batch()
        with pytest.raises(ValueError, match=r"takes logits of shape \(n_samples, n_classes\), got shape \(1, 8, 4\)"):
            prepared(kind)(logits[None], labels[None], indices=indices)

    def test_evaluation_is_plain_cross_entropy_and_remembers_nothing(self, kind):
        logits, labels, _ = batch()
        criterion = prepared(kind)
        before = {name: value.clone() for name, value in criterion.named_buffers()}
        value = criterion.eval()(logits, labels)
        torch.testing.assert_close(value, torch.nn.functional.cross_entropy(logits, labels))
        for name, memory in criterion.named_buffers():
            assert torch.equal(memory, before[name])

    def test_prepare_forgets(self, kind):
        logits, labels, indices = batch()
        criterion = prepared(kind)
        first = criterion(logits, labels, indices=indices)
        criterion.prepare(N_SAMPLES, N_CLASSES, dtype=torch.double)
        torch.testing.assert_close(criterion(logits, labels, indices=indices), first)

    def test_another_training_is_as_the_first(self, kind):
        criterion, losses = prepared(kind), []
        for _training in range(2):
            criterion.prepare(N_SAMPLES, N_CLASSES, dtype=torch.double)
            for step in range(12):
                logits, labels, indices = batch(seed=step)
                if criterion.progress is not None:
                    criterion.progress = (step + 1) / 12
                losses.append(criterion((-1) ** (step // 3) * logits, labels, indices=indices))
        torch.testing.assert_close(losses[12:], losses[:12], rtol=0, atol=0)

    def test_memory_keeps_its_type_beside_logits_of_another(self, kind):
        logits, labels, indices = batch()
        exact, expected = prepared(kind), []
        for progress in (0.1, 0.5):
            if exact.progress is not None:
                exact.progress = progress
            expected.append(exact(logits, labels, indices=indices))
        for dtype, of_logits, tolerance in (
            (torch.float32, torch.double, 1e-5),
            (torch.bfloat16, torch.double, 0.2),
            (torch.double, torch.float32, 1e-5),
        ):
            criterion, found = kind(), []
            criterion.prepare(N_SAMPLES, N_CLASSES, dtype=dtype)
            before = {name: memory.dtype for name, memory in criterion.named_buffers()}
            for progress in (0.1, 0.5):
                if criterion.progress is not None:
                    criterion.progress = progress
                found.append(criterion(logits.to(of_logits), labels, indices=indices))
            assert {value.dtype for value in found} == {of_logits}
            torch.testing.assert_close([v.double() for v in found], expected, rtol=tolerance, atol=tolerance)
            assert dtype in before.values()
            assert {name: memory.dtype for name, memory in criterion.named_buffers()} == before

    def test_rows_of_a_training_set_are_no_part_of_its_state(self, kind):
        logits, labels, indices = batch()
        criterion = prepared(kind)
        criterion(logits, labels, indices=indices)
        assert not criterion.state_dict()

    def test_one_hot_targets_equal_labels(self, kind):
        logits, labels, indices = batch()
        one_hot = torch.nn.functional.one_hot(labels, N_CLASSES).double()
        for _ in range(2):
            values = (prepared(kind)(logits, targets, indices=indices) for targets in (labels, one_hot))
            torch.testing.assert_close(*values)

    def test_rows_of_weight_zero_do_not_count(self, kind):
        logits, labels, indices = batch()
        weight = torch.tensor([1.0, 1, 1, 1, 0, 0, 0, 0])
        weighted = prepared(kind)(logits, labels, weight, indices=indices)
        torch.testing.assert_close(weighted, prepared(kind)(logits[:4], labels[:4], indices=indices[:4]))

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_extreme_logits_stay_finite(self, kind, dtype):
        grid = torch.tensor([-1e4, 0.0, 1e4], dtype=dtype)
        logits = torch.cartesian_prod(grid, grid).requires_grad_()
        criterion = kind()
        criterion.prepare(9, 2, dtype=dtype)
        for criterion.progress in (0.0, 0.5, 1.0):
            for label in (0, 1):
                loss = criterion(logits, torch.full((9,), label), indices=torch.arange(9))
                (gradient,) = torch.autograd.grad(loss, logits)
                assert loss.isfinite()
                assert gradient.isfinite().all()

    @pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's, of its own doing
    @pytest.mark.parametrize("progress", [0.1, 0.5])
    def test_has_the_same_derivative_when_it_is_compiled(self, kind, progress):
        if progress == 0.5 and kind().progress is None:
            pytest.skip("nothing changes as training proceeds")
        logits, labels, indices = batch()
        derivatives = []
        for compiled in (False, True):
            criterion = prepared(kind)
            called = torch.compile(criterion, backend="aot_eager") if compiled else criterion
            for visit in (1, 2):
                if criterion.progress is not None:
                    criterion.progress = progress
                leaf = (visit * logits).requires_grad_()
                called(leaf, labels, None, indices=indices).backward()
                derivatives.append(leaf.grad)
        torch.testing.assert_close(derivatives[2:], derivatives[:2])

    def test_survives_copying_and_pickling(self, kind):
        logits, labels, indices = batch()
        criterion = prepared(kind)
        criterion(logits, labels, indices=indices)
        again = copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))
        expected = criterion(logits.flip(0), labels, indices=indices)
        for one in again:
            torch.testing.assert_close(one(logits.flip(0), labels, indices=indices), expected)


class TestELRLoss:
    def test_equals_its_formula_over_three_visits(self):
        criterion = prepared(ELRLoss, beta=0.6, lam=2.0)
        memory = torch.zeros(N_SAMPLES, N_CLASSES, dtype=torch.double)
        for seed in range(3):
            logits, labels, indices = batch(seed=seed)
            logits.requires_grad_()
            loss = criterion(logits, labels, indices=indices)
            (gradient,) = torch.autograd.grad(loss, logits)
            p = logits.detach().softmax(-1)
            clamped = p.clamp(1e-4, 1 - 1e-4)
            memory[indices] = 0.6 * memory[indices] + 0.4 * clamped / clamped.sum(-1, keepdim=True)
            t = memory[indices]
            agreement = (p * t).sum(-1, keepdim=True)
            expected = cross_entropy(logits, labels).mean() + 2 * (1 - agreement).log().mean()
            torch.testing.assert_close(loss, expected)
            e = torch.nn.functional.one_hot(labels, N_CLASSES)
            derivative = p - e + 2 * p * (agreement - t) / (1 - agreement)
            torch.testing.assert_close(gradient, derivative / len(labels))
            torch.testing.assert_close(criterion.running_targets, memory)

    def test_without_regularization_is_cross_entropy(self):
        logits, labels, indices = batch()
        loss = prepared(ELRLoss, lam=0.0)(logits, labels, indices=indices)
        torch.testing.assert_close(loss, cross_entropy(logits, labels).mean())

    def test_is_linear_in_soft_targets(self):
        logits, _, indices = batch()
        soft = batch(seed=1)[0].softmax(-1)
        values = [
            prepared(ELRLoss)(logits[i : i + 1], torch.tensor([k]), indices=indices[i : i + 1])
            for i in range(8)
            for k in range(N_CLASSES)
        ]
        expected = (soft * torch.stack(values).view(8, N_CLASSES)).sum(-1).mean()
        torch.testing.assert_close(prepared(ELRLoss)(logits, soft, indices=indices), expected)

    @pytest.mark.parametrize("gap", [5.0, 9.0, 12.0, 1e4])
    def test_memory_takes_predictions_clamped_as_the_released_code_does(self, gap):
        criterion = prepared(ELRLoss)
        logits = torch.tensor([[gap, 0.0, 0.0, 0.0]], dtype=torch.double)
        criterion(logits, torch.tensor([0]), indices=torch.tensor([3]))
        expected = logits.softmax(-1).clamp(1e-4, 1 - 1e-4)
        memory = 0.3 * expected / expected.sum()
        torch.testing.assert_close(criterion.running_targets[3:4], memory, rtol=1e-9, atol=0)

    @pytest.mark.parametrize(("hyper", "name"), [({"beta": 1.0}, "beta"), ({"lam": -1.0}, "lam")])
    def test_bad_values_are_refused(self, hyper, name):
        with pytest.raises(ValueError, match=f"'{name}' of ELRLoss must be a number in"):
            ELRLoss(**hyper)


class TestTruncatedGCELoss:
    def test_is_gce_until_the_first_pruning(self):
        logits, labels, indices = batch()
        criterion = prepared(TruncatedGCELoss)
        criterion.progress = 0.33
        torch.testing.assert_close(criterion(logits, labels, indices=indices), gce(logits, labels).mean())

    def test_leaves_out_rows_the_model_disbelieved_when_it_last_saw_them(self):
        logits, labels, indices = batch()
        criterion = prepared(TruncatedGCELoss, k=0.4)
        criterion(logits, labels, indices=indices)
        criterion.progress = 0.5
        kept = logits.softmax(-1).gather(-1, labels[:, None]).squeeze(-1) > 0.4
        assert kept.any()
        assert not kept.all()
        # now the model has changed its mind, but the mask is that of the last visit
        later = logits.flip(-1).requires_grad_()
        loss = criterion(later, labels, indices=indices)
        constant = (1 - 0.4**0.7) / 0.7
        torch.testing.assert_close(loss, torch.where(kept, gce(later, labels), constant).mean())
        (gradient,) = torch.autograd.grad(loss, later)
        assert ((gradient != 0).any(-1) == kept).all()
        unseen = torch.ones(N_SAMPLES, dtype=torch.bool)
        unseen[indices] = False
        assert criterion.kept[unseen].all()

    def test_what_the_model_believes_of_a_soft_label_is_its_expectation(self):
        logits, _, indices = batch()
        soft = batch(seed=1)[0].softmax(-1)
        criterion = prepared(TruncatedGCELoss, start=0.5)
        torch.testing.assert_close(criterion(logits, soft, indices=indices), gce(logits, soft).mean())
        torch.testing.assert_close(criterion.label_proba[indices], (soft * logits.softmax(-1)).sum(-1))

    def test_a_label_that_is_as_likely_as_the_threshold_is_left_out(self):
        """As those of a network of two classes that has learned nothing yet."""
        criterion = TruncatedGCELoss(k=0.5)
        criterion.prepare(2, 2)
        criterion(torch.tensor([[0.0, 0.0], [1e-3, 0.0]]), torch.tensor([0, 0]), indices=torch.arange(2))
        criterion.progress = 0.5
        assert criterion.kept.tolist() == [False, True]
        assert emphasis_of("truncated_gce", torch.tensor([0.5])) == 0

    def test_a_progress_that_is_told_before_there_are_rows_leaves_out_none(self):
        criterion = TruncatedGCELoss()
        criterion.progress = 0.5
        criterion.prepare(2, 2)
        assert criterion.kept.all()

    def test_mask_is_frozen_between_prunings(self):
        logits, labels, indices = batch()
        criterion = prepared(TruncatedGCELoss, start=0.5, interval=0.25)
        masks = []
        for progress, sign in ((0.4, 1), (0.5, -1), (0.7, 1), (0.75, -1), (0.99, 1), (1.0, -1)):
            criterion.progress = progress
            criterion(sign * logits, labels, indices=indices)
            masks.append(criterion.kept.clone())
        assert masks[0].all()
        assert not torch.equal(masks[1], masks[0])
        assert torch.equal(masks[2], masks[1])
        assert torch.equal(masks[4], masks[3])

    def test_by_default_prunes_as_the_released_code_does(self):
        """In epoch 40 of 120, and every tenth after it."""
        logits, labels, indices = batch()
        criterion = prepared(TruncatedGCELoss)
        pruned = []
        for epoch in range(120):
            before = criterion.kept.clone()
            criterion.progress = epoch / 120
            if not torch.equal(criterion.kept, before):
                pruned.append(epoch)
            # the model changes its mind in every tenth epoch, so that each pruning has another result
            criterion((-1) ** (epoch // 10) * logits, labels, indices=indices)
        assert pruned == list(range(40, 120, 10))

    def test_emphasis_is_that_of_gce_above_the_threshold(self):
        p = torch.tensor([0.2, 0.49, 0.51, 0.9])
        expected = emphasis_of("gce", p) * torch.tensor([0.0, 0, 1, 1])
        torch.testing.assert_close(emphasis_of("truncated_gce", p), expected)

    @pytest.mark.parametrize("name", ["q", "k", "start", "interval"])
    def test_bad_values_are_refused(self, name):
        with pytest.raises(ValueError, match=f"'{name}' of .* must be a number in"):
            TruncatedGCELoss(**{name: -0.5})
        with pytest.raises(ValueError, match=f"'{name}' of .* must be a number in"):
            make_criterion("truncated_gce", **{name: -0.5})


def test_make_criterion_finds_both_families():
    assert isinstance(make_criterion("elr", beta=0.9), ELRLoss)
    assert make_criterion("elr", beta=0.9).beta == 0.9
    assert make_criterion("gce", q=0.5).hyper == {"q": 0.5}
    assert not getattr(make_criterion("gce"), "needs_indices", False)
