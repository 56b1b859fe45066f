"""The guide is complete: every public name has its page, every page its place, and what it points to exists."""

import importlib
import inspect
import re
import runpy
from pathlib import Path

import pytest

import sklabelnoise
from sklabelnoise.inspection import METHOD_COLORS

EXAMPLES = Path(__file__).parents[1] / "examples"
PAGES = [EXAMPLES / "index.rst", *sorted((EXAMPLES / "guide").glob("*.rst"))]
MODULES = [name for name in sklabelnoise.__all__ if inspect.ismodule(getattr(sklabelnoise, name))]
NAMESPACES = ["sklabelnoise", *(f"sklabelnoise.{name}" for name in MODULES)]


def named_in_reference():
    """Names of each module of which the reference has a page or a paragraph."""
    names = {}
    for line in (EXAMPLES / "reference.rst").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            current = names.setdefault(match[1], [])
        elif match := re.match(r"(?:   |\.\. py:data:: )(\w+)$", line):
            current.append(match[1])
    return names


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_the_reference_has_every_public_name_once(namespace):
    module = importlib.import_module(namespace)
    public = [name for name in module.__all__ if not inspect.ismodule(getattr(module, name))]
    assert sorted(named_in_reference()[namespace]) == sorted(public)


def test_the_reference_has_no_other_module():
    assert sorted(named_in_reference()) == sorted(NAMESPACES)


def test_the_guide_lists_its_pages():
    listed = re.findall(r"^   (\w+)$", (EXAMPLES / "guide" / "index.rst").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(path.stem for path in PAGES[1:] if path.stem != "index")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_examples_that_a_page_points_to_exist(path):
    text = path.read_text(encoding="utf-8")
    pointed = re.findall(r"sphx_glr_gallery_(\w+\.py)", text)
    pointed += re.findall(r"^   \.\./(plot_\w+\.py)$", text, re.MULTILINE)
    assert [name for name in pointed if not (EXAMPLES / name).exists()] == []


@pytest.mark.parametrize("path", PAGES[2:], ids=lambda path: path.stem)
def test_all_python_of_a_page_is_run(path):
    """Only what is written with prompts is a doctest."""
    text = path.read_text(encoding="utf-8")
    assert "code-block:: python" not in text and "+SKIP" not in text


def test_pages_state_no_measured_figure_by_hand():
    """Accuracies and times come through the directive `leaderboard`, from the table that the rows wrote."""
    for path in PAGES:
        prose = re.sub(r"^(>>>|\.\.\.).*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert re.findall(r"\d+\.\d+ ?(?:%|points|s\b|seconds)|\d+ (?:points|times (?:faster|slower))", prose) == [], (
            path
        )


def test_every_example_that_needs_data_says_so_where_it_is_missing(monkeypatch):
    pytest.importorskip("sphinx", reason="the guide is built with the extra docs")
    from tests.test_examples import NEED_DATA

    monkeypatch.setenv("SKLABELNOISE_DATA", "nowhere")
    conf = runpy.run_path(str(EXAMPLES / "conf.py"))
    assert set(conf["MISSING"]) == NEED_DATA
    executed = conf["sphinx_gallery_conf"]["filename_pattern"]
    for path in EXAMPLES.glob("plot_*.py"):
        assert bool(re.search(executed, str(path))) == (path.stem not in NEED_DATA)
    name = sorted(NEED_DATA)[0]
    source = [".. DO NOT EDIT.\n\nTitle\n=====\nText.\n"]
    conf["say_what_was_not_run"](None, f"gallery/{name}", source)
    before, after = source[0].split("Not run in this build")
    assert before.endswith("Title\n=====\n\n.. note::\n\n   ") and after.endswith("\n\nText.\n")
    untouched = ["Title\n=====\n"]
    conf["say_what_was_not_run"](None, "gallery/plot_review", untouched)
    assert untouched == ["Title\n=====\n"]


def test_a_link_of_a_built_page_that_leads_nowhere_is_found(tmp_path):
    broken_links = runpy.run_path(str(EXAMPLES / "_extensions" / "checked_links.py"))["broken_links"]
    good = ["sub/b.html#there", "#here", "?q=1#here", "a%20picture.png", "https://arxiv.org", "mailto:a@b.c", "data:,x"]
    bad = ["sub/c.html", "sub/b.html#here", "#there", "sub"]
    (tmp_path / "sub").mkdir()
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "template.html").write_text('<a href="{{ later }}">')
    (tmp_path / "a picture.png").touch()
    (tmp_path / "sub" / "b.html").write_text('<h1 id="there"><a href="../a.html#here"></a><img src="none.png">')
    links = "".join(f'<a href="{link}"></a>' for link in good + bad)
    (tmp_path / "a.html").write_text(f'<a name="here"></a>{links}<img srcset="a%20picture.png 1x, big.png 2x">')
    assert list(broken_links(tmp_path)) == [
        *(("a.html", link) for link in sorted([*bad, "big.png"])),
        ("sub/b.html", "none.png"),
    ]


def test_the_link_checker_sees_what_the_readmes_lead_to():
    external_links = runpy.run_path(str(EXAMPLES / "_extensions" / "checked_links.py"))["external_links"]
    assert "https://arxiv.org/abs/1905.11233" in external_links(EXAMPLES.parent)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("plot_*.py")), ids=lambda path: path.stem)
def test_examples_take_the_colors_of_methods_from_one_place(path):
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"[\"']C\d[\"']", text) == []
    assert [color for color in METHOD_COLORS.values() if color in text] == []
