"""Libraries that only some need: where they come from, said in one way wherever one is missing, and what is of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

# What registries call a library, where that is not the name it is imported by.
_REGISTERED = {"PIL": "pillow", "sentence_transformers": "sentence-transformers"}


def comes_with(library: str, *, extra: str) -> str:
    """Say which extra brings a library, and the line that installs it.

    Parameters
    ----------
    library : str
        The name it is imported by.
    extra : str
        Of ``pyproject.toml``.

    Returns
    -------
    text : str
        The end of a sentence that names the library, without its period.
    """
    registered = _REGISTERED.get(library, library)
    return f"{registered}, which comes with the extra {extra!r}: pip install 'sklabelnoise[{extra}]'"


def is_of(thing: object, package: str) -> bool:
    """Whether the class of something, or one that it derives from, is of a package; by name, without importing that."""
    return any(base.__module__.startswith(f"{package}.") for base in type(thing).__mro__)


@contextmanager
def needed(what: str, library: str, *, extra: str, instead: str = "") -> Iterator[None]:
    """Say what needs a library that is imported in this block and is not installed.

    Parameters
    ----------
    what : str
        The beginning of the message: what needs it.
    library : str
        The name it is imported by.
    extra : str
        Of ``pyproject.toml``, which brings it.
    instead : str, default=""
        What else can be done: a sentence.

    Raises
    ------
    ImportError
        If it is not installed, with the line that installs it. A library that is there and fails keeps its own error,
        which no installation of the extra would help.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != library:
            raise
        message = f"{what} needs {comes_with(library, extra=extra)}. {instead}".rstrip()
        raise ModuleNotFoundError(message, name=library) from error
