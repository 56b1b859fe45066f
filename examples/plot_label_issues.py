"""
Which labels of this table are wrong?
=====================================

569 tumors, thirty measurements each, and a diagnosis. Somebody has entered 8 % of the diagnoses wrongly. Which ones
would you check first, and how many would you have to check?
"""

# %%
# One call. `audit_labels` takes any classifier. Those of this package are judged by a single fit; a random forest,
# which knows its training labels by heart, by five fits on other rows.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklabelnoise import ProSelfLCClassifier
from sklabelnoise.audit import audit_labels
from sklabelnoise.inspection import METHOD_COLORS, LabelFlowDisplay, LabelIssuesDisplay
from sklabelnoise.metrics import detection_scores, label_recovery
from sklabelnoise.noise import corrupt_labels, realized_noise_rate, symmetric_transition_matrix

X, target = load_breast_cancer(return_X_y=True, as_frame=True)
y_clean = np.array(["malignant", "benign"])[target]
y = corrupt_labels(y_clean, symmetric_transition_matrix(2, 0.08), exact_counts=True, random_state=0)
wrong = y != y_clean

AUDITORS = {
    "ProSelfLC, one fit": make_pipeline(StandardScaler(), ProSelfLCClassifier(random_state=0)),
    "random forest, five fits": RandomForestClassifier(random_state=0),
}
reports = {name: audit_labels(auditor, X, y, random_state=0) for name, auditor in AUDITORS.items()}
print(f"true noise rate {realized_noise_rate(y_clean, y):.3f}, {wrong.sum()} wrong labels")
for name, report in reports.items():
    scores = detection_scores(wrong, report.label_quality)
    print(f"{name:26} {report}; AUC {scores['auc']:.3f}, {scores['recall']:.0%} among the worst {wrong.sum()}")

# %%
# Checking from the top of the list. A random order finds 8 % of the wrong labels in the first 8 % of the rows.

figure = plt.figure(figsize=(13, 8.5), layout="constrained")
top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1])
curve, flow = top.subplots(1, 2)
colors = {"ProSelfLC, one fit": METHOD_COLORS["ProSelfLC"], "random forest, five fits": METHOD_COLORS["random forest"]}
early = {}
for name, report in reports.items():
    found = np.cumsum(wrong[np.argsort(report.label_quality)]) / wrong.sum()
    curve.plot(np.arange(1, len(y) + 1), found, color=colors[name], label=name)
    early[name] = found[74]
curve.axline((0, 0), (len(y), 1), color="gray", ls=":", label="random order")
curve.set(xlim=(0, 200), ylim=(0, 1.03), xlabel="labels checked", ylabel="share of the wrong labels found")
curve.set_title(f"at least {min(early.values()):.0%} of the wrong labels are among the first 75 rows")
curve.spines[["top", "right"]].set_visible(False)
curve.legend(frameon=False, loc="lower right")
# sphinx_gallery_defer_figures

# %%
# The list itself, and what accepting all of it would change. Beside each row stand the measurements that are least like
# those of its given class. `report.to_html("review.html")` writes the same list as a page that takes one key a row, for
# somebody who knows tumors; the file it downloads goes back into `report.apply`.

report = reports["ProSelfLC, one fit"]
LabelFlowDisplay.from_report(report).plot(ax=flow)
LabelIssuesDisplay(report).plot(n_issues=11, figure=bottom)

output = Path("output")
output.mkdir(exist_ok=True)
report.to_html(output / "diagnoses.html", title="Diagnoses to check")
y_corrected = report.apply(report.issues.assign(decision="accept"))
print(f"accepting every suggestion removes {label_recovery(y_clean, y, y_corrected):.0%} of the noise")
figure.savefig(output / "label_issues.png", dpi=120)

# %%
# On the left, how much of the noise a reviewer has found after so many rows; on the right, what the report suggests,
# band by band: how many "benign" to make "malignant", and the other way round; below, the head of the list.
#
# Nobody has to check 569 rows: the first ones of the list hold most of what is wrong.
