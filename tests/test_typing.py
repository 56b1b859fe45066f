"""Annotations and docstrings say the same, and a user's program that an editor finds right runs."""

import ast
import inspect
import typing
from pathlib import Path

import pytest
from torch import nn

import sklabelnoise
from tests.docstring_types import annotation
from tests.test_public_api import (
    ENTRY,
    documented_parameters,
    public_methods,
    public_objects,
    sections,
    signature_parameters,
)
from tests.typed_user import main

OWN_NAMES = {thing.__name__ for thing in (p.values[0] for p in public_objects()) if inspect.isclass(thing)}
CLASSES = [p for p in public_objects() if inspect.isclass(p.values[0])]


def spelled(text):
    """An annotation without its choice of quotes and spaces."""
    return ast.unparse(ast.parse(str(text)))


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("float, default=0.5", "float"),
        ("float, default=None", "float | None"),
        ("array-like of shape (n_samples,), default=None", "ArrayLike | None"),
        ("{array-like, sparse matrix, Dataset} of shape (n_samples, n_features)", "Rows"),
        ('{"batch", "integral"}, default="batch"', "Literal['batch', 'integral']"),
        ('{"symmetric"} or array-like of shape (10, 10), default="symmetric"', "Literal['symmetric'] | ArrayLike"),
        ('dict or "balanced", default=None', "dict[Any, Any] | Literal['balanced'] | None"),
        ("int, RandomState instance or None, default=None", "RandomState"),
        ("tensor of shape (..., n_samples) or (..., n_samples, n_classes)", "torch.Tensor"),
    ],
)
def test_a_type_line_reads_as_an_annotation(kind, expected):
    assert annotation("anything", kind) == expected


def test_one_dimensional_labels_have_a_name_of_their_own():
    assert annotation("y", "array-like of shape (n_samples,)") == "Labels"


def test_a_type_line_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="no annotation is known for 'moon phase'"):
        annotation("x", "int or moon phase")


@pytest.mark.parametrize("thing", [*public_objects(), *public_methods()])
def test_annotations_say_what_the_docstring_says(thing):
    if inspect.isclass(thing) and not getattr(thing.__init__, "__module__", "sklabelnoise").startswith("sklabelnoise"):
        pytest.skip("the constructor is scikit-learn's")
    documented = documented_parameters(thing)
    for name, parameter in signature_parameters(thing).items():
        assert parameter.annotation is not parameter.empty, f"{name} has no annotation"
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        expected = annotation(name, documented[name], own_names=OWN_NAMES)
        assert spelled(parameter.annotation) == spelled(expected), name


@pytest.mark.parametrize("thing", [*public_objects(), *public_methods()])
def test_what_is_returned_is_annotated(thing):
    if not inspect.isclass(thing):
        annotated = inspect.signature(thing).return_annotation
        assert annotated is not inspect.Signature.empty
        assert (annotated == "None") == ("Returns" not in sections(thing))


@pytest.mark.parametrize("thing", CLASSES)
def test_properties_are_annotated(thing):
    for name, member in inspect.getmembers_static(thing, lambda member: isinstance(member, property)):
        if not name.startswith("_") and member.fget.__module__.startswith("sklabelnoise"):
            assert "return" in member.fget.__annotations__, name


@pytest.mark.parametrize("thing", CLASSES)
def test_documented_attributes_are_declared(thing):
    declared = {}
    for kind in reversed(thing.__mro__):
        if kind.__module__.startswith("sklabelnoise"):
            declared |= vars(kind).get("__annotations__", {})
    known = set(dir(thing))
    for match in ENTRY.finditer(sections(thing).get("Attributes", "")):
        for name in match["names"].split(", "):
            if name in known or issubclass(thing, nn.Module):
                continue  # a property has an annotation of its own; torch declares the parts of modules
            assert spelled(declared[name]) == spelled(annotation("", match["kind"], own_names=OWN_NAMES)), name


@pytest.mark.parametrize("thing", list(public_objects()))
def test_annotations_are_read_at_run_time(thing):
    """Pydantic, typeguard, containers of dependencies and Sphinx ask for them so."""
    typing.get_type_hints(thing)
    if inspect.isclass(thing):
        for name, member in inspect.getmembers_static(thing):
            member = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if inspect.isfunction(member) and (not name.startswith("_") or name in ("__init__", "__call__")):
                typing.get_type_hints(member)


def test_editors_see_every_public_name():
    tree = ast.parse(Path(sklabelnoise.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and node.test.id == "TYPE_CHECKING")
    seen = [alias.name for node in block.body for alias in node.names]
    assert sorted(seen) == sorted(sklabelnoise.__all__)
    assert sklabelnoise._HOME.keys() <= set(seen)
    assert (Path(sklabelnoise.__file__).parent / "py.typed").exists()


def test_the_users_program_runs(tmp_path, capsys):
    assert main(tmp_path) == 1.0
    assert (tmp_path / "review.html").exists()
    assert capsys.readouterr().out
