"""Audit: estimates against known noise and slow references, issues, and reports."""

import io
import time
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklabelnoise import StochasticLabelRefinery
from sklabelnoise.audit import (
    LabelReport,
    audit_labels,
    estimate_noise_rate,
    estimate_transition_matrix,
    find_label_issues,
)
from sklabelnoise.noise import (
    corrupt_labels,
    pair_flip_transition_matrix,
    realized_noise_rate,
    symmetric_transition_matrix,
)

METHODS = ["anchor_sets", "confident_joint", "anchor_points", "predictions"]


def random_evidence(n_samples=400, n_classes=5, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, n_classes, n_samples), rng.dirichlet(np.full(n_classes, 0.4), n_samples)


def separable_evidence(T, n_per_class=2000, seed=0):
    """What a perfect model of the given labels says: row y of T, moved a little so that no two rows are equal."""
    rng = np.random.default_rng(seed)
    y_clean = np.repeat(np.arange(len(T)), n_per_class)
    proba = T[y_clean] + rng.uniform(0, 1e-3, (len(y_clean), len(T)))
    return corrupt_labels(y_clean, T, random_state=seed), proba / proba.sum(axis=1, keepdims=True), y_clean


@pytest.fixture
def no_warning_of_a_poor_model():
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The predictions disagree with", category=UserWarning)
        yield


class TestEstimates:
    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("rate", [0.0, 0.2, 0.4])
    def test_a_perfect_model_reveals_the_matrix(self, method, rate):
        T = pair_flip_transition_matrix(4, rate)
        y, proba, _ = separable_evidence(T)
        # Five standard errors of the half of 2000 rows that anchor sets count; 0.001 is what the rows were moved by.
        bound = 5 * np.sqrt(T * (1 - T) / 1000) + 0.002
        assert (np.abs(estimate_transition_matrix(y, proba, method=method) - T) <= bound).all()

    @pytest.mark.parametrize("method", METHODS)
    def test_rows_sum_to_one(self, method, no_warning_of_a_poor_model):
        T = estimate_transition_matrix(*random_evidence(), method=method)
        np.testing.assert_allclose(T.sum(axis=1), 1, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("method", METHODS)
    def test_permuting_classes_permutes_the_matrix(self, method, no_warning_of_a_poor_model):
        y, proba = random_evidence()
        order = np.array([2, 0, 4, 1, 3])
        permuted = estimate_transition_matrix(np.argsort(order)[y], proba[:, order], method=method)
        expected = estimate_transition_matrix(y, proba, method=method)[np.ix_(order, order)]
        np.testing.assert_allclose(permuted, expected, rtol=0, atol=1e-12)

    def test_confident_joint_equals_a_slow_reference(self, no_warning_of_a_poor_model):
        y, proba = random_evidence()
        thresholds = [np.mean([proba[i, j] for i in range(len(y)) if y[i] == j]) for j in range(5)]
        counts = np.zeros((5, 5))  # given by true, equation 1 of Northcutt et al.
        for i in range(len(y)):
            claims = [j for j in range(5) if proba[i, j] >= thresholds[j]]
            if claims:
                counts[y[i], max(claims, key=lambda j: proba[i, j])] += 1
        joint = counts / counts.sum(axis=1, keepdims=True) * np.bincount(y)[:, None] / len(y)  # equation 3
        T = estimate_transition_matrix(y, proba, method="confident_joint")
        np.testing.assert_allclose(T, (joint / joint.sum(axis=0)).T, rtol=0, atol=1e-12)
        assert estimate_noise_rate(y, proba, method="confident_joint") == pytest.approx(1 - np.trace(joint))

    @pytest.mark.parametrize("rate", [0.1, 0.2, 0.3, 0.4])
    def test_noise_rate_of_a_real_fit_is_within_five_points(self, rate):
        X, y_clean = load_digits(return_X_y=True)
        y = corrupt_labels(y_clean, symmetric_transition_matrix(10, rate), exact_counts=True, random_state=0)
        cv = StratifiedKFold(5, shuffle=True, random_state=0)
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.05))
        proba = cross_val_predict(model, X, y, cv=cv, method="predict_proba")
        assert abs(estimate_noise_rate(y, proba) - rate) < 0.05

    def test_a_class_nobody_is_predicted_as_keeps_the_identity(self, no_warning_of_a_poor_model):
        proba = np.tile([0.6, 0.3, 0.1], (30, 1))
        T = estimate_transition_matrix(np.arange(30) % 3, proba)
        np.testing.assert_array_equal(T[1:], np.eye(3)[1:])

    def test_a_class_nobody_was_given_may_have_a_column(self, no_warning_of_a_poor_model):
        y, proba = random_evidence()
        y[y == 2] = 1
        for method in METHODS:
            T = estimate_transition_matrix(y, proba, classes=range(5), method=method)
            assert np.isfinite(T).all()

    def test_poor_models_are_warned_of(self):
        y, proba = random_evidence(2000)
        with pytest.warns(UserWarning, match=r"disagree with \d\d% of the given labels.*too often wrong"):
            estimate_noise_rate(y, proba)

    def test_a_model_that_is_wrong_where_it_is_unsure_is_warned_of(self):
        rng = np.random.default_rng(0)
        y = rng.integers(0, 5, 4000)
        sure = rng.uniform(0.3, 1, 4000)
        predicted = np.where(rng.uniform(size=4000) < sure, y, (y + 1) % 5)  # right as often as it says
        proba = np.where(np.eye(5)[predicted] == 1, sure[:, None], (1 - sure[:, None]) / 4)
        with pytest.warns(UserWarning, match="too often wrong"):
            estimate_noise_rate(y, proba)


class TestFindLabelIssues:
    def test_all_rows_are_ranked_by_their_quality(self):
        y, proba = random_evidence()
        issues = find_label_issues(y, proba, which="all")
        assert sorted(issues["row"]) == list(range(len(y)))
        assert issues["quality"].is_monotonic_increasing
        np.testing.assert_array_equal(issues["quality"], proba[issues["row"], y[issues["row"]]])
        assert find_label_issues(y, proba, which="all", rank_by="margin")["margin"].is_monotonic_increasing

    def test_equals_a_slow_reference(self):
        y, proba = random_evidence()
        issues = find_label_issues(y, proba, which="disagree").set_index("row")
        assert set(issues.index) == {i for i in range(len(y)) if proba[i].argmax() != y[i]}
        for i, issue in issues.iterrows():
            assert issue["suggested_label"] == proba[i].argmax()
            assert issue["margin"] == pytest.approx(proba[i, y[i]] - np.delete(proba[i], y[i]).max())

    def test_confident_issues_equal_those_of_cleanlab(self):
        # Recorded with cleanlab 2.9.0: find_label_issues(y, proba, filter_by="confident_learning").
        y, proba = random_evidence(40, 4, seed=3)
        expected = CLEANLAB_ISSUES
        assert sorted(find_label_issues(y, proba)["row"]) == expected
        assert set(expected) <= set(find_label_issues(y, proba, which="disagree")["row"])

    @pytest.mark.parametrize(
        "names", [["d", "a", "c", "b"], np.array([4, 1, 3, 2], dtype=object), [40, 10, 30, 20], [0.4, 0.1, 0.3, 0.2]]
    )
    def test_labels_keep_their_values(self, names):
        y, proba = random_evidence(40, 4)
        expected = find_label_issues(y, proba, which="all")
        issues = find_label_issues(np.asarray(names)[y], proba, which="all", classes=names)
        np.testing.assert_array_equal(issues["row"], expected["row"])
        np.testing.assert_array_equal(issues["given_label"], np.asarray(names)[expected["given_label"]])
        by_sorting = find_label_issues(np.asarray(names)[y], proba[:, np.argsort(names)], which="all")
        pd.testing.assert_frame_equal(by_sorting, issues)

    def test_arguments_are_left_alone(self):
        y, proba = random_evidence()
        before = proba.copy()
        find_label_issues(y, proba, which="all")
        np.testing.assert_array_equal(proba, before)

    def test_no_issue_is_an_empty_table(self):
        issues = find_label_issues([0, 1], np.eye(2))
        assert len(issues) == 0 and list(issues) == ["row", "given_label", "suggested_label", "quality", "margin"]

    def test_a_million_rows_take_seconds(self):
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
BAD = {
    "NaN": ({"proba": [[np.nan, 1], [0, 1], [0, 1]]}, "Input proba contains NaN"),
    "columns": ({"proba": np.full((3, 3), 1 / 3)}, "one column for each of the 2 labels of y, got 3 columns"),
    "columns and classes": ({"classes": [0, 1, 2]}, "one column for each of 3 classes, got 2"),
    "rows": ({"proba": [[0.9, 0.3], [0.2, 0.8], [0.5, 0.5]]}, r"Rows of proba must sum to 1, got 1.2 in row 0"),
    "negative": ({"proba": [[-0.5, 1.5], [0, 1], [0, 1]]}, "must hold probabilities, got values from -0.5 to 1.5"),
    "lengths": ({"y": [0, 1]}, "inconsistent numbers of samples"),
    "unknown": ({"classes": [1, 2]}, r"y must hold labels of the classes \[1, 2\] only, got \[0\]"),
    "missing": ({"y": np.array(["a", None, "b"], dtype=object)}, "y must not hold missing labels, got one in row 1"),
    "one class": ({"y": [1, 1, 1], "proba": [[1], [1], [1]]}, "needs at least 2 classes, got one class: 1"),
}


@pytest.mark.parametrize("function", [find_label_issues, estimate_noise_rate, LabelReport])
@pytest.mark.parametrize("name", BAD)
def test_bad_evidence_is_named(function, name):
    change, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        function(**GOOD | change)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: find_label_issues(**GOOD, which="some"), "which must be .* got 'some'"),
        (lambda: find_label_issues(**GOOD, rank_by="row"), "rank_by must be .* got 'row'"),
        (lambda: estimate_noise_rate(**GOOD, method="guess"), "method must be one of .* got 'guess'"),
        (lambda: LabelReport(**GOOD, X=[[0], [1]]), "X must have one row for each of 3 labels, got 2"),
        (lambda: audit_labels(None, [[0]], [0]), "needs at least 2 classes, got one class: 0"),
        (lambda: audit_labels(None, None, [0, 1]), "X must hold rows to fit the classifier to, got None"),
        (lambda: audit_labels(None, [[0], [1]]), "y must hold the labels, got None: only a Dataset brings its own"),
        (lambda: audit_labels(None, None, [0], evidence="none"), "evidence must be"),
        (lambda: audit_labels(LogisticRegression(), [[0]], [0], classes=[0]), "classes name the columns of pred_probs"),
    ],
)
def test_bad_parameters_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture
def noisy_blobs():
    X, y_clean = make_blobs(600, centers=6 * np.eye(3), random_state=0)
    y = corrupt_labels(y_clean, symmetric_transition_matrix(3, 0.2), random_state=0)
    return X, y, y_clean


class CountingFits(LogisticRegression):
    fits = 0

    def fit(self, X, y, sample_weight=None):
        type(self).fits += 1
        return super().fit(X, y, sample_weight)


class TestAuditLabels:
    def test_finds_the_wrong_labels_of_separable_classes(self, noisy_blobs):
        X, y, y_clean = noisy_blobs
        report = audit_labels(LogisticRegression(), X, y, random_state=0)
        everything = find_label_issues(y, report.proba, which="disagree")
        assert set(everything["row"]) == set(np.flatnonzero(y != y_clean))
        assert set(report.issues["row"]) <= set(everything["row"])
        y_corrected = report.apply(report.issues.assign(decision="accept"))
        np.testing.assert_array_equal(np.flatnonzero(y_corrected != y), sorted(report.issues["row"]))
        assert realized_noise_rate(y_clean, y_corrected) < 0.1 < realized_noise_rate(y_clean, y)
        # Half of the rows are counted: five standard errors.
        assert abs(report.noise_rate - realized_noise_rate(y_clean, y)) < 5 * np.sqrt(0.2 * 0.8 / 300)

    def test_other_classifiers_are_judged_out_of_fold(self, noisy_blobs):
        CountingFits.fits = 0
        report = audit_labels(CountingFits(), *noisy_blobs[:2], cv=4, random_state=0)
        assert CountingFits.fits == 4 and not report.in_sample
        folds = StratifiedKFold(4, shuffle=True, random_state=np.random.RandomState(0).randint(2**31 - 1))
        proba = cross_val_predict(LogisticRegression(), *noisy_blobs[:2], cv=folds, method="predict_proba")
        np.testing.assert_array_equal(report.proba, proba)

    def test_one_fit_on_demand(self, noisy_blobs):
        CountingFits.fits = 0
        report = audit_labels(CountingFits(), *noisy_blobs[:2], evidence="fit", random_state=0)
        assert CountingFits.fits == 3 and report.in_sample  # two of them to one half, for the noise

    def test_our_classifiers_are_judged_by_one_fit_also_in_a_pipeline(self, noisy_blobs):
        from sklabelnoise import DMClassifier, RobustLossClassifier

        X, y, y_clean = noisy_blobs
        model = DMClassifier(lam=1, beta=8, max_epochs=15, random_state=0)
        report = audit_labels(make_pipeline(StandardScaler(), model), X, np.array(["a", "b", "c"])[y], random_state=0)
        assert report.in_sample
        found = np.isin(np.arange(len(y)), report.issues["row"])
        assert np.mean(found == (y != y_clean)) > 0.97
        # Half of the rows are counted: five standard errors.
        assert abs(report.noise_rate - realized_noise_rate(y_clean, y)) < 5 * np.sqrt(0.2 * 0.8 / 300)
        plain = RobustLossClassifier(loss="cross_entropy", max_epochs=15, random_state=0)
        assert not audit_labels(plain, X, y, random_state=0).in_sample  # it memorises, so one fit is no evidence

    def test_memorised_labels_still_count_as_noise(self, noisy_blobs):
        X, y, y_clean = noisy_blobs
        tree = DecisionTreeClassifier(random_state=0)  # knows its training labels by heart
        report = audit_labels(tree, X, y, evidence="fit", random_state=0)
        assert len(report.issues) == 0
        assert report.noise_rate > 0.5 * realized_noise_rate(y_clean, y)

    def test_a_refinery_brings_its_own_out_of_fold_probabilities(self, noisy_blobs):
        X, y, _ = noisy_blobs
        refinery = StochasticLabelRefinery(LogisticRegression(), n_rounds=2, random_state=0)
        report = audit_labels(refinery, X, y)
        assert not report.in_sample
        np.testing.assert_array_equal(report.proba, refinery.fit(X, y).oof_proba_)

    def test_takes_the_probabilities_of_cleanlab_and_gives_them_back(self, noisy_blobs):
        X, y, _ = noisy_blobs
        report = audit_labels(LogisticRegression(), X, np.array(["a", "b", "c"])[y], random_state=0)
        arguments = report.to_cleanlab()
        np.testing.assert_array_equal(arguments["labels"], y)
        again = audit_labels(None, None, arguments["labels"], pred_probs=arguments["pred_probs"])
        np.testing.assert_array_equal(again.issues["row"], report.issues["row"])
        assert again.noise_rate == report.noise_rate


def decisions_csv(rows):
    return io.StringIO(pd.DataFrame(rows).to_csv(index=False))


class TestDecisions:
    @pytest.fixture
    def report(self, no_warning_of_a_poor_model):
        y = np.array(["cat", "dog", "cat", "cow"] * 10)
        proba = np.tile([[0.9, 0.05, 0.05], [0.9, 0.0, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], (10, 1))
        return LabelReport(y, proba[:, [0, 1, 2]], classes=["cat", "cow", "dog"])

    def test_only_accepted_suggestions_change_labels(self, report):
        row = report.issues["row"].tolist()
        decisions = {"report": report.fingerprint, "row": row[:3], "decision": ["accept", "reject", "accept"]}
        y = report.apply(decisions_csv(decisions))
        changed = np.flatnonzero(y != report.y)
        assert sorted(changed) == sorted([row[0], row[2]])
        assert y.dtype == report.y.dtype
        expected = report.issues.set_index("row").loc[changed, "suggested_label"]
        np.testing.assert_array_equal(y[changed], expected)

    def test_no_decision_changes_nothing(self, report):
        decisions = pd.DataFrame({"report": [], "row": [], "decision": []})
        np.testing.assert_array_equal(report.apply(decisions), report.y)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"report": "0123456789abcdef"}, "belong to another data set or report: they name '0123456789abcdef'"),
            ({"row": 0}, "about rows that are no issues of this report: '0'"),
            ({"row": "x"}, "about rows that are no issues of this report: 'x'"),
            ({"decision": "maybe"}, 'must be "accept", "reject", .* or "remove", got \'maybe\''),
        ],
    )
    def test_bad_decisions_are_named(self, report, change, message):
        row = int(report.issues["row"].iloc[0])
        good = {"report": report.fingerprint, "row": row, "decision": "accept"}
        with pytest.raises(ValueError, match=message):
            report.apply(decisions_csv([good | change]))

    def test_contradictions_are_named(self, report):
        row = int(report.issues["row"].iloc[0])
        both = {"report": report.fingerprint, "row": [row, row], "decision": ["accept", "reject"]}
        with pytest.raises(ValueError, match=f"name a row more than once: {row}"):
            report.apply(decisions_csv(both))

    def test_other_files_are_named(self, report):
        with pytest.raises(ValueError, match=r"must have the columns row, decision, .* got \['a', 'b'\]"):
            report.apply(io.StringIO("a,b\n1,2\n"))

    def test_given_labels_identify_a_table_without_fingerprint(self, report):
        decisions = report.issues.assign(decision="reject")
        np.testing.assert_array_equal(report.apply(decisions), report.y)
        decisions.iloc[0, decisions.columns.get_loc("given_label")] = "elephant"
        with pytest.raises(ValueError, match=r"another data set: row \d+ was given '\w+', they say 'elephant'"):
            report.apply(decisions)

    def test_other_labels_or_suggestions_have_another_fingerprint(self, report):
        other_y = report.y.copy()
        other_y[0] = "cow"
        assert LabelReport(other_y, report.proba, classes=report.classes).fingerprint != report.fingerprint
        assert LabelReport(report.y, report.proba, classes=report.classes).fingerprint == report.fingerprint


class TestNames:
    """Columns that are classes are found by name, in every function that takes probabilities."""

    def named(self, library="pandas"):
        y, proba = random_evidence(2000)
        labels = np.array(["ant", "bee", "cow", "dog", "eel"])[y]
        frame = pd.DataFrame(proba, columns=["ant", "bee", "cow", "dog", "eel"])
        if library != "pandas":
            pyarrow = pytest.importorskip("pyarrow")
            return labels, proba, pyarrow.Table.from_pandas(frame[["cow", "ant", "eel", "dog", "bee"]])
        return labels, proba, frame[["cow", "ant", "eel", "dog", "bee"]]

    @pytest.mark.parametrize("library", ["pandas", "pyarrow"])
    def test_in_any_order(self, library, no_warning_of_a_poor_model):
        y, proba, frame = self.named(library)
        pd.testing.assert_frame_equal(find_label_issues(y, frame), find_label_issues(y, proba))
        for method in METHODS:
            T = estimate_transition_matrix(y, frame, method=method)
            np.testing.assert_array_equal(T, estimate_transition_matrix(y, proba, method=method))
            assert estimate_noise_rate(y, frame, method=method) == estimate_noise_rate(y, proba, method=method)
        report, expected = LabelReport(y, frame, noise_proba=frame), LabelReport(y, proba, noise_proba=proba)
        np.testing.assert_array_equal(report.proba, expected.proba)
        assert report.noise_rate == expected.noise_rate and report.fingerprint == expected.fingerprint
        again = audit_labels(None, None, y, pred_probs=frame)
        assert again.fingerprint == expected.fingerprint

    def test_also_beyond_an_order_that_is_told(self, no_warning_of_a_poor_model):
        y, proba, frame = self.named()
        classes = ["eel", "dog", "cow", "bee", "ant"]
        report = LabelReport(y, frame, classes=classes)
        np.testing.assert_array_equal(report.proba, proba[:, ::-1])
        assert report.classes.tolist() == classes

    def test_a_class_that_nobody_was_given_has_its_column(self, no_warning_of_a_poor_model):
        y, _, frame = self.named()
        y[y == "cow"] = "ant"
        assert LabelReport(y, frame).classes.tolist() == ["ant", "bee", "cow", "dog", "eel"]

    def test_numbers_of_columns_are_no_names_of_other_labels(self):
        y, proba, _ = self.named()
        with pytest.raises(ValueError, match=r"must have columns named after the classes, .* got \[0, 1, 2, 3, 4\]"):
            find_label_issues(y, pd.DataFrame(proba))
        classes = ["ant", "bee", "cow", "dog", "eel"]
        issues = find_label_issues(y, pd.DataFrame(proba), classes=classes)
        pd.testing.assert_frame_equal(issues, find_label_issues(y, proba))

    @pytest.mark.parametrize("function", [find_label_issues, estimate_noise_rate, LabelReport])
    def test_a_class_without_a_column_is_named(self, function):
        y, _, frame = self.named()
        with pytest.raises(ValueError, match=r"labels .*\['cow'\]|got \['cow'\]"):
            function(y, frame.drop(columns="cow"))

    def test_rows_in_two_orders_are_refused(self):
        y, _, frame = self.named()
        y = pd.Series(y, index=[f"row {i}" for i in range(len(y))])
        frame = frame.set_index(y.index).sample(frac=1, random_state=0)
        with pytest.raises(ValueError, match=r"must have their rows in the same order.*Take proba.loc\[y.index\]"):
            find_label_issues(y, frame)


def test_a_confident_issue_has_a_class_that_is_more_probable(no_warning_of_a_poor_model):
    # Of the second row the class "b" is as probable as it is for its own labels, and yet less than the given one.
    y = np.array(["a", "a", "b", "b"])
    proba = np.array([[0.95, 0.05], [0.55, 0.45], [0.6, 0.4], [0.55, 0.45]])
    assert find_label_issues(y, proba)["row"].tolist() == []
    y, proba = random_evidence(2000)
    issues = find_label_issues(y, proba)
    assert len(issues) and (issues["margin"] < 0).all()
    assert set(issues["row"]) <= set(find_label_issues(y, proba, which="disagree")["row"])


def test_neighbors_are_rows_that_nobody_doubts_of_the_right_class(noisy_blobs):
    from sklabelnoise.audit._evidence import codes_of
    from sklabelnoise.audit._neighbors import neighbors_of

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


def test_a_report_in_a_notebook_is_compact_and_escaped(noisy_blobs):
    X, y, _ = noisy_blobs
    labels = np.array(["<b>a</b>", "b & c", '"d"'])[y]
    shown = audit_labels(LogisticRegression(), X, labels, random_state=0)._repr_html_()
    assert "<b>" not in shown and "&lt;b&gt;a&lt;/b&gt;" in shown
    assert shown.count("<tr>") == 11 and len(shown) < 20_000


def test_the_summary_counts_by_class(noisy_blobs):
    X, y, _ = noisy_blobs
    report = audit_labels(LogisticRegression(), X, np.array(["a", "b", "c"])[y], random_state=0)
    summary = report.summary()
    assert summary.index.tolist() == ["a", "b", "c"]
    assert summary["given"].sum() == len(y) and summary["doubted"].sum() == len(report.issues)
    assert summary["suggested"].sum() == len(report.issues)
    np.testing.assert_allclose(summary["noise_rate"], 1 - report.transition_matrix.diagonal())
    assert (summary["low"] <= summary["noise_rate"] + 1e-9).all()
    assert (summary["noise_rate"] <= summary["high"] + 1e-9).all()


@pytest.mark.parametrize(
    ("kind", "display"),
    [("issues", "LabelIssuesDisplay"), ("transition_matrix", "TransitionMatrixDisplay"), ("flow", "LabelFlowDisplay")],
)
def test_a_report_draws_its_displays(noisy_blobs, kind, display):
    import matplotlib.pyplot as plt

    report = audit_labels(LogisticRegression(), *noisy_blobs[:2], random_state=0)
    drawn = report.plot(kind)
    assert type(drawn).__name__ == display and drawn.figure_ is not None
    plt.close("all")
    with pytest.raises(ValueError, match=r"kind must be one of .* got 'pie'"):
        report.plot("pie")
