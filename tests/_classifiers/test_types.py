"""Numbers, labels, rows and weights of every type that searches and files pass."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from torch.utils.data import TensorDataset

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.training._building import plain

FAST = {"max_epochs": 3, "random_state": 0}


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(120, centers=3, cluster_std=2.0, random_state=0)


NUMBERS = {
    "batch_size": (np.int64(32), np.uint8(32), np.int16(200)),
    "max_epochs": (np.uint8(3), np.int64(2)),
    "module__hidden": (np.int64(8), (np.int64(8), np.uint8(200))),
    "module__dropout": (np.float32(0.25),),
    "lr": (np.float32(0.015625),),
    "weight_decay": (np.float16(0.5),),
    "random_state": (np.uint8(7), np.int64(7)),
    "optimizer__betas": ((np.float64(0.5), np.float64(0.75)),),
    "iterator_train__batch_size": (np.uint8(16),),
    "iterator_valid__batch_size": (np.uint8(16),),
    "lr_schedule": ({"name": "cosine", "warmup": np.float32(0.25)},),
    "lam": (np.float32(1), np.uint8(1)),
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in NUMBERS.items() for value in values])
def test_numbers_of_numpy_are_numbers(blobs, tmp_path, name, value):
    X, y = blobs
    expected = DMClassifier(**{**FAST, name: plain(value)}).fit(X, y).predict_proba(X)
    model = DMClassifier(**{**FAST, name: value}).fit(X, y)
    assert np.array_equal(model.predict_proba(X), expected)
    search = FusedGridSearchCV(DMClassifier(**FAST), {name: [value]}, cv=2, error_score="raise").fit(X, y)
    np.testing.assert_allclose(search.predict_proba(X), expected, rtol=1e-9)
    model.save(tmp_path / "saved")
    assert np.array_equal(DMClassifier.load(tmp_path / "saved").predict_proba(X), expected)


@pytest.mark.parametrize("kind", [">i4", ">f8", ">U5", "int8", "uint8", "bool"])
def test_labels_of_any_byte_order_and_width(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] > 0).astype(int)
    expected = DMClassifier(**FAST).fit(X, y)
    model = DMClassifier(**FAST).fit(X, y.astype(kind))
    assert np.array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert np.array_equal(model.predict(X), y.astype(kind)[[np.argmin(y), np.argmax(y)]][expected.predict(X)])


def test_rows_of_any_type_train(blobs):
    X, y = blobs
    for kind in (">f8", ">f4", "float16", "uint8", ">i4", "bool", "longdouble"):
        assert np.isfinite(DMClassifier(**FAST).fit(X.astype(kind), y).predict_proba(X.astype(kind))).all()
    tensor = torch.tensor(X).bfloat16()
    expected = DMClassifier(**FAST).fit(tensor.float().numpy(), y).predict_proba(tensor.float().numpy())
    assert np.array_equal(DMClassifier(**FAST).fit(tensor, y).predict_proba(tensor), expected)
    dataset = TensorDataset(tensor, torch.from_numpy(np.unique(y, return_inverse=True)[1]))
    assert np.array_equal(DMClassifier(**FAST).fit(dataset).predict_proba(dataset), expected)


@pytest.mark.parametrize("scale", [1e-320, 1e-60, 1e60, 1e300])
@pytest.mark.parametrize("classifier", [DMClassifier, ProSelfLCClassifier, RobustLossClassifier])
def test_weights_that_float32_can_not_hold_are_the_same_weights(blobs, classifier, scale):
    X, y = blobs
    X, weight = X.astype(np.float32), np.random.default_rng(0).integers(1, 4, len(y)).astype(float)
    scaled = weight * scale
    plain_fit = classifier(**FAST).fit(X, y, sample_weight=scaled / scale)
    model = classifier(**FAST).fit(X, y, sample_weight=scaled)
    np.testing.assert_allclose(model.predict_proba(X), plain_fit.predict_proba(X), rtol=1e-4, atol=1e-6)
