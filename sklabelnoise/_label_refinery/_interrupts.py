"""Ctrl-C during a fit ends the fit, also where an estimator inside keeps it to itself."""

import signal
import threading


class InterruptWatch:
    """Notice every Ctrl-C while a block runs, whoever catches the KeyboardInterrupt.

    Some estimators, skorch's nets among them, take Ctrl-C as the end of their own training and return what they have.
    A refinery must not go on with it, and least of all keep it.

    It works in the main thread, which alone gets signals, and leaves a handler of the user's own alone.

    Examples
    --------
    >>> import signal
    >>> with InterruptWatch() as watch:
    ...     try:
    ...         signal.raise_signal(signal.SIGINT)
    ...     except KeyboardInterrupt:
    ...         print("an estimator ends its training")
    ...     try:
    ...         watch.check()
    ...     except KeyboardInterrupt:
    ...         print("the fit ends too")
    an estimator ends its training
    the fit ends too
    """

    def __init__(self):
        self._interrupted = False
        self._watches = False

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(signal.SIGINT)
            # Another watch may be around this one, or be left of a block in whose very end Ctrl-C came.
            is_watch = isinstance(getattr(self._before, "__self__", None), InterruptWatch)
            self._watches = is_watch or self._before is signal.default_int_handler
        if self._watches:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *args):
        if self._watches and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, self._before)

    def check(self):
        """Raise the KeyboardInterrupt that came since the block began, if one did."""
        if self._interrupted:
            raise KeyboardInterrupt

    def _note(self, number, frame):
        self._interrupted = True
        self._before(number, frame)
