"""The guide: `python -m sphinx examples output/guide`. Pages stand in `guide/`, examples beside this file.

What Sphinx makes of them, pages of each example in `gallery/` and of each public name in `reference/`, is not ours to
edit and ignored by git.
"""

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util.docutils import SphinxDirective

HERE = Path(__file__).parent
ROOT = HERE.parent
# Examples that read real data find it as the tests do.
if (beside := ROOT.parent / "shared" / "data").exists():
    os.environ.setdefault("SKLABELNOISE_DATA", str(beside))
# Gallery workers are processes of their own; small networks are slower with more threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")

project = "sklabelnoise"
author = "The sklabelnoise developers"
copyright = "2026, the sklabelnoise developers"
version = release = version_of("sklabelnoise")

sys.path.insert(0, str(HERE / "_extensions"))
extensions = [
    "checked_links",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_extensions", "GALLERY_HEADER.rst", "**sg_execution_times.rst", "**.ipynb"]
# Docstrings write `name` for what is code.
default_role = "literal"
nitpicky = True
# Names of other libraries are resolved where their inventories can be fetched, which a build must not depend on.
nitpick_ignore_regex = [
    (r"py:.*", r"(joblib|matplotlib|numpy|pandas|scipy|skorch|sklearn|torch|torchvision)(\..*)?"),
    (r"py:obj", r"\w+_"),  # fitted attributes that are properties
]

# The gallery's pages lie below the examples they are made of, and are taken for copies of them.
suppress_warnings = ["sphinx_gallery.duplicate_filename"]
autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings say it in words
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
numpydoc_show_class_members = False
copybutton_prompt_text = ">>> "
copybutton_only_copy_prompt_lines = True

# What an example's page says when this build did not run it.
NEEDS = {
    "plot_cifar10_resnet": "cifar10_labels.npz",
    "plot_imdb_sentiment": "imdb.parquet",
    "plot_one_call": "tab_adult.parquet",
    "plot_ordinal_grades": "tab_wine_quality.parquet",
}
DATA = os.environ.get("SKLABELNOISE_DATA")
MISSING = {name: file for name, file in NEEDS.items() if not (DATA and Path(DATA, file).exists())}

sphinx_gallery_conf = {
    "examples_dirs": ["."],
    "gallery_dirs": ["gallery"],
    "filename_pattern": rf"{os.sep}plot_(?!({'|'.join(name.removeprefix('plot_') for name in MISSING) or '$'})\.py)",
    "ignore_pattern": r"conf\.py$",
    "within_subsection_order": "ExampleTitleSortKey",
    "backreferences_dir": "reference/examples",
    "doc_module": ("sklabelnoise",),
    "inspect_global_variables": False,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "parallel": 2,
    "copyfile_regex": r"(?!)",  # index.rst is the start page, not the gallery's
}

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "sklabelnoise"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"index": []}
html_theme_options = {
    "logo": {"text": "sklabelnoise"},
    "navbar_align": "left",
    "navigation_with_keys": True,
    "show_prev_next": True,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


class Leaderboard(SphinxDirective):
    """The README's sentence, table and caption, which `python -m benchmarks.report` writes from committed rows."""

    def run(self):
        self.env.note_dependency(str(ROOT / "README.md"))
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        written = text.partition("<!-- benchmark:summary -->")[2].partition("<!-- /benchmark:summary -->")[0]
        lines = []
        for block in written.strip().split("\n\n"):
            lines += [*(in_rst(block) if block.startswith("|") else block.splitlines()), ""]
        holder = nodes.container()
        self.state.nested_parse(StringList(lines, "README.md"), self.content_offset, holder)
        return holder.children


def in_rst(table):
    """Lines of a table of Markdown, in reStructuredText."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "---" not in line]
    cells = [f"   {' ' if i else '*'} - {cell}" for row in rows for i, cell in enumerate(row)]
    return [".. list-table::", "   :header-rows: 1", "   :class: leaderboard", "", *cells]


def say_what_was_not_run(app, docname, source):
    """A note beneath the title of an example whose data is missing."""
    name = docname.removeprefix("gallery/")
    if name in MISSING:
        note = f".. note::\n\n   Not run in this build: {MISSING[name]} is not in the folder of ``SKLABELNOISE_DATA``."
        source[0] = re.sub(r"^=+\n", lambda line: f"{line[0]}\n{note}\n\n", source[0], count=1, flags=re.MULTILINE)


def is_of_another_library(app, what, name, thing, skip, options):
    """Whether a member is inherited from scikit-learn or torch, whose pages describe it. None leaves it as it is."""
    home = getattr(thing, "__module__", None) or ""
    return True if home.startswith(("sklearn.", "torch.", "skorch.")) else None


def inline_equation(writer, node):
    """Equations as MathML, which browsers draw by themselves: the guide needs no network and no script for them."""
    writer.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def displayed_equation(writer, node):
    """An equation on a line of its own."""
    writer.body.append(f'<div class="equation">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (inline_equation, None), (displayed_equation, None))
    app.connect("autodoc-skip-member", is_of_another_library)
    app.add_directive("leaderboard", Leaderboard)
    app.connect("source-read", say_what_was_not_run)
