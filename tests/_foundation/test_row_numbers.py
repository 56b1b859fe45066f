"""What says how rows are split is checked where it comes in, whoever takes it."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from sklabelnoise import DMClassifier, DMClassifierCV, NoisyLabelClassifier, StochasticLabelRefinery
from sklabelnoise._foundation._row_numbers import check_folds, check_left_out_once, pairs_of_rows
from sklabelnoise.audit import audit_labels
from sklabelnoise.model_selection import FusedGridSearchCV, fused_cross_val_predict

N = 40
FIRST, LAST = np.arange(20), np.arange(20, 40)
X = np.random.default_rng(0).normal(size=(N, 2))
Y = np.arange(N) % 2
NET = partial(DMClassifier, max_epochs=1, random_state=0)

TAKERS = {
    "DMClassifierCV": lambda cv: DMClassifierCV(cv=cv, candidates=[(0, 0)], n_members=1, max_epochs=1).fit(X, Y),
    "refinery": lambda cv: StochasticLabelRefinery(LogisticRegression(), cv=cv, n_rounds=1).fit(X, Y),
    "ensemble": lambda cv: NoisyLabelClassifier(["logistic_regression"], cv=cv).fit(X, Y),
    "audit": lambda cv: audit_labels(LogisticRegression(), X, Y, cv=cv),
    "search": lambda cv: FusedGridSearchCV(NET(), {"lam": [0, 1]}, cv=cv, error_score="raise").fit(X, Y),
    "cross_val_predict": lambda cv: fused_cross_val_predict(NET(), X, Y, cv=cv),
}
NO_FOLDS = {
    "array of one number": np.array(3),
    "tensor": torch.tensor(3),
    "class": StratifiedKFold,
    "text": "5",
    "fraction": 3.0,
    "true": True,
    "none": 0,
    "one": 1,
    "numbers": [3],
    "array of numbers": np.array([3, 4]),
    "set": {3},
    "mapping": {"train": FIRST, "test": LAST},
    "texts": ["ab"],
    "triple": [(FIRST, LAST, FIRST)],
    "fractions": [(FIRST / 1.0, LAST / 1.0)],
    "no rows": [("a", "b")],
    "unlike lengths": [([[1], [2, 3]], LAST)],
    "two axes": [(FIRST[None], LAST)],
    "short mask": [(FIRST < 3, LAST)],
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("kind", NO_FOLDS)
def test_what_gives_no_folds_is_refused_by_name(taker, kind):
    with pytest.raises((TypeError, ValueError), match=r"(?i)'?\bcv\b'? .*got ") as refusal:
        TAKERS[taker](NO_FOLDS[kind])
    assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("taker", TAKERS)
def test_masks_negative_numbers_lists_and_series_are_rows(taker):
    wanted = [(FIRST, LAST), (LAST, FIRST)]
    mask = np.arange(N) < 20
    for given in (
        [(mask, ~mask), (~mask, mask)],
        [(FIRST - N, LAST - N), (LAST, FIRST)],
        [(FIRST.tolist(), LAST.tolist()), [LAST, FIRST]],
        [(pd.Series(FIRST), pd.Series(LAST)), (pd.Series(LAST), pd.Series(FIRST))],
        iter(wanted),
    ):
        TAKERS[taker](given)


def test_pairs_are_the_rows_whatever_they_are_given_as():
    mask = np.arange(N) < 20
    for given in ([(mask, ~mask)], [(FIRST - N, LAST)], [(FIRST.astype(np.uint8), LAST.tolist())]):
        ((train, test),) = pairs_of_rows(given, N)
        np.testing.assert_array_equal(train, FIRST)
        np.testing.assert_array_equal(test, LAST)


def test_an_audit_refuses_folds_that_judge_a_row_by_a_model_that_saw_it():
    with pytest.raises(ValueError, match=r"on none of its test rows\. Got 40 training rows and 40 test rows"):
        audit_labels(LogisticRegression(), X, Y, cv=[(np.arange(N), np.arange(N))])
    with pytest.raises(ValueError, match="on none of its test rows"):
        check_left_out_once(pairs_of_rows([(np.arange(N), np.arange(N))], N), N)


def test_numbers_splitters_and_iterables_are_folds():
    for cv in (None, 2, np.int64(3), StratifiedKFold(2), [(FIRST, LAST)], iter([(FIRST, LAST)])):
        check_folds(cv)


def test_the_class_of_a_splitter_is_told_from_a_splitter():
    with pytest.raises(TypeError, match=re.escape("got the class StratifiedKFold; StratifiedKFold() is a splitter.")):
        check_folds(StratifiedKFold)
