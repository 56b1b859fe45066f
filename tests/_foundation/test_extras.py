"""What a message says of a library that is missing is so: the extra is there, and brings it."""

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

import sklabelnoise
from sklabelnoise._foundation import _extras
from sklabelnoise._foundation._extras import comes_with, needed

PACKAGE = Path(sklabelnoise.__file__).parent
PROJECT = Path(__file__).parents[2] / "pyproject.toml"
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != Path(_extras.__file__)]


def extras():
    """Names of libraries, as a registry knows them, by extra."""
    declared = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return {extra: {re.match(r"[\w-]+", line)[0] for line in lines} for extra, lines in declared.items()}


@cache
def hints():
    """Library and extra of every message that names both."""
    calls = [
        (path, node)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("needed", "comes_with")
    ]
    found = []
    for path, node in calls:
        (extra,) = (word.value.value for word in node.keywords if word.arg == "extra")
        found.append((path.relative_to(PACKAGE).as_posix(), node.args[-1].value, extra))
    return found


@pytest.mark.parametrize("file, library, extra", hints())
def test_the_extra_brings_the_library(file, library, extra):
    name = re.match(r"[\w-]+", comes_with(library, extra=extra))[0]
    assert name in extras()[extra]


@pytest.mark.parametrize("extra", ["plot", "report", "save", "tables", "images", "embed", "text", "bench"])
def test_every_extra_that_the_package_can_miss_is_named_somewhere(extra):
    assert extra in {named for *_, named in hints()}


def test_lines_that_install_come_from_one_place():
    found = [path for path in FILES if re.search(r"sklabelnoise\[|pip\s+install", path.read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize("library, registered", [("no_such", "no_such"), ("PIL", "pillow")])
def test_a_library_that_is_missing_is_named_with_its_extra(library, registered):
    with pytest.raises(ImportError) as caught, needed("Doing", library, extra="of_it", instead="Or not."):
        raise ModuleNotFoundError("none", name=f"{library}.part")
    assert str(caught.value) == (
        f"Doing needs {registered}, which comes with the extra 'of_it': pip install 'sklabelnoise[of_it]'. Or not."
    )
    assert caught.value.name == library and isinstance(caught.value.__cause__, ModuleNotFoundError)
    with pytest.raises(ImportError, match=r"\[other\]'\.$"), needed("All", library, extra="other"):
        raise caught.value  # of who does it for another


@pytest.mark.parametrize(
    "error",
    [ImportError("no triu in scipy", name="scipy"), ModuleNotFoundError("no attrs", name="attrs"), ValueError("wrong")],
)
def test_a_library_that_is_there_and_fails_keeps_its_own_error(error):
    with pytest.raises(type(error)) as caught, needed("Doing", "library", extra="extra"):
        raise error
    assert caught.value is error
