"""What an error says: which argument, what was expected, and what came.

A message of a ValueError or TypeError ends with "got" and what came; files whose messages are of another kind stand
below, with the reason.
"""

import ast
import re
from pathlib import Path

import pytest

import sklabelnoise

PACKAGE = Path(sklabelnoise.__file__).parent

OTHER_KINDS = {
    # About the content of a file: it is named, and what is wrong with it.
    **dict.fromkeys(
        (
            "_classifiers/_file_format.py",
            "_ensemble/_saving.py",
            "datasets/_archives.py",
            "datasets/_cifar.py",
            "datasets/_cifar_n.py",
            "datasets/_imdb.py",
            "datasets/_shared_files.py",
        ),
        ("damaged", "refused", "does not hold the labels", "belong to other images", "no network of this package"),
    ),
    "_classifiers/_net_classifier.py": ("can't be loaded as a fitted",),
    "datasets/_archives.py": ("refused", "no readable tar archive"),
    # Part of another message, which ends with "got".
    "_ensemble/_own_members.py": ("its ",),
    "_foundation/_image_files.py": ("its mode",),
    # scikit-learn's own words, which its common checks ask for.
    "_compat.py": ("Sample weights must contain at least one non-zero number.",),
    "_ensemble/_arguments.py": ("requires y to be passed, but the target y is None",),
    "_label_refinery/_refinement.py": ("requires y to be passed, but the target y is None",),
    # No argument is at fault: what came out of the network is.
    "training/_forward.py": ("gives logits that are not finite",),
}


def said(node):
    """The text of a message, with ``{}`` in place of what is filled in; None for what is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(said(part) or "{}" for part in node.values)
    return None


def without_what_came(tree):
    """Messages of errors about an argument that do not say what came, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
            text = said(node.exc.args[0])
            is_about_argument = ast.unparse(node.exc.func) in ("ValueError", "TypeError")
            if is_about_argument and text is not None and not re.search(r"\b(?i:got)\b", text):
                yield node.lineno, text


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_an_error_says_what_came(path):
    allowed = OTHER_KINDS.get(str(path.relative_to(PACKAGE)), ())
    found = list(without_what_came(ast.parse(path.read_text(encoding="utf-8"))))
    assert [(line, text) for line, text in found if not any(part in text for part in allowed)] == []


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_exceptions_are_needed(name):
    assert list(without_what_came(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    "statement", ["raise ValueError('n must be positive.')", "raise TypeError(f'n must be a {kind}.')"]
)
def test_a_message_without_what_came_is_found(statement):
    assert len(list(without_what_came(ast.parse(statement)))) == 1


def test_a_message_with_what_came_is_left_alone():
    assert list(without_what_came(ast.parse("raise ValueError(f'n must be positive, got {n!r}.')"))) == []
