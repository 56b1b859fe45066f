"""The derivative view: every loss by the weight it gives an example, in numbers and as one table."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch

from sklabelnoise.losses._emphasis import DMEmphasis, IMAEEmphasis
from sklabelnoise.losses._registry import BATCH_CRITERIA, NAMES, ROW_CRITERIA, emphasis_of, hyper_parameters
from sklabelnoise.losses._weighting import weights_at

# Midpoints of this many intervals for what has no peak narrower than a thousandth of [0, 1].
N_POINTS = 100_000


def emphasis_variance(
    emphasis: Callable[..., Any] | str, p: torch.Tensor | None = None, *, n_classes: int | None = None, **hyper: Any
) -> torch.Tensor:
    r"""Emphasis variance: how differently examples are weighted.

    The variance of the weights :math:`w(p_y)` over a batch. Where it is small all examples count alike; where it is
    large few examples are learned from.

    Parameters
    ----------
    emphasis : callable or str
        A weight w(p), such as ``DMEmphasis()``, or the name of a loss, see :func:`emphasis_of`.
    p : tensor of shape (..., n_samples), default=None
        Probabilities of the labels of a batch. None takes them as spread evenly over [0, 1].
    n_classes : int, default=None
        Needed by losses that see more than the label's probability.
    **hyper
        Hyper-parameters of a loss given by name.

    Returns
    -------
    variance : tensor of shape (...)
        Of the population: the mean squared distance from the mean.

    Raises
    ------
    TypeError
        If there are hyper-parameters for a weight that is no loss given by name.

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Definition 2. Wang et al., IMAE for
    Noise-Robust Learning, arXiv:1903.12141, 2019 (evenly spread probabilities).

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import IMAEEmphasis, emphasis_variance
    >>> emphasis_variance("cross_entropy", torch.tensor([0.0, 0.5, 1.0]))
    tensor(0.6667)
    >>> round(emphasis_variance(IMAEEmphasis(T=8.0)).item(), 2)
    4.55
    """
    check_takes(emphasis, hyper)
    if p is None:
        p = _midpoints(N_POINTS)
    if isinstance(emphasis, str):
        weight = emphasis_of(emphasis, p, n_classes=n_classes, **hyper)
    else:
        weight = weights_at(emphasis, p.logit())
    return weight.var(-1, correction=0)


def check_takes(emphasis, hyper):
    """Refuse hyper-parameters for a weight that has its own."""
    if hyper and not isinstance(emphasis, str):
        raise TypeError(
            f"emphasis must be the name of a loss to take the hyper-parameters {sorted(hyper)}, got {emphasis!r}."
        )


def _midpoints(n):
    return (torch.arange(n, dtype=torch.double) + 0.5) / n


def emphasis_table(n_classes: int = 10) -> pd.DataFrame:
    """The derivative view of all losses: one row a loss, at its defaults.

    A loss acts through its derivative alone. Where that has the direction of cross entropy's, all there is to know is
    the weight w(p) of an example by the probability p of its label: where it is largest, and how much it varies.

    Parameters
    ----------
    n_classes : int, default=10
        Number of classes, which matters to losses that see more than the label's probability; the rest is then spread
        evenly over the other classes.

    Returns
    -------
    table : DataFrame
        Indexed by the names of the losses, and of the emphases of derivative manipulation. Columns: `derivative`, the
        formula in LaTeX; `sees`, "label" where the weight depends on the label's probability alone, "prediction" where
        it holds for evenly spread rests, "more" where there is none; `mode`, the probability that weighs most;
        `mean` and `variance` of the weight over evenly spread probabilities, and `relative`,
        the standard deviation over the mean, which compares losses of different scale.

    See Also
    --------
    emphasis_of : The weight itself.
    sklabelnoise.inspection.EmphasisDisplay : A picture of it.

    References
    ----------
    Wang et al., Derivative Manipulation for General Example Weighting, 2020, Section 3 and Definitions 1 and 2.

    Examples
    --------
    >>> from sklabelnoise.losses import emphasis_table
    >>> emphasis_table().loc[["cross_entropy", "mae", "gce"], ["mode", "mean", "variance"]].round(2)
                   mode  mean  variance
    cross_entropy  0.00  1.00      0.33
    mae            0.50  0.33      0.02
    gce            0.41  0.44      0.03
    """
    p = torch.cat([torch.tensor([0.0], dtype=torch.double), _midpoints(N_POINTS), torch.tensor([1.0]).double()])
    rows = {}
    for name, loss in {**NAMES, **ROW_CRITERIA, **BATCH_CRITERIA}.items():
        weight, sees = _weight(name, loss, p, n_classes)
        rows[name] = {"derivative": _formula(loss), "sees": sees, **_summary(p, weight)}
    for name, emphasis in (("derivative_manipulation", DMEmphasis()), ("imae", IMAEEmphasis())):
        formula = r"\frac{w(p_y)}{2 (1 - p_y)} (p - e_y)"
        rows[name] = {"derivative": formula, "sees": "label", **_summary(p, emphasis(p))}
    return pd.DataFrame.from_dict(rows, orient="index")


def _weight(name, loss, p, n_classes):
    """The weight of a loss at its defaults, or None, and what it depends on."""
    required = any(default is inspect.Parameter.empty for default, _ in hyper_parameters(name).values())
    if required or (loss.emphasis is None and not loss.uniform_remainder):
        return None, "more"
    # These two weights follow from the probability of the label only where the others are alike.
    alone = loss.emphasis is not None and name not in ("nce", "label_smoothing")
    return emphasis_of(name, p, n_classes=n_classes), "label" if alone else "prediction"


def _summary(p, weight):
    if weight is None:
        return dict.fromkeys(("mode", "mean", "variance", "relative"), float("nan"))
    inner = weight[1:-1]
    mean, variance = inner.mean().item(), inner.var(correction=0).item()
    mode = p[weight.argmax()].item()
    return {"mode": mode, "mean": mean, "variance": variance, "relative": variance**0.5 / mean}


def _formula(loss):
    """The derivative as the docstring gives it: what follows its sign of equality, to the end of the equation."""
    text = inspect.getdoc(loss)
    found = re.search(r"\\frac\{\\partial \\ell\}\{\\partial z(?:_i)?\}\s*=\s*(.*?)\n\n", text, re.DOTALL)
    return " ".join(found[1].split()).rstrip(" .,:") if found else ""
