"""Derivative manipulation that chooses its emphasis by cross-validation on the given labels."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import scipy.sparse
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet
from torch.utils.data import Dataset

from sklabelnoise._classifiers._candidate_trials import Trials, check_candidates, is_misleading
from sklabelnoise._classifiers._derivative_manipulation import DMClassifier
from sklabelnoise._classifiers._net_classifier import NetClassifier
from sklabelnoise._classifiers._parameters import common_constraints, document_common
from sklabelnoise._classifiers._saving import members_from_saved, members_to_saved
from sklabelnoise._compat import Interval, fit_context, num_samples
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._checkpoint import first_seed, open_checkpoint
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._foundation._fitted_state import keeping_fitted_state
from sklabelnoise._foundation._frames import class_frame
from sklabelnoise._foundation._given import check_groups, check_groups_whole, check_weights
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._foundation._row_numbers import folds_of, pairs_of_rows, shuffled_folds
from sklabelnoise._foundation._seeds import MAX_SEED
from sklabelnoise._foundation._types import ArrayLike, CrossValidation, Labels, RandomState, Rows
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._foundation._work import Work
from sklabelnoise._fused._fits import Fits, fit_alone, fit_together
from sklabelnoise._fused._folds import make_folds
from sklabelnoise.training._forward import rows_at_once
from sklabelnoise.training._processes import joined
from sklabelnoise.training._training_set import LabeledRows, check_inputs, soft_label_columns, take_rows

_SAID_OF_THE_DATA = (UserWarning, "The features of X differ in scale"), (UserWarning, "X_val must be on the scale")
# Rows whose predictions by all members are held at once.
_ROWS = 65_536
# Parameters that decide what is made of the fits, or how they run: runs that differ in nothing else share their fits.
_NOT_IN_THE_FITS = {"scoring", "n_jobs", "checkpoint", "verbose"}


@document_common
class DMClassifierCV(NetClassifier):
    """Derivative manipulation with `lam` and `beta` chosen on the given labels.

    All candidates are trained on all folds, together where the network allows it, and scored on the rows each fold
    leaves out, by their given labels. The prediction is the mean of several fits of the best candidate. A larger `lam`
    emphasizes examples that fit better, as more wrong labels need [1]_.

    Choosing on noisy labels is sound when the noise takes about as much from every candidate's score: under symmetric
    noise a candidate's expected accuracy on noisy labels is an increasing function of that on clean ones, and under
    class-conditional noise the best possible classifier is the same as long as each class keeps most of its labels
    [2]_. With strong asymmetric noise, near half of a class flipped to one other, it may choose badly. Log-loss and
    Brier score on noisy labels choose badly under any noise.

    A table with text, categories, dates or missing values goes through ``skrub.tabular_pipeline(DMClassifierCV())``
    (the extra `tables`), one of plain numbers through ``make_pipeline(StandardScaler(), DMClassifierCV())``.

    Parameters
    ----------
    %(module)s

    candidates : sequence or DataFrame, default=((0, 0), (0, 2), (0.5, 4), (0.5, 8), (1, 8), (1, 16), (2, 12), (2, 24))
        Pairs (lam, beta), or a frame with these columns, such as `scores_` of another fit.

    cv : int, splitter or iterable, default=5
        An integer is the number of stratified, shuffled folds, which keep groups together where there are some.

    scoring : str or callable, default="accuracy"
        What a candidate is chosen by: the name of a scorer, or ``scoring(estimator, X, y)``.

    refit : bool, default=True
        Fit `n_members` networks on all rows; False averages the networks of the folds, which are there already.
        Networks that are kept compute in the type that `dtype` says; those that only serve the choice, in float32.

    n_members : int, default=5
        Number of networks whose probabilities are averaged. They differ in their initial weights and order of rows.

    normalization : {"batch", "integral", "none"}, default="batch"
        As in :class:`DMClassifier`.

    damping : float, default=1e-8
        As in :class:`DMClassifier`.

    n_jobs : int, default=None
        Jobs of joblib, for candidates that can't be trained together (early stopping, callbacks).

    checkpoint : str or path-like, default=None
        Folder where fits are kept as they are finished, and trainings of many candidates at once every half minute, in
        a subfolder for each combination of parameters and data. After a crash or an interrupt the same `fit` goes on
        from there and ends with the same bits; other parameters, data, code or versions of libraries begin anew.
        Finished fits are pickled: take folders from nobody you don't trust. Parameters have to be picklable; of a
        ``Dataset`` that reads files their names are compared, not their contents.

    %(common_parameters)s

    Attributes
    ----------
    lam_, beta_ : float
        The chosen candidate.

    scores_ : DataFrame
        One row a candidate: `lam`, `beta`, `score` (over the left-out rows of all folds, each row counted once), and
        the score of each fold.

    estimators_ : list of DMClassifier
        The fitted members.

    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted.

    n_features_in_ : int
        Number of features, or of channels of images.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had string column names.

    n_iter_ : int
        Largest number of epochs that a member was trained.

    history_, loss_curve_, net_, module_
        Those of the first member, as of :class:`DMClassifier`.

    label_quality_ : ndarray of shape (n_samples,)
        Probability that the mean of the members gives to each given label of the training data.

    See Also
    --------
    DMClassifier : One fit with given parameters.
    sklabelnoise.model_selection.FusedGridSearchCV : Any search, trained together in the same way.

    References
    ----------
    .. [1] X. Wang, E. Kodirov, Y. Hua, N. M. Robertson, "Derivative manipulation for general example weighting",
       arXiv:1905.11233, 2019, Eq. 12 and Section 4.1.
    .. [2] P. Chen, J. Ye, G. Chen, J. Zhao, P.-A. Heng, "Robustness of accuracy metric and its inspirations in learning
       with noisy labels", AAAI 2021.

    Examples
    --------
    >>> from sklabelnoise import DMClassifierCV
    >>> from sklabelnoise.datasets import load_digits_noisy
    >>> digits = load_digits_noisy(0.4, random_state=0)
    >>> model = DMClassifierCV(candidates=[(0, 0), (1, 16)], cv=3, n_members=2, random_state=0)
    >>> bool(model.fit(digits.X_train, digits.y_train).score(digits.X_test, digits.y_test) > 0.85)
    True
    """

    lam_: float
    beta_: float
    scores_: pd.DataFrame
    estimators_: list[DMClassifier]
    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    n_iter_: int

    _saved_attributes = (*NetClassifier._saved_attributes, "n_iter_", "lam_", "beta_")

    _parameter_constraints = {
        **common_constraints(without=("warm_start", "on_interrupt")),
        "candidates": ["array-like"],
        "cv": ["cv_object"],
        "scoring": [str, callable],
        "refit": ["boolean"],
        "n_members": [Interval(Integral, 1, MAX_SEED, closed="left")],
        "n_jobs": [Integral, None],
        "checkpoint": [None, str, os.PathLike],
        **{name: DMClassifier._parameter_constraints[name] for name in ("normalization", "damping")},
    }

    def __init__(
        self,
        module: torch.nn.Module | Callable[..., Any] | None = None,
        *,
        candidates: Sequence[Any] | pd.DataFrame = (
            (0, 0),
            (0, 2),
            (0.5, 4),
            (0.5, 8),
            (1, 8),
            (1, 16),
            (2, 12),
            (2, 24),
        ),
        cv: CrossValidation = 5,
        scoring: str | Callable[..., Any] = "accuracy",
        refit: bool = True,
        n_members: int = 5,
        normalization: Literal["batch", "integral", "none"] = "batch",
        damping: float = 1e-8,
        n_jobs: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        lr: float | None = None,
        weight_decay: float | None = None,
        max_epochs: int | None = None,
        batch_size: int | None = None,
        optimizer: str | type[Any] | None = None,
        lr_schedule: str | dict[Any, Any] | Callable[..., Any] | None = None,
        augment: str | Callable[..., Any] | list[Any] | Literal[False] | None = None,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        callbacks: list[Any] | None = None,
        device: str | torch.device = "auto",
        dtype: Literal["auto", "float32"] = "auto",
        random_state: RandomState = None,
        verbose: int = 0,
        **net_params: Any,
    ):
        self._store(locals())

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Rows,
        y: Labels | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        soft_labels: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: Labels | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Choose `lam` and `beta`, and fit the members.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Training rows, as in :meth:`DMClassifier.fit`. Candidates on a ``Dataset`` are trained one by one.

        y : array-like of shape (n_samples,), default=None
            Given labels. None when X is a ``Dataset`` of pairs.

        sample_weight : array-like of shape (n_samples,), default=None
            Weight of each row, in training and in the scores.

        soft_labels : array-like or DataFrame of shape (n_samples, n_classes), default=None
            Targets to train on in place of y, as in :meth:`DMClassifier.fit`. Scores use y.

        X_val, y_val : array-like, default=None
            Held-out rows for the early stopping of every fit, as in :meth:`DMClassifier.fit`; candidates are then
            trained one by one. They are not what candidates are chosen by.

        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the held-out rows.

        groups : array-like of shape (n_samples,), default=None
            Groups of rows, such as patients, none of which is in two folds, for `cv`.

        Returns
        -------
        self : estimator
            The fitted classifier.

        Raises
        ------
        ValueError
            If the candidates are no pairs, the data do not fit, or no candidate could be trained and scored.

        Warns
        -----
        UserWarning
            If `scoring` is a log-loss or a Brier score.
        FitFailedWarning
            If some candidates could not be trained, or scored, in every fold. They are not chosen.
        """
        pairs = check_candidates(self.candidates)
        scorer = check_scoring(DMClassifier(), scoring=self.scoring)
        if is_misleading(scorer):
            warn(f"scoring={self.scoring!r} on noisy labels rewards fitting the noise; use 'accuracy'.")
        with keeping_fitted_state(self), joined(self._net_params.get("accelerator")) as processes:
            data = self._check_training_set(X, y, sample_weight, soft_labels)
            labels = data.classes[data.all_labels]
            if sample_weight is not None:
                sample_weight = check_weights(sample_weight, len(labels))
            if soft_labels is not None:
                # Columns by name, so that a fold that misses a class still knows them all.
                columns, soft_labels = soft_label_columns(soft_labels, labels)
                soft_labels = class_frame(np.asarray(soft_labels), data.classes if columns is None else columns)
            groups = check_groups(groups, len(labels))
            fit_params = {"sample_weight": sample_weight, "soft_labels": soft_labels}
            validation = self._check_validation(data, X_val, y_val, sample_weight_val)
            # An iterator can be gone through once: here, for its hash and for the splits.
            cv = list(self.cv) if hasattr(self.cv, "__next__") else self.cv
            fitted_to = (data.all_X, labels, groups, fit_params, validation)
            checkpoint = open_checkpoint(self, fitted_to, apart=_NOT_IN_THE_FITS, candidates=pairs, cv=cv)
            # Members have it and the seeds after it.
            seed = first_seed(self.random_state, checkpoint, below=MAX_SEED - int(self.n_members))
            seed = seed if processes is None else processes.of_first(seed)
            splits = _draw_splits(cv, data.all_X, labels, groups, seed)
            n_fits = len(pairs) * len(splits) + (self.n_members if self.refit else 0)
            bar = Progress(n_fits, type(self).__name__, unit="fits", shown=self.verbose)
            running = {"n_jobs": self.n_jobs, "work": Work(checkpoint), "advance": bar.advance}
            # What is said of the data was said of this estimator; its members would say it again, of classes of theirs.
            with bar, callers_filters(*_SAID_OF_THE_DATA):
                self._fit_all(pairs, scorer, data, labels, splits, fit_params, validation, seed, running)
            self.classes_ = data.classes
            # As each of them counts: of images, which scikit-learn's check of X does not.
            self.n_features_in_ = self._first_member.n_features_in_
            self.n_iter_ = max(member.n_iter_ for member in self.estimators_)
            self._keep_given(LabeledRows(data.all_X, data.all_labels))
        return self

    def _fit_all(self, pairs, scorer, data, labels, splits, fit_params, validation, seed, running):
        """Evaluate the candidates, and fit the members."""
        trials = self._evaluate(pairs, scorer, data, labels, splits, fit_params, validation, seed, running)
        self.scores_ = trials.table(pairs)
        failed = self.scores_["score"].isna()
        if failed.all():
            raise ValueError(f"No candidate could be trained and scored, got: {trials.first_failure()}")
        if failed.any():
            warn(
                f"{failed.sum()} of {len(pairs)} candidates could not be trained and scored in every fold: "
                f"{trials.first_failure()}",
                FitFailedWarning,
            )
        best = int(self.scores_["score"].argmax())
        self.lam_, self.beta_ = pairs[best]
        if self.refit:
            members = [self._candidate(pairs[best], seed + m) for m in range(self.n_members)]
            self.estimators_ = fit_together(members, data.all_X, labels, **fit_params, validation=validation, **running)
        else:
            self.estimators_ = trials.fold_models(best)

    def _check_validation(self, data, X_val, y_val, sample_weight_val):
        """Held-out rows of the user as parameters of `fit`, none where there are none."""
        held_out = self._check_held_out(X_val, y_val, sample_weight_val, data)
        if held_out is None:
            return {}
        labels = data.classes[held_out.all_labels]
        return {"X_val": held_out.all_X, "y_val": labels, "sample_weight_val": sample_weight_val}

    def _candidate(self, pair, seed):
        lam, beta = pair
        names = set(DMClassifier().get_params()) & set(self.get_params()) - {"random_state", "warm_start"}
        params = {name: getattr(self, name) for name in names}
        # One bar counts all fits; those of single fits are for who wants more.
        params["verbose"] = max(0, int(self.verbose) - 1)
        return DMClassifier(lam=lam, beta=beta, random_state=int(seed), **clone(params, safe=False), **self._net_params)

    def _evaluate(self, pairs, scorer, data, y, splits, fit_params, validation, seed, running):
        # The choice needs no more than single precision; networks that are kept compute as X says.
        single = self.refit and (self.lr is None or self.lr <= float(np.finfo(np.float32).max))
        X = _in_single_precision(data) if single else data.all_X
        candidates = [self._candidate(pair, seed) for pair in pairs]
        folds = partial(make_folds, X=X, y=y, splits=splits, fit_params={**fit_params, **validation})

        def params(fold):
            train, _ = splits[fold]
            own = {name: None if value is None else take_rows(value, train) for name, value in fit_params.items()}
            return {"y": y[train], **own, **validation}

        alone = partial(fit_alone, candidates=candidates, X=X, splits=splits, fit_params=params, **running)
        trials = Trials(X, y, splits, scorer, fit_params["sample_weight"], data.classes)
        for fit in Fits(
            candidates,
            len(splits),
            folds,
            alone,
            record_accuracy=not self.refit,
            checkpoint=running["work"].checkpoint,
            advance=running["advance"],
        ):
            trials.add(fit)
        return trials

    # Prediction

    def _forward(self, X, function):
        """A function of the logits of validated rows, see `_map_logits`.

        The logits are logarithms of the members' mean probabilities, finite however small these are.
        """

        def log_proba(member, rows):
            known = member._forward(rows, lambda logits: logits.log_softmax(dim=1))
            return torch.from_numpy(at_all_classes(known, member.classes_, self.classes_, fill=-np.inf))

        def answer(rows):
            members = torch.stack([log_proba(member, rows) for member in self.estimators_])
            return function(members.logsumexp(dim=0) - math.log(len(self.estimators_)))

        n, at_once = num_samples(X), rows_at_once(self.net_, X, _ROWS)
        results = None
        for start in range(0, n, at_once):
            part = answer(take_rows(X, slice(start, start + at_once))).numpy()
            if results is None:
                results = np.empty((n, *part.shape[1:]), dtype=part.dtype)
            results[start : start + len(part)] = part
        return results

    def embed(self, X: Rows) -> NDArray[Any]:
        """Features before the last linear layer, those of all members side by side.

        Parameters
        ----------
        X : {array-like, sparse matrix, Dataset} of shape (n_samples, n_features)
            Rows as in `fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_members * n_embedding)
            What :meth:`DMClassifier.embed` gives for each member.
        """
        check_is_fitted(self)
        X = check_inputs(self, X)
        return np.hstack([member.embed(X) for member in self.estimators_])

    @property
    def _first_member(self):
        check_is_fitted(self)
        return self.estimators_[0]

    @property
    def history_(self) -> pd.DataFrame:
        """Training of the first member, as of :class:`DMClassifier`."""
        return self._first_member.history_

    @property
    def loss_curve_(self) -> list[float]:
        """Training loss of the first member by epoch."""
        return self._first_member.loss_curve_

    @property
    def module_(self) -> torch.nn.Module:
        """The module of the first member."""
        return self._first_member.module_

    @property
    def net_(self) -> NeuralNet:
        """The net of the first member."""
        return self._first_member.net_

    @property
    def input_shape_(self) -> tuple[int, ...]:
        """Shape of one row."""
        return self._first_member.input_shape_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimators_")

    def _to_saved(self):
        return members_to_saved(self)

    def _made_with(self):
        return self._first_member._made_with()

    @classmethod
    def _from_saved(cls, header, tensors, module):
        return members_from_saved(cls._with_saved_params(header, module), header, tensors, DMClassifier, module)


def _in_single_precision(data):
    """The rows of a training set in float32, as they are where that can't hold their numbers."""
    if data.dtype == np.float32 or isinstance(data.all_X, Dataset):
        return data.all_X
    values = data.all_X.data if scipy.sparse.issparse(data.all_X) else data.all_X
    too_large = values.size and max(values.max(), -values.min()) > np.finfo(np.float32).max
    return data.all_X if too_large else data.cast(np.float32).all_X


def _draw_splits(cv, X, y, groups, seed):
    """The folds that candidates are compared on."""
    given = cv
    if isinstance(cv, Integral):
        cv = shuffled_folds(cv, groups, seed)
    splits = pairs_of_rows(folds_of(cv, y, len(y)).split(X, y, groups), len(y))
    if not splits:
        raise ValueError(f"cv must give at least one split, got {given!r}.")
    check_groups_whole(splits, groups)
    return splits
