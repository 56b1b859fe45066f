"""Active-passive losses: a normalized active loss, which raises the label, and a passive one, which lowers the rest."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import torch

from sklabelnoise.losses._asymmetric import ael, agce, aue
from sklabelnoise.losses._declare import AT_LEAST_ZERO, per_example_loss
from sklabelnoise.losses._margin import over_samples
from sklabelnoise.losses._normalized import nce, nfl
from sklabelnoise.losses._robust import mae, rce

DOCSTRING = r"""Active-passive loss of {active_title} and {passive_title}.

    .. math::
        \ell = \alpha \, \ell_{{{active}}} + \beta \, \ell_{{{passive}}}, \qquad
        \frac{{\partial \ell}}{{\partial z}} = \alpha \frac{{\partial \ell_{{{active}}}}}{{\partial z}}
        + \beta \frac{{\partial \ell_{{{passive}}}}}{{\partial z}},

    see :func:`{active}` and :func:`{passive}`.

    Parameters
    ----------
    logits : tensor of shape (..., n_samples, n_classes)
        Scores before softmax; leading dimensions are replicas.
    targets : tensor of shape (..., n_samples) or (..., n_samples, n_classes)
        Labels (integers) or soft targets (floating point, rows that sum to one; the expectation over labels).
    alpha : float or tensor, default={alpha!r}
        Weight of the active loss, at least 0. A tensor broadcasts over the leading dimensions, as do those below.
    beta : float or tensor, default={beta!r}
        Weight of the passive loss, at least 0. {tuned}
{entries}
    Returns
    -------
    loss : tensor of shape (..., n_samples)

    References
    ----------
    {reference}

    Examples
    --------
    >>> import torch
    >>> from sklabelnoise.losses import {name}
    >>> {name}(torch.tensor([[2.0, 0.0]]), torch.tensor([1]))
    tensor([{example}])
    """
MA = """Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels, ICML 2020, active-passive losses, and
    released configurations."""
ZHOU = """Zhou et al., Asymmetric Loss Functions for Learning with Noisy Labels, ICML 2021, combinations with active
    losses, and released configurations."""
TUNED = "The defaults are the authors' for CIFAR-10; for CIFAR-100 they take\n        {}."
# The authors publish values for normalized cross entropy alone.
BORROWED = (
    "The defaults are the authors' for CIFAR-10 and\n        normalized cross entropy; for CIFAR-100 they take {}."
)


def _sum(active, passive, *, tuned, reference, example, alpha=1.0, beta=1.0, **defaults) -> Callable[..., torch.Tensor]:
    """The loss alpha * active + beta * passive, which has the hyper-parameters of both; some with other defaults."""
    name = f"{active.__name__}_{passive.__name__}"
    hyper = {
        part: {key: (defaults.get(key, default), domain) for key, (default, domain) in part.hyper_parameters.items()}
        for part in (active, passive)
    }
    known = {"alpha": (alpha, AT_LEAST_ZERO), "beta": (beta, AT_LEAST_ZERO), **hyper[active], **hyper[passive]}

    def loss(logits, targets, **given):
        unknown = given.keys() - known.keys()
        if unknown:
            raise TypeError(f"{name}() got an unexpected keyword argument {min(unknown)!r}")
        values = {key: given.get(key, default) for key, (default, _) in known.items()}
        parts = (part(logits, targets, **{key: values[key] for key in hyper[part]}) for part in (active, passive))
        return over_samples(values["alpha"]) * next(parts) + over_samples(values["beta"]) * next(parts)

    arguments = [
        inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation="torch.Tensor")
        for key in ("logits", "targets")
    ]
    for key, (default, _) in known.items():
        kind = "bool" if isinstance(default, bool) else "float | torch.Tensor"
        arguments.append(inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind))
    loss.__signature__ = inspect.Signature(arguments, return_annotation="torch.Tensor")
    loss.__name__ = loss.__qualname__ = name
    if active.__doc__:  # python -OO strips docstrings
        loss.__doc__ = DOCSTRING.format(
            active_title=_title(active),
            passive_title=_title(passive),
            active=active.__name__,
            passive=passive.__name__,
            name=name,
            alpha=alpha,
            beta=beta,
            tuned=tuned,
            entries="".join(
                f"    {key} : {'bool' if isinstance(default, bool) else 'float or tensor'}, default={default!r}\n"
                f"        Of :func:`{part.__name__}`.\n"
                for part in (active, passive)
                for key, (default, _) in hyper[part].items()
            ),
            reference=reference,
            example=example,
        )
    domains = {key: domain for key, (_, domain) in known.items()}
    return per_example_loss(uniform_remainder=True, **domains)(loss)


def _title(loss):
    """The first words of its docstring."""
    title = loss.__doc__.partition("\n")[0].partition(":")[0].partition(",")[0].rstrip(".")
    return title[0].lower() + title[1:]


nce_mae = _sum(nce, mae, tuned=TUNED.format("10 and 1"), reference=MA, example="1.8245")
nce_rce = _sum(nce, rce, tuned=TUNED.format("10 and 0.1"), reference=MA, example="9.0561")
nfl_mae = _sum(nfl, mae, tuned=TUNED.format("10 and 1"), reference=MA, example="1.8593")
nfl_rce = _sum(nfl, rce, tuned=TUNED.format("10 and 0.1"), reference=MA, example="9.0910")

AGCE = {"beta": 4.0, "a": 6.0, "q": 1.5, "reference": ZHOU}
AUE = {"beta": 4.0, "a": 6.3, "q": 1.5, "reference": ZHOU}
AEL = {"beta": 4.0, "a": 5.0, "reference": ZHOU}

nce_agce = _sum(nce, agce, tuned=TUNED.format("10 and 0.1, a = 1.8, q = 3"), example="9.9655", **AGCE)
nce_aue = _sum(nce, aue, tuned=TUNED.format("10 and 0.015, a = 6, q = 3"), example="9.3829", **AUE)
nce_ael = _sum(nce, ael, tuned=TUNED.format("10 and 0.1, a = 1.5"), example="4.8494", **AEL)
nfl_agce = _sum(nfl, agce, tuned=BORROWED.format("10 and 0.1, a = 1.8, q = 3"), example="10.0003", **AGCE)
nfl_aue = _sum(nfl, aue, tuned=BORROWED.format("10 and 0.015, a = 6, q = 3"), example="9.4177", **AUE)
nfl_ael = _sum(nfl, ael, tuned=BORROWED.format("10 and 0.1, a = 1.5"), example="4.8843", **AEL)
