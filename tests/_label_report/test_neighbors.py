"""Examples beside an issue: rows like it that nobody doubts."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from sklabelnoise._label_report._evidence import codes_of
from sklabelnoise._label_report._neighbors import neighbors_of
from sklabelnoise.audit import audit_labels


def test_neighbors_are_rows_that_nobody_doubts_of_the_right_class(noisy_blobs):
    X, y, _ = noisy_blobs
    report = audit_labels(LogisticRegression(), X, y, random_state=0)
    rows = report.issues["row"].to_numpy()
    given, suggested = (codes_of(report.issues[f"{role}_label"], report.classes) for role in ("given", "suggested"))
    near_given, near_suggested = neighbors_of(report, rows, given, suggested)
    doubted = set(rows.tolist())
    for i in range(len(rows)):
        assert (y[near_given[i]] == given[i]).all() and (y[near_suggested[i]] == suggested[i]).all()
        assert len(near_given[i]) == len(near_suggested[i]) == 3
        assert not doubted & {*near_given[i], *near_suggested[i]}
    # Rows in doubt lie among those of the suggested class.
    away = [np.linalg.norm(X[rows] - X[[found[0] for found in near]], axis=1) for near in (near_given, near_suggested)]
    assert np.median(away[0]) > 3 * np.median(away[1])
