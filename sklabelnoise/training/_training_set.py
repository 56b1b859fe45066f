"""Checking and encoding what users pass to the classifiers."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset

from sklabelnoise._compat import safe_indexing
from sklabelnoise._foundation._class_names import kept_labels, named_labels
from sklabelnoise._foundation._classes import check_rows_sum_to_one, encode, weights_of_classes
from sklabelnoise._foundation._given import as_labels, as_numbers, check_same_rows, check_weights, of_tensor
from sklabelnoise._foundation._image_files import image_paths, read_images
from sklabelnoise._foundation._numeric_columns import check_no_texts, check_numeric_columns, with_nan_for_na
from sklabelnoise._foundation._warning_filters import callers_filters
from sklabelnoise.metrics._class_columns import class_columns, in_class_order
from sklabelnoise.modules._draws import captured, seeded
from sklabelnoise.training._batches import DatasetData, TensorData
from sklabelnoise.training._named_rows import NamedRows
from sklabelnoise.training._pixel_scale import warn_of_pixel_scale
from sklabelnoise.training._processes import fingerprint
from sklabelnoise.training._scales import warn_of_scales
from sklabelnoise.training._streams import as_tensor

# Largest weights below this, and above its inverse, are scaled.
_SMALLEST_SCALE = 1e-20
# How far a row of soft labels may be from summing to one: rounding of float32 probabilities over thousands of classes.
_SIMPLEX_TOLERANCE = 1e-4


@dataclass(frozen=True)
class TrainingSet:
    """Rows to train on, checked and encoded.

    Attributes
    ----------
    X : ndarray, CSR matrix or Dataset
        Rows with positive weight.
    labels : ndarray of int of shape (n_rows,)
        Their given labels as indices into `classes`.
    classes : ndarray of shape (n_classes,)
        Class labels.
    dtype : numpy dtype
        Type to compute in.
    soft_targets : ndarray of shape (n_rows, n_classes) or None
        Targets that replace the labels.
    sample_weight : ndarray of shape (n_rows,) or None
        None where all weights are equal, so that a weight of one changes nothing to the last bit.
    all_X, all_labels
        As `X` and `labels`, rows of weight zero included.
    tensor : Tensor or None
        X where the user has it on a device, so that it need not be sent there again.
    feature_names : ndarray of str or None
        Names of the columns of X, where it came with some.
    """

    X: object
    labels: np.ndarray
    classes: np.ndarray
    dtype: np.dtype
    soft_targets: np.ndarray | None
    sample_weight: np.ndarray | None
    all_X: object
    all_labels: np.ndarray
    tensor: torch.Tensor | None = None
    feature_names: np.ndarray | None = None

    def __len__(self):
        return len(self.labels)

    @property
    def input_shape(self):
        """Shape of one example."""
        return _example(self.X).shape if isinstance(self.X, Dataset) else self.X.shape[1:]

    @property
    def torch_dtype(self):
        """Type to compute in, torch's name for it."""
        return torch.float64 if self.dtype == np.float64 else torch.float32

    def facts(self):
        """What must be the same in processes that train together, by name; short."""
        facts = {
            "classes": self.classes.tolist(),
            "shape of a row": tuple(self.input_shape),
            "dtype": str(self.dtype),
            "number of rows": len(self),
            "labels": fingerprint(self.labels, self.soft_targets, self.sample_weight),
        }
        if not isinstance(self.X, Dataset):
            facts["first and last row of X"] = fingerprint(self.X[:1], self.X[-1:])
        return facts

    def as_tensors(self, device):
        """The rows and what belongs to them on a device, a TensorData or DatasetData."""
        kind = DatasetData if isinstance(self.X, Dataset) else TensorData
        return kind(
            self.X if self.tensor is None or self.tensor.device != device else self.tensor,
            self.labels,
            soft_targets=self.soft_targets,
            sample_weight=self.sample_weight,
            device=device,
            dtype=self.torch_dtype,
        )

    def cast(self, dtype):
        """The same rows in a floating type; integers, as of images, stay."""
        X, all_X = (
            X if isinstance(X, Dataset) or X.dtype.kind != "f" else X.astype(dtype, copy=False)
            for X in (self.X, self.all_X)
        )
        all_X = X if self.X is self.all_X else all_X
        return replace(self, X=X, all_X=all_X, dtype=np.dtype(dtype), tensor=self.tensor if X is self.X else None)

    def take(self, rows):
        """The training set of some rows; `all_X` and `all_labels` stay whole."""
        return replace(
            self,
            X=take_rows(self.X, rows),
            tensor=None,
            labels=self.labels[rows],
            soft_targets=None if self.soft_targets is None else self.soft_targets[rows],
            sample_weight=None if self.sample_weight is None else self.sample_weight[rows],
        )


@dataclass(frozen=True, eq=False)
class LabeledRows:
    """Rows and their labels, kept for a question that may be asked later.

    Attributes
    ----------
    X : ndarray, CSR matrix or Dataset
        Checked rows; not copied.
    labels : ndarray of int of shape (n_rows,)
        Labels of the rows that are meant.
    rows : ndarray of int of shape (n_rows,), default=None
        Which rows of X are meant; None for all.
    """

    X: object
    labels: np.ndarray
    rows: np.ndarray | None = None

    def taken(self):
        """The rows that are meant."""
        return self.X if self.rows is None else take_rows(self.X, self.rows)


def _example(dataset):
    """Inputs of the first item of a Dataset."""
    if isinstance(dataset, IterableDataset):
        raise TypeError("X must be a Dataset with __getitem__, got an IterableDataset, whose items have no numbers.")
    if not hasattr(dataset, "__len__"):
        raise TypeError(f"X must be a Dataset with __len__, got {type(dataset).__name__}, which has none.")
    if len(dataset) == 0:
        raise ValueError("X must have at least one item, got a Dataset without items.")
    item = _item(dataset, 0)
    x = item[0] if isinstance(item, tuple | list) else item
    if not isinstance(x, torch.Tensor | np.ndarray | np.generic | int | float):
        raise TypeError(
            "X must be a Dataset whose items have a tensor or an array for the network, alone or first in a pair "
            f"(x, y), got {type(x).__name__} in item 0."
        )
    return np.asarray(_as_array(x))


def _item(dataset, i):
    """One item of a Dataset; what it draws to change it is no draw of the caller's."""
    with seeded(0), captured():
        return NamedRows(dataset)[i]


def take_rows(X, rows):
    """Some rows of X, by their numbers or a slice."""
    if isinstance(X, Dataset):
        return Subset(X, range(len(X))[rows] if isinstance(rows, slice) else rows)
    return safe_indexing(X, rows)


def check_inputs(estimator, X):
    """Validate rows to predict against what the estimator was fitted on."""
    if isinstance(X, Dataset):
        _check_examples(estimator, X, estimator.input_shape_, "X")
        return X
    X = _rows_of(X, estimator)
    X = _validate(estimator, _as_array(X), reset=False, dtype=estimator.net_.numpy_dtype)
    _check_shape(X.shape[1:], estimator.input_shape_, "X")
    warn_of_pixel_scale(estimator.net_, X)
    return X


def check_training_set(
    estimator,
    X,
    y,
    sample_weight=None,
    soft_labels=None,
    *,
    single,
    known=None,
    reset=True,
    names=("X", "y", "sample_weight"),
):
    """Validate and encode rows and labels to train on.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and `feature_names_in_` where `reset` is true.
    X, y, sample_weight, soft_labels
        As in ``fit``.
    single : bool
        Whether to compute in single precision whatever the type of X.
    known : tuple of ndarray and tuple, default=None
        Class labels that y must be among, and the shape one example must have (None for any). Without it classes are
        taken from y and soft_labels.
    reset : bool, default=True
        Whether this is the data the estimator is fitted on, rather than more of the same kind.
    names : tuple of str, default=("X", "y", "sample_weight")
        What these are called in messages.

    Returns
    -------
    data : TrainingSet
    """
    check_same_rows(**{names[1]: y}, soft_labels=soft_labels, numbers=False)
    if isinstance(X, Dataset):
        y, tensor, dtype = _check_items(estimator, X, y, reset, names[1]), None, np.dtype(np.float32)
    else:
        X, y, tensor, dtype = _check_rows(estimator, X, y, single, reset, names)
    # Integers are classes: scikit-learn's check, which takes as long as three steps of a small network, could only warn
    # of them, where they are many.
    if y.dtype.kind not in "biu":
        check_classification_targets(y)

    classes, input_shape = known or (None, None)
    if input_shape is not None:
        if isinstance(X, Dataset):
            _check_examples(estimator, X, input_shape, names[0])
        else:
            _check_shape(X.shape[1:], input_shape, names[0])
    columns, soft_labels = (None, None) if soft_labels is None else soft_label_columns(soft_labels, y)
    classes, labels = _encode(y, classes, columns, names[1])
    if y.dtype.kind in "biu" and 2 * len(classes) > len(y):
        check_classification_targets(y)
    soft_targets = None if soft_labels is None else _check_soft_labels(soft_labels, columns, classes, len(labels))
    weight = check_weights(sample_weight, len(labels), names[2])
    if estimator.class_weight is not None:
        soft_targets, weight = _apply_class_weight(estimator.class_weight, classes, labels, soft_targets, weight)

    present = np.flatnonzero((np.bincount(labels[weight > 0]) if soft_targets is None else weight @ soft_targets) > 0)
    # Where the classes were declared, a chunk may show one of them only.
    if (known is None and len(present) < 2) or len(classes) < 2:
        raise ValueError(
            f"Need at least 2 classes with a positive weight to train a classifier, got one class: {classes[present]}."
        )
    names = getattr(estimator, "feature_names_in_", None)
    whole = TrainingSet(X, labels, classes, dtype, soft_targets, weight, X, labels, tensor, names)
    data = whole if weight.all() else whole.take(np.flatnonzero(weight))
    if (data.sample_weight == data.sample_weight[0]).all():
        return replace(data, sample_weight=None)
    return replace(data, sample_weight=_within_float32(data.sample_weight))


def _check_items(estimator, dataset, y, reset, name):
    """Labels of a Dataset's items: those given, or else its own."""
    example = _example(dataset)
    y = read_labels(dataset) if y is None else y
    y = as_labels(y, name)
    y = column_or_1d(y, warn=True)
    if len(y) != len(dataset):
        raise ValueError(
            f"{name} must have one label for each of the {len(dataset)} items of the Dataset, got {len(y)}."
        )
    if reset:
        estimator.n_features_in_ = example.shape[0] if example.ndim else 1
    return y


def _check_rows(estimator, X, y, single, reset, names):
    """Rows and labels as arrays, the rows as a tensor where they came on an accelerator, and the type to compute in."""
    y = as_labels(y, names[1])
    given = _rows_of(X, estimator, names[0])
    X = _as_array(given, names[0])
    X, y = _validate(estimator, X, y, reset=reset, dtype=_kept_types(X, single))
    if reset and X.ndim == 2:
        warn_of_scales(X, type(estimator).__name__, getattr(estimator, "feature_names_in_", None))
    tensor = None
    if isinstance(given, torch.Tensor) and given.device.type != "cpu":
        # one of a block of torch.inference_mode() can't be trained on, its copy can
        tensor = (given.clone() if given.is_inference() else given.detach()).to(as_tensor(X[:0]).dtype)
    return X, y, tensor, X.dtype if X.dtype.kind == "f" else np.dtype(np.float32)


def _within_float32(weight):
    """Weights that float32 can hold and sum: those it can't are scaled by a power of two, which rounds nothing."""
    largest = weight.max()
    if _SMALLEST_SCALE < largest < 1 / _SMALLEST_SCALE:
        return weight
    return np.ldexp(weight, -np.frexp(largest)[1])


def _rows_of(X, estimator, name="X"):
    """Rows as they are given, or the pixels of the images they name; what is no number is refused."""
    if isinstance(X, DataLoader):
        raise TypeError(
            f"{name} must be rows or a Dataset, got a DataLoader: pass its dataset, and what it was made with as "
            "batch_size, iterator_train__num_workers and so on."
        )
    if isinstance(X, list) and X and isinstance(X[0], tuple) and any(map(_has_axes, X[0])):
        raise TypeError(
            f"{name} must be rows or a Dataset, got a list of items of one. scikit-learn's searches and "
            "cross-validation take a Dataset apart: give them an array, or call DMClassifierCV or audit_labels, which "
            "split a Dataset themselves."
        )
    paths = image_paths(X)
    if paths is not None:
        advice = (
            f" Resize them: make_pipeline(ImageReader(size=32), {type(estimator).__name__}(...)), with ImageReader "
            "from sklabelnoise.feature_extraction."
        )
        return read_images(paths, advice=advice, name=name)
    check_numeric_columns(X, type(estimator).__name__, name=name)
    check_no_texts(X, type(estimator).__name__, name=name)
    return with_nan_for_na(X)


def _has_axes(value):
    return isinstance(value, torch.Tensor) and value.ndim > 0


def _as_array(X, name="X"):
    """A tensor as an array of its own type, which scikit-learn does not see in it; float32 for bfloat16.

    Raises
    ------
    TypeError
        If NumPy has no such arrays: of sparse tensors, for example.
    """
    if not isinstance(X, torch.Tensor):
        return X
    try:
        return of_tensor(X)
    except (TypeError, RuntimeError) as error:
        raise TypeError(
            f"{name} must be a dense tensor of a type that NumPy has, or a CSR matrix of SciPy, got {X.layout} of "
            f"{X.dtype} on {X.device}: {error}"
        ) from error


def _kept_types(X, single):
    """Floating types that X may keep; it is cast to the first where it has another."""
    dtype = getattr(X, "dtype", None)
    # Single precision in the order of bytes of another machine, as of files of astronomers, is single precision.
    is_single = isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize <= 4
    return [np.float32] if single or is_single else [np.float64, np.float32]


@callers_filters()
def _validate(estimator, X, y="no_validation", *, reset, dtype):
    ndim = getattr(X, "ndim", 2)
    is_sequence = isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and X.dtype == object and ndim == 1)
    if is_sequence and len(X) and _n_axes(X[0]) > 1:
        shapes = {np.shape(x) for x in X}
        if len(shapes) > 1:
            raise ValueError(
                f"X must hold examples of one shape, got {len(shapes)} different shapes, such as "
                f"{' and '.join(map(str, sorted(shapes)[:2]))}. Resize or pad them, or pass a torch Dataset that does."
            )
        X = np.stack(X)
        ndim = X.ndim
    if ndim <= 2:
        return validate_data(estimator, X, y, accept_sparse="csr", dtype=dtype, order="C", reset=reset)
    if 0 in X.shape[1:]:
        raise ValueError(f"X must hold a number at least in each example, got shape {X.shape}.")
    if X.dtype == np.uint8 and ndim == 4:  # images, which are scaled batch by batch
        dtype = np.uint8
    return validate_data(estimator, X, y, dtype=dtype, order="C", ensure_2d=False, allow_nd=True, reset=reset)


def _n_axes(row):
    """Axes of one row of a sequence; 0 where it is a list that NumPy has no array for, which scikit-learn refuses."""
    if not isinstance(row, list | tuple):
        return getattr(row, "ndim", 0)
    try:
        return np.ndim(row)
    except ValueError:
        return 0


def _check_shape(shape, expected, name):
    if shape != tuple(expected):
        raise ValueError(f"{name} must hold examples of shape {tuple(expected)}, as in fit, got {shape}.")


def _check_examples(estimator, dataset, expected, name):
    """As :func:`_check_shape`, of the first item; where the caller's function joins items, each may have a shape."""
    params = estimator.get_params(deep=False)
    if all(params.get(f"iterator_{part}__collate_fn") is None for part in ("train", "valid")):
        _check_shape(_example(dataset).shape, expected, name)


def read_labels(dataset):
    """Labels of a torch ``Dataset``, from the attribute it keeps them in or item by item.

    They are names where the data set has names of its classes, in `classes` or `class_to_idx`.

    Raises
    ------
    ValueError
        If its items are not pairs.
    """
    if isinstance(dataset, Subset):
        return read_labels(dataset.dataset)[np.asarray(dataset.indices)]
    if isinstance(dataset, ConcatDataset):
        parts = [read_labels(part) for part in dataset.datasets]
        if len({part.dtype.kind in "iuf" for part in parts}) > 1:
            kinds = ", ".join(sorted({part.dtype.name for part in parts}))
            raise ValueError(
                f"X must join data sets whose labels are all numbers or all names of classes, got {kinds}."
            )
        return np.concatenate(parts)
    return named_labels(dataset, _own_labels(dataset))


def _own_labels(dataset):
    kept = kept_labels(dataset)
    if kept is not None:
        return kept
    first = _item(dataset, 0)
    if not isinstance(first, tuple | list) or len(first) < 2:
        raise ValueError(
            f"X must be a Dataset of pairs (x, y), or y be given beside it, got items of type {type(first).__name__}."
        )
    if len(first) > 2:
        # The label may be second or last.
        raise ValueError(
            f"X must be a Dataset of pairs (x, y), or y be given beside it, got items of {len(first)} parts."
        )
    return np.asarray([_item(dataset, i)[1] for i in range(len(dataset))])


def soft_label_columns(soft_labels, y):
    """The class of each column of soft labels, None where they are no frame, and their values.

    Parameters
    ----------
    soft_labels : array-like or frame of any library, of shape (n_samples, n_classes)
    y : array-like of shape (n_samples,)
        Given labels.

    Returns
    -------
    columns : ndarray of shape (n_classes,) or None
    values : array-like of shape (n_samples, n_classes)

    Raises
    ------
    ValueError
        If the columns of a frame cannot be told to be classes.
    """
    found = np.unique(np.asarray(y))
    columns, values = class_columns(soft_labels, found, argument="soft_labels")
    if columns is None:
        return None, values
    unnamed = isinstance(getattr(soft_labels, "columns", None), pd.RangeIndex)
    missing = [label for label in found.tolist() if label not in set(columns.tolist())]
    if unnamed and missing:
        # pandas numbers columns that have no name: that they share some numbers with the labels means nothing.
        raise ValueError(
            f"soft_labels must have columns named after the classes, got columns without names, which cannot be the "
            f"labels {missing} of y. Name them so, or pass the values alone if they are in the order of the sorted "
            "classes."
        )
    return columns, values


def _encode(y, classes, columns, name):
    if classes is None and columns is not None:
        classes = np.unique(np.concatenate([encode(y)[0], columns]))
    return encode(y, classes, name=name)


def _check_soft_labels(soft_labels, columns, classes, n_rows):
    if columns is not None:
        soft_labels = in_class_order(soft_labels, columns, classes, argument="soft_labels")
    soft_labels = as_numbers(soft_labels, "soft_labels")
    if soft_labels.shape != (n_rows, len(classes)):
        raise ValueError(
            f"soft_labels must have shape (n_samples, n_classes) = {(n_rows, len(classes))}, the columns in the order "
            f"of the sorted labels {classes} (or be a DataFrame whose columns are the classes), got "
            f"{soft_labels.shape}."
        )
    if not np.isfinite(soft_labels).all() or (soft_labels < 0).any():
        row = int(np.flatnonzero(~(np.isfinite(soft_labels) & (soft_labels >= 0)).all(axis=1))[0])
        raise ValueError(f"soft_labels must be non-negative and finite, got {soft_labels[row]} in row {row}.")
    check_rows_sum_to_one(soft_labels, "soft_labels", tolerance=_SIMPLEX_TOLERANCE)
    return soft_labels / soft_labels.sum(axis=1, keepdims=True)


def _apply_class_weight(class_weight, classes, labels, soft_targets, weight):
    """Multiply class weights into row weights, or with soft targets into each class's share of a row.

    Row i with targets q_i becomes the row of weight s_i = sum_k q_ik c_k and targets q_ik c_k / s_i: the same as one
    copy of the row for each class, weighted by q_ik c_k.
    """
    if soft_targets is None:
        mass = np.bincount(labels, weights=weight, minlength=len(classes))
        return None, weight * _class_weights(class_weight, classes, mass)[labels]
    shares = soft_targets * _class_weights(class_weight, classes, weight @ soft_targets)
    total = shares.sum(axis=1)
    return np.divide(shares, total[:, None], out=soft_targets.copy(), where=total[:, None] > 0), weight * total


def _class_weights(class_weight, classes, mass):
    """One weight a class; "balanced" from the total weight `mass` of each class, as scikit-learn's."""
    if class_weight == "balanced":
        return np.divide(mass.sum(), len(classes) * mass, out=np.zeros_like(mass), where=mass > 0)
    weights = weights_of_classes(class_weight, classes)
    if (weights < 0).any():
        raise ValueError(f"class_weight must hold weights of at least 0, got {class_weight!r}.")
    return weights
