"""
What do lambda and beta do?
===========================

Derivative manipulation (DM) replaces the loss by a rule: an example whose given label has probability p counts with the
weight w(p) = exp(beta p^lambda (1 - p)). So lambda chooses *which* examples count most, and beta *how much more* than
the rest. What is a good choice when 40 % of the labels are wrong?
"""

# %%
# The shapes. The weight is greatest at p = lambda / (lambda + 1): with lambda = 0 the hardest examples lead, as in
# cross entropy; with a larger lambda those the network half believes. Divided by their integrals the weights are
# densities, and can be compared with those of any loss.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier
from sklabelnoise.datasets import load_digits_noisy
from sklabelnoise.inspection import EmphasisDisplay
from sklabelnoise.losses import DMEmphasis

figure, axes = plt.subplots(2, 2, figsize=(11, 8), layout="constrained")
for lam in (0, 0.5, 1, 2):
    EmphasisDisplay.from_emphasis(DMEmphasis(lam, 8), name=f"λ = {lam}").plot(ax=axes[0, 0])
EmphasisDisplay.from_emphasis("cross_entropy", name="cross entropy").plot(ax=axes[0, 0], ls="--", color="black")
axes[0, 0].set_title("λ moves the mode (β = 8)")
for beta in (0, 4, 8, 16, 24):
    EmphasisDisplay.from_emphasis(DMEmphasis(1, beta), name=f"β = {beta}").plot(ax=axes[0, 1])
axes[0, 1].set_title("β sharpens it (λ = 1)")

# %%
# The data beneath the curve. After training with (2, 24) most wrong labels have a probability near zero, where the
# weight is small, and stay there: little pulls the network towards them.

digits = load_digits_noisy(0.4, random_state=0)
scaler = StandardScaler().fit(digits.X_train)
X_train, X_test = scaler.transform(digits.X_train), scaler.transform(digits.X_test)
wrong = digits.y_train != digits.y_train_clean

LONG = {"optimizer": "Adam", "lr": 2e-3, "batch_size": 128, "max_epochs": 50, "random_state": 0}
model = DMClassifier(lam=2, beta=24, **LONG).fit(X_train, digits.y_train)
EmphasisDisplay.from_estimator(model).plot(ax=axes[1, 0])
axes[1, 0].get_legend().remove()
histogram = axes[1, 0].twinx()
bins = np.linspace(0, 1, 31)
histogram.hist(model.label_quality_[~wrong], bins, alpha=0.35, color="#0072B2", label="right labels")
histogram.hist(model.label_quality_[wrong], bins, alpha=0.45, color="#D55E00", label="wrong labels")
histogram.set_ylabel("training examples")
histogram.legend(frameon=False, loc="upper center")
axes[1, 0].set_title("λ = 2, β = 24 after training: wrong labels hardly count")

# %%
# And the price of a wrong choice. All networks have the same budget; only lambda and beta differ.

LAMS, BETAS = (0, 0.5, 1, 2), (0, 8, 24)
accuracy = np.full((len(LAMS), len(BETAS)), np.nan)
for i, lam in enumerate(LAMS):
    for j, beta in enumerate(BETAS):
        if beta == 0 and i > 0:
            accuracy[i, j] = accuracy[0, j]  # every example counts the same, whatever lambda is
        elif lam > 0 or beta <= 8:  # with lambda = 0 the weight of the hardest is exp(beta): 24 trains on nothing else
            fitted = DMClassifier(lam=lam, beta=beta, **LONG).fit(X_train, digits.y_train)
            accuracy[i, j] = fitted.score(X_test, digits.y_test)
            print(f"lambda {lam:<4} beta {beta:<3} test accuracy {accuracy[i, j]:.3f}")

image = axes[1, 1].imshow(100 * accuracy, cmap="viridis", aspect="auto")
for (i, j), value in np.ndenumerate(accuracy):
    if np.isfinite(value):
        dark = value < np.nanmin(accuracy) + 0.6 * np.ptp(accuracy[np.isfinite(accuracy)])
        axes[1, 1].text(j, i, f"{100 * value:.1f}", ha="center", va="center", color="white" if dark else "black")
axes[1, 1].set(xticks=range(len(BETAS)), yticks=range(len(LAMS)), xlabel="β", ylabel="λ")
axes[1, 1].set_xticklabels(BETAS)
axes[1, 1].set_yticklabels(LAMS)
axes[1, 1].set_title("test accuracy, %, digits with 40 % wrong labels")

output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "emphasis_density.png", dpi=120)

# %%
# λ says whom to listen to and β how closely: with λ = 0 the hardest examples lead, and they are the wrong labels.
