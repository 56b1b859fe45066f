"""
Which labels does the refinery change, and is it right to?
==========================================================

Thirty percent of the labels of scikit-learn's breast cancer table are flipped. The stochastic label refinery asks
models that have not seen a row what its label should be, moves the label a little in that direction, and repeats. It
works around any classifier. Which labels does it change with logistic regression, with gradient boosting and with a
network, how many of those changes are right, and what is the final classifier worth?
"""

# %%
# The table, with labels of which nobody says which are wrong. Clean labels serve for counting only.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, make_blobs
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, StochasticLabelRefinery
from sklabelnoise.inspection import RefineryDisplay
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

torch.set_num_threads(1)  # small networks are slower with more
X, y = load_breast_cancer(return_X_y=True)
X, X_test, y_clean, y_test = train_test_split(X.astype(np.float32), y, test_size=0.3, stratify=y, random_state=0)
y_given = corrupt_labels(y_clean, symmetric_transition_matrix(2, 0.3), random_state=0)
wrong = y_given != y_clean

ESTIMATORS = {
    "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression()),
    # A limit on depth instead of rows: the soft labels come as repeated rows, which must not count twice. With sample
    # weights scikit-learn takes its time over each of the bins, so there are few.
    "HistGradientBoosting": HistGradientBoostingClassifier(max_iter=20, min_samples_leaf=1, max_depth=3, max_bins=16),
    "DMClassifier": make_pipeline(StandardScaler(), DMClassifier(max_epochs=20, device="cpu")),
}

# %%
# Of the changed labels nearly all were wrong before. What is missed is as telling: a label stays where the models that
# have not seen it do not contradict it often enough.

rows, refineries = [], {}
for name, estimator in ESTIMATORS.items():
    plain = StochasticLabelRefinery(estimator, n_rounds=0, random_state=0).fit(X, y_given)
    refinery = refineries[name] = StochasticLabelRefinery(estimator, random_state=0).fit(X, y_given)
    changed = refinery.transduction_ != y_given
    rows.append(
        {
            "": name,
            "labels changed": changed.sum(),
            "rightly": (changed & wrong).sum(),
            "wrong ones missed": (wrong & ~changed).sum(),
            "labels right before": f"{100 * np.mean(~wrong):.1f} %",
            "after": f"{100 * np.mean(refinery.transduction_ == y_clean):.1f} %",
            "test accuracy before": f"{100 * plain.score(X_test, y_test):.1f} %",
            "after ": f"{100 * refinery.score(X_test, y_test):.1f} %",
        }
    )
print(pd.DataFrame(rows).set_index("").T.to_string())

# %%
# The probability of each given label, out of fold and averaged over the rounds, tells right labels from wrong ones.

figure, axes = plt.subplots(1, 3, figsize=(11, 3.2), sharey=True, layout="constrained")
for ax, (name, refinery) in zip(axes, refineries.items(), strict=True):
    ax.hist(
        [refinery.label_quality_[~wrong], refinery.label_quality_[wrong]],
        bins=20, range=(0, 1), stacked=True, color=["tab:blue", "tab:red"], label=["right", "wrong"],
    )  # fmt: skip
    ax.set(title=name, xlabel="label quality")
axes[0].set(ylabel="labels")
figure.legend(*axes[0].get_legend_handles_labels(), title="given label is", loc="outside right center", frameon=False)
figure.suptitle("wrong labels are improbable to models that have not seen them: the better, the further left")
Path("output").mkdir(exist_ok=True)
figure.savefig("output/label_refinery_quality.png", dpi=120)

# %%
# The toy experiment of the paper (Fang, Yang and Ni, ICPR 2020, Figures 5 and 6): three classes in the plane, and a
# model flexible enough to learn wrong labels by heart. How many labels are right after each round, for more and less
# noise? The callback counts them.

points, truth = make_blobs(150, centers=[[0, 0], [2.6, 0], [1.3, 2.2]], cluster_std=0.75, random_state=0)
flexible = make_pipeline(Nystroem(gamma=0.6, n_components=50), LogisticRegression(C=10, max_iter=2000))
refinery = StochasticLabelRefinery(flexible, n_rounds=8, random_state=0)
RATES = (0.0, 0.1, 0.2, 0.3)
given = {rate: corrupt_labels(truth, symmetric_transition_matrix(3, rate), random_state=1) for rate in RATES}

right = {}
for rate, labels in given.items():
    counts = right[rate] = [np.mean(labels == truth)]

    def count(state, counts=counts):
        """Share of the labels that are right after a round."""
        counts.append(np.mean(state.soft_labels.argmax(axis=1) == truth))

    clone(refinery).set_params(callback=count).fit(points, labels)
    print(f"{rate:.0%} noise, % of labels right by round:", *(f"{100 * share:.0f}" for share in counts))

# %%
# On the left those counts. On the right the labels of the noisiest case before and after: each point has the color of
# its label, mixed where the label is, and a ring where its most probable class is wrong.

figure = plt.figure(figsize=(12, 4.4), layout="constrained")
left, maps = figure.subfigures(1, 2, width_ratios=(1, 1.6))
ax = left.subplots()
for rate, shade in zip(RATES, ("0.6", *plt.colormaps["Reds"]([0.45, 0.7, 0.95])), strict=True):
    ax.plot(100 * np.array(right[rate]), marker="o", ms=4, color=shade, label=f"{rate:.0%}")
ax.set(xlabel="round", ylabel="labels that are right, %", xticks=range(0, 9, 2))
ax.set_title("noisy labels gain, clean ones lose")
ax.legend(title="noise", frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
ax.spines[["top", "right"]].set_visible(False)
display = RefineryDisplay.from_estimator(refinery, points, given[0.3], rounds=(0, 8), y_clean=truth)
display.plot(axes=maps.subplots(1, 2))
figure.savefig("output/label_refinery_rounds.png", dpi=120)
print(f"\nPictures: {Path('output').resolve()}/label_refinery_*.png")

# %%
# The refinery changes labels that the rest of the data contradicts. Where labels are wrong most of its changes are
# right, whatever classifier is put into it, and the final classifier mostly gains too, but not always.
#
# Where no label is wrong it can only do harm, and does: the gray line falls, because at the borders between the classes
# the models err and the labels did not. For the same reason the other lines fall again in later rounds. So first ask
# how much noise there is (``audit.estimate_noise_rate``), and leave clean labels alone; or have ``relabel="suspects"``
# refine as many labels as are estimated to be wrong, and no others.
