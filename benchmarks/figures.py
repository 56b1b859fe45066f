"""Figures of the leaderboard, drawn from the rows that its tables are made of.

They are SVG files in ``results/figures``, without dates or random names, so that equal rows give equal files. Each
carries a digest of the numbers it shows; whether a figure is up to date can be told without drawing it.
"""

import hashlib
from pathlib import Path

import pandas as pd

from benchmarks.comparison import BASELINE, Comparison, by_condition, frame_of, noise_order
from benchmarks.usable import usable_rows

STYLE = {
    "svg.hashsalt": "sklabelnoise",  # names of clip paths are random otherwise
    "svg.fonttype": "none",  # letters stay text: small files that can be searched
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLORS = {"robust": "#0b6e99", "baseline": "#8c8c8c"}
LIMIT = 20  # points at which the colors of a difference end


def rank_data(tables):
    """Mean rank under symmetric noise of each method with its kind, and the critical difference."""
    comparison = Comparison.of(frame_of([row for row in tables if row["task"].endswith("/symmetric/0.4")]))
    frame = pd.DataFrame({"rank": comparison.ranks})
    return frame.assign(
        kind=comparison.kinds.reindex(frame.index),
        critical_difference=comparison.critical_difference,
        n_tasks=len(comparison.tasks),
    )


def draw_ranks(data):
    """Mean ranks, best on top, with half a critical difference on either side: apart is what does not overlap."""
    import matplotlib.pyplot as plt

    half = data["critical_difference"].iloc[0] / 2
    figure, ax = plt.subplots(figsize=(7, 0.9 + 0.22 * len(data)), layout="constrained")
    colors = data["kind"].map(COLORS)
    best = data["rank"].iloc[0]
    ax.axvspan(best - half, best + half, color="#0b6e99", alpha=0.12, lw=0)
    for y, (rank, color) in enumerate(zip(data["rank"], colors, strict=True)):
        ax.plot((rank - half, rank + half), (y, y), color=color, lw=1.2)
        ax.plot(rank, y, marker="o", ms=5, color=color)
    ax.set(
        yticks=range(len(data)),
        yticklabels=data.index,
        ylim=(len(data) - 0.5, -0.5),
        # No rank is below one, however far half a difference reaches.
        xlim=(0.5, max(len(data), data["rank"].iloc[-1] + half) + 0.5),
        xlabel=f"mean rank over {data['n_tasks'].iloc[0]} tasks, 1 is best",
    )
    for label, color in zip(ax.get_yticklabels(), colors, strict=True):
        label.set_color(color)
    handles = [plt.Line2D([], [], color=color, marker="o", ms=5, label=kind) for kind, color in COLORS.items()]
    ax.legend(handles=handles, frameon=False, loc="upper right")
    ax.set_title("Lines that do not overlap: a real difference (Nemenyi, 5 %)", loc="right", fontsize=9)
    return figure


def gain_data(noises):
    """Points of accuracy over cross entropy on the same labels: methods are rows, kinds of noise are columns.

    What has fewer seeds than cross entropy is compared over its own.
    """
    comparisons = by_condition(noises)

    def gains(rows):
        scores = rows.set_index(["task", "seed", "method"])["score"].unstack("method")
        return scores.sub(scores[BASELINE], axis=0).mean()

    data = pd.DataFrame({name: gains(comparison.rows) for name, comparison in comparisons.items()})
    return 100 * data.reindex(noise_order(comparisons))


def draw_gains(data):
    """The gains as a map: blue is better than cross entropy, red worse, empty where a method was not compared."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(2.6 + 0.8 * len(data.columns), 1.2 + 0.22 * len(data)), layout="constrained")
    image = ax.imshow(data, cmap="RdBu", vmin=-LIMIT, vmax=LIMIT, aspect="auto")
    for y, method in enumerate(data.index):
        for x, name in enumerate(data.columns):
            gain = data.loc[method, name]
            if pd.notna(gain):
                color = "white" if abs(gain) > 0.6 * LIMIT else "black"
                text = f"{gain:+.1f}".replace("-0.0", "+0.0")
                ax.text(x, y, text, ha="center", va="center", fontsize=7, color=color)
    ax.set(yticks=range(len(data)), yticklabels=data.index, xticks=range(len(data.columns)))
    ax.set_xticklabels([name.replace(" ", "\n") for name in data.columns], fontsize=8)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, label="points over cross entropy", shrink=0.6, extend="both")
    return figure


def cost_data(tables):
    """Mean accuracy under symmetric noise and median time of a fit of each method, and who is on the frontier."""
    comparison = Comparison.of(frame_of([row for row in tables if row["task"].endswith("/symmetric/0.4")]))
    data = pd.DataFrame(
        {
            "accuracy": 100 * comparison.scores.mean(),
            "seconds": comparison.rows.groupby("method")["fit_seconds"].median().reindex(comparison.scores.columns),
            "kind": comparison.kinds.reindex(comparison.scores.columns),
        }
    ).sort_values(["seconds", "accuracy"], ascending=[True, False], kind="stable")
    # On the frontier: nobody is as good in less time.
    best_before = data["accuracy"].cummax().shift(fill_value=0)
    return data.assign(frontier=data["accuracy"] > best_before)


def draw_cost(data):
    """Accuracy against time; the line joins those that nobody beats in less time, and only they have names."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    for kind, part in data.groupby("kind"):
        ax.scatter(part["seconds"], part["accuracy"], s=18, color=COLORS[kind], label=kind, zorder=2)
    best = data[data["frontier"]]
    ax.step(best["seconds"], best["accuracy"], where="post", color="#d1495b", lw=1, zorder=1)
    named = []
    for method, line in best[::-1].iterrows():
        if named and line["seconds"] > 0.7 * named[-1]:
            continue  # its name would lie on that of a better one which takes hardly longer
        named.append(line["seconds"])
        # To the upper left of the line there is nothing that a name could lie on; the quickest has no room there.
        first = method == best.index[0]
        ax.annotate(
            method, (line["seconds"], line["accuracy"]), xytext=(4 if first else -4, 4), textcoords="offset points",
            fontsize=8, ha="left" if first else "right",
        )  # fmt: skip
    ax.set(xscale="log", xlabel="processor seconds of a fit, median", ylabel="accuracy with 40 % symmetric noise, %")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_title("The line: nobody is as good in less time", loc="left", fontsize=9)
    ax.legend(frameon=False, loc="lower right")
    return figure


# File name: file of the rows, the numbers, the drawing.
FIGURES = {
    "ranks": ("tables", rank_data, draw_ranks),
    "cost": ("tables", cost_data, draw_cost),
    "noises": ("noises", gain_data, draw_gains),
}


def digest(data):
    """What a figure of these numbers is recognized by."""
    return hashlib.sha256(data.round(6).to_csv().encode()).hexdigest()[:16]


def numbers(results):
    """Name and numbers of every figure whose rows are there."""
    for name, (source, make, _) in FIGURES.items():
        rows, _ = usable_rows(Path(results) / f"{source}.jsonl")
        if rows:
            yield name, make(rows)


def path_of(name, results):
    return Path(results) / "figures" / f"{name}.svg"


def stale(results):
    """Figures that do not show what the rows say, or are missing."""
    return [path_of(name, results) for name, data in numbers(results) if not _shows(path_of(name, results), data)]


def _shows(path, data):
    return path.exists() and digest(data) in path.read_text(encoding="utf-8")


def update(results):
    """Draw the figures that are stale; what was done with each, by path."""
    states = {path_of(name, results): "unchanged" for name, _ in numbers(results)}
    for name, data in numbers(results):
        path = path_of(name, results)
        if _shows(path, data):
            continue
        try:
            draw(name, data, path)
            states[path] = "drawn"
        except ImportError:
            states[path] = 'not drawn: needs matplotlib, pip install -e ".[plot]"'
    return states


def draw(name, data, path):
    """Draw one figure and save it with the digest of its numbers."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context(STYLE):
        figure = FIGURES[name][2](data)
        # Without a date, a version and random names, equal numbers give equal files.
        metadata = {"Date": None, "Creator": None, "Description": f"numbers {digest(data)}"}
        figure.savefig(path, metadata=metadata)
        plt.close(figure)
