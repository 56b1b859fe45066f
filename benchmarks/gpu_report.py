"""The rows that a GPU made, as the table of the README and the lines of the guide."""

import pandas as pd

from benchmarks.cells import markdown


def _last(rows):
    """The last row of each case on each card, in the order of the first; those of tiny sizes say nothing."""
    return list({(row["case"], row["card"]): row for row in rows if not row["tiny"]}.values())


def _short(card):
    """A card without its maker."""
    return card.removeprefix("NVIDIA ")


def _rate(row):
    for key, unit in (("images_per_second", "images"), ("rows_per_second", "rows")):
        if key in row:
            return f"{row[key]:,} {unit}"
    return ""


def _ratio(row):
    if "ratio" not in row:
        return ""
    digits = 2 if row["ratio"] >= 0.1 else 4
    return f"{row['ratio']:.{digits}f} ({row['ratio_low']:.{digits}f} to {row['ratio_high']:.{digits}f})"


def _kept(row):
    return "yes" if row["ratio"] <= row["promise"] else "**no**"


def gpu_block(rows):
    """Every case beside the loop that a careful user writes, and what was promised."""
    last = _last(rows)
    measured = [row for row in last if row["piece"] not in ("tests", "table")]
    table = pd.DataFrame(
        {
            "ours, ms": [f"{row['ours_ms']:,.0f}" if "ours_ms" in row else "" for row in measured],
            "reference, ms": [f"{row['reference_ms']:,.0f}" if "reference_ms" in row else "" for row in measured],
            "ratio (quartiles)": [_ratio(row) for row in measured],
            "promise": [f"≤ {row['promise']:.3g}" if "promise" in row else "" for row in measured],
            "kept": [_kept(row) if "promise" in row else "" for row in measured],
            "a second": [_rate(row) for row in measured],
            "launches a step": [
                f"{row['launches_a_step_ours']:g} ({row['launches_a_step_reference']:g})"
                if "launches_a_step_ours" in row
                else ""
                for row in measured
            ],
            "card": [_short(row["card"]) for row in measured],
            "commit": [row["commit"] for row in measured],
        },
        index=pd.Index([row["case"] for row in measured], name="what"),
    )
    tests = "".join(
        f"The tests that need a GPU said on one {_short(row['card'])} at commit {row['commit']}: {row['said']}.\n\n"
        for row in [row for row in last if row["piece"] == "tests"][-1:]
    )
    versions = sorted({f"torch {row['versions']['torch']}, Python {row['python']}" for row in last})
    return (
        f"{tests}{markdown(table)}\nWall clock between two waits for the device, medians of interleaved repeats; a "
        "reference is the loop that a careful user writes, of the search the same fits one by one, of streams the same "
        "rows on the device, of the DM loss `F.cross_entropy` 200 times. In brackets the launches of the reference. "
        f"{', '.join(sorted({row['card'] for row in last}))}, {'; '.join(versions)}.\n"
    )


def page_lines(rows):
    """The rates, as the items of the guide's list."""
    return [
        f"* {row['case']}: {_rate(row)} a second on one {row['card']}"
        + (f", {row['ratio']:.2f} of the time of a plain loop" if row["piece"] == "images" else "")
        for row in _last(rows)
        if row["piece"] in ("images", "streams")
    ]
