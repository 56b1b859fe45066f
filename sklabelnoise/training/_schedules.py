"""Learning-rate schedules: pure functions of the iteration and the number of iterations."""

import math
from functools import partial


def constant(iteration, n_iterations):
    """Keep the learning rate."""
    return 1.0


def cosine(iteration, n_iterations, *, warmup=0.0):
    """Half a cosine from 1 to 0, after a linear rise over the fraction `warmup` of the iterations."""
    rise = warmup * n_iterations
    if iteration < rise:
        return min(1.0, (iteration + 1) / rise)
    return 0.5 * (1 + math.cos(math.pi * (iteration - rise) / (n_iterations - rise)))


def one_cycle(iteration, n_iterations, *, rise=0.3, div_factor=25.0, final_div_factor=1e4):
    """Cosine rise to 1 and cosine fall, as ``torch.optim.lr_scheduler.OneCycleLR`` with the rate as its maximum."""
    start, end = 1 / div_factor, 1 / (div_factor * final_div_factor)
    peak, last = rise * n_iterations - 1, n_iterations - 1
    if iteration <= peak:
        low, high, fraction = start, 1.0, iteration / peak if peak > 0 else 1.0
    else:
        low, high, fraction = 1.0, end, (iteration - peak) / (last - peak)
    return high + (low - high) / 2 * (1 + math.cos(math.pi * min(1.0, fraction)))


def inverse(iteration, n_iterations, *, gamma=1e-5, power=0.75):
    """Caffe's "inv" policy, (1 + gamma * iteration) ** -power."""
    return (1 + gamma * iteration) ** -power


def milestones(iteration, n_iterations, *, milestones, gamma=0.1):
    """Multiply by `gamma` at each milestone: an iteration number, or below 1 a fraction of all iterations."""
    passed = sum(iteration >= (m * n_iterations if m < 1 else m) for m in milestones)
    return gamma**passed


def _of_progress(function, iteration, n_iterations):
    factor = function(iteration / n_iterations)
    try:
        number = float(factor)
    except (TypeError, ValueError):  # whatever is no number
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(
            "lr_schedule must return a finite number of at least 0 to multiply the learning rate by, got "
            f"{factor!r} at progress {iteration / n_iterations:g}."
        )
    return number


_SCHEDULES = {
    "constant": constant,
    "cosine": cosine,
    "one-cycle": one_cycle,
    "inv": inverse,
    "milestones": milestones,
}


def make_schedule(spec):
    """Turn the parameter `lr_schedule` into a function of iteration and number of iterations.

    Parameters
    ----------
    spec : str, dict or callable
        A name ("constant", "cosine", "one-cycle", "inv"), a dict with the key "name" and the options of that schedule
        (``{"name": "milestones", "milestones": [0.5, 0.75], "gamma": 0.1}``), or a callable of the training progress in
        [0, 1).

    Returns
    -------
    factor : callable
        ``factor(iteration, n_iterations)``: what the learning rate is multiplied by in that 0-based iteration.

    Raises
    ------
    ValueError
        If the name is unknown or the options do not fit the schedule.

    Examples
    --------
    >>> from sklabelnoise.training._schedules import make_schedule
    >>> factor = make_schedule({"name": "milestones", "milestones": [0.5], "gamma": 0.1})
    >>> [factor(t, 4) for t in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """
    if callable(spec):
        return partial(_of_progress, spec)
    options = {"name": spec} if isinstance(spec, str) else dict(spec)
    name = options.pop("name", None)
    if name not in _SCHEDULES:
        raise ValueError(
            f"lr_schedule must name one of {sorted(_SCHEDULES)} or be a callable of progress, got {spec!r}."
        )
    # "constant" stays the function itself, by which the net knows that the learning rate is not its to set.
    factor = partial(_SCHEDULES[name], **options) if options else _SCHEDULES[name]
    try:
        factor(0, 2)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"lr_schedule must have options that fit the schedule {name!r}, got {spec!r}: {error}."
        ) from error
    return factor
