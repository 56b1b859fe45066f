"""
Does a residual network learn people's mistakes by heart?
=========================================================

CIFAR-10N is CIFAR-10 as workers of a crowdsourcing service labeled it; in its "worse" set 40 % of the labels are
wrong. Nobody drew these mistakes at random: cats are called dogs, and trucks cars. What does a residual network make of
them when it is trained with cross entropy, with derivative manipulation (DM), with ProSelfLC?

By default this takes a few hundred images at half their size and a small network, about a minute on two cores. That
answers the question, what becomes of the wrong labels, and no other: nobody learns CIFAR-10 from so few images, so the
accuracies at this size speak neither for nor against a method. With ``--full`` it trains ResNet-44 on all 50,000
images with nothing but the defaults of the module, the 30,000 iterations of the papers; that wants a GPU.
"""

# %%
# The images are found in the folder named by ``SKLABELNOISE_DATA``, or downloaded once. The human labels are licensed
# CC BY-NC 4.0: for research only.

import argparse
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.datasets import fetch_cifar_n
from sklabelnoise.inspection import METHOD_COLORS
from sklabelnoise.metrics import correction_rate, memorization_rate
from sklabelnoise.modules import ResNet20, ResNet44

parser = argparse.ArgumentParser(description="Human label noise on CIFAR-10.")
parser.add_argument("--full", action="store_true", help="all images, ResNet-44, 30,000 iterations: for a GPU")
full = parser.parse_args().full

METHODS = {
    "cross entropy": (RobustLossClassifier, {"loss": "cross_entropy"}),
    "DM": (DMClassifier, {"lam": 0.5, "beta": 8}),
    "ProSelfLC": (ProSelfLCClassifier, {}),
}
if full:
    TRAINING = {"module": ResNet44}
    n_train, n_watched, n_jobs = 50_000, 10_000, 1
else:
    # Small batches and no augmentation, so that a minute suffices to learn every label by heart.
    TRAINING = {"module": ResNet20, "max_epochs": 25, "batch_size": 32, "lr": 0.05, "augment": False}
    n_train, n_watched, n_jobs = 800, 500, 2


def shrink(images):
    """Halve height and width by averaging 2 x 2 pixels."""
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // 2, 2, width // 2, 2)
    return blocks.mean(axis=(3, 5)).round().astype(np.uint8)


cifar = fetch_cifar_n("worse")
rng = np.random.default_rng(0)
train = rng.permutation(50_000)[:n_train]
X_train, y_train, y_train_clean = cifar.X_train[train], cifar.y_train[train], cifar.y_train_clean[train]
X_test, y_test = cifar.X_test, cifar.y_test
if not full:
    X_train, X_test = shrink(X_train), shrink(X_test)
intact = y_train == y_train_clean
print(f"{n_train} images, {100 * np.mean(y_train != y_train_clean):.1f} % of the labels wrong")


# %%
# Each method gets the given labels, wrong ones included, and the same training. Test images are handed over only to be
# looked at after each epoch: without ``early_stopping`` nothing depends on them.


def run(name):
    """Train one network; its accuracy, and what became of the wrong labels."""
    if n_jobs > 1:
        torch.set_num_threads(1)
    estimator, parameters = METHODS[name]
    model = estimator(**TRAINING, **parameters, random_state=0)
    model.fit(X_train, y_train, X_val=X_test[:n_watched], y_val=y_test[:n_watched])
    predicted = model.predict(X_train)
    return {
        "method": name,
        "test accuracy": model.score(X_test, y_test),
        "wrong labels memorized": memorization_rate(y_train_clean, y_train, predicted),
        "wrong labels corrected": correction_rate(y_train_clean, y_train, predicted),
        "right labels learned": np.mean(predicted[intact] == y_train[intact]),
        "history": model.history_,
    }


runs = pd.DataFrame(joblib.Parallel(n_jobs=n_jobs)(joblib.delayed(run)(name) for name in METHODS)).set_index("method")
print((100 * runs.drop(columns="history")).astype(float).round(1).to_string())

# %%
# On the left the answer: the wrong training labels at the end, predicted as they were given, as they should have been,
# or as something else. On the right the accuracy on the images watched during the training; the table has it for all
# 10,000 test images.

figure, (bars, curves) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
shares = runs[["wrong labels memorized", "wrong labels corrected"]].astype(float)
shares["neither"] = 1 - shares.sum(axis=1)
shares.plot.barh(stacked=True, ax=bars, color=["tab:red", "tab:blue", "0.85"])
bars.set(title="What becomes of the wrong labels", xlabel="share of the wrong labels", ylabel="", xlim=(0, 1))
bars.invert_yaxis()
bars.legend(
    ["memorized", "corrected", "neither"], frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3
)

for name, row in runs.iterrows():
    curves.plot(row["history"]["epoch"], row["history"]["valid_accuracy"], color=METHOD_COLORS[name], label=name)
curves.axhline(0.1, color="0.5", ls=":", label="guessing")
images = "all images" if full else f"{n_train} images, too few to compare methods"
curves.set(title=f"Accuracy on clean test labels\n({images})", xlabel="epoch", ylabel="accuracy", ylim=(0, None))
curves.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=4)

picture = Path("output", "cifar10_resnet.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"\nPicture: {picture.resolve()}")

# %%
# In the minute's run cross entropy learns nearly every mistake by heart, and so does ProSelfLC, which begins to trust
# itself in the second half of the training: too late for so few images. DM, told nothing about which labels are wrong,
# leaves many of them unlearned; how many right ones it leaves unlearned with them stands in the last column of the
# table. What that is worth in accuracy this size can't tell, and this run is no reason to choose a method: ``--full``
# is, or the rows of the benchmarks (:ref:`sphx_glr_gallery_plot_which_method.py`).
