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
from sklabelnoise.inspection import METHOD_COLORS, EmphasisDisplay
from sklabelnoise.losses import DMEmphasis

figure, axes = plt.subplots(2, 2, figsize=(11, 8.4), layout="constrained")
shades = plt.colormaps["viridis"]  # from dark to light as the parameter grows
for lam, place in zip((0, 0.5, 1, 2), (0, 0.3, 0.6, 0.9), strict=True):
    display = EmphasisDisplay.from_emphasis(DMEmphasis(lam, 8), name=f"λ = {lam}")
    display.plot(ax=axes[0, 0], color=shades(place))
cross_entropy = EmphasisDisplay.from_emphasis("cross_entropy", name="cross entropy")
cross_entropy.plot(ax=axes[0, 0], ls="--", color=METHOD_COLORS["cross entropy"])
axes[0, 0].set_title("λ says which examples count most (β = 8)")
for beta, place in zip((0, 4, 8, 16, 24), (0, 0.25, 0.5, 0.7, 0.9), strict=True):
    display = EmphasisDisplay.from_emphasis(DMEmphasis(1, beta), name=f"β = {beta}")
    display.plot(ax=axes[0, 1], color=shades(place))
axes[0, 1].set_title("β says how much more than the rest (λ = 1)")
# sphinx_gallery_defer_figures

# %%
# The data beneath the curve. After training with (2, 24) most wrong labels have a probability near zero, where the
# weight is small, and stay there: little pulls the network towards them.

digits = load_digits_noisy(0.4, random_state=0)
scaler = StandardScaler().fit(digits.X_train)
X_train, X_test = scaler.transform(digits.X_train), scaler.transform(digits.X_test)
wrong = digits.y_train != digits.y_train_clean

LONG = {"optimizer": "Adam", "lr": 2e-3, "batch_size": 128, "max_epochs": 50, "random_state": 0}
model = DMClassifier(lam=2, beta=24, **LONG).fit(X_train, digits.y_train)
EmphasisDisplay.from_estimator(model, name="weight w(p)").plot(ax=axes[1, 0], color="black")
axes[1, 0].get_legend().remove()
histogram = axes[1, 0].twinx()
bins = np.linspace(0, 1, 31)
histogram.hist(model.label_quality_[~wrong], bins, alpha=0.45, color="tab:blue", label="right labels")
histogram.hist(model.label_quality_[wrong], bins, alpha=0.6, color="tab:red", label="wrong labels")
histogram.set_ylabel("training examples")
histogram.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2)
axes[1, 0].set_title("after training with (2, 24): wrong labels have small w")
# sphinx_gallery_defer_figures

# %%
# And the price of a wrong choice. All networks have the same budget; only lambda and beta differ.

LAMS, BETAS = (0, 0.5, 1, 2), (0, 8, 24)
accuracy = np.zeros((len(LAMS), len(BETAS)))
for i, lam in enumerate(LAMS):
    for j, beta in enumerate(BETAS):
        if beta == 0 and i > 0:
            accuracy[i, j] = accuracy[0, j]  # every example counts the same, whatever lambda is
        else:
            fitted = DMClassifier(lam=lam, beta=beta, **LONG).fit(X_train, digits.y_train)
            accuracy[i, j] = fitted.score(X_test, digits.y_test)
            print(f"lambda {lam:<4} beta {beta:<3} test accuracy {accuracy[i, j]:.3f}")

image = axes[1, 1].imshow(100 * accuracy, cmap="viridis", aspect="auto")
for (i, j), value in np.ndenumerate(accuracy):
    dark = image.norm(100 * value) < 0.6
    axes[1, 1].text(j, i, f"{100 * value:.1f}", ha="center", va="center", color="white" if dark else "black")
axes[1, 1].set(xticks=range(len(BETAS)), yticks=range(len(LAMS)), xlabel="β", ylabel="λ")
axes[1, 1].set_xticklabels(BETAS)
axes[1, 1].set_yticklabels(LAMS)
axes[1, 1].set_title("test accuracy, %: λ = 0 follows the wrong labels")

output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "emphasis_density.png", dpi=120)

# %%
# λ says whom to listen to and β how closely. With λ = 0 the hardest examples lead, and they are the wrong labels: with
# λ = 0 and β = 24 little else counts. An emphasis in between can be worse than none (β = 0, all examples alike), so
# choose both by cross-validation, as ``DMClassifierCV`` does.
