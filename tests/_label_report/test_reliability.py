"""What a noise rate is worth: intervals, and a word where the model is too often wrong."""

import warnings

import numpy as np
import pytest

from sklabelnoise._label_report._reliability import _given_among_surest, noise_intervals, reliability_of
from sklabelnoise.audit import LabelReport
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix


def evidence(rate, n=2000, n_classes=5, seed=0, error=0.0):
    """Given labels, and a model that is right but for a share of its least sure half."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    y = corrupt_labels(truth, symmetric_transition_matrix(n_classes, rate), random_state=seed)
    sure = rng.uniform(0.5, 0.99, n)
    errs = (sure < 0.745) & (rng.random(n) < 2 * error)
    predicted = np.where(errs, (truth + 1) % n_classes, truth)
    proba = np.repeat((1 - sure)[:, None] / (n_classes - 1), n_classes, axis=1)
    proba[np.arange(n), predicted] = sure
    return y, proba, np.mean(y != truth)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.2, 0.4])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_a_right_model_is_reliable_and_its_interval_holds(rate, n_classes):
    held, good = [], []
    for seed in range(20):
        y, proba, true_rate = evidence(rate, n_classes=n_classes, seed=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a rise of 1.25 standard errors comes by chance, too
            report = LabelReport(y, proba)
        good.append(report.reliability == "good")
        assert good[-1] == (report.reliability_reason == "")
        low, high = report.noise_rate_interval
        assert 0 <= low <= report.noise_rate <= high <= 1
        held.append(low <= true_rate <= high)
    assert np.mean(held) >= 0.9
    assert np.mean(good) >= 0.75


def test_an_interval_is_narrower_where_there_are_more_rows():
    widths = [np.diff(noise_intervals(*evidence(0.2, n=n)[:2], 0.2)[0])[0] for n in (200, 2000, 20_000)]
    assert widths[0] > 2 * widths[1] > 2 * widths[2] * 2**0.5


def test_no_wrong_label_among_few_rows_leaves_room_for_some():
    y, proba, _ = evidence(0.0, n=60)
    low, high = LabelReport(y, proba).noise_rate_interval
    assert low == 0 and 3 / 60 < high < 0.2


def test_where_the_surest_rows_are_the_noisiest_the_interval_reaches_below_the_estimate_all_the_same():
    predicted, sure = np.tile([0, 1], 200), np.repeat(np.linspace(0.99, 0.6, 200), 2)
    wrong = (np.arange(400) < 100) & (np.arange(400) // 2 % 5 < 2)  # in the surest quarter two of five, else none
    proba = np.where(predicted[:, None] == [0, 1], sure[:, None], 1 - sure[:, None])
    low, high = noise_intervals(predicted ^ wrong, proba, 0.2)[0]
    assert 0.1 < low < 0.17 and 0.22 < high < 0.3


def test_errors_of_an_unsure_model_widen_the_interval_downwards():
    y, proba, true_rate = evidence(0.1, error=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        report = LabelReport(y, proba)
    right = LabelReport(*evidence(0.1)[:2])
    assert report.noise_rate_interval[0] < right.noise_rate_interval[0] - 0.02
    assert report.noise_rate_interval[0] <= true_rate <= report.noise_rate_interval[1]


def test_a_model_that_guesses_is_worth_nothing_and_says_so():
    rng = np.random.default_rng(0)
    y, proba = rng.integers(0, 5, 2000), rng.dirichlet(np.ones(5), 2000)
    with pytest.warns(UserWarning, match="too often wrong for its estimates of label noise to mean anything"):
        report = LabelReport(y, proba)
    assert report.reliability == "none"
    assert repr(report).endswith("noise rate unknown: the model is too often wrong to tell)")
    shown = report._repr_html_()
    assert "unknown" in shown and "cannot be told" in shown and f"{report.noise_rate:.1%}" not in shown


def test_a_model_that_errs_where_it_is_unsure_is_a_rough_guide():
    rng = np.random.default_rng(0)
    n = 4000
    truth = rng.integers(0, 5, n)
    sure = rng.uniform(0.3, 1, n)
    predicted = np.where(rng.random(n) < sure**0.4, truth, (truth + 1) % 5)
    proba = np.where(np.eye(5)[predicted] == 1, sure[:, None], (1 - sure[:, None]) / 4)
    reliability, reason = reliability_of(truth, proba, 0.1)
    assert reliability == "rough" and "probably less than it says" in reason
    with pytest.warns(UserWarning, match="more than a rough estimate"):
        report = LabelReport(truth, proba)
    assert repr(report).endswith("a rough estimate)")
    assert "rough estimate" in report._repr_html_()


def test_noise_of_many_classes_and_few_rows_is_no_reason_to_warn():
    warned = sum(
        reliability_of(*evidence(0.2, n=150, n_classes=10, seed=seed)[:2], 0.2)[0] != "good" for seed in range(40)
    )
    assert warned <= 40 * 0.1


def test_a_row_that_weighs_more_than_all_that_are_wanted_stands_for_them():
    shares = _given_among_surest(np.array([[50.0, 1.0, 1.0]]), np.array([1, 0, 0]), 2)
    np.testing.assert_allclose(shares[0], [[0, 1], [0, 1], [0, 1], [2 / 52, 50 / 52]])


def test_the_interval_of_the_matrix_is_that_of_its_rows():
    y, proba, _ = evidence(0.2)
    report = LabelReport(y, proba)
    low, high = report.transition_matrix_interval
    assert (low <= report.transition_matrix + 1e-9).all() and (report.transition_matrix <= high + 1e-9).all()
    true = symmetric_transition_matrix(5, 0.2)
    assert ((low <= true) & (true <= high)).mean() > 0.8


def test_the_interval_of_a_share_holds_ninety_five_of_a_hundred():
    error = np.sqrt(0.2 * 0.8 / 2_000)  # of the surest half
    evidence = ranked([0.2] * 4, n=4_000)
    widths = [np.subtract(*noise_intervals(*evidence, 0.2, random_state=s)[1][::-1])[0] / 2 for s in range(20)]
    np.testing.assert_allclose(np.mean(widths, axis=0) / error, 1.96, atol=0.06)


def test_a_class_that_nobody_is_predicted_as_has_no_interval():
    proba = np.tile([0.6, 0.3, 0.1], (30, 1))
    _, (low, high) = noise_intervals(np.arange(30) % 3, proba, 0.6)
    np.testing.assert_array_equal(low[1:], np.eye(3)[1:])
    np.testing.assert_array_equal(high[1:], np.eye(3)[1:])


@pytest.mark.parametrize("always_contradicted", [False, True])
def test_many_classes_are_counted_as_few_are(always_contradicted, monkeypatch):
    y, proba, _ = evidence(0.2, n=400, n_classes=6 if always_contradicted else 60)
    if always_contradicted:
        y[proba.argmax(axis=1) == 5] = 2
    intervals, reliability = noise_intervals(y, proba, 0.2), reliability_of(y, proba, 0.2)
    monkeypatch.setattr("sklabelnoise._label_report._reliability._FEW_CLASSES", 1)
    for found, expected in zip(noise_intervals(y, proba, 0.2), intervals, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    assert reliability_of(y, proba, 0.2) == reliability


def ranked(rates, n=40_000):
    """Rows predicted as the first of two classes, the surest first; these shares of the labels are wrong in the surest
    tenth, from there to the quarter, from there to the half, and in the rest."""
    sizes = (np.diff([0, 0.1, 0.25, 0.5, 1]) * n).round().astype(int)
    y = np.concatenate([np.diff(np.floor(rate * np.arange(m + 1))) for rate, m in zip(rates, sizes, strict=True)])
    sure = np.linspace(0.99, 0.6, n)
    return y.astype(int), np.column_stack([sure, 1 - sure])


def test_a_rise_counts_against_the_room_that_wrong_labels_leave_for_errors():
    # From 30 % among the surest quarter to 31.2 % among the half: .012 of the .4 that chance leaves, 3 % of errors.
    assert reliability_of(*ranked([0.3, 0.3, 0.324, 0.324]), 0.29)[0] == "rough"
    assert reliability_of(*ranked([0.3, 0.3, 0.316, 0.316]), 0.29)[0] == "good"  # 2 %


def test_of_fewer_rows_a_rise_by_more_standard_errors_is_asked_for():
    said = [reliability_of(*ranked([0.2, 0.2, 0.3, 0.3], n=n), 0.2)[0] for n in (400, 600, 800, 2_000)]
    assert said == ["good", "good", "rough", "rough"]


def test_an_estimate_means_nothing_only_where_both_it_and_the_error_are_large():
    small, large = ranked([0.3, 0.3, 0.324, 0.324]), ranked([0.3, 0.3, 0.324, 0.5])
    said = [reliability_of(*shown, rate)[0] for shown in (small, large) for rate in (0.29, 0.35)]
    assert said == ["rough", "rough", "rough", "none"]


@pytest.mark.parametrize("noise_rate", [0.2, 0.47])
def test_a_warning_says_how_many_labels_are_contradicted_and_how_many_of_the_surest_tenth(noise_rate):
    reason = reliability_of(*ranked([0.2, 0.4, 0.5, 0.6]), noise_rate)[1]  # .02 + .06 + .125 + .3
    assert reason.startswith("The predictions disagree with 50% of the given labels, ")
    assert " 20% of those where they are surest" in reason


def test_the_shares_of_few_rows_are_of_ten_at_least():
    given = np.repeat([0, 1], [6, 34])
    shares = _given_among_surest(np.ones((1, 40), dtype=np.float32), given, 2)
    np.testing.assert_allclose(shares[0, :, 0], [0.6, 0.6, 0.3, 0.15])
    of_eight = _given_among_surest(np.ones((1, 8), dtype=np.float32), given[:8], 2)
    np.testing.assert_allclose(of_eight[0, :, 0], 0.75)


def test_a_share_that_is_no_whole_number_of_rows_is_rounded_up():
    shares = _given_among_surest(np.ones((1, 45), dtype=np.float32), np.repeat([0, 1], [6, 39]), 2)
    np.testing.assert_allclose(shares[0, :, 0], [6 / 10, 6 / 12, 6 / 23, 6 / 45])  # 11.25 and 22.5


def test_no_interval_is_narrower_for_labels_that_are_right_where_the_model_is_unsure():
    lower = [noise_intervals(*ranked([0.2, 0.2, 0.2, rest], 4000), 0.2)[0][0] for rest in (0.2, 0.0)]
    assert lower[0] == lower[1] < 0.2


def test_intervals_are_of_shares():
    assert noise_intervals(*ranked([1, 1, 1, 1], 400), 1.0)[0] == (1, 1)
    low, high = noise_intervals(*evidence(0.05, n=300)[:2], 0.05)[1]
    assert low.min() == 0 and high.max() == 1
    assert (low <= high).all()


def test_an_interval_reaches_down_to_what_the_surest_rows_allow():
    """Of the surest tenth one in twenty is wrong, of all others one in five: so much of that may be the model's."""
    n, rng = 4000, np.random.default_rng(0)
    truth = np.arange(n) % 2
    sure = rng.permutation(np.linspace(0.6, 0.99, n))
    wrong = rng.random(n) < np.where(sure > np.quantile(sure, 0.9), 0.05, 0.2)
    proba = np.where(np.arange(2) == truth[:, None], sure[:, None], 1 - sure[:, None])
    low, high = noise_intervals(np.where(wrong, 1 - truth, truth), proba, wrong.mean())[0]
    assert 0.02 < low < 0.06 < 0.15 < high < 0.25


def test_the_same_report_has_the_same_interval():
    y, proba, _ = evidence(0.2)
    low, high = LabelReport(y, proba).noise_rate_interval
    assert low < high
    assert LabelReport(y, proba).noise_rate_interval == (low, high)


@pytest.mark.parametrize(("n_doubted", "said"), [(2, "some wrong labels are not in the list"), (600, "probably right")])
def test_the_number_of_doubted_labels_and_the_rate_are_put_together(n_doubted, said):
    y, proba, _ = evidence(0.1)
    report = LabelReport(y, proba)
    report.issues = report.issues.sample(n_doubted, replace=True, random_state=0)
    assert said in report._repr_html_()


def test_nothing_more_is_said_where_they_agree():
    report = LabelReport(*evidence(0.1)[:2])
    low, high = report.noise_rate_interval
    for n_doubted in (round(low * 2000) + 1, round(high * 2000) - 1):
        report.issues = report.issues.sample(n_doubted, replace=True, random_state=0)
        said = report._repr_html_()
        assert "not in the list" not in said and "probably right" not in said
