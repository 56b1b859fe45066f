"""A report: the labels that follow from decisions, and what tells it from others."""

import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from sklabelnoise.audit import (
    LabelReport,
    audit_labels,
    estimate_noise_rate,
)

GOOD = {"y": [0, 1, 1], "proba": [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]]}


def decisions_csv(rows):
    return io.StringIO(pd.DataFrame(rows).to_csv(index=False))


@pytest.fixture
def report(no_warning_of_a_poor_model):
    y = np.array(["cat", "dog", "cat", "cow"] * 10)
    proba = np.tile([[0.9, 0.05, 0.05], [0.9, 0.0, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], (10, 1))
    return LabelReport(y, proba[:, [0, 1, 2]], classes=["cat", "cow", "dog"])


def test_only_accepted_suggestions_change_labels(report):
    row = report.issues["row"].tolist()
    decisions = {"report": report.fingerprint, "row": row[:3], "decision": ["accept", "reject", "accept"]}
    y = report.apply(decisions_csv(decisions))
    changed = np.flatnonzero(y != report.y)
    assert sorted(changed) == sorted([row[0], row[2]])
    assert y.dtype == report.y.dtype
    expected = report.issues.set_index("row").loc[changed, "suggested_label"]
    np.testing.assert_array_equal(y[changed], expected)


@pytest.mark.parametrize("dtype", [np.int8, np.float32, np.uint16])
def test_corrected_labels_have_the_type_of_the_given_ones(dtype):
    y = np.array([0, 0, 1, 1], dtype=dtype)
    report = LabelReport(y, [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]], classes=[0, 1], in_sample=True)
    corrected = report.apply(report.issues.assign(decision="accept"))
    assert report.y.dtype == corrected.dtype == dtype and corrected.tolist() == [0, 1, 1, 1]


def test_no_decision_changes_nothing(report):
    decisions = pd.DataFrame({"report": [], "row": [], "decision": []})
    np.testing.assert_array_equal(report.apply(decisions), report.y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"report": "0123456789abcdef"}, "belong to another data set or report: this is .*, got '0123456789abcdef'"),
        ({"row": 0}, "about rows that are issues of this report, got '0'"),
        ({"row": "x"}, "about rows that are issues of this report, got 'x'"),
        ({"decision": "maybe"}, 'must be "accept", "reject", .* or "remove", got \'maybe\''),
    ],
)
def test_bad_decisions_are_named(report, change, message):
    row = int(report.issues["row"].iloc[0])
    good = {"report": report.fingerprint, "row": row, "decision": "accept"}
    with pytest.raises(ValueError, match=message):
        report.apply(decisions_csv([good | change]))


def test_contradictions_are_named(report):
    row = int(report.issues["row"].iloc[0])
    both = {"report": report.fingerprint, "row": [row, row], "decision": ["accept", "reject"]}
    with pytest.raises(ValueError, match=f"name a row once, got {row}"):
        report.apply(decisions_csv(both))


def test_other_files_are_named(report):
    with pytest.raises(ValueError, match=r"must have the columns row, decision, .* got \['a', 'b'\]"):
        report.apply(io.StringIO("a,b\n1,2\n"))


def test_given_labels_identify_a_table_without_fingerprint(report):
    decisions = report.issues.assign(decision="reject")
    np.testing.assert_array_equal(report.apply(decisions), report.y)
    decisions.iloc[0, decisions.columns.get_loc("given_label")] = "elephant"
    with pytest.raises(ValueError, match=r"another data set: row \d+ was given '\w+', got 'elephant'"):
        report.apply(decisions)


def test_other_labels_or_suggestions_have_another_fingerprint(report):
    other_y = report.y.copy()
    other_y[0] = "cow"
    assert LabelReport(other_y, report.proba, classes=report.classes).fingerprint != report.fingerprint
    assert LabelReport(report.y, report.proba, classes=report.classes).fingerprint == report.fingerprint
    others = []
    for row, classes in ((0, report.classes), (2, report.classes), (None, np.array(["cat", "cow", "elk"]))):
        y, proba = classes[np.searchsorted(report.classes, report.y)], report.proba.copy()
        if row == 2:
            proba[row] = proba[row, [0, 2, 1]]  # doubted as before, for the third class
        elif row == 0:
            proba[row] = proba[2]  # one more is doubted
        others.append(LabelReport(y, proba, classes=classes))
    assert others[1].issues["row"].sort_values().tolist() == report.issues["row"].sort_values().tolist()
    assert len({report.fingerprint, *(other.fingerprint for other in others)}) == 4


def test_the_same_suggestion_for_another_row_has_another_fingerprint(no_warning_of_a_poor_model):
    y, reports = np.repeat(["cat", "dog"], 10), []
    for row in (3, 4):
        proba = np.repeat([[0.9, 0.1], [0.1, 0.9]], 10, axis=0)
        proba[row] = [0.1, 0.9]
        reports.append(LabelReport(y, proba))
        assert reports[-1].issues[["row", "suggested_label"]].to_numpy().tolist() == [[row, "dog"]]
    assert reports[0].fingerprint != reports[1].fingerprint


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LabelReport(**GOOD, X=[[0], [1]]), "X must have one row for each of 3 labels, got 2"),
    ],
)
def test_bad_parameters_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_the_summary_counts_by_class(noisy_blobs):
    X, y, _ = noisy_blobs
    report = audit_labels(LogisticRegression(), X, np.array(["a", "b", "c"])[y], random_state=0)
    summary = report.summary()
    assert summary.index.tolist() == ["a", "b", "c"]
    assert summary["given"].sum() == len(y) and summary["doubted"].sum() == len(report.issues)
    assert summary["suggested"].sum() == len(report.issues)
    np.testing.assert_allclose(summary["noise_rate"], 1 - report.transition_matrix.diagonal())
    codes, doubted = np.searchsorted(report.classes, report.y), np.isin(np.arange(len(y)), report.issues["row"])
    for k in range(3):
        assert (
            summary["given"].iloc[k] == (codes == k).sum() and summary["doubted"].iloc[k] == doubted[codes == k].sum()
        )
        assert summary["share_doubted"].iloc[k] == pytest.approx(doubted[codes == k].mean(), rel=1e-12)
        assert summary["mean_quality"].iloc[k] == pytest.approx(report.proba[codes == k, k].mean(), rel=1e-12)
    assert (summary["low"] <= summary["noise_rate"] + 1e-9).all()
    assert (summary["noise_rate"] <= summary["high"] + 1e-9).all()


def test_a_class_is_mistaken_for_the_label_that_its_rows_were_given():
    truth = np.repeat([0, 1, 2], 40)
    given = truth.copy()
    given[:12] = 1  # of a: more of b's label than of any other, and so on round
    given[40:46] = 2
    report = LabelReport(np.array(["a", "b", "c"])[given], np.eye(3)[truth] * 0.85 + 0.05, in_sample=True)
    summary = report.summary()
    assert summary["mistaken_for"].tolist()[:2] == ["b", "c"] and pd.isna(summary.loc["c", "mistaken_for"])
    assert summary["doubted"].to_dict() == {"a": 0, "b": 12, "c": 6}
    assert summary["suggested"].to_dict() == {"a": 12, "b": 6, "c": 0}
    np.testing.assert_allclose(summary["noise_rate"], [12 / 40, 6 / 40, 0])


def test_of_a_class_that_no_row_is_predicted_as_no_rate_is_known(no_warning_of_a_poor_model):
    """A rate of 0, from 0 to 0, stood beside labels that were all doubted."""
    predicted = np.repeat([0, 1], 40)
    given = np.array(["a", "b"])[predicted]
    given[::10] = "c"
    summary = LabelReport(given, np.eye(3)[predicted] * 0.85 + 0.05, in_sample=True).summary()
    assert summary.loc["c", "share_doubted"] == 1
    assert summary.loc["c", ["noise_rate", "low", "high", "mistaken_for"]].isna().all()
    assert summary.loc[["a", "b"], ["noise_rate", "low", "high"]].notna().all(axis=None)


def test_which_classes_are_predicted_is_asked_of_what_the_noise_is_estimated_from(no_warning_of_a_poor_model):
    predicted = np.repeat([0, 1], 40)
    proba, noise_proba = np.eye(3)[np.repeat([0, 1, 2], [30, 40, 10])], np.eye(3)[predicted]
    given = np.array(["a", "b", "c"])[np.where(np.arange(80) % 10, predicted, 2)]
    for shown, rated in ((proba, noise_proba), (noise_proba, proba)):
        summary = LabelReport(given, shown, in_sample=True, noise_proba=rated).summary()
        assert summary["noise_rate"].isna().tolist() == [False, False, rated is noise_proba]


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_labels_may_be_dates(tmp_path, no_warning_of_a_poor_model, unit):
    days = np.array(["2026-01-01", "2026-01-02"], dtype=f"M8[{unit}]")
    y = days[np.arange(40) % 2]
    proba = np.eye(2)[np.arange(40) % 2] * 0.8 + 0.1
    proba[3] = proba[3, ::-1]
    report = LabelReport(y, proba)
    assert report.issues["row"].tolist() == [3]
    report.to_html(tmp_path / "page.html")
    assert "2026-01-02" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2026-01-02" in report._repr_html_()
    assert report.summary().shape[0] > 0
    decisions = {"report": [report.fingerprint], "row": [3], "decision": ["accept"]}
    by_hand = {"report": report.fingerprint, "row": [3], "decision": "relabel", "label": "2026-01-01"}
    every_way = [decisions_csv(decisions), decisions_csv(by_hand), report.issues.assign(decision="accept")]
    for source in [*every_way, decisions_csv(report.issues.assign(decision="accept"))]:
        changed = report.apply(source)
        assert changed.dtype == y.dtype
        assert np.flatnonzero(changed != y).tolist() == [3]
    with pytest.raises(ValueError, match=r"one of the classes \['2026-01-01', '2026-01-02'\] .* got '2026-01-03'"):
        report.apply(decisions_csv({**by_hand, "label": "2026-01-03"}))


@pytest.mark.parametrize(
    "classes", [np.array(["\udc80", "a"]), np.array([1, 2], dtype=np.float16)], ids=["surrogate", "float16"]
)
def test_every_kind_of_label_has_a_summary(no_warning_of_a_poor_model, classes):
    classes = np.sort(classes)
    report = LabelReport(classes[np.arange(40) % 2], np.eye(2)[np.arange(40) % 2] * 0.6 + 0.2)
    summary = report.summary()
    assert summary.index.tolist() == classes.tolist()
    assert summary["given"].tolist() == [20, 20]


@pytest.mark.parametrize(
    "decisions, error, message",
    [
        ([], ValueError, r"decisions must be a file, .* got \[\]"),
        (None, TypeError, "decisions must be a file, a path, or a frame, got NoneType"),
        ([{1: "accept"}], TypeError, "decisions must be a file, a path, or a frame, got dict"),
    ],
)
def test_what_is_no_file_of_decisions_is_refused(report, decisions, error, message):
    with pytest.raises(error, match=message):
        report.apply(decisions)


def test_a_report_is_the_same_after_decisions_were_applied(report):
    decisions = report.issues.assign(decision="accept")
    before = report.to_cleanlab()["labels"].copy(), report.summary()
    first = report.apply(decisions)
    assert np.array_equal(report.to_cleanlab()["labels"], before[0])
    pd.testing.assert_frame_equal(report.summary(), before[1])
    assert np.array_equal(report.apply(decisions), first) and not np.array_equal(first, report.y)


@pytest.mark.parametrize("weight", [0, 0.25, 1])
def test_the_weight_of_unsure_rows_is_a_share_its_ends_included(report, weight):
    rows = report.issues["row"].to_numpy()
    decisions = report.issues.assign(decision=["unsure"] * (len(rows) - 1) + ["remove"])
    _, keep, weights = report.apply(decisions, unsure_weight=weight, return_rows=True)
    assert np.flatnonzero(~keep).tolist() == [rows[-1]]
    assert weights[rows].tolist() == [weight] * (len(rows) - 1) + [0]
    assert weights.sum() == len(report.y) - len(rows) + weight * (len(rows) - 1)


def test_probabilities_for_the_noise_are_found_by_name(no_warning_of_a_poor_model):
    y = np.array(["cat", "dog"] * 20)
    proba, noise_proba = (np.where(y[:, None] == ["cat", "dog"], p, 1 - p) for p in (0.9, 0.7))
    noise_proba[:6] = noise_proba[:6, ::-1]
    expected = LabelReport(y, noise_proba)
    assert expected.noise_rate_interval != LabelReport(y, proba).noise_rate_interval
    frame = pd.DataFrame(noise_proba[:, ::-1], columns=["dog", "cat"])
    for given, in_sample in ((noise_proba, False), (frame, False), (noise_proba, True)):
        report = LabelReport(y, proba, noise_proba=given, in_sample=in_sample)
        assert report.noise_rate == expected.noise_rate > LabelReport(y, proba).noise_rate
        assert report.noise_rate_interval == expected.noise_rate_interval
        assert report.label_quality.tolist() == [0.9] * 40
    with pytest.raises(ValueError, match=r"noise_proba must have one column for each of 2 classes, got 3"):
        LabelReport(y, proba, noise_proba=np.full((40, 3), 1 / 3))


def test_pictures_on_the_page_have_the_shape_and_the_size_that_are_asked_for(report, tmp_path):
    X = np.random.default_rng(0).integers(0, 255, (40, 6 * 40), dtype=np.uint8)
    shown = LabelReport(report.y, report.proba, classes=report.classes, X=X)
    page = shown.to_html(tmp_path / "page.html", image_shape=(40, 6), image_size=20).read_text(encoding="utf-8")
    pictures = re.findall("data:image/png;base64,([A-Za-z0-9+/=]+)", page)
    assert len(pictures) >= len(report.issues)
    assert {Image.open(io.BytesIO(base64.b64decode(picture))).size for picture in pictures} == {(3, 20)}


def test_what_cannot_be_seen_is_refused_where_it_is_there_for_that(report, tmp_path):
    films = np.zeros((len(report.y), 2, 2, 2, 2))
    LabelReport(report.y, report.proba, X=films).to_html(tmp_path / "page.html")
    with pytest.raises(ValueError, match="display must hold images, texts or rows of a table, got shape "):
        LabelReport(report.y, report.proba, display=films).to_html(tmp_path / "page.html")


@pytest.mark.parametrize("weight", ["a", None, [0.5], 1j, 2, -1, np.nan], ids=repr)
def test_a_weight_of_unsure_rows_is_a_number_from_0_to_1(report, weight):
    with pytest.raises(ValueError, match="unsure_weight must be from 0 to 1, got "):
        report.apply(report.issues.assign(decision="unsure"), unsure_weight=weight, return_rows=True)


@pytest.mark.parametrize("name", ["X", "display", "ids"])
@pytest.mark.parametrize("rows", [5, 2.5, "abc", b"abc", np.zeros(())], ids=repr)
def test_rows_are_no_single_value(name, rows):
    with pytest.raises(TypeError, match=rf"{name} must have one row for each of 3 labels, got {re.escape(repr(rows))}"):
        LabelReport(**GOOD, **{name: rows})


def test_what_is_done_with_the_labels_for_cleanlab_does_not_change_the_report(report):
    before = report.apply(report.issues.assign(decision="accept"))
    report.to_cleanlab()["labels"][:] = 0
    np.testing.assert_array_equal(report.apply(report.issues.assign(decision="accept")), before)


@pytest.mark.parametrize("method", [None, ["anchor_sets"], "anchors"], ids=repr)
def test_an_unknown_method_is_named(method):
    with pytest.raises(ValueError, match=r"method must be one of \['anchor_sets', .*\], got "):
        estimate_noise_rate(**GOOD, method=method)


@pytest.mark.parametrize("name", ["X", "display", "ids"])
def test_what_can_be_gone_through_once_is_refused_by_name(name):
    with pytest.raises(TypeError, match=f"{name} must have one row for each of 3 labels, got "):
        LabelReport(**GOOD, **{name: iter("abc")})


@pytest.mark.parametrize("name", ["row", "given_label", "quality", "id"])
def test_decisions_survive_a_file_whatever_the_rows_are_called(no_warning_of_a_poor_model, name):
    # a column of that name would come first in the file, and be read in place of the row, say
    y = np.array([0, 0, 1, 1] * 5)
    proba = np.tile([[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]], (5, 1))
    X = pd.DataFrame({"x": y}, index=pd.Index(np.arange(20)[::-1], name=name))
    report = LabelReport(y, proba, X=X, ids=[f"i{row}" for row in range(20)])
    pd.testing.assert_frame_equal(X.loc[report.issues.index], X.iloc[report.issues["row"]], check_names=False)
    decided = report.issues.assign(decision="accept", report=report.fingerprint)
    np.testing.assert_array_equal(report.apply(io.StringIO(decided.to_csv())), report.apply(decided))
    X.index = pd.MultiIndex.from_arrays([X.index, X.index], names=["of", name])
    assert LabelReport(y, proba, X=X, ids=range(20)).issues.index.names == ["of", None]


@pytest.mark.parametrize(
    "pred_probs",
    [
        [[0.9, 0.1, 0.0]] * 3,
        [[0.9, np.nan]] * 3,
        [[0.9, 0.5]] * 3,
        [[2.0, -1.0]] * 3,
        [0.9, 0.5, 0.1],
        pd.DataFrame(GOOD["proba"], columns=["a", "b"]),
        [["a", "b"]] * 3,
    ],
    ids=["columns", "NaN", "sums", "negative", "one axis", "names", "texts"],
)
def test_probabilities_that_an_audit_is_given_are_refused_by_the_name_they_have_there(pred_probs):
    with pytest.raises(ValueError, match=r"\bpred_probs\b.*(got|NaN|shape|numbers)"):
        audit_labels(None, None, GOOD["y"], pred_probs=pred_probs)
