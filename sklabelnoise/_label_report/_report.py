"""What an audit found, what reviewers decided, and the labels that follow."""

from __future__ import annotations

import os
from numbers import Number
from typing import IO, Any, Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._classes import in_type_of
from sklabelnoise._foundation._counts import check_count, is_number
from sklabelnoise._foundation._extras import needed
from sklabelnoise._foundation._given import as_labels, check_same_rows, of_tensor
from sklabelnoise._foundation._paths import local_file
from sklabelnoise._foundation._types import ArrayLike, Labels, RowsByNumber
from sklabelnoise._foundation._whole_files import write_whole
from sklabelnoise._label_report._decisions import REMOVE, UNSURE, decided_rows, fingerprint_of
from sklabelnoise._label_report._evidence import check_evidence, row_names
from sklabelnoise._label_report._issues import find_label_issues
from sklabelnoise._label_report._reliability import ROUGH, noise_intervals
from sklabelnoise._label_report._report_display import ReportDisplay
from sklabelnoise._label_report._statement import rate_in_words
from sklabelnoise._label_report._table_of_classes import table_of_classes
from sklabelnoise._label_report._transition import estimate_noise


class LabelReport:
    """Labels to doubt, the noise among them, and the way from a review to corrected labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        The given labels.

    proba : array-like or DataFrame of shape (n_samples, n_classes)
        Probabilities of the classes. The columns of a frame (of any library) are found by name.

    classes : array-like of shape (n_classes,), default=None
        The labels in the order of the columns of `proba`. None takes the sorted labels of `y`.

    X : array-like of shape (n_samples, ...), list of str or Dataset, default=None
        The rows, as a classifier takes them. Kept, not copied.

    in_sample : bool, default=False
        Whether `proba` comes from a model that was fitted to these rows and is trusted not to have memorized wrong
        labels: every label that it contradicts is then to doubt.

    noise_proba : array-like or DataFrame of shape (n_samples, n_classes), default=None
        Out-of-fold probabilities to estimate the noise from. None takes `proba`, and where that is `in_sample` counts
        what the model contradicts.

    display : array-like of shape (n_samples, ...), list or Dataset, default=None
        What a person sees of each row where that is not `X`: texts, images, paths of images or a table, while `X` holds
        embeddings, say. None shows `X`.

    ids : array-like of shape (n_samples,), default=None
        What the rows are called where they come from: they stand in the column ``id`` of `issues` and on the page.

    Attributes
    ----------
    issues : DataFrame
        Labels to doubt, the worst first, as :func:`find_label_issues` returns them, with a column ``id`` if there are
        `ids`. Its index is that of `X`, so that ``X.loc[report.issues.index]`` are these rows (positions, where `X` and
        `y` are not pandas').

    label_quality : ndarray of shape (n_samples,)
        Probability of each given label.

    noise_rate : float
        Estimate of the share of wrong labels.

    noise_rate_interval : tuple of float
        Its 95 % interval: of drawing the rows (bootstrap), and downwards also of the errors that the model makes.

    transition_matrix : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    transition_matrix_interval : ndarray of shape (2, n_classes, n_classes)
        Lower and upper ends of its 95 % interval, of drawing the rows.

    reliability : {"good", "rough", "none"}
        What both estimates are worth. "rough": the model errs where it is unsure, so the truth is probably towards the
        lower end of the interval. "none": the model is too often wrong for a number to mean anything.

    reliability_reason : str
        Why, in a sentence; empty if it is "good".

    classes : ndarray of shape (n_classes,)
        The labels in the order of columns and matrix rows.

    y : ndarray of shape (n_samples,)
        The given labels.

    proba : ndarray of shape (n_samples, n_classes)
        The evidence.

    X, display, ids : same as the parameters

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
    LabelReport(1 label to doubt among 4, noise rate 25.0% (0.9% to 100.0%))
    >>> report.apply(report.issues.assign(decision="accept")).tolist()
    ['cat', 'dog', 'dog', 'dog']
    """

    X: Any
    display: Any
    ids: Any

    issues: pd.DataFrame
    label_quality: NDArray[Any]
    noise_rate: float
    noise_rate_interval: tuple[float, ...]
    transition_matrix: NDArray[Any]
    transition_matrix_interval: NDArray[Any]
    reliability: Literal["good", "rough", "none"]
    reliability_reason: str
    classes: NDArray[Any]
    y: NDArray[Any]
    proba: NDArray[Any]
    fingerprint: str

    def __init__(
        self,
        y: Labels,
        proba: ArrayLike,
        *,
        classes: Labels | None = None,
        X: ArrayLike | list[str] | RowsByNumber | None = None,
        in_sample: bool = False,
        noise_proba: ArrayLike | None = None,
        display: ArrayLike | list[Any] | RowsByNumber | None = None,
        ids: ArrayLike | None = None,
    ):
        check_same_rows(y=y, X=X, display=display, ids=ids, numbers=False)
        self._codes, self.proba, self.classes = check_evidence(y, proba, classes)
        for name, rows in (("X", X), ("display", display), ("ids", ids)):
            no_rows = not hasattr(rows, "__len__") or getattr(rows, "shape", None) == ()
            if rows is not None and (no_rows or isinstance(rows, Number | str | bytes)):
                raise TypeError(f"{name} must have one row for each of {len(self._codes)} labels, got {rows!r}.")
            if rows is not None and _n_rows(rows) != len(self._codes):
                raise ValueError(
                    f"{name} must have one row for each of {len(self._codes)} labels, got {_n_rows(rows)}."
                )
        self.y = in_type_of(as_labels(y), self.classes)[self._codes]
        self.X = X
        self.display = display
        self.ids = None if ids is None else _one_a_row(ids)
        self.in_sample = in_sample
        self.label_quality = self.proba[np.arange(len(self.y)), self._codes]
        which = "disagree" if in_sample else "confident"
        issues = find_label_issues(self.y, self.proba, which=which, classes=self.classes)
        if ids is not None:
            issues.insert(1, "id", self.ids[issues["row"]])
        self.issues = with_index(issues, row_names(y, X)[issues["row"]])
        method = "predictions" if in_sample and noise_proba is None else "anchor_sets"
        if noise_proba is None:
            noise_proba = self.proba
        else:
            noise_proba = check_evidence(y, noise_proba, self.classes, argument="noise_proba")[1]
        self.transition_matrix, self.noise_rate, self.reliability, self.reliability_reason = estimate_noise(
            self._codes, noise_proba, method
        )
        self.noise_rate_interval, self.transition_matrix_interval = noise_intervals(
            self._codes, noise_proba, self.noise_rate
        )
        self._is_predicted = np.isin(np.arange(len(self.classes)), noise_proba.argmax(axis=1))
        self.fingerprint = fingerprint_of(self._codes, self.issues, self.classes)

    def __setstate__(self, state):
        self.__dict__.update(state)
        if "reliability" not in state:  # pickled by version 0.1
            self.display = self.ids = self.noise_rate_interval = self.transition_matrix_interval = None
            self.reliability = ROUGH
            self.reliability_reason = "Version 0.1 did not say what its estimates of label noise are worth."
            self.issues = with_index(self.issues, row_names(self.y, self.X)[self.issues["row"]])

    def __repr__(self):
        n = len(self.issues)
        doubted = f"{n} label{'' if n == 1 else 's'} to doubt among {len(self.y)}"
        return f"{type(self).__name__}({doubted}, {rate_in_words(self)})"

    def _repr_html_(self):
        from sklabelnoise._label_report._notebook import summary_html

        return summary_html(self)

    @property
    def fingerprints(self) -> set[str]:
        """What decisions about this report may call it: version 0.1 had no letter in front."""
        return {self.fingerprint, self.fingerprint.removeprefix("r")}

    def summary(self) -> pd.DataFrame:
        """The report by class.

        Returns
        -------
        summary : DataFrame
            One row a class, its index the classes: ``given``, the rows with that label; ``doubted``, those of them in
            `issues`, and ``share_doubted``; ``suggested``, the issues for which it is the suggestion; ``mean_quality``
            of the label where it was given; ``noise_rate``, the estimated share of the rows that are truly of this
            class and were given another label, with the interval ``low`` to ``high``, all three missing for a class
            that no row is predicted as; and ``mistaken_for``, the label that they were given most often (missing where
            no other was).

        Examples
        --------
        >>> from sklabelnoise.audit import LabelReport
        >>> y = ["cat", "cat", "dog", "dog"]
        >>> report = LabelReport(y, [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]], in_sample=True)
        >>> report.summary()[["given", "doubted", "suggested", "mistaken_for"]]
               given  doubted  suggested mistaken_for
        class
        cat        2        1          0          NaN
        dog        2        0          1          cat
        """
        return table_of_classes(self)

    def plot(self, kind: Literal["issues", "transition_matrix", "flow"] = "issues", **kwargs: Any) -> ReportDisplay:
        """Draw the report.

        Parameters
        ----------
        kind : {"issues", "transition_matrix", "flow"}, default="issues"
            * "issues": the worst labels to doubt, a `LabelIssuesDisplay`.
            * "transition_matrix": which classes are mistaken for which, a `TransitionMatrixDisplay`.
            * "flow": what accepting every suggestion would change, a `LabelFlowDisplay`.

        **kwargs
            Passed to the display's ``plot``.

        Returns
        -------
        display : LabelIssuesDisplay, TransitionMatrixDisplay or LabelFlowDisplay
        """
        if kind not in ReportDisplay.of_kind:
            raise ValueError(f"kind must be one of {sorted(ReportDisplay.of_kind)}, got {kind!r}.")
        return ReportDisplay.of_kind[kind].from_report(self).plot(**kwargs)

    @overload
    def apply(
        self,
        decisions: str
        | os.PathLike[str]
        | IO[str]
        | pd.DataFrame
        | list[str | os.PathLike[str] | IO[str] | pd.DataFrame],
        *,
        unsure_weight: float = 0.5,
    ) -> NDArray[Any]: ...

    @overload
    def apply(
        self,
        decisions: str
        | os.PathLike[str]
        | IO[str]
        | pd.DataFrame
        | list[str | os.PathLike[str] | IO[str] | pd.DataFrame],
        *,
        unsure_weight: float = 0.5,
        return_rows: Literal[True],
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]: ...

    def apply(
        self,
        decisions: str
        | os.PathLike[str]
        | IO[str]
        | pd.DataFrame
        | list[str | os.PathLike[str] | IO[str] | pd.DataFrame],
        *,
        unsure_weight: float = 0.5,
        return_rows: bool = False,
    ) -> NDArray[Any] | tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Labels after a review.

        Parameters
        ----------
        decisions : str, path-like, file, DataFrame, or list of these
            CSV files that the page of `to_html` downloads, of one reviewer or of several, also after a spreadsheet has
            saved them (with semicolons, numbers such as 7.0, or as .xlsx, which needs openpyxl). Or a DataFrame, of
            other libraries too, with columns ``row`` and ``decision`` and, so that decisions about other data are
            noticed, ``report`` (the fingerprint) or ``given_label``. A decision is "accept" (the suggestion), "reject"
            (the given label stays), "relabel" (to the class in the column ``label``), "unsure" or "remove". Rows
            without a decision keep their label.

        unsure_weight : float, default=0.5
            Weight of rows that a reviewer was unsure of.

        return_rows : bool, default=False
            Whether to return which rows to keep and their weights beside the labels.

        Returns
        -------
        y_corrected : ndarray of shape (n_samples,)
            The given labels, corrected where reviewers said so; same dtype.

        keep : ndarray of bool of shape (n_samples,)
            False for rows to remove. Only with `return_rows`.

        sample_weight : ndarray of shape (n_samples,)
            One, `unsure_weight` for rows that a reviewer was unsure of, zero for rows to remove. Only with
            `return_rows`.

        Raises
        ------
        ValueError
            If the decisions are about another data set or report, about rows that are no issues, contradict each
            other, or are none of these words.

        Warns
        -----
        UserWarning
            If rows are to be removed or weighted, and only labels are returned.

        Examples
        --------
        >>> from sklabelnoise.audit import LabelReport
        >>> y = ["cat", "cat", "dog", "dog"]
        >>> report = LabelReport(y, [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7]], in_sample=True)
        >>> y_corrected, keep, weight = report.apply(report.issues.assign(decision="remove"), return_rows=True)
        >>> keep.tolist()
        [True, False, True, True]
        """
        if not is_number(unsure_weight) or not 0 <= unsure_weight <= 1:
            raise ValueError(f"unsure_weight must be from 0 to 1, got {unsure_weight!r}.")
        decided = decided_rows(decisions, self)
        rows, words = decided["row"].to_numpy(), decided["decision"].to_numpy()
        codes = self._codes.copy()
        codes[rows] = decided["label"].to_numpy()
        y_corrected = in_type_of(self.y, self.classes)[codes]
        removed, unsure = rows[words == REMOVE], rows[words == UNSURE]
        if return_rows:
            keep, weight = np.ones(len(codes), dtype=bool), np.ones(len(codes))
            keep[removed], weight[removed], weight[unsure] = False, 0.0, unsure_weight
            return y_corrected, keep, weight
        if len(removed) or len(unsure):
            warn(
                f"The decisions remove {len(removed)} rows and are unsure of {len(unsure)}, which labels alone do not "
                "say: return_rows=True returns which rows to keep and their weights as well.",
            )
        return y_corrected

    def to_cleanlab(self) -> dict[Any, Any]:
        """The evidence as cleanlab's functions take it.

        Returns
        -------
        arguments : dict
            ``labels``, integers from 0 (a copy), and ``pred_probs``; for example
            ``cleanlab.filter.find_label_issues(**report.to_cleanlab())``.
        """
        return {"labels": self._codes.copy(), "pred_probs": self.proba}

    def to_html(
        self,
        path: str | os.PathLike[str],
        *,
        title: str = "Labels to doubt",
        max_issues: int = 2000,
        image_shape: tuple[int, ...] | None = None,
        image_size: int = 128,
    ) -> Any:
        """Write a page on which people review the suggestions.

        The page is one file that loads nothing from anywhere. It shows the noise rate, the transition matrix and the
        issues, with pictures, texts or the values that speak for the suggestion, and examples of both classes that are
        most alike. Each row takes one key or click: accept, keep, another class, unsure, remove; everything can be
        undone. Decisions are kept by the browser, merged with those of other reviewers, and downloaded as a CSV file
        for `apply`, or as tasks for Label Studio or Argilla. Needs jinja2, and pillow for images (extra ``report``).

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

        image_size : int, default=128
            Pixels of the longer side of a picture on the page; larger ones are scaled down.

        Returns
        -------
        path : same as the parameter
        """
        with needed("The page", "jinja2", extra="report"):
            from sklabelnoise._label_report._page import render_page

        file = local_file(path)
        max_issues = check_count("max_issues", max_issues, least=0)
        image_size = check_count("image_size", image_size, least=1)
        page = render_page(self, title=title, max_issues=max_issues, image_shape=image_shape, image_size=image_size)
        write_whole(file, page.encode("utf-8"))
        return path


def check_report(report):
    """Refuse what is no report.

    Raises
    ------
    TypeError
        Naming its type.
    """
    if not isinstance(report, LabelReport):
        raise TypeError(f"report must be a LabelReport, as audit_labels returns it, got {type(report).__name__}.")


def _one_a_row(ids):
    """Ids as an array of one dimension; those of several parts are tuples."""
    if isinstance(ids, list | tuple) and any(isinstance(name, tuple) for name in ids):
        names = np.empty(len(ids), dtype=object)
        names[:] = ids
        return names
    names = np.asarray(of_tensor(ids))
    if names.ndim != 1:
        raise ValueError(f"ids must hold one name for each row, such as a tuple of several, got shape {names.shape}.")
    return names


def _n_rows(rows):
    return rows.shape[0] if hasattr(rows, "shape") else len(rows)


def with_index(issues, index):
    """Issues by an index whose names are none of their columns: in a file both would be columns, the index first."""
    return issues.set_index(index.set_names([None if name in issues else name for name in index.names]))
