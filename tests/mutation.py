"""Change the library one small step at a time and see whether its tests notice.

Run from the root of the repository, in as many pieces as you like; what was tried is not tried again::

    python tests/mutation.py 100                 # so many more mutants, of all modules in turn
    python tests/mutation.py 20 metrics audit    # of these rooms only
    python tests/mutation.py report              # counts, and the survivors

A module whose tests fail without any change ends the run. Every mutant is a copy of the repository in a temporary
folder with one operator, constant, comparison or branch of one
module changed, tested in a process of its own by the files that mirror the module. Results go to
``tests/mutants.jsonl``, which is not kept in the repository; survivors and the reason for each are in
``tests/mutants.md``.
"""

import ast
import copy
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("mutants.jsonl")
PATIENCE = 240  # processor seconds; a mutant that loops is noticed, too
ASLEEP = 3600  # seconds; so is one that waits for ever

# Which tests guard which module.
GUARDS = {
    "losses/_robust.py": ["losses/test_robust.py", "losses/test_registry.py"],
    "losses/_emphasis.py": ["losses/test_emphasis.py"],
    "losses/_derivative.py": ["losses/test_derivative.py"],
    "losses/_corrected.py": ["losses/test_corrected.py", "losses/test_registry.py"],
    "losses/_self_correction.py": ["losses/test_self_correction.py", "losses/test_registry.py"],
    "losses/_targets.py": ["losses/test_targets.py", "losses/test_registry.py"],
    "losses/_stateful.py": ["losses/test_stateful.py", "losses/test_registry.py"],
    "_label_refinery/_grades.py": ["_label_refinery/test_grades.py"],
    "_label_refinery/_splits.py": ["_label_refinery/test_splits.py"],
    "_label_refinery/_copies.py": ["_label_refinery/test_copies.py", "_label_refinery/test_soft_fit.py"],
    "_label_refinery/_soft_fit.py": ["_label_refinery/test_soft_fit.py", "_label_refinery/test_classifier.py"],
    "_label_refinery/_classifier.py": ["_label_refinery/test_classifier.py"],
    "_label_refinery/_regressor.py": ["_label_refinery/test_regressor.py"],
    "_label_refinery/_refinement.py": ["_label_refinery/test_classifier.py", "_label_refinery/test_refinement.py"],
    "_label_refinery/_left_out.py": ["_label_refinery/test_refinement.py", "_label_refinery/test_left_out.py"],
    "_label_report/_evidence.py": ["_label_report/test_evidence.py", "_label_report/test_issues.py"],
    "_label_report/_issues.py": ["_label_report/test_issues.py"],
    "_label_report/_transition.py": ["_label_report/test_transition.py"],
    "_label_report/_audit.py": ["audit/test_audit_labels.py"],
    "metrics/_calibration.py": ["metrics/test_calibration.py"],
    "metrics/_labels.py": ["metrics/test_labels.py"],
    "metrics/_ordinal.py": ["metrics/test_ordinal.py"],
    "metrics/_retrieval.py": ["metrics/test_retrieval.py"],
    "_label_report/_decisions.py": ["_label_report/test_decisions.py", "_label_report/test_report.py"],
    "_label_report/_reliability.py": ["_label_report/test_reliability.py"],
    "_foundation/_checkpoint.py": ["_foundation/test_checkpoint.py"],
    "_foundation/_code_identity.py": ["_foundation/test_code_identity.py"],
    "_foundation/_whole_files.py": ["_foundation/test_whole_files.py"],
    "_fused/_fits.py": ["_fused/test_fits.py"],
    "_fused/_kept_training.py": ["_fused/test_kept_training.py"],
    "_classifiers/_saving.py": ["_classifiers/test_saving.py"],
    "_classifiers/_file_format.py": ["_classifiers/test_saving.py"],
    "_ensemble/_decision.py": ["_ensemble/test_decision.py"],
    "_ensemble/_fitting.py": ["_ensemble/test_fitting.py"],
    "noise/_anchors.py": ["noise/test_anchors.py"],
    "noise/_corruption.py": ["noise/test_corruption.py"],
    "noise/_rates.py": ["noise/test_rates.py"],
    "noise/_transition_matrices.py": ["noise/test_transition_matrices.py", "noise/test_corruption.py"],
    "datasets/_download.py": ["datasets/test_download.py"],
    "datasets/_shared_files.py": ["datasets/test_cifar.py", "datasets/test_tables.py"],
    "datasets/_tables.py": ["datasets/test_tables.py"],
    "inspection/_emphasis.py": ["inspection/test_emphasis.py"],
    "inspection/_learning_dynamics.py": ["inspection/test_learning_dynamics.py"],
    "inspection/_refinery.py": ["inspection/test_refinery.py"],
    "model_selection/_cross_val_predict.py": ["model_selection/test_cross_val_predict.py"],
    "model_selection/_grid_search.py": ["model_selection/test_grid_search.py", "model_selection/test_evaluation.py"],
    "model_selection/_evaluation.py": ["model_selection/test_grid_search.py", "model_selection/test_evaluation.py"],
}

COMPARISONS = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any", "argmax": "argmin", "argmin": "argmax"}
STRINGS = {"left": "right", "right": "left"}


def replacements(node):
    """What a node may become, one small step away from what it is."""
    new = copy.copy(node)
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
            new.ops = [COMPARISONS[type(operator)]()]
            return [new]
        case ast.BinOp(op=operator) if type(operator) in ARITHMETIC:
            new.op = ARITHMETIC[type(operator)]()
            return [new]
        case ast.BoolOp(op=operator):
            new.op = ast.Or() if isinstance(operator, ast.And) else ast.And()
            return [new]
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            return [operand]
        case ast.IfExp(body=body, orelse=orelse):
            return [body, orelse]
        case ast.Constant(value=bool(value)):
            return [ast.Constant(not value)]
        case ast.Constant(value=int(value) | float(value)):
            return [ast.Constant(value + 1)]
        case ast.Constant(value=str(value)) if value in STRINGS:
            return [ast.Constant(STRINGS[value])]
        case ast.Attribute(attr=name) if name in NAMES:
            new.attr = NAMES[name]
            return [new]
        case ast.Name(id=name) if name in NAMES:
            new.id = NAMES[name]
            return [new]
    return []


def sites(tree):
    """Parents, fields, positions and replacements of everything in a module that can be changed."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if is_talk(parent, field):
                continue
            for position, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                for new in replacements(node) if isinstance(node, ast.AST) else []:
                    yield parent, field, position, node, new


def is_talk(parent, field):
    """What is said and not done: messages, annotations, docstrings, constraints that scikit-learn checks."""
    return (
        isinstance(parent, ast.Raise | ast.JoinedStr | ast.FormattedValue | ast.Expr | ast.Dict)
        or field in ("annotation", "returns", "decorator_list")
        or (isinstance(parent, ast.Subscript | ast.Slice) and isinstance(getattr(parent, "ctx", None), ast.Store))
    )


def mutants_of(module):
    """Line and change of every mutant of a module."""
    tree = ast.parse((ROOT / "sklabelnoise" / module).read_text())
    return [(node.lineno, f"{ast.unparse(node)} -> {ast.unparse(new)}") for _, _, _, node, new in sites(tree)]


def mutant(module, number):
    """Source of a module with one of its changes made."""
    tree = ast.parse((ROOT / "sklabelnoise" / module).read_text())
    parent, field, position, _, new = next(islice(sites(tree), number, None))
    if position is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[position] = new
    return ast.unparse(ast.fix_missing_locations(tree))


def run(module, source):
    """Whether the tests notice a mutant: "killed", "survived" or "timeout"."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for name in ("sklabelnoise", "tests", "benchmarks"):  # compiled files as well: their times are kept
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("results", "saved_by_0_1"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "sklabelnoise" / module).write_text(source)
        # Forked from a process that has imported the heavy libraries, but nothing of ours.
        child = os.fork()
        if child == 0:
            resource.setrlimit(resource.RLIMIT_CPU, (PATIENCE, PATIENCE + 5))
            test(folder, [str(folder / "tests" / name) for name in GUARDS[module]])
        deadline = time.monotonic() + ASLEEP
        while True:
            finished, status = os.waitpid(child, os.WNOHANG)
            if finished:
                code = os.waitstatus_to_exitcode(status)
                return {0: "survived", -signal.SIGXCPU: "timeout"}.get(code, "killed")
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                return "timeout"
            time.sleep(0.2)


def test(folder, files):
    """In a child process: run tests against the mutant in `folder`, say nothing, exit as pytest would."""
    import pytest

    os.chdir(folder)
    sys.path = [str(folder), *[path for path in sys.path if Path(path or ".").resolve() != ROOT]]
    os.environ["PYTHONPATH"] = str(folder)
    os.environ.setdefault("SKLABELNOISE_DATA", str(ROOT.parent / "shared" / "data"))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", f"--rootdir={folder}", *files])
    os._exit(int(code))


def note(row):
    with open(RESULTS, "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def tried():
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def report():
    """Counts by room, and the survivors."""
    rows = [row for row in tried() if row["outcome"] != "control"]
    for room in sorted({row["module"].partition("/")[0] for row in rows}):
        counts = Counter(row["outcome"] for row in rows if row["module"].startswith(f"{room}/"))
        print(f"{room}: {counts.total()} mutants, {dict(counts)}")
    print(f"all: {len(rows)} mutants, {dict(Counter(row['outcome'] for row in rows))}")
    for row in rows:
        if row["outcome"] == "survived":
            print(f"| {row['module']}:{row['line']} | `{row['change']}` |")


def main(n_mutants, rooms):
    """Try so many more mutants, the modules in turn."""
    # Once, not in every child. What pytest rewrites when it imports it, as hypothesis, is left to the children.
    for library in ("pandas", "scipy.stats", "sklearn.ensemble", "skorch", "torch"):
        importlib.import_module(library)
    modules = [module for module in GUARDS if not rooms or module.partition("/")[0] in rooms]
    done = {(row["module"], row["line"], row["change"]) for row in tried() if row["outcome"] != "control"}
    sound = {row["module"] for row in tried() if row["outcome"] == "control"}
    queues = {}
    for module in modules:
        todo = [(number, *change) for number, change in enumerate(mutants_of(module)) if (module, *change) not in done]
        random.Random(module).shuffle(todo)
        queues[module] = todo
    for number in range(n_mutants):
        # The module with the fewest tries is next.
        counts = Counter(module for module, _, _ in done)
        module = min((module for module in modules if queues[module]), key=lambda module: counts[module], default=None)
        if module is None:
            break
        if module not in sound:
            source = (ROOT / "sklabelnoise" / module).read_text()
            if run(module, source) != "survived":
                raise SystemExit(f"The tests of {module} fail for the module as it is: they tell nothing.")
            sound.add(module)
            note({"module": module, "line": 0, "change": "none", "outcome": "control"})
        place, line, change = queues[module].pop()
        outcome = run(module, mutant(module, place))
        done.add((module, line, change))
        note({"module": module, "line": line, "change": change, "outcome": outcome})
        print(f"{number + 1} of {n_mutants}: {module}:{line}: {change}: {outcome}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["report"]:
        report()
    else:
        main(int(sys.argv[1]), sys.argv[2:])
