"""
Which method should I use?
==========================

You know roughly where your labels come from, how many classes there are and how many rows, and you have no clean labels
to try methods on. The benchmarks of this project have rows for many methods, data sets and kinds of noise. What do they
say for data like yours, and where do they say nothing?
"""

# %%
# The rows lie beside the code, one JSON object for each fit. What counts here is the gain over plain cross entropy on
# the same rows with the same wrong labels, in points of accuracy on clean test labels; where classes were made rare,
# of accuracy averaged over the classes. Entries that saw clean labels are no choice for you: they are left out.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

results = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
files = [path for name in ("tables", "noises") if (path := results / f"{name}.jsonl").exists()]
if not files:
    raise SystemExit(f"No rows in {results}: this example reads those of a checkout, so run it from one.")
rows = pd.concat([pd.read_json(path, lines=True) for path in files], ignore_index=True)
rows[["dataset", "noise", "rate"]] = rows["task"].str.split("/", expand=True)
rows["dataset"] = rows["dataset"].str.replace("^cifar10n_.*", "cifar10n", regex=True)  # other labels, the same images
rows["score"] = rows["test_accuracy"].where(rows["noise"] != "imbalance", rows.get("balanced_accuracy"))
rows = rows[~rows["kind"].isin(("ceiling", "oracle"))].copy()

experiment = ["max_train", "task", "seed"]
plain = rows[rows["method"] == "cross entropy"].set_index(experiment)["score"]
rows["gain"] = 100 * (rows["score"] - rows.set_index(experiment).index.map(plain))
rows = rows.dropna(subset=["gain"])  # without cross entropy beside it a row says nothing here

# %%
# Slices that a user can recognise: the kind and rate of the noise, the number of classes (all kinds of wrong labels
# together), and the number of rows, on the tasks that were measured with several numbers of them.


def noise_of(task):
    """Where a kind of noise stands in the picture, and what it is called there."""
    _, noise, rate = task.split("/")
    kinds = ("clean", "symmetric", "pair_flip", "instance", "imbalance", "human")
    share = f"1:{1 / float(rate):g}" if noise == "imbalance" else f"{float(rate):.0%}" if float(rate) else ""
    return kinds.index(noise), f"{noise.replace('_', ' ')} {share}".strip()


wide = rows[rows["max_train"] == rows.groupby("max_train")["task"].nunique().idxmax()]  # the profile with most tasks
wrong = wide[~wide["noise"].isin(("clean", "imbalance"))]
n_sizes = rows.groupby("task")["max_train"].transform("nunique")
classes = pd.cut(wrong["n_classes"], [1, 2, 9, np.inf], labels=["2 classes", "3 to 9 classes", "10 or more classes"])

slices = {("noise", name): part for (_, name), part in wide.groupby(wide["task"].map(noise_of))}
slices |= {("classes", name): part for name, part in wrong.groupby(classes, observed=True)}
slices |= {("rows", f"up to {size:,} rows"): part for size, part in rows[n_sizes > 1].groupby("max_train")}

# %%
# A slice has one gain for each data set and method: data sets are what differs from your data, so they are what a
# standard error has to be taken over. The winner is the method with the largest mean gain. These rows cannot tell
# it from what lies behind by no more than two standard errors of the difference. Of one or two data sets there is no
# telling.

MIN_SHARE, MIN_DATASETS = 0.8, 3  # a method with fewer of the data sets, too slow for the others, is left blank
gains, leading = {}, {}
for (group, name), part in slices.items():
    table = part.groupby(["dataset", "method"])["gain"].mean().unstack("method")
    table = table.loc[:, table.notna().mean() >= MIN_SHARE]
    mean = gains[group, name] = table.mean().sort_values(ascending=False)
    behind = -table.sub(table[mean.index[0]], axis=0)[mean.index]
    enough = len(table) >= MIN_DATASETS
    leading[group, name] = (behind.mean() <= 2 * behind.sem()) & enough
    others = mean.index[leading[group, name]][1:]
    verdict = (
        f"not told apart: {'; '.join(others[:3])}" if len(others) else "alone" if enough else "too few to tell more"
    )
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    print(f"{group:8} {name:20} {len(table):3} data sets: {mean.index[0]} {mean.iloc[0]:+.1f}, {verdict}{more}")
gains = pd.DataFrame(gains)
leading = pd.DataFrame(leading, index=gains.index).eq(True)

# %%
# And if you know nothing about your noise? Count in how many slices a method is in the leading group, and look at the
# worst that it does to plain cross entropy in any of them.

noise_only = gains["noise"].dropna()
safe = pd.DataFrame(
    {
        "leading": leading.loc[noise_only.index, "noise"].sum(axis=1),
        "mean": noise_only.mean(axis=1),
        "worst": noise_only.min(axis=1),
    }
).sort_values(["leading", "mean"], ascending=False)
print(f"\nover {noise_only.shape[1]} kinds of noise           leading   mean gain   worst gain")
for method, line in safe.head(8).iterrows():
    print(f"{method:32} {line['leading']:7.0f} {line['mean']:+11.1f} {line['worst']:+12.1f}")
first, least = safe.index[0], safe["worst"].drop("cross entropy").idxmax()
print(
    f"\nOften among the best: {first}. Least harm where it is not: {least} ({safe.loc[least, 'worst']:+.1f} at worst)."
)

# %%
# The leaderboard as a picture: gains over cross entropy, a frame around what is not told apart from the best.

order = safe.index.append(gains.index.difference(safe.index))
gains, leading = gains.loc[order], leading.loc[order]
figure, ax = plt.subplots(figsize=(3 + 0.62 * gains.shape[1], 2 + 0.25 * len(gains)), layout="constrained")
image = ax.imshow(gains, cmap="RdBu", vmin=-20, vmax=20, aspect="auto")
for (y, x), gain in np.ndenumerate(gains.to_numpy()):
    if np.isfinite(gain):
        ax.text(
            x, y, f"{gain:+.1f}", ha="center", va="center", fontsize=7, color="white" if abs(gain) > 12 else "black"
        )
    if leading.iloc[y, x]:
        ax.add_patch(plt.Rectangle((x - 0.46, y - 0.44), 0.92, 0.88, fill=False, edgecolor="black", linewidth=1.2))
ax.set(yticks=range(len(gains)), yticklabels=gains.index, xticks=range(gains.shape[1]))
ax.set_xticklabels([name for _, name in gains.columns], rotation=45, ha="left")
ax.tick_params(length=0, labeltop=True, labelbottom=False)
figure.colorbar(image, ax=ax, label="points over cross entropy", shrink=0.6, extend="both")

picture = Path("output", "which_method.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"\nPicture: {picture.resolve()}")

# %%
# What these rows cannot say is printed with them: they have so many data sets, rows and columns, and no more.

human = wide[wide["noise"] == "human"]["dataset"].nunique()
print(
    f"\nLimits: {rows['dataset'].nunique()} data sets, at most {rows['n_train'].max():,} training rows, "
    f"{rows['n_features'].max():,} columns and {rows['n_classes'].max()} classes, {rows['seed'].nunique()} seeds. "
    f"Networks are multilayer perceptrons with one budget. Data sets with people's own mistakes: {human}; all other "
    f'noise is simulated. The best of {len(gains)} methods is always flattered a little, and "forward, estimated" '
    "more: how it reads its matrix off the predictions was chosen on tables that are compared here."
)

# %%
# Look up the column that is most like your data, and distrust a lead that has no frame to itself.
