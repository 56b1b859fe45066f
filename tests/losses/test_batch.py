"""Losses of a batch as a whole: hard examples and peers."""

import pytest
import torch

from sklabelnoise._stacked._criterion import check_stacked_criterion, stack_criteria
from sklabelnoise.losses import (
    BATCH_CRITERIA,
    OHEMLoss,
    PeerLoss,
    cross_entropy,
    get_loss,
    label_smoothing,
    make_criterion,
)

N_CLASSES = 3
every_kind = pytest.mark.parametrize("name", BATCH_CRITERIA)


def batch(n=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    return logits, torch.randint(0, N_CLASSES, (n,), generator=generator)


def criterion_of(name, progress=0.8):
    criterion = make_criterion(name)
    if criterion.progress is not None:
        criterion.progress = progress
    return criterion


def derivative(criterion, logits, *args):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(criterion(logits, *args).sum(), logits)[0]


@every_kind
class TestEveryLossOfABatch:
    def test_one_hot_targets_equal_labels(self, name):
        logits, labels = batch()
        one_hot = torch.nn.functional.one_hot(labels, N_CLASSES).double()
        criterion = criterion_of(name)
        torch.testing.assert_close(criterion(logits, one_hot), criterion(logits, labels))

    def test_integer_weights_equal_repetition(self, name):
        logits, labels = batch()
        weight = torch.arange(8) % 3
        criterion = criterion_of(name)
        repeated = criterion(logits.repeat_interleave(weight, 0), labels.repeat_interleave(weight, 0))
        torch.testing.assert_close(criterion(logits, labels, weight), repeated)

    def test_replicas_equal_a_loop(self, name):
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=1), batch(seed=2), strict=True))
        criterion = criterion_of(name)
        together, gradient = criterion(logits, labels), derivative(criterion, logits, labels)
        for r in range(2):
            torch.testing.assert_close(together[r], criterion(logits[r], labels[r]))
            torch.testing.assert_close(gradient[r], derivative(criterion, logits[r], labels[r]))

    def test_one_weight_a_row_serves_all_replicas(self, name):
        logits, labels = (torch.stack(pair) for pair in zip(batch(seed=1), batch(seed=2), strict=True))
        criterion, weight = criterion_of(name), torch.rand(8, dtype=torch.double)
        together = criterion(logits, labels, weight)
        for r in range(2):
            torch.testing.assert_close(together[r], criterion(logits[r], labels[r], weight))

    def test_derivative_matches_finite_differences(self, name):
        logits, labels = batch()
        criterion = criterion_of(name)
        assert torch.autograd.gradcheck(lambda z: criterion(z, labels), logits.requires_grad_())

    def test_evaluation_is_plain_cross_entropy(self, name):
        logits, labels = batch()
        torch.testing.assert_close(criterion_of(name).eval()(logits, labels), cross_entropy(logits, labels).mean())

    def test_weights_of_zero_give_zero_not_nan(self, name):
        logits, labels = batch()
        criterion = criterion_of(name)
        assert criterion(logits, labels, torch.zeros(8)) == 0
        assert (derivative(criterion, logits, labels, torch.zeros(8)) == 0).all()

    def test_half_precision_is_computed_in_float32(self, name):
        logits, labels = batch()
        assert criterion_of(name)(logits.bfloat16(), labels).dtype == torch.float32


def test_hard_examples_alone_are_learned():
    logits, labels = batch()
    values = cross_entropy(logits, labels)
    hardest = values.topk(4).indices
    torch.testing.assert_close(OHEMLoss(keep=0.5)(logits, labels), values[hardest].mean())
    learned = (derivative(OHEMLoss(keep=0.5), logits, labels) != 0).any(-1)
    assert set(learned.nonzero().flatten().tolist()) == set(hardest.tolist())
    torch.testing.assert_close(OHEMLoss(keep=1.0)(logits, labels), values.mean())


def test_peers_are_the_expectation_over_pairs_drawn_from_the_batch():
    logits, labels = batch()
    criterion = PeerLoss(alpha=2.0, start=0.0)
    criterion.progress = 1.0
    pairs = torch.stack([cross_entropy(logits, labels[j].expand(8)) for j in range(8)])
    expected = (cross_entropy(logits, labels).mean() - 2 * pairs.mean()) / 3
    torch.testing.assert_close(criterion(logits, labels), expected)


def test_peer_loss_of_balanced_classes_is_negative_label_smoothing():
    logits, _ = batch(n=9)
    labels = torch.arange(9) % N_CLASSES
    criterion = PeerLoss(alpha=0.5, start=0.0)
    criterion.progress = 1.0
    smoothed = 0.5 * label_smoothing(logits, labels, smoothing=-1.0).mean()
    torch.testing.assert_close(criterion(logits, labels), smoothed / 1.5)


@pytest.mark.parametrize(("progress", "alpha"), [(0.0, 0.0), (0.2, 0.0), (0.6, 1.0), (1.0, 2.0)])
def test_peers_come_in_gradually(progress, alpha):
    logits, labels = batch()
    gradual, constant = PeerLoss(alpha=2.0, start=0.2), PeerLoss(alpha=alpha, start=0.0)
    gradual.progress, constant.progress = progress, 1.0
    torch.testing.assert_close(gradual(logits, labels), constant(logits, labels))


@pytest.mark.parametrize("progress", [0.0, 0.1, 0.8, 1.0])
def test_criteria_of_different_numbers_are_stacked_however_far_each_has_trained(progress):
    criteria = [PeerLoss(alpha=alpha, start=start) for alpha, start in ((0.5, 0.0), (1.0, 0.2), (2.0, 1.0))]
    for _ in range(2):  # the check sets the progress of some
        check_stacked_criterion(stack_criteria(criteria[:2]), criteria[:2], n_classes=N_CLASSES)
        stacked = stack_criteria(criteria, dtype=torch.double)
    logits, labels = batch()
    stacked.progress = progress
    together = stacked(logits.expand(1, 3, -1, -1), labels.expand(1, 3, -1))
    for k, criterion in enumerate(criteria):
        criterion.progress = progress
        torch.testing.assert_close(together[0, k], criterion(logits, labels))


def test_each_replica_keeps_a_share_of_its_own():
    criteria = [OHEMLoss(keep=keep) for keep in (0.2, 0.5, 1.0)]
    stacked = stack_criteria(criteria, dtype=torch.double)
    logits, labels = (torch.stack(pair) for pair in zip(*(batch(seed=seed) for seed in range(6)), strict=True))
    logits, labels, weight = logits.view(2, 3, 8, N_CLASSES), labels.view(2, 3, 8), torch.arange(8.0) % 3
    for given in (None, weight):
        together = stacked(logits, labels, given)
        for g in range(2):
            for k, criterion in enumerate(criteria):
                torch.testing.assert_close(together[g, k], criterion(logits[g, k], labels[g, k], given))


def test_peers_that_start_at_the_end_come_in_with_the_last_batch():
    logits, labels = batch()
    late, constant = PeerLoss(alpha=2.0, start=1.0), PeerLoss(alpha=2.0, start=0.0)
    late.progress = 0.999
    torch.testing.assert_close(late(logits, labels), cross_entropy(logits, labels).mean())
    late.progress = constant.progress = 1.0
    torch.testing.assert_close(late(logits, labels), constant(logits, labels))


def test_bad_values_are_refused():
    with pytest.raises(ValueError, match=r"'keep' of OHEMLoss must be a number in \(0, 1\], got 0"):
        OHEMLoss(keep=0)
    with pytest.raises(ValueError, match="'alpha' of peer must be"):
        make_criterion("peer", alpha=-1)
    with pytest.raises(ValueError, match=r"got 'ohem', which sees a batch as a whole.*use OHEMLoss or make_criterion"):
        get_loss("ohem")
