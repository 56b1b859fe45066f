"""
One call for a table with wrong labels
======================================

Somebody hands you a raw table: ages, occupations, hours a week, and a label that one row in five has wrong. You don't
know which. How far does one call get you, beside the four things you would try first?
"""

# %%
# The table is adult (who earns more than 50,000 dollars a year?) as it was collected: numbers, categories, missing
# entries. A fifth of the training labels is flipped. The test labels are right, and nothing but the picture sees them.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklabelnoise import DMClassifierCV, NoisyLabelClassifier
from sklabelnoise.datasets import load_table
from sklabelnoise.inspection import METHOD_COLORS
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

adult = load_table("adult")
earns = np.array(["<=50K", ">50K"])[adult.target]
X_train, X_test, y_clean, y_test = train_test_split(
    adult.data, earns, train_size=1500, test_size=3000, stratify=earns, random_state=0
)
y_given = corrupt_labels(y_clean, symmetric_transition_matrix(2, 0.2), random_state=0)
wrong = y_given != y_clean

# %%
# Categories become columns of their own; ``skrub.tabular_pipeline`` does the same in one call where it is installed
# (the extra `tables`), for dates and texts as well.

try:
    from skrub import tabular_pipeline as with_preparation
except ImportError:

    def with_preparation(classifier):
        """A pipeline from raw rows to a classifier."""
        categories = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10, sparse_output=False)
        columns = make_column_transformer(
            (categories, make_column_selector(dtype_exclude="number")), remainder=StandardScaler()
        )
        return make_pipeline(columns, classifier)


# %%
# The one call, and what people try first.

classifiers = {
    "NoisyLabelClassifier": NoisyLabelClassifier(random_state=0),
    "logistic regression": LogisticRegression(max_iter=1000),
    "random forest": RandomForestClassifier(random_state=0),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "robust network (DMClassifierCV)": DMClassifierCV(n_members=2, random_state=0),
}
models = {name: with_preparation(classifier).fit(X_train, y_given) for name, classifier in classifiers.items()}
accuracy = {name: model.score(X_test, y_test) for name, model in models.items()}
ceiling = clone(models["random forest"]).fit(X_train, y_clean).score(X_test, y_test)

# %%
# What the call found out on the way: which families it combined, with which settings and weights, how many labels are
# wrong, and which. None of this needs another fit.

model = models["NoisyLabelClassifier"][-1]
print(model.members_.round(2).to_string(index=False))
print(f"\nEstimated share of wrong labels: {model.noise_rate_:.0%}; truly {wrong.mean():.0%}.")

output = Path("output")
output.mkdir(exist_ok=True)
report = model.report(X_train)
report.to_html(output / "suspects.html", title="Incomes to check")
suspects = report.issues["row"].to_numpy()
print(f"{len(suspects)} labels to doubt, {wrong[suspects].mean():.0%} of them wrong: see output/suspects.html")

# %%
# On the left the accuracy of each on right labels. On the right how many of the first suspects are truly wrong, beside
# a review in random order.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained", width_ratios=(3, 2))
names = sorted(accuracy, key=accuracy.get)
COLORED = {"robust network (DMClassifierCV)": "DM"}  # what other examples call it
colors = [METHOD_COLORS.get(COLORED.get(name, name), "lightgray") for name in names]
left.scatter([100 * accuracy[name] for name in names], names, s=80, color=colors, edgecolor="black", zorder=2)
for name in names:
    score = 100 * accuracy[name]
    beside = left.annotate(f"{score:.1f}", (score, name), (9, 0), textcoords="offset points", va="center")
    beside.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})  # a line behind it stays behind it
left.axvline(100 * ceiling, color="black", linestyle=":", label="random forest, right labels")
left.margins(0.2, 0.15)
left.set(xlabel="accuracy, %")
left.set_title("trained on labels of which 20 % are wrong")
left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)

by_quality = np.argsort(model.label_quality_)
reviewed = np.arange(1, len(wrong) + 1)
color = METHOD_COLORS["NoisyLabelClassifier"]
right.plot(reviewed, wrong[by_quality].cumsum(), color=color, label="worst label quality first")
right.plot(reviewed, reviewed * wrong.mean(), color="gray", linestyle=":", label="in random order")
right.set(xlabel="labels reviewed", ylabel="wrong labels found", title=f"{wrong.sum()} wrong labels")
right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False, ncols=2)
figure.savefig(output / "one_call.png", dpi=120)

# %%
# To remember: ``NoisyLabelClassifier().fit(X, y)``, and then ``members_``, ``noise_rate_`` and ``report(X)`` say what
# it found.
