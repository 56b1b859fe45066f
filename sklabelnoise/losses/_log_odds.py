"""Log-odds and log-probabilities of classes, exact at any gap between the logits, and so are their derivatives.

A probability near one keeps its digits in its distance from one, so nothing here or in a loss is 1 - p. Nor may the
backward pass form it, which torch's does: that of ``sigmoid`` is y (1 - y), of ``expm1`` y + 1, of ``log_softmax``
e - p. Hence the rules for a loss: p is ``margin`` -> :func:`probability`, 1 - p is :func:`miss`, a power's distance
from one :func:`one_minus_exp`, and log-probabilities are :func:`log_probabilities`.
"""

import math

import torch
import torch.nn.functional as F

from sklabelnoise._compat import under_functorch_transforms

_LOG2_E = math.log2(math.e)
# Beyond it log(1 + exp(x)) is x to double precision.
_LARGE = 40.0
# With fewer classes torch's softmax on a CPU, which goes row by row, takes some times as long as its parts.
_FEW_CLASSES = 32


def _on_cpu(logits):
    """Whether passes over memory count as much as operations, of which each is a launch on an accelerator."""
    return logits.is_cpu


def _in_parts(logits):
    """Whether a softmax costs less in parts."""
    return logits.shape[-1] < _FEW_CLASSES and _on_cpu(logits)


def probabilities(logits):
    """The softmax, of the logits' shape; a buffer that is the caller's to change."""
    if not _in_parts(logits):
        return logits.softmax(-1)
    odds = (logits - logits.amax(-1, keepdim=True)).exp_()
    return odds.div_(odds.sum(-1, keepdim=True))


def put(rows, index, values, dim=-1):
    """Write one value per row, in place where the buffer can take it: torch.vmap knows only the copying form."""
    return rows.scatter(dim, index, values) if under_functorch_transforms() else rows.scatter_(dim, index, values)


def off_the_label(logits, index):
    """What the labels compete with, exact at any gap between the logits.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
    index : tensor of int of shape (..., n_samples, 1)
        The labels.

    Returns
    -------
    rows : tensor of shape (..., n_samples, n_classes)
        Probabilities of the other classes given that the label is wrong, -1 at the label: the negative derivative of
        the margin. A buffer that is the caller's to change.
    total : tensor of shape (..., n_samples, 1) or None
        What `rows` are to be divided by, where that is not done yet: a pass over memory that a caller may save.
    margin : tensor of shape (..., n_samples, 1)
        Log-odds of the label.
    """
    label = logits.gather(-1, index)
    others = logits.scatter(-1, index, torch.full_like(label, -torch.inf))  # of a number it takes half as long again
    # Odds relative to the likeliest of the others, which underflow at no gap between them and the label.
    top = others.amax(-1, keepdim=True)
    if _in_parts(logits):
        # as a power of two: at minus infinity exp takes three times as long
        rows = others.sub_(top).mul_(_LOG2_E).exp2_()
        total = rows.sum(-1, keepdim=True)
        return put(rows, index, total.neg()), total, (label - top).sub_(total.log())
    rows = others.softmax(-1)
    margin = (label - top).add_(rows.amax(-1, keepdim=True).log())  # the largest share is that of odds of one
    return put(rows, index, -1.0), None, margin


def label_margin(logits, labels):
    """Log-odds of the labels, z_y - logsumexp of the others, of shape (..., n_samples)."""
    if under_functorch_transforms():
        return _label_margin_in_torch(logits, labels)
    return _LabelMargin.apply(logits, labels.unsqueeze(-1))


def margins(logits):
    """Log-odds of every class, of the logits' shape."""
    return _margins_in_torch(logits) if under_functorch_transforms() else _Margins.apply(logits)


def log_probabilities(logits):
    """Logarithms of the softmax, of the logits' shape."""
    return _log_probabilities_in_torch(logits) if under_functorch_transforms() else _LogProbabilities.apply(logits)


def cross_entropy_of_labels(logits, labels):
    """-log p of the labels, of shape (..., n_samples)."""
    if under_functorch_transforms():
        return _cross_entropy_in_torch(logits, labels)
    return _CrossEntropyOfLabels.apply(logits, labels.unsqueeze(-1))


def cross_entropy_and_derivative(logits, index):
    """-log p of the labels `index`, both of shape (..., n_samples, 1), and its derivative, of the logits' shape."""
    # The loss of small networks is a good part of a step, and each operation on a batch costs the same however small
    # the batch is: there are as few of them as possible. Without the label's own the sum keeps the digits of its miss.
    if _on_cpu(logits):
        gap = logits - logits.amax(-1, keepdim=True)
        behind = gap.gather(-1, index)
        rows = gap.exp_().scatter_(-1, index, 0.0)
        miss = rows.sum(-1, keepdim=True)
        # The sum of all odds against the likeliest class is one more than this, whichever class the label is.
        more = behind.expm1().add_(miss)
        values = more.log1p().sub_(behind)
        return values, rows.scatter_(-1, index, miss.neg_()).div_(more.add_(1))
    log_p = logits.log_softmax(-1).gather(-1, index)
    rows = logits.softmax(-1).scatter_(-1, index, 0.0)
    miss = rows.sum(-1, keepdim=True)
    values = F.softplus(miss.log() - log_p, threshold=_LARGE)
    return values, rows.scatter_(-1, index, miss.neg_())


def probability(margin):
    """p at a log-odds margin."""
    return F.logsigmoid(margin).exp()


def miss(margin):
    """1 - p at a log-odds margin."""
    return F.logsigmoid(-margin).exp()


def softplus(x):
    """log(1 + exp(x)), which torch's own function takes for x beyond 20 in float64 too."""
    return F.softplus(x, threshold=_LARGE)


def one_minus_exp(x):
    """1 - exp(x) for x of at most zero."""
    return _one_minus_exp_in_torch(x) if under_functorch_transforms() else _OneMinusExp.apply(x)


def with_derivative_of(value, function):
    """The value, with the derivatives of a function that equals it up to a constant and rounding."""
    return function + (value - function).detach()


# The backward passes below are written out, because those of torch cancel or are slow. They are used by what trains;
# where a derivative is to be derived again (create_graph), or torch.func is at work, torch differentiates the same
# function written in its own terms.


def _differentiate_again(in_torch, x, grad):
    return torch.autograd.grad(in_torch(x), x, grad, create_graph=True)[0]


def _label_margin_in_torch(logits, labels):
    index = labels.unsqueeze(-1)
    others = logits.scatter(-1, index, -torch.inf).logsumexp(-1)
    return logits.gather(-1, index).squeeze(-1) - others


class _LabelMargin(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, index):
        rows, total, margin = off_the_label(logits, index)
        ctx.save_for_backward(logits, index, rows, total)
        return margin.squeeze(-1)

    @staticmethod
    def backward(ctx, grad):
        logits, index, rows, total = ctx.saved_tensors
        if torch.is_grad_enabled():
            labels = index.squeeze(-1)
            return _differentiate_again(lambda logits: _label_margin_in_torch(logits, labels), logits, grad), None
        scale = grad.neg().unsqueeze(-1)
        return rows * (scale if total is None else scale.div_(total)), None


def _one_minus_exp_in_torch(x):
    # below -1/2 nothing cancels in the difference, above it nothing does in the derivative of expm1
    return torch.where(x > -0.5, -torch.expm1(x), 1 - torch.exp(x))


class _OneMinusExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.expm1().neg_()

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return -grad * x.exp()


def _log_probabilities_in_torch(logits):
    return F.logsigmoid(_margins_in_torch(logits))


class _LogProbabilities(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits):
        top, index = logits.max(-1, keepdim=True)
        log_odds = logits - top
        # Odds against the likeliest class. Its own stay out, so that their sum keeps the digits of its miss.
        odds = log_odds.exp().scatter_(-1, index, 0.0)
        against = odds.sum(-1, keepdim=True)
        ctx.save_for_backward(logits, index, odds, against)
        return log_odds.sub_(against.log1p())

    @staticmethod
    def backward(ctx, grad):
        logits, index, odds, against = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _differentiate_again(_log_probabilities_in_torch, logits, grad)
        # grad - p sum(grad); of the likeliest class grad (1 - p) - p sum(grad of the others)
        rest = grad.scatter(-1, index, 0.0)
        rest_sum = rest.sum(-1, keepdim=True)
        top = grad.gather(-1, index)
        total = against + 1
        derivative = rest.sub_(odds * ((rest_sum + top) / total))
        return derivative.scatter_(-1, index, (top * against - rest_sum) / total)


def _cross_entropy_in_torch(logits, labels):
    return -_log_probabilities_in_torch(logits).gather(-1, labels.unsqueeze(-1)).squeeze(-1)


class _CrossEntropyOfLabels(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits, index):
        values, rows = cross_entropy_and_derivative(logits, index)
        ctx.save_for_backward(logits, index, rows)
        return values.squeeze(-1)

    @staticmethod
    def backward(ctx, grad):
        logits, index, rows = ctx.saved_tensors
        if torch.is_grad_enabled():
            labels = index.squeeze(-1)
            return _differentiate_again(lambda logits: _cross_entropy_in_torch(logits, labels), logits, grad), None
        return rows * grad.unsqueeze(-1), None


def _margins_in_torch(logits):
    """The probability of a class other than the likeliest is at most one half, where subtracting it from one is exact;
    the likeliest class takes the logsumexp of the others.
    """
    log_proba = logits.log_softmax(-1)
    top = logits.argmax(-1, keepdim=True)
    log_miss = torch.log1p(-log_proba.exp().scatter(-1, top, 0.0))
    others = logits.scatter(-1, top, -torch.inf).logsumexp(-1, keepdim=True)
    return (log_proba - log_miss).scatter(-1, top, logits.gather(-1, top) - others)


class _Margins(torch.autograd.Function):
    @staticmethod
    def forward(ctx, logits):
        top, index = logits.max(-1, keepdim=True)
        # Odds of the others against the second, which underflow at no gap between it and the likeliest class.
        odds = logits.scatter(-1, index, -torch.inf)
        second = odds.amax(-1, keepdim=True)
        odds = odds.sub_(second).exp_()
        against = odds.sum(-1, keepdim=True)
        gap = top - second
        scale = gap.neg().exp()  # times it the odds are against the likeliest class
        total = scale * against + 1
        rest = total - scale * odds  # times 1 - p
        ctx.save_for_backward(logits, index, odds, against, scale, total, rest)
        return (logits - top).sub_(rest.log()).scatter_(-1, index, gap - against.log())

    @staticmethod
    def backward(ctx, grad):
        logits, index, odds, against, scale, total, rest = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _differentiate_again(_margins_in_torch, logits, grad)
        # sum over k of grad_k (e_k - r_k), where r_k are the probabilities given that the class is not k
        top = grad.gather(-1, index)
        by_miss = (grad / rest).scatter_(-1, index, 0.0)
        below = by_miss.sum(-1, keepdim=True)
        derivative = by_miss.mul_(total).sub_(odds * (scale * below + top / against))
        return derivative.scatter_(-1, index, top - below)
