"""What code an object stands for: names alone do not say that a class was edited since."""

import io
import pickle
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

from sklabelnoise._foundation._version import __version__

# Installed libraries decide results by their versions; torch and skorch also where an estimator imports them late.
_ALWAYS = ("numpy", "scipy", "scikit-learn", "torch", "skorch")
_STDLIB = Path(sysconfig.get_path("stdlib")).resolve()
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
# Entries of a class that do nothing.
_NO_CODE = {
    "__annotations__",
    "__annotations_cache__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__slotnames__",  # set when an instance is first pickled or copied
    "__static_attributes__",
    "__weakref__",
}
# Where wrappers keep functions and arguments: properties, methods, partial functions, `available_if`, `lru_cache`.
_WRAPPED = ("fget", "fset", "fdel", "__func__", "func", "fn", "args", "keywords", "__wrapped__")


def code_identity(value):
    """Everything that decides what the code behind some parameters does.

    A pickle names classes and functions and leaves out what they do. This collects the bytecode of those that the
    user wrote (in a script, a notebook or a package that is not installed), of their base classes and methods, of the
    functions, classes and plain constants these mention, and for everything installed its version. Comments and
    formatting are no part of it.

    Parameters
    ----------
    value : object
        Picklable.

    Returns
    -------
    identity : dict of str to object
        Versions by distribution and code by qualified name, to be hashed.

    Raises
    ------
    pickle.PicklingError, AttributeError or TypeError
        If `value` cannot be pickled.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> sorted(code_identity(LogisticRegression()))
    ['numpy', 'python', 'scikit-learn', 'scipy', 'sklabelnoise', 'sklearn', 'skorch', 'torch']
    """
    walk = _Walk()
    walk.identity.update(python=sys.version_info[:2], sklabelnoise=__version__)
    for distribution in _ALWAYS:
        walk.note_version(distribution)
    pickler = _GlobalsPickler(io.BytesIO(), protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dump(value)
    for found in pickler.found:
        walk.visit(found)
    return walk.identity


class _GlobalsPickler(pickle.Pickler):
    """Remembers every class and function that a pickle would only name."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.found = []

    def reducer_override(self, obj):
        if isinstance(obj, type | FunctionType):
            self.found.append(obj)
        return NotImplemented


class _Walk:
    """Follows classes and functions to the others they mention."""

    def __init__(self):
        self.identity = {}
        self._seen = set()

    def note_version(self, distribution):
        try:
            self.identity[distribution] = version(distribution)
        except PackageNotFoundError:
            self.identity[distribution] = None

    def visit(self, obj):
        """Note a class or function of the user with what it is made of, any other by the version of its library.

        Returns
        -------
        name : str
        """
        name = f"{obj.__module__}.{obj.__qualname__}"
        top = name.partition(".")[0]
        if id(obj) in self._seen or top in sys.builtin_module_names or top == "sklabelnoise":
            return name
        self._seen.add(id(obj))
        if _is_installed(_home(obj, top)):
            self.identity[top] = str(getattr(sys.modules[top], "__version__", None))
        elif isinstance(obj, type):
            bases = [self.visit(base) for base in obj.__mro__[1:]]
            members = sorted((key, value) for key, value in vars(obj).items() if key not in _NO_CODE)
            self.identity[name] = bases, [(key, self._describe(value)) for key, value in members]
        elif isinstance(obj, FunctionType):
            # A list: what is wrapped has the name of what wraps it.
            self.identity.setdefault(name, []).append(self._describe_function(obj))
        return name

    def _describe(self, value):
        """What a name in a class, a closure or a module stands for."""
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, tuple | list):
            return [self._describe(part) for part in value]
        if isinstance(value, set | frozenset):
            return sorted(map(self._name, value))
        if isinstance(value, dict):
            return [(self._name(key), self._describe(part)) for key, part in value.items()]
        if isinstance(value, FunctionType) and value.__name__ == "<lambda>":
            return self._describe_function(value)
        if isinstance(value, type | FunctionType):
            return self.visit(value)
        # Wrappers of functions: methods of a class, properties, partial functions, descriptors of any library.
        inner = [getattr(value, key, None) for key in _WRAPPED]
        return [self.visit(type(value)), *(self._describe(part) for part in inner if part is not None)]

    def _name(self, value):
        """A text for what a set holds or a dict names; a repr with an address is another in each process."""
        text = repr(value)
        return repr(self._describe(value)) if " at 0x" in text else text

    def _describe_function(self, function):
        if id(function.__code__) in self._seen:  # a lambda that mentions itself
            return None
        self._seen.add(id(function.__code__))
        mentioned = _names(function.__code__)
        found = []
        for name in sorted(mentioned & function.__globals__.keys()):
            value = function.__globals__[name]
            if not isinstance(value, ModuleType):
                found.append((name, self._describe(value)))
            elif not _is_installed(value):
                found.append((name, self._describe_module(value, mentioned)))
        closure = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
        given = [function.__defaults__, function.__kwdefaults__, closure, getattr(function, "__wrapped__", None)]
        return [_of_code(function.__code__), self._describe(given), found]

    def _describe_module(self, module, mentioned, outer=()):
        """What some code mentions of a module of the user and of the modules in it."""
        described = []
        for part in sorted(mentioned & vars(module).keys()):
            value = vars(module)[part]
            if not isinstance(value, ModuleType):
                described.append((part, self._describe(value)))
            # A package and its modules know each other.
            elif not _is_installed(value) and value not in (module, *outer):
                described.append((part, self._describe_module(value, mentioned, (module, *outer))))
        return described


def _of_code(code):
    """Bytecode and constants, without line numbers."""
    constants = []
    for value in code.co_consts:
        if isinstance(value, CodeType):
            value = _of_code(value)
        elif isinstance(value, frozenset):
            value = sorted(map(repr, value))
        constants.append(repr(value))
    return code.co_code, constants, code.co_names, code.co_varnames


def _names(code):
    """Global names and attributes that some code mentions, nested functions included."""
    return set(code.co_names).union(*(_names(value) for value in code.co_consts if isinstance(value, CodeType)))


def _is_filled(cell):
    try:
        cell.cell_contents  # noqa: B018, a cell that is still empty raises
    except ValueError:
        return False
    return True


def _home(obj, top):
    """The package that a class or function is part of, or its module where the package is only a folder of such."""
    package = sys.modules.get(top)
    return sys.modules.get(obj.__module__, package) if getattr(package, "__file__", None) is None else package


def _is_installed(module):
    """Whether a module came with Python or was installed, so that its version says what it does."""
    file = getattr(module, "__file__", None)
    # A folder without an __init__.py has places, but no file.
    places = list(getattr(module, "__path__", ())) if file is None else [file]
    if not places:
        return module is not None and module.__name__ != "__main__"
    return all(_is_place_of_libraries(Path(place).resolve()) for place in places)


def _is_place_of_libraries(place):
    return not {"site-packages", "dist-packages"}.isdisjoint(place.parts) or _STDLIB in place.parents
