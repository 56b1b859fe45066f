"""One call from data to report."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from sklabelnoise._foundation._types import (
    ArrayLike,
    CrossValidation,
    Estimator,
    Labels,
    RandomState,
    RowsByNumber,
    SparseMatrix,
)
from sklabelnoise._label_report._audit import audit
from sklabelnoise._label_report._report import LabelReport
from sklabelnoise.audit._default_classifier import with_default_classifier


def audit_labels(
    estimator: Estimator | None,
    X: ArrayLike | SparseMatrix | list[Any] | RowsByNumber | None,
    y: ArrayLike | str | None = None,
    *,
    display: ArrayLike | list[Any] | RowsByNumber | None = None,
    ids: ArrayLike | None = None,
    evidence: Literal["auto", "fit", "out_of_fold"] = "auto",
    pred_probs: ArrayLike | None = None,
    classes: Labels | None = None,
    cv: CrossValidation = 5,
    groups: ArrayLike | None = None,
    n_jobs: int | None = None,
    random_state: RandomState = None,
    verbose: int = 0,
) -> LabelReport:
    """Find the labels to doubt, and how much noise there is, with any classifier.

    Parameters
    ----------
    estimator : classifier, Pipeline or None
        The classifier whose opinion counts; it is cloned, unless it is a `NoisyLabelClassifier` (or a Pipeline that
        ends in one) that was fitted to these labels already. It needs `predict_proba`. None takes the classifier of
        this package that needs no settings, after a preparation that suits the rows. With `pred_probs` it must be None.

    X : array-like of shape (n_samples, ...), frame, sparse array, list, Dataset or None
        What the classifier is fitted to: numbers, a frame of any library, texts, images, a torch Dataset or
        ImageFolder, or a data set of Hugging Face. A Dataset is handed as it is to the networks of this package, to
        other classifiers as an array of its inputs. Of paths of images the default classifier reads the images; other
        classifiers get the paths. With `pred_probs` it may be None.

    y : array-like of shape (n_samples,), str or None, default=None
        The given labels. None takes those of a Dataset, named by its classes; a str is the column of labels in a data
        set of Hugging Face.

    display : array-like of shape (n_samples, ...), list, Dataset or None, default=None
        What a person sees of each row where that is not `X`: texts, images, paths of images or a frame, while `X` holds
        embeddings, say.

    ids : array-like of shape (n_samples,), default=None
        What the rows are called where they come from. Those of a folder of images are its paths.

    evidence : {"auto", "fit", "out_of_fold"}, default="auto"
        * "out_of_fold" fits `cv` times, so that no row is judged by a model that saw its label.
        * "fit" fits once and takes what the model says about its training rows, for the networks of this package their
          mean prediction over all epochs. That ranks labels well if the model does not memorize wrong ones; but what it
          has memorized it cannot count, so the noise is estimated from two more fits, to one half of the rows each.
        * "auto" takes "fit" for the classifiers of this package (also as the last step of a Pipeline), other than plain
          cross entropy, and "out_of_fold" for all others. Those that predict rows they have not seen while they are
          fitted, as the label refinery, are fitted once and asked for these predictions.

    pred_probs : array-like or DataFrame of shape (n_samples, n_classes), default=None
        Out-of-fold probabilities that are at hand already, as cleanlab takes them; nothing is fitted then. The columns
        of a frame are found by name.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the columns of `pred_probs`. None takes the sorted labels of `y`.

    cv : int, splitter or iterable, default=5
        Folds of "out_of_fold", and of the default classifier. An int means as many stratified, shuffled folds.

    groups : array-like of shape (n_samples,), default=None
        The patient, say, of whom each row is: rows of one group stay on the same side of every split, in the folds, the
        halves, and the folds within a `NoisyLabelClassifier`, a label refinery or a `DMClassifierCV`. A classifier that
        was fitted already is fitted again.

    n_jobs : int, default=None
        Folds (or halves) fitted at the same time.

    random_state : int, RandomState instance or None, default=None
        Determines the folds that an int `cv` makes, the halves of "fit", and the default classifier. Any other
        classifier has its own.

    verbose : int, default=0
        1 shows one progress bar over all fits, with the time that remains; more shows those of single fits of the
        classifiers of this package as well.

    Returns
    -------
    report : LabelReport

    Raises
    ------
    ValueError
        If rows and labels do not fit each other, a row cannot be read (the message says which), or there is an
        estimator beside `pred_probs`.

    TypeError
        If `estimator` has no `predict_proba`.

    Warns
    -----
    UserWarning
        If the model is too often wrong for its estimates of label noise to mean much, or `cv` is given where no rows
        are left out by it.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklabelnoise.audit import audit_labels
    >>> X, y = load_iris(return_X_y=True)
    >>> y[:3] = 1  # three flowers that are not versicolor
    >>> report = audit_labels(LogisticRegression(max_iter=500), X, y, random_state=0)
    >>> report.issues["row"].head(3).sort_values().tolist()
    [0, 1, 2]
    """
    return audit(
        estimator,
        X,
        y,
        display=display,
        ids=ids,
        evidence=evidence,
        pred_probs=pred_probs,
        classes=classes,
        cv=cv,
        groups=groups,
        n_jobs=n_jobs,
        random_state=random_state,
        verbose=verbose,
        default=partial(with_default_classifier, random_state=random_state),
    )
