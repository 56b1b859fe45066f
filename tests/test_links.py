"""What the texts of a checkout point to exists: files, pictures, headings, modules to run."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "pyproject.toml").exists():
    pytest.skip("these are laws of a checkout", allow_module_level=True)

OURS = ("sklabelnoise", "benchmarks", "examples", "tests", ".ci")
TEXTS = [*ROOT.glob("*.md"), *sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.md"))]
PAGES = [ROOT / "examples" / "index.rst", *sorted((ROOT / "examples" / "guide").glob("*.rst"))]
# Named, but made by whoever runs what is named beside it.
MADE = {"output/", "output/guide/index.html"}
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
NAMED_FILE = re.compile(
    r"(?<![`\w:])(`{1,2})([\w./-]+(?:/|\.(?:cff|json|jsonl|md|npz|py|rst|sh|svg|png|toml|txt)))(?::\d+)?\1(?!`)"
)


def without_code(text):
    """The text of a page of Markdown outside of its blocks of code."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(text):
    """What `#...` can point to: the headings of a page of Markdown, spelled as forges do."""
    found = []
    for heading in re.findall(r"^#+ (.*)$", without_code(text), re.MULTILINE):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")
        found.append(anchor if anchor not in found else f"{anchor}-{sum(a == anchor for a in found)}")
    return set(found)


def broken_links(path):
    """Links and pictures of a page of Markdown that lead nowhere in this checkout."""
    for link in (one or other for one, other in LINK.findall(without_code(path.read_text(encoding="utf-8")))):
        if re.match(r"https?://[\w.-]+\.\w+(/|$)|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            yield link


def files_nobody_has(path, existing):
    """Files and folders that a page names between backquotes, of which no path of ours has the end."""
    for _, name in NAMED_FILE.findall(without_code(path.read_text(encoding="utf-8"))):
        there = (path.parent / name).exists() or any(f"/{at}".endswith(f"/{name}") for at in existing)
        if not there and name not in MADE:
            yield name


@pytest.fixture(scope="module")
def existing():
    """Every file and, with a slash at its end, every folder of ours."""
    found = [name for name in os.listdir(ROOT) if (ROOT / name).is_file()]
    for top in OURS:
        found.append(f"{top}/")
        for path in (ROOT / top).rglob("*"):
            found.append(path.relative_to(ROOT).as_posix() + "/" * path.is_dir())
    # Rows that the report has a table for, but nobody has measured yet.
    report = (ROOT / "benchmarks" / "report.py").read_text(encoding="utf-8")
    return found + [f"benchmarks/results/{name}.jsonl" for name in re.findall(r'": \("(\w+)", ', report)]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def test_the_texts_are_found():
    found = {name_of(path) for path in TEXTS}
    assert {
        "README.md",
        "CONTRIBUTING.md",
        "benchmarks/README.md",
        "benchmarks/papers/README.md",
        "examples/README.md",
    } <= found


@pytest.mark.parametrize("path", TEXTS, ids=name_of)
def test_every_link_and_picture_leads_somewhere(path):
    assert list(broken_links(path)) == []


@pytest.mark.parametrize("path", TEXTS + PAGES, ids=name_of)
def test_every_file_that_a_text_names_exists(path, existing):
    assert list(files_nobody_has(path, existing)) == []


@pytest.mark.parametrize("path", TEXTS + PAGES, ids=name_of)
def test_every_command_that_a_text_shows_names_something_to_run(path):
    text = path.read_text(encoding="utf-8")
    for name in re.findall(r"python -m ((?:benchmarks|tests|sklabelnoise)[\w.]*)", text):
        target = ROOT / name.replace(".", "/")  # "benchmarks.papers." is what several commands begin with
        assert target.is_dir() if name.endswith(".") else target.with_suffix(".py").exists(), name
    scripts = re.findall(r"(?:python|bash) ([\w./-]+\.(?:py|sh)|\.ci/run)", text)
    assert [name for name in scripts if not (ROOT / name).exists()] == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "other.md").write_text("# One heading: `code`, [a link](x)\n# One\n# One\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    good = ["other.md", "other.md#one-heading-code-a-link", "other.md#one-1", "#here", "https://arxiv.org/abs/1"]
    bad = ["others.md", "other.md#no-heading", "other.md#one-2", "#there", "https:/arxiv", "picture.png"]
    page.write_text("# Here\n" + "\n".join(f"[x]({link})" for link in good + bad) + '\n<img src="nothing.svg">\n')
    assert list(broken_links(page)) == [*bad, "nothing.svg"]


def test_a_file_that_nobody_has_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "`a/b.py`, ``b.py``, `a/`, `b.py:12`, `output/`; `c.py`, `b/`, `xb.py`, `name`, `1/2`\n```\n`d.py`\n```\n"
    )
    assert list(files_nobody_has(page, ["x/a/b.py", "x/a/"])) == ["c.py", "b/", "xb.py"]
