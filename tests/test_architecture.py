"""Imports point one way, and heavy libraries stay where they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sklabelnoise"
FILES = sorted(PACKAGE.rglob("*.py"))

# What every room may import.
GROUND = {"_compat", "_foundation"}
# A room may import itself, the ground and these; what no room is listed for, nobody imports.
MAY_IMPORT = {
    "_compat": set(),
    "_foundation": set(),
    "losses": set(),
    "modules": set(),
    "noise": set(),
    "metrics": set(),
    # tables with a column for each class are read in one place, by metrics
    "training": {"losses", "metrics", "modules"},
    "_stacked": {"losses", "modules", "training"},
    "_fused": {"_stacked", "losses", "modules", "training"},
    "_classifiers": {"_fused", "_stacked", "losses", "metrics", "modules", "noise", "training"},
    "model_selection": {"_classifiers", "_fused", "_stacked", "losses", "modules", "training"},
    "_ensemble": {
        "_classifiers",
        "_fused",
        "_label_refinery",
        "_stacked",
        "audit",
        "losses",
        "metrics",
        "modules",
        "noise",
        "training",
    },
    "_moved": {"_classifiers", "losses", "training"},
    "_label_refinery": {"metrics"},
    "datasets": {"noise"},
    # one fit of our classifiers is watched through a callback, imported when there is such a fit
    "audit": {"metrics", "noise", "training"},
    "text": set(),
    "inspection": {"audit", "losses", "metrics", "noise"},
}

# Who may import what from outside, anywhere in its files.
OF_NETWORKS = {"losses", "modules", "training", "_stacked", "_fused", "_classifiers", "_ensemble", "model_selection"}
HEAVY = {
    "torch": {*OF_NETWORKS, "datasets", "inspection", "_compat"},
    "skorch": {"training", "_classifiers", "_compat"},
    "matplotlib": {"inspection"},
    "gensim": {"text"},
}
# Rooms that import optional or heavy libraries, and rooms that load these, inside functions only.
LATE = {
    "_compat": {"torch", "skorch"},
    "audit": {"torch", "sklabelnoise.training"},
    "datasets": {"PIL", "pyarrow", "torch"},
    "inspection": {"matplotlib", "torch", "sklabelnoise.losses"},
    "text": {"gensim"},
}


class WhatRuns(ast.NodeTransformer):
    """Leaves out what is imported for type checkers only, which ties nothing together."""

    def visit_If(self, node):
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)


def imported_names(tree):
    """Full dotted names that a file imports anywhere; of ``from a import b`` it is a.b."""
    for node in tree if isinstance(tree, list) else ast.walk(WhatRuns().visit(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in (
            "import_module",
            "__import__",
        ):
            yield from (argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant))


def import_graph(package):
    """Modules of a package, each with the modules of the package that it imports, late imports included."""
    files = {}
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        files[".".join(parts).removesuffix(".__init__")] = path
    graph = {}
    for module, path in files.items():
        names = list(imported_names(ast.parse(path.read_text())))
        found = {name if name in files else name.rpartition(".")[0] for name in names}
        graph[module] = sorted((found & files.keys()) - {module})
    # The package itself hands names on: what it imports, lazily or for editors, ties nothing together.
    return {module: () if module == package.name else imported for module, imported in graph.items()}


def circles(graph):
    """Every circle that a walk along the imports closes, as a list of modules that ends where it began."""
    done, found = set(), []

    def visit(module, path):
        if module in path:
            found.append([*path[path.index(module) :], module])
        elif module not in done:
            for imported in graph[module]:
                visit(imported, [*path, module])
            done.add(module)

    for module in graph:
        visit(module, [])
    return found


def room(module):
    return module.split(".")[1] if "." in module else module


def upward_arrows(graph, may_import):
    """Imports between rooms that `may_import` does not allow, as pairs of modules."""
    return [
        (module, imported)
        for module, all_imported in graph.items()
        for imported in all_imported
        if "." in imported and room(imported) not in {room(module), *GROUND, *may_import.get(room(module), ())}
    ]


GRAPH = import_graph(PACKAGE)


def test_no_module_imports_itself_by_any_way_around():
    assert circles(GRAPH) == []


def test_no_import_points_upward():
    assert upward_arrows(GRAPH, MAY_IMPORT) == []


def test_the_arrows_allowed_between_rooms_close_no_circle():
    assert circles({name: sorted(allowed & MAY_IMPORT.keys()) for name, allowed in MAY_IMPORT.items()}) == []


def test_every_room_is_known():
    assert {room(module) for module in GRAPH if "." in module} <= MAY_IMPORT.keys()


def plant(folder, **files):
    package = folder / "sklabelnoise"
    for name, text in {"__init__": "", **files}.items():
        path = package / f"{name.replace('__in__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return import_graph(package)


LATE_IMPORT = "def f():\n    from sklabelnoise.losses import _a\n"
BY_NAME = "import importlib\n\ndef f():\n    return importlib.import_module('sklabelnoise.losses._a')\n"


@pytest.mark.parametrize("back", ["import sklabelnoise.losses._a", LATE_IMPORT, BY_NAME], ids=["plain", "late", "name"])
def test_a_planted_circle_within_one_room_is_found(tmp_path, back):
    graph = plant(
        tmp_path,
        losses__in____init__="from sklabelnoise.losses._a import x",
        losses__in___a="from sklabelnoise.losses._b import x",
        losses__in___b="from sklabelnoise.losses import _c\nx = 1",
        losses__in___c=back,
    )
    a, b, c = (f"sklabelnoise.losses._{letter}" for letter in "abc")
    assert circles(graph) == [[a, b, c, a]]
    assert upward_arrows(graph, MAY_IMPORT) == []


def test_a_room_that_imports_its_own_face_is_a_circle(tmp_path):
    graph = plant(
        tmp_path,
        losses__in____init__="from sklabelnoise.losses._a import x",
        losses__in___a="from sklabelnoise.losses import x",
    )
    assert circles(graph) == [["sklabelnoise.losses", "sklabelnoise.losses._a", "sklabelnoise.losses"]]


@pytest.mark.parametrize("indent", ["", "def f():\n    "], ids=["plain", "late"])
def test_a_planted_upward_arrow_is_found(tmp_path, indent):
    graph = plant(
        tmp_path,
        training__in____init__="",
        training__in___net=f"{indent}from sklabelnoise._fused._plan import plan_fits",
        _fused__in____init__="",
        _fused__in___plan="from sklabelnoise.training import _net\nplan_fits = 1",
    )
    assert ("sklabelnoise.training._net", "sklabelnoise._fused._plan") in upward_arrows(graph, MAY_IMPORT)
    assert circles(graph)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_libraries_are_imported_where_they_are_needed(path):
    home = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    libraries = {name.split(".")[0] for name in imported_names(ast.parse(path.read_text()))}
    for library, allowed in HEAVY.items():
        assert home in allowed or library not in libraries, f"{home} imports {library}"


@pytest.mark.parametrize("home", LATE)
def test_optional_libraries_are_imported_where_they_are_used(home):
    for path in [file for file in FILES if file.relative_to(PACKAGE).parts[0].removesuffix(".py") == home]:
        top = list(imported_names(ast.parse(path.read_text()).body))
        late = [name for name in top for library in LATE[home] if f"{name}.".startswith(f"{library}.")]
        assert late == [], path.name


def test_an_optional_library_at_the_top_of_a_file_is_seen():
    assert list(imported_names(ast.parse("import gensim\n\ndef f():\n    import PIL").body)) == ["gensim"]


def test_the_root_holds_the_package_file_and_rooms_only():
    assert {path.name for path in PACKAGE.glob("*.py")} <= {"__init__.py", "text.py", "_compat.py"}


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
