"""Turn committed rows into tables and figures, and write them where readers look.

    python -m benchmarks.report              # rewrite the blocks of the READMEs, draw the figures
    python -m benchmarks.report --print      # show all tables
    python -m benchmarks.report --check      # fail where READMEs or figures are not what the rows say

A block stands between ``<!-- benchmark:NAME -->`` and ``<!-- /benchmark:NAME -->``; nobody types a number. Rows from a
tree with changes, and of methods that are defined otherwise now, are left out. A block that begins with
``<!-- benchmark:NAME, with changes -->`` asks for the former, ``--with-changes`` does so for all; the text says so.
"""

import argparse
import re
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import figures
from benchmarks.again import again_block
from benchmarks.cells import markdown
from benchmarks.comparison import Comparison, by_condition, frame_of, left_out_text, of_all_seeds, of_most_seeds
from benchmarks.detection import detection_block
from benchmarks.ensemble_trial import trial_block
from benchmarks.equal_rows import equal_rows_block
from benchmarks.gpu_report import gpu_block
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
from benchmarks.profiles import MATTER
from benchmarks.refinery import refinery_block
from benchmarks.refinery_mends import mends_block
from benchmarks.reliability import reliability_block
from benchmarks.rows import EARLIER, RESULTS
from benchmarks.schedules import schedules_block
from benchmarks.selection import selection_block
from benchmarks.summary import mind_block, shares_block, summary_block
from benchmarks.usable import usable_rows
from benchmarks.verdict import held_out_block, verdict_block

README = Path(__file__).parents[1] / "README.md"
DOCUMENTS = (README, README.parent / "benchmarks" / "README.md")
BLOCK = re.compile(
    r"(<!-- benchmark:(?P<name>[\w-]+)(?P<changes>, with changes)? -->\n).*?(<!-- /benchmark:(?P=name) -->)", re.DOTALL
)


def speed_table(rows):
    """The last measurement of every ratio, beside what is promised."""
    last = pd.DataFrame(rows).drop_duplicates("case", keep="last")
    table = pd.DataFrame(
        {
            "ours, ms": last["ours_ms"].map(_milliseconds),
            "reference, ms": last["reference_ms"].map(_milliseconds),
            "ratio (quartiles)": [
                f"{row.ratio:.2f} ({row.ratio_low:.2f} to {row.ratio_high:.2f})" for row in last.itertuples()
            ],
            "promise": last["promise"].map("≤ {:g}".format),
            "kept": np.where(last["ratio"] <= last["promise"], "yes", "**no**"),
        }
    )
    return table.set_index(last["case"].rename("what"))


def _milliseconds(value):
    return "" if np.isnan(value) else f"{value:.3g}"  # what is no ratio of two times has none


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


def _that_matter(make):
    """Of the rows of all methods those of the ones that are compared under every kind of noise."""

    def block(rows):
        rows = [row for row in rows if row["method"] in MATTER]
        return make(rows) if rows else "No such rows yet.\n"

    return block


def _of_classes(two):
    """The table by kind of noise, of the data sets with two classes or of those with more."""

    def block(rows):
        rows = [row for row in rows if (row["n_classes"] == 2) == two]
        return f"{markdown(noise_table(rows))}\n" if rows else "No such rows yet.\n"

    return _that_matter(block)


def _noise_block(rows):
    left_out = left_out_text(*by_condition(rows).values())
    return (
        f"{caption(rows)}\n\n{markdown(noise_table(rows))}\n"
        "Mean accuracy over the tasks (and mean rank among methods that saw no clean label), the best in bold; "
        f"{SCORE} Two mean ranks of a column differ (Nemenyi's test, 5 % level) from its critical difference on. "
        "Columns have different tasks: compare within one. The first column is the mean of the mean ranks."
        f"{left_out}\n"
    )


def _symmetric(make):
    """Of the rows of many kinds of noise the one under which all methods are compared."""

    def block(rows):
        rows = [row for row in rows if row["task"].endswith("/symmetric/0.4")]
        return make(rows) if rows else "No rows of symmetric noise yet.\n"

    return block


def _most_seeds(make):
    """Of rows that have more seeds of some methods than of others those of the seeds that half of the methods have."""

    def block(rows):
        kept = of_most_seeds(rows)
        remark = "Seeds that less than half of the methods have are left out here.\n" if len(kept) < len(rows) else ""
        return make(kept) + remark

    return block


def _all_seeds(make):
    """Of such rows those of the methods that have every seed."""
    return lambda rows: make(of_all_seeds(rows))


def _human_block(rows):
    rows = [row for row in rows if row["task"].split("/")[1] == "human"]
    return _task_block(rows) if rows else "No rows of human noise yet.\n"


def _texts_and_images_block(rows):
    rows = [row for row in rows if row["task"].split("/")[0] in ("banking77", "imdb", "mnist")]
    return _task_block(rows) if rows else "No rows of texts and images yet.\n"


def sizes_table(rows):
    """Accuracy, time and memory of each method by data set, for rows of one limit of training rows."""
    frame = frame_of(rows)
    by = frame.groupby(["method", "dataset"])
    scores = by["score"].mean().unstack("dataset")
    order = scores.mean(axis=1).sort_values(ascending=False, kind="stable").index
    cost = frame.groupby("method")[["fit_seconds", "peak_mb"]].max()
    cells = (100 * scores).map(lambda score: "–" if np.isnan(score) else f"{score:.1f}").loc[order]
    sizes = frame.groupby("dataset")["n_train"].max()
    cells.columns = [f"{name} ({sizes[name]:,})" for name in cells.columns]
    cells["longest fit, s"] = cost["fit_seconds"].map("{:.0f}".format)
    cells["most memory, MB"] = cost["peak_mb"].map(lambda peak: "–" if np.isnan(peak) else f"{peak:,.0f}")
    return cells


def _sizes_block(rows):
    limits = sorted({row["max_train"] for row in rows})
    tables = (
        f"At most {limit:,} training rows:\n\n"
        f"{markdown(sizes_table([row for row in rows if row['max_train'] == limit]))}"
        for limit in limits
    )
    return "\n".join(tables) + (
        "\nAccuracy in percent with 40 % symmetric noise, a mean over seeds, of tables with the number of training "
        "rows in brackets; the longest fit in processor seconds of one thread, and what a fit adds at most to the "
        "memory in use.\n"
    )


def _speed_block(rows):
    last = pd.DataFrame(rows).drop_duplicates("case", keep="last")
    torch = sorted({versions["torch"] for versions in last["versions"]})
    threads = last["threads"].value_counts()
    other = [f"{case} ({n})" for case, n in zip(last["case"], last["threads"], strict=True) if n != threads.index[0]]
    return (
        f"{markdown(speed_table(rows))}\nProcessor time, float32 where a line does not say otherwise, medians of "
        f"interleaved repeats; threads: {threads.index[0]}{''.join(f'; {text}' for text in other)}. torch "
        f"{', '.join(torch)}, {', '.join(sorted(set(last['processor'])))}, commits "
        f"{', '.join(sorted(set(last['commit'])))}.\n"
    )


# Block name: file of the rows, or several, of which the first has to be there, and what becomes of them.
BLOCKS = {
    "quick": ("quick", _leaderboard_block),
    "tables": ("tables", _symmetric(_leaderboard_block)),
    "tables-wins": ("tables", _symmetric(_wins_block)),
    "tables-measures": ("tables", _symmetric(_measures_block)),
    "tables-by-task": ("tables", _symmetric(_task_block)),
    "tables-shares": ("tables", shares_block),
    "summary": ("tables", summary_block),
    "mind": ("tables", mind_block),
    "verdict": ("tables", verdict_block),
    "held-out": ("held_out", _noise_block),
    "held-out-verdict": ("held_out", held_out_block),
    "kinds": ("tables", _that_matter(_noise_block)),
    "kinds-two-classes": ("tables", _of_classes(True)),
    "kinds-more-classes": ("tables", _of_classes(False)),
    "noises": ("noises", _most_seeds(_noise_block)),
    "noises-all-seeds": ("noises", _all_seeds(_noise_block)),
    "human": ("noises", _most_seeds(_human_block)),
    "texts-and-images": ("noises", _most_seeds(_texts_and_images_block)),
    "detection": ("detection", detection_block),
    "reliability": ("reliability", reliability_block),
    "schedules": ("schedules", schedules_block),
    "selection": ("selection", selection_block),
    "ensemble-trial": ("ensemble_trial", trial_block),
    "equal-rows": ("equal_rows", equal_rows_block),
    "sizes": ("sizes", _sizes_block),
    "refinery": ("refinery", refinery_block),
    "refinery-mends": ("refinery_mends", mends_block),
    "again": ((EARLIER, "tables"), again_block),
    "speed": ("speed", _speed_block),
    "gpu": ("gpu", gpu_block),
}


def block(name, results=RESULTS, with_changes=False, usable=usable_rows):
    """The text of one block, made from those of its rows that may be shown."""
    if name not in BLOCKS:
        raise ValueError(f"Unknown benchmark block {name!r}; expected one of {', '.join(BLOCKS)}.")
    source, make = BLOCKS[name]
    paths = [Path(results) / f"{name}.jsonl" for name in ((source,) if isinstance(source, str) else source)]
    (rows, remark), *others = (usable(path, with_changes) for path in paths)
    text = make(rows, *(more for more, _ in others)) if rows else f"No rows in {paths[0].name} yet.\n"
    return f"\n{text}\n" + (f"{remark.strip()}\n\n" if remark else "" if rows else "\n")


def fill(text, results=RESULTS, with_changes=False):
    """A document with each of its blocks replaced by what the rows say now."""
    usable = cache(usable_rows)  # many blocks are of one file

    def filled(match):
        return match[1] + block(match["name"], results, with_changes or bool(match["changes"]), usable) + match[4]

    return BLOCK.sub(filled, text)


def update(path=README, results=RESULTS, with_changes=False):
    """Rewrite the blocks of one document in place; whether it changed."""
    path = Path(path)
    old = path.read_text(encoding="utf-8")
    new = fill(old, results, with_changes)
    if new != old:
        path.write_text(new, encoding="utf-8")
    return new != old


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--print", action="store_true", help="show every table, write nothing")
    action.add_argument("--check", action="store_true", help="fail where a document or a figure differs from the rows")
    parser.add_argument("--with-changes", action="store_true", help="show rows from a tree with changes as well")
    options = parser.parse_args()
    if options.print:
        for name in BLOCKS:
            print(f"## {name}\n{block(name, with_changes=options.with_changes)}")
        return
    if options.check:
        stale = [path for path in DOCUMENTS if fill(text := path.read_text(encoding="utf-8")) != text]
        stale += figures.stale(RESULTS)
        if stale:
            sys.exit(f"Not what the rows say: {', '.join(map(str, stale))}. Run python -m benchmarks.report.")
        return
    for path in DOCUMENTS:
        print(f"{path}: {'rewritten' if update(path, RESULTS, options.with_changes) else 'unchanged'}")
    for path, state in figures.update(RESULTS).items():
        print(f"{path}: {state}")


if __name__ == "__main__":
    main()
