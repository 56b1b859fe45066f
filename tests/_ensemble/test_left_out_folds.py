"""Rows are left out one by one where they are rows of their own, and not with all that are equal by nature."""

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise._ensemble._distinct_rows import distinct_rows
from sklabelnoise._ensemble._left_out_folds import (
    dealt_folds,
    drawn_folds,
    given_folds,
    leave_out,
    of_distinct,
    repeat_by_nature,
)
from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix

pytestmark = pytest.mark.usefixtures("few_trees")

QUICK = ["kernel_ridge", "neighbors", "logistic_regression"]


def categories(n=300, n_columns=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, size=(n, n_columns))
    return X.astype(float), (X[:, :2].sum(axis=1) > 0).astype(int)


def with_noise(y, rate=0.3):
    return corrupt_labels(y, symmetric_transition_matrix(2, rate), random_state=0)


@pytest.mark.parametrize("n_columns", [1, 2, 4])
@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_a_table_of_few_categories_is_learned(n_columns, rate):
    """All rows that are equal were left out at once: predictions contradicted every label, right or wrong."""
    X, y = categories(500, n_columns)
    model = NoisyLabelClassifier(["extra_trees", *QUICK], random_state=0).fit(X, with_noise(y, rate))
    assert model.score(X, y) > 0.95
    assert abs(model.noise_rate_ - rate) < 0.07
    given_right = model.given_labels_ == y
    assert np.isin(np.flatnonzero(given_right), model.report().issues["row"]).mean() < 0.05


@pytest.mark.parametrize("seed", [1, 3])
def test_a_row_is_predicted_alike_among_few_and_among_many(seed):
    """Of rows at one distance some were asked first, all of one label, and which ones hung on how many came."""
    X, y = categories(500, 2, seed)
    model = NoisyLabelClassifier(["neighbors"], random_state=0).fit(X, with_noise(y))
    cells = np.unique(X, axis=0)
    alone = np.vstack([model.predict_proba(cell[None]) for cell in cells])
    for times in (1, 30, 200):
        np.testing.assert_allclose(model.predict_proba(np.repeat(cells, times, axis=0))[::times], alone, rtol=1e-9)
    assert model.score(X, y) == 1


def test_which_tables_repeat_by_nature():
    X, y = categories()
    rows = np.random.default_rng(0).normal(size=(300, 3))
    noisy = with_noise(y)
    assert repeat_by_nature(distinct_rows(X, y)) and repeat_by_nature(distinct_rows(X, noisy))
    assert not repeat_by_nature(distinct_rows(rows, noisy))
    for weight in (np.full(300, 10.0), np.full(300, 0.1), np.arange(300.0)):
        assert not repeat_by_nature(distinct_rows(rows, noisy, weight))
    # nothing of a parity can be learned of one row from the others, and there is no noise in it
    parity = np.random.default_rng(0).integers(0, 2, size=(500, 5)).astype(float)
    assert repeat_by_nature(distinct_rows(parity, parity.sum(axis=1).astype(int) % 2))
    # copies of rows have their labels
    assert not repeat_by_nature(distinct_rows(np.tile(rows, (10, 1)), np.tile(noisy, 10)))
    some = np.where(np.arange(300)[:, None] < 65, 0.0, rows)
    assert not repeat_by_nature(distinct_rows(some, noisy))
    some = np.where(np.arange(300)[:, None] < 85, 0.0, rows)
    assert repeat_by_nature(distinct_rows(some, noisy))


def test_other_tables_are_left_out_as_before():
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    distinct, splits, by_folds, repeats = leave_out(X, y, y, None, None, 5, 7)
    assert not by_folds and not repeats and np.array_equal(distinct.rows[distinct.of_row], np.arange(60))
    for (train, test), (own_train, own_test) in zip(splits, drawn_folds(y[distinct.rows], None, 5, 7), strict=True):
        assert np.array_equal(train, own_train) and np.array_equal(test, own_test)


@pytest.mark.parametrize("kind", ["none", "whole", "relative", "huge"])
@pytest.mark.parametrize("n_folds", [2, 5])
def test_rows_are_dealt_out_evenly_and_none_is_lost(kind, n_folds):
    X, y = categories()
    y = with_noise(y)
    rng = np.random.default_rng(1)
    weight = {
        "none": None,
        "whole": rng.integers(0, 6, size=len(y)).astype(float),
        "relative": rng.uniform(size=len(y)),
        "huge": rng.integers(1, 9, size=len(y)) * 1e300,
    }[kind]
    whole = distinct_rows(X, y, weight)
    parts, splits = dealt_folds(whole, y, weight, n_folds)
    assert len(splits) == n_folds
    # every part is left out once, and every row is a part of what it was
    assert np.array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(len(parts.rows)))
    for train, test in splits:
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(parts.rows)))
    weighs = whole.of_row >= 0
    assert np.array_equal(parts.of_row >= 0, weighs)
    assert np.array_equal(parts.rows[parts.of_row[weighs]], whole.rows[whole.of_row[weighs]])
    np.testing.assert_allclose(
        np.bincount(parts.rows, parts.weight, len(y)), np.bincount(whole.rows, whole.weight, len(y))
    )
    if kind == "none":  # a row is asked about in the fold that it was dealt to
        np.testing.assert_array_equal(np.bincount(parts.of_row, minlength=len(parts.rows)), parts.weight)
    if kind in ("none", "whole"):
        sizes = [[parts.weight[test][y[parts.rows[test]] == label].sum() for label in (0, 1)] for _, test in splits]
        assert np.ptp(sizes, axis=0).max() <= 1 and np.ptp(np.sum(sizes, axis=1)) <= 1


def test_weights_are_repetitions():
    X, y = categories(120)
    y = with_noise(y)
    times = np.random.default_rng(0).integers(0, 4, size=len(y))
    weighted = NoisyLabelClassifier(QUICK, random_state=0).fit(X, y, sample_weight=times)
    repeated = NoisyLabelClassifier(QUICK, random_state=0).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-10)
    assert weighted.noise_rate_ == pytest.approx(repeated.noise_rate_, rel=1e-10)


def test_the_order_of_rows_does_not_matter():
    X, y = categories(120)
    y = with_noise(y)
    order = np.random.default_rng(0).permutation(len(y))
    models = [NoisyLabelClassifier(QUICK, random_state=0).fit(X[rows], y[rows]) for rows in (slice(None), order)]
    np.testing.assert_allclose(models[0].predict_proba(X), models[1].predict_proba(X), rtol=1e-10)


def as_sets(splits):
    return {frozenset(test.tolist()) for _, test in splits}


GROUPS = np.arange(60) // 3


@pytest.mark.parametrize("cv, groups, n_folds", [
    (None, None, 5), (3, None, 3), (None, GROUPS, 5), (3, GROUPS, 3), (KFold(4, shuffle=True), None, 4),
], ids=str)  # fmt: skip
def test_folds_are_drawn_from_the_seed(cv, groups, n_folds):
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
    one, same, other = (leave_out(X, y, y, None, groups, cv, seed)[1] for seed in (1, 1, 2))
    assert as_sets(one) == as_sets(same) != as_sets(other)
    assert len(one) == n_folds


@pytest.mark.parametrize("cv", [GroupKFold(3), LeaveOneGroupOut()], ids=str)
def test_a_splitter_is_told_the_groups(cv):
    X, y, groups = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2, np.arange(60) // 15
    distinct, splits, by_folds, _ = leave_out(X, y, y, None, groups, cv, 0)
    assert by_folds
    for train, test in splits:
        own, others = groups[distinct.rows[test]], groups[distinct.rows[train]]
        assert not set(own) & set(others) and len(own) + len(others) == 60


@pytest.mark.parametrize("cv", [2, 3])
def test_equal_rows_are_dealt_out_to_as_many_folds_as_were_asked_for(cv):
    X, y = categories(120)
    _, splits, by_folds, repeats = leave_out(X, y, with_noise(y), None, None, cv, 0)
    assert by_folds and repeats and len(splits) == cv
    # of rows in groups nobody asks whether they are equal
    groups = np.arange(120) // 4
    assert leave_out(X, y, y, None, groups, cv, 0)[2:] == (True, False)


def test_as_many_rows_of_a_class_as_there_are_folds_are_one_in_each():
    codes = np.repeat([0, 1], 5)
    for seed in range(5):
        assert [codes[test].tolist() for _, test in drawn_folds(codes, None, 5, seed)] == [[0, 1]] * 5


def test_groups_that_leave_a_fold_nothing_to_learn_from_are_refused():
    codes, groups = np.zeros(8, dtype=int), np.array([0] * 7 + [1])
    with pytest.raises(ValueError, match=r"at least 2 different rows \(or groups\) .* got n_samples = 1"):
        drawn_folds(codes, np.zeros(8, dtype=int), 5, 0)
    for train, test in drawn_folds(codes, groups, 5, 0):
        assert not set(groups[train]) & set(groups[test]) and len(train) and len(test)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("sizes", [[1] * 6, [1, 2, 1, 1], [1, 1], [9, 1, 1]], ids=str)
def test_groups_of_so_few_rows_that_no_class_is_in_every_fold_are_left_out_one_after_the_other(n_classes, sizes):
    """scikit-learn makes stratified folds only where a class has as many rows as there are folds."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    codes = np.arange(len(groups)) % n_classes
    for cv in (None, 2, 4):
        splits = drawn_folds(codes, groups, cv, 0)
        assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(groups)))
        for train, test in splits:
            assert len(train) and not set(groups[train]) & set(groups[test])
            assert len(train) + len(test) == len(groups)
    X = np.random.default_rng(0).normal(size=(len(groups), 2))
    assert (
        NoisyLabelClassifier(["neighbors"], random_state=0).fit(X, codes, groups=groups).predict(X).shape
        == groups.shape
    )


def test_splits_of_all_rows_are_splits_of_those_that_weigh_and_each_of_them_once():
    X, codes = np.array([[0.0], [0.0], [1.0], [2.0], [3.0], [4.0]]), np.array([0, 0, 1, 0, 1, 0])
    distinct = distinct_rows(X, codes, np.array([1.0, 1, 1, 1, 1, 0]))
    rows = np.arange(6)
    splits = of_distinct([(rows[3:], rows[:3]), (rows[:3], rows[3:5]), (rows[:5], rows[5:])], distinct)
    assert [sorted(distinct.rows[test]) for _, test in splits] == [[0, 2], [3, 4]]
    assert [sorted(distinct.rows[train]) for train, _ in splits] == [[3, 4], [0, 2]]


def test_the_fold_of_each_row_is_that_which_leaves_it_out():
    y = np.arange(9) % 3
    splits, fold = given_folds(KFold(3), np.zeros((9, 1)), y, None, np.unique(y), None, 0)
    assert fold.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [test.tolist() for _, test in splits] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_copies_of_a_row_in_different_folds_of_the_user_are_rows_of_their_own():
    X, y = np.tile(np.random.default_rng(0).normal(size=(20, 2)), (2, 1)), np.tile(np.arange(20) % 2, 2)
    cv = [(np.arange(20, 40), np.arange(20)), (np.arange(20), np.arange(20, 40))]
    assert len(leave_out(X, y, y, None, None, cv, 0)[0].rows) == 40
    model = NoisyLabelClassifier(["neighbors", ("dummy", DummyClassifier())], cv=cv, random_state=0).fit(X, y)
    assert len(model.estimators_["neighbors"]) == len(model.estimators_["dummy"]) == 2
