"""Estimators that one of ours holds in a list by names of the user, as scikit-learn's ensembles hold theirs."""

# In place of an estimator, as in scikit-learn's ensembles: the member takes no part.
DROPPED = "drop"


def named_members(entries):
    """Estimators by name, dropped ones too; whatever else is in the list is not among them.

    Parameters
    ----------
    entries : object
        A list whose entries (name, estimator), or (name, estimator, more), are looked at; nobody has checked it.

    Returns
    -------
    estimators : dict of str to estimator or "drop"
    """
    entries = entries if isinstance(entries, list | tuple) else ()
    return {entry[0]: entry[1] for entry in entries if _is_named(entry)}


def parameters_of(entries):
    """Named members of a list, and their parameters by names such as ``forest__max_depth``."""
    found = {}
    for name, estimator in named_members(entries).items():
        found[name] = estimator
        if not isinstance(estimator, str):
            found |= {f"{name}__{key}": value for key, value in estimator.get_params(deep=True).items()}
    return found


def with_members(entries, params, reserved):
    """A list with other estimators in the place of members that are named in `params`, and the parameters left.

    Parameters
    ----------
    entries : object
        As for :func:`named_members`.
    params : dict
        What is to be set.
    reserved : container of str
        Names that mean something else.

    Returns
    -------
    entries : object
        What stands beside a member stays.
    params : dict
    """
    params = dict(params)
    for name in named_members(entries):
        if name in params and name not in reserved:
            estimator = params.pop(name)
            changed = [
                (name, estimator, *entry[2:]) if _is_named(entry) and entry[0] == name else entry for entry in entries
            ]
            entries = changed if isinstance(entries, list) else tuple(changed)
    return entries, params


def check_names(entries, reserved, argument):
    """Refuse names by which the parameters of members could not be told apart.

    Raises
    ------
    ValueError
        Naming the first.
    """
    for name in named_members(entries):
        if name in reserved or "__" in name:
            raise ValueError(
                f"{argument} must have names that are no parameters of the ensemble and hold no '__', by which their "
                f"own parameters are told apart, got {name!r}."
            )


def is_dropped(entry):
    """Whether an entry of a list is a member that takes no part."""
    return isinstance(entry, tuple | list) and len(entry) > 1 and isinstance(entry[1], str) and entry[1] == DROPPED


def _is_named(entry):
    if not isinstance(entry, tuple | list) or len(entry) not in (2, 3) or not isinstance(entry[0], str):
        return False
    return is_dropped(entry) or (hasattr(entry[1], "get_params") and not isinstance(entry[1], type))
