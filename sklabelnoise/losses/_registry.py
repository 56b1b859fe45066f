"""The losses by name: finding one, its hyper-parameters and the weight it gives an example."""

import difflib
import inspect

import torch

from sklabelnoise.losses._declare import check_hyper_parameter
from sklabelnoise.losses._margin import over_samples
from sklabelnoise.losses._robust import gce, mae, mse
from sklabelnoise.losses._targets import (
    confidence_penalty,
    cross_entropy,
    hard_bootstrapping,
    label_smoothing,
    soft_bootstrapping,
)

NAMES = {
    function.__name__: function
    for function in (
        cross_entropy,
        label_smoothing,
        confidence_penalty,
        soft_bootstrapping,
        hard_bootstrapping,
        mae,
        mse,
        gce,
    )
}


def _nearest(name, names):
    """The likeliest meanings of a misspelt name, else all there are."""
    return ", ".join(map(repr, difflib.get_close_matches(str(name), names, n=3, cutoff=0.4) or sorted(names)))


def get_loss(loss):
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
        If there is no loss of that name; the error lists the nearest names.

    Examples
    --------
    >>> from sklabelnoise.losses import get_loss
    >>> get_loss("gcee")
    Traceback (most recent call last):
    ...
    ValueError: loss must be a callable or a name of sklabelnoise.losses.NAMES, got 'gcee'; the nearest are 'gce'...
    """
    if callable(loss):
        return loss
    if not isinstance(loss, str) or loss not in NAMES:
        raise ValueError(
            f"loss must be a callable or a name of sklabelnoise.losses.NAMES, got {loss!r}; "
            f"the nearest are {_nearest(loss, NAMES)}."
        )
    return NAMES[loss]


def hyper_parameters(loss):
    """List the hyper-parameters of a loss.

    Parameters
    ----------
    loss : str or callable
        A key of ``NAMES``, or a function.

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
    function = get_loss(loss)
    domains = getattr(function, "domains", {})
    parameters = inspect.signature(function).parameters.values()
    return {p.name: (p.default, domains.get(p.name)) for p in parameters if p.kind is p.KEYWORD_ONLY}


def check_hyper_parameters(loss, hyper):
    """Raise unless a loss has these hyper-parameters and their values lie in its domains.

    Parameters
    ----------
    loss : str
        A key of ``NAMES``.
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
            raise TypeError(f"{loss} has no hyper-parameter {name!r}; {has}.")
        domain = known[name][1]
        if domain is not None:
            for one in value.flatten().tolist() if isinstance(value, torch.Tensor) else (value,):
                check_hyper_parameter(loss, name, one, domain)
    missing = [name for name, (default, _) in known.items() if default is inspect.Parameter.empty and name not in hyper]
    if missing:
        raise TypeError(f"{loss} needs the hyper-parameter {missing[0]!r}.")


def emphasis_of(loss, p, *, n_classes=None, **hyper):
    """Weight that a loss gives an example whose label has probability p: the L1 norm of its derivative.

    Parameters
    ----------
    loss : str
        A key of ``NAMES``.
    p : tensor of shape (..., n)
        Probabilities of the label.
    n_classes : int, optional
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
    function = get_loss(loss)
    weight = getattr(function, "emphasis", None)
    if weight is None:
        raise ValueError(f"the derivative of {loss!r} has no weight that depends on the label's probability alone.")
    check_hyper_parameters(loss, hyper)
    hyper = {**function.defaults, **hyper}
    if "n_classes" in inspect.signature(weight).parameters:
        if n_classes is None:
            raise ValueError(f"the weight of {loss!r} depends on the number of classes: give n_classes.")
        hyper["n_classes"] = n_classes
    return weight(p, **{name: over_samples(value) for name, value in hyper.items()})
