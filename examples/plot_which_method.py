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

results = Path(__file__).resolve().parents[1] / "benchmarks" / "results"


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
scores = max(tables, key=lambda table: table.shape[1])  # the file with most kinds of noise, larger tables first
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
# The picture: a line for each kind of noise, a dot for each method, the further left the better. The answer is blue;
# the best of each kind is named.

order = behind.loc[answer].sort_values(ascending=False).index
figure, ax = plt.subplots(figsize=(8, 1.4 + 0.42 * len(order)), layout="constrained")
for y, kind in enumerate(order):
    ax.scatter(behind[kind].clip(upper=20), [y] * len(behind), s=22, color="#cccccc", zorder=1)
    ax.scatter(behind.loc[answer, kind], y, s=110, color="#0b6e99", zorder=2)
    ax.text(20.6, y, f"best: {scores[kind].idxmax()}", va="center", fontsize=9)
ax.set(
    yticks=range(len(order)),
    yticklabels=order,
    xlim=(-0.6, 20.4),
    xlabel="points of accuracy behind the best method (20 and more at the edge)",
)
ax.set_title(f"{answer} (blue) against {len(behind) - 1} others", loc="left")
ax.spines[["top", "right", "left"]].set_visible(False)
ax.tick_params(axis="y", length=0)

picture = Path("output", "which_method.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"Picture: {picture.resolve()}")

# %%
# Simulated noise, small tables, networks with one budget: what these rows can't say stands in benchmarks/README.md,
# with intervals, ranks and each task.
