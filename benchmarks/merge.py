"""Take rows that were measured elsewhere into a committed file.

    python -m benchmarks.run --profile kinds --methods GCE --output elsewhere.jsonl     # in a clean clone
    python -m benchmarks.merge tables elsewhere.jsonl

A fit that has a row already keeps it; which of the new ones say something else is printed, a test of whether rows can
be made again. With ``--instead`` the new row takes its place, and the one that was there goes to ``earlier.jsonl``:
so a table comes to be of one commit (`benchmarks.again` says what that moved). Rows from a tree with changes, and of
methods that are defined otherwise now, are refused.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.rows import EARLIER, RESULTS, append_row, read_rows, write_rows
from benchmarks.run import key_of
from benchmarks.usable import from_changed_tree, outdated


def merge(path, others):
    """Append the rows of other files that a file lacks.

    Parameters
    ----------
    path : path-like
        File of `benchmarks.run`.
    others : sequence of path-like

    Returns
    -------
    added, again, refused : list of dict
        The rows that were appended; pairs of the row that was there and one that was made again; rows that may not be
        shown.
    """
    known = {key_of(row): row for row in read_rows(path)}
    added, again, refused = [], [], []
    for row in (row for other in others for row in read_rows(other)):
        if from_changed_tree(row) or outdated(row):
            refused.append(row)
        elif key_of(row) in known:
            again.append((known[key_of(row)], row))
        else:
            append_row(path, row)
            known[key_of(row)] = row
            added.append(row)
    return added, again, refused


def put_instead(path, rows):
    """Put rows in the place of those of the same fits, and append what stood there to ``earlier.jsonl`` beside it.

    Parameters
    ----------
    path : Path
        File of `benchmarks.run`.
    rows : sequence of dict
        Of fits that have a row there; of two of the same fit the last counts.

    Returns
    -------
    n_replaced : int
        How many rows gave their place to another.
    """
    new = {key_of(row): row for row in rows}
    old = read_rows(path)
    kept = path.with_name(f"{EARLIER}.jsonl")
    replaced = [row for row in old if new.get(key_of(row), row) != row]
    # Kept first, in one piece, so that a run which is killed in between loses none and keeps none twice.
    known = read_rows(kept)
    write_rows(kept, known + [row for row in replaced if row not in known])
    write_rows(path, [new.get(key_of(row), row) for row in old])
    return len(replaced)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="file in results/, without ending")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--instead", action="store_true", help="new rows take the place of those of the same fit")
    options = parser.parse_args()
    if absent := [str(path) for path in options.files if not path.exists()]:
        sys.exit(f"No such files: {', '.join(absent)}.")
    path = RESULTS / f"{options.name}.jsonl"
    added, again, refused = merge(path, options.files)
    told = f"{len(again)} were there"
    if options.instead:
        told += f", of which {put_instead(path, [new for _, new in again])} were replaced"
    other = [(old, new) for old, new in again if old["test_accuracy"] != new["test_accuracy"]]
    print(f"{len(added)} rows added, {told}, {len(refused)} refused.")
    for old, new in other:
        print(
            f"made again with another result: {old['task']}, {old['method']}, seed {old['seed']}: "
            f"{old['test_accuracy']} ({old['commit']}), {new['test_accuracy']} ({new['commit']})"
        )


if __name__ == "__main__":
    main()
