"""
What does an hour of review change?
===================================

1,347 handwritten digits, and three labels in ten are wrong. Nobody wants to look at all of them. The audit lists the
labels to doubt, a page shows them to somebody who can read digits, and what that person decides goes into the training
data. How much better is the classifier then?
"""

# %%
# The data, and a classifier trained on them as they are.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.audit import audit_labels
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

NAMES = np.array("zero one two three four five six seven eight nine".split())
data, target = load_digits(return_X_y=True)
X, X_test, truth, y_test = train_test_split(data, NAMES[target], random_state=0)
y = corrupt_labels(truth, symmetric_transition_matrix(10, 0.3), exact_counts=True, random_state=0)


def train(X, y, sample_weight=None):
    """A network with plain cross entropy, which learns wrong labels by heart."""
    model = make_pipeline(StandardScaler(), RobustLossClassifier(loss="cross_entropy", random_state=0))
    return model.fit(X, y, robustlossclassifier__sample_weight=sample_weight)


before = train(X, y).score(X_test, y_test)

# %%
# The audit. Any classifier can be the auditor, and those of this package need a single fit to rank the labels. What a
# person sees is `display`.

auditor = make_pipeline(StandardScaler(), ProSelfLCClassifier(random_state=0))
report = audit_labels(auditor, X, y, display=X.reshape(-1, 8, 8), random_state=0)
print(report)
print(report.summary()[["given", "doubted", "noise_rate", "mistaken_for"]].round(2))

# %%
# The page is one file. It opens in any browser, needs no server and no network, and takes one key or one click a row:
# accept the suggestion, keep the given label, choose another class, unsure, or remove the row.

output = Path("output")
output.mkdir(exist_ok=True)
report.to_html(output / "review.html", title="Digits to check")

# %%
# Here a person would work on the page and download a file of decisions. This reviewer can read all digits but one in
# twenty, and writes the same file.

reviewer = np.random.default_rng(0)
decisions = report.issues.assign(label=truth[report.issues["row"]])
right = decisions["suggested_label"] == decisions["label"]
kept = decisions["given_label"] == decisions["label"]
decisions["decision"] = np.select([right, kept], ["accept", "reject"], "relabel")
decisions.loc[reviewer.random(len(decisions)) < 0.05, "decision"] = "unsure"
decisions.assign(report=report.fingerprint).to_csv(output / "decisions.csv", index=False)

# %%
# Back into the training data: corrected labels, the rows to keep, and less weight for what nobody could read.

y_reviewed, keep, weight = report.apply(output / "decisions.csv", return_rows=True)
after = train(X[keep], y_reviewed[keep], weight[keep]).score(X_test, y_test)
ceiling = train(X, truth).score(X_test, y_test)
print(f"reviewed {len(decisions)} of {len(y)} rows: {decisions['decision'].value_counts().to_dict()}")
print(f"wrong labels: {np.mean(y != truth):.1%} before, {np.mean(y_reviewed != truth):.1%} after")

# %%
# What there was to review, which classes were mistaken for which, and what it brought.

figure = plt.figure(figsize=(11, 8), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[0.75, 1])
report.plot(n_issues=24, n_columns=12, figure=top)
matrix, bars = bottom.subplots(1, 2)
report.plot("transition_matrix", ax=matrix)
matrix.set_title("which digit was taken for which, as the audit sees it")
names = ["labels as given", "after the review", "labels all right"]
bars.barh(names, [before, after, ceiling], color=["tab:red", "tab:blue", "tab:gray"])
bars.bar_label(bars.containers[0], fmt="{:.1%}", padding=3)
bars.set(xlim=(0, 1.12), xlabel="accuracy on test digits", title="the same network on three sets of labels")
bars.invert_yaxis()
bars.spines[["top", "right"]].set_visible(False)
figure.savefig(output / "review.png", dpi=120)

print(f"accuracy {before:.1%} with the labels as given, {after:.1%} retrained after the review, {ceiling:.1%} at best")

# %%
# Looking at three rows in ten, for one key each, wins back most of what the wrong labels cost.
