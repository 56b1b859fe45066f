"""What the classifier at the end of an estimator is trained on in each split."""

import copy
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from sklabelnoise._fused._plan import Fold, check_stackable, validated_rows
from sklabelnoise._stacked._criterion import NotStackableError


def final_classifier(estimator):
    """The last step of a Pipeline, else the estimator itself."""
    return estimator.steps[-1][1] if type(estimator) is Pipeline else estimator


@dataclass(eq=False)
class SplitData:
    """The folds of some splits, with the transformers that were fitted for them.

    Attributes
    ----------
    folds : list of Fold
        One for each split.
    heads : list of Pipeline
        The Pipelines whose transformers made the folds, their last step being a stand-in; empty where the estimator is
        no Pipeline.
    """

    folds: list = field(default_factory=list)
    heads: list = field(default_factory=list)

    def with_classifier(self, split, classifier):
        """The fitted estimator of a split, from its fitted classifier."""
        if not self.heads:
            return classifier
        fitted = copy.copy(self.heads[split])
        *transformers, (name, _) = fitted.steps
        fitted.steps = [*transformers, (name, classifier)]
        return fitted


def make_folds(estimator, X, y, splits, fit_params):
    """Do for each split what ``fit`` does before the classifier is reached.

    Parameters
    ----------
    estimator : estimator
        A classifier of ours, or a Pipeline that ends in one, with its parameters set.
    X, y : array-like
        All rows and their given labels.
    splits : list of (train, test)
        Row numbers.
    fit_params : dict
        Parameters of ``fit`` for all rows.

    Returns
    -------
    data : SplitData

    Raises
    ------
    NotStackableError
        If the classifier, or a parameter of ``fit``, rules it out.
    Exception
        Whatever a transformer or the validation of the rows raises.
    """
    check_stackable(final_classifier(estimator))
    if y is None:
        raise NotStackableError("there is no y beside X")
    if type(estimator) is Pipeline:
        return _folds_of_pipeline(estimator, X, y, splits, fit_params)
    rows = validated_rows(estimator, X, y)
    data = SplitData()
    for train, test in splits:
        params = _known_params(_check_method_params(X, params=fit_params, indices=train))
        data.folds.append(Fold(**rows, train=train, test=test, y=_safe_indexing(y, train), **params))
    return data


def _folds_of_pipeline(pipeline, X, y, splits, fit_params):
    data = SplitData()
    for train, test in splits:
        head = clone(pipeline)
        name, classifier = head.steps[-1]
        seen = _Recorder(classifier)
        head.steps[-1] = (name, seen)
        X_train, y_train = _safe_indexing(X, train), _safe_indexing(y, train)
        head.fit(X_train, y_train, **_check_method_params(X, params=fit_params, indices=train))
        X_test = _safe_indexing(X, test)
        if len(head.steps) > 1:
            X_test = head[:-1].transform(X_test)
        n_train = len(train)
        rows = validated_rows(
            classifier, _stack_rows(seen.X, X_test), np.concatenate([seen.y, _safe_indexing(y, test)])
        )
        fold = Fold(
            **rows,
            train=np.arange(n_train),
            test=np.arange(n_train, rows["X"].shape[0]),
            y=seen.y,
            **_known_params(seen.params),
        )
        seen.forget()
        data.folds.append(fold)
        data.heads.append(head)
    return data


class _Recorder(ClassifierMixin, BaseEstimator):
    """Stands at the end of a Pipeline in place of its classifier, and keeps what that would be fitted on."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, X, y, **params):
        self.X, self.y, self.params = X, y, params
        return self

    def forget(self):
        """Let go of the rows."""
        del self.X, self.y, self.params

    def get_metadata_routing(self):
        return self.classifier.get_metadata_routing()


def _known_params(params):
    unknown = set(params) - {"sample_weight", "soft_labels"}
    if any(params[name] is not None for name in unknown):
        raise NotStackableError(f"fit is called with {sorted(unknown)[0]}")
    return {name: value for name, value in params.items() if name not in unknown}


def _stack_rows(first, second):
    if isinstance(first, pd.DataFrame):
        return pd.concat([first, second])
    if scipy.sparse.issparse(first):
        return scipy.sparse.vstack([first, second], format="csr")
    return np.concatenate([np.asarray(first), np.asarray(second)])
