"""Imports point one way, and heavy libraries stay where they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sklabelnoise"
FILES = sorted(PACKAGE.rglob("*.py"))

# A layer may import itself and these.
MAY_IMPORT = {
    "losses": set(),
    "modules": set(),
    "noise": set(),
    "metrics": set(),
    # tables with a column for each class are read in one place
    "training": {"losses", "metrics", "modules"},
    "_stacked": {"losses", "modules", "training"},
    "_fused": {"_classifiers", "_stacked", "losses", "modules", "training"},
    "_classifiers": {"_fused", "_stacked", "losses", "metrics", "modules", "noise", "training"},
    "model_selection": {"_fused", "_stacked", "_classifiers", "losses", "modules", "training"},
    "_moved": {"_classifiers"},
    "_ensemble": {"_classifiers", "_fused", "_label_refinery", "_stacked", "audit"},
    "_label_refinery": {"metrics"},
    "datasets": {"noise"},
    # one fit of our classifiers is watched through a callback, imported when there is such a fit
    "audit": {"metrics", "noise", "training"},
    "text": set(),
    "inspection": {"audit", "losses", "metrics", "noise"},
    "__init__": set(),
    # private names of other libraries; every layer may import it
    "_compat": set(),
}

# Who may import what from outside, anywhere in its files.
HEAVY = {
    "torch": {
        "losses",
        "modules",
        "training",
        "_stacked",
        "_fused",
        "_classifiers",
        "model_selection",
        "datasets",
        "inspection",
        "_compat",
    },
    "skorch": {"training", "_classifiers"},
    "matplotlib": {"inspection"},
    "gensim": {"text"},
}


# Layers that import optional or heavy libraries inside functions only.
LAZY = ("audit", "datasets", "inspection", "text")


def layer(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path, *, only_top_level=False):
    """Full dotted names that a file imports; of ``from a import b`` both a and a.b."""
    tree = ast.parse(path.read_text())
    for node in tree.body if only_top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_follow_the_arrows(path):
    home = layer(path)
    assert home in MAY_IMPORT, f"{home} is in no layer of this test"
    names = [name.split(".") for name in imported_modules(path)]
    ours = {parts[1] for parts in names if parts[0] == "sklabelnoise" and len(parts) > 1}
    assert ours <= MAY_IMPORT[home] | {home, "_compat"}
    for library, allowed in HEAVY.items():
        if any(parts[0] == library for parts in names):
            assert home in allowed, f"{home} imports {library}"


@pytest.mark.parametrize(
    "path", [p for p in FILES if layer(p) in ("datasets", "inspection", "text", "_compat")], ids=lambda p: p.stem
)
def test_optional_libraries_are_imported_where_they_are_used(path):
    top = {name.split(".")[0] for name in imported_modules(path, only_top_level=True)}
    assert not top & {"torch", "matplotlib", "gensim", "PIL", "pyarrow"}
    if layer(path) == "audit":
        assert not any(name.startswith("sklabelnoise.training") for name in imported_modules(path, only_top_level=True))


def test_there_is_no_drawer_for_everything():
    assert not [path for path in FILES if path.stem.strip("_") in ("utils", "util", "helpers", "misc", "common")]


@pytest.mark.parametrize(
    "statement",
    [
        "import sklabelnoise",
        "from sklabelnoise import StochasticLabelRefinery, StochasticLabelRefineryRegressor",
        "from sklabelnoise import audit, metrics, noise, datasets",
    ],
)
def test_what_needs_no_torch_does_not_load_it(statement):
    code = f"{statement}\nimport sys\nprint(sorted({{'torch', 'skorch', 'matplotlib'}} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[]"
