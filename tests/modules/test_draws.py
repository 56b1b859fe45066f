"""Laws of a training's own random numbers: as torch's, apart from torch's."""

import copy
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sklabelnoise.modules import MLP, PreActResNet18, ResNet20
from sklabelnoise.modules._draws import (
    Dropout,
    captured,
    draws_to_repeat,
    dropout,
    may_draw,
    own_generator,
    seeded,
)
from sklabelnoise.training._augmentation import CropFlip, Cutout, resolve_augmentation

# What initializers and modules of users draw with.
DRAWING = {
    "uniform_": lambda x: x.clone().uniform_(),
    "normal_": lambda x: x.clone().normal_(),
    "kaiming": lambda x: nn.init.kaiming_uniform_(x.clone()),
    "truncated": lambda x: nn.init.trunc_normal_(x.clone()),
    "orthogonal": lambda x: nn.init.orthogonal_(x.clone()),
    "linear": lambda x: nn.Linear(5, 4).weight.detach(),
    "rand": lambda x: torch.rand(3, 4),
    "randn": lambda x: torch.randn(3, 4),
    "randint": lambda x: torch.randint(5, (6,)),
    "randint from": lambda x: torch.randint(2, 9, (6,)),
    "randperm": lambda x: torch.randperm(9),
    "rand_like": torch.rand_like,
    "randn_like": torch.randn_like,
    "randint_like": lambda x: torch.randint_like(x, 9),
    "randint_like from": lambda x: torch.randint_like(x, 3, 9),
    "bernoulli": lambda x: torch.bernoulli(x.sigmoid()),
    "multinomial": lambda x: torch.multinomial(x.softmax(1), 2),
    "normal": lambda x: torch.normal(x, 1.0),
    "poisson": lambda x: torch.poisson(x.exp()),
    "exponential_": lambda x: x.clone().exponential_(),
    "dropout": lambda x: F.dropout(x, 0.3),
    "feature dropout": lambda x: F.dropout1d(x, 0.3),
    "alpha dropout": lambda x: F.alpha_dropout(x, 0.3, training=True),
    "rrelu": lambda x: F.rrelu(x, training=True),
    "gumbel": lambda x: F.gumbel_softmax(x),
    "attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None], dropout_p=0.3),
    "lstm": lambda x: _with_weights(nn.LSTM(5, 3, num_layers=2, dropout=0.5))(x[None])[0].detach(),
    "native dropout": lambda x: torch.native_dropout(x, 0.3, True)[0],
    "own dropout": Dropout(0.3),
}


def _with_weights(module):
    for i, parameter in enumerate(module.parameters()):
        nn.init.constant_(parameter, 0.1 * (i + 1))
    return module


@pytest.fixture
def x():
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", DRAWING)
def test_a_block_draws_what_torch_would_with_its_seed_and_leaves_torchs_generator_alone(name, x):
    draw = DRAWING[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        expected = [draw(x), draw(x)]
    before = torch.get_rng_state()
    with seeded(7), captured():
        got = [draw(x), draw(x)]
        assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))
    assert not torch.equal(*got)


@pytest.mark.parametrize("name", sorted(set(DRAWING) - {"linear", "lstm"}))
def test_the_same_holds_in_inference_mode(name, x):
    with torch.inference_mode():
        test_a_block_draws_what_torch_would_with_its_seed_and_leaves_torchs_generator_alone(name, x)


def test_a_draw_that_takes_no_generator_leaves_torchs_as_it_was(x):
    before = torch.get_rng_state()
    with seeded(7) as draws:
        with draws.as_global("cpu"):
            first = torch.rand(3)
        with draws.as_global("cpu"):
            second = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    expected = torch.rand(6, generator=torch.Generator().manual_seed(7))
    assert torch.equal(torch.cat([first, second])[:3], expected[:3]) and not torch.equal(first, second)


def test_after_an_error_torchs_generator_is_as_it_was_and_ours_where_it_got_to():
    before = torch.get_rng_state()
    with seeded(7) as draws:
        with pytest.raises(ZeroDivisionError), draws.as_global("cpu"):
            first = torch.rand(3)
            raise ZeroDivisionError
        with draws.as_global("cpu"):
            second = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        assert torch.equal(torch.stack([torch.rand(3), torch.rand(3)]), torch.stack([first, second]))


def test_torchs_generator_is_lent_to_one_thread_at_a_time():
    with seeded(0) as draws, seeded(1) as others, ThreadPoolExecutor(1) as pool:

        def draw():
            with others.as_global("cpu"):
                return torch.rand(3)

        with draws.as_global("cpu"):
            waiting = pool.submit(draw)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.1)
            first = torch.rand(3)
        second = waiting.result()
    assert torch.equal(first, torch.rand(3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(second, torch.rand(3, generator=torch.Generator().manual_seed(1)))


def test_what_is_made_on_a_device_is_drawn_by_its_generator():
    with seeded(0) as draws, captured():
        torch.rand(3, device="cpu:0")
    assert list(draws.generators) == [torch.device("cpu:0")]


@pytest.mark.parametrize("drop", [dropout, lambda x, p, training: torch.native_dropout(x, p, training)[0]])
def test_everything_or_nothing_can_be_dropped(drop, x):
    with seeded(0), captured():
        assert torch.equal(drop(x, 1.0, True), torch.zeros_like(x))
        assert torch.equal(drop(x, 0.0, True), x)
        assert torch.equal(drop(x, 1.0, False), x)


def test_a_look_at_what_a_module_draws_does_not_change_it(x):
    module = nn.Sequential(nn.BatchNorm1d(5), OfAUser(), nn.Linear(5, 2)).eval()
    before = copy.deepcopy(module.state_dict())
    generator = torch.get_rng_state()
    assert not draws_to_repeat(module, x)
    assert not module.training and all(parameter.grad is None for parameter in module.parameters())
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(torch.get_rng_state(), generator)


def test_blocks_nest_and_the_outer_one_goes_on_where_it_was():
    with seeded(0), captured():
        first = torch.rand(2)
        with seeded(1), captured():
            inner = torch.rand(2)
        second = torch.rand(2)
    assert torch.equal(inner, torch.rand(2, generator=torch.Generator().manual_seed(1)))
    generator = torch.Generator().manual_seed(0)
    assert torch.equal(torch.cat([first, second]), torch.cat([torch.rand(2, generator=generator) for _ in range(2)]))
    assert own_generator("cpu") is None


def test_a_block_is_of_its_thread_alone():
    inside = threading.Event()
    seen = []

    def look():
        inside.wait(timeout=300)
        seen.append(own_generator("cpu"))

    thread = threading.Thread(target=look)
    thread.start()
    with seeded(0), captured():
        inside.set()
        thread.join()
    assert seen == [None]


def test_a_generator_of_the_users_own_is_left_to_them():
    with seeded(0), captured():
        drawn = torch.rand(3, generator=torch.Generator().manual_seed(5))
    assert torch.equal(drawn, torch.rand(3, generator=torch.Generator().manual_seed(5)))


def test_outside_of_a_training_dropout_is_torchs(x):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        expected = F.dropout(x, 0.4)
        torch.manual_seed(3)
        assert torch.equal(dropout(x, 0.4, True), expected)
    assert torch.equal(dropout(x, 0.4, False), x)


class OfAUser(nn.Module):
    def forward(self, x):
        return F.dropout(x)


def test_the_librarys_networks_and_torchs_layers_are_known_not_to_draw_by_themselves():
    quiet = [
        MLP(4, 2, dropout=0.5, batch_norm=True),
        ResNet20(3, 10, dropout=0.1),
        PreActResNet18(3, 10),
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2)),
        None,
        F.relu.__name__,
        partial(resolve_augmentation, "cutout", channels_last=True),
        resolve_augmentation(["crop-flip", Cutout(2)]),
        {"q": 0.7},
    ]
    assert not any(map(may_draw, quiet))


def test_whatever_a_user_wrote_may_draw():
    hooked = nn.Linear(2, 2)
    hooked.register_forward_pre_hook(lambda layer, args: (F.dropout(args[0]),))
    patched = nn.Linear(2, 2)
    patched.forward = F.dropout
    parametrized = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    loud = [
        nn.Sequential(nn.Linear(2, 2), nn.Dropout()),
        nn.Sequential(nn.Linear(2, 2), OfAUser()),
        MLP(4, 2, activation=OfAUser),
        nn.LSTM(2, 2),
        nn.RReLU(),
        nn.TransformerEncoderLayer(4, 2),
        hooked,
        patched,
        parametrized,
        lambda batch, generator: batch,
        [lambda batch, generator: batch],
        {lambda batch, generator: batch},
        partial(lambda batch, generator: batch, None),
        partial(resolve_augmentation, lambda batch, generator: batch),
        partial(resolve_augmentation, augment=OfAUser()),
        resolve_augmentation([CropFlip(), OfAUser()]),
    ]
    assert all(map(may_draw, loud))


@pytest.mark.parametrize("within_the_end", [False, True])
def test_a_captured_block_that_an_interrupt_kept_open_ends_with_its_training(within_the_end):
    """Ctrl-C can come before torch begins to close a block, or while it does."""
    with seeded(0), captured():
        outer = torch._C._len_torch_dispatch_stack()
        with seeded(1) as draws:
            draws.mode.__enter__()
            if within_the_end and hasattr(draws.mode, "old_dispatch_mode_flags"):  # not in torch 2.4
                draws.mode.old_dispatch_mode_flags.pop()
        assert torch._C._len_torch_dispatch_stack() == outer == 1
        first = torch.rand(3)
    assert torch._C._len_torch_dispatch_stack() == 0
    with seeded(0), captured():
        assert torch.equal(torch.rand(3), first)
