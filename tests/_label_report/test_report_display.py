"""The displays that a report draws itself with."""

import pytest
from sklearn.linear_model import LogisticRegression

from sklabelnoise import inspection
from sklabelnoise.audit import audit_labels

plt = pytest.importorskip("matplotlib.pyplot", reason="matplotlib is not installed")


@pytest.mark.parametrize(
    ("kind", "display"),
    [("issues", "LabelIssuesDisplay"), ("transition_matrix", "TransitionMatrixDisplay"), ("flow", "LabelFlowDisplay")],
)
def test_a_report_draws_its_displays(noisy_blobs, kind, display):
    report = audit_labels(LogisticRegression(), *noisy_blobs[:2], random_state=0)
    drawn = report.plot(kind)
    assert type(drawn) is getattr(inspection, display) and drawn.figure_ is not None
    plt.close("all")
    with pytest.raises(ValueError, match=r"kind must be one of .* got 'pie'"):
        report.plot("pie")


def test_what_is_asked_of_a_plot_reaches_its_display(noisy_blobs):
    X, y, _ = noisy_blobs
    report = audit_labels(LogisticRegression(), X, y, random_state=0)
    assert report.plot("transition_matrix", values=False).text_ is None
    table = next(child for child in report.plot(n_issues=2).axes_[0].get_children() if hasattr(child, "get_celld"))
    assert {row for row, _ in table.get_celld()} == {0, 1, 2}
    plt.close("all")
