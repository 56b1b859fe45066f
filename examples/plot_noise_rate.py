"""
How much noise is there?
========================

Before anything is done about wrong labels somebody will ask how many there are, and which classes are mistaken for
which. Out-of-fold predictions of an ordinary classifier answer that, if it is a good one: what it gets wrong itself
must not be counted as noise.
"""

# %%
# Digits that look alike are confused at a known rate, and five folds of a logistic regression predict what they did not
# see. The simplest count, disagreement with the given labels, takes every error of the model for noise. The confident
# joint counts only confident disagreement. Anchor sets look at the half of the rows that the model is surest of, and
# count which labels they were given.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise.audit import estimate_noise_rate
from sklabelnoise.inspection import TransitionMatrixDisplay
from sklabelnoise.noise import MNIST_FLIPS, asymmetric_transition_matrix, corrupt_labels, realized_noise_rate

X, y_clean = load_digits(return_X_y=True)
model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05))
folds = StratifiedKFold(5, shuffle=True, random_state=0)
METHODS = {"predictions": "disagreement", "confident_joint": "confident joint", "anchor_sets": "anchor sets"}


def corrupt(rate, seed=0):
    """Digits with the flips of MNIST: half of the classes are affected, so the noise rate is about half of `rate`."""
    y = corrupt_labels(y_clean, asymmetric_transition_matrix(10, rate, MNIST_FLIPS), random_state=seed)
    return y, cross_val_predict(model, X, y, cv=folds, method="predict_proba")


true, estimated = [], {method: [] for method in METHODS}
for rate in (0, 0.1, 0.2, 0.3, 0.4):
    y, proba = corrupt(rate)
    true.append(realized_noise_rate(y_clean, y))
    for method in METHODS:
        estimated[method].append(estimate_noise_rate(y, proba, method=method))
for method, values in estimated.items():
    errors = 100 * (np.array(values) - true)
    print(f"{METHODS[method]:16} error in points:", "  ".join(f"{error:+.1f}" for error in errors))

# %%
# How much? The dotted line is an exact estimate. Which classes? At a rate of 30 %: 7 becomes 1, 2 becomes 7, 3 becomes
# 8, 5 and 6 become each other.

figure, (curve, realized, estimate) = plt.subplots(1, 3, figsize=(16, 5), layout="constrained")
for method, values in estimated.items():
    curve.plot(true, values, marker="o", label=METHODS[method])
curve.axline((0, 0), slope=1, color="gray", ls=":")
curve.set(xlabel="true noise rate", ylabel="estimated noise rate")
curve.set_title("on the dotted line an estimate is exact")
curve.spines[["top", "right"]].set_visible(False)
curve.legend(frameon=False)
y, proba = corrupt(0.3)
TransitionMatrixDisplay.from_labels(y_clean, y).plot(ax=realized, colorbar=False)
realized.set_title("what was done")
TransitionMatrixDisplay.from_predictions(y, proba).plot(ax=estimate, colorbar=False)
estimate.set_title("what the predictions reveal (anchor sets)")

output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "noise_rate.png", dpi=120)

# %%
# Count labels only where the model is sure, and its own mistakes no longer look like noise.
