"""A report as a notebook shows it."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from sklabelnoise.audit import audit_labels


def test_a_report_in_a_notebook_is_compact_and_escaped(noisy_blobs):
    X, y, _ = noisy_blobs
    labels = np.array(["<b>a</b>", "b & c", '"d"'])[y]
    shown = audit_labels(LogisticRegression(), X, labels, random_state=0)._repr_html_()
    assert "<b>" not in shown and "&lt;b&gt;a&lt;/b&gt;" in shown
    assert shown.count("<tr>") == 11 and len(shown) < 20_000
