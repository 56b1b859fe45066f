"""Laws of module building: sizes filled in from the data, instances copied, the output checked."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from sklabelnoise import DMClassifier, ProSelfLCClassifier
from sklabelnoise.model_selection import FusedGridSearchCV
from sklabelnoise.modules import MLP, ResNet20
from sklabelnoise.training._module import build_module, check_output, input_of_last_linear, last_linear, twin
from sklabelnoise.training._training_defaults import TRAINING_PARAMETERS, training_parameters


def recorder(**names):
    """A factory that declares some arguments and records what it is called with."""
    seen = {}
    signature = ", ".join(names)
    namespace = {"seen": seen, "nn": nn}
    exec(
        f"def factory({signature}): seen.update({', '.join(f'{n}={n}' for n in names)}); return nn.Identity()",
        namespace,
    )
    return namespace["factory"], seen


@pytest.mark.parametrize("name", ["n_features", "in_features", "n_features_in", "input_dim"])
def test_the_number_of_features_is_filled_in_under_its_usual_names(name):
    factory, seen = recorder(**{name: 0})
    build_module(factory, {}, input_shape=(3, 4), n_classes=5)
    assert seen == {name: 12}


@pytest.mark.parametrize("name", ["in_channels", "in_chans", "n_channels"])
def test_the_number_of_channels_is_filled_in_under_its_usual_names(name):
    factory, seen = recorder(**{name: 0})
    build_module(factory, {}, input_shape=(3, 8, 8), n_classes=5)
    assert seen == {name: 3}


@pytest.mark.parametrize("name", ["n_classes", "num_classes", "out_features", "output_dim"])
def test_the_number_of_classes_is_filled_in_under_its_usual_names(name):
    factory, seen = recorder(**{name: 0})
    build_module(factory, {}, input_shape=(7,), n_classes=5)
    assert seen == {name: 5}


def test_arguments_of_the_user_are_not_overwritten():
    module = build_module(MLP, {"n_classes": 7, "hidden": ()}, input_shape=(4,), n_classes=3)
    assert module.output.out_features == 7


def test_a_torch_layer_is_sized():
    module = build_module(nn.Linear, {"bias": False}, input_shape=(4,), n_classes=3)
    assert module.weight.shape == (3, 4) and module.bias is None


def test_an_instance_is_copied_with_its_weights():
    mine = nn.Linear(4, 3)
    module = build_module(mine, {}, input_shape=(4,), n_classes=3)
    assert module is not mine
    assert torch.equal(module.weight, mine.weight)
    assert module.weight.data_ptr() != mine.weight.data_ptr()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_an_instance_that_torch_can_not_copy_to_train_on_is_refused():
    with pytest.raises(TypeError, match=r"module must be one that can be copied.*torch\.jit.*compile=True"):
        build_module(torch.jit.script(nn.Linear(3, 2)), {}, input_shape=(3,), n_classes=2)


def test_channels_last_images_count_their_channels_at_the_end():
    module = build_module(ResNet20, {"channels_last": True}, input_shape=(8, 8, 3), n_classes=2)
    assert module.in_channels == 3


def test_images_with_channels_last_are_refused_unless_that_is_said():
    message = r"X must hold images of shape \(channels, height, width\).*got \(8, 8, 3\).*module__channels_last=True"
    with pytest.raises(ValueError, match=message):
        build_module(ResNet20, {}, input_shape=(8, 8, 3), n_classes=2)
    # A module that has no such option is told of transposing only.
    factory, _ = recorder(in_channels=0)
    with pytest.raises(ValueError, match=re.escape("channels last: transpose them with X.transpose(0, 3, 1, 2)")):
        build_module(factory, {}, input_shape=(8, 8, 3), n_classes=2)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_few_channels_are_known_to_be_last_and_to_be_first(n_channels):
    with pytest.raises(ValueError, match="looks like channels last"):
        build_module(ResNet20, {}, input_shape=(8, 9, n_channels), n_classes=2)
    for width in (2, 4, 9):
        module = build_module(ResNet20, {}, input_shape=(n_channels, 9, width), n_classes=2)
        assert module.in_channels == n_channels


def test_a_module_may_bring_some_training_defaults_of_its_own():
    class Own(MLP):
        training_defaults = {"lr": 0.5, "optimizer": "SGD", "optimizer__momentum": 0.75}

    used = training_parameters(Own(2, 2), dict.fromkeys(TRAINING_PARAMETERS))
    assert used == {**MLP.training_defaults, **Own.training_defaults}
    # what is meant for its optimizer means nothing to another
    other = training_parameters(Own(2, 2), {**dict.fromkeys(TRAINING_PARAMETERS), "optimizer": "Adam"})
    assert "optimizer__momentum" not in other and other["lr"] == 0.5


def test_many_channels_of_few_columns_can_be_meant():
    module = build_module(ResNet20, {"in_channels": 8}, input_shape=(8, 8, 3), n_classes=2)
    assert module.in_channels == 8


@pytest.mark.parametrize("module, params, error, message", [
    (MLP, {"hiden": 3}, TypeError, r"module MLP takes the arguments \['activation', 'batch_norm', .*\], got 'hiden'\."),
    (nn.Linear(4, 3), {"bias": True}, ValueError, r"\['bias'\].*, got an instance of Linear, already built"),
    (lambda: 3, {}, TypeError, r"module must build a torch.nn.Module, got int from <lambda>"),
])  # fmt: skip
def test_what_can_not_be_built_is_named(module, params, error, message):
    with pytest.raises(error, match=message):
        build_module(module, params, input_shape=(4,), n_classes=3)


def test_a_factory_with_keyword_arguments_gets_all_of_them():
    module = build_module(lambda **kwargs: MLP(4, 3, **kwargs), {"hidden": (5,)}, input_shape=(4,), n_classes=3)
    assert module.output.in_features == 5


@pytest.mark.parametrize("output, message", [
    (torch.zeros(2, 4), r"\(n_samples, n_classes\), here \(2, 3\) for 2 examples and 3 classes, got \(2, 4\)"),
    (torch.zeros(2), r"got \(2,\)"),
    ((torch.zeros(2, 3),), r"module Net must return a tensor of logits, .*got tuple"),
])  # fmt: skip
def test_an_output_that_is_not_one_row_of_logits_per_example_is_named(output, message):
    with pytest.raises(ValueError, match=message):
        check_output(output, 2, 3, "Net")


class Calls(nn.Module):
    """A linear layer, and a function of it and of the inputs."""

    def __init__(self, n_features, n_classes, function=None):
        super().__init__()
        self.linear, self.function = nn.Linear(n_features, n_classes), function

    def forward(self, x):
        return self.function(self.linear, x)


@pytest.mark.parametrize("function, error", [
    (lambda linear, x: linear(x, x), "takes 2 positional arguments but 3 were given"),
    (lambda linear, x: linear(x.pixel_values), "no attribute 'pixel_values'"),
    (lambda linear, x: linear(x[:, :, 7]), "too many indices"),
    (lambda linear, x: linear(dict(zip(x, x, strict=True))["x"]), "'x'"),
    (lambda linear, x: linear(x[:, :1]), "shapes cannot be multiplied"),
])  # fmt: skip
def test_a_module_that_does_not_take_the_rows_is_named_whatever_it_raises(function, error):
    with pytest.raises(
        ValueError, match=rf"module must take inputs of shape \(5,\), got Calls, which can't: .*{error}"
    ):
        DMClassifier(Calls, module__function=function, max_epochs=1).fit(np.zeros((4, 5)), [0, 1, 0, 1])


class Frozen(nn.Sequential):
    def __init__(self, n_features, n_classes):
        super().__init__(nn.Linear(n_features, n_classes))
        self.requires_grad_(False)


NOT_TRAINED = {
    "frozen": (Frozen, {}),
    "detached": (Calls, {"module__function": lambda linear, x: linear(x).detach()}),
    "NumPy": (Calls, {"module__function": lambda linear, x: torch.from_numpy(linear(x).detach().numpy())}),
}


@pytest.mark.filterwarnings("ignore:Candidates are fitted one by one")
@pytest.mark.parametrize("module, params", NOT_TRAINED.values(), ids=NOT_TRAINED)
def test_logits_from_which_nothing_can_be_learned_are_refused(module, params, blobs):
    message = f"module {module.__name__} must return logits that depend on parameters to train, got some without"
    for classifier in (DMClassifier, ProSelfLCClassifier):
        with pytest.raises(ValueError, match=message):
            classifier(module, **params, max_epochs=1).fit(*blobs)
    with pytest.raises(ValueError, match=message):
        FusedGridSearchCV(DMClassifier(module, **params, max_epochs=1), {"lam": [0, 1]}, cv=3).fit(*blobs)


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("full"), RuntimeError("MPS backend out of memory")])
def test_a_device_that_is_full_at_the_first_look_is_no_fault_of_the_shape(error, blobs):
    def full(linear, x):
        raise error

    with pytest.raises(MemoryError, match=r"needs? more memory than cpu has"):
        DMClassifier(Calls, module__function=full, device="cpu").fit(*blobs)


def test_the_first_look_at_a_module_leaves_its_statistics_alone(blobs):
    model = DMClassifier(module__batch_norm=True, batch_size=len(blobs[1]), max_epochs=2).fit(*blobs)
    assert model.module_.layers[1].num_batches_tracked == 2


def test_a_module_without_parameters_is_refused(blobs):
    with pytest.raises(ValueError, match="module must have parameters to train, got Flatten without any"):
        DMClassifier(nn.Flatten, max_epochs=1).fit(*blobs)


def test_a_module_of_which_a_part_is_frozen_is_trained(blobs):
    module = nn.Sequential(nn.Linear(5, 4).requires_grad_(False), nn.Linear(4, 3))
    model = DMClassifier(module, max_epochs=1, random_state=0).fit(*blobs)
    assert torch.equal(model.module_[0].weight, module[0].weight)
    assert not torch.equal(model.module_[1].weight, module[1].weight)


class EndsIn(nn.Module):
    """A linear layer and a function of its outputs."""

    def __init__(self, n_features, n_classes, last=None):
        super().__init__()
        self.linear, self.last = nn.Linear(n_features, n_classes), last

    def forward(self, x):
        return self.last(self.linear(x)) if self.last else self.linear(x)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("module", [
    partial(EndsIn, last=nn.Softmax(dim=1)), partial(EndsIn, last=lambda z: torch.softmax(z, -1)),
], ids=["layer", "function"])  # fmt: skip
def test_a_module_that_ends_in_a_softmax_is_noticed(module, n_classes):
    X, y = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % n_classes
    with pytest.warns(UserWarning, match=r"seems to end in a softmax.*leave the softmax at its end out") as caught:
        DMClassifier(module, max_epochs=1).fit(X, y)
    assert len(caught) == 1


@pytest.mark.parametrize("last", [None, nn.LogSoftmax(dim=1), nn.Sigmoid(), nn.ReLU()], ids=str)
def test_other_outputs_are_not_taken_for_probabilities(last, recwarn):
    X, y = np.random.default_rng(0).normal(size=(20, 4)), np.arange(20) % 3
    DMClassifier(partial(EndsIn, last=last), max_epochs=1).fit(X, y)
    assert not [w for w in recwarn if "softmax" in str(w.message)]


def test_a_twin_shares_its_tensors_and_nothing_else():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    other = twin(module)
    assert other[0].weight is module[0].weight and other[1].running_mean is module[1].running_mean
    other.eval()
    assert module[1].training and other[1] is not module[1]


def test_the_input_of_the_last_linear_layer_is_the_embedding():
    module = MLP(4, 3, hidden=(6, 5))
    x = torch.ones(2, 4)
    assert last_linear(module) is module.output
    assert torch.equal(input_of_last_linear(module, x), module.forward_features(x))
    assert not module.output._forward_pre_hooks
    assert last_linear(nn.Identity()) is None


def tiny_network(width):
    return width


class TestModelsOfOthers:
    """Factories with the signatures of torchvision's and timm's models, and the real ones where they are installed."""

    images = np.random.default_rng(0).integers(0, 256, (12, 3, 16, 16), dtype=np.uint8)
    labels = np.arange(12) % 3

    @staticmethod
    def torchvision_like(*, weights=None, progress=True, **kwargs):
        assert weights is None
        n_classes = kwargs.get("num_classes", 1000)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, n_classes))

    @staticmethod
    def timm_like(model_name, pretrained=False, num_classes=1000, in_chans=3, **kwargs):
        assert model_name == "tiny"
        return nn.Sequential(
            nn.Conv2d(in_chans, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes)
        )

    def fit(self, module, images=images, **params):
        model = DMClassifier(module=module, max_epochs=1, random_state=0, **params)
        return model.fit(images, self.labels).predict_proba(images)

    def test_a_factory_that_hides_its_arguments_is_sized(self):
        assert self.fit(self.torchvision_like).shape == (12, 3)

    def test_what_the_user_says_of_hidden_arguments_stands(self):
        with pytest.raises(ValueError, match=r"got \(2, 7\)\. If it takes the number of outputs under another name"):
            self.fit(self.torchvision_like, module__num_classes=7)

    def test_hidden_channels_are_filled_in_for_grey_images(self):
        def hides(**kwargs):
            return self.timm_like("tiny", **kwargs)

        assert self.fit(hides, images=self.images[:, :1]).shape == (12, 3)

    @pytest.mark.parametrize("n_channels", [1, 2, 4])
    def test_hidden_channels_are_filled_in_but_for_colors(self, n_channels):
        images = np.repeat(self.images[:, :1], n_channels, axis=1)
        assert self.fit(lambda **kwargs: self.timm_like("tiny", **kwargs), images=images).shape == (12, 3)

    def test_what_a_factory_refuses_is_left_out(self):
        def plain(**kwargs):
            return self.torchvision_like(**kwargs) if not kwargs else nn.Linear(3, 3, **kwargs)

        assert isinstance(build_module(plain, {}, input_shape=(1, 8, 8), n_classes=3), nn.Sequential)

    def test_it_is_said_what_to_pass_where_the_outputs_are_too_many(self):
        with pytest.raises(ValueError, match=r"got \(2, 1000\)\. If it takes the number of outputs under another name"):
            self.fit(lambda: self.torchvision_like())

    def test_declared_sizes_of_a_bound_factory_are_filled_in(self):
        gray = self.images[:, :1]
        assert self.fit(partial(self.timm_like, "tiny"), images=gray).shape == (12, 3)

    @staticmethod
    def pretrained(*, weights=None, progress=True, **kwargs):
        """As torchvision's: with weights, another number of classes than theirs is an error."""
        if weights is not None and kwargs.setdefault("num_classes", 1000) != 1000:
            raise ValueError(
                f"The parameter 'num_classes' expected value 1000 but got {kwargs['num_classes']} instead."
            )
        module = TestModelsOfOthers.torchvision_like(**kwargs)
        nn.init.constant_(module[0].weight, 0.5 if weights else 0.0)
        return module

    @pytest.mark.parametrize("bind", [False, True])
    def test_pretrained_weights_keep_all_layers_but_the_last(self, bind):
        module, params = (self.pretrained, {"module__weights": "DEFAULT"})
        if bind:
            module, params = partial(self.pretrained, weights="DEFAULT"), {}
        training = {"max_epochs": 1, "lr": 1e-12, "weight_decay": 0, "random_state": 0}
        models = [DMClassifier(module, **params, **training).fit(self.images, self.labels) for _ in range(2)]
        weight = models[0].module_[0].weight
        torch.testing.assert_close(weight, torch.full_like(weight, 0.5))
        assert models[0].module_[-1].out_features == 3
        assert torch.equal(models[0].module_[-1].weight, models[1].module_[-1].weight)  # drawn by random_state

    @pytest.mark.parametrize("bias", [False, True])
    def test_a_new_last_layer_is_as_the_old_one_but_for_its_classes(self, bias):
        def loaded(*, weights="DEFAULT", **kwargs):
            if kwargs.get("num_classes", 1000) != 1000:
                raise ValueError("The parameter 'num_classes' expected value 1000 but got 3 instead.")
            return nn.Sequential(
                nn.Flatten(), nn.Linear(12, 5), nn.Sequential(nn.ReLU(), nn.Linear(5, 1000, bias=bias))
            )

        module = build_module(loaded, {}, input_shape=(3, 2, 2), n_classes=3)
        first, last = module[1], module[2][1]
        assert (first.in_features, first.out_features) == (12, 5) and (last.in_features, last.out_features) == (5, 3)
        assert (last.bias is not None) == bias

    def test_another_error_of_a_factory_with_weights_stays_its_error(self):
        def strict(*, weights=None, **kwargs):
            raise ValueError("The parameter 'init' expected value True but got False instead.")

        with pytest.raises(ValueError, match=r"module strict must be built .* 'init' expected value True"):
            self.fit(strict)

    def test_a_bound_factory_is_called_by_its_name(self):
        with pytest.raises(TypeError, match=r"module must build a torch.nn.Module, got int from tiny_network\."):
            self.fit(partial(tiny_network, 3))

    def test_a_name_in_place_of_a_network_is_refused(self):
        with pytest.raises(ValueError, match=r"'module' parameter of DMClassifier must be .* None\. Got 'resnet18'"):
            self.fit("resnet18")

    @pytest.mark.parametrize("amp", [False, "bfloat16"])
    def test_answers_in_training_alone_are_refused_with_their_switch(self, amp):
        class WithHelpers(nn.Module):
            def __init__(self, n_classes, aux_logits=True):
                super().__init__()
                self.body, self.aux_logits = nn.Linear(768, n_classes), aux_logits

            def forward(self, x):
                logits = self.body(x.flatten(1))
                return (logits, logits) if self.training and self.aux_logits else logits

        with pytest.raises(ValueError, match=r"in training too \(.*module__aux_logits=False.*\), got tuple\."):
            self.fit(WithHelpers, amp=amp)
        assert self.fit(WithHelpers, module__aux_logits=False).shape == (12, 3)

    def test_weights_come_through_a_factory_of_the_user(self):
        def pretrained(n_classes):
            module = self.torchvision_like(num_classes=n_classes)
            nn.init.constant_(module[0].weight, 0.5)
            return module

        model = DMClassifier(module=pretrained, max_epochs=1, lr=1e-12, weight_decay=0, random_state=0)
        weight = model.fit(self.images, self.labels).module_[0].weight
        torch.testing.assert_close(weight, torch.full_like(weight, 0.5))

    def test_resnet18_of_torchvision(self):
        models = pytest.importorskip("torchvision.models", reason="torchvision is not installed")
        assert self.fit(models.resnet18).shape == (12, 3)

    def test_resnet10t_of_timm(self):
        timm = pytest.importorskip("timm", reason="timm is not installed")
        assert self.fit(partial(timm.create_model, "resnet10t")).shape == (12, 3)


@pytest.mark.parametrize(
    "params, kind", [({"hidden": -1}, ValueError), ({"hidden": None}, TypeError), ({"activation": 3}, TypeError)]
)
def test_a_module_that_can_not_be_built_names_its_arguments(params, kind):
    (name,) = params
    with pytest.raises(kind, match=f"module MLP must be built from .* and the module__ parameters .*{name}"):
        build_module(MLP, params, input_shape=(3,), n_classes=2)
