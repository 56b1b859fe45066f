"""Parameters of the parts of a net are parameters like any other; unknown ones are named."""

import copy

import pytest
import torch
from sklearn.base import clone
from torch import nn

from sklabelnoise import DMClassifier, ProSelfLCClassifier, RobustLossClassifier

CLASSIFIERS = [DMClassifier, ProSelfLCClassifier, RobustLossClassifier]
FAST = {"max_epochs": 3, "random_state": 0}

each_classifier = pytest.mark.parametrize("classifier", CLASSIFIERS)


@each_classifier
def test_parameters_with_prefixes_are_parameters(classifier, blobs):
    model = classifier(module__hidden=(3,), optimizer__amsgrad=True, amp=False)
    assert model.get_params()["module__hidden"] == (3,)
    assert clone(model).get_params() == model.get_params()
    model.set_params(module__hidden=(5,), callbacks__x__y=1, lr=0.5)
    assert model.get_params()["module__hidden"] == (5,) and model.lr == 0.5
    assert "module__hidden=(5,)" in repr(model)
    assert clone(model).set_params(module__hidden=(2,)).get_params() != model.get_params()
    assert model.get_params()["module__hidden"] == (5,)


@pytest.mark.parametrize("classifier, name, nearest", [
    (DMClassifier, "betta", "beta"), (DMClassifier, "lambda_", "lam"), (DMClassifier, "learning_rate", "lr"),
    (DMClassifier, "n_epochs", "max_epochs"), (DMClassifier, "hidden", "module__hidden"),
    (DMClassifier, "modul__hidden", "module__hidden"), (DMClassifier, "module_hidden", "module__hidden"),
    (DMClassifier, "momentum", "optimizer__momentum"), (DMClassifier, "num_workers", "iterator_train__num_workers"),
    (RobustLossClassifier, "betta", "loss__beta"), (RobustLossClassifier, "q", "loss__q"),
    (RobustLossClassifier, "los", "loss"), (DMClassifier, "hidden_layer_sizes", "module__hidden"),
    (ProSelfLCClassifier, "temprature", "temperature"), (DMClassifier, "alpha", "weight_decay"),
    (DMClassifier, "learning_rate_init", "lr"), (DMClassifier, "max_iter", "max_epochs"),
    (DMClassifier, "solver", "optimizer"),
])  # fmt: skip
def test_an_unknown_parameter_is_refused_and_the_nearest_named(classifier, name, nearest):
    with pytest.raises(TypeError, match=f"{classifier.__name__} has no parameter '{name}'; the nearest is '{nearest}'"):
        classifier(**{name: 1})
    model = classifier()
    with pytest.raises(
        ValueError, match=f"{classifier.__name__} has no parameter '{name}'; the nearest is '{nearest}'"
    ):
        model.set_params(random_state=3, **{name: 1})
    assert model.random_state is None


@pytest.mark.parametrize("name, instead", [
    ("criterion", "RobustLossClassifier"), ("criterion__weight", "RobustLossClassifier"),
    ("train_split", "early_stopping=True"), ("train_split__cv", "X_val and y_val"), ("dataset", "torch Dataset"),
    ("iterator_train", "iterator_train__"), ("iterator_valid", "iterator_valid__"), ("classes", "partial_fit"),
    ("predict_nonlinearity", "logits"), ("use_caching", "callbacks__name__use_caching"),
])  # fmt: skip
def test_a_parameter_of_skorch_that_is_not_taken_names_what_takes_its_place(name, instead):
    for raises in (lambda: RobustLossClassifier(**{name: 1}), lambda: DMClassifier().set_params(**{name: 1})):
        with pytest.raises((TypeError, ValueError), match=f"Classifier has no parameter '{name}'") as caught:
            raises()
        assert instead in str(caught.value) and "nearest" not in str(caught.value)


def test_no_nearest_parameter_is_named_where_none_is_near():
    with pytest.raises(TypeError, match=r"no parameter 'zzz'\. Parameters of the parts of the net carry one of"):
        DMClassifier(zzz=1)


def test_the_nearest_parameter_is_of_the_optimizer_that_was_asked_for():
    with pytest.raises(TypeError, match="no parameter 'rho'; the nearest is 'optimizer__rho'"):
        DMClassifier(optimizer="Adadelta", rho=0.5)


def test_a_shallow_copy_has_parameters_of_its_own():
    model = DMClassifier(module__hidden=(3,))
    copy.copy(model).set_params(module__hidden=(5,), module__dropout=0.5)
    assert model.get_params()["module__hidden"] == (3,) and "module__dropout" not in model.get_params()


def test_unknown_arguments_of_the_parts_are_named_when_they_are_built(blobs):
    with pytest.raises(TypeError, match=r"module MLP takes the arguments \['activation', .*\], got 'hiden'\."):
        DMClassifier(module__hiden=3, **FAST).fit(*blobs)
    with pytest.raises(ValueError, match=r"optimizer__momentum must be an argument of AdamW, which takes \['amsgrad'"):
        DMClassifier(optimizer__momentum=0.9, **FAST).fit(*blobs)
    with pytest.raises(ValueError, match=r"optimizer must be a class or one of the names \[.*'SGD'.*got 'Sgd'"):
        DMClassifier(optimizer="Sgd", **FAST).fit(*blobs)
    with pytest.raises(ValueError, match="net_params is not a parameter itself: pass its items"):
        DMClassifier(net_params={"module__hidden": 3}, **FAST).fit(*blobs)


@pytest.mark.parametrize("params, message", [
    ({"lr": -1.0}, "The 'lr' parameter of DMClassifier must be"), ({"lr": 0.0}, "The 'lr' parameter of DMClassifier"),
    ({"weight_decay": -0.1}, "The 'weight_decay' parameter"), ({"batch_size": 0}, "The 'batch_size' parameter"),
    ({"validation_fraction": 0.0}, "The 'validation_fraction' param"), ({"n_iter_no_change": 0}, "The 'n_iter_no_chan"),
    ({"max_epochs": 0}, "The 'max_epochs' parameter"), ({"batch_size": 2.5}, "The 'batch_size' parameter"),
    ({"validation_fraction": 1.0}, "The 'validation_fraction' parameter"), ({"dtype": "float64"}, "The 'dtype' param"),
    ({"amp": "yes"}, "The 'amp' parameter"), ({"class_weight": "even"}, "The 'class_weight' parameter"),
    ({"device": "cuda"}, "device must be 'auto' or 'cpu' where torch sees no CUDA device, got 'cuda'"),
    ({"device": "gpu"}, "device must be 'auto' or a device that torch knows, got 'gpu'"),
    ({"lr_schedule": "cos"}, "lr_schedule must name one of"), ({"augment": "flip"}, "augment must be one of 'crop-fl"),
    ({"augment": "crop-flip"}, "transforms images: X must be of shape"),
    ({"module": nn.Linear(5, 7)}, r"module Linear must return logits of shape .* \(2, 3\) .*, got \(2, 7\)"),
    ({"module": nn.Linear(4, 3)}, r"module must take inputs of shape \(5,\), got Linear"),
    ({"module": 3}, "The 'module' parameter of DMClassifier"),
    ({"optimizer": "LBFGS", "weight_decay": 0.1}, "optimizer__weight_decay must be an argument of LBFGS"),
    ({"module__batch_norm": True, "batch_size": 149}, "batch of one row, on which BatchNorm can't be trained"),
])  # fmt: skip
def test_wrong_parameters_are_named(params, message, blobs):
    if params.get("device") == "cuda" and torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(ValueError, match=message):
        DMClassifier(**{**FAST, **params}).fit(*blobs)


@pytest.mark.parametrize("params", [
    {"lr": 1e-300}, {"weight_decay": 0}, {"max_epochs": 1}, {"batch_size": 1}, {"validation_fraction": 1e-9},
    {"n_iter_no_change": 1}, {"amp": "float16"}, {"amp": "bfloat16"}, {"amp": True}, {"accelerator": None},
    {"device": torch.device("cpu")}, {"class_weight": {}}, {"augment": False},
], ids=str)  # fmt: skip
@each_classifier
def test_what_is_just_allowed_is_allowed(classifier, params):
    classifier(**params)._validate_params()
