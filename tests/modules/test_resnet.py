import copy
import math
import pickle

import pytest
import torch
from torch import nn

from sklabelnoise._stacked._vmap_check import why_not_stackable
from sklabelnoise.modules import (
    PreActResNet18,
    ResNet20,
    ResNet32,
    ResNet44,
    ResNet56,
    ResNet110,
    SEResNet56,
)
from sklabelnoise.modules._resnet import SqueezeExcitation
from sklabelnoise.training._augmentation import resolve_augmentation
from sklabelnoise.training._schedules import make_schedule

CIFAR_RESNETS = {20: ResNet20, 32: ResNet32, 44: ResNet44, 56: ResNet56, 110: ResNet110}
SMALL = [ResNet20, SEResNet56, PreActResNet18]


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def layers(network, kind):
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def images(n=4, channels=3, size=8, seed=0):
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(seed))


# Table 6 of He et al. (CVPR 2016), in millions; ResNet-44 and ResNet-56 are 0.66 and 0.85 there too.
@pytest.mark.parametrize(("n_layers", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_parameter_counts_are_those_of_the_paper(n_layers, millions):
    network = CIFAR_RESNETS[n_layers](3, 10)
    digits = 1 if millions == 1.7 else 2
    assert round(n_parameters(network) / 1e6, digits) == millions


@pytest.mark.parametrize("n_layers", CIFAR_RESNETS)
@pytest.mark.parametrize(("in_channels", "n_classes"), [(3, 10), (1, 100)])
def test_parameter_counts_follow_the_closed_form(n_layers, in_channels, n_classes):
    n = (n_layers - 2) // 6
    convolutions = 9 * in_channels * 16
    norms = 2 * 16
    n_in = 16
    for maps in (16, 32, 64):
        convolutions += 9 * n_in * maps + (2 * n - 1) * 9 * maps * maps
        norms += 2 * n * 2 * maps
        n_in = maps
    expected = convolutions + norms + 64 * n_classes + n_classes
    assert n_parameters(CIFAR_RESNETS[n_layers](in_channels, n_classes)) == expected


@pytest.mark.parametrize("n_layers", CIFAR_RESNETS)
def test_the_number_in_the_name_counts_convolutions_and_the_linear_layer(n_layers):
    assert len(layers(CIFAR_RESNETS[n_layers](3, 10), (nn.Conv2d, nn.Linear))) == n_layers


def test_projection_shortcuts_add_two_convolutions_with_their_norms():
    added = n_parameters(ResNet20(3, 10, shortcut="B")) - n_parameters(ResNet20(3, 10))
    assert added == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64


def test_squeeze_excitation_adds_the_parameters_of_its_equation_5():
    # 2 / r times the sum over stages of blocks times maps squared.
    added = n_parameters(SEResNet56(3, 10)) - n_parameters(ResNet56(3, 10))
    assert added == 2 / 16 * 9 * (16**2 + 32**2 + 64**2)


def test_preact_resnet_has_its_known_size():
    network = PreActResNet18(3, 10)
    assert round(n_parameters(network) / 1e6, 2) == 11.17
    weighted = [layer for layer in layers(network, nn.Conv2d) if layer.kernel_size == (3, 3)]
    assert len(weighted) + len(layers(network, nn.Linear)) == 18


@pytest.mark.parametrize(("module", "stages"), [(ResNet20, (16, 32, 64)), (PreActResNet18, (64, 128, 256, 512))])
def test_each_stage_halves_the_image_and_doubles_the_maps(module, stages):
    network = module(3, 10).eval()
    shapes = []
    for block in network.body.blocks:
        block.register_forward_hook(lambda block, args, output: shapes.append(tuple(output.shape[1:])))
    network(images(n=1, size=32))
    per_stage = len(shapes) // len(stages)
    expected = [(maps, 32 >> stage, 32 >> stage) for stage, maps in enumerate(stages) for _ in range(per_stage)]
    assert shapes == expected


@pytest.mark.parametrize("module", SMALL)
class TestEveryNetwork:
    def test_logits_and_features_have_their_shapes(self, module):
        network = module(3, 7).eval()
        features = network.forward_features(images(n=5))
        assert features.shape == (5, network.output.in_features)
        assert network(images(n=5)).shape == (5, 7)

    def test_logits_are_the_linear_layer_of_the_features(self, module):
        network = module(3, 7, dropout=0.5).eval()
        assert torch.equal(network(images()), network.output(network.forward_features(images())))

    def test_the_output_is_the_last_linear_layer(self, module):
        network = module(3, 7)
        assert layers(network, nn.Linear)[-1] is network.output

    @pytest.mark.parametrize(("channels", "height", "width"), [(1, 28, 28), (1, 8, 8), (4, 9, 13)])
    def test_other_channels_and_sizes_serve(self, module, channels, height, width):
        network = module(channels, 3)
        assert network(torch.randn(2, channels, height, width)).shape == (2, 3)

    def test_channels_last_input_gives_the_same_logits(self, module):
        torch.manual_seed(0)
        first = module(3, 7).eval()
        last = module(3, 7, channels_last=True).eval()
        last.load_state_dict(first.state_dict())
        batch = images(size=10)
        # Another memory layout, so another order of the same float32 sums.
        torch.testing.assert_close(last(batch.permute(0, 2, 3, 1)), first(batch), rtol=1e-4, atol=1e-4)

    def test_channels_last_memory_gives_the_same_derivatives(self, module):
        torch.manual_seed(0)
        plain = module(3, 7).double()
        layout = copy.deepcopy(plain).to(memory_format=torch.channels_last)
        batch = images().double()
        plain(batch).square().sum().backward()
        layout(batch.contiguous(memory_format=torch.channels_last)).square().sum().backward()
        for p, q in zip(plain.parameters(), layout.parameters(), strict=True):
            # float64: only the order of the sums differs; derivatives grow to about 1e3 over tens of layers.
            torch.testing.assert_close(q.grad, p.grad, rtol=1e-6, atol=1e-8)

    def test_every_parameter_gets_a_derivative(self, module):
        torch.manual_seed(0)
        network = module(3, 7)
        network(images(n=16)).square().sum().backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad.isfinite().all(), name
            # A squeeze of few units without biases may be rectified away for a whole batch.
            if "attention" not in name:
                assert parameter.grad.abs().sum() > 0, name

    def test_one_seed_gives_one_network(self, module):
        def build():
            torch.manual_seed(3)
            return module(3, 7).state_dict()

        for a, b in zip(build().values(), build().values(), strict=True):
            assert torch.equal(a, b)

    def test_pickle_and_copy_keep_the_function(self, module):
        network = module(3, 7).eval()
        expected = network(images())
        for again in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
            assert torch.equal(again(images()), expected)

    @pytest.mark.slow
    def test_nothing_keeps_it_from_running_as_replicas_in_training_and_in_evaluation_mode(self, module):
        # Seeds with which a rounding of float32 grows beyond every bound on its way through 56 layers.
        for seed in (0, 2, 6):
            torch.manual_seed(seed)
            assert why_not_stackable(module(3, 5), images()) is None

    def test_stacked_replicas_equal_a_loop_in_evaluation_mode(self, module):
        networks = [module(3, 5).eval() for _ in range(2)]
        parameters, buffers = torch.func.stack_module_state(networks)

        def call(parameters, buffers, batch):
            return torch.func.functional_call(networks[0], (parameters, buffers), (batch,))

        stacked = torch.vmap(call, in_dims=(0, 0, None))(parameters, buffers, images())
        looped = torch.stack([network(images()) for network in networks])
        # Grouped in place of plain convolutions: another order of float32 sums.
        torch.testing.assert_close(stacked, looped, rtol=1e-4, atol=1e-4)

    def test_dropout_acts_in_training_only(self, module):
        torch.manual_seed(0)
        network = module(3, 7, dropout=0.5)
        assert not torch.equal(network(images()), network(images()))
        network.eval()
        assert torch.equal(network(images()), network(images()))

    def test_defaults_are_understood_by_the_training_layer(self, module):
        defaults = module.training_defaults
        schedule = make_schedule(defaults["lr_schedule"])
        assert schedule(0, 1000) == 1.0
        assert schedule(999, 1000) < 0.1
        assert resolve_augmentation(defaults["augment"]) is not None
        assert defaults["optimizer"] in vars(torch.optim)

    def test_wrong_number_of_channels_is_named(self, module):
        message = r"takes images of shape \(n, channels, height, width\) with 3 channels, got \(2, 1, 8, 8\)\.$"
        with pytest.raises(ValueError, match=message):
            module(3, 7)(torch.zeros(2, 1, 8, 8))

    @pytest.mark.parametrize("channels_last", [False, True])
    def test_the_other_layout_is_recognized(self, module, channels_last):
        shape = (2, 3, 8, 8) if channels_last else (2, 8, 8, 3)
        with pytest.raises(ValueError, match=f"Pass channels_last={not channels_last} to the module"):
            module(3, 7, channels_last=channels_last)(torch.zeros(shape))

    def test_tables_are_refused(self, module):
        with pytest.raises(ValueError, match=r"takes images of shape .*, got shape \(2, 12\)"):
            module(3, 7)(torch.zeros(2, 12))


@pytest.mark.parametrize(("channels_last", "axis"), [(False, r"X\[:, None\]"), (True, r"X\[\.\.\., None\]")])
def test_grey_images_without_a_channel_axis_are_recognized(channels_last, axis):
    network = ResNet20(1, 10, channels_last=channels_last)
    with pytest.raises(ValueError, match=rf"got shape \(2, 8, 8\)\. Gray images need an axis .*: {axis}"):
        network(torch.zeros(2, 8, 8))


def test_milestones_are_those_of_the_papers():
    # He et al. divide by ten at 32,000 and 48,000 of 64,000; derivative manipulation at 15,000 and 22,000 of 30,000.
    factor = make_schedule(ResNet44.training_defaults["lr_schedule"])
    rates = [factor(t, 30_000) for t in (0, 14_999, 15_000, 21_999, 22_000, 29_999)]
    assert rates == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01], rel=1e-12)


def test_shortcut_a_takes_every_second_pixel_and_appends_zero_maps():
    block = ResNet20(3, 10).body.blocks[3].eval()
    block.norm2.weight.data.zero_()  # switches the convolutions off
    batch = torch.rand(2, 16, 6, 6)  # not negative, so that the last rectifier changes nothing
    output = block(batch)
    assert torch.equal(output[:, :16], batch[:, :, ::2, ::2])
    assert torch.equal(output[:, 16:], torch.zeros(2, 16, 3, 3))


def test_a_block_without_residual_is_the_identity_where_shapes_agree():
    rectified = ResNet20(3, 10).body.blocks[0].eval()
    rectified.norm2.weight.data.zero_()
    batch = torch.randn(2, 16, 6, 6)
    assert torch.equal(rectified(batch), batch.relu())

    preactivated = PreActResNet18(3, 10).body.blocks[1].eval()
    preactivated.conv2.weight.data.zero_()
    batch = torch.randn(2, 64, 6, 6)
    assert torch.equal(preactivated(batch), batch)


def test_first_preactivation_block_of_a_stage_rectifies_both_paths():
    block = PreActResNet18(3, 10).body.blocks[0].eval()
    block.conv2.weight.data.zero_()
    batch = torch.randn(2, 64, 6, 6)
    assert torch.equal(block(batch), block.norm1(batch).relu())


def test_squeeze_excitation_equals_its_equations():
    attention = SqueezeExcitation(32).double()
    batch = torch.randn(3, 32, 4, 5, dtype=torch.double)
    squeezed = batch.sum(dim=(2, 3)) / 20
    scale = torch.sigmoid((squeezed @ attention.squeeze.weight.T).clamp(min=0) @ attention.excite.weight.T)
    torch.testing.assert_close(attention(batch), torch.einsum("nchw,nc->nchw", batch, scale), rtol=1e-12, atol=0)


@pytest.mark.parametrize("module", [ResNet20, SEResNet56])
@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_a_block_is_its_equation(module, shortcut):
    """Excitation scales what is added, not the sum (Hu et al., Figure 3)."""
    network = module(3, 10, shortcut=shortcut).eval()
    for block in network.body.blocks:
        if block.conv1.stride == (2, 2):
            break
    batch = torch.randn(2, 16, 6, 6)
    residual = block.norm2(block.conv2(block.norm1(block.conv1(batch)).relu()))
    if module is SEResNet56:
        residual = block.attention(residual)
    torch.testing.assert_close(block(batch), (residual + block.shortcut(batch)).relu())


def test_training_defaults_are_those_of_the_papers():
    # Section 4.2 of He et al.; 30,000 iterations of 256 of 50,000 images as derivative manipulation trains
    resnet = ResNet44.training_defaults
    assert resnet["max_epochs"] == math.ceil(30_000 * 256 / 50_000)
    assert (resnet["optimizer"], resnet["optimizer__momentum"], resnet["lr"], resnet["weight_decay"]) == (
        "SGD", 0.9, 0.1, 1e-4,
    )  # fmt: skip
    assert resnet["batch_size"] == 256
    # Section 3 of Zagoruyko and Komodakis: Nesterov's momentum, a fifth of the rate at epochs 60, 120 and 160 of 200
    wide = PreActResNet18.training_defaults
    assert (wide["optimizer"], wide["optimizer__momentum"], wide["optimizer__nesterov"]) == ("SGD", 0.9, True)
    assert (wide["lr"], wide["weight_decay"], wide["batch_size"], wide["max_epochs"]) == (0.1, 5e-4, 128, 200)
    factor = make_schedule(wide["lr_schedule"])
    rates = [factor(epoch, 200) for epoch in (0, 59, 60, 119, 120, 159, 160, 199)]
    assert rates == pytest.approx([1, 1, 0.2, 0.2, 0.04, 0.04, 0.008, 0.008], rel=1e-12)


@pytest.mark.parametrize("module", SMALL)
def test_biases_start_at_zero(module):
    network = module(3, 10)
    assert not network.output.bias.any()


def test_weights_start_with_variance_two_over_fan_in():
    torch.manual_seed(0)
    for layer in layers(PreActResNet18(3, 10), nn.Conv2d)[-3:]:
        n = layer.weight.numel()
        fan_in = layer.weight[0].numel()
        # 5 standard errors of the variance of n normal draws.
        assert layer.weight.var().item() == pytest.approx(2 / fan_in, rel=5 * math.sqrt(2 / n))


def test_a_network_learns_random_labels_by_heart():
    # The failure this library is about; here it shows that forward, backward and initialization fit together.
    torch.manual_seed(0)
    network = ResNet20(3, 4)
    batch, labels = images(n=32), torch.randint(4, (32,))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(batch), labels).backward()
        optimizer.step()
    assert (network(batch).argmax(dim=1) == labels).all()


def test_unknown_shortcut_is_named():
    with pytest.raises(ValueError, match="shortcut of ResNet20 must be 'A' or 'B', got 'C'"):
        ResNet20(3, 10, shortcut="C")
