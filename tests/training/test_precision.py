"""Half precision with a scaled loss, and cuDNN's kernels, whose switches belong to the process."""

import pickle
from unittest import mock

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklabelnoise import DMClassifier, RobustLossClassifier
from sklabelnoise.training import LearningDynamics, _precision
from sklabelnoise.training._precision import autocast_dtype, cudnn_kernels

SETTINGS = {"device": "cpu", "max_epochs": 8, "batch_size": 32, "random_state": 0}


@pytest.fixture(scope="module")
def rows(blobs):
    X, y = blobs
    return X.astype(np.float32), y


@pytest.mark.parametrize("amp", ["float16", "bfloat16"])
def test_half_precision_learns_what_single_learns(rows, amp):
    X, y = rows
    half, single = (DMClassifier(amp=amp, **SETTINGS).fit(X, y) for amp in (amp, False))
    assert (half.net_.scaler_ is not None) == (amp == "float16")
    np.testing.assert_allclose(half.predict_proba(X), single.predict_proba(X), atol=0.05)
    assert not np.array_equal(half.predict_proba(X), single.predict_proba(X))
    # the recorded loss is the loss itself, not the scaled one
    np.testing.assert_allclose(half.loss_curve_, single.loss_curve_, rtol=0.05)


def test_derivatives_too_small_for_float16_are_learnt_from():
    """Weights this small have derivatives below its smallest number; unscaled, nothing would be learned."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = (np.eye(2, 4)[y] + 0.1 * rng.normal(size=(120, 4))).astype(np.float32)
    settings = {**SETTINGS, "max_epochs": 30, "optimizer": "SGD", "lr": 1e6, "weight_decay": 0.0}
    model = DMClassifier(normalization="none", emphasis=lambda p: 1e-6 + 0 * p, amp="float16", **settings).fit(X, y)
    assert model.score(X, y) > 0.9


def test_a_training_goes_on_with_its_scale(rows):
    X, y = rows
    model = DMClassifier(amp="float16", warm_start=True, **SETTINGS).fit(X, y)
    scale = model.net_.scaler_.get_scale()
    again = pickle.loads(pickle.dumps(model)).partial_fit(X, y)
    assert again.net_.scaler_.get_scale() == scale
    assert again.set_params(amp=False).partial_fit(X, y).net_.scaler_ is None


def test_what_callbacks_see_is_not_scaled(rows):
    X, y = rows
    found = []
    for amp in ("float16", False):
        dynamics = LearningDynamics(y)
        model = DMClassifier(amp=amp, callbacks=[dynamics], **SETTINGS).fit(X, y)
        found.append(model.history_.select_dtypes("number").drop(columns="seconds"))
    assert list(found[0]) == list(found[1])
    np.testing.assert_allclose(found[0], found[1], rtol=0.2, atol=0.05)


def test_gradients_that_callbacks_read_or_clip_are_not_scaled(rows):
    X, y = rows

    class Norms(Callback):
        def on_train_begin(self, net, **kwargs):
            self.seen = []

        def on_grad_computed(self, net, named_parameters, **kwargs):
            self.seen.append(float(sum(p.grad.float().square().sum() for _, p in named_parameters)) ** 0.5)

    seen = []
    for amp in ("float16", False):
        norms = Norms()
        DMClassifier(amp=amp, callbacks=[norms], **{**SETTINGS, "max_epochs": 2}).fit(X, y)
        seen.append(norms.seen)
    np.testing.assert_allclose(*seen, rtol=0.1)


def test_features_and_views_are_computed_in_half_precision_too():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    images = (rng.integers(0, 128, (60, 3, 8, 8)) + 40 * y[:, None, None, None]).astype(np.uint8)
    from sklabelnoise.modules import ResNet20

    settings = {**SETTINGS, "max_epochs": 1, "augment": "crop-flip"}
    half = DMClassifier(ResNet20, amp="bfloat16", **settings).fit(images, y)
    features, views = half.embed(images[:8]), half.predict_proba(images[:8], n_augment=1)
    half.net_.amp = False
    for in_half, in_single in (
        (features, half.embed(images[:8])),
        (views, half.predict_proba(images[:8], n_augment=1)),
    ):
        assert in_half.dtype == np.float32
        np.testing.assert_allclose(in_half, in_single, rtol=0.05, atol=0.1)  # eight bits, twenty layers
        assert not np.array_equal(in_half, in_single)


def test_an_optimizer_that_evaluates_the_loss_itself_has_no_float16(rows):
    X, y = rows
    with pytest.raises(ValueError, match=r"amp must not be float16 with LBFGS, .*, got amp='float16' on cpu"):
        RobustLossClassifier(amp="float16", optimizer="LBFGS", **SETTINGS).fit(X, y)


@pytest.mark.parametrize(
    "capability, expected", [((7, 0), torch.float16), ((7, 5), torch.float16), ((8, 0), torch.bfloat16)]
)
def test_cards_without_bfloat16_take_float16(capability, expected):
    autocast_dtype.cache_clear()
    with mock.patch("torch.cuda.get_device_capability", return_value=capability):
        assert autocast_dtype(True, "cuda:7") == expected
        assert autocast_dtype("bfloat16", "cuda:7") == torch.bfloat16
    autocast_dtype.cache_clear()
    assert autocast_dtype(False, "cuda:7") is None


@pytest.fixture(params=[True, False])
def processor_has_bfloat16(request):
    autocast_dtype.cache_clear()
    with mock.patch.object(_precision, "_processor_has_bfloat16", return_value=request.param):
        yield request.param
    autocast_dtype.cache_clear()


def test_processors_without_bfloat16_compute_in_single_precision(processor_has_bfloat16):
    assert autocast_dtype(True, "cpu") == (torch.bfloat16 if processor_has_bfloat16 else None)
    assert autocast_dtype("bfloat16", "cpu") == torch.bfloat16
    assert autocast_dtype("float16", "cpu") == torch.float16


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_amp_costs_no_digits_where_nothing_computes_in_half(rows, dtype, processor_has_bfloat16):
    X, y = rows[0].astype(dtype), rows[1]
    asked, single = (DMClassifier(amp=amp, **SETTINGS).fit(X, y).predict_proba(X) for amp in (True, False))
    halved = processor_has_bfloat16 and dtype is np.float32  # torch leaves float64 as it is
    assert np.array_equal(asked, single) != halved


def test_processors_say_whether_they_have_bfloat16():
    instructions = "_is_mkldnn_bf16_supported"
    with mock.patch.object(torch.ops.mkldnn, instructions, create=True, return_value=True):
        assert _precision._processor_has_bfloat16() is True
    with mock.patch.object(torch.ops, "mkldnn", object()):  # torch built without oneDNN
        assert _precision._processor_has_bfloat16() is False


@pytest.fixture
def cudnn():
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic
    torch.backends.cudnn.benchmark = torch.backends.cudnn.deterministic = False
    yield torch.backends.cudnn
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = before


def test_the_switches_of_cudnn_are_as_before_after_a_training(cudnn):
    for same_bits in (True, False):
        with pytest.raises(ZeroDivisionError), cudnn_kernels("cuda:0", same_bits=same_bits):
            assert (cudnn.benchmark, cudnn.deterministic) == (not same_bits, same_bits)
            raise ZeroDivisionError
        assert (cudnn.benchmark, cudnn.deterministic) == (False, False)
    with cudnn_kernels("cpu", same_bits=False):
        assert (cudnn.benchmark, cudnn.deterministic) == (False, False)


def test_trainings_that_overlap_leave_the_switches_as_the_first_found_them(cudnn):
    fast, same = (cudnn_kernels("cuda:0", same_bits=same_bits) for same_bits in (False, True))
    fast.__enter__()
    same.__enter__()
    assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
    fast.__exit__(None, None, None)
    assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
    same.__exit__(None, None, None)
    assert (cudnn.benchmark, cudnn.deterministic) == (False, False)


def test_who_asked_torch_for_deterministic_kernels_gets_them(cudnn):
    cudnn.deterministic = True
    with cudnn_kernels("cuda:0", same_bits=False):
        assert (cudnn.benchmark, cudnn.deterministic) == (False, True)
    assert cudnn.deterministic
