"""Names that are spelled another way now, kept for one release."""

from sklabelnoise._foundation._callers_line import warn


def old_names(module, names):
    """A module's ``__getattr__`` under which old names still work, with a warning.

    Parameters
    ----------
    module : str
        Its name.
    names : dict of str to object
        What each old name stands for; the object's ``__name__`` is the new one.

    Returns
    -------
    getattr : callable

    Examples
    --------
    >>> __getattr__ = old_names("colours", {"grey": sorted})
    >>> __getattr__("blue")
    Traceback (most recent call last):
    ...
    AttributeError: module 'colours' has no attribute 'blue'
    """

    def __getattr__(name):
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = names[name]
        warn(
            f"{module}.{name} is called {new.__name__} now; the old name goes in version 0.3.",
            FutureWarning,
        )
        return new

    return __getattr__
