"""Numbers to text: the cells of a table, and tables in Markdown."""

import pandas as pd


def mean_sd(values, scale=1.0, digits=1):
    """``mean ± standard deviation`` over seeds; a dash where nothing was measured."""
    values = pd.Series(values, dtype=float).dropna() * scale
    if values.empty:
        return "–"
    text = f"{values.mean():.{digits}f}"
    return f"{text} ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else text


def markdown(frame):
    """A table in Markdown; the index is the first column, numbers are text already."""
    header = [frame.index.name or "", *frame.columns]
    rule = ["---", *["---:"] * len(frame.columns)]
    lines = [header, rule, *([index, *row] for index, row in zip(frame.index, frame.values.tolist(), strict=True))]
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)
