"""A report as a notebook shows it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklabelnoise.audit import LabelReport, audit_labels


def test_a_report_in_a_notebook_is_compact_and_escaped(noisy_blobs):
    X, y, _ = noisy_blobs
    labels = np.array(["<b>a</b>", "b & c", '"d"'])[y]
    shown = audit_labels(LogisticRegression(), X, labels, random_state=0)._repr_html_()
    assert "<b>" not in shown and "&lt;b&gt;a&lt;/b&gt;" in shown
    assert shown.count("<tr>") == 11 and len(shown) < 20_000


@pytest.mark.usefixtures("no_warning_of_a_poor_model")
def test_in_a_notebook_values_are_those_of_the_page():
    """Long names may be broken, names from right to left keep to their cell, and qualities have their four digits."""
    y = np.array(["\u05db\u05df", "a_name_that_takes_a_line_of_its_own"])[np.arange(20) % 2]
    proba = np.full((20, 2), 0.0001)
    proba[np.arange(20), [0 if label.startswith("a_") else 1 for label in y]] = 0.9999
    shown = LabelReport(y, proba, classes=np.unique(y)[::-1], in_sample=True)._repr_html_()
    assert shown.count(">0.0001</td>") == 10 and shown.count('<td dir="auto"') == 10 * 5
    assert "overflow-wrap:anywhere" in shown
