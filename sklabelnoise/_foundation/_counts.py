"""Arguments that are numbers of things."""

from numbers import Integral


def check_count(name, number, *, least):
    """Refuse what is no whole number, or too small a one.

    Raises
    ------
    ValueError
        Naming the argument.
    """
    if not isinstance(number, Integral) or isinstance(number, bool) or number < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {number!r}.")
