"""Labels to doubt, against a slow reference and cleanlab."""

import time

import numpy as np
import pandas as pd
import pytest

from sklabelnoise.audit import (
    find_label_issues,
)


def test_all_rows_are_ranked_by_their_quality(random_evidence):
    y, proba = random_evidence()
    issues = find_label_issues(y, proba, which="all")
    assert sorted(issues["row"]) == list(range(len(y)))
    assert issues["quality"].is_monotonic_increasing
    np.testing.assert_array_equal(issues["quality"], proba[issues["row"], y[issues["row"]]])
    assert find_label_issues(y, proba, which="all", rank_by="margin")["margin"].is_monotonic_increasing


@pytest.mark.parametrize("which", ["disagree", "all"])
def test_equals_a_slow_reference(which, random_evidence):
    y, proba = random_evidence()
    issues = find_label_issues(y, proba, which=which).set_index("row")
    assert set(issues.index) == {i for i in range(len(y)) if which == "all" or proba[i].argmax() != y[i]}
    for i, issue in issues.iterrows():
        assert issue["suggested_label"] == proba[i].argmax()
        assert issue["margin"] == pytest.approx(proba[i, y[i]] - np.delete(proba[i], y[i]).max())


def test_rows_of_one_quality_stay_in_their_order():
    y, quality = np.arange(500) % 2, np.random.default_rng(0).integers(0, 3, 500) / 4
    proba = np.where(y[:, None] == [0, 1], quality[:, None], 1 - quality[:, None])
    for rank_by in ("quality", "margin"):
        issues = find_label_issues(y, proba, which="all", rank_by=rank_by)
        assert issues["row"].tolist() == np.argsort(quality, kind="stable").tolist()


def test_the_index_is_that_of_the_labels_or_else_of_the_probabilities(random_evidence):
    y, proba = random_evidence(40, 4)
    names, frame = np.array([f"row {i}" for i in range(40)]), pd.DataFrame(proba)
    expected = find_label_issues(y, proba, which="all")
    assert expected.index.tolist() == expected["row"].tolist()
    for labels, evidence in (
        (pd.Series(y, index=names), proba), (pd.Series(y, index=names), frame), (y, frame.set_axis(names)),
    ):  # fmt: skip
        issues = find_label_issues(labels, evidence, which="all")
        assert issues.index.tolist() == names[expected["row"]].tolist()
        assert issues["row"].tolist() == expected["row"].tolist()


def test_confident_issues_equal_those_of_cleanlab(random_evidence):
    # Recorded with cleanlab 2.9.0: find_label_issues(y, proba, filter_by="confident_learning").
    y, proba = random_evidence(40, 4, seed=3)
    expected = CLEANLAB_ISSUES
    assert sorted(find_label_issues(y, proba)["row"]) == expected
    assert set(expected) <= set(find_label_issues(y, proba, which="disagree")["row"])


@pytest.mark.parametrize(
    "names", [["d", "a", "c", "b"], np.array([4, 1, 3, 2], dtype=object), [40, 10, 30, 20], [0.4, 0.1, 0.3, 0.2]]
)
def test_labels_keep_their_values(names, random_evidence):
    y, proba = random_evidence(40, 4)
    expected = find_label_issues(y, proba, which="all")
    issues = find_label_issues(np.asarray(names)[y], proba, which="all", classes=names)
    np.testing.assert_array_equal(issues["row"], expected["row"])
    np.testing.assert_array_equal(issues["given_label"], np.asarray(names)[expected["given_label"]])
    by_sorting = find_label_issues(np.asarray(names)[y], proba[:, np.argsort(names)], which="all")
    pd.testing.assert_frame_equal(by_sorting, issues)


def test_arguments_are_left_alone(random_evidence):
    y, proba = random_evidence()
    before = proba.copy()
    find_label_issues(y, proba, which="all")
    np.testing.assert_array_equal(proba, before)


def test_no_issue_is_an_empty_table():
    issues = find_label_issues([0, 1], np.eye(2))
    assert len(issues) == 0 and list(issues) == ["row", "given_label", "suggested_label", "quality", "margin"]


def test_a_million_rows_take_seconds(random_evidence):
    y, proba = random_evidence(1_000_000, 10)
    start = time.process_time()  # of this process: others may keep the machine busy
    find_label_issues(y, proba)
    assert time.process_time() - start < 5  # about 1.5 s on one core


# A list by cleanlab, see the test that quotes it.
CLEANLAB_ISSUES = [
    0,
    1,
    2,
    4,
    5,
    8,
    9,
    11,
    12,
    14,
    15,
    16,
    17,
    18,
    19,
    21,
    22,
    23,
    25,
    26,
    28,
    29,
    30,
    32,
    33,
    34,
    35,
    36,
    37,
    38,
    39,
]

GOOD = {"y": [0, 1, 1], "proba": [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_label_issues(**GOOD, which="some"), "which must be .* got 'some'"),
        (lambda: find_label_issues(**GOOD, rank_by="row"), "rank_by must be .* got 'row'"),
    ],
)
def test_bad_parameters_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_confident_issue_has_a_class_that_is_more_probable(random_evidence, no_warning_of_a_poor_model):
    # Of the second row the class "b" is as probable as it is for its own labels, and yet less than the given one.
    y = np.array(["a", "a", "b", "b"])
    proba = np.array([[0.95, 0.05], [0.55, 0.45], [0.6, 0.4], [0.55, 0.45]])
    assert find_label_issues(y, proba)["row"].tolist() == []
    y, proba = random_evidence(2000)
    issues = find_label_issues(y, proba)
    assert len(issues) and (issues["margin"] < 0).all()
    assert set(issues["row"]) <= set(find_label_issues(y, proba, which="disagree")["row"])
