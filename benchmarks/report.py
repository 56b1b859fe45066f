"""Turn committed rows into tables and figures, and write them where readers look.

    python -m benchmarks.report              # rewrite the blocks of the READMEs, draw the figures
    python -m benchmarks.report --print      # show all tables
    python -m benchmarks.report --check      # fail where READMEs or figures are not what the rows say

A block stands between ``<!-- benchmark:NAME -->`` and ``<!-- /benchmark:NAME -->``; nobody types a number.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import figures
from benchmarks.cells import markdown
from benchmarks.comparison import Comparison, by_condition, frame_of, left_out_text
from benchmarks.detection import detection_block
from benchmarks.leaderboard import (
    SCORE,
    TIES,
    caption,
    leaderboard,
    measures_table,
    noise_table,
    ranking_caption,
    task_table,
    wins_table,
)
from benchmarks.rows import RESULTS, read_rows
from benchmarks.schedules import schedules_block
from benchmarks.selection import selection_block

README = Path(__file__).parents[1] / "README.md"
DOCUMENTS = (README, README.parent / "benchmarks" / "README.md")
BLOCK = re.compile(r"(<!-- benchmark:(?P<name>[\w-]+) -->\n).*?(<!-- /benchmark:(?P=name) -->)", re.DOTALL)


def speed_table(rows):
    """The last measurement of every ratio, beside what is promised."""
    last = pd.DataFrame(rows).drop_duplicates("case", keep="last")
    table = pd.DataFrame(
        {
            "ours, ms": last["ours_ms"].map("{:.3g}".format),
            "reference, ms": last["reference_ms"].map("{:.3g}".format),
            "ratio (quartiles)": [
                f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})" for row in last.itertuples()
            ],
            "promise": last["promise"].map("≤ {:g}".format),
            "kept": np.where(last["ratio"] <= last["promise"], "yes", "**no**"),
        }
    )
    return table.set_index(last["case"].rename("what"))


def _leaderboard_block(rows):
    ranking = ranking_caption(Comparison.of(frame_of(rows)))
    return f"{caption(rows)}\n\n{markdown(leaderboard(rows))}\n{ranking} {TIES} Fit is the median time of a fit.\n"


def _task_block(rows):
    return f"{caption(rows)}\n\n{markdown(task_table(rows))}"


def _measures_block(rows):
    left_out = left_out_text(Comparison.of(frame_of(rows)))
    return (
        f'{markdown(measures_table(rows))}\n± is the standard deviation over seeds. "Of" an oracle is the share of '
        f"what it recovers, which chooses by test labels.{left_out}\n"
    )


def _wins_block(rows):
    left_out = left_out_text(Comparison.of(frame_of(rows)))
    return (
        f"{markdown(wins_table(rows))}\n{TIES} Points are the mean difference over tasks; p is that of Wilcoxon's "
        f"signed-rank test over tasks, adjusted by Holm for all methods compared with the same one.{left_out}\n"
    )


def _noise_block(rows):
    left_out = left_out_text(*by_condition(rows).values())
    return (
        f"{caption(rows)}\n\n{markdown(noise_table(rows))}\n"
        "Mean accuracy over the tasks (and mean rank among methods that saw no clean label), the best in bold; "
        f"{SCORE} Two mean ranks of a column differ (Nemenyi's test, 5 % level) from its critical difference on. "
        "Columns have different tasks: compare within one. The first column is the mean of the mean ranks."
        f"{left_out}\n"
    )


def _human_block(rows):
    rows = [row for row in rows if row["task"].split("/")[1] == "human"]
    return _task_block(rows) if rows else "No rows of human noise yet.\n"


def _texts_and_images_block(rows):
    rows = [row for row in rows if row["task"].split("/")[0] in ("banking77", "imdb", "mnist")]
    return _task_block(rows) if rows else "No rows of texts and images yet.\n"


def _speed_block(rows):
    last = rows[-1]
    return (
        f"{markdown(speed_table(rows))}\nProcessor time of one thread, float32, medians of interleaved repeats: "
        f"torch {last['versions']['torch']}, {last['processor']}, commit {last['commit']}.\n"
    )


# Block name: file of the rows and what becomes of them.
BLOCKS = {
    "quick": ("quick", _leaderboard_block),
    "tables": ("tables", _leaderboard_block),
    "tables-wins": ("tables", _wins_block),
    "tables-measures": ("tables", _measures_block),
    "tables-by-task": ("tables", _task_block),
    "noises": ("noises", _noise_block),
    "human": ("noises", _human_block),
    "texts-and-images": ("noises", _texts_and_images_block),
    "detection": ("detection", detection_block),
    "schedules": ("schedules", schedules_block),
    "selection": ("selection", selection_block),
    "speed": ("speed", _speed_block),
}


def block(name, results=RESULTS):
    """The text of one block, made from its rows."""
    if name not in BLOCKS:
        raise ValueError(f"Unknown benchmark block {name!r}; expected one of {', '.join(BLOCKS)}.")
    source, make = BLOCKS[name]
    path = Path(results) / f"{source}.jsonl"
    rows = read_rows(path)
    return f"\n{make(rows)}\n" if rows else f"\nNo rows in {path.name} yet.\n\n"


def fill(text, results=RESULTS):
    """A document with each of its blocks replaced by what the rows say now."""
    return BLOCK.sub(lambda match: match[1] + block(match["name"], results) + match[3], text)


def update(path=README, results=RESULTS):
    """Rewrite the blocks of one document in place; whether it changed."""
    path = Path(path)
    old = path.read_text(encoding="utf-8")
    new = fill(old, results)
    if new != old:
        path.write_text(new, encoding="utf-8")
    return new != old


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--print", action="store_true", help="show every table, write nothing")
    action.add_argument("--check", action="store_true", help="fail where a document or a figure differs from the rows")
    options = parser.parse_args()
    if options.print:
        for name in BLOCKS:
            print(f"## {name}\n{block(name)}")
        return
    if options.check:
        stale = [path for path in DOCUMENTS if fill(text := path.read_text(encoding="utf-8")) != text]
        stale += figures.stale(RESULTS)
        if stale:
            sys.exit(f"Not what the rows say: {', '.join(map(str, stale))}. Run python -m benchmarks.report.")
        return
    for path in DOCUMENTS:
        print(f"{path}: {'rewritten' if update(path) else 'unchanged'}")
    for path, state in figures.update(RESULTS).items():
        print(f"{path}: {state}")


if __name__ == "__main__":
    main()
