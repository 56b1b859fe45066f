"""Imports point one way, and heavy libraries stay where they are needed."""

import ast
import subprocess
import sys
from functools import cache
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
        "_label_report",
        "_stacked",
        "losses",
        "metrics",
        "modules",
        "noise",
        "training",
    },
    "_moved": {"_classifiers", "_label_refinery", "_label_report", "losses", "training"},
    # how many labels are wrong is read off the anchors, as noise reads them
    "_label_refinery": {"metrics", "noise"},
    "datasets": {"noise"},
    # one fit of our classifiers is watched through a callback, imported when there is such a fit
    "_label_report": {"metrics", "noise", "training"},
    # where the user names no classifier, the ensemble judges
    "audit": {"_ensemble", "_label_report", "metrics"},
    "feature_extraction": {"modules", "training"},
    "text": set(),
    "inspection": {"_label_report", "losses", "metrics"},
}

# Who may import what from outside, anywhere in its files.
OF_NETWORKS = {"losses", "modules", "training", "_stacked", "_fused", "_classifiers", "_ensemble", "model_selection"}
HEAVY = {
    "torch": {*OF_NETWORKS, "datasets", "feature_extraction", "inspection", "_compat", "_foundation"},
    "skorch": {"training", "_classifiers", "_compat"},
    "matplotlib": {"inspection", "_label_report", "_foundation"},
    "gensim": {"text"},
    # bars look alike, and know notebooks, because one room makes them
    "tqdm": {"_foundation"},
}
# Rooms that import optional or heavy libraries, and rooms that load these, inside functions only.
LATE = {
    "_compat": {"torch", "skorch"},
    # tensors are asked for where torch is loaded already
    "_foundation": {"matplotlib", "PIL", "torch"},
    "_label_report": {"matplotlib", "PIL", "torch", "sklabelnoise.training"},
    "audit": {"sklabelnoise._ensemble"},
    "datasets": {"PIL", "pyarrow", "torch"},
    "feature_extraction": {"PIL", "sentence_transformers", "timm"},
    "inspection": {"matplotlib", "torch", "sklabelnoise.losses"},
    "text": {"gensim"},
}


# Rooms that name classes of these for editors alone: displays say what they are made of.
FOR_EDITORS = {"inspection": {"_classifiers", "_label_refinery"}}


class WhatRuns(ast.NodeTransformer):
    """Leaves out what is imported for type checkers only."""

    def visit_If(self, node):
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)


def nodes_of(tree, *, for_editors=False):
    return list(ast.walk(tree if for_editors else WhatRuns().visit(tree)))


def bound_names(nodes):
    """What the names that some nodes import stand for."""
    bound = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.split(".")[0]
                bound[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom):
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return bound


def imported_names(nodes):
    """Full dotted names that some nodes import or reach through what they import; of ``from a import b`` it is a.b."""
    bound = bound_names(nodes)
    for node in nodes:
        root, _, rest = dotted(node).partition(".")
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif rest and root in bound:
            yield f"{bound[root]}.{rest}"
        elif imports_by_name(node) and is_text(node.args[0]):
            yield node.args[0].value
        elif isinstance(node, ast.Subscript) and dotted(node.value) == "sys.modules" and is_text(node.slice):
            yield node.slice.value


@cache
def names_in(text, for_editors):
    """Those of a file, which several laws ask for."""
    return list(imported_names(nodes_of(ast.parse(text), for_editors=for_editors)))


def imports_by_name(node):
    names = ("import_module", "__import__", "modules.get")
    return isinstance(node, ast.Call) and f".{dotted(node.func)}".endswith(tuple(f".{name}" for name in names))


def computed_names(nodes):
    """Calls that import, or take from the package, what is named at run time only."""
    bound = bound_names(nodes)
    for node in nodes:
        if isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] in ("import_module", "__import__"):
            if not is_text(node.args[0]):
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and dotted(node.func) == "getattr" and not is_text(node.args[1]):
            if bound.get(dotted(node.args[0])) == "sklabelnoise":
                yield ast.unparse(node)


def is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def dotted(node):
    """``a.b.c``, also where it is written ``getattr(a.b, "c")``; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner, name = dotted(node.value), node.attr
    elif isinstance(node, ast.Call) and dotted(node.func) == "getattr" and is_text(node.args[1]):
        owner, name = dotted(node.args[0]), node.args[1].value
    else:
        return ""
    return f"{owner}.{name}" if owner else ""


def import_graph(package, *, for_editors=False):
    """Modules of a package, each with the modules of the package that it imports, late imports included."""
    files = {}
    for path in sorted(package.rglob("*.py")):
        parts = (package.name, *path.relative_to(package).with_suffix("").parts)
        files[".".join(parts).removesuffix(".__init__")] = path
    # The package itself hands names on, at run time and for editors: who takes one depends on where it is from.
    face = {}
    for node in ast.walk(ast.parse(files[package.name].read_text())):
        if isinstance(node, ast.ImportFrom):
            face |= {f"{package.name}.{alias.asname or alias.name}": node.module for alias in node.names}
    graph = {}
    for module, path in files.items():
        found = set()
        for name in names_in(path.read_text(), for_editors):
            steps = name.split(".")
            prefixes = [".".join(steps[:n]) for n in range(len(steps), 0, -1)]
            deepest = next((prefix for prefix in prefixes if prefix in files or prefix in face), "")
            found.add(deepest if deepest in files else face.get(deepest))
        graph[module] = sorted((found & files.keys()) - {module, package.name})
    return {module: [] if module == package.name else imported for module, imported in graph.items()}


def taken_from_the_package(package):
    """Files that take something from the package itself, which stands above its rooms: as file and name."""
    rooms = {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}
    for path in sorted(package.rglob("*.py")):
        for name in names_in(path.read_text(), False):
            root, _, rest = name.partition(".")
            if root == package.name and rest.partition(".")[0] not in rooms and path != package / "__init__.py":
                yield str(path.relative_to(package)), name


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


def room_of(module):
    return module.split(".")[1] if "." in module else module


def upward_arrows(graph, may_import):
    """Imports between rooms that `may_import` does not allow, as pairs of modules."""
    return [
        (module, imported)
        for module, all_imported in graph.items()
        for imported in all_imported
        if "." in imported and room_of(imported) not in {room_of(module), *GROUND, *may_import.get(room_of(module), ())}
    ]


GRAPH = import_graph(PACKAGE)
WITH_EDITORS = import_graph(PACKAGE, for_editors=True)
MAY_NAME = {name: allowed | FOR_EDITORS.get(name, set()) for name, allowed in MAY_IMPORT.items()}


@pytest.mark.parametrize("graph", [GRAPH, WITH_EDITORS], ids=["running", "editors"])
def test_no_module_imports_itself_by_any_way_around(graph):
    assert circles(graph) == []


@pytest.mark.parametrize(("graph", "allowed"), [(GRAPH, MAY_IMPORT), (WITH_EDITORS, MAY_NAME)])
def test_no_import_points_upward(graph, allowed):
    assert upward_arrows(graph, allowed) == []


def test_the_arrows_allowed_between_rooms_close_no_circle():
    assert circles({name: sorted(allowed & MAY_NAME.keys()) for name, allowed in MAY_NAME.items()}) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_what_is_taken_from_another_room_is_named_in_the_code(path):
    if path != PACKAGE / "__init__.py":
        assert list(computed_names(nodes_of(ast.parse(path.read_text())))) == []


def test_no_room_takes_anything_from_the_package_above_it():
    assert list(taken_from_the_package(PACKAGE)) == []


@pytest.mark.parametrize("taken", ["import sklabelnoise", "def f():\n    from sklabelnoise import __version__"])
def test_what_is_taken_from_the_package_is_found(tmp_path, taken):
    plant(tmp_path, __init__="__version__ = 1", losses__in____init__="", losses__in___a=taken)
    assert [file for file, _ in taken_from_the_package(tmp_path / "sklabelnoise")] == ["losses/_a.py"]


def test_every_room_is_known():
    assert {room_of(module) for module in GRAPH if "." in module} <= MAY_IMPORT.keys()


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


BY_ATTRIBUTE = "import sklabelnoise\n\ndef f():\n    return sklabelnoise.inspection.Display"
BY_GETATTR = "import sklabelnoise as s\n\ndef f():\n    return getattr(getattr(s, 'inspection'), 'Display')"
PUBLIC_NAME = "def f():\n    from sklabelnoise import Classifier"
PUBLIC_ATTRIBUTE = "import sklabelnoise\n\ndef f():\n    return sklabelnoise.Classifier()"
LOADED = "import sys\n\ndef f():\n    return sys.modules['sklabelnoise.inspection']"


@pytest.mark.parametrize(
    ("upward", "reached"),
    [
        (BY_ATTRIBUTE, "sklabelnoise.inspection"),
        (BY_GETATTR, "sklabelnoise.inspection"),
        (LOADED, "sklabelnoise.inspection"),
        (PUBLIC_NAME, "sklabelnoise._classifiers._dm"),
        (PUBLIC_ATTRIBUTE, "sklabelnoise._classifiers._dm"),
    ],
    ids=["attribute", "getattr", "loaded", "public name", "public attribute"],
)
def test_what_is_reached_through_the_lazy_package_is_an_arrow(tmp_path, upward, reached):
    graph = plant(
        tmp_path,
        __init__="if TYPE_CHECKING:\n    from sklabelnoise import inspection\n"
        "    from sklabelnoise._classifiers._dm import Classifier",
        _classifiers__in____init__="",
        _classifiers__in___dm="from sklabelnoise.metrics import _labels\nClassifier = 1",
        inspection__in____init__="from sklabelnoise.metrics._labels import x\nDisplay = 1",
        metrics__in____init__="",
        metrics__in___labels=upward,
    )
    assert ("sklabelnoise.metrics._labels", reached) in upward_arrows(graph, MAY_IMPORT)
    assert circles(graph)


def test_an_upward_arrow_for_editors_is_found(tmp_path):
    files = {
        "metrics__in____init__": "",
        "metrics__in___labels": "if TYPE_CHECKING:\n    from sklabelnoise._label_report import Display",
        "_label_report__in____init__": "from sklabelnoise.metrics._labels import x",
    }
    assert upward_arrows(plant(tmp_path, **files), MAY_NAME) == []
    graph = import_graph(tmp_path / "sklabelnoise", for_editors=True)
    assert upward_arrows(graph, MAY_NAME) == [("sklabelnoise.metrics._labels", "sklabelnoise._label_report")]
    assert circles(graph)


@pytest.mark.parametrize(
    "text",
    [
        "import sklabelnoise\n\ndef f(name):\n    return getattr(sklabelnoise, name)",
        "from importlib import import_module\n\ndef f(name):\n    return import_module(name)",
        "import importlib\n\ndef f(name):\n    return importlib.import_module(f'sklabelnoise.{name}')",
    ],
)
def test_a_name_that_is_computed_is_found(text):
    assert len(list(computed_names(nodes_of(ast.parse(text))))) == 1


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
    libraries = {name.split(".")[0] for name in names_in(path.read_text(), False)}
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


# Tests of what no single file does: laws, named after what they claim. All others bear the name of the file they test.
LAWS = {
    "_classifiers/test_failures.py",  # what fails leaves everything as it was
    "_classifiers/test_going_on.py",  # chunks and warm starts are parts of one training
    "_classifiers/test_images.py",  # images are normalized, and bytes until they are a batch
    "_classifiers/test_seeds.py",  # a seed gives the same bits again
    "_classifiers/test_weights.py",  # weights and soft labels are what repeated rows would be
    "_classifiers/test_cv_checkpoint.py",  # a cross-validation that was killed goes on to the same bits
    "_classifiers/test_skorch_features.py",  # skorch's callbacks work on our net
    "_classifiers/test_types.py",  # numbers and labels of every type pass everywhere
    "_ensemble/test_sparse_and_wide.py",  # sparse and very wide tables are taken by every family
    "_label_report/test_page_decides.py",  # what a reviewer decides on the page, and takes back
    "_label_report/test_page_files.py",  # decisions are saved, loaded and merged
    "_label_report/test_page_for_everyone.py",  # keyboard, screen reader, phone, print, many rows
    "losses/test_precision.py",  # float32 is as good as it can be, in every loss
    "training/test_datasets.py",  # data sets of torch train as their arrays do
    "training/test_threads.py",  # fits in threads
}


def files_without_a_place(tests, package):
    """Test files in folders of rooms that are named after no file or folder of the room."""
    for path in sorted(tests.glob("*/**/test_*.py")):
        place, name = package / path.parent.relative_to(tests), path.stem.removeprefix("test_")
        is_room = (package / path.relative_to(tests).parts[0]).exists()
        if is_room and not any((place / at).exists() for at in (f"_{name}.py", f"{name}.py", name)):
            yield str(path.relative_to(tests))


def test_a_test_file_is_named_after_the_file_it_tests_or_after_a_law():
    assert set(files_without_a_place(Path(__file__).parent, PACKAGE)) == LAWS


def test_a_test_file_of_nothing_is_found(tmp_path):
    for path in ("package/losses/_robust.py", "tests/losses/test_robust.py", "tests/losses/test_many.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert list(files_without_a_place(tmp_path / "tests", tmp_path / "package")) == ["losses/test_many.py"]


def test_no_test_waits_for_a_process_without_end():
    """A process that hangs fails its own test; else it would take every later one with it."""
    waits = {"run", "check_output", "check_call", "call", "communicate", "wait"}
    endless = []
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not any(name in text for name in ("subprocess", "communicate", "wait")):
            continue  # most files: their trees take seconds
        for node in ast.walk(ast.parse(text)):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in waits):
                continue
            of_subprocess = isinstance(node.func.value, ast.Name) and node.func.value.id == "subprocess"
            of_process = node.func.attr == "communicate" or (node.func.attr == "wait" and not node.args)
            if (of_subprocess or of_process) and "timeout" not in {keyword.arg for keyword in node.keywords}:
                endless.append(f"{path.name}:{node.lineno}")
    assert not endless


# One after the other in one process: a start takes seconds.
WITHOUT_TORCH = [
    "import sklabelnoise",
    "import sklabelnoise._compat",
    "from sklabelnoise._foundation._code_identity import code_identity",
    "assert code_identity(None)['torch'][0].isdigit()",
    "from sklabelnoise import StochasticLabelRefinery, StochasticLabelRefineryRegressor",
    "StochasticLabelRefinery(GaussianNB(), n_rounds=1).fit(np.arange(20.).reshape(-1, 1), np.arange(20) % 2)",
    "from sklabelnoise import audit, metrics, noise, datasets, inspection",
]


def test_what_needs_no_torch_does_not_load_it():
    shows = "print(sorted({'torch', 'skorch', 'matplotlib'} & set(sys.modules)))"
    lines = ["import sys", "import numpy as np", "from sklearn.naive_bayes import GaussianNB"]
    code = "\n".join([*lines, *(f"{statement}\n{shows}" for statement in WITHOUT_TORCH)])
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300).stdout
    loaded = dict(zip(WITHOUT_TORCH, shown.splitlines(), strict=True))
    assert loaded == dict.fromkeys(WITHOUT_TORCH, "[]")
