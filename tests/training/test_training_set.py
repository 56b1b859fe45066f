"""What users pass is taken as it is meant, or refused with a message that says what was expected and what came."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import GridSearchCV
from sklearn.utils.multiclass import check_classification_targets
from torch.utils.data import DataLoader, TensorDataset

from sklabelnoise import DMClassifier, DMClassifierCV
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.modules import ResNet20
from sklabelnoise.training import _training_set
from sklabelnoise.training._training_set import (
    LabeledRows,
    _check_soft_labels,
    _encode,
    check_training_set,
    soft_label_columns,
)

FAST = {"max_epochs": 2, "random_state": 0}


def fit(X, y, estimator=None, **kwargs):
    return (DMClassifier(**FAST) if estimator is None else estimator).fit(X, y, **kwargs)


def with_value(X, value):
    X = X.copy()
    X[3, 1] = value
    return X


def soft(y, n_classes=3):
    return np.eye(n_classes)[y]


# Bad tables


@pytest.mark.parametrize("value, message", [
    (np.nan, "Input X contains NaN"), (np.inf, "Input X contains infinity or a value too large"),
    (-np.inf, "Input X contains infinity"),
])  # fmt: skip
def test_values_that_are_not_finite(value, message, blobs):
    X, y = blobs
    model = fit(*blobs)
    for call in (lambda X: fit(X, y), model.predict, model.predict_proba, lambda X: model.partial_fit(X, y)):
        with pytest.raises(ValueError, match=message):
            call(with_value(X, value))


def test_one_class_only(blobs):
    X, _ = blobs
    message = r"Need at least 2 classes with a positive weight to train a classifier, got one class: \['a'\]"
    with pytest.raises(ValueError, match=message):
        fit(X, ["a"] * len(X))


def test_one_class_only_among_rows_of_positive_weight(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match=r"got one class: \[2\]"):
        fit(X, y, sample_weight=y == 2)


@pytest.mark.parametrize("y, message", [
    (lambda y: y[:-1], r"inconsistent numbers of samples: \[150, 149\]"),
    (lambda y: y + 0.5, "Unknown label type: continuous"),
    (lambda y: np.eye(3)[y], r"y should be a 1d array, got an array of shape \(150, 3\)"),
    (lambda y: np.where(y == 0, np.nan, y), "y must not hold missing labels, got one in row 0"),
    (lambda y: None, "requires y to be passed, but the target y is None"),
])  # fmt: skip
def test_wrong_labels(y, message, blobs):
    with pytest.raises(ValueError, match=message):
        fit(blobs[0], y(blobs[1]))


def says_that_they_may_be_values(function, *arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*arguments)
    return any("unique classes is greater than 50%" in str(warning.message) for warning in caught)


@pytest.mark.parametrize("n_classes", [2, 20, 21, 40])
@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float64, object])
def test_labels_of_so_many_classes_that_they_may_be_values_are_warned_of_where_scikit_learn_does(n_classes, dtype):
    y = np.arange(41) % n_classes
    X = np.random.default_rng(0).normal(size=(41, 3))
    asked = says_that_they_may_be_values(check_classification_targets, y)
    assert says_that_they_may_be_values(fit, X, y.astype(dtype)) == asked
    assert not (asked and n_classes <= 20)


def test_integers_are_classes_without_a_look_at_each(blobs, monkeypatch):
    monkeypatch.setattr(_training_set, "check_classification_targets", lambda y: pytest.fail("looked"))
    fit(*blobs)


def test_a_column_of_labels_is_taken_with_a_warning(blobs):
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        fit(blobs[0], blobs[1][:, None])


@pytest.mark.parametrize("X, message", [
    (np.zeros((0, 5)), r"Found array with 0 sample\(s\)"),
    (np.zeros((5, 0)), r"Found array with 0 feature\(s\)"),
    (np.zeros(5), "Expected 2D array, got 1D array instead"),
    (np.array([["a", "b"]] * 5), "could not convert string to float"),
    (np.zeros((5, 2), dtype=complex), "Complex data not supported"),
])  # fmt: skip
def test_tables_that_are_none(X, message):
    with pytest.raises(ValueError, match=message):
        fit(X, [0, 1, 0, 1, 0][: len(X)])


def test_predicting_with_other_features(blobs):
    model = fit(*blobs)
    for method in (model.predict, model.predict_proba, model.decision_function, model.embed):
        with pytest.raises(ValueError, match="X has 4 features, but DMClassifier is expecting 5 features as input"):
            method(blobs[0][:, :4])


def test_predicting_with_other_feature_names(blobs):
    frame = pd.DataFrame(blobs[0], columns=list("abcde"))
    model = fit(frame, blobs[1])
    assert model.feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match=r"(?s)feature names should match those that were passed during fit.*- z"):
        model.predict(frame.rename(columns={"e": "z"}))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(blobs[0])


@pytest.mark.parametrize("weight, message", [
    ([1.0] * 149, r"sample_weight\.shape == \(149,\), expected \(150,\)"),
    ([-1.0] + [1.0] * 149, "Negative values in data passed to `sample_weight`"),
    ([np.nan] + [1.0] * 149, "Input sample_weight contains NaN"),
    ([0.0] * 150, "Sample weights must contain at least one non-zero number"),
])  # fmt: skip
def test_wrong_weights(weight, message, blobs):
    with pytest.raises(ValueError, match=message):
        fit(*blobs, sample_weight=weight)


def test_class_weights_of_unknown_classes(blobs):
    with pytest.raises(ValueError, match=r"class_weight must have keys of the classes \[0, 1, 2\] only, got \[7\]"):
        fit(*blobs, DMClassifier(class_weight={7: 2.0}, **FAST))


@pytest.mark.parametrize("weight", [-1.0, np.nan, np.inf])
@pytest.mark.parametrize("soft", [False, True])
def test_class_weights_that_are_none(weight, soft, blobs):
    soft_labels = np.eye(3)[blobs[1]] if soft else None
    with pytest.raises(ValueError, match=r"class_weight must hold (finite weights|weights of at least 0), got \{0: "):
        fit(*blobs, DMClassifier(class_weight={0: weight}, **FAST), soft_labels=soft_labels)


def test_class_weights_may_name_classes_that_a_fold_misses(blobs):
    X, y = blobs
    weight = {0: 1.0, 1: 2.0, 2: 3.0, 9: 4.0}
    model = fit(X, y, DMClassifier(class_weight=weight, **FAST))
    del weight[9]
    assert np.array_equal(fit(X, y, DMClassifier(class_weight=weight, **FAST)).predict_proba(X), model.predict_proba(X))


# Bad soft labels


@pytest.mark.parametrize("change, message", [
    (lambda q: q[:, :2], r"soft_labels must have shape \(n_samples, n_classes\) = \(150, 3\), .*got \(150, 2\)"),
    (lambda q: q[:-1], r"= \(150, 3\), .* got \(149, 3\)"),
    (lambda q: np.where(q == 1, 1.5, -0.25), r"soft_labels must be non-negative and finite, got \[.*\] in row 0"),
    (lambda q: with_value(q, np.nan), r"soft_labels must be non-negative and finite, got \[.*nan.*\] in row 3"),
    (lambda q: with_value(q, 0.5), r"Rows of soft_labels must sum to 1, got 1\.5 in row 3"),
    (lambda q: pd.DataFrame(q, columns=[0, 1, 1]), "soft_labels must have one column for each class, got two .* 1"),
    (lambda q: pd.DataFrame(q, columns=["x", "y", "z"]), "soft_labels must have columns named after the .*'z'"),
])  # fmt: skip
def test_wrong_soft_labels(change, message, blobs):
    with pytest.raises(ValueError, match=message):
        fit(*blobs, soft_labels=change(soft(blobs[1])))


def test_rounding_of_rows_is_forgiven_and_removed():
    rng = np.random.default_rng(0)
    rows = rng.dirichlet(np.ones(1000), size=5).astype(np.float16)  # probabilities as half precision keeps them
    rows = rows.astype(float) * (1 + 5e-5) / rows.astype(float).sum(axis=1, keepdims=True)
    checked = _check_soft_labels(rows, None, np.arange(1000), 5)
    assert np.allclose(checked.sum(axis=1), 1, atol=1e-15)
    with pytest.raises(ValueError, match=r"Rows of soft_labels must sum to 1, got 1\.0002 in row 0"):
        _check_soft_labels(rows * (1 + 1.5e-4), None, np.arange(1000), 5)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_soft_labels_in_half_precision_are_those_without_its_rounding(half, blobs):
    X, y = blobs
    n_classes = len(np.unique(y))
    rounded = torch.randn(len(y), n_classes, generator=torch.Generator().manual_seed(0)).softmax(1).to(half)
    exact = rounded.double().numpy()
    exact = exact / exact.sum(axis=1, keepdims=True)
    assert np.abs(rounded.double().sum(1).numpy() - 1).max() > 1e-4
    forms = [rounded] if half == torch.bfloat16 else [rounded, rounded.numpy(), pd.DataFrame(rounded.numpy())]
    for estimator in (
        DMClassifier(max_epochs=2, random_state=0),
        DMClassifierCV(candidates=((0, 0),), cv=2, n_members=1, max_epochs=2, random_state=0),
    ):
        expected = estimator.fit(X, y, soft_labels=exact).predict_proba(X)
        for form in forms:
            assert np.array_equal(estimator.fit(X, y, soft_labels=form).predict_proba(X), expected)


def test_complex_numbers_are_no_soft_labels(blobs):
    with pytest.raises(ValueError, match=r"soft_labels must hold real numbers, got complex128"):
        fit(*blobs, soft_labels=soft(blobs[1]) + 0j)


# Encoding

labels_of_any_kind = st.one_of(
    hnp.arrays(np.int64, st.integers(2, 40), elements=st.integers(-5, 5)),
    hnp.arrays(np.bool_, st.integers(2, 40)),
    st.lists(st.text("abc ", max_size=3), min_size=2, max_size=40).map(np.array),
    st.lists(st.sampled_from(["x", "yy", "é"]), min_size=2, max_size=40).map(lambda v: np.array(v, dtype=object)),
)


@given(labels_of_any_kind)
@settings(max_examples=60, deadline=None)
def test_encoding_is_undone_by_the_classes(y):
    classes, labels = _encode(y, None, None, "y")
    assert np.array_equal(classes[labels], y)
    assert np.array_equal(classes, np.unique(y))
    again, same = _encode(y, classes, None, "y")
    assert again is classes and np.array_equal(same, labels)


@given(labels_of_any_kind, st.data())
@settings(max_examples=30, deadline=None)
def test_encoding_of_a_part_agrees_with_that_of_the_whole(y, data):
    classes, labels = _encode(y, None, None, "y")
    rows = data.draw(hnp.arrays(np.bool_, len(y)))
    assert np.array_equal(_encode(y[rows], classes, None, "y")[1], labels[rows])


def test_columns_of_a_frame_add_classes_that_y_does_not_show():
    frame = pd.DataFrame([[0.5, 0.5, 0.0]] * 2, columns=["c", "a", "b"])
    y = np.array(["b", "a"])
    columns, values = soft_label_columns(frame, y)
    classes, labels = _encode(y, None, columns, "y")
    assert classes.tolist() == ["a", "b", "c"]
    assert labels.tolist() == [1, 0]
    assert _check_soft_labels(values, columns, classes, 2).tolist() == [[0.5, 0.0, 0.5]] * 2


def test_columns_that_pandas_numbered_are_no_names_of_classes(blobs):
    X, y = blobs
    unnamed = pd.DataFrame(soft(y))
    assert np.array_equal(
        fit(X, y, soft_labels=unnamed).predict_proba(X), fit(X, y, soft_labels=soft(y)).predict_proba(X)
    )
    message = r"soft_labels must have columns named after the classes, got columns without names, .* \[3\] of y\."
    with pytest.raises(ValueError, match=message):
        fit(X, y + 1, soft_labels=unnamed)


def test_a_cast_changes_numbers_of_floating_point_alone(blobs):
    X, y = blobs
    data = checked(X, y).cast(np.float32)
    assert data.X is data.all_X and data.X.dtype == np.float32 and data.torch_dtype == torch.float32
    pixels, labels = images()
    data = checked(pixels, labels).cast(np.float64)
    assert data.X.dtype == np.uint8 and np.shares_memory(data.X, pixels) and data.torch_dtype == torch.float64


def test_kept_rows_are_those_that_are_meant(blobs):
    X, y = blobs
    rows = np.array([7, 3, 3])
    np.testing.assert_array_equal(LabeledRows(X, y[rows], rows).taken(), X[rows])
    assert LabeledRows(X, y).taken() is X


def test_a_class_that_was_never_declared():
    with pytest.raises(ValueError, match=r"y must hold labels of the classes \['a', 'b'\] only, got \['c'\]"):
        _encode(np.array(["a", "c"]), np.array(["a", "b"]), None, "y")


# Types and layouts

TYPES = {
    "float64": (np.float64, np.float64), "float32": (np.float32, np.float32), "float16": (np.float16, np.float32),
    "int64": (np.int64, np.float64), "int8": (np.int8, np.float64), "bool": (np.bool_, np.float64),
}  # fmt: skip


@pytest.mark.parametrize("given, computed", TYPES.values(), ids=TYPES)
def test_outputs_have_the_type_that_is_computed_in(given, computed, blobs):
    X, y = (10 * blobs[0]).astype(given), blobs[1]
    model = fit(X, y)
    for output in (model.predict_proba(X), model.predict_log_proba(X), model.decision_function(X), model.embed(X),
                   model.label_quality_):  # fmt: skip
        assert output.dtype == computed
    assert model.predict(X).dtype == y.dtype


def test_the_order_of_bytes_changes_no_bit(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    for own, other in ((X, X.astype(">f4")), (blobs[0], blobs[0].astype(">f8"))):
        model = fit(other, y.astype(">i8"))
        assert np.array_equal(model.predict_proba(other), fit(own, y).predict_proba(own))


@pytest.mark.filterwarnings("ignore:Sparse CSR")
@pytest.mark.parametrize("convert, found", [
    (torch.Tensor.to_sparse, "torch.sparse_coo of torch.float32"),
    (torch.Tensor.to_sparse_csr, "torch.sparse_csr of torch.float32"),
    (lambda X: X.to("meta"), "torch.strided of torch.float32 on meta"),
    (lambda X: X.to(torch.float8_e5m2), "torch.float8_e5m2"),
])  # fmt: skip
def test_tensors_that_are_no_arrays_are_refused(convert, found, blobs):
    X = torch.from_numpy(blobs[0]).float()
    with pytest.raises(TypeError, match=rf"X must be a dense tensor of a type that NumPy has, .*got .*{found}"):
        fit(convert(X), blobs[1])
    with pytest.raises(TypeError, match=rf"X_val must be a dense tensor .*{found}"):
        fit(X, blobs[1], X_val=convert(X), y_val=blobs[1])
    with pytest.raises(TypeError, match=rf"X must be a dense tensor .*{found}"):
        fit(X, blobs[1]).predict(convert(X))


def test_float32_can_be_forced(blobs):
    assert fit(*blobs, DMClassifier(dtype="float32", **FAST)).predict_proba(blobs[0]).dtype == np.float32


def test_a_tensor_is_an_array_of_its_own_type(blobs):
    X, y = blobs[0].astype(np.float32), blobs[1]
    model = fit(torch.from_numpy(X), torch.from_numpy(y))
    assert model.history_.attrs["dtype"] == "float32"
    assert np.array_equal(model.predict_proba(torch.from_numpy(X)), fit(X, y).predict_proba(X))


SAME = {
    "frame": pd.DataFrame, "fortran": np.asfortranarray, "list": np.ndarray.tolist, "csr": scipy.sparse.csr_matrix,
    "csc": scipy.sparse.csc_matrix, "coo": scipy.sparse.coo_array, "csr array": scipy.sparse.csr_array,
    "strided": lambda X: np.repeat(X, 2, axis=0)[::2], "tensor": torch.from_numpy,
}  # fmt: skip


@pytest.mark.parametrize("convert", SAME.values(), ids=SAME)
def test_every_form_of_the_same_table_gives_the_same_model(convert, blobs):
    X, y = np.where(np.abs(blobs[0]) > 1, blobs[0], 0), blobs[1]
    model = fit(X, y)
    other = fit(convert(X), y)
    assert np.array_equal(model.predict_proba(X), other.predict_proba(convert(X)))
    assert np.array_equal(model.label_quality_, other.label_quality_)


@pytest.mark.parametrize("convert", [
    pd.Series, list, lambda y: pd.Series(y).astype("category"), lambda y: pd.Series(y.astype(str)),
    lambda y: pd.Series(y.astype(str), dtype="string"), lambda y: y.astype(str).astype(object),
    lambda y: y.astype(np.float32),
])  # fmt: skip
def test_every_form_of_the_same_labels_gives_the_same_model(convert, blobs):
    X, y = blobs
    model, other = fit(X, y), fit(X, convert(y))
    assert np.array_equal(model.predict_proba(X), other.predict_proba(X))
    assert np.array_equal(other.predict(X).astype(float), model.predict(X))


def checked(X, y, **kwargs):
    return check_training_set(DMClassifier(), X, y, single=False, **kwargs)


def test_a_contiguous_float_table_is_not_copied(blobs):
    X = blobs[0].astype(np.float32)
    data = checked(X, blobs[1])
    assert data.X is X or np.shares_memory(data.X, X)
    tensors = data.as_tensors(torch.device("cpu"))
    assert tensors.X.data_ptr() == X.ctypes.data


def test_training_does_not_write_into_what_it_is_given(blobs):
    X, y, weight, targets = blobs[0].copy(), blobs[1].copy(), np.arange(150.0), soft(blobs[1])
    for array in (X, y, weight, targets):
        array.flags.writeable = False
    fit(X, y, sample_weight=weight, soft_labels=targets)


def test_a_read_only_memory_map_works(blobs, tmp_path):
    np.save(tmp_path / "X.npy", blobs[0].astype(np.float32))
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert np.array_equal(fit(X, blobs[1]).predict_proba(X), fit(np.array(X), blobs[1]).predict_proba(np.array(X)))


def test_weights_that_are_all_the_same_are_none(blobs):
    assert checked(*blobs).sample_weight is None
    assert checked(*blobs, sample_weight=np.full(150, 3.0)).sample_weight is None
    data = checked(*blobs, sample_weight=np.arange(150) % 2)
    assert data.sample_weight is None and len(data) == 75 and len(data.all_labels) == 150


# Images


def images(n=12, channels=3, size=8):
    X = np.random.default_rng(0).integers(0, 256, size=(n, channels, size, size), dtype=np.uint8)
    return X, np.arange(n) % 2


def fit_images(X, y, module=ResNet20, **params):
    return DMClassifier(module, max_epochs=1, random_state=0, **params).fit(X, y)


def test_images_of_mixed_sizes():
    mixed = [np.zeros((3, 8, 8)), np.zeros((3, 9, 8))]
    message = r"X must hold examples of one shape, got 2 different shapes, such as \(3, 8, 8\) and \(3, 9, 8\)"
    with pytest.raises(ValueError, match=message):
        fit_images(mixed, [0, 1])
    objects = np.empty(2, dtype=object)
    objects[:] = mixed
    with pytest.raises(ValueError, match=message):
        fit_images(objects, [0, 1])


@pytest.mark.parametrize("shape", [(7,), (3, 7), (2, 3, 2, 2)])
def test_bytes_that_are_no_images_are_numbers_like_any_other(shape):
    """Only images of four axes are kept as bytes and scaled."""
    X = np.random.default_rng(0).integers(0, 256, size=(20, *shape), dtype=np.uint8)
    y = np.arange(20) % 2
    params = {"max_epochs": 2, "random_state": 0}
    model = DMClassifier(**params).fit(X, y)
    of_integers = DMClassifier(**params).fit(X.astype(np.int64), y)
    assert np.array_equal(model.predict_proba(X), of_integers.predict_proba(X.astype(np.int64)))


def test_images_with_channels_last_need_the_option():
    X, y = images()
    X = X.transpose(0, 2, 3, 1)
    with pytest.raises(ValueError, match=r"looks like channels last: .*module__channels_last=True"):
        fit_images(X, y)
    with pytest.raises(ValueError, match=r"with 3 channels, got .* Pass channels_last=True to the module"):
        fit_images(X, y, ResNet20(3, 2))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_pixels_that_are_not_finite(value):
    X, y = images()
    X = X.astype(np.float32)
    X[2, 1, 3, 3] = value
    with pytest.raises(ValueError, match="Input X contains"):
        fit_images(X, y)


def test_a_module_that_wants_other_channels():
    X, y = images(channels=1)
    with pytest.raises(
        ValueError, match=r"must take inputs of shape \(1, 8, 8\), got ResNet20, which can't: .*with 3 channels"
    ):
        fit_images(X, y, ResNet20(3, 2))
    with pytest.raises(
        ValueError, match=r"must take inputs of shape \(1, 8, 8\), got Sequential, which can't: .*3 channels, but got 1"
    ):
        fit_images(X, y, torch.nn.Sequential(torch.nn.Conv2d(3, 2, 8), torch.nn.Flatten()))


def test_predicting_images_of_another_size():
    model = fit_images(*images())
    with pytest.raises(ValueError, match=r"X must hold examples of shape \(3, 8, 8\), as in fit, got \(3, 9, 9\)"):
        model.predict(images(size=9)[0])


def test_images_as_a_list_or_a_tensor_are_the_same_images():
    X, y = images()
    proba = fit_images(X, y).predict_proba(X)
    for other in (list(X), torch.from_numpy(X)):
        model = fit_images(other, y)
        assert np.array_equal(model.predict_proba(other), proba)
        assert model.n_features_in_ == 3


def test_images_as_lists_of_lists_are_the_same_images():
    X, y = images()
    model = fit_images(X.astype(float), y)
    nested = fit_images(X.tolist(), y)
    assert np.array_equal(nested.predict_proba(X.tolist()), model.predict_proba(X.astype(float)))
    with pytest.raises(ValueError, match="X must hold examples of one shape, got 2 different shapes"):
        fit_images([X[0].tolist(), X[1, :, 1:].tolist()], [0, 1])


@pytest.mark.parametrize("shape", [(12, 4, 4), (12, 2, 1, 4, 4)], ids=["gray", "films"])
@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy, list])
def test_bytes_that_are_no_images_are_numbers(shape, convert):
    # A network scales its images, which have three axes; bytes of any other shape would reach its layers as bytes.
    X, y = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), np.arange(12) % 2
    settings = {"max_epochs": 2, "random_state": 0, "dtype": "float32"}
    expected = DMClassifier(**settings).fit(X.astype(np.float32), y).predict_proba(X.astype(np.float32))
    assert np.array_equal(DMClassifier(**settings).fit(convert(X), y).predict_proba(convert(X)), expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_without_a_pixel_are_refused(dtype):
    X, y = images()
    with pytest.raises(ValueError, match=r"X must hold a number at least in each example, got shape \(12, 3, 0, 8\)"):
        fit_images(X[:, :, :0].astype(dtype), y)


def test_items_of_a_dataset_that_scikit_learn_took_apart_are_refused_with_what_is_taken(blobs):
    """NumPy said that a sequence was no element of an array."""
    X, y = torch.from_numpy(blobs[0]), torch.from_numpy(blobs[1])
    dataset = TensorDataset(X, y)
    for search in (GridSearchCV, FusedGridSearchCV):
        search = search(DMClassifier(**FAST), {"lam": [0, 1]}, cv=2, error_score="raise")
        for labels in (None, blobs[1]):
            with pytest.raises(TypeError, match=r"X must be rows or a Dataset, got a list of items of one\."):
                search.fit(dataset, labels)
    DMClassifierCV(candidates=[(0, 0)], cv=2, n_members=1, **FAST).fit(dataset)


# Held-out rows


@pytest.mark.parametrize("held_out, message", [
    ({"X_val": True}, "X_val and y_val must be passed together, got only X_val"),
    ({"y_val": True}, "X_val and y_val must be passed together, got only y_val"),
    ({"sample_weight_val": True}, "sample_weight_val must be passed with X_val and y_val, got it alone"),
])  # fmt: skip
def test_held_out_rows_and_labels_go_together(held_out, message, blobs):
    X, y = blobs
    values = {"X_val": X, "y_val": y, "sample_weight_val": np.ones(len(y))}
    for estimator in (None, DMClassifierCV(candidates=[(0, 0)], cv=2, n_members=1, **FAST)):
        with pytest.raises(ValueError, match=message):
            fit(X, y, estimator, **{name: values[name] for name in held_out})


@pytest.mark.parametrize("weight, message", [
    (np.ones(3), r"sample_weight_val\.shape == \(3,\), expected \(150,\)"),
    (-np.ones(150), "Negative values in data passed to `sample_weight_val`"),
    (["a"] * 150, "sample_weight_val must hold numbers, got"),
    (np.full(150, np.nan), "Input sample_weight_val contains NaN"),
])  # fmt: skip
def test_wrong_weights_of_held_out_rows_are_called_so(weight, message, blobs):
    with pytest.raises(ValueError, match=message):
        fit(*blobs, X_val=blobs[0], y_val=blobs[1], sample_weight_val=weight)


def test_held_out_rows_of_the_wrong_kind_are_called_so(blobs):
    X, y = blobs
    dataset = TensorDataset(torch.from_numpy(X).float(), torch.from_numpy(y))
    with pytest.raises(ValueError, match=r"y_val must have one label for each of the 150 items of the Dataset, got 3"):
        fit(X, y, X_val=dataset, y_val=[0, 1, 2])
    with pytest.raises(TypeError, match="X_val must be rows or a Dataset, got a DataLoader"):
        fit(X, y, X_val=DataLoader(dataset), y_val=y)


def test_held_out_labels_must_be_known(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match=r"y_val must hold labels of the classes \[0, 1, 2\] only, got \[9\]"):
        fit(X, y, X_val=X[:2], y_val=[0, 9])


def test_held_out_rows_of_other_features(blobs):
    X, y = blobs
    with pytest.raises(ValueError, match="X has 4 features, but DMClassifier is expecting 5"):
        fit(X, y, X_val=X[:, :4], y_val=y)
