"""Turn committed rows into tables, and write them into the README.

    python -m benchmarks.report              # rewrite the blocks of README.md
    python -m benchmarks.report --print      # show all tables
    python -m benchmarks.report --check      # fail where README.md differs from the rows

A block stands between ``<!-- benchmark:NAME -->`` and ``<!-- /benchmark:NAME -->``; nobody types a number.
"""

import argparse
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.rows import RESULTS, read_rows

README = Path(__file__).parents[1] / "README.md"
CEILING, BASELINE = "cross entropy, clean labels", "cross entropy"
BLOCK = re.compile(r"(<!-- benchmark:(?P<name>[\w-]+) -->\n).*?(<!-- /benchmark:(?P=name) -->)", re.DOTALL)


def mean_sd(values, scale=1.0, digits=1):
    """``mean ± standard deviation`` over seeds; a dash where nothing was measured."""
    values = pd.Series(values).dropna() * scale
    if values.empty:
        return "–"
    return (
        f"{values.mean():.{digits}f} ± {values.std(ddof=1):.{digits}f}"
        if len(values) > 1
        else f"{values.mean():.{digits}f}"
    )


def markdown(frame):
    """A table in Markdown; the index is the first column, numbers are text already."""
    header = [frame.index.name or "", *frame.columns]
    rule = ["---", *["---:"] * len(frame.columns)]
    lines = [header, rule, *([index, *row] for index, row in zip(frame.index, frame.values.tolist(), strict=True))]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def complete(rows):
    """Rows as a frame, without the seeds in which a method lacks a task: means over different tasks say nothing."""
    frame = pd.DataFrame(rows)
    n_tasks = frame["task"].nunique()
    return frame.groupby(["method", "seed"]).filter(lambda group: group["task"].nunique() == n_tasks)


def share_recovered(accuracy):
    """What a method wins back of what the noise takes from cross entropy; by seed, of mean accuracies over tasks.

    Parameters
    ----------
    accuracy : DataFrame
        Mean accuracies over tasks, one row a seed, one column a method.
    """
    if not {CEILING, BASELINE} <= set(accuracy.columns):
        return pd.DataFrame(index=accuracy.index, columns=accuracy.columns, dtype=float)
    lost = accuracy[CEILING] - accuracy[BASELINE]
    return accuracy.sub(accuracy[BASELINE], axis=0).div(lost, axis=0)


def leaderboard(rows):
    """Methods over all tasks: accuracy, rank, share recovered, detection, calibration, time; mean ± sd over seeds."""
    frame = complete(rows)
    accuracy = frame.pivot_table("test_accuracy", "seed", "method")
    recovered = share_recovered(accuracy)
    by_task = frame.pivot_table("test_accuracy", "task", "method")
    rank = by_task.drop(columns=CEILING, errors="ignore").rank(axis=1, ascending=False).mean()
    by_seed = frame.groupby(["method", "seed"])[["label_recovery", "detection_auc", "calibration_error"]].mean()
    seconds = frame.groupby("method")["fit_seconds"].median()
    order = sorted(accuracy.columns, key=lambda method: (method != CEILING, -accuracy[method].mean()))
    table = {
        method: {
            "test accuracy, %": mean_sd(accuracy[method], 100),
            "mean rank": f"{rank[method]:.1f}" if method in rank else "–",
            "recovered, %": mean_sd(recovered[method], 100, 0) if method != BASELINE else "0",
            "noise removed, %": mean_sd(by_seed.loc[method, "label_recovery"], 100, 0),
            "detection AUC": mean_sd(by_seed.loc[method, "detection_auc"], 1, 3),
            "calibration error": mean_sd(by_seed.loc[method, "calibration_error"], 1, 3),
            "fit, s": f"{seconds[method]:.2f}",
            "n": str(accuracy[method].count()),
        }
        for method in order
    }
    return pd.DataFrame.from_dict(table, orient="index").rename_axis("method")


def task_table(rows):
    """Test accuracy by task and method, mean ± sd over seeds, the best method that saw no clean label in bold."""
    frame = pd.DataFrame(rows)
    values = frame.groupby(["task", "method"])["test_accuracy"]
    cells = values.apply(mean_sd, scale=100).unstack("method").fillna("–")
    means = values.mean().unstack("method")
    for task, best in means.drop(columns=CEILING, errors="ignore").idxmax(axis=1).items():
        cells.loc[task, best] = f"**{cells.loc[task, best]}**"
    return cells[means.mean().sort_values(ascending=False).index]


def caption(rows):
    """Where the figures of a table come from: tasks, sizes, seeds, versions, machine, commit."""
    frame = pd.DataFrame(rows)
    parts = frame["task"].str.split("/", expand=True)
    kinds = sorted(set(parts[[1, 2]].itertuples(index=False, name=None)))
    noise = " and ".join(f"{kind.replace('_', ' ')} noise {float(rate):.0%}" for kind, rate in kinds)
    names = ", ".join(sorted(parts[0].unique()))
    versions = frame["versions"].iloc[-1]
    budgets = frame["budget"].map(lambda budget: ", ".join(f"{k}={v!r}" for k, v in budget.items()) or "defaults")
    return (
        f"{frame['task'].nunique()} tasks ({names}), {noise}, at most {frame['max_train'].max():,} training rows, "
        f"{frame['seed'].nunique()} seeds; networks trained with: {'; '.join(sorted(budgets.unique()))}. "
        f"Accuracy is that on clean test labels; ± is the standard deviation over seeds; n is the number of seeds. "
        f"torch {versions['torch']}, scikit-learn {versions['scikit-learn']}, {frame['processor'].iloc[-1]}, "
        f"{frame['threads'].iloc[-1]} thread, commit {', '.join(sorted(frame['commit'].dropna().unique()))}.\n"
    )


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
    return f"{caption(rows)}\n{markdown(leaderboard(rows))}"


def _task_block(rows):
    return f"{caption(rows)}\n{markdown(task_table(rows))}"


def _speed_block(rows):
    last = rows[-1]
    return (
        f"{markdown(speed_table(rows))}\nProcessor time of one thread, float32, medians of interleaved repeats: "
        f"torch {last['versions']['torch']}, {last['processor']}, commit {last['commit']}.\n"
    )


def _detection_block(rows):
    from benchmarks.detection import detection_block  # it writes its tables with this module

    return detection_block(rows)


# Block name: file of the rows and what becomes of them. Names end in "by-task" where tasks are rows.
BLOCKS = {
    "quick": ("quick", _leaderboard_block),
    "tables": ("tables", _leaderboard_block),
    "tables-by-task": ("tables", _task_block),
    "detection": ("detection", _detection_block),
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
    action.add_argument("--check", action="store_true", help="fail where a document differs from the rows")
    options = parser.parse_args()
    if options.print:
        for name in BLOCKS:
            print(f"## {name}\n{block(name)}")
        return
    documents = [README, README.parent / "benchmarks" / "README.md"]
    if options.check:
        stale = [str(path) for path in documents if fill(text := path.read_text(encoding="utf-8")) != text]
        if stale:
            sys.exit(f"Not what the rows say: {', '.join(stale)}. Run python -m benchmarks.report.")
        return
    for path in documents:
        print(f"{path}: {'rewritten' if update(path) else 'unchanged'}")


if __name__ == "__main__":
    main()
