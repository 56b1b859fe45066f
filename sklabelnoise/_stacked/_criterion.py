"""Criteria that differ in numbers alone as one criterion with a number for each replica."""

import copy
import dataclasses
import numbers

import torch
from torch import nn

from sklabelnoise._stacked._equality import close, same
from sklabelnoise.losses._protocol import Criterion


class NotStackableError(ValueError):
    """Raised where trainings cannot be run as one; the message says what differs or does not fit."""


def stack_criteria(criteria, *, dtype=torch.float32, device="cpu"):
    """One criterion for logits of shape (g, K, n, n_classes) in place of K criteria.

    Numbers that differ become tensors of shape (1, K), which broadcast over the folds; everything else must be equal.

    Parameters
    ----------
    criteria : sequence of torch.nn.Module
        Criteria of one class, in the order of the replicas. They are not changed.
    dtype, device
        Of the tensors.

    Returns
    -------
    criterion : torch.nn.Module

    Raises
    ------
    NotStackableError
        If they differ in more than numbers; the message names the attribute.

    Examples
    --------
    >>> from sklabelnoise.losses import DMEmphasis, DMLoss
    >>> from sklabelnoise._stacked._criterion import stack_criteria
    >>> stack_criteria([DMLoss(DMEmphasis(beta=b)) for b in (0, 4)]).emphasis.beta
    tensor([[0., 4.]])
    """
    return _stack(list(criteria), "loss", dtype=dtype, device=device)


def _stack(values, name, **like):
    first = values[0]
    if all(same(first, value) for value in values[1:]):
        return first
    kinds = {type(value).__name__ for value in values}
    if all(isinstance(value, numbers.Real) and not isinstance(value, bool) for value in values):
        return torch.tensor([[float(value) for value in values]], **like)
    if len(kinds) > 1:
        raise NotStackableError(f"{name} is {' or '.join(sorted(kinds))}")
    if isinstance(first, nn.Module):
        for attribute in first.same_in_a_stack if isinstance(first, Criterion) else ():
            if not all(same(getattr(first, attribute), getattr(value, attribute)) for value in values):
                raise NotStackableError(f"another {name}.{attribute}")
        stacked = copy.copy(first)
        stacked.__dict__ = _stack([vars(value) for value in values], name, **like)
        return stacked
    if dataclasses.is_dataclass(first):
        fields = [f.name for f in dataclasses.fields(first) if f.init]
        states = [{field: getattr(value, field) for field in fields} for value in values]
        return dataclasses.replace(first, **_stack(states, name, **like))
    if isinstance(first, dict) and all(value.keys() == first.keys() for value in values):
        return {key: _stack([value[key] for value in values], f"{name}.{key}", **like) for key in first}
    if isinstance(first, list | tuple) and len({len(value) for value in values}) == 1:
        items = [_stack(list(column), f"{name}[{i}]", **like) for i, column in enumerate(zip(*values, strict=True))]
        return type(first)(items)
    raise NotStackableError(f"{name} differs in more than numbers")


def check_stacked_criterion(stacked, criteria, *, n_classes, soft=False, dtype=torch.float32, device="cpu"):
    """Make sure that a stacked criterion gives each replica the value and the derivative of its own criterion.

    Parameters
    ----------
    stacked : torch.nn.Module
        What :func:`stack_criteria` returned.
    criteria : sequence of torch.nn.Module
        What it was made from.
    n_classes : int
        Classes of the probe.
    soft : bool, default=False
        Whether its targets are soft.
    dtype, device
        Of the probe.

    Raises
    ------
    NotStackableError
        If it does not, for example because a user's function treats the leading dimensions as one batch.
    """
    kept = copy.deepcopy(criteria[0])
    told = same(kept, criteria[0])
    like = {"dtype": dtype, "device": device}
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(2, len(criteria), 7, n_classes, generator=generator).to(**like)
    labels = torch.randint(n_classes, (2, 7), generator=generator).to(device)
    # Replicas from those that fit their labels badly to those that fit them well: a mean of all is a mean of none.
    fit = torch.linspace(-3, 3, 2 * len(criteria)).view(-1, 2).T[..., None, None].to(**like)
    rows = nn.functional.one_hot(labels, n_classes)
    targets = (0.8 * rows + 0.2 / n_classes).to(**like) if soft else labels
    _check_replicas(stacked, criteria, probe, targets)
    _check_replicas(stacked, criteria, probe + fit * rows.unsqueeze(1), targets)
    if told and not same(_ready(kept), criteria[0]):
        raise NotStackableError("the loss changes what it keeps whenever it is called")


def _check_replicas(stacked, criteria, logits, targets):
    try:
        of_stack = targets.unsqueeze(1).expand(-1, len(criteria), *targets.shape[1:])
        together = _value_and_derivative(stacked, logits, of_stack)
    except Exception as error:  # a user's loss may fail in any way
        raise NotStackableError(f"the loss does not run on several replicas at once: {error}") from error
    if together[0].shape != logits.shape[:2]:
        raise NotStackableError("the loss does not return one value for each replica")
    alone = [
        _value_and_derivative(criterion, logits[g, k], targets[g])
        for g in range(len(logits))
        for k, criterion in enumerate(criteria)
    ]
    for stack, ones in zip(together, zip(*alone, strict=True), strict=True):
        if not close(stack.flatten(0, 1), torch.stack(ones)):
            raise NotStackableError("the loss does not give each replica the value it has alone")


@torch.enable_grad()
def _value_and_derivative(criterion, logits, targets):
    logits = logits.detach().clone().requires_grad_()
    value = _ready(criterion)(logits, targets, None)
    (derivative,) = torch.autograd.grad(value.sum(), logits)
    return value.detach(), derivative


def _ready(criterion):
    """A criterion in the midst of a training."""
    if criterion.progress is not None:
        criterion.progress = 0.75
    return criterion.train()
