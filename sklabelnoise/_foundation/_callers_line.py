"""Warnings at the line of the user's program that led to them, through however many wrappers."""

import sys
import warnings

# Who stands between the user's line and ours: this package, what calls its estimators, and what their methods and
# blocks are wrapped in.
_BETWEEN = frozenset(
    (
        "sklabelnoise", "sklearn", "skorch", "torch", "joblib", "contextlib", "functools", "importlib",
        "threading", "multiprocessing", "concurrent",
    )
)  # fmt: skip


def warn(message, category=UserWarning):
    """Warn as ``warnings.warn`` does, but where the user's program called scikit-learn or this package.

    How many frames that is away depends on the decorators of a method and on what it was called by, so none of them
    is counted by hand. Where a library runs a thread or process of its own, it is the line that warns.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
        A class of warnings.
    """
    ours = frame = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame = frame.f_back
    frame = ours if frame is None else frame
    place = frame.f_globals
    warnings.warn_explicit(
        message,
        category,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=place.get("__name__"),
        registry=place.setdefault("__warningregistry__", {}),
    )
