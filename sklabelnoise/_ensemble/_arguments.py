"""What `fit` was given, checked and as arrays."""

import numpy as np
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from sklabelnoise._compat import num_samples
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


def weights_of_classes(class_weight, classes):
    """The parameter `class_weight` as an array in the order of `classes`; "balanced" and None stay what they are."""
    if not isinstance(class_weight, dict):
        return class_weight
    known = set(classes.tolist())
    unknown = [label for label in class_weight if label not in known]
    # As scikit-learn's, weights of more classes are in order, as a fold may miss one; one name for another is not.
    if unknown and not known <= class_weight.keys():
        raise ValueError(f"class_weight must be about labels of y, got {unknown[0]!r}.")
    try:
        weights = np.array([class_weight.get(label, 1.0) for label in classes.tolist()], dtype=np.float64)
    except (TypeError, ValueError):  # texts, or whatever is no number
        weights = np.full(len(classes), np.nan)
    if not ((weights > 0) & np.isfinite(weights)).all():
        raise ValueError(f"class_weight must hold positive weights, all of them finite, got {class_weight!r}.")
    return weights


def as_rows(X):
    """Lists as arrays of objects or numbers, so that rows can be taken from them."""
    if hasattr(X, "__getitem__") and num_samples(X) and isinstance(X[0], str):
        rows = np.empty(len(X), dtype=object)
        rows[:] = X
        return rows
    return np.asarray(X)
