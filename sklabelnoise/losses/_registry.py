"""The losses by name: finding one, its hyper-parameters and the weight it gives an example."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch

from sklabelnoise._foundation._counts import check_count
from sklabelnoise.losses._active_passive import (
    nce_ael,
    nce_agce,
    nce_aue,
    nce_mae,
    nce_rce,
    nfl_ael,
    nfl_agce,
    nfl_aue,
    nfl_mae,
    nfl_rce,
)
from sklabelnoise.losses._asymmetric import ael, agce, aue
from sklabelnoise.losses._batch import OHEMLoss, PeerLoss
from sklabelnoise.losses._corrected import backward, forward, forward_symmetric
from sklabelnoise.losses._declare import check_values, own_number
from sklabelnoise.losses._label_memory import JointOptimizationLoss, PENCILLoss, SOPLoss
from sklabelnoise.losses._margin import over_samples
from sklabelnoise.losses._normalized import nce, nfl, ngce, nmae, nrce
from sklabelnoise.losses._robust import focal, gce, js, mae, mse, rce, sce, taylor_ce
from sklabelnoise.losses._stateful import ELRLoss, TruncatedGCELoss
from sklabelnoise.losses._targets import (
    confidence_penalty,
    cross_entropy,
    hard_bootstrapping,
    label_smoothing,
    soft_bootstrapping,
)
from sklabelnoise.losses._tempered import bi_tempered
from sklabelnoise.losses._whole_prediction import brier, negative_learning

# Losses that give one value per example, by name. Those of two views of a row (GJS) are no such functions and are left
# out, as is the determinant of a batch (DMI).
NAMES = {
    function.__name__: function
    for function in (
        *(cross_entropy, label_smoothing, confidence_penalty, soft_bootstrapping, hard_bootstrapping),
        *(mae, mse, gce, rce, sce, focal, taylor_ce, js),
        *(agce, aue, ael),
        *(forward_symmetric, forward, backward),
        *(nce, nfl, ngce, nmae, nrce),
        *(nce_mae, nce_rce, nfl_mae, nfl_rce),
        *(nce_agce, nce_aue, nce_ael, nfl_agce, nfl_aue, nfl_ael),
        *(bi_tempered, brier, negative_learning),
    )
}

# Criteria that remember every training row, by name.
ROW_CRITERIA = {
    "elr": ELRLoss,
    "truncated_gce": TruncatedGCELoss,
    "joint_optimization": JointOptimizationLoss,
    "pencil": PENCILLoss,
    "sop": SOPLoss,
}

# Criteria in which the rows of a batch depend on each other, by name.
BATCH_CRITERIA = {"ohem": OHEMLoss, "peer": PeerLoss}

CRITERIA = {**ROW_CRITERIA, **BATCH_CRITERIA}

# What is no loss of one value per example, and is asked for by name all the same.
_WITH_CLASSES_OF_THEIR_OWN = {
    "dm": "losses.DMLoss, which DMClassifier trains with",
    "derivative_manipulation": "losses.DMLoss, which DMClassifier trains with",
    "proselflc": "losses.ProSelfLCLoss, which ProSelfLCClassifier trains with",
}


def _nearest(name, names):
    """The likeliest meanings of a misspelt name, else all there are."""
    spelled = {known.lower(): known for known in names}
    found = difflib.get_close_matches(str(name).lower(), spelled, n=3, cutoff=0.4)
    return ", ".join(map(repr, [spelled[match] for match in found] or sorted(names)))


def _find(loss):
    """The function or criterion of a name; a callable is returned as it is."""
    if isinstance(loss, type) or getattr(loss, "needs_indices", False):
        raise TypeError(
            f"loss must be a name or a function of logits and targets that returns one value per example, got "
            f"{loss!r}. Losses that remember every row or see a whole batch go by their names: "
            f"{', '.join(map(repr, CRITERIA))}."
        )
    if callable(loss):
        return loss
    if isinstance(loss, str) and loss in CRITERIA:
        return CRITERIA[loss]
    if not isinstance(loss, str) or loss not in NAMES:
        own = _WITH_CLASSES_OF_THEIR_OWN.get(loss) if isinstance(loss, str) else None
        hint = f"that is {own}" if own else f"the nearest are {_nearest(loss, [*NAMES, *CRITERIA])}"
        raise ValueError(f"loss must be a callable or a name of sklabelnoise.losses.NAMES, got {loss!r}; {hint}.")
    return NAMES[loss]


def get_loss(loss: str | Callable[..., Any]) -> Callable[..., Any]:
    """Return the loss of a name; a callable is returned as it is.

    Parameters
    ----------
    loss : str or callable
        A key of ``NAMES``, or a function ``loss(logits, targets, **hyper)``.

    Returns
    -------
    loss : callable

    Raises
    ------
    ValueError
        If there is no loss of that name (the error lists the nearest names), or it is one of ``ROW_CRITERIA`` or
        ``BATCH_CRITERIA``.
    TypeError
        If it is a class, or a criterion that needs row numbers.

    Examples
    --------
    >>> from sklabelnoise.losses import get_loss
    >>> get_loss("gcee")
    Traceback (most recent call last):
    ...
    ValueError: loss must be a callable or a name of sklabelnoise.losses.NAMES, got 'gcee'; the nearest are 'gce'...
    """
    found = _find(loss)
    if isinstance(loss, str) and loss in CRITERIA:
        what = "remembers every training row" if loss in ROW_CRITERIA else "sees a batch as a whole"
        raise ValueError(
            f"loss must be a function of single rows, got {loss!r}, which {what}: use {found.__name__} or "
            "make_criterion."
        )
    return found


def hyper_parameters(loss: str | Callable[..., Any]) -> dict[Any, Any]:
    """List the hyper-parameters of a loss.

    Parameters
    ----------
    loss : str or callable
        A key of ``NAMES``, ``ROW_CRITERIA`` or ``BATCH_CRITERIA``, or a function.

    Returns
    -------
    hyper : dict
        For each hyper-parameter its default and its domain (None where it has none). A hyper-parameter without a
        default has ``inspect.Parameter.empty``.

    Examples
    --------
    >>> from sklabelnoise.losses import hyper_parameters
    >>> {name: (default, str(domain)) for name, (default, domain) in hyper_parameters("gce").items()}
    {'q': (0.7, 'a number in (0, 1]')}
    """
    loss = _find(loss)
    declared = getattr(loss, "hyper_parameters", None)
    if declared is not None:
        return dict(declared)
    parameters = inspect.signature(loss).parameters.values()
    return {p.name: (p.default, None) for p in parameters if p.kind is p.KEYWORD_ONLY}


def check_hyper_parameters(loss: str | Callable[..., Any], hyper: dict[Any, Any]) -> None:
    """Raise unless a loss has these hyper-parameters and their values lie in its domains.

    Parameters
    ----------
    loss : str or callable
        A key of ``NAMES``, ``ROW_CRITERIA`` or ``BATCH_CRITERIA``.
    hyper : dict
        Values by name. Values of tensors are checked, too, so this is meant for building a criterion, not for
        every batch.

    Raises
    ------
    TypeError
        If a name is unknown (the error names the nearest) or one without a default is missing.
    ValueError
        If a value lies outside its domain.

    Examples
    --------
    >>> from sklabelnoise.losses import check_hyper_parameters
    >>> check_hyper_parameters("gce", {"q": 0.0})
    Traceback (most recent call last):
    ...
    ValueError: 'q' of gce must be a number in (0, 1], got 0.0.
    """
    known = hyper_parameters(loss)
    for name, value in hyper.items():
        if name not in known:
            has = f"the nearest are {_nearest(name, known)}" if known else "it has none"
            raise TypeError(f"{loss} has no such hyper-parameter, got {name!r}; {has}.")
        domain = known[name][1]
        if domain is not None:
            check_values(loss, name, value, domain)
    missing = [name for name, (default, _) in known.items() if default is inspect.Parameter.empty and name not in hyper]
    if missing:
        raise TypeError(f"{loss} needs the hyper-parameter {missing[0]!r}, got {sorted(hyper)}.")


def emphasis_of(loss: str, p: torch.Tensor, *, n_classes: int | None = None, **hyper: Any) -> torch.Tensor:
    """Weight that a loss gives an example whose label has probability p: the L1 norm of its derivative.

    Parameters
    ----------
    loss : str
        A key of ``NAMES``, ``ROW_CRITERIA`` or ``BATCH_CRITERIA``.
    p : tensor of shape (..., n)
        Probabilities of the label.
    n_classes : int, default=None
        Needed by losses that see more than the label's probability; the rest is then spread evenly over the other
        classes.
    **hyper
        Hyper-parameters of the loss; its defaults hold for the others.

    Returns
    -------
    weight : tensor of shape (..., n)

    Raises
    ------
    ValueError
        If the loss has no such weight, or needs ``n_classes``.

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import emphasis_of
    >>> emphasis_of("mae", torch.tensor([0.0, 0.5, 1.0]))
    tensor([0.0000, 0.5000, 0.0000])
    >>> emphasis_of("label_smoothing", torch.tensor([0.0, 0.5, 1.0]), n_classes=10)
    tensor([1.8200, 0.8200, 0.1800])
    """
    declared = _find(loss)
    known = hyper_parameters(loss)
    check_hyper_parameters(loss, hyper)
    given = {name: own_number(value) for name, value in hyper.items()}
    hyper = {**{name: default for name, (default, _) in known.items()}, **given}
    weight = getattr(declared, "emphasis", None)
    if weight is None and not getattr(declared, "uniform_remainder", False):
        raise ValueError(f"loss must have a weight that depends on the label's probability alone, got {loss!r}.")
    if n_classes is not None:
        check_count("n_classes", n_classes, least=2)
    if n_classes is None and (weight is None or "n_classes" in inspect.signature(weight).parameters):
        raise ValueError(f"n_classes must be given, as the weight of {loss!r} depends on it, got None.")
    if weight is None:
        return _weight_by_uniform_remainder(declared, p, n_classes, hyper)
    if "n_classes" in inspect.signature(weight).parameters:
        hyper["n_classes"] = own_number(n_classes)
    return weight(p, **{name: over_samples(value) for name, value in hyper.items()})


def _weight_by_uniform_remainder(loss, p, n_classes, hyper):
    # Logits with the label first and the others alike. Beyond 1e4 float32 has no probabilities to tell apart.
    margin = p.logit().clamp(-1e4, 1e4)
    with torch.inference_mode(False):  # which brings derivatives in whatever block
        logits = torch.zeros(*p.shape, n_classes, dtype=margin.dtype, device=p.device)
        logits[..., 0] = margin + math.log(n_classes - 1)
        logits.requires_grad_()
        labels = torch.zeros(p.shape, dtype=torch.long, device=p.device)
        (derivative,) = torch.autograd.grad(loss(logits, labels, **hyper).sum(), logits)
    return derivative.abs().sum(-1)
