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
            self._watches = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._watches:
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *args):
        if self._watches and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def check(self):
        """Raise the KeyboardInterrupt that came since the block began, if one did."""
        if self._interrupted:
            raise KeyboardInterrupt

    def _note(self, number, frame):
        self._interrupted = True
        signal.default_int_handler(number, frame)
