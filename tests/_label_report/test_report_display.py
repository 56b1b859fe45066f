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
