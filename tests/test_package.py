"""What is built and installed: the floors that are tested, the files that are shipped, the way it is cited."""

import ast
import re
import runpy
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


# Distributions whose modules have another name.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "sentence_transformers": "sentence-transformers"}
# Looked for without being asked of anybody: it reads frames of other libraries, which bring it along.
WHERE_IT_IS_THERE = {"narwhals"}
# Extras of those who work on the package; a user has none of them.
OF_DEVELOPERS = {"docs", "rivals", "typing", "release", "test"}


def modules_imported(code):
    """Top-level names of all modules that some code imports, late imports included."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.partition(".")[0]


def test_every_library_that_is_imported_is_asked_for():
    """What scikit-learn brings along today it may do without tomorrow."""
    code = [path.read_text(encoding="utf-8") for path in (ROOT / "sklabelnoise").rglob("*.py")]
    imported = {name for text in code for name in modules_imported(text)} - {"sklabelnoise"} - sys.stdlib_module_names
    of_users = [line for extra, lines in EXTRAS.items() if extra not in OF_DEVELOPERS for line in lines]
    declared = {Requirement(line).name.lower() for line in (*PROJECT["dependencies"], *of_users)}
    assert {DISTRIBUTIONS.get(name, name) for name in imported} - declared == WHERE_IT_IS_THERE


def test_a_library_that_nobody_asks_for_is_found():
    code = "import a.b, c\ndef f():\n    from d.e import g\n    from . import h"
    assert list(modules_imported(code)) == ["a", "c", "d"]


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


def test_the_readme_names_the_pythons_that_are_claimed():
    """And no other; what was not tried is said to be so."""
    prefix = "Programming Language :: Python :: 3."
    claimed = [f"3.{line.removeprefix(prefix)}" for line in PROJECT["classifiers"] if line.startswith(prefix)]
    assert PROJECT["requires-python"] == f">={claimed[0]}"
    (paragraph,) = re.findall(
        r"^Python 3\.\d+ or newer, .*?\n\n", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE
    )
    tried, _, untried = paragraph.partition("; Python 3.")
    assert set(re.findall(r"(?<![\d.])3\.1[1-9](?!\d)", tried)) == set(claimed)
    assert f"3.{untried.split()[0]}" not in claimed and "was not tried" in untried


def test_the_citation_names_this_version():
    text = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {sklabelnoise.__version__}\n" in text
    assert f'title: "{re.search(r"title = {(.*)}", (ROOT / "README.md").read_text())[1]}"' in text


def test_the_changelog_has_an_entry_of_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## {re.escape(sklabelnoise.__version__)}\b", changelog, re.MULTILINE)


SOURCE = "https://forge.example/someone/sklabelnoise"


def links_of_a_registrys_page(text):
    """What the links and pictures of the README lead to, in a text for a registry."""
    return re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE))


def test_a_registry_shows_the_readme_with_links_that_it_can_follow():
    rewritten = runpy.run_path(str(ROOT / "setup.py"))["with_absolute_links"]
    text = rewritten((ROOT / "README.md").read_text(encoding="utf-8"), SOURCE, "v1.2.3")
    ours = [link for link in links_of_a_registrys_page(text) if link.startswith(SOURCE)]
    assert [link for link in links_of_a_registrys_page(text) if not link.startswith("https://")] == []
    for link in ours:
        path = re.fullmatch(rf"{SOURCE}/(?:blob|raw)/v1\.2\.3/([^#]+)(?:#.*)?", link)[1]
        assert (ROOT / path).exists(), link
        assert ("/raw/" in link) == path.endswith((".png", ".svg"))
    assert f"{SOURCE}/blob/v1.2.3/README.md#develop" in ours and any("/raw/" in link for link in ours)


def test_only_relative_links_outside_of_code_are_led_elsewhere():
    rewritten = runpy.run_path(str(ROOT / "setup.py"))["with_absolute_links"]
    same = "[a](https://x.org/y) `x[0]` [b] (c) [mail](mailto:a@b.c)\n```python\nx[0](1)\n[a](b.md)\n```\n"
    assert rewritten(same, SOURCE, "v1") == same
    assert rewritten("![p](a/b.png) [c](d.md#e)", SOURCE + "/", "v1") == (
        f"![p]({SOURCE}/raw/v1/a/b.png) [c]({SOURCE}/blob/v1/d.md#e)"
    )


def test_without_an_address_the_readme_stays_as_it_is_and_the_build_says_so():
    assert "urls" not in PROJECT, "there is an address now: this test and the release recipe can forget the case"
    with pytest.warns(UserWarning, match=r"\[project.urls\] has no Source"):
        text = runpy.run_path(str(ROOT / "setup.py"))["long_description"]()
    assert text == (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow  # torch without docstrings is compiled anew
def test_what_needs_no_skorch_runs_without_docstrings():
    code = """
import torch
from sklabelnoise import StochasticLabelRefinery, audit, datasets, losses, metrics, noise
labels = torch.tensor([0, 1])
for name in losses.NAMES:
    getattr(losses, name)
print(float(losses.nce_rce(torch.zeros(2, 3), labels).sum()))
"""
    # Not networks: skorch itself cannot be loaded without docstrings.
    without_docstrings = [sys.executable, "-OO", "-c", code]
    done = subprocess.run(without_docstrings, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0


@pytest.mark.slow  # asks the index for setuptools
def test_the_distributions_hold_what_they_should(tmp_path):
    pytest.importorskip("build", reason="the extra release is not installed")
    # A copy, as setuptools takes files of an earlier build/ into the wheel.
    left_out = shutil.ignore_patterns(".git", ".venv*", ".cache", "build", "dist", "*.egg-info", "__pycache__")
    checkout = shutil.copytree(ROOT, tmp_path / "checkout", ignore=left_out)
    with (checkout / "pyproject.toml").open("a") as file:
        file.write(f'[project.urls]\nSource = "{SOURCE}"\n')  # as once there is an address
    subprocess.run([sys.executable, "-m", "build", "--outdir", tmp_path / "dist", checkout], check=True, timeout=300)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    (source,) = (tmp_path / "dist").glob("*.tar.gz")
    shipped = set(ZipFile(wheel).namelist())
    top = f"sklabelnoise-{sklabelnoise.__version__}"
    description = ZipFile(wheel).read(f"{top}.dist-info/METADATA").decode()
    assert description.replace("\r\n", "\n") == tarfile.open(source).extractfile(f"{top}/PKG-INFO").read().decode()
    assert f"Project-URL: Source, {SOURCE}\n" in description
    assert "Description-Content-Type: text/markdown\n" in description
    assert f"![The review page: labels to doubt, decided with one key each]({SOURCE}/raw/v" in description
    assert [link for link in links_of_a_registrys_page(description) if not link.startswith("https://")] == []
    assert {
        "sklabelnoise/py.typed",
        "sklabelnoise/_label_report/page/main.js",
        "sklabelnoise/_moved/_robust_loss.py",
    } <= shipped
    assert {name.split("/")[0].split("-")[0] for name in shipped} == {"sklabelnoise"}
    shipped = set(tarfile.open(source).getnames())
    for folder in ("sklabelnoise", "tests", "examples", "benchmarks"):
        names = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*.py")}
        names = {name for name in names if not name.startswith("examples/gallery/")}  # what building the guide left
        assert {f"{top}/{name}" for name in names} <= shipped
    assert {f"{top}/{name}" for name in ("CITATION.cff", ".ci/run", "tests/saved_by_0_1/predictions.npz")} <= shipped


def test_pre_commit_runs_the_ruff_that_is_pinned():
    pinned = re.search(r"^ruff==(.*)$", (ROOT / ".ci" / "constraints.txt").read_text(), re.MULTILINE)[1]
    assert f"rev: v{pinned}\n" in (ROOT / ".pre-commit-config.yaml").read_text()
