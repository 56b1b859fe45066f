"""What an audit found, what a reviewer decided, and the labels that follow."""

import hashlib
import os

import numpy as np
import pandas as pd

from sklabelnoise._foundation._whole_files import write_whole
from sklabelnoise.audit._evidence import check_evidence
from sklabelnoise.audit._issues import find_label_issues
from sklabelnoise.audit._transition import estimate_noise


class LabelReport:
    """Labels to doubt, the noise among them, and the way from a review to corrected labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The given labels.

    proba : array-like of shape (n_samples, n_classes)
        Probabilities of the classes.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the columns of `proba`. None takes the sorted labels of `y`.

    X : array-like of shape (n_samples, ...) or list of str, default=None
        What a reviewer is shown: images, texts or the values of a table. Kept, not copied.

    in_sample : bool, default=False
        Whether `proba` comes from a model that was fitted to these rows and is trusted not to have memorised wrong
        labels: every label that it contradicts is then to doubt.

    noise_proba : array-like of shape (n_samples, n_classes), default=None
        Out-of-fold probabilities to estimate the noise from. None takes `proba`, and where that is `in_sample` counts
        what the model contradicts.

    Attributes
    ----------
    issues : DataFrame
        Labels to doubt, the worst first, as :func:`find_label_issues` returns them.

    label_quality : ndarray of shape (n_samples,)
        Probability of each given label.

    transition_matrix : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    noise_rate : float
        Estimate of the share of wrong labels.

    classes : ndarray of shape (n_classes,)
        The labels in the order of columns and matrix rows.

    y : ndarray of shape (n_samples,)
        The given labels.

    proba : ndarray of shape (n_samples, n_classes)
        The evidence.

    X : same as the parameter

    fingerprint : str
        Identifies labels and suggestions, so that decisions about other data are refused.

    See Also
    --------
    audit_labels : Makes a report with any classifier.

    Examples
    --------
    >>> from sklabelnoise.audit import LabelReport
    >>> y = ["cat", "cat", "dog", "dog"]
    >>> report = LabelReport(y, [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]], in_sample=True)
    >>> report
    LabelReport(1 label to doubt among 4, noise rate 25.0%)
    >>> report.apply(report.issues.assign(decision="accept")).tolist()
    ['cat', 'dog', 'dog', 'dog']
    """

    def __init__(self, y, proba, *, classes=None, X=None, in_sample=False, noise_proba=None):
        self._codes, self.proba, self.classes = check_evidence(y, proba, classes)
        if X is not None and _n_rows(X) != len(self._codes):
            raise ValueError(f"X must have one row for each of {len(self._codes)} labels, got {_n_rows(X)}.")
        self.y = self.classes[self._codes]
        self.X = X
        self.in_sample = in_sample
        self.label_quality = self.proba[np.arange(len(self.y)), self._codes]
        which = "disagree" if in_sample else "confident"
        self.issues = find_label_issues(self.y, self.proba, which=which, classes=self.classes)
        method = "predictions" if in_sample and noise_proba is None else "anchor_sets"
        if noise_proba is None:
            noise_proba = self.proba
        else:
            noise_proba = check_evidence(y, noise_proba, self.classes)[1]
        self.transition_matrix, self.noise_rate = estimate_noise(self._codes, noise_proba, method)
        self.fingerprint = self._fingerprint()

    def __repr__(self):
        n = len(self.issues)
        doubted = f"{n} label{'' if n == 1 else 's'} to doubt among {len(self.y)}"
        return f"{type(self).__name__}({doubted}, noise rate {self.noise_rate:.1%})"

    def _fingerprint(self):
        digest = hashlib.sha256(repr(self.classes.tolist()).encode())
        digest.update(self._codes.astype("<i8").tobytes())
        digest.update(self.issues["row"].to_numpy("<i8").tobytes())
        suggested = pd.Index(self.classes).get_indexer(self.issues["suggested_label"])
        digest.update(suggested.astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def apply(self, decisions):
        """Labels after a review.

        Parameters
        ----------
        decisions : str, path-like, file or DataFrame
            The CSV file that the page of `to_html` downloads, or a DataFrame with columns ``row`` and ``decision``
            ("accept" or "reject" the suggestion of that row) and, so that decisions about other data are noticed,
            ``report`` (the fingerprint) or ``given_label``. Rows without a decision keep their label.

        Returns
        -------
        y_corrected : ndarray of shape (n_samples,)
            The given labels, with the suggested ones where they were accepted; same dtype.

        Raises
        ------
        ValueError
            If the decisions are about another data set or report, about rows that are no issues, contradict each
            other, or are neither "accept" nor "reject".
        """
        if not isinstance(decisions, pd.DataFrame):
            source = os.fspath(decisions) if isinstance(decisions, os.PathLike) else decisions
            decisions = pd.read_csv(source, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        self._check_decisions(decisions)
        rows = decisions["row"].astype(np.int64)
        accepted = rows[(decisions["decision"] == "accept").to_numpy()]
        suggested = self.issues.set_index("row")["suggested_label"]
        y_corrected = self.y.copy()
        y_corrected[accepted] = suggested.loc[accepted].to_numpy()
        return y_corrected

    def _check_decisions(self, decisions):
        missing = {"row", "decision"} - set(decisions.columns)
        if missing or not {"report", "given_label"} & set(decisions.columns):
            raise ValueError(
                "decisions must have the columns row, decision, and report or given_label, "
                f"got {list(decisions.columns)}."
            )
        if "report" in decisions and not (decisions["report"] == self.fingerprint).all():
            other = decisions["report"][decisions["report"] != self.fingerprint].iloc[0]
            raise ValueError(
                f"decisions belong to another data set or report: they name {other!r}, this is {self.fingerprint!r}."
            )
        undecided = ~decisions["decision"].isin(["accept", "reject"])
        if undecided.any():
            raise ValueError(
                f'A decision must be "accept" or "reject", got {decisions["decision"][undecided].iloc[0]!r}.'
            )
        rows = pd.to_numeric(decisions["row"], errors="coerce")
        unknown = ~rows.isin(self.issues["row"])
        if unknown.any():
            raise ValueError(
                f"decisions are about rows that are no issues of this report: {decisions['row'][unknown].iloc[0]!r}."
            )
        if rows.duplicated().any():
            raise ValueError(f"decisions name a row more than once: {int(rows[rows.duplicated()].iloc[0])}.")
        if "report" not in decisions:
            given = self.y[rows.astype(np.int64)]
            differs = decisions["given_label"].to_numpy() != given
            if differs.any():
                raise ValueError(
                    f"decisions belong to another data set: row {int(rows[differs].iloc[0])} was given "
                    f"{given[differs].tolist()[0]!r}, they say {decisions['given_label'][differs].iloc[0]!r}."
                )

    def to_cleanlab(self):
        """The evidence as cleanlab's functions take it.

        Returns
        -------
        arguments : dict
            ``labels``, integers from 0, and ``pred_probs``; for example
            ``cleanlab.filter.find_label_issues(**report.to_cleanlab())``.
        """
        return {"labels": self._codes, "pred_probs": self.proba}

    def to_html(self, path, *, title="Labels to doubt", max_issues=2000, image_shape=None):
        """Write a page on which a person accepts or rejects each suggestion.

        The page is one file that loads nothing from anywhere. It shows the noise rate, the transition matrix and the
        issues, with pictures, texts or the values of `X` that are least like others of the given class; they can be
        sorted, filtered and ticked, and the decisions downloaded as a CSV file for `apply`. Decisions are kept by the
        browser if the page is closed before that. Needs jinja2, and pillow for images (extra ``report``).

        Parameters
        ----------
        path : str or path-like
            Where to write it.

        title : str, default="Labels to doubt"
            Heading of the page.

        max_issues : int, default=2000
            The worst so many issues are shown.

        image_shape : tuple of int, default=None
            Shape of the pictures in the rows of a two-dimensional `X`, such as (8, 8) for digits.

        Returns
        -------
        path : same as the parameter
        """
        from sklabelnoise.audit._page import render_page  # jinja2 is an optional dependency

        page = render_page(self, title=title, max_issues=max_issues, image_shape=image_shape)
        write_whole(path, page.encode("utf-8"))
        return path


def _n_rows(X):
    return X.shape[0] if hasattr(X, "shape") else len(X)
