"""
What do wrong labels do to a network, and what stops it?
========================================================

Forty percent of the training labels of scikit-learn's digits are replaced by another digit. A network trained with
cross entropy first learns the digits and then, epoch by epoch, the wrong labels by heart. How much accuracy does that
cost, and how much of it do derivative manipulation (DM) and ProSelfLC save, when nobody tells them which labels are
wrong?

Five networks of one architecture see the same 1,347 images. The first is the ceiling: it alone gets the true labels.
"""

# %%
# Two budgets. With the long one cross entropy fits more than 90 % of the labels it is given, wrong ones included. The
# other is the default of the estimators: chosen by cross entropy's out-of-fold accuracy on noisy labels, it ends before
# cross entropy has learned much by heart. No true label had a part in either.

from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.datasets import load_digits_noisy
from sklabelnoise.inspection import METHOD_COLORS

LONG = {
    "module__hidden": (128,), "optimizer": "Adam", "lr": 2e-3, "lr_schedule": "constant", "weight_decay": 0.0,
    "batch_size": 128, "max_epochs": 100,
}  # fmt: skip
BUDGETS = {"long: 100 epochs": LONG, "default of the estimators": {}}
SEEDS = range(5)

CLEAN = "cross entropy, clean labels"
METHODS = {
    CLEAN: (RobustLossClassifier, {"loss": "cross_entropy"}),
    "cross entropy": (RobustLossClassifier, {"loss": "cross_entropy"}),
    "cross entropy, stopped early": (RobustLossClassifier, {"loss": "cross_entropy", "early_stopping": True}),
    "DM": (DMClassifier, {"lam": 2, "beta": 24}),
    "ProSelfLC": (ProSelfLCClassifier, {}),
}


# %%
# Any skorch callback can be handed to an estimator. This one looks at the test images after each epoch, to draw the
# curves below; it changes nothing in the training. "Stopped early" watches the accuracy on a tenth of the training
# rows, whose labels are as noisy as the others, and returns to its best epoch.


class TestAccuracy(Callback):
    """Record the accuracy on rows that training never sees, after each epoch."""

    def __init__(self, X, y):
        self.X = X
        self.y = y

    def on_epoch_end(self, net, **kwargs):
        net.history.record("test_accuracy", float(np.mean(net.predict(self.X) == self.y)))


def run(method, budget, seed):
    """Train one network; its accuracies, and its history by epoch."""
    torch.set_num_threads(1)
    digits = load_digits_noisy(0.4, random_state=seed)
    scaler = StandardScaler().fit(digits.X_train)
    X_train, X_test = (scaler.transform(X).astype(np.float32) for X in (digits.X_train, digits.X_test))
    estimator, parameters = METHODS[method]
    model = estimator(
        **parameters, **BUDGETS[budget], callbacks=[TestAccuracy(X_test, digits.y_test)], random_state=seed
    )
    model.fit(X_train, digits.y_train_clean if method == CLEAN else digits.y_train)
    return {
        "budget": budget,
        "method": method,
        "seed": seed,
        "test accuracy": model.score(X_test, digits.y_test),
        "given labels fitted": model.score(X_train, digits.y_train),
        "history": model.history_,
    }


runs = joblib.Parallel(n_jobs=2)(
    joblib.delayed(run)(method, budget, seed) for budget in BUDGETS for method in METHODS for seed in SEEDS
)

# %%
# In numbers, as mean ± standard deviation over the five seeds, each with its own split, noise and initial weights:

table = pd.DataFrame(runs)
measured = ["test accuracy", "given labels fitted"]
for budget, rows in table.groupby("budget", sort=False):
    cells = rows.groupby("method", sort=False)[measured].agg(lambda x: f"{100 * x.mean():.1f} ± {100 * x.std():.1f}")
    print(f"\nBudget: {budget}. Accuracy in %, {len(SEEDS)} seeds.\n{cells.rename_axis(None)}")

# %%
# And as a picture of the long budget; dots are runs that stopped early, where they stopped, and bands one standard
# deviation. On the left, cross entropy is at its best after a few epochs and then forgets
# what it knew; on the right it is seen to learn wrong labels instead, for only some 60 % of the labels are right.

figure, axes = plt.subplots(1, 2, figsize=(11, 4.6), sharex=True, sharey=True, layout="constrained")
epochs = np.arange(1, LONG["max_epochs"] + 1)
drawn = table[table["budget"] == next(iter(BUDGETS))]
for method, group in drawn.groupby("method", sort=False):
    color, histories = METHOD_COLORS[method], list(group["history"])
    if method == "cross entropy, stopped early":
        stops = [int(history["valid_accuracy"].argmax()) for history in histories]
        for ax, column in zip(axes, ("test accuracy", "given labels fitted"), strict=True):
            ax.scatter([stop + 1 for stop in stops], group[column], color=color, zorder=3, s=22, label=method)
        continue
    for ax, column in zip(axes, ("test_accuracy", "train_accuracy"), strict=True):
        if method == CLEAN and column == "train_accuracy":
            continue  # its training labels are other labels
        curves = np.array([history[column] for history in histories])
        mean, sd = curves.mean(axis=0), curves.std(axis=0, ddof=1)
        ax.plot(epochs, mean, color=color, label=method)
        ax.fill_between(epochs, mean - sd, mean + sd, color=color, alpha=0.2, linewidth=0)
axes[1].axhline(0.6, color="0.3", linewidth=0.8, linestyle="--")
axes[1].annotate(
    "share of the given labels that are right", (epochs[-1], 0.6), (0, -18), textcoords="offset points", ha="right"
)
axes[0].set(title="Accuracy on clean test labels", xlabel="epoch", ylabel="accuracy", ylim=(0.2, 1))
axes[1].set(title="Share of the given training labels that are fitted", xlabel="epoch")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(METHODS), frameon=False)

picture = Path("output", "quickstart.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"\nPicture: {picture.resolve()}")

# %%
# Given time, cross entropy learns wrong labels by heart and loses what it knew; DM and ProSelfLC do so far less, though
# nobody told them which labels are wrong. Stopping early on noisy labels is a strong rival: never compare without it.
