"""
Should a network look at its hardest examples?
==============================================

Two rivals of derivative manipulation answer in opposite ways. Online hard example mining (OHEM) learns from the half of
each batch that is predicted worst. Generalized cross entropy (GCE) turns away from what it cannot believe. On clean
labels the first is a good idea: what is hard is what is left to learn. Here 40 % of the labels are wrong.
"""

# %%
# :class:`~sklabelnoise.training.LearningDynamics` records what each example's derivative weighs as training goes on;
# ``emphasis_wrong`` is the share that wrong labels have in it: how much of what the network is taught is wrong.

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import PercentFormatter
from sklearn.preprocessing import StandardScaler

from sklabelnoise import RobustLossClassifier
from sklabelnoise.datasets import load_digits_noisy
from sklabelnoise.inspection import METHOD_COLORS
from sklabelnoise.training import LearningDynamics

digits = load_digits_noisy(0.4, random_state=0)
scaler = StandardScaler().fit(digits.X_train)
X_train, X_test = scaler.transform(digits.X_train), scaler.transform(digits.X_test)

LOSSES = {"OHEM": "ohem", "cross entropy": "cross_entropy", "GCE": "gce"}
histories = {}
for name, loss in LOSSES.items():
    dynamics = LearningDynamics(digits.y_train_clean, X_test=X_test, y_test=digits.y_test)
    model = RobustLossClassifier(
        loss=loss,
        module__hidden=(128,),
        optimizer="Adam",
        lr=2e-3,
        weight_decay=0.0,
        batch_size=128,
        max_epochs=60,
        callbacks=[dynamics],
        random_state=0,
    )
    histories[name] = model.fit(X_train, digits.y_train).history_
    last = histories[name].iloc[-1]
    print(f"{name:14} taught by wrong labels {last['emphasis_wrong']:.0%}, test accuracy {last['test_accuracy']:.0%}")

# %%
# The dashed line is the share of wrong labels among all: what a method that looks at every example alike is taught.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharex=True)
panels = {"emphasis_wrong": "what is taught by wrong labels", "test_accuracy": "test accuracy"}
for ax, (column, title) in zip(axes, panels.items(), strict=True):
    for name, history in histories.items():
        ax.plot(history.index + 1, history[column], color=METHOD_COLORS[name], linewidth=2, label=name)
    ax.set(title=title, xlabel="epoch", ylim=(0, 1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.margins(x=0)
    ax.spines[["top", "right"]].set_visible(False)
wrong = (digits.y_train != digits.y_train_clean).mean()
axes[0].axhline(wrong, color="black", linestyle="--", linewidth=0.8)
axes[0].text(59, wrong - 0.015, "share of the labels that are wrong", ha="right", va="top")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)

output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "hard_examples.png", dpi=120)

# %%
# Where labels are wrong, the hardest examples are the wrong ones: what mines them learns the mistakes first.
