"""An audit: a classifier is fitted to the given labels, and asked what it says of them."""

import reprlib
from contextlib import contextmanager, suppress
from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import delayed

from sklabelnoise._compat import safe_split
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._foundation._extras import is_of
from sklabelnoise._foundation._given import check_groups, check_groups_whole, check_same_rows, label_column
from sklabelnoise._foundation._in_parallel import as_they_come
from sklabelnoise._foundation._last_step import groups_keyword, last_step, predicts_proba
from sklabelnoise._foundation._numbers_of_classes import learns_numbers
from sklabelnoise._foundation._numeric_columns import note_what_is_no_number
from sklabelnoise._foundation._progress import Progress
from sklabelnoise._foundation._row_numbers import (
    DEFAULT_FOLDS,
    check_left_out_once,
    folds_of,
    pairs_of_rows,
    shuffled_folds,
)
from sklabelnoise._foundation._seeds import draw_seed
from sklabelnoise._foundation._taking_turns import in_turn
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise._label_report._datasets import is_dataset
from sklabelnoise._label_report._evidence import check_evidence
from sklabelnoise._label_report._report import LabelReport
from sklabelnoise._label_report._rows import as_rows
from sklabelnoise.metrics._class_columns import check_known, predicted_columns


@callers_filters()
def audit(
    estimator,
    X,
    y=None,
    *,
    display=None,
    ids=None,
    evidence="auto",
    pred_probs=None,
    classes=None,
    cv=DEFAULT_FOLDS,
    groups=None,
    n_jobs=None,
    random_state=None,
    verbose=0,
    default=None,
):
    """What :func:`sklabelnoise.audit.audit_labels` does, for any classifier that is handed in.

    Parameters
    ----------
    default : callable, default=None
        ``default(rows, cv=cv)`` gives the classifier that judges where `estimator` is None, and the rows as it takes
        them.

    Other parameters, returns, raises and warns are those of ``audit_labels``.
    """
    if evidence not in ("auto", "fit", "out_of_fold"):
        raise ValueError(f'evidence must be "auto", "fit" or "out_of_fold", got {evidence!r}.')
    # What is found is told by the names of the rows.
    check_same_rows(y=y, X=X, display=display, ids=ids, pred_probs=pred_probs, groups=groups, numbers=False)
    if pred_probs is not None:
        _check_nothing_to_fit(estimator, groups, evidence)
        if is_dataset(X):
            rows, y, shown, paths = as_rows(X, y, takes_datasets=True)
            X = rows if shown is None else shown
            display, ids = shown if display is None else display, paths if ids is None else ids
        # What is wrong with them is said by the name they have here.
        check_evidence(y, pred_probs, classes, argument="pred_probs")
        return LabelReport(y, pred_probs, classes=classes, X=X, display=display, ids=ids)
    if classes is not None:
        raise ValueError(f"classes name the columns of pred_probs; an estimator finds its own, got {classes!r}.")
    if X is None:
        raise ValueError("X must hold rows to fit the classifier to, got None: that needs pred_probs.")
    rows, y, shown, paths = as_rows(X, y, takes_datasets=_takes_datasets(estimator))
    known = {
        "X": rows if shown is None else shown,
        "display": shown if display is None else display,
        "ids": paths if ids is None else ids,
    }
    given, y = y, label_column(y)
    check_classification_targets(y)
    groups = check_groups(groups, len(y))
    if len(found := set(y.tolist())) < 2:
        raise ValueError(f"An audit needs at least 2 classes, got one class: {next(iter(found), None)!r}.")
    chosen_here = estimator is None and default is not None
    if chosen_here:
        given_rows = rows
        if evidence == "out_of_fold":
            estimator, rows = default(rows)  # folds of all rows are none of those it is fitted to
        else:
            cv = cv if isinstance(cv, Integral) or cv is None or hasattr(cv, "split") else list(cv)
            estimator, rows = default(rows, cv=cv)
        known["display"] = given_rows if known["display"] is None and rows is not given_rows else known["display"]
    elif not predicts_proba(estimator):
        raise TypeError(
            f"estimator must have predict_proba, got {type(estimator).__name__}. CalibratedClassifierCV(estimator) has."
        )
    fits = _Fits(estimator, rows, y, groups, n_jobs, random_state)
    found = _found_by(fits, evidence, cv, verbose, takes_cv=chosen_here)
    return LabelReport(given, **found, **known)


def _check_nothing_to_fit(estimator, groups, evidence):
    """Refuse what is for fits where predictions are given."""
    if groups is not None:
        raise ValueError(
            f"groups keep rows together in fits, of which pred_probs need none, got {reprlib.repr(groups)}."
        )
    if estimator is not None:
        raise ValueError(
            f"estimator must be None where pred_probs are given, which it is not asked for, got {estimator!r}."
        )
    if evidence == "fit":
        raise ValueError(
            "evidence is what an estimator is asked for, and pred_probs are out-of-fold ones: of those of one fit "
            "a report is made by LabelReport(y, proba, in_sample=True), got evidence='fit'."
        )


def _found_by(fits, evidence, cv, verbose, takes_cv):
    """What a report is made of: probabilities, and by what they were found.

    One fit of a classifier of this package that leaves rows out itself, one of a network that does not memorize and one
    of each half, or one for each fold.
    """
    final = last_step(fits.fitted)
    if evidence != "out_of_fold" and is_of(final, "sklabelnoise") and not hasattr(final, "embed"):
        if not takes_cv:
            _say_if_unused(cv, final)
        proba, classes, out_of_fold = fits.own_left_out(verbose)
        return {"proba": proba, "classes": classes, "in_sample": not out_of_fold}
    does_not_memorize = is_of(final, "sklabelnoise") and getattr(final, "loss", None) != "cross_entropy"
    if evidence == "fit" or (evidence == "auto" and does_not_memorize):
        _say_if_unused(cv, final)
        splits = fits.halves()
        with fits.shown(len(splits) + 1, verbose) as bar:
            halves = fits.left_out(splits, bar)
            proba, classes = fits.once()
            bar.finish()
        return {"proba": proba, "classes": classes, "in_sample": True, "noise_proba": halves}
    splits = fits.splits(cv)
    with fits.shown(len(splits), verbose) as bar:
        return {"proba": fits.left_out(splits, bar)}


def _say_if_unused(cv, final):
    """Warn of folds that nobody asks for: what the user wants kept apart would not be."""
    if cv is None or (isinstance(cv, Integral) and cv == DEFAULT_FOLDS):
        return
    warn(
        f"cv={' '.join(reprlib.repr(cv).split())} is not used: the labels are judged by what a fit of "
        f"{type(final).__name__} itself says of its rows. evidence='out_of_fold' leaves rows out by cv."
    )


class _Fits:
    """The fits of one audit: a classifier, the rows and labels it is fitted to, their groups or None, and how."""

    def __init__(self, estimator, X, y, groups, n_jobs, random_state):
        self.fitted, self.estimator = estimator, clone(estimator)
        self.X, self.y, self.groups = X, y, groups
        self.groups_name = None if groups is None else groups_keyword(self.estimator)
        self.n_jobs, self.random_state = n_jobs, random_state

    def shown(self, n_fits, verbose):
        """One bar over all fits; those of single fits are for who wants more."""
        self._show(verbose - 1)
        return Progress(n_fits, f"audit by {type(last_step(self.estimator)).__name__}", unit="fits", shown=verbose)

    def _show(self, verbose):
        final = last_step(self.estimator)
        if verbose > 0 and is_of(final, "sklabelnoise") and "verbose" in final.get_params(deep=False):
            final.set_params(verbose=verbose)

    def halves(self):
        """Each half of the rows to fit to, and the other left out."""
        self._check_enough_groups(2, "The halves of evidence='fit' need")
        return self.splits(2)

    def splits(self, cv):
        """Rows to fit to and rows left out, each row left out once."""
        if isinstance(cv, Integral):
            self._check_enough_groups(cv, f"cv={cv} needs")
            cv = shuffled_folds(cv, self.groups, draw_seed(self.random_state))
        # What is split of a Dataset, and handed to workers, are numbers of rows.
        rows = np.arange(len(self.X)) if is_dataset(self.X) else self.X
        # A splitter that ignores groups is refused below where it tears one apart.
        with callers_filters((UserWarning, "The groups parameter is ignored")):
            splits = folds_of(cv, self.y, len(self.y)).split(rows, self.y, self.groups)
            splits = pairs_of_rows(splits, len(self.y))
        check_left_out_once(splits, len(self.y))
        check_groups_whole(splits, self.groups)
        return splits

    def _check_enough_groups(self, n_folds, needs):
        if self.groups is not None and (n_groups := len(np.unique(self.groups))) < n_folds:
            raise ValueError(f"{needs} at least {n_folds} groups, got {n_groups}.")

    def _fit_params(self, rows=slice(None)):
        """What the fit to some rows is told beside them: groups, where the classifier leaves rows out itself."""
        return {} if self.groups_name is None else {self.groups_name: self.groups[rows]}

    def left_out(self, splits, bar):
        """Predictions for each row by a model that has not seen it."""
        estimator, X = _SortedColumns(self.estimator), self.X
        if is_dataset(X):
            estimator, X = _SortedColumns(self.estimator, X), np.arange(len(X))
        classes = np.unique(self.y)
        (X,) = indexable(X)
        proba, lacking = np.zeros((len(self.y), len(classes))), np.zeros(len(classes), dtype=bool)
        with self._explained():
            tasks = [
                delayed(_predict_left_out)(estimator, X, self.y, train, test, self._fit_params(train))
                for train, test in splits
            ]
            for test, found, known in as_they_come(self.n_jobs)(tasks):
                proba[test] = at_all_classes(found, known, classes, fill=0)
                lacking |= ~np.isin(classes, known)
                bar.advance()
        if lacking.any():
            warn(
                f"Some fold was fitted without any row of {classes[lacking].tolist()}, so that the rows it "
                "left out have probability 0 of that class, and are doubted for it. Fewer folds may help.",
                RuntimeWarning,
            )
        return proba

    def once(self):
        """What one fit says about the rows it was fitted to, and its classes."""
        estimator = clone(self.estimator)
        final = last_step(estimator)
        mean = _watch(final)
        with self._explained():
            if mean is None:
                sorted_columns = _SortedColumns(self.estimator)
                fitted, known = _fitted_to_labels(sorted_columns, self.X, self.y, np.unique(self.y), self._fit_params())
                return fitted.predict_proba(self.X), known
            estimator.fit(self.X, self.y, **self._fit_params())
        proba = getattr(mean, "proba_", None)
        # Held-out rows and rows of weight zero are not trained on: then only the fitted model speaks of all of them.
        if proba is None or len(proba) != len(self.y):
            return _sorted_columns(estimator.predict_proba(self.X), final)
        return proba, final.classes_

    def own_left_out(self, verbose):
        """What a classifier that leaves rows out while it is fitted predicts for them, its classes, and whether it did.

        A label refinery that runs no round has only its fitted model.
        """
        if self._knows_these_rows():
            final = last_step(self.fitted)
            # Labels that only rows of weight zero had are no classes of the fit.
            classes = np.union1d(final.classes_, self.y)
            return at_all_classes(final.oof_proba_, final.classes_, classes, fill=0), classes, True
        self._show(verbose)  # one fit, with a bar over all that it does
        estimator = clone(self.estimator)
        estimator.fit(self.X, self.y, **self._fit_params())
        final = last_step(estimator)
        if hasattr(final, "oof_proba_"):
            return final.oof_proba_, final.classes_, True
        return estimator.predict_proba(self.X), final.classes_, False

    @contextmanager
    def _explained(self):
        """Say of a failure which columns are no numbers."""
        try:
            yield
        except Exception as error:
            note_what_is_no_number(error, self.X, self.estimator)
            raise

    def _knows_these_rows(self):
        """Whether the user's own object was fitted to these rows and labels, and kept what it said of rows left out.

        Of one that is to keep groups whole nothing is known: it may have torn them apart.
        """
        was_fitted_to = getattr(last_step(self.fitted), "_was_fitted_to", None)
        if was_fitted_to is None or self.groups is not None:
            return False
        X, estimator = self.X, self.fitted
        try:
            while isinstance(estimator, Pipeline):
                for _, step in estimator.steps[:-1]:
                    X = X if step in (None, "passthrough") else step.transform(X)
                estimator = estimator.steps[-1][1]
        except Exception:  # a step that was not fitted, or not to such rows
            return False
        return was_fitted_to(X, self.y)


class _SortedColumns(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are an array in the order of the sorted labels, whatever it returns itself.

    Parameters
    ----------
    estimator : classifier
        Unfitted.
    dataset : Dataset, default=None
        What it is fitted to, and predicts, where rows are handed over by their number.
    """

    def __init__(self, estimator, dataset=None):
        self.estimator = estimator
        self.dataset = dataset

    def __sklearn_clone__(self):
        return type(self)(clone(self.estimator), self.dataset)  # the Dataset is not copied

    def __sklearn_tags__(self):
        return get_tags(self.estimator)

    def fit(self, rows, y, **params):
        self.fitted_ = clone(self.estimator)
        with in_turn(self.fitted_):
            self.fitted_.fit(self._subset(rows), y, **params)  # which may return nothing
        self.classes_ = np.sort(last_step(self.fitted_).classes_)
        return self

    def predict_proba(self, rows):
        return _sorted_columns(self.fitted_.predict_proba(self._subset(rows)), last_step(self.fitted_))[0]

    def _subset(self, rows):
        if self.dataset is None:
            return rows
        from sklabelnoise.training._training_set import take_rows  # torch, which a Dataset has loaded already

        return take_rows(self.dataset, rows)


def _predict_left_out(estimator, X, y, train, test, params):
    """Probabilities of the rows left out, and the classes that those fitted to have."""
    fitted, classes = _fitted_to_labels(estimator, *safe_split(estimator, X, y, train), np.unique(y), params)
    proba = fitted.predict_proba(safe_split(estimator, X, y, test, train)[0])
    if len(proba) != len(test):  # NumPy would repeat a single row
        raise ValueError(f"estimator must predict each of {len(test)} rows, got {len(proba)} predictions.")
    return test, proba, classes


def _fitted_to_labels(estimator, X, y, known, params):
    """A fitted clone and the labels it knows: class weights, thresholds and scores of a user speak of the labels.

    One that refuses them is fitted to their numbers; not so if what it refuses may be weights of other classes.
    """
    labels, numbers = np.unique(y, return_inverse=True)
    parameters = estimator.estimator.get_params(deep=True)

    def to_numbers():
        fitted = clone(estimator).fit(X, numbers, **params)
        return fitted, labels[fitted.classes_]

    if learns_numbers(estimator.estimator):
        return to_numbers()
    try:
        fitted = clone(estimator).fit(X, y, **params)
        check_known(fitted.classes_, known, "estimator")
        return fitted, fitted.classes_
    except Exception:  # whatever a classifier of others says of what it does not take
        are_numbers = labels.dtype.kind in "iu" and np.array_equal(labels, np.arange(len(labels)))
        weighs = any(key.endswith("class_weight") and isinstance(value, dict) for key, value in parameters.items())
        if are_numbers or weighs or is_of(last_step(estimator.estimator), "sklabelnoise"):
            raise
        with suppress(Exception):  # whatever is wrong with numbers, the labels are what the user knows
            return to_numbers()
        raise


def _sorted_columns(proba, final):
    """Probabilities of a fitted classifier in the order of its sorted classes, and these."""
    proba = predicted_columns(proba, final.classes_, argument=f"predict_proba of {type(final).__name__}")
    classes = np.sort(final.classes_)
    return at_all_classes(proba, np.asarray(final.classes_), classes, fill=0), classes


def _takes_datasets(estimator):
    """Networks of this package are fitted to a torch Dataset as it is; transformers of a Pipeline are not."""
    return is_of(estimator, "sklabelnoise") and hasattr(estimator, "embed")


def _watch(final):
    """Make a network of this package average its predictions while it trains; None for anything else."""
    if not hasattr(final, "embed") or "callbacks" not in final.get_params(deep=False):
        return None
    from sklabelnoise.training import MeanPrediction  # torch, which a network has loaded already

    mean = MeanPrediction()
    final.set_params(callbacks=[*(final.callbacks or []), mean])
    return mean
