"""Labels, weights, groups and weights of classes are looked at before anything is fitted."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from sklabelnoise import NoisyLabelClassifier
from sklabelnoise._ensemble._arguments import checked_class_weight


class Expensive(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        raise AssertionError("fitted before the parameters were looked at")


@pytest.mark.parametrize("weight", ["two", np.inf, np.nan, 0, -1, None])
def test_weights_of_classes_are_looked_at_first(weight):
    with pytest.raises(ValueError, match=r"class_weight must hold (numbers|finite weights|positive weights), got "):
        NoisyLabelClassifier([("slow", Expensive())], class_weight={0: weight}).fit(np.eye(4), [0, 0, 1, 1])
    with pytest.raises(ValueError, match=r"class_weight must have keys of the classes \[0, 1\] only, got \[7\]"):
        NoisyLabelClassifier([("slow", Expensive())], class_weight={7: 1}).fit(np.eye(4), [0, 0, 1, 1])


def test_a_split_that_leaves_no_row_of_any_weight_to_learn_from_is_refused():
    rows = np.arange(8)
    cv = [(rows[:4], rows[4:]), (rows[4:], rows[:4])]
    weight = np.repeat([0.0, 1.0], 4)
    with pytest.raises(ValueError, match=r"must train on some rows .* Got 0 training rows .* in split 0"):
        NoisyLabelClassifier([("slow", Expensive())], cv=cv).fit(np.eye(8), [0, 1] * 4, weight)


def test_weights_of_classes_are_found_by_label_and_are_one_where_nothing_is_said():
    found = checked_class_weight({"c": 3.0, "a": 0.5}, np.array(["a", "b", "c"]))
    np.testing.assert_array_equal(found, [0.5, 1.0, 3.0])


def test_weights_of_more_classes_than_a_fold_shows_are_in_order_but_not_a_name_in_place_of_another():
    np.testing.assert_array_equal(checked_class_weight({0: 1.0, 1: 2.0, 2: 3.0}, np.array([0, 2])), [1.0, 3.0])
    with pytest.raises(ValueError, match=r"class_weight must have keys of the classes \[0, 2\] only, got \[1\]"):
        checked_class_weight({0: 1.0, 1: 2.0}, np.array([0, 2]))
