"""What is measured of a fitted classifier, against clean labels that no method has seen."""

import numpy as np
from sklearn.metrics import recall_score

from sklabelnoise.metrics import detection_scores, expected_calibration_error, label_recovery, memorization_rate


def measure(estimator, draw):
    """Everything a row says about one fitted classifier.

    Returns
    -------
    measures : dict
        ``test_accuracy``, ``balanced_accuracy`` (mean recall over the classes that test rows have) and
        ``calibration_error`` on clean test rows; on the training rows ``fitted_given`` (share for which the given label
        is predicted) and, where some labels are wrong, ``label_recovery`` (of the predictions taken as corrected
        labels), ``memorised`` (share of the wrong labels predicted as given) and ``detection_auc`` (wrong labels found
        by a low probability of the given label). What is not defined is None.
    """
    test, train = (aligned_proba(estimator, X, draw.n_classes) for X in (draw.X_test, draw.X_train))
    predicted, wrong = train.argmax(axis=1), draw.y_given != draw.y_clean
    measures = {
        "test_accuracy": np.mean(test.argmax(axis=1) == draw.y_test),
        "balanced_accuracy": recall_score(
            draw.y_test, test.argmax(axis=1), labels=np.unique(draw.y_test), average="macro"
        ),
        "calibration_error": expected_calibration_error(draw.y_test, test, labels=np.arange(draw.n_classes), n_bins=15),
        "fitted_given": np.mean(predicted == draw.y_given),
        **dict.fromkeys(("label_recovery", "memorised", "detection_auc")),
    }
    if wrong.any():
        quality = train[np.arange(len(train)), draw.y_given]
        measures["label_recovery"] = label_recovery(draw.y_clean, draw.y_given, predicted)
        measures["memorised"] = memorization_rate(draw.y_clean, draw.y_given, predicted)
        measures["detection_auc"] = detection_scores(wrong, quality)["auc"]
    return {name: None if value is None else round(float(value), 5) for name, value in measures.items()}


def aligned_proba(estimator, X, n_classes):
    """Probabilities with one column per class of the task; a class the training labels lack gets none."""
    proba = np.zeros((len(X), n_classes))
    proba[:, estimator.classes_] = estimator.predict_proba(X)
    return proba
