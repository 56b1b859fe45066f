"""Target design: derivatives, limits and identities."""

import pytest
import torch
import torch.nn.functional as F

from sklabelnoise.losses import (
    PerExampleLoss,
    confidence_penalty,
    cross_entropy,
    hard_bootstrapping,
    label_smoothing,
    soft_bootstrapping,
)

N_CLASSES = 5


def batch(n=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    return logits, torch.randint(0, N_CLASSES, (n,), generator=generator)


def gradient(loss, logits, targets, **hyper):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits, targets, **hyper).sum(), logits)[0]


def parts(logits, labels):
    log_p = logits.log_softmax(-1)
    p = log_p.exp()
    q = F.one_hot(labels, N_CLASSES).double()
    # the gradient of minus the entropy
    return p, q, p * (log_p - (p * log_p).sum(-1, keepdim=True))


def test_cross_entropy_equals_torch_for_labels_and_distributions():
    logits, labels = batch()
    soft = torch.rand(12, N_CLASSES, dtype=torch.double, generator=torch.Generator().manual_seed(1)).softmax(-1)
    for targets in (labels, soft):
        torch.testing.assert_close(cross_entropy(logits, targets), F.cross_entropy(logits, targets, reduction="none"))
    torch.testing.assert_close(PerExampleLoss()(logits, labels), F.cross_entropy(logits, labels))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5, 1.0])
def test_label_smoothing_equals_torch(smoothing):
    logits, labels = batch()
    expected = F.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)
    torch.testing.assert_close(label_smoothing(logits, labels, smoothing=smoothing), expected)


@pytest.mark.parametrize("smoothing", [-8.0, -0.4, 0.1])
def test_smoothing_shifts_the_target_whatever_its_sign(smoothing):
    logits, labels = batch()
    p, q, _ = parts(logits, labels)
    expected = p - (1 - smoothing) * q - smoothing / N_CLASSES
    torch.testing.assert_close(gradient(label_smoothing, logits, labels, smoothing=smoothing), expected)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_negative_smoothing_is_the_expected_peer_loss_of_balanced_classes(alpha):
    logits, _ = batch(n=3 * N_CLASSES)
    labels = torch.arange(len(logits)) % N_CLASSES
    # rows and labels drawn independently of each other: the mean over all pairs
    strangers = torch.stack([cross_entropy(logits, labels.roll(shift)) for shift in range(len(labels))])
    peer = cross_entropy(logits, labels).mean() - alpha * strangers.mean()
    smoothed = label_smoothing(logits, labels, smoothing=-alpha / (1 - alpha)).mean()
    torch.testing.assert_close(peer, (1 - alpha) * smoothed)


@pytest.mark.parametrize(("rescale", "scale"), [(False, 1.0), (True, 0.7)])
def test_confidence_penalty_subtracts_the_gradient_of_the_entropy(rescale, scale):
    logits, labels = batch()
    p, q, sharpen = parts(logits, labels)
    got = gradient(confidence_penalty, logits, labels, strength=0.3, rescale=rescale)
    torch.testing.assert_close(got, scale * (p - q) + 0.3 * sharpen)


def test_soft_bootstrapping_keeps_the_graph_through_the_prediction():
    logits, labels = batch()
    p, q, sharpen = parts(logits, labels)
    got = gradient(soft_bootstrapping, logits, labels, beta=0.6)
    torch.testing.assert_close(got, 0.6 * (p - q) - 0.4 * sharpen)


def test_hard_bootstrapping_holds_the_predicted_class_constant():
    logits, labels = batch()
    p, q, _ = parts(logits, labels)
    predicted = F.one_hot(logits.argmax(-1), N_CLASSES).double()
    got = gradient(hard_bootstrapping, logits, labels, beta=0.6)
    torch.testing.assert_close(got, p - 0.6 * q - 0.4 * predicted)


def test_penalty_and_bootstrapping_are_opposites():
    # label smoothing adds KL(u, p), the penalty KL(p, u), and bootstrapping subtracts it (ProSelfLC, appendix A)
    logits, labels = batch()
    penalty = confidence_penalty(logits, labels, strength=0.3, rescale=True)
    bootstrapping = soft_bootstrapping(logits, labels, beta=0.7)
    torch.testing.assert_close(penalty + bootstrapping, 2 * 0.7 * cross_entropy(logits, labels))


@pytest.mark.parametrize(
    ("loss", "hyper"),
    [
        (label_smoothing, {"smoothing": 0.0}),
        (confidence_penalty, {"strength": 0.0}),
        (confidence_penalty, {"strength": 0.0, "rescale": True}),
        (soft_bootstrapping, {"beta": 1.0}),
        (hard_bootstrapping, {"beta": 1.0}),
    ],
)
def test_limit_is_cross_entropy(loss, hyper):
    logits, labels = batch()
    torch.testing.assert_close(loss(logits, labels, **hyper), cross_entropy(logits, labels))


@pytest.mark.parametrize(
    ("loss", "hyper", "message"),
    [
        (label_smoothing, {"smoothing": 1.1}, r"'smoothing' of label_smoothing must be a number in \(-inf, 1\]"),
        (confidence_penalty, {"strength": -0.1}, "'strength' of confidence_penalty must be"),
        (confidence_penalty, {"strength": 1.5, "rescale": True}, r"with rescale=True must be a number in \[0, 1\]"),
        (confidence_penalty, {"rescale": 1}, "'rescale' of confidence_penalty must be one of True, False, got 1"),
        (soft_bootstrapping, {"beta": 1.5}, r"'beta' of soft_bootstrapping must be a number in \[0, 1\], got 1.5"),
        (hard_bootstrapping, {"beta": -0.5}, "'beta' of hard_bootstrapping must be"),
    ],
)
def test_bad_values_are_refused(loss, hyper, message):
    with pytest.raises(ValueError, match=message):
        loss(*batch(), **hyper)
