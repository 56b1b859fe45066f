"""Arguments that are numbers, and of these numbers of things.

A boolean is none: True would be read as 1. Nor are integers beyond 64 bits, which neither NumPy nor torch holds.
"""

import math
from numbers import Integral, Real


def is_integer(value):
    """Whether it is an integer.

    Examples
    --------
    >>> is_integer(3), is_integer(True), is_integer(3.0), is_integer(10**400)
    (True, False, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value):
    """Whether it is a finite real number.

    Examples
    --------
    >>> is_number(3), is_number(0.5), is_number(True), is_number(float("nan")), is_number(10**400)
    (True, True, False, False, False)
    """
    return is_integer(value) or (isinstance(value, Real) and not isinstance(value, Integral) and math.isfinite(value))


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
    if not is_integer(number) or number < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {number!r}.")
    return int(number)
