"""What is measured of a fitted classifier, all of it against clean labels that no method has seen."""

import numpy as np
from sklearn.metrics import roc_auc_score


def calibration_error(y, proba, n_bins=15):
    """Expected calibration error of the predicted class, in bins of equal width."""
    confidence = proba.max(axis=1)
    correct = proba.argmax(axis=1) == y
    # ceil puts a confidence of 1 into the last bin, where floor would open one of its own
    bins = np.clip(np.ceil(confidence * n_bins).astype(int) - 1, 0, n_bins - 1)
    gap = np.bincount(bins, weights=confidence - correct, minlength=n_bins)
    return float(np.abs(gap).sum() / len(y))


def detection_auc(wrong, quality):
    """Area under the ROC curve of finding the wrong labels by low quality; None where all or no labels are wrong."""
    return float(roc_auc_score(wrong, -quality)) if 0 < wrong.sum() < len(wrong) else None


def measure(estimator, draw):
    """Everything a row says about one fitted classifier.

    Returns
    -------
    measures : dict
        ``test_accuracy`` and ``calibration_error`` on clean test rows; on the training rows ``label_recovery`` (share
        for which the true label is predicted), ``fitted_given`` (share for which the given label is predicted),
        ``memorised`` (the same among wrong labels only) and ``detection_auc`` (wrong labels found by a low
        probability of the given label).
    """
    test = aligned_proba(estimator, draw.X_test, draw.n_classes)
    train = aligned_proba(estimator, draw.X_train, draw.n_classes)
    predicted, wrong = train.argmax(axis=1), draw.y_given != draw.y_clean
    quality = train[np.arange(len(train)), draw.y_given]
    measures = {
        "test_accuracy": np.mean(test.argmax(axis=1) == draw.y_test),
        "calibration_error": calibration_error(draw.y_test, test),
        "label_recovery": np.mean(predicted == draw.y_clean),
        "fitted_given": np.mean(predicted == draw.y_given),
        "memorised": np.mean(predicted[wrong] == draw.y_given[wrong]) if wrong.any() else None,
        "detection_auc": detection_auc(wrong, quality),
    }
    return {name: None if value is None else round(float(value), 5) for name, value in measures.items()}


def aligned_proba(estimator, X, n_classes):
    """Probabilities with one column per class of the task; a class the training labels lack gets none."""
    proba = np.zeros((len(X), n_classes))
    proba[:, estimator.classes_] = estimator.predict_proba(X)
    return proba
