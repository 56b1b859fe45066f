"""A report class by class."""

import numpy as np
import pandas as pd

from sklabelnoise._label_report._evidence import as_column, codes_of


def table_of_classes(report):
    """One row a class, as `LabelReport.summary` describes it."""
    n_classes, codes = len(report.classes), report.to_cleanlab()["labels"]
    given = np.bincount(codes, minlength=n_classes)
    total = np.bincount(codes, weights=report.label_quality, minlength=n_classes)
    doubted = np.bincount(codes_of(report.issues["given_label"], report.classes), minlength=n_classes)
    suggested = np.bincount(codes_of(report.issues["suggested_label"], report.classes), minlength=n_classes)
    off = np.where(np.eye(n_classes, dtype=bool), 0, report.transition_matrix)
    names = as_column(report.classes, None)
    if names.dtype == np.float16:  # of which pandas has no index
        names = names.astype(np.float64)
    index = pd.Index(names, name="class", dtype=names.dtype)
    mistaken_for = pd.Series(report.classes[off.argmax(axis=1)], index=index, dtype=object)
    if report.transition_matrix_interval is None:
        low = high = np.full(n_classes, np.nan)
    else:
        high, low = (1 - ends.diagonal() for ends in report.transition_matrix_interval)
    with np.errstate(invalid="ignore"):  # of a class that nobody was given
        shares = doubted / given, total / given
    known, rate = is_predicted(report), 1 - report.transition_matrix.diagonal()
    rate, low, high = (np.where(known, part, np.nan) for part in (rate, low, high))
    return pd.DataFrame(
        {
            "given": given,
            "doubted": doubted,
            "share_doubted": shares[0],
            "suggested": suggested,
            "mean_quality": shares[1],
            "noise_rate": rate,
            "low": low,
            "high": high,
            "mistaken_for": mistaken_for.where(off.max(axis=1) > 0, np.nan),
        },
        index=index,
    )


def is_predicted(report):
    """Whether any row is predicted as each class; of others nothing is known, and the matrix has the identity's row."""
    return getattr(report, "_is_predicted", np.ones(len(report.transition_matrix), dtype=bool))  # version 0.1 had none
