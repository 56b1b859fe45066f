"""What is public is documented, and what is documented is true."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from skorch.callbacks import Callback
from torch import nn

import sklabelnoise

NAMESPACES = ["sklabelnoise", *(f"sklabelnoise.{name}" for name in sklabelnoise.__all__ if name.islower())]
SECTION = re.compile(r"^(?P<title>[A-Z][A-Za-z ]+)\n-{3,}$", re.MULTILINE)
ENTRY = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : (?P<kind>.*))?$", re.MULTILINE)
CITED, REFERENCE = re.compile(r"\[(\d+)\]_"), re.compile(r"^\.\. \[(\d+)\]", re.MULTILINE)
DEFAULT = re.compile(r"default=(?P<value>.+)$")


def public_objects():
    for namespace in NAMESPACES:
        module = importlib.import_module(namespace)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                yield pytest.param(thing, id=f"{namespace}.{name}")


def public_methods():
    seen = set()
    for parameter in public_objects():
        (cls,) = parameter.values
        # Methods of networks, criteria and callbacks are torch's and skorch's protocols; their classes document them.
        if inspect.isclass(cls) and not issubclass(cls, nn.Module | Callback):
            # Also what the class has of a base of ours, which users see as its own.
            ours = [base for base in cls.__mro__ if base.__module__.startswith("sklabelnoise")]
            for name, method in {name: method for base in ours[::-1] for name, method in vars(base).items()}.items():
                method = getattr(method, "__func__", method)  # of a class method
                if inspect.isfunction(method) and not name.startswith("_") and method not in seen:
                    seen.add(method)
                    yield pytest.param(method, id=f"{parameter.id}.{name}")


def sections(thing):
    text = inspect.getdoc(thing)
    found = list(SECTION.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return {match["title"]: text[match.end() : end].strip("\n") for match, end in zip(found, ends, strict=False)}


def documented_parameters(thing):
    """Name to type line of every entry in the section Parameters."""
    entries = {}
    for match in ENTRY.finditer(sections(thing).get("Parameters", "")):
        for name in match["names"].split(", "):
            entries[name.lstrip("*")] = match["kind"] or ""
    return entries


def signature_parameters(thing):
    if isinstance(thing, type) and issubclass(thing, BaseException) and "__init__" not in vars(thing):
        return {}  # of a builtin
    parameters = inspect.signature(thing).parameters
    return {name: p for name, p in parameters.items() if name not in ("self", "cls")}


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_namespaces_list_what_they_export(namespace):
    module = importlib.import_module(namespace)
    assert module.__doc__
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) <= set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'DMRegressor'"):
        _ = sklabelnoise.DMRegressor


@pytest.mark.parametrize("name", ["losses", "DMClassifier"])
@pytest.mark.parametrize("error", [AttributeError("no such thing"), ValueError("wrong"), OSError("disk")])
def test_a_submodule_that_fails_to_load_says_why(monkeypatch, name, error):
    def fail(module):
        raise error

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(ImportError, match=f"can't be loaded: {type(error).__name__}: {error}") as caught:
        sklabelnoise.__getattr__(name)
    assert caught.value.__cause__ is error


def test_a_library_that_is_missing_stays_the_error_it_is(monkeypatch):
    missing = ModuleNotFoundError("No module named 'torch'", name="torch")

    def fail(module):
        raise missing

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(ModuleNotFoundError) as caught:
        sklabelnoise.__getattr__("losses")
    assert caught.value is missing


def test_a_broken_submodule_shows_its_error_to_who_imports_from_the_package():
    code = (
        "import sys, importlib.abc, importlib.machinery, sklabelnoise\n"
        "class Broken(importlib.abc.MetaPathFinder, importlib.abc.Loader):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'sklabelnoise.noise':\n"
        "            return importlib.machinery.ModuleSpec(name, self)\n"
        "    def exec_module(self, module):\n"
        "        raise AttributeError('planted')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from sklabelnoise import noise\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300).stderr
    assert "AttributeError: planted" in shown
    assert shown.rstrip().endswith("ImportError: sklabelnoise.noise can't be loaded: AttributeError: planted")


@pytest.mark.parametrize("thing", list(public_objects()))
def test_public_names_have_a_runnable_example(thing):
    assert ">>>" in inspect.getdoc(thing)


@pytest.mark.parametrize("thing", [*public_objects(), *public_methods()])
def test_documented_parameters_are_those_of_the_signature(thing):
    assert inspect.getdoc(thing), "no docstring"
    assert list(documented_parameters(thing)) == list(signature_parameters(thing))


@pytest.mark.parametrize("thing", [*public_objects(), *public_methods()])
def test_documented_defaults_are_those_of_the_signature(thing):
    documented = documented_parameters(thing)
    for name, parameter in signature_parameters(thing).items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        stated = DEFAULT.search(documented[name])
        if parameter.default is parameter.empty:
            assert stated is None, f"{name} has no default"
            continue
        assert stated is not None, f"the default of {name} is not stated"
        try:
            value = ast.literal_eval(stated["value"])
        except (SyntaxError, ValueError):
            # classes and functions are stated by their dotted name
            value, default = stated["value"].rpartition(".")[2], getattr(parameter.default, "__name__", None)
            assert value == (default or repr(parameter.default)), name
        else:
            assert value == parameter.default and type(value) is type(parameter.default), name


def test_what_is_cited_is_listed_and_what_is_listed_is_cited():
    """A numbered reference says what it is the source of."""
    package = Path(sklabelnoise.__file__).parent
    wrong = [
        (str(path.relative_to(package)), getattr(node, "name", "the module"))
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)
        and (text := ast.get_docstring(node)) is not None
        and set(CITED.findall(text)) != set(REFERENCE.findall(text))
    ]
    assert wrong == []
