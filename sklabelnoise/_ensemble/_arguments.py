"""What `fit` was given, checked and as arrays."""

import numpy as np
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from sklabelnoise._compat import num_samples
from sklabelnoise._foundation._classes import weights_of_classes
from sklabelnoise._foundation._given import as_labels, check_groups, check_weights


def check_labels(X, y, sample_weight, groups):
    """Labels, weights and groups for each row of X; groups as numbers."""
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    y = as_labels(y)
    check_consistent_length(X, y)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    y = column_or_1d(y, warn=True)
    if sample_weight is not None:
        sample_weight = check_weights(sample_weight, len(y))
    if groups is not None:
        groups = np.unique(check_groups(groups, len(y)), return_inverse=True)[1]
    return y, sample_weight, groups


def checked_class_weight(class_weight, classes):
    """The parameter `class_weight` as an array in the order of `classes`; "balanced" and None stay what they are."""
    if not isinstance(class_weight, dict):
        return class_weight
    weights = weights_of_classes(class_weight, classes)
    if (weights <= 0).any():
        raise ValueError(f"class_weight must hold positive weights, got {class_weight!r}.")
    return weights


def as_rows(X):
    """Lists as arrays of objects or numbers, so that rows can be taken from them."""
    if hasattr(X, "__getitem__") and num_samples(X) and isinstance(X[0], str):
        rows = np.empty(len(X), dtype=object)
        rows[:] = X
        return rows
    return np.asarray(X)
