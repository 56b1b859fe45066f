"""
Can the probabilities be trusted after training on wrong labels?
================================================================

A classifier that is right 90 % of the time should say so. One that was trained on labels of which 40 % are wrong has
learned that even the clearest digit is given its label in 60 % of the cases only, or has learned the noise by heart.
Does robust training help, and what does calibration do when the labels it sees are wrong too?
"""

# %%
# Three networks and, on held-out rows, one number each: the temperature that their logits are divided by.
# ``FrozenEstimator`` keeps the network as it is, and ``method="temperature"`` needs scikit-learn 1.8. The held-out
# labels are once the true ones and once as noisy as the others; the test labels are true.

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.datasets import load_digits_noisy
from sklabelnoise.inspection import METHOD_COLORS
from sklabelnoise.metrics import expected_calibration_error

digits = load_digits_noisy(0.4, test_size=0.35, random_state=0)
scaler = StandardScaler().fit(digits.X_train)
X, X_test = scaler.transform(digits.X_train), scaler.transform(digits.X_test)
X_train, X_held, y_train, y_given, _, y_true = train_test_split(
    X, digits.y_train, digits.y_train_clean, test_size=0.25, random_state=0
)  # the true training labels are not used

MODELS = {
    "cross entropy": RobustLossClassifier(loss="cross_entropy", random_state=0),
    "DM": DMClassifier(lam=2, beta=24, random_state=0),
    "ProSelfLC": ProSelfLCClassifier(random_state=0),
}
HELD_OUT = {"uncalibrated": None, "true labels": y_true, "noisy labels": y_given}
STYLES = {"uncalibrated": ":", "true labels": "-", "noisy labels": "--"}

figure, axes = plt.subplots(1, 3, figsize=(13, 5.6), layout="constrained", sharey=True)
for ax, (name, model) in zip(axes, MODELS.items(), strict=True):
    model.fit(X_train, y_train)
    for held_out, labels in HELD_OUT.items():
        if labels is None:
            calibrated = model
        else:
            calibrated = CalibratedClassifierCV(FrozenEstimator(model), method="temperature").fit(X_held, labels)
        proba = calibrated.predict_proba(X_test)
        error = expected_calibration_error(digits.y_test, proba)
        right = proba.argmax(axis=1) == digits.y_test
        print(f"{name:14} {held_out:13} accuracy {right.mean():.3f}  calibration error {error:.3f}")
        # Bins of equally many rows: hardly any row has a small confidence.
        observed, said = calibration_curve(right, proba.max(axis=1), n_bins=8, strategy="quantile")
        style = {"color": METHOD_COLORS[name], "ls": STYLES[held_out], "marker": "o", "ms": 4}
        ax.plot(said, observed, label=f"{held_out}: {error:.3f}", **style)
    ax.axline((0, 0), slope=1, color="0.75", lw=3, zorder=0)
    ax.set(title=name, xlabel="probability of the predicted class", xlim=(0, 1.02), ylim=(0, 1.02))
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(title="calibrated on: error", frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13))
axes[0].set_ylabel("share that is right")

output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "calibration.png", dpi=120)

# %%
# On the gray line a classifier is as often right as it says; above it, it is too modest. Calibrated on wrong labels
# (dashed) even a good network learns to say 60 % at most: so often does the *given* label agree. Calibrate on labels
# that somebody has checked, or not at all.
