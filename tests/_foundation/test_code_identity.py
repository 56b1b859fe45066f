"""What a checkpoint knows of the code behind its parameters."""

import copy
import importlib
import os
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise._foundation import _code_identity
from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._foundation._code_identity import code_identity

SOURCE = """
import functools
import numpy as np
from sklearn.naive_bayes import GaussianNB
import {helpers} as helpers

RATE = 0.5
WORDS = {{"a", "b", "c"}}

def shift(X):
    return X + RATE

def decorated(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

def times(factor):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return factor * function(*args, **kwargs)
        return wrapper
    return decorate

class Base(GaussianNB):
    scale = 2

    def fit(self, X, y, sample_weight=None):
        # a comment
        return super().fit(shift(X) * self.scale, y, sample_weight)

class Model(Base):
    def predict_proba(self, X, floor=1e-9):
        return super().predict_proba(helpers.turn(X)).clip(floor)

    @property
    def size(self):
        return 1

    @staticmethod
    def still(X):
        return [x for x in X if x in WORDS]

    @decorated
    def dressed(self):
        return 3

    @times(5)
    def multiplied(self):
        return self.scale

    inner = functools.partial(shift)

class Unrelated:
    def method(self):
        return 1
"""
HELPERS = "def turn(X):\n    return -X\n\ndef other(X):\n    return X\n"


@pytest.fixture
def identity(tmp_path, monkeypatch):
    """Function that writes the two modules with some text replaced, imports them anew, and hashes a model's code."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def compute(old="", new=""):
        source, helpers = SOURCE.format(helpers="helpers_of_test"), HELPERS
        assert old in source + helpers
        for name, text in (("helpers_of_test", helpers), ("models_of_test", source)):
            (tmp_path / f"{name}.py").write_text(text.replace(old, new) if old else text)
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        module = importlib.import_module("models_of_test")
        return joblib.hash(code_identity({"estimator": make_pipeline(StandardScaler(), module.Model())}))

    yield compute
    for name in ("helpers_of_test", "models_of_test"):
        sys.modules.pop(name, None)


EDITS = {
    "a base class": ("shift(X) * self.scale", "shift(X) / self.scale"),
    "an attribute of a class": ("scale = 2", "scale = 3"),
    "a function it calls": ("return X + RATE", "return X - RATE"),
    "a constant of the module": ("RATE = 0.5", "RATE = 0.6"),
    "a function of another module": ("return -X", "return 2 * X"),
    "a default": ("floor=1e-9", "floor=1e-8"),
    "a property": ("return 1\n\n    @static", "return 2\n\n    @static"),
    "a static method": ("if x in WORDS]", "if x not in WORDS]"),
    "a set": ('"c"', '"d"'),
    "a decorated method": ("return 3", "return 4"),
    "what a decorator was given": ("@times(5)", "@times(6)"),
    "a decorator": ("return function(*args", "return not function(*args"),
}
NO_EDITS = {
    "nothing": ("", ""),
    "a comment": ("# a comment", "# another one\n\n"),
    "what is never mentioned": ("class Unrelated:\n    def method(self):\n        return 1", "class Unrelated: pass"),
    "an unused function of the other module": ("def other(X):\n    return X", "def other(X):\n    return -X * 2"),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_edited_code_is_another_identity(identity, edit):
    assert identity() != identity(*edit)


@pytest.mark.parametrize("edit", NO_EDITS.values(), ids=NO_EDITS)
def test_what_does_nothing_changes_no_identity(identity, edit):
    assert identity() == identity(*edit)


@pytest.fixture(params=["with __init__", "without"])
def package(request, tmp_path, monkeypatch):
    """Function that writes two modules of a package of the user, imports them anew, and hashes the code of one."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = tmp_path / "package_of_test"
    folder.mkdir()
    if request.param == "with __init__":
        (folder / "__init__.py").touch()

    def forget():
        for name in ("package_of_test.models", "package_of_test.parts", "package_of_test"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()

    def compute(models, parts=""):
        (folder / "models.py").write_text(models)
        (folder / "parts.py").write_text(parts)
        forget()
        return joblib.hash(code_identity(importlib.import_module("package_of_test.models").Model))

    yield compute
    forget()


def test_a_folder_of_the_users_modules_is_no_installed_library(package):
    assert package("class Model:\n    rate = 1") == package("class Model:\n    rate = 1  # a comment")
    assert package("class Model:\n    rate = 1") != package("class Model:\n    rate = 2")


def test_a_class_whose_instance_was_pickled_or_copied_is_the_same_code(package):
    before = package("class Model:\n    rate = 1")
    model = sys.modules["package_of_test.models"].Model
    pickle.dumps(model())
    copy.copy(model())
    assert joblib.hash(code_identity(model)) == before


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("from package_of_test.parts import turn", "turn(X)"),
        ("from package_of_test import parts", "parts.turn(X)"),
        ("import package_of_test.parts", "package_of_test.parts.turn(X)"),
    ],
)
def test_a_function_of_another_module_is_followed_however_it_is_named(package, line, call):
    models = f"{line}\nclass Model:\n    def fit(self, X):\n        return {call}\n"
    turn = "import package_of_test.models\ndef turn(X):\n    package_of_test.models.parts  # they know each other\n"
    turn += "    return -X\n"
    assert package(models, turn) == package(models, turn + "def other(X):\n    return X\n")
    assert package(models, turn) != package(models, turn.replace("-X", "X * 2"))


def test_an_identity_is_the_same_in_every_process(tmp_path):
    code = (
        "import joblib\n"
        "from sklabelnoise._foundation._code_identity import code_identity\n"
        "def half(x):\n"
        "    return x / 2\n"
        "def other(x):\n"
        "    return x\n"
        "class Model:\n"
        "    words = frozenset(['a', 'b', 'c'])\n"
        "    ways = {half, other, int}\n"
        "    named = {half: 'half', (other, 'b'): {other, half}}\n"
        "    def fit(self, X):\n"
        "        return X in {'x', 'y', 'z'}\n"
        "print(joblib.hash(code_identity(Model())))\n"
    )
    shown = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment, timeout=300
        )
        shown.add(run.stdout)
    assert len(shown) == 1


@pytest.mark.parametrize("distribution", ["torch", "skorch", "scikit-learn", "numpy"])
def test_another_version_of_a_library_is_another_identity(monkeypatch, distribution):
    before = code_identity(LogisticRegression())
    real = _code_identity.version
    monkeypatch.setattr(_code_identity, "version", lambda name: "0.0.1" if name == distribution else real(name))
    assert {name for name, value in code_identity(LogisticRegression()).items() if value != before[name]} == {
        distribution
    }


def test_what_cannot_be_pickled_is_refused():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        code_identity(lambda X: X)


def test_edited_code_has_a_checkpoint_of_its_own(identity, tmp_path):
    identity()
    one = Checkpoint(tmp_path / "kept", {}, code_of=sys.modules["models_of_test"].Model)
    one.save("round-1", np.zeros(1))
    identity("return -X", "return X * 2")
    other = Checkpoint(tmp_path / "kept", {}, code_of=sys.modules["models_of_test"].Model)
    assert other.load("round-1") is None
    identity()
    again = Checkpoint(tmp_path / "kept", {}, code_of=sys.modules["models_of_test"].Model)
    assert again.load("round-1") is not None


@pytest.mark.parametrize("kept", ["{turn}", "{turn: 1}", "{1: {turn}}", "{(turn, 1): 1}", "[turn]"])
def test_a_function_is_followed_wherever_it_is_kept(package, kept):
    models = "from package_of_test.parts import turn\n\nclass Model:\n    ways = " + kept + "\n"
    turn = "def turn(X):\n    return -X\n"
    assert package(models, turn) == package(models, "# moved\n" + turn)
    assert package(models, turn) != package(models, turn.replace("-X", "X * 2"))
