"""What a classifier says of given labels, the report of it, and its review: scikit-learn's protocol only, no torch."""

# A report draws itself with the displays, which enter themselves when they are imported.
from sklabelnoise._label_report import (
    _label_flow_display,  # noqa: F401
    _label_issues_display,  # noqa: F401
    _transition_matrix_display,  # noqa: F401
)
