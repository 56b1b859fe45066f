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
        bins=20, range=(0, 1), stacked=True, color=["C0", "C3"], label=["right", "wrong"],
    )  # fmt: skip
    ax.set(title=name, xlabel="label quality")
axes[0].set(ylabel="labels")
axes[0].legend(title="given label is", frameon=False)
Path("output").mkdir(exist_ok=True)
figure.savefig("output/label_refinery_quality.png", dpi=120)

# %%
# The toy experiment of the paper (Fang, Yang and Ni, ICPR 2020, Figures 5 and 6): three classes in the plane. A model
# flexible enough to learn wrong labels by heart bends its borders around them; refined labels straighten them out,
# round by round. Each point has the colour of its label, mixed where the label is.

points, truth = make_blobs(150, centers=[[0, 0], [2.6, 0], [1.3, 2.2]], cluster_std=0.75, random_state=0)
flexible = make_pipeline(Nystroem(gamma=0.6, n_components=50), LogisticRegression(C=10, max_iter=2000))
grid = np.stack(np.meshgrid(np.linspace(-2.5, 5, 120), np.linspace(-2.5, 5, 120)), axis=-1)
COLORS = np.array([[0.12, 0.47, 0.71], [1.0, 0.5, 0.05], [0.17, 0.63, 0.17]])


def draw(ax, model, shown, title):
    """Decision areas behind points, each point in the colour mixed from its label."""
    areas = model.predict(grid.reshape(-1, 2)).reshape(grid.shape[:2])
    ax.imshow(COLORS[areas], origin="lower", extent=(-2.5, 5, -2.5, 5), alpha=0.3, aspect="auto")
    ax.scatter(*points.T, c=(shown @ COLORS).clip(0, 1), s=14, edgecolors="0.2", linewidths=0.4)
    ax.set(title=title, xticks=[], yticks=[])


figure, axes = plt.subplots(3, 4, figsize=(11, 8.4), layout="constrained")
for column, rate in enumerate((0.0, 0.1, 0.2, 0.3)):
    labels = corrupt_labels(truth, symmetric_transition_matrix(3, rate), random_state=1)
    plain = clone(flexible).set_params(nystroem__random_state=0).fit(points, labels)
    draw(axes[0, column], plain, np.eye(3)[labels], f"{100 * rate:.0f} % noise: as given")
    refinery = StochasticLabelRefinery(flexible, n_rounds=8, random_state=0).fit(points, labels)
    right = np.mean(refinery.transduction_ == truth)
    draw(axes[1, column], refinery, refinery.soft_labels_, f"8 rounds: {100 * right:.0f} % of labels right")
for ax, n_rounds in zip(axes[2], (1, 2, 4, 6), strict=True):
    model = clone(refinery).set_params(n_rounds=n_rounds).fit(points, labels)
    right = np.mean(model.transduction_ == truth)
    draw(ax, model, model.soft_labels_, f"30 % noise, round {n_rounds}: {100 * right:.0f} % right")
figure.savefig("output/label_refinery_rounds.png", dpi=120)
print(f"\nPictures: {Path('output').resolve()}/label_refinery_*.png")

# %%
# The refinery changes labels that the rest of the data contradicts. Where labels are wrong most of its changes are
# right, whatever classifier is put into it, and the final classifier mostly gains too, but not always. Where no label
# is wrong it has nothing to give, and changes some of them all the same.
