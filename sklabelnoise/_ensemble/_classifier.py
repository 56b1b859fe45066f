"""The classifier to call when labels are wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from sklabelnoise._compat import Interval, StrOptions, display_block, fit_context, safe_indexing
from sklabelnoise._ensemble._arguments import as_rows, check_labels, checked_class_weight
from sklabelnoise._ensemble._combination import clean_posterior
from sklabelnoise._ensemble._decision import learn_decision
from sklabelnoise._ensemble._distinct_rows import rows_digest
from sklabelnoise._ensemble._families import TrainingRows
from sklabelnoise._ensemble._fitting import fit_families
from sklabelnoise._ensemble._left_out_folds import folds_of_unseen, leave_out
from sklabelnoise._ensemble._members import families_of, has_own, needs_table, taken_by_all
from sklabelnoise._ensemble._one_thread import one_thread
from sklabelnoise._ensemble._saving import load_ensemble, save_ensemble
from sklabelnoise._ensemble._tables import table_of_candidates, table_of_members
from sklabelnoise._ensemble._views import MOST_STORED, Views
from sklabelnoise._foundation._checkpoint import Checkpoint
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._foundation._fitted_state import keeping_fitted_state
from sklabelnoise._foundation._given import check_same_rows, names_of_rows, of_tensor
from sklabelnoise._foundation._named_members import named_members, parameters_of, with_members
from sklabelnoise._foundation._numeric_columns import (
    check_is_rows,
    check_no_dataset,
    check_no_texts,
    check_numeric_columns,
    with_nan_for_na,
)
from sklabelnoise._foundation._seeds import draw_seed
from sklabelnoise._foundation._types import ArrayLike, CrossValidation, Labels, RandomState, RowsByNumber
from sklabelnoise._foundation._version import __version__
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._foundation._work import Work
from sklabelnoise._label_report._report import LabelReport, with_index


class NoisyLabelClassifier(ClassifierMixin, BaseEstimator):
    """The classifier to call when some labels are wrong and nobody knows which.

    Several families of classifiers are fitted to the given labels, each over a few settings, and predict every row by
    models that have not seen it. What the families agree on shows how labels go wrong: a transition matrix. The
    combination of the families [1]_ is weighted so that it predicts the given labels *through* that matrix [2]_, and
    therefore speaks of the clean ones. No clean label is needed, and nothing has to be tuned.

    Parameters
    ----------
    members : "auto" or list, default="auto"
        "auto" takes the families for tables of numbers: random forest, extra trees, kernel ridge regression, nearest
        neighbors, logistic regression, networks of this package with several robust losses, and boosted trees. Missing
        values (NaN) are welcome, and so are sparse rows, such as words weighted by TF-IDF (see Notes). A list may hold
        names of these ("random_forest", "extra_trees", "kernel_ridge", "neighbors", "logistic_regression", "networks",
        "boosting") and classifiers of your own as ``(name, estimator)`` or ``(name, estimator, grid)``, the grid as for
        ``ParameterGrid``; they need `predict_proba`. They learn the labels as they are, but XGBoost's and networks of
        skorch numbers from zero on, as they take nothing else. Networks of this package, for images and texts as
        well, are trained as one stack. Where all members are your own, the columns of a frame are found by name.
        Members of your own and their parameters are parameters of this one, as in scikit-learn's ensembles:
        ``set_params(forest__max_depth=3)``, ``{"forest__max_depth": [3, 10]}`` in a search, and ``forest=...`` for
        another estimator in its place, or "drop" for none. What the grid beside a member names is chosen from that
        grid, whatever the member has it set to.

    cv : int, splitter or iterable, default=5
        How rows are left out where a family has no cheaper way. An integer is the number of stratified, shuffled
        folds. With a splitter, an iterable of splits, or `groups` in `fit`, all families leave rows out by these folds
        and in no other way.

    combination : {"auto", "mean"}, default="auto"
        "auto" weights the families and corrects for the noise; "mean" averages their probabilities.

    class_weight : {"balanced"}, dict or None, default=None
        What a decision for each class is worth. "balanced" divides by the estimated share of each class among clean
        labels: for accuracy averaged over classes. It changes what is predicted of new rows, not how families are
        trained, nor what is estimated of the training rows and their noise: `oof_proba_`, `soft_labels_`,
        `label_quality_`, `noise_rate_` and reports.

    n_jobs : int, default=None
        Families fitted at the same time, in threads. The result does not depend on it.

    random_state : int, RandomState instance or None, default=None
        An integer gives the same bits in every fit on the same machine.

    verbose : int, default=0
        1 shows a progress bar with the remaining time.

    checkpoint : str or path-like, default=None
        Folder where finished pieces of the fit are kept, by member and fold; a fit that was killed and is called again
        with the same parameters (an integer `random_state` among them) and data goes on from there and ends with the
        same bits. The files hold pickled models: use a folder that nobody else writes to.

    time_limit : float, default=None
        Seconds after which no further piece of work begins; what began is finished, and so is the first member.
        Members that were not finished are missing in the combination, with a warning; `members_` says which. Of
        "networks" the short fits are a member without the longer ones.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    members_ : DataFrame
        One row a member: `family`, what it `sees` ("all columns", or so many components of them; "X" as you gave it to
        members of your own), `parameters` (the chosen setting), `score` (accuracy on given labels of rows left out),
        `weight` in the combination, `seconds`, and `status` ("used", or why the member is left out).

    candidates_ : DataFrame
        One row a setting that was tried: `family`, `parameters`, `brier` and `score` on given labels of rows left out,
        and whether it was `chosen`.

    oof_proba_ : ndarray of shape (n_samples, n_classes)
        Probabilities of the clean label of each training row by models that have not seen the row.

    soft_labels_ : ndarray of shape (n_samples, n_classes)
        Probabilities of the clean label of each training row when its given label is taken into account as well.

    label_quality_ : ndarray of shape (n_samples,)
        Probability of each given label in `oof_proba_`.

    given_labels_ : ndarray of shape (n_samples,)
        The labels it was fitted to.

    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimate of ``T[i, j] = P(given = j | true = i)``; rows sum to one.

    noise_rate_ : float
        Estimated share of wrong labels, by `transition_matrix_`.

    estimators_ : dict of str to list
        The fitted models of each member that is used; a member predicts by their mean.

    n_features_in_ : int
        Number of features, where X is a table.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had string column names.

    See Also
    --------
    DMClassifierCV : One network, its robustness chosen on the given labels.
    sklabelnoise.audit.audit_labels : The labels to doubt, with a page to review them.

    Notes
    -----
    Rows are left out by the cheapest exact means: forests by the trees that have not drawn a row, kernel ridge
    regression and nearest neighbors by closed forms, the rest by folds. Equal rows with equal labels are one row with a
    weight; whole `sample_weight` are repetitions. In a table of few categories equal rows are observations of their
    own: where a quarter of the rows have equal ones of another label, or at most 50 different rows come ten times
    each on average, they are dealt out to folds, and all families leave them out by these.

    Kernel ridge regression takes columns by their ranks, each in units of its spread, or all in one unit (pixels);
    boosted trees are damped, for wrong labels, or bold, for labels that are mostly right. Networks are trained briefly
    with several losses; where cross entropy is the best of these, there are few wrong labels to bear, and longer fits
    with smoothed labels [3]_ are tried as well. Left-out predictions choose.

    Sparse rows of more than 200 columns are never made dense: logistic regression sees all their columns, the other
    families the 100 leading components of a truncated singular value decomposition (latent semantic analysis; labels
    play no part in it). Of dense rows of more than 1,000 columns, networks and boosted trees see as many components.
    `members_` says what each of them saw.

    With two classes, where wrong labels leave little evidence of which family is right, a prior that counts as much as
    50 rows holds the weights near equal ones, and one class is taken to lose its labels more often than the other only
    where the difference is beyond three standard errors. A class that wins no row by votes, as one of a single row
    mostly does, is taken to lose its labels as often as all classes together.

    What keeps large data within minutes: kernel ridge regression has at most 1,500 landmarks; trees are grown on at
    most 20,000 drawn rows each, and beyond 10,000 rows there are 150 of them instead of 300. A member that is expected
    to take longer than all others together, and than two minutes, is left out; its row of `members_` says so.

    References
    ----------
    .. [1] Wolpert: "Stacked Generalization", Neural Networks 5, 1992.
    .. [2] Patrini et al.: "Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach", CVPR 2017.
    .. [3] Szegedy et al.: "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7.

    Examples
    --------
    >>> from sklearn.datasets import make_moons
    >>> from sklabelnoise import NoisyLabelClassifier
    >>> from sklabelnoise.noise import corrupt_labels, symmetric_transition_matrix
    >>> X, y_clean = make_moons(600, noise=0.2, random_state=0)
    >>> y = corrupt_labels(y_clean, symmetric_transition_matrix(2, 0.3), random_state=0)
    >>> model = NoisyLabelClassifier(random_state=0).fit(X[:200], y[:200])
    >>> bool(model.score(X[200:], y_clean[200:]) > 0.9)
    True
    """

    classes_: NDArray[Any]
    members_: pd.DataFrame
    candidates_: pd.DataFrame
    oof_proba_: NDArray[Any]
    soft_labels_: NDArray[Any]
    label_quality_: NDArray[Any]
    given_labels_: NDArray[Any]
    transition_matrix_: NDArray[Any]
    noise_rate_: float
    estimators_: dict[str, list[Any]]
    n_features_in_: int
    feature_names_in_: NDArray[Any]

    _parameter_constraints = {
        "members": [StrOptions({"auto"}), list, tuple],
        "cv": ["cv_object"],
        "combination": [StrOptions({"auto", "mean"})],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "checkpoint": [str, os.PathLike, None],
        "time_limit": [Interval(Real, 0, None, closed="both"), None],
    }

    def __init__(
        self,
        members: Literal["auto"] | list[Any] = "auto",
        *,
        cv: CrossValidation = 5,
        combination: Literal["auto", "mean"] = "auto",
        class_weight: Literal["balanced"] | dict[Any, Any] | None = None,
        n_jobs: int | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
        checkpoint: str | os.PathLike[str] | None = None,
        time_limit: float | None = None,
    ):
        self.members = members
        self.cv = cv
        self.combination = combination
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint
        self.time_limit = time_limit

    # Parameters

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those of members of your own included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the members in `members` as well, by their names, and their parameters, by names such as
            ``forest__max_depth``.

        Returns
        -------
        params : dict
            Parameter names and values.
        """
        own = super().get_params(deep=False)
        if not deep:
            return own
        return {**parameters_of(self.members), **own}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, those of members of your own included.

        Parameters
        ----------
        **params : dict
            Parameter names and values. The name of a member puts another estimator in its place, or "drop"; the grid
            beside it stays.

        Returns
        -------
        self : NoisyLabelClassifier
        """
        if "members" in params:  # before what is set of them
            self.members = params.pop("members")
        self.members, params = with_members(self.members, params, super().get_params(deep=False))
        return super().set_params(**params)

    # Members validate their own parameters when they are fitted.
    @fit_context(prefer_skip_nested_validation=False)
    def fit(
        self, X: ArrayLike, y: Labels, sample_weight: ArrayLike | None = None, *, groups: ArrayLike | None = None
    ) -> Self:
        """Fit all members and learn how to combine them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows: numbers, NaN where a value is missing, or a sparse matrix; with members of your own alone, whatever
            they take.

        y : array-like of shape (n_samples,)
            Given labels, some of which may be wrong.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row. Whole numbers are repetitions; others are relative to their mean.

        groups : array-like of shape (n_samples,), default=None
            Rows of one group, such as the images of one patient, are left out together, by members that leave out rows
            themselves too: a refinery, a ``DMClassifierCV``, a search with ``GroupKFold``.

        Returns
        -------
        self : NoisyLabelClassifier
            Fitted.

        Raises
        ------
        ValueError
            If the data or `members` are not as described, or every member fails.

        Warns
        -----
        FitFailedWarning
            If a member raises or predicts no probabilities; it is left out.
        UserWarning
            If members are missing because of `time_limit`, or left out because they would take too long.
        """
        begin = time.monotonic()
        with keeping_fitted_state(self):
            self._row_names = names_of_rows(X, y)
            X, table = self._check_X(X, as_table=needs_table(self.members), as_given=has_own(self.members), reset=True)
            y, sample_weight, groups = check_labels(X, y, sample_weight, groups)
            present = np.ones(len(y), dtype=bool) if sample_weight is None else sample_weight > 0
            self.classes_ = np.unique(y[present])
            if len(self.classes_) < 2:
                raise ValueError(f"y must have at least 2 classes, got {len(self.classes_)} class.")
            # A label that only rows of weight zero have is no class: its rows are predicted, not learned from.
            codes = np.searchsorted(self.classes_, y).clip(max=len(self.classes_) - 1)
            seed = draw_seed(self.random_state)
            families = families_of(self.members, self.classes_, self._get_param_names())
            class_weight = checked_class_weight(self.class_weight, self.classes_)
            distinct, *left_out = leave_out(
                X if table is None else table, y, codes, sample_weight, groups, self.cv, seed
            )
            rows = self._training_rows(X, table, codes, groups, distinct, *left_out)
            work = Work(
                self._open_checkpoint(rows, seed),
                np.inf if self.time_limit is None else begin + self.time_limit,
            )
            fitted, statuses = fit_families(
                families, rows, work, seed, n_jobs=self.n_jobs, verbose=self.verbose, time_limit=self.time_limit
            )
            self._rows_digest = rows_digest(X if table is None else table)
            self._combine(X, table, y, codes, rows, distinct, families, fitted, statuses, class_weight)
        return self

    # Data

    def _check_X(self, X, *, as_table, as_given, reset):
        """X for members of the user's own, as it was given, and as numbers for families for tables, None without."""
        check_is_rows(X)
        check_no_dataset(X, type(self).__name__)
        if not as_table:
            if reset:
                vars(self).pop("n_features_in_", None)  # texts have none, and leave what an earlier fit had
            if not reset and hasattr(X, "columns") and hasattr(self, "feature_names_in_"):
                return _by_name(X, self.feature_names_in_), None  # members say which of them they lack
            if reset or hasattr(self, "n_features_in_"):
                validate_data(self, X, reset=reset, skip_check_array=True)
            return _with_rows(X), None
        X = of_tensor(X)  # scikit-learn reads none of a GPU, with a derivative or of bfloat16
        check_numeric_columns(X, type(self).__name__, allow_missing=True)
        check_no_texts(X, type(self).__name__)
        table = validate_data(
            self,
            with_nan_for_na(X),
            reset=reset,
            dtype=[np.float64, np.float32],
            accept_sparse="csr",
            ensure_all_finite="allow-nan",
        ).astype(np.float64, copy=False)
        if scipy.sparse.issparse(table) and table.shape[1] <= MOST_STORED:
            table = table.toarray()
        return _with_rows(X) if as_given else table, table

    def _was_fitted_to(self, X, y):
        """Whether the fit was of these rows and labels, and so knows what was said of each when it was left out."""
        if not hasattr(self, "given_labels_") or not np.array_equal(self.given_labels_, y):
            return False
        try:
            X, table = self._check_X(X, as_table=self._views is not None, as_given=True, reset=False)
            return rows_digest(X if table is None else table) == self._rows_digest
        except Exception:  # rows that it cannot read are not those
            return False

    def _training_rows(self, X, table, codes, groups, distinct, splits, by_folds, repeats):
        views = {"own": safe_indexing(X, distinct.rows)}
        self._views = None
        if table is not None:
            self._views = Views().fit(table[distinct.rows])
            views |= self._views.transform(table[distinct.rows])
        return TrainingRows(
            views=views,
            codes=codes[distinct.rows],
            weight=distinct.weight,
            n_classes=len(self.classes_),
            splits=splits,
            by_folds=by_folds,
            repeats=repeats,
            groups=None if groups is None else groups[distinct.rows],
        )

    def _open_checkpoint(self, rows, seed):
        if self.checkpoint is None:
            return None
        members = clone(self.members, safe=False)  # what they were fitted to before plays no part
        identity = {
            "members": members,
            "seed": seed,
            "rows": rows.views["own"],
            "labels": (self.classes_, rows.codes, rows.weight, rows.splits, rows.by_folds, rows.repeats, rows.groups),
            "version": __version__,
        }
        return Checkpoint(self.checkpoint, identity, code_of=members)

    # Combination

    def _combine(self, X, table, y, codes, rows, distinct, families, fitted, statuses, class_weight):
        used = list(fitted.values())
        self._families = used
        left_out = np.stack([family.left_out for family in used])
        self._decision = learn_decision(left_out, rows.codes, rows.weight, self.combination, class_weight)
        # What a decision is worth says nothing of which labels are wrong.
        estimate = self._decision.of_equal_worth().proba
        own = estimate(left_out)
        proba = own[np.maximum(distinct.of_row, 0)]
        for fold, unseen in folds_of_unseen(distinct, rows.splits if rows.by_folds and not rows.repeats else []):
            rows_of_table = None if table is None else table[unseen]
            proba[unseen] = estimate(self._member_probas(safe_indexing(X, unseen), rows_of_table, fold))
        self.oof_proba_ = proba
        self.given_labels_ = y
        known = self.classes_[codes] == y
        self.label_quality_ = np.where(known, proba[np.arange(len(y)), codes], 0.0)
        self.transition_matrix_ = self._decision.transition.matrix
        self.soft_labels_ = np.where(known[:, None], clean_posterior(proba, codes, self.transition_matrix_), proba)
        prior = np.average(own, axis=0, weights=rows.weight)
        self.noise_rate_ = float(1 - prior @ np.diag(self.transition_matrix_))
        self.estimators_ = {family.name: family.models for family in used}
        given_weights = dict(zip(fitted, self._decision.given_weights, strict=True))
        self.members_ = table_of_members(families, fitted, statuses, given_weights, self._sees)
        self.candidates_ = table_of_candidates(used)

    def _sees(self, view):
        return "X" if view == "own" else self._views.seen(view)

    # Prediction

    def _member_probas(self, X, table, fold=None):
        """Of all models of each member, or of those of a fold alone."""
        families = self._families
        if fold is not None:
            families = [replace(family, models=[family.models[fold]]) for family in families]
        views = {"own": X}
        if table is not None:
            views |= self._views.transform(table, {family.view for family in families})
        with one_thread():
            return np.stack([family.predict_proba(views[family.view], len(self.classes_)) for family in families])

    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict probabilities of the clean label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        check_is_fitted(self)
        with callers_filters():
            # By what it was fitted with: `members` may have been set anew since.
            as_given = any(family.view == "own" for family in self._families)
            X, table = self._check_X(X, as_table=self._views is not None, as_given=as_given, reset=False)
            return self._decision.proba(self._member_probas(X, table))

    def predict_log_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict logarithms of probabilities of the clean label.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return np.log(self.predict_proba(X))

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict clean labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def report(
        self,
        X: ArrayLike | list[Any] | RowsByNumber | None = None,
        *,
        display: ArrayLike | list[Any] | RowsByNumber | None = None,
        ids: ArrayLike | None = None,
    ) -> LabelReport:
        """The labels to doubt, from what the fit knows already.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), list or Dataset, default=None
            The training rows, in the order of the fit, to show them to a reviewer. Without them the index of `issues`
            is that of the rows, or of the labels, in the fit.

        display : array-like of shape (n_samples, ...), list or Dataset, default=None
            What a person sees of each row where that is not `X`: texts, images or paths of images, say.

        ids : array-like of shape (n_samples,), default=None
            What the rows are called where they come from: they stand in the column ``id`` of the report's `issues`.

        Returns
        -------
        report : LabelReport

        Raises
        ------
        ValueError
            If `X`, `display` or `ids` have another number of rows than the fit had, or the index of its rows in another
            order.

        See Also
        --------
        sklabelnoise.audit.audit_labels : The same with any classifier.
        """
        check_is_fitted(self)
        names = getattr(self, "_row_names", None)  # a model of an earlier version has none
        if names is not None:
            fitted = pd.Series(self.given_labels_, index=names)
            for name, data in {"X": X, "display": display, "ids": ids}.items():
                check_same_rows(y=fitted, **{name: data}, numbers=False)
        # Labels that only rows of weight zero have are no classes of the fit.
        classes = np.union1d(self.classes_, self.given_labels_)
        proba = at_all_classes(self.oof_proba_, self.classes_, classes, fill=0)
        report = LabelReport(self.given_labels_, proba, classes=classes, X=X, display=display, ids=ids)
        if names is not None and not isinstance(X, pd.DataFrame | pd.Series):
            report.issues = with_index(report.issues, names[report.issues["row"]])
        return report

    # Saving

    def save(self, path: str | os.PathLike[str], *, allow_pickle: bool = False) -> None:
        """Save the fitted classifier as one file.

        Networks of this package are kept as safetensors and JSON; everything else by skops, if that is installed.
        Loading such a file executes nothing. Without skops, and where it cannot write a member (such as a network in a
        Pipeline), the rest is pickled, if you allow it.
        Parameters that were set since the fit are saved as they are now, but for those of members that are networks:
        these are as they were fitted.

        Parameters
        ----------
        path : str or path-like
            The file to write; its folder must exist. It is replaced at once, or left as it was.

        allow_pickle : bool, default=False
            Whether the file may hold a pickle where skops is not installed, or cannot write a member. Loading a pickle
            can execute whatever was written into it.

        Raises
        ------
        ImportError
            If skops is not installed and a pickle is not allowed.
        TypeError
            If a network has a parameter without a name to store it by, or something else can't be written.
        ValueError
            If a parameter was set since the fit to something that it must not be.
        FileNotFoundError
            If the folder does not exist.
        """
        check_is_fitted(self)
        try:
            self._validate_params()
            families_of(self.members, self.classes_, self._get_param_names())
            checked_class_weight(self.class_weight, self.classes_)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{type(self).__name__} can't be saved with parameters as they are now, which `fit` would not take, "
                f"got the error: {error}"
            ) from error
        save_ensemble(self, path, allow_pickle)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        allow_pickle: bool = False,
        trusted: Sequence[str] = (),
        modules: dict[Any, Any] | None = None,
    ) -> Self:
        """Load a classifier that was saved by `save`.

        Parameters
        ----------
        path : str or path-like
            The file.

        allow_pickle : bool, default=False
            Whether to load a file that holds a pickle, which can execute whatever was written into it.

        trusted : sequence of str, default=()
            Types of members of your own that the file may name, as in ``skops.io.load``.

        modules : dict, default=None
            For members that are networks with a module of your own: the name of the member, and what it had as
            `module`.

        Returns
        -------
        classifier : NoisyLabelClassifier
            A fitted classifier that predicts as the saved one did. Its `report` knows the rows by their order alone
            where their names are not numbers, texts or dates.

        Raises
        ------
        ValueError
            If the file is damaged or foreign, names types that are not trusted, holds a pickle that is not allowed, or
            has no use for one of `modules`.
        TypeError
            If `modules` is no dict.
        """
        return load_ensemble(cls, path, allow_pickle, trusted, {} if modules is None else modules)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")

    def _sk_visual_block_(self):
        """What a notebook shows, as scikit-learn asks its own ensembles for it: each member in a box of its name."""
        return display_block(self, _shown(self.members))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        inputs = tags.input_tags
        inputs.allow_nan, inputs.sparse = taken_by_all(self.members)
        return tags


def _shown(members):
    """Members by name, families for tables as their names; none where they are chosen by "auto"."""
    if not isinstance(members, list | tuple):
        return {}
    shown = {}
    for entry in members:
        shown |= {entry: entry} if isinstance(entry, str) else named_members([entry])
    return shown


def _by_name(frame, names):
    """The columns of a frame that are named, in that order, where it has all of them; else the frame."""
    given = list(frame.columns)
    return safe_indexing(frame, list(names), axis=1) if given != list(names) and set(names) <= set(given) else frame


def _with_rows(X):
    if scipy.sparse.issparse(X):
        return X.tocsr()  # rows of other formats cannot all be taken one by one
    return X if hasattr(X, "iloc") or hasattr(X, "shape") else as_rows(X)
