"""What is built and installed: the floors that are tested, the files that are shipped, the way it is cited."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import sklabelnoise

ROOT = Path(__file__).parents[1]
if not (ROOT / "pyproject.toml").exists():
    pytest.skip("these are laws of a checkout", allow_module_level=True)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def pins(name):
    lines = (ROOT / ".ci" / name).read_text().splitlines()
    return dict(line.lower().split("==") for line in lines if "==" in line and not line.startswith("#"))


def requirements_of_the_tests():
    """Dependencies, and the extras that the tests install."""
    (own,) = (Requirement(line) for line in EXTRAS["test"] if line.startswith("sklabelnoise["))
    lines = PROJECT["dependencies"] + [line for line in EXTRAS["test"] if not line.startswith("sklabelnoise[")]
    return [Requirement(line) for line in lines + [line for extra in own.extras for line in EXTRAS[extra]]]


def test_no_floor_is_below_what_the_oldest_tested_set_holds():
    oldest = pins("constraints-oldest.txt")
    libraries = {Requirement(line).name.lower() for line in PROJECT["dependencies"]}
    libraries |= {
        Requirement(line).name.lower()
        for extra in ("plot", "report", "images", "tables", "text")
        for line in EXTRAS[extra]
    }
    for requirement in requirements_of_the_tests():
        name = requirement.name.lower()
        if name not in libraries:
            continue
        (floor,) = (Version(part.version) for part in requirement.specifier if part.operator == ">=")
        tested = Version(oldest[name])
        assert tested.release[: len(floor.release)] == floor.release, f"{name}>={floor} is tested from {tested} on"


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-oldest.txt"])
def test_both_sets_pin_what_the_tests_install(name):
    pinned = pins(name)
    for requirement in requirements_of_the_tests():
        if requirement.name == "ruff" and name == "constraints-oldest.txt":
            continue  # lint needs one version only
        assert requirement.specifier.contains(pinned[requirement.name.lower()]), requirement


def test_the_floors_of_the_contract_are_kept():
    floors = {Requirement(line).name: Requirement(line).specifier for line in PROJECT["dependencies"]}
    promised = {"scikit-learn": "1.6", "torch": "2.4.1", "skorch": "1.1", "numpy": "1.26", "pandas": "2.2"}
    assert {name: str(floors[name]) for name in promised} == {name: f">={v}" for name, v in promised.items()}


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {sklabelnoise.__version__}\n" in text
    assert f'title: "{re.search(r"title = {(.*)}", (ROOT / "README.md").read_text())[1]}"' in text


def test_the_changelog_has_an_entry_of_this_version():
    readme = (ROOT / "README.md").read_text()
    assert re.search(rf"^### {re.escape(sklabelnoise.__version__)}\b", readme, re.MULTILINE)


@pytest.mark.slow  # asks the index for setuptools
def test_the_distributions_hold_what_they_should(tmp_path):
    pytest.importorskip("build", reason="the extra release is not installed")
    # A copy, as setuptools takes files of an earlier build/ into the wheel.
    left_out = shutil.ignore_patterns(".git", ".venv*", ".cache", "build", "dist", "*.egg-info", "__pycache__")
    checkout = shutil.copytree(ROOT, tmp_path / "checkout", ignore=left_out)
    subprocess.run([sys.executable, "-m", "build", "--outdir", tmp_path / "dist", checkout], check=True, timeout=300)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (source,) = (tmp_path / "dist").glob("*.tar.gz")
    shipped = set(ZipFile(wheel).namelist())
    assert {
        "sklabelnoise/py.typed",
        "sklabelnoise/_label_report/page/main.js",
        "sklabelnoise/_moved/_robust_loss.py",
    } <= shipped
    assert {name.split("/")[0].split("-")[0] for name in shipped} == {"sklabelnoise"}
    top = f"sklabelnoise-{sklabelnoise.__version__}"
    shipped = set(tarfile.open(source).getnames())
    for folder in ("sklabelnoise", "tests", "examples", "benchmarks"):
        names = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        assert {f"{top}/{name}" for name in names} <= shipped
    assert {f"{top}/{name}" for name in ("CITATION.cff", ".ci/run", "tests/saved_by_0_1/predictions.npz")} <= shipped


def test_pre_commit_runs_the_ruff_that_is_pinned():
    pinned = re.search(r"^ruff==(.*)$", (ROOT / ".ci" / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert f"rev: v{pinned}\n" in (ROOT / ".pre-commit-config.yaml").read_text()
