"""Arguments that are numbers of things."""

from numbers import Integral


def check_count(name, number, *, least):
    """A whole number of some size at least, as Python's own: numpy's overflow, and torch takes none of them.

    Returns
    -------
    number : int

    Raises
    ------
    ValueError
        Naming the argument.
    """
    if not isinstance(number, Integral) or isinstance(number, bool) or number < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {number!r}.")
    return int(number)
