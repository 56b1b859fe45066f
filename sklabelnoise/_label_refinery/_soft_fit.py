"""Fit any scikit-learn classifier or regressor to a distribution over the classes instead of one label a row."""

from dataclasses import dataclass

import numpy as np
from sklearn import get_config
from sklearn.base import clone, is_regressor
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import get_routing_for_object

from sklabelnoise._compat import num_samples, safe_indexing
from sklabelnoise._foundation._callers_line import warn
from sklabelnoise._foundation._classes import at_all_classes
from sklabelnoise._foundation._frames import class_frame
from sklabelnoise._foundation._last_step import groups_keyword, keyword_of, last_step, predicts_proba
from sklabelnoise._label_refinery._copies import copies, most_copies, rows_to_fit
from sklabelnoise.metrics._class_columns import check_known, predicted_columns

# HistGradientBoosting's early_stopping="auto" starts above this number of rows.
AUTO_EARLY_STOPPING_ROWS = 10_000
# From here on weights that balance the classes are far from one.
_UNEVEN = 2


def takes(estimator, name):
    """Whether the `fit` of an estimator, or of what it searches over or ends with, has a parameter of that name."""
    return keyword_of(estimator, name) is not None


def _own_parameters(estimator):
    """Parameters of the last step and of all within it: name without prefixes, value, siblings of the same owner."""
    parameters = last_step(estimator).get_params(deep=True)
    for key, value in parameters.items():
        owner, _, name = key.rpartition("__")
        siblings = {other.rpartition("__")[2] for other in parameters if other.rpartition("__")[0] == owner}
        yield name, value, siblings


def _samplers(estimator):
    """Names of steps that draw rows of their own to be fitted to, as those of imbalanced-learn do in its Pipelines."""
    steps = estimator.steps if isinstance(estimator, Pipeline) else []
    return [name for name, step in steps if hasattr(step, "fit_resample")]


def reasons_against_copies(estimator, n_samples):
    """Why repeating rows would mislead an estimator: it draws or holds out rows, and takes copies for examples.

    Parameters
    ----------
    estimator : estimator instance
        What is to be fitted.
    n_samples : int
        Number of rows before they are repeated.

    Returns
    -------
    reasons : list of str
        Empty where copies do no harm of this kind.
    """
    reasons = [
        f"its step {name} draws rows anew, which weights and soft labels don't follow" for name in _samplers(estimator)
    ]
    for name, value, siblings in _own_parameters(estimator):
        if name == "bootstrap" and value:
            reasons.append("bootstrap=True draws rows, so the copies of one row get apart")
        elif name in {"subsample", "max_samples", "bagging_fraction"} and value not in (None, 1, 1.0):
            reasons.append(f"{name}={value} draws rows, so the copies of one row get apart")
        elif name == "early_stopping" and (
            value is True or (isinstance(value, str) and value == "auto" and n_samples > AUTO_EARLY_STOPPING_ROWS)
        ):
            reasons.append(f"early_stopping={value!r} holds out rows whose copies are trained on")
        elif name == "n_iter_no_change" and value is not None and "early_stopping" not in siblings:
            reasons.append(f"n_iter_no_change={value} holds out rows whose copies are trained on")
        elif name == "cv":
            reasons.append("its own cross-validation holds out rows whose copies are trained on")
        elif name == "probability" and value is True:
            reasons.append("probability=True cross-validates over rows whose copies are trained on")
    return reasons


def reasons_for_caution(estimator):
    """What an estimator counts in rows: repeating rows changes it a little, and harms nothing else.

    Parameters
    ----------
    estimator : estimator instance
        What is to be fitted.

    Returns
    -------
    reasons : list of str
        Empty where the fit to repeated rows is exact.
    """
    reasons = []
    for name, value, _ in _own_parameters(estimator):
        least = {"min_samples_leaf": 1, "min_samples_split": 2, "min_child_samples": 1}.get(name)
        if least is not None and value is not None and value != least:
            reasons.append(f"{name}={value} counts copies")
        elif name == "max_iter" and hasattr(last_step(estimator), "partial_fit"):
            reasons.append(f"max_iter={value} counts passes over the copies")
    return reasons


def warn_of_class_weight(estimator, given):
    """Say where weights of classes would lead the labels: each round gives more of them to the classes that weigh more.

    Parameters
    ----------
    estimator : estimator instance
        What is to be fitted.
    given : ndarray of int of shape (n_samples,)
        Given labels, by the numbers of the classes.
    """
    counts = np.bincount(given)
    for name, value, _ in _own_parameters(estimator):
        uneven = counts.max() >= _UNEVEN * counts[counts > 0].min() if isinstance(value, str) else value is not None
        if name == "class_weight" and uneven:
            warn(
                f"class_weight={value!r} of {type(last_step(estimator)).__name__} moves labels to the classes that "
                "weigh more, further in each round. Refine without it, and weigh the classes in a classifier that is "
                "fitted to transduction_.",
            )


def choose_method(estimator, method, n_samples):
    """Resolve ``soft_label_method="auto"`` and warn where the method is not exact for the estimator.

    Parameters
    ----------
    estimator : estimator instance
        What is to be fitted.
    method : {'auto', 'soft_labels', 'replicate', 'regression', 'argmax'}
        What was asked for.
    n_samples : int
        Number of rows.

    Returns
    -------
    method : str
        One of the four methods.

    Raises
    ------
    ValueError
        If the estimator cannot do what was asked for.
    """
    name = type(last_step(estimator)).__name__
    regressor = is_regressor(estimator)
    against = reasons_against_copies(estimator, n_samples)
    if method == "auto":
        if takes(estimator, "soft_labels") and not _samplers(estimator):
            method = "soft_labels"
        elif regressor:
            method = "regression"
        elif takes(estimator, "sample_weight") and not against:
            method = "replicate"
        else:
            method = "argmax"
            why = against[0] if against else "its fit takes no sample_weight"
            warn(
                f"{name} can be given the most probable class only (soft_label_method='argmax'), because {why}. "
                "Labels then change nothing before their argmax does. A regressor, such as RandomForestRegressor for "
                "RandomForestClassifier, learns the soft labels themselves.",
            )
    if method == "soft_labels" and not takes(estimator, "soft_labels"):
        raise ValueError(f"soft_label_method='soft_labels' needs a fit with an argument soft_labels. Got {name}.")
    if method == "replicate" and not takes(estimator, "sample_weight"):
        raise ValueError(f"soft_label_method='replicate' needs a fit that takes sample_weight. Got {name}.")
    if (method == "regression") != regressor:
        expected, other = ("a regressor", "classifier") if method == "regression" else ("a classifier", "regressor")
        raise ValueError(f"soft_label_method={method!r} needs {expected} as 'estimator'. Got the {other} {name}.")
    if method != "regression" and not predicts_proba(estimator):
        raise ValueError(
            f"The 'estimator' parameter must have predict_proba. Got {name}, which has none; wrap it in "
            "CalibratedClassifierCV, or pass a regressor."
        )
    if method == "replicate" and (reasons := against + reasons_for_caution(estimator)):
        warn(
            f"Soft labels reach {name} as repeated, weighted rows, which is not exact here: {'; '.join(reasons)}.",
        )
    return method


class _TargetFit:
    """Fit estimators to targets, through the last step where the estimator is a Pipeline."""

    def fit(self, estimator, X, y, targets, sample_weight=None, *, groups=None, rows=None, seed=0):
        """Fit an estimator in place.

        Parameters
        ----------
        estimator : estimator instance
            Unfitted.
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : ndarray of shape (n_samples,)
            Given labels or values, for what cannot use `targets`, such as a supervised transformer.
        targets : ndarray of shape (n_samples, n_classes) or (n_samples,)
            What is learned.
        sample_weight : ndarray of shape (n_samples,) or None, default=None
            Weights of the rows.
        groups : ndarray of shape (n_samples,) or None, default=None
            What belongs together, for an estimator that leaves rows out itself.
        rows : ndarray of int of shape (n_rows,) or None, default=None
            Rows of X that the other arrays are about; None for all. So X is not copied where its rows are repeated
            anyway.
        seed : int, default=0
            For what is drawn on the way to the estimator.

        Returns
        -------
        estimator : estimator instance
            The same object, fitted.
        """
        if sample_weight is not None and not sample_weight.all() and self._counts_rows(estimator):
            kept = np.flatnonzero(sample_weight)
            y, targets, sample_weight = y[kept], targets[kept], sample_weight[kept]
            groups = None if groups is None else groups[kept]
            rows = kept if rows is None else rows[kept]
        if sample_weight is not None and (sample_weight == 1).all():
            sample_weight = None  # forests draw rows otherwise where these have weights
        if isinstance(estimator, Pipeline) and not _samplers(estimator):
            if len(estimator.steps) > 1:
                # Transformers see every row once, whatever is done to the rows for the last step.
                head = estimator[:-1]
                X, rows = head.fit_transform(_taken(X, rows), y, **_routed(head, sample_weight)), None
                estimator.steps[:-1] = head.steps
            self.fit(estimator.steps[-1][1], X, y, targets, sample_weight, groups=groups, rows=rows, seed=seed)
        else:
            self._fit_last(estimator, X, y, targets, sample_weight, groups, rows, seed)
        return estimator

    def _counts_rows(self, estimator):
        """Whether rows of weight zero are to be kept from an estimator: transformers see all that there are."""
        return isinstance(estimator, Pipeline)


@dataclass(frozen=True)
class ValueFit(_TargetFit):
    """How regressors learn, and predict, one value a row."""

    def predict(self, model, X):
        """Values predicted by a fitted regressor.

        Parameters
        ----------
        model : estimator instance
            Fitted regressor.
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        values : ndarray of shape (n_samples,)
            Predicted values, float64.
        """
        values = np.asarray(model.predict(X), dtype=np.float64)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]  # networks of other libraries give columns
        _check_shape(f"predict of {type(model).__name__}", values, (num_samples(X),))
        _check_finite(model, values)
        return values

    def _fit_last(self, estimator, X, y, targets, sample_weight, groups, rows, seed):
        estimator.fit(_taken(X, rows), targets, **_told(estimator, sample_weight, groups))


@dataclass(frozen=True)
class DistributionFit(_TargetFit):
    """How estimators learn, and predict, distributions over the classes.

    Where every target is one-hot the fit is the plain one, with labels.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The sorted classes: the meaning of the columns of targets and predictions.
    method : {'soft_labels', 'replicate', 'regression', 'argmax'}
        How the distributions reach the estimator.
    """

    classes: np.ndarray
    method: str

    def _counts_rows(self, estimator):
        """Classifiers count rows of weight zero, and fail for a class that has no others."""
        return True

    def predict(self, model, X):
        """Distributions predicted by a fitted estimator, in the order of all classes.

        Parameters
        ----------
        model : estimator instance
            Fitted, possibly to rows that lack some of the classes; those get probability zero.
        X : array-like of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Rows on the simplex, float64.
        """
        if self.method == "regression":
            what = f"predict of {type(model).__name__}"
            proba = predicted_columns(model.predict(X), self.classes, argument=what).astype(np.float64).clip(min=0)
        else:
            proba = self._aligned(model, model.predict_proba(X))
            what = f"predict_proba of {type(model).__name__}"
        _check_shape(what, proba, (num_samples(X), len(self.classes)))
        _check_finite(model, proba)
        total = proba.sum(axis=1, keepdims=True)
        # Where nothing positive was predicted there is no opinion: all classes alike.
        return np.where(total > 0, proba, 1) / np.where(total > 0, total, len(self.classes))

    def _aligned(self, model, proba):
        known = np.asarray(getattr(model, "classes_", self.classes))
        what = f"predict_proba of {type(model).__name__}"
        proba = predicted_columns(proba, known, argument=what).astype(np.float64, copy=False)
        check_known(known, self.classes, type(model).__name__)
        # Logarithms would all be taken for "no opinion". Sums other than one are forgiven: they say what is likelier.
        if proba.size and proba.min() < -1e-6:
            raise ValueError(f"{what} must return probabilities. Got values from {proba.min():g} to {proba.max():g}.")
        return at_all_classes(proba, known, self.classes, fill=0.0)

    def _fit_last(self, estimator, X, y, targets, sample_weight, groups, rows, seed):
        is_hard = self.method == "argmax" or targets.max(axis=1).min() == 1
        if self.method == "replicate" and not is_hard:
            self._fit_copies(estimator, X, targets, sample_weight, groups, rows, seed)
            return
        X, told = _taken(X, rows), _told(estimator, sample_weight, groups)
        if self.method == "regression":
            estimator.fit(X, targets, **told)
        elif is_hard:
            estimator.fit(X, self.classes[targets.argmax(axis=1)], **told)
        else:
            soft_labels = {keyword_of(estimator, "soft_labels"): class_frame(targets, self.classes)}
            estimator.fit(X, y, **soft_labels, **told)

    def _fit_copies(self, estimator, X, targets, sample_weight, groups, rows, seed):
        most = most_copies(estimator, X, len(self.classes))
        numbers, labels, weights = copies(targets, sample_weight, most=most, random_state=seed)
        parameters = estimator.get_params(deep=False)
        class_weight, early_stopping = parameters.get("class_weight"), parameters.get("early_stopping")
        if isinstance(class_weight, str) and class_weight == "balanced":
            # Counted in copies, every class would look about equally frequent.
            weights = weights * _balance(labels, weights, len(self.classes))[labels]
            estimator.set_params(class_weight=None)
        if isinstance(early_stopping, str) and len(targets) <= AUTO_EARLY_STOPPING_ROWS:
            # "auto" goes by the number of rows; copies must not switch it on.
            estimator.set_params(early_stopping=False)
        labels = self.classes[labels]
        told = _told(estimator, weights, None if groups is None else groups[numbers])
        with rows_to_fit(X, numbers, estimator, rows=rows) as repeated:
            del numbers  # nothing of no use beside the fit, which takes most memory of all
            estimator.fit(repeated, labels, **told)


def column_by_column(estimator):
    """Let a regressor that predicts a single value predict one for every class.

    Parameters
    ----------
    estimator : estimator instance
        A regressor, or a Pipeline that ends with one.

    Returns
    -------
    estimator : estimator instance
        The same, if it takes several outputs; else with a MultiOutputRegressor around the last step.
    """
    if get_tags(estimator).target_tags.multi_output:
        return estimator
    if isinstance(estimator, Pipeline):
        pipeline = clone(estimator)
        name, last = pipeline.steps[-1]
        pipeline.steps[-1] = (name, column_by_column(last))
        return pipeline
    return MultiOutputRegressor(estimator)


def _balance(labels, weights, n_classes):
    """Weight of each class that makes all of them weigh the same, as class_weight="balanced" does with counts."""
    mass = np.bincount(labels, weights=weights, minlength=n_classes)
    present = mass > 0
    return np.divide(mass.sum() / present.sum(), mass, out=np.zeros(n_classes), where=present)


def _taken(X, rows):
    return X if rows is None else safe_indexing(X, rows)


def _told(estimator, sample_weight, groups):
    """What a fit is told beside rows and labels, by the names that it has for it."""
    told = {} if sample_weight is None else {keyword_of(estimator, "sample_weight"): sample_weight}
    if groups is not None and (keyword := groups_keyword(estimator)):
        told[keyword] = groups
    return told


def _routed(head, sample_weight):
    """What the transformers of a Pipeline asked for; without metadata routing they cannot ask."""
    if sample_weight is None or not get_config()["enable_metadata_routing"]:
        return {}
    wanted = get_routing_for_object(head).consumes("fit_transform", ["sample_weight"])
    return {"sample_weight": sample_weight} if wanted else {}


def _check_shape(what, predicted, expected):
    """NumPy would repeat one row for all, or say something about shapes that names nobody."""
    if predicted.shape != expected:
        raise ValueError(
            f"{what} must return an array of shape {expected}, a row for each of X. Got {predicted.shape}."
        )


def _check_finite(model, predicted):
    bad = ~np.isfinite(predicted)
    if bad.any():
        rows = bad if bad.ndim == 1 else bad.any(axis=1)
        raise ValueError(
            f"{type(model).__name__} must predict finite values. Got {rows.sum()} of {len(rows)} rows that are not."
        )
