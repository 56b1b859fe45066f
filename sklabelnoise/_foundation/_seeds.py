"""Seeds drawn from a `random_state`."""

from sklearn.utils import check_random_state

# Seeds are below this: a signed integer of 32 bits is what every library takes.
MAX_SEED = 2**31 - 1


def draw_seed(random_state):
    """One seed from an int, a RandomState (which moves on) or None.

    Examples
    --------
    >>> draw_seed(0) == draw_seed(0) < MAX_SEED
    True
    """
    return int(check_random_state(random_state).randint(MAX_SEED))
