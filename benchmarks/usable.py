"""Which rows of a file may be shown, and what is said of the others.

A row counts if it came from a tree without changes, so that its commit says what made it, and if its method was defined
then as it is now. Rows of methods that are gone, and rows that have no method, are asked for a clean tree alone.
"""

from pathlib import Path

from benchmarks.methods import METHODS
from benchmarks.rows import read_rows

CHANGED = "+changes"


def from_changed_tree(row):
    """Whether the code had changes that its commit does not have, or no commit is known."""
    return row["commit"] is None or row["commit"].endswith(CHANGED)


def outdated(row):
    """Whether its method is defined otherwise now; a method that can't be made here is not judged."""
    if "definition" not in row or row["method"] not in METHODS:
        return False
    definition = METHODS[row["method"]].definition
    return definition is not None and definition != row["definition"]


def usable_rows(path, with_changes=False):
    """The rows of a file that may be shown, and a sentence on those that may not, empty where all may.

    Parameters
    ----------
    path : path-like
        File of the rows.
    with_changes : bool, default=False
        Whether rows from a tree with changes are shown, with a remark.

    Returns
    -------
    rows : list of dict
    remark : str
        Led by a blank.
    """
    rows = read_rows(path)
    old = [row for row in rows if outdated(row)]
    changed = [row for row in rows if from_changed_tree(row) and not outdated(row)]
    shown = [row for row in rows if not outdated(row) and (with_changes or not from_changed_tree(row))]
    remarks = []
    if old:
        names = "; ".join(sorted({row["method"] for row in old}))
        remarks.append(f" Left out: {len(old)} rows of methods as they were defined before ({names}).")
    if changed:
        verb = "Shown although" if with_changes else "Left out since"
        remarks.append(
            f" {verb} they come from a tree with changes that no commit has: {len(changed)} of {len(rows)} rows of "
            f"{Path(path).name}, to be measured again (`python -m benchmarks.remeasure`)."
        )
    return shown, "".join(remarks)
