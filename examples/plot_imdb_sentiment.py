"""
From raw reviews to a classifier that bears wrong labels
========================================================

Film reviews arrive as text, and some of their labels, positive or negative, are wrong. Can one Pipeline take the text
as it is, choose its own parameters from the labels as they are, and classify new reviews nearly as well as with clean
labels?

The texts are a part of the IMDB reviews. They come from the shared folder of data sets, which the environment variable
``SKLABELNOISE_DATA`` names, or ``shared/data`` beside the checkout; without it this example says so and stops.

    python examples/plot_imdb_sentiment.py
    python examples/plot_imdb_sentiment.py --n-texts 25000 --seeds 5     # all of them: an hour
    python examples/plot_imdb_sentiment.py --banking                     # a harder task: 77 intents of bank customers
"""

import argparse
import itertools
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklabelnoise
from sklabelnoise import DMClassifierCV, RobustLossClassifier
from sklabelnoise.datasets import fetch_imdb
from sklabelnoise.inspection import METHOD_COLORS
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
from sklabelnoise.text import PVDBOWVectorizer

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--n-texts", type=int, help="for training, and as many for testing; 800, of the intents all")
parser.add_argument("--seeds", type=int, default=2, help="draws of the wrong labels")
parser.add_argument("--banking", action="store_true", help="the intents of BANKING77 in place of the reviews")
options = parser.parse_args()

torch.set_num_threads(1)
beside = Path(sklabelnoise.__file__).parents[2] / "shared" / "data"
folder = Path(os.environ.setdefault("SKLABELNOISE_DATA", str(beside)))
needed = "banking77.parquet" if options.banking else "imdb.parquet"
if not (folder / needed).exists():
    raise SystemExit(f"This example needs {needed}: set SKLABELNOISE_DATA to the folder that holds it (not {folder}).")

# %%
# Both files are sorted by label: draw a part at random. The reviews keep their HTML line breaks.

if options.banking:
    table = pd.read_parquet(folder / needed)
    texts, labels = table["text"].to_numpy(object), table["category"].to_numpy(object)
    parts = [(texts[rows], labels[rows]) for rows in (table["split"] == "train", table["split"] == "test")]
else:
    imdb = fetch_imdb()
    parts = [(imdb.X_train, imdb.y_train), (imdb.X_test, imdb.y_test)]
rng, n_texts = np.random.default_rng(0), options.n_texts or (None if options.banking else 800)
(X_train, y_train), (X_test, y_test) = (
    (X[rows], y[rows]) for X, y in parts for rows in [rng.permutation(len(y))[:n_texts]]
)
classes = np.unique(y_train)

# %%
# The Pipeline, fitted where 40 % of the labels are wrong. Paragraph vectors are learned without labels, so noise can't
# reach them, and the texts to be predicted help as further texts. `DMClassifierCV` chooses lam and beta by accuracy on
# left-out rows, judged by the given labels, and averages three networks; (0, 0) weighs all examples alike.

network = {"module__hidden": (16,), "lr": 3e-3, "max_epochs": 40, "device": "cpu"}
METHODS = {
    "cross entropy": RobustLossClassifier(loss="cross_entropy", random_state=0, **network),
    "cross entropy, stopped early": RobustLossClassifier(
        loss="cross_entropy", early_stopping=True, random_state=0, **network
    ),
    "DM, chosen on the given labels": DMClassifierCV(
        candidates=((0, 0), (0.5, 8), (1, 16), (2, 24)), cv=3, n_members=3, random_state=0, **network
    ),
}


def corrupt(rate, seed):
    return corrupt_labels(y_train, symmetric_transition_matrix(len(classes), rate), random_state=seed)


model = make_pipeline(
    PVDBOWVectorizer(epochs=20, unlabeled=X_test, random_state=0),
    StandardScaler(),
    METHODS["DM, chosen on the given labels"],
).fit(X_train, corrupt(0.4, seed=0))
print(
    f"{len(X_train):,} texts, 40 % of the labels wrong: {model.score(X_test, y_test):.1%} of the new texts are right."
)

# %%
# The same for other amounts of noise and against cross entropy. The first two steps saw no label, so they stay; texts
# they were fitted to keep the vectors that were trained for them.

Z_train, Z_test = model[:-1].transform(X_train), model[:-1].transform(X_test)
rows = []
for rate, seed in itertools.product((0.0, 0.2, 0.4), range(options.seeds)):
    y_given = corrupt(rate, seed)
    for method, estimator in METHODS.items():
        classifier = clone(estimator).fit(Z_train, y_given)
        rows.append({"method": method, "rate": rate, "accuracy": classifier.score(Z_test, y_test)})
        if hasattr(classifier, "lam_"):
            rows[-1]["chosen"] = f"({classifier.lam_:g}, {classifier.beta_:g})"
table = pd.DataFrame(rows)

# %%
# In numbers:

cells = table.groupby(["method", "rate"], sort=False)["accuracy"].mean().unstack()
print(f"{len(X_train):,} training and {len(X_test):,} test texts, {options.seeds} draws of the noise; accuracy in %:")
print((100 * cells).round(1).rename_axis(index=None, columns="wrong labels"))
print("\nlam and beta chosen:", ", ".join(f"{r.rate:.0%}: {r.chosen}" for r in table.dropna().itertuples()))

# %%
# And as a picture: lines join the means, small dots are single draws of the noise.

figure, ax = plt.subplots(figsize=(7, 4.8), layout="constrained")
for method, group in table.groupby("method", sort=False):
    color = METHOD_COLORS["DM" if method.startswith("DM") else method]
    ax.plot(cells.columns, cells.loc[method], color=color, marker="o", label=method)
    ax.scatter(group["rate"], group["accuracy"], color=color, s=12, alpha=0.5)
ax.set(xlabel="share of wrong training labels", ylabel="accuracy on clean test labels", xticks=cells.columns)
ax.set_title("BANKING77, 77 intents" if options.banking else "IMDB reviews, from raw text")
ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=len(METHODS), fontsize="small")

picture = Path("output", "banking77.png" if options.banking else "imdb_sentiment.png")
picture.parent.mkdir(exist_ok=True)
figure.savefig(picture, dpi=120)
print(f"\nPicture: {picture.resolve()}")

# %%
# The text needs no label, and the choice of parameters no clean one: noise reaches the classifier alone, and there
# derivative manipulation wins back much of what it costs. An early stop is the rival to beat.
# The short questions of bank customers leave paragraph vectors less to learn from, and 77 intents are harder to tell
# apart: all is lower with ``--banking``, an early stop does not help there, and derivative manipulation does.
