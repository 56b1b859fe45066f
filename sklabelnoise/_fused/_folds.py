"""What the classifier at the end of an estimator is trained on in each split."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial, reduce

import numpy as np
import pandas as pd
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.pipeline import Pipeline

from sklabelnoise._compat import check_method_params, safe_indexing
from sklabelnoise._stacked._criterion import NotStackableError
from sklabelnoise._stacked._equality import same
from sklabelnoise.modules._draws import seeded
from sklabelnoise.training._training_set import LabeledRows, check_training_set

# Transformed rows of several folds are held at once up to this many bytes, so that small folds train as one.
_BYTES_HELD = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Fold:
    """One split of the rows.

    Attributes
    ----------
    X : ndarray or CSR matrix
        Validated rows, those of the test set included; folds may share them.
    dtype : numpy dtype
        Type to compute in.
    inputs : dict
        ``n_features_in_`` and, where there are names, ``feature_names_in_``.
    train, test : ndarray of int
        Row numbers in `X`.
    y : ndarray of shape (n_train,)
        Given labels of the training rows.
    sample_weight, soft_labels
        As in ``fit``, for the training rows.
    seen_again : ndarray of int, default=None
        Row numbers of the training rows as they are predicted, where that may be otherwise than in ``fit``.
    """

    X: object
    dtype: np.dtype
    inputs: dict
    train: np.ndarray
    test: np.ndarray
    y: np.ndarray
    sample_weight: object = None
    soft_labels: object = None
    seen_again: np.ndarray | None = None

    def rows_of(self, part):
        """Row numbers to predict of the "test" or the "train" part."""
        again = self.seen_again if part == "train" else None
        return getattr(self, part) if again is None else again

    def training_set(self, estimator):
        """What an estimator would train on in this fold, with row numbers in place of the rows."""
        # A column of row numbers goes through the checks: the rows themselves were validated once for all folds.
        column = self.train[:, None].astype(np.float64)
        data = check_training_set(clone(estimator), column, self.y, self.sample_weight, self.soft_labels, single=False)
        return replace(data, X=data.X[:, 0].astype(np.int64), dtype=self.dtype)

    def with_rows(self, data):
        """A training set of row numbers with the rows themselves."""
        return replace(data, X=self.X[data.X])

    def given(self, data):
        """The rows of a training set, those of weight zero included, and their labels."""
        return LabeledRows(self.X, data.all_labels, self.train)


def validated_rows(estimator, X, y):
    """Rows as the ``fit`` of an estimator takes them.

    Returns
    -------
    fields : dict
        `X`, `dtype` and `inputs` of :class:`Fold`.
    """
    checker = clone(estimator)
    data = checker._check_training_set(X, y)
    names = ("n_features_in_", "feature_names_in_")
    inputs = {name: getattr(checker, name) for name in names if hasattr(checker, name)}
    return {"X": data.all_X, "dtype": data.dtype, "inputs": inputs}


def build_net(builder, fold, data, device, seed, *, whole=False):
    """The net that a classifier's ``fit`` would start from in a fold, and its training parameters.

    Parameters
    ----------
    builder : NetBuilder
        Of the classifier.
    fold : Fold
        Holds the rows.
    data : TrainingSet
        The training set of the fold, by row numbers.
    device : torch.device
        Where to train.
    seed : int
        Seeds the weights.
    whole : bool, default=False
        Whether statistics of all training rows are wanted, as images are scaled by; else two rows tell the sizes.
    """
    data = fold.with_rows(data if whole else data.take(np.arange(min(2, len(data)))))
    with seeded(seed):
        return builder.build(data.as_tensors(device), data, device, seed)


def takes_statistics(fold):
    """Whether the net of a fold depends on its rows: images are scaled, tables are not."""
    return fold.X.ndim > 2


@dataclass(eq=False)
class SplitData:
    """The folds of some splits, with the transformers that were fitted for them.

    Folds without transformers share their rows, and all are at hand. Each fold of a Pipeline has rows of its own: as
    many are held at a time as take 64 MB together, and at least one, so that memory does not grow with their number.

    Attributes
    ----------
    folds : dict of int to Fold
        Those at hand, by the number of their split.
    heads : dict of int to Pipeline
        The Pipelines whose transformers made them, their last step being a stand-in; empty where the estimator is no
        Pipeline.
    n_folds : int
        Number of splits.
    make_fold : callable or None
        ``make_fold(split)`` gives the fold of a split and its Pipeline; None where all are at hand.
    """

    folds: dict
    n_folds: int
    heads: dict = field(default_factory=dict)
    make_fold: Callable | None = None
    _checked: list = field(default_factory=list, repr=False)

    @classmethod
    def of_shared_rows(cls, folds):
        """Folds that share their rows."""
        folds = dict(enumerate(folds))
        return cls(folds, len(folds))

    @classmethod
    def of_own_rows(cls, make_fold, n_folds):
        """Folds with rows of their own; the first ones are made."""
        data = cls({}, n_folds, make_fold=make_fold)
        data.hold([0])
        at_once = max(1, _BYTES_HELD // max(1, _n_bytes(data.folds[0].X)))
        for split in range(1, min(at_once, n_folds)):
            data.folds[split], data.heads[split] = make_fold(split)
        return data

    @property
    def holds_all(self):
        """Whether all folds are at hand."""
        return len(self.folds) == self.n_folds

    def turns(self):
        """Numbers of the splits whose folds are held at a time, those at hand first."""
        at_once = len(self.folds)
        return [list(range(first, min(first + at_once, self.n_folds))) for first in range(0, self.n_folds, at_once)]

    def hold(self, splits):
        """Let go of the folds at hand, and make those of other splits."""
        self.folds, self.heads, self._checked = {}, {}, []
        for split in splits:
            self.folds[split], self.heads[split] = self.make_fold(split)

    def training_sets(self, classifier):
        """What a classifier trains on in each fold at hand; that depends on its `class_weight` alone."""
        for class_weight, sets in self._checked:
            if same(class_weight, classifier.class_weight):
                return sets
        sets = {split: fold.training_set(classifier) for split, fold in self.folds.items()}
        self._checked.append((classifier.class_weight, sets))
        return sets

    def with_classifier(self, split, classifier):
        """The fitted estimator of a split at hand, from its fitted classifier."""
        if not self.heads:
            return classifier
        fitted = copy.copy(self.heads[split])
        *transformers, (name, _) = fitted.steps
        fitted.steps = [*transformers, (name, classifier)]
        return fitted


def make_folds(estimator, X, y, splits, fit_params, *, parts=("test",)):
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
    parts : tuple of {"test", "train"}, default=("test",)
        Rows that will be predicted.

    Returns
    -------
    data : SplitData

    Raises
    ------
    NotStackableError
        If a parameter of ``fit`` rules it out.
    Exception
        Whatever a transformer or the validation of the rows raises.
    """
    if y is None:
        raise NotStackableError("there is no y beside X")
    if type(estimator) is Pipeline:
        make = partial(_fold_of_pipeline, estimator, X, y, splits, fit_params, parts)
        return SplitData.of_own_rows(make, len(splits))
    rows = validated_rows(estimator, X, y)
    folds = []
    for train, test in splits:
        params = _known_params(check_method_params(X, params=fit_params, indices=train))
        folds.append(Fold(**rows, train=train, test=test, y=safe_indexing(y, train), **params))
    return SplitData.of_shared_rows(folds)


def _fold_of_pipeline(pipeline, X, y, splits, fit_params, parts, split):
    """The fold of one split, with what its transformers make of the rows, and the Pipeline that holds them."""
    train, test = splits[split]
    head = clone(pipeline)
    name, classifier = head.steps[-1]
    seen = _Recorder(classifier)
    head.steps[-1] = (name, seen)
    y_train = safe_indexing(y, train)
    params = check_method_params(X, params=fit_params, indices=train)
    head.fit(safe_indexing(X, train), y_train, **params)
    predicted = [head.predict(safe_indexing(X, test))]
    if "train" in parts:
        # A transformer may give the rows of its fit, in fit_transform, other values than afterwards.
        predicted.append(head.predict(safe_indexing(X, train)))
    X_train, y_train, params = seen.forget()
    labels = [y_train, safe_indexing(y, test), y_train][: 1 + len(predicted)]
    rows = validated_rows(classifier, reduce(_stack_rows, predicted, X_train), np.concatenate(labels))
    numbers = np.split(np.arange(rows["X"].shape[0]), np.cumsum([len(part) for part in labels])[:-1])
    of_parts = dict(zip(("train", "test", "seen_again"), numbers, strict=False))
    fold = Fold(**rows, **of_parts, y=y_train, **_known_params(params))
    return fold, head


def _n_bytes(X):
    arrays = (X.data, X.indices, X.indptr) if scipy.sparse.issparse(X) else (X,)
    return sum(array.nbytes for array in arrays)


class _Recorder(ClassifierMixin, BaseEstimator):
    """Stands at the end of a Pipeline in place of its classifier: keeps what that would be fitted on, and gives what it
    would predict on."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, X, y, **params):
        self.X, self.y, self.params = X, y, params
        return self

    def predict(self, X):
        return X

    def __sklearn_is_fitted__(self):
        return True

    def forget(self):
        """Hand over what was seen, and keep none of it."""
        seen = self.X, self.y, self.params
        del self.X, self.y, self.params
        return seen

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
