"""What every loss here asks of its arguments: shapes, dtypes, replicas, soft targets, weights."""

import math

import torch

from sklabelnoise.losses._log_odds import label_margin, margins


def at_least_float32(tensor):
    """The tensor in float32 if it is narrower (autocast), unchanged otherwise."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def check_targets(logits, targets):
    """Return logits of at least float32, and targets expanded over the leading dimensions of the logits.

    Integer targets are labels of shape (..., n_samples); floating targets are distributions of the logits' own shape.
    One target is never repeated for all samples.
    """
    for name, given in (("logits", logits), ("targets", targets)):
        if not isinstance(given, torch.Tensor):
            raise TypeError(f"{name} must be a tensor, got {type(given).__name__}.")
    if not logits.is_floating_point():
        raise TypeError(f"logits must be a tensor of floating point numbers, got {logits.dtype}.")
    logits = at_least_float32(logits)
    soft = targets.is_floating_point()
    shape = logits.shape if soft else logits.shape[:-1]
    if targets.shape != shape:
        try:
            if targets.shape[-1 - soft :] != shape[-1 - soft :]:
                raise RuntimeError
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


def check_sample_weight(logits, sample_weight):
    """Refuse weights that are not one for each sample, over which torch would broadcast in its own way.

    A column beside values of shape (n_samples,) makes a table of them, and a single weight a sum of the mean.
    """
    if sample_weight is None:
        return
    if not isinstance(sample_weight, torch.Tensor):
        raise TypeError(f"sample_weight must be a tensor, got {type(sample_weight).__name__}.")
    shape = logits.shape[:-1]
    if sample_weight.shape[-1:] != shape[-1:] or sample_weight.dim() > len(shape):
        raise ValueError(
            f"sample_weight must have shape {tuple(shape)} to go with logits of shape {tuple(logits.shape)}, got shape "
            f"{tuple(sample_weight.shape)}."
        )


def over_samples(value):
    """A hyper-parameter ready to multiply something of shape (..., n_samples).

    Numbers pass; a tensor broadcasts over the leading (replica) dimensions, so it gets an axis for the samples.
    """
    return value.unsqueeze(-1) if isinstance(value, torch.Tensor) and value.dim() else value


def log(value):
    """Logarithm of a hyper-parameter, which stays a number if it is one: a tensor of it would wait for the device."""
    return value.log() if isinstance(value, torch.Tensor) else (math.log(value) if value else -math.inf)


def log1p(value):
    """As :func:`log`, of one and a hyper-parameter."""
    return value.log1p() if isinstance(value, torch.Tensor) else math.log1p(value)


def over_classes(value):
    """A hyper-parameter ready to multiply something of shape (..., n_samples, n_classes)."""
    return value[..., None, None] if isinstance(value, torch.Tensor) and value.dim() else value


def common_target(targets, mean):
    """The soft target nearest to their mean, of shape (..., n_samples, 1): what all of the mass has in common.

    A sum of shares (which add up to one) weighted by targets counts them in their distance from it. What they have in
    common adds up to a constant, of which the cancellation of far larger derivatives would leave rounding.
    """
    index = (targets - mean.unsqueeze(-1)).abs_().argmin(-1, keepdim=True)
    return targets.gather(-1, index)


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
    # a weight of zero removes the example even where its value is infinite
    return (values * shares(sample_weight.to(values.dtype))).masked_fill(sample_weight == 0, 0.0).sum(-1)


def shares(weight):
    """Weights divided by their sum over the last dimension, zeros where that is zero."""
    return weight / weight.sum(-1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
