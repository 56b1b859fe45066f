"""What every loss here asks of the logits: the log-odds of a label, free of cancellation, at least in float32."""

import torch
import torch.nn.functional as F


def at_least_float32(tensor):
    """The tensor in float32 if it is narrower (autocast), unchanged otherwise."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def check_targets(logits, targets):
    """Return logits of at least float32, and targets expanded over the leading dimensions of the logits.

    Integer targets are labels of shape (..., n_samples); floating targets are distributions of the logits' own shape.
    """
    logits = at_least_float32(logits)
    soft = targets.is_floating_point()
    shape = logits.shape if soft else logits.shape[:-1]
    if targets.shape != shape:
        try:
            targets = targets.expand(shape)
        except RuntimeError:
            kind = "soft targets (floating point)" if soft else "labels (integers)"
            raise ValueError(
                f"targets given as {kind} must have shape {tuple(shape)} to go with logits of shape "
                f"{tuple(logits.shape)}, got shape {tuple(targets.shape)}."
            ) from None
    if soft:
        return logits, targets.to(logits.dtype)
    # a comparison of dtypes, no look at the values: that would wait for the device
    return logits, targets if targets.dtype == torch.long else targets.long()


def over_samples(value):
    """A hyper-parameter ready to multiply something of shape (..., n_samples).

    Numbers pass; a tensor broadcasts over the leading (replica) dimensions, so it gets an axis for the samples.
    """
    return value.unsqueeze(-1) if isinstance(value, torch.Tensor) and value.dim() else value


def over_classes(value):
    """A hyper-parameter ready to multiply something of shape (..., n_samples, n_classes)."""
    return value[..., None, None] if isinstance(value, torch.Tensor) and value.dim() else value


class LabelOdds:
    """What a weight may depend on: how likely the label is, in whichever form keeps its digits.

    Parameters
    ----------
    margin : tensor of shape (..., n_samples)
        Log-odds of the label.
    """

    def __init__(self, margin):
        self.margin = margin
        self.miss = margin.neg().sigmoid()

    @property
    def p(self):
        return self.margin.sigmoid()

    @property
    def log_p(self):
        return F.logsigmoid(self.margin)

    @property
    def log_miss(self):
        return F.logsigmoid(-self.margin)


def label_margin(logits, labels):
    """Log-odds of the labels, z_y - logsumexp of the others, of shape (..., n_samples).

    Probabilities follow without subtracting from one: p_y is its sigmoid and 1 - p_y the sigmoid of its negative.
    """
    index = labels.unsqueeze(-1)
    others = logits.scatter(-1, index, -torch.inf).logsumexp(-1)
    return logits.gather(-1, index).squeeze(-1) - others


def margins(logits):
    """Log-odds of every class, of the logits' shape.

    The probability of a class other than the likeliest is at most one half, where subtracting it from one is
    exact; the likeliest class takes the logsumexp of the others.
    """
    log_proba = logits.log_softmax(-1)
    top = logits.argmax(-1, keepdim=True)
    miss = torch.log1p(-log_proba.exp().scatter(-1, top, 0.0))
    others = logits.scatter(-1, top, -torch.inf).logsumexp(-1, keepdim=True)
    return (log_proba - miss).scatter(-1, top, logits.gather(-1, top) - others)


def expected_value(value, logits, targets):
    """Loss per example of a loss that sees the label's probability alone, of shape (..., n_samples).

    ``value`` maps margins of shape (..., n_samples) to losses. Soft targets mean the expectation of the loss over
    labels drawn from them, which is linear in the targets and equals repeating the row once per class.
    """
    logits, targets = check_targets(logits, targets)
    if not targets.is_floating_point():
        return value(label_margin(logits, targets))
    # Classes join the samples' dimension, which keeps hyper-parameters broadcasting over the leading dimensions.
    values = value(margins(logits).flatten(-2)).unflatten(-1, targets.shape[-2:])
    return (targets * values).sum(-1)


def weighted_mean(values, sample_weight=None):
    """Mean over the last dimension, weighted; zero where all weights are zero.

    It divides by the sum of the weights: integer weights equal repetition and zero weight equals removal.
    """
    if sample_weight is None:
        return values.mean(-1)
    weight = sample_weight.to(values.dtype)
    total = weight.sum(-1).clamp_min(torch.finfo(values.dtype).tiny)
    # a weight of zero removes the example even where its value is infinite
    return torch.where(weight == 0, 0.0, values * weight).sum(-1) / total
