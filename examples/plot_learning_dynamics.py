"""
What did the network memorize?
==============================

Test accuracy says that wrong labels did harm, not how. :class:`~sklabelnoise.training.LearningDynamics` watches a
training from inside: how much the network believes right and wrong labels, which wrong ones it has learned by heart,
and which it predicts as they should have been. Three methods get the same digits, 40 % of them with a wrong label, and
a budget that is long enough to memorize them.
"""

# %%
# The callback takes the true labels, which only a simulation knows, and test rows. It reads the predictions that
# training makes anyway, so it costs next to nothing.

from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.preprocessing import StandardScaler

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.datasets import load_digits_noisy
from sklabelnoise.inspection import LearningDynamicsDisplay
from sklabelnoise.training import LearningDynamics

digits = load_digits_noisy(0.4, random_state=0)
scaler = StandardScaler().fit(digits.X_train)
X_train, X_test = scaler.transform(digits.X_train), scaler.transform(digits.X_test)

LONG = {"module__hidden": (128,), "optimizer": "Adam", "lr": 2e-3, "weight_decay": 0.0, "batch_size": 128}
METHODS = {
    "cross entropy": RobustLossClassifier(loss="cross_entropy"),
    "DM": DMClassifier(lam=2, beta=24),
    "ProSelfLC": ProSelfLCClassifier(),
}
for model in METHODS.values():
    dynamics = LearningDynamics(digits.y_train_clean, X_test=X_test, y_test=digits.y_test)
    model.set_params(**LONG, max_epochs=100, callbacks=[dynamics], random_state=0).fit(X_train, digits.y_train)

# %%
# What each ends with. A wrong label is either learned by heart (memorized), overruled by the right class (corrected),
# or neither.

columns = ["test_accuracy", "corrupted_accuracy", "intact_accuracy", "memorization_rate", "correction_rate"]
for name, model in METHODS.items():
    last = model.history_.iloc[-1]
    print(f"{name:14}", "  ".join(f"{column} {last[column]:.2f}" for column in columns))

# %%
# The same over time. Cross entropy believes right labels first and wrong ones later; its accuracy on the given labels
# goes on rising while the accuracy on true labels, training or test, falls.

figure, axes = plt.subplots(2, 2, figsize=(12, 9), layout="constrained")
LearningDynamicsDisplay.from_estimators(METHODS).plot("label_proba", ax=axes[0, 0])
axes[0, 0].set_title("right labels are believed early, wrong ones late")
LearningDynamicsDisplay.from_estimators(METHODS).plot("wrong_labels", ax=axes[0, 1])
axes[0, 1].set_title("what becomes of the wrong labels")
TITLES = {"cross entropy": "cross entropy: fits the labels, forgets the truth", "DM": "DM: keeps the truth"}
for ax, (name, title) in zip(axes[1], TITLES.items(), strict=True):
    LearningDynamicsDisplay.from_estimator(METHODS[name], name=name).plot("accuracy", ax=ax)
    ax.set_title(title)

output = Path("output")
output.mkdir(exist_ok=True)
figure.savefig(output / "learning_dynamics.png", dpi=120)

# %%
# Each method has one color in all four pictures, and each kind of line one style in its picture. In the second, solid
# lines are the wrong labels that the network overrules: they start high for all three. The lower pictures tell the same
# by accuracy: what cross entropy gains on the given labels it loses on the true ones.
#
# Right labels are learned before wrong ones; a robust method is one that stops believing in between.
