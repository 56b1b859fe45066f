"""All families fitted at the same time, and what became of each."""

import time
from zlib import crc32

import numpy as np
import scipy.sparse
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.utils.parallel import Parallel, delayed

from sklabelnoise._ensemble._networks import NetworksFailed
from sklabelnoise._ensemble._one_thread import one_thread
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._foundation._seeds import MAX_SEED
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._foundation._work import TimeIsOver

# A family whose expected time is above that of all others together is left out, but for fits that are short anyway.
_SHORT_FIT = 120.0
_LATE = "was not finished within the time limit"


def fit_families(families, rows, work, seed, *, n_jobs=None, verbose=0, time_limit=None):
    """Fit families to the same rows; one that fails, or is late, is left out with a warning.

    Parameters
    ----------
    families : list of Family
        Which.
    rows : TrainingRows
        What they learn from.
    work : Work
        Runs their pieces; the first family has no time limit.
    seed : int
        Each family's own is made from it and from what it is `seeded_as`.
    n_jobs : int, default=None
        Families at the same time.
    verbose : int, default=0
        1 shows a progress bar.
    time_limit : float, default=None
        What `work` was told, for the warning.

    Returns
    -------
    fitted : dict of str to FittedFamily
        By name, in the order of `families`.
    statuses : dict of str to str
        What became of the others.

    Raises
    ------
    ValueError
        If none could be fitted.
    """
    costs = {family.name: _cost(family, rows) for family in families}
    statuses = _too_long(costs)
    for name in statuses:
        warn(f"Member {name!r} {statuses[name]}.")
    todo = [family for family in families if family.name not in statuses]
    # Counted in the seconds that each is expected to take; of the user's own nothing is known.
    expected = {family.name: costs[family.name] or 1.0 for family in todo}
    bar = Progress(sum(expected.values()), "members", unit="expected seconds", shown=verbose)

    def fit_one(family):
        with one_thread():
            outcome = _outcome(family, rows, work if family is not todo[0] else work.without_limit(), seed)
        bar.advance(expected[family.name])
        return outcome

    # A strong penalty leaves little to gain after many steps.
    with one_thread(), bar, callers_filters((ConvergenceWarning, "")):
        outcomes = Parallel(n_jobs=n_jobs, backend="threading")(delayed(fit_one)(family) for family in todo)
    fitted = {}
    for family, outcome in zip(todo, outcomes, strict=True):
        if isinstance(outcome, str):
            statuses[family.name] = outcome
        else:
            fitted[family.name] = outcome
    _warn_of_failures(statuses, todo, fitted, time_limit)
    return fitted, statuses


def _warn_of_failures(statuses, todo, fitted, time_limit):
    names = [family.name for family in todo]
    late = [name for name in names if statuses.get(name) == _LATE]
    failed = [name for name in names if name in statuses and name not in late]
    reasons = "; ".join(f"{name!r} {statuses[name]}" for name in (failed if fitted else statuses))
    if not fitted:
        raise ValueError(f"members must have one at least that can be fitted, got: {reasons}.")
    if failed:
        warn(f"Members are left out: {reasons}.", FitFailedWarning)
    if settings := [f"{name!r} with {failure}" for name, family in fitted.items() for failure in family.failures]:
        warn(f"Settings of members are left out: {_in_short(settings)}.", FitFailedWarning)
    if late:
        warn(
            f"time_limit={time_limit} was over before {', '.join(map(repr, late))} could be finished: the combination "
            "does without.",
        )


def _in_short(reasons):
    """The first lines of a few reasons."""
    first = "; ".join(reason.split("\n")[0].rstrip(".") for reason in reasons[:3])
    return f"{first}; and {len(reasons) - 3} more" if len(reasons) > 3 else first


def _outcome(family, rows, work, seed):
    """The fitted family, or what went wrong."""
    start = time.perf_counter()
    try:
        fitted = family.fit(rows, work, crc32(f"{seed} {family.seeded_as}".encode("utf-8", "surrogatepass")) % MAX_SEED)
    except TimeIsOver:
        return _LATE
    except Exception as error:
        if error is work.trouble:  # the member was done, and belongs to the result
            raise
        said = str(error).strip() or "no message"
        if not isinstance(error, NetworksFailed):
            said = f"{type(error).__name__}: {said}"
        return f"failed with {said}".split("\n")[0].rstrip(".")
    if not np.isfinite(fitted.left_out).all():
        return "predicts NaN"
    fitted.seconds = time.perf_counter() - start
    return fitted


def _cost(family, rows):
    view = rows.views[family.view]
    if scipy.sparse.issparse(view):
        n_features = view.nnz / len(rows)
    else:
        n_features = view.shape[1] if getattr(view, "ndim", 1) == 2 else 1
    return family.cost(len(rows), n_features, rows.n_classes, len(rows.splits), rows.by_folds)


def _too_long(costs):
    """Of families with their seconds those that would take longer than all others together, and what to say of it."""
    statuses = {}
    for name in sorted(costs, key=costs.get, reverse=True):
        rest = sum(cost for other, cost in costs.items() if other != name and other not in statuses)
        if costs[name] > max(rest, _SHORT_FIT) and rest > 0:
            statuses[name] = (
                f"is left out: about {costs[name]:.0f} s would be longer than {rest:.0f} s of all others together"
            )
    return statuses
