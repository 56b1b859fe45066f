"""From the parameter `members` to families."""

from sklearn.utils import get_tags

from sklabelnoise._ensemble._boosting import Boosting
from sklabelnoise._ensemble._forests import Forest
from sklabelnoise._ensemble._kernel_ridge import KernelRidge
from sklabelnoise._ensemble._linear import Linear
from sklabelnoise._ensemble._neighbors import Neighbors
from sklabelnoise._ensemble._networks import NetworkStack, TableNetworks, is_network
from sklabelnoise._ensemble._own_members import OwnMember
from sklabelnoise._foundation._last_step import predicts_proba
from sklabelnoise._foundation._named_members import DROPPED, check_names, is_dropped

# In the order they are fitted in: what helps most for its time comes first.
TABLE_FAMILIES = (
    "random_forest",
    "extra_trees",
    "kernel_ridge",
    "neighbors",
    "logistic_regression",
    "networks",
    "boosting",
)


def families_of(members, classes, reserved=()):
    """The families that `members` asks for.

    Parameters
    ----------
    members : "auto" or list
        Names of `TABLE_FAMILIES`, and tuples (name, estimator) or (name, estimator, grid).
    classes : ndarray of shape (n_classes,)
        All labels, sorted.
    reserved : sequence of str, default=()
        Names that no member may have: those of the ensemble's own parameters.

    Returns
    -------
    families : list of Family

    Raises
    ------
    ValueError
        If `members` is something else, names are not unique, or an estimator can't predict probabilities.
    """
    entries = TABLE_FAMILIES if isinstance(members, str) else list(members)
    kept = [entry for entry in entries if not is_dropped(entry)]
    if not kept:
        raise ValueError(f"members must name at least one member that is not dropped, got {members!r}.")
    check_names(members, reserved, "members")
    stack = NetworkStack("own", classes)
    families = [_family(entry, classes, stack) for entry in kept]
    names = [family.name for family in families]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"members must have different names, got {name!r} twice.")
    return families


def taken_by_all(members):
    """Whether each of the members takes missing values, and whether each takes sparse rows, as their tags say."""
    if not isinstance(members, str | list | tuple):
        return False, False  # whatever it is, `fit` says what is wrong with it
    own = [] if isinstance(members, str) else [entry for entry in members if not isinstance(entry, str)]
    try:
        tags = [get_tags(entry[1]).input_tags for entry in own if not is_dropped(entry)]
    except (LookupError, TypeError, AttributeError):  # no members, or none of scikit-learn's kind
        return False, False
    return all(one.allow_nan for one in tags), all(one.sparse for one in tags)


def needs_table(members):
    """Whether one of the members is a family for tables of numbers."""
    return isinstance(members, str) or any(isinstance(entry, str) for entry in members)


def has_own(members):
    """Whether one of the members is a classifier of the user."""
    return not isinstance(members, str) and any(
        not isinstance(entry, str) and not is_dropped(entry) for entry in members
    )


def _family(entry, classes, stack):
    if isinstance(entry, str):
        return _table_family(entry, classes)
    if not isinstance(entry, tuple | list) or len(entry) not in (2, 3) or not isinstance(entry[0], str):
        raise ValueError(
            f"members must be 'auto' or a list of tuples (name, estimator) or (name, estimator, grid) and of names "
            f"among {', '.join(TABLE_FAMILIES)}, got {entry!r}."
        )
    name, estimator, grid = (*entry, None)[:3]
    if isinstance(estimator, type) or not (hasattr(estimator, "fit") and hasattr(estimator, "get_params")):
        raise ValueError(f"members must hold unfitted estimators or {DROPPED!r}, got {estimator!r} as {name!r}.")
    if not predicts_proba(estimator):
        raise ValueError(f"members must have predict_proba, got {estimator!r} as {name!r}.")
    if is_network(estimator):
        return stack.add_grid(name, estimator, grid)
    return OwnMember(name, estimator, grid, classes)


def _table_family(name, classes):
    if name in ("random_forest", "extra_trees"):
        return Forest(name)
    if name == "networks":
        return TableNetworks(classes)
    for kind in (KernelRidge, Neighbors, Linear, Boosting):
        if kind.name == name:
            return kind()
    raise ValueError(f"members must be among {', '.join(TABLE_FAMILIES)}, got {name!r}.")
