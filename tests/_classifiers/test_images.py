"""Images are normalized, stay bytes until they are a batch, and are views of themselves when tested."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sklabelnoise import DMClassifier, DMClassifierCV
from sklabelnoise.modules import ResNet20
from sklabelnoise.training import _pixel_scale
from sklabelnoise.training._pixel_scale import white_of


def images(n=20, channels=3, size=8):
    X = np.random.default_rng(0).integers(0, 256, size=(n, channels, size, size), dtype=np.uint8)
    return X, np.arange(n) % 2


def test_images_are_normalized_by_numpys_statistics():
    X, y = images()
    model = DMClassifier(ResNet20, max_epochs=1, augment=False).fit(X, y)
    scaler = model.net_.preprocess
    assert np.allclose(scaler.mean.flatten(), X.mean(axis=(0, 2, 3)), rtol=1e-6)
    assert np.allclose(1 / scaler.inverse_std.flatten(), X.std(axis=(0, 2, 3)), rtol=1e-6)
    scaled = scaler(torch.from_numpy(X)).numpy()
    assert np.allclose(scaled.mean(axis=(0, 2, 3)), 0, atol=1e-5) and np.allclose(scaled.std(axis=(0, 2, 3)), 1)
    assert DMClassifier(max_epochs=1).fit(X[:, 0, 0], y).net_.preprocess is None


def test_a_channel_that_never_changes_does_no_harm():
    X, y = images()
    X[:, 1] = 7
    assert np.isfinite(DMClassifier(ResNet20, max_epochs=1).fit(X, y).predict_proba(X)).all()


def test_scale_and_offset_of_float_images_do_not_matter():
    X, y = images()
    params = {"max_epochs": 1, "augment": False, "random_state": 0}
    bytes_ = DMClassifier(ResNet20, **params).fit(X, y).predict_proba(X)
    unit = (X / 255).astype(np.float32)
    # float32 sums over a deep network, after inputs that differ in the last digit
    assert np.allclose(DMClassifier(ResNet20, **params).fit(unit, y).predict_proba(unit), bytes_, atol=1e-3)


def test_channels_last_images_are_the_same_images():
    X, y = images()
    params = {"max_epochs": 1, "augment": False, "random_state": 0}
    first = DMClassifier(ResNet20, **params).fit(X, y)
    last = DMClassifier(ResNet20, module__channels_last=True, **params).fit(X.transpose(0, 2, 3, 1), y)
    assert np.allclose(last.predict_proba(X.transpose(0, 2, 3, 1)), first.predict_proba(X), atol=1e-4)
    assert first.n_features_in_ == last.n_features_in_ == 3
    memory = DMClassifier(ResNet20, channels_last=True, **params).fit(X, y)
    assert np.allclose(memory.predict_proba(X), first.predict_proba(X), atol=1e-4)


def test_images_stay_bytes_until_they_are_a_batch():
    X, y = images()
    model = DMClassifier(ResNet20)
    data = model._check_training_set(X, y)
    tensors = data.as_tensors(torch.device("cpu"))
    assert tensors.X.dtype == torch.uint8 and tensors.X.data_ptr() == X.ctypes.data


def test_test_time_augmentation_averages_reproducible_views():
    X, y = images()
    model = DMClassifier(ResNet20, max_epochs=2, random_state=0).fit(X, y)
    plain, averaged = model.predict_proba(X), model.predict_proba(X, n_augment=3)
    assert np.array_equal(averaged, model.predict_proba(X, n_augment=3))
    assert not np.array_equal(averaged, plain)
    assert np.allclose(averaged.sum(axis=1), 1, atol=1e-6)
    assert np.array_equal(model.predict_proba(X, n_augment=0), plain)
    with pytest.raises(
        ValueError, match="n_augment must be 0, or more where the classifier was trained with augment, got -1"
    ):
        model.predict_proba(X, n_augment=-1)
    with pytest.raises(TypeError, match=r"n_augment must be an integer, got 1\.5"):
        model.predict_proba(X, n_augment=1.5)
    with pytest.raises(ValueError, match="where the classifier was trained with augment, got 2"):
        DMClassifier(ResNet20, max_epochs=1, augment=False).fit(X, y).predict_proba(X, n_augment=2)


def test_a_grid_search_over_images():
    X, y = images()
    search = GridSearchCV(
        DMClassifier(ResNet20, max_epochs=1, random_state=0), {"lam": [0, 1]}, cv=StratifiedKFold(2)
    ).fit(X, y)
    assert search.predict(X).shape == (20,)


def fitted_on(X, y):
    return DMClassifier(ResNet20, max_epochs=1, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def on_bytes():
    return fitted_on(*images())


@pytest.fixture(scope="module")
def on_fractions():
    X, y = images()
    return fitted_on(X.astype(np.float32) / 255, y)


def messages(function, *args, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*args, **kwargs)
    return [str(warning.message) for warning in caught if issubclass(warning.category, UserWarning)]


OF_FRACTIONS = "X must have pixels of the scale of fit, whole numbers up to 255: got fractions of at most 1"
OF_BYTES = "X must have pixels of the scale of fit, fractions of at most 1: got whole numbers above 1"


def test_pixels_of_another_scale_than_in_fit_are_named(on_bytes, on_fractions):
    """A network that was fitted on bytes saw nothing but black in images scaled to 0..1, and said nothing."""
    X, _ = images()
    assert X.max() == 255
    fractions = X / 255
    for method in ("predict", "predict_proba", "decision_function", "embed"):
        for given in (fractions, fractions.astype(np.float32), torch.from_numpy(fractions), fractions[:1]):
            [message] = messages(getattr(on_bytes, method), given)
            assert message.startswith(OF_FRACTIONS), (method, message)
    for given in (X, X.astype(np.int64), X.astype(np.float64), torch.from_numpy(X)):
        [message] = messages(on_fractions.predict, given)
        assert message.startswith(OF_BYTES)


def test_pixels_of_another_scale_are_named_wherever_training_goes_on_or_stops_early():
    X, y = images()
    model = DMClassifier(ResNet20, max_epochs=1, warm_start=True, random_state=0).fit(X, y)
    for function in (model.fit, model.partial_fit):
        [message] = messages(function, X / 255, y)
        assert message.startswith(OF_FRACTIONS)
    [message] = messages(DMClassifier(ResNet20, max_epochs=1).fit, X, y, X_val=X / 255, y_val=y)
    assert message.startswith(OF_FRACTIONS.replace("X must", "X_val must"))
    cv = DMClassifierCV(ResNet20, candidates=[(0, 0)], cv=2, n_members=2, max_epochs=1, random_state=0).fit(X, y)
    [message] = messages(cv.predict, X / 255)
    assert message.startswith(OF_FRACTIONS)


def test_pixels_of_the_scale_of_fit_are_no_reason_to_warn(on_bytes, on_fractions):
    """Dark images are not images of another scale; nor is what the fit saw of no known scale."""
    X, y = images()
    black, nearly = np.zeros_like(X), (X > 250).astype(np.uint8)
    for given in (X, X.astype(float), black, black.astype(float), nearly, nearly.astype(float), X / 2.0):
        assert messages(on_bytes.predict, given) == []
    for given in (X / 255, X / 255 / 100, black, black.astype(float), nearly, nearly.astype(float), X / 250):
        assert messages(on_fractions.predict, given) == []
    standardized = fitted_on((X - 127.5) / 74, y)
    masks = fitted_on(nearly, y)
    for model in (standardized, masks):
        for given in (X / 255, X, nearly, (X - 127.5) / 74):
            assert messages(model.predict, given) == []


def test_images_with_pixels_below_zero_have_no_white():
    X, _ = images()
    for given in (X / 255 - 0.5, X.astype(np.int64) - 128):
        assert white_of(given) is None
    assert (white_of(X), white_of(X / 255)) == (255, 1)


def test_the_scale_of_pixels_is_that_of_all_images_and_not_of_the_first_ones(monkeypatch):
    monkeypatch.setattr(_pixel_scale, "_AT_ONCE", 4)
    X, y = images()
    for dark in (slice(0, 8), slice(8, 20)):
        given = X.copy()
        given[dark] = given[dark] > 250
        assert white_of(given) == given.max() > 1
        assert white_of(given / given.max()) == 1
        on_bytes, on_fractions = fitted_on(given, y), fitted_on(given / 255, y)
        for shown in (given, given.astype(float), np.concatenate([given[:6] / 255, given[6:]])):
            assert messages(on_bytes.predict, shown) == []
        assert messages(on_fractions.predict, given / 255) == []
        assert len(messages(on_bytes.predict, given / 255)) == len(messages(on_fractions.predict, given)) == 1


def test_the_scale_of_pixels_is_kept_with_the_classifier(on_bytes, tmp_path):
    X, _ = images()
    on_bytes.save(tmp_path / "model")
    for model in (DMClassifier.load(tmp_path / "model"), pickle.loads(pickle.dumps(on_bytes)), copy.deepcopy(on_bytes)):
        [message] = messages(model.predict, X / 255)
        assert message.startswith(OF_FRACTIONS)
        assert messages(model.predict, X) == []
