"""Examples beside an issue: rows like it that nobody doubts."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklabelnoise._label_report._evidence import codes_of
from sklabelnoise._label_report._neighbors import neighbors_of
from sklabelnoise.audit import LabelReport, audit_labels


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


def neighbors_of_rows(X, y):
    """Of labels that are right by halves, the lists of rows beside those in doubt."""
    proba = np.where(np.arange(2) == (X[:, :1] > 0), 0.9, 0.1)
    report = LabelReport(y, proba, X=X, in_sample=True)
    given, suggested = (codes_of(report.issues[f"{role}_label"], report.classes) for role in ("given", "suggested"))
    return neighbors_of(report, report.issues["row"].to_numpy(), given, suggested)


@pytest.mark.filterwarnings("error")
def test_a_column_of_which_nothing_is_known_and_numbers_without_a_square_are_as_any_other():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.where(rng.random(60) < 0.2, X[:, 0] < 0, X[:, 0] > 0).astype(int)
    expected = neighbors_of_rows(X, y)
    assert len(expected[0]) > 5
    assert neighbors_of_rows(X * [2.0**600, 1, 1], y) == expected
    assert neighbors_of_rows(np.c_[X, np.full((60, 2), [np.nan, np.inf])], y) == expected
    assert neighbors_of_rows(np.ma.masked_array(X), y) == expected
