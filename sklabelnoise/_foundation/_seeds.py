"""Seeds drawn from a `random_state`."""

from functools import lru_cache
from numbers import Integral

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
    return _first_draw(int(random_state)) if isinstance(random_state, Integral) else _draw(random_state)


def _draw(random_state):
    return int(check_random_state(random_state).randint(MAX_SEED))


# To seed NumPy's generator takes a tenth of a small fit's time beside its steps, and a search seeds all alike.
_first_draw = lru_cache(maxsize=256)(_draw)
