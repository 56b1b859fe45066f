"""
Which method should I use?
==========================

Your labels are wrong somewhere, you don't know how, and you have no clean ones to try methods on. The benchmarks of
this project have rows for many methods, data sets and kinds of noise. Which single choice do they support, and when is
another one better?
"""

# %%
# The rows lie beside the code, one JSON object for each fit. What counts is accuracy on clean test labels; where
# classes were made rare, averaged over the classes. Rows that saw clean labels are no choice for you, and where two
# classes have almost as many wrong labels as right ones there is nothing to learn.

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from sklabelnoise.inspection import METHOD_COLORS

try:
    examples = Path(__file__).resolve().parent
except NameError:  # the guide runs an example in its folder, and doesn't say which file it is
    examples = Path.cwd()
results = examples.parent / "benchmarks" / "results"
files = [path for name in ("tables", "noises") if (path := results / f"{name}.jsonl").exists()]
if not files:
    raise SystemExit(f"No rows in {results}: this example reads those of a checkout, so run it from one.")


def read(path):
    """Rows of one file that count; the last where a fit was made twice."""
    rows = pd.read_json(path, lines=True).drop_duplicates(["task", "method", "seed"], keep="last")
    rows[["dataset", "noise", "rate"]] = rows["task"].str.split("/", expand=True)
    rows["score"] = 100 * rows["test_accuracy"].where(rows["noise"] != "imbalance", rows.get("balanced_accuracy"))
    hopeless = (rows["n_classes"] == 2) & (rows["noise"] == "symmetric") & (rows["rate"].astype(float) > 0.45)
    informed = rows["kind"].isin(("ceiling", "oracle"))
    return rows[~hopeless & ~informed & ~rows["commit"].str.endswith("+changes")]


# %%
# For each kind of noise: the mean score of each method over the data sets that all of them have. A method with rows for
# fewer than 80 % of them is left out.


def means(part):
    """Mean score of each comparable method over the tasks of one kind of noise."""
    table = part.groupby(["task", "method"])["score"].mean().unstack("method")
    return table.loc[:, table.notna().mean() >= 0.8].dropna().mean()


def kind_of(row):
    """What a kind of noise is called here."""
    rate = float(row["rate"])
    share = f" 1:{1 / rate:g}" if row["noise"] == "imbalance" else f" {rate:.0%}" if rate else ""
    return row["noise"].replace("_", " ").replace("clean", "right labels").replace("human", "people's mistakes") + share


tables = [
    pd.DataFrame({kind: means(part) for kind, part in rows.groupby(rows.apply(kind_of, axis=1))})
    for rows in map(read, files)
]
scores = next((table for table in tables if table.shape[1] > 1), tables[0])  # the larger tables where they suffice
behind = scores.max() - scores  # points behind the best method of each kind

# %%
# Whoever does not know the noise wants to be nowhere far from the best: the answer is the method that is least behind
# on average over the kinds.

regret = behind.dropna().mean(axis=1).sort_values()
answer = regret.index[0]
worst = behind.loc[answer].idxmax()
line = (
    f"Use {answer}: on average {regret.iloc[0]:.1f} points behind the best method for each kind of noise, at worst "
    f"{behind.loc[answer, worst]:.1f} ({worst}, where {scores[worst].idxmax()} leads)."
)
print(line)

# %%
# The picture, to be read in five seconds: short bars are good. A bar is what a method loses on average, over the kinds
# of noise, to whatever is best for each; the dot is where it loses most.

shown = regret.head(8)[::-1]
worsts = behind.loc[shown.index].max(axis=1)
figure, ax = plt.subplots(figsize=(8, 1.3 + 0.4 * len(shown)), layout="constrained")
colors = [METHOD_COLORS.get(name, "black") if name == answer else "#b8bec4" for name in shown.index]
ax.barh(shown.index, shown, color=colors, height=0.6)
ax.scatter(worsts, shown.index, s=26, color=colors, zorder=2, clip_on=False)
for height, (name, value) in enumerate(shown.items()):
    ax.annotate(f"{value:.1f}", (value, height), (5, 9), textcoords="offset points", va="center", fontsize=9)
    ax.plot((value, worsts[name]), (name, name), color="#b8bec4", lw=1, zorder=0)
ax.get_yticklabels()[list(shown.index).index(answer)].set_fontweight("bold")
ax.set(xlim=(0, None), xlabel="points of accuracy behind the best (bar: mean over kinds of noise, dot: worst kind)")
ax.set_title(f"Use {answer}", loc="left", fontweight="bold")
ax.spines[["top", "right", "left"]].set_visible(False)
ax.tick_params(axis="y", length=0)

picture = Path("output", "which_method.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"Picture: {picture.resolve()}")

# %%
# Whoever knows how the labels are wrong may do better with what is best for that:

for kind in behind.loc[answer].sort_values(ascending=False).index:
    print(f"{kind:18} best: {scores[kind].idxmax()}; {answer} is {behind.loc[answer, kind]:.1f} points behind")

# %%
# Simulated noise, small tables, networks with one budget: what these rows can't say stands in benchmarks/README.md,
# with intervals, ranks and each task.
