"""One nn.Module shell around every loss that gives a value per example, and criteria by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch

from sklabelnoise._compat import under_functorch_transforms
from sklabelnoise.losses._declare import as_matrix
from sklabelnoise.losses._log_odds import cross_entropy_and_derivative
from sklabelnoise.losses._margin import check_sample_weight, check_targets, shares, weighted_mean
from sklabelnoise.losses._protocol import Criterion
from sklabelnoise.losses._registry import CRITERIA, check_hyper_parameters, get_loss
from sklabelnoise.losses._targets import cross_entropy

REDUCTIONS = ("mean", "sum", "none")


class PerExampleLoss(Criterion):
    """Criterion around a loss that gives one value per example.

    Parameters
    ----------
    loss : str or callable, default='cross_entropy'
        A name of ``sklabelnoise.losses.NAMES``, or a function ``loss(logits, targets, **hyper)`` that returns one
        value per example, of shape (..., n_samples).
    reduction : {'mean', 'sum', 'none'}, default='mean'
        Over the samples; leading (replica) dimensions stay. 'mean' divides by the sum of the sample weights.
    **hyper
        Hyper-parameters of the loss.

    Raises
    ------
    ValueError
        If the name is unknown (the error names the nearest) or a hyper-parameter lies outside its domain.
    TypeError
        If the loss has no hyper-parameter of a given name, or is a class or a criterion that needs row numbers.

    Attributes
    ----------
    hyper : dict
        The hyper-parameters that the loss is called with, which a callback may change while training goes on.

    Notes
    -----
    ``forward(logits, target, sample_weight=None)`` takes labels or soft targets. In evaluation mode the loss is plain
    cross entropy, so that validation values compare across losses. A function that returns something else than one
    value per example, such as a mean over the batch, is a ValueError: weights could not be applied to it.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import PerExampleLoss
    >>> criterion = PerExampleLoss("gce", q=0.5)
    >>> criterion(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor(1.3095)
    """

    def __init__(
        self,
        loss: str | Callable[..., Any] = "cross_entropy",
        reduction: Literal["mean", "sum", "none"] = "mean",
        **hyper: Any,
    ):
        super().__init__()
        if reduction not in REDUCTIONS:
            raise ValueError(f"reduction must be one of {REDUCTIONS}, got {reduction!r}.")
        self.function = get_loss(loss)
        if not callable(loss):
            # matrices become tensors once, not at every batch
            hyper = {name: as_matrix(v) if isinstance(v, np.ndarray | list) else v for name, v in hyper.items()}
            check_hyper_parameters(loss, hyper)
        else:
            _check_call(loss, hyper)
        self.loss = loss
        self.reduction = reduction
        # those of a block of ``torch.inference_mode()`` may not be part of a graph, their copies may
        inference = {name for name, v in hyper.items() if isinstance(v, torch.Tensor) and v.is_inference()}
        self.hyper = {name: v.clone() if name in inference else v for name, v in hyper.items()}

    def forward(self, logits, target, sample_weight=None):
        check_sample_weight(logits, sample_weight)
        if self.training:
            values = self._values(logits, target)
            _check_values(values, logits)
        else:
            values = cross_entropy(logits, target)
        if self.reduction == "mean":
            return weighted_mean(values, sample_weight)
        if sample_weight is not None:
            values = values * sample_weight.to(values.dtype)
        return values.sum(-1) if self.reduction == "sum" else values

    def _values(self, logits, target):
        try:
            return self.function(logits, target, **self.hyper)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # a user's function may fail in any way
            if not callable(self.loss) or not target.is_floating_point() or not self._takes_labels(logits, target):
                raise
            name = getattr(self.loss, "__name__", type(self.loss).__name__)
            raise ValueError(
                "loss must take soft targets where it is trained on soft labels: rows of probabilities in place of "
                "labels, as -(targets * logits.log_softmax(-1)).sum(-1) does; a label refinery with "
                f"soft_label_method='replicate' needs labels alone. Got {name}, which takes labels alone; for targets "
                f"of shape {tuple(target.shape)} it raises {type(error).__name__}: {error}"
            ) from error

    def _takes_labels(self, logits, target):
        try:
            self.function(logits.detach(), target.argmax(-1), **self.hyper)
        except Exception:
            return False
        return True

    def value_and_derivative(self, logits, target, sample_weight=None):
        if self.function is not cross_entropy or self.reduction != "mean" or target.is_floating_point():
            return None
        check_sample_weight(logits, sample_weight)
        logits, labels = check_targets(logits.detach(), target)
        values, rows = cross_entropy_and_derivative(logits, labels.unsqueeze(-1))
        values = values.squeeze(-1)
        if sample_weight is None:
            return values.mean(-1), rows.mul_(1 / values.shape[-1])
        return weighted_mean(values, sample_weight), rows.mul_(shares(sample_weight.to(values.dtype)).unsqueeze(-1))

    def extra_repr(self):
        hyper = "".join(f", {name}={value}" for name, value in self.hyper.items())
        return f"{self.loss!r}, reduction={self.reduction!r}{hyper}"


def _check_call(loss, hyper):
    """Refuse a callable that waits for what it is not told, or does not take its hyper-parameters."""
    called = loss.forward if isinstance(loss, torch.nn.Module) else loss
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):  # of what is not written in Python
        return
    waits_for = [name for name in ("prepare", "progress") if getattr(loss, name, None) is not None]
    waits_for += [name for name in ("indices", "progress") if name in set(signature.parameters) - set(hyper)]
    if waits_for:
        raise TypeError(
            "loss must need nothing but logits, targets and its hyper-parameters: it is told neither the rows of a "
            "batch nor how far training is. A callback can change its hyper-parameters, net.criterion_.hyper, got "
            f"{getattr(loss, '__name__', type(loss).__name__)}, which has {waits_for[0]}."
        )
    try:
        signature.bind("logits", "targets", **hyper)
    except TypeError as error:
        given = f"with {', '.join(hyper)}" if hyper else "without any"
        name = getattr(loss, "__name__", type(loss).__name__)
        raise TypeError(f"loss must take its hyper-parameters, got {name} {given}: {error}.") from error


def make_criterion(loss: str | Callable[..., Any] = "cross_entropy", **hyper: Any) -> torch.nn.Module:
    """Build the criterion of a loss by name.

    Parameters
    ----------
    loss : str or callable, default='cross_entropy'
        A key of ``NAMES``, ``ROW_CRITERIA`` or ``BATCH_CRITERIA``, or a function ``loss(logits, targets, **hyper)``
        that returns one value per example.
    **hyper
        Hyper-parameters of the loss.

    Returns
    -------
    criterion : torch.nn.Module
        A :class:`PerExampleLoss` with the weighted mean, or the criterion of that name; ``needs_indices`` is True for
        those of ``ROW_CRITERIA``.

    Raises
    ------
    ValueError
        If the name is unknown (the error names the nearest) or a hyper-parameter lies outside its domain.
    TypeError
        If the loss has no hyper-parameter of a given name.

    Examples
    --------
    >>> from sklabelnoise.losses import make_criterion
    >>> make_criterion("gce", q=0.5)
    PerExampleLoss('gce', reduction='mean', q=0.5)
    >>> make_criterion("elr", lam=1.0)
    ELRLoss(beta=0.7, lam=1.0)
    """
    if isinstance(loss, str) and loss in CRITERIA:
        check_hyper_parameters(loss, hyper)
        return CRITERIA[loss](**hyper)
    return PerExampleLoss(loss, **hyper)


def _check_values(values, logits):
    """Refuse what a function returns in place of one value per example, from which a derivative follows."""
    if isinstance(values, torch.Tensor) and values.shape == logits.shape[:-1] and values.is_floating_point():
        follows = values.requires_grad or not logits.requires_grad or not torch.is_grad_enabled()
        # Under vmap and grad of torch.func a tensor does not say whether it is differentiated.
        if not follows and not under_functorch_transforms():
            raise ValueError(
                "loss must return values that depend on the logits, got values that no logits lead to: a detached "
                "tensor, or a comparison."
            )
        return
    got = type(values).__name__
    if isinstance(values, torch.Tensor):
        got = f"shape {tuple(values.shape)}" if values.shape != logits.shape[:-1] else str(values.dtype)
    raise ValueError(
        f"loss must return one value per example, a tensor of shape {tuple(logits.shape[:-1])} for logits of shape "
        f"{tuple(logits.shape)} and of a type with a derivative, got {got}."
    )
