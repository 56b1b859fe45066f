"""How much memory a piece of work takes at its peak, beyond what was in use before it."""

import gc
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_gigabytes():
    """Most memory that this program had, in units of 2**30 bytes.

    `resource.getrusage` begins with the peak of the program that started this one, which may be the larger.
    """
    return _kilobytes("VmHWM") / 2**20


class PeakMemory:
    """A context that measures resident memory; where the kernel does not tell it (not on Linux), nothing.

    The kernel keeps the highest resident size of a process and lets it be reset, so short peaks are seen and no thread
    has to watch.
    """

    def __enter__(self):
        gc.collect()  # what goes meanwhile would hide as much of what comes
        try:
            _RESET.write_text("5")
            self.before = _kilobytes("VmRSS")
        except OSError:
            self.before = None
        return self

    def megabytes(self):
        """Highest resident size since the start minus that at the start, in units of 2**20 bytes, or None."""
        return None if self.before is None else round(max(0, _kilobytes("VmHWM") - self.before) / 1024, 1)

    def __exit__(self, *error):
        return False


def _kilobytes(name):
    (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1])
