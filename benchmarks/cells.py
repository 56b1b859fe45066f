"""Numbers to text: the cells of a table, and tables in Markdown."""

import pandas as pd


def mean_sd(values, scale=1.0, digits=1):
    """``mean ± standard deviation`` over seeds; a dash where nothing was measured."""
    values = pd.Series(values, dtype=float).dropna() * scale
    if values.empty:
        return "–"
    text = f"{values.mean():.{digits}f}"
    return f"{text} ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else text


def best_in_bold(cells, means):
    """The same cells, that of the greatest mean of each line in bold; columns without a mean do not compete."""
    cells = cells.copy()
    for line, best in means.idxmax(axis=1).items():
        cells.loc[line, best] = f"**{cells.loc[line, best]}**"
    return cells


def markdown(frame):
    """A table in Markdown; the index is the first column, numbers are text already."""
    header = [frame.index.name or "", *frame.columns]
    rule = ["---", *["---:"] * len(frame.columns)]
    lines = [header, rule, *([index, *row] for index, row in zip(frame.index, frame.values.tolist(), strict=True))]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def with_interval(value, low, high, digits=1):
    """``+value [low, high]``; without the brackets where there is no interval."""
    if low != low:  # NaN
        return f"{value:+.{digits}f}"
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"


def share_text(recovered, interval=False):
    """The pooled share of a `benchmarks.recovery.Recovered` in percent; a dash where nothing was measured."""
    if recovered is None or recovered.pooled != recovered.pooled:
        return "–"
    text = percent(recovered.pooled)
    if interval and recovered.low == recovered.low:
        text += f" [{percent(recovered.low)}, {percent(recovered.high)}]"
    return text


def percent(share):
    """A share in whole percent, without a sign before zero; a dash where there is none."""
    return "–" if share != share else f"{round(100 * share)}"
