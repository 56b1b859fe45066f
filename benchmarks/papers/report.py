"""Write the tables of the committed rows into README.md of this folder.

    python -m benchmarks.papers.report              # rewrite the blocks
    python -m benchmarks.papers.report --check      # fail where the document differs from the rows

A block stands between ``<!-- papers:NAME -->`` and ``<!-- /papers:NAME -->``, NAME being that of a script, followed by
``@SCALE`` where its rows are not of the paper's size; nobody types a number.
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

from benchmarks.papers._runner import FOLDER

README = Path(__file__).with_name("README.md")
BLOCK = re.compile(r"(<!-- papers:(?P<name>[\w@-]+) -->\n).*?(<!-- /papers:(?P=name) -->)", re.DOTALL)


def block(name, folder=FOLDER):
    """The tables of one script, made from its rows."""
    script, _, scale = name.partition("@")
    module = importlib.import_module(f"benchmarks.papers.{script}")
    tables = module.TABLE.tables if hasattr(module, "TABLE") else module.tables
    path = Path(folder) / f"{script}.jsonl"
    return f"\n{tables(path, scale) if scale else tables(path)}\n"


def fill(text, folder=FOLDER):
    """A document with each of its blocks replaced by what the rows say now."""
    return BLOCK.sub(lambda match: match[1] + block(match["name"], folder) + match[3], text)


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
