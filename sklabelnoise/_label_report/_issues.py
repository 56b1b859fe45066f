"""Which given labels to doubt."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from sklabelnoise._foundation._types import ArrayLike, Labels
from sklabelnoise._label_report._evidence import as_column, check_evidence, confident_classes, row_names


def find_label_issues(
    y: Labels,
    proba: ArrayLike,
    *,
    which: Literal["confident", "disagree", "all"] = "confident",
    rank_by: Literal["quality", "margin"] = "quality",
    classes: Labels | None = None,
) -> pd.DataFrame:
    """Labels to doubt, the worst first.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The given labels.

    proba : array-like or DataFrame of shape (n_samples, n_classes)
        Probabilities of the classes: out-of-fold ones of any classifier (cleanlab's ``pred_probs``), or those of one
        fit that does not memorize wrong labels, as `DMClassifier` or `ProSelfLCClassifier`. The columns of a frame (of
        any library) are found by name, those of an array are in the order of the sorted labels.

    which : {"confident", "disagree", "all"}, default="confident"
        * "confident" lists rows for which another class is not only more probable than the given one, but at least as
          probable as it is, on average, for its own labels [1]_. Fewer right labels are doubted.
        * "disagree" lists rows for which any other class is more probable. Fewer wrong labels are missed.
        * "all" lists all rows.

    rank_by : {"quality", "margin"}, default="quality"
        Column to sort by, ascending.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the columns of `proba`. None takes the sorted labels of `y`.

    Returns
    -------
    issues : DataFrame
        One row an issue: ``row``, its position in `y`; ``given_label``; ``suggested_label``, the most probable class
        (of those that qualify); ``quality``, the probability of the given label; ``margin``, what it is ahead of the
        most probable other class, negative for labels that the model does not believe. Its index is that of `y` (or
        else of `proba`) where that is pandas', so that ``X.loc[issues.index]`` are the rows in doubt, and the position
        of the row where it is not.

    Raises
    ------
    ValueError
        If labels and probabilities do not fit each other, or if columns have names that are no classes.

    References
    ----------
    .. [1] Northcutt, Jiang and Chuang: "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021.

    Examples
    --------
    >>> from sklabelnoise.audit import find_label_issues
    >>> y = ["cat", "cat", "dog", "dog"]
    >>> proba = [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6]]
    >>> find_label_issues(y, proba)
       row given_label suggested_label  quality  margin
    1    1         cat             dog      0.2    -0.6
    """
    if which not in ("confident", "disagree", "all"):
        raise ValueError(f'which must be "confident", "disagree" or "all", got {which!r}.')
    if rank_by not in ("quality", "margin"):
        raise ValueError(f'rank_by must be "quality" or "margin", got {rank_by!r}.')
    given = proba
    codes, proba, classes = check_evidence(y, proba, classes)
    names = row_names(given, y)
    if which == "confident":
        suggested = confident_classes(codes, proba)
        position = np.arange(len(codes))
        # A class that claims a row may still be less probable there than the given one, which is not sure enough to.
        rows = np.flatnonzero((suggested >= 0) & (proba[position, suggested] > proba[position, codes]))
    else:
        suggested = proba.argmax(axis=1)
        rows = np.arange(len(codes)) if which == "all" else np.flatnonzero(suggested != codes)
    codes, suggested, proba = codes[rows], suggested[rows], proba[rows]
    position = np.arange(len(rows))
    quality = proba[position, codes]
    proba[position, codes] = -np.inf  # a copy since its rows were taken
    issues = pd.DataFrame(
        {
            "row": rows,
            "given_label": as_column(classes[codes], names[rows]),
            "suggested_label": as_column(classes[suggested], names[rows]),
            "quality": quality,
            "margin": quality - proba.max(axis=1, initial=-np.inf),
        },
        index=names[rows],
    )
    return issues.sort_values(rank_by, kind="stable")
