"""Folds that partition the rows, drawn anew for every round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, StratifiedKFold

from sklabelnoise._label_refinery._splits import FoldDrawer

N = 60
Y = np.arange(N) % 3
CLASSES = np.arange(3)


def drawer(cv=5, groups=None, classes=CLASSES, y=Y, **kwargs):
    return FoldDrawer(cv, np.zeros((len(y), 2)), y, groups, classes=classes, **kwargs)


def same(splits, others):
    return all(np.array_equal(a[1], b[1]) for a, b in zip(splits, others, strict=True))


@settings(max_examples=30, deadline=None)
@given(cv=st.integers(2, 6), seed=st.integers(0, 2**31 - 1), grouped=st.booleans(), stratified=st.booleans())
def test_every_row_is_asked_about_exactly_once_by_a_model_that_has_not_seen_its_group(cv, seed, grouped, stratified):
    groups = np.arange(N) // 4 if grouped else np.arange(N)
    splits = drawer(cv, groups if grouped else None, CLASSES if stratified else None).draw(1, seed)
    assert len(splits) == cv
    assert sorted(np.concatenate([test for _, test in splits]).tolist()) == list(range(N))
    for train, test in splits:
        assert not set(groups[train]) & set(groups[test])


def test_an_integer_stratifies():
    for _, test in drawer(5).draw(1, 0):
        assert np.bincount(Y[test]).tolist() == [4, 4, 4]


def test_rounds_differ_and_seeds_repeat():
    folds = drawer()
    assert same(folds.draw(1, 0), folds.draw(1, 0))
    assert not same(folds.draw(1, 0), folds.draw(2, 1))


def test_without_resplit_the_first_partition_stays():
    folds = drawer(resplit=False)
    assert same(folds.draw(1, 0), folds.draw(2, 1))


def test_a_shuffling_splitter_is_reseeded_every_round():
    folds = drawer(KFold(4, shuffle=True))
    assert not same(folds.draw(1, 0), folds.draw(2, 1))
    assert same(folds.draw(1, 0), list(KFold(4, shuffle=True, random_state=0).split(Y)))


def test_a_seeded_splitter_decides_its_folds_itself():
    splitter = StratifiedKFold(4, shuffle=True, random_state=7)
    folds = drawer(splitter)
    assert same(folds.draw(1, 0), list(splitter.split(Y, Y)))
    assert same(folds.draw(2, 0), folds.draw(2, 1))
    assert not same(folds.draw(1, 0), folds.draw(2, 0))
    assert splitter.random_state == 7


def test_later_rounds_of_one_seed_are_not_rounds_of_the_next_seeds():
    of_seed = [drawer(KFold(4, shuffle=True, random_state=seed)) for seed in (7, 8, 9)]
    rounds = [folds.draw(number, 0) for folds in of_seed for number in (1, 2, 3)]
    assert not any(same(one, other) for i, one in enumerate(rounds) for other in rounds[:i])


def test_a_splitter_that_does_not_shuffle_and_an_iterable_are_reused():
    fixed = list(KFold(4).split(Y))
    for cv in (KFold(4), fixed, iter(fixed)):
        folds = drawer(cv)
        assert same(folds.draw(1, 0), fixed)
        assert same(folds.draw(2, 1), fixed)


def test_boolean_masks_are_splits_too():
    mask = np.arange(N) < 20
    splits = drawer([(mask, ~mask), (~mask, mask)]).draw(1, 0)
    assert [len(test) for _, test in splits] == [40, 20]


@pytest.mark.parametrize(("rarest", "n_folds"), [(1, 2), (2, 2), (4, 4), (30, 5)])
def test_auto_uses_as_few_folds_as_the_rarest_class_needs(rarest, n_folds):
    y = np.array([0] * 30 + [1] * 30 + [2] * rarest)
    assert len(drawer("auto", y=y).draw(1, 0)) == n_folds


def test_rows_without_weight_neither_count_nor_crowd_out_those_that_do():
    y = np.array([0] * 50 + [1] * 50)
    weight = np.where(np.arange(100) % 50 < 4, 1.0, 0.0)
    splits = drawer("auto", y=y, classes=np.arange(2), sample_weight=weight).draw(1, 0)
    for _, test in splits:
        assert np.bincount(y[test], weights=weight[test]).tolist() == [1, 1]
    with pytest.raises(ValueError, match="Got 4 rows of class 0"):
        drawer(5, y=y, classes=np.arange(2), sample_weight=weight)


def test_groups_without_weight_are_not_counted():
    groups = np.arange(N) // 10
    weight = np.where(groups % 2, 1.0, 0.0)
    assert len(drawer("auto", groups, sample_weight=weight).draw(1, 0)) == 3
    with pytest.raises(ValueError, match="Got 3 different groups"):
        drawer(5, groups, sample_weight=weight)


def test_a_class_with_fewer_rows_than_folds_is_named():
    y = np.array(["x"] * 30 + ["rare"] * 3)
    with pytest.raises(ValueError, match=r"cv=5 needs .*Got 3 rows of class rare .*cv='auto' uses fewer"):
        drawer(5, y=y, classes=np.array(["rare", "x"]))


def test_too_few_groups_are_named():
    with pytest.raises(ValueError, match="Got 3 different groups"):
        drawer(5, groups=np.arange(N) // 20)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (ShuffleSplit(3, random_state=0), "must partition the 60 rows: each row in exactly one"),
        ([(np.arange(30), np.arange(30, 60))], "Got 30 rows in none, 0 in several"),
        ([(np.arange(50, 60), np.arange(50)), (np.arange(30), np.arange(30, 60))], "Got 0 rows in none, 20 in several"),
        ([(np.arange(60), np.arange(60))], "and on none of its test rows. Got 60 training rows and 60 test rows among"),
        ([(np.arange(0), np.arange(60))], "must train on some rows .* Got 0 training rows"),
        ([(np.arange(30), np.arange(30, 61)), (np.arange(30, 60), np.arange(30))], "1 row numbers out of range"),
        ([(np.arange(30), np.arange(-70, -40)), (np.arange(30, 60), np.arange(30))], "10 row numbers out of range"),
        ([(np.arange(30, 61), np.arange(30))], "Got 30 rows in none"),
        (
            [(np.arange(30, 61), np.arange(30)), (np.arange(30), np.arange(30, 60))],
            "must train on rows below 60. Got row 60 in split 0",
        ),
        ([(np.arange(60), []), (np.arange(30), np.arange(30, 60))], "Got 30 rows in none"),
        ([], "Got 60 rows in none"),
    ],
)
def test_splits_that_do_not_partition_are_refused(cv, message):
    with pytest.raises(ValueError, match=message):
        drawer(cv).draw(1, 0)


def test_from_rows_without_weight_nothing_is_learned():
    cv = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    with pytest.raises(ValueError, match=r"must train on some rows .* Got 0 training rows .* in split 1"):
        drawer(cv, sample_weight=1.0 * (np.arange(N) < 30)).draw(1, 0)


def test_negative_row_numbers_count_from_the_end():
    cv = [(np.arange(-30, 0), np.arange(-60, -30)), (np.arange(30), np.arange(30, 60))]
    (train, test), _ = drawer(cv).draw(1, 0)
    np.testing.assert_array_equal(train, np.arange(30, 60))
    np.testing.assert_array_equal(test, np.arange(30))


def test_a_splitter_that_tears_groups_apart_is_refused():
    groups = np.arange(N) // 4
    with pytest.raises(ValueError, match=r"Got group . on both sides of split 0 of 'cv'; use a group splitter"):
        drawer(KFold(7), groups).draw(1, 0)
    assert len(drawer(GroupKFold(3), groups).draw(1, 0)) == 3


def test_rows_without_columns_are_counted_as_well():
    texts = np.array(["a", "b", "c", "d"], dtype=object)
    with pytest.raises(ValueError, match=r"Got 2 rows of class 0 \(n_samples=4\)"):
        FoldDrawer(3, texts, np.arange(4) % 2, None, classes=np.arange(2))
