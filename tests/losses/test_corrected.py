"""Forward and backward correction by a transition matrix."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from sklabelnoise.losses import (
    PerExampleLoss,
    backward,
    cross_entropy,
    emphasis_of,
    forward,
    forward_symmetric,
)

N_CLASSES = 3
T = torch.tensor([[0.7, 0.2, 0.1], [0.0, 0.9, 0.1], [0.3, 0.0, 0.7]], dtype=torch.double)


def batch(n=16, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, N_CLASSES, dtype=torch.double, generator=generator)
    return logits, torch.randint(0, N_CLASSES, (n,), generator=generator)


def gradient(loss, logits, labels, **hyper):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits, labels, **hyper).sum(), logits)[0]


def test_forward_is_the_negative_log_of_the_given_labels_probability():
    logits, labels = batch()
    given = (logits.softmax(-1) @ T).gather(-1, labels[:, None]).squeeze(-1)
    torch.testing.assert_close(forward(logits, labels, transition_matrix=T), -given.log())


def test_forward_pulls_towards_the_posterior_of_the_true_class():
    logits, labels = batch()
    p = logits.softmax(-1)
    posterior = p * T.T[labels]
    posterior = posterior / posterior.sum(-1, keepdim=True)
    torch.testing.assert_close(gradient(forward, logits, labels, transition_matrix=T), p - posterior)


def test_backward_is_cross_entropy_with_a_row_of_the_inverse():
    logits, labels = batch()
    rows = torch.linalg.inv(T)[labels]
    torch.testing.assert_close(backward(logits, labels, transition_matrix=T), -(rows * logits.log_softmax(-1)).sum(-1))
    torch.testing.assert_close(gradient(backward, logits, labels, transition_matrix=T), logits.softmax(-1) - rows)


def test_backward_is_unbiased():
    # the mean over given labels is the loss of the true one
    logits, true = batch()
    by_label = torch.stack([backward(logits, torch.full((16,), k), transition_matrix=T) for k in range(N_CLASSES)], -1)
    torch.testing.assert_close((T[true] * by_label).sum(-1), cross_entropy(logits, true))


@pytest.mark.parametrize("loss", [forward, backward])
def test_identity_is_cross_entropy(loss):
    logits, labels = batch()
    identity = torch.eye(N_CLASSES, dtype=torch.double)
    torch.testing.assert_close(loss(logits, labels, transition_matrix=identity), cross_entropy(logits, labels))


@pytest.mark.parametrize("gap", [1.0, 50.0, 100.0, 1e4])
def test_soft_targets_reach_labels_that_the_likeliest_class_never_gives(gap):
    # Class 0 gives label 0 alone: whatever speaks for the others has a probability of exp(-gap) or less.
    matrix = torch.tensor([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0], [0.0, 0.1, 0.9]])
    logits, targets = torch.tensor([[gap, 0.0, -gap]]).requires_grad_(), torch.tensor([[0.5, 0.3, 0.2]])
    value = forward(logits, targets, transition_matrix=matrix)
    value.sum().backward()
    log_p = logits.detach().double().log_softmax(-1)
    mixture = (log_p.mT + matrix.double().log()).logsumexp(0)
    posterior = (log_p.mT + matrix.double().log() - mixture).exp()
    torch.testing.assert_close(value.double(), -(targets * mixture).sum(-1), rtol=1e-5, atol=0)
    expected = log_p.exp() - (posterior * targets).sum(-1)
    torch.testing.assert_close(logits.grad.double(), expected, rtol=1e-5 * max(1, gap / 100), atol=1e-7)


def test_forward_with_the_symmetric_matrix_is_forward_symmetric():
    logits, labels = batch()
    matrix = torch.full((N_CLASSES, N_CLASSES), 0.2, dtype=torch.double).fill_diagonal_(0.6)
    torch.testing.assert_close(
        forward(logits, labels, transition_matrix=matrix), forward_symmetric(logits, labels, noise_rate=0.4)
    )


@pytest.mark.parametrize("loss", [forward, backward])
def test_arrays_serve_as_well_as_tensors(loss):
    logits, labels = batch()
    expected = loss(logits, labels, transition_matrix=T)
    for matrix in (T.numpy(), T.tolist()):
        torch.testing.assert_close(loss(logits, labels, transition_matrix=matrix), expected)
        criterion = PerExampleLoss(loss.__name__, "none", transition_matrix=matrix)
        torch.testing.assert_close(criterion(logits, labels), expected)


@pytest.mark.parametrize("loss", [forward, backward])
def test_replicas_may_have_a_matrix_each(loss):
    logits, labels = (torch.stack(pair) for pair in zip(batch(seed=1), batch(seed=2), strict=True))
    matrices = torch.stack([T, torch.eye(N_CLASSES, dtype=torch.double)])
    for targets in (labels, logits.softmax(-1)):
        together = loss(logits, targets, transition_matrix=matrices)
        for r in range(2):
            torch.testing.assert_close(together[r], loss(logits[r], targets[r], transition_matrix=matrices[r]))


def test_inverse_follows_a_matrix_that_changes_in_place():
    logits, labels = batch()
    matrix = T.clone()
    backward(logits, labels, transition_matrix=matrix)
    matrix.copy_(torch.eye(N_CLASSES))
    torch.testing.assert_close(backward(logits, labels, transition_matrix=matrix), cross_entropy(logits, labels))


@pytest.mark.parametrize("build", [torch.tensor, np.array])
def test_singular_matrix_is_refused(build):
    singular = build([[0.5, 0.5], [0.5, 0.5]])
    logits, labels = torch.zeros(2, 2), torch.tensor([0, 1])
    with pytest.raises(ValueError, match=r"singular matrix"):
        backward(logits, labels, transition_matrix=singular)
    with pytest.raises(ValueError, match=r"'transition_matrix' of backward must be .* an inverse \(got a singular"):
        PerExampleLoss("backward", transition_matrix=singular)


@pytest.mark.parametrize(
    "matrix",
    [
        np.array([[1.2, -0.2], [0.0, 1.0]]),
        np.array([[0.5, 0.4], [0.0, 1.0]]),
        np.array([[1.0, 0.0], [1.0, 0.0]]),
        np.array([[np.nan, 1.0], [0.0, 1.0]]),
        np.array([0.5, 0.5]),
        np.ones((2, 3)) / 3,
        np.eye(2) + 0j,
    ],
)
def test_what_is_no_transition_matrix_is_refused(matrix):
    message = "'transition_matrix' of forward must be a square matrix with entries of at least 0, rows that sum to one"
    with pytest.raises(ValueError, match=message):
        forward(torch.zeros(2, 2), torch.tensor([0, 1]), transition_matrix=matrix)
    with pytest.raises(ValueError, match=message):
        PerExampleLoss("forward", transition_matrix=torch.as_tensor(matrix))


@pytest.mark.parametrize("loss", [forward, backward])
def test_matrix_of_another_size_is_refused(loss):
    with pytest.raises(ValueError, match=r"shape \(4, 4\) to go with logits of 4 classes, got shape \(3, 3\)"):
        loss(torch.zeros(2, 4), torch.tensor([0, 1]), transition_matrix=T)


@pytest.mark.parametrize("loss", [forward, backward])
def test_a_matrix_that_numpy_has_locked_is_taken_without_a_warning(loss, recwarn):
    locked = np.full((3, 3), 0.1) + 0.7 * np.eye(3)
    locked.flags.writeable = False
    loss(torch.zeros(2, 3), torch.tensor([0, 1]), transition_matrix=locked)
    PerExampleLoss(loss.__name__, transition_matrix=locked)
    assert not recwarn.list


def test_a_frame_has_another_order_than_the_logits():
    with pytest.raises(ValueError, match="as an array or a tensor in the order of the classes, got"):
        PerExampleLoss("forward", transition_matrix=pd.DataFrame(np.eye(3)))


@pytest.mark.parametrize("loss", [forward, backward])
def test_a_matrix_may_be_learned(loss):
    logits, labels = batch(n=6)
    for targets in (labels, logits.flip(0).softmax(-1)):
        matrix = (0.9 * T + 0.1 / N_CLASSES).requires_grad_()
        assert torch.autograd.gradcheck(lambda T, q=targets: loss(logits, q, transition_matrix=T), matrix)
        for _ in range(2):  # whatever is kept of a matrix belongs to the graph of one step alone
            loss(logits, targets, transition_matrix=matrix).sum().backward()
        (once,) = torch.autograd.grad(loss(logits, targets, transition_matrix=matrix).sum(), matrix)
        torch.testing.assert_close(matrix.grad, 2 * once)


@pytest.mark.parametrize("gap", [1.0, 1e4])
def test_what_a_matrix_rules_out_can_be_learned(gap):
    """It may start as the identity: a zero in it has the derivative of its limit."""
    logits, labels, matrix = torch.tensor([[0.0, -1.0, gap]]).double(), torch.tensor([1]), torch.eye(3).double()
    matrix.requires_grad_()
    for targets in (labels, torch.tensor([[0.0, 1.0, 0.0]]).double()):
        (got,) = torch.autograd.grad(forward(logits, targets, transition_matrix=matrix).sum(), matrix)
        expected = torch.zeros(3, 3).double()
        expected[:, 1] = -(logits[0] - logits[0, 1]).exp().clamp_max(math.exp(80.0)) / matrix[1, 1].detach()
        torch.testing.assert_close(got, expected)


def test_a_matrix_whose_inverse_has_digits_left_is_inverted():
    d = 2.0**-30  # the condition number is half its inverse
    logits, labels = torch.tensor([[2.0, 0.0]], dtype=torch.double), torch.tensor([1])
    matrix = torch.tensor([[0.5 + d, 0.5 - d], [0.5 - d, 0.5 + d]], dtype=torch.double)
    target = torch.tensor([0.5 - 0.25 / d, 0.5 + 0.25 / d], dtype=torch.double)
    expected = -(target * logits.log_softmax(-1)).sum(-1)
    torch.testing.assert_close(backward(logits, labels, transition_matrix=matrix), expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(backward(logits, labels, transition_matrix=matrix.numpy()), expected, rtol=1e-6, atol=0)


def test_a_matrix_whose_inverse_is_rounding_is_refused():
    nearly = torch.tensor([[0.5, 0.5], [0.5 + 1e-14, 0.5 - 1e-14]], dtype=torch.double)
    with pytest.raises(ValueError, match="must be invertible, got a singular matrix"):
        backward(torch.zeros(2, 2, dtype=torch.double), torch.tensor([0, 1]), transition_matrix=nearly)
    for several in (torch.stack([torch.eye(2, dtype=torch.double), nearly]), nearly):
        with pytest.raises(ValueError, match=r"an inverse \(got a singular matrix\)"):
            PerExampleLoss("backward", transition_matrix=several)


def test_without_noise_every_label_weighs_as_in_cross_entropy():
    p = torch.tensor([0.0, 0.25, 1.0])
    weight = emphasis_of("forward_symmetric", p, n_classes=3, noise_rate=0.0)
    torch.testing.assert_close(weight, emphasis_of("cross_entropy", p))


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_symmetric_noise_is_refused_from_where_a_label_says_nothing(n_classes):
    logits, labels, limit = torch.zeros(2, n_classes), torch.tensor([0, 1]), (n_classes - 1) / n_classes
    assert forward_symmetric(logits, labels, noise_rate=np.nextafter(limit, 0)).isfinite().all()
    with pytest.raises(ValueError, match="'noise_rate' of forward_symmetric must be below"):
        forward_symmetric(logits, labels, noise_rate=limit)


@pytest.mark.parametrize(
    ("half", "row"), [(torch.float16, [0.7, 0.15, 0.15]), (torch.bfloat16, [0.71, 0.18, 0.11])], ids=str
)
def test_rows_sum_to_one_up_to_what_half_precision_rounds(half, row):
    exact = torch.stack([torch.tensor(row, dtype=torch.double).roll(i) for i in range(3)])
    matrix = exact.to(half)
    assert (matrix.double().sum(-1) - 1).abs().max() > 1e-4
    logits, labels = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 3
    for loss in (forward, backward):
        torch.testing.assert_close(
            loss(logits, labels, transition_matrix=matrix),
            loss(logits, labels, transition_matrix=exact),
            rtol=10 * torch.finfo(half).eps,
            atol=10 * torch.finfo(half).eps,
        )
        PerExampleLoss(loss.__name__, transition_matrix=matrix)
    with pytest.raises(ValueError, match="rows that sum to one"):
        PerExampleLoss("forward", transition_matrix=exact.mul(0.98).to(half))


def test_rows_sum_to_one_up_to_what_float32_rounds():
    rounded = torch.tensor([[1 / 3, 2 / 3], [0.1, 0.9]], dtype=torch.float32).double()
    assert rounded.sum(-1).ne(1).any()
    PerExampleLoss("forward", transition_matrix=rounded)
    for off in (1e-3, -1e-3):
        with pytest.raises(ValueError, match="rows that sum to one"):
            PerExampleLoss("forward", transition_matrix=rounded + torch.tensor([[off, 0], [0, 0]]))
