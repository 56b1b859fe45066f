"""Progress bars with the time that remains, in terminals and notebooks."""

from __future__ import annotations

import sys
import threading
from typing import Any, Self

from tqdm.auto import tqdm

# Work may be counted in parts of a piece; what is shown are whole pieces.
_FORMAT = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}<{remaining}{postfix}]"


class Progress:
    """A bar over pieces of work, which may be finished in parts.

    Parameters
    ----------
    total : float
        Number of pieces.
    name : str
        What is being done.
    unit : str
        What a piece is called, in the plural.
    shown : int or bool
        Whether there is a bar at all.

    Examples
    --------
    >>> with Progress(2, "fitting", unit="fits", shown=False) as bar:
    ...     bar.advance(0.5)
    ...     bar.advance(1.5)
    >>> bar.done
    2.0
    """

    def __init__(self, total: float, name: str, *, unit: str, shown: int | bool) -> None:
        self.total, self.done, self._lock = total, 0.0, threading.Lock()
        self._bar: Any = tqdm(total=total, desc=name, unit=unit, bar_format=_FORMAT, disable=not shown)

    def advance(self, pieces: float = 1, beside: dict[str, str] | None = None) -> None:
        """Note that some pieces, or parts of one, are done; `beside` is shown behind the bar, by name."""
        with self._lock:
            if beside is not None:
                self._bar.set_postfix(beside, refresh=False)
            # Sums of parts must end at the whole, or the bar would stop short of it or warn of too much.
            self.done = min(self.done + pieces, self.total)
            if self.total - self.done < 1e-6:
                self.done = float(self.total)
            self._bar.update(self.done - self._bar.n)

    def finish(self) -> None:
        """Note that everything is done, earlier than expected perhaps."""
        self.advance(self.total - self.done)

    def write(self, line: str) -> None:
        """Print a line above the bar, to standard output."""
        self._bar.write(line, file=sys.stdout)

    def close(self) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
