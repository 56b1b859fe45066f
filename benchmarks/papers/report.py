"""Write the tables of the committed rows into README.md of this folder.

    python -m benchmarks.papers.report              # rewrite the blocks
    python -m benchmarks.papers.report --check      # fail where the document differs from the rows

A block stands between ``<!-- papers:NAME -->`` and ``<!-- /papers:NAME -->``, NAME being that of a script, followed by
``@SCALE`` where its rows are not of the paper's size; nobody types a number. Rows from a tree with changes are left
out, unless the block begins with ``<!-- papers:NAME, with changes -->``; the text says so.
"""

import argparse
import importlib
import re
import sys
import tempfile
from pathlib import Path

from benchmarks.papers._runner import FOLDER
from benchmarks.rows import write_rows
from benchmarks.usable import usable_rows

README = Path(__file__).with_name("README.md")
BLOCK = re.compile(
    r"(<!-- papers:(?P<name>[\w@-]+)(?P<changes>, with changes)? -->\n).*?(<!-- /papers:(?P=name) -->)", re.DOTALL
)


def block(name, folder=FOLDER, with_changes=False):
    """The tables of one script, made from those of its rows that may be shown."""
    script, _, scale = name.partition("@")
    module = importlib.import_module(f"benchmarks.papers.{script}")
    tables = module.TABLE.tables if hasattr(module, "TABLE") else module.tables
    rows, remark = usable_rows(Path(folder) / f"{script}.jsonl", with_changes)
    with tempfile.TemporaryDirectory() as shown:
        path = Path(shown) / f"{script}.jsonl"
        if rows:
            write_rows(path, rows)
        text = tables(path, scale) if scale else tables(path)
    return f"\n{text}\n" + (f"{remark.strip()}\n\n" if remark else "")


def fill(text, folder=FOLDER):
    """A document with each of its blocks replaced by what the rows say now."""
    return BLOCK.sub(lambda match: match[1] + block(match["name"], folder, bool(match["changes"])) + match[4], text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail where the document differs from the rows")
    options = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    new = fill(old)
    if options.check and new != old:
        sys.exit(f"Not what the rows say: {README}. Run python -m benchmarks.papers.report.")
    if not options.check:
        README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
